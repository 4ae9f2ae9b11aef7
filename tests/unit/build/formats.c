/* Kernel files: good ones of every kind, and what each kind of damage is called. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build/elf-image.h"
#include "build/unpack.h"
#include "images.h"

static struct elf_image image;
static struct err err;

static struct source of(const struct image *i)
{
	return (struct source){ .name = "vmlinux", .fd = -1, .data = i->data, .bytes = i->bytes };
}

static int read_elf(const struct image *i)
{
	struct source s = of(i);

	return elf_image_read(&s, &image, &err);
}

static void expect_text(const char *part)
{
	ck_assert_msg(strstr(err.text, part) && !strncmp(err.text, "vmlinux: ", 9),
		      "\"%s\" is not about \"%s\"", err.text, part);
}

static void expect(const struct image *i, const char *part)
{
	ck_assert_int_ne(read_elf(i), 0);
	expect_text(part);
}

static void expect_good(const struct image *i)
{
	ck_assert_msg(!read_elf(i), "%s", err.text);
	ck_assert_uint_eq(image.nr_segments, 2);
	ck_assert_uint_eq(image.segment[0].paddr, SEGMENT_A);
	ck_assert_uint_eq(image.segment[0].memory_bytes, SEGMENT_A_MEM);
	ck_assert_uint_eq(image.segment[0].offset, IMAGE_CODE);
	ck_assert_uint_eq(image.segment[0].file_bytes, SEGMENT_A_FILE);
	ck_assert_uint_eq(image.segment[1].paddr, SEGMENT_B);
	ck_assert_uint_eq(image.start, SEGMENT_A);
	ck_assert_uint_eq(image.end, SEGMENT_B + SEGMENT_B_FILE);
	ck_assert_uint_eq(image.entry, IMAGE_ENTRY);
	ck_assert(image.is_64_bit == i->is_64_bit);
}

START_TEST(elf_images_of_both_classes_tell_segments_and_entry)
{
	struct image wide = make_elf(true), narrow = make_elf(false);

	expect_good(&wide);
	expect_good(&narrow);
}
END_TEST

START_TEST(an_entry_note_has_4_or_8_bytes_in_either_class)
{
	for (int i = 0; i < 2; i++) {
		struct image e = make_elf(i);

		image_put_note(&e, 18, 4, IMAGE_ENTRY);
		expect_good(&e);
		image_put_note(&e, 18, 8, IMAGE_ENTRY);
		expect_good(&e);
		image_put_note(&e, 18, 2, IMAGE_ENTRY);
		expect(&e, "its PVH entry note has 2 bytes; 4 or 8 are expected");
	}
}
END_TEST

START_TEST(notes_of_a_segment_that_is_aligned_to_8_are_found)
{
	struct image e = make_elf(true);
	static const uint8_t property[28] = { 4, 0, 0, 0, 9, 0, 0, 0, 5, 0, 0, 0, 'G', 'N', 'U' };

	/* 12 + 4 + 9 bytes are 25: the next one starts at 32 and not at 28 */
	memcpy(e.data + 0x400, property, sizeof(property));
	memcpy(e.data + 0x420, e.data + IMAGE_NOTES, 24);
	image_put_phdr(&e, 2, P_OFFSET, 0x400);
	image_put_phdr(&e, 2, P_FILESZ, 0x38);
	image_put_phdr(&e, 2, P_ALIGN, 8);
	expect_good(&e);
	image_put_phdr(&e, 2, P_ALIGN, 4);
	expect(&e, "no PVH entry");
}
END_TEST

START_TEST(without_the_note_a_kernel_has_no_PVH_entry)
{
	struct image e = make_elf(true);

	image_put_note(&e, 17, 8, IMAGE_ENTRY);
	expect(&e, "this kernel has no PVH entry");
	image_put_note(&e, 18, 8, IMAGE_ENTRY);
	e.data[IMAGE_NOTES + 12] = 'Y';
	expect(&e, "this kernel has no PVH entry");
	image_put_note(&e, 18, 8, IMAGE_ENTRY);
	image_put_phdr(&e, 2, P_TYPE, 6);
	expect(&e, "this kernel has no PVH entry");
}
END_TEST

START_TEST(damaged_notes_end_the_search)
{
	struct image e = make_elf(true), big = e;

	image_put(&e, IMAGE_NOTES, 4, UINT32_MAX);
	expect(&e, "no PVH entry");
	image_put_note(&e, 18, 8, IMAGE_ENTRY);
	image_put(&e, IMAGE_NOTES + 4, 4, UINT32_MAX);
	expect(&e, "no PVH entry");
	image_put_note(&e, 18, 8, IMAGE_ENTRY);
	image_put_phdr(&e, 2, P_FILESZ, 23);
	expect(&e, "no PVH entry");
	image_put_phdr(&e, 2, P_FILESZ, IMAGE_BYTES);
	expect(&e, "cut short in its ELF notes");
	big.bytes = (2u << 20) + IMAGE_NOTES;
	big.data = memcpy(test_alloc(big.bytes), e.data, e.bytes);
	image_put_phdr(&big, 2, P_FILESZ, 2u << 20);
	expect(&big, "1 MiB of ELF notes");
}
END_TEST

START_TEST(the_entry_is_inside_of_a_segment)
{
	struct image e = make_elf(true);

	image_put_note(&e, 18, 8, SEGMENT_A + SEGMENT_A_MEM);
	expect(&e, "entry 0x1003000 is outside of what it loads");
	image_put_note(&e, 18, 8, UINT64_C(0x100000000) + IMAGE_ENTRY);
	expect(&e, "entry 0x101000040 is above 4 GiB");
}
END_TEST

START_TEST(other_files_are_no_kernel)
{
	struct image e = make_elf(true);

	e.data[1] = 'X';
	expect(&e, "neither an ELF image nor a bzImage");
	e.bytes = 0;
	expect(&e, "neither an ELF image nor a bzImage");
}
END_TEST

START_TEST(other_machines_are_refused_by_number)
{
	struct image e = make_elf(true), narrow = make_elf(false);

	image_put(&e, 18, 2, 183);
	expect(&e, "for machine 183; a 64-bit x86 kernel has 62");
	image_put(&narrow, 18, 2, 62);
	expect(&narrow, "for machine 62; a 32-bit x86 kernel has 3");
	e.data[5] = 2;
	expect(&e, "big-endian");
	e.data[4] = 3;
	expect(&e, "neither 64 nor 32 bits");
}
END_TEST

START_TEST(files_that_are_no_executable_are_refused)
{
	struct image e = make_elf(true);

	image_put(&e, 16, 2, 1);
	expect(&e, "no executable image");
	image_put(&e, 16, 2, 3);
	expect_good(&e);
	image_put(&e, 54, 2, 57);
	expect(&e, "headers of the wrong size");
	image_put(&e, 56, 2, 0);
	expect(&e, "without segments");
}
END_TEST

START_TEST(an_image_that_is_cut_short_is_noticed_at_every_length)
{
	for (int i = 0; i < 2; i++) {
		struct image e = make_elf(i);

		for (e.bytes = 0; e.bytes < IMAGE_CODE + SEGMENT_A_FILE + SEGMENT_B_FILE; e.bytes++)
			ck_assert_int_ne(read_elf(&e), 0);
		expect_good(&e);
		e.bytes = 40;
		expect(&e, "cut short in its ELF header");
		e.bytes = 100;
		expect(&e, "cut short in its ELF segment headers");
		e.bytes = IMAGE_CODE + SEGMENT_A_FILE;
		expect(&e, "cut short: the segment at 0x1200000 reaches beyond the end");
	}
}
END_TEST

START_TEST(segments_that_overlap_are_refused_with_both_places)
{
	struct image e = make_elf(true);

	image_put_phdr(&e, 1, P_PADDR, SEGMENT_A + SEGMENT_A_MEM - 1);
	expect(&e, "segments overlap at 0x1000000 and 0x1002fff");
}
END_TEST

START_TEST(impossible_sizes_are_refused)
{
	struct image e = make_elf(true);

	image_put_phdr(&e, 0, P_MEMSZ, SEGMENT_A_FILE - 1);
	expect(&e, "the segment at 0x1000000 has an impossible size");
	image_put_phdr(&e, 0, P_MEMSZ, UINT64_MAX - 5);
	expect(&e, "impossible size");
	e = make_elf(true);
	image_put_phdr(&e, 0, P_OFFSET, UINT64_MAX - 8);
	expect(&e, "cut short");
	e = make_elf(true);
	image_put(&e, 32, 8, UINT64_MAX - 8);
	expect(&e, "segment headers");
}
END_TEST

START_TEST(an_image_with_nothing_to_load_is_refused)
{
	struct image e = make_elf(true);

	image_put_phdr(&e, 0, P_FILESZ, 0);
	image_put_phdr(&e, 0, P_MEMSZ, 0);
	image_put_phdr(&e, 1, P_TYPE, 6);
	expect(&e, "nothing to load");
}
END_TEST

START_TEST(more_than_32_segments_are_refused)
{
	struct image e = make_elf(true);

	image_put(&e, 56, 2, 33);
	for (unsigned i = 0; i < 33; i++) {
		image_put_phdr(&e, i, P_TYPE, 1);
		image_put_phdr(&e, i, P_OFFSET, IMAGE_CODE);
		image_put_phdr(&e, i, P_PADDR, SEGMENT_A + i * 0x1000);
		image_put_phdr(&e, i, P_FILESZ, 1);
		image_put_phdr(&e, i, P_MEMSZ, 1);
	}
	expect(&e, "more than 32 segments");
}
END_TEST

/* Where a bzImage cannot be read, err says why. */
static int unpack(const struct image *bz, struct source *ret_kernel)
{
	struct source s = of(bz), payload;
	uint64_t bytes;
	int ret = bzimage_find_payload(&s, &payload, &bytes, &err);

	return ret ? ret : payload_unpack(&payload, bytes, ret_kernel, &err);
}

static void expect_unpacked(const struct image *bz, const struct image *kernel)
{
	struct source s = of(bz), got;

	ck_assert(bzimage_is(&s));
	ck_assert_msg(!unpack(bz, &got), "%s", err.text);
	ck_assert_uint_eq(got.bytes, kernel->bytes);
	ck_assert_int_eq(memcmp(got.data, kernel->data, kernel->bytes), 0);
	source_close(&got);
}

static void expect_not_unpacked(const struct image *bz, const char *part)
{
	struct source got;

	ck_assert_int_ne(unpack(bz, &got), 0);
	expect_text(part);
}

START_TEST(bzimages_of_every_packing_are_unpacked)
{
	struct image kernel = make_elf(true);

	for (enum packing p = 0; p < NR_PACKINGS; p++) {
		struct image bz = make_bzimage(&kernel, p);

		expect_unpacked(&bz, &kernel);
	}
}
END_TEST

START_TEST(lz4_has_blocks_of_8_MiB)
{
	struct image kernel = make_elf(true), large = kernel, bz;

	large.bytes = (17u << 20) + 5;
	large.data = test_alloc(large.bytes);
	memcpy(large.data, kernel.data, kernel.bytes);
	memset(large.data + (8u << 20) - 100, 0x55, 200);
	large.data[large.bytes - 1] = 0xaa;
	bz = make_bzimage(&large, LZ4);
	expect_unpacked(&bz, &large);
}
END_TEST

START_TEST(no_setup_sectors_mean_4)
{
	struct image kernel = make_elf(true), bz = make_bzimage(&kernel, GZIP);

	bz.data[0x1f1] = 0;
	image_put(&bz, 0x248, 4, BZ_OFFSET - 512);
	expect_unpacked(&bz, &kernel);
}
END_TEST

START_TEST(a_bzimage_that_is_cut_short_says_where_it_should_end)
{
	struct image kernel = make_elf(true), bz = make_bzimage(&kernel, XZ);
	char text[64];

	snprintf(text, sizeof(text), "ends at byte %zu, the file at %zu", bz.bytes - 100,
		 bz.bytes - 101);
	bz.bytes -= 101;
	expect_not_unpacked(&bz, text);
	bz.bytes = 0x220;
	expect_not_unpacked(&bz, "cut short in its header");
}
END_TEST

START_TEST(old_boot_protocols_are_refused_by_number)
{
	struct image kernel = make_elf(true), bz = make_bzimage(&kernel, XZ);

	image_put(&bz, 0x206, 2, 0x207);
	expect_not_unpacked(&bz, "boot protocol 2.07");
	image_put(&bz, 0x206, 2, 0x208);
	expect_unpacked(&bz, &kernel);
}
END_TEST

START_TEST(packings_that_are_not_unpacked_are_named)
{
	struct image kernel = make_elf(true), bz = make_bzimage(&kernel, XZ);

	memcpy(bz.data + BZ_PAYLOAD, "BZh9", 4);
	expect_not_unpacked(&bz, "packed by bzip2, which Lodge does not unpack");
	memcpy(bz.data + BZ_PAYLOAD, "\x89LZO", 4);
	expect_not_unpacked(&bz, "packed by lzo");
	memcpy(bz.data + BZ_PAYLOAD, "\1\2\3\4", 4);
	expect_not_unpacked(&bz, "it starts with 01 02 03 04");
	image_put(&bz, 0x24c, 4, 9);
	expect_not_unpacked(&bz, "without a kernel inside");
}
END_TEST

/* What a payload says about its length is wrong by so much. */
static void expect_wrong_length(const struct image *kernel, enum packing p, int by,
				const char *part)
{
	struct image bz = make_bzimage(kernel, p);

	image_put(&bz, bz.bytes - 104, 4, kernel->bytes + (uint64_t)by);
	expect_not_unpacked(&bz, part);
}

START_TEST(a_payload_of_another_length_than_it_says_is_refused)
{
	struct image kernel = make_elf(true), bz = make_bzimage(&kernel, XZ);

	for (enum packing p = 0; p < NR_PACKINGS; p++) {
		if (p != GZIP) { /* it checks the length itself: damage */
			expect_wrong_length(&kernel, p, 1, "is shorter than it says");
			/* liblz4 does not tell why a block does not fit */
			expect_wrong_length(&kernel, p, -1,
					    p == LZ4 ? "is damaged" : "is longer than it says");
		} else {
			expect_wrong_length(&kernel, p, 1, "(gzip) is damaged");
			expect_wrong_length(&kernel, p, -1, "(gzip) is longer than it says");
		}
	}
	image_put(&bz, bz.bytes - 104, 4, UINT32_MAX);
	expect_not_unpacked(&bz, "would have 4095 MiB");
}
END_TEST

/* A file of holes is as long as it likes, and would be read into memory. */
START_TEST(a_payload_that_no_memory_holds_is_refused)
{
	struct image kernel = make_elf(true), bz = make_bzimage(&kernel, XZ);
	struct source s = of(&bz), payload;
	uint64_t bytes;

	image_put(&bz, 0x24c, 4, 0xc0000000);
	s.data = NULL;
	s.bytes = 4ull << 30;
	s.fd = memfd_create("kernel", MFD_CLOEXEC);
	ck_assert_int_eq(pwrite(s.fd, bz.data, bz.bytes, 0), (ssize_t)bz.bytes);
	ck_assert_int_eq(ftruncate(s.fd, (off_t)s.bytes), 0);
	ck_assert_int_eq(bzimage_find_payload(&s, &payload, &bytes, &err), -EINVAL);
	expect_text("would have 3072 MiB packed");
	close(s.fd);
}
END_TEST

START_TEST(a_payload_that_ends_early_is_cut_short)
{
	struct image kernel = make_elf(true);

	for (enum packing p = 0; p < NR_PACKINGS; p++) {
		struct image bz = make_bzimage(&kernel, p);
		uint32_t bytes;

		memcpy(&bytes, bz.data + 0x24c, 4);
		image_put(&bz, 0x24c, 4, bytes - 40);
		image_put(&bz, BZ_PAYLOAD + bytes - 44, 4, kernel.bytes);
		expect_not_unpacked(&bz, "is cut short");
		expect_text(packing_names[p]);
	}
}
END_TEST

START_TEST(a_damaged_payload_is_refused_where_its_format_has_a_checksum)
{
	struct image kernel = make_elf(true);
	struct source got;

	for (enum packing p = 0; p < NR_PACKINGS; p++) {
		struct image bz = make_bzimage(&kernel, p);

		memset(bz.data + BZ_PAYLOAD + 20, 0xff, 200);
		if (unpack(&bz, &got)) {
			expect_text(packing_names[p]);
		} else {
			ck_assert(p == LZ4 || p == LZMA); /* as Linux packs them, they have none */
			source_close(&got);
		}
	}
}
END_TEST

START_TEST(files_that_cannot_be_read_are_named_with_the_reason)
{
	struct source s;
	const char *path = folder_path("none");

	ck_assert_int_eq(source_open(&s, path, &err), -ENOENT);
	ck_assert(strstr(err.text, path) && strstr(err.text, "No such file"));
	ck_assert_int_eq(source_open(&s, folder, &err), -EINVAL);
	ck_assert(strstr(err.text, "not a regular file"));
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(source_open(&s, path, &err), -EINVAL);
}
END_TEST

START_TEST(a_file_that_becomes_shorter_while_it_is_read_is_an_error)
{
	struct image kernel = make_elf(true);
	const char *path = folder_write("vmlinux", &kernel);
	uint8_t bytes[16];
	struct source s;

	ck_assert_int_eq(source_open(&s, path, &err), 0);
	ck_assert_int_eq(truncate(path, 8), 0);
	ck_assert_int_eq(source_read(&s, 0, bytes, sizeof(bytes), &err), -EIO);
	ck_assert(strstr(err.text, "became shorter while it was read"));
	ck_assert_int_ne(elf_image_read(&s, &image, &err), 0);
	source_close(&s);
}
END_TEST

UNIT_MAIN("build-formats", folder_make, folder_remove,
	  elf_images_of_both_classes_tell_segments_and_entry,
	  an_entry_note_has_4_or_8_bytes_in_either_class,
	  notes_of_a_segment_that_is_aligned_to_8_are_found,
	  without_the_note_a_kernel_has_no_PVH_entry, damaged_notes_end_the_search,
	  the_entry_is_inside_of_a_segment, other_files_are_no_kernel,
	  other_machines_are_refused_by_number, files_that_are_no_executable_are_refused,
	  an_image_that_is_cut_short_is_noticed_at_every_length,
	  segments_that_overlap_are_refused_with_both_places, impossible_sizes_are_refused,
	  an_image_with_nothing_to_load_is_refused, more_than_32_segments_are_refused,
	  bzimages_of_every_packing_are_unpacked, lz4_has_blocks_of_8_MiB, no_setup_sectors_mean_4,
	  a_bzimage_that_is_cut_short_says_where_it_should_end,
	  old_boot_protocols_are_refused_by_number, packings_that_are_not_unpacked_are_named,
	  a_payload_of_another_length_than_it_says_is_refused,
	  a_payload_that_no_memory_holds_is_refused, a_payload_that_ends_early_is_cut_short,
	  a_damaged_payload_is_refused_where_its_format_has_a_checksum,
	  files_that_cannot_be_read_are_named_with_the_reason,
	  a_file_that_becomes_shorter_while_it_is_read_is_an_error)
