/* See autostart.h. One guest after the other: the next when the one before runs or has failed. */
#include "daemon/autostart.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/guest.h"
#include "daemon/order.h"

#define MARK "autostart-done"

struct autostart {
	struct lodged *lodged;
	struct loop_task next;
	size_t nr_left;
	size_t nr;
	struct {
		uint8_t uuid[16];
	} guests[];
};

static void mark_path(const struct lodged *l, char ret_path[512])
{
	snprintf(ret_path, 512, "%s/%s", l->options.run_dir, MARK);
}

static void mark_done(const struct lodged *l)
{
	char path[512];
	int fd;

	mark_path(l, path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		log_line("%s: %s", path, strerror(errno));
	else
		close(fd);
}

static bool is_done(const struct lodged *l)
{
	char path[512];

	mark_path(l, path);
	return !access(path, F_OK);
}

static void started(void *argument, struct guest *g, int ret, const struct err *err)
{
	struct autostart *a = argument;

	(void)g;
	(void)ret; /* told by its event */
	(void)err;
	if (a->lodged->autostart == a)
		loop_soon(&a->lodged->loop, &a->next);
}

/* Those that it must come after and that do not run. */
static const char *missing(struct lodged *l, const struct domain_description *d)
{
	for (size_t i = 0; i < d->nr_start_after; i++) {
		const struct guest *g = guest_by_name(l, d->start_after[i]);

		if (!g || g->state != GUEST_RUNNING)
			return d->start_after[i];
	}
	return NULL;
}

/* True: it is on its way. */
static bool start(struct autostart *a, struct guest *g)
{
	struct start_request request = { .config = g->defined, .done = started, .argument = a };
	const char *name = missing(a->lodged, g->defined->d);
	struct err err;

	if (name)
		log_line("%s: starts without \"%s\", which does not run", g->name, name);
	if (!guest_start(g, &request, &err))
		return true;
	log_line("%s: not started: %s", g->name, err.text);
	return false;
}

static void start_next(struct loop_task *t)
{
	struct autostart *a = container_of(t, struct autostart, next);
	struct lodged *l = a->lodged;

	while (a->nr_left && !l->stop) {
		struct guest *g = guest_by_uuid(l, a->guests[a->nr - a->nr_left--].uuid);

		if (g && g->defined && g->state == GUEST_OFF && !g->is_restarting && start(a, g))
			return;
	}
	mark_done(l);
	autostart_end(l);
}

static size_t collect(struct lodged *l, struct ordered *ret_guests)
{
	struct guest *g;
	size_t nr = 0;

	list_for_each_entry(g, &l->guests, node) {
		if (!g->defined || !g->defined->d->autostart)
			continue;
		if (ret_guests)
			ret_guests[nr] = (struct ordered){ .name = g->name, .d = g->defined->d };
		nr++;
	}
	return nr;
}

void autostart_begin(struct lodged *l)
{
	size_t nr = collect(l, NULL);
	struct ordered *guests = calloc(nr + 1, sizeof(*guests));
	struct autostart *a = calloc(1, sizeof(*a) + nr * sizeof(a->guests[0]));

	if (!guests || !a || is_done(l)) {
		free(guests);
		free(a);
		return;
	}
	collect(l, guests);
	order_guests(guests, nr);
	for (size_t i = 0; i < nr; i++) {
		if (guests[i].is_in_cycle)
			log_line("%s: waits for itself; that is overlooked", guests[i].name);
		memcpy(a->guests[i].uuid, guests[i].d->uuid, sizeof(a->guests[i].uuid));
	}
	free(guests);
	a->lodged = l;
	a->nr = nr;
	a->nr_left = nr;
	a->next.run = start_next;
	l->autostart = a;
	loop_soon(&l->loop, &a->next);
}

void autostart_end(struct lodged *l)
{
	if (!l->autostart)
		return;
	loop_task_cancel(&l->autostart->next);
	free(l->autostart);
	l->autostart = NULL;
}
