/* What gnttab.c does and gnttab-op.c asks for. Statuses are GNTST_*. */
#ifndef LODGE_GNTTAB_INTERNAL_H
#define LODGE_GNTTAB_INTERNAL_H

#include "lodge/domain.h"
#include "lodge/gnttab.h"

#define MAPTRACK_NONE UINT32_MAX

/* One mapping that a domain holds, by handle. */
struct maptrack {
	struct domain *granter; /* holds a count; NULL: free, or on its way out */
	gfn_t gfn;              /* where the mapper sees it */
	grant_ref_t ref;
	uint32_t next; /* free list */
	bool readonly;
};
static_assert(sizeof(struct maptrack) == 32, "128 handles a page");

/* Starts a use of granter's page `ref` by domain `user`: pins the page and tells the granter by
 * GTF_reading/GTF_writing. Each success needs one gnttab_release() with the same arguments. */
must_check int16_t gnttab_acquire(struct domain *granter, grant_ref_t ref, domid_t user,
				  bool readonly, mfn_t *ret_mfn);
void gnttab_release(struct domain *granter, grant_ref_t ref, bool readonly);

/* Maps the grant at gfn of d. On success the mapping takes over the caller's count of granter. */
must_check int16_t gnttab_map(struct domain *d, struct domain *granter, grant_ref_t ref, gfn_t gfn,
			      bool readonly, grant_handle_t *ret_handle);

#define GNTTAB_BATCH 16u

/* Mappings on their way out, gone from d's physmap, their pages not yet given back: one flush serves
 * them all, because it costs an exit of every vCPU and a round through the IOMMU. Lives on the stack of
 * one operation. */
struct gnttab_unmapping {
	uint32_t nr;          /* starts as 0 */
	uint64_t first, last; /* frames spanned; valid when nr is not 0 */
	struct {
		struct maptrack track;
		grant_handle_t handle;
	} item[GNTTAB_BATCH];
};

/* Takes a mapping out of d's physmap; gfn must be the one it was made with, or GFN_NONE. At most
 * GNTTAB_BATCH successes before gnttab_unmap_finish(), which gives back pages, references and handles. */
must_check int16_t gnttab_unmap_begin(struct domain *d, struct gnttab_unmapping *u,
				      grant_handle_t handle, gfn_t gfn);
void gnttab_unmap_finish(struct domain *d, struct gnttab_unmapping *u);

/* Makes the table at least nr_frames long. -EINVAL beyond its limit, -ENOMEM; -EAGAIN when preempted: call
 * again, it goes on. */
must_check int gnttab_grow(struct domain *d, uint32_t nr_frames);

#endif
