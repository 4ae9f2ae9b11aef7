/* x86/multiboot.c: memory maps as real firmware has them, and lengths that a broken loader states. */
#include "unit.h"

#include <string.h>

#include "arch-inline.h"
#include "fake-arch.h"
#include "x86/boot-info.h"

#define MB1_MAGIC 0x2badb002u
#define MB2_MAGIC 0x36d76289u
#define INFO      0x10000u
#define MB1_MAP   0x20000u

static uint32_t end; /* of the tags, from INFO */

static void put(uint32_t at, unsigned bytes, uint64_t value)
{
	memcpy(fake_memory + INFO + at, &value, bytes);
}

static void setup(void)
{
	fake_reset();
	memset(&boot_info, 0, sizeof(boot_info));
	end = 8;
}

static void teardown(void)
{
}

/* Starts a tag whose payload is written from the returned offset on. */
static uint32_t add_tag(uint32_t type, uint32_t payload)
{
	uint32_t at = end;

	put(at, 4, type);
	put(at + 4, 4, payload + 8);
	end = (uint32_t)align_up(at + 8 + payload, 8);
	return at + 8;
}

static void start_map(uint32_t type, unsigned nr, uint32_t entry_bytes)
{
	uint32_t at = add_tag(type, 8 + nr * entry_bytes);

	put(at, 4, entry_bytes);
	put(at + 4, 4, 0);
}

static void add_usable(uint64_t base, uint64_t bytes)
{
	uint32_t at = add_tag(6, 8 + 24);

	put(at, 4, 24);
	put(at + 8, 8, base);
	put(at + 16, 8, bytes);
	put(at + 24, 4, MEMORY_USABLE);
}

static void parse(void)
{
	(void)add_tag(0, 0);
	put(0, 4, end);
	boot_info_init(MB2_MAGIC, INFO);
}

START_TEST(efi_descriptors_that_are_one_range_to_us_do_not_fill_the_map)
{
	const unsigned nr = 1000;

	start_map(17, nr, 48);
	for (unsigned i = 0; i < nr; i++) {
		uint32_t at = 8 + 16 + i * 48;

		put(at, 4, 3 + i % 2); /* boot services' code and data in turn */
		put(at + 8, 8, 0x100000 + i * PAGE_SIZE);
		put(at + 24, 8, 1);
	}
	ck_assert_int_eq(fake_end_of(parse()), FAKE_RETURNED);
	ck_assert_uint_eq(boot_info.nr_ranges, 1);
	ck_assert_uint_eq(boot_info.range[0].bytes, nr * PAGE_SIZE);
}
END_TEST

START_TEST(ranges_are_sorted_and_what_is_claimed_twice_is_not_usable)
{
	add_usable(0x10000000, 0x1000000);
	add_usable(0x100000, 0x1000000);
	start_map(6, 1, 24);
	put(end - 24, 8, 0x10400c00);
	put(end - 16, 8, 0x1000);
	put(end - 8, 8, MEMORY_ACPI);
	parse();
	ck_assert_uint_eq(boot_info.nr_ranges, 4);
	ck_assert_uint_eq(boot_info.range[0].base, 0x100000);
	ck_assert_uint_eq(boot_info.range[1].bytes, 0x400c00);
	ck_assert_uint_eq(boot_info.range[2].type, MEMORY_ACPI);
	ck_assert_uint_eq(boot_info.range[3].base, 0x10401c00);
}
END_TEST

START_TEST(a_map_tag_that_is_shorter_than_its_head_has_no_entries)
{
	uint32_t at = add_tag(6, 4);

	put(at, 4, 24);
	put(at + 8, 8, 0x100000); /* where its first entry would be */
	put(at + 16, 8, 0x100000);
	put(at + 24, 4, MEMORY_USABLE);
	end = at + 32;
	ck_assert_int_eq(fake_end_of(parse()), FAKE_BOOT_FAILED);
}
END_TEST

START_TEST(a_first_tag_that_reaches_beyond_the_end_stops_boot)
{
	put(0, 4, 64);
	put(8, 4, 1);
	put(12, 4, 0x10000);
	ck_assert_int_eq(fake_end_of(boot_info_init(MB2_MAGIC, INFO)), FAKE_BOOT_FAILED);
	ck_assert_str_eq(boot_info.cmdline, "");
	ck_assert_ptr_nonnull(strstr(fake_panic_text, "empty"));
}
END_TEST

START_TEST(a_frame_buffer_whose_lines_overlap_is_not_used)
{
	uint32_t at = add_tag(8, 24);

	put(at, 8, 0xe0000000);
	put(at + 8, 4, 1024 * 3); /* pitch */
	put(at + 12, 4, 1024);
	put(at + 16, 4, 768);
	put(at + 20, 1, 32);
	put(at + 21, 1, 1);
	add_usable(0x100000, 0x1000000);
	parse();
	ck_assert_uint_eq(boot_info.framebuffer.bpp, 0);
}
END_TEST

START_TEST(an_entry_of_impossible_size_ends_the_map_of_multiboot_1)
{
	const uint32_t sizes[] = { 0xfffffffc, 0, 19 };

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		setup();
		put(0, 4, 1u << 6);
		put(44, 4, 64);
		put(48, 4, MB1_MAP);
		put(MB1_MAP - INFO, 4, 20);
		put(MB1_MAP - INFO + 4, 8, 0x100000);
		put(MB1_MAP - INFO + 12, 8, 0x1000000);
		put(MB1_MAP - INFO + 20, 4, MEMORY_USABLE);
		put(MB1_MAP - INFO + 24, 4, sizes[i]);
		put(MB1_MAP - INFO + 28, 8, 0x8000000);
		put(MB1_MAP - INFO + 36, 8, 0x1000000);
		put(MB1_MAP - INFO + 44, 4, MEMORY_USABLE);
		boot_info_init(MB1_MAGIC, INFO);
		ck_assert_uint_eq(boot_info.nr_ranges, 1);
	}
}
END_TEST

UNIT_MAIN("multiboot", setup, teardown,
	  efi_descriptors_that_are_one_range_to_us_do_not_fill_the_map,
	  ranges_are_sorted_and_what_is_claimed_twice_is_not_usable,
	  a_map_tag_that_is_shorter_than_its_head_has_no_entries,
	  a_first_tag_that_reaches_beyond_the_end_stops_boot,
	  a_frame_buffer_whose_lines_overlap_is_not_used,
	  an_entry_of_impossible_size_ends_the_map_of_multiboot_1)
