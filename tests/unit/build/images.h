/* Kernels made by the tests: small ELF images of both classes, and bzImages around them in every packing. */
#ifndef LODGE_TESTS_BUILD_IMAGES_H
#define LODGE_TESTS_BUILD_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The good image: two segments and a note, at these places in the file. */
#define IMAGE_BYTES    0x2000u
#define IMAGE_NOTES    0x300u
#define IMAGE_CODE     0x1000u
#define IMAGE_ENTRY    0x1000040u
#define SEGMENT_A      0x1000000u /* from IMAGE_CODE */
#define SEGMENT_A_FILE 0x800u
#define SEGMENT_A_MEM  0x3000u
#define SEGMENT_B      0x1200000u /* from IMAGE_CODE + SEGMENT_A_FILE */
#define SEGMENT_B_FILE 0x123u

/* Fields of a program header, by number; they lie elsewhere in each class. */
enum phdr_field { P_TYPE, P_OFFSET, P_PADDR, P_FILESZ, P_MEMSZ, P_ALIGN };

struct image {
	uint8_t *data;
	size_t bytes;
	bool is_64_bit;
};

/* Zeroed memory that lives as long as the test's process, as that of all images does. */
void *test_alloc(size_t bytes);

struct image make_elf(bool is_64_bit);
void image_put(struct image *image, size_t at, unsigned bytes, uint64_t value);
void image_put_phdr(struct image *image, unsigned n, enum phdr_field field, uint64_t value);
/* A note of this type and description, in place of what was there. */
void image_put_note(struct image *image, uint32_t type, uint32_t bytes, uint64_t value);

enum packing { GZIP, XZ, ZSTD, LZ4, LZMA, NR_PACKINGS };
extern const char *const packing_names[NR_PACKINGS];

#define BZ_SECTORS 3u
#define BZ_OFFSET  0x240u /* payload, behind the sectors */
#define BZ_PAYLOAD ((BZ_SECTORS + 1) * 512 + BZ_OFFSET)

struct image make_bzimage(const struct image *kernel, enum packing packing);

/* A folder of the test's own; files in it; all gone with folder_remove(). */
extern char folder[];
void folder_make(void);
void folder_remove(void);
const char *folder_path(const char *name);
const char *folder_write(const char *name, const struct image *image); /* its path */

#endif
