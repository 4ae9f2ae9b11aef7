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
#define MAX_FRAMES         (1u << 16) /* of table or maptrack: their entries are counted in 32 bits */

/* A reference in use. Its page is pinned once, however many use it. */
struct active_grant {
	uint32_t mfn; /* as in struct page, 32 bits hold every frame number */
	domid_t user;
	bool may_write; /* the granter itself may write the page: asked once, at the first write use */
	uint32_t nr_readers, nr_writers;
};
static_assert(sizeof(struct active_grant) == 16, "two pages for each frame of the table");

/* Limits for a domain's table are set by the toolstack, so they bound what a guest can make us
 * allocate: one page of table and two of active grants for each frame. */
int gnttab_init(struct domain *d, uint32_t max_frames, uint32_t max_maptrack_frames)
{
	struct grant_table *t = &d->grant;

	spinlock_init(&t->lock, LOCK_RANK_GRANT);
	if (max_frames > MAX_FRAMES || max_maptrack_frames > MAX_FRAMES)
		return -XEN_EINVAL;
	t->max_frames = max_frames ? max_frames : GRANT_FRAMES_DEFAULT;
	t->max_maptrack_frames =
		max_maptrack_frames ? max_maptrack_frames : MAPTRACK_FRAMES_DEFAULT;
	t->maptrack_free = MAPTRACK_NONE;
	t->frame = domain_mem_alloc(d, t->max_frames * sizeof(t->frame[0]));
	t->frame_gfn = domain_mem_alloc(d, t->max_frames * sizeof(t->frame_gfn[0]));
	t->active = domain_mem_alloc(d, t->max_frames * sizeof(t->active[0]));
	if (!t->frame || !t->frame_gfn || !t->active)
		return -XEN_ENOMEM;
	return gnttab_grow(d, 1);
}

/* The lock is held. */
static int add_frame(struct domain *d)
{
	struct grant_table *t = &d->grant;
	mfn_t mfn = page_alloc_shared();
	struct active_grant *active = domain_mem_alloc(d, ACTIVE_BLOCK_BYTES);

	if (mfn_is_none(mfn) || !active) {
		if (!mfn_is_none(mfn))
			page_put(mfn);
		domain_mem_free(d, active, ACTIVE_BLOCK_BYTES);
		return -XEN_ENOMEM;
	}
	t->active[t->nr_frames] = active;
	t->frame[t->nr_frames] = mfn_to_ptr(mfn);
	t->frame_gfn[t->nr_frames] = GFN_NONE;
	t->nr_frames++;
	domain_count_overhead(d, PAGE_SIZE);
	return 0;
}

int gnttab_grow(struct domain *d, uint32_t nr_frames)
{
	struct grant_table *t = &d->grant;
	int err = 0;

	if (nr_frames > t->max_frames)
		return -XEN_EINVAL;
	spin_lock(&t->lock);
	while (!err && t->nr_frames < nr_frames) {
		err = add_frame(d);
		if (!err && t->nr_frames < nr_frames && hypercall_should_stop())
			err = -XEN_EAGAIN;
	}
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

int gnttab_seed(struct domain *d, grant_ref_t ref, domid_t peer, gfn_t gfn)
{
	struct grant_table *t = &d->grant;
	struct grant_entry_v1 *e;
	int err = 0;

	if (gfn.n > UINT32_MAX)
		return -XEN_EINVAL;
	spin_lock(&t->lock);
	if (ref >= t->nr_frames * ENTRIES_PER_FRAME) {
		err = -XEN_EINVAL;
	} else {
		e = find_entry(t, (grant_ref_t)index_clamp(ref, t->nr_frames * ENTRIES_PER_FRAME));
		if (READ_ONCE(e->flags)) {
			err = -XEN_EBUSY;
		} else {
			e->domid = peer;
			e->frame = (uint32_t)gfn.n;
			smp_wmb(); /* what it permits, before that it does: the guest may run */
			WRITE_ONCE(e->flags, GTF_permit_access);
		}
	}
	spin_unlock(&t->lock);
	return err;
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
		if ((word & (GTF_type_mask | GTF_sub_page)) != GTF_permit_access ||
		    word >> 16 != user)
			return GNTST_permission_denied;
		if (word & GTF_readonly && !readonly)
			return GNTST_permission_denied;
		if (__atomic_compare_exchange_n(entry_word(e), &word, word | busy, false,
						__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return GNTST_okay;
	}
	return GNTST_general_error;
}

/* The granter waits for these bits before it reuses the page. Clears those that nobody needs. */
static void clear_busy(struct grant_entry_v1 *e, const struct active_grant *a)
{
	uint16_t busy = GTF_writing;

	if (a->nr_writers)
		return;
	if (!a->nr_readers)
		busy |= GTF_reading;
	__atomic_fetch_and(&e->flags, (uint16_t)~busy, __ATOMIC_SEQ_CST);
}

/* The page of a reference that nobody uses yet. The frame is read once, and only now: the granter must
 * leave it alone while the entry is busy. */
static int16_t start_use(struct domain *granter, const struct grant_entry_v1 *e,
			 struct active_grant *a, domid_t user, bool readonly)
{
	mfn_t mfn;

	if (p2m_pin(granter, GFN(READ_ONCE(e->frame)), !readonly, &mfn))
		return GNTST_bad_page;
	a->mfn = (uint32_t)mfn.n;
	a->user = user;
	a->may_write = !readonly;
	return GNTST_okay;
}

/* The first use for writing of a page that was pinned for reading. */
static int16_t start_writing(struct domain *granter, const struct grant_entry_v1 *e,
			     struct active_grant *a)
{
	mfn_t mfn;

	if (p2m_pin(granter, GFN(READ_ONCE(e->frame)), true, &mfn))
		return GNTST_bad_page;
	a->may_write = mfn.n == a->mfn;
	page_put(mfn); /* it is pinned already, or it is another page */
	return a->may_write ? GNTST_okay : GNTST_bad_page;
}

/* The lock is held. */
static inline int16_t acquire(struct domain *granter, grant_ref_t ref, domid_t user, bool readonly,
			      mfn_t *ret_mfn)
{
	struct grant_table *t = &granter->grant;
	uint32_t nr_refs = t->nr_frames * ENTRIES_PER_FRAME;
	struct grant_entry_v1 *e;
	struct active_grant *a;
	int16_t status;

	if (unlikely(granter->dying))
		return GNTST_bad_domain;
	if (ref >= nr_refs)
		return GNTST_bad_gntref;
	ref = (grant_ref_t)index_clamp(ref, nr_refs);
	e = find_entry(t, ref);
	a = find_active(t, ref);
	if ((a->nr_readers || a->nr_writers) && a->user != user)
		return GNTST_permission_denied; /* what the entry says now came too late */
	status = mark_busy(e, user, readonly);
	if (status)
		return status;
	if (!a->nr_readers && !a->nr_writers)
		status = start_use(granter, e, a, user, readonly);
	else if (!readonly && !a->may_write)
		status = start_writing(granter, e, a);
	if (status) {
		clear_busy(e, a);
		return status;
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
	if (!a->nr_readers && !a->nr_writers)
		unused = MFN(a->mfn);
	clear_busy(find_entry(t, ref), a);
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
static bool add_maptrack_frame(struct domain *d)
{
	struct grant_table *t = &d->grant;
	struct maptrack *frame;

	if (t->nr_maptrack_frames == t->max_maptrack_frames)
		return false;
	if (!t->maptrack)
		t->maptrack = domain_mem_alloc(d, t->max_maptrack_frames * sizeof(t->maptrack[0]));
	frame = t->maptrack ? domain_mem_alloc(d, PAGE_SIZE) : NULL;
	if (!frame)
		return false;
	t->maptrack[t->nr_maptrack_frames++] = frame;
	for (uint32_t i = TRACKS_PER_FRAME; i-- > 0;)
		push_handle(t, (t->nr_maptrack_frames - 1) * TRACKS_PER_FRAME + i);
	return true;
}

static grant_handle_t take_handle(struct domain *d)
{
	struct grant_table *t = &d->grant;
	grant_handle_t handle = MAPTRACK_NONE;

	spin_lock(&t->lock);
	if (t->maptrack_free != MAPTRACK_NONE || add_maptrack_frame(d)) {
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

/* Makes the handle valid: until here nobody can unmap it. take_track() sees all of it or nothing. */
static void publish_track(struct grant_table *t, grant_handle_t handle,
			  const struct maptrack *track)
{
	struct maptrack *to = find_track(t, handle);

	to->gfn = track->gfn;
	to->ref = track->ref;
	to->readonly = track->readonly;
	__atomic_store_n(&to->granter, track->granter, __ATOMIC_RELEASE);
}

int16_t gnttab_map(struct domain *d, struct domain *granter, grant_ref_t ref, gfn_t gfn,
		   bool readonly, grant_handle_t *ret_handle)
{
	struct maptrack track = {
		.granter = granter, .gfn = gfn, .ref = ref, .readonly = readonly
	};
	/* As the domain's own RAM, devices reach it where the domain has any; never executable. */
	uint8_t rights = readonly ? P2M_DMA : P2M_DMA | P2M_WRITE;
	struct p2m_entry entry = { .kind = P2M_GRANT,
				   .order = ORDER_4K,
				   .access = p2m_ram_access(d) & rights };
	grant_handle_t handle = take_handle(d);
	int16_t status;

	if (handle == MAPTRACK_NONE)
		return GNTST_no_space;
	status = gnttab_acquire(granter, ref, d->id, readonly, &entry.mfn);
	if (status)
		goto return_handle;
	if (p2m_map(d, gfn, &entry)) {
		status = GNTST_general_error;
		goto release;
	}
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
	if (!track || !__atomic_load_n(&track->granter, __ATOMIC_ACQUIRE)) {
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

int16_t gnttab_unmap_begin(struct domain *d, struct gnttab_unmapping *u, grant_handle_t handle,
			   gfn_t gfn)
{
	struct maptrack *track = &u->item[u->nr].track;
	struct p2m_entry old;
	int16_t status = take_track(&d->grant, handle, gfn, track);

	if (status)
		return status;
	/* Only we remove grant mappings, so it is there. */
	BUG_ON(p2m_unmap_unflushed(d, track->gfn, &old));
	u->item[u->nr].handle = handle;
	u->first = u->nr ? MIN(u->first, track->gfn.n) : track->gfn.n;
	u->last = u->nr ? MAX(u->last, track->gfn.n) : track->gfn.n;
	u->nr++;
	return GNTST_okay;
}

void gnttab_unmap_finish(struct domain *d, struct gnttab_unmapping *u)
{
	if (!u->nr)
		return;
	p2m_flush(d, GFN(u->first), u->last - u->first + 1, p2m_ram_access(d) & P2M_DMA);
	for (uint32_t i = 0; i < u->nr; i++) {
		const struct maptrack *track = &u->item[i].track;

		gnttab_release(track->granter, track->ref, track->readonly);
		domain_put(track->granter);
		return_handle(&d->grant, u->item[i].handle);
	}
	u->nr = 0;
}

/* The next GNTTAB_BATCH handles, or fewer if fewer are left. */
static void tear_down_some(struct domain *d, uint32_t nr_handles)
{
	struct grant_table *t = &d->grant;
	uint32_t end = MIN(t->teardown_handle + GNTTAB_BATCH, nr_handles);
	struct gnttab_unmapping u;

	u.nr = 0;
	for (; t->teardown_handle < end; t->teardown_handle++)
		if (gnttab_unmap_begin(d, &u, t->teardown_handle, GFN_NONE) != GNTST_okay)
			continue; /* not mapped */
	gnttab_unmap_finish(d, &u);
}

int gnttab_teardown(struct domain *d)
{
	struct grant_table *t = &d->grant;
	uint32_t nr_handles = t->nr_maptrack_frames * TRACKS_PER_FRAME;

	while (t->teardown_handle < nr_handles) {
		tear_down_some(d, nr_handles);
		if (t->teardown_handle < nr_handles && hypercall_should_stop())
			return -XEN_EAGAIN;
	}
	return 0;
}

void gnttab_fini(struct domain *d)
{
	struct grant_table *t = &d->grant;

	for (uint32_t i = 0; i < t->nr_maptrack_frames; i++)
		domain_mem_free(d, t->maptrack[i], PAGE_SIZE);
	domain_mem_free(d, t->maptrack, t->max_maptrack_frames * sizeof(t->maptrack[0]));
	for (uint32_t i = 0; i < t->nr_frames; i++) {
		page_put(ptr_to_mfn(t->frame[i]));
		domain_count_overhead(d, -(int64_t)PAGE_SIZE);
		domain_mem_free(d, t->active[i], ACTIVE_BLOCK_BYTES);
	}
	domain_mem_free(d, t->frame, t->max_frames * sizeof(t->frame[0]));
	domain_mem_free(d, t->frame_gfn, t->max_frames * sizeof(t->frame_gfn[0]));
	domain_mem_free(d, t->active, t->max_frames * sizeof(t->active[0]));
}
