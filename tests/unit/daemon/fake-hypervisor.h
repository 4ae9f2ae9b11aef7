/* A hypervisor of plain memory: domains are rows of a table. Shared by all threads of the test. */
#ifndef LODGE_TESTS_DAEMON_FAKE_HYPERVISOR_H
#define LODGE_TESTS_DAEMON_FAKE_HYPERVISOR_H

#include "daemon/hypervisor.h"

#define FAKE_DOMAINS_MAX 64u
#define FAKE_PAGES       (UINT64_C(1) << 20)
#define FAKE_CPU_KHZ     2000000u
/* Leaf 1, ECX: pni, x2apic (which cannot be hidden), aes, xsave, avx; leaf 7, EBX: avx2. */
#define FAKE_LEAF1_ECX 0x16200001u
#define FAKE_FIXED     0x00200000u
#define FAKE_LEAF7_EBX 0x00000020u

struct fake_domain {
	bool exists;
	struct lodge_domain_info info;
	uint32_t weight, cap;
	uint8_t affinity[LODGE_CPU_MASK_BYTES];
	struct lodge_cpuid_change changes[LODGE_CPUID_LEAVES];
	uint32_t nr_changes;
	int64_t clock_offset_s;
	uint64_t tsc_hz;
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
