/* The store's state as records of the journal, and back. */
#ifndef LODGE_STORE_STATE_H
#define LODGE_STORE_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/util.h"

struct journal;
struct state_walk;
struct store;

/* Everything but the nodes. */
void state_save(struct journal *to, struct store *s);

/* The nodes of a snapshot, some at a time. */
struct state_walk *state_walk_create(struct store *s);
void state_walk_destroy(struct state_walk *w);                               /* NULL is none */
bool state_walk(struct state_walk *w, struct journal *to, size_t max_nodes); /* more to come? */

/* A new store becomes what its journal says, and serves the rings again. -EIO: a record makes no sense. */
must_check int state_load(struct store *s);

#endif
