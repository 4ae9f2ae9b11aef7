/* A domain's ring: see ring.h. */
#include "ring.h"

#include <errno.h>
#include <string.h>

#include "platform.h"

static uint32_t load(const uint32_t *shared)
{
	return __atomic_load_n(shared, __ATOMIC_ACQUIRE);
}

static void store(uint32_t *shared, uint32_t value)
{
	__atomic_store_n(shared, value, __ATOMIC_RELEASE);
}

static void copy_out(char *to, const char *ring, uint32_t index, size_t len)
{
	size_t at = MASK_XENSTORE_IDX(index), first = MIN(len, XENSTORE_RING_SIZE - at);

	memcpy(to, ring + at, first);
	memcpy(to + first, ring, len - first);
	__asm__ volatile("" ::: "memory"); /* what is checked is the copy */
}

static void copy_in(char *ring, uint32_t index, const char *from, size_t len)
{
	size_t at = MASK_XENSTORE_IDX(index), first = MIN(len, XENSTORE_RING_SIZE - at);

	memcpy(ring + at, from, first);
	memcpy(ring, from + first, len - first);
}

static int ring_receive(struct conn *conn, char *buffer, size_t max)
{
	struct ring *r = &conn->ring;
	uint32_t prod = load(&r->page->req_prod); /* pairs with the peer's release of the bytes */
	size_t len;

	if (prod - r->req_cons > XENSTORE_RING_SIZE ||
	    prod - r->req_cons < r->req_seen - r->req_cons)
		return -ERANGE;
	len = MIN(max, prod - r->req_seen);
	copy_out(buffer, r->page->req, r->req_seen, len);
	r->req_seen += (uint32_t)len;
	return (int)len;
}

static void ring_consume(struct conn *conn)
{
	struct ring *r = &conn->ring;

	r->req_cons = r->req_seen;
	store(&r->page->req_cons, r->req_cons); /* the bytes were copied before */
	r->must_notify = true;
}

/* Linux sends a request in two parts, and an event with the second only if the first is consumed. */
static bool ring_holds_bytes(const struct conn *conn)
{
	return conn->ring.req_seen != conn->ring.req_cons;
}

static int ring_send(struct conn *conn, const char *data, size_t len)
{
	struct ring *r = &conn->ring;
	uint32_t used = r->rsp_prod - load(&r->page->rsp_cons); /* pairs with its last read */

	if (used > XENSTORE_RING_SIZE)
		return -ERANGE;
	len = MIN(len, XENSTORE_RING_SIZE - used);
	copy_in(r->page->rsp, r->rsp_prod, data, len);
	r->rsp_prod += (uint32_t)len;
	store(&r->page->rsp_prod, r->rsp_prod); /* behind the bytes */
	r->must_notify |= len > 0;
	return (int)len;
}

static void ring_flush(struct conn *conn)
{
	struct ring *r = &conn->ring;

	if (r->must_notify)
		platform_notify(conn->store->platform, r->local_port);
	r->must_notify = false;
}

static bool ring_has_input(const struct conn *conn)
{
	/* Our index has left before we look at theirs. Pairs with the peer's barrier between the two. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return load(&conn->ring.page->req_prod) != conn->ring.req_seen;
}

static bool ring_has_space(const struct conn *conn)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* as above */
	return conn->ring.rsp_prod - load(&conn->ring.page->rsp_cons) != XENSTORE_RING_SIZE;
}

static void ring_close(struct conn *conn, int reason)
{
	struct ring *r = &conn->ring;

	if (!r->page)
		return;
	if (reason) {
		store(&r->page->error, reason == -ERANGE   ? XENSTORE_ERROR_RINGIDX
				       : reason == -EPROTO ? XENSTORE_ERROR_PROTO
							   : XENSTORE_ERROR_COMM);
		platform_notify(conn->store->platform, r->local_port);
		return; /* the domain may ask for another start */
	}
	(void)!store_set_port(conn->store, r->local_port, NULL); /* it was set: cannot fail */
	platform_unbind(conn->store->platform, r->local_port);
	platform_unmap(conn->store->platform, conn->domid, r->page);
	r->page = NULL;
}

static void ring_start(struct ring *r)
{
	r->req_cons = load(&r->page->req_cons);
	r->req_seen = r->req_cons;
	r->rsp_prod = load(&r->page->rsp_prod);
	store(&r->page->server_features,
	      XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR);
	store(&r->page->error, XENSTORE_ERROR_NONE);
	r->must_notify = true;
}

int ring_open(struct conn *conn, uint64_t gfn, uint32_t port)
{
	struct ring *r = &conn->ring;
	struct platform *p = conn->store->platform;
	int err = p ? platform_map(p, conn->domid, gfn, &r->page) : -ENODEV;

	if (err)
		return err;
	err = platform_bind(p, conn->domid, port, &r->local_port);
	if (err)
		goto unmap;
	err = store_set_port(conn->store, r->local_port, conn);
	if (err)
		goto unbind;
	ring_start(r);
	conn_make_ready(conn);
	return 0;
unbind:
	platform_unbind(p, r->local_port);
unmap:
	platform_unmap(p, conn->domid, r->page);
	r->page = NULL;
	return err;
}

int ring_resume(struct conn *conn, uint32_t in, uint32_t out)
{
	struct ring *r = &conn->ring;
	size_t sent = r->rsp_prod - out;

	r->req_cons = in;
	r->req_seen = in;
	store(&r->page->req_cons, in);
	while (sent && !list_is_empty(&conn->out)) {
		const struct msg *m = list_entry(list_first(&conn->out), struct msg, node);

		if (sent < m->len) {
			conn->out_sent = sent;
			return 0;
		}
		sent -= m->len;
		conn_drop_first(conn);
	}
	return sent ? -ERANGE : 0;
}

bool ring_wants_reconnect(const struct conn *conn)
{
	return load(&conn->ring.page->connection) == XENSTORE_RECONNECT;
}

void ring_reconnect(struct conn *conn)
{
	struct ring *r = &conn->ring;

	store(&r->page->req_cons, 0);
	store(&r->page->req_prod, 0);
	store(&r->page->rsp_cons, 0);
	store(&r->page->rsp_prod, 0);
	ring_start(r);
	store(&r->page->connection, XENSTORE_CONNECTED); /* behind all of these */
	conn_make_ready(conn);
}

const struct transport ring_transport = {
	.receive = ring_receive,
	.consume = ring_consume,
	.holds_bytes = ring_holds_bytes,
	.send = ring_send,
	.flush = ring_flush,
	.has_input = ring_has_input,
	.has_space = ring_has_space,
	.close = ring_close,
};
