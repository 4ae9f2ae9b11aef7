/* Connections: one client with what it sends and what waits for it. A transport moves the bytes: a UNIX
 * socket (socket.h), or the ring of a domain (ring.h). */
#ifndef LODGE_STORE_CONN_H
#define LODGE_STORE_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/xs-wire.h"
#include "lib/list.h"
#include "lib/util.h"
#include "store.h"

#define CONN_REQUESTS 8u /* of one client before others have their turn */

struct msg {
	struct list_node node;       /* in conn->out */
	struct list_node watch_node; /* in watch->queued, for an event */
	bool is_reply;
	size_t len;
	char data[]; /* with header */
};

struct transport {
	/* How many bytes came, at most max, 0 for none now; or a negative error, which ends the connection. */
	int (*receive)(struct conn *conn, char *buffer, size_t max);
	/* What was received so far is done with, and the peer may know. */
	void (*consume)(struct conn *conn);
	/* Some of what was received is not consumed: the peer may not send more, or not tell of it. */
	bool (*holds_bytes)(const struct conn *conn);
	/* How many bytes went, 0 for none now; or a negative error. */
	int (*send)(struct conn *conn, const char *data, size_t len);
	/* The end of a turn: tells the peer what has changed. */
	void (*flush)(struct conn *conn);
	/* After flush(): more has come, or there is space again, and perhaps nothing will tell. */
	bool (*has_input)(const struct conn *conn);
	bool (*has_space)(const struct conn *conn);
	/* The connection has failed for this reason, or is destroyed (0). */
	void (*close)(struct conn *conn, int reason);
};

struct ring {
	struct xenstore_domain_interface *page; /* shared: only ring.c touches it */
	uint32_t local_port;
	uint32_t req_cons; /* what the page says, kept where the peer cannot write */
	uint32_t req_seen; /* how far bytes were copied out */
	uint32_t rsp_prod;
	bool must_notify;
};

struct conn {
	struct list_node node;
	struct list_node ready_node;
	struct store *store;
	const struct transport *transport;
	struct domain *domain; /* NULL: a socket */
	uint16_t domid;        /* a socket's: 0 */
	bool is_privileged;
	bool is_read_only;
	char *home;  /* of a socket that is confined (conn_confine()), else NULL */
	int failure; /* negative: why it is served no more */

	int fd;      /* of a socket, else -1 */
	char *ahead; /* of a socket: what was received ahead of need, from ahead_at to nr_ahead */
	size_t ahead_at, nr_ahead;
	struct ring ring; /* of a domain */

	size_t in_len; /* bytes of the request that have come */
	union {
		struct xsd_sockmsg header;
		char bytes[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
	} in;

	struct list out; /* struct msg */
	size_t out_sent; /* of the first one */
	size_t bytes;    /* of out, of watches and of transactions: QUOTA_MEMORY */
	uint32_t nr_outstanding;

	struct list watches; /* struct watch.conn_node */
	uint32_t nr_watches;
	struct list transactions;
	uint32_t nr_transactions, last_txn_id;
};

/* d: whose ring it is; NULL: a socket. NULL: out of memory. */
struct conn *conn_create(struct store *s, const struct transport *transport, struct domain *d);
void conn_destroy(struct conn *conn);

/* Forgets watches and transactions. */
void conn_forget(struct conn *conn);

/* And all that waits, in and out. */
void conn_reset(struct conn *conn);

/* Drops the message that would be sent next. */
void conn_drop_first(struct conn *conn);

/* No longer served; watches and transactions go at the end of the turn. Only the first reason counts. */
void conn_fail(struct conn *conn, int reason);

/* Puts it on the list of those to be looked at. */
void conn_make_ready(struct conn *conn);

/* Whether a domain would have more than its quota; then says so. Sockets have no limits of this kind. */
bool conn_is_over(const struct conn *conn, enum quota q, uint64_t value);

/* For a process that serves a domain's device: the client writes below home only, and reads what is there and what
 * the domain may read; all else is for others. For ever. -ENOMEM. */
must_check int conn_confine(struct conn *conn, uint16_t domid, const char *home);

/* Whether path is the home of a confined client, or below. */
bool conn_is_at_home(const struct conn *conn, const char *path);

/* A domain's ring: what is sent, set up and received survives a restart. */
bool conn_is_kept(const struct conn *conn);

void conn_send(struct conn *conn, const struct xsd_sockmsg *request, uint32_t type,
	       const void *data, size_t len);

/* Unless the same event waits already. Of a client that lets too much wait, only the watched path. */
void conn_send_event(struct conn *conn, struct watch *w, const char *path);

/* Bytes as they are, which waited before a restart. */
must_check int conn_requeue(struct conn *conn, const void *data, size_t len);

/* Some requests and what waits; whether there may be more to do at once. */
bool conn_serve(struct conn *conn);

#endif
