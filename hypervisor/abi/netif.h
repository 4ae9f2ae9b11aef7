/*
 * Network interfaces: what passes through a frontend's tx and rx rings and through the control ring.
 *
 * A packet to be sent (tx) is one request for each part, all but the last with NETTXF_more_data. The
 * first request's size is that of the whole packet, the others' that of their part. With
 * NETTXF_extra_info in the first request, extra slots follow it directly, all but the last with
 * XEN_NETIF_EXTRA_FLAG_MORE. Each slot of the ring, extra ones too, gets a response in its place.
 *
 * A received packet (rx) fills granted pages in the order of the requests: a response for each, all but
 * the last with NETRXF_more_data; extra slots follow the first, and the requests in their places stay
 * unused. What the rings themselves look like is not said here.
 */
#ifndef LODGE_ABI_NETIF_H
#define LODGE_ABI_NETIF_H

#include "grant-table.h"

/* A backend takes packets of this many slots at least. */
#define XEN_NETIF_NR_SLOTS_MIN 18
#define XEN_NETIF_MAX_TX_SIZE  0xffff

/* Flags of a tx request. */
#define NETTXF_csum_blank     (1U << 0) /* the checksum field has the pseudo header's sum only */
#define NETTXF_data_validated (1U << 1)
#define NETTXF_more_data      (1U << 2)
#define NETTXF_extra_info     (1U << 3)

struct netif_tx_request {
	grant_ref_t gref;
	uint16_t offset; /* in the page */
	uint16_t flags;  /* NETTXF_* */
	uint16_t id;     /* the response has the same */
	uint16_t size;
};

ABI_SIZE(struct netif_tx_request, 12);
ABI_OFFSET(struct netif_tx_request, gref, 0);
ABI_OFFSET(struct netif_tx_request, offset, 4);
ABI_OFFSET(struct netif_tx_request, flags, 6);
ABI_OFFSET(struct netif_tx_request, id, 8);
ABI_OFFSET(struct netif_tx_request, size, 10);

/* Status of a response. Of a rx response, what is not negative is the number of bytes. */
#define NETIF_RSP_DROPPED (-2)
#define NETIF_RSP_ERROR   (-1)
#define NETIF_RSP_OKAY    0
#define NETIF_RSP_NULL    1 /* there was no request in this place, but extra information */

struct netif_tx_response {
	uint16_t id;
	int16_t status; /* NETIF_RSP_* */
};

ABI_SIZE(struct netif_tx_response, 4);
ABI_OFFSET(struct netif_tx_response, id, 0);
ABI_OFFSET(struct netif_tx_response, status, 2);

/* Types of extra information. */
#define XEN_NETIF_EXTRA_TYPE_NONE      0
#define XEN_NETIF_EXTRA_TYPE_GSO       1 /* u.gso */
#define XEN_NETIF_EXTRA_TYPE_MCAST_ADD 2 /* u.mcast; the packet itself goes nowhere */
#define XEN_NETIF_EXTRA_TYPE_MCAST_DEL 3
#define XEN_NETIF_EXTRA_TYPE_HASH      4 /* u.hash */
#define XEN_NETIF_EXTRA_TYPE_MAX       5

#define XEN_NETIF_EXTRA_FLAG_MORE (1U << 0)

#define XEN_NETIF_GSO_TYPE_NONE  0
#define XEN_NETIF_GSO_TYPE_TCPV4 1
#define XEN_NETIF_GSO_TYPE_TCPV6 2

struct netif_extra_info {
	uint8_t type;  /* XEN_NETIF_EXTRA_TYPE_* */
	uint8_t flags; /* XEN_NETIF_EXTRA_FLAG_* */
	union {
		struct {
			uint16_t size; /* payload of each segment */
			uint8_t type;  /* XEN_NETIF_GSO_TYPE_* */
			uint8_t pad;
			uint16_t features; /* none are defined */
		} gso;
		struct {
			uint8_t addr[6];
		} mcast;
		struct {
			uint8_t type;      /* number of a XEN_NETIF_CTRL_HASH_TYPE_* */
			uint8_t algorithm; /* XEN_NETIF_CTRL_HASH_ALGORITHM_* */
			uint8_t value[4];
		} hash;
		uint16_t pad[3];
	} u;
};

ABI_SIZE(struct netif_extra_info, 8);
ABI_OFFSET(struct netif_extra_info, type, 0);
ABI_OFFSET(struct netif_extra_info, flags, 1);
ABI_OFFSET(struct netif_extra_info, u.gso.size, 2);
ABI_OFFSET(struct netif_extra_info, u.gso.type, 4);
ABI_OFFSET(struct netif_extra_info, u.gso.pad, 5);
ABI_OFFSET(struct netif_extra_info, u.gso.features, 6);
ABI_OFFSET(struct netif_extra_info, u.mcast.addr, 2);
ABI_OFFSET(struct netif_extra_info, u.hash.type, 2);
ABI_OFFSET(struct netif_extra_info, u.hash.algorithm, 3);
ABI_OFFSET(struct netif_extra_info, u.hash.value, 4);

struct netif_rx_request {
	uint16_t id; /* the response has the same */
	uint16_t pad;
	grant_ref_t gref;
};

ABI_SIZE(struct netif_rx_request, 8);
ABI_OFFSET(struct netif_rx_request, id, 0);
ABI_OFFSET(struct netif_rx_request, pad, 2);
ABI_OFFSET(struct netif_rx_request, gref, 4);

/* Flags of a rx response. */
#define NETRXF_data_validated (1U << 0)
#define NETRXF_csum_blank     (1U << 1)
#define NETRXF_more_data      (1U << 2)
#define NETRXF_extra_info     (1U << 3)
#define NETRXF_gso_prefix     (1U << 4) /* an older form of what extra information says */

struct netif_rx_response {
	uint16_t id;
	uint16_t offset; /* in the page */
	uint16_t flags;  /* NETRXF_* */
	int16_t status;  /* bytes, or NETIF_RSP_* */
};

ABI_SIZE(struct netif_rx_response, 8);
ABI_OFFSET(struct netif_rx_response, id, 0);
ABI_OFFSET(struct netif_rx_response, offset, 2);
ABI_OFFSET(struct netif_rx_response, flags, 4);
ABI_OFFSET(struct netif_rx_response, status, 6);

/* The control ring: how a frontend has its packets spread over its queues. */
#define XEN_NETIF_CTRL_HASH_TYPE_IPV4     (1U << 0)
#define XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP (1U << 1)
#define XEN_NETIF_CTRL_HASH_TYPE_IPV6     (1U << 2)
#define XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP (1U << 3)

#define XEN_NETIF_CTRL_HASH_ALGORITHM_NONE     0
#define XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ 1

#define XEN_NETIF_CTRL_TYPE_INVALID               0
#define XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS        1 /* gives what is supported */
#define XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS        2 /* data[0]: flags */
#define XEN_NETIF_CTRL_TYPE_SET_HASH_KEY          3 /* grant, bytes */
#define XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE 4 /* gives the largest */
#define XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE 5 /* data[0]: entries */
#define XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING      6 /* grant, entries, first entry */
#define XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM    7 /* data[0]: algorithm */
#define XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE 8
#define XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING      9
#define XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING      10

#define XEN_NETIF_CTRL_STATUS_SUCCESS           0
#define XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED     1
#define XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER 2
#define XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW   3

struct xen_netif_ctrl_request {
	uint16_t id;
	uint16_t type; /* XEN_NETIF_CTRL_TYPE_* */
	uint32_t data[3];
};

ABI_SIZE(struct xen_netif_ctrl_request, 16);
ABI_OFFSET(struct xen_netif_ctrl_request, id, 0);
ABI_OFFSET(struct xen_netif_ctrl_request, type, 2);
ABI_OFFSET(struct xen_netif_ctrl_request, data, 4);

struct xen_netif_ctrl_response {
	uint16_t id;
	uint16_t type;
	uint32_t status; /* XEN_NETIF_CTRL_STATUS_* */
	uint32_t data;
};

ABI_SIZE(struct xen_netif_ctrl_response, 12);
ABI_OFFSET(struct xen_netif_ctrl_response, id, 0);
ABI_OFFSET(struct xen_netif_ctrl_response, type, 2);
ABI_OFFSET(struct xen_netif_ctrl_response, status, 4);
ABI_OFFSET(struct xen_netif_ctrl_response, data, 8);

#endif /* LODGE_ABI_NETIF_H */
