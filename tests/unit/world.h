/* Three domains on the fake machine, made by the real domain.c, p2m.c and page.c: the service VM, a guest
 * and another guest, two vCPUs each. Locks are real too, so a wrong order ends a test. */
#ifndef LODGE_TESTS_WORLD_H
#define LODGE_TESTS_WORLD_H

#include "fake-arch.h"

/* What a test that uses the world has to link, besides what it tests: WORLD_CORE in CMakeLists.txt. */
extern struct domain *service, *guest, *third; /* ids 0, 1, 2 */

void world_setup(void);
/* Destroys what is left, and checks that all memory has come back. */
void world_teardown(void);

struct domain *world_domain(domid_t id, const struct domain_config *cfg);
void world_destroy(struct domain **d); /* sets it to NULL */

/* Gives d a page at gfn; what is in it. */
void *world_ram(struct domain *d, uint64_t gfn);
void *world_readonly_ram(struct domain *d, uint64_t gfn);
/* d takes the page out of its physmap, as a balloon does. */
void world_drop_ram(struct domain *d, uint64_t gfn);
uint32_t world_page_count(const void *in_page); /* of its record */

/* Takes all free pages but n; gives them back. */
void world_leave_pages(uint64_t n);
void world_return_pages(void);

#endif
