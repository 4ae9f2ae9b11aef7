/*
 * See host-stop.h. Guests of one level (order.h) are asked together; when all of them have ended, or their
 * part of the time is over and they were destroyed, it is the next level's turn.
 */
#include "daemon/host-stop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/guest-run.h"
#include "daemon/guest.h"
#include "daemon/order.h"

#define REASON "host-shutdown"

struct host_stop {
	struct lodged *lodged;
	struct events_listener events;
	struct loop_timer timer;
	struct nodes_waiter store; /* guests are asked through it */
	struct loop_task look;
	uint64_t level_ms;
	unsigned int level; /* those of a higher one have ended */
	bool is_forced;     /* this level's time is over */
	void (*done)(void *argument);
	void *argument;
};

static bool is_there(const struct guest *g)
{
	return g->state != GUEST_OFF;
}

/* All that have not ended, with their levels. */
static struct ordered *collect(struct lodged *l, size_t *ret_nr)
{
	struct ordered *guests;
	struct guest *g;
	size_t nr = 0, max = 1;

	list_for_each_entry(g, &l->guests, node) {
		max++;
	}
	guests = calloc(max, sizeof(*guests));
	list_for_each_entry(g, &l->guests, node) {
		if (guests && is_there(g) && g->active)
			guests[nr++] = (struct ordered){ .name = g->name, .d = g->active->d };
	}
	if (guests)
		order_guests(guests, nr);
	*ret_nr = nr;
	return guests;
}

static void store_answers(struct nodes_waiter *w, int ret)
{
	struct host_stop *s = container_of(w, struct host_stop, store);

	if (!ret) /* else the level's time is over */
		loop_soon(&s->lodged->loop, &s->look);
}

static void wait_for_store(struct host_stop *s)
{
	if (!list_node_is_linked(&s->store.node))
		nodes_wait(s->lodged->nodes, &s->store, (unsigned int)s->level_ms);
}

static void ask(struct host_stop *s, struct guest *g)
{
	struct err err;

	if (g->state != GUEST_RUNNING) {
		guest_destroy(g, REASON, "the host was shut down");
		return;
	}
	if (g->is_paused && guest_resume(g, &err))
		log_line("%s: %s", g->name, err.text);
	if (!guest_ask(g, "poweroff", &err))
		return;
	if (!nodes_is_up(s->lodged->nodes)) {
		wait_for_store(s);
		return;
	}
	log_line("%s: cannot be asked to shut down: %s", g->name, err.text);
	guest_destroy(g, REASON, "the host was shut down, and it could not be asked");
}

static void end_level(struct host_stop *s, const struct ordered *guests, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		struct guest *g = guest_by_name(s->lodged, guests[i].name);

		if (guests[i].level < s->level)
			continue;
		if (s->is_forced)
			guest_destroy(g, REASON,
				      "the host was shut down, and it did not end in time");
		else if (!g->requested)
			ask(s, g);
	}
}

static unsigned int highest(const struct ordered *guests, size_t nr)
{
	unsigned int level = 0;

	for (size_t i = 0; i < nr; i++)
		level = MAX(level, guests[i].level);
	return level;
}

static void finish(struct host_stop *s)
{
	void (*done)(void *argument) = s->done;
	void *argument = s->argument;

	loop_timer_stop(&s->timer);
	nodes_unwait(&s->store);
	s->done = NULL;
	log_line("all guests have ended");
	done(argument);
}

static void look(struct loop_task *t)
{
	struct host_stop *s = container_of(t, struct host_stop, look);
	struct ordered *guests;
	unsigned int level;
	size_t nr;

	if (!s->done)
		return;
	guests = collect(s->lodged, &nr);
	if (!guests || !nr) {
		free(guests);
		finish(s);
		return;
	}
	level = highest(guests, nr);
	if (level < s->level) { /* all above have ended */
		s->level = level;
		s->is_forced = false;
		loop_timer_start(&s->lodged->loop, &s->timer, s->level_ms);
	}
	end_level(s, guests, nr);
	free(guests);
}

static void time_is_over(struct loop_timer *t)
{
	struct host_stop *s = container_of(t, struct host_stop, timer);

	s->is_forced = true;
	look(&s->look);
}

static void heard(struct events_listener *e, const cJSON *event)
{
	struct host_stop *s = container_of(e, struct host_stop, events);

	(void)event;
	loop_soon(&s->lodged->loop, &s->look);
}

int host_stop_begin(struct lodged *l, uint32_t time_s, void (*done)(void *argument), void *argument,
		    struct err *err)
{
	struct host_stop *s;
	struct ordered *guests;
	struct guest *g;
	size_t nr;

	if (l->stop && l->stop->done)
		return err_set(err, -EBUSY, "the host is shutting down already");
	if (l->stop) { /* it has */
		done(argument);
		return 0;
	}
	s = calloc(1, sizeof(*s));
	guests = s ? collect(l, &nr) : NULL;
	if (!guests) {
		free(s);
		return err_set(err, -ENOMEM, "no memory");
	}
	s->lodged = l;
	s->done = done;
	s->argument = argument;
	s->timer.fire = time_is_over;
	s->look.run = look;
	s->events.heard = heard;
	s->store.done = store_answers;
	s->level = UINT32_MAX;
	s->level_ms = UINT64_C(1000) * time_s / (highest(guests, nr) + 1);
	free(guests);
	l->stop = s;
	list_for_each_entry(g, &l->guests, node) {
		loop_timer_stop(&g->restart);
	}
	events_listen(&l->events, &s->events);
	loop_soon(&l->loop, &s->look);
	return 0;
}

void host_stop_end(struct lodged *l)
{
	if (!l->stop)
		return;
	events_unlisten(&l->stop->events);
	loop_timer_stop(&l->stop->timer);
	nodes_unwait(&l->stop->store);
	loop_task_cancel(&l->stop->look);
	free(l->stop);
	l->stop = NULL;
}
