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
			uint8_t order; /* of the free block that starts here; alloc.c: size class */
			uint8_t flags; /* PAGE_DIRTY, and the node above PAGE_NODE_SHIFT: constant */
		};
		uint64_t word; /* owner and count change together */
	};
	uint32_t next,
		prev; /* list links as frame numbers: of free blocks, or of alloc.c's pages */
};
_Static_assert(sizeof(struct page) == 16, "0.4 % of the machine");

#define PAGE_DIRTY      0x1u /* first page of a free block that is not scrubbed yet */
#define PAGE_NODE_SHIFT 4
#define MAX_NODES       16u

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
#define PAGE_ALLOC_DIRTY    0x4u /* page_alloc_domain: what was there before may be seen */
#define PAGE_ALLOC_NODE(n)  (((n) + 1u) << 8) /* page_alloc_domain: preferred node */
#define NODE_ANY            0xffu

/* Hypervisor pages, naturally aligned block of 2^order; MFN_NONE when there are none. */
must_check mfn_t page_alloc(unsigned order, unsigned node, unsigned flags);
void page_free(mfn_t mfn, unsigned order);

/* One zeroed page of the hypervisor's to be shown to guests: owner PAGE_OWNER_SHARED, count 1. Each
 * mapping counts; the last page_put() frees it. */
must_check mfn_t page_alloc_shared(void);

/* A block for domain d, count 1 on each page, contents zero unless PAGE_ALLOC_DIRTY. Accounts to
 * d->nr_pages and fails with -ENOMEM beyond d->max_pages or without memory. The caller puts it into
 * d's physmap, or gives it back page by page with page_put(). */
must_check int page_alloc_domain(struct domain *d, unsigned order, unsigned flags, mfn_t *ret_mfn);

/* This very block, contents as they are, otherwise as page_alloc_domain(). -EBUSY when not all of it is
 * free. Boot only: for a domain that is mapped one to one. */
must_check int page_claim_domain(struct domain *d, mfn_t mfn, unsigned order);

/* Promises d that it can still be given nr pages, whoever else allocates; replaces what was promised
 * before. -ENOMEM, and the old promise stands: *ret_missing pages too few are free. One caller at a
 * time for each domain. */
must_check int page_set_claim(struct domain *d, uint64_t nr, uint64_t *ret_missing);
#define PAGE_CLAIM_RESERVE 64u /* what a claim leaves for tables, besides 1/256 of it */

/* Takes one more count if the page exists and `owner` (a domain, or PAGE_OWNER_SHARED) owns it; false
 * otherwise. */
must_check bool page_get(mfn_t mfn, uint16_t owner);
/* Drops a count; the last one frees the page and takes it off its owner's account. */
void page_put(mfn_t mfn);
/* The same for each page of a block that one domain owns, aligned to its size. */
void page_put_block(mfn_t mfn, unsigned order);

/* Scrubs up to nr_pages of freed memory; false when none is left. Called by idle CPUs. */
bool page_scrub_some(unsigned nr_pages);

uint64_t page_count_free(void);
uint64_t page_count_total(void);
uint64_t page_count_dirty(void);   /* free, but not scrubbed yet */
uint64_t page_count_claimed(void); /* free, but promised */
/* False: there is no such node. */
must_check bool page_node_counts(unsigned node, uint64_t *ret_total, uint64_t *ret_free);
/* Number of pages whose record names `owner`: slow, for the audit of a debug build. */
uint64_t page_count_owned(uint16_t owner);

#endif
