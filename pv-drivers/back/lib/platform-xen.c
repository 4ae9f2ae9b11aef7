/* The service VM's devices: /dev/xen/evtchn, /dev/xen/gntdev, and xenstore's socket. */
#include "back/lib/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

#define COPIES_AT_ONCE 64

struct platform {
	uint16_t domid;
	xenevtchn_handle *events;
	xengnttab_handle *grants;
	struct xs_handle *store;
	int guard_fd, store_fd;
};

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

/* News and the end, both by one descriptor. */
static int open_store(struct platform *p)
{
	struct epoll_event event = { .events = EPOLLIN };

	p->store = xs_open(XS_OPEN_SOCKETONLY);
	if (!p->store)
		return errno ? -errno : -EIO;
	p->guard_fd = connect_guard();
	if (p->guard_fd < 0)
		return p->guard_fd;
	p->store_fd = epoll_create1(EPOLL_CLOEXEC);
	if (p->store_fd < 0 || epoll_ctl(p->store_fd, EPOLL_CTL_ADD, p->guard_fd, &event) ||
	    epoll_ctl(p->store_fd, EPOLL_CTL_ADD, xs_fileno(p->store), &event))
		return -errno;
	return 0;
}

static bool store_is_gone(const struct platform *p)
{
	char byte;

	return recv(p->guard_fd, &byte, 1, MSG_DONTWAIT) == 0 || errno != EAGAIN;
}

static int open_devices(struct platform *p, struct err *err)
{
	p->events = xenevtchn_open(NULL, 0);
	if (!p->events)
		return err_errno(err, -errno, "/dev/xen/evtchn");
	p->grants = xengnttab_open(NULL, 0);
	if (!p->grants)
		return err_errno(err, -errno, "/dev/xen/gntdev");
	if (fcntl(xenevtchn_fd(p->events), F_SETFL, O_NONBLOCK))
		return err_errno(err, -errno, "/dev/xen/evtchn: O_NONBLOCK");
	/* The handle reaches no other domain's channels from here on. */
	if (xenevtchn_restrict(p->events, p->domid))
		return err_errno(err, -errno, "/dev/xen/evtchn: restricting it to domain %u",
				 p->domid);
	return 0;
}

int platform_open(uint16_t domid, struct platform **ret_platform, struct err *err)
{
	struct platform *p = calloc(1, sizeof(*p));
	int code;

	if (!p)
		return err_set(err, -ENOMEM, "no memory");
	p->domid = domid;
	p->guard_fd = -1;
	p->store_fd = -1;
	code = open_devices(p, err);
	if (!code) {
		code = open_store(p);
		if (code)
			code = err_errno(err, code, "xenstore");
	}
	if (code) {
		platform_close(p);
		return code;
	}
	*ret_platform = p;
	return 0;
}

void platform_close(struct platform *p)
{
	if (!p)
		return;
	if (p->events)
		xenevtchn_close(p->events);
	if (p->grants)
		xengnttab_close(p->grants);
	if (p->store_fd >= 0)
		close(p->store_fd);
	if (p->guard_fd >= 0)
		close(p->guard_fd);
	if (p->store)
		xs_close(p->store);
	free(p);
}

int platform_map(struct platform *p, const uint32_t *refs, uint32_t nr, bool read_only,
		 void **ret_pages)
{
	uint32_t copy[64];
	void *pages;

	if (nr > ARRAY_SIZE(copy))
		return -E2BIG;
	memcpy(copy, refs, nr * sizeof(*refs)); /* the library takes no constant */
	errno = 0;
	pages = xengnttab_map_domain_grant_refs(p->grants, nr, p->domid, copy,
						read_only ? PROT_READ : PROT_READ | PROT_WRITE);
	if (!pages)
		return errno ? -errno : -EIO;
	*ret_pages = pages;
	return 0;
}

void platform_unmap(struct platform *p, void *pages, uint32_t nr)
{
	xengnttab_unmap(p->grants, pages, nr);
}

static void copy_segment(xengnttab_grant_copy_segment_t *segment, uint16_t domid,
			 const struct platform_copy *c)
{
	union xengnttab_copy_ptr *guest = c->to_guest ? &segment->dest : &segment->source;
	union xengnttab_copy_ptr *local = c->to_guest ? &segment->source : &segment->dest;

	guest->foreign.ref = c->ref;
	guest->foreign.offset = c->offset;
	guest->foreign.domid = domid;
	local->virt = c->local;
	segment->len = c->length;
	segment->flags = c->to_guest ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
	segment->status = GNTST_general_error;
}

int platform_copy(struct platform *p, const struct platform_copy *copies, uint32_t nr)
{
	xengnttab_grant_copy_segment_t segments[COPIES_AT_ONCE];
	int err = 0;

	while (nr) {
		uint32_t now = MIN(nr, COPIES_AT_ONCE);

		for (uint32_t i = 0; i < now; i++)
			copy_segment(&segments[i], p->domid, &copies[i]);
		if (xengnttab_grant_copy(p->grants, now, segments))
			return -errno;
		for (uint32_t i = 0; i < now; i++)
			if (segments[i].status != GNTST_okay)
				err = -EFAULT;
		copies += now;
		nr -= now;
	}
	return err;
}

int platform_bind(struct platform *p, uint32_t remote_port, uint32_t *ret_port)
{
	int port = xenevtchn_bind_interdomain(p->events, p->domid, remote_port);

	if (port < 0)
		return -errno;
	*ret_port = (uint32_t)port;
	return 0;
}

void platform_unbind(struct platform *p, uint32_t port)
{
	xenevtchn_unbind(p->events, port);
}

void platform_notify(struct platform *p, uint32_t port)
{
	xenevtchn_notify(p->events, port);
}

int platform_event_fd(const struct platform *p)
{
	return xenevtchn_fd(p->events);
}

/* Of a port that was read, the device tells again once it was written. The library does both for one at a time. */
uint32_t platform_events(struct platform *p, uint32_t ret_ports[PLATFORM_EVENTS])
{
	int fd = xenevtchn_fd(p->events);
	ssize_t size = read(fd, ret_ports, PLATFORM_EVENTS * sizeof(*ret_ports));

	if (size <= 0)
		return 0;
	(void)!write(fd, ret_ports, (size_t)size);
	return (uint32_t)((size_t)size / sizeof(*ret_ports));
}

char *platform_read(struct platform *p, const char *path)
{
	return xs_read(p->store, XBT_NULL, path, NULL);
}

int platform_write(struct platform *p, const char *path, const char *text)
{
	if (xs_write(p->store, XBT_NULL, path, text, (unsigned int)strlen(text)))
		return 0;
	return errno ? -errno : -EIO;
}

int platform_watch(struct platform *p, const char *path)
{
	if (xs_watch(p->store, path, ""))
		return 0;
	return errno ? -errno : -EIO;
}

int platform_store_fd(const struct platform *p)
{
	return p->store_fd;
}

int platform_changed(struct platform *p, char *ret_path, size_t size)
{
	char **event = xs_check_watch(p->store);

	if (!event)
		return store_is_gone(p) ? -EIO : 0;
	snprintf(ret_path, size, "%s", event[XS_WATCH_PATH]);
	free(event);
	return 1;
}
