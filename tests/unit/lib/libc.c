/* lib/libc.c: compared with the host's functions */
#include <stdint.h>
#include <string.h>

#include "unit.h"

void *lodge_memcpy(void *to, const void *from, size_t size);
void *lodge_memmove(void *to, const void *from, size_t size);
void *lodge_memset(void *to, int byte, size_t size);
int lodge_memcmp(const void *a, const void *b, size_t size);
size_t lodge_strlen(const char *s);
int lodge_strcmp(const char *a, const char *b);
int lodge_strncmp(const char *a, const char *b, size_t size);
char *lodge_strchr(const char *s, int c);

#define MAX_SIZE 80 /* sizes tried; a page on top */

static unsigned char from[4200], to[4200], want[4200];

static void setup(void)
{
	for (size_t i = 0; i < sizeof(from); i++) {
		from[i] = (unsigned char)(i * 7 + 1);
		to[i] = want[i] = 0xee;
	}
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

START_TEST(memcpy_copies_exactly_size_bytes_at_any_alignment)
{
	for (size_t size = 0; size < MAX_SIZE; size++) {
		for (size_t shift = 0; shift < 64; shift++) {
			setup();
			ck_assert_ptr_eq(lodge_memcpy(to + shift / 8, from + shift % 8, size),
					 to + shift / 8);
			memcpy(want + shift / 8, from + shift % 8, size);
			ck_assert_mem_eq(to, want, MAX_SIZE + 16);
		}
	}
	lodge_memcpy(to, from, 4096);
	ck_assert_mem_eq(to, from, 4096);
	ck_assert_uint_eq(to[4096], 0xee);
}
END_TEST

START_TEST(memmove_copies_overlapping_bytes_in_both_directions)
{
	for (size_t size = 0; size < MAX_SIZE; size++) {
		for (size_t shift = 0; shift < 40; shift++) {
			setup();
			memcpy(to, from, 200);
			memcpy(want, from, 200);
			ck_assert_ptr_eq(lodge_memmove(to + 20, to + shift, size), to + 20);
			memmove(want + 20, want + shift, size);
			ck_assert_mem_eq(to, want, 200);
		}
	}
}
END_TEST

START_TEST(memset_fills_exactly_size_bytes)
{
	for (size_t size = 0; size < MAX_SIZE; size++) {
		for (size_t shift = 0; shift < 8; shift++) {
			setup();
			ck_assert_ptr_eq(lodge_memset(to + shift, 0x1a5, size), to + shift);
			memset(want + shift, 0xa5, size);
			ck_assert_mem_eq(to, want, MAX_SIZE + 16);
		}
	}
	lodge_memset(to, 0, 4096);
	ck_assert_uint_eq(to[0] | to[2048] | to[4095], 0);
	ck_assert_uint_eq(to[4096], 0xee);
}
END_TEST

START_TEST(memcmp_orders_by_the_first_byte_that_differs)
{
	unsigned char a[40] = { 0 }, b[40] = { 0 };

	for (size_t i = 0; i < sizeof(a); i++) {
		a[i] = 0x80; /* greater only if bytes are unsigned */
		b[i] = 0x7f;
		if (i + 1 < sizeof(a))
			b[i + 1] = 0xff;
		for (size_t size = 0; size <= sizeof(a); size++)
			ck_assert_int_eq(lodge_memcmp(a, b, size), sign(memcmp(a, b, size)));
		a[i] = b[i] = 0;
		if (i + 1 < sizeof(a))
			b[i + 1] = 0;
	}
}
END_TEST

START_TEST(strings_end_at_their_nul)
{
	static const char *const strings[] = { "", "a", "ab", "abc", "b", "\xff", "abd" };

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		ck_assert_uint_eq(lodge_strlen(strings[i]), strlen(strings[i]));
		for (size_t j = 0; j < ARRAY_SIZE(strings); j++) {
			const char *a = strings[i], *b = strings[j];

			ck_assert_int_eq(lodge_strcmp(a, b), sign(strcmp(a, b)));
			for (size_t size = 0; size < 5; size++)
				ck_assert_int_eq(lodge_strncmp(a, b, size),
						 sign(strncmp(a, b, size)));
		}
	}
}
END_TEST

START_TEST(strchr_finds_the_first_and_also_the_nul)
{
	const char *s = "abcb";

	ck_assert_ptr_eq(lodge_strchr(s, 'b'), s + 1);
	ck_assert_ptr_eq(lodge_strchr(s, '\0'), s + 4);
	ck_assert_ptr_null(lodge_strchr(s, 'z'));
}
END_TEST

UNIT_MAIN("libc", setup, NULL, memcpy_copies_exactly_size_bytes_at_any_alignment,
	  memmove_copies_overlapping_bytes_in_both_directions, memset_fills_exactly_size_bytes,
	  memcmp_orders_by_the_first_byte_that_differs, strings_end_at_their_nul,
	  strchr_finds_the_first_and_also_the_nul)
