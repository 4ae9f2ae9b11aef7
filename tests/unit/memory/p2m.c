/* core/p2m.c over core/page.c and the fake machine's tables. */
#include "unit.h"

#include <string.h>

#include "abi/errno.h"
#include "fake-arch.h"
#include "lodge/hypercall.h"
#include "lodge/p2m.h"
#include "lodge/page.h"

#define SVC   0
#define GUEST 7
#define OTHER 8
#define RAM   P2M_KIND(P2M_RAM)

static struct domain *dom, *other, *svc;

static void setup(void)
{
	fake_reset();
	dom = fake_domain(GUEST, false, 1);
	other = fake_domain(OTHER, false, 1);
	svc = fake_domain(SVC, true, 1);
}

static void teardown(void)
{
	fake_core_reset();
}

static mfn_t page_of(struct domain *d, unsigned order)
{
	mfn_t mfn;

	ck_assert_int_eq(page_alloc_domain(d, order, 0, &mfn), 0);
	return mfn;
}

static int map(struct domain *d, uint64_t gfn, mfn_t mfn, unsigned kind, unsigned order)
{
	struct p2m_entry e = {
		.mfn = mfn, .kind = (uint8_t)kind, .order = (uint8_t)order, .access = P2M_WRITE
	};

	return p2m_map(d, GFN(gfn), &e);
}

static mfn_t map_ram(struct domain *d, uint64_t gfn, unsigned order)
{
	mfn_t mfn = page_of(d, order);

	ck_assert_int_eq(map(d, gfn, mfn, P2M_RAM, order), 0);
	return mfn;
}

static unsigned kind_at(struct domain *d, uint64_t gfn)
{
	struct p2m_entry e;

	p2m_lookup(d, GFN(gfn), &e);
	return e.kind;
}

START_TEST(what_is_mapped_is_found)
{
	mfn_t mfn = map_ram(dom, 16, 0);
	struct p2m_entry e;

	p2m_lookup(dom, GFN(16), &e);
	ck_assert_uint_eq(e.mfn.n, mfn.n);
	ck_assert_uint_eq(e.kind, P2M_RAM);
	ck_assert_uint_eq(e.order, 0);
	ck_assert_uint_eq(e.access, P2M_WRITE);
	ck_assert_uint_eq(kind_at(dom, 15), P2M_HOLE);
	ck_assert_uint_eq(kind_at(dom, UINT64_MAX), P2M_HOLE);
	ck_assert_uint_eq(dom->p2m.highest_gfn, 16);
}
END_TEST

START_TEST(a_lookup_within_a_block_gives_the_frames_own_page)
{
	mfn_t mfn = map_ram(dom, 512, 9);
	struct p2m_entry e;

	p2m_lookup(dom, GFN(512 + 77), &e);
	ck_assert_uint_eq(e.mfn.n, mfn.n + 77);
	ck_assert_uint_eq(e.order, 9);
	ck_assert_uint_eq(dom->p2m.highest_gfn, 1023);
}
END_TEST

START_TEST(the_kind_follows_from_the_page)
{
	mfn_t shared = page_alloc_shared();

	map_ram(dom, 1, 0);
	ck_assert_int_eq(map(dom, 2, page_of(other, 0), P2M_FOREIGN, 0), 0);
	ck_assert_int_eq(map(dom, 3, shared, P2M_SHARED, 0), 0);
	ck_assert_int_eq(map(dom, 4, FAKE_MMIO_MFN, P2M_MMIO, 0), 0);
	ck_assert_int_eq(map(dom, 5, MFN(0), P2M_MMIO, 0), 0); /* has a record, is no RAM */
	ck_assert_int_eq(map(dom, 6, page_of(dom, 0), P2M_GRANT, 0), 0);
	ck_assert_uint_eq(kind_at(dom, 1), P2M_RAM);
	ck_assert_uint_eq(kind_at(dom, 2), P2M_FOREIGN);
	ck_assert_uint_eq(kind_at(dom, 3), P2M_SHARED);
	ck_assert_uint_eq(kind_at(dom, 4), P2M_MMIO);
	ck_assert_uint_eq(kind_at(dom, 5), P2M_MMIO);
	ck_assert_uint_eq(kind_at(dom, 6), P2M_GRANT);
}
END_TEST

START_TEST(map_fails_with_EEXIST_where_something_is_mapped)
{
	mfn_t mfn = page_of(dom, 9);

	map_ram(dom, 700, 0);
	ck_assert_int_eq(map(dom, 700, mfn, P2M_RAM, 0), -XEN_EEXIST);
	ck_assert_int_eq(map(dom, 512, mfn, P2M_RAM, 9), -XEN_EEXIST);
	ck_assert_int_eq(map(dom, 1024, mfn, P2M_RAM, 9), 0);
	ck_assert_int_eq(map(dom, 1025, page_of(dom, 0), P2M_RAM, 0), -XEN_EEXIST);
}
END_TEST

START_TEST(map_fails_with_EINVAL_for_frames_out_of_range_or_misaligned)
{
	mfn_t mfn = page_of(dom, 9);

	ck_assert_int_eq(map(dom, dom->p2m.max_gfn, mfn, P2M_RAM, 0), -XEN_EINVAL);
	ck_assert_int_eq(map(dom, UINT64_MAX, mfn, P2M_RAM, 0), -XEN_EINVAL);
	ck_assert_int_eq(map(dom, UINT64_MAX & ~511ull, mfn, P2M_RAM, 9), -XEN_EINVAL);
	ck_assert_int_eq(map(dom, 513, mfn, P2M_RAM, 9), -XEN_EINVAL);
	ck_assert_int_eq(map(dom, 512, MFN(mfn.n + 1), P2M_RAM, 9), -XEN_EINVAL);
	ck_assert_int_eq(map(dom, 512, mfn, P2M_RAM, 3), -XEN_EINVAL);
	dom->p2m.max_gfn = 1023;
	ck_assert_int_eq(map(dom, 512, mfn, P2M_RAM, 9), -XEN_EINVAL);
}
END_TEST

START_TEST(nothing_is_mapped_for_a_dying_domain)
{
	dom->dying = true;
	ck_assert_int_eq(map(dom, 1, MFN(64), P2M_MMIO, 0), -XEN_EINVAL);
}
END_TEST

START_TEST(map_fails_with_ENOMEM_without_table_memory)
{
	fake_p2m_fail_after(0);
	ck_assert_int_eq(map(dom, 1, page_of(dom, 0), P2M_RAM, 0), -XEN_ENOMEM);
	ck_assert_uint_eq(kind_at(dom, 1), P2M_HOLE);
	ck_assert_uint_eq(dom->p2m.highest_gfn, 0);
}
END_TEST

START_TEST(unmap_returns_what_was_there_and_flushes)
{
	mfn_t mfn = map_ram(dom, 3, 0);
	struct p2m_entry old;

	ck_assert_int_eq(p2m_unmap(dom, GFN(3), &old), 0);
	ck_assert_uint_eq(old.mfn.n, mfn.n);
	ck_assert_uint_eq(old.kind, P2M_RAM);
	ck_assert_uint_eq(dom->arch.nr_flushes, 1);
	ck_assert_uint_eq(kind_at(dom, 3), P2M_HOLE);
	ck_assert_uint_eq(mfn_to_page(mfn)->count, 1); /* the caller's */
}
END_TEST

START_TEST(unmap_splits_what_is_larger)
{
	mfn_t mfn = map_ram(dom, 512, 9);
	struct p2m_entry old;

	ck_assert_int_eq(p2m_unmap(dom, GFN(600), &old), 0);
	ck_assert_uint_eq(old.mfn.n, mfn.n + 88);
	ck_assert_uint_eq(old.order, 0);
	ck_assert_uint_eq(kind_at(dom, 599), P2M_RAM);
	ck_assert_uint_eq(kind_at(dom, 600), P2M_HOLE);
	ck_assert_uint_eq(kind_at(dom, 601), P2M_RAM);
	ck_assert_uint_eq(kind_at(dom, 1023), P2M_RAM);
}
END_TEST

START_TEST(unmap_fails_with_ENOENT_on_a_hole_and_EINVAL_out_of_range)
{
	struct p2m_entry old;

	ck_assert_int_eq(p2m_unmap(dom, GFN(3), &old), -XEN_ENOENT);
	ck_assert_int_eq(p2m_unmap(dom, GFN(dom->p2m.max_gfn), &old), -XEN_EINVAL);
	ck_assert_uint_eq(dom->arch.nr_flushes, 0);
}
END_TEST

START_TEST(a_split_without_table_memory_changes_nothing)
{
	struct p2m_entry old;

	map_ram(dom, 512, 9);
	fake_p2m_fail_after(0);
	ck_assert_int_eq(p2m_unmap(dom, GFN(600), &old), -XEN_ENOMEM);
	ck_assert_uint_eq(kind_at(dom, 600), P2M_RAM);
}
END_TEST

START_TEST(the_iommu_is_flushed_only_for_what_devices_could_reach)
{
	struct p2m_entry old, e = {
		.mfn = page_of(svc, 9), .kind = P2M_RAM, .order = 9, .access = p2m_ram_access(svc)
	};

	fake_iommu_enable();
	ck_assert_int_eq(p2m_map(svc, GFN(512), &e), 0);
	ck_assert_int_eq(p2m_unmap_block(svc, GFN(512), 9, &old), 0);
	ck_assert_uint_eq(fake_nr_iommu_flushes, 1);
	ck_assert_uint_eq(fake_iommu_flush_gfn.n, 512);
	ck_assert_uint_eq(fake_iommu_flush_pages, 512);
	ck_assert_uint_eq(p2m_ram_access(dom) & P2M_DMA, 0);
	map_ram(dom, 1, 0);
	ck_assert_int_eq(p2m_unmap(dom, GFN(1), &old), 0);
	ck_assert_uint_eq(fake_nr_iommu_flushes, 1);
}
END_TEST

START_TEST(unmap_block_takes_blocks_and_parts_of_larger_ones_only)
{
	struct p2m_entry old;
	mfn_t mfn;

	fake_memory_init(3u << 18);
	mfn = map_ram(svc, 1u << 18, 18);
	map_ram(svc, 512, 0);
	ck_assert_int_eq(p2m_unmap_block(svc, GFN(512), 9, &old), -XEN_EINVAL);
	ck_assert_int_eq(p2m_unmap_block(svc, GFN((1u << 18) + 1024), 9, &old), 0);
	ck_assert_uint_eq(old.mfn.n, mfn.n + 1024);
	ck_assert_uint_eq(old.order, 9);
	ck_assert_uint_eq(kind_at(svc, (1u << 18) + 1023), P2M_RAM);
	ck_assert_uint_eq(kind_at(svc, (1u << 18) + 1024), P2M_HOLE);
	ck_assert_int_eq(p2m_unmap_block(svc, GFN(3), 9, &old), -XEN_EINVAL);
}
END_TEST

START_TEST(unflushed_unmaps_leave_the_flush_to_the_caller)
{
	struct p2m_entry old;

	map_ram(dom, 1, 0);
	ck_assert_int_eq(p2m_unmap_unflushed(dom, GFN(1), &old), 0);
	ck_assert_uint_eq(dom->arch.nr_flushes, 0);
	p2m_flush(dom, GFN(1), 1, true);
	ck_assert_uint_eq(dom->arch.nr_flushes, 1);
}
END_TEST

START_TEST(pin_takes_a_count_of_own_ram)
{
	mfn_t mfn = map_ram(dom, 1, 0), pinned;

	ck_assert_int_eq(p2m_pin(dom, GFN(1), true, &pinned), 0);
	ck_assert_uint_eq(pinned.n, mfn.n);
	ck_assert_uint_eq(mfn_to_page(mfn)->count, 2);
}
END_TEST

START_TEST(pin_fails_with_EINVAL_for_all_that_is_not_own_ram)
{
	mfn_t pinned;

	ck_assert_int_eq(map(dom, 2, page_of(other, 0), P2M_FOREIGN, 0), 0);
	ck_assert_int_eq(map(dom, 3, page_alloc_shared(), P2M_SHARED, 0), 0);
	ck_assert_int_eq(map(dom, 4, FAKE_MMIO_MFN, P2M_MMIO, 0), 0);
	ck_assert_int_eq(map(dom, 5, page_of(dom, 0), P2M_GRANT, 0), 0);
	for (uint64_t gfn = 1; gfn <= 5; gfn++)
		ck_assert_int_eq(p2m_pin(dom, GFN(gfn), false, &pinned), -XEN_EINVAL);
	ck_assert_int_eq(p2m_pin(dom, GFN(dom->p2m.max_gfn), false, &pinned), -XEN_EINVAL);
}
END_TEST

START_TEST(pin_for_write_fails_with_EINVAL_on_a_read_only_page)
{
	struct p2m_entry e = { .mfn = page_of(dom, 0), .kind = P2M_RAM };
	mfn_t pinned;

	ck_assert_int_eq(p2m_map(dom, GFN(1), &e), 0);
	ck_assert_int_eq(p2m_pin(dom, GFN(1), true, &pinned), -XEN_EINVAL);
	ck_assert_int_eq(p2m_pin(dom, GFN(1), false, &pinned), 0);
}
END_TEST

START_TEST(a_batch_flushes_once_and_then_drops_the_counts)
{
	struct p2m_batch b;

	for (uint64_t gfn = 1; gfn <= 20; gfn++)
		map_ram(dom, gfn, 0);
	p2m_batch_init(&b, dom);
	for (uint64_t gfn = 20; gfn; gfn--)
		ck_assert_int_eq(p2m_batch_unmap(&b, GFN(gfn), 0, RAM), 0);
	ck_assert_uint_eq(dom->nr_pages, 20);
	ck_assert_uint_eq(dom->arch.nr_flushes, 0);
	p2m_batch_finish(&b);
	p2m_batch_finish(&b);
	ck_assert_uint_eq(dom->nr_pages, 0);
	ck_assert_uint_eq(dom->arch.nr_flushes, 1);
}
END_TEST

START_TEST(a_full_batch_flushes_by_itself)
{
	struct p2m_batch b;

	for (uint64_t gfn = 0; gfn <= P2M_BATCH; gfn++)
		map_ram(dom, gfn, 0);
	p2m_batch_init(&b, dom);
	for (uint64_t gfn = 0; gfn <= P2M_BATCH; gfn++)
		ck_assert_int_eq(p2m_batch_unmap(&b, GFN(gfn), 0, RAM), 0);
	ck_assert_uint_eq(dom->arch.nr_flushes, 1);
	ck_assert_uint_eq(dom->nr_pages, 1);
	p2m_batch_finish(&b);
	ck_assert_uint_eq(dom->nr_pages, 0);
}
END_TEST

START_TEST(a_batch_spans_all_its_frames_for_the_iommu)
{
	struct p2m_entry e = { .mfn = page_of(svc, 0), .access = P2M_DMA };
	struct p2m_batch b;

	fake_iommu_enable();
	ck_assert_int_eq(
		p2m_map(svc, GFN(100),
			&(struct p2m_entry){ .mfn = e.mfn, .kind = P2M_RAM, .access = P2M_DMA }),
		0);
	map_ram(svc, 512, 9);
	p2m_batch_init(&b, svc);
	ck_assert_int_eq(p2m_batch_unmap(&b, GFN(512), 9, RAM), 0);
	ck_assert_int_eq(p2m_batch_unmap(&b, GFN(100), 0, RAM), 0);
	p2m_batch_finish(&b);
	ck_assert_uint_eq(fake_nr_iommu_flushes, 1);
	ck_assert_uint_eq(fake_iommu_flush_gfn.n, 100);
	ck_assert_uint_eq(fake_iommu_flush_pages, 924);
}
END_TEST

START_TEST(a_batch_takes_the_wanted_kinds_only_and_never_a_grant)
{
	struct p2m_batch b;

	map_ram(dom, 1, 0);
	ck_assert_int_eq(map(dom, 2, page_of(other, 0), P2M_GRANT, 0), 0);
	p2m_batch_init(&b, dom);
	ck_assert_int_eq(p2m_batch_unmap(&b, GFN(1), 0, P2M_KIND(P2M_FOREIGN)), -XEN_EBUSY);
	ck_assert_int_eq(p2m_batch_unmap(&b, GFN(2), 0, ~0u), -XEN_EBUSY);
	ck_assert_int_eq(p2m_batch_unmap(&b, GFN(3), 0, ~0u), -XEN_ENOENT);
	p2m_batch_finish(&b);
	ck_assert_uint_eq(dom->arch.nr_flushes, 0);
}
END_TEST

START_TEST(foreign_and_shared_mappings_count_too_and_mmio_does_not)
{
	mfn_t foreign = page_of(other, 0), shared = page_alloc_shared();
	struct p2m_batch b;

	ck_assert(page_get(foreign, OTHER));
	ck_assert(page_get(shared, PAGE_OWNER_SHARED));
	ck_assert_int_eq(map(dom, 1, foreign, P2M_FOREIGN, 0), 0);
	ck_assert_int_eq(map(dom, 2, shared, P2M_SHARED, 0), 0);
	ck_assert_int_eq(map(dom, 3, FAKE_MMIO_MFN, P2M_MMIO, 0), 0);
	p2m_batch_init(&b, dom);
	for (uint64_t gfn = 1; gfn <= 3; gfn++)
		ck_assert_int_eq(p2m_batch_unmap(&b, GFN(gfn), 0, ~0u), 0);
	p2m_batch_finish(&b);
	ck_assert_uint_eq(mfn_to_page(foreign)->count, 1);
	ck_assert_uint_eq(mfn_to_page(shared)->count, 1);
}
END_TEST

START_TEST(teardown_gives_back_every_page)
{
	mfn_t foreign = page_of(other, 0);

	ck_assert(page_get(foreign, OTHER));
	ck_assert_int_eq(map(dom, 0, foreign, P2M_FOREIGN, 0), 0);
	ck_assert_int_eq(map(dom, 1, FAKE_MMIO_MFN, P2M_MMIO, 0), 0);
	map_ram(dom, 512, 9);
	map_ram(dom, 1u << 20, 0);
	dom->dying = true;
	ck_assert_int_eq(p2m_teardown(dom), 0);
	ck_assert_uint_eq(dom->nr_pages, 0);
	ck_assert_uint_eq(mfn_to_page(foreign)->count, 1);
	ck_assert(!dom->arch.p2m_is_init);
	ck_assert_uint_eq(kind_at(dom, 512), P2M_HOLE);
	ck_assert_int_eq(p2m_teardown(dom), 0);
}
END_TEST

START_TEST(after_teardown_every_frame_is_out_of_range)
{
	struct p2m_entry old;
	mfn_t mfn;

	map_ram(dom, 5, 0);
	ck_assert_int_eq(p2m_teardown(dom), 0);
	ck_assert_int_eq(map(dom, 5, MFN(64), P2M_MMIO, 0), -XEN_EINVAL);
	ck_assert_int_eq(p2m_unmap(dom, GFN(5), &old), -XEN_EINVAL);
	ck_assert_int_eq(p2m_pin(dom, GFN(5), false, &mfn), -XEN_EINVAL);
}
END_TEST

START_TEST(teardown_is_preemptible)
{
	unsigned rounds = 1;

	for (uint64_t gfn = 0; gfn < 1000; gfn++)
		map_ram(dom, gfn, 0);
	map_ram(dom, 1024, 9);
	fake_should_stop = true;
	while (p2m_teardown(dom) == -XEN_EAGAIN)
		rounds++;
	ck_assert_uint_ge(rounds, 1000 / P2M_BATCH);
	ck_assert_uint_eq(dom->nr_pages, 0);
	ck_assert(dom->arch.p2m_fini_stopped); /* the tables too */
	ck_assert(!dom->arch.p2m_is_init);
}
END_TEST

START_TEST(teardown_looks_at_a_bounded_number_of_holes_at_once)
{
	unsigned rounds = 1;

	/* A table for each 2 MiB, with one page in it. */
	for (uint64_t i = 0; i < 64; i++)
		map_ram(dom, i * 512 + 511, 0);
	fake_should_stop = true;
	while (p2m_teardown(dom) == -XEN_EAGAIN)
		rounds++;
	ck_assert_uint_ge(rounds, 64);
	ck_assert_uint_eq(dom->nr_pages, 0);
}
END_TEST

START_TEST(teardown_accepts_what_init_left)
{
	struct domain *half = fake_domain(9, false, 0);

	half->p2m = (struct p2m){ 0 };
	ck_assert_int_eq(p2m_teardown(half), 0);
	fake_p2m_fail_after(0);
	ck_assert_int_eq(p2m_init(half), -XEN_ENOMEM);
	ck_assert_int_eq(p2m_teardown(half), 0);
}
END_TEST

START_TEST(table_memory_is_limited_by_the_domains_size)
{
	dom->max_pages = 1u << 20;
	ck_assert_int_eq(p2m_init(dom), 0);
	ck_assert_uint_ge(dom->p2m.max_table_pages, (1u << 20) / 512);
	ck_assert_uint_le(dom->p2m.max_table_pages, (1u << 20) / 64);
}
END_TEST

UNIT_MAIN("p2m", setup, teardown, what_is_mapped_is_found,
	  a_lookup_within_a_block_gives_the_frames_own_page, the_kind_follows_from_the_page,
	  map_fails_with_EEXIST_where_something_is_mapped,
	  map_fails_with_EINVAL_for_frames_out_of_range_or_misaligned,
	  nothing_is_mapped_for_a_dying_domain, map_fails_with_ENOMEM_without_table_memory,
	  unmap_returns_what_was_there_and_flushes, unmap_splits_what_is_larger,
	  unmap_fails_with_ENOENT_on_a_hole_and_EINVAL_out_of_range,
	  a_split_without_table_memory_changes_nothing,
	  the_iommu_is_flushed_only_for_what_devices_could_reach,
	  unmap_block_takes_blocks_and_parts_of_larger_ones_only,
	  unflushed_unmaps_leave_the_flush_to_the_caller, pin_takes_a_count_of_own_ram,
	  pin_fails_with_EINVAL_for_all_that_is_not_own_ram,
	  pin_for_write_fails_with_EINVAL_on_a_read_only_page,
	  a_batch_flushes_once_and_then_drops_the_counts, a_full_batch_flushes_by_itself,
	  a_batch_spans_all_its_frames_for_the_iommu,
	  a_batch_takes_the_wanted_kinds_only_and_never_a_grant,
	  foreign_and_shared_mappings_count_too_and_mmio_does_not, teardown_gives_back_every_page,
	  after_teardown_every_frame_is_out_of_range, teardown_is_preemptible,
	  teardown_looks_at_a_bounded_number_of_holes_at_once, teardown_accepts_what_init_left,
	  table_memory_is_limited_by_the_domains_size)
