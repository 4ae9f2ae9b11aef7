/* The loop's body: see serve.h. */
#include "serve.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "conn.h"
#include "journal.h"
#include "platform.h"
#include "ring.h"
#include "socket.h"
#include "store.h"

#define EVENTS_PER_TURN 256

enum { POLL_SIGNAL, POLL_LISTEN, POLL_LISTEN_READ_ONLY, POLL_PLATFORM, POLL_FIXED };

/* A connection that has failed: a socket goes; a ring stays silent until its domain starts anew. */
static void bury(struct conn *conn)
{
	struct journal *j = conn->store->journal;

	if (!conn->domain) {
		conn_destroy(conn);
		return;
	}
	conn->transport->close(conn, conn->failure);
	conn_reset(conn);
	journal_plain(j, RECORD_FAILED, conn);
	journal_commit(j);
}

static void start_anew(struct conn *conn)
{
	struct journal *j = conn->store->journal;

	conn_reset(conn);
	conn->failure = 0;
	journal_ring(j, conn, 0, 0);
	journal_commit(
		j); /* first: a restart sees that the domain still waits, and goes on from here */
	ring_reconnect(conn);
}

static void serve_conn(struct conn *conn)
{
	if (conn->domain && conn->ring.page && ring_wants_reconnect(conn))
		start_anew(conn);
	if (!conn->failure && conn_serve(conn))
		conn_make_ready(conn);
	if (!conn->failure)
		return;
	if (list_node_is_linked(&conn->ready_node))
		list_remove(&conn->ready_node);
	bury(conn);
}

/* Those that become ready meanwhile, or have more, wait for the next call. */
void serve_ready(struct store *s)
{
	struct list now = LIST_INIT(now);
	struct conn *conn;

	list_splice_back(&now, &s->ready);
	while (!list_is_empty(&now)) {
		conn = list_entry(list_first(&now), struct conn, ready_node);
		list_remove(&conn->ready_node);
		serve_conn(conn);
	}
	journal_checkpoint(s->journal, s, false);
}

static struct conn *conn_of_port(const struct store *s, uint32_t local_port)
{
	return local_port < s->nr_ports ? s->ports[local_port] : NULL;
}

static void take_events(struct store *s)
{
	bool domains_changed = false;
	uint32_t port;

	for (int i = 0; i < EVENTS_PER_TURN; i++) {
		struct conn *conn;

		port = platform_event(s->platform, &domains_changed);
		if (!port)
			break;
		conn = conn_of_port(s, port);
		if (conn)
			conn_make_ready(conn);
	}
	if (domains_changed)
		store_domains_changed(s);
}

/* The sockets, in the order of s->conns; how many entries there are. */
static nfds_t fill_polls(struct store *s, struct pollfd *polls)
{
	nfds_t nr = POLL_FIXED;
	struct conn *conn;

	list_for_each_entry(conn, &s->conns, node) {
		if (conn->domain) /* and so have all that follow */
			break;
		if (conn->fd < 0)
			continue;
		polls[nr].fd = conn->fd;
		polls[nr].events = list_is_empty(&conn->out) ? POLLIN : POLLIN | POLLOUT;
		polls[nr++].revents = 0;
	}
	return nr;
}

static void make_sockets_ready(struct store *s, const struct pollfd *polls)
{
	nfds_t nr = POLL_FIXED;
	struct conn *conn;

	list_for_each_entry(conn, &s->conns, node) {
		if (conn->domain) /* and so have all that follow */
			break;
		if (conn->fd < 0)
			continue;
		if (polls[nr].revents)
			conn_make_ready(conn);
		nr++;
	}
}

int serve_turn(struct store *s, const struct listener *l, int signal_fd, int timeout_ms)
{
	static struct pollfd polls[POLL_FIXED + MAX_SOCKETS];
	bool has_room = s->nr_sockets < MAX_SOCKETS;
	nfds_t nr;

	polls[POLL_SIGNAL] = (struct pollfd){ signal_fd, POLLIN, 0 };
	polls[POLL_LISTEN] = (struct pollfd){ has_room ? l->fd : -1, POLLIN, 0 };
	polls[POLL_LISTEN_READ_ONLY] =
		(struct pollfd){ has_room ? l->read_only_fd : -1, POLLIN, 0 };
	polls[POLL_PLATFORM] =
		(struct pollfd){ s->platform ? platform_fd(s->platform) : -1, POLLIN, 0 };
	nr = fill_polls(s, polls);
	if (poll(polls, nr, list_is_empty(&s->ready) ? timeout_ms : 0) < 0)
		return errno == EINTR ? 0 : -errno;
	if (polls[POLL_SIGNAL].revents)
		return 1;
	make_sockets_ready(s, polls);
	if (polls[POLL_PLATFORM].revents)
		take_events(s);
	if (polls[POLL_LISTEN].revents)
		socket_accept(s, l->fd, false);
	if (polls[POLL_LISTEN_READ_ONLY].revents)
		socket_accept(s, l->read_only_fd, true);
	serve_ready(s);
	return 0;
}
