/* A machine for core to run on in a unit test: memory, guest memory, clock, CPUs, physmap tables.
 * fake_reset() before each test (a checked fixture) forgets everything an earlier one did.
 * fake-core.c adds weak twins of core's own functions, so that a test links only what it tests:
 * whatever real file is linked as well replaces its twins. */
#ifndef LODGE_FAKE_ARCH_H
#define LODGE_FAKE_ARCH_H

#include <setjmp.h>

#include "lodge/cpu.h"
#include "lodge/domain.h"
#include "lodge/guest.h"
#include "lodge/log.h"
#include "lodge/types.h"
#include "lodge/vcpu.h"

#define FAKE_MAX_FRAMES (5ull << 18) /* 5 GiB of addresses, so that some are above 4 GiB */

/* Gives back all that the test left, and sets up 4096 frames, one CPU (0), time 1 s. */
void fake_reset(void);

/* Memory. Only frames below the number given have records, and all of those but 0 are free; all of
 * FAKE_MAX_FRAMES can be touched. */
void fake_memory_init(uint64_t nr_frames);

/* Failing allocations. The fakes of page.c and alloc.c let `n` more calls succeed; -1: no limit. */
extern long fake_page_budget;
extern long fake_alloc_budget;
extern long fake_nr_allocs; /* live mem_alloc() objects of the fake */

/* CPUs and time. */
void fake_cpus(unsigned nr); /* CPUs 0 … nr - 1, all online; runs on 0 */
void fake_run_on(unsigned cpu);
extern bool
	fake_threads; /* several threads run, each on a CPU: waiting for one another is no deadlock */
extern uint64_t fake_now_ns, fake_wall_clock_ns;
extern struct vcpu *fake_switch_prev, *fake_switch_next; /* of the last arch_vcpu_switch() */
extern unsigned fake_nr_switches;
extern void (*fake_on_switch)(void); /* called by arch_vcpu_switch(), before anything is saved */
extern void (*fake_on_kick)(struct cpu *c); /* called by arch_cpu_kick(), NULL: only counted */

/* Guest memory: 1 MiB at FAKE_GUEST_BASE, so that addresses also fit 32-bit callers. The rest of the
 * guest's address space faults. */
#define FAKE_GUEST_BASE 0x10000ull
#define FAKE_GUEST_SIZE 0x100000ull
guest_ptr_t fake_guest_put(const void *data,
			   size_t bytes);   /* a copy, 8-byte aligned, never reused */
guest_ptr_t fake_guest_space(size_t bytes); /* the same, zeroed */
void *fake_guest_at(guest_ptr_t p);         /* what the guest would see there */
/* The next n copies succeed, those after them fault; n 0: at once; -1: never. */
void fake_guest_fault_reads_after(long n);
void fake_guest_fault_writes_after(long n);
#define fake_guest_fault_reads()  fake_guest_fault_reads_after(0)
#define fake_guest_fault_writes() fake_guest_fault_writes_after(0)
extern unsigned fake_nr_guest_reads, fake_nr_guest_writes;
extern struct fake_guest_write {
	guest_ptr_t to;
	size_t bytes;
} fake_guest_write[256]; /* the first of them */

/* Physmap tables: leaves in a sorted array. */
struct fake_leaf {
	uint64_t gfn;
	mfn_t mfn; /* of the first frame */
	uint8_t kind, order, access;
};
void fake_p2m_fail_after(long n); /* arch_p2m_set() gives -ENOMEM after n more; -1: never */
/* Something that looks like memory without a record. */
#define FAKE_MMIO_MFN MFN(FAKE_MAX_FRAMES - 16)

/* The IOMMU: absent until enabled. */
void fake_iommu_enable(void);
extern unsigned fake_nr_iommu_flushes;
extern gfn_t fake_iommu_flush_gfn;
extern uint64_t fake_iommu_flush_pages;

/* Domains for tests that do not link domain.c (with it, use domain_create()). vCPUs are up. */
struct domain *fake_domain(domid_t id, bool privileged, unsigned nr_vcpus);

/* Ways not to return. Runs stmt; FAKE_RETURNED, or how it ended. */
enum fake_end { FAKE_RETURNED, FAKE_PANICKED, FAKE_BOOT_FAILED, FAKE_RESTARTED, FAKE_POWERED_OFF };
extern jmp_buf fake_end_jmp;
extern bool fake_end_armed;
extern char fake_panic_text[256];
#define fake_end_of(stmt)                             \
	({                                            \
		int fake_end_ = setjmp(fake_end_jmp); \
		if (!fake_end_) {                     \
			fake_end_armed = true;        \
			stmt;                         \
		}                                     \
		fake_end_armed = false;               \
		(enum fake_end) fake_end_;            \
	})
#define ck_assert_panics(stmt) ck_assert_int_eq(fake_end_of(stmt), FAKE_PANICKED)

/* What was printed: the serial line, and (without console.c) log_at() and guest_log(). */
extern char fake_log[16384];
extern size_t fake_log_len;

/* Recorded by the weak twins of fake-core.c. */
extern unsigned fake_nr_virqs[NR_VIRQS];          /* evtchn_send_virq and _global_virq */
extern struct domain *fake_virq_domain[NR_VIRQS]; /* last target */
extern bool fake_should_stop;                     /* hypercall_should_stop() */
extern long fake_should_stop_after;               /* … becomes true after n calls; -1: never */
extern unsigned fake_nr_kicks;                    /* vcpu_kick() */
extern int fake_teardown_again;       /* evtchn_/gnttab_teardown give -EAGAIN so many times */
extern int fake_vcpu_create_fails_at; /* vcpu_create() of this id gives -ENOMEM; -1: none */
extern uint32_t fake_frame_limit;     /* gnttab_get_frame(): grows up to so many frames */
void fake_core_reset(void);

#endif
