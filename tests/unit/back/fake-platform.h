/* A guest without a hypervisor, as back/lib/platform.h shows it to a backend: granted pages, event channels that
 * count, and a store that is a list. A test plays the guest and lodged with the functions here. */
#ifndef LODGE_TESTS_FAKE_PLATFORM_H
#define LODGE_TESTS_FAKE_PLATFORM_H

#include "back/lib/platform.h"

#define FAKE_GRANTS 4096u
#define FAKE_DOMID  7

struct platform *fake_platform_create(void);
/* Everything that a backend has taken must be back: aborts otherwise. */
void fake_platform_destroy(struct platform *p);

/* A page of the guest's, granted as ref, which is below FAKE_GRANTS; zeroed. Pages are kept until the end. */
void *fake_grant(struct platform *p, uint32_t ref, bool read_only);
void fake_revoke(struct platform *p, uint32_t ref); /* for new mappings and copies */
void *fake_page(struct platform *p, uint32_t ref);
uint32_t fake_nr_mapped(const struct platform *p);
uint32_t fake_nr_copies(const struct platform *p);
/* The next nr mappings fail with -ENOMEM. */
void fake_fail_maps(struct platform *p, uint32_t nr);

/* The guest notifies the backend by its port; how often the backend has notified since the last call. */
void fake_event(struct platform *p, uint32_t remote_port);
uint32_t fake_notified(struct platform *p, uint32_t remote_port);
uint32_t fake_nr_bound(const struct platform *p);

/* Nodes, for the guest and for lodged. text NULL: removed. Never NULL from fake_node(): "" is no node. */
void fake_set(struct platform *p, const char *folder, const char *name, const char *text);
const char *fake_node(struct platform *p, const char *folder, const char *name);
void fake_lose_store(struct platform *p);

#endif
