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
#define VCPU_DOWN    0x1u        /* not started, or stopped by VCPUOP_down */
#define VCPU_HALTED  0x2u        /* HLT or SCHEDOP_block: an event or interrupt ends it */
#define VCPU_POLLING 0x4u        /* SCHEDOP_poll: a port, or the timeout, ends it */
#define VCPU_DEAD    0x8u        /* the domain has shut down or crashed */
#define VCPU_PARKED  0x10u       /* the domain's cap is used up: core/sched-cap.c */
#define VCPU_PAUSED  0xffffff00u /* a count: each vcpu_pause() adds VCPU_PAUSE_ONE */

#define VCPU_PAUSE_ONE 0x100u

#define VCPU_EXIT_KINDS 32u

/* A record in guest memory that we keep up to date: pinned, so that writing it needs no walk of the
 * guest's tables, which may show something else there by then. It may cross into a second page. */
struct vcpu_area {
	uint8_t *part[2];     /* [0] NULL: not registered */
	uint32_t first_bytes; /* in part[0]; the rest is at the start of part[1] */
	mfn_t mfn[2];         /* pinned; MFN_NONE: not used */
};

struct vcpu {
	struct domain *domain;
	uint32_t id;  /* within the domain */
	uint32_t cpu; /* where it runs, or ran last */
	uint32_t blocked_by;
	bool initialised; /* has a start state: was up once, or was given one */
	struct sched_vcpu sched;

	/* The guest's vcpu_info: in shared info, a registered page, or our own until there is one.
	 * Never NULL. The 32-bit layout differs, see d->compat. */
	struct vcpu_info *info;
	mfn_t info_mfn; /* pinned page that info points into; MFN_NONE: not registered */
	struct vcpu_info
		own_info; /* for a vCPU without a place in shared info, until it registers */

	uint64_t nr_exits[VCPU_EXIT_KINDS]; /* by the machine's kind; whoever runs v writes */

	struct vcpu_runstate_info runstate; /* ours; state changes in sched.c; run queue lock */
	struct vcpu_area runstate_area; /* where the guest wants a copy; see vcpu_area_register() */
	bool runstate_compat;           /* … in its 32-bit layout */
	bool runstate_dirty;            /* the copy is older than ours */
	struct vcpu_area time_area;     /* second copy of the time record */

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
/* Counts, and returns once v runs nowhere (v current: it is going to stop). For the service VM, on other
 * domains: vCPUs that wait for each other would wait for ever. */
void vcpu_pause(struct vcpu *v);
void vcpu_unpause(struct vcpu *v);
/* vcpu_pause() for vCPUs of one domain: -EAGAIN, and not paused, when v did not stop soon. */
must_check int vcpu_try_pause(struct vcpu *v);
/* Stops v as a CPU that is switched off. The last one to go down powers off the domain. */
void vcpu_go_down(struct vcpu *v);

/* The current vCPU waits until an event or interrupt is there (HLT, SCHEDOP_block). */
void vcpu_halt(struct vcpu *v);
/* The current vCPU waits in SCHEDOP_poll for `port` (0: any of several), an event, an interrupt, or the
 * timeout (system time; TIME_NEVER: none). The caller looks at the ports afterwards, and takes the
 * wait back by vcpu_unblock(v, VCPU_POLLING) if one is pending already. */
void vcpu_poll(struct vcpu *v, evtchn_port_t port, uint64_t timeout_ns);
/* Something for v to look at has come: ends HLT and poll, and makes a running v leave guest mode. The
 * caller has recorded it by a locked instruction. */
void vcpu_kick(struct vcpu *v);

/* Sets upcall_pending in v's info and has the upcall injected if it was clear. */
void vcpu_raise_upcall(struct vcpu *v);
bool vcpu_upcall_pending(const struct vcpu *v);

/* Points v->info at the guest's record (pinned page), carrying over what the old one held. Has the
 * guest look at all its events: what is raised meanwhile may still go to the old record. d->lock is held. */
void vcpu_set_info(struct vcpu *v, struct vcpu_info *info);

/* Writes v's time record (vcpu_info and time area): when one of them, or the clock's scale, is new. d->lock
 * is held, once the domain has run. */
void vcpu_update_time(struct vcpu *v);

/* Pins `bytes` at the linear address that the caller (the current vCPU) gave, for v; address 0: none.
 * v is the caller or paused; d->lock is held. -EFAULT or p2m_pin()'s errors, and *area is as it was. */
must_check int vcpu_area_register(struct vcpu *caller, struct vcpu_area *area, guest_ptr_t at,
				  size_t bytes);
/* Forgets all that the guest registered for v: soft reset, destruction. v runs nowhere. */
void vcpu_forget_areas(struct vcpu *v);

/* VIRQ_TIMER at that system time, at once if it has passed. v is current. */
void vcpu_set_singleshot(struct vcpu *v, uint64_t deadline_ns);

/* Run-state accounting, called by sched.c under the run queue's lock. */
void vcpu_set_runstate(struct vcpu *v, int state, uint64_t now_ns);
/* Before VM entry: copies what changed into the areas that the guest registered. */
void vcpu_publish(struct vcpu *v);

#endif
