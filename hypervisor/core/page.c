/* The page allocator: for each node, below and above 4 GiB, a buddy system of clean blocks and one of
 * dirty blocks. A block is wholly clean or wholly dirty; two buddies join only when both are the same,
 * so freed memory grows together again as it is scrubbed.
 * A claim promises free pages to one domain: all that is free and promised to nobody is counted in
 * nr_unclaimed, from which everybody else takes first, before looking for a block.
 * Locking: node.lock (LOCK_RANK_HEAP) for lists and the words of free pages. The word of a page in use
 * is changed by compare-and-swap, by whoever holds a count. nr_unclaimed and domain.nr_claimed are
 * atomic. */
#include "lodge/page.h"

#include "abi/errno.h"
#include "lib/bitmap.h"
#include "lib/string.h"
#include "lodge/arch.h"
#include "lodge/domain.h"
#include "lodge/log.h"
#include "lodge/spinlock.h"

#define MAX_ORDER       ORDER_1G
#define NR_ORDERS       (MAX_ORDER + 1)
#define FRAME_NONE      UINT32_MAX
#define ORDER_INSIDE    0xffu /* a free page that is not the first of its block */
#define FRAMES_BELOW_4G (1u << (32 - PAGE_SHIFT))
#define COUNT_LIMIT     0x7fffffffu

enum zone { ZONE_HIGH, ZONE_LOW, NR_ZONES }; /* in the order in which they are used */
enum state { CLEAN, DIRTY, NR_STATES };

struct free_lists {
	uint32_t head[NR_ORDERS];
	uint32_t orders; /* bit n: head[n] is not empty */
};

static struct node {
	struct spinlock lock;
	struct free_lists lists[NR_ZONES][NR_STATES];
	uint64_t nr_total;
	uint64_t nr_free;      /* blocks on their way through page_scrub_some() included */
	uint64_t nr_dirty;     /* such blocks excluded */
	uint32_t nr_scrubbing; /* such blocks: read without the lock */
} nodes[MAX_NODES];

static unsigned nr_nodes = 1;

/* Free pages that no domain has claimed; atomic. The hypervisor's own needs go before claims, so it may
 * be negative. */
static int64_t nr_unclaimed;

struct page *page_table_base;
uint64_t nr_page_records;

/* Words of the record ------------------------------------------------------------------------- */

static uint64_t make_word(uint32_t count, uint16_t owner, unsigned order, unsigned flags)
{
	struct page p = {
		.count = count, .owner = owner, .order = (uint8_t)order, .flags = (uint8_t)flags
	};

	return p.word;
}

/* One store, because page_get() may look at any record at any time. */
static void set_word(struct page *p, uint32_t count, uint16_t owner, unsigned order, unsigned dirty)
{
	unsigned node = p->flags >> PAGE_NODE_SHIFT;

	WRITE_ONCE(p->word, make_word(count, owner, order, node << PAGE_NODE_SHIFT | dirty));
}

static struct node *node_of(uint32_t frame)
{
	return &nodes[page_table_base[frame].flags >> PAGE_NODE_SHIFT];
}

static enum zone zone_of(uint32_t frame)
{
	return frame < FRAMES_BELOW_4G ? ZONE_LOW : ZONE_HIGH;
}

/* Free lists: the node's lock is held ------------------------------------------------------------ */

static void insert_block(struct node *n, uint32_t frame, unsigned order, enum state s)
{
	struct free_lists *l = &n->lists[zone_of(frame)][s];
	struct page *p = &page_table_base[frame];

	set_word(p, 0, PAGE_OWNER_FREE, order, s == DIRTY ? PAGE_DIRTY : 0);
	p->prev = FRAME_NONE;
	p->next = l->orders & 1u << order ? l->head[order] : FRAME_NONE;
	if (p->next != FRAME_NONE)
		page_table_base[p->next].prev = frame;
	l->head[order] = frame;
	l->orders |= 1u << order;
	if (s == DIRTY)
		n->nr_dirty += 1ull << order;
}

static void remove_block(struct node *n, uint32_t frame, unsigned order, enum state s)
{
	struct free_lists *l = &n->lists[zone_of(frame)][s];
	struct page *p = &page_table_base[frame];

	if (p->prev != FRAME_NONE)
		page_table_base[p->prev].next = p->next;
	else
		l->head[order] = p->next;
	if (p->next != FRAME_NONE)
		page_table_base[p->next].prev = p->prev;
	if (l->head[order] == FRAME_NONE)
		l->orders &= ~(1u << order);
	if (s == DIRTY)
		n->nr_dirty -= 1ull << order;
	set_word(p, 0, PAGE_OWNER_FREE, ORDER_INSIDE, 0);
}

/* All its pages but the first are marked ORDER_INSIDE. */
static void free_block(struct node *n, uint32_t frame, unsigned order, enum state s)
{
	while (order < MAX_ORDER) {
		uint32_t buddy = frame ^ 1u << order;
		struct page *b = &page_table_base[buddy];
		unsigned flags = (unsigned)(n - nodes) << PAGE_NODE_SHIFT;

		if (buddy >= nr_page_records ||
		    b->word != make_word(0, PAGE_OWNER_FREE, order,
					 flags | (s == DIRTY ? PAGE_DIRTY : 0)))
			break;
		remove_block(n, buddy, order, s);
		set_word(&page_table_base[MAX(frame, buddy)], 0, PAGE_OWNER_FREE, ORDER_INSIDE, 0);
		frame = MIN(frame, buddy);
		order++;
	}
	insert_block(n, frame, order, s);
}

/* A block of `order` out of one of `from`, the smallest there is, or FRAME_NONE. */
static uint32_t take_block(struct node *n, enum zone z, enum state s, unsigned order, unsigned from)
{
	struct free_lists *l = &n->lists[z][s];
	uint32_t fitting = l->orders & ~0u << from;
	unsigned found;
	uint32_t frame;

	if (!fitting)
		return FRAME_NONE;
	found = (unsigned)__builtin_ctz(fitting);
	frame = l->head[found];
	remove_block(n, frame, found, s);
	while (found > order) {
		found--;
		insert_block(n, frame + (1u << found), found, s);
	}
	return frame;
}

static uint32_t take_from_node(struct node *n, unsigned order, unsigned flags, bool want_clean,
			       enum state *ret_state)
{
	enum state first = want_clean ? CLEAN : DIRTY;
	uint32_t frame = FRAME_NONE;

	spin_lock(&n->lock);
	for (unsigned z = flags & PAGE_ALLOC_BELOW_4G ? ZONE_LOW : ZONE_HIGH;
	     z < NR_ZONES && frame == FRAME_NONE; z++) {
		*ret_state = first;
		frame = take_block(n, z, first, order, order);
		if (frame == FRAME_NONE) {
			*ret_state = first == CLEAN ? DIRTY : CLEAN;
			frame = take_block(n, z, *ret_state, order, order);
		}
	}
	if (frame != FRAME_NONE)
		n->nr_free -= 1ull << order;
	spin_unlock(&n->lock);
	return frame;
}

static bool is_scrubbing(void)
{
	for (unsigned i = 0; i < nr_nodes; i++)
		if (READ_ONCE(nodes[i].nr_scrubbing))
			return true;
	return false;
}

/* Claims ------------------------------------------------------------------------------------------ */

/* Takes up to nr off d's claim; returns how many. */
static uint64_t take_claimed(struct domain *d, uint64_t nr)
{
	uint64_t old = READ_ONCE(d->nr_claimed), taken;

	do {
		taken = MIN(old, nr);
	} while (taken && !__atomic_compare_exchange_n(&d->nr_claimed, &old, old - taken, true,
						       __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return taken;
}

/* Takes nr of the pages that are nobody's, if that leaves `slack` of them. */
static bool take_unclaimed(uint64_t nr, uint64_t slack, uint64_t *ret_missing)
{
	int64_t old = READ_ONCE(nr_unclaimed), need = (int64_t)(nr + slack);

	do {
		if (old < need) {
			*ret_missing = (uint64_t)(need - old);
			return false;
		}
	} while (!__atomic_compare_exchange_n(&nr_unclaimed, &old, old - (int64_t)nr, true,
					      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

static void add_unclaimed(uint64_t nr)
{
	__atomic_add_fetch(&nr_unclaimed, (int64_t)nr, __ATOMIC_RELAXED);
}

/* Before nr pages for d are looked for: off its claim, and for the rest of those that nobody claimed.
 * unreserve() gives them back as they came. */
static bool reserve(struct domain *d, uint64_t nr, uint64_t *ret_claimed)
{
	uint64_t claimed = take_claimed(d, nr), missing;

	if (nr > claimed && !take_unclaimed(nr - claimed, 0, &missing)) {
		__atomic_add_fetch(&d->nr_claimed, claimed, __ATOMIC_RELAXED);
		return false;
	}
	*ret_claimed = claimed;
	return true;
}

static void unreserve(struct domain *d, uint64_t nr, uint64_t claimed)
{
	add_unclaimed(nr - claimed);
	__atomic_add_fetch(&d->nr_claimed, claimed, __ATOMIC_RELAXED);
}

/* What a domain populates costs a table for each 2 MiB at the worst, and some more. */
#define CLAIM_SLACK(nr) ((nr) / 256 + PAGE_CLAIM_RESERVE)

int page_set_claim(struct domain *d, uint64_t nr, uint64_t *ret_missing)
{
	uint64_t old = READ_ONCE(d->nr_claimed);

	if (nr <= old) {
		add_unclaimed(take_claimed(d, old - nr));
		return 0;
	}
	if (nr > nr_page_records) {
		*ret_missing = nr - MIN(nr, page_count_free());
		return -XEN_ENOMEM;
	}
	if (!take_unclaimed(nr - old, CLAIM_SLACK(nr), ret_missing))
		return -XEN_ENOMEM;
	__atomic_add_fetch(&d->nr_claimed, nr - old, __ATOMIC_RELAXED);
	return 0;
}

/* Allocation -------------------------------------------------------------------------------------- */

/* From the preferred node, or else from any. */
static uint32_t take_anywhere(unsigned order, unsigned node, unsigned flags, bool want_clean,
			      enum state *ret_state)
{
	unsigned n = node < nr_nodes ? node : 0;

	for (unsigned tried = 0; tried < nr_nodes; tried++) {
		uint32_t frame = take_from_node(&nodes[n], order, flags, want_clean, ret_state);

		if (frame != FRAME_NONE)
			return frame;
		n = n + 1 < nr_nodes ? n + 1 : 0;
	}
	return FRAME_NONE;
}

/* A block with all its pages given to owner. */
static uint32_t take(unsigned order, unsigned node, unsigned flags, bool want_clean, uint16_t owner)
{
	enum state state = CLEAN;
	uint32_t frame;
	bool again = true;

	if (order > MAX_ORDER)
		return FRAME_NONE;
	frame = take_anywhere(order, node, flags, want_clean, &state);
	while (unlikely(frame == FRAME_NONE && again)) {
		again = is_scrubbing(); /* then it comes back in a moment */
		frame = take_anywhere(order, node, flags, want_clean, &state);
	}
	if (frame == FRAME_NONE)
		return FRAME_NONE;
	if (state == DIRTY && want_clean)
		memset(mfn_to_ptr(MFN(frame)), 0, PAGE_SIZE << order);
	for (uint32_t i = 0; i < 1u << order; i++)
		set_word(&page_table_base[frame + i], 1, owner, 0, 0);
	return frame;
}

/* For the hypervisor, whatever is claimed. */
static mfn_t take_own(unsigned order, unsigned node, unsigned flags, uint16_t owner)
{
	uint32_t frame = take(order, node, flags, flags & PAGE_ALLOC_ZERO, owner);

	if (frame == FRAME_NONE)
		return MFN_NONE;
	__atomic_sub_fetch(&nr_unclaimed, (int64_t)1 << order, __ATOMIC_RELAXED);
	return MFN(frame);
}

mfn_t page_alloc(unsigned order, unsigned node, unsigned flags)
{
	return take_own(order, node, flags, PAGE_OWNER_SELF);
}

mfn_t page_alloc_shared(void)
{
	return take_own(ORDER_4K, NODE_ANY, PAGE_ALLOC_ZERO, PAGE_OWNER_SHARED);
}

/* The pages are in no list and nobody counts them. */
static void give_back(uint32_t frame, unsigned order)
{
	struct node *n = node_of(frame);

	for (uint32_t i = 0; i < 1u << order; i++)
		set_word(&page_table_base[frame + i], 0, PAGE_OWNER_FREE, ORDER_INSIDE, 0);
	spin_lock(&n->lock);
	free_block(n, frame, order, DIRTY);
	n->nr_free += 1ull << order;
	spin_unlock(&n->lock);
	add_unclaimed(1ull << order);
}

void page_free(mfn_t mfn, unsigned order)
{
	const struct page *p = mfn_to_page(mfn);

	BUG_ON(!p || p->owner != PAGE_OWNER_SELF);
	give_back((uint32_t)mfn.n, order);
}

/* A domain's pages together hold one count of its structure, so that domain_of_page() needs none. */
static bool account(struct domain *d, uint64_t nr)
{
	uint64_t old = READ_ONCE(d->nr_pages);

	do {
		uint64_t max = READ_ONCE(d->max_pages);

		if (nr > max || old > max - nr)
			return false;
	} while (!__atomic_compare_exchange_n(&d->nr_pages, &old, old + nr, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	if (!old)
		domain_ref(d);
	return true;
}

static void unaccount(struct domain *d, uint64_t nr)
{
	if (!__atomic_sub_fetch(&d->nr_pages, nr, __ATOMIC_RELAXED))
		domain_put(d);
}

int page_alloc_domain(struct domain *d, unsigned order, unsigned flags, mfn_t *ret_mfn)
{
	unsigned node = flags >> 8 ? (flags >> 8) - 1 : NODE_ANY;
	uint64_t nr = 1ull << order, claimed;
	uint32_t frame;

	if (order > MAX_ORDER || !account(d, nr))
		return -XEN_ENOMEM;
	if (!reserve(d, nr, &claimed))
		goto unaccount;
	frame = take(order, node, flags, !(flags & PAGE_ALLOC_DIRTY), d->id);
	if (frame == FRAME_NONE)
		goto unreserve;
	*ret_mfn = MFN(frame);
	return 0;

unreserve:
	unreserve(d, nr, claimed);
unaccount:
	unaccount(d, nr);
	return -XEN_ENOMEM;
}

/* Takes a block out of the free one around it. The node's lock is held. */
static bool take_exactly(struct node *n, uint32_t frame, unsigned order)
{
	for (unsigned o = order; o <= MAX_ORDER; o++) {
		uint32_t start = frame & ~((1u << o) - 1);
		const struct page *p = &page_table_base[start];
		enum state s = p->flags & PAGE_DIRTY ? DIRTY : CLEAN;

		if (p->owner != PAGE_OWNER_FREE || p->order != o)
			continue;
		remove_block(n, start, o, s);
		while (o > order) {
			uint32_t half = 1u << --o;

			/* The half that is wanted goes on, the other back. */
			insert_block(n, frame & half ? start : start + half, o, s);
			start += frame & half;
		}
		return true;
	}
	return false;
}

int page_claim_domain(struct domain *d, mfn_t mfn, unsigned order)
{
	struct node *n;
	bool taken;

	if (order > MAX_ORDER || !is_aligned(mfn.n, 1ull << order) ||
	    mfn.n + (1ull << order) > nr_page_records)
		return -XEN_EBUSY;
	if (!account(d, 1ull << order))
		return -XEN_ENOMEM;
	n = node_of((uint32_t)mfn.n);
	spin_lock(&n->lock);
	taken = take_exactly(n, (uint32_t)mfn.n, order);
	if (taken)
		n->nr_free -= 1ull << order;
	spin_unlock(&n->lock);
	if (!taken) {
		unaccount(d, 1ull << order);
		return -XEN_EBUSY;
	}
	__atomic_sub_fetch(&nr_unclaimed, (int64_t)1 << order, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < 1u << order; i++)
		set_word(&page_table_base[mfn.n + i], 1, d->id, 0, 0);
	return 0;
}

/* Counts ------------------------------------------------------------------------------------------ */

bool page_get(mfn_t mfn, uint16_t owner)
{
	struct page *p = mfn_to_page(mfn);
	uint64_t old;

	if (!p)
		return false;
	old = READ_ONCE(p->word);
	do {
		uint32_t count = (uint32_t)old;

		if ((uint16_t)(old >> 32) != owner || !count || count > COUNT_LIMIT)
			return false;
	} while (!__atomic_compare_exchange_n(&p->word, &old, old + 1, true, __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED));
	return true;
}

/* The count is 0: nobody else reaches the page any more. */
static void release(mfn_t mfn, uint16_t owner)
{
	BUG_ON(owner >= DOMID_FIRST_RESERVED && owner != PAGE_OWNER_SHARED);
	give_back((uint32_t)mfn.n, ORDER_4K);
	if (owner != PAGE_OWNER_SHARED)
		unaccount(domain_of_page(owner), 1);
}

void page_put(mfn_t mfn)
{
	struct page *p = mfn_to_page(mfn);
	uint64_t old;

	BUG_ON(!p);
	old = __atomic_fetch_sub(&p->word, 1, __ATOMIC_ACQ_REL);
	BUG_ON(!(uint32_t)old);
	if ((uint32_t)old == 1)
		release(mfn, (uint16_t)(old >> 32));
}

/* One lock for all, where nobody else counts one of them. A page that somebody does is freed by him. */
static void put_block(mfn_t mfn, unsigned order)
{
	bitmap_word_t is_last[BITMAP_WORDS(1u << ORDER_2M)] = { 0 };
	struct page *p = mfn_to_page(mfn);
	uint64_t nr = 1ull << order, nr_last = 0;
	uint16_t owner = p->owner;

	for (uint64_t i = 0; i < nr; i++) {
		uint64_t old = __atomic_fetch_sub(&p[i].word, 1, __ATOMIC_ACQ_REL);

		BUG_ON(!(uint32_t)old || (uint16_t)(old >> 32) != owner);
		if ((uint32_t)old == 1) {
			bitmap_set(is_last, i);
			nr_last++;
		}
	}
	if (nr_last == nr) {
		give_back((uint32_t)mfn.n, order);
		unaccount(domain_of_page(owner), nr);
		return;
	}
	for (uint64_t i = 0; i < nr; i++)
		if (bitmap_test(is_last, i))
			release(MFN(mfn.n + i), owner);
}

void page_put_block(mfn_t mfn, unsigned order)
{
	unsigned step = MIN(order, ORDER_2M);

	if (!order) {
		page_put(mfn);
		return;
	}
	BUG_ON(!is_aligned(mfn.n, 1ull << order) || mfn.n + (1ull << order) > nr_page_records);
	for (uint64_t i = 0; i < 1ull << order; i += 1ull << step)
		put_block(MFN(mfn.n + i), step);
}

/* Scrubbing --------------------------------------------------------------------------------------- */

/* Takes a dirty block of at most max_order pages off the lists. Scrubbing can wait: who needs the lock
 * for a guest never queues behind it. */
static uint32_t take_dirty(struct node *n, unsigned max_order, unsigned *ret_order, bool *ret_busy)
{
	uint32_t frame = FRAME_NONE;

	*ret_busy = !spin_trylock(&n->lock);
	if (*ret_busy)
		return FRAME_NONE;
	for (unsigned z = 0; z < NR_ZONES && frame == FRAME_NONE; z++) {
		uint32_t orders = n->lists[z][DIRTY].orders;

		if (!orders)
			continue;
		*ret_order = MIN((unsigned)__builtin_ctz(orders), max_order);
		frame = take_block(n, z, DIRTY, *ret_order, 0);
	}
	if (frame != FRAME_NONE)
		n->nr_scrubbing++;
	spin_unlock(&n->lock);
	return frame;
}

bool page_scrub_some(unsigned nr_pages)
{
	unsigned max_order = nr_pages ? MIN(log2_floor(nr_pages), MAX_ORDER) : 0;
	bool is_busy, was_busy = false;
	unsigned order = 0;

	for (unsigned i = 0; i < nr_nodes; i++) {
		struct node *n = &nodes[i];
		uint32_t frame = take_dirty(n, max_order, &order, &is_busy);

		was_busy |= is_busy;
		if (frame == FRAME_NONE)
			continue;
		memset(mfn_to_ptr(MFN(frame)), 0, PAGE_SIZE << order);
		spin_lock(&n->lock);
		free_block(n, frame, order, CLEAN);
		WRITE_ONCE(n->nr_scrubbing, n->nr_scrubbing - 1);
		spin_unlock(&n->lock);
		return true;
	}
	return was_busy;
}

/* Boot -------------------------------------------------------------------------------------------- */

void page_init(struct page *records, uint64_t nr_records)
{
	BUG_ON(nr_records >= FRAME_NONE);
	page_table_base = records;
	nr_page_records = nr_records;
	nr_nodes = 1;
	nr_unclaimed = 0;
	for (uint64_t i = 0; i < nr_records; i++)
		records[i] = (struct page){ .owner = PAGE_OWNER_NONE };
	for (unsigned i = 0; i < MAX_NODES; i++) {
		struct node *n = &nodes[i];

		memset(n, 0, sizeof(*n));
		spinlock_init(&n->lock, LOCK_RANK_HEAP);
	}
}

void page_add_range(mfn_t first, uint64_t nr_pages, unsigned node)
{
	struct node *n = &nodes[node];
	uint64_t end = first.n + nr_pages;
	unsigned order;

	BUG_ON(node >= MAX_NODES || end > nr_page_records);
	nr_nodes = MAX(nr_nodes, node + 1);
	for (uint64_t f = first.n; f < end; f++) {
		page_table_base[f].flags = (uint8_t)(node << PAGE_NODE_SHIFT);
		set_word(&page_table_base[f], 0, PAGE_OWNER_FREE, ORDER_INSIDE, 0);
	}
	spin_lock(&n->lock);
	for (uint64_t f = first.n; f < end; f += 1ull << order) {
		order = f ? MIN((unsigned)__builtin_ctzll(f), MAX_ORDER) : MAX_ORDER;
		while (1ull << order > end - f)
			order--;
		free_block(n, (uint32_t)f, order, DIRTY);
	}
	n->nr_total += nr_pages;
	n->nr_free += nr_pages;
	spin_unlock(&n->lock);
	add_unclaimed(nr_pages);
}

/* Counters ------------------------------------------------------------------------------------------ */

uint64_t page_count_free(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < nr_nodes; i++)
		sum += READ_ONCE(nodes[i].nr_free);
	return sum;
}

uint64_t page_count_total(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < nr_nodes; i++)
		sum += nodes[i].nr_total;
	return sum;
}

uint64_t page_count_dirty(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < nr_nodes; i++)
		sum += READ_ONCE(nodes[i].nr_dirty);
	return sum;
}

uint64_t page_count_claimed(void)
{
	int64_t nr = (int64_t)page_count_free() - READ_ONCE(nr_unclaimed);

	return nr > 0 ? (uint64_t)nr : 0;
}

bool page_node_counts(unsigned node, uint64_t *ret_total, uint64_t *ret_free)
{
	if (node >= nr_nodes)
		return false;
	*ret_total = nodes[node].nr_total;
	*ret_free = READ_ONCE(nodes[node].nr_free);
	return true;
}

uint64_t page_count_owned(uint16_t owner)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < nr_page_records; i++)
		sum += READ_ONCE(page_table_base[i].word) >> 32 << 48 == (uint64_t)owner << 48;
	return sum;
}
