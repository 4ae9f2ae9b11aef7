#include "back/lib/store-link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <xenstore_lib.h>

#define ARGUMENTS_MAX 512u

static const char confine[] = "confine";

/* A second connection, for nothing but its end: the library does not tell when it has lost the store. */
static int connect_guard(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int code, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", xs_daemon_socket());
	if (!connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return fd;
	code = -errno;
	close(fd);
	return code;
}

/* Both by one descriptor. */
static int open_fd(struct store_link *l)
{
	struct epoll_event event = { .events = EPOLLIN };

	l->fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->fd < 0 || epoll_ctl(l->fd, EPOLL_CTL_ADD, l->guard_fd, &event) ||
	    epoll_ctl(l->fd, EPOLL_CTL_ADD, xs_fileno(l->store), &event))
		return -errno;
	return 0;
}

int store_link_open(struct store_link *l)
{
	int code;

	*l = (struct store_link){ .store = xs_open(XS_OPEN_SOCKETONLY), .guard_fd = -1, .fd = -1 };
	if (!l->store)
		return errno ? -errno : -EIO;
	l->guard_fd = connect_guard();
	code = l->guard_fd < 0 ? l->guard_fd : open_fd(l);
	if (code)
		store_link_close(l);
	return code;
}

void store_link_close(struct store_link *l)
{
	if (!l->store)
		return;
	if (l->fd >= 0)
		close(l->fd);
	if (l->guard_fd >= 0)
		close(l->guard_fd);
	xs_close(l->store);
	l->store = NULL;
}

/* The answer says nothing that matters, but has to be taken: what comes after it is the store's end. */
static void confine_guard(int fd, const char *arguments, size_t size)
{
	struct xsd_sockmsg header = { .type = XS_CONTROL,
				      .len = (uint32_t)(sizeof(confine) + size) };
	char message[sizeof(header) + sizeof(confine) + ARGUMENTS_MAX],
		answer[XENSTORE_PAYLOAD_MAX];

	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), confine, sizeof(confine));
	memcpy(message + sizeof(header) + sizeof(confine), arguments, size);
	if (send(fd, message, sizeof(header) + header.len, MSG_NOSIGNAL) < 0 ||
	    recv(fd, &header, sizeof(header), MSG_WAITALL) != (ssize_t)sizeof(header) ||
	    header.len > sizeof(answer) || !header.len)
		return;
	(void)!recv(fd, answer, header.len, MSG_WAITALL);
}

void store_link_confine(const struct store_link *l, const char *arguments, size_t size)
{
	char copy[ARGUMENTS_MAX]; /* the library takes no constant */

	if (size > sizeof(copy))
		return;
	if (size)
		memcpy(copy, arguments, size);
	free(xs_control_command(l->store, confine, copy, (unsigned int)size));
	confine_guard(l->guard_fd, copy, size);
}

int store_link_signal(const struct store_link *l)
{
	const int fds[] = { l->guard_fd, xs_fileno(l->store) };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		int flags = fcntl(fds[i], F_GETFL);

		if (flags < 0 || fcntl(fds[i], F_SETOWN, getpid()) ||
		    fcntl(fds[i], F_SETFL, flags | O_ASYNC))
			return -errno;
	}
	return 0;
}

char **store_link_news(struct store_link *l, bool *ret_is_lost)
{
	char byte, **news = xs_check_watch(l->store);

	*ret_is_lost = !news && (recv(l->guard_fd, &byte, 1, MSG_DONTWAIT) == 0 || errno != EAGAIN);
	return news;
}
