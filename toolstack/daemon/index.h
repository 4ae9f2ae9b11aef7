/*
 * Pointers to items in an order, each found by its key in log n steps. Adding and removing moves the pointers that are
 * behind, which costs nothing to speak of for as many items as a host has guests. Several items may have one key.
 */
#ifndef LODGE_DAEMON_INDEX_H
#define LODGE_DAEMON_INDEX_H

#include <stddef.h>

#include "lib/util.h"

struct index {
	/* As strcmp(): the key before, equal to, or behind the item's. */
	int (*compare)(const void *key, const void *item);
	void **items;
	size_t nr, max;
};

void index_fini(struct index *x); /* the items stay */

/* Room for nr items, so that adding them cannot fail. */
must_check int index_reserve(struct index *x, size_t nr);
void index_add(struct index *x, const void *key, void *item); /* room was reserved */
void index_remove(struct index *x, const void *key,
		  const void *item); /* fine when it is not there */

void *index_find(const struct index *x, const void *key);  /* the first of that key; NULL: none */
void *index_after(const struct index *x, const void *key); /* the first behind; NULL: none */

#endif
