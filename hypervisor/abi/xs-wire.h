/*
 * Xenstore: the messages between a client and the store, and the ring through which a domain sends
 * them. A message is a header and len bytes; strings in it end with a zero byte.
 */
#ifndef LODGE_ABI_XS_WIRE_H
#define LODGE_ABI_XS_WIRE_H

#include "layout.h"

/* Message types. 20, once a request, stays unused. */
#define XS_CONTROL              0
#define XS_DIRECTORY            1
#define XS_READ                 2
#define XS_GET_PERMS            3
#define XS_WATCH                4
#define XS_UNWATCH              5
#define XS_TRANSACTION_START    6
#define XS_TRANSACTION_END      7
#define XS_INTRODUCE            8
#define XS_RELEASE              9
#define XS_GET_DOMAIN_PATH      10
#define XS_WRITE                11
#define XS_MKDIR                12
#define XS_RM                   13
#define XS_SET_PERMS            14
#define XS_WATCH_EVENT          15 /* from the store only, as is the next */
#define XS_ERROR                16
#define XS_IS_DOMAIN_INTRODUCED 17
#define XS_RESUME               18
#define XS_SET_TARGET           19
#define XS_RESET_WATCHES        21
#define XS_DIRECTORY_PART       22
#define XS_TYPE_COUNT           23

/* A longer message ends the connection; a longer path is an error. */
#define XENSTORE_PAYLOAD_MAX  4096
#define XENSTORE_ABS_PATH_MAX 3072
#define XENSTORE_REL_PATH_MAX 2048

struct xsd_sockmsg {
	uint32_t type;
	uint32_t req_id; /* the reply bears the same; 0 in an event */
	uint32_t tx_id;  /* 0: outside of any transaction */
	uint32_t len;    /* of what follows */
};

#define XENSTORE_RING_SIZE 1024

typedef uint32_t XENSTORE_RING_IDX;

/* Indices run freely and are masked by the size. The store produces rsp and consumes req. */
struct xenstore_domain_interface {
	char req[XENSTORE_RING_SIZE];
	char rsp[XENSTORE_RING_SIZE];
	XENSTORE_RING_IDX req_cons;
	XENSTORE_RING_IDX req_prod;
	XENSTORE_RING_IDX rsp_cons;
	XENSTORE_RING_IDX rsp_prod;
	uint32_t server_features;
	uint32_t connection;
	uint32_t error;
};

#define MASK_XENSTORE_IDX(idx) ((idx) & (XENSTORE_RING_SIZE - 1))

#define XENSTORE_SERVER_FEATURE_RECONNECTION 1 /* connection may be used */
#define XENSTORE_SERVER_FEATURE_ERROR        2 /* error is kept */

#define XENSTORE_CONNECTED 0
#define XENSTORE_RECONNECT 1 /* set by the domain; the store starts anew and sets CONNECTED */

/* Why the store does not serve the ring any more. */
#define XENSTORE_ERROR_NONE    0
#define XENSTORE_ERROR_COMM    1
#define XENSTORE_ERROR_RINGIDX 2 /* an index is out of range */
#define XENSTORE_ERROR_PROTO   3 /* a message is too long */

ABI_SIZE(struct xsd_sockmsg, 16);
ABI_OFFSET(struct xsd_sockmsg, type, 0);
ABI_OFFSET(struct xsd_sockmsg, req_id, 4);
ABI_OFFSET(struct xsd_sockmsg, tx_id, 8);
ABI_OFFSET(struct xsd_sockmsg, len, 12);

ABI_SIZE(struct xenstore_domain_interface, 2076);
ABI_OFFSET(struct xenstore_domain_interface, req, 0);
ABI_OFFSET(struct xenstore_domain_interface, rsp, 1024);
ABI_OFFSET(struct xenstore_domain_interface, req_cons, 2048);
ABI_OFFSET(struct xenstore_domain_interface, req_prod, 2052);
ABI_OFFSET(struct xenstore_domain_interface, rsp_cons, 2056);
ABI_OFFSET(struct xenstore_domain_interface, rsp_prod, 2060);
ABI_OFFSET(struct xenstore_domain_interface, server_features, 2064);
ABI_OFFSET(struct xenstore_domain_interface, connection, 2068);
ABI_OFFSET(struct xenstore_domain_interface, error, 2072);

#endif /* LODGE_ABI_XS_WIRE_H */
