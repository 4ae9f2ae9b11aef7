/* The service VM's devices: /dev/xen/evtchn, /dev/xen/gntdev, and xenstore's socket. */
#include "back/lib/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "back/lib/store-link.h"

#define COPIES_AT_ONCE 64

struct platform {
	uint16_t domid;
	xenevtchn_handle *events;
	xengnttab_handle *grants;
	struct store_link link;
};

static int sleeping_fd = -1; /* the device's, of who may sleep; reading it then waits */

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
	code = open_devices(p, err);
	if (!code) {
		code = store_link_open(&p->link);
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
	store_link_close(&p->link);
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
static uint32_t read_events(int fd, uint32_t ret_ports[PLATFORM_EVENTS])
{
	ssize_t size = read(fd, ret_ports, PLATFORM_EVENTS * sizeof(*ret_ports));

	if (size <= 0)
		return 0;
	(void)!write(fd, ret_ports, (size_t)size);
	return (uint32_t)((size_t)size / sizeof(*ret_ports));
}

uint32_t platform_events(struct platform *p, uint32_t ret_ports[PLATFORM_EVENTS])
{
	struct pollfd wait = { .fd = xenevtchn_fd(p->events), .events = POLLIN };

	if (wait.fd == sleeping_fd && poll(&wait, 1, 0) <= 0)
		return 0;
	return read_events(wait.fd, ret_ports);
}

/* A read that sleeps comes back, and one that is yet to begin does not sleep: a signal between a look at what there is
 * to do and the read is not lost. */
void platform_disturb(void)
{
	int saved = errno;

	(void)fcntl(sleeping_fd, F_SETFL, O_NONBLOCK);
	errno = saved;
}

static void on_store(int number)
{
	(void)number;
	platform_disturb();
}

int platform_may_sleep(struct platform *p)
{
	struct sigaction action = { .sa_handler = on_store, .sa_flags = SA_RESTART };
	int fd = xenevtchn_fd(p->events);

	if (sigaction(SIGIO, &action, NULL) || fcntl(fd, F_SETFL, 0))
		return -errno;
	sleeping_fd = fd;
	return store_link_signal(&p->link);
}

bool platform_sleep(struct platform *p)
{
	uint32_t ports[PLATFORM_EVENTS];

	if (read_events(xenevtchn_fd(p->events), ports))
		return true;
	(void)fcntl(sleeping_fd, F_SETFL, 0);
	return false;
}

void platform_confine(struct platform *p, const char *path)
{
	char arguments[300];
	int size = snprintf(arguments, sizeof(arguments), "%u%c%s", p->domid, 0, path);

	if ((size_t)size < sizeof(arguments))
		store_link_confine(&p->link, arguments, (size_t)size + 1);
}

char *platform_read(struct platform *p, const char *path)
{
	return xs_read(p->link.store, XBT_NULL, path, NULL);
}

int platform_write(struct platform *p, const char *path, const char *text)
{
	if (xs_write(p->link.store, XBT_NULL, path, text, (unsigned int)strlen(text)))
		return 0;
	return errno ? -errno : -EIO;
}

int platform_watch(struct platform *p, const char *path)
{
	if (xs_watch(p->link.store, path, ""))
		return 0;
	return errno ? -errno : -EIO;
}

int platform_store_fd(const struct platform *p)
{
	return p->link.fd;
}

int platform_changed(struct platform *p, char *ret_path, size_t size)
{
	bool is_lost;
	char **event = store_link_news(&p->link, &is_lost);

	if (!event)
		return is_lost ? -EIO : 0;
	snprintf(ret_path, size, "%s", event[XS_WATCH_PATH]);
	free(event);
	return 1;
}
