/* Where a disk's bytes are: a file or a block device (file.c), or an NBD server such as qemu-nbd (nbd.c). */
#ifndef LODGE_BLOCK_BACKING_H
#define LODGE_BLOCK_BACKING_H

#include <sys/uio.h>

#include "back/block/loop.h"
#include "lib/list.h"

enum transfer_kind {
	TRANSFER_READ,
	TRANSFER_WRITE,
	TRANSFER_FLUSH, /* makes durable what was done before it began */
	TRANSFER_DISCARD,
	TRANSFER_DISCARD_SECURE,
};

/* One thing to do. The caller fills the first part and keeps it until done(). */
struct transfer {
	enum transfer_kind kind;
	uint64_t offset;
	uint64_t length;
	struct iovec *iov; /* read and write: length bytes; is changed */
	unsigned int nr_iov;
	void (*done)(struct transfer *t, int result); /* 0 or a negative errno */

	struct loop_call call; /* the backing's own */
	struct backing *backing;
	uint64_t left;
	int result;
	struct list_node node;
};

struct backing {
	const struct backing_ops *ops;
	uint64_t nr_bytes; /* a multiple of logical */
	uint32_t logical;  /* sector sizes */
	uint32_t physical;
	uint32_t discard_granularity;
	bool is_read_only;
	bool can_discard;
	bool can_discard_secure;
	bool is_lost;          /* the server has gone: what failed since may be tried anew */
	bool wants_one_buffer; /* each transfer has one iovec only */
	bool is_quiet;         /* nothing happens in it but what was begun */
};

struct backing_ops {
	/* Begins. done() may be called before this returns, or later from wait() or the loop. */
	void (*start)(struct backing *b, struct transfer *t);
	/* Waits until something has ended. */
	void (*wait)(struct backing *b);
	/* Takes nr_bytes from the source again. */
	int (*resize)(struct backing *b);
	void (*close)(struct backing *b);
};

/* A descriptor of a file or block device, open as it is to be used: O_RDONLY, O_DIRECT, O_DSYNC are lodged's choice. */
must_check int backing_open_file(struct loop *l, int fd, bool may_discard,
				 struct backing **ret_backing, struct err *err);

/* A connected socket of an NBD server. The log of writes (nbd-log.h) begins at log_offset of log_fd; what is in it is
 * written again. libnbd is loaded here, and only by who needs it. */
must_check int backing_open_nbd(struct loop *l, int fd, int log_fd, uint64_t log_offset,
				bool may_discard, struct backing **ret_backing, struct err *err);

/* What qemu-nbd is to serve. */
struct nbd_image {
	const char *program; /* qemu-nbd */
	const char *name;    /* a path, or a URL that qemu knows */
	const char *format;
	const char *cache; /* qemu's word; NULL: none */
	const char *user;  /* who it is to be, as sandbox_leave_root() takes it */
	bool is_read_only;
	bool may_discard;
	const char *grower; /* qemu-img */
	uint64_t nr_wanted; /* bytes that the disk in it is to have at least; 0: as it is */
};

/* Lets a qcow2 image grow to nr_wanted, by a process like qemu-nbd, while nobody has it open. Does nothing where it is as
 * large; what is of another format is left to whoever serves it. keep_fd as below. */
must_check int nbd_image_grow(const struct nbd_image *image, int keep_fd, struct err *err);

/* Starts it for this process alone: the result is the connected socket. It ends when the socket is closed, but not
 * before all that was asked for is done; it keeps keep_fd open until then. */
must_check int nbd_server_start(const struct nbd_image *image, int keep_fd, struct err *err);

#endif
