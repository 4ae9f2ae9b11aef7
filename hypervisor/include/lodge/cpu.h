/* One record for each physical CPU: what core keeps, with the machine's part (struct arch_cpu) at
 * its end. this_cpu() comes from arch-inline.h and costs two instructions.
 * Only the CPU itself writes its record, except where a field says otherwise. */
#ifndef LODGE_CPU_H
#define LODGE_CPU_H

#include "arch-types.h"
#include "lib/heap.h"
#include "lodge/spinlock.h"
#include "lodge/types.h"

#define MAX_CPUS 256u

struct vcpu;

/* Work to do before the next VM entry. Set by anyone, atomically; cleared by the CPU itself. */
#define CPU_PENDING_RESCHED 0x1u /* pick again who runs */
#define CPU_PENDING_TIMER   0x2u /* the head of the timer queue may be due */
#define CPU_PENDING_CALL    0x4u /* a function sent by cpu_call() waits */

struct cpu {
	uint32_t id;          /* dense, boot CPU is 0 */
	uint32_t pending;     /* CPU_PENDING_*: atomic */
	struct vcpu *current; /* whose state is loaded and who runs; NULL: idle */
	bool online, idle;
	uint64_t nr_exits;

	struct {
		struct spinlock lock;
		struct heap queue;     /* runnable vCPUs by virtual run time; lock */
		unsigned nr_runnable;  /* lock; read without it as a hint by stealers */
		uint64_t min_vruntime; /* lock */
		uint64_t slice_end_ns; /* when the current vCPU's turn ends */
	} sched;

	struct {
		struct spinlock lock;
		struct heap queue;      /* by deadline; lock */
		uint64_t programmed_ns; /* what the hardware timer is set to; TIME_NEVER: off */
	} timer;

	struct arch_cpu arch;
};

extern struct cpu *cpus[MAX_CPUS]; /* NULL where absent; filled before that CPU runs */
extern unsigned nr_cpus;           /* CPUs online after boot; ids are 0 … nr_cpus - 1 */

/* Sets bits of c->pending and makes sure that c looks at them soon: sends an interrupt when c is
 * another CPU that idles or runs a guest. Any context. */
void cpu_raise(struct cpu *c, uint32_t pending);

/* Does what c->pending asks for, on the CPU itself, interrupts off, no lock held. */
void cpu_do_pending(struct cpu *c);

#endif
