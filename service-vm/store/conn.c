/* Connections: see conn.h. */
#include "conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "lib/log.h"
#include "request.h"
#include "txn.h"
#include "watch.h"

#define GATHER_BYTES       4096u
#define SAME_EVENTS        32 /* that are looked at for one that waits already */
#define SOCKET_OUTSTANDING 1024u
#define SOCKET_MEMORY      (16u << 20)

struct conn *conn_create(struct store *s, const struct transport *transport, struct domain *d)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return NULL;
	conn->store = s;
	conn->transport = transport;
	conn->domain = d;
	conn->domid = d ? d->id : 0;
	conn->is_privileged = conn->domid == 0;
	conn->fd = -1;
	list_init(&conn->out);
	list_init(&conn->watches);
	list_init(&conn->transactions);
	if (d)
		list_push_back(&s->conns, &conn->node);
	else
		list_push_front(&s->conns, &conn->node);
	return conn;
}

static void msg_destroy(struct conn *conn, struct msg *m)
{
	list_remove(&m->node);
	if (list_node_is_linked(&m->watch_node))
		list_remove(&m->watch_node);
	conn->bytes -= m->len;
	conn->nr_outstanding -= m->is_reply;
	free(m);
}

void conn_drop_first(struct conn *conn)
{
	struct list_node *first = list_first(&conn->out);

	if (first)
		msg_destroy(conn, list_entry(first, struct msg, node));
}

void conn_forget(struct conn *conn)
{
	struct watch *w;
	struct transaction *t;

	list_for_each_entry_safe(w, &conn->watches, conn_node)
		watch_remove(&conn->store->watches, w);
	list_for_each_entry_safe(t, &conn->transactions, node)
		txn_destroy(t);
}

void conn_reset(struct conn *conn)
{
	struct msg *m;

	conn_forget(conn);
	list_for_each_entry_safe(m, &conn->out, node)
		msg_destroy(conn, m);
	conn->out_sent = 0;
	conn->in_len = 0;
}

void conn_destroy(struct conn *conn)
{
	conn_reset(conn);
	conn->transport->close(conn, 0);
	if (list_node_is_linked(&conn->ready_node))
		list_remove(&conn->ready_node);
	list_remove(&conn->node);
	free(conn->home);
	free(conn);
}

void conn_fail(struct conn *conn, int reason)
{
	if (conn->failure)
		return;
	conn->failure = reason;
	conn_make_ready(conn);
	/* Who has asked for another start can fail again at once. */
	if (reason != -ECONNRESET && (!conn->domain || store_may_log(&conn->domain->failed_s)))
		log_line("domain %u: disconnected: %s", conn->domid, strerror(-reason));
}

void conn_make_ready(struct conn *conn)
{
	if (!list_node_is_linked(&conn->ready_node))
		list_push_back(&conn->store->ready, &conn->ready_node);
}

bool conn_is_over(const struct conn *conn, enum quota q, uint64_t value)
{
	if (conn->is_privileged || !conn->domain || value <= quota_of(conn->store, conn->domain, q))
		return false;
	quota_log_hit(conn->store, conn->domain, q);
	return true;
}

int conn_confine(struct conn *conn, uint16_t domid, const char *home)
{
	conn->home = strdup(home);
	if (!conn->home)
		return -ENOMEM;
	conn->domid = domid;
	conn->is_privileged = false;
	return 0;
}

bool conn_is_at_home(const struct conn *conn, const char *path)
{
	size_t len = conn->home ? strlen(conn->home) : 0;

	return len && !strncmp(path, conn->home, len) && (!path[len] || path[len] == '/');
}

bool conn_is_kept(const struct conn *conn)
{
	return conn->domain;
}

/* data is left to the caller to fill. */
static struct msg *msg_create(struct conn *conn, size_t len)
{
	struct msg *m = calloc(1, sizeof(*m) + len);

	if (!m) {
		conn_fail(conn, -ENOMEM);
		return NULL;
	}
	m->len = len;
	list_push_back(&conn->out, &m->node);
	conn->bytes += len;
	conn_make_ready(conn);
	return m;
}

int conn_requeue(struct conn *conn, const void *data, size_t len)
{
	struct msg *m = msg_create(conn, len);

	if (!m)
		return -ENOMEM;
	memcpy(m->data, data, len);
	return 0;
}

void conn_send(struct conn *conn, const struct xsd_sockmsg *request, uint32_t type,
	       const void *data, size_t len)
{
	struct xsd_sockmsg header = { type, request->req_id, request->tx_id, (uint32_t)len };
	struct msg *m = conn->failure ? NULL : msg_create(conn, sizeof(header) + len);

	if (!m)
		return;
	m->is_reply = true;
	conn->nr_outstanding++;
	memcpy(m->data, &header, sizeof(header));
	if (len)
		memcpy(m->data + sizeof(header), data, len);
	if (conn_is_kept(conn))
		journal_out(conn->store->journal, conn, m->data, m->len);
}

static bool event_waits(struct watch *w, const char *path, size_t path_size)
{
	struct list_node *n = list_last(&w->queued);

	for (int i = 0; n && i < SAME_EVENTS; i++) {
		const struct msg *m = list_entry(n, struct msg, watch_node);

		if (!strncmp(m->data + sizeof(struct xsd_sockmsg), path, path_size))
			return true;
		n = n->prev == &w->queued.head ? NULL : n->prev;
	}
	return false;
}

/* Too much waits already to tell more than that something has happened. */
static bool is_slow(const struct conn *conn, size_t len)
{
	if (conn->is_privileged || !conn->domain)
		return conn->bytes + len > SOCKET_MEMORY;
	return conn_is_over(conn, QUOTA_MEMORY, conn->bytes + len);
}

void conn_send_event(struct conn *conn, struct watch *w, const char *path)
{
	size_t path_size = strlen(path) + 1, token_size = strlen(w->token) + 1;
	struct xsd_sockmsg header = { .type = XS_WATCH_EVENT };
	struct msg *m;

	if (conn->failure)
		return;
	if (path_size + token_size > XENSTORE_PAYLOAD_MAX ||
	    is_slow(conn, sizeof(*m) + path_size + token_size)) {
		path = w->path + w->relative_start;
		path_size = strlen(path) + 1;
	}
	if (event_waits(w, path, path_size))
		return;
	header.len = (uint32_t)(path_size + token_size);
	m = msg_create(conn, sizeof(header) + header.len);
	if (!m)
		return;
	memcpy(m->data, &header, sizeof(header));
	memcpy(m->data + sizeof(header), path, path_size);
	memcpy(m->data + sizeof(header) + path_size, w->token, token_size);
	list_push_back(&w->queued, &m->watch_node);
	if (conn_is_kept(conn))
		journal_out(conn->store->journal, conn, m->data, m->len);
}

static struct msg *first_msg(const struct conn *conn)
{
	return list_entry(list_first(&conn->out), struct msg, node);
}

/* The start of what waits, into the buffer: small messages go out together. */
static size_t gather(const struct conn *conn, char *buffer)
{
	size_t nr = 0, from = conn->out_sent;
	const struct msg *m;

	list_for_each_entry(m, &conn->out, node) {
		size_t part = MIN(m->len - from, GATHER_BYTES - nr);

		memcpy(buffer + nr, m->data + from, part);
		nr += part;
		if (nr == GATHER_BYTES)
			break;
		from = 0;
	}
	return nr;
}

/* So many bytes of what waits have gone. */
static void drop_sent(struct conn *conn, size_t nr)
{
	conn->out_sent += nr;
	while (!list_is_empty(&conn->out) && conn->out_sent >= first_msg(conn)->len) {
		conn->out_sent -= first_msg(conn)->len;
		msg_destroy(conn, first_msg(conn));
	}
}

static void send_waiting(struct conn *conn)
{
	char buffer[GATHER_BYTES];

	while (!list_is_empty(&conn->out) && !conn->failure) {
		const struct msg *m = first_msg(conn);
		int n;

		if (conn->fd >= 0 && m->node.next != &conn->out.head)
			n = conn->transport->send(conn, buffer, gather(conn, buffer));
		else
			n = conn->transport->send(conn, m->data + conn->out_sent,
						  m->len - conn->out_sent);
		if (n < 0)
			conn_fail(conn, n);
		if (n <= 0)
			return;
		drop_sent(conn, (size_t)n);
	}
}

static bool has_room(const struct conn *conn)
{
	uint32_t max = SOCKET_OUTSTANDING;

	if (conn->domain && !conn->is_privileged)
		max = quota_of(conn->store, conn->domain, QUOTA_OUTSTANDING);
	return conn->nr_outstanding < max;
}

/* Receives as much of a request as there is; 1 when it is complete. */
static int receive_request(struct conn *conn)
{
	const struct xsd_sockmsg *header = &conn->in.header;
	size_t want = sizeof(*header);
	int n = 0;

	for (;;) {
		if (conn->in_len >= sizeof(*header)) {
			if (header->len > XENSTORE_PAYLOAD_MAX)
				return -EPROTO;
			want = sizeof(*header) + header->len;
			if (conn->in_len == want)
				return 1;
		}
		n = conn->transport->receive(conn, conn->in.bytes + conn->in_len,
					     want - conn->in_len);
		if (n <= 0)
			return n;
		conn->in_len += (size_t)n;
	}
}

/* Either all of a request's effects and its answer are in the journal, or nothing is, and the request is
 * still in the ring. Only then the peer hears of it. */
static void commit(struct conn *conn)
{
	struct journal *j = conn->store->journal;

	if (conn_is_kept(conn))
		journal_in(j, conn);
	journal_commit(j);
	conn->transport->consume(conn);
}

/* A peer looks at our index behind its change, and tells us of the change only if it finds that we have
 * nothing left to do. We look at its index behind our change: one sees the other. */
static bool must_go_on(const struct conn *conn)
{
	const struct transport *t = conn->transport;

	if (conn->failure)
		return false;
	return (has_room(conn) && t->has_input(conn)) ||
	       (!list_is_empty(&conn->out) && t->has_space(conn));
}

bool conn_serve(struct conn *conn)
{
	send_waiting(conn);
	for (unsigned int i = 0; i < CONN_REQUESTS && !conn->failure && has_room(conn); i++) {
		int err = receive_request(conn);

		if (err < 0) {
			conn_fail(conn, err);
		} else if (err) {
			request_handle(conn);
			conn->in_len = 0;
			commit(conn);
		} else if (conn->transport->holds_bytes(conn)) {
			commit(conn);
		} else {
			break;
		}
	}
	send_waiting(conn);
	conn->transport->flush(conn);
	return must_go_on(conn);
}
