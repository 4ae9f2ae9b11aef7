/* toolstack/lib: errors, sizes, CPU sets, suggestions, CPU features. */
#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/cpu-feature.h"
#include "lib/cpu-set.h"
#include "lib/size.h"
#include "lib/suggest.h"

static struct err err;

START_TEST(an_error_grows_from_the_inside_out)
{
	ck_assert_int_eq(err_set(&err, -EINVAL, "page %d", 7), -EINVAL);
	ck_assert_int_eq(err_wrap(&err, -EINVAL, "reading %s", "web.xml"), -EINVAL);
	ck_assert_str_eq(err.text, "reading web.xml: page 7");
	ck_assert_int_eq(err_errno(&err, -ENOENT, "%s", "a"), -ENOENT);
	ck_assert_str_eq(err.text, "a: No such file or directory");
}
END_TEST

START_TEST(an_error_that_is_too_long_is_cut_off)
{
	char text[600];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&err, -EINVAL, "%s", text);
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
	err_wrap(&err, -EINVAL, "before");
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
	ck_assert(!strncmp(err.text, "before: xxx", 11));
}
END_TEST

START_TEST(units_are_powers_of_1024_or_with_a_b_alone_of_1000)
{
	static const struct {
		const char *unit;
		uint64_t bytes;
	} units[] = {
		{ "b", 1 },
		{ "bytes", 1 },
		{ "KiB", 1024 },
		{ "k", 1024 },
		{ "KB", 1000 },
		{ "MiB", 1048576 },
		{ "M", 1048576 },
		{ "mb", 1000000 },
		{ "GiB", 1073741824 },
		{ "g", 1073741824 },
		{ "GB", 1000000000 },
		{ "TiB", 1099511627776 },
		{ "PiB", 1125899906842624 },
		{ "EiB", 1152921504606846976 },
		{ "EB", 1000000000000000000 },
	};
	uint64_t bytes;

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		ck_assert_int_eq(size_unit(units[i].unit, &bytes, &err), 0);
		ck_assert_msg(bytes == units[i].bytes, "%s", units[i].unit);
	}
}
END_TEST

START_TEST(what_is_no_unit_is_refused)
{
	static const char *const bad[] = {
		"", "x", "Ki", "KiBs", "iB", "kk", "MiBB", "byte s", "Z"
	};
	uint64_t bytes;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(size_unit(bad[i], &bytes, &err) == -EINVAL, "%s", bad[i]);
}
END_TEST

START_TEST(a_size_is_a_whole_number_of_units)
{
	uint64_t bytes = 5;

	ck_assert_int_eq(size_parse(" 2 ", "MiB", &bytes, &err), 0);
	ck_assert_uint_eq(bytes, 2097152);
	ck_assert_int_eq(size_parse("18446744073709551615", "b", &bytes, &err), 0);
	ck_assert_uint_eq(bytes, UINT64_MAX);
	ck_assert_int_eq(size_parse("18446744073709551616", "b", &bytes, &err), -ERANGE);
	ck_assert_int_eq(size_parse("16", "EiB", &bytes, &err), -ERANGE);
	ck_assert_int_eq(size_parse("1.5", "GiB", &bytes, &err), -EINVAL);
	ck_assert_int_eq(size_parse("-1", "GiB", &bytes, &err), -EINVAL);
	ck_assert_int_eq(size_parse("", "GiB", &bytes, &err), -EINVAL);
	ck_assert_int_eq(size_parse("1 2", "GiB", &bytes, &err), -EINVAL);
	ck_assert_int_eq(size_parse("1", "score", &bytes, &err), -EINVAL);
	ck_assert_uint_eq(bytes, UINT64_MAX);
}
END_TEST

static void expect_set(const char *text, const char *formatted)
{
	struct cpu_set set;
	cleanup_free char *again = NULL;

	ck_assert_msg(!cpu_set_parse(text, &set, &err), "%s: %s", text, err.text);
	again = cpu_set_format(&set);
	ck_assert_str_eq(again, formatted);
}

START_TEST(a_cpu_set_is_what_its_parts_say_in_order)
{
	expect_set("0", "0");
	expect_set("0-3,^2,8", "0-1,3,8");
	expect_set("0-3,^1-2", "0,3");
	expect_set("^2,0-3", "0-3");
	expect_set(" 5 , 4 ", "4-5");
	expect_set("0-1023", "0-1023");
	expect_set("63,64,65", "63-65");
	expect_set("1023", "1023");
}
END_TEST

START_TEST(text_that_is_no_cpu_set_is_refused)
{
	static const char *const bad[] = {
		"",
		",",
		"0,",
		"0-",
		"-3",
		"a",
		"0 1",
		"^",
		"0,^0",
		"3-1",
		"^3",
		"0--1",
		"0-1-2",
		"1024",
		"0-1024",
		"4294967296",
		"99999999999999999999",
	};
	struct cpu_set set;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(cpu_set_parse(bad[i], &set, &err), "%s", bad[i]);
}
END_TEST

START_TEST(the_empty_cpu_set_has_no_text)
{
	struct cpu_set set = { { 0 } };
	cleanup_free char *text = cpu_set_format(&set);

	ck_assert_str_eq(text, "");
	ck_assert(!cpu_set_has(&set, 0));
	ck_assert(!cpu_set_has(&set, CPU_SET_MAX));
}
END_TEST

START_TEST(distance_counts_letters_added_removed_changed_or_swapped)
{
	ck_assert_uint_eq(word_distance("bus", "bus"), 0);
	ck_assert_uint_eq(word_distance("buss", "bus"), 1);
	ck_assert_uint_eq(word_distance("us", "bus"), 1);
	ck_assert_uint_eq(word_distance("bas", "bus"), 1);
	ck_assert_uint_eq(word_distance("bsu", "bus"), 1);
	ck_assert_uint_eq(word_distance("BUS", "bus"), 0);
	ck_assert_uint_eq(word_distance("", "bus"), 3);
	ck_assert_uint_eq(word_distance("source", "target"), 5);
	ck_assert_uint_eq(word_distance("a", "abcdefghijklmnopqrstuvwxyz123456"), UINT_MAX);
}
END_TEST

START_TEST(the_nearest_candidate_is_suggested_and_a_far_one_is_not)
{
	struct suggestion s;

	suggestion_init(&s, "buss");
	suggestion_offer(&s, "dev");
	ck_assert_ptr_null(s.best);
	suggestion_offer(&s, "bust");
	suggestion_offer(&s, "bus");
	ck_assert_str_eq(s.best, "bust"); /* the first of equals */
	suggestion_init(&s, "x");
	suggestion_offer(&s, "y");
	ck_assert_ptr_null(s.best);
}
END_TEST

START_TEST(cpu_features_are_found_by_name)
{
	const char *near = NULL;
	const struct cpu_feature *feature = cpu_feature_find("avx2", &near);

	ck_assert_ptr_nonnull(feature);
	ck_assert_uint_eq(feature->leaf, 7);
	ck_assert_uint_eq(feature->reg, CPUID_EBX);
	ck_assert_uint_eq(feature->bit, 5);
	ck_assert_ptr_null(cpu_feature_find("avx-2", &near));
	ck_assert_str_eq(near, "avx2");
	ck_assert_ptr_null(cpu_feature_find("nonsense", &near));
	ck_assert_ptr_null(near);
}
END_TEST

UNIT_MAIN("toolstack-lib", NULL, NULL, an_error_grows_from_the_inside_out,
	  an_error_that_is_too_long_is_cut_off, units_are_powers_of_1024_or_with_a_b_alone_of_1000,
	  what_is_no_unit_is_refused, a_size_is_a_whole_number_of_units,
	  a_cpu_set_is_what_its_parts_say_in_order, text_that_is_no_cpu_set_is_refused,
	  the_empty_cpu_set_has_no_text, distance_counts_letters_added_removed_changed_or_swapped,
	  the_nearest_candidate_is_suggested_and_a_far_one_is_not, cpu_features_are_found_by_name)
