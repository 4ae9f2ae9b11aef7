/* Files and block devices, by io_uring. With O_DIRECT, which is lodged's usual choice, data goes from the device to the
 * guest's pages without another copy. */
#include "back/block/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define SECTOR      512u
#define PAGE        4096u
#define LOGICAL_MAX 4096u

struct file {
	struct backing backing;
	struct loop *loop;
	int fd;
	int number; /* in the loop */
	bool is_device;
};

static void start(struct backing *b, struct transfer *t);

/* Goes past what has been transferred. */
static void advance(struct transfer *t, uint64_t done)
{
	t->offset += done;
	t->left -= done;
	while (done && done >= t->iov->iov_len) {
		done -= t->iov->iov_len;
		t->iov++;
		t->nr_iov--;
	}
	if (done) {
		t->iov->iov_base = (char *)t->iov->iov_base + done;
		t->iov->iov_len -= done;
	}
}

static void on_done(struct loop_call *c, int result)
{
	struct transfer *t = container_of(c, struct transfer, call);

	if (result == -EINTR || result == -EAGAIN) {
		start(t->backing, t);
		return;
	}
	if (result < 0 || (t->kind != TRANSFER_READ && t->kind != TRANSFER_WRITE)) {
		t->done(t, MIN(result, 0));
		return;
	}
	if (!result || (uint64_t)result > t->left) { /* the file is shorter than it was */
		t->done(t, -EIO);
		return;
	}
	advance(t, (uint64_t)result);
	if (t->left)
		start(t->backing, t);
	else
		t->done(t, 0);
}

/* A device may forget what was there, a file gets a hole: the kernel has an operation in a ring for the file only. On a
 * device it holds the process up. */
static void discard_device(const struct file *f, struct transfer *t)
{
	uint64_t range[] = { t->offset, t->length };
	unsigned long request = t->kind == TRANSFER_DISCARD ? BLKDISCARD : BLKSECDISCARD;

	t->done(t, ioctl(f->fd, request, range) ? -errno : 0);
}

static bool is_discard(const struct transfer *t)
{
	return t->kind == TRANSFER_DISCARD || t->kind == TRANSFER_DISCARD_SECURE;
}

static void prepare(const struct file *f, const struct transfer *t, struct io_uring_sqe *sqe)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	switch (t->kind) {
	case TRANSFER_READ:
		if (t->nr_iov == 1) /* one less to copy and check for the kernel */
			io_uring_prep_read(sqe, f->number, t->iov->iov_base,
					   (unsigned int)t->iov->iov_len, t->offset);
		else
			io_uring_prep_readv(sqe, f->number, t->iov, t->nr_iov, t->offset);
		break;
	case TRANSFER_WRITE:
		if (t->nr_iov == 1)
			io_uring_prep_write(sqe, f->number, t->iov->iov_base,
					    (unsigned int)t->iov->iov_len, t->offset);
		else
			io_uring_prep_writev(sqe, f->number, t->iov, t->nr_iov, t->offset);
		break;
	case TRANSFER_FLUSH:
		io_uring_prep_fsync(sqe, f->number, IORING_FSYNC_DATASYNC);
		break;
	default:
		io_uring_prep_fallocate(sqe, f->number, mode, (off_t)t->offset, (off_t)t->length);
		break;
	}
}

static void start(struct backing *b, struct transfer *t)
{
	struct file *f = container_of(b, struct file, backing);
	struct io_uring_sqe *sqe;

	if (t->backing != b) { /* not when it goes on */
		t->backing = b;
		t->left = t->length;
		t->call.done = on_done;
	}
	if (f->is_device && is_discard(t)) {
		discard_device(f, t);
		return;
	}
	sqe = loop_operation(f->loop);
	if (!sqe) {
		t->done(t, -ENOBUFS);
		return;
	}
	prepare(f, t, sqe);
	loop_mark(sqe, &t->call);
}

static void wait_for_one(struct backing *b)
{
	struct file *f = container_of(b, struct file, backing);

	if (loop_turn(f->loop, UINT64_MAX))
		abort(); /* an io_uring that cannot wait any more cannot be drained either */
}

static int find_size(struct backing *b)
{
	struct file *f = container_of(b, struct file, backing);
	struct stat s;
	uint64_t size;

	if (f->is_device) {
		if (ioctl(f->fd, BLKGETSIZE64, &size))
			return -errno;
	} else {
		if (fstat(f->fd, &s))
			return -errno;
		size = (uint64_t)s.st_size;
	}
	b->nr_bytes = align_down(size, b->logical);
	return 0;
}

static void close_file(struct backing *b)
{
	free(container_of(b, struct file, backing));
}

static const struct backing_ops ops = {
	.start = start,
	.wait = wait_for_one,
	.resize = find_size,
	.close = close_file,
};

/* One of the kernel's numbers about the device's queue; a partition has its disk's. 0: none. */
static uint64_t ask_queue(dev_t device, const char *name)
{
	static const char *const folders[] = { "queue", "../queue" };
	unsigned long long number = 0;

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		char path[96];
		FILE *file;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/%s", major(device),
			 minor(device), folders[i], name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%llu", &number) != 1)
			number = 0;
		fclose(file);
		return number;
	}
	return 0;
}

static void ask_device(struct file *f, dev_t device, bool may_discard)
{
	struct backing *b = &f->backing;
	uint64_t nothing[] = { 0, 0 };
	unsigned int physical = 0;
	int logical = 0;

	if (!ioctl(f->fd, BLKSSZGET, &logical) && logical >= (int)SECTOR)
		b->logical = (uint32_t)logical;
	if (!ioctl(f->fd, BLKPBSZGET, &physical) && physical >= b->logical)
		b->physical = physical;
	b->can_discard = may_discard && ask_queue(device, "discard_max_bytes");
	b->discard_granularity =
		(uint32_t)MAX(b->physical, MIN(ask_queue(device, "discard_granularity"), 1U << 30));
	/* Nothing at the beginning: only a device that can says that it could. */
	b->can_discard_secure = may_discard && !ioctl(f->fd, BLKSECDISCARD, nothing);
}

/* What a file system asks of O_DIRECT; since Linux 6.1 it can be asked for that, else it shows by trying. */
static uint32_t direct_alignment(int fd)
{
	struct statx s;

	if (!statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &s) && s.stx_mask & STATX_DIOALIGN &&
	    s.stx_dio_offset_align >= SECTOR && s.stx_dio_offset_align <= LOGICAL_MAX)
		return s.stx_dio_offset_align;
	return SECTOR;
}

static void ask_file(struct file *f, const struct stat *s, int flags, bool may_discard)
{
	struct backing *b = &f->backing;

	if (flags & O_DIRECT)
		b->logical = direct_alignment(f->fd);
	b->physical = MAX(b->logical, s->st_blksize >= (long)SECTOR && s->st_blksize <= (long)PAGE
					      ? (uint32_t)s->st_blksize
					      : PAGE);
	/* Nothing behind the end: only a file system that can make holes says that it could. */
	b->can_discard =
		may_discard && !fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					  (off_t)align_up((uint64_t)s->st_size, PAGE), PAGE);
	b->discard_granularity = PAGE;
}

int backing_open_file(struct loop *l, int fd, bool may_discard, struct backing **ret_backing,
		      struct err *err)
{
	struct file *f = calloc(1, sizeof(*f));
	int code = -ENOMEM, flags = fcntl(fd, F_GETFL);
	struct stat s;

	if (!f)
		return err_set(err, code, "no memory");
	*f = (struct file){
		.backing = { .ops = &ops, .logical = SECTOR, .physical = SECTOR, .is_quiet = true },
		.loop = l,
		.fd = fd
	};
	if (flags < 0 || fstat(fd, &s)) {
		code = err_errno(err, -errno, "the disk");
		goto fail;
	}
	(void)fcntl(fd, F_SETFL, flags | O_NOATIME); /* else each read sees to it */
	f->backing.is_read_only = (flags & O_ACCMODE) == O_RDONLY;
	f->is_device = S_ISBLK(s.st_mode);
	may_discard = may_discard && !f->backing.is_read_only;
	if (f->is_device) {
		ask_device(f, s.st_rdev, may_discard);
	} else if (S_ISREG(s.st_mode)) {
		ask_file(f, &s, flags, may_discard);
	} else {
		code = err_set(err, -EINVAL, "the disk is neither a file nor a block device");
		goto fail;
	}
	code = find_size(&f->backing);
	if (code) {
		code = err_errno(err, code, "the disk's size");
		goto fail;
	}
	f->number = loop_register(l, fd, err);
	if (f->number < 0) {
		code = f->number;
		goto fail;
	}
	*ret_backing = &f->backing;
	return 0;
fail:
	free(f);
	return code;
}
