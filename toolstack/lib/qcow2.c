/* See qcow2.h. All numbers in the file are big-endian. */
#include "lib/qcow2.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define MAGIC           0x514649fbU /* "QFI" and 0xfb */
#define VERSION_2_BYTES 72u         /* of the header; later versions say it themselves */
#define EXTENSIONS_MAX  16u
#define BACKING_FORMAT  0xe2792acaU

struct header {
	uint32_t magic;
	uint32_t version;
	uint64_t backing_offset;
	uint32_t backing_length;
	uint32_t cluster_bits;
	uint64_t nr_bytes;
	unsigned char unused[68];
	uint32_t header_bytes; /* from version 3 on */
} __attribute__((__packed__));

struct extension {
	uint32_t type;
	uint32_t length;
};

static_assert(offsetof(struct header, header_bytes) == 100, "the qcow2 header");

static bool read_at(int fd, uint64_t offset, void *ret_bytes, size_t length)
{
	return offset <= INT64_MAX &&
	       pread(fd, ret_bytes, length, (off_t)offset) == (ssize_t)length;
}

/* Extensions follow the header, each padded to 8 bytes, up to one of type 0. */
static bool is_below_raw(int fd, const struct header *h)
{
	uint64_t at = be32toh(h->version) < 3 ? VERSION_2_BYTES : be32toh(h->header_bytes);
	struct extension e;
	char format[4];

	for (unsigned int i = 0; i < EXTENSIONS_MAX && read_at(fd, at, &e, sizeof(e)); i++) {
		if (!e.type)
			break;
		at += sizeof(e);
		if (be32toh(e.type) == BACKING_FORMAT)
			return be32toh(e.length) == 3 && read_at(fd, at, format, 3) &&
			       !memcmp(format, "raw", 3);
		at += align_up((uint64_t)be32toh(e.length), 8);
	}
	return false;
}

/* From the name as an image has it to one that can be opened: relative ones begin in the image's own folder. */
static int complete_name(const char *image, const char *text, char ret_name[QCOW2_NAME_BYTES],
			 struct err *err)
{
	const char *slash = strrchr(image, '/');
	int folder = *text == '/' || !slash ? 0 : (int)(slash - image) + 1;

	if (strcspn(text, ":") < strcspn(text, "/"))
		return err_set(err, -EOPNOTSUPP, "%s: the image below, %s, is no file", image,
			       text);
	if (snprintf(ret_name, QCOW2_NAME_BYTES, "%.*s%s", folder, image, text) >=
	    (int)QCOW2_NAME_BYTES)
		return err_set(err, -ENAMETOOLONG, "%s: the name of the image below", image);
	return 0;
}

static int read_below(int fd, const char *name, const struct header *h, struct qcow2 *ret_image,
		      struct err *err)
{
	uint32_t length = be32toh(h->backing_length);
	char text[QCOW2_NAME_BYTES];

	if (!h->backing_offset || !length)
		return 0;
	if (length >= sizeof(text) || !read_at(fd, be64toh(h->backing_offset), text, length))
		return err_set(err, -EINVAL, "%s: the name of the image below is damaged", name);
	text[length] = 0;
	ret_image->is_below_raw = is_below_raw(fd, h);
	return complete_name(name, text, ret_image->below, err);
}

int qcow2_read(const char *name, struct qcow2 *ret_image, struct err *err)
{
	int fd cleanup_close =
		open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would wait */
	struct header h = { 0 };
	ssize_t nr;

	*ret_image = (struct qcow2){ .nr_bytes = 0 };
	if (fd < 0)
		return err_errno(err, -errno, "%s", name);
	nr = pread(fd, &h, sizeof(h), 0);
	if (nr < 0)
		return err_errno(err, -errno, "%s", name);
	if (nr < (ssize_t)VERSION_2_BYTES || be32toh(h.magic) != MAGIC)
		return 0;
	ret_image->nr_bytes = be64toh(h.nr_bytes);
	return read_below(fd, name, &h, ret_image, err);
}

uint64_t qcow2_size(int fd)
{
	struct header h = { 0 };

	return read_at(fd, 0, &h, VERSION_2_BYTES) && be32toh(h.magic) == MAGIC
		       ? be64toh(h.nr_bytes)
		       : 0;
}
