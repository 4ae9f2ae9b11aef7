/* Who runs where: proportional share by weight, one queue for each CPU ordered by virtual run time,
 * wake-up preemption, stealing by idle CPUs, hard affinity. All policy is in core/sched.c; callers
 * see only what is here, so that caps, reservations, groups and pools can join behind it.
 * Locking: a vCPU's scheduling state has the lock of the CPU that v->cpu names. v->cpu changes under
 * that lock and only while v is neither queued nor running, so two run queues are never locked at once.
 * docs/scheduler.md explains the policy. */
#ifndef LODGE_SCHED_H
#define LODGE_SCHED_H

#include "abi/vcpu.h"
#include "lib/bitmap.h"
#include "lib/heap.h"
#include "lodge/cpu.h"
#include "lodge/types.h"

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
	bool queued;        /* in its CPU's queue */
	bool running;       /* is its CPU's current, or not saved yet: cleared without the lock */
	bool floating;      /* between two CPUs: vruntime is the distance to min_vruntime */
	bool yielded;       /* since it was picked */
	uint32_t nr_movers; /* CPUs that take it elsewhere and are not done with it; atomic */
	bitmap_word_t affinity[BITMAP_WORDS(MAX_CPUS)];
};

void sched_cpu_init(struct cpu *c);
void sched_vcpu_init(struct vcpu *v); /* weight default, may run anywhere, not runnable */
void sched_vcpu_fini(struct vcpu *v); /* v is not runnable and not running */

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

#endif
