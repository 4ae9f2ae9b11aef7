/* x86/vm/elf.c: a small good image, and what each kind of damage to it is called. */
#include "unit.h"

#include <string.h>

#include "x86/vm/elf.h"

#define PHDR(n)    (64u + (n)*56u)
#define NOTES      0x200u
#define NOTE_BYTES 20u /* header, "Xen", a 4-byte address */
#define CODE       0x300u
#define FILE_BYTES 0x400u

static uint8_t file[FILE_BYTES];
static struct elf_image image;

static void put(unsigned at, unsigned bytes, uint64_t value)
{
	memcpy(file + at, &value, bytes);
}

static void put_phdr(unsigned n, uint32_t type, uint64_t offset, uint64_t paddr, uint64_t filesz,
		     uint64_t memsz)
{
	put(PHDR(n), 4, type);
	put(PHDR(n) + 8, 8, offset);
	put(PHDR(n) + 24, 8, paddr);
	put(PHDR(n) + 32, 8, filesz);
	put(PHDR(n) + 40, 8, memsz);
}

static void setup(void)
{
	memset(file, 0, sizeof(file));
	memcpy(file, "\177ELF\2\1\1", 7);
	put(16, 2, 2);  /* executable */
	put(18, 2, 62); /* x86-64 */
	put(32, 8, 64); /* program headers */
	put(54, 2, 56);
	put(56, 2, 3);
	put_phdr(0, 1, CODE, 0x1000000, 0x100, 0x2000);
	put_phdr(1, 1, CODE, 0x2000000, 0x80, 0x80);
	put_phdr(2, 4, NOTES, 0, NOTE_BYTES, NOTE_BYTES);
	put(NOTES, 4, 4);
	put(NOTES + 4, 4, 4);
	put(NOTES + 8, 4, 18);
	memcpy(file + NOTES + 12, "Xen", 4);
	put(NOTES + 16, 4, 0x1000040);
}

static void teardown(void)
{
}

static void expect(const char *part)
{
	const char *problem = elf_parse(file, sizeof(file), &image);

	ck_assert_msg(problem && strstr(problem, part), "\"%s\" is not about \"%s\"",
		      problem ? problem : "good", part);
}

START_TEST(a_good_image_tells_segments_and_entry)
{
	ck_assert_ptr_null(elf_parse(file, sizeof(file), &image));
	ck_assert_uint_eq(image.nr_segments, 2);
	ck_assert_uint_eq(image.start, 0x1000000);
	ck_assert_uint_eq(image.end, 0x2000080);
	ck_assert_uint_eq(image.entry, 0x1000040);
	ck_assert_uint_eq(image.segment[0].memory_bytes, 0x2000);
	ck_assert_uint_eq(image.segment[0].file_bytes, 0x100);
	ck_assert_ptr_eq(image.segment[0].data, file + CODE);
}
END_TEST

START_TEST(an_entry_of_8_bytes_is_taken_too)
{
	put(NOTES + 4, 4, 8);
	put_phdr(2, 4, NOTES, 0, NOTE_BYTES + 4, 0);
	ck_assert_ptr_null(elf_parse(file, sizeof(file), &image));
	ck_assert_uint_eq(image.entry, 0x1000040);
}
END_TEST

START_TEST(a_bzimage_is_called_one)
{
	memset(file, 0, 4);
	memcpy(file + 0x202, "HdrS", 4);
	expect("bzImage");
}
END_TEST

START_TEST(other_files_are_no_elf_image)
{
	file[1] = 'X';
	expect("no ELF image");
	ck_assert_ptr_nonnull(elf_parse(file, 0, &image));
	ck_assert_ptr_nonnull(elf_parse(file, 3, &image));
}
END_TEST

START_TEST(other_machines_are_refused)
{
	put(18, 2, 3);
	expect("x86-64");
	setup();
	file[4] = 1;
	expect("x86-64");
	setup();
	put(16, 2, 1);
	expect("executable");
}
END_TEST

START_TEST(a_file_that_is_cut_short_is_noticed_at_every_length)
{
	for (size_t bytes = 0; bytes < CODE + 0x100; bytes++)
		ck_assert_ptr_nonnull(elf_parse(file, bytes, &image));
}
END_TEST

START_TEST(segments_that_overlap_are_refused)
{
	put_phdr(1, 1, CODE, 0x1001000, 0x80, 0x80);
	expect("overlap");
}
END_TEST

START_TEST(impossible_sizes_are_refused)
{
	put_phdr(0, 1, CODE, 0x1000000, 0x100, 0x80);
	expect("impossible");
	put_phdr(0, 1, CODE, UINT64_MAX - 0xff, 0x100, 0x2000);
	expect("impossible");
	put_phdr(0, 1, UINT64_MAX - 8, 0x1000000, 0x100, 0x2000);
	expect("cut short");
	setup();
	put(32, 8, UINT64_MAX - 8);
	expect("table of segments");
}
END_TEST

START_TEST(nothing_to_load_is_refused)
{
	put_phdr(0, 1, CODE, 0x1000000, 0, 0);
	put_phdr(1, 6, CODE, 0x2000000, 0x80, 0x80);
	expect("nothing to load");
}
END_TEST

START_TEST(without_the_note_it_is_no_pvh_kernel)
{
	put(NOTES + 8, 4, 17);
	expect("PVH entry note");
	setup();
	file[NOTES + 12] = 'Y';
	expect("PVH entry note");
	setup();
	put(NOTES + 4, 4, 2);
	expect("PVH entry note");
}
END_TEST

START_TEST(notes_that_run_over_their_segment_end_the_search)
{
	put(NOTES, 4, UINT32_MAX);
	expect("PVH entry note");
	setup();
	put(NOTES + 4, 4, UINT32_MAX);
	expect("PVH entry note");
	setup();
	put_phdr(2, 4, FILE_BYTES - 8, 0, NOTE_BYTES, NOTE_BYTES);
	expect("PVH entry note");
}
END_TEST

START_TEST(an_entry_outside_of_the_segments_is_refused)
{
	put(NOTES + 16, 4, 0x3000000);
	expect("outside");
}
END_TEST

START_TEST(more_than_16_segments_are_refused)
{
	static uint8_t big[64 + 17 * 56 + 0x100];

	memcpy(big, file, 64);
	big[56] = 17;
	for (unsigned i = 0; i < 17; i++) {
		uint64_t paddr = 0x1000000 + i * 0x1000;

		big[PHDR(i)] = 1;
		memcpy(big + PHDR(i) + 24, &paddr, 8);
		big[PHDR(i) + 40] = 16;
	}
	ck_assert_ptr_nonnull(strstr(elf_parse(big, sizeof(big), &image), "16 segments"));
}
END_TEST

UNIT_MAIN("elf", setup, teardown, a_good_image_tells_segments_and_entry,
	  an_entry_of_8_bytes_is_taken_too, a_bzimage_is_called_one, other_files_are_no_elf_image,
	  other_machines_are_refused, a_file_that_is_cut_short_is_noticed_at_every_length,
	  segments_that_overlap_are_refused, impossible_sizes_are_refused,
	  nothing_to_load_is_refused, without_the_note_it_is_no_pvh_kernel,
	  notes_that_run_over_their_segment_end_the_search,
	  an_entry_outside_of_the_segments_is_refused, more_than_16_segments_are_refused)
