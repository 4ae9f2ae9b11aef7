/* The table itself: growth, limits, where it is, versions; and a domain's creation and end. */
#include "calls.h"
#include "unit.h"

static struct vcpu *v0(struct domain *d)
{
	return d->vcpu[0];
}

/* Sets up *ret_op and a list behind it; returns the call's result. */
static int64_t setup_table(struct vcpu *v, domid_t dom, uint32_t nr_frames, guest_ptr_t list,
			   int16_t *ret_status)
{
	struct gnttab_setup_table op = {
		.dom = dom, .nr_frames = nr_frames, .status = 99, .frame_list = list.va
	};
	int64_t err = grant_op(v, GNTTABOP_setup_table, &op, sizeof(op), 1);

	*ret_status = op.status;
	return err;
}

START_TEST(the_table_starts_with_one_frame_and_grows_to_its_limit)
{
	int16_t status;
	guest_ptr_t list = fake_guest_space(64 * 8);

	ck_assert_uint_eq(guest->grant.nr_frames, 1);
	ck_assert_int_eq(setup_table(v0(guest), DOMID_SELF, 3, list, &status), 0);
	ck_assert_int_eq(status, GNTST_okay);
	ck_assert_uint_eq(guest->grant.nr_frames, 3);
	ck_assert_int_eq(setup_table(v0(guest), DOMID_SELF, 1, list, &status), 0);
	ck_assert_uint_eq(guest->grant.nr_frames, 3);
	ck_assert_int_eq(setup_table(v0(guest), DOMID_SELF, 64, list, &status), 0);
	ck_assert_int_eq(status, GNTST_okay);
	ck_assert_int_eq(setup_table(v0(guest), DOMID_SELF, 65, list, &status), 0);
	ck_assert_int_eq(status, GNTST_general_error);
	ck_assert_int_eq(setup_table(v0(guest), DOMID_SELF, UINT32_MAX, list, &status), 0);
	ck_assert_int_eq(status, GNTST_general_error);
	ck_assert_uint_eq(guest->grant.nr_frames, 64);
}
END_TEST

START_TEST(growing_stops_where_something_else_wants_the_cpu)
{
	guest_ptr_t list = fake_guest_space(9 * 8);
	int rounds = 1;
	int16_t status;

	fake_should_stop = true;
	while (gnttab_grow(guest, 6) == -XEN_EAGAIN)
		rounds++;
	ck_assert_int_eq(rounds, 5); /* it had one frame */
	ck_assert_uint_eq(guest->grant.nr_frames, 6);
	ck_assert_int_eq(setup_table(v0(guest), DOMID_SELF, 9, list, &status), 0);
	ck_assert_int_eq(status, GNTST_okay);
	ck_assert_uint_eq(guest->grant.nr_frames, 9);
}
END_TEST

START_TEST(setup_table_lists_where_the_frames_are)
{
	guest_ptr_t list = fake_guest_space(3 * 8);
	const uint64_t *got = fake_guest_at(list);
	int16_t status;

	ck_assert_int_eq(gnttab_grow(guest, 2), 0);
	guest->grant.frame_gfn[1] = GFN(0x1234567890);
	ck_assert_int_eq(setup_table(v0(guest), 1, 2, list, &status), 0);
	ck_assert_uint_eq(got[0], UINT64_MAX);
	ck_assert_uint_eq(got[1], 0x1234567890);
	ck_assert_uint_eq(got[2], 0);
}
END_TEST

START_TEST(a_32_bit_guest_gets_a_32_bit_list)
{
	guest_ptr_t list = fake_guest_space(3 * 4);
	const uint32_t *got = fake_guest_at(list);
	struct compat_gnttab_setup_table op = {
		.dom = DOMID_SELF, .nr_frames = 2, .status = 99, .frame_list = (uint32_t)list.va
	};

	guest->compat = true;
	ck_assert_int_eq(gnttab_grow(guest, 2), 0);
	guest->grant.frame_gfn[1] = GFN(0x12345);
	ck_assert_int_eq(grant_op(v0(guest), GNTTABOP_setup_table, &op, sizeof(op), 1), 0);
	ck_assert_int_eq(op.status, GNTST_okay);
	ck_assert_uint_eq(got[0], UINT32_MAX);
	ck_assert_uint_eq(got[1], 0x12345);
	ck_assert_uint_eq(got[2], 0);
	fake_guest_fault_reads();
	ck_assert_int_eq(grant_op(v0(guest), GNTTABOP_setup_table, &op, sizeof(op), 1),
			 -XEN_EFAULT);
}
END_TEST

START_TEST(setup_table_for_another_domain_needs_privilege)
{
	guest_ptr_t list = fake_guest_space(8);
	int16_t status;

	ck_assert_int_eq(setup_table(v0(guest), 2, 1, list, &status), 0);
	ck_assert_int_eq(status, GNTST_permission_denied);
	ck_assert_int_eq(setup_table(v0(service), 99, 1, list, &status), 0);
	ck_assert_int_eq(status, GNTST_bad_domain);
	ck_assert_int_eq(setup_table(v0(service), 1, 2, list, &status), 0);
	ck_assert_int_eq(status, GNTST_okay);
	ck_assert_uint_eq(guest->grant.nr_frames, 2);
	ck_assert_uint_eq(guest->refcount, 1);
}
END_TEST

START_TEST(setup_table_tells_of_faults)
{
	guest_ptr_t list = fake_guest_space(8);
	int16_t status;

	fake_guest_fault_reads();
	ck_assert_int_eq(setup_table(v0(guest), DOMID_SELF, 1, list, &status), -XEN_EFAULT);
	fake_guest_fault_reads_after(-1);
	for (long n = 0; n < 2; n++) { /* the list, then the result */
		fake_guest_fault_writes_after(n);
		ck_assert_int_eq(setup_table(v0(guest), DOMID_SELF, 1, list, &status), -XEN_EFAULT);
	}
	ck_assert_uint_eq(guest->refcount, 1);
}
END_TEST

START_TEST(a_table_that_cannot_grow_stays_as_it_is)
{
	long nr_allocs = fake_nr_allocs;

	fake_alloc_budget = 0;
	ck_assert_int_eq(gnttab_grow(guest, 2), -XEN_ENOMEM);
	fake_alloc_budget = -1;
	world_leave_pages(0);
	ck_assert_int_eq(gnttab_grow(guest, 2), -XEN_ENOMEM);
	ck_assert_int_eq(fake_nr_allocs, nr_allocs);
	ck_assert_uint_eq(guest->grant.nr_frames, 1);
	world_return_pages();
	ck_assert_int_eq(gnttab_grow(guest, 2), 0);
	ck_assert_int_eq(gnttab_grow(guest, 65), -XEN_EINVAL);
}
END_TEST

START_TEST(get_frame_grows_the_table_up_to_the_frame)
{
	mfn_t mfn;

	ck_assert_int_eq(gnttab_get_frame(guest, 4, &mfn), 0);
	ck_assert_uint_eq(guest->grant.nr_frames, 5);
	ck_assert_ptr_eq(mfn_to_ptr(mfn), guest->grant.frame[4]);
	ck_assert_int_eq(gnttab_get_frame(guest, 64, &mfn), -XEN_EINVAL);
	ck_assert_int_eq(gnttab_get_frame(guest, UINT32_MAX, &mfn), -XEN_EINVAL);
	world_leave_pages(0);
	ck_assert_int_eq(gnttab_get_frame(guest, 5, &mfn), -XEN_ENOMEM);
}
END_TEST

START_TEST(query_size_tells_frames_and_limit)
{
	struct gnttab_query_size op = { .dom = DOMID_SELF, .status = 99 };

	ck_assert_int_eq(gnttab_grow(guest, 7), 0);
	ck_assert_int_eq(grant_op(v0(guest), GNTTABOP_query_size, &op, sizeof(op), 1), 0);
	ck_assert_int_eq(op.status, GNTST_okay);
	ck_assert_uint_eq(op.nr_frames, 7);
	ck_assert_uint_eq(op.max_nr_frames, GRANT_FRAMES_DEFAULT);
	op.dom = 0;
	ck_assert_int_eq(grant_op(v0(guest), GNTTABOP_query_size, &op, sizeof(op), 1), 0);
	ck_assert_int_eq(op.status, GNTST_permission_denied);
	op.dom = 99;
	ck_assert_int_eq(grant_op(v0(service), GNTTABOP_query_size, &op, sizeof(op), 1), 0);
	ck_assert_int_eq(op.status, GNTST_bad_domain);
	fake_guest_fault_writes();
	ck_assert_int_eq(grant_op(v0(guest), GNTTABOP_query_size, &op, sizeof(op), 1), -XEN_EFAULT);
	fake_guest_fault_reads();
	ck_assert_int_eq(grant_op(v0(guest), GNTTABOP_query_size, &op, sizeof(op), 1), -XEN_EFAULT);
	ck_assert_uint_eq(guest->refcount, 1);
}
END_TEST

START_TEST(version_1_is_the_only_one)
{
	struct gnttab_set_version op = { 1 };

	ck_assert_int_eq(grant_op(v0(guest), GNTTABOP_set_version, &op, sizeof(op), 1), 0);
	op.version = 2;
	ck_assert_int_eq(grant_op(v0(guest), GNTTABOP_set_version, &op, sizeof(op), 1),
			 -XEN_ENOSYS);
	ck_assert_uint_eq(op.version, 1);
	op.version = 3;
	ck_assert_int_eq(grant_op(v0(guest), GNTTABOP_set_version, &op, sizeof(op), 1),
			 -XEN_EINVAL);
	fake_guest_fault_writes();
	op.version = 1;
	ck_assert_int_eq(grant_op(v0(guest), GNTTABOP_set_version, &op, sizeof(op), 1),
			 -XEN_EFAULT);
	fake_guest_fault_reads();
	ck_assert_int_eq(grant_op(v0(guest), GNTTABOP_set_version, &op, sizeof(op), 1),
			 -XEN_EFAULT);
}
END_TEST

START_TEST(get_version_tells_version_1)
{
	struct gnttab_get_version op = { .dom = DOMID_SELF };

	ck_assert_int_eq(grant_op(v0(guest), GNTTABOP_get_version, &op, sizeof(op), 1), 0);
	ck_assert_uint_eq(op.version, 1);
	op.dom = 2;
	ck_assert_int_eq(grant_op(v0(guest), GNTTABOP_get_version, &op, sizeof(op), 1), -XEN_EPERM);
	op.dom = 99;
	ck_assert_int_eq(grant_op(v0(service), GNTTABOP_get_version, &op, sizeof(op), 1),
			 -XEN_ESRCH);
	fake_guest_fault_writes();
	op.dom = 1;
	ck_assert_int_eq(grant_op(v0(guest), GNTTABOP_get_version, &op, sizeof(op), 1),
			 -XEN_EFAULT);
	fake_guest_fault_reads();
	ck_assert_int_eq(grant_op(v0(guest), GNTTABOP_get_version, &op, sizeof(op), 1),
			 -XEN_EFAULT);
	ck_assert_uint_eq(guest->refcount, 1);
}
END_TEST

START_TEST(single_operations_take_exactly_one)
{
	static const uint64_t cmds[] = { GNTTABOP_setup_table, GNTTABOP_query_size,
					 GNTTABOP_set_version, GNTTABOP_get_version };

	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		ck_assert_int_eq(grant_op(v0(guest), cmds[i], NULL, 0, 0), -XEN_EINVAL);
		ck_assert_int_eq(grant_op(v0(guest), cmds[i], NULL, 0, 2), -XEN_EINVAL);
	}
}
END_TEST

START_TEST(operations_of_version_2_and_unknown_ones_are_ENOSYS)
{
	static const uint64_t cmds[] = { GNTTABOP_dump_table,
					 GNTTABOP_transfer,
					 GNTTABOP_unmap_and_replace,
					 GNTTABOP_get_status_frames,
					 GNTTABOP_swap_grant_ref,
					 GNTTABOP_cache_flush,
					 13,
					 BIT64(32) };

	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++)
		ck_assert_int_eq(grant_op(v0(guest), cmds[i], NULL, 0, 1), -XEN_ENOSYS);
}
END_TEST

START_TEST(a_domain_that_cannot_be_built_leaves_nothing)
{
	struct domain_config cfg = { .nr_vcpus = 1, .max_pages = 16 };
	long nr_allocs = fake_nr_allocs, n;
	struct domain *d;
	int err;

	for (n = 0;; n++) {
		uint64_t nr_free = page_count_free();

		fake_alloc_budget = n;
		err = domain_create(7, &cfg, &d);
		fake_alloc_budget = -1;
		if (!err)
			break;
		ck_assert_int_eq(err, -XEN_ENOMEM);
		ck_assert_int_eq(fake_nr_allocs, nr_allocs);
		ck_assert_uint_eq(page_count_free(), nr_free);
	}
	ck_assert_int_gt(n, 6);
	world_destroy(&d);
	for (n = 0;; n++) {
		world_leave_pages((uint64_t)n);
		err = domain_create(7, &cfg, &d);
		world_return_pages();
		if (!err)
			break;
		ck_assert_int_eq(err, -XEN_ENOMEM);
		ck_assert_int_eq(fake_nr_allocs, nr_allocs);
	}
	world_destroy(&d);
}
END_TEST

START_TEST(limits_whose_entries_cannot_be_counted_are_refused)
{
	struct domain_config cfg = { .nr_vcpus = 1, .max_grant_frames = 65537 };
	struct domain *d;

	ck_assert_int_eq(domain_create(7, &cfg, &d), -XEN_EINVAL);
	cfg.max_grant_frames = 1;
	cfg.max_maptrack_frames = UINT32_MAX;
	ck_assert_int_eq(domain_create(7, &cfg, &d), -XEN_EINVAL);
}
END_TEST

UNIT_MAIN("gnttab-table", world_setup, world_teardown,
	  the_table_starts_with_one_frame_and_grows_to_its_limit,
	  growing_stops_where_something_else_wants_the_cpu, setup_table_lists_where_the_frames_are,
	  a_32_bit_guest_gets_a_32_bit_list, setup_table_for_another_domain_needs_privilege,
	  setup_table_tells_of_faults, a_table_that_cannot_grow_stays_as_it_is,
	  get_frame_grows_the_table_up_to_the_frame, query_size_tells_frames_and_limit,
	  version_1_is_the_only_one, get_version_tells_version_1,
	  single_operations_take_exactly_one, operations_of_version_2_and_unknown_ones_are_ENOSYS,
	  a_domain_that_cannot_be_built_leaves_nothing,
	  limits_whose_entries_cannot_be_counted_are_refused)
