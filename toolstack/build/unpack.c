/*
 * bzImage: Linux boot protocol 2.08 and later ("payload_offset", "payload_length"). Whatever packs the
 * payload, its unpacked length follows it in four bytes; gzip has those by itself. Nothing is unpacked
 * here that a library does not unpack; the frame of lz4's old format, which liblz4 has no function for, is
 * a length in front of each block.
 */
#include "build/unpack.h"

#include <errno.h>
#include <inttypes.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define SECTOR_BYTES         512u
#define AT_SETUP_SECTORS     0x1f1u
#define AT_MAGIC             0x202u
#define AT_VERSION           0x206u
#define AT_PAYLOAD_OFFSET    0x248u
#define AT_PAYLOAD_BYTES     0x24cu
#define HEADER_BYTES         0x250u
#define VERSION_WITH_PAYLOAD 0x208u
#define DEFAULT_SECTORS      4u

#define LENGTH_BYTES    4u
#define LZ4_MAGIC_BYTES 4u
#define LZ4_BLOCK_BYTES (8u << 20) /* of each block but the last, unpacked */
#define LZMA_MEMORY_MAX (256u << 20)
#define UNPACKED_MAX    (1u << 30)

struct span {
	const uint8_t *in;
	size_t in_bytes;
	uint8_t *out;
	size_t out_bytes; /* exactly this many */
};

static uint32_t get_32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Each returns NULL, or what is wrong. */

static const char *unpack_gzip(const struct span *s)
{
	z_stream z = {
		.next_in = (Bytef *)(uintptr_t)s->in,
		.avail_in = (uInt)s->in_bytes,
		.next_out = s->out,
		.avail_out = (uInt)s->out_bytes,
	};
	const char *problem = "is damaged";
	int ret;

	if (inflateInit2(&z, 15 + 16) != Z_OK) /* 16: with a gzip header */
		return "cannot be unpacked: no memory";
	ret = inflate(&z, Z_FINISH);
	if (ret == Z_STREAM_END)
		problem = z.avail_out ? "is shorter than it says" : NULL;
	else if (ret == Z_BUF_ERROR)
		problem = z.avail_out ? "is cut short" : "is longer than it says";
	inflateEnd(&z);
	return problem;
}

static const char *lzma_problem(const lzma_stream *z, lzma_ret ret)
{
	if (ret == LZMA_STREAM_END)
		return z->avail_out ? "is shorter than it says" : NULL;
	if (ret == LZMA_MEM_ERROR || ret == LZMA_MEMLIMIT_ERROR)
		return "cannot be unpacked: no memory";
	if (ret == LZMA_OK || ret == LZMA_BUF_ERROR)
		return z->avail_out ? "is cut short" : "is longer than it says";
	return "is damaged";
}

static const char *run_lzma(lzma_stream *z, lzma_ret ret, const struct span *s)
{
	const char *problem;

	z->next_in = s->in;
	z->avail_in = s->in_bytes;
	z->next_out = s->out;
	z->avail_out = s->out_bytes;
	while (ret == LZMA_OK)
		ret = lzma_code(z, LZMA_FINISH);
	problem = lzma_problem(z, ret);
	lzma_end(z);
	return problem;
}

static const char *unpack_xz(const struct span *s)
{
	lzma_stream z = LZMA_STREAM_INIT;

	return run_lzma(&z, lzma_stream_decoder(&z, LZMA_MEMORY_MAX, 0), s);
}

static const char *unpack_lzma(const struct span *s)
{
	lzma_stream z = LZMA_STREAM_INIT;

	return run_lzma(&z, lzma_alone_decoder(&z, LZMA_MEMORY_MAX), s);
}

static const char *unpack_zstd(const struct span *s)
{
	size_t got = ZSTD_decompress(s->out, s->out_bytes, s->in, s->in_bytes);

	if (!ZSTD_isError(got))
		return got == s->out_bytes ? NULL : "is shorter than it says";
	switch (ZSTD_getErrorCode(got)) {
	case ZSTD_error_memory_allocation:
		return "cannot be unpacked: no memory";
	case ZSTD_error_dstSize_tooSmall:
		return "is longer than it says";
	case ZSTD_error_srcSize_wrong:
		return "is cut short";
	default:
		return "is damaged";
	}
}

static const char *unpack_lz4(const struct span *s)
{
	size_t at = LZ4_MAGIC_BYTES, done = 0;

	while (at < s->in_bytes) {
		size_t room = s->out_bytes - done, block;
		int got;

		if (s->in_bytes - at < LENGTH_BYTES)
			return "is cut short";
		block = get_32(s->in + at);
		at += LENGTH_BYTES;
		if (block > s->in_bytes - at)
			return "is cut short";
		if (room > LZ4_BLOCK_BYTES)
			room = LZ4_BLOCK_BYTES;
		if (!room)
			return "is longer than it says";
		got = LZ4_decompress_safe((const char *)s->in + at, (char *)s->out + done,
					  (int)block, (int)room);
		if (got < 0)
			return "is damaged";
		at += block;
		done += (size_t)got;
	}
	return done == s->out_bytes ? NULL : "is shorter than it says";
}

static const struct packing {
	const char *name;
	uint8_t magic[6];
	uint8_t magic_bytes;
	bool has_length; /* its own end tells it: nothing was added */
	const char *(*unpack)(const struct span *s);
} packings[] = {
	{ "gzip", { 0x1f, 0x8b }, 2, true, unpack_gzip },
	{ "xz", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, false, unpack_xz },
	{ "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, false, unpack_zstd },
	{ "lz4", { 0x02, 0x21, 0x4c, 0x18 }, LZ4_MAGIC_BYTES, false, unpack_lz4 },
	{ "lzma", { 0x5d, 0x00, 0x00 }, 3, false, unpack_lzma },
	{ "bzip2", { 'B', 'Z', 'h' }, 3, false, NULL },
	{ "lzo", { 0x89, 'L', 'Z', 'O' }, 4, false, NULL },
};

static const struct packing *find_packing(const uint8_t *data)
{
	for (size_t i = 0; i < ARRAY_SIZE(packings); i++)
		if (!memcmp(data, packings[i].magic, packings[i].magic_bytes))
			return &packings[i];
	return NULL;
}

bool bzimage_is(const struct source *s)
{
	uint8_t magic[4];
	struct err err;

	return source_has(s, AT_MAGIC, sizeof(magic)) &&
	       !source_read(s, AT_MAGIC, magic, sizeof(magic), &err) && !memcmp(magic, "HdrS", 4);
}

/* Where the payload lies, before it is known to be inside of the file. */
static int read_boot_header(const struct source *s, uint64_t *ret_offset, uint64_t *ret_bytes,
			    struct err *err)
{
	uint8_t h[HEADER_BYTES];
	unsigned version, sectors;
	int ret;

	if (!source_has(s, 0, sizeof(h)))
		return err_set(err, -EINVAL, "%s: a bzImage that is cut short in its header",
			       s->name);
	ret = source_read(s, 0, h, sizeof(h), err);
	if (ret)
		return ret;
	version = h[AT_VERSION] | (unsigned)h[AT_VERSION + 1] << 8;
	if (version < VERSION_WITH_PAYLOAD)
		return err_set(
			err, -EINVAL,
			"%s: a bzImage of boot protocol %u.%02u; PVH kernels have 2.08 or later",
			s->name, version >> 8, version & 0xff);
	sectors = h[AT_SETUP_SECTORS] ? h[AT_SETUP_SECTORS] : DEFAULT_SECTORS;
	*ret_offset = (uint64_t)(sectors + 1) * SECTOR_BYTES + get_32(h + AT_PAYLOAD_OFFSET);
	*ret_bytes = get_32(h + AT_PAYLOAD_BYTES);
	return 0;
}

int bzimage_find_payload(const struct source *s, struct source *ret_payload,
			 uint64_t *ret_unpacked_bytes, struct err *err)
{
	uint64_t offset = 0, bytes = 0;
	uint8_t length[LENGTH_BYTES];
	int ret = read_boot_header(s, &offset, &bytes, err);

	if (ret)
		return ret;
	if (!source_has(s, offset, bytes))
		return err_set(err, -EINVAL,
			       "%s: a bzImage that is cut short: its kernel ends at byte %" PRIu64
			       ", the file at %" PRIu64,
			       s->name, offset + bytes, s->bytes);
	if (bytes < sizeof(packings[0].magic) + LENGTH_BYTES)
		return err_set(err, -EINVAL, "%s: a bzImage without a kernel inside", s->name);
	if (bytes > UNPACKED_MAX) /* a file of holes would fill the memory */
		return err_set(err, -EINVAL,
			       "%s: the kernel inside would have %" PRIu64
			       " MiB packed; that is damage",
			       s->name, bytes >> 20);
	ret = source_read(s, offset + bytes - LENGTH_BYTES, length, sizeof(length), err);
	if (ret)
		return ret;
	if (get_32(length) > UNPACKED_MAX)
		return err_set(err, -EINVAL,
			       "%s: the kernel inside would have %u MiB; that is damage", s->name,
			       get_32(length) >> 20);
	*ret_payload = source_part(s, offset, bytes);
	*ret_unpacked_bytes = get_32(length);
	return 0;
}

static int unpack(const struct source *payload, struct span *s, struct err *err)
{
	const struct packing *packing = find_packing(s->in);
	const char *problem;

	if (!packing)
		return err_set(err, -EINVAL,
			       "%s: the kernel inside is packed in a way that is not known"
			       " (it starts with %02x %02x %02x %02x)",
			       payload->name, s->in[0], s->in[1], s->in[2], s->in[3]);
	if (!packing->unpack)
		return err_set(err, -EINVAL,
			       "%s: the kernel inside is packed by %s, which Lodge does not unpack",
			       payload->name, packing->name);
	if (!packing->has_length)
		s->in_bytes -= LENGTH_BYTES;
	problem = packing->unpack(s);
	if (problem)
		return err_set(err, -EINVAL, "%s: the kernel inside (%s) %s", payload->name,
			       packing->name, problem);
	return 0;
}

int payload_unpack(const struct source *payload, uint64_t unpacked_bytes, struct source *ret_kernel,
		   struct err *err)
{
	uint8_t *in = malloc(payload->bytes), *out = malloc(unpacked_bytes + 1);
	struct span s = { in, payload->bytes, out, unpacked_bytes };
	int ret = -ENOMEM;

	if (in && out)
		ret = source_read(payload, 0, in, payload->bytes, err);
	else
		err_set(err, ret, "%s: no memory to unpack it", payload->name);
	if (!ret)
		ret = unpack(payload, &s, err);
	free(in);
	if (ret) {
		free(out);
		return ret;
	}
	*ret_kernel = (struct source){ .name = payload->name,
				       .fd = -1,
				       .data = out,
				       .bytes = unpacked_bytes,
				       .is_owner = true };
	return 0;
}
