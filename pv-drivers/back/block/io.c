/* What happens to one request. See block.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "back/block/block.h"
#include "back/block/pages.h"
#include "back/block/runs.h"
#include "back/lib/platform.h"

#define RETRY_NS 1000000000u /* a full file system is tried again after that */
#define RUN_MIN  4u          /* segments; with fewer there is little to gain */

static void next_step(struct io *io);

void block_break(struct block *b, const struct err *err)
{
	if (!b->is_broken)
		b->why = *err;
	b->is_broken = true;
}

static unsigned char *bounce_of(const struct io *io)
{
	const struct block *b = io->queue->block;

	return b->bounce + (size_t)(io - b->ios) * BLOCK_IO_BYTES;
}

/* Pages of it come into being as they are used. */
static int make_bounce(struct block *b)
{
	void *memory;

	if (b->bounce)
		return 0;
	memory = mmap(NULL, (size_t)BLOCK_IOS * BLOCK_IO_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	b->bounce = memory;
	return 0;
}

static uint32_t offset_of(const struct blkif_request_segment *s)
{
	return s->first_sect * SECTOR;
}

static uint32_t length_of(const struct blkif_request_segment *s)
{
	return (s->last_sect - s->first_sect + 1U) * SECTOR;
}

/* Between the guest's pages and the bounce buffer. */
static int copy_data(struct io *io, bool to_guest)
{
	struct platform_copy copies[REQUEST_SEGMENTS_MAX];
	unsigned char *local = bounce_of(io);

	for (uint32_t i = 0; i < io->request.nr_segments; i++) {
		const struct blkif_request_segment *s = &io->request.segments[i];

		copies[i] = (struct platform_copy){ .local = local,
						    .ref = s->gref,
						    .offset = (uint16_t)offset_of(s),
						    .length = (uint16_t)length_of(s),
						    .to_guest = to_guest };
		local += length_of(s);
	}
	return platform_copy(io->queue->block->platform, copies, io->request.nr_segments);
}

static void release_pages(struct io *io, uint32_t nr)
{
	if (io->run)
		run_put(io->run);
	else
		while (nr)
			pages_put(io->queue->block->pages, io->request.segments[--nr].gref);
	io->run = NULL;
	io->is_straight = false;
}

/* With nothing between them. */
static bool are_whole_pages(const struct request *r)
{
	for (uint32_t i = 1; i < r->nr_segments; i++)
		if (r->segments[i].first_sect ||
		    r->segments[i - 1].last_sect != SECTORS_IN_PAGE - 1)
			return false;
	return true;
}

static bool go_in_one_piece(struct io *io)
{
	const struct request *r = &io->request;

	if (r->nr_segments >= RUN_MIN && are_whole_pages(r))
		io->run = run_get(io->queue->block->runs, r->segments, r->nr_segments);
	if (!io->run)
		return false;
	io->iov[0].iov_base = (unsigned char *)run_memory(io->run) + offset_of(r->segments);
	io->iov[0].iov_len = r->nr_sectors * SECTOR;
	io->transfer.nr_iov = 1;
	io->is_straight = true;
	return true;
}

/* The guest's own pages, when each of them can be had. */
static bool go_straight(struct io *io)
{
	struct block *b = io->queue->block;

	if (!b->pages || !b->may_go_straight || b->backing->wants_one_buffer)
		return false;
	if (go_in_one_piece(io))
		return true;
	for (uint32_t i = 0; i < io->request.nr_segments; i++) {
		const struct blkif_request_segment *s = &io->request.segments[i];
		unsigned char *page = pages_get(b->pages, s->gref);

		if (!page) {
			release_pages(io, i);
			return false;
		}
		io->iov[i].iov_base = page + offset_of(s);
		io->iov[i].iov_len = length_of(s);
	}
	io->transfer.nr_iov = io->request.nr_segments;
	io->is_straight = true;
	return true;
}

static bool is_read(const struct io *io)
{
	return io->request.kind == REQUEST_READ;
}

static int prepare_data(struct io *io)
{
	struct block *b = io->queue->block;
	struct err err;
	int code;

	io->transfer.iov = io->iov;
	if (go_straight(io))
		return 0;
	code = make_bounce(b);
	if (code)
		return code;
	io->iov[0].iov_base = bounce_of(io);
	io->iov[0].iov_len = io->request.nr_sectors * SECTOR;
	io->transfer.nr_iov = 1;
	if (is_read(io) || !copy_data(io, false))
		return 0;
	(void)err_set(&err, 0, "the guest sent a page to be written that it had not granted");
	block_break(b, &err);
	return -EFAULT;
}

static void start_transfer(struct io *io, enum transfer_kind kind)
{
	struct block *b = io->queue->block;

	io->transfer.kind = kind;
	io->transfer.offset = io->request.sector * SECTOR;
	io->transfer.length = io->request.nr_sectors * SECTOR;
	io->transfer.backing = NULL;
	b->nr_begun++;
	b->backing->ops->start(b->backing, &io->transfer);
}

/* Nothing is lost by it: what the guest has sent stays in its rings and here until there is room. */
static void stall(struct io *io)
{
	struct block *b = io->queue->block;

	if (list_is_empty(&b->stalled)) {
		fprintf(stderr, "lodge-block: no space for the disk's image; the guest waits\n");
		if (xenbus_tell(&b->xenbus, "status", "%s", "no-space"))
			fprintf(stderr, "lodge-block: the store does not answer\n");
	}
	list_push_back(&b->stalled, &io->node);
	b->retry_ns = MIN(b->retry_ns, b->now_ns() + RETRY_NS);
}

static void report_error(struct block *b, const struct io *io, int result)
{
	b->nr_errors++;
	if (!is_power_of_2(b->nr_errors)) /* the first, second, fourth... */
		return;
	fprintf(stderr, "lodge-block: request %u at sector %llu: %s (error %llu of this disk)\n",
		io->request.operation, (unsigned long long)io->request.sector, strerror(-result),
		(unsigned long long)b->nr_errors);
}

static void fail(struct io *io, int result)
{
	struct block *b = io->queue->block;

	if (b->backing->is_lost) /* unanswered: the next process does it again */
		return;
	if (io->is_straight) {
		release_pages(io, io->request.nr_segments);
		if (result == -EFAULT) { /* the kernel cannot reach them: copies from now on */
			b->may_go_straight = false;
			fprintf(stderr, "lodge-block: the disk does not take the guest's pages; "
					"data is copied\n");
			next_step(io);
			return;
		}
	}
	/* Not a flush: the kernel tells of bytes that it could not keep once, and then forgets them. */
	if ((result == -ENOSPC || result == -EDQUOT) && io->transfer.kind != TRANSFER_FLUSH) {
		stall(io);
		return;
	}
	if (result == -EOPNOTSUPP && io->request.kind == REQUEST_DISCARD) {
		io_answer(io, BLKIF_RSP_EOPNOTSUPP);
		return;
	}
	report_error(b, io, result);
	io_answer(io, BLKIF_RSP_ERROR);
}

static void on_done(struct transfer *t, int result)
{
	struct io *io = container_of(t, struct io, transfer);
	struct block *b = io->queue->block;
	struct err err;

	b->nr_begun--;
	if (b->is_closing)
		return;
	if (result) {
		fail(io, result);
		return;
	}
	if (is_read(io) && !io->is_straight && copy_data(io, true)) {
		(void)err_set(&err, 0,
			      "the guest sent a page to be read to that it had not granted");
		block_break(b, &err);
		return;
	}
	io->steps &= io->steps - 1; /* the lowest was it */
	next_step(io);
}

static void start_data(struct io *io)
{
	const struct request *r = &io->request;
	int code;

	if (r->kind == REQUEST_DISCARD) {
		start_transfer(io, r->is_secure ? TRANSFER_DISCARD_SECURE : TRANSFER_DISCARD);
		return;
	}
	code = prepare_data(io);
	if (code == -EFAULT)
		return; /* the device is stopped */
	if (code) {
		fail(io, code);
		return;
	}
	start_transfer(io, is_read(io) ? TRANSFER_READ : TRANSFER_WRITE);
}

static void next_step(struct io *io)
{
	unsigned int lowest = io->steps & -io->steps;

	if (!lowest)
		io_answer(io, BLKIF_RSP_OKAY);
	else if (lowest == STEP_DATA)
		start_data(io);
	else
		start_transfer(io, TRANSFER_FLUSH);
}

void io_answer(struct io *io, int16_t status)
{
	struct queue *q = io->queue;
	struct block *b = q->block;
	struct blkif_response response;
	size_t size = request_answer(&io->request, b->is_32_bit, status, &response);

	if (io->is_straight)
		release_pages(io, io->request.nr_segments);
	journal_answer(b->journal, (uint32_t)(io - b->ios), q->ring.rsp_prod);
	ring_back_put(&q->ring, &response, size);
	list_push_back(&q->answered, &io->node);
	b->nr_busy--;
	if (b->barrier == io)
		b->barrier = NULL;
}

static bool changes_disk(const struct request *r)
{
	return r->kind == REQUEST_WRITE || r->kind == REQUEST_DISCARD ||
	       ((r->kind == REQUEST_FLUSH || r->kind == REQUEST_BARRIER) && r->nr_segments);
}

static unsigned int steps_of(const struct request *r)
{
	if (r->kind != REQUEST_FLUSH && r->kind != REQUEST_BARRIER)
		return STEP_DATA;
	return r->nr_segments ? STEP_FLUSH | STEP_DATA | STEP_FLUSH_AFTER : STEP_FLUSH;
}

static bool is_supported(const struct block *b, const struct request *r)
{
	if (r->kind == REQUEST_UNKNOWN)
		return false;
	if (r->kind != REQUEST_DISCARD)
		return true;
	return r->is_secure ? b->backing->can_discard_secure : b->backing->can_discard;
}

/* Puts it to those that wait, if it has to; the time is then known to block_timeout_ns(). */
static bool is_held_back(struct io *io)
{
	struct block *b = io->queue->block;
	const struct request *r = &io->request;
	uint64_t now, wait;

	if (!r->nr_sectors || !b->limits.is_any)
		return false;
	now = b->now_ns();
	wait = limits_ask(&b->limits, changes_disk(r),
			  r->kind == REQUEST_DISCARD ? 0 : r->nr_sectors * SECTOR, now);
	if (wait)
		b->retry_ns = MIN(b->retry_ns, now + wait);
	return wait != 0;
}

static void begin_steps(struct io *io)
{
	struct block *b = io->queue->block;

	io->steps = steps_of(&io->request);
	io->is_straight = false;
	io->run = NULL;
	io->transfer.done = on_done;
	if (io == b->barrier && b->nr_busy > 1)
		return; /* begun by io_retry() when the others are done */
	next_step(io);
}

void io_begin(struct io *io)
{
	struct block *b = io->queue->block;
	struct list *throttled = &b->throttled[changes_disk(&io->request)];

	if (!is_supported(b, &io->request)) {
		io_answer(io, BLKIF_RSP_EOPNOTSUPP);
		return;
	}
	if ((b->is_read_only && changes_disk(&io->request)) ||
	    (io->request.kind == REQUEST_DISCARD && !io->request.nr_sectors)) {
		io_answer(io, b->is_read_only ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY);
		return;
	}
	if (io->request.kind == REQUEST_BARRIER)
		b->barrier = io;
	/* In the order they came, so that none is held back for ever; but reads do not wait for writes. */
	else if (!list_is_empty(throttled) || is_held_back(io)) {
		list_push_back(throttled, &io->node);
		return;
	}
	begin_steps(io);
}

static void begin_throttled(struct list *throttled)
{
	struct list_node *node;

	while ((node = list_first(throttled))) {
		struct io *io = list_entry(node, struct io, node);

		if (is_held_back(io))
			return;
		list_remove(node);
		begin_steps(io);
	}
}

static void begin_stalled(struct block *b)
{
	struct list waiting;
	struct list_node *node;

	if (list_is_empty(&b->stalled))
		return;
	/* Some of them may stall anew, and say so. */
	if (xenbus_tell(&b->xenbus, "status", "%s", "ok"))
		fprintf(stderr, "lodge-block: the store does not answer\n");
	list_init(&waiting);
	list_splice_back(&waiting, &b->stalled);
	while ((node = list_pop_front(&waiting)))
		next_step(list_entry(node, struct io, node));
}

void io_retry(struct block *b)
{
	if (b->barrier && b->nr_busy == 1 && !b->nr_begun && list_is_empty(&b->stalled))
		next_step(b->barrier);
	if (b->retry_ns == UINT64_MAX || b->now_ns() < b->retry_ns)
		return;
	b->retry_ns = UINT64_MAX;
	begin_stalled(b);
	for (size_t i = 0; i < ARRAY_SIZE(b->throttled); i++)
		begin_throttled(&b->throttled[i]);
}

/* By the mapping that lasts, if there can be one: its page is one that the frontend uses again. */
static int copy_segments(struct block *b, struct request *r)
{
	size_t size = r->nr_segments * sizeof(r->segments[0]);
	struct platform_copy copy = { .local = r->segments,
				      .ref = r->indirect_ref,
				      .length = (uint16_t)size };
	const void *page = b->pages ? pages_get(b->pages, r->indirect_ref) : NULL;

	if (!page)
		return platform_copy(b->platform, &copy, 1);
	memcpy(r->segments, page, size);
	pages_put(b->pages, r->indirect_ref);
	__atomic_signal_fence(__ATOMIC_SEQ_CST); /* what is checked is the copy */
	return 0;
}

/* The segments of an indirect request, copied once. */
static int fetch_segments(struct io *io, struct err *err)
{
	if (copy_segments(io->queue->block, &io->request))
		return err_set(
			err, -EFAULT,
			"the guest sent an indirect request in a page that it had not granted");
	return 0;
}

void io_accept(struct io *io, const void *entry)
{
	struct block *b = io->queue->block;
	struct err err;
	int code = request_parse(entry, b->is_32_bit, &io->request, &err);

	b->nr_busy++;
	if (!code && io->request.is_indirect)
		code = fetch_segments(io, &err);
	if (!code)
		code = request_check(&io->request, b->backing->nr_bytes / SECTOR, &err);
	if (code)
		block_break(b, &err);
	else
		io_begin(io);
}
