/* A hypervisor of plain memory: domains are rows of a table. Shared by all threads of the test. */
#ifndef LODGE_TESTS_DAEMON_FAKE_HYPERVISOR_H
#define LODGE_TESTS_DAEMON_FAKE_HYPERVISOR_H

#include "daemon/hypervisor.h"

#define FAKE_DOMAINS_MAX 64u
#define FAKE_PAGES       (UINT64_C(1) << 20)

struct fake_domain {
	bool exists;
	struct lodge_domain_info info;
	uint32_t weight, cap;
	uint8_t affinity[LODGE_CPU_MASK_BYTES];
};

/* Empty but for the service VM. */
void fake_hypervisor_reset(void);

struct hypervisor *fake_hypervisor_open(void *argument);

/* The domain, to look at and to change; NULL: there is none. Not while a job runs. */
struct fake_domain *fake_domain(uint32_t domain);
unsigned int fake_nr_domains(void); /* without the service VM */
uint64_t fake_free_pages(void);

/* It ends itself. */
void fake_shut_down(uint32_t domain, uint32_t reason);

/* The next call of this operation fails; LODGE_CONTROL_NR: filling a domain. */
void fake_fail(uint32_t op, int err);
/* Filling takes so long, and each copying. */
void fake_slow_down(unsigned int ms);

#endif
