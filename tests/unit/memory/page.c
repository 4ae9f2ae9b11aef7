/* core/page.c: 4095 free pages on node 0 (frame 0 is not usable), unless a test says otherwise. */
#include "unit.h"

#include <string.h>

#include "abi/errno.h"
#include "fake-arch.h"
#include "lodge/page.h"

#define NR_FREE 4095u

static struct domain *dom;

static void setup(void)
{
	fake_reset();
	dom = fake_domain(5, false, 0); /* takes one page, for its shared info */
}

static void teardown(void)
{
	fake_core_reset();
}

static void scrub_all(void)
{
	while (page_scrub_some(64))
		;
}

/* As the firmware could have reported it: other ranges over the same records. */
static void start_over(void)
{
	page_init(page_table_base, nr_page_records);
}

static bool is_zero(mfn_t mfn, unsigned order)
{
	const uint8_t *p = mfn_to_ptr(mfn);

	return !p[0] && !memcmp(p, p + 1, (PAGE_SIZE << order) - 1);
}

START_TEST(blocks_of_every_order_are_naturally_aligned)
{
	start_over();
	page_add_range(MFN(1), NR_FREE, 0);
	for (unsigned order = 0; order <= 10; order++) {
		mfn_t mfn = page_alloc(order, NODE_ANY, 0);

		ck_assert(!mfn_is_none(mfn));
		ck_assert_uint_eq(mfn.n & ((1ull << order) - 1), 0);
		page_free(mfn, order);
	}
	ck_assert_uint_eq(page_count_free(), NR_FREE);
	ck_assert_uint_eq(page_count_total(), NR_FREE);
}
END_TEST

START_TEST(a_block_of_1g_can_be_had)
{
	mfn_t mfn;

	fake_memory_init(3u << 18);
	mfn = page_alloc(ORDER_1G, NODE_ANY, 0);
	ck_assert_uint_eq(mfn.n % (1u << 18), 0);
	ck_assert(!mfn_is_none(page_alloc(ORDER_1G, NODE_ANY, 0)));
	ck_assert(mfn_is_none(
		page_alloc(ORDER_1G, NODE_ANY, 0))); /* frame 0 is missing in the first */
	ck_assert(mfn_is_none(page_alloc(ORDER_1G + 1, NODE_ANY, 0)));
	page_free(mfn, ORDER_1G);
	ck_assert(!mfn_is_none(page_alloc(ORDER_1G, NODE_ANY, 0)));
}
END_TEST

START_TEST(no_page_is_given_out_twice_and_none_when_there_are_none)
{
	static bool seen[NR_FREE + 1];

	start_over();
	page_add_range(MFN(1), NR_FREE, 0);
	for (unsigned i = 0; i < NR_FREE; i++) {
		mfn_t mfn = page_alloc(0, NODE_ANY, 0);

		ck_assert_uint_le(mfn.n, NR_FREE);
		ck_assert(!seen[mfn.n]);
		seen[mfn.n] = true;
	}
	ck_assert(mfn_is_none(page_alloc(0, NODE_ANY, 0)));
	ck_assert(mfn_is_none(page_alloc_shared()));
	ck_assert_uint_eq(page_count_free(), 0);
	ck_assert_uint_eq(page_count_owned(PAGE_OWNER_SELF), NR_FREE);
}
END_TEST

START_TEST(single_pages_join_to_large_blocks_when_freed)
{
	for (unsigned i = 0; i < NR_FREE - 1; i++)
		ck_assert(!mfn_is_none(page_alloc(0, NODE_ANY, 0)));
	for (uint64_t i = 1; i < NR_FREE + 1; i++)
		if (mfn_to_page(MFN(i))->owner == PAGE_OWNER_SELF)
			page_free(MFN(i), 0);
	ck_assert(!mfn_is_none(page_alloc(10, NODE_ANY, 0)));
}
END_TEST

START_TEST(clean_and_dirty_buddies_join_once_scrubbed)
{
	mfn_t mfn;

	scrub_all();
	mfn = page_alloc(0, NODE_ANY, 0);
	page_free(mfn, 0);
	scrub_all();
	start_over();
	page_add_range(MFN(1024), 1024, 0); /* one block */
	scrub_all();
	mfn = page_alloc(0, NODE_ANY, 0);
	page_free(mfn, 0);
	ck_assert(mfn_is_none(page_alloc(10, NODE_ANY, 0)));
	scrub_all();
	ck_assert(!mfn_is_none(page_alloc(10, NODE_ANY, 0)));
}
END_TEST

START_TEST(zeroed_pages_are_zero_whoever_had_them)
{
	mfn_t mfn = page_alloc(3, NODE_ANY, 0);

	memset(mfn_to_ptr(mfn), 0xaa, PAGE_SIZE << 3);
	page_free(mfn, 3);
	for (unsigned i = 0; i < 64; i++) {
		mfn = page_alloc(3, NODE_ANY, PAGE_ALLOC_ZERO);
		ck_assert(is_zero(mfn, 3));
	}
}
END_TEST

START_TEST(a_scrubbed_page_is_not_cleared_again)
{
	uint8_t *p;

	start_over();
	page_add_range(MFN(16), 1, 0);
	scrub_all();
	p = mfn_to_ptr(MFN(16));
	*p = 1; /* not possible for anybody but this test */
	ck_assert_uint_eq(page_alloc(0, NODE_ANY, PAGE_ALLOC_ZERO).n, 16);
	ck_assert_uint_eq(*p, 1);
}
END_TEST

START_TEST(memory_that_need_not_be_zero_takes_dirty_pages_first)
{
	start_over();
	page_add_range(MFN(16), 1, 0);
	scrub_all();
	page_add_range(MFN(64), 1, 0);
	ck_assert_uint_eq(page_alloc(0, NODE_ANY, 0).n, 64);
	page_free(MFN(64), 0);
	ck_assert_uint_eq(page_alloc(0, NODE_ANY, PAGE_ALLOC_ZERO).n, 16);
}
END_TEST

START_TEST(scrubbing_clears_all_dirty_memory_and_then_tells_so)
{
	unsigned rounds = 0;

	start_over();
	memset(fake_memory, 0xee, 1024 * PAGE_SIZE);
	page_add_range(MFN(1), 1023, 0);
	while (page_scrub_some(64))
		rounds++;
	ck_assert_uint_ge(rounds, 1024 / 64);
	ck_assert_uint_le(rounds, 1024 / 64 + 10);
	ck_assert(!page_scrub_some(64));
	ck_assert(is_zero(MFN(1), 0));
	ck_assert(is_zero(MFN(512), 9));
	ck_assert_uint_eq(page_count_free(), 1023);
}
END_TEST

START_TEST(scrubbing_keeps_to_the_number_of_pages)
{
	start_over();
	memset(fake_memory, 0xee, 1024 * PAGE_SIZE);
	page_add_range(MFN(512), 512, 0);
	ck_assert(page_scrub_some(1));
	ck_assert(is_zero(MFN(512), 0));
	ck_assert(!is_zero(MFN(513), 0));
	ck_assert(page_scrub_some(0)); /* one page is the least */
}
END_TEST

START_TEST(pages_below_4g_are_kept_for_those_who_ask)
{
	mfn_t low;

	fake_memory_init(FAKE_MAX_FRAMES);
	ck_assert_uint_ge(page_alloc(0, NODE_ANY, 0).n, 1u << 20);
	low = page_alloc(4, NODE_ANY, PAGE_ALLOC_BELOW_4G);
	ck_assert_uint_lt(low.n, 1u << 20);
	for (unsigned i = 0; i < 512; i++) /* all but the start of the last GiB */
		(void)!page_alloc(ORDER_2M, NODE_ANY, 0).n;
	ck_assert_uint_lt(page_alloc(ORDER_2M, NODE_ANY, 0).n, 1u << 20);
}
END_TEST

START_TEST(below_4g_fails_rather_than_go_above)
{
	fake_memory_init(FAKE_MAX_FRAMES);
	start_over();
	page_add_range(MFN(4u << 18), 1024, 0);
	ck_assert(mfn_is_none(page_alloc(0, NODE_ANY, PAGE_ALLOC_BELOW_4G)));
	ck_assert(!mfn_is_none(page_alloc(0, NODE_ANY, 0)));
}
END_TEST

START_TEST(the_wanted_node_comes_first_then_the_others)
{
	start_over();
	page_add_range(MFN(1024), 16, 0);
	page_add_range(MFN(2048), 16, 1);
	for (unsigned i = 0; i < 16; i++)
		ck_assert_uint_ge(page_alloc(0, 1, 0).n, 2048);
	ck_assert_uint_lt(page_alloc(0, 1, 0).n, 2048);
	ck_assert_uint_lt(page_alloc(0, NODE_ANY, 0).n, 2048);
}
END_TEST

START_TEST(buddies_of_two_nodes_never_join)
{
	mfn_t mfn;

	start_over();
	page_add_range(MFN(1024), 512, 0);
	page_add_range(MFN(1536), 512, 1);
	ck_assert(mfn_is_none(page_alloc(10, NODE_ANY, 0)));
	mfn = page_alloc(9, 1, 0);
	ck_assert_uint_eq(mfn.n, 1536);
	page_free(mfn, 9);
	ck_assert(mfn_is_none(page_alloc(10, NODE_ANY, 0)));
	ck_assert_uint_eq(page_alloc(9, 1, 0).n, 1536);
}
END_TEST

START_TEST(ranges_of_any_length_and_alignment_can_be_added)
{
	start_over();
	page_add_range(MFN(3), 1000, 0);
	page_add_range(MFN(1003), 21, 0);
	ck_assert_uint_eq(page_count_total(), 1021);
	ck_assert_uint_eq(page_alloc(9, NODE_ANY, 0).n, 512); /* grown together over the seam */
	ck_assert_uint_eq(page_alloc(8, NODE_ANY, 0).n, 256);
}
END_TEST

START_TEST(a_range_without_records_panics)
{
	ck_assert_panics(page_add_range(MFN(4000), 97, 0));
}
END_TEST

START_TEST(freeing_twice_panics)
{
	mfn_t mfn = page_alloc(0, NODE_ANY, 0);

	page_free(mfn, 0);
	ck_assert_panics(page_free(mfn, 0));
}
END_TEST

START_TEST(freeing_what_has_no_record_panics)
{
	ck_assert_panics(page_free(MFN(nr_page_records), 0));
}
END_TEST

START_TEST(a_domains_pages_are_zero_counted_once_and_on_its_account)
{
	mfn_t mfn = page_alloc(3, NODE_ANY, 0);

	memset(mfn_to_ptr(mfn), 0xaa, PAGE_SIZE << 3);
	page_free(mfn, 3);
	ck_assert_int_eq(page_alloc_domain(dom, 3, 0, &mfn), 0);
	ck_assert(is_zero(mfn, 3));
	ck_assert_uint_eq(dom->nr_pages, 8);
	for (uint64_t i = 0; i < 8; i++) {
		ck_assert_uint_eq(mfn_to_page(MFN(mfn.n + i))->count, 1);
		ck_assert_uint_eq(mfn_to_page(MFN(mfn.n + i))->owner, 5);
	}
	ck_assert_uint_eq(page_count_owned(5), 8);
}
END_TEST

START_TEST(contents_stay_when_a_domain_may_see_them)
{
	mfn_t mfn;

	start_over();
	page_add_range(MFN(16), 1, 0);
	memset(mfn_to_ptr(MFN(16)), 0xaa, PAGE_SIZE);
	ck_assert_int_eq(page_alloc_domain(dom, 0, PAGE_ALLOC_DIRTY, &mfn), 0);
	ck_assert_uint_eq(*(uint8_t *)mfn_to_ptr(mfn), 0xaa);
}
END_TEST

START_TEST(a_domain_gets_no_more_than_its_limit)
{
	mfn_t mfn = MFN_NONE;

	dom->max_pages = 9;
	ck_assert_int_eq(page_alloc_domain(dom, 3, 0, &mfn), 0);
	ck_assert_int_eq(page_alloc_domain(dom, 1, 0, &mfn), -XEN_ENOMEM);
	ck_assert_int_eq(page_alloc_domain(dom, ORDER_1G, 0, &mfn), -XEN_ENOMEM);
	ck_assert_int_eq(page_alloc_domain(dom, 19, 0, &mfn), -XEN_ENOMEM);
	ck_assert_uint_eq(dom->nr_pages, 8);
	ck_assert_int_eq(page_alloc_domain(dom, 0, 0, &mfn), 0);
}
END_TEST

START_TEST(the_account_is_right_after_a_failed_allocation)
{
	mfn_t mfn;

	while (!mfn_is_none(page_alloc(0, NODE_ANY, 0)))
		;
	ck_assert_int_eq(page_alloc_domain(dom, 0, 0, &mfn), -XEN_ENOMEM);
	ck_assert_uint_eq(dom->nr_pages, 0);
	ck_assert_uint_eq(dom->refcount, 1);
}
END_TEST

START_TEST(a_claim_gets_the_very_block)
{
	uint64_t free_pages = page_count_free(), own = dom->nr_pages;

	ck_assert_int_eq(page_claim_domain(dom, MFN(512), 9), 0);
	ck_assert_int_eq(page_claim_domain(dom, MFN(2049), 0), 0);
	ck_assert_uint_eq(mfn_to_page(MFN(512))->owner, dom->id);
	ck_assert_uint_eq(mfn_to_page(MFN(1023))->owner, dom->id);
	ck_assert_uint_eq(mfn_to_page(MFN(1024))->owner, PAGE_OWNER_FREE);
	ck_assert_uint_eq(mfn_to_page(MFN(2049))->owner, dom->id);
	ck_assert_uint_eq(mfn_to_page(MFN(2048))->owner, PAGE_OWNER_FREE);
	ck_assert_uint_eq(page_count_free(), free_pages - 513);
	ck_assert_uint_eq(dom->nr_pages, own + 513);
	page_put(MFN(2049));
	for (uint64_t i = 512; i < 1024; i++)
		page_put(MFN(i));
	ck_assert_uint_eq(page_count_free(), free_pages);
}
END_TEST

START_TEST(a_claim_fails_with_ebusy_where_not_all_is_free)
{
	uint64_t own = dom->nr_pages;

	ck_assert_int_eq(page_claim_domain(dom, MFN(515), 0), 0);
	ck_assert_int_eq(page_claim_domain(dom, MFN(515), 0), -XEN_EBUSY);
	ck_assert_int_eq(page_claim_domain(dom, MFN(512), 9), -XEN_EBUSY);
	ck_assert_int_eq(page_claim_domain(dom, MFN(513), 1), -XEN_EBUSY);
	ck_assert_int_eq(page_claim_domain(dom, MFN(nr_page_records), 0), -XEN_EBUSY);
	ck_assert_uint_eq(dom->nr_pages, own + 1);
}
END_TEST

START_TEST(a_claim_counts_against_the_limit)
{
	dom->max_pages = dom->nr_pages;
	ck_assert_int_eq(page_claim_domain(dom, MFN(512), 0), -XEN_ENOMEM);
	ck_assert_uint_eq(mfn_to_page(MFN(512))->owner, PAGE_OWNER_FREE);
}
END_TEST

START_TEST(a_domain_can_ask_for_node_and_width)
{
	mfn_t mfn;

	start_over();
	page_add_range(MFN(1024), 16, 0);
	page_add_range(MFN(2048), 16, 3);
	ck_assert_int_eq(page_alloc_domain(dom, 0, PAGE_ALLOC_NODE(3) | PAGE_ALLOC_BELOW_4G, &mfn),
			 0);
	ck_assert_uint_ge(mfn.n, 2048);
}
END_TEST

START_TEST(page_get_wants_the_right_owner)
{
	mfn_t mfn;

	ck_assert_int_eq(page_alloc_domain(dom, 0, 0, &mfn), 0);
	ck_assert(!page_get(mfn, 6));
	ck_assert(!page_get(MFN(mfn.n ^ 1), 5)); /* free */
	ck_assert(!page_get(MFN(nr_page_records), 5));
	ck_assert(!page_get(MFN(0), 5));
	ck_assert(!page_get(page_alloc(0, NODE_ANY, 0), 5));
	ck_assert(page_get(mfn, 5));
	ck_assert_uint_eq(mfn_to_page(mfn)->count, 2);
}
END_TEST

START_TEST(page_get_fails_once_the_last_count_is_gone)
{
	mfn_t mfn;

	ck_assert_int_eq(page_alloc_domain(dom, 0, 0, &mfn), 0);
	mfn_to_page(mfn)->count = 0; /* another CPU is about to free it */
	ck_assert(!page_get(mfn, 5));
}
END_TEST

START_TEST(page_get_fails_before_the_count_overflows)
{
	mfn_t mfn;

	ck_assert_int_eq(page_alloc_domain(dom, 0, 0, &mfn), 0);
	mfn_to_page(mfn)->count = 0x80000000u;
	ck_assert(!page_get(mfn, 5));
}
END_TEST

START_TEST(the_last_put_frees_the_page_and_takes_it_off_the_account)
{
	mfn_t mfn;

	ck_assert_int_eq(page_alloc_domain(dom, 1, 0, &mfn), 0);
	ck_assert(page_get(mfn, 5));
	page_put(mfn);
	ck_assert_uint_eq(dom->nr_pages, 2);
	page_put(mfn);
	ck_assert_uint_eq(dom->nr_pages, 1);
	ck_assert(!page_get(mfn, 5));
	ck_assert_uint_eq(page_count_free(), NR_FREE - 2); /* the other half, and shared info */
}
END_TEST

START_TEST(a_domains_pages_keep_its_structure)
{
	mfn_t mfn;

	ck_assert_int_eq(page_alloc_domain(dom, 1, 0, &mfn), 0);
	ck_assert_uint_eq(dom->refcount, 2);
	page_put(mfn);
	ck_assert_uint_eq(dom->refcount, 2);
	page_put(MFN(mfn.n + 1));
	ck_assert_uint_eq(dom->refcount, 1);
}
END_TEST

START_TEST(a_shared_page_is_zero_and_goes_with_its_last_count)
{
	uint64_t nr_free = page_count_free();
	mfn_t mfn = page_alloc_shared();

	ck_assert(is_zero(mfn, 0));
	ck_assert(page_get(mfn, PAGE_OWNER_SHARED));
	page_put(mfn);
	page_put(mfn);
	ck_assert_uint_eq(page_count_free(), nr_free);
}
END_TEST

START_TEST(put_without_a_count_panics)
{
	ck_assert_panics(page_put(MFN(nr_page_records)));
	ck_assert_panics(page_put(MFN(8)));
}
END_TEST

START_TEST(the_hypervisors_own_pages_are_not_put)
{
	ck_assert_panics(page_put(page_alloc(0, NODE_ANY, 0)));
}
END_TEST

UNIT_MAIN("page", setup, teardown, blocks_of_every_order_are_naturally_aligned,
	  a_block_of_1g_can_be_had, no_page_is_given_out_twice_and_none_when_there_are_none,
	  single_pages_join_to_large_blocks_when_freed, clean_and_dirty_buddies_join_once_scrubbed,
	  zeroed_pages_are_zero_whoever_had_them, a_scrubbed_page_is_not_cleared_again,
	  memory_that_need_not_be_zero_takes_dirty_pages_first,
	  scrubbing_clears_all_dirty_memory_and_then_tells_so,
	  scrubbing_keeps_to_the_number_of_pages, pages_below_4g_are_kept_for_those_who_ask,
	  below_4g_fails_rather_than_go_above, the_wanted_node_comes_first_then_the_others,
	  buddies_of_two_nodes_never_join, ranges_of_any_length_and_alignment_can_be_added,
	  a_range_without_records_panics, freeing_twice_panics, freeing_what_has_no_record_panics,
	  a_domains_pages_are_zero_counted_once_and_on_its_account,
	  contents_stay_when_a_domain_may_see_them, a_domain_gets_no_more_than_its_limit,
	  the_account_is_right_after_a_failed_allocation, a_claim_gets_the_very_block,
	  a_claim_fails_with_ebusy_where_not_all_is_free, a_claim_counts_against_the_limit,
	  a_domain_can_ask_for_node_and_width, page_get_wants_the_right_owner,
	  page_get_fails_once_the_last_count_is_gone, page_get_fails_before_the_count_overflows,
	  the_last_put_frees_the_page_and_takes_it_off_the_account,
	  a_domains_pages_keep_its_structure, a_shared_page_is_zero_and_goes_with_its_last_count,
	  put_without_a_count_panics, the_hypervisors_own_pages_are_not_put)
