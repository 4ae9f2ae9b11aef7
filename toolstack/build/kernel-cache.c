/*
 * A folder of files, each "kernel-KEY": a header, the packed kernel, and from the next page on the unpacked
 * one, with holes where it is zero. The key is no proof, only a name: a checksum of the payload's last
 * part (where every format has its own checksum, of all of it) and its length. The file "lock" is locked
 * by who adds or removes entries; "new" is the entry being written, so that one found with the lock in
 * hand was left by a process that died.
 */
#include "build/kernel-cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "build/unpack.h"
#include "lib/cleanup.h"

#define ENTRY_PREFIX "kernel-"
#define NEW_NAME     "new"
#define MAGIC        "LodgeKC1"
#define PAGE         4096u
#define CHUNK_BYTES  (32u << 10) /* read at once, and what of the payload's end makes the key */
#define NAME_BYTES   64u

struct entry_header {
	char magic[8];
	uint64_t payload_bytes, unpacked_bytes;
};

/* One look-up. */
struct lookup {
	const struct kernel_cache *cache;
	const struct source *payload;
	uint64_t unpacked_bytes;
	int folder_fd;
	char name[NAME_BYTES];
	struct err *problem;
};

static uint64_t unpacked_offset(const struct lookup *l)
{
	return align_up(PAGE + l->payload->bytes, PAGE);
}

static int problem_errno(const struct lookup *l, const char *what)
{
	return err_errno(l->problem, -errno, "%s: %s", l->cache->folder, what);
}

static int name_entry(struct lookup *l, struct err *err)
{
	uint64_t bytes = MIN(l->payload->bytes, CHUNK_BYTES);
	uint8_t tail[CHUNK_BYTES];
	int ret = source_read(l->payload, l->payload->bytes - bytes, tail, bytes, err);

	if (!ret)
		snprintf(l->name, sizeof(l->name), ENTRY_PREFIX "%08lx-%" PRIx64,
			 crc32(0, tail, (uInt)bytes), l->payload->bytes);
	return ret;
}

static bool equals_payload(const struct lookup *l, const struct source *kept)
{
	uint8_t ours[CHUNK_BYTES], theirs[CHUNK_BYTES];
	uint64_t bytes;
	struct err err;

	for (uint64_t at = 0; at < kept->bytes; at += bytes) {
		bytes = MIN(kept->bytes - at, CHUNK_BYTES);
		if (source_read(kept, at, ours, bytes, &err) ||
		    source_read(l->payload, at, theirs, bytes, &err) ||
		    memcmp(ours, theirs, bytes) != 0)
			return false;
	}
	return true;
}

static bool is_entry_of(const struct lookup *l, int fd)
{
	struct entry_header want = { MAGIC, l->payload->bytes, l->unpacked_bytes }, header;
	struct source kept = {
		.name = l->name, .fd = fd, .base = PAGE, .bytes = l->payload->bytes
	};
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == unpacked_offset(l) + l->unpacked_bytes &&
	       pread(fd, &header, sizeof(header), 0) == sizeof(header) &&
	       !memcmp(&header, &want, sizeof(want)) && equals_payload(l, &kept);
}

/* From a file that holds it: takes over fd. */
static void use_entry(const struct lookup *l, int fd, struct source *ret_kernel)
{
	futimens(fd, NULL); /* used now; when that fails, it goes earlier than it need to */
	*ret_kernel = (struct source){ .name = l->payload->name,
				       .fd = fd,
				       .base = unpacked_offset(l),
				       .bytes = l->unpacked_bytes,
				       .is_owner = true };
}

static bool find_entry(const struct lookup *l, struct source *ret_kernel)
{
	int fd = openat(l->folder_fd, l->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return false;
	if (!is_entry_of(l, fd)) {
		close(fd);
		return false;
	}
	use_entry(l, fd, ret_kernel);
	return true;
}

static int write_all(int fd, const uint8_t *data, uint64_t bytes, uint64_t offset)
{
	while (bytes) {
		ssize_t done = pwrite(fd, data, bytes, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		data += done;
		offset += (uint64_t)done;
		bytes -= (uint64_t)done;
	}
	return 0;
}

static bool is_zero(const uint8_t *data, uint64_t bytes)
{
	return !data[0] && !memcmp(data, data + 1, bytes - 1);
}

/* Leaves holes for pages of zeroes: they take no room, and need not be copied to a guest. */
static int write_sparse(int fd, const uint8_t *data, uint64_t bytes, uint64_t offset)
{
	uint64_t at = 0, end;
	int ret = 0;

	while (!ret && at < bytes) {
		for (end = at; end < bytes && !is_zero(data + end, MIN(PAGE, bytes - end));)
			end += MIN(PAGE, bytes - end);
		if (end == at)
			end += MIN(PAGE, bytes - end);
		else
			ret = write_all(fd, data + at, end - at, offset + at);
		at = end;
	}
	return ret;
}

static int write_payload(const struct lookup *l, int fd)
{
	uint8_t chunk[CHUNK_BYTES];
	uint64_t bytes;
	int ret = 0;

	for (uint64_t at = 0; !ret && at < l->payload->bytes; at += bytes) {
		bytes = MIN(l->payload->bytes - at, CHUNK_BYTES);
		ret = source_read(l->payload, at, chunk, bytes, l->problem);
		if (!ret)
			ret = write_all(fd, chunk, bytes, PAGE + at);
	}
	return ret;
}

static int write_entry(const struct lookup *l, int fd, const struct source *kernel)
{
	struct entry_header header = { MAGIC, l->payload->bytes, l->unpacked_bytes };
	int ret = write_all(fd, (const uint8_t *)&header, sizeof(header), 0);

	if (!ret)
		ret = write_payload(l, fd);
	if (!ret)
		ret = write_sparse(fd, kernel->data, kernel->bytes, unpacked_offset(l));
	if (!ret && (ftruncate(fd, (off_t)(unpacked_offset(l) + kernel->bytes)) || fsync(fd)))
		ret = -errno;
	return ret;
}

/* Keeps what is in memory; *kernel then is the file. Called with the lock. */
static int add_entry(const struct lookup *l, struct source *kernel)
{
	int fd, ret;

	unlinkat(l->folder_fd, NEW_NAME, 0);
	fd = openat(l->folder_fd, NEW_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0)
		return problem_errno(l, "cannot keep a kernel");
	ret = write_entry(l, fd, kernel);
	if (!ret && renameat(l->folder_fd, NEW_NAME, l->folder_fd, l->name))
		ret = -errno;
	if (ret) {
		unlinkat(l->folder_fd, NEW_NAME, 0);
		close(fd);
		return err_errno(l->problem, ret, "%s: cannot keep a kernel", l->cache->folder);
	}
	source_close(kernel);
	use_entry(l, fd, kernel);
	return 0;
}

struct kept_file {
	char name[NAME_BYTES];
	struct timespec used;
	uint64_t bytes;
};

static int compare_use(const void *a, const void *b)
{
	const struct timespec *x = &((const struct kept_file *)a)->used,
			      *y = &((const struct kept_file *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

static int is_entry_name(const struct dirent *d)
{
	return !strncmp(d->d_name, ENTRY_PREFIX, strlen(ENTRY_PREFIX)) &&
	       strlen(d->d_name) < NAME_BYTES;
}

/* When it was used, and its size; zero for one that is gone. */
static void look_at(const struct lookup *l, const char *name, struct kept_file *ret_file)
{
	struct stat st;

	*ret_file = (struct kept_file){ .bytes = 0 };
	memcpy(ret_file->name, name, strlen(name) + 1);
	if (fstatat(l->folder_fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return;
	ret_file->used = st.st_mtim;
	ret_file->bytes = (uint64_t)st.st_blocks * 512;
}

/* All entries, to be freed. NULL: they cannot be told. */
static struct kept_file *list_entries(const struct lookup *l, size_t *ret_nr)
{
	struct dirent **names;
	int nr = scandirat(l->folder_fd, ".", &names, is_entry_name, NULL);
	struct kept_file *files;

	if (nr < 0) {
		problem_errno(l, "cannot be listed");
		return NULL;
	}
	files = calloc((size_t)nr + 1, sizeof(*files));
	for (int i = 0; i < nr; i++) {
		if (files)
			look_at(l, names[i]->d_name, &files[i]);
		free(names[i]);
	}
	free(names);
	*ret_nr = (size_t)nr;
	return files;
}

/* Removes entries until all fit; who has one open keeps it. Called with the lock. */
static void keep_within_limit(const struct lookup *l)
{
	size_t nr = 0;
	struct kept_file *files = list_entries(l, &nr);
	uint64_t total = 0;

	if (!files)
		return;
	qsort(files, nr, sizeof(*files), compare_use);
	for (size_t i = 0; i < nr; i++)
		total += files[i].bytes;
	for (size_t i = 0; i < nr && total > l->cache->max_bytes; i++) {
		unlinkat(l->folder_fd, files[i].name, 0);
		total -= files[i].bytes;
	}
	free(files);
}

static int open_folder(struct lookup *l)
{
	struct stat st;

	if (mkdir(l->cache->folder, 0700) && errno != EEXIST)
		return problem_errno(l, "cannot be made");
	l->folder_fd = open(l->cache->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->folder_fd < 0 || fstat(l->folder_fd, &st))
		return problem_errno(l, "cannot be opened");
	if (st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(l->problem, -EPERM,
			       "%s: others may write there, so kernels are not taken from it",
			       l->cache->folder);
	return 0;
}

/* Waits for others that unpack. The descriptor holds the lock until it is closed. */
static int lock_folder(const struct lookup *l)
{
	int ret, fd = openat(l->folder_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return problem_errno(l, "cannot be locked");
	do
		ret = flock(fd, LOCK_EX);
	while (ret && errno == EINTR);
	if (!ret)
		return fd;
	ret = problem_errno(l, "cannot be locked");
	close(fd);
	return ret;
}

static int unpack_and_keep(const struct lookup *l, struct source *ret_kernel, struct err *err)
{
	cleanup_close int lock = lock_folder(l);
	int ret;

	if (lock >= 0 && find_entry(l, ret_kernel)) /* somebody else was faster */
		return 0;
	if (lock >= 0)
		unlinkat(l->folder_fd, l->name, 0); /* damaged, or another kernel of that name */
	ret = payload_unpack(l->payload, l->unpacked_bytes, ret_kernel, err);
	if (ret || lock < 0)
		return ret;
	/* One that is larger than the limit goes at once, and is used from its open file. What fails
	 * here is in l->problem. */
	if (!add_entry(l, ret_kernel))
		keep_within_limit(l);
	return 0;
}

int kernel_cache_unpack(const struct kernel_cache *cache, const struct source *payload,
			uint64_t unpacked_bytes, struct source *ret_kernel, struct err *ret_problem,
			struct err *err)
{
	struct lookup l = { .cache = cache,
			    .payload = payload,
			    .unpacked_bytes = unpacked_bytes,
			    .folder_fd = -1,
			    .problem = ret_problem };
	int ret;

	ret_problem->text[0] = '\0';
	if (!cache->folder || open_folder(&l)) {
		ret = payload_unpack(payload, unpacked_bytes, ret_kernel, err);
	} else {
		ret = name_entry(&l, err);
		if (!ret && !find_entry(&l, ret_kernel))
			ret = unpack_and_keep(&l, ret_kernel, err);
	}
	if (l.folder_fd >= 0)
		close(l.folder_fd);
	return ret;
}
