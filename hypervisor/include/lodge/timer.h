/* One-shot timers in nanoseconds of system time (arch_now_ns). A timer belongs to the CPU that it was
 * set on, and its function runs there, interrupts off, no lock held, from cpu_do_pending().
 * Locking: cpu->timer.lock. A timer that a vCPU owns moves with it (timer_migrate). */
#ifndef LODGE_TIMER_H
#define LODGE_TIMER_H

#include "lib/heap.h"
#include "lodge/types.h"

struct cpu;
struct timer;
typedef void timer_fn(struct timer *t);

struct timer {
	struct heap_node node;
	uint64_t deadline_ns; /* valid while queued */
	timer_fn *fn;
	uint32_t cpu; /* where it is queued; changes only while it is not */
	bool queued;
};

void timer_cpu_init(struct cpu *c);
void timer_init(struct timer *t, timer_fn *fn);
/* (Re)starts t on this CPU. A deadline in the past fires at the next cpu_do_pending(). */
void timer_set(struct timer *t, uint64_t deadline_ns);
/* Idempotent. On return the function is not queued; it may be running on its CPU. */
void timer_cancel(struct timer *t);
/* The end of t: on return it is not queued and its function runs nowhere, even one that sets it again.
 * Nobody else sets it any more. The caller holds no lock that the function takes. */
void timer_fini(struct timer *t);
/* Moves a queued timer to this CPU. A timer_cancel() at the same time may come to nothing: the function
 * has to know when it is not wanted any more. */
void timer_migrate(struct timer *t);
/* c->sched.slice_end_ns is new: it may have to be what the hardware is set to. On c itself. */
void timer_slice_changed(struct cpu *c);
/* Runs what is due on this CPU and programs the hardware for the next. */
void timer_run_due(struct cpu *c);

#endif
