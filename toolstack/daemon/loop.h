/*
 * lodged's one loop: descriptors, timers and things to do soon. One thread runs it; nothing here is for
 * another thread.
 *
 * A callback may add and remove anything, also what it was called for.
 */
#ifndef LODGE_DAEMON_LOOP_H
#define LODGE_DAEMON_LOOP_H

#include <sys/epoll.h>

#include "lib/list.h"
#include "lib/util.h"

struct loop {
	int epoll_fd;
	struct list timers; /* earliest first */
	struct list soon;
	bool is_done;
};

/* Memory of the caller's, as are the next two; zeroed before it is used. */
struct loop_fd {
	struct loop *loop;                                 /* NULL: not added */
	int fd;                                            /* the caller's */
	void (*ready)(struct loop_fd *f, uint32_t events); /* EPOLL* */
};

struct loop_timer {
	struct list_node node;
	uint64_t at_ns;
	void (*fire)(struct loop_timer *t);
};

struct loop_task {
	struct list_node node;
	void (*run)(struct loop_task *t);
};

must_check int loop_init(struct loop *l);
void loop_fini(struct loop *l);

/* Runs until loop->is_done. 0 or a negative errno. */
must_check int loop_run(struct loop *l);

/* Does what there is to do, waiting for it at most timeout_ms; -1: as long as it takes. */
must_check int loop_turn(struct loop *l, int timeout_ms);

must_check int loop_add(struct loop *l, struct loop_fd *f, uint32_t events);
void loop_change(struct loop_fd *f, uint32_t events);
void loop_remove(struct loop_fd *f); /* fine when it was not added */

/* Starting one that runs starts it anew. */
void loop_timer_start(struct loop *l, struct loop_timer *t, uint64_t delay_ms);
void loop_timer_stop(struct loop_timer *t); /* fine when it does not run */

/* Once, before the loop waits again. */
void loop_soon(struct loop *l, struct loop_task *t);
void loop_task_cancel(struct loop_task *t);

uint64_t loop_now_ns(void); /* a clock that only goes forward */

#endif
