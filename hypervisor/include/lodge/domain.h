/* A domain: an address space, its vCPUs and everything they hold. Domains live in one table by id;
 * domain_get() takes a count that keeps the structure, not the domain, alive.
 * Life: created (paused) → running ⇄ paused → shut down (reason) → dying → gone. A dying domain
 * gives back every page, port, grant and timer, in preemptible steps.
 * Locking: d->lock (LOCK_RANK_DOMAIN) for life cycle, parameters and registrations; each part has its own. */
#ifndef LODGE_DOMAIN_H
#define LODGE_DOMAIN_H

#include "abi/hvm.h"
#include "abi/memory.h"
#include "abi/xen.h"
#include "arch-types.h"
#include "lodge/alloc.h"
#include "lodge/evtchn.h"
#include "lodge/gnttab.h"
#include "lodge/p2m.h"
#include "lodge/sched.h"
#include "lodge/spinlock.h"
#include "lodge/timer.h"
#include "lodge/types.h"

#define MAX_VCPUS   128u
#define MAX_DOMAINS 4096u /* ids 0 … MAX_DOMAINS - 1 */

#define DOMAIN_WATCHDOGS 2u

struct vcpu;

struct domain {
	domid_t id;
	bool privileged; /* the service VM: may use the control interface and name other domains */
	bool compat;     /* 32-bit shared info layout; latched when it is first mapped */
	bool dying;      /* no new mapping, port or grant */
	bool is_shut_down;
	bool has_run;            /* it was unpaused once: what its CPUs are is settled; lock */
	uint8_t shutdown_reason; /* SHUTDOWN_*; valid once is_shut_down */
	uint8_t shutdown_code; /* 1 more than the reason given by SCHEDOP_shutdown_code; 0: none */
	uint32_t refcount;     /* atomic */
	uint32_t pause_count;  /* lock */
	struct spinlock lock;
	uint8_t handle[16]; /* UUID */

	struct vcpu **vcpu; /* nr_vcpus pointers */
	uint32_t nr_vcpus;
	struct sched_cap cap;

	uint64_t nr_pages;   /* owned; atomic */
	uint64_t max_pages;  /* limit on nr_pages */
	uint64_t nr_claimed; /* pages promised to it: page_set_claim(); atomic */
	uint64_t overhead;   /* bytes of ours that serve it, tables of the physmap apart; atomic */
	struct p2m p2m;

	struct shared_info *shared_info; /* our page, shown to the guest where it asks */
	gfn_t shared_info_gfn;           /* GFN_NONE: not mapped */
	uint64_t param[HVM_NR_PARAMS];
	uint64_t vm_assist;
	int64_t clock_offset_s; /* of its wall clock, from UTC; clock lock */

	struct evtchn_table evtchn;
	struct grant_table grant;

	struct domain_watchdog { /* SCHEDOP_watchdog: core/sched-op.c */
		struct timer timer;
		struct domain *domain;
		bool active; /* lock */
	} watchdog[DOMAIN_WATCHDOGS];

	uint64_t log_window_ns; /* rate limit of guest_log(); console lock, as the next two */
	uint32_t log_count;     /* messages in the window, */
	uint32_t log_lost;      /* and those that were not shown */
	char crash_reason[96];  /* why it crashed, for the administrator; lock */

	struct xen_e820_entry *e820; /* what XENMEM_memory_map tells; lock */
	uint32_t nr_e820;            /* lock */

	uint32_t teardown_step; /* how far domain_destroy() got; whoever set control_busy */
	bool control_busy; /* between domain_control_begin() and _end(), or being torn down; lock */

	struct arch_domain arch;
};

extern struct domain *service_vm; /* NULL until it exists */

struct domain_config {
	uint32_t nr_vcpus;
	uint64_t max_pages;
	bool privileged;
	uint8_t handle[16];
	uint32_t max_grant_frames;    /* 0: default 64 */
	uint32_t max_maptrack_frames; /* 0: default 1024 */
	uint32_t max_evtchn_port;     /* 0: default, all that the ABI allows */
};

/* Creates a paused domain without memory. -EEXIST, -ENOMEM, -EINVAL. */
must_check int domain_create(domid_t id, const struct domain_config *cfg, struct domain **ret_d);
/* Starts (or goes on with) taking it apart: -EAGAIN when preempted or when another CPU is at it, 0 once
 * nothing is left but the structure, which the last domain_put() frees. -EPERM for the service VM. The
 * caller holds a count of its own, from domain_get(), and is none of d's vCPUs. */
must_check int domain_destroy(struct domain *d);

#define MAX_E820_ENTRIES 128u
/* What XENMEM_memory_map tells the guest. -E2BIG, -ENOMEM. */
must_check int domain_set_memory_map(struct domain *d, const struct xen_e820_entry *entries,
				     uint32_t nr);
/* Rearranges shared info for a kernel of the other width. d->lock is held. */
void domain_set_layout(struct domain *d, bool compat);

/* By id. NULL when there is none. */
must_check struct domain *domain_lookup(domid_t id);
/* The domain whose pages carry this id. Takes no count: each page it owns keeps the structure. */
must_check struct domain *domain_of_page(domid_t owner);
/* By an id that a guest gave: resolves DOMID_SELF, and lets only the privileged name another.
 * -ESRCH, -EPERM. */
must_check int domain_get(struct vcpu *caller, domid_t id, struct domain **ret_d);
/* As domain_get, without the privilege check: for peers of grants and event channels. */
must_check int domain_get_peer(struct vcpu *caller, domid_t id, struct domain **ret_d);
void domain_put(struct domain *d);

/* mem_alloc() and mem_free() of what exists for d only; and for what came otherwise. */
static inline void domain_count_overhead(struct domain *d, int64_t bytes)
{
	__atomic_add_fetch(&d->overhead, (uint64_t)bytes, __ATOMIC_RELAXED);
}

must_check static inline void *domain_mem_alloc(struct domain *d, size_t size)
{
	void *p = mem_alloc(size);

	if (p)
		domain_count_overhead(d, (int64_t)mem_footprint(size));
	return p;
}

static inline void domain_mem_free(struct domain *d, void *p, size_t size)
{
	if (p)
		domain_count_overhead(d, -(int64_t)mem_footprint(size));
	mem_free(p, size);
}

/* One more count for a holder of a count. */
static inline void domain_ref(struct domain *d)
{
	__atomic_add_fetch(&d->refcount, 1, __ATOMIC_RELAXED);
}

/* For what must not happen while the domain is destroyed, or while another such thing does: at most one
 * caller is between the two. -ESRCH: it is dying; -EAGAIN: try again soon. */
must_check int domain_control_begin(struct domain *d);
void domain_control_end(struct domain *d);

/* Its state is another one now: tells the service VM by VIRQ_DOM_EXC. No lock is held. */
void domain_changed(struct domain *d);
/* Changes of all domains are numbered from 1. The latest; the latest of one id, 0: none yet. */
uint64_t domain_latest_change(void);
uint64_t domain_change_of(domid_t id);
/* The first id from `id` on that exists, or, with `since`, whose latest change is later; MAX_DOMAINS: none. Does not
 * look at each id. */
uint32_t domain_next(uint32_t id, uint64_t since);

must_check struct vcpu *domain_vcpu(struct domain *d, uint32_t id); /* NULL when out of range */

/* Counts; returns once no vCPU of d runs, so never call it from one of them. The caller sees to it that
 * nobody destroys d meanwhile. */
void domain_pause(struct domain *d);
void domain_unpause(struct domain *d); /* nothing happens to a domain that is not paused */

/* The wall clock in shared info (core/time-info.c): when the page or its layout is new to the guest, and
 * for all domains when the machine's clock was set. */
void domain_update_wallclock(struct domain *d);
void domain_update_all_wallclocks(void);
/* From now on d's differs from UTC by so much. */
void domain_set_clock(struct domain *d, int64_t offset_s);

void domain_watchdog_init(struct domain *d);
void domain_watchdog_fini(struct domain *d); /* none fires any more; accepts a zeroed domain */

/* The guest asked to stop (SHUTDOWN_*). For the service VM this ends or restarts the machine. */
void domain_shutdown(struct domain *d, uint8_t reason);
/* The guest did what no guest may: stops it with a reason that is kept and printed. */
void domain_crash(struct domain *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
