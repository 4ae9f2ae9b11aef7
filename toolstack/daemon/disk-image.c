/* See disk-image.h. */
#include "daemon/disk-image.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>

#include "daemon/disk-source.h"
#include "daemon/nic-switch.h"
#include "lib/cleanup.h"

#define CHUNK_BYTES       (1U << 20)
#define FEATURE_DATA_FILE 4u /* of qcow2 */

const char *const clone_ways[] = { NULL, "reflink", "overlay", "copy" };

static int reflink(int from, int to, const char *name, struct err *err)
{
	if (!ioctl(to, FICLONE, from))
		return 0;
	return err_errno(err, -errno, "%s shares no blocks with other files", name);
}

static int copy_part(int from, int to, off_t start, off_t end, char *buffer)
{
	while (start < end) {
		ssize_t nr = pread(from, buffer, MIN((size_t)(end - start), CHUNK_BYTES), start);

		if (nr <= 0)
			return nr ? -errno : -EIO;
		nr = pwrite(to, buffer, (size_t)nr, start); /* the rest of a short one tells why */
		if (nr < 0)
			return -errno;
		start += nr;
	}
	return 0;
}

/* Holes stay holes: what is no data is skipped. */
static int copy_data(int from, int to, off_t size, char *buffer)
{
	off_t start = 0;
	int code = 0;

	while (!code && start < size) {
		off_t data = lseek(from, start, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO) /* only a hole is left */
			break;
		hole = data < 0 ? size : lseek(from, data, SEEK_HOLE);
		data = MAX(data, start);
		code = copy_part(from, to, data, hole < 0 ? size : hole, buffer);
		start = hole < 0 ? size : hole;
	}
	return code;
}

static int copy_all(int from, int to, const char *name, struct err *err)
{
	off_t size = lseek(from, 0, SEEK_END);
	char *buffer = malloc(CHUNK_BYTES);
	int code = buffer ? 0 : -ENOMEM;

	if (!code && (size < 0 || ftruncate(to, size)))
		code = -errno;
	if (!code)
		code = copy_data(from, to, size, buffer);
	if (!code && fsync(to))
		code = -errno;
	free(buffer);
	return code ? err_errno(err, code, "copying %s", name) : 0;
}

static int clone_file(int from, const char *to, enum clone_way way, enum clone_way *ret_way,
		      struct err *err)
{
	int fd = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), code = -EOPNOTSUPP;

	if (fd < 0)
		return err_errno(err, -errno, "%s", to);
	*ret_way = CLONE_REFLINK;
	if (way != CLONE_COPY)
		code = reflink(from, fd, to, err);
	if (code && way != CLONE_REFLINK) {
		*ret_way = CLONE_COPY;
		code = copy_all(from, fd, to, err);
	}
	close(fd);
	if (code)
		unlink(to);
	return code;
}

static int make_overlay(const struct disk *base, const char *to, struct err *err)
{
	const char *const arguments[] = { DISK_QEMU_IMG,
					  "create",
					  "-q",
					  "-f",
					  "qcow2",
					  "-b",
					  base->path,
					  "-F",
					  disk_format_names[base->format],
					  to,
					  NULL };

	if (!access(to, F_OK))
		return err_set(err, -EEXIST, "%s is there already", to);
	if (access(DISK_QEMU_IMG, X_OK))
		return err_set(err, -ENOENT, DISK_QEMU_IMG " is not here: install qemu-utils");
	return run_program(arguments, NULL, err);
}

/* Not while somebody writes to it. Of a format that is known by its start; else it is raw. */
static int open_base(struct disk *base, int *ret_fd, struct err *err)
{
	int code = disk_source_open(base, ret_fd, err);

	for (unsigned int f = DISK_QCOW2; code == -EINVAL && f < DISK_FORMATS; f++) {
		base->format = f;
		code = disk_source_open(base, ret_fd, err);
	}
	return code;
}

/* Whether a qcow2 image has others below or beside it. */
static bool leads_elsewhere(int fd)
{
	struct {
		uint32_t magic, version;
		uint64_t backing_offset;
		char rest[56];
		uint64_t features; /* from version 3 on */
	} start;                   /* docs/interop/qcow2.txt of QEMU; big-endian */

	static_assert(offsetof(__typeof__(start), features) == 72, "its place");
	if (pread(fd, &start, sizeof(start), 0) != (ssize_t)sizeof(start))
		return true;
	return start.backing_offset ||
	       (be32toh(start.version) > 2 && be64toh(start.features) & FEATURE_DATA_FILE);
}

/* For an overlay upon it. */
static int open_below(struct disk *base, enum disk_format format, int *ret_fd, struct err *err)
{
	int code;

	if (format != DISK_FORMATS) {
		base->format = format;
		code = disk_source_open(base, ret_fd, err);
		return code == -EINVAL && format == DISK_RAW
			       ? err_set(err, code,
					 "%s is a guest's raw disk, and begins like an image of "
					 "another format, which the guest may have written",
					 base->path)
			       : code;
	}
	code = open_base(base, ret_fd, err);
	if (code || base->format != DISK_QCOW2 || !leads_elsewhere(*ret_fd))
		return code;
	close(*ret_fd);
	return err_set(err, -EINVAL,
		       "%s says that it needs other files, and no guest's description says that it "
		       "is qcow2 at all; if you trust it, define a guest with it first",
		       base->path);
}

int image_clone(const char *from, enum disk_format format, const char *to, enum clone_way way,
		enum clone_way *ret_way, struct err *err)
{
	char *path cleanup_free = strdup(from);
	struct disk base = { .readonly = true, .path = path, .cache = DISK_CACHE_WRITEBACK };
	struct stat s;
	int fd, code;

	if (!path)
		return err_set(err, -ENOMEM, "no memory");
	if (stat(path, &s))
		return err_errno(err, -errno, "%s", path);
	base.type = S_ISBLK(s.st_mode) ? DISK_BLOCK : DISK_FILE;
	code = way == CLONE_OVERLAY ? open_below(&base, format, &fd, err)
				    : open_base(&base, &fd, err);
	if (code)
		return code;
	*ret_way = way;
	if (way == CLONE_OVERLAY)
		code = make_overlay(&base, to, err);
	else
		code = clone_file(fd, to, way, ret_way, err);
	close(fd);
	return code;
}
