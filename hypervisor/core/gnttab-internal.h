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
	mfn_t mfn;
	grant_ref_t ref;
	uint32_t next; /* free list */
	bool readonly;
};

/* Starts a use of granter's page `ref` by domain `user`: pins the page and tells the granter by
 * GTF_reading/GTF_writing. Each success needs one gnttab_release() with the same arguments. */
must_check int16_t gnttab_acquire(struct domain *granter, grant_ref_t ref, domid_t user,
				  bool readonly, mfn_t *ret_mfn);
void gnttab_release(struct domain *granter, grant_ref_t ref, bool readonly);

/* Maps the grant at gfn of d. */
must_check int16_t gnttab_map(struct domain *d, struct domain *granter, grant_ref_t ref, gfn_t gfn,
			      bool readonly, grant_handle_t *ret_handle);

/* A mapping on its way out: gone from d's physmap, its page not yet given back. */
struct gnttab_unmapping {
	struct maptrack track;
	grant_handle_t handle;
};

/* Takes the mapping out of d's physmap. gfn must be the one it was made with, or GFN_NONE. After a
 * flush of that frame, gnttab_unmap_finish() gives back page, reference and handle. */
must_check int16_t gnttab_unmap_begin(struct domain *d, grant_handle_t handle, gfn_t gfn,
				      struct gnttab_unmapping *ret_u);
void gnttab_unmap_finish(struct domain *d, const struct gnttab_unmapping *u);
/* Both, with the flush between them. */
must_check int16_t gnttab_unmap(struct domain *d, grant_handle_t handle, gfn_t gfn);

/* Makes the table at least nr_frames long. -EINVAL beyond its limit, -ENOMEM. */
must_check int gnttab_grow(struct domain *d, uint32_t nr_frames);

#endif
