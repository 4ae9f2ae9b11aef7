/* The physmap of a domain: guest frame to machine frame. The nested page tables *are* the physmap;
 * there is no second copy. What an entry is follows from one bit in it and the page's record (see
 * enum p2m_kind), so that the same tables can serve the IOMMU, whose format leaves no spare bits.
 * Locking: d->p2m.lock for changes and for walks that must be stable. */
#ifndef LODGE_P2M_H
#define LODGE_P2M_H

#include "lodge/spinlock.h"
#include "lodge/types.h"

struct domain;

enum p2m_kind {
	P2M_HOLE,
	P2M_RAM,     /* the domain's own page: the entry holds the page's first count */
	P2M_SHARED,  /* a hypervisor page shown to the guest: shared info, grant frames; counts */
	P2M_GRANT,   /* mapped by grant reference; counted by the grant code */
	P2M_FOREIGN, /* another domain's page, mapped by privilege; the entry holds a count */
	P2M_MMIO,    /* a machine address that is no RAM: devices, firmware tables */
};

#define P2M_WRITE 0x1u
#define P2M_EXEC  0x2u
#define P2M_DMA   0x4u /* devices of the domain may reach it too */

struct p2m_entry {
	mfn_t mfn;      /* of the frame that was asked for, also within a larger mapping */
	uint8_t kind;   /* enum p2m_kind */
	uint8_t order;  /* size of the mapping that covers the frame */
	uint8_t access; /* P2M_WRITE | P2M_EXEC | P2M_DMA; reading is always allowed */
};

struct p2m {
	struct spinlock lock;
	uint64_t max_gfn;         /* first frame number that cannot be mapped; 0 once torn down */
	uint64_t highest_gfn;     /* of anything ever mapped; lock */
	uint64_t nr_table_pages;  /* lock */
	uint64_t max_table_pages; /* limit on what a guest can make us allocate */
	uint64_t teardown_gfn;    /* how far p2m_teardown() got */
};

must_check int p2m_init(struct domain *d);
/* Gives back everything the physmap holds. Returns -EAGAIN when preempted (call again), 0 when done;
 * accepts a half-built domain. */
must_check int p2m_teardown(struct domain *d);

/* d may own max_pages from now on: how many table pages that takes. */
void p2m_set_limit(struct domain *d, uint64_t max_pages);

/* Maps a naturally aligned block. Fails with -EEXIST where something is mapped already, -EINVAL for
 * frames out of range or misaligned and for a dying domain, -ENOMEM without table memory. Takes no
 * count: that is the caller's, because kinds differ in who holds it. */
must_check int p2m_map(struct domain *d, gfn_t gfn, const struct p2m_entry *e);

/* Removes the 4K mapping at gfn (splitting what is larger) and returns what was there; no device and
 * no vCPU can reach it when the call returns. Counts are the caller's. -ENOENT on a hole, -EINVAL out
 * of range, -ENOMEM when a split finds no table memory (nothing has changed then). */
must_check int p2m_unmap(struct domain *d, gfn_t gfn, struct p2m_entry *ret_old);
/* As p2m_unmap, but several may share one p2m_flush() over the frames they span. Until then the old
 * page can still be reached, so its count must not be dropped. */
must_check int p2m_unmap_unflushed(struct domain *d, gfn_t gfn, struct p2m_entry *ret_old);
void p2m_flush(struct domain *d, gfn_t first, uint64_t nr_pages, bool devices_too);
/* Same for a whole block; -EINVAL when it is not mapped as one, or as part of a larger one. */
must_check int p2m_unmap_block(struct domain *d, gfn_t gfn, unsigned order,
			       struct p2m_entry *ret_old);

/* What is at gfn now; kind P2M_HOLE when nothing is. Takes no count. */
void p2m_lookup(struct domain *d, gfn_t gfn, struct p2m_entry *ret_e);

/* Pins the page of d's own RAM at gfn so that it cannot be freed until page_put(). -EINVAL when there is
 * no such page (any other kind of mapping included) or it is read-only and for_write is set. */
must_check int p2m_pin(struct domain *d, gfn_t gfn, bool for_write, mfn_t *ret_mfn);

/* Several mappings taken out with one flush, and their counts dropped after it. Grant mappings never:
 * they are the grant code's. Lives on the stack of one operation. */
#define P2M_BATCH 32u
struct p2m_batch {
	struct domain *d;
	unsigned nr;
	bool devices_too;     /* one of them had P2M_DMA */
	uint64_t first, last; /* frames spanned; valid when nr is not 0 */
	struct p2m_entry old[P2M_BATCH];
};

#define P2M_KIND(kind) (1u << (kind))

void p2m_batch_init(struct p2m_batch *b, struct domain *d);
/* Takes out what is at gfn if its kind is in `kinds` (P2M_KIND() bits): a block of `order`, all of it
 * under one mapping. Flushes first when the batch is full. -ENOENT on a hole, -EBUSY for another kind,
 * -EINVAL and -ENOMEM as p2m_unmap_block. */
must_check int p2m_batch_unmap(struct p2m_batch *b, gfn_t gfn, unsigned order, unsigned kinds);
/* Returns when all of it is gone. Idempotent. */
void p2m_batch_finish(struct p2m_batch *b);

/* Rights of a domain's own RAM: its devices reach it where it has any. */
uint8_t p2m_ram_access(const struct domain *d);

#endif
