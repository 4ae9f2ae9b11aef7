/* core/memory.c: memory_op, as the service VM (domain 0) and a guest (domain 1) call it. */
#include "unit.h"

#include <string.h>

#include "abi/errno.h"
#include "abi/memory.h"
#include "fake-arch.h"
#include "lodge/hypercall.h"
#include "lodge/p2m.h"
#include "lodge/page.h"

static struct domain *svc, *dom;
static struct vcpu *by_svc, *by_dom;
static bool compat; /* the caller is 32-bit code */
static struct hypercall_args args;

static void setup(void)
{
	fake_reset();
	svc = fake_domain(0, true, 1);
	dom = fake_domain(1, false, 1);
	by_svc = svc->vcpu[0];
	by_dom = dom->vcpu[0];
	compat = false;
}

static void teardown(void)
{
	gnttab_fini(dom);
	fake_core_reset();
}

static int64_t call(struct vcpu *v, uint64_t cmd, guest_ptr_t arg)
{
	args = (struct hypercall_args){ .arg = { cmd, arg.va }, .compat = compat };
	return do_memory_op(v, &args);
}

/* As the guest does: once more with the arguments as they were left, until it is done. */
static int64_t call_to_the_end(struct vcpu *v, uint64_t cmd, guest_ptr_t arg, unsigned *ret_rounds)
{
	int64_t ret = call(v, cmd, arg);

	for (*ret_rounds = 1; ret == HYPERCALL_RESTART; ++*ret_rounds)
		ret = do_memory_op(v, &args);
	return ret;
}

/* A list of frame numbers as the caller lays it out. */
static guest_ptr_t put_list(const uint64_t *frame, unsigned nr)
{
	guest_ptr_t list = fake_guest_space(nr * sizeof(uint64_t));

	for (unsigned i = 0; i < nr; i++) {
		if (compat)
			((uint32_t *)fake_guest_at(list))[i] = (uint32_t)frame[i];
		else
			((uint64_t *)fake_guest_at(list))[i] = frame[i];
	}
	return list;
}

static guest_ptr_t put_reservation(domid_t domid, guest_ptr_t list, uint64_t nr, unsigned order,
				   uint32_t flags)
{
	struct xen_memory_reservation r = { .extent_start = list.va,
					    .nr_extents = nr,
					    .extent_order = order,
					    .mem_flags = flags,
					    .domid = domid };
	struct compat_xen_memory_reservation c = { .extent_start = (uint32_t)list.va,
						   .nr_extents = (uint32_t)nr,
						   .extent_order = order,
						   .mem_flags = flags,
						   .domid = domid };

	return compat ? fake_guest_put(&c, sizeof(c)) : fake_guest_put(&r, sizeof(r));
}

static int64_t reserve(struct vcpu *v, unsigned cmd, const uint64_t *gfn, unsigned nr,
		       unsigned order)
{
	return call(v, cmd, put_reservation(DOMID_SELF, put_list(gfn, nr), nr, order, 0));
}

static int64_t populate(struct vcpu *v, uint64_t gfn, unsigned order)
{
	return reserve(v, XENMEM_populate_physmap, &gfn, 1, order);
}

static void fill(uint64_t *gfn, unsigned nr, uint64_t first)
{
	for (unsigned i = 0; i < nr; i++)
		gfn[i] = first + i;
}

static struct p2m_entry entry_at(struct domain *d, uint64_t gfn)
{
	struct p2m_entry e;

	p2m_lookup(d, GFN(gfn), &e);
	return e;
}

static void map_other(struct domain *d, uint64_t gfn, mfn_t mfn, unsigned kind)
{
	struct p2m_entry e = { .mfn = mfn, .kind = (uint8_t)kind };

	ck_assert_int_eq(p2m_map(d, GFN(gfn), &e), 0);
}

/* Dispatch ------------------------------------------------------------------------------------ */

START_TEST(unknown_commands_fail_with_ENOSYS)
{
	static const unsigned cmd[] = { XENMEM_increase_reservation,
					XENMEM_exchange,
					XENMEM_machine_memory_map,
					XENMEM_machphys_mapping,
					XENMEM_claim_pages,
					29,
					63 };

	for (unsigned i = 0; i < ARRAY_SIZE(cmd); i++)
		ck_assert_int_eq(call(by_svc, cmd[i], fake_guest_space(64)), -XEN_ENOSYS);
}
END_TEST

/* populate_physmap, decrease_reservation -------------------------------------------------------- */

START_TEST(populate_gives_zeroed_ram_and_returns_the_number_of_extents)
{
	uint64_t gfn[3] = { 100, 7, 4000 };

	ck_assert_int_eq(reserve(by_dom, XENMEM_populate_physmap, gfn, 3, 0), 3);
	ck_assert_uint_eq(dom->nr_pages, 3);
	for (unsigned i = 0; i < 3; i++) {
		struct p2m_entry e = entry_at(dom, gfn[i]);

		ck_assert_uint_eq(e.kind, P2M_RAM);
		ck_assert_uint_eq(e.access, P2M_WRITE | P2M_EXEC);
		ck_assert_uint_eq(*(uint64_t *)mfn_to_ptr(e.mfn), 0);
	}
	ck_assert_uint_eq(dom->refcount, 2); /* only for its pages */
}
END_TEST

START_TEST(populate_maps_2m_as_one_block_where_it_is_aligned)
{
	ck_assert_int_eq(populate(by_dom, 1024, 9), 1);
	ck_assert_uint_eq(entry_at(dom, 1024).order, 9);
	ck_assert_int_eq(populate(by_dom, 2049, 9), 1);
	ck_assert_uint_eq(entry_at(dom, 2049).order, 0);
	ck_assert_uint_eq(entry_at(dom, 2049 + 511).kind, P2M_RAM);
	ck_assert_uint_eq(dom->nr_pages, 1024);
}
END_TEST

START_TEST(populate_maps_orders_between_page_by_page)
{
	ck_assert_int_eq(populate(by_dom, 16, 3), 1);
	for (unsigned i = 16; i < 24; i++)
		ck_assert_uint_eq(entry_at(dom, i).kind, P2M_RAM);
	ck_assert_uint_eq(dom->nr_pages, 8);
}
END_TEST

START_TEST(the_service_vms_ram_is_reachable_for_its_devices)
{
	ck_assert_int_eq(populate(by_svc, 16, 0), 1);
	ck_assert_uint_eq(entry_at(svc, 16).access, P2M_WRITE | P2M_EXEC | P2M_DMA);
}
END_TEST

START_TEST(populate_stops_at_an_extent_that_is_in_use)
{
	uint64_t gfn[4] = { 1, 2, 9, 3 };

	ck_assert_int_eq(populate(by_dom, 9, 0), 1);
	ck_assert_int_eq(reserve(by_dom, XENMEM_populate_physmap, gfn, 4, 0), 2);
	ck_assert_uint_eq(dom->nr_pages, 3);
	ck_assert_uint_eq(entry_at(dom, 3).kind, P2M_HOLE);
}
END_TEST

START_TEST(an_extent_that_is_half_in_use_is_given_back_whole)
{
	ck_assert_int_eq(populate(by_dom, 20, 0), 1);
	ck_assert_int_eq(populate(by_dom, 16, 3), 0);
	ck_assert_uint_eq(dom->nr_pages, 1);
	ck_assert_uint_eq(entry_at(dom, 16).kind, P2M_HOLE);
	ck_assert_int_eq(populate(by_dom, 0, 9), 0);
	ck_assert_uint_eq(dom->nr_pages, 1);
}
END_TEST

START_TEST(populate_stops_at_the_domains_limit)
{
	uint64_t gfn[40];

	fill(gfn, 40, 0);
	dom->max_pages = 35;
	ck_assert_int_eq(reserve(by_dom, XENMEM_populate_physmap, gfn, 40, 0), 35);
	ck_assert_uint_eq(dom->nr_pages, 35);
}
END_TEST

START_TEST(populate_stops_without_memory_and_without_table_memory)
{
	while (!mfn_is_none(page_alloc(0, NODE_ANY, 0)))
		;
	ck_assert_int_eq(populate(by_dom, 16, 0), 0);
	page_free(MFN(99), 0);
	fake_p2m_fail_after(0);
	ck_assert_int_eq(populate(by_dom, 16, 0), 0);
	ck_assert_uint_eq(dom->nr_pages, 0);
}
END_TEST

START_TEST(populate_rejects_frames_beyond_the_physmap)
{
	ck_assert_int_eq(populate(by_dom, dom->p2m.max_gfn, 0), 0);
	ck_assert_int_eq(populate(by_dom, UINT64_MAX, 0), 0);
	ck_assert_int_eq(populate(by_dom, UINT64_MAX - 3, 3), 0);
	ck_assert_uint_eq(dom->nr_pages, 0);
}
END_TEST

START_TEST(populate_heeds_address_bits_and_node)
{
	uint64_t gfn = 5;
	guest_ptr_t list = put_list(&gfn, 1);

	ck_assert_int_eq(call(by_dom, XENMEM_populate_physmap,
			      put_reservation(DOMID_SELF, list, 1, 0, XENMEMF_address_bits(31))),
			 0);
	ck_assert_int_eq(call(by_dom, XENMEM_populate_physmap,
			      put_reservation(DOMID_SELF, list, 1, 0,
					      XENMEMF_address_bits(32) | XENMEMF_node(0))),
			 1);
	ck_assert_uint_lt(entry_at(dom, 5).mfn.n, 1u << 20);
}
END_TEST

START_TEST(reservations_fail_with_EINVAL_for_orders_and_counts_that_cannot_be)
{
	guest_ptr_t list = fake_guest_space(8);

	ck_assert_int_eq(populate(by_dom, 0, 10), -XEN_EINVAL);
	ck_assert_int_eq(populate(by_dom, 0, UINT32_MAX), -XEN_EINVAL);
	ck_assert_int_eq(call(by_dom, XENMEM_populate_physmap,
			      put_reservation(DOMID_SELF, list, UINT64_MAX, 0, 0)),
			 -XEN_EINVAL);
	ck_assert_int_eq(call(by_dom, XENMEM_populate_physmap | 2 << MEMOP_EXTENT_SHIFT,
			      put_reservation(DOMID_SELF, list, 1, 0, 0)),
			 -XEN_EINVAL);
	compat = true;
	ck_assert_int_eq(call(by_dom, XENMEM_populate_physmap,
			      put_reservation(DOMID_SELF, list, 1u << 26, 0, 0)),
			 -XEN_EINVAL);
	ck_assert_uint_eq(dom->refcount, 1);
}
END_TEST

START_TEST(only_the_privileged_change_another_domains_reservation)
{
	uint64_t gfn = 5;
	guest_ptr_t list = put_list(&gfn, 1);

	ck_assert_int_eq(call(by_dom, XENMEM_populate_physmap, put_reservation(0, list, 1, 0, 0)),
			 -XEN_EPERM);
	ck_assert_int_eq(call(by_svc, XENMEM_populate_physmap, put_reservation(77, list, 1, 0, 0)),
			 -XEN_ESRCH);
	ck_assert_int_eq(call(by_svc, XENMEM_populate_physmap, put_reservation(1, list, 1, 0, 0)),
			 1);
	ck_assert_uint_eq(entry_at(dom, 5).kind, P2M_RAM);
	ck_assert_uint_eq(svc->refcount, 1);
}
END_TEST

START_TEST(a_reservation_that_cannot_be_read_fails_with_EFAULT)
{
	fake_guest_fault_reads();
	ck_assert_int_eq(populate(by_dom, 5, 0), -XEN_EFAULT);
	compat = true;
	ck_assert_int_eq(populate(by_dom, 5, 0), -XEN_EFAULT);
}
END_TEST

START_TEST(a_list_that_cannot_be_read_ends_the_operation)
{
	uint64_t gfn[40];

	fill(gfn, 40, 0);
	fake_guest_fault_reads_after(2); /* the structure and the first batch */
	ck_assert_int_eq(reserve(by_dom, XENMEM_populate_physmap, gfn, 40, 0), P2M_BATCH);
	compat = true;
	fake_guest_fault_reads_after(1);
	ck_assert_int_eq(reserve(by_dom, XENMEM_populate_physmap, gfn, 40, 0), 0);
	ck_assert_uint_eq(dom->refcount, 2);
}
END_TEST

START_TEST(populate_is_preemptible_and_goes_on_where_it_was)
{
	uint64_t gfn[100];
	unsigned rounds;
	guest_ptr_t arg;

	fill(gfn, 100, 50);
	fake_should_stop = true;
	arg = put_reservation(DOMID_SELF, put_list(gfn, 100), 100, 0, 0);
	ck_assert_int_eq(call_to_the_end(by_dom, XENMEM_populate_physmap, arg, &rounds), 100);
	ck_assert_uint_eq(rounds, 4);
	ck_assert_uint_eq(dom->nr_pages, 100);
}
END_TEST

START_TEST(large_extents_can_be_preempted_one_by_one)
{
	uint64_t gfn[3] = { 0, 512, 1024 };
	unsigned rounds;
	guest_ptr_t arg;

	fake_should_stop = true;
	arg = put_reservation(DOMID_SELF, put_list(gfn, 3), 3, 9, 0);
	ck_assert_int_eq(call_to_the_end(by_dom, XENMEM_populate_physmap, arg, &rounds), 3);
	ck_assert_uint_eq(rounds, 3);
}
END_TEST

START_TEST(callers_in_32_bit_code_have_their_own_layouts)
{
	uint64_t gfn[40];

	compat = true;
	fill(gfn, 40, 3);
	ck_assert_int_eq(reserve(by_dom, XENMEM_populate_physmap, gfn, 40, 0), 40);
	ck_assert_int_eq(reserve(by_dom, XENMEM_decrease_reservation, gfn, 39, 0), 39);
	ck_assert_uint_eq(entry_at(dom, 42).kind, P2M_RAM);
	ck_assert_uint_eq(dom->nr_pages, 1);
}
END_TEST

START_TEST(decrease_frees_pages_with_one_flush_for_a_batch)
{
	uint64_t gfn[64];
	uint64_t nr_free = page_count_free();

	fill(gfn, 64, 1);
	ck_assert_int_eq(reserve(by_dom, XENMEM_populate_physmap, gfn, 64, 0), 64);
	ck_assert_int_eq(reserve(by_dom, XENMEM_decrease_reservation, gfn, 64, 0), 64);
	ck_assert_uint_eq(dom->arch.nr_flushes, 2);
	ck_assert_uint_eq(dom->nr_pages, 0);
	ck_assert_uint_eq(page_count_free(), nr_free);
}
END_TEST

START_TEST(decrease_takes_blocks_whole_and_small_pages_one_by_one)
{
	ck_assert_int_eq(populate(by_dom, 512, 9), 1);
	ck_assert_int_eq(populate(by_dom, 1025, 9), 1); /* 4K pages */
	ck_assert_int_eq(reserve(by_dom, XENMEM_decrease_reservation, &(uint64_t){ 512 }, 1, 9), 1);
	ck_assert_uint_eq(dom->arch.nr_flushes, 1);
	ck_assert_int_eq(reserve(by_dom, XENMEM_decrease_reservation, &(uint64_t){ 1025 }, 1, 9),
			 1);
	ck_assert_uint_eq(dom->nr_pages, 0);
}
END_TEST

START_TEST(decrease_splits_a_block_for_a_single_page)
{
	ck_assert_int_eq(populate(by_dom, 512, 9), 1);
	ck_assert_int_eq(reserve(by_dom, XENMEM_decrease_reservation, &(uint64_t){ 600 }, 1, 0), 1);
	ck_assert_uint_eq(dom->nr_pages, 511);
	ck_assert_uint_eq(entry_at(dom, 600).kind, P2M_HOLE);
	ck_assert_uint_eq(entry_at(dom, 601).kind, P2M_RAM);
}
END_TEST

START_TEST(decrease_stops_at_what_is_no_ram_of_the_domain)
{
	uint64_t gfn[3] = { 1, 2, 3 };

	ck_assert_int_eq(reserve(by_dom, XENMEM_populate_physmap, gfn, 2, 0), 2);
	ck_assert_int_eq(reserve(by_dom, XENMEM_decrease_reservation, gfn, 3, 0), 2);
	map_other(dom, 2, FAKE_MMIO_MFN, P2M_MMIO);
	ck_assert_int_eq(reserve(by_dom, XENMEM_decrease_reservation, &gfn[1], 1, 0), 0);
	ck_assert_int_eq(
		reserve(by_dom, XENMEM_decrease_reservation, &(uint64_t){ UINT64_MAX }, 1, 3), 0);
}
END_TEST

START_TEST(a_page_that_is_pinned_leaves_the_physmap_but_not_the_account)
{
	mfn_t mfn;

	ck_assert_int_eq(populate(by_dom, 5, 0), 1);
	ck_assert_int_eq(p2m_pin(dom, GFN(5), true, &mfn), 0);
	ck_assert_int_eq(reserve(by_dom, XENMEM_decrease_reservation, &(uint64_t){ 5 }, 1, 0), 1);
	ck_assert_uint_eq(dom->nr_pages, 1);
	page_put(mfn);
	ck_assert_uint_eq(dom->nr_pages, 0);
}
END_TEST

/* Numbers, memory map ------------------------------------------------------------------------------ */

START_TEST(numbers_of_a_domain_are_told)
{
	domid_t self = DOMID_SELF, other = 0, none = 99;
	guest_ptr_t arg = fake_guest_put(&self, sizeof(self));

	dom->max_pages = 1000;
	ck_assert_int_eq(populate(by_dom, 77, 0), 1);
	ck_assert_int_eq(call(by_dom, XENMEM_current_reservation, arg), 1);
	ck_assert_int_eq(call(by_dom, XENMEM_maximum_reservation, arg), 1000);
	ck_assert_int_eq(call(by_dom, XENMEM_maximum_gpfn, arg), 77);
	ck_assert_int_eq(call(by_dom, XENMEM_maximum_ram_page, arg), (int64_t)nr_page_records);
	dom->max_pages = UINT64_MAX;
	ck_assert_int_eq(call(by_dom, XENMEM_maximum_reservation, arg), INT64_MAX);
	ck_assert_int_eq(
		call(by_dom, XENMEM_current_reservation, fake_guest_put(&other, sizeof(other))),
		-XEN_EPERM);
	ck_assert_int_eq(
		call(by_svc, XENMEM_current_reservation, fake_guest_put(&none, sizeof(none))),
		-XEN_ESRCH);
	fake_guest_fault_reads();
	ck_assert_int_eq(call(by_dom, XENMEM_maximum_gpfn, arg), -XEN_EFAULT);
}
END_TEST

static struct xen_e820_entry e820[2] = { { 0, 0xa0000, 1 }, { 0x100000, 0x100000, 1 } };

static guest_ptr_t put_map(uint32_t nr, guest_ptr_t buffer)
{
	struct xen_memory_map map = { .nr_entries = nr, .buffer = buffer.va };
	struct compat_xen_memory_map c = { .nr_entries = nr, .buffer = (uint32_t)buffer.va };

	return compat ? fake_guest_put(&c, sizeof(c)) : fake_guest_put(&map, sizeof(map));
}

START_TEST(the_memory_map_is_copied_out_with_its_length)
{
	guest_ptr_t buffer = fake_guest_space(5 * sizeof(e820[0])), arg;

	dom->e820 = e820;
	dom->nr_e820 = 2;
	for (unsigned i = 0; i < 2; i++) {
		compat = i;
		arg = put_map(5, buffer);
		ck_assert_int_eq(call(by_dom, XENMEM_memory_map, arg), 0);
		ck_assert_uint_eq(*(uint32_t *)fake_guest_at(arg), 2);
		ck_assert_int_eq(memcmp(fake_guest_at(buffer), e820, sizeof(e820)), 0);
	}
}
END_TEST

START_TEST(the_memory_map_fails_with_ENOSYS_without_one_and_ENOBUFS_without_room)
{
	guest_ptr_t buffer = fake_guest_space(5 * sizeof(e820[0]));

	ck_assert_int_eq(call(by_dom, XENMEM_memory_map, put_map(5, buffer)), -XEN_ENOSYS);
	dom->e820 = e820;
	dom->nr_e820 = 2;
	ck_assert_int_eq(call(by_dom, XENMEM_memory_map, put_map(1, buffer)), -XEN_ENOBUFS);
}
END_TEST

START_TEST(the_memory_map_fails_with_EFAULT_on_each_copy)
{
	guest_ptr_t arg = put_map(5, fake_guest_space(5 * sizeof(e820[0])));

	dom->e820 = e820;
	dom->nr_e820 = 2;
	fake_guest_fault_writes_after(1);
	ck_assert_int_eq(call(by_dom, XENMEM_memory_map, arg), -XEN_EFAULT);
	fake_guest_fault_writes();
	ck_assert_int_eq(call(by_dom, XENMEM_memory_map, arg), -XEN_EFAULT);
	fake_guest_fault_reads();
	ck_assert_int_eq(call(by_dom, XENMEM_memory_map, arg), -XEN_EFAULT);
}
END_TEST

/* add_to_physmap ----------------------------------------------------------------------------------- */

static int64_t add(struct vcpu *v, domid_t domid, unsigned space, uint64_t idx, uint64_t gfn)
{
	struct xen_add_to_physmap op = { .domid = domid, .space = space, .idx = idx, .gpfn = gfn };
	struct compat_xen_add_to_physmap c = {
		.domid = domid, .space = space, .idx = (uint32_t)idx, .gpfn = (uint32_t)gfn
	};

	return call(v, XENMEM_add_to_physmap,
		    compat ? fake_guest_put(&c, sizeof(c)) : fake_guest_put(&op, sizeof(op)));
}

START_TEST(shared_info_takes_the_place_of_a_ram_page)
{
	mfn_t info = ptr_to_mfn(dom->shared_info);
	struct p2m_entry e;

	ck_assert_int_eq(populate(by_dom, 0, 9), 1);
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_shared_info, 0, 0x10), 0);
	e = entry_at(dom, 0x10);
	ck_assert_uint_eq(e.kind, P2M_SHARED);
	ck_assert_uint_eq(e.mfn.n, info.n);
	ck_assert_uint_eq(e.access, P2M_WRITE);
	ck_assert_uint_eq(dom->nr_pages, 511);
	ck_assert_uint_eq(dom->shared_info_gfn.n, 0x10);
	ck_assert_uint_eq(mfn_to_page(info)->count, 2);
}
END_TEST

START_TEST(shared_info_is_seen_at_one_place_only)
{
	mfn_t info = ptr_to_mfn(dom->shared_info);

	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_shared_info, 0, 0x10), 0);
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_shared_info, 0, 0x10), 0);
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_shared_info, 0, 0x20), 0);
	ck_assert_uint_eq(entry_at(dom, 0x10).kind, P2M_HOLE);
	ck_assert_uint_eq(entry_at(dom, 0x20).kind, P2M_SHARED);
	ck_assert_uint_eq(mfn_to_page(info)->count, 2);
}
END_TEST

START_TEST(what_came_to_shared_infos_old_place_stays)
{
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_shared_info, 0, 0x10), 0);
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_grant_table, 0, 0x10), 0);
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_shared_info, 0, 0x20), 0);
	ck_assert_uint_eq(entry_at(dom, 0x10).kind, P2M_SHARED);
}
END_TEST

START_TEST(the_kernel_that_maps_shared_info_decides_its_layout)
{
	compat = true;
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_shared_info, 0, 0x10), 0);
	ck_assert(dom->compat);
	compat = false;
	ck_assert_int_eq(add(by_svc, 1, XENMAPSPACE_shared_info, 0, 0x10), 0);
	ck_assert(dom->compat); /* the toolstack's own width does not matter */
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_shared_info, 0, 0x10), 0);
	ck_assert(!dom->compat);
}
END_TEST

START_TEST(grant_frames_are_mapped_highest_first_and_move)
{
	mfn_t frame3;

	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_grant_table, 3, 0x1003), 0);
	ck_assert_uint_eq(dom->grant.nr_frames, 4);
	for (uint64_t i = 0; i < 3; i++)
		ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_grant_table, i, 0x1000 + i),
				 0);
	frame3 = entry_at(dom, 0x1003).mfn;
	ck_assert_ptr_eq(mfn_to_ptr(frame3), dom->grant.frame[3]);
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_grant_table, 3, 0x2003), 0);
	ck_assert_uint_eq(entry_at(dom, 0x1003).kind, P2M_HOLE);
	ck_assert_uint_eq(entry_at(dom, 0x2003).mfn.n, frame3.n);
}
END_TEST

START_TEST(a_grant_table_that_has_to_grow_much_does_not_hold_the_cpu)
{
	int rounds = 1;
	int64_t ret;

	fake_should_stop = true;
	ret = add(by_dom, DOMID_SELF, XENMAPSPACE_grant_table, 3, 0x1003);
	for (; ret == HYPERCALL_RESTART; rounds++)
		ret = do_memory_op(by_dom, &args);
	ck_assert_int_eq(ret, 0);
	ck_assert_uint_eq(dom->grant.nr_frames, 4);
	ck_assert_int_eq(rounds, 4);
	ck_assert_uint_eq(entry_at(dom, 0x1003).kind, P2M_SHARED);
}
END_TEST

START_TEST(hypervisor_pages_may_go_where_a_machine_address_was)
{
	map_other(dom, 0xf0000, FAKE_MMIO_MFN, P2M_MMIO);
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_grant_table, 0, 0xf0000), 0);
	ck_assert_uint_eq(entry_at(dom, 0xf0000).kind, P2M_SHARED);
}
END_TEST

START_TEST(a_grant_mapping_is_not_replaced)
{
	mfn_t mfn;

	ck_assert_int_eq(page_alloc_domain(svc, 0, 0, &mfn), 0);
	map_other(dom, 9, mfn, P2M_GRANT);
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_shared_info, 0, 9), -XEN_EBUSY);
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_grant_table, 0, 9), -XEN_EBUSY);
	ck_assert_uint_eq(entry_at(dom, 9).kind, P2M_GRANT);
	ck_assert_uint_eq(mfn_to_page(ptr_to_mfn(dom->shared_info))->count, 1);
}
END_TEST

START_TEST(add_to_physmap_rejects_bad_arguments)
{
	fake_frame_limit = 4;
	dom->grant.max_frames = 6;
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_shared_info, 1, 5), -XEN_EINVAL);
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_shared_info, 0, UINT64_MAX),
			 -XEN_EINVAL);
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_grant_table, 5, 5), -XEN_EINVAL);
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_grant_table, 6, 5), -XEN_EINVAL);
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_grant_table, 1ull << 32, 5),
			 -XEN_EINVAL);
	ck_assert_int_eq(
		add(by_dom, DOMID_SELF, XENMAPSPACE_grant_table, XENMAPIDX_grant_table_status, 5),
		-XEN_EINVAL);
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_gmfn, 1, 5), -XEN_ENOSYS);
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_gmfn_range, 1, 5), -XEN_ENOSYS);
	ck_assert_int_eq(add(by_svc, DOMID_SELF, XENMAPSPACE_gmfn_foreign, 1, 5), -XEN_ENOSYS);
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_dev_mmio, 1, 5), -XEN_ENOSYS);
	ck_assert_int_eq(add(by_dom, DOMID_SELF, 6, 1, 5), -XEN_EINVAL);
	ck_assert_int_eq(add(by_dom, 0, XENMAPSPACE_shared_info, 0, 5), -XEN_EPERM);
	ck_assert_int_eq(add(by_svc, 99, XENMAPSPACE_shared_info, 0, 5), -XEN_ESRCH);
	fake_guest_fault_reads();
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_shared_info, 0, 5), -XEN_EFAULT);
	ck_assert_uint_eq(entry_at(dom, 5).kind, P2M_HOLE);
	ck_assert_uint_eq(dom->refcount, 1);
}
END_TEST

START_TEST(add_to_physmap_without_memory_changes_nothing)
{
	fake_p2m_fail_after(0);
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_shared_info, 0, 5), -XEN_ENOMEM);
	ck_assert_uint_eq(dom->shared_info_gfn.n, GFN_NONE.n);
	ck_assert_uint_eq(mfn_to_page(ptr_to_mfn(dom->shared_info))->count, 1);
	fake_alloc_budget = 0;
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_grant_table, 0, 5), -XEN_ENOMEM);
}
END_TEST

/* add_to_physmap_batch ------------------------------------------------------------------------------ */

static guest_ptr_t errs;

static guest_ptr_t put_batch(domid_t domid, unsigned space, domid_t foreign, const uint64_t *idx,
			     const uint64_t *gfn, unsigned nr)
{
	struct xen_add_to_physmap_batch op = { .domid = domid,
					       .space = (uint16_t)space,
					       .size = (uint16_t)nr,
					       .u.foreign_domid = foreign };
	struct compat_xen_add_to_physmap_batch c = { .domid = domid,
						     .space = (uint16_t)space,
						     .size = (uint16_t)nr,
						     .u.foreign_domid = foreign };

	op.idxs = put_list(idx, nr).va;
	op.gpfns = put_list(gfn, nr).va;
	errs = fake_guest_space(nr * sizeof(int32_t));
	memset(fake_guest_at(errs), 0x55, nr * sizeof(int32_t));
	op.errs = errs.va;
	c.idxs = (uint32_t)op.idxs;
	c.gpfns = (uint32_t)op.gpfns;
	c.errs = (uint32_t)op.errs;
	return compat ? fake_guest_put(&c, sizeof(c)) : fake_guest_put(&op, sizeof(op));
}

static int64_t add_foreign(uint64_t idx, uint64_t gfn)
{
	return call(by_svc, XENMEM_add_to_physmap_batch,
		    put_batch(DOMID_SELF, XENMAPSPACE_gmfn_foreign, 1, &idx, &gfn, 1));
}

static int32_t err_of(unsigned i)
{
	return ((int32_t *)fake_guest_at(errs))[i];
}

START_TEST(a_foreign_page_is_counted_writable_and_out_of_devices_reach)
{
	struct p2m_entry e;

	fake_iommu_enable();
	ck_assert_int_eq(populate(by_dom, 7, 0), 1);
	ck_assert_int_eq(add_foreign(7, 0x10000), 0);
	ck_assert_int_eq(err_of(0), 0);
	e = entry_at(svc, 0x10000);
	ck_assert_uint_eq(e.kind, P2M_FOREIGN);
	ck_assert_uint_eq(e.access, P2M_WRITE);
	ck_assert_uint_eq(e.mfn.n, entry_at(dom, 7).mfn.n);
	ck_assert_uint_eq(mfn_to_page(e.mfn)->count, 2);
	ck_assert_uint_eq(dom->refcount, 2); /* for its pages */
	ck_assert_uint_eq(fake_nr_iommu_flushes, 0);
}
END_TEST

START_TEST(a_foreign_page_that_is_read_only_there_is_read_only_here)
{
	mfn_t mfn;

	ck_assert_int_eq(page_alloc_domain(dom, 0, 0, &mfn), 0);
	map_other(dom, 7, mfn, P2M_RAM); /* no rights but to read */
	ck_assert_int_eq(add_foreign(7, 0x10000), 0);
	ck_assert_int_eq(err_of(0), 0);
	ck_assert_uint_eq(entry_at(svc, 0x10000).access, 0);
}
END_TEST

START_TEST(each_entry_of_a_batch_has_its_own_result)
{
	uint64_t idx[4] = { 1, 99, 2, 3 }, gfn[4] = { 0x101, 0x102, UINT64_MAX, 0x104 };
	uint64_t src[3] = { 1, 2, 3 };

	ck_assert_int_eq(reserve(by_dom, XENMEM_populate_physmap, src, 3, 0), 3);
	ck_assert_int_eq(call(by_svc, XENMEM_add_to_physmap_batch,
			      put_batch(DOMID_SELF, XENMAPSPACE_gmfn_foreign, 1, idx, gfn, 4)),
			 0);
	ck_assert_int_eq(err_of(0), 0);
	ck_assert_int_eq(err_of(1), -XEN_EINVAL);
	ck_assert_int_eq(err_of(2), -XEN_EINVAL);
	ck_assert_int_eq(err_of(3), 0);
	ck_assert_uint_eq(mfn_to_page(entry_at(dom, 2).mfn)->count, 1);
	ck_assert_uint_eq(entry_at(svc, 0x104).kind, P2M_FOREIGN);
}
END_TEST

START_TEST(a_foreign_page_outlives_its_removal_by_the_owner)
{
	mfn_t mfn;

	ck_assert_int_eq(populate(by_dom, 7, 0), 1);
	ck_assert_int_eq(add_foreign(7, 0x100), 0);
	mfn = entry_at(svc, 0x100).mfn;
	ck_assert_int_eq(reserve(by_dom, XENMEM_decrease_reservation, &(uint64_t){ 7 }, 1, 0), 1);
	ck_assert_uint_eq(mfn_to_page(mfn)->owner, 1);
	ck_assert_uint_eq(entry_at(svc, 0x100).kind, P2M_FOREIGN);
	ck_assert_uint_eq(dom->nr_pages, 1);
}
END_TEST

START_TEST(only_ram_of_the_other_domain_can_be_mapped)
{
	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_shared_info, 0, 7), 0);
	map_other(dom, 8, FAKE_MMIO_MFN, P2M_MMIO);
	for (uint64_t idx = 7; idx <= 9; idx++) {
		ck_assert_int_eq(add_foreign(idx, 0x100), 0);
		ck_assert_int_eq(err_of(0), -XEN_EINVAL);
	}
	ck_assert_uint_eq(entry_at(svc, 0x100).kind, P2M_HOLE);
}
END_TEST

START_TEST(foreign_pages_are_for_the_privileged_caller_alone)
{
	uint64_t idx = 1, gfn = 2;

	ck_assert_int_eq(call(by_dom, XENMEM_add_to_physmap_batch,
			      put_batch(DOMID_SELF, XENMAPSPACE_gmfn_foreign, 0, &idx, &gfn, 1)),
			 -XEN_EPERM);
	ck_assert_int_eq(call(by_svc, XENMEM_add_to_physmap_batch,
			      put_batch(1, XENMAPSPACE_gmfn_foreign, 0, &idx, &gfn, 1)),
			 -XEN_EPERM);
	ck_assert_int_eq(call(by_svc, XENMEM_add_to_physmap_batch,
			      put_batch(DOMID_SELF, XENMAPSPACE_gmfn_foreign, 0, &idx, &gfn, 1)),
			 -XEN_EINVAL);
	ck_assert_int_eq(
		call(by_svc, XENMEM_add_to_physmap_batch,
		     put_batch(DOMID_SELF, XENMAPSPACE_gmfn_foreign, DOMID_SELF, &idx, &gfn, 1)),
		-XEN_EINVAL);
	ck_assert_int_eq(call(by_svc, XENMEM_add_to_physmap_batch,
			      put_batch(DOMID_SELF, XENMAPSPACE_gmfn_foreign, 99, &idx, &gfn, 1)),
			 -XEN_ESRCH);
	ck_assert_int_eq(call(by_svc, XENMEM_add_to_physmap_batch,
			      put_batch(99, XENMAPSPACE_gmfn_foreign, 1, &idx, &gfn, 1)),
			 -XEN_ESRCH);
	ck_assert_uint_eq(dom->refcount, 1);
	ck_assert_uint_eq(svc->refcount, 1);
}
END_TEST

START_TEST(other_spaces_can_be_batched_too)
{
	uint64_t idx[2] = { 1, 0 }, gfn[2] = { 0x201, 0x200 };

	compat = true;
	ck_assert_int_eq(call(by_dom, XENMEM_add_to_physmap_batch,
			      put_batch(DOMID_SELF, XENMAPSPACE_grant_table, 0, idx, gfn, 2)),
			 0);
	ck_assert_int_eq(err_of(1), 0);
	ck_assert_uint_eq(entry_at(dom, 0x200).kind, P2M_SHARED);
	ck_assert_int_eq(call(by_dom, XENMEM_add_to_physmap_batch,
			      put_batch(DOMID_SELF, XENMAPSPACE_grant_table, 1, idx, gfn, 2)),
			 -XEN_EINVAL);
}
END_TEST

START_TEST(a_batch_fails_with_EFAULT_on_each_copy_in)
{
	ck_assert_int_eq(populate(by_dom, 7, 0), 1);
	for (long n = 0; n < 3; n++) {
		fake_guest_fault_reads_after(n);
		ck_assert_int_eq(add_foreign(7, 0x100), -XEN_EFAULT);
	}
	compat = true;
	fake_guest_fault_reads();
	ck_assert_int_eq(add_foreign(7, 0x100), -XEN_EFAULT);
	ck_assert_uint_eq(entry_at(svc, 0x100).kind, P2M_HOLE);
	ck_assert_uint_eq(dom->refcount, 2);
}
END_TEST

START_TEST(a_foreign_mapping_is_undone_when_its_result_cannot_be_written)
{
	ck_assert_int_eq(populate(by_dom, 7, 0), 1);
	fake_guest_fault_writes();
	ck_assert_int_eq(add_foreign(7, 0x100), -XEN_EFAULT);
	ck_assert_uint_eq(entry_at(svc, 0x100).kind, P2M_HOLE);
	ck_assert_uint_eq(mfn_to_page(entry_at(dom, 7).mfn)->count, 1);
}
END_TEST

START_TEST(a_batch_is_preemptible)
{
	uint64_t idx[9], gfn[9];
	unsigned rounds;
	guest_ptr_t arg;

	fill(idx, 9, 1);
	fill(gfn, 9, 0x100);
	ck_assert_int_eq(reserve(by_dom, XENMEM_populate_physmap, idx, 9, 0), 9);
	fake_should_stop = true;
	arg = put_batch(DOMID_SELF, XENMAPSPACE_gmfn_foreign, 1, idx, gfn, 9);
	ck_assert_int_eq(call_to_the_end(by_svc, XENMEM_add_to_physmap_batch, arg, &rounds), 0);
	ck_assert_uint_eq(rounds, 9);
	for (unsigned i = 0; i < 9; i++)
		ck_assert_int_eq(err_of(i), 0);
	ck_assert_int_eq(call(by_svc, XENMEM_add_to_physmap_batch | 10 << MEMOP_EXTENT_SHIFT, arg),
			 -XEN_EINVAL);
}
END_TEST

/* remove_from_physmap ------------------------------------------------------------------------------- */

static int64_t remove_gfn(struct vcpu *v, domid_t domid, uint64_t gfn)
{
	struct xen_remove_from_physmap op = { .domid = domid, .gpfn = gfn };
	struct compat_xen_remove_from_physmap c = { .domid = domid, .gpfn = (uint32_t)gfn };

	return call(v, XENMEM_remove_from_physmap,
		    compat ? fake_guest_put(&c, sizeof(c)) : fake_guest_put(&op, sizeof(op)));
}

START_TEST(remove_takes_away_foreign_shared_and_own_pages)
{
	ck_assert_int_eq(populate(by_dom, 7, 0), 1);
	ck_assert_int_eq(add_foreign(7, 0x100), 0);
	ck_assert_int_eq(remove_gfn(by_svc, DOMID_SELF, 0x100), 0);
	ck_assert_uint_eq(entry_at(svc, 0x100).kind, P2M_HOLE);
	ck_assert_uint_eq(mfn_to_page(entry_at(dom, 7).mfn)->count, 1);

	ck_assert_int_eq(add(by_dom, DOMID_SELF, XENMAPSPACE_shared_info, 0, 8), 0);
	compat = true;
	ck_assert_int_eq(remove_gfn(by_dom, DOMID_SELF, 8), 0);
	ck_assert_uint_eq(mfn_to_page(ptr_to_mfn(dom->shared_info))->count, 1);
	ck_assert_int_eq(remove_gfn(by_svc, 1, 7), 0);
	ck_assert_uint_eq(dom->nr_pages, 0);
}
END_TEST

START_TEST(remove_fails_with_ENOENT_on_a_hole_and_EBUSY_for_grants_and_machine_addresses)
{
	mfn_t mfn;

	ck_assert_int_eq(page_alloc_domain(svc, 0, 0, &mfn), 0);
	map_other(dom, 1, mfn, P2M_GRANT);
	map_other(dom, 2, FAKE_MMIO_MFN, P2M_MMIO);
	ck_assert_int_eq(remove_gfn(by_dom, DOMID_SELF, 1), -XEN_EBUSY);
	ck_assert_int_eq(remove_gfn(by_dom, DOMID_SELF, 2), -XEN_EBUSY);
	ck_assert_int_eq(remove_gfn(by_dom, DOMID_SELF, 3), -XEN_ENOENT);
	ck_assert_int_eq(remove_gfn(by_dom, DOMID_SELF, UINT64_MAX), -XEN_EINVAL);
	ck_assert_int_eq(remove_gfn(by_dom, 0, 3), -XEN_EPERM);
	fake_guest_fault_reads();
	ck_assert_int_eq(remove_gfn(by_dom, DOMID_SELF, 1), -XEN_EFAULT);
}
END_TEST

/* acquire_resource ------------------------------------------------------------------------------------ */

static guest_ptr_t put_resource(const struct xen_mem_acquire_resource *op)
{
	struct compat_xen_mem_acquire_resource c = { .domid = op->domid,
						     .type = op->type,
						     .id = op->id,
						     .nr_frames = op->nr_frames,
						     .pad = op->pad,
						     .frame = op->frame,
						     .frame_list = (uint32_t)op->frame_list };

	return compat ? fake_guest_put(&c, sizeof(c)) : fake_guest_put(op, sizeof(*op));
}

static int64_t acquire(struct vcpu *v, const struct xen_mem_acquire_resource *op)
{
	return call(v, XENMEM_acquire_resource, put_resource(op));
}

START_TEST(a_guests_grant_frames_can_be_mapped)
{
	uint64_t gfn[2] = { 0x300, 0x301 };
	struct xen_mem_acquire_resource op = {
		.domid = 1, .type = XENMEM_resource_grant_table, .nr_frames = 2, .frame = 1
	};

	dom->grant.max_frames = 64;
	for (unsigned i = 0; i < 2; i++) {
		compat = i;
		op.frame_list = put_list(gfn, 2).va;
		ck_assert_int_eq(acquire(by_svc, &op), 0);
		ck_assert_ptr_eq(mfn_to_ptr(entry_at(svc, 0x300).mfn), dom->grant.frame[1]);
		ck_assert_ptr_eq(mfn_to_ptr(entry_at(svc, 0x301).mfn), dom->grant.frame[2]);
		ck_assert_uint_eq(mfn_to_page(entry_at(svc, 0x300).mfn)->count, 2);
	}
	ck_assert_uint_eq(dom->refcount, 1);
}
END_TEST

START_TEST(without_a_list_the_size_is_told)
{
	struct xen_mem_acquire_resource op = { .domid = 1, .type = XENMEM_resource_grant_table };
	guest_ptr_t arg = put_resource(&op);

	dom->grant.max_frames = 64;
	ck_assert_int_eq(call(by_svc, XENMEM_acquire_resource, arg), 0);
	ck_assert_uint_eq(((struct xen_mem_acquire_resource *)fake_guest_at(arg))->nr_frames, 64);
	arg = put_resource(&op);
	fake_guest_fault_writes();
	ck_assert_int_eq(call(by_svc, XENMEM_acquire_resource, arg), -XEN_EFAULT);
}
END_TEST

START_TEST(acquire_rejects_bad_arguments)
{
	const struct xen_mem_acquire_resource good = { .domid = 1,
						       .type = XENMEM_resource_grant_table,
						       .nr_frames = 1,
						       .frame_list = fake_guest_space(8).va };
	struct xen_mem_acquire_resource op;

	dom->grant.max_frames = 64;
	op = good;
	op.pad = 1;
	ck_assert_int_eq(acquire(by_svc, &op), -XEN_EINVAL);
	op = good;
	op.type = XENMEM_resource_ioreq_server;
	ck_assert_int_eq(acquire(by_svc, &op), -XEN_EOPNOTSUPP);
	op = good;
	op.id = XENMEM_resource_grant_table_id_status;
	ck_assert_int_eq(acquire(by_svc, &op), -XEN_EINVAL);
	op = good;
	op.frame_list = 0;
	ck_assert_int_eq(acquire(by_svc, &op), -XEN_EINVAL);
	op = good;
	op.frame = 64;
	ck_assert_int_eq(acquire(by_svc, &op), -XEN_EINVAL);
	op.frame = UINT64_MAX;
	op.nr_frames = 2;
	ck_assert_int_eq(acquire(by_svc, &op), -XEN_EINVAL);
	ck_assert_int_eq(
		call(by_svc, XENMEM_acquire_resource | 1 << MEMOP_EXTENT_SHIFT, put_resource(&op)),
		-XEN_EINVAL);
	op = good;
	op.nr_frames = UINT32_MAX;
	ck_assert_int_eq(acquire(by_svc, &op), -XEN_EINVAL);
	op = good;
	op.domid = 99;
	ck_assert_int_eq(acquire(by_svc, &op), -XEN_ESRCH);
	ck_assert_int_eq(acquire(by_dom, &good), -XEN_EPERM);
	for (long n = 0; n < 2; n++) {
		fake_guest_fault_reads_after(n);
		ck_assert_int_eq(acquire(by_svc, &good), -XEN_EFAULT);
	}
	compat = true;
	fake_guest_fault_reads();
	ck_assert_int_eq(acquire(by_svc, &good), -XEN_EFAULT);
	ck_assert_uint_eq(dom->refcount, 1);
}
END_TEST

START_TEST(acquire_without_memory_leaves_no_count)
{
	struct xen_mem_acquire_resource op = { .domid = 1,
					       .type = XENMEM_resource_grant_table,
					       .nr_frames = 1 };
	mfn_t mfn;

	dom->grant.max_frames = 64;
	op.frame_list = put_list(&(uint64_t){ 0x300 }, 1).va;
	ck_assert_int_eq(gnttab_get_frame(dom, 0, &mfn), 0);
	fake_p2m_fail_after(0);
	ck_assert_int_eq(acquire(by_svc, &op), -XEN_ENOMEM);
	ck_assert_uint_eq(mfn_to_page(mfn)->count, 1);
	ck_assert_uint_eq(dom->refcount, 1);
}
END_TEST

START_TEST(acquire_is_preemptible)
{
	struct xen_mem_acquire_resource op = { .domid = 1,
					       .type = XENMEM_resource_grant_table,
					       .nr_frames = 3 };
	uint64_t gfn[3] = { 0x300, 0x301, 0x302 };
	unsigned rounds;
	guest_ptr_t arg;

	dom->grant.max_frames = 64;
	fake_should_stop = true;
	op.frame_list = put_list(gfn, 3).va;
	arg = put_resource(&op);
	ck_assert_int_eq(call_to_the_end(by_svc, XENMEM_acquire_resource, arg, &rounds), 0);
	ck_assert_uint_eq(rounds, 3);
	ck_assert_uint_eq(entry_at(svc, 0x302).kind, P2M_SHARED);
	ck_assert_int_eq(call(by_svc, XENMEM_acquire_resource | 4 << MEMOP_EXTENT_SHIFT, arg),
			 -XEN_EINVAL);
}
END_TEST

UNIT_MAIN("memory-op", setup, teardown, unknown_commands_fail_with_ENOSYS,
	  populate_gives_zeroed_ram_and_returns_the_number_of_extents,
	  populate_maps_2m_as_one_block_where_it_is_aligned,
	  populate_maps_orders_between_page_by_page,
	  the_service_vms_ram_is_reachable_for_its_devices,
	  populate_stops_at_an_extent_that_is_in_use,
	  an_extent_that_is_half_in_use_is_given_back_whole, populate_stops_at_the_domains_limit,
	  populate_stops_without_memory_and_without_table_memory,
	  populate_rejects_frames_beyond_the_physmap, populate_heeds_address_bits_and_node,
	  reservations_fail_with_EINVAL_for_orders_and_counts_that_cannot_be,
	  only_the_privileged_change_another_domains_reservation,
	  a_reservation_that_cannot_be_read_fails_with_EFAULT,
	  a_list_that_cannot_be_read_ends_the_operation,
	  populate_is_preemptible_and_goes_on_where_it_was,
	  large_extents_can_be_preempted_one_by_one, callers_in_32_bit_code_have_their_own_layouts,
	  decrease_frees_pages_with_one_flush_for_a_batch,
	  decrease_takes_blocks_whole_and_small_pages_one_by_one,
	  decrease_splits_a_block_for_a_single_page, decrease_stops_at_what_is_no_ram_of_the_domain,
	  a_page_that_is_pinned_leaves_the_physmap_but_not_the_account,
	  numbers_of_a_domain_are_told, the_memory_map_is_copied_out_with_its_length,
	  the_memory_map_fails_with_ENOSYS_without_one_and_ENOBUFS_without_room,
	  the_memory_map_fails_with_EFAULT_on_each_copy, shared_info_takes_the_place_of_a_ram_page,
	  shared_info_is_seen_at_one_place_only, what_came_to_shared_infos_old_place_stays,
	  the_kernel_that_maps_shared_info_decides_its_layout,
	  grant_frames_are_mapped_highest_first_and_move,
	  a_grant_table_that_has_to_grow_much_does_not_hold_the_cpu,
	  hypervisor_pages_may_go_where_a_machine_address_was, a_grant_mapping_is_not_replaced,
	  add_to_physmap_rejects_bad_arguments, add_to_physmap_without_memory_changes_nothing,
	  a_foreign_page_is_counted_writable_and_out_of_devices_reach,
	  a_foreign_page_that_is_read_only_there_is_read_only_here,
	  each_entry_of_a_batch_has_its_own_result,
	  a_foreign_page_outlives_its_removal_by_the_owner,
	  only_ram_of_the_other_domain_can_be_mapped,
	  foreign_pages_are_for_the_privileged_caller_alone, other_spaces_can_be_batched_too,
	  a_batch_fails_with_EFAULT_on_each_copy_in,
	  a_foreign_mapping_is_undone_when_its_result_cannot_be_written, a_batch_is_preemptible,
	  remove_takes_away_foreign_shared_and_own_pages,
	  remove_fails_with_ENOENT_on_a_hole_and_EBUSY_for_grants_and_machine_addresses,
	  a_guests_grant_frames_can_be_mapped, without_a_list_the_size_is_told,
	  acquire_rejects_bad_arguments, acquire_without_memory_leaves_no_count,
	  acquire_is_preemptible)
