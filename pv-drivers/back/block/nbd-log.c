/* See nbd-log.h. A ring of bytes; `end` moves when what is before it is complete, so that a kill leaves whole writes
 * only. One machine, so the compiler's order is enough. */
#include "back/block/nbd-log.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct nbd_log {
	uint64_t start, end; /* counted up for ever; the place is the remainder */
	unsigned char unused[4096 - 16];
	unsigned char bytes[NBD_LOG_BYTES];
};

struct entry {
	uint64_t offset;
	uint32_t length;
	uint32_t unused;
};

static_assert(NBD_LOG_BYTES % sizeof(struct entry) == 0, "no entry is cut by the ring's end");

int nbd_log_open(int fd, uint64_t offset, struct nbd_log **ret_log, struct err *err)
{
	int flags = fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
	void *memory;

	if (fd >= 0 && ftruncate(fd, (off_t)(offset + sizeof(struct nbd_log))))
		return err_errno(err, -errno, "the log of writes");
	memory = mmap(NULL, sizeof(struct nbd_log), PROT_READ | PROT_WRITE, flags, fd,
		      (off_t)offset);
	if (memory == MAP_FAILED)
		return err_errno(err, -errno, "the log of writes");
	*ret_log = memory;
	return 0;
}

void nbd_log_close(struct nbd_log *l)
{
	if (l)
		munmap(l, sizeof(*l));
}

static uint64_t space_of(uint32_t length)
{
	return sizeof(struct entry) + align_up((uint64_t)length, sizeof(struct entry));
}

static void copy_in(struct nbd_log *l, uint64_t at, const void *data, size_t length)
{
	size_t place = at % NBD_LOG_BYTES, first = MIN(length, NBD_LOG_BYTES - place);

	memcpy(l->bytes + place, data, first);
	memcpy(l->bytes, (const unsigned char *)data + first, length - first);
}

static void copy_out(const struct nbd_log *l, uint64_t at, void *ret_data, size_t length)
{
	size_t place = at % NBD_LOG_BYTES, first = MIN(length, NBD_LOG_BYTES - place);

	memcpy(ret_data, l->bytes + place, first);
	memcpy((unsigned char *)ret_data + first, l->bytes, length - first);
}

bool nbd_log_put(struct nbd_log *l, uint64_t offset, const void *data, uint32_t length)
{
	const struct entry e = { .offset = offset, .length = length };

	if (l->end - l->start + space_of(length) > NBD_LOG_BYTES)
		return false;
	copy_in(l, l->end, &e, sizeof(e));
	copy_in(l, l->end + sizeof(e), data, length);
	__asm__ volatile("" ::: "memory");
	l->end += space_of(length);
	return true;
}

uint64_t nbd_log_end(const struct nbd_log *l)
{
	return l->end;
}

void nbd_log_forget(struct nbd_log *l, uint64_t end)
{
	l->start = MAX(l->start, end); /* flushes may end in any order */
}

bool nbd_log_is_half_full(const struct nbd_log *l)
{
	return l->end - l->start > NBD_LOG_BYTES / 2;
}

int nbd_log_next(const struct nbd_log *l, uint64_t *position, uint64_t *ret_offset, void *ret_data,
		 uint32_t *ret_length)
{
	uint64_t start = __atomic_load_n(&l->start, __ATOMIC_RELAXED);
	uint64_t end = __atomic_load_n(&l->end, __ATOMIC_RELAXED);
	uint64_t at = MAX(*position, start);
	struct entry e;

	if (at >= end)
		return 0;
	copy_out(l, at, &e, sizeof(e));
	__asm__ volatile("" ::: "memory"); /* what is checked is the copy */
	if (end - start > NBD_LOG_BYTES || e.length > NBD_LOG_WRITE_MAX ||
	    space_of(e.length) > end - at)
		return -EBADMSG;
	copy_out(l, at + sizeof(e), ret_data, e.length);
	*ret_offset = e.offset;
	*ret_length = e.length;
	*position = at + space_of(e.length);
	return 1;
}
