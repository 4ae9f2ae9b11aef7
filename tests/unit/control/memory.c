/* core/control-memory.c, and the page allocator's claims. */
#include "call.h"

static int64_t set_pages(uint32_t what, uint32_t domain, uint64_t nr)
{
	memset(&op, 0, sizeof(op));
	op.u.memory.nr_pages = nr;
	return control(what, domain);
}

static int64_t populate(uint64_t gfn, uint64_t nr)
{
	memset(&op, 0, sizeof(op));
	op.u.populate = (struct lodge_control_populate){ .gfn = gfn, .nr_pages = nr };
	return control(LODGE_CONTROL_populate, 1);
}

START_TEST(set_memory_limits_what_the_domain_may_own)
{
	ck_assert_int_eq(set_pages(LODGE_CONTROL_set_memory, 1, 3), 0);
	ck_assert_int_eq(populate(0, 4), -XEN_ENOMEM);
	ck_assert_uint_eq(op.u.populate.done, 3);
	ck_assert_int_eq(set_pages(LODGE_CONTROL_set_memory, 1, 1), 0); /* what it has stays */
	ck_assert_uint_eq(guest->nr_pages, 3);
	ck_assert_int_eq(set_pages(LODGE_CONTROL_set_memory, 1, UINT64_MAX), -XEN_EINVAL);
	op.u.memory = (struct lodge_control_memory){ 3, 1 };
	ck_assert_int_eq(control(LODGE_CONTROL_set_memory, 1), -XEN_EINVAL);
}
END_TEST

START_TEST(a_claim_cannot_be_had_by_others_but_is_there_for_who_has_it)
{
	mfn_t mfn;

	world_leave_pages(400);
	ck_assert_int_eq(set_pages(LODGE_CONTROL_claim, 1, 300), 0);
	ck_assert_uint_eq(page_count_claimed(), 300);
	ck_assert_uint_eq(guest->nr_claimed, 300);
	for (unsigned i = 0; i < 100; i++) {
		ck_assert_int_eq(page_alloc_domain(third, 0, 0, &mfn), 0);
		world_page_count(mfn_to_ptr(mfn));
		ck_assert_int_eq(
			p2m_map(third, GFN(i), &(struct p2m_entry){ .mfn = mfn, .kind = P2M_RAM }),
			0);
	}
	ck_assert_int_eq(page_alloc_domain(third, 0, 0, &mfn), -XEN_ENOMEM);
	ck_assert_int_eq(populate(0, 300), 0);
	ck_assert_uint_eq(guest->nr_claimed, 0);
	ck_assert_uint_eq(page_count_claimed(), 0);
	ck_assert_int_eq(populate(300, 1), -XEN_ENOMEM);
}
END_TEST

START_TEST(a_claim_that_does_not_fit_fails_with_ENOMEM_and_tells_what_is_missing)
{
	world_leave_pages(400);
	ck_assert_int_eq(set_pages(LODGE_CONTROL_claim, 1, 400), -XEN_ENOMEM);
	ck_assert_uint_eq(op.u.memory.missing, LODGE_CLAIM_RESERVE + 400 / 256);
	ck_assert_uint_eq(page_count_claimed(), 0);
	ck_assert_int_eq(set_pages(LODGE_CONTROL_claim, 1, 400 - LODGE_CLAIM_RESERVE - 1), 0);
	ck_assert_int_eq(set_pages(LODGE_CONTROL_claim, 2, 2), -XEN_ENOMEM);
	ck_assert_int_eq(set_pages(LODGE_CONTROL_claim, 1, UINT64_MAX), -XEN_ENOMEM);
	ck_assert_uint_eq(guest->nr_claimed,
			  400 - LODGE_CLAIM_RESERVE - 1); /* the old one stands */
}
END_TEST

START_TEST(a_claim_replaces_an_earlier_one)
{
	ck_assert_int_eq(set_pages(LODGE_CONTROL_claim, 1, 300), 0);
	ck_assert_int_eq(set_pages(LODGE_CONTROL_claim, 1, 100), 0);
	ck_assert_uint_eq(page_count_claimed(), 100);
	ck_assert_int_eq(set_pages(LODGE_CONTROL_claim, 1, 200), 0);
	ck_assert_uint_eq(page_count_claimed(), 200);
	ck_assert_int_eq(set_pages(LODGE_CONTROL_claim, 1, 0), 0);
	ck_assert_uint_eq(page_count_claimed(), 0);
}
END_TEST

START_TEST(a_claim_ends_with_its_domain)
{
	ck_assert_int_eq(set_pages(LODGE_CONTROL_claim, 1, 300), 0);
	world_destroy(&guest);
	ck_assert_uint_eq(page_count_claimed(), 0);
}
END_TEST

START_TEST(an_allocation_that_finds_no_block_leaves_the_claim_as_it_was)
{
	mfn_t mfn;

	ck_assert_int_eq(set_pages(LODGE_CONTROL_claim, 1, 300), 0);
	ck_assert_int_eq(page_alloc_domain(guest, ORDER_1G, 0, &mfn), -XEN_ENOMEM);
	ck_assert_uint_eq(guest->nr_claimed, 300);
	ck_assert_uint_eq(page_count_claimed(), 300);
}
END_TEST

START_TEST(populate_uses_large_pages_where_they_fit)
{
	struct p2m_entry e;

	ck_assert_int_eq(populate(510, 2 + 512 + 3), 0);
	ck_assert_uint_eq(op.u.populate.done, 517);
	ck_assert_uint_eq(guest->nr_pages, 517);
	p2m_lookup(guest, GFN(511), &e);
	ck_assert_uint_eq(e.order, ORDER_4K);
	p2m_lookup(guest, GFN(512), &e);
	ck_assert_uint_eq(e.order, ORDER_2M);
	ck_assert_uint_eq(e.kind, P2M_RAM);
	p2m_lookup(guest, GFN(1026), &e);
	ck_assert_uint_eq(e.order, ORDER_4K);
	p2m_lookup(guest, GFN(1027), &e);
	ck_assert_uint_eq(e.kind, P2M_HOLE);
}
END_TEST

START_TEST(populate_uses_small_pages_where_asked_to_or_where_large_ones_are_not_to_be_had)
{
	struct p2m_entry e;

	memset(&op, 0, sizeof(op));
	op.u.populate = (struct lodge_control_populate){ .nr_pages = 512,
							 .node = 1,
							 .max_order = LODGE_ORDER_4K };
	ck_assert_int_eq(control(LODGE_CONTROL_populate, 1), 0);
	p2m_lookup(guest, GFN(0), &e);
	ck_assert_uint_eq(e.order, ORDER_4K);
	(void)!world_ram(guest, 1030);
	ck_assert_int_eq(populate(1024, 512), -XEN_EEXIST);
	ck_assert_uint_eq(op.u.populate.done, 6);
}
END_TEST

START_TEST(populate_fails_with_EINVAL_for_what_cannot_be)
{
	static const struct lodge_control_populate bad[] = {
		{ .nr_pages = 1, .done = 2 },
		{ .nr_pages = 1, .node = MAX_NODES + 1 },
		{ .nr_pages = 1, .max_order = LODGE_ORDER_2M + 1 },
		{ .nr_pages = 2, .gfn = UINT64_MAX - 1 },
		{ .nr_pages = 1, .gfn = 1ull << 40 },
	};
	uint64_t nr_free = page_count_free();

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		memset(&op, 0, sizeof(op));
		op.u.populate = bad[i];
		ck_assert_int_eq(control(LODGE_CONTROL_populate, 1), -XEN_EINVAL);
	}
	ck_assert_uint_eq(page_count_free(), nr_free);
	ck_assert_uint_eq(guest->nr_pages, 0);
}
END_TEST

START_TEST(populate_gives_a_page_back_that_finds_no_table)
{
	fake_p2m_fail_after(2);
	ck_assert_int_eq(populate(1, 5), -XEN_ENOMEM);
	fake_p2m_fail_after(-1);
	ck_assert_uint_eq(op.u.populate.done, 2);
	ck_assert_uint_eq(guest->nr_pages, 2);
}
END_TEST

START_TEST(populate_goes_on_where_it_was_stopped)
{
	unsigned nr_restarts;

	memset(&op, 0, sizeof(op));
	op.u.populate.nr_pages = 1024 + 100;
	fake_should_stop = true;
	ck_assert_int_eq(control_to_end(LODGE_CONTROL_populate, 1, &nr_restarts), 0);
	fake_should_stop = false;
	ck_assert_uint_ge(nr_restarts, 4);
	ck_assert_uint_eq(op.u.populate.done, 1124);
	ck_assert_uint_eq(guest->nr_pages, 1124);
}
END_TEST

START_TEST(an_operation_that_cannot_tell_how_far_it_got_fails_with_EFAULT)
{
	memset(&op, 0, sizeof(op));
	op.u.populate.nr_pages = 1024;
	fake_should_stop = true;
	fake_guest_fault_writes();
	ck_assert_int_eq(control(LODGE_CONTROL_populate, 1), -XEN_EFAULT);
	fake_guest_fault_writes_after(-1);
}
END_TEST

static int64_t copy(uint32_t what, uint64_t gpa, guest_ptr_t buffer, uint64_t bytes)
{
	memset(&op, 0, sizeof(op));
	op.u.copy = (struct lodge_control_copy){ .gpa = gpa, .buffer = buffer.va, .bytes = bytes };
	return control(what, 1);
}

START_TEST(copies_cross_pages_at_any_offset_and_come_back_the_same)
{
	static uint8_t data[3 * PAGE_SIZE];
	guest_ptr_t from, to = fake_guest_space(sizeof(data));

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	from = fake_guest_put(data, sizeof(data));
	ck_assert_int_eq(populate(8, 4), 0);
	ck_assert_int_eq(copy(LODGE_CONTROL_copy_in, 8 * PAGE_SIZE + 123, from, sizeof(data)), 0);
	ck_assert_uint_eq(op.u.copy.done, sizeof(data));
	ck_assert_int_eq(copy(LODGE_CONTROL_copy_out, 8 * PAGE_SIZE + 123, to, sizeof(data)), 0);
	ck_assert_int_eq(memcmp(fake_guest_at(to), data, sizeof(data)), 0);
	ck_assert_int_eq(copy(LODGE_CONTROL_copy_in, 0, from, 0), 0);
}
END_TEST

START_TEST(a_copy_stops_with_EINVAL_where_the_domain_has_no_memory)
{
	guest_ptr_t buffer = fake_guest_space(2 * PAGE_SIZE);
	void *page = world_readonly_ram(guest, 3);

	ck_assert_int_eq(populate(8, 1), 0);
	ck_assert_int_eq(copy(LODGE_CONTROL_copy_in, 9 * PAGE_SIZE - 100, buffer, 200),
			 -XEN_EINVAL);
	ck_assert_uint_eq(op.u.copy.done, 100);
	ck_assert_int_eq(copy(LODGE_CONTROL_copy_in, UINT64_MAX, buffer, 2), -XEN_EINVAL);
	ck_assert_int_eq(copy(LODGE_CONTROL_copy_in, 3 * PAGE_SIZE, buffer, 2), -XEN_EINVAL);
	ck_assert_int_eq(copy(LODGE_CONTROL_copy_out, 3 * PAGE_SIZE, buffer, 2), 0);
	ck_assert_uint_eq(world_page_count(page), 1);
	op.u.copy = (struct lodge_control_copy){ .bytes = 1, .done = 2 };
	ck_assert_int_eq(control(LODGE_CONTROL_copy_in, 1), -XEN_EINVAL);
}
END_TEST

START_TEST(a_copy_whose_buffer_faults_fails_with_EFAULT_and_keeps_no_page)
{
	void *page = world_ram(guest, 3);

	ck_assert_int_eq(copy(LODGE_CONTROL_copy_in, 3 * PAGE_SIZE, GUEST_PTR(0), 8), -XEN_EFAULT);
	ck_assert_int_eq(copy(LODGE_CONTROL_copy_out, 3 * PAGE_SIZE, GUEST_PTR(0), 8), -XEN_EFAULT);
	ck_assert_uint_eq(op.u.copy.done, 0);
	ck_assert_uint_eq(world_page_count(page), 1);
}
END_TEST

START_TEST(a_copy_goes_on_where_it_was_stopped)
{
	guest_ptr_t buffer = fake_guest_space(40 * PAGE_SIZE);
	unsigned nr_restarts;

	ck_assert_int_eq(populate(0, 40), 0);
	memset(&op, 0, sizeof(op));
	op.u.copy = (struct lodge_control_copy){ .buffer = buffer.va, .bytes = 40 * PAGE_SIZE };
	fake_should_stop = true;
	ck_assert_int_eq(control_to_end(LODGE_CONTROL_copy_in, 1, &nr_restarts), 0);
	ck_assert_uint_eq(nr_restarts, 2);
	ck_assert_uint_eq(op.u.copy.done, 40 * PAGE_SIZE);
}
END_TEST

START_TEST(set_memory_map_keeps_what_the_guest_is_told)
{
	struct xen_e820_entry map[2] = { { .addr = 0, .size = 4096, .type = 1 },
					 { .addr = 8192, .size = 4096, .type = 2 } };
	guest_ptr_t at = fake_guest_put(map, sizeof(map));

	memset(&op, 0, sizeof(op));
	op.u.list = (struct lodge_control_list){ .buffer = at.va, .nr = 2 };
	ck_assert_int_eq(control(LODGE_CONTROL_set_memory_map, 1), 0);
	ck_assert_uint_eq(guest->nr_e820, 2);
	ck_assert_int_eq(memcmp(guest->e820, map, sizeof(map)), 0);
	op.u.list.nr = MAX_E820_ENTRIES + 1;
	ck_assert_int_eq(control(LODGE_CONTROL_set_memory_map, 1), -XEN_E2BIG);
	op.u.list.nr = 2;
	op.u.list.first = 1;
	ck_assert_int_eq(control(LODGE_CONTROL_set_memory_map, 1), -XEN_EINVAL);
	op.u.list.first = 0;
	op.u.list.buffer = 0;
	ck_assert_int_eq(control(LODGE_CONTROL_set_memory_map, 1), -XEN_EFAULT);
	op.u.list.buffer = at.va;
	fake_alloc_budget = 0;
	ck_assert_int_eq(control(LODGE_CONTROL_set_memory_map, 1), -XEN_ENOMEM);
	fake_alloc_budget = -1;
	ck_assert_uint_eq(guest->nr_e820, 2);
}
END_TEST

START_TEST(a_block_of_which_others_count_a_page_is_freed_but_for_that_page)
{
	uint64_t nr_free = page_count_free();
	mfn_t mfn;

	ck_assert_int_eq(page_alloc_domain(guest, ORDER_2M, 0, &mfn), 0);
	ck_assert(page_get(MFN(mfn.n + 7), 1));
	page_put_block(mfn, ORDER_2M);
	ck_assert_uint_eq(page_count_free(), nr_free - 1);
	ck_assert_uint_eq(guest->nr_pages, 1);
	page_put(MFN(mfn.n + 7));
	ck_assert_uint_eq(page_count_free(), nr_free);
	ck_assert_int_eq(page_alloc_domain(guest, ORDER_2M, 0, &mfn), 0);
	page_put_block(mfn, ORDER_2M);
	ck_assert_uint_eq(page_count_free(), nr_free);
	ck_assert_uint_eq(guest->nr_pages, 0);
}
END_TEST

UNIT_MAIN("control-memory", control_setup, world_teardown,
	  set_memory_limits_what_the_domain_may_own,
	  a_claim_cannot_be_had_by_others_but_is_there_for_who_has_it,
	  a_claim_that_does_not_fit_fails_with_ENOMEM_and_tells_what_is_missing,
	  a_claim_replaces_an_earlier_one, a_claim_ends_with_its_domain,
	  an_allocation_that_finds_no_block_leaves_the_claim_as_it_was,
	  populate_uses_large_pages_where_they_fit,
	  populate_uses_small_pages_where_asked_to_or_where_large_ones_are_not_to_be_had,
	  populate_fails_with_EINVAL_for_what_cannot_be,
	  populate_gives_a_page_back_that_finds_no_table, populate_goes_on_where_it_was_stopped,
	  an_operation_that_cannot_tell_how_far_it_got_fails_with_EFAULT,
	  copies_cross_pages_at_any_offset_and_come_back_the_same,
	  a_copy_stops_with_EINVAL_where_the_domain_has_no_memory,
	  a_copy_whose_buffer_faults_fails_with_EFAULT_and_keeps_no_page,
	  a_copy_goes_on_where_it_was_stopped, set_memory_map_keeps_what_the_guest_is_told,
	  a_block_of_which_others_count_a_page_is_freed_but_for_that_page)
