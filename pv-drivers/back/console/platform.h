/* How lodge-console reaches its guests: their grants and event channels, the store, the time. platform-xen.c does
 * it with the service VM's devices; a test links another file. Functions return 0 or a negative errno. */
#ifndef LODGE_CONSOLE_PLATFORM_H
#define LODGE_CONSOLE_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/util.h"

struct platform;
struct xencons_interface;

/* The error is also logged. Opens all that is ever needed, so that the process can give up root afterwards. */
must_check int platform_open(struct platform **ret_platform);
void platform_close(struct platform *p);

uint64_t platform_now_ns(struct platform *p); /* only differences mean something */

/* Readable: platform_event() has something. */
int platform_event_fd(const struct platform *p);
/* A local port that has had an event, and has no more of them until it is unmasked; 0: none. */
uint32_t platform_event(struct platform *p);
void platform_unmask(struct platform *p, uint32_t local_port);

must_check int platform_map(struct platform *p, uint16_t domid,
			    struct xencons_interface **ret_page);
void platform_unmap(struct platform *p, uint16_t domid, struct xencons_interface *page);
must_check int platform_bind(struct platform *p, uint16_t domid, uint32_t port,
			     uint32_t *ret_local_port);
void platform_unbind(struct platform *p, uint32_t local_port);
void platform_notify(struct platform *p, uint32_t local_port);

/* Readable: platform_news() has something. */
int platform_store_fd(const struct platform *p);

enum platform_news { NEWS_NONE, NEWS_INTRODUCED, NEWS_RELEASED };

/* One thing that the store has told: of a domain that there is, or of one that may have gone. Domain 0 stands for any.
 * -EIO: the store cannot be asked any more. */
must_check int platform_news(struct platform *p, uint16_t *ret_domid);

/* The domains that have nodes. The caller frees them. */
must_check int platform_domains(struct platform *p, uint16_t **ret_domids, size_t *ret_nr);
bool platform_is_introduced(struct platform *p, uint16_t domid);

struct guest_description {
	uint32_t port;
	char name[64]; /* empty: unknown */
	char log[256]; /* path; empty: by the name */
};

/* -ENOENT: no console, or not yet. */
must_check int platform_describe(struct platform *p, uint16_t domid,
				 struct guest_description *ret_guest);

#endif
