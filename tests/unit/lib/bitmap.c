/* lib/bitmap.h */
#include "lib/bitmap.h"

#include <string.h>

#include "unit.h"

#define NR 200 /* three whole words and a bit */

static bitmap_word_t a[BITMAP_WORDS(NR)], to[BITMAP_WORDS(NR)];

static void setup(void)
{
	memset(a, 0, sizeof(a));
	bitmap_fill(to, NR);
}

START_TEST(set_clear_and_test_concern_one_bit)
{
	bitmap_set(a, 63);
	bitmap_set(a, 64);
	ck_assert(bitmap_test(a, 63));
	ck_assert(bitmap_test(a, 64));
	ck_assert(!bitmap_test(a, 62));
	ck_assert(!bitmap_test(a, 65));
	bitmap_clear(a, 63);
	ck_assert(!bitmap_test(a, 63));
	ck_assert_uint_eq(a[0], 0);
	ck_assert_uint_eq(a[1], 1);
}
END_TEST

START_TEST(fill_leaves_bits_beyond_the_end_clear)
{
	ck_assert_uint_eq(to[0] & to[1] & to[2], UINT64_MAX);
	ck_assert_uint_eq(to[BITMAP_WORDS(NR) - 1], BIT64(NR % 64) - 1);
	bitmap_fill(a, 128);
	ck_assert_uint_eq(a[1], UINT64_MAX);
	ck_assert_uint_eq(a[2], 0);
}
END_TEST

START_TEST(next_set_finds_each_set_bit_in_turn)
{
	static const size_t bits[] = { 0, 1, 63, 64, 127, 128, 199 };
	size_t bit, i = 0;

	for (size_t n = 0; n < ARRAY_SIZE(bits); n++)
		bitmap_set(a, bits[n]);
	for (bit = bitmap_next_set(a, NR, 0); bit < NR; bit = bitmap_next_set(a, NR, bit + 1))
		ck_assert_uint_eq(bit, bits[i++]);
	ck_assert_uint_eq(i, ARRAY_SIZE(bits));
	ck_assert_uint_eq(bitmap_next_set(a, NR, 200), NR);
	ck_assert_uint_eq(bitmap_next_set(a, NR, 129), 199);
	ck_assert_uint_eq(bitmap_next_set(a, 150, 129), 150);
	ck_assert_uint_eq(bitmap_next_set(a, 0, 0), 0);
}
END_TEST

START_TEST(next_clear_never_finds_a_bit_beyond_the_end)
{
	ck_assert_uint_eq(bitmap_next_clear(to, NR, 0), NR);
	bitmap_clear(to, 130);
	ck_assert_uint_eq(bitmap_next_clear(to, NR, 0), 130);
	ck_assert_uint_eq(bitmap_next_clear(to, NR, 131), NR);
}
END_TEST

START_TEST(ranges_are_set_and_cleared_exactly)
{
	static const struct {
		size_t start, count;
	} cases[] = { { 0, 0 },   { 0, 1 },   { 0, 64 }, { 3, 5 },    { 60, 8 },
		      { 64, 64 }, { 1, 199 }, { 63, 2 }, { 128, 72 }, { 64, 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		setup();
		bitmap_set_range(a, cases[i].start, cases[i].count);
		bitmap_clear_range(to, cases[i].start, cases[i].count);
		for (size_t bit = 0; bit < NR; bit++) {
			bool inside =
				bit >= cases[i].start && bit < cases[i].start + cases[i].count;

			ck_assert_int_eq(bitmap_test(a, bit), inside);
			ck_assert_int_eq(bitmap_test(to, bit), !inside);
		}
	}
}
END_TEST

START_TEST(a_copy_has_the_same_bits)
{
	bitmap_set(a, 199);
	bitmap_copy(to, a, NR);
	ck_assert_mem_eq(to, a, sizeof(a));
}
END_TEST

UNIT_MAIN("bitmap", setup, NULL, set_clear_and_test_concern_one_bit,
	  fill_leaves_bits_beyond_the_end_clear, next_set_finds_each_set_bit_in_turn,
	  next_clear_never_finds_a_bit_beyond_the_end, ranges_are_set_and_cleared_exactly,
	  a_copy_has_the_same_bits)
