/* Mapping and unmapping by reference: the guest (domain 1) grants, the service VM maps. */
#include "calls.h"
#include "unit.h"

#define RAM_GFN 0x10u /* the guest's page, granted by REF */
#define REF     8u
#define SCRATCH 0x900u /* where the service VM maps */

static uint8_t *ram;
static uint32_t guest_refs;

static void setup(void)
{
	world_setup();
	fake_iommu_enable();
	ram = world_ram(guest, RAM_GFN);
	grant(guest, REF, 0, RAM_GFN, PERMIT);
	guest_refs = guest->refcount;
}

static uint16_t busy(void)
{
	return grant_entry(guest, REF)->flags & (GTF_reading | GTF_writing);
}

/* Nothing is in use any more, and nothing was lost. */
static void ck_unused(void)
{
	ck_assert_uint_eq(busy(), 0);
	ck_assert_uint_eq(world_page_count(ram), 1);
	ck_assert_uint_eq(guest->refcount, guest_refs);
}

static int16_t try_map(domid_t dom, grant_ref_t ref, uint64_t gfn, uint32_t flags)
{
	grant_handle_t handle;

	return map(service, dom, ref, gfn, flags, &handle);
}

/* Happy ---------------------------------------------------------------------------------------- */

START_TEST(a_mapping_shows_the_page_and_marks_the_entry)
{
	map_ok(service, 1, REF, SCRATCH, HOST_MAP);
	ck_assert_uint_eq(at(service, SCRATCH).kind, P2M_GRANT);
	ck_assert_uint_eq(at(service, SCRATCH).access, P2M_WRITE | P2M_DMA);
	ck_assert_uint_eq(at(service, SCRATCH).mfn.n, ptr_to_mfn(ram).n);
	ck_assert_uint_eq(busy(), GTF_reading | GTF_writing);
	ck_assert_uint_eq(world_page_count(ram), 2);
	ck_assert_uint_eq(guest->refcount, guest_refs + 1);
}
END_TEST

START_TEST(a_readonly_mapping_cannot_be_written)
{
	map_ok(service, 1, REF, SCRATCH, READONLY);
	ck_assert_uint_eq(at(service, SCRATCH).access, P2M_DMA);
	ck_assert_uint_eq(busy(), GTF_reading);
}
END_TEST

START_TEST(unmap_flushes_vcpus_and_devices_and_gives_all_back)
{
	grant_handle_t handle = map_ok(service, 1, REF, SCRATCH, HOST_MAP);
	unsigned nr_flushes = service->arch.nr_flushes;

	ck_assert_int_eq(unmap(service, handle, SCRATCH), GNTST_okay);
	ck_assert_uint_eq(at(service, SCRATCH).kind, P2M_HOLE);
	ck_assert_uint_eq(service->arch.nr_flushes, nr_flushes + 1);
	ck_assert_uint_eq(fake_nr_iommu_flushes, 1);
	ck_assert_uint_eq(fake_iommu_flush_gfn.n, SCRATCH);
	ck_assert_uint_eq(fake_iommu_flush_pages, 1);
	ck_unused();
}
END_TEST

START_TEST(busy_bits_stay_as_long_as_anyone_needs_them)
{
	grant_handle_t r1, r2, w;

	r1 = map_ok(service, 1, REF, SCRATCH, READONLY);
	w = map_ok(service, 1, REF, SCRATCH + 1, HOST_MAP);
	r2 = map_ok(service, 1, REF, SCRATCH + 2, READONLY);
	ck_assert_uint_eq(world_page_count(ram), 2); /* pinned once */
	unmap(service, r1, 0);
	ck_assert_uint_eq(busy(), GTF_reading | GTF_writing);
	unmap(service, w, SCRATCH + 1);
	ck_assert_uint_eq(busy(), GTF_reading);
	unmap(service, r2, 0);
	ck_unused();
	w = map_ok(service, 1, REF, SCRATCH, HOST_MAP);
	unmap(service, w, 0);
	ck_unused();
}
END_TEST

START_TEST(a_domain_may_map_its_own_grant)
{
	grant_handle_t handle;

	grant(guest, 9, 1, RAM_GFN, PERMIT);
	handle = map_ok(guest, DOMID_SELF, 9, SCRATCH, HOST_MAP);
	ck_assert_uint_eq(guest->refcount, guest_refs + 1);
	ck_assert_int_eq(unmap(guest, handle, SCRATCH), GNTST_okay);
	ck_unused();
}
END_TEST

START_TEST(a_domain_without_devices_costs_the_iommu_nothing)
{
	grant_handle_t handle;

	grant(guest, 9, 1, RAM_GFN, PERMIT);
	handle = map_ok(guest, DOMID_SELF, 9, SCRATCH, HOST_MAP);
	ck_assert_uint_eq(at(guest, SCRATCH).access, P2M_WRITE);
	ck_assert_int_eq(unmap(guest, handle, SCRATCH), GNTST_okay);
	ck_assert_uint_eq(fake_nr_iommu_flushes, 0);
}
END_TEST

START_TEST(references_of_all_frames_of_the_table_work)
{
	ck_assert_int_eq(gnttab_grow(guest, 3), 0);
	grant(guest, 2 * 512 + 511, 0, RAM_GFN, PERMIT);
	unmap(service, map_ok(service, 1, 2 * 512 + 511, SCRATCH, HOST_MAP), 0);
	ck_assert_int_eq(try_map(1, 3 * 512, SCRATCH, HOST_MAP), GNTST_bad_gntref);
	ck_unused();
}
END_TEST

START_TEST(a_batch_of_unmaps_costs_one_flush)
{
	struct gnttab_unmap_grant_ref ops[16] = { 0 };
	unsigned nr_flushes;

	for (unsigned i = 0; i < 16; i++)
		ops[i].handle = map_ok(service, 1, REF, SCRATCH + i * 3, READONLY);
	nr_flushes = service->arch.nr_flushes;
	ck_assert_int_eq(grant_op(service->vcpu[0], GNTTABOP_unmap_grant_ref, ops, sizeof(ops), 16),
			 0);
	ck_assert_uint_eq(service->arch.nr_flushes, nr_flushes + 1);
	ck_assert_uint_eq(fake_nr_iommu_flushes, 1);
	ck_assert_uint_eq(fake_iommu_flush_gfn.n, SCRATCH);
	ck_assert_uint_eq(fake_iommu_flush_pages, 46);
	ck_unused();
}
END_TEST

/* Refused -------------------------------------------------------------------------------------- */

START_TEST(only_the_domain_that_the_entry_names_may_map)
{
	grant_handle_t handle;

	ck_assert_int_eq(map(third, 1, REF, SCRATCH, HOST_MAP, &handle), GNTST_permission_denied);
	ck_assert_int_eq(map(guest, 1, REF, SCRATCH, HOST_MAP, &handle), GNTST_permission_denied);
	ck_assert_int_eq(try_map(2, REF, SCRATCH, HOST_MAP), GNTST_permission_denied);
	ck_assert_int_eq(try_map(99, REF, SCRATCH, HOST_MAP), GNTST_bad_domain);
	ck_assert_int_eq(try_map(DOMID_INVALID, REF, SCRATCH, HOST_MAP), GNTST_bad_domain);
	ck_unused();
}
END_TEST

START_TEST(references_beyond_the_table_are_refused)
{
	ck_assert_int_eq(try_map(1, 512, SCRATCH, HOST_MAP), GNTST_bad_gntref);
	ck_assert_int_eq(try_map(1, UINT32_MAX, SCRATCH, HOST_MAP), GNTST_bad_gntref);
}
END_TEST

START_TEST(entries_that_do_not_permit_access_are_refused)
{
	static const uint16_t bad[] = { GTF_invalid, GTF_accept_transfer, GTF_transitive,
					PERMIT | GTF_sub_page };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		grant(guest, REF, 0, RAM_GFN, bad[i]);
		ck_assert_int_eq(try_map(1, REF, SCRATCH, READONLY), GNTST_permission_denied);
		ck_assert_uint_eq(grant_entry(guest, REF)->flags, bad[i]);
	}
	ck_unused();
}
END_TEST

START_TEST(a_readonly_grant_is_not_mapped_for_writing)
{
	grant_handle_t handle;

	grant(guest, REF, 0, RAM_GFN, PERMIT | GTF_readonly);
	ck_assert_int_eq(try_map(1, REF, SCRATCH, HOST_MAP), GNTST_permission_denied);
	ck_unused();
	handle = map_ok(service, 1, REF, SCRATCH, READONLY);
	ck_assert_int_eq(try_map(1, REF, SCRATCH + 1, HOST_MAP), GNTST_permission_denied);
	ck_assert_uint_eq(busy(), GTF_reading);
	unmap(service, handle, 0);
	ck_unused();
}
END_TEST

START_TEST(only_the_granters_own_ram_can_be_granted)
{
	grant_handle_t handle;

	grant(guest, REF, 0, RAM_GFN + 1, PERMIT); /* a hole */
	ck_assert_int_eq(try_map(1, REF, SCRATCH, HOST_MAP), GNTST_bad_page);
	grant(guest, REF, 0, UINT32_MAX, PERMIT);
	ck_assert_int_eq(try_map(1, REF, SCRATCH, HOST_MAP), GNTST_bad_page);
	ck_assert_uint_eq(busy(), 0);

	/* What it has mapped by grant itself. */
	world_ram(third, 5);
	grant(third, 1, 1, 5, PERMIT);
	handle = map_ok(guest, 2, 1, RAM_GFN + 2, HOST_MAP);
	grant(guest, REF, 0, RAM_GFN + 2, PERMIT);
	ck_assert_int_eq(try_map(1, REF, SCRATCH, HOST_MAP), GNTST_bad_page);
	ck_assert_int_eq(unmap(guest, handle, 0), GNTST_okay);
	ck_unused();
}
END_TEST

START_TEST(ram_that_the_granter_cannot_write_is_mapped_for_reading_only)
{
	const void *page = world_readonly_ram(guest, RAM_GFN + 3);
	grant_handle_t handle;

	grant(guest, REF, 0, RAM_GFN + 3, PERMIT);
	ck_assert_int_eq(try_map(1, REF, SCRATCH, HOST_MAP), GNTST_bad_page);
	ck_assert_uint_eq(busy(), 0);
	handle = map_ok(service, 1, REF, SCRATCH, READONLY);
	/* Not by the back door of a use that has begun, either. */
	ck_assert_int_eq(try_map(1, REF, SCRATCH + 1, HOST_MAP), GNTST_bad_page);
	ck_assert_uint_eq(busy(), GTF_reading);
	ck_assert_uint_eq(world_page_count(page), 2);
	unmap(service, handle, 0);
	ck_assert_uint_eq(world_page_count(page), 1);
}
END_TEST

START_TEST(a_dying_granter_lends_no_more)
{
	grant_handle_t handle = map_ok(service, 1, REF, SCRATCH, HOST_MAP);

	guest->dying = true;
	ck_assert_int_eq(try_map(1, REF, SCRATCH + 1, HOST_MAP), GNTST_bad_domain);
	ck_assert_int_eq(unmap(service, handle, SCRATCH), GNTST_okay);
	ck_unused();
}
END_TEST

START_TEST(only_mappings_at_guest_physical_pages_are_made)
{
	struct gnttab_map_grant_ref op = {
		.host_addr = SCRATCH * PAGE_SIZE + 8, .flags = HOST_MAP, .ref = REF, .dom = 1
	};

	ck_assert_int_eq(try_map(1, REF, SCRATCH, 0), GNTST_general_error);
	ck_assert_int_eq(try_map(1, REF, SCRATCH, GNTMAP_device_map), GNTST_general_error);
	ck_assert_int_eq(try_map(1, REF, SCRATCH, HOST_MAP | GNTMAP_contains_pte),
			 GNTST_general_error);
	ck_assert_int_eq(try_map(1, REF, SCRATCH, HOST_MAP | GNTMAP_application_map),
			 GNTST_general_error);
	ck_assert_int_eq(try_map(1, REF, SCRATCH, HOST_MAP | 1u << 31), GNTST_general_error);
	ck_assert_int_eq(grant_op(service->vcpu[0], GNTTABOP_map_grant_ref, &op, sizeof(op), 1), 0);
	ck_assert_int_eq(op.status, GNTST_bad_virt_addr);
	ck_assert_uint_eq(op.dev_bus_addr, 0);
	ck_unused();
	unmap(service, map_ok(service, 1, REF, SCRATCH, HOST_MAP | GNTMAP_device_map), 0);
	ck_unused();
}
END_TEST

START_TEST(a_mapping_that_finds_no_place_is_undone)
{
	unsigned nr_flushes = service->arch.nr_flushes;

	world_ram(service, 7);
	ck_assert_int_eq(try_map(1, REF, 7, HOST_MAP), GNTST_general_error);
	ck_unused();
	ck_assert_int_eq(try_map(1, REF, UINT64_MAX >> PAGE_SHIFT, HOST_MAP), GNTST_general_error);
	ck_unused();
	fake_p2m_fail_after(0);
	ck_assert_int_eq(try_map(1, REF, SCRATCH, HOST_MAP), GNTST_general_error);
	fake_p2m_fail_after(-1);
	ck_unused();
	ck_assert_uint_eq(service->arch.nr_flushes, nr_flushes);
}
END_TEST

/* Handles -------------------------------------------------------------------------------------- */

START_TEST(a_handle_that_is_guessed_is_refused)
{
	grant_handle_t handle;

	ck_assert_int_eq(unmap(service, 0, 0), GNTST_bad_handle); /* there is no table yet */
	handle = map_ok(service, 1, REF, SCRATCH, HOST_MAP);
	ck_assert_int_eq(unmap(service, handle + 1, 0), GNTST_bad_handle);
	ck_assert_int_eq(unmap(service, handle + 128, 0), GNTST_bad_handle);
	ck_assert_int_eq(unmap(service, MAPTRACK_NONE, 0), GNTST_bad_handle);
	ck_assert_int_eq(unmap(third, handle, 0), GNTST_bad_handle);
	ck_assert_uint_eq(busy(), GTF_reading | GTF_writing);
	ck_assert_int_eq(unmap(service, handle, 0), GNTST_okay);
	ck_assert_int_eq(unmap(service, handle, 0), GNTST_bad_handle);
	ck_unused();
}
END_TEST

START_TEST(a_handle_is_unmapped_only_at_its_own_address)
{
	grant_handle_t handle = map_ok(service, 1, REF, SCRATCH, HOST_MAP);
	struct gnttab_unmap_grant_ref bad[] = {
		{ .handle = handle, .host_addr = (SCRATCH + 1) * PAGE_SIZE },
		{ .handle = handle, .host_addr = SCRATCH * PAGE_SIZE + 1 },
		{ .handle = handle, .dev_bus_addr = (SCRATCH + 1) * PAGE_SIZE },
		{ .handle = handle,
		  .host_addr = SCRATCH * PAGE_SIZE,
		  .dev_bus_addr = (SCRATCH + 1) * PAGE_SIZE },
		{ .handle = handle, .dev_bus_addr = SCRATCH * PAGE_SIZE },
	};

	ck_assert_int_eq(grant_op(service->vcpu[0], GNTTABOP_unmap_grant_ref, bad, sizeof(bad), 5),
			 0);
	ck_assert_int_eq(bad[0].status, GNTST_bad_virt_addr);
	ck_assert_int_eq(bad[1].status, GNTST_bad_virt_addr);
	ck_assert_int_eq(bad[2].status, GNTST_bad_virt_addr);
	ck_assert_int_eq(bad[3].status, GNTST_bad_dev_addr);
	ck_assert_int_eq(bad[4].status, GNTST_okay);
	ck_unused();
}
END_TEST

START_TEST(handles_are_used_again_and_their_frames_grow)
{
	grant_handle_t handle[300];

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 300; i++)
			handle[i] = map_ok(service, 1, REF, SCRATCH + i, READONLY);
		ck_assert_uint_eq(service->grant.nr_maptrack_frames, 3);
		for (unsigned i = 0; i < 300; i++)
			ck_assert_int_eq(
				unmap(service, handle[(i * 7) % 300], SCRATCH + (i * 7) % 300),
				GNTST_okay);
		ck_unused();
	}
}
END_TEST

START_TEST(no_more_is_mapped_than_the_configuration_allows)
{
	static const struct domain_config small = { .max_maptrack_frames = 1 };
	grant_handle_t handle;

	world_destroy(&third);
	third = world_domain(2, &small);
	grant(guest, REF, 2, RAM_GFN, PERMIT);
	for (unsigned i = 0; i < 128; i++)
		handle = map_ok(third, 1, REF, SCRATCH + i, HOST_MAP);
	ck_assert_int_eq(map(third, 1, REF, SCRATCH + 200, HOST_MAP, &handle), GNTST_no_space);
	ck_assert_int_eq(unmap(third, 5, 0), GNTST_okay);
	map_ok(third, 1, REF, SCRATCH + 200, HOST_MAP);
}
END_TEST

START_TEST(without_memory_for_handles_nothing_is_mapped)
{
	for (long n = 0; n < 2; n++) {
		fake_alloc_budget = n;
		ck_assert_int_eq(try_map(1, REF, SCRATCH, HOST_MAP), GNTST_no_space);
		ck_unused();
	}
	fake_alloc_budget = -1;
	map_ok(service, 1, REF, SCRATCH, HOST_MAP);
}
END_TEST

/* A granter that changes its mind --------------------------------------------------------------- */

START_TEST(a_grant_revoked_in_use_stays_mapped_until_it_is_unmapped)
{
	grant_handle_t handle = map_ok(service, 1, REF, SCRATCH, HOST_MAP);

	grant_entry(guest, REF)->flags = GTF_invalid;
	ck_assert_int_eq(try_map(1, REF, SCRATCH + 1, HOST_MAP), GNTST_permission_denied);
	ck_assert_uint_eq(at(service, SCRATCH).kind, P2M_GRANT);
	ck_assert_uint_eq(world_page_count(ram), 2);
	ck_assert_int_eq(unmap(service, handle, 0), GNTST_okay);
	ck_unused();
}
END_TEST

START_TEST(an_entry_given_to_another_domain_while_busy_is_refused_to_it)
{
	grant_handle_t handle = map_ok(service, 1, REF, SCRATCH, READONLY), theirs;

	grant_entry(guest, REF)->domid = 2;
	ck_assert_int_eq(map(third, 1, REF, SCRATCH, HOST_MAP, &theirs), GNTST_permission_denied);
	ck_assert_uint_eq(busy(), GTF_reading); /* as the service VM's use made them */
	unmap(service, handle, 0);
	ck_unused();
	theirs = map_ok(third, 1, REF, SCRATCH, HOST_MAP);
	unmap(third, theirs, 0);
	ck_unused();
}
END_TEST

START_TEST(a_frame_changed_while_busy_counts_from_the_next_use_on)
{
	const void *page = world_ram(guest, RAM_GFN + 1);
	grant_handle_t a = map_ok(service, 1, REF, SCRATCH, HOST_MAP), b;

	grant_entry(guest, REF)->frame = RAM_GFN + 1;
	b = map_ok(service, 1, REF, SCRATCH + 1, HOST_MAP);
	ck_assert_uint_eq(at(service, SCRATCH + 1).mfn.n, ptr_to_mfn(ram).n);
	ck_assert_uint_eq(world_page_count(page), 1);
	unmap(service, a, 0);
	unmap(service, b, 0);
	ck_unused();
	a = map_ok(service, 1, REF, SCRATCH, HOST_MAP);
	ck_assert_uint_eq(at(service, SCRATCH).mfn.n, ptr_to_mfn(page).n);
	unmap(service, a, 0);
	ck_assert_uint_eq(world_page_count(page), 1);
}
END_TEST

START_TEST(a_frame_changed_between_reading_and_writing_is_refused)
{
	const void *page = world_ram(guest, RAM_GFN + 1);
	grant_handle_t handle = map_ok(service, 1, REF, SCRATCH, READONLY);

	grant_entry(guest, REF)->frame = RAM_GFN + 1;
	ck_assert_int_eq(try_map(1, REF, SCRATCH + 1, HOST_MAP), GNTST_bad_page);
	ck_assert_uint_eq(busy(), GTF_reading);
	ck_assert_uint_eq(world_page_count(page), 1);
	ck_assert_uint_eq(world_page_count(ram), 2);
	unmap(service, handle, 0);
	ck_unused();
}
END_TEST

START_TEST(a_page_given_back_while_mapped_lives_until_it_is_unmapped)
{
	grant_handle_t handle = map_ok(service, 1, REF, SCRATCH, HOST_MAP);

	world_drop_ram(guest, RAM_GFN);
	ck_assert_uint_eq(world_page_count(ram), 1);
	ck_assert_uint_eq(guest->nr_pages, 1);
	ck_assert_int_eq(unmap(service, handle, 0), GNTST_okay);
	ck_assert_uint_eq(guest->nr_pages, 0);
	ck_assert_uint_eq(world_page_count(ram), 0);
}
END_TEST

/* The end of either side ------------------------------------------------------------------------ */

START_TEST(a_granter_destroyed_while_mapped_keeps_page_and_structure)
{
	uint64_t nr_free = page_count_free();
	grant_handle_t handle = map_ok(service, 1, REF, SCRATCH, HOST_MAP);

	world_destroy(&guest);
	ck_assert_uint_eq(world_page_count(ram), 1);
	ram[0] = 42;
	ck_assert_uint_eq(at(service, SCRATCH).kind, P2M_GRANT);
	ck_assert_int_eq(try_map(1, REF, SCRATCH + 1, HOST_MAP), GNTST_bad_domain);
	ck_assert_int_eq(unmap(service, handle, 0), GNTST_okay);
	ck_assert_uint_gt(page_count_free(), nr_free);
	ck_assert_ptr_null(domain_lookup(1));
}
END_TEST

START_TEST(a_mapper_destroyed_gives_all_back_in_pieces)
{
	unsigned nr_calls = 1;

	grant(guest, REF, 2, RAM_GFN, PERMIT);
	for (unsigned i = 0; i < 200; i++)
		map_ok(third, 1, REF, SCRATCH + i, i % 2 ? HOST_MAP : READONLY);
	third->dying = true;
	fake_should_stop = true;
	while (gnttab_teardown(third) == -XEN_EAGAIN)
		ck_assert_uint_lt(nr_calls++, 100);
	ck_assert_uint_eq(nr_calls, 2 * 128 / GNTTAB_BATCH);
	ck_assert_int_eq(gnttab_teardown(third), 0);
	ck_unused();
}
END_TEST

START_TEST(teardown_accepts_a_domain_that_never_mapped)
{
	ck_assert_int_eq(gnttab_teardown(third), 0);
	ck_assert_int_eq(gnttab_teardown(third), 0);
}
END_TEST

/* Arrays ---------------------------------------------------------------------------------------- */

#define MANY 40u

static void fill_map_ops(struct gnttab_map_grant_ref *ops)
{
	for (unsigned i = 0; i < MANY; i++)
		ops[i] = (struct gnttab_map_grant_ref){ .host_addr = (SCRATCH + i) * PAGE_SIZE,
							.flags = HOST_MAP,
							.ref = i == 20 ? 511 : REF,
							.dom = 1,
							.status = 99 };
}

START_TEST(an_array_is_restarted_where_it_stopped)
{
	struct gnttab_map_grant_ref ops[MANY];
	struct hypercall_args a;
	struct vcpu *v = service->vcpu[0];
	uint64_t start;

	fill_map_ops(ops);
	fake_should_stop = true;
	ck_assert_int_eq(grant_op_once(v, &a, GNTTABOP_map_grant_ref, ops, sizeof(ops), MANY),
			 HYPERCALL_RESTART);
	start = a.arg[1] - GNTTAB_BATCH * sizeof(ops[0]);
	ck_assert_uint_eq(a.arg[2], MANY - GNTTAB_BATCH);
	ck_assert_int_eq(do_grant_table_op(v, &a), HYPERCALL_RESTART);
	ck_assert_uint_eq(a.arg[2], MANY - 2 * GNTTAB_BATCH);
	ck_assert_int_eq(do_grant_table_op(v, &a), 0);
	memcpy(ops, fake_guest_at(GUEST_PTR(start)), sizeof(ops));
	for (unsigned i = 0; i < MANY; i++) {
		ck_assert_int_eq(ops[i].status, i == 20 ? GNTST_permission_denied : GNTST_okay);
		ck_assert_uint_eq(at(service, SCRATCH + i).kind, i == 20 ? P2M_HOLE : P2M_GRANT);
	}
}
END_TEST

START_TEST(an_empty_array_is_nothing_to_do)
{
	ck_assert_int_eq(grant_op(service->vcpu[0], GNTTABOP_map_grant_ref, NULL, 0, 0), 0);
	ck_assert_int_eq(grant_op(service->vcpu[0], GNTTABOP_unmap_grant_ref, NULL, 0, 0), 0);
	ck_assert_int_eq(grant_op(service->vcpu[0], GNTTABOP_copy, NULL, 0, 0), 0);
}
END_TEST

START_TEST(an_absurd_count_is_refused)
{
	struct vcpu *v = service->vcpu[0];

	ck_assert_int_eq(grant_op(v, GNTTABOP_map_grant_ref, NULL, 0, BIT64(31)), -XEN_EINVAL);
	ck_assert_int_eq(grant_op(v, GNTTABOP_map_grant_ref, NULL, 0, UINT64_MAX), -XEN_EINVAL);
}
END_TEST

START_TEST(nothing_is_mapped_when_copy_in_faults)
{
	struct gnttab_map_grant_ref ops[MANY];

	fill_map_ops(ops);
	fake_guest_fault_reads_after(1);
	ck_assert_int_eq(grant_op(service->vcpu[0], GNTTABOP_map_grant_ref, ops, sizeof(ops), MANY),
			 -XEN_EFAULT);
	ck_assert_uint_eq(at(service, SCRATCH + GNTTAB_BATCH - 1).kind, P2M_GRANT);
	ck_assert_uint_eq(at(service, SCRATCH + GNTTAB_BATCH).kind, P2M_HOLE);
}
END_TEST

START_TEST(a_batch_of_mappings_is_undone_when_copy_out_faults)
{
	struct gnttab_map_grant_ref ops[MANY];
	unsigned nr_flushes = service->arch.nr_flushes;

	fill_map_ops(ops);
	fake_guest_fault_writes();
	ck_assert_int_eq(grant_op(service->vcpu[0], GNTTABOP_map_grant_ref, ops, sizeof(ops), MANY),
			 -XEN_EFAULT);
	for (unsigned i = 0; i < MANY; i++)
		ck_assert_uint_eq(at(service, SCRATCH + i).kind, P2M_HOLE);
	ck_assert_uint_eq(service->arch.nr_flushes, nr_flushes + 1);
	ck_unused();
}
END_TEST

START_TEST(an_unmap_holds_although_copy_out_faults)
{
	grant_handle_t handle = map_ok(service, 1, REF, SCRATCH, HOST_MAP);
	struct gnttab_unmap_grant_ref op = { .handle = handle };

	fake_guest_fault_reads();
	ck_assert_int_eq(grant_op(service->vcpu[0], GNTTABOP_unmap_grant_ref, &op, sizeof(op), 1),
			 -XEN_EFAULT);
	ck_assert_uint_eq(at(service, SCRATCH).kind, P2M_GRANT);
	fake_guest_fault_reads_after(-1);
	fake_guest_fault_writes();
	ck_assert_int_eq(grant_op(service->vcpu[0], GNTTABOP_unmap_grant_ref, &op, sizeof(op), 1),
			 -XEN_EFAULT);
	ck_unused();
}
END_TEST

UNIT_MAIN("gnttab-map", setup, world_teardown, a_mapping_shows_the_page_and_marks_the_entry,
	  a_readonly_mapping_cannot_be_written, unmap_flushes_vcpus_and_devices_and_gives_all_back,
	  busy_bits_stay_as_long_as_anyone_needs_them, a_domain_may_map_its_own_grant,
	  a_domain_without_devices_costs_the_iommu_nothing,
	  references_of_all_frames_of_the_table_work, a_batch_of_unmaps_costs_one_flush,
	  only_the_domain_that_the_entry_names_may_map, references_beyond_the_table_are_refused,
	  entries_that_do_not_permit_access_are_refused, a_readonly_grant_is_not_mapped_for_writing,
	  only_the_granters_own_ram_can_be_granted,
	  ram_that_the_granter_cannot_write_is_mapped_for_reading_only,
	  a_dying_granter_lends_no_more, only_mappings_at_guest_physical_pages_are_made,
	  a_mapping_that_finds_no_place_is_undone, a_handle_that_is_guessed_is_refused,
	  a_handle_is_unmapped_only_at_its_own_address,
	  handles_are_used_again_and_their_frames_grow,
	  no_more_is_mapped_than_the_configuration_allows,
	  without_memory_for_handles_nothing_is_mapped,
	  a_grant_revoked_in_use_stays_mapped_until_it_is_unmapped,
	  an_entry_given_to_another_domain_while_busy_is_refused_to_it,
	  a_frame_changed_while_busy_counts_from_the_next_use_on,
	  a_frame_changed_between_reading_and_writing_is_refused,
	  a_page_given_back_while_mapped_lives_until_it_is_unmapped,
	  a_granter_destroyed_while_mapped_keeps_page_and_structure,
	  a_mapper_destroyed_gives_all_back_in_pieces, teardown_accepts_a_domain_that_never_mapped,
	  an_array_is_restarted_where_it_stopped, an_empty_array_is_nothing_to_do,
	  an_absurd_count_is_refused, nothing_is_mapped_when_copy_in_faults,
	  a_batch_of_mappings_is_undone_when_copy_out_faults,
	  an_unmap_holds_although_copy_out_faults)
