/* lib/string.h, the part that is not the C library's */
#include "lib/string.h"

#include "unit.h"

START_TEST(str_copy_cuts_and_always_terminates)
{
	char buf[4] = "zzz";

	ck_assert_uint_eq(str_copy(buf, "ab", sizeof(buf)), 2);
	ck_assert_str_eq(buf, "ab");
	ck_assert_uint_eq(str_copy(buf, "abcdef", sizeof(buf)), 6);
	ck_assert_str_eq(buf, "abc");
	ck_assert_uint_eq(str_copy(buf, "xyz", 0), 3);
	ck_assert_str_eq(buf, "abc");
	ck_assert_uint_eq(str_copy(buf, "", 1), 0);
	ck_assert_str_eq(buf, "");
}
END_TEST

START_TEST(str_starts_with_compares_the_whole_prefix)
{
	ck_assert(str_starts_with("dom0_mem=1", "dom0_mem="));
	ck_assert(str_starts_with("x", ""));
	ck_assert(!str_starts_with("dom", "dom0"));
	ck_assert(!str_starts_with("xom0", "dom0"));
}
END_TEST

START_TEST(str_to_u64_reads_decimal_and_hexadecimal)
{
	uint64_t value;

	ck_assert(str_to_u64("0", 0, &value, NULL));
	ck_assert_uint_eq(value, 0);
	ck_assert(str_to_u64("18446744073709551615", 10, &value, NULL));
	ck_assert_uint_eq(value, UINT64_MAX);
	ck_assert(str_to_u64("0xdeadBEEF", 0, &value, NULL));
	ck_assert_uint_eq(value, 0xdeadbeef);
	ck_assert(str_to_u64("0X10", 16, &value, NULL));
	ck_assert_uint_eq(value, 16);
	ck_assert(str_to_u64("ff", 16, &value, NULL));
	ck_assert_uint_eq(value, 255);
	ck_assert(str_to_u64("777", 8, &value, NULL));
	ck_assert_uint_eq(value, 0777);
	ck_assert(str_to_u64("Zz", 36, &value, NULL));
	ck_assert_uint_eq(value, 35 * 36 + 35);
}
END_TEST

START_TEST(str_to_u64_tells_where_the_number_ends)
{
	const char *end, *s = "512M", *x = "0xyz";
	uint64_t value;

	ck_assert(str_to_u64(s, 0, &value, &end));
	ck_assert_uint_eq(value, 512);
	ck_assert_ptr_eq(end, s + 3);
	ck_assert(str_to_u64(x, 0, &value, &end)); /* "0", then something else */
	ck_assert_uint_eq(value, 0);
	ck_assert_ptr_eq(end, x + 1);
}
END_TEST

START_TEST(str_to_u64_refuses_and_writes_nothing)
{
	static const char *const bad[] = { "",
					   "x",
					   "-1",
					   "+1",
					   " 1",
					   "1 ",
					   "0x",
					   "12a",
					   "18446744073709551616",
					   "99999999999999999999" };
	uint64_t value = 42;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(!str_to_u64(bad[i], 0, &value, NULL), "\"%s\"", bad[i]);
	ck_assert(!str_to_u64("8", 8, &value, NULL));
	ck_assert_uint_eq(value, 42);
}
END_TEST

UNIT_MAIN("string", NULL, NULL, str_copy_cuts_and_always_terminates,
	  str_starts_with_compares_the_whole_prefix, str_to_u64_reads_decimal_and_hexadecimal,
	  str_to_u64_tells_where_the_number_ends, str_to_u64_refuses_and_writes_nothing)
