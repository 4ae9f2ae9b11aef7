/* See loop.h. */
#include "daemon/loop.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS UINT64_C(1000000)

uint64_t loop_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int loop_init(struct loop *l)
{
	list_init(&l->timers);
	list_init(&l->soon);
	l->is_done = false;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return l->epoll_fd < 0 ? -errno : 0;
}

void loop_fini(struct loop *l)
{
	close(l->epoll_fd);
}

int loop_add(struct loop *l, struct loop_fd *f, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = f };

	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, f->fd, &event))
		return -errno;
	f->loop = l;
	return 0;
}

void loop_change(struct loop_fd *f, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = f };

	if (f->loop)
		epoll_ctl(f->loop->epoll_fd, EPOLL_CTL_MOD, f->fd, &event);
}

void loop_remove(struct loop_fd *f)
{
	if (f->loop)
		epoll_ctl(f->loop->epoll_fd, EPOLL_CTL_DEL, f->fd, NULL);
	f->loop = NULL;
}

void loop_timer_stop(struct loop_timer *t)
{
	if (list_node_is_linked(&t->node))
		list_remove(&t->node);
}

void loop_timer_start(struct loop *l, struct loop_timer *t, uint64_t delay_ms)
{
	const struct loop_timer *other;

	loop_timer_stop(t);
	t->at_ns = loop_now_ns() + delay_ms * NS_PER_MS;
	list_for_each_entry(other, &l->timers, node) {
		if (other->at_ns > t->at_ns) {
			list_insert_before(other_node, &t->node);
			return;
		}
	}
	list_push_back(&l->timers, &t->node);
}

void loop_soon(struct loop *l, struct loop_task *t)
{
	if (!list_node_is_linked(&t->node))
		list_push_back(&l->soon, &t->node);
}

void loop_task_cancel(struct loop_task *t)
{
	if (list_node_is_linked(&t->node))
		list_remove(&t->node);
}

static void run_tasks(struct loop *l)
{
	struct list now = LIST_INIT(now);
	struct list_node *n;

	list_splice_back(&now, &l->soon); /* what they add waits for the next turn */
	while ((n = list_pop_front(&now))) {
		struct loop_task *t = list_entry(n, struct loop_task, node);

		t->run(t);
	}
}

static void run_timers(struct loop *l)
{
	uint64_t now = loop_now_ns();
	struct list_node *n;

	while ((n = list_first(&l->timers))) {
		struct loop_timer *t = list_entry(n, struct loop_timer, node);

		if (t->at_ns > now)
			return;
		list_remove(n);
		t->fire(t);
	}
}

static int time_to_wait(const struct loop *l, int timeout_ms)
{
	const struct list_node *n = list_first(&l->timers);
	uint64_t now, wait_ms;

	if (!list_is_empty(&l->soon))
		return 0;
	if (!n)
		return timeout_ms;
	now = loop_now_ns();
	wait_ms = list_entry(n, const struct loop_timer, node)->at_ns;
	wait_ms = wait_ms > now ? div_round_up(wait_ms - now, NS_PER_MS) : 0;
	if (timeout_ms < 0)
		return (int)MIN(wait_ms, 3600000);
	return (int)MIN(wait_ms, (uint64_t)timeout_ms);
}

int loop_turn(struct loop *l, int timeout_ms)
{
	struct epoll_event event; /* one: its callback may free what another event is about */
	int nr = epoll_wait(l->epoll_fd, &event, 1, time_to_wait(l, timeout_ms));

	if (nr < 0 && errno != EINTR)
		return -errno;
	if (nr > 0) {
		struct loop_fd *f = event.data.ptr;

		f->ready(f, event.events);
	}
	run_timers(l);
	run_tasks(l);
	return 0;
}

int loop_run(struct loop *l)
{
	int err = 0;

	while (!err && !l->is_done)
		err = loop_turn(l, -1);
	return err;
}
