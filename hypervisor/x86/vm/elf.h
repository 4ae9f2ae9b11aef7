/* Reads the ELF image of a PVH kernel: what to load where, and where to start. Everything in the file
 * is checked against its size; nothing is loaded here. */
#ifndef LODGE_X86_VM_ELF_H
#define LODGE_X86_VM_ELF_H

#include "lodge/types.h"

#define ELF_MAX_SEGMENTS 16u

struct elf_segment {
	uint64_t paddr, memory_bytes;
	const uint8_t *data; /* file_bytes of it; the rest is zero */
	uint64_t file_bytes;
};

struct elf_image {
	struct elf_segment segment[ELF_MAX_SEGMENTS];
	unsigned nr_segments;
	uint64_t start, end; /* of all segments, physical */
	uint64_t entry;      /* of the PVH note, physical */
};

/* NULL when the image is good, else what is wrong with it, as the end of a sentence about it. */
const char *elf_parse(const void *file, uint64_t bytes, struct elf_image *ret_image);

#endif
