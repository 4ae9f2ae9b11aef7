#include "back/block/loop.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>

#define FILES_MAX 8

struct loop {
	struct io_uring ring;
	int files[FILES_MAX];
	unsigned int nr_files;
};

int loop_create(unsigned int nr_entries, struct loop **ret_loop, struct err *err)
{
	/* Completions are handled when this thread asks for them: no interruptions, no other CPU. The flag in the
	 * ring has it ask also when it does not wait. */
	struct io_uring_params best = { .flags = IORING_SETUP_R_DISABLED |
						 IORING_SETUP_SINGLE_ISSUER |
						 IORING_SETUP_DEFER_TASKRUN |
						 IORING_SETUP_TASKRUN_FLAG };
	struct io_uring_params plain = { .flags = IORING_SETUP_R_DISABLED };
	struct loop *l = calloc(1, sizeof(*l));
	int code;

	if (!l)
		return err_set(err, -ENOMEM, "no memory");
	code = io_uring_queue_init_params(nr_entries, &l->ring, &best);
	if (code == -EINVAL)
		code = io_uring_queue_init_params(nr_entries, &l->ring, &plain);
	if (code) {
		free(l);
		return err_errno(err, code, "io_uring");
	}
	*ret_loop = l;
	return 0;
}

void loop_destroy(struct loop *l)
{
	if (!l)
		return;
	io_uring_queue_exit(&l->ring);
	free(l);
}

int loop_register(struct loop *l, int fd, struct err *err)
{
	if (l->nr_files == FILES_MAX)
		return err_set(err, -ENOSPC, "too many descriptors");
	l->files[l->nr_files] = fd;
	return (int)l->nr_files++;
}

int loop_start(struct loop *l, struct err *err)
{
	static const uint8_t operations[] = { IORING_OP_READ,    IORING_OP_READV,
					      IORING_OP_WRITE,   IORING_OP_WRITEV,
					      IORING_OP_FSYNC,   IORING_OP_FALLOCATE,
					      IORING_OP_POLL_ADD };
	struct io_uring_restriction allowed[ARRAY_SIZE(operations) + 1] = { 0 };
	int code = io_uring_register_files(&l->ring, l->files, l->nr_files);

	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		allowed[i].opcode = IORING_RESTRICTION_SQE_OP;
		allowed[i].sqe_op = operations[i];
	}
	allowed[ARRAY_SIZE(operations)].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
	allowed[ARRAY_SIZE(operations)].sqe_flags = IOSQE_FIXED_FILE;
	if (!code)
		code = io_uring_register_restrictions(&l->ring, allowed, ARRAY_SIZE(allowed));
	if (!code)
		code = io_uring_enable_rings(&l->ring);
	return code ? err_errno(err, code, "io_uring") : 0;
}

struct io_uring_sqe *loop_operation(struct loop *l)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&l->ring);

	if (sqe)
		return sqe;
	if (io_uring_submit(&l->ring) < 0)
		return NULL;
	return io_uring_get_sqe(&l->ring);
}

void loop_mark(struct io_uring_sqe *sqe, struct loop_call *c)
{
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	io_uring_sqe_set_data(sqe, c);
}

static void watch_done(struct loop_call *c, int result)
{
	struct loop_watch *w = container_of(c, struct loop_watch, call);

	(void)result; /* an error shows when the descriptor is used */
	w->is_armed = false;
	w->is_ready = true;
	if (w->ready)
		w->ready(w);
}

void loop_watch(struct loop *l, struct loop_watch *w, short events)
{
	struct io_uring_sqe *sqe;

	w->is_ready = false;
	if (w->is_armed)
		return;
	sqe = loop_operation(l);
	if (!sqe) {
		w->is_ready = true; /* looked at in vain, and tried again */
		return;
	}
	w->call.done = watch_done;
	io_uring_prep_poll_add(sqe, w->file, (unsigned int)events);
	loop_mark(sqe, &w->call);
	w->is_armed = true;
}

static void finish_calls(struct loop *l)
{
	struct io_uring_cqe *cqe;

	/* One at a time: done() may begin another operation, and turn the loop. */
	while (!io_uring_peek_cqe(&l->ring, &cqe)) {
		struct loop_call *c = io_uring_cqe_get_data(cqe);
		int result = cqe->res;

		io_uring_cqe_seen(&l->ring, cqe);
		if (!c)
			continue;
		c->done(c, result);
	}
}

bool loop_has_new(const struct loop *l)
{
	return io_uring_sq_ready(&l->ring);
}

/* In one system call, which also finishes what ends at once; none when nothing is new. */
static int begin(struct loop *l)
{
	return loop_has_new(l) ? io_uring_submit_and_get_events(&l->ring) : 0;
}

static int begin_and_wait(struct loop *l, uint64_t timeout_ns)
{
	struct __kernel_timespec limit = { .tv_sec = (int64_t)(timeout_ns / 1000000000),
					   .tv_nsec = (int64_t)(timeout_ns % 1000000000) };
	struct io_uring_cqe *cqe;

	return io_uring_submit_and_wait_timeout(&l->ring, &cqe, 1,
						timeout_ns == UINT64_MAX ? NULL : &limit, NULL);
}

int loop_turn(struct loop *l, uint64_t timeout_ns)
{
	int code = timeout_ns ? begin_and_wait(l, timeout_ns) : begin(l);

	finish_calls(l);
	return code < 0 && code != -ETIME && code != -EINTR && code != -EBUSY && code != -EAGAIN
		       ? code
		       : 0;
}
