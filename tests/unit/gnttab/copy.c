/* Copying by reference and by frame. */
#include "calls.h"
#include "unit.h"

#define GFN_A 0x10u /* the guest's, granted to the service VM by reference 8 */
#define GFN_B 0x20u /* the service VM's own */
#define GFN_C 0x30u /* the third domain's, granted to the service VM by reference 9 */
#define REF_A 8u
#define REF_C 9u

static uint8_t *a, *b, *c;

static void setup(void)
{
	world_setup();
	a = world_ram(guest, GFN_A);
	b = world_ram(service, GFN_B);
	c = world_ram(third, GFN_C);
	for (unsigned i = 0; i < PAGE_SIZE; i++) {
		a[i] = (uint8_t)(i * 7);
		b[i] = 0xbb;
		c[i] = 0xcc;
	}
	grant(guest, REF_A, 0, GFN_A, PERMIT);
	grant(third, REF_C, 0, GFN_C, PERMIT);
}

static struct gnttab_copy_ptr by_ref(domid_t dom, grant_ref_t ref, uint16_t offset)
{
	return (struct gnttab_copy_ptr){ .u.ref = ref, .domid = dom, .offset = offset };
}

static struct gnttab_copy_ptr by_gfn(domid_t dom, uint64_t gfn, uint16_t offset)
{
	return (struct gnttab_copy_ptr){ .u.gmfn = gfn, .domid = dom, .offset = offset };
}

static int16_t copy(struct domain *d, struct gnttab_copy_ptr from, struct gnttab_copy_ptr to,
		    uint16_t len, uint16_t flags)
{
	struct gnttab_copy op = {
		.source = from, .dest = to, .len = len, .flags = flags, .status = 99
	};

	ck_assert_int_eq(grant_op(d->vcpu[0], GNTTABOP_copy, &op, sizeof(op), 1), 0);
	return op.status;
}

#define FROM_REF GNTCOPY_source_gref
#define TO_REF   GNTCOPY_dest_gref

/* Nothing is held any more. */
static void ck_unused(void)
{
	ck_assert_uint_eq(grant_entry(guest, REF_A)->flags & (GTF_reading | GTF_writing), 0);
	ck_assert_uint_eq(grant_entry(third, REF_C)->flags & (GTF_reading | GTF_writing), 0);
	ck_assert_uint_eq(world_page_count(a), 1);
	ck_assert_uint_eq(world_page_count(b), 1);
	ck_assert_uint_eq(world_page_count(c), 1);
	ck_assert_uint_eq(guest->refcount, 2); /* itself, and its pages */
	ck_assert_uint_eq(service->refcount, 2);
	ck_assert_uint_eq(third->refcount, 2);
}

START_TEST(copies_from_a_reference_into_an_own_frame)
{
	ck_assert_int_eq(
		copy(service, by_ref(1, REF_A, 100), by_gfn(DOMID_SELF, GFN_B, 50), 1000, FROM_REF),
		GNTST_okay);
	ck_assert_mem_eq(b + 50, a + 100, 1000);
	ck_assert_uint_eq(b[49], 0xbb);
	ck_assert_uint_eq(b[1050], 0xbb);
	ck_unused();
}
END_TEST

START_TEST(copies_from_an_own_frame_into_a_reference)
{
	ck_assert_int_eq(
		copy(service, by_gfn(DOMID_SELF, GFN_B, 0), by_ref(1, REF_A, 0), 4096, TO_REF),
		GNTST_okay);
	ck_assert_mem_eq(a, b, PAGE_SIZE);
	ck_unused();
}
END_TEST

START_TEST(copies_between_references_of_two_domains)
{
	ck_assert_int_eq(
		copy(service, by_ref(2, REF_C, 5), by_ref(1, REF_A, 7), 11, FROM_REF | TO_REF),
		GNTST_okay);
	ck_assert_mem_eq(a + 7, c + 5, 11);
	ck_assert_uint_eq(a[18], 18 * 7);
	ck_unused();
}
END_TEST

START_TEST(copies_within_a_page_as_memmove_does)
{
	uint8_t before[PAGE_SIZE];

	memcpy(before, a, PAGE_SIZE);
	ck_assert_int_eq(
		copy(service, by_ref(1, REF_A, 0), by_ref(1, REF_A, 10), 1000, FROM_REF | TO_REF),
		GNTST_okay);
	ck_assert_mem_eq(a + 10, before, 1000);
	memcpy(before, a, PAGE_SIZE);
	ck_assert_int_eq(copy(guest, by_gfn(DOMID_SELF, GFN_A, 10), by_gfn(1, GFN_A, 3), 1000, 0),
			 GNTST_okay);
	ck_assert_mem_eq(a + 3, before + 10, 1000);
	ck_unused();
}
END_TEST

START_TEST(a_part_that_leaves_its_page_is_refused)
{
	struct gnttab_copy_ptr from = by_ref(1, REF_A, 1), to = by_gfn(DOMID_SELF, GFN_B, 0);

	ck_assert_int_eq(copy(service, from, to, 4096, FROM_REF), GNTST_bad_copy_arg);
	ck_assert_int_eq(copy(service, to, from, 4096, TO_REF), GNTST_bad_copy_arg);
	from.offset = UINT16_MAX;
	ck_assert_int_eq(copy(service, from, to, UINT16_MAX, FROM_REF), GNTST_bad_copy_arg);
	ck_assert_int_eq(copy(service, from, to, 1, FROM_REF), GNTST_bad_copy_arg);
	from.offset = 4095;
	ck_assert_int_eq(copy(service, from, to, 1, FROM_REF), GNTST_okay);
	ck_assert_uint_eq(b[0], a[4095]);
	from.offset = 4096;
	ck_assert_int_eq(copy(service, from, to, 0, FROM_REF), GNTST_okay);
	ck_unused();
}
END_TEST

START_TEST(a_readonly_grant_is_a_source_only)
{
	grant(guest, REF_A, 0, GFN_A, PERMIT | GTF_readonly);
	ck_assert_int_eq(copy(service, by_ref(1, REF_A, 0), by_gfn(0, GFN_B, 0), 8, FROM_REF),
			 GNTST_okay);
	ck_assert_int_eq(copy(service, by_gfn(0, GFN_B, 0), by_ref(1, REF_A, 0), 8, TO_REF),
			 GNTST_permission_denied);
	ck_assert_uint_ne(a[1], 0xbb);
	ck_unused();
}
END_TEST

START_TEST(a_side_that_cannot_be_had_leaves_the_other_free)
{
	struct gnttab_copy_ptr good = by_ref(1, REF_A, 0);

	ck_assert_int_eq(copy(service, good, by_ref(2, 400, 0), 8, FROM_REF | TO_REF),
			 GNTST_permission_denied);
	ck_assert_int_eq(copy(service, good, by_ref(2, 512, 0), 8, FROM_REF | TO_REF),
			 GNTST_bad_gntref);
	ck_assert_int_eq(copy(service, good, by_ref(99, REF_C, 0), 8, FROM_REF | TO_REF),
			 GNTST_bad_domain);
	ck_assert_int_eq(copy(service, good, by_gfn(0, GFN_B + 1, 0), 8, FROM_REF), GNTST_bad_page);
	ck_assert_int_eq(copy(service, good, by_gfn(0, UINT64_MAX, 0), 8, FROM_REF),
			 GNTST_bad_page);
	ck_assert_int_eq(copy(service, by_ref(1, REF_A + 1, 0), by_gfn(0, GFN_B, 0), 8, FROM_REF),
			 GNTST_permission_denied);
	world_readonly_ram(service, GFN_B + 2);
	ck_assert_int_eq(copy(service, good, by_gfn(0, GFN_B + 2, 0), 8, FROM_REF), GNTST_bad_page);
	ck_unused();
}
END_TEST

START_TEST(a_reference_belongs_to_the_domain_that_the_entry_names)
{
	ck_assert_int_eq(
		copy(third, by_ref(1, REF_A, 0), by_gfn(DOMID_SELF, GFN_C, 0), 8, FROM_REF),
		GNTST_permission_denied);
	ck_assert_uint_eq(c[0], 0xcc);
	ck_unused();
}
END_TEST

START_TEST(frames_of_another_domain_need_privilege)
{
	ck_assert_int_eq(copy(third, by_gfn(1, GFN_A, 0), by_gfn(DOMID_SELF, GFN_C, 0), 8, 0),
			 GNTST_permission_denied);
	ck_assert_int_eq(copy(third, by_gfn(DOMID_SELF, GFN_C, 0), by_gfn(1, GFN_A, 0), 8, 0),
			 GNTST_permission_denied);
	ck_assert_int_eq(copy(service, by_gfn(99, GFN_A, 0), by_gfn(0, GFN_B, 0), 8, 0),
			 GNTST_bad_domain);
	ck_assert_int_eq(copy(service, by_gfn(1, GFN_A, 0), by_gfn(0, GFN_B, 0), 8, 0), GNTST_okay);
	ck_assert_mem_eq(b, a, 8);
	ck_unused();
}
END_TEST

START_TEST(a_copy_during_a_mapping_leaves_the_mapping_alone)
{
	grant_handle_t handle = map_ok(service, 1, REF_A, 0x900, READONLY);

	ck_assert_int_eq(copy(service, by_gfn(0, GFN_B, 0), by_ref(1, REF_A, 0), 8, TO_REF),
			 GNTST_okay);
	ck_assert_uint_eq(grant_entry(guest, REF_A)->flags, PERMIT | GTF_reading);
	ck_assert_uint_eq(world_page_count(a), 2);
	unmap(service, handle, 0);
	ck_unused();
}
END_TEST

START_TEST(a_32_bit_caller_has_smaller_structures)
{
	struct compat_gnttab_copy ops[2] = {
		{ .source = { .u.ref = REF_A, .domid = 1, .offset = 4 },
		  .dest = { .u.gmfn = GFN_B, .domid = DOMID_SELF, .offset = 8 },
		  .len = 16,
		  .flags = FROM_REF,
		  .status = 99 },
		{ .source = { .u.gmfn = GFN_B, .domid = DOMID_SELF, .offset = 8 },
		  .dest = { .u.ref = 1, .domid = 1 },
		  .len = 16,
		  .flags = TO_REF,
		  .status = 99 },
	};

	service->compat = true;
	ck_assert_int_eq(grant_op(service->vcpu[0], GNTTABOP_copy, ops, sizeof(ops), 2), 0);
	ck_assert_int_eq(ops[0].status, GNTST_okay);
	ck_assert_int_eq(ops[1].status, GNTST_permission_denied);
	ck_assert_mem_eq(b + 8, a + 4, 16);
	ck_assert_uint_eq(b[24], 0xbb);
	ck_unused();
}
END_TEST

START_TEST(an_array_of_copies_gives_way_between_batches)
{
	struct gnttab_copy ops[40];
	struct hypercall_args args;
	unsigned nr_calls = 1;
	int64_t result;

	for (unsigned i = 0; i < 40; i++)
		ops[i] = (struct gnttab_copy){ .source = by_ref(1, REF_A, (uint16_t)(i * 8)),
					       .dest = by_gfn(0, GFN_B, (uint16_t)(i * 8)),
					       .len = 8,
					       .flags = FROM_REF };
	fake_should_stop = true;
	result = grant_op_once(service->vcpu[0], &args, GNTTABOP_copy, ops, sizeof(ops), 40);
	for (; result == HYPERCALL_RESTART; nr_calls++)
		result = do_grant_table_op(service->vcpu[0], &args);
	ck_assert_int_eq(result, 0);
	ck_assert_uint_eq(nr_calls, 3);
	ck_assert_mem_eq(b, a, 320);
	ck_unused();
}
END_TEST

START_TEST(faults_are_told_and_hold_nothing)
{
	struct gnttab_copy op = { .source = by_ref(1, REF_A, 0),
				  .dest = by_gfn(0, GFN_B, 0),
				  .len = 8,
				  .flags = FROM_REF };

	fake_guest_fault_writes();
	ck_assert_int_eq(grant_op(service->vcpu[0], GNTTABOP_copy, &op, sizeof(op), 1),
			 -XEN_EFAULT);
	fake_guest_fault_reads();
	ck_assert_int_eq(grant_op(service->vcpu[0], GNTTABOP_copy, &op, sizeof(op), 1),
			 -XEN_EFAULT);
	ck_unused();
}
END_TEST

UNIT_MAIN("gnttab-copy", setup, world_teardown, copies_from_a_reference_into_an_own_frame,
	  copies_from_an_own_frame_into_a_reference, copies_between_references_of_two_domains,
	  copies_within_a_page_as_memmove_does, a_part_that_leaves_its_page_is_refused,
	  a_readonly_grant_is_a_source_only, a_side_that_cannot_be_had_leaves_the_other_free,
	  a_reference_belongs_to_the_domain_that_the_entry_names,
	  frames_of_another_domain_need_privilege, a_copy_during_a_mapping_leaves_the_mapping_alone,
	  a_32_bit_caller_has_smaller_structures, an_array_of_copies_gives_way_between_batches,
	  faults_are_told_and_hold_nothing)
