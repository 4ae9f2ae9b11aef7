/* CPUs and a domain as the hypervisor sets them up, for tests of what runs vCPUs. */
#ifndef LODGE_TESTS_UNIT_CPU_COMMON_H
#define LODGE_TESTS_UNIT_CPU_COMMON_H

#include "abi/errno.h"
#include "fake-arch.h"
#include "lodge/hypercall.h"
#include "unit.h"

/* fake_reset(), and `nr` CPUs. The test runs on CPU 0. */
void machine_setup(unsigned nr);
/* A domain whose vCPUs come from vcpu_create(): down, as at the start. */
struct domain *machine_domain(domid_t id, bool privileged, unsigned nr_vcpus);
/* Runs CPU c's main loop until nothing is pending. */
void machine_pass(unsigned cpu);
/* The same for all CPUs, until nothing is pending on any. The test is on CPU 0 afterwards. */
void machine_settle(void);
/* Time goes on; timers whose time has come interrupt their CPUs, which deal with that. */
void machine_advance(uint64_t ns);
/* v is up and is CPU `cpu`'s current one; the test runs on that CPU. */
void machine_run(struct vcpu *v, unsigned cpu);

/* A hypercall with these arguments. */
int64_t call(hypercall_fn *fn, struct vcpu *v, uint64_t arg0, uint64_t arg1, uint64_t arg2);
int64_t call_compat(hypercall_fn *fn, struct vcpu *v, uint64_t arg0, uint64_t arg1, uint64_t arg2);

/* Guest memory at FAKE_GUEST_BASE that is RAM in d's physmap as well: `nr` pages, first frame of it. */
mfn_t machine_ram(struct domain *d, unsigned nr_pages);

#endif
