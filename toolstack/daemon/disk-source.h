/*
 * Where a disk's bytes are, before any backend uses them: images that are missing, of another format than said,
 * or in use by another guest are refused here.
 *
 * An image in use is locked by a byte far behind its end (an open file description lock, which goes with the last
 * descriptor, so with the backend even when lodged is gone): shared by those that only read, or that the
 * description lets share it, else exclusively. Two more bytes keep those that share it and write apart from those
 * whose own images have it below them.
 */
#ifndef LODGE_DAEMON_DISK_SOURCE_H
#define LODGE_DAEMON_DISK_SOURCE_H

#include "config/domain.h"
#include "lib/err.h"
#include "lib/qcow2.h"

/* As qemu calls them. */
extern const char *const disk_format_names[DISK_FORMATS];

/* Opens a disk of type file or block as its cache mode asks for, and locks it. -EBUSY: another one uses it. */
must_check int disk_source_open(const struct disk *disk, int *ret_fd, struct err *err);

/* The images below one that is in use, each locked so that nobody writes to it. Zeroed: none. */
struct disk_layers {
	struct {
		int fd;
		char *path;
	} below[QCOW2_BELOW_MAX];
	size_t nr;
};

/* All that are below the disk's image. On failure none is left; -EBUSY: somebody writes to ret_busy, to be freed. */
must_check int disk_layers_lock(const struct disk *disk, struct disk_layers *layers,
				char **ret_busy, struct err *err);
void disk_layers_unlock(struct disk_layers *layers);

/* The same file by a description of its own, which has no lock; -1: it cannot be opened. */
int disk_source_open_anew(int fd);
/* Whether nobody has locked it for writing any more. fd: of disk_source_open_anew(). */
bool disk_source_is_free(const struct disk *disk, int fd);

/* A disk of no bytes: a drive without a disc. */
must_check int disk_source_empty(int *ret_fd, struct err *err);

/* What qemu-nbd is asked for, to be freed: a path, or the URL of a network source. NULL without memory. */
char *disk_source_name(const struct disk *disk);

bool disk_is_read_only(const struct disk *disk);
/* Whether it takes qemu-nbd to read it. */
bool disk_needs_server(const struct disk *disk);
must_check int disk_check_server(const struct disk *disk, struct err *err);

/* A loop device over the file, for a driver that wants a block device; it goes when nobody has it open. */
must_check int disk_make_loop(int fd, bool is_read_only, int *ret_loop_fd, struct err *err);

#define DISK_QEMU_NBD "/usr/bin/qemu-nbd"
#define DISK_QEMU_IMG "/usr/bin/qemu-img"

#endif
