/* lib/format.h: compared with the host's snprintf where that does the same */
#include "lib/format.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "unit.h"

static char got[128], want[128];

/* The same format and arguments through both. */
#define SAME(...)                                                                          \
	do {                                                                               \
		size_t len = format(got, sizeof(got), __VA_ARGS__);                        \
		ck_assert_uint_eq(len, (size_t)snprintf(want, sizeof(want), __VA_ARGS__)); \
		ck_assert_str_eq(got, want);                                               \
	} while (0)

/* Formats the compiler would warn about. */
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-extra-args"

START_TEST(integers_of_every_length)
{
	SAME("%d %i %u", INT_MIN, INT_MAX, UINT_MAX);
	SAME("%ld %lu", LONG_MIN, ULONG_MAX);
	SAME("%lld %llu %llx", LLONG_MIN, ULLONG_MAX, ULLONG_MAX);
	SAME("%hhd %hhu %hd %hu", -1, 0x1ff, -70000, 70000);
	SAME("%zu %zx %zd", SIZE_MAX, SIZE_MAX, (ssize_t)-5);
	SAME("%jd %tu", INTMAX_MIN, (size_t)7);
	SAME("%" PRIu64 " %" PRIx64 " %" PRId64, UINT64_MAX, UINT64_MAX, INT64_MIN);
	SAME("%x %X %#x %#X %#x", 0xabcd, 0xabcd, 0xabcd, 0xabcd, 0);
	SAME("%d%%", 0);
}
END_TEST

START_TEST(width_precision_and_flags)
{
	SAME("[%5d] [%-5d] [%05d] [%+d] [% d]", 42, 42, 42, 42, 42);
	SAME("[%5d] [%-5d] [%05d] [%+d] [% d]", -42, -42, -42, -42, -42);
	SAME("[%.3d] [%6.3d] [%-6.3d] [%06.3d]", 7, 7, 7, 7);
	SAME("[%.0d] [%.0u] [%.d]", 0, 0, 0);
	SAME("[%#10x] [%#010x] [%-#10x] [%#.4x]", 255, 255, 255, 255);
	SAME("[%016lx] [%#018lx]", 0xffff800000000000, 0xffff800000000000);
	SAME("[%*d] [%-*d] [%*d] [%.*d]", 6, 1, 6, 1, -6, 1, 3, 1);
	SAME("[%.*d]", -1, 5);
	SAME("[%30lu]", ULONG_MAX);
	SAME("[%.30lu]", ULONG_MAX);
	SAME("[%-05d]", 3);
}
END_TEST

START_TEST(strings_and_characters)
{
	const char unterminated[] = { 'a', 'b', 'c' };
	const char *volatile none = NULL;

	SAME("%s|%10s|%-10s|%.2s|%10.2s", "text", "text", "text", "text", "text");
	SAME("%c%c|%3c|%-3c|", 'x', 'y', 'z', 'w');
	SAME("%.*s", 3, unterminated);
	SAME("%s", "");
	format(got, sizeof(got), "%s", none);
	ck_assert_str_eq(got, "(null)");
}
END_TEST

START_TEST(pointers_are_hexadecimal_with_prefix)
{
	SAME("%p", (void *)0x1234);
	format(got, sizeof(got), "%p", (void *)0);
	ck_assert_str_eq(got, "0x0");
}
END_TEST

START_TEST(a_short_buffer_cuts_and_the_length_is_of_the_whole)
{
	memset(got, 'z', sizeof(got));
	ck_assert_uint_eq(format(got, 5, "%s", "abcdefgh"), 8);
	ck_assert_str_eq(got, "abcd");
	ck_assert_int_eq(got[5], 'z');
	ck_assert_uint_eq(format(got, 1, "xyz"), 3);
	ck_assert_str_eq(got, "");
	ck_assert_uint_eq(format(NULL, 0, "%d", 12345), 5);
}
END_TEST

START_TEST(what_is_not_understood_is_printed_as_it_stands)
{
	format(got, sizeof(got), "%5q|%|%d", 7);
	ck_assert_str_eq(got, "%5q|%|7");
	format(got, sizeof(got), "end%");
	ck_assert_str_eq(got, "end%");
}
END_TEST

UNIT_MAIN("format", NULL, NULL, integers_of_every_length, width_precision_and_flags,
	  strings_and_characters, pointers_are_hexadecimal_with_prefix,
	  a_short_buffer_cuts_and_the_length_is_of_the_whole,
	  what_is_not_understood_is_printed_as_it_stands)
