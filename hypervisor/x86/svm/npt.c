/*
 * Nested page tables, which are the physmap and the IOMMU's tables at once: entries hold what the CPU
 * wants (APM 2, 15.25) and, where the CPU ignores bits, what AMD-Vi wants (specification 48882,
 * 2.2.3): the level that follows in bits 11-9, read and write permission in bits 61 and 62.
 * Bit 8, which both ignore, is ours: the page is mapped by grant.
 *
 * Locking: changes under d->p2m.lock. Readers take none: an entry changes in one store, and a
 * table, once linked, stays where it is until the domain is gone (a large mapping over an old table
 * is written as small ones).
 */
#include "x86/svm/svm.h"

#include "abi/errno.h"
#include "lodge/domain.h"
#include "lodge/hypercall.h"
#include "lodge/p2m.h"
#include "lodge/page.h"
#include "x86/cpu.h"

#define NPT_PRESENT   (1ull << 0)
#define NPT_WRITE     (1ull << 1)
#define NPT_USER      (1ull << 2) /* every nested access counts as the user's (APM 2, 15.25.5) */
#define NPT_ACCESSED  (1ull << 5)
#define NPT_DIRTY     (1ull << 6)
#define NPT_LARGE     (1ull << 7)
#define NPT_GRANT     (1ull << 8)
#define NPT_NEXT(n)   ((uint64_t)(n) << 9)
#define NPT_FRAME     0x000ffffffffff000ull
#define NPT_DMA_READ  (1ull << 61)
#define NPT_DMA_WRITE (1ull << 62)
#define NPT_NO_EXEC   (1ull << 63)

#define NPT_LEVELS   4u
#define NPT_BITS     9u /* of a frame number, for each level */
#define NPT_ENTRIES  512u
#define NPT_GFN_BITS (NPT_LEVELS * NPT_BITS)

static unsigned level_shift(unsigned level) /* order of what an entry of that level maps */
{
	return (level - 1) * NPT_BITS;
}

static uint64_t *entry_in(uint64_t *table, uint64_t gfn, unsigned level)
{
	return &table[gfn >> level_shift(level) & (NPT_ENTRIES - 1)];
}

static uint64_t *table_of(uint64_t entry)
{
	return mpa_to_ptr(MPA(entry & NPT_FRAME));
}

static bool is_table(uint64_t entry, unsigned level)
{
	return (entry & NPT_PRESENT) && level > 1 && !(entry & NPT_LARGE);
}

int npt_init(struct domain *d)
{
	unsigned bits = MIN(host_cpu.phys_bits - PAGE_SHIFT, NPT_GFN_BITS);
	mfn_t root = page_alloc(0, NODE_ANY, PAGE_ALLOC_ZERO);

	if (mfn_is_none(root))
		return -XEN_ENOMEM;
	d->arch.p2m_root = root;
	d->p2m.max_gfn = 1ull << bits;
	d->p2m.nr_table_pages = 1;
	return 0;
}

/* False when it stopped in between: what is left still hangs from the table. */
static bool free_tables(uint64_t *table, unsigned level)
{
	for (unsigned i = 0; level > 1 && i < NPT_ENTRIES; i++) {
		if (!is_table(table[i], level))
			continue;
		if (!free_tables(table_of(table[i]), level - 1))
			return false;
		table[i] = 0;
		/* A table of the lowest level is gone with one call: look after 512 of them. */
		if (level > 2 && hypercall_should_stop())
			return false;
	}
	page_free(ptr_to_mfn(table), 0);
	return true;
}

int npt_fini(struct domain *d)
{
	if (!d->arch.p2m_root.n)
		return 0;
	if (!free_tables(mfn_to_ptr(d->arch.p2m_root), NPT_LEVELS))
		return -XEN_EAGAIN;
	d->arch.p2m_root = MFN(0);
	d->p2m.nr_table_pages = 0;
	return 0;
}

static uint64_t leaf(const struct p2m_entry *e, unsigned level)
{
	uint64_t bits = NPT_PRESENT | NPT_USER | NPT_ACCESSED | NPT_DIRTY | e->mfn.n << PAGE_SHIFT;

	if (e->kind == P2M_HOLE)
		return 0;
	if (level > 1)
		bits |= NPT_LARGE;
	if (e->access & P2M_WRITE)
		bits |= NPT_WRITE;
	if (!(e->access & P2M_EXEC))
		bits |= NPT_NO_EXEC;
	if (e->access & P2M_DMA)
		bits |= NPT_DMA_READ | (e->access & P2M_WRITE ? NPT_DMA_WRITE : 0);
	if (e->kind == P2M_GRANT)
		bits |= NPT_GRANT;
	return bits;
}

/* Puts a table under the entry, one that translates as the entry did. */
static int make_table(struct domain *d, uint64_t *entry, unsigned level)
{
	uint64_t old = *entry, step = PAGE_SIZE << level_shift(level - 1);
	uint64_t *table;
	mfn_t mfn;

	if (d->p2m.nr_table_pages >= d->p2m.max_table_pages)
		return -XEN_ENOMEM;
	mfn = page_alloc(0, NODE_ANY, PAGE_ALLOC_ZERO);
	if (mfn_is_none(mfn))
		return -XEN_ENOMEM;
	d->p2m.nr_table_pages++;
	table = mfn_to_ptr(mfn);
	for (unsigned i = 0; (old & NPT_PRESENT) && i < NPT_ENTRIES; i++)
		table[i] = (level == 2 ? old & ~NPT_LARGE : old) + i * step;
	smp_wmb(); /* CPUs and IOMMUs walk without a lock: the table is complete before it is linked */
	WRITE_ONCE(*entry, mfn_to_mpa(mfn).a | NPT_PRESENT | NPT_WRITE | NPT_USER | NPT_ACCESSED |
				   NPT_NEXT(level - 1) | NPT_DMA_READ | NPT_DMA_WRITE);
	return 0;
}

/* Writes a leaf of `level` into the entry; where a table is, into all that hangs from it. */
static void write_leaf(uint64_t *entry, const struct p2m_entry *e, unsigned level)
{
	struct p2m_entry part = *e;

	if (!is_table(*entry, level)) {
		WRITE_ONCE(*entry, leaf(e, level));
		return;
	}
	for (unsigned i = 0; i < NPT_ENTRIES; i++) {
		write_leaf(&table_of(*entry)[i], &part, level - 1);
		part.mfn.n += 1ull << level_shift(level - 1);
	}
}

static bool level_has_leaves(unsigned level)
{
	return level < 3 || (level == 3 && cpu_has(CPU_1G_PAGES));
}

int npt_set(struct domain *d, gfn_t gfn, const struct p2m_entry *e)
{
	unsigned level = NPT_LEVELS, target = e->order / NPT_BITS + 1;
	uint64_t *entry = entry_in(mfn_to_ptr(d->arch.p2m_root), gfn.n, level);

	if (gfn.n >= d->p2m.max_gfn || target >= NPT_LEVELS || e->order % NPT_BITS)
		return -XEN_EINVAL;
	while (level > target) {
		if (!is_table(*entry, level)) {
			int err;

			if (e->kind == P2M_HOLE && !(*entry & NPT_PRESENT))
				return 0;
			err = make_table(d, entry, level);
			if (err)
				return err;
		}
		level--;
		entry = entry_in(table_of(*entry), gfn.n, level);
	}
	if (!level_has_leaves(level) && !is_table(*entry, level) && e->kind != P2M_HOLE) {
		int err = make_table(d, entry, level);

		if (err)
			return err;
	}
	write_leaf(entry, e, level);
	return 0;
}

/* The leaf (or hole) that covers gfn, and the order of what it maps. Only an entry for a table says which level
 * follows. */
static inline uint64_t walk(const struct domain *d, uint64_t gfn, unsigned *ret_order)
{
	const uint64_t *table = mfn_to_ptr(d->arch.p2m_root);
	unsigned order = level_shift(NPT_LEVELS);
	uint64_t entry;

	while ((entry = READ_ONCE(table[gfn >> order & (NPT_ENTRIES - 1)])) & NPT_NEXT(7)) {
		table = table_of(entry);
		order -= NPT_BITS;
	}
	*ret_order = order;
	return entry;
}

static inline mfn_t frame_of(uint64_t entry, unsigned order, uint64_t gfn)
{
	uint64_t in_block = gfn & ((1ull << order) - 1);

	return MFN(((entry & NPT_FRAME) >> PAGE_SHIFT) + in_block);
}

void npt_get(struct domain *d, gfn_t gfn, struct p2m_entry *ret_e)
{
	unsigned order = level_shift(NPT_LEVELS);
	uint64_t entry = gfn.n < d->p2m.max_gfn ? walk(d, gfn.n, &order) : 0;

	*ret_e = (struct p2m_entry){ .mfn = MFN_NONE, .kind = P2M_HOLE, .order = (uint8_t)order };
	if (!(entry & NPT_PRESENT))
		return;
	ret_e->mfn = frame_of(entry, order, gfn.n);
	ret_e->kind = entry & NPT_GRANT ? P2M_GRANT : P2M_RAM;
	if (entry & NPT_WRITE)
		ret_e->access |= P2M_WRITE;
	if (!(entry & NPT_NO_EXEC))
		ret_e->access |= P2M_EXEC;
	if (entry & NPT_DMA_READ)
		ret_e->access |= P2M_DMA;
}

mfn_t npt_frame(const struct domain *d, gfn_t gfn, bool for_write)
{
	uint64_t want = for_write ? NPT_PRESENT | NPT_WRITE : NPT_PRESENT;
	unsigned order;
	uint64_t entry = walk(d, gfn.n, &order);

	return (entry & (want | NPT_GRANT)) == want ? frame_of(entry, order, gfn.n) : MFN_NONE;
}

uint64_t npt_next(const struct domain *d, uint64_t gfn)
{
	const uint64_t *table = mfn_to_ptr(d->arch.p2m_root);
	unsigned shift = (NPT_LEVELS - 1) * NPT_BITS, level = NPT_LEVELS;

	for (;;) {
		uint64_t index = gfn >> shift & (NPT_ENTRIES - 1), entry = table[index];

		if (!(entry & NPT_PRESENT)) {
			while (index < NPT_ENTRIES && !(table[index] & NPT_PRESENT))
				index++;
			return align_down(gfn, 1ull << (shift + NPT_BITS)) + (index << shift);
		}
		if (level == 1 || entry & NPT_LARGE)
			return gfn;
		table = table_of(entry);
		shift -= NPT_BITS;
		level--;
	}
}

void *npt_pointer(const struct domain *d, gfn_t gfn, bool *ret_is_writable)
{
	const struct page *page;
	unsigned order;
	uint64_t entry;
	mfn_t mfn;

	/* The bound is checked; a wrong guess about it reads within the root table all the same. */
	if (unlikely(gfn.n >= d->p2m.max_gfn))
		return NULL;
	entry = walk(d, gfn.n, &order);
	if (unlikely(!(entry & NPT_PRESENT)))
		return NULL;
	mfn = frame_of(entry, order, gfn.n);
	page = mfn_to_page(mfn);
	if (unlikely(!page || page->owner == PAGE_OWNER_NONE))
		return NULL;
	*ret_is_writable = entry & NPT_WRITE;
	return mfn_to_ptr(mfn);
}
