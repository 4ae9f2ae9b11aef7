/* core/alloc.c over core/page.c. */
#include "unit.h"

#include <string.h>

#include "fake-arch.h"
#include "lodge/alloc.h"
#include "lodge/page.h"

static bool is_zero(const uint8_t *p, size_t bytes)
{
	return !p[0] && !memcmp(p, p + 1, bytes - 1);
}

START_TEST(memory_is_zero_and_aligned_to_its_size_class)
{
	for (size_t size = 1; size <= 3 * PAGE_SIZE; size += size < 64 ? 1 : 61) {
		size_t align = 16;
		uint8_t *p = mem_alloc(size);

		while (align < size && align < PAGE_SIZE)
			align *= 2;
		ck_assert_ptr_nonnull(p);
		ck_assert_uint_eq((uintptr_t)p & (align - 1), 0);
		ck_assert(is_zero(p, size));
		memset(p, 0xff, size);
		mem_free(p, size);
	}
}
END_TEST

START_TEST(objects_do_not_overlap)
{
	static uint8_t *p[1000];

	for (unsigned i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = mem_alloc(24);
		ck_assert_ptr_nonnull(p[i]);
		memset(p[i], (int)(i & 0xff), 24);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
		for (unsigned n = 0; n < 24; n++)
			ck_assert_uint_eq(p[i][n], i & 0xff);
}
END_TEST

START_TEST(freed_objects_are_used_again_before_new_pages)
{
	uint64_t nr_free;
	void *p[128];

	for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = mem_alloc(32);
	nr_free = page_count_free();
	for (unsigned round = 0; round < 100; round++) {
		mem_free(p[round], 32);
		p[round] = mem_alloc(32);
		ck_assert_uint_eq(page_count_free(), nr_free);
	}
}
END_TEST

START_TEST(empty_pages_are_given_back_but_for_one)
{
	uint64_t nr_free = page_count_free();
	static void *p[600];

	for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = mem_alloc(512);
	ck_assert_uint_eq(page_count_free(), nr_free - ARRAY_SIZE(p) / 8);
	for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
		mem_free(p[(i * 7) % ARRAY_SIZE(p)], 512);
	ck_assert_uint_ge(page_count_free(), nr_free - 1);
	for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
		ck_assert_ptr_nonnull(mem_alloc(512));
}
END_TEST

START_TEST(large_objects_are_whole_pages)
{
	uint64_t nr_free = page_count_free();
	uint8_t *p = mem_alloc(5 * PAGE_SIZE);

	ck_assert_uint_eq(page_count_free(), nr_free - 8);
	ck_assert(is_zero(p, 5 * PAGE_SIZE));
	mem_free(p, 5 * PAGE_SIZE);
	ck_assert_uint_eq(page_count_free(), nr_free);
}
END_TEST

START_TEST(null_when_there_is_no_memory)
{
	while (!mfn_is_none(page_alloc(0, NODE_ANY, 0)))
		;
	ck_assert_ptr_null(mem_alloc(16));
	ck_assert_ptr_null(mem_alloc(PAGE_SIZE));
	ck_assert_ptr_null(mem_alloc(SIZE_MAX));
}
END_TEST

START_TEST(null_may_be_freed)
{
	mem_free(NULL, 16);
	mem_free(NULL, PAGE_SIZE);
}
END_TEST

START_TEST(no_bytes_are_an_object_too)
{
	void *p = mem_alloc(0);

	ck_assert_ptr_nonnull(p);
	mem_free(p, 0);
}
END_TEST

START_TEST(a_wrong_size_panics)
{
	void *p = mem_alloc(32);

	ck_assert_panics(mem_free(p, 64));
}
END_TEST

START_TEST(a_pointer_into_an_object_panics)
{
	uint8_t *p = mem_alloc(64);

	ck_assert_panics(mem_free(p + 16, 64));
}
END_TEST

START_TEST(freeing_more_than_there_is_panics)
{
	void *p = mem_alloc(64);

	mem_free(p, 64);
	ck_assert_panics(mem_free(p, 64));
}
END_TEST

UNIT_MAIN("alloc", fake_reset, NULL, memory_is_zero_and_aligned_to_its_size_class,
	  objects_do_not_overlap, freed_objects_are_used_again_before_new_pages,
	  empty_pages_are_given_back_but_for_one, large_objects_are_whole_pages,
	  null_when_there_is_no_memory, null_may_be_freed, no_bytes_are_an_object_too,
	  a_wrong_size_panics, a_pointer_into_an_object_panics, freeing_more_than_there_is_panics)
