/* See order.h. */
#include "daemon/order.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;

	if (x->d->start_order != y->d->start_order)
		return x->d->start_order < y->d->start_order ? -1 : 1;
	return strcmp(x->name, y->name);
}

static bool waits_for(const struct ordered *g, const char *name)
{
	for (size_t i = 0; i < g->d->nr_start_after; i++) {
		if (!strcmp(g->d->start_after[i], name))
			return true;
	}
	return false;
}

/* Whether one of those from `first` on has to come before g. */
static bool is_held(const struct ordered *guests, size_t first, size_t nr, size_t g)
{
	for (size_t i = first; i < nr; i++) {
		if (i != g && waits_for(&guests[g], guests[i].name))
			return true;
	}
	return false;
}

static void move(struct ordered *guests, size_t from, size_t to)
{
	struct ordered moved = guests[from];

	memmove(&guests[to + 1], &guests[to], (from - to) * sizeof(*guests));
	guests[to] = moved;
}

/* One more than the level of all that it waits for, and of all with a lower number. */
static void set_level(struct ordered *guests, size_t g)
{
	guests[g].level = 0;
	for (size_t i = 0; i < g; i++) {
		bool is_before = waits_for(&guests[g], guests[i].name) ||
				 guests[i].d->start_order < guests[g].d->start_order;

		if (is_before && guests[i].level >= guests[g].level)
			guests[g].level = guests[i].level + 1;
	}
}

void order_guests(struct ordered *guests, size_t nr)
{
	qsort(guests, nr, sizeof(*guests), compare);
	for (size_t place = 0; place < nr; place++) {
		size_t next = place;

		while (next < nr && is_held(guests, place, nr, next))
			next++;
		if (next == nr) { /* all that are left wait for each other, or for those that do */
			next = place;
			guests[next].is_in_cycle = true;
		}
		move(guests, next, place);
		set_level(guests, place);
	}
}
