/*
 * The physical CPUs as core sees them, and what each of them does between two runs of guest code.
 */
#include "lodge/cpu.h"

#include "arch-inline.h"
#include "lodge/arch.h"
#include "lodge/domain.h"
#include "lodge/sched.h"
#include "lodge/timer.h"

struct cpu *cpus[MAX_CPUS];
unsigned nr_cpus;

void cpu_init(struct cpu *c, uint32_t id)
{
	c->id = id;
	c->pending = CPU_PENDING_RESCHED; /* its first pass finds that it is idle */
	timer_cpu_init(c);
	sched_cpu_init(c);
}

/* The locked instruction orders the bits before arch_cpu_kick()'s look at what c is doing; c sets
 * that, then looks at its bits. One of the two sees the other. */
void cpu_raise(struct cpu *c, uint32_t pending)
{
	uint32_t old = __atomic_fetch_or(&c->pending, pending, __ATOMIC_SEQ_CST);

	if (c != this_cpu() && (old & pending) != pending)
		arch_cpu_kick(c);
}

/* Ends: what a pass does can ask for another pass, but timers that are set for the past by timer
 * functions are the only source of endless work, and there are none. */
void cpu_do_pending(struct cpu *c)
{
	while (READ_ONCE(c->pending)) {
		uint32_t pending = __atomic_exchange_n(&c->pending, 0, __ATOMIC_SEQ_CST);

		if (pending & CPU_PENDING_TIMER)
			timer_run_due(c);
		if (pending & CPU_PENDING_RESCHED)
			sched_run(c);
		if (pending & CPU_PENDING_GONE && service_vm)
			evtchn_send_global_virq(service_vm, VIRQ_DOM_EXC);
	}
}
