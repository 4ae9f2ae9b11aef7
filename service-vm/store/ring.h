/* A domain's ring as a transport. The peer may write anything into the page at any time: each of its
 * indices is read once, refused if it is further ahead than the ring is long, and bytes are copied out
 * before they are looked at. */
#ifndef LODGE_STORE_RING_H
#define LODGE_STORE_RING_H

#include "conn.h"

extern const struct transport ring_transport;

/* Maps the page and binds the port; the ring goes on from the indices in it. */
must_check int ring_open(struct conn *conn, uint64_t gfn, uint32_t port);

/* After ring_open(): goes on where the journal says that the store was. in: bytes consumed; out: where what
 * waits in conn->out starts. Completes what had been decided and not been done. -ERANGE: the page says
 * something else. */
must_check int ring_resume(struct conn *conn, uint32_t in, uint32_t out);

/* Whether the domain wants to start anew; what waits in conn is to be dropped first. */
bool ring_wants_reconnect(const struct conn *conn);
void ring_reconnect(struct conn *conn);

#endif
