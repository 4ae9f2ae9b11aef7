/* Writes kernel images byte by byte: nothing here is shared with what reads them. */
#include "images.h"

#include <check.h>
#include <ftw.h>
#include <lz4.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

const char *const packing_names[NR_PACKINGS] = { "gzip", "xz", "zstd", "lz4", "lzma" };

/* What was allocated stays reachable until the process of the test ends: no leak. */
void *test_alloc(size_t bytes)
{
	struct block {
		struct block *next;
		uint8_t data[];
	} *block = calloc(1, sizeof(*block) + bytes);
	static struct block *blocks;

	ck_assert_ptr_nonnull(block);
	block->next = blocks;
	blocks = block;
	return block->data;
}

void image_put(struct image *image, size_t at, unsigned bytes, uint64_t value)
{
	memcpy(image->data + at, &value, bytes);
}

void image_put_phdr(struct image *image, unsigned n, enum phdr_field field, uint64_t value)
{
	static const struct {
		unsigned at, bytes;
	} places[2][6] = {
		{ { 0, 4 }, { 4, 4 }, { 12, 4 }, { 16, 4 }, { 20, 4 }, { 28, 4 } },
		{ { 0, 4 }, { 8, 8 }, { 24, 8 }, { 32, 8 }, { 40, 8 }, { 48, 8 } },
	};
	unsigned start = image->is_64_bit ? 64 + n * 56 : 52 + n * 32;

	image_put(image, start + places[image->is_64_bit][field].at,
		  places[image->is_64_bit][field].bytes, value);
}

void image_put_note(struct image *image, uint32_t type, uint32_t bytes, uint64_t value)
{
	image_put(image, IMAGE_NOTES, 4, 4);
	image_put(image, IMAGE_NOTES + 4, 4, bytes);
	image_put(image, IMAGE_NOTES + 8, 4, type);
	memcpy(image->data + IMAGE_NOTES + 12, "Xen", 4);
	image_put(image, IMAGE_NOTES + 16, 8, value);
	image_put_phdr(image, 2, P_FILESZ, 16 + bytes);
}

static void put_phdr(struct image *image, unsigned n, uint32_t type, uint64_t offset,
		     uint64_t paddr, uint64_t filesz, uint64_t memsz)
{
	image_put_phdr(image, n, P_TYPE, type);
	image_put_phdr(image, n, P_OFFSET, offset);
	image_put_phdr(image, n, P_PADDR, paddr);
	image_put_phdr(image, n, P_FILESZ, filesz);
	image_put_phdr(image, n, P_MEMSZ, memsz);
	image_put_phdr(image, n, P_ALIGN, 4);
}

static struct image make_empty(size_t bytes)
{
	return (struct image){ .data = test_alloc(bytes), .bytes = bytes };
}

struct image make_elf(bool is_64_bit)
{
	struct image image = make_empty(IMAGE_BYTES);

	image.is_64_bit = is_64_bit;
	memcpy(image.data, is_64_bit ? "\177ELF\2\1\1" : "\177ELF\1\1\1", 7);
	image_put(&image, 16, 2, 2); /* executable */
	image_put(&image, 18, 2, is_64_bit ? 62 : 3);
	image_put(&image, is_64_bit ? 32 : 28, 4, is_64_bit ? 64 : 52); /* program headers */
	image_put(&image, is_64_bit ? 54 : 42, 2, is_64_bit ? 56 : 32);
	image_put(&image, is_64_bit ? 56 : 44, 2, 3);
	put_phdr(&image, 0, 1, IMAGE_CODE, SEGMENT_A, SEGMENT_A_FILE, SEGMENT_A_MEM);
	put_phdr(&image, 1, 1, IMAGE_CODE + SEGMENT_A_FILE, SEGMENT_B, SEGMENT_B_FILE,
		 SEGMENT_B_FILE);
	put_phdr(&image, 2, 4, IMAGE_NOTES, 0, 0, 0);
	image_put_note(&image, 18, is_64_bit ? 8 : 4, IMAGE_ENTRY);
	for (size_t i = IMAGE_CODE; i < IMAGE_BYTES; i++)
		image.data[i] = (uint8_t)(i * 7 + i / 256 + 3);
	return image;
}

static size_t pack_gzip(const struct image *in, uint8_t *out, size_t room)
{
	z_stream z = { .next_in = in->data,
		       .avail_in = (uInt)in->bytes,
		       .next_out = out,
		       .avail_out = (uInt)room };

	ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return room - z.avail_out;
}

static size_t pack_xz(const struct image *in, uint8_t *out, size_t room)
{
	size_t at = 0;

	ck_assert_int_eq(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, in->data, in->bytes,
						 out, &at, room),
			 LZMA_OK);
	return at;
}

static size_t pack_lzma(const struct image *in, uint8_t *out, size_t room)
{
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_options_lzma options;

	ck_assert(!lzma_lzma_preset(&options, 1));
	options.dict_size = 1u << 25; /* as Linux' build has it */
	ck_assert_int_eq(lzma_alone_encoder(&z, &options), LZMA_OK);
	z.next_in = in->data;
	z.avail_in = in->bytes;
	z.next_out = out;
	z.avail_out = room;
	ck_assert_int_eq(lzma_code(&z, LZMA_FINISH), LZMA_STREAM_END);
	lzma_end(&z);
	return room - z.avail_out;
}

static size_t pack_zstd(const struct image *in, uint8_t *out, size_t room)
{
	ZSTD_CCtx *context = ZSTD_createCCtx();
	size_t got;

	ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
	got = ZSTD_compress2(context, out, room, in->data, in->bytes);
	ck_assert(!ZSTD_isError(got));
	ZSTD_freeCCtx(context);
	return got;
}

static size_t pack_lz4(const struct image *in, uint8_t *out, size_t room)
{
	const size_t most = 8u << 20;
	size_t at = 4;

	memcpy(out, "\x02\x21\x4c\x18", 4);
	for (size_t done = 0; done < in->bytes; done += most) {
		size_t block = in->bytes - done < most ? in->bytes - done : most;
		int got = LZ4_compress_default((const char *)in->data + done, (char *)out + at + 4,
					       (int)block, (int)(room - at - 4));

		ck_assert_int_gt(got, 0);
		memcpy(out + at, &got, 4);
		at += 4 + (size_t)got;
	}
	return at;
}

struct image make_bzimage(const struct image *kernel, enum packing packing)
{
	static size_t (*const pack[NR_PACKINGS])(const struct image *, uint8_t *,
						 size_t) = { pack_gzip, pack_xz, pack_zstd,
							     pack_lz4, pack_lzma };
	size_t room = kernel->bytes + kernel->bytes / 8 + 4096, bytes;
	struct image image = make_empty(BZ_PAYLOAD + room + 4096);

	bytes = pack[packing](kernel, image.data + BZ_PAYLOAD, room);
	if (packing != GZIP) {
		image_put(&image, BZ_PAYLOAD + bytes, 4, kernel->bytes);
		bytes += 4;
	}
	image.data[0x1f1] = BZ_SECTORS;
	memcpy(image.data + 0x202, "HdrS", 4);
	image_put(&image, 0x206, 2, 0x20f);
	image_put(&image, 0x248, 4, BZ_OFFSET);
	image_put(&image, 0x24c, 4, bytes);
	image.bytes = BZ_PAYLOAD + bytes + 100; /* something follows, as in real ones */
	return image;
}

char folder[64];

void folder_make(void)
{
	snprintf(folder, sizeof(folder), "/tmp/lodge-unit-build-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void folder_remove(void)
{
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *folder_path(const char *name)
{
	size_t bytes = strlen(folder) + strlen(name) + 2;
	char *path = test_alloc(bytes);

	snprintf(path, bytes, "%s/%s", folder, name);
	return path;
}

const char *folder_write(const char *name, const struct image *image)
{
	const char *path = folder_path(name);
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(image->data, 1, image->bytes, f), image->bytes);
	ck_assert_int_eq(fclose(f), 0);
	return path;
}
