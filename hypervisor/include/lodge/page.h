/* Machine pages: the allocator and one 16-byte record for each 4 KiB frame of RAM.
 * A page is free, the hypervisor's own (PAGE_OWNER_SELF) or a domain's. A domain's page has a count:
 * one for being in its owner's physmap, one for each pin and mapping (grant, foreign, shared
 * structure). The last put frees it, whoever that is, so a page never returns to the free lists
 * while anything can still reach it.
 * Locking: owner and count are one 64-bit word changed by compare-and-swap; free lists have
 * LOCK_RANK_HEAP. Freed pages are scrubbed while the machine idles, and at the latest when handed out. */
#ifndef LODGE_PAGE_H
#define LODGE_PAGE_H

#include "arch-inline.h"
#include "lodge/types.h"

struct domain;

#define PAGE_OWNER_FREE 0xffffu /* on a free list */
#define PAGE_OWNER_SELF 0xfffeu /* the hypervisor's own data */
#define PAGE_OWNER_NONE 0xfffdu /* no usable RAM here: reserved, broken, firmware */
#define PAGE_OWNER_SHARED \
	0xfffcu /* the hypervisor's, shown to a guest: shared info, grant frames */

struct page {
	union {
		struct {
			uint32_t count;
			uint16_t owner; /* a domid_t below DOMID_FIRST_RESERVED, or PAGE_OWNER_* */
			uint8_t order;  /* of the free block that starts here */
			uint8_t flags;  /* PAGE_DIRTY */
		};
		uint64_t word; /* owner and count change together */
	};
	uint32_t next, prev; /* free list links, as frame numbers */
};
_Static_assert(sizeof(struct page) == 16, "0.4 % of the machine");

#define PAGE_DIRTY 0x1u /* free, but not scrubbed yet */

extern struct page *page_table_base; /* indexed by frame number */
extern uint64_t nr_page_records;

/* NULL where there is no record: beyond the end of RAM. */
static inline struct page *mfn_to_page(mfn_t mfn)
{
	return mfn.n < nr_page_records ? &page_table_base[mfn.n] : NULL;
}

/* Boot only: gives the records their memory, then one call for each usable range. */
void page_init(struct page *records, uint64_t nr_records);
void page_add_range(mfn_t first, uint64_t nr_pages, unsigned node);

#define PAGE_ALLOC_ZERO     0x1u /* contents are zero (scrubbed pages cost nothing) */
#define PAGE_ALLOC_BELOW_4G 0x2u
#define NODE_ANY            0xffu

/* Hypervisor pages, naturally aligned block of 2^order; MFN_NONE when there are none. */
must_check mfn_t page_alloc(unsigned order, unsigned node, unsigned flags);
void page_free(mfn_t mfn, unsigned order);

/* A block for domain d, count 1 on each page, contents zero. Accounts to d->nr_pages and fails with
 * -ENOMEM beyond d->max_pages or without memory. The caller puts it into d's physmap. */
must_check int page_alloc_domain(struct domain *d, unsigned order, unsigned flags, mfn_t *ret_mfn);

/* Takes one more count if the page exists and `owner` owns it; false otherwise. */
must_check bool page_get(mfn_t mfn, uint16_t owner);
/* Drops a count; the last one frees the page and takes it off its owner's account. */
void page_put(mfn_t mfn);

/* Scrubs up to nr_pages of freed memory; false when none is left. Called by idle CPUs. */
bool page_scrub_some(unsigned nr_pages);

uint64_t page_count_free(void);
uint64_t page_count_total(void);
/* Number of pages whose record names `owner`: slow, for the audit of a debug build. */
uint64_t page_count_owned(uint16_t owner);

#endif
