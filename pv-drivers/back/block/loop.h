/* The process's one place to wait, an io_uring: disk I/O, and descriptors that become readable or writable. What it may
 * do is fixed by loop_start(), for the kernel looks at the requests in it after the sandbox has closed: nothing but
 * reads, writes, syncs, holes and polls, on the descriptors registered before. One thread uses it. */
#ifndef LODGE_BLOCK_LOOP_H
#define LODGE_BLOCK_LOOP_H

#include "lib/err.h"

struct io_uring_sqe;
struct loop;

/* One operation: done() is called from loop_turn(). */
struct loop_call {
	void (*done)(struct loop_call *c, int result);
};

/* A descriptor to be watched. is_ready is set by loop_turn(), and stays until loop_watch() is called anew. */
struct loop_watch {
	struct loop_call call;
	int file; /* as registered */
	bool is_ready;
	bool is_armed;
	void (*ready)(struct loop_watch *w); /* is called then, unless NULL */
};

must_check int loop_create(unsigned int nr_entries, struct loop **ret_loop, struct err *err);
void loop_destroy(struct loop *l);

/* The number by which operations name the descriptor; before loop_start(). The kernel holds it until the last operation
 * of the loop has ended, even when the process has died. */
must_check int loop_register(struct loop *l, int fd, struct err *err);
must_check int loop_start(struct loop *l, struct err *err);

/* A place for one operation, which is begun by the next loop_turn(); opcode, descriptor and the rest are the caller's to
 * fill by liburing's io_uring_prep_*(), with IOSQE_FIXED_FILE. NULL: the kernel takes no more at present. */
struct io_uring_sqe *loop_operation(struct loop *l);
void loop_mark(struct io_uring_sqe *sqe, struct loop_call *c); /* after io_uring_prep_*() */

/* Tells when the descriptor is ready for events, as poll() has them. No effect while it is armed. */
void loop_watch(struct loop *l, struct loop_watch *w, short events);

/* Something is to be begun by the next turn. */
bool loop_has_new(const struct loop *l);

/* Begins what is new and waits up to timeout_ns (UINT64_MAX: for ever) until something has ended. */
must_check int loop_turn(struct loop *l, uint64_t timeout_ns);

#endif
