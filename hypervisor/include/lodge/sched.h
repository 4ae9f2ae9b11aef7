/* Who runs where: proportional share by weight, one queue for each CPU ordered by virtual run time,
 * wake-up preemption, stealing by idle CPUs, hard affinity. All policy is in core/sched.c; callers
 * see only what is here, so that reservations, groups and pools can join behind it.
 * Locking: a vCPU's scheduling state has the lock of the CPU that v->cpu names. v->cpu changes under
 * that lock and only while v is neither queued nor running, so two run queues are never locked at once.
 * docs/scheduler.md explains the policy. */
#ifndef LODGE_SCHED_H
#define LODGE_SCHED_H

#include "abi/vcpu.h"
#include "lib/bitmap.h"
#include "lib/heap.h"
#include "lodge/cpu.h"
#include "lodge/spinlock.h"
#include "lodge/timer.h"
#include "lodge/types.h"

struct domain;
struct vcpu;

#define SCHED_WEIGHT_DEFAULT 256u
#define SCHED_WEIGHT_MIN     1u
#define SCHED_WEIGHT_MAX     65535u

struct sched_vcpu { /* embedded in struct vcpu; the CPU's sched.lock */
	struct heap_node node;
	uint64_t vruntime;     /* ns of CPU time, scaled by 256 / weight */
	uint64_t run_start_ns; /* its running is in vruntime up to then */
	uint64_t placed_ns;    /* when it came to its CPU */
	uint64_t scale;        /* 256 / weight as a fixed-point number */
	uint32_t weight;
	bool capped;        /* its domain has a cap */
	bool queued;        /* in its CPU's queue */
	bool running;       /* is its CPU's current, or not saved yet: cleared without the lock */
	bool floating;      /* between two CPUs: vruntime is the distance to min_vruntime */
	bool yielded;       /* since it was picked */
	uint32_t nr_movers; /* CPUs that take it elsewhere and are not done with it; atomic */
	bitmap_word_t affinity[BITMAP_WORDS(MAX_CPUS)];

	int64_t share_ns;         /* of the domain's cap, that it may run on and has not used */
	uint64_t parked_since_ns; /* while VCPU_PARKED is set; the cap's lock, as the next */
	uint64_t parked_ns;       /* in all */
};

struct sched_cap { /* embedded in struct domain */
	struct spinlock lock;
	uint32_t percent; /* of one CPU; 0: no cap; whoever has the domain to itself */
	int64_t quota_ns; /* for each period */
	int64_t pool_ns;  /* of this period's, in no CPU's hands; below 0: used ahead */
	uint64_t period_end_ns;
	struct timer timer; /* ends the period, for those who are parked */
	bool timer_is_set;
};

void sched_cpu_init(struct cpu *c);
void sched_vcpu_init(struct vcpu *v); /* weight default, may run anywhere, not runnable */
void sched_vcpu_fini(struct vcpu *v); /* v is not runnable and not running */
void sched_domain_init(struct domain *d);
void sched_domain_fini(struct domain *d); /* its vCPUs run no more; accepts a zeroed domain */

/* v can run again: queue it, and preempt whoever deserves the CPU less. Idempotent. */
void sched_wake(struct vcpu *v);
/* v (current, or any other) can no longer run: a pause, a block, a shutdown. When it returns for a
 * vCPU of another CPU, that one was told to let go, see sched_wait_stopped(). */
void sched_sleep(struct vcpu *v);
/* Spins until v runs nowhere. v must have been put to sleep. */
void sched_wait_stopped(struct vcpu *v);
/* The current vCPU steps behind its equals. */
void sched_give_way(struct vcpu *v);

/* Some CPU runs v, has not saved its state yet, or is moving it. */
bool sched_is_running(const struct vcpu *v);

/* Picks who runs next on this CPU and loads it (arch_vcpu_switch); c->current is NULL for idle. */
void sched_run(struct cpu *c);

/* Where v's time went, until now. */
void sched_get_runstate(struct vcpu *v, struct vcpu_runstate_info *ret_info);

must_check int sched_set_weight(struct vcpu *v, uint32_t weight); /* -EINVAL: out of range */
/* MAX_CPUS bits; -EINVAL unless at least one of them is a CPU that exists. */
must_check int sched_set_affinity(struct vcpu *v, const bitmap_word_t *cpus_allowed);

/* What all vCPUs of d get together at most: in percent of one CPU, 0: as much as there is. The caller has the
 * domain to itself. */
void sched_set_cap(struct domain *d, uint32_t percent);
/* How long v could run, but the cap kept it from running: a part of its runnable time. */
uint64_t sched_get_parked_ns(struct vcpu *v);

#endif
