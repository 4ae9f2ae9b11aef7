/* A disk behind a socket that speaks NBD: qemu-nbd, which opens whatever is not raw (nbd-server.c).
 *
 * libnbd comes with a TLS library and more; it is loaded when a disk needs it, so that the others do without. */
#include "back/block/backing.h"

#include <dlfcn.h>
#include <errno.h>
#include <libnbd.h>
#include <poll.h>
#include <stdlib.h>

#define LIBRARY     "libnbd.so.0"
#define GRANULARITY 65536u /* a cluster of qcow2, as it is made by default */
#define PAGE        4096u
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
	struct list ended; /* transfers */
	bool is_going_on;
	bool can_flush;
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

static void end_transfers(struct nbd *n)
{
	struct list_node *node;

	while ((node = list_pop_front(&n->ended))) {
		struct transfer *t = list_entry(node, struct transfer, node);

		if (goes_on(t))
			start(&n->backing, t);
		else
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

int backing_open_nbd(struct loop *l, int fd, bool may_discard, struct backing **ret_backing,
		     struct err *err)
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
			   .writable.ready = on_writable };
	list_init(&n->ended);
	code = load(&n->library, err);
	if (!code)
		code = ask_server(n, fd, may_discard, err);
	if (!code)
		code = register_socket(n, err);
	if (code) {
		close_nbd(&n->backing);
		return code;
	}
	*ret_backing = &n->backing;
	return 0;
}
