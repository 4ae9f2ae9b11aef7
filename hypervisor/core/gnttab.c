/* Grant tables: the table, what of it is in use, and the mappings a domain holds. The hypercall is in
 * gnttab-op.c; locking is described in lodge/gnttab.h. */
#include "lodge/gnttab.h"

#include "abi/errno.h"
#include "core/gnttab-internal.h"
#include "lodge/alloc.h"
#include "lodge/arch.h"
#include "lodge/hypercall.h"
#include "lodge/log.h"
#include "lodge/page.h"

#define ENTRIES_PER_FRAME  ((uint32_t)(PAGE_SIZE / sizeof(struct grant_entry_v1)))
#define ACTIVE_BLOCK_BYTES (ENTRIES_PER_FRAME * sizeof(struct active_grant))
#define TRACKS_PER_FRAME   ((uint32_t)(PAGE_SIZE / sizeof(struct maptrack)))

/* A reference in use. Its page is pinned once, however many use it. */
struct active_grant {
	uint32_t mfn; /* as in struct page, 32 bits hold every frame number */
	domid_t user;
	uint16_t pad;
	uint32_t nr_readers, nr_writers;
};
static_assert(sizeof(struct active_grant) == 16, "two pages for each frame of the table");

/* Limits for a domain's table are set by the toolstack, so they bound what a guest can make us
 * allocate: one page of table and two of active grants for each frame. */
int gnttab_init(struct domain *d, uint32_t max_frames, uint32_t max_maptrack_frames)
{
	struct grant_table *t = &d->grant;

	spinlock_init(&t->lock, LOCK_RANK_GRANT);
	t->max_frames = max_frames ? max_frames : GRANT_FRAMES_DEFAULT;
	t->max_maptrack_frames =
		max_maptrack_frames ? max_maptrack_frames : MAPTRACK_FRAMES_DEFAULT;
	t->maptrack_free = MAPTRACK_NONE;
	t->frame = mem_alloc(t->max_frames * sizeof(t->frame[0]));
	t->frame_gfn = mem_alloc(t->max_frames * sizeof(t->frame_gfn[0]));
	t->active = mem_alloc(t->max_frames * sizeof(t->active[0]));
	if (!t->frame || !t->frame_gfn || !t->active)
		return -XEN_ENOMEM;
	return gnttab_grow(d, 1);
}

/* The lock is held. */
static int add_frame(struct grant_table *t)
{
	mfn_t mfn = page_alloc_shared();
	struct active_grant *active = mem_alloc(ACTIVE_BLOCK_BYTES);

	if (mfn_is_none(mfn) || !active) {
		if (!mfn_is_none(mfn))
			page_put(mfn);
		mem_free(active, ACTIVE_BLOCK_BYTES);
		return -XEN_ENOMEM;
	}
	t->active[t->nr_frames] = active;
	t->frame[t->nr_frames] = mfn_to_ptr(mfn);
	t->frame_gfn[t->nr_frames] = GFN_NONE;
	t->nr_frames++;
	return 0;
}

int gnttab_grow(struct domain *d, uint32_t nr_frames)
{
	struct grant_table *t = &d->grant;
	int err = 0;

	if (nr_frames > t->max_frames)
		return -XEN_EINVAL;
	spin_lock(&t->lock);
	while (!err && t->nr_frames < nr_frames)
		err = add_frame(t);
	spin_unlock(&t->lock);
	return err;
}

int gnttab_get_frame(struct domain *d, uint32_t idx, mfn_t *ret_mfn)
{
	int err;

	if (idx >= d->grant.max_frames)
		return -XEN_EINVAL;
	err = gnttab_grow(d, idx + 1);
	if (!err)
		*ret_mfn = ptr_to_mfn(d->grant.frame[index_clamp(idx, d->grant.max_frames)]);
	return err;
}

/* Use of a reference -------------------------------------------------------------------------- */

/* The lock is held; ref is within the table. */
static struct grant_entry_v1 *find_entry(struct grant_table *t, grant_ref_t ref)
{
	return &t->frame[ref / ENTRIES_PER_FRAME][ref % ENTRIES_PER_FRAME];
}

static struct active_grant *find_active(struct grant_table *t, grant_ref_t ref)
{
	return &t->active[ref / ENTRIES_PER_FRAME][ref % ENTRIES_PER_FRAME];
}

/* flags and domid are one 32-bit word, so that the granter cannot change one between our look at the
 * other and the setting of the busy bits. */
static uint32_t *entry_word(struct grant_entry_v1 *e)
{
	return (uint32_t *)(void *)e;
}

/* Sets the busy bits if the entry permits this use. A granter that keeps changing the word under us
 * gets an error, not our time. */
static int16_t mark_busy(struct grant_entry_v1 *e, domid_t user, bool readonly)
{
	uint32_t busy = readonly ? GTF_reading : GTF_reading | GTF_writing;
	uint32_t word = READ_ONCE(*entry_word(e));

	for (unsigned round = 0; round < 5; round++) {
		if ((word & GTF_type_mask) != GTF_permit_access || word >> 16 != user)
			return GNTST_permission_denied;
		if (word & GTF_readonly && !readonly)
			return GNTST_permission_denied;
		if (__atomic_compare_exchange_n(entry_word(e), &word, word | busy, false,
						__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return GNTST_okay;
	}
	return GNTST_general_error;
}

/* The granter waits for these bits before it reuses the page. */
static void clear_busy(struct grant_entry_v1 *e, uint32_t busy)
{
	__atomic_fetch_and(&e->flags, (uint16_t)~busy, __ATOMIC_SEQ_CST);
}

/* The lock is held. */
static int16_t acquire(struct domain *granter, grant_ref_t ref, domid_t user, bool readonly,
		       mfn_t *ret_mfn)
{
	struct grant_table *t = &granter->grant;
	uint32_t nr_refs = t->nr_frames * ENTRIES_PER_FRAME;
	struct grant_entry_v1 *e;
	struct active_grant *a;
	mfn_t mfn;
	int16_t status;

	if (granter->dying)
		return GNTST_bad_domain;
	if (ref >= nr_refs)
		return GNTST_bad_gntref;
	ref = (grant_ref_t)index_clamp(ref, nr_refs);
	e = find_entry(t, ref);
	a = find_active(t, ref);
	status = mark_busy(e, user, readonly);
	if (status)
		return status;

	if (!a->nr_readers && !a->nr_writers) {
		/* The frame is read once, and only now: the granter must leave it alone while busy. */
		if (p2m_pin(granter, GFN(READ_ONCE(e->frame)), !readonly, &mfn)) {
			clear_busy(e, GTF_reading | GTF_writing);
			return GNTST_bad_page;
		}
		a->mfn = (uint32_t)mfn.n;
		a->user = user;
	} else if (a->user != user) {
		return GNTST_permission_denied; /* rewritten while in use: ours is the true record */
	}
	if (readonly)
		a->nr_readers++;
	else
		a->nr_writers++;
	*ret_mfn = MFN(a->mfn);
	return GNTST_okay;
}

int16_t gnttab_acquire(struct domain *granter, grant_ref_t ref, domid_t user, bool readonly,
		       mfn_t *ret_mfn)
{
	int16_t status;

	spin_lock(&granter->grant.lock);
	status = acquire(granter, ref, user, readonly, ret_mfn);
	spin_unlock(&granter->grant.lock);
	return status;
}

void gnttab_release(struct domain *granter, grant_ref_t ref, bool readonly)
{
	struct grant_table *t = &granter->grant;
	struct active_grant *a;
	mfn_t unused = MFN_NONE;

	spin_lock(&t->lock);
	a = find_active(t, ref);
	if (readonly)
		a->nr_readers--;
	else
		a->nr_writers--;
	if (!a->nr_readers && !a->nr_writers) {
		unused = MFN(a->mfn);
		clear_busy(find_entry(t, ref), GTF_reading | GTF_writing);
	} else if (!a->nr_writers) {
		clear_busy(find_entry(t, ref), GTF_writing);
	}
	spin_unlock(&t->lock);
	if (!mfn_is_none(unused))
		page_put(unused);
}

/* Mappings ------------------------------------------------------------------------------------ */

/* The lock is held. */
static struct maptrack *find_track(struct grant_table *t, grant_handle_t handle)
{
	return &t->maptrack[handle / TRACKS_PER_FRAME][handle % TRACKS_PER_FRAME];
}

static void push_handle(struct grant_table *t, grant_handle_t handle)
{
	find_track(t, handle)->next = t->maptrack_free;
	t->maptrack_free = handle;
}

/* The lock is held. Few domains ever map a grant, so the index of frames waits for the first. */
static bool add_maptrack_frame(struct grant_table *t)
{
	struct maptrack *frame;

	if (t->nr_maptrack_frames == t->max_maptrack_frames)
		return false;
	if (!t->maptrack)
		t->maptrack = mem_alloc(t->max_maptrack_frames * sizeof(t->maptrack[0]));
	frame = t->maptrack ? mem_alloc(PAGE_SIZE) : NULL;
	if (!frame)
		return false;
	t->maptrack[t->nr_maptrack_frames++] = frame;
	for (uint32_t i = TRACKS_PER_FRAME; i-- > 0;)
		push_handle(t, (t->nr_maptrack_frames - 1) * TRACKS_PER_FRAME + i);
	return true;
}

static grant_handle_t take_handle(struct grant_table *t)
{
	grant_handle_t handle = MAPTRACK_NONE;

	spin_lock(&t->lock);
	if (t->maptrack_free != MAPTRACK_NONE || add_maptrack_frame(t)) {
		handle = t->maptrack_free;
		t->maptrack_free = find_track(t, handle)->next;
	}
	spin_unlock(&t->lock);
	return handle;
}

static void return_handle(struct grant_table *t, grant_handle_t handle)
{
	spin_lock(&t->lock);
	push_handle(t, handle);
	spin_unlock(&t->lock);
}

/* Makes the handle valid: until here nobody can unmap it. */
static void publish_track(struct grant_table *t, grant_handle_t handle,
			  const struct maptrack *track)
{
	spin_lock(&t->lock);
	*find_track(t, handle) = *track;
	spin_unlock(&t->lock);
}

int16_t gnttab_map(struct domain *d, struct domain *granter, grant_ref_t ref, gfn_t gfn,
		   bool readonly, grant_handle_t *ret_handle)
{
	struct maptrack track = { granter, gfn, MFN_NONE, ref, MAPTRACK_NONE, readonly };
	struct p2m_entry entry = { .kind = P2M_GRANT,
				   .order = ORDER_4K,
				   .access = readonly ? P2M_DMA : P2M_DMA | P2M_WRITE };
	grant_handle_t handle = take_handle(&d->grant);
	int16_t status;

	if (handle == MAPTRACK_NONE)
		return GNTST_no_space;
	status = gnttab_acquire(granter, ref, d->id, readonly, &track.mfn);
	if (status)
		goto return_handle;
	entry.mfn = track.mfn;
	if (p2m_map(d, gfn, &entry)) {
		status = GNTST_general_error;
		goto release;
	}
	domain_ref(granter);
	publish_track(&d->grant, handle, &track);
	*ret_handle = handle;
	return GNTST_okay;

release:
	gnttab_release(granter, ref, readonly);
return_handle:
	return_handle(&d->grant, handle);
	return status;
}

/* Whoever sets granter to NULL owns the mapping's end: a second unmap of the handle finds it dead. */
static int16_t take_track(struct grant_table *t, grant_handle_t handle, gfn_t gfn,
			  struct maptrack *ret_track)
{
	uint32_t nr_handles;
	int16_t status = GNTST_okay;
	struct maptrack *track = NULL;

	spin_lock(&t->lock);
	nr_handles = t->nr_maptrack_frames * TRACKS_PER_FRAME;
	if (handle < nr_handles)
		track = find_track(t, (grant_handle_t)index_clamp(handle, nr_handles));
	if (!track || !track->granter) {
		status = GNTST_bad_handle;
	} else if (gfn.n != GFN_NONE.n && gfn.n != track->gfn.n) {
		status = GNTST_bad_virt_addr;
	} else {
		*ret_track = *track;
		track->granter = NULL;
	}
	spin_unlock(&t->lock);
	return status;
}

int16_t gnttab_unmap_begin(struct domain *d, grant_handle_t handle, gfn_t gfn,
			   struct gnttab_unmapping *ret_u)
{
	struct p2m_entry old;
	int16_t status = take_track(&d->grant, handle, gfn, &ret_u->track);

	if (status)
		return status;
	ret_u->handle = handle;
	/* Only we remove grant mappings, so it is there. */
	BUG_ON(p2m_unmap_unflushed(d, ret_u->track.gfn, &old));
	return GNTST_okay;
}

void gnttab_unmap_finish(struct domain *d, const struct gnttab_unmapping *u)
{
	gnttab_release(u->track.granter, u->track.ref, u->track.readonly);
	domain_put(u->track.granter);
	return_handle(&d->grant, u->handle);
}

int16_t gnttab_unmap(struct domain *d, grant_handle_t handle, gfn_t gfn)
{
	struct gnttab_unmapping u;
	int16_t status = gnttab_unmap_begin(d, handle, gfn, &u);

	if (status)
		return status;
	p2m_flush(d, u.track.gfn, 1, true);
	gnttab_unmap_finish(d, &u);
	return GNTST_okay;
}

int gnttab_teardown(struct domain *d)
{
	struct grant_table *t = &d->grant;

	while (t->teardown_handle < t->nr_maptrack_frames * TRACKS_PER_FRAME) {
		if (t->teardown_handle % 16 == 0 && hypercall_should_stop())
			return -XEN_EAGAIN;
		if (gnttab_unmap(d, t->teardown_handle, GFN_NONE) == GNTST_okay)
			log_debug("dom%u: grant handle %u was still mapped\n", d->id,
				  t->teardown_handle);
		t->teardown_handle++;
	}
	return 0;
}

void gnttab_fini(struct domain *d)
{
	struct grant_table *t = &d->grant;

	for (uint32_t i = 0; i < t->nr_maptrack_frames; i++)
		mem_free(t->maptrack[i], PAGE_SIZE);
	mem_free(t->maptrack, t->max_maptrack_frames * sizeof(t->maptrack[0]));
	for (uint32_t i = 0; i < t->nr_frames; i++) {
		page_put(ptr_to_mfn(t->frame[i]));
		mem_free(t->active[i], ACTIVE_BLOCK_BYTES);
	}
	mem_free(t->frame, t->max_frames * sizeof(t->frame[0]));
	mem_free(t->frame_gfn, t->max_frames * sizeof(t->frame_gfn[0]));
	mem_free(t->active, t->max_frames * sizeof(t->active[0]));
}
