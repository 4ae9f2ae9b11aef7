/* Transactions: see txn.h. */
#include "txn.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "abi/xs-wire.h"
#include "conn.h"
#include "path.h"
#include "store.h"

struct sight {
	const char *path;  /* behind the structure */
	unsigned int what; /* SEE_… */
};

struct step {
	struct list_node node;
	uint32_t type;
	size_t len;
	size_t path_size;
	char data[]; /* path, then what op_apply() takes */
};

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct sight *)a)->path, ((const struct sight *)b)->path);
}

struct transaction *txn_create(struct conn *conn, uint32_t id)
{
	struct transaction *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	while (!id || (!t->id && txn_find(conn, id)))
		id = ++conn->last_txn_id;
	t->id = id;
	t->conn = conn;
	t->base = node_get(conn->store->root);
	update_init(&t->update, conn->store);
	list_init(&t->steps);
	list_push_back(&conn->transactions, &t->node);
	conn->nr_transactions++;
	return t;
}

void txn_destroy(struct transaction *t)
{
	struct step *step;

	list_for_each_entry_safe(step, &t->steps, node)
		free(step);
	tdestroy(t->sights, free);
	update_fini(&t->update);
	node_put(t->base);
	list_remove(&t->node);
	t->conn->nr_transactions--;
	t->conn->bytes -= t->bytes;
	free(t);
}

struct transaction *txn_find(const struct conn *conn, uint32_t id)
{
	struct transaction *t;

	list_for_each_entry(t, &conn->transactions, node) {
		if (t->id == id)
			return t;
	}
	return NULL;
}

static void note(struct transaction *t, size_t bytes)
{
	t->bytes += bytes;
	t->conn->bytes += bytes;
}

/* The transaction takes bytes more. */
static int charge(struct transaction *t, size_t bytes)
{
	if (conn_is_over(t->conn, QUOTA_MEMORY, t->conn->bytes + bytes))
		return -ENOSPC;
	note(t, bytes);
	return 0;
}

static struct sight *sight_create(struct transaction *t, const char *path)
{
	size_t path_size = strlen(path) + 1;
	struct sight *sight = calloc(1, sizeof(*sight) + path_size);

	if (!sight)
		return NULL;
	memcpy(sight + 1, path, path_size);
	sight->path = (const char *)(sight + 1);
	if (!tsearch(sight, &t->sights, compare)) {
		free(sight);
		return NULL;
	}
	t->nr_sights++;
	return sight;
}

int txn_see(struct transaction *t, const char *path, unsigned int what)
{
	const struct sight key = { path, what };
	struct sight **found = tfind(&key, &t->sights, compare);
	struct sight *sight = found ? *found : NULL;
	int err;

	if (!sight) {
		if (conn_is_over(t->conn, QUOTA_ACCESSES, t->nr_sights + 1))
			return -ENOSPC;
		err = charge(t, sizeof(*sight) + strlen(path) + 1);
		if (err)
			return err;
		sight = sight_create(t, path);
	}
	if (!sight)
		return -ENOMEM;
	sight->what |= what;
	return 0;
}

/* A change needs the nearest node above to stay. */
static int see_parent(struct transaction *t, const char *path)
{
	char above[XENSTORE_ABS_PATH_MAX + 1];
	size_t len = strlen(path);

	memcpy(above, path, len + 1);
	while (above[1]) {
		above[path_parent_len(above)] = '\0';
		if (tree_lookup(t->base, above))
			return txn_see(t, above, SEE_PRESENCE);
	}
	return 0;
}

/* What a change takes is known behind it: a path may have hundreds of missing parents. The limit can be passed once
 * by one such change, and the next is refused. */
int txn_apply(struct transaction *t, uint32_t type, const char *path, const void *data, size_t len)
{
	size_t path_size = strlen(path) + 1, before;
	struct step *step;
	int err = txn_see(t, path, SEE_CONTENT);

	if (!err)
		err = see_parent(t, path);
	if (!err)
		err = charge(t, sizeof(*step) + path_size + len);
	if (err)
		return err;
	step = malloc(sizeof(*step) + path_size + len);
	if (!step)
		return -ENOMEM;
	step->type = type;
	step->len = len;
	step->path_size = path_size;
	memcpy(step->data, path, path_size);
	if (len)
		memcpy(step->data + path_size, data, len);
	before = t->update.bytes;
	err = op_apply(&t->update, t->conn, type, path, data, len);
	note(t, t->update.bytes - before);
	if (err)
		free(step);
	else
		list_push_back(&t->steps, &step->node);
	return err;
}

struct verdict {
	struct node *base, *now;
	bool is_conflict;
};

static void compare_sight(const void *item, VISIT visit, void *arg)
{
	const struct sight *sight = *(struct sight *const *)item;
	struct verdict *v = arg;
	const struct node *a, *b;

	if (v->is_conflict || (visit != postorder && visit != leaf))
		return;
	a = tree_lookup(v->base, sight->path);
	b = tree_lookup(v->now, sight->path);
	v->is_conflict = !a != !b || (a && sight->what & SEE_CONTENT && a->content != b->content) ||
			 (a && sight->what & SEE_CHILDREN && a->children_gen != b->children_gen);
}

int txn_merge(struct transaction *t, struct update *u)
{
	struct store *s = t->conn->store;
	struct verdict v = { t->base, s->root, t->is_doomed };
	struct step *step;
	int err = 0;

	if (!v.is_conflict && s->root != t->base)
		twalk_r(t->sights, compare_sight, &v);
	if (v.is_conflict)
		return -EAGAIN;
	update_init(u, s);
	list_for_each_entry(step, &t->steps, node) {
		err = op_apply(u, t->conn, step->type, step->data, step->data + step->path_size,
			       step->len);
		if (err)
			break;
	}
	if (err) {
		update_fini(u);
		return err == -ENOMEM ? err : -EAGAIN; /* permissions or limits have changed */
	}
	return 0;
}
