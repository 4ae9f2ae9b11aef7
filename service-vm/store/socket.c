/* UNIX sockets: see socket.h. */
#include "socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "conn.h"
#include "lib/log.h"

#define AHEAD_BYTES 4096u

int socket_listen(const char *path, unsigned int mode)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	if (!bind(fd, (struct sockaddr *)&address, sizeof(address)) && !chmod(path, mode) &&
	    !listen(fd, 64))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* Clients send many small requests at once, which come here piece by piece: one system call for all. What is
 * left when a turn ends is asked for again when what the turn had to say has gone out, if not before. */
static int sock_receive(struct conn *conn, char *buffer, size_t max)
{
	size_t nr;

	if (conn->ahead_at == conn->nr_ahead) {
		ssize_t n = recv(conn->fd, conn->ahead, AHEAD_BYTES, MSG_DONTWAIT);

		if (n <= 0)
			return n && (errno == EAGAIN || errno == EINTR) ? 0 : -ECONNRESET;
		conn->ahead_at = 0;
		conn->nr_ahead = (size_t)n;
	}
	nr = MIN(max, conn->nr_ahead - conn->ahead_at);
	memcpy(buffer, conn->ahead + conn->ahead_at, nr);
	conn->ahead_at += nr;
	return (int)nr;
}

static int sock_send(struct conn *conn, const char *data, size_t len)
{
	ssize_t n = send(conn->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n >= 0)
		return (int)n;
	return errno == EAGAIN || errno == EINTR ? 0 : -ECONNRESET;
}

static void sock_nothing(struct conn *conn)
{
	(void)conn;
}

/* The kernel holds the bytes, and poll() tells of them. */
static bool sock_no(const struct conn *conn)
{
	(void)conn;
	return false;
}

static void sock_close(struct conn *conn, int reason)
{
	if (reason || conn->fd < 0)
		return;
	close(conn->fd);
	conn->fd = -1;
	free(conn->ahead);
	conn->ahead = NULL;
	conn->store->nr_sockets--;
}

static const struct transport socket_transport = {
	.receive = sock_receive,
	.consume = sock_nothing,
	.holds_bytes = sock_no,
	.send = sock_send,
	.flush = sock_nothing,
	.has_input = sock_no,
	.has_space = sock_no,
	.close = sock_close,
};

int socket_serve(struct store *s, int fd, bool is_read_only)
{
	struct conn *conn = conn_create(s, &socket_transport, NULL);
	char *ahead = conn ? malloc(AHEAD_BYTES) : NULL;

	if (!ahead) {
		if (conn)
			conn_destroy(conn);
		close(fd);
		return -ENOMEM;
	}
	conn->ahead = ahead;
	conn->fd = fd;
	conn->is_read_only = is_read_only;
	s->nr_sockets++;
	return 0;
}

void socket_accept(struct store *s, int fd, bool is_read_only)
{
	while (s->nr_sockets < MAX_SOCKETS) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (client < 0)
			return;
		if (socket_serve(s, client, is_read_only))
			log_line("no memory for another client");
	}
}
