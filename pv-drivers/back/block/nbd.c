/* A disk behind a socket that speaks NBD: qemu-nbd, which opens whatever is not raw (nbd-server.c).
 *
 * A write is answered when it is done and in the log (nbd-log.h), from which a flush takes it out again; where the log has
 * no room, a flush is made for it.
 *
 * libnbd comes with a TLS library and more; it is loaded when a disk needs it, so that the others do without. */
#include "back/block/backing.h"
#include "back/block/nbd-log.h"

#include <dlfcn.h>
#include <errno.h>
#include <libnbd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY     "libnbd.so.0"
#define GRANULARITY 65536u /* a cluster of qcow2, as it is made by default */
#define PAGE        4096u
#define RUN_BYTES   (1U << 20)
#define TRIM_MAX    (1U << 30) /* at once; the protocol has 32 bits for it */

#define FUNCTION(name) __typeof__(&name) name

struct library {
	FUNCTION(nbd_create);
	FUNCTION(nbd_close);
	FUNCTION(nbd_get_error);
	FUNCTION(nbd_get_errno);
	FUNCTION(nbd_connect_socket);
	FUNCTION(nbd_get_size);
	FUNCTION(nbd_is_read_only);
	FUNCTION(nbd_can_trim);
	FUNCTION(nbd_can_flush);
	FUNCTION(nbd_pwrite);
	FUNCTION(nbd_flush);
	FUNCTION(nbd_aio_is_dead);
	FUNCTION(nbd_aio_is_closed);
	FUNCTION(nbd_aio_get_fd);
	FUNCTION(nbd_aio_get_direction);
	FUNCTION(nbd_aio_notify_read);
	FUNCTION(nbd_aio_notify_write);
	FUNCTION(nbd_aio_pread);
	FUNCTION(nbd_aio_pwrite);
	FUNCTION(nbd_aio_flush);
	FUNCTION(nbd_aio_trim);
};

struct nbd {
	struct backing backing;
	struct library library;
	struct nbd_handle *handle;
	struct loop *loop;
	struct loop_watch readable, writable;
	struct list ended;    /* transfers */
	struct list unlogged; /* writes that are done, for which the log has no room */
	struct nbd_log *log;
	struct transfer flush; /* for the log's sake */
	bool is_flushing;
	bool is_going_on;
	bool can_flush; /* else every write is durable when it is done, and nothing is logged */
};

#define LOAD(library, name)                                        \
	do {                                                       \
		*(void **)&(library)->name = dlsym(loaded, #name); \
		if (!(library)->name) {                            \
			(void)err_set(err, 0, "%s", dlerror());    \
			return -ENOSYS;                            \
		}                                                  \
	} while (0)

static int load(struct library *l, struct err *err)
{
	void *loaded = dlopen(LIBRARY, RTLD_NOW);

	if (!loaded) {
		(void)err_set(err, 0, "%s", dlerror());
		return -ENOSYS;
	}
	LOAD(l, nbd_create);
	LOAD(l, nbd_close);
	LOAD(l, nbd_get_error);
	LOAD(l, nbd_get_errno);
	LOAD(l, nbd_connect_socket);
	LOAD(l, nbd_get_size);
	LOAD(l, nbd_is_read_only);
	LOAD(l, nbd_can_trim);
	LOAD(l, nbd_can_flush);
	LOAD(l, nbd_pwrite);
	LOAD(l, nbd_flush);
	LOAD(l, nbd_aio_is_dead);
	LOAD(l, nbd_aio_is_closed);
	LOAD(l, nbd_aio_get_fd);
	LOAD(l, nbd_aio_get_direction);
	LOAD(l, nbd_aio_notify_read);
	LOAD(l, nbd_aio_notify_write);
	LOAD(l, nbd_aio_pread);
	LOAD(l, nbd_aio_pwrite);
	LOAD(l, nbd_aio_flush);
	LOAD(l, nbd_aio_trim);
	return 0;
}

static int fail(const struct nbd *n, struct err *err)
{
	return err_set(err, -EIO, "%s", n->library.nbd_get_error());
}

static void watch(struct nbd *n, struct loop_watch *w, unsigned int direction, short events)
{
	if (n->library.nbd_aio_get_direction(n->handle) & direction)
		loop_watch(n->loop, w, events);
}

static void start(struct backing *b, struct transfer *t);

/* Whether there is more to discard than was asked for at once. */
static bool goes_on(struct transfer *t)
{
	uint64_t done = MIN(t->left, TRIM_MAX);

	if (t->result || (t->kind != TRANSFER_DISCARD && t->kind != TRANSFER_DISCARD_SECURE))
		return false;
	t->offset += done;
	t->left -= done;
	return t->left != 0;
}

static void make_room(struct nbd *n)
{
	if (n->is_flushing)
		return;
	n->is_flushing = true;
	n->flush.backing = NULL; /* it begins anew */
	start(&n->backing, &n->flush);
}

/* The log's own flush has ended: there is room for those that wait, or they fail with it. */
static void on_room(struct transfer *t, int result)
{
	struct nbd *n = container_of(t, struct nbd, flush);
	struct list_node *node;

	n->is_flushing = false;
	while ((node = list_pop_front(&n->unlogged))) {
		struct transfer *write = list_entry(node, struct transfer, node);

		write->result = result;
		list_push_back(&n->ended, &write->node);
	}
}

/* Whether it may be answered. The data of a write is still where it was. */
static bool log_transfer(struct nbd *n, struct transfer *t)
{
	if (!n->can_flush || t->result)
		return true;
	if (t->kind == TRANSFER_FLUSH)
		nbd_log_forget(n->log, t->left);
	if (t->kind != TRANSFER_WRITE)
		return true;
	if (!nbd_log_put(n->log, t->offset, t->iov->iov_base, (uint32_t)t->length)) {
		list_push_back(&n->unlogged, &t->node);
		make_room(n);
		return false;
	}
	if (nbd_log_is_half_full(n->log))
		make_room(n);
	return true;
}

static void end_transfers(struct nbd *n)
{
	struct list_node *node;

	while ((node = list_pop_front(&n->ended))) {
		struct transfer *t = list_entry(node, struct transfer, node);

		if (goes_on(t))
			start(&n->backing, t);
		else if (log_transfer(n, t))
			t->done(t, t->result);
	}
}

/* Lets the library read and write as it wants, and has the loop tell when it can go on. What has ended is told
 * after, because the library may not be called by its callbacks. */
static void go_on(struct nbd *n)
{
	const struct library *l = &n->library;

	if (n->is_going_on)
		return;
	n->is_going_on = true;
	if (n->readable.is_ready && l->nbd_aio_get_direction(n->handle) & LIBNBD_AIO_DIRECTION_READ)
		(void)l->nbd_aio_notify_read(n->handle); /* an error ends all requests */
	if (n->writable.is_ready &&
	    l->nbd_aio_get_direction(n->handle) & LIBNBD_AIO_DIRECTION_WRITE)
		(void)l->nbd_aio_notify_write(n->handle);
	/* Requests to a dead connection have other errors than those that it took along. */
	n->backing.is_lost |= l->nbd_aio_is_dead(n->handle) || l->nbd_aio_is_closed(n->handle);
	end_transfers(n);
	watch(n, &n->readable, LIBNBD_AIO_DIRECTION_READ, POLLIN);
	watch(n, &n->writable, LIBNBD_AIO_DIRECTION_WRITE, POLLOUT);
	n->is_going_on = false;
}

static void on_readable(struct loop_watch *w)
{
	go_on(container_of(w, struct nbd, readable));
}

static void on_writable(struct loop_watch *w)
{
	go_on(container_of(w, struct nbd, writable));
}

static int on_done(void *transfer, int *error)
{
	struct transfer *t = transfer;
	struct nbd *n = container_of(t->backing, struct nbd, backing);

	if (*error == ENOTCONN || *error == ESHUTDOWN || *error == EPIPE)
		n->backing.is_lost = true;
	t->result = -*error;
	list_push_back(&n->ended, &t->node);
	return 1; /* the library may forget it */
}

static void start(struct backing *b, struct transfer *t)
{
	struct nbd *n = container_of(b, struct nbd, backing);
	const struct library *l = &n->library;
	nbd_completion_callback done = { .callback = on_done, .user_data = t };
	int64_t cookie;

	if (t->backing != b) { /* not when it goes on */
		t->backing = b;
		t->left = t->length;
	}
	switch (t->kind) {
	case TRANSFER_READ:
		cookie = l->nbd_aio_pread(n->handle, t->iov->iov_base, t->length, t->offset, done,
					  0);
		break;
	case TRANSFER_WRITE:
		cookie = l->nbd_aio_pwrite(n->handle, t->iov->iov_base, t->length, t->offset, done,
					   0);
		break;
	case TRANSFER_FLUSH:
		if (!n->can_flush) { /* every write of such a server is durable */
			t->done(t, 0);
			return;
		}
		t->left = nbd_log_end(n->log); /* what it covers */
		cookie = l->nbd_aio_flush(n->handle, done, 0);
		break;
	default:
		cookie = l->nbd_aio_trim(n->handle, MIN(t->left, TRIM_MAX), t->offset, done, 0);
		break;
	}
	if (cookie < 0) {
		int error = l->nbd_get_errno() ? l->nbd_get_errno() : EIO;

		(void)on_done(t, &error);
	}
	go_on(n);
}

static void wait_for_one(struct backing *b)
{
	struct nbd *n = container_of(b, struct nbd, backing);

	if (loop_turn(n->loop, UINT64_MAX))
		abort();
}

/* The protocol has no word for it. */
static int resize(struct backing *b)
{
	(void)b;
	return -EOPNOTSUPP;
}

static void close_nbd(struct backing *b)
{
	struct nbd *n = container_of(b, struct nbd, backing);

	if (n->handle)
		n->library.nbd_close(n->handle);
	nbd_log_close(n->log);
	free(n);
}

static const struct backing_ops ops = {
	.start = start,
	.wait = wait_for_one,
	.resize = resize,
	.close = close_nbd,
};

static int ask_server(struct nbd *n, int fd, bool may_discard, struct err *err)
{
	const struct library *l = &n->library;
	struct backing *b = &n->backing;
	int64_t size;

	n->handle = l->nbd_create();
	if (!n->handle || l->nbd_connect_socket(n->handle, fd))
		return fail(n, err);
	size = l->nbd_get_size(n->handle);
	if (size < 0)
		return fail(n, err);
	b->nr_bytes = align_down((uint64_t)size, b->logical);
	b->is_read_only = l->nbd_is_read_only(n->handle) > 0;
	b->can_discard = may_discard && !b->is_read_only && l->nbd_can_trim(n->handle) > 0;
	n->can_flush = l->nbd_can_flush(n->handle) > 0;
	return 0;
}

/* A run of writes, each behind the one before. */
struct run {
	unsigned char *data; /* less than RUN_BYTES, and room for one more write */
	uint64_t offset;
	size_t length;
};

static int write_run(struct nbd *n, struct run *r, struct err *err)
{
	int code = 0;

	if (r->length && n->library.nbd_pwrite(n->handle, r->data, r->length, r->offset, 0))
		code = fail(n, err);
	r->length = 0;
	return code;
}

/* A server before this one has taken these writes, and perhaps never written them. In few large ones, as the guest
 * waits. */
static int write_all_again(struct nbd *n, struct run *r, struct err *err)
{
	uint64_t position = 0, offset;
	uint32_t length;
	int code = 0, more;

	while (!code &&
	       (more = nbd_log_next(n->log, &position, &offset, r->data + r->length, &length))) {
		if (more < 0)
			return err_set(err, more, "the log of writes is damaged");
		if (r->length && offset != r->offset + r->length) {
			const unsigned char *next = r->data + r->length;

			code = write_run(n, r, err);
			memmove(r->data, next, length);
		}
		if (!r->length)
			r->offset = offset;
		r->length += length;
		if (!code && r->length >= RUN_BYTES)
			code = write_run(n, r, err);
	}
	if (!code)
		code = write_run(n, r, err);
	if (!code && position && n->library.nbd_flush(n->handle, 0))
		code = fail(n, err);
	return code;
}

static int write_again(struct nbd *n, struct err *err)
{
	struct run r = { .data = malloc(RUN_BYTES + NBD_LOG_WRITE_MAX) };
	int code = r.data ? write_all_again(n, &r, err) : err_set(err, -ENOMEM, "no memory");

	free(r.data);
	if (code)
		return err_wrap(err, code, "writing again what the last server may have lost");
	nbd_log_forget(n->log, nbd_log_end(n->log));
	return 0;
}

/* All from here on must be done before the loop starts. */
static int register_socket(struct nbd *n, struct err *err)
{
	int file = loop_register(n->loop, n->library.nbd_aio_get_fd(n->handle), err);

	if (file < 0)
		return file;
	n->readable.file = file;
	n->writable.file = file;
	return 0;
}

int backing_open_nbd(struct loop *l, int fd, int log_fd, uint64_t log_offset, bool may_discard,
		     struct backing **ret_backing, struct err *err)
{
	struct nbd *n = calloc(1, sizeof(*n));
	int code;

	if (!n)
		return err_set(err, -ENOMEM, "no memory");
	*n = (struct nbd){ .backing = { .ops = &ops,
					.logical = 512,
					.physical = PAGE,
					.discard_granularity = GRANULARITY,
					.wants_one_buffer = true },
			   .loop = l,
			   .readable.ready = on_readable,
			   .writable.ready = on_writable,
			   .flush = { .kind = TRANSFER_FLUSH, .done = on_room } };
	list_init(&n->ended);
	list_init(&n->unlogged);
	code = load(&n->library, err);
	if (!code)
		code = ask_server(n, fd, may_discard, err);
	if (!code)
		code = nbd_log_open(log_fd, log_offset, &n->log, err);
	if (!code && n->can_flush)
		code = write_again(n, err);
	if (!code)
		code = register_socket(n, err);
	if (code) {
		close_nbd(&n->backing);
		return code;
	}
	*ret_backing = &n->backing;
	return 0;
}
