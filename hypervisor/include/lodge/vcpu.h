/* A virtual CPU: its life, what the guest registered for it, its timers and its wake-ups.
 * A vCPU runs when it is up, not blocked, and neither it nor its domain is paused.
 * Locking: v->lock-free state bits are atomic; registration areas change under d->lock; scheduling
 * state under the run queue's lock. */
#ifndef LODGE_VCPU_H
#define LODGE_VCPU_H

#include "abi/vcpu.h"
#include "abi/xen.h"
#include "arch-types.h"
#include "lodge/sched.h"
#include "lodge/timer.h"
#include "lodge/types.h"

struct domain;
struct evtchn_fifo_vcpu;

/* Why a vCPU does not run: bits of v->blocked_by, atomic. Zero means runnable. */
#define VCPU_DOWN    0x1u  /* not started, or stopped by VCPUOP_down */
#define VCPU_HALTED  0x2u  /* HLT or SCHEDOP_block: an event or interrupt ends it */
#define VCPU_POLLING 0x4u  /* SCHEDOP_poll: a port, or the timeout, ends it */
#define VCPU_PAUSED  0x8u  /* v->pause_count is not zero */
#define VCPU_DEAD    0x10u /* the domain has shut down or crashed */

struct vcpu {
	struct domain *domain;
	uint32_t id;  /* within the domain */
	uint32_t cpu; /* where it runs, or ran last */
	uint32_t blocked_by;
	uint32_t pause_count; /* d->lock */
	struct sched_vcpu sched;

	/* The guest's vcpu_info: in shared info, a registered page, or our own until there is one.
	 * Never NULL. The 32-bit layout differs, see d->compat. */
	struct vcpu_info *info;
	mfn_t info_mfn; /* pinned page that info points into; MFN_NONE: not registered */

	struct vcpu_runstate_info runstate; /* ours; state changes in sched.c; run queue lock */
	guest_ptr_t runstate_area;     /* where the guest wants a copy; 0: nowhere */
	bool runstate_dirty;           /* the copy is older than ours */
	guest_ptr_t time_area;         /* second copy of the time record; 0: nowhere */

	struct timer singleshot; /* VCPUOP_set_singleshot_timer, set_timer_op */
	struct timer periodic;
	uint64_t periodic_ns; /* 0: off */
	struct timer poll_timer;
	evtchn_port_t poll_port; /* the one port polled, 0: several or none */

	evtchn_port_t virq_port[NR_VIRQS]; /* 0: not bound; evtchn lock */
	struct evtchn_fifo_vcpu *fifo;     /* NULL: 2-level */

	struct arch_vcpu arch;
};

must_check int vcpu_create(struct domain *d, uint32_t id); /* down; d->vcpu[id] set */
void vcpu_destroy(struct vcpu *v);                         /* must not be running */

/* v has a reason more (or less) not to run. Any context. */
void vcpu_block(struct vcpu *v, uint32_t why);
void vcpu_unblock(struct vcpu *v, uint32_t why);
void vcpu_pause(struct vcpu *v); /* returns once v runs nowhere; counts */
void vcpu_unpause(struct vcpu *v);

/* The current vCPU waits until an event or interrupt is there (HLT, SCHEDOP_block). */
void vcpu_halt(struct vcpu *v);
/* Something for v to look at has come: ends HLT, and makes a running v leave guest mode. */
void vcpu_kick(struct vcpu *v);

/* Sets upcall_pending in v's info and has the upcall injected if it was clear. */
void vcpu_raise_upcall(struct vcpu *v);
bool vcpu_upcall_pending(const struct vcpu *v);

/* Points v->info at the guest's record (pinned page), carrying over what the old one held. */
void vcpu_set_info(struct vcpu *v, struct vcpu_info *info);

/* Run-state accounting, called by sched.c under the run queue's lock. */
void vcpu_set_runstate(struct vcpu *v, int state, uint64_t now_ns);
/* Before VM entry: copies what changed into the areas that the guest registered. */
void vcpu_publish(struct vcpu *v);

#endif
