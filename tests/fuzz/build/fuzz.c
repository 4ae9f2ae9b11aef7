/* Any bytes as a kernel's file: bzImage, its packed kernel, ELF image. What is accepted must be what its
 * reader promises. */
#include <stdlib.h>

#include "build/elf-image.h"
#include "build/unpack.h"

#define UNPACKED_MAX (4u << 20) /* larger ones only take longer */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_image(const struct source *s, const struct elf_image *image)
{
	bool has_entry = false;

	require(image->nr_segments && image->nr_segments <= ELF_MAX_SEGMENTS);
	for (unsigned i = 0; i < image->nr_segments; i++) {
		const struct elf_segment *e = &image->segment[i];

		require(e->memory_bytes && e->paddr + e->memory_bytes > e->paddr);
		require(e->file_bytes <= e->memory_bytes);
		require(source_has(s, e->offset, e->file_bytes));
		require(e->paddr >= image->start && e->paddr + e->memory_bytes <= image->end);
		has_entry |= image->entry >= e->paddr && image->entry - e->paddr < e->memory_bytes;
		for (unsigned j = 0; j < i; j++)
			require(e->paddr + e->memory_bytes <= image->segment[j].paddr ||
				image->segment[j].paddr + image->segment[j].memory_bytes <=
					e->paddr);
	}
	require(has_entry);
}

static void read_kernel(const struct source *s)
{
	struct elf_image image;
	struct err err = { "" };

	if (!elf_image_read(s, &image, &err))
		check_image(s, &image);
	else
		require(err.text[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct source s = { .name = "vmlinuz", .fd = -1, .data = data, .bytes = bytes };
	struct source payload, kernel;
	uint64_t unpacked_bytes;
	struct err err = { "" };

	if (!bzimage_is(&s)) {
		read_kernel(&s);
		return 0;
	}
	if (bzimage_find_payload(&s, &payload, &unpacked_bytes, &err)) {
		require(err.text[0]);
		return 0;
	}
	require(payload.data >= data && payload.data + payload.bytes <= data + bytes);
	if (unpacked_bytes <= UNPACKED_MAX &&
	    !payload_unpack(&payload, unpacked_bytes, &kernel, &err)) {
		require(kernel.bytes == unpacked_bytes);
		read_kernel(&kernel);
		source_close(&kernel);
	}
	return 0;
}
