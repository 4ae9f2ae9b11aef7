/* Grant table set-up. See grant.h. */
#include "guest/grant.h"

#include "guest/console.h"
#include "guest/paging.h"
#include "guest/test.h"

#define ENTRIES_PER_FRAME (PAGE_SIZE / sizeof(struct grant_entry_v1))

struct grant_entry_v1 *grant_table;

/* A reference that is free has the next one in its frame number. 0: none. */
static uint32_t first_free;

void grant_init(unsigned int nr_frames)
{
	struct gnttab_set_version version = { .version = 1 };
	uint8_t *frames = pages_alloc(nr_frames);

	if (grant_table_op(GNTTABOP_set_version, &version, 1))
		test_error("no grant table version 1");
	for (unsigned int i = nr_frames; i-- > 0;) {
		struct xen_add_to_physmap map = {
			.domid = DOMID_SELF,
			.space = XENMAPSPACE_grant_table,
			.idx = i,
			.gpfn = gfn_of(frames + i * PAGE_SIZE),
		};

		if (memory_op(XENMEM_add_to_physmap, &map))
			test_error("no grant table frame %u", i);
	}
	grant_table = (struct grant_entry_v1 *)frames;
	for (uint32_t ref = nr_frames * ENTRIES_PER_FRAME; ref-- > GNTTAB_NR_RESERVED_ENTRIES;) {
		grant_table[ref].frame = first_free;
		first_free = ref;
	}
}

void grant_allow(uint32_t ref, uint16_t domid, const void *page, uint16_t flags)
{
	grant_table[ref].frame = (uint32_t)gfn_of(page);
	grant_table[ref].domid = domid;
	__atomic_store_n(&grant_table[ref].flags, (uint16_t)(GTF_permit_access | flags),
			 __ATOMIC_RELEASE);
}

void grant_revoke(uint32_t ref)
{
	__atomic_store_n(&grant_table[ref].flags, (uint16_t)0, __ATOMIC_SEQ_CST);
}

uint32_t grant_take(uint16_t domid, const void *page, uint16_t flags)
{
	uint32_t ref = first_free;

	if (!ref)
		test_error("out of grant references");
	first_free = grant_table[ref].frame;
	grant_allow(ref, domid, page, flags);
	return ref;
}

bool grant_give_back(uint32_t ref)
{
	uint16_t *flags = &grant_table[ref].flags;
	uint16_t old = __atomic_load_n(flags, __ATOMIC_RELAXED);

	do {
		if (old & (GTF_reading | GTF_writing))
			return false;
	} while (!__atomic_compare_exchange_n(flags, &old, 0, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	grant_table[ref].frame = first_free;
	first_free = ref;
	return true;
}
