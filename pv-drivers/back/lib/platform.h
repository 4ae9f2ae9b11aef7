/* What a backend process reaches the rest of the machine through: its guest's grants, event channels, and the
 * store. platform-xen.c does it with the service VM's devices; unit tests and fuzz targets link
 * tests/unit/back/fake-platform.c, so that a whole backend runs without a hypervisor.
 *
 * Everything is opened by platform_open(); afterwards no path is opened any more, so that a process can shut
 * itself in. One thread uses a platform. Functions return 0 or a negative errno. */
#ifndef LODGE_BACK_PLATFORM_H
#define LODGE_BACK_PLATFORM_H

#include "lib/err.h"

#define PLATFORM_PAGE   4096u
#define PLATFORM_EVENTS 64u

struct platform;

must_check int platform_open(uint16_t domid, struct platform **ret_platform, struct err *err);
void platform_close(struct platform *p); /* NULL is fine */

/* Grants of the guest. */

/* Maps nr pages side by side. Each may be written, unless read_only. */
must_check int platform_map(struct platform *p, const uint32_t *refs, uint32_t nr, bool read_only,
			    void **ret_pages);
void platform_unmap(struct platform *p, void *pages, uint32_t nr);

/* Part of a granted page, and where it goes or comes from here. offset + length is at most a page. */
struct platform_copy {
	void *local;
	uint32_t ref;
	uint16_t offset;
	uint16_t length;
	bool to_guest;
};

/* All of them; -EFAULT when one of them, or more, is not possible: the others are done. */
must_check int platform_copy(struct platform *p, const struct platform_copy *copies, uint32_t nr);

/* Event channels. */

must_check int platform_bind(struct platform *p, uint32_t remote_port, uint32_t *ret_port);
void platform_unbind(struct platform *p, uint32_t port);
void platform_notify(struct platform *p, uint32_t port);
int platform_event_fd(const struct platform *p); /* readable: platform_events() has something */
/* The ports that have had an event since they were told last. At most PLATFORM_EVENTS; fewer than that were all. */
uint32_t platform_events(struct platform *p, uint32_t ret_ports[PLATFORM_EVENTS]);

/* For who waits for nothing but events: sleeping where they are read costs less than waiting for the descriptor first. */

/* Before platform_sleep(), and before the process shuts itself in. One platform of a process can do it. */
must_check int platform_may_sleep(struct platform *p);
/* Sleeps until there are events and takes them as platform_events() does, however many. False: none, but the store's
 * descriptor has become readable or platform_disturb() was called, perhaps before. */
bool platform_sleep(struct platform *p);
void platform_disturb(void); /* in a signal handler, too */

/* The store. */

/* From here on this process changes only what is below path, and reads that and what its guest can. Before watches. */
void platform_confine(struct platform *p, const char *path);
/* The text of a node, to be freed; NULL and errno when there is none. */
char *platform_read(struct platform *p, const char *path);
must_check int platform_write(struct platform *p, const char *path, const char *text);
must_check int platform_watch(struct platform *p, const char *path);
int platform_store_fd(const struct platform *p);
/* Copies the path of a node that has changed, cut off at size. 1; 0: no more; -EIO: the store has gone. Each
 * watch fires once at the beginning. */
must_check int platform_changed(struct platform *p, char *ret_path, size_t size);

#endif
