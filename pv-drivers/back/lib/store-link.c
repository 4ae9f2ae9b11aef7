#include "back/lib/store-link.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <xenstore_lib.h>

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

char **store_link_news(struct store_link *l, bool *ret_is_lost)
{
	char byte, **news = xs_check_watch(l->store);

	*ret_is_lost = !news && (recv(l->guard_fd, &byte, 1, MSG_DONTWAIT) == 0 || errno != EAGAIN);
	return news;
}
