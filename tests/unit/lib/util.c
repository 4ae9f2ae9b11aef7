/* lib/util.h */
#include "lib/util.h"

#include "unit.h"

struct outer {
	int before;
	int member;
};

START_TEST(array_size_counts_elements)
{
	int a[7];

	ck_assert_uint_eq(ARRAY_SIZE(a), 7);
}
END_TEST

START_TEST(container_of_finds_the_structure_of_a_member)
{
	struct outer o;

	ck_assert_ptr_eq(container_of(&o.member, struct outer, member), &o);
}
END_TEST

START_TEST(alignment_rounds_to_multiples)
{
	ck_assert_uint_eq(align_up(0, 4096), 0);
	ck_assert_uint_eq(align_up(1, 4096), 4096);
	ck_assert_uint_eq(align_up(4096, 4096), 4096);
	ck_assert_uint_eq(align_down(4095, 4096), 0);
	ck_assert_uint_eq(align_down(4097, 4096), 4096);
	ck_assert(is_aligned(8192, 4096));
	ck_assert(!is_aligned(8193, 4096));
	ck_assert_uint_eq(div_round_up(UINT64_MAX, 2), UINT64_C(1) << 63);
	ck_assert_uint_eq(div_round_up(8, 4), 2);
}
END_TEST

START_TEST(powers_of_two_and_logarithms)
{
	ck_assert(!is_power_of_2(0));
	ck_assert(is_power_of_2(1));
	ck_assert(!is_power_of_2(6));
	ck_assert(is_power_of_2(UINT64_C(1) << 63));
	ck_assert_uint_eq(log2_floor(1), 0);
	ck_assert_uint_eq(log2_floor(UINT64_MAX), 63);
	ck_assert_uint_eq(MIN(2, 3), 2);
	ck_assert_uint_eq(MAX(2, 3), 3);
}
END_TEST

UNIT_MAIN("util", NULL, NULL, array_size_counts_elements,
	  container_of_finds_the_structure_of_a_member, alignment_rounds_to_multiples,
	  powers_of_two_and_logarithms)
