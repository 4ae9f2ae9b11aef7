/* A domain: an address space, its vCPUs and everything they hold. Domains live in one table by id;
 * domain_get() takes a count that keeps the structure, not the domain, alive.
 * Life: created (paused) → running ⇄ paused → shut down (reason) → dying → gone. A dying domain
 * gives back every page, port, grant and timer, in preemptible steps.
 * Locking: d->lock (LOCK_RANK_DOMAIN) for life cycle, parameters and registrations; each part has its own. */
#ifndef LODGE_DOMAIN_H
#define LODGE_DOMAIN_H

#include "abi/hvm.h"
#include "abi/xen.h"
#include "arch-types.h"
#include "lodge/evtchn.h"
#include "lodge/gnttab.h"
#include "lodge/p2m.h"
#include "lodge/spinlock.h"
#include "lodge/types.h"

#define MAX_VCPUS   128u
#define MAX_DOMAINS 4096u /* ids 0 … MAX_DOMAINS - 1 */

struct vcpu;

struct domain {
	domid_t id;
	bool privileged; /* the service VM: may use the control interface and name other domains */
	bool compat;     /* 32-bit shared info layout; latched when it is first mapped */
	bool dying;      /* no new mapping, port or grant */
	bool is_shut_down;
	uint8_t shutdown_reason; /* SHUTDOWN_*; valid once is_shut_down */
	uint32_t refcount;       /* atomic */
	uint32_t pause_count;    /* lock */
	struct spinlock lock;
	uint8_t handle[16]; /* UUID */

	struct vcpu **vcpu; /* nr_vcpus pointers */
	uint32_t nr_vcpus;

	uint64_t nr_pages;  /* owned; atomic */
	uint64_t max_pages; /* limit on nr_pages */
	struct p2m p2m;

	struct shared_info *shared_info; /* our page, shown to the guest where it asks */
	gfn_t shared_info_gfn;           /* GFN_NONE: not mapped */
	uint64_t param[HVM_NR_PARAMS];
	uint64_t vm_assist;

	struct evtchn_table evtchn;
	struct grant_table grant;

	uint64_t log_window_ns; /* rate limit of guest_log() */
	uint32_t log_count;
	char crash_reason[96]; /* why it crashed, for the administrator */

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
/* Starts (or goes on with) taking it apart: -EAGAIN when preempted, 0 once nothing is left but the
 * structure, which the last domain_put() frees. */
must_check int domain_destroy(struct domain *d);

/* By id. NULL when there is none. */
must_check struct domain *domain_lookup(domid_t id);
/* By an id that a guest gave: resolves DOMID_SELF, and lets only the privileged name another.
 * -ESRCH, -EPERM. */
must_check int domain_get(struct vcpu *caller, domid_t id, struct domain **ret_d);
/* As domain_get, without the privilege check: for peers of grants and event channels. */
must_check int domain_get_peer(struct vcpu *caller, domid_t id, struct domain **ret_d);
void domain_put(struct domain *d);

/* One more count for a holder of a count. */
static inline void domain_ref(struct domain *d)
{
	__atomic_add_fetch(&d->refcount, 1, __ATOMIC_RELAXED);
}

must_check struct vcpu *domain_vcpu(struct domain *d, uint32_t id); /* NULL when out of range */

void domain_pause(struct domain *d); /* counts; returns once no vCPU runs */
void domain_unpause(struct domain *d);

/* The guest asked to stop (SHUTDOWN_*). For the service VM this ends or restarts the machine. */
void domain_shutdown(struct domain *d, uint8_t reason);
/* The guest did what no guest may: stops it with a reason that is kept and printed. */
void domain_crash(struct domain *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
