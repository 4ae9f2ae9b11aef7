/* One record for each physical CPU: what core keeps, with the machine's part (struct arch_cpu) at
 * its end. this_cpu() comes from arch-inline.h and costs two instructions.
 * Only the CPU itself writes its record, except where a field says otherwise. */
#ifndef LODGE_CPU_H
#define LODGE_CPU_H

#include "arch-types.h"
#include "lib/heap.h"
#include "lodge/spinlock.h"
#include "lodge/timer.h"
#include "lodge/trace.h"
#include "lodge/types.h"

#define MAX_CPUS 256u

struct vcpu;

/* Work to do before the next VM entry. Set by anyone, atomically; cleared by the CPU itself. */
#define CPU_PENDING_RESCHED 0x1u /* pick again who runs */
#define CPU_PENDING_TIMER   0x2u /* a timer or the slice may be due, or has changed */
#define CPU_PENDING_GONE    0x4u /* a domain's id is free: tell the service VM */

struct cpu {
	uint32_t id;          /* dense, boot CPU is 0 */
	uint32_t pending;     /* CPU_PENDING_*: atomic */
	struct vcpu *current; /* whose state is loaded and who runs; NULL: idle */
	bool online, idle;
	uint64_t nr_exits;

	struct {
		struct spinlock lock;
		struct heap queue;      /* runnable vCPUs that wait, by virtual run time; lock */
		unsigned nr_runnable;   /* how many those are; lock; a hint for others */
		uint64_t load;          /* sum of their weights and current's; lock; a hint */
		uint64_t min_vruntime;  /* never goes back; lock */
		uint64_t slice_end_ns;  /* when the current turn ends; TIME_NEVER: nobody waits;
					* lock; the CPU itself reads it without */
		uint64_t turn_start_ns; /* when current began to run; lock */
		uint64_t balance_ns;    /* when to look for a CPU with less load; a hint */
		struct timer share_end; /* of current's share, if its domain has a cap */
	} sched;

	struct {
		struct spinlock lock;
		struct heap queue;      /* by deadline; lock */
		uint64_t programmed_ns; /* what the hardware timer is set to; TIME_NEVER: off */
		uint64_t done_ns;       /* all up to then have fired: nothing is set before that */
		struct timer *running;  /* whose function is being called; lock */
	} timer;

	struct trace_ring trace;
	struct arch_cpu arch;
};

/* Core's part of a record that is zeroed but for its machine part. Before that CPU runs. */
void cpu_init(struct cpu *c, uint32_t id);

extern struct cpu *cpus[MAX_CPUS]; /* NULL where absent; filled before that CPU runs */
extern unsigned nr_cpus;           /* CPUs online after boot; ids are 0 … nr_cpus - 1 */

/* Sets bits of c->pending and makes sure that c looks at them soon: sends an interrupt when c is
 * another CPU that idles or runs a guest. Any context. */
void cpu_raise(struct cpu *c, uint32_t pending);

/* Does what c->pending asks for, on the CPU itself, interrupts off, no lock held. */
void cpu_do_pending(struct cpu *c);

#endif
