/* See disk-source.h. */
#include "daemon/disk-source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/loop.h>

#define LOCK_BYTE    ((off_t)1 << 61)
#define SHARER_BYTE  (LOCK_BYTE + 1) /* who shares it and writes */
#define BELOW_BYTE   (LOCK_BYTE + 2) /* whose own image is above it */
#define QEMU_MODULES "/usr/lib/x86_64-linux-gnu/qemu"
#define VHD_FOOTER   512
#define LOOP_TRIES   8

bool disk_is_read_only(const struct disk *disk)
{
	return disk->readonly || disk->device == DISK_CDROM;
}

bool disk_needs_server(const struct disk *disk)
{
	return disk->type == DISK_NETWORK || disk->format != DISK_RAW;
}

int disk_check_server(const struct disk *disk, struct err *err)
{
	static const char *const modules[] = { [DISK_ISCSI] = QEMU_MODULES "/block-iscsi.so",
					       [DISK_RBD] = QEMU_MODULES "/block-rbd.so" };
	const char *module = disk->type == DISK_NETWORK && disk->protocol != DISK_NBD
				     ? modules[disk->protocol]
				     : NULL;

	if (access(DISK_QEMU_NBD, X_OK))
		return err_set(err, -ENOENT,
			       "this takes " DISK_QEMU_NBD
			       ", which is not here: install qemu-utils, or convert the "
			       "disk by qemu-img convert -O raw");
	if (module && access(module, R_OK))
		return err_set(err, -ENOENT,
			       "this takes %s, which is not here: install qemu-block-extra",
			       module);
	return 0;
}

static int check_kind(const struct disk *disk, int fd, struct err *err)
{
	struct stat s;

	if (fd < 0 ? stat(disk->path, &s) : fstat(fd, &s))
		return err_errno(err, -errno, "%s", disk->path);
	if (disk->type == DISK_BLOCK && !S_ISBLK(s.st_mode))
		return err_set(err, -EINVAL, "%s is not a block device; use type=\"file\"",
			       disk->path);
	if (disk->type == DISK_FILE && !S_ISREG(s.st_mode))
		return err_set(err, -EINVAL, "%s is not a file%s", disk->path,
			       S_ISBLK(s.st_mode) ? "; use type=\"block\"" : "");
	return 0;
}

const char *const disk_format_names[DISK_FORMATS] = {
	[DISK_RAW] = "raw", [DISK_QCOW2] = "qcow2", [DISK_VMDK] = "vmdk",
	[DISK_VPC] = "vpc", [DISK_VHDX] = "vhdx",   [DISK_VDI] = "vdi",
};

static bool has_magic(int fd, off_t offset, const char *magic)
{
	char bytes[8];
	size_t length = strlen(magic);

	return pread(fd, bytes, length, offset) == (ssize_t)length && !memcmp(bytes, magic, length);
}

/* What an image begins with. A VHD of fixed size looks like a raw image but for its last sector. */
static bool is_of_format(int fd, enum disk_format format)
{
	switch (format) {
	case DISK_QCOW2:
		return has_magic(fd, 0, "QFI\xfb");
	case DISK_VMDK:
		return has_magic(fd, 0, "KDMV");
	case DISK_VPC:
		return has_magic(fd, 0, "conectix") ||
		       has_magic(fd, lseek(fd, -VHD_FOOTER, SEEK_END), "conectix");
	case DISK_VHDX:
		return has_magic(fd, 0, "vhdxfile");
	case DISK_VDI:
		return has_magic(fd, 64, "\x7f\x10\xda\xbe");
	default:
		return true;
	}
}

static int check_format(const struct disk *disk, struct err *err)
{
	int fd = open(disk->path, O_RDONLY | O_CLOEXEC);
	enum disk_format found = disk->format;
	bool is_right;

	if (fd < 0)
		return err_errno(err, -errno, "%s", disk->path);
	is_right = is_of_format(fd, disk->format);
	for (unsigned int f = DISK_QCOW2; disk->format == DISK_RAW && f < DISK_FORMATS; f++)
		if (f != DISK_VPC && is_of_format(fd, f))
			found = f;
	close(fd);
	if (!is_right)
		return err_set(err, -EINVAL, "%s is not a %s image", disk->path,
			       disk_format_names[disk->format]);
	if (found != disk->format)
		return err_set(err, -EINVAL, "%s is a %s image; write <driver type=\"%s\"/>",
			       disk->path, disk_format_names[found], disk_format_names[found]);
	return 0;
}

static int lock_byte(int fd, off_t byte, bool is_shared)
{
	struct flock lock = { .l_type = is_shared ? F_RDLCK : F_WRLCK,
			      .l_whence = SEEK_SET,
			      .l_start = byte,
			      .l_len = 1 };

	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

/* Whether somebody else has it, in whichever way. */
static bool is_locked(int fd, off_t byte)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1
	};

	return !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

/* One byte of its own, then a look at the other's: of two at the same time at least one sees the other. */
static int join(int fd, off_t own, off_t other)
{
	int code = lock_byte(fd, LOCK_BYTE, true);

	if (!code)
		code = lock_byte(fd, own, true);
	return code ? code : is_locked(fd, other) ? -EBUSY : 0;
}

static int lock_image(const struct disk *disk, int fd, struct err *err)
{
	int code;

	if (disk_is_read_only(disk))
		code = lock_byte(fd, LOCK_BYTE, true);
	else if (disk->shareable)
		code = join(fd, SHARER_BYTE, BELOW_BYTE);
	else
		code = lock_byte(fd, LOCK_BYTE, false);
	if (code != -EBUSY)
		return code ? err_errno(err, code, "locking %s", disk->path) : 0;
	return err_set(err, code, "%s is in use by another disk that is not <shareable/>",
		       disk->path);
}

static int lock_layer(struct disk_layers *layers, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), code;

	if (fd < 0)
		return err_errno(err, -errno, "the image below, %s", path);
	code = join(fd, BELOW_BYTE, SHARER_BYTE);
	layers->below[layers->nr].path = code ? NULL : strdup(path);
	if (!code && layers->below[layers->nr].path) {
		layers->below[layers->nr++].fd = fd;
		return 0;
	}
	close(fd);
	if (code == -EBUSY)
		return err_set(err, code,
			       "the image below, %s, is in use by a disk that writes to it", path);
	return err_errno(err, code ? code : -ENOMEM, "the image below, %s", path);
}

void disk_layers_unlock(struct disk_layers *layers)
{
	for (size_t i = 0; i < layers->nr; i++) {
		close(layers->below[i].fd);
		free(layers->below[i].path);
	}
	layers->nr = 0;
}

int disk_layers_lock(const struct disk *disk, struct disk_layers *layers, char **ret_busy,
		     struct err *err)
{
	bool is_last = disk->type == DISK_NETWORK || disk->format != DISK_QCOW2 || !disk->path;
	char name[QCOW2_NAME_BYTES];
	struct qcow2 image;
	int code = 0;

	*ret_busy = NULL;
	snprintf(name, sizeof(name), "%s", is_last ? "" : disk->path);
	while (!code && !is_last) {
		code = qcow2_read(name, &image, err);
		if (code || !*image.below)
			break;
		if (layers->nr == QCOW2_BELOW_MAX)
			code = err_set(err, -E2BIG, "%s has more than %u images below it",
				       disk->path, QCOW2_BELOW_MAX);
		else
			code = lock_layer(layers, image.below, err);
		snprintf(name, sizeof(name), "%s", image.below);
		is_last = image.is_below_raw;
	}
	if (code == -EBUSY)
		*ret_busy = strdup(name);
	if (code)
		disk_layers_unlock(layers);
	return code;
}

int disk_source_open_anew(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

bool disk_source_is_free(const struct disk *disk, int fd)
{
	if (disk_is_read_only(disk) || disk->shareable)
		return true; /* others may have it */
	return !is_locked(fd, LOCK_BYTE);
}

/* Of open(), for the cache mode. */
static int flags_of(const struct disk *disk)
{
	int flags = O_CLOEXEC | (disk_is_read_only(disk) ? O_RDONLY : O_RDWR);

	if (disk_needs_server(disk)) /* the server opens it itself */
		return flags;
	switch (disk->cache) {
	case DISK_CACHE_DIRECTSYNC:
		return flags | O_DIRECT | O_DSYNC;
	case DISK_CACHE_WRITETHROUGH:
		return flags | O_DSYNC;
	case DISK_CACHE_WRITEBACK:
	case DISK_CACHE_UNSAFE:
		return flags;
	default:
		return flags | O_DIRECT;
	}
}

/* Not every file system has O_DIRECT; tmpfs has no need of it. */
static int open_image(const struct disk *disk)
{
	int flags = flags_of(disk), fd = open(disk->path, flags);

	if (fd < 0 && errno == EINVAL && flags & O_DIRECT)
		fd = open(disk->path, flags & ~O_DIRECT);
	return fd < 0 ? -errno : fd;
}

int disk_source_open(const struct disk *disk, int *ret_fd, struct err *err)
{
	/* Before it is opened, for a pipe would wait for somebody who writes to it. */
	int code = check_kind(disk, -1, err), fd = code ? code : open_image(disk);

	if (code)
		return code;
	if (fd < 0)
		return err_errno(err, fd, "%s", disk->path);
	code = check_kind(disk, fd, err);
	if (!code)
		code = check_format(disk, err);
	/* Shared locks want a description that may be read, exclusive ones one that may be written. */
	if (!code)
		code = lock_image(disk, fd, err);
	if (code)
		close(fd);
	else
		*ret_fd = fd;
	return code;
}

int disk_source_empty(int *ret_fd, struct err *err)
{
	int fd = memfd_create("empty drive", MFD_CLOEXEC);

	if (fd < 0)
		return err_errno(err, -errno, "an empty drive");
	*ret_fd = fd;
	return 0;
}

/* Of qemu's names in the form of a URL: "host" or "host:port". */
static void write_host(FILE *f, const struct disk_host *host)
{
	fputs(host->name, f);
	if (host->port)
		fprintf(f, ":%" PRIu32, host->port);
}

static void write_nbd(FILE *f, const struct disk *disk)
{
	const char *name = disk->export_name ? disk->export_name : "";

	if (disk->hosts->transport == HOST_UNIX) {
		fprintf(f, "nbd+unix:///%s?socket=%s", name, disk->hosts->socket);
		return;
	}
	fputs("nbd://", f);
	write_host(f, disk->hosts);
	fprintf(f, "/%s", name);
}

/* The unit is the first one, unless the name says another. */
static void write_iscsi(FILE *f, const struct disk *disk)
{
	fputs("iscsi://", f);
	write_host(f, disk->hosts);
	fprintf(f, "/%s%s", disk->export_name, strchr(disk->export_name, '/') ? "" : "/0");
}

/* Within a part of RBD's names, what ends parts has a backslash before it. */
static void write_rbd_part(FILE *f, const char *text)
{
	for (; *text; text++)
		fprintf(f, strchr(":@\\", *text) ? "\\%c" : "%c", *text);
}

static void write_rbd(FILE *f, const struct disk *disk)
{
	fputs("rbd:", f);
	write_rbd_part(f, disk->export_name);
	fputs(":mon_host=", f);
	for (size_t i = 0; i < disk->nr_hosts; i++) {
		fputs(i ? ";" : "", f);
		write_rbd_part(f, disk->hosts[i].name);
		if (disk->hosts[i].port)
			fprintf(f, "\\:%" PRIu32, disk->hosts[i].port);
	}
}

static char *network_name(const struct disk *disk)
{
	static void (*const writers[])(FILE * f, const struct disk *disk) = {
		[DISK_NBD] = write_nbd,
		[DISK_ISCSI] = write_iscsi,
		[DISK_RBD] = write_rbd,
	};
	char *text = NULL;
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);

	if (!f)
		return NULL;
	writers[disk->protocol](f, disk);
	if (!fclose(f))
		return text;
	free(text);
	return NULL;
}

char *disk_source_name(const struct disk *disk)
{
	return disk->type == DISK_NETWORK ? network_name(disk) : strdup(disk->path);
}

/* Another one may take a free number first. */
static int try_loop(int control, const struct loop_config *config)
{
	int number = ioctl(control, LOOP_CTL_GET_FREE), fd;
	char path[32];

	if (number < 0)
		return -errno;
	snprintf(path, sizeof(path), "/dev/loop%d", number);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, LOOP_CONFIGURE, config)) {
		int code = -errno;

		close(fd);
		return code;
	}
	return fd;
}

int disk_make_loop(int fd, bool is_read_only, int *ret_loop_fd, struct err *err)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), loop = -EBUSY;
	struct loop_config config = {
		.fd = (uint32_t)fd,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR |
				 (fcntl(fd, F_GETFL) & O_DIRECT ? LO_FLAGS_DIRECT_IO : 0U) |
				 (is_read_only ? LO_FLAGS_READ_ONLY : 0U)
	};

	if (control < 0)
		return err_errno(err, -errno, "/dev/loop-control");
	for (int i = 0; i < LOOP_TRIES && loop == -EBUSY; i++)
		loop = try_loop(control, &config);
	close(control);
	if (loop < 0)
		return err_errno(err, loop, "a loop device");
	*ret_loop_fd = loop;
	return 0;
}
