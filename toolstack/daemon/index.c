/* See index.h. */
#include "daemon/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_MAX 16u

void index_fini(struct index *x)
{
	free(x->items);
	x->items = NULL;
	x->nr = 0;
	x->max = 0;
}

int index_reserve(struct index *x, size_t nr)
{
	size_t max = MAX(nr, MAX(2 * x->max, FIRST_MAX));
	void **grown;

	if (nr <= x->max)
		return 0;
	grown = reallocarray(x->items, max, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	x->items = grown;
	x->max = max;
	return 0;
}

/* How many items are before the key, or, with is_behind, not behind it. */
static size_t count_before(const struct index *x, const void *key, bool is_behind)
{
	size_t from = 0, to = x->nr;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = x->compare(key, x->items[middle]);

		if (order > 0 || (is_behind && !order))
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

void index_add(struct index *x, const void *key, void *item)
{
	size_t at = count_before(x, key, true);

	memmove(x->items + at + 1, x->items + at, (x->nr - at) * sizeof(*x->items));
	x->items[at] = item;
	x->nr++;
}

void index_remove(struct index *x, const void *key, const void *item)
{
	size_t at = count_before(x, key, false);

	while (at < x->nr && x->items[at] != item && !x->compare(key, x->items[at]))
		at++;
	if (at == x->nr || x->items[at] != item)
		return;
	x->nr--;
	memmove(x->items + at, x->items + at + 1, (x->nr - at) * sizeof(*x->items));
}

void *index_find(const struct index *x, const void *key)
{
	size_t at = count_before(x, key, false);

	return at < x->nr && !x->compare(key, x->items[at]) ? x->items[at] : NULL;
}

void *index_after(const struct index *x, const void *key)
{
	size_t at = count_before(x, key, true);

	return at < x->nr ? x->items[at] : NULL;
}
