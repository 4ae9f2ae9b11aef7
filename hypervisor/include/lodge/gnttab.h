/* Grant tables (version 1): a domain lets another map or copy single pages of its own. The table
 * itself is guest-visible memory and hostile; what is in use is recorded on our side (struct
 * active_grant), as is every mapping a domain holds (struct maptrack).
 * Locking: d->grant.lock of the granter for its table and active grants, of the mapper for its
 * maptrack. No operation holds two of them: a handle is taken out of use before the rest is undone.
 * A mapping counts its page and its granter, so both outlive the granter's destruction. */
#ifndef LODGE_GNTTAB_H
#define LODGE_GNTTAB_H

#include "abi/grant-table.h"
#include "lodge/spinlock.h"
#include "lodge/types.h"

struct domain;
struct active_grant; /* private to gnttab.c */
struct maptrack;

#define GRANT_FRAMES_DEFAULT    64u
#define MAPTRACK_FRAMES_DEFAULT 1024u

struct grant_table {
	struct spinlock lock;
	uint32_t nr_frames, max_frames; /* lock */
	struct grant_entry_v1 **frame;  /* hypervisor pages shown to the guest; set once */
	gfn_t *frame_gfn;             /* where the guest placed them; GFN_NONE: nowhere. d->lock */
	struct active_grant **active; /* one block for each frame */
	struct maptrack **maptrack;   /* pages of records, by handle; NULL until the first */
	uint32_t nr_maptrack_frames, max_maptrack_frames;
	uint32_t maptrack_free;   /* head of the free list; MAPTRACK_NONE: empty */
	uint32_t teardown_handle; /* how far gnttab_teardown() got */
};

must_check int gnttab_init(struct domain *d, uint32_t max_frames, uint32_t max_maptrack_frames);
/* Unmaps all that d has mapped; preemptible: -EAGAIN. Idempotent, accepts a half-built domain. */
must_check int gnttab_teardown(struct domain *d);
/* Gives back the table itself; only when nobody holds a count of d any more. */
void gnttab_fini(struct domain *d);

/* Writes entry `ref` for the domain, before it runs: peer may map and write gfn. -EINVAL beyond the
 * table, -EBUSY: the entry is not empty. */
must_check int gnttab_seed(struct domain *d, grant_ref_t ref, domid_t peer, gfn_t gfn);

/* The page that holds table frame `idx`, growing the table up to it: XENMAPSPACE_grant_table. */
must_check int gnttab_get_frame(struct domain *d, uint32_t idx, mfn_t *ret_mfn);

#endif
