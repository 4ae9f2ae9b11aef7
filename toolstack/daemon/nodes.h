/*
 * Xenstore, as lodged uses it: many requests in one go. A batch collects them; nodes_run() sends them with
 * one write and collects the answers, which costs two changes of process, not two for each node.
 *
 * The store may be killed and started again at any time. A connection that breaks is made anew by the loop,
 * watches included. Meanwhile requests fail at once with -ENOTCONN: who can wait for the store does so by
 * nodes_wait(), and what has to be done in any case is left to nodes_post(). Only one that was asked while it was
 * killed is waited for, a second at most; then the batch runs once more. So each batch must be right when its
 * first requests were done already: writing, removing and introducing are.
 */
#ifndef LODGE_DAEMON_NODES_H
#define LODGE_DAEMON_NODES_H

#include "daemon/loop.h"
#include "lib/err.h"
#include "lib/list.h"

struct nodes;

#define NODES_SOCKET "/run/xenstored/socket"

/* Opens the connection, or fails after timeout_ms. */
must_check int nodes_open(struct loop *l, const char *socket_path, unsigned int timeout_ms,
			  struct nodes **ret_nodes, struct err *err);
void nodes_close(struct nodes *n); /* NULL is fine */

/* --- batches. What goes wrong while one is filled is remembered, and told by nodes_run(). --- */

struct batch {
	char *bytes; /* messages to send */
	size_t nr_bytes, max_bytes;
	struct batch_answer *answers; /* as many as there are requests */
	size_t nr_requests, max_requests;
	char folder[256];
	int err;
};

void batch_init(struct batch *b);
void batch_fini(struct batch *b); /* answers go, too */

/* The folder that the names below are in, from now on; "" at first, so that names are whole paths. */
void batch_at(struct batch *b, const char *format, ...)
	__attribute__((__format__(__printf__, 2, 3)));

void batch_write(struct batch *b, const char *name, const char *format, ...)
	__attribute__((__format__(__printf__, 3, 4)));
void batch_mkdir(struct batch *b, const char *name);
void batch_remove(struct batch *b, const char *name); /* also when it is not there */

/* Who may do what, each as a letter (n, r, w, b) and a domain; the first is the owner, its letter holds for
 * all others: "n0 r3". Nodes made below later get the same. */
void batch_permit(struct batch *b, const char *name, const char *format, ...)
	__attribute__((__format__(__printf__, 3, 4)));

/* Each returns a number that batch_answer() wants. */
size_t batch_read(struct batch *b, const char *name);
size_t batch_list(struct batch *b, const char *name);

void batch_introduce(struct batch *b, uint32_t domain, uint64_t gfn, uint32_t port);
void batch_release(struct batch *b, uint32_t domain); /* also when it is not introduced */
void batch_quota(struct batch *b, const char *quota, uint32_t value, uint32_t domain);

/* Sends all and waits for all answers. With is_whole in one transaction, which starts over when somebody
 * else changed the same nodes meanwhile; introduce, release and quota do not belong to any. The first
 * request that failed gives the error. What may be missing (remove, read, list) is none. */
must_check int nodes_run(struct nodes *n, struct batch *b, bool is_whole, struct err *err);

/* The same, at once or as soon as there is a store again, before anything else that is asked for by then; failures
 * are logged. Takes the requests over. */
void nodes_post(struct nodes *n, struct batch *b);

/* The value that was read, with a zero byte behind it, or NULL: there is no such node. Of a list: names,
 * each with a zero byte; ret_bytes (may be NULL) counts all. Stays until batch_fini(). */
const char *batch_answer(const struct batch *b, size_t request, size_t *ret_bytes);

/* --- whether it is there --- */

bool nodes_is_up(const struct nodes *n);

struct nodes_waiter {
	struct list_node node;
	struct loop_timer timer;
	/* Called once, by the loop: 0: the store answers; -ETIMEDOUT: it did not in time. */
	void (*done)(struct nodes_waiter *w, int ret);
};

/* Memory of the caller's, zeroed but for `done`. */
void nodes_wait(struct nodes *n, struct nodes_waiter *w, unsigned int timeout_ms);
void nodes_unwait(struct nodes_waiter *w); /* fine when it does not wait */

/* --- watches --- */

struct nodes_watch {
	struct list_node node;
	char path[256];
	char token[24];
	uint64_t number; /* which is the token */
	/* path: what changed, the watched node itself or one below. Called from the loop, never from
	 * inside of nodes_run(); once right after it was set. May unset the watch. */
	void (*changed)(struct nodes_watch *w, const char *path);
};

/* Memory of the caller's, with `changed` set. */
must_check int nodes_watch(struct nodes *n, struct nodes_watch *w, struct err *err,
			   const char *format, ...) __attribute__((__format__(__printf__, 4, 5)));
void nodes_unwatch(struct nodes *n, struct nodes_watch *w); /* fine when it is not set */

/* --- shorthands --- */

/* One value, to be freed; NULL: none, or no store. */
char *nodes_read(struct nodes *n, const char *format, ...)
	__attribute__((__format__(__printf__, 2, 3)));

#endif
