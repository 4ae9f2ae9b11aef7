/* Size classes from 16 bytes to half a page. A page serves one class; its record in the page table
 * holds what there is to know about it (class, objects in use, first free object), and its links put
 * it into the list of pages of that class that have room. So objects need no header and are aligned to
 * their class. Larger requests are blocks of pages.
 * Locking: heap_lock, never held while the page allocator's is taken. */
#include "lodge/alloc.h"

#include "lib/string.h"
#include "lodge/log.h"
#include "lodge/page.h"
#include "lodge/spinlock.h"

#define MIN_SHIFT   4u
#define MAX_SHIFT   (PAGE_SHIFT - 1u)
#define NR_CLASSES  (MAX_SHIFT - MIN_SHIFT + 1)
#define FRAME_NONE  UINT32_MAX
#define OBJECT_NONE 0xffffu

static_assert(MEM_SIZE_MIN == 1u << MIN_SHIFT, "mem_footprint() tells our smallest class");

static struct spinlock heap_lock = SPINLOCK(LOCK_RANK_HEAP);

/* Pages with room, by class: first frame + 1, so that zero is empty. heap_lock. */
static uint32_t with_room[NR_CLASSES];

/* A page's count, as we use it: objects in use, and index of the first free one. */
static uint32_t make_count(unsigned nr_used, unsigned first_free)
{
	return first_free << 16 | nr_used;
}

static unsigned count_used(const struct page *p)
{
	return p->count & 0xffffu;
}

static unsigned count_first_free(const struct page *p)
{
	return p->count >> 16;
}

static unsigned class_of(size_t size)
{
	return size <= 1u << MIN_SHIFT ? 0 : log2_floor(size - 1) + 1 - MIN_SHIFT;
}

static unsigned order_of(size_t size)
{
	return size <= PAGE_SIZE ? 0 : log2_floor(size - 1) + 1 - PAGE_SHIFT;
}

static bool is_small(size_t size)
{
	return size <= 1u << MAX_SHIFT;
}

/* A free object starts with the index of the next. */
static uint16_t *object_at(uint32_t frame, unsigned class, unsigned i)
{
	uint8_t *base = mfn_to_ptr(MFN(frame));

	return (uint16_t *)(void *)(base + ((size_t)i << (class + MIN_SHIFT)));
}

/* heap_lock is held. */
static void link_page(uint32_t frame, unsigned class)
{
	struct page *p = &page_table_base[frame];

	p->prev = FRAME_NONE;
	p->next = with_room[class] ? with_room[class] - 1 : FRAME_NONE;
	if (p->next != FRAME_NONE)
		page_table_base[p->next].prev = frame;
	with_room[class] = frame + 1;
}

/* heap_lock is held. */
static void unlink_page(uint32_t frame, unsigned class)
{
	const struct page *p = &page_table_base[frame];

	if (p->prev != FRAME_NONE)
		page_table_base[p->prev].next = p->next;
	else
		with_room[class] = p->next == FRAME_NONE ? 0 : p->next + 1;
	if (p->next != FRAME_NONE)
		page_table_base[p->next].prev = p->prev;
}

/* One more page for the class, in its list; heap_lock is held, but let go meanwhile. */
static bool add_page(unsigned class)
{
	unsigned nr = 1u << (PAGE_SHIFT - MIN_SHIFT - class);
	struct page *p;
	mfn_t mfn;

	spin_unlock(&heap_lock);
	mfn = page_alloc(ORDER_4K, NODE_ANY, 0);
	if (!mfn_is_none(mfn)) {
		for (unsigned i = 0; i < nr; i++)
			*object_at((uint32_t)mfn.n, class, i) =
				(uint16_t)(i + 1 < nr ? i + 1 : OBJECT_NONE);
		p = mfn_to_page(mfn);
		p->count = make_count(0, 0);
		p->order = (uint8_t) class;
	}
	spin_lock(&heap_lock);
	if (!mfn_is_none(mfn))
		link_page((uint32_t)mfn.n, class);
	return !mfn_is_none(mfn);
}

static void *alloc_small(unsigned class)
{
	uint16_t *object = NULL;
	struct page *p;
	uint32_t frame;

	spin_lock(&heap_lock);
	if (with_room[class] || add_page(class)) {
		frame = with_room[class] - 1;
		p = &page_table_base[frame];
		object = object_at(frame, class, count_first_free(p));
		p->count = make_count(count_used(p) + 1, *object);
		if (*object == OBJECT_NONE)
			unlink_page(frame, class);
	}
	spin_unlock(&heap_lock);
	if (object)
		memset(object, 0, (size_t)1 << (class + MIN_SHIFT));
	return object;
}

void *mem_alloc(size_t size)
{
	mfn_t mfn;

	if (is_small(size))
		return alloc_small(class_of(size));
	if (size > PAGE_SIZE << ORDER_1G)
		return NULL;
	mfn = page_alloc(order_of(size), NODE_ANY, PAGE_ALLOC_ZERO);
	return mfn_is_none(mfn) ? NULL : mfn_to_ptr(mfn);
}

/* The page is given back when nothing is in it, unless it is the only one of its class with room: then
 * one object that comes and goes does not cost a page each time. */
static void free_small(void *object, unsigned class)
{
	uint32_t frame = (uint32_t)ptr_to_mfn(object).n;
	struct page *p = &page_table_base[frame];
	size_t offset = (uintptr_t)object & (PAGE_SIZE - 1);
	unsigned used;
	bool give_back;

	if (LODGE_DEBUG)
		memset(object, 0xdb, (size_t)1 << (class + MIN_SHIFT));
	spin_lock(&heap_lock);
	used = count_used(p);
	BUG_ON(p->owner != PAGE_OWNER_SELF || p->order != class || !used ||
	       offset & (((size_t)1 << (class + MIN_SHIFT)) - 1));
	if (count_first_free(p) == OBJECT_NONE)
		link_page(frame, class);
	*(uint16_t *)object = (uint16_t)count_first_free(p);
	p->count = make_count(used - 1, (unsigned)(offset >> (class + MIN_SHIFT)));
	give_back = used == 1 && (p->prev != FRAME_NONE || p->next != FRAME_NONE);
	if (give_back)
		unlink_page(frame, class);
	spin_unlock(&heap_lock);
	if (give_back)
		page_free(MFN(frame), ORDER_4K);
}

void mem_free(void *p, size_t size)
{
	if (!p)
		return;
	if (is_small(size))
		free_small(p, class_of(size));
	else
		page_free(ptr_to_mfn(p), order_of(size));
}
