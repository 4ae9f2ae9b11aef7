/* The physmap's rules over the machine's tables (arch_p2m_*): what may be put where, what kind an entry
 * is, and in which order a mapping ends: out of the tables, out of every TLB, then its count dropped. */
#include "lodge/p2m.h"

#include "abi/errno.h"
#include "lodge/arch.h"
#include "lodge/domain.h"
#include "lodge/hypercall.h"
#include "lodge/iommu.h"
#include "lodge/log.h"
#include "lodge/page.h"

/* Table pages that a domain may cost: twice what its memory needs at the worst (a table for each 2 MiB),
 * and 4 MiB of tables for what it maps elsewhere. */
#define TABLE_PAGES_BASE     1024u
#define PAGES_PER_TABLE_PAGE 256u

uint8_t p2m_ram_access(const struct domain *d)
{
	return d->privileged ? P2M_WRITE | P2M_EXEC | P2M_DMA : P2M_WRITE | P2M_EXEC;
}

/* Whether the entry holds a count of its page. */
static bool kind_counts(unsigned kind)
{
	return kind == P2M_RAM || kind == P2M_SHARED || kind == P2M_FOREIGN;
}

static uint8_t kind_of(const struct domain *d, const struct p2m_entry *e)
{
	const struct page *p = mfn_to_page(e->mfn);

	if (e->kind == P2M_HOLE || e->kind == P2M_GRANT)
		return e->kind;
	if (!p || p->owner == PAGE_OWNER_NONE)
		return P2M_MMIO;
	if (p->owner == PAGE_OWNER_SHARED || p->owner == PAGE_OWNER_SELF)
		return P2M_SHARED;
	return p->owner == d->id ? P2M_RAM : P2M_FOREIGN;
}

/* The lock is held; gfn is in range. */
static void get_entry(struct domain *d, gfn_t gfn, struct p2m_entry *ret_e)
{
	arch_p2m_get(d, gfn, ret_e);
	ret_e->kind = kind_of(d, ret_e);
}

static bool is_block(const struct p2m *p, gfn_t gfn, unsigned order)
{
	return (order == ORDER_4K || order == ORDER_2M || order == ORDER_1G) &&
	       is_aligned(gfn.n, 1ull << order) && gfn.n < p->max_gfn &&
	       p->max_gfn - gfn.n >= 1ull << order;
}

/* The lock is held. */
static bool range_is_hole(struct domain *d, uint64_t first, uint64_t end)
{
	struct p2m_entry e;

	for (uint64_t gfn = first; gfn < end;
	     gfn = align_down(gfn, 1ull << e.order) + (1ull << e.order)) {
		arch_p2m_get(d, GFN(gfn), &e);
		if (e.kind != P2M_HOLE)
			return false;
	}
	return true;
}

int p2m_init(struct domain *d)
{
	spinlock_init(&d->p2m.lock, LOCK_RANK_P2M);
	p2m_set_limit(d, d->max_pages);
	return arch_p2m_init(d);
}

void p2m_set_limit(struct domain *d, uint64_t max_pages)
{
	spin_lock(&d->p2m.lock);
	d->p2m.max_table_pages = max_pages / PAGES_PER_TABLE_PAGE + TABLE_PAGES_BASE;
	spin_unlock(&d->p2m.lock);
}

int p2m_map(struct domain *d, gfn_t gfn, const struct p2m_entry *e)
{
	struct p2m *p = &d->p2m;
	int err = -XEN_EINVAL;

	spin_lock(&p->lock);
	/* Under the lock, because p2m_teardown() relies on it. */
	if (!is_block(p, gfn, e->order) || !is_aligned(e->mfn.n, 1ull << e->order) || d->dying)
		goto unlock;
	err = -XEN_EEXIST;
	if (!range_is_hole(d, gfn.n, gfn.n + (1ull << e->order)))
		goto unlock;
	err = arch_p2m_set(d, gfn, e);
	if (!err)
		p->highest_gfn = MAX(p->highest_gfn, gfn.n + (1ull << e->order) - 1);
unlock:
	spin_unlock(&p->lock);
	return err;
}

/* Takes a block out of the tables if its kind is one of `kinds`. No flush. */
static int take_out(struct domain *d, gfn_t gfn, unsigned order, unsigned kinds,
		    struct p2m_entry *ret_old)
{
	const struct p2m_entry hole = { .mfn = MFN_NONE,
					.kind = P2M_HOLE,
					.order = (uint8_t)order };
	struct p2m *p = &d->p2m;
	struct p2m_entry old;
	int err = -XEN_EINVAL;

	spin_lock(&p->lock);
	if (!is_block(p, gfn, order))
		goto unlock;
	get_entry(d, gfn, &old);
	if (old.kind == P2M_HOLE) {
		err = -XEN_ENOENT;
	} else if (!(P2M_KIND(old.kind) & kinds)) {
		err = -XEN_EBUSY;
	} else if (old.order >= order) {
		err = arch_p2m_set(d, gfn, &hole);
		if (!err) {
			old.order = (uint8_t)order;
			*ret_old = old;
		}
	}
unlock:
	spin_unlock(&p->lock);
	return err;
}

void p2m_flush(struct domain *d, gfn_t first, uint64_t nr_pages, bool devices_too)
{
	arch_p2m_flush(d);
	if (devices_too && iommu_ops)
		iommu_ops->flush(d, first, nr_pages);
}

int p2m_unmap_unflushed(struct domain *d, gfn_t gfn, struct p2m_entry *ret_old)
{
	return take_out(d, gfn, ORDER_4K, ~0u, ret_old);
}

int p2m_unmap_block(struct domain *d, gfn_t gfn, unsigned order, struct p2m_entry *ret_old)
{
	int err = take_out(d, gfn, order, ~0u, ret_old);

	if (!err)
		p2m_flush(d, gfn, 1ull << order, ret_old->access & P2M_DMA);
	return err;
}

int p2m_unmap(struct domain *d, gfn_t gfn, struct p2m_entry *ret_old)
{
	return p2m_unmap_block(d, gfn, ORDER_4K, ret_old);
}

void p2m_lookup(struct domain *d, gfn_t gfn, struct p2m_entry *ret_e)
{
	struct p2m *p = &d->p2m;

	spin_lock(&p->lock);
	if (gfn.n < p->max_gfn)
		get_entry(d, gfn, ret_e);
	else
		*ret_e = (struct p2m_entry){ .mfn = MFN_NONE, .kind = P2M_HOLE };
	spin_unlock(&p->lock);
}

int p2m_pin(struct domain *d, gfn_t gfn, bool for_write, mfn_t *ret_mfn)
{
	struct p2m *p = &d->p2m;
	mfn_t mfn = MFN_NONE;
	bool is_ram;

	spin_lock(&p->lock);
	if (gfn.n < p->max_gfn)
		mfn = arch_p2m_frame(d, gfn, for_write);
	is_ram = page_get(mfn, d->id); /* owned by d and not a grant mapping */
	spin_unlock(&p->lock);
	if (!is_ram)
		return -XEN_EINVAL;
	*ret_mfn = mfn;
	return 0;
}

/* Batches ----------------------------------------------------------------------------------------- */

void p2m_batch_init(struct p2m_batch *b, struct domain *d)
{
	b->d = d;
	b->nr = 0;
	b->devices_too = false;
}

static void batch_add(struct p2m_batch *b, gfn_t gfn, const struct p2m_entry *old)
{
	uint64_t last = gfn.n + (1ull << old->order) - 1;

	b->first = b->nr ? MIN(b->first, gfn.n) : gfn.n;
	b->last = b->nr ? MAX(b->last, last) : last;
	b->devices_too |= !!(old->access & P2M_DMA);
	b->old[b->nr++] = *old;
}

int p2m_batch_unmap(struct p2m_batch *b, gfn_t gfn, unsigned order, unsigned kinds)
{
	struct p2m_entry old;
	int err;

	if (b->nr == P2M_BATCH)
		p2m_batch_finish(b);
	err = take_out(b->d, gfn, order, kinds & ~P2M_KIND(P2M_GRANT), &old);
	if (!err)
		batch_add(b, gfn, &old);
	return err;
}

static void drop_counts(const struct p2m_entry *e)
{
	if (kind_counts(e->kind))
		page_put_block(e->mfn, e->order);
}

void p2m_batch_finish(struct p2m_batch *b)
{
	if (!b->nr)
		return;
	p2m_flush(b->d, GFN(b->first), b->last - b->first + 1, b->devices_too);
	for (unsigned i = 0; i < b->nr; i++)
		drop_counts(&b->old[i]);
	p2m_batch_init(b, b->d);
}

/* The end ----------------------------------------------------------------------------------------- */

/* Work between two looks at whether to stop: pages given back, and tables looked through. */
#define TEARDOWN_PAGES  512u
#define TEARDOWN_TABLES 32u

/* The next that is left from p->teardown_gfn on, if the next table shows one, goes into the batch, and
 * teardown_gfn to what follows it. The lock is held. A whole leaf is cleared, which cannot fail. Returns the number of its pages. */
static uint64_t tear_down_one(struct domain *d, struct p2m_batch *b)
{
	struct p2m_entry e, hole = { .mfn = MFN_NONE, .kind = P2M_HOLE };
	struct p2m *p = &d->p2m;
	gfn_t gfn = GFN(arch_p2m_next(d, p->teardown_gfn));

	p->teardown_gfn = gfn.n;
	if (gfn.n > p->highest_gfn)
		return 0;
	get_entry(d, gfn, &e);
	p->teardown_gfn = align_down(gfn.n, 1ull << e.order) + (1ull << e.order);
	if (e.kind == P2M_HOLE)
		return 0;
	hole.order = e.order;
	BUG_ON(arch_p2m_set(d, gfn, &hole));
	batch_add(b, gfn, &e);
	return 1ull << e.order;
}

/* True once nothing is left. */
static bool tear_down_some(struct domain *d)
{
	struct p2m *p = &d->p2m;
	struct p2m_batch b;
	uint64_t nr_pages = 0;
	bool done;

	p2m_batch_init(&b, d);
	spin_lock(&p->lock);
	for (unsigned i = 0; i < TEARDOWN_TABLES && nr_pages < TEARDOWN_PAGES && b.nr < P2M_BATCH &&
			     p->teardown_gfn <= p->highest_gfn;
	     i++)
		nr_pages += tear_down_one(d, &b);
	done = p->teardown_gfn > p->highest_gfn;
	if (done)
		p->max_gfn = 0; /* from here on every frame is out of range */
	spin_unlock(&p->lock);
	p2m_batch_finish(&b);
	return done;
}

int p2m_teardown(struct domain *d)
{
	while (d->p2m.max_gfn && !tear_down_some(d))
		if (hypercall_should_stop())
			return -XEN_EAGAIN;
	return arch_p2m_fini(d);
}
