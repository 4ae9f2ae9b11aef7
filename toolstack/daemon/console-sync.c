/* See console-sync.h. The tail of no lines is asked for; before it answers, lodge-console empties the ring. */
#include "daemon/console-sync.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/lodged.h"

#define SYNC_MS 2000u

struct console_sync {
	struct loop_fd fd;
	struct loop_timer timer; /* when it is time to go on without */
	void (*done)(void *argument);
	void *argument;
};

void console_sync_cancel(struct console_sync *s)
{
	if (!s)
		return;
	loop_timer_stop(&s->timer);
	loop_remove(&s->fd);
	if (s->fd.fd >= 0)
		close(s->fd.fd);
	free(s);
}

static void end(struct console_sync *s)
{
	void (*done)(void *argument) = s->done;
	void *argument = s->argument;

	console_sync_cancel(s);
	done(argument);
}

static void expire(struct loop_timer *t)
{
	end(container_of(t, struct console_sync, timer));
}

/* The answer is one line, and then the end. */
static void answered(struct loop_fd *f, uint32_t events)
{
	char line[256];
	ssize_t got = recv(f->fd, line, sizeof(line), MSG_DONTWAIT);

	(void)events;
	if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	end(container_of(f, struct console_sync, fd));
}

static int ask(struct console_sync *s, struct lodged *l, uint32_t domain)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char line[32];
	int length = snprintf(line, sizeof(line), "tail %" PRIu32 " 0\n", domain);

	if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s/console",
			     l->options.run_dir) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	s->fd.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd.fd < 0 || connect(s->fd.fd, (const struct sockaddr *)&address, sizeof(address)) ||
	    send(s->fd.fd, line, (size_t)length, MSG_NOSIGNAL) != length)
		return -errno;
	return loop_add(&l->loop, &s->fd, EPOLLIN);
}

struct console_sync *console_sync_begin(struct lodged *l, uint32_t domain,
					void (*done)(void *argument), void *argument)
{
	struct console_sync *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->done = done;
	s->argument = argument;
	s->fd = (struct loop_fd){ .fd = -1, .ready = answered };
	s->timer.fire = expire;
	loop_timer_start(&l->loop, &s->timer, ask(s, l, domain) ? 0 : SYNC_MS);
	return s;
}
