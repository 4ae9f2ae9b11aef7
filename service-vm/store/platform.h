/* How domains' rings are reached: event channels, grants, and word of domains that end. platform-xen.c does
 * it with the service VM's devices; a test links another file. */
#ifndef LODGE_STORE_PLATFORM_H
#define LODGE_STORE_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/util.h"

struct platform;
struct xenstore_domain_interface;

/* Gives NULL where this is no service VM: there are no rings then. The error is also logged. */
must_check int platform_open(struct platform **ret_platform);
void platform_close(struct platform *p);

/* What to poll() for reading. */
int platform_fd(const struct platform *p);

/* The local port that has an event, which is then enabled again; 0: none. Some events say that domains have
 * changed: ret_domains. */
uint32_t platform_event(struct platform *p, bool *ret_domains);

/* Where the service VM's own kernel keeps its ring. */
must_check int platform_local(struct platform *p, uint32_t *ret_port);

/* Domain 0 is the service VM's own kernel. */
must_check int platform_map(struct platform *p, uint16_t domid, uint64_t gfn,
			    struct xenstore_domain_interface **ret_page);
void platform_unmap(struct platform *p, uint16_t domid, struct xenstore_domain_interface *page);
must_check int platform_bind(struct platform *p, uint16_t domid, uint32_t port,
			     uint32_t *ret_local_port);
void platform_unbind(struct platform *p, uint32_t local_port);
void platform_notify(struct platform *p, uint32_t local_port);

enum domain_state { DOMAIN_RUNS, DOMAIN_SHUT_DOWN, DOMAIN_GONE };

/* Of a domain that had a ring. */
enum domain_state platform_domain_state(struct platform *p, uint16_t domid);
/* A domain that has changed since it was last told of; false: no more of them. The first time, all that there
 * are, but not those that have gone. */
bool platform_next_change(struct platform *p, uint16_t *ret_domid, enum domain_state *ret_state);

#endif
