/* Reads the ELF image of a PVH kernel, 64 or 32 bits wide: what to load where, and where to start. The
 * file may be anything; nothing is loaded here. */
#ifndef LODGE_TOOLSTACK_ELF_IMAGE_H
#define LODGE_TOOLSTACK_ELF_IMAGE_H

#include "build/source.h"

#define ELF_MAX_SEGMENTS 32u

struct elf_segment {
	uint64_t paddr, memory_bytes;
	uint64_t offset, file_bytes; /* in the file; the rest is zero */
};

struct elf_image {
	struct elf_segment segment[ELF_MAX_SEGMENTS];
	unsigned nr_segments;
	uint64_t start, end; /* of all segments, physical */
	uint32_t entry;      /* of the PVH note, physical */
	bool is_64_bit;
};

int elf_image_read(const struct source *s, struct elf_image *ret_image, struct err *err);

#endif
