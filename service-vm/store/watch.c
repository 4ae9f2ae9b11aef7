/* Watches: see watch.h. */
#include "watch.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "op.h"
#include "path.h"
#include "store.h"

#define FEW 16u

struct watch_point {
	struct watch_point *parent;
	void *children; /* of tsearch(), by name */
	size_t nr_children;
	struct list watches;
	struct path_part name; /* points behind the structure */
};

static int compare(const void *a, const void *b)
{
	const struct path_part *x = &((const struct watch_point *)a)->name;
	const struct path_part *y = &((const struct watch_point *)b)->name;
	int order = memcmp(x->name, y->name, MIN(x->len, y->len));

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static struct watch_point *point_child(const struct watch_point *parent,
				       const struct path_part *name)
{
	struct watch_point key = { .name = *name };
	struct watch_point **found = tfind(&key, &parent->children, compare);

	return found ? *found : NULL;
}

static struct watch_point *point_create(struct watch_point *parent, const struct path_part *name)
{
	struct watch_point *p = calloc(1, sizeof(*p) + name->len);

	if (!p)
		return NULL;
	list_init(&p->watches);
	p->parent = parent;
	if (name->len)
		memcpy(p + 1, name->name, name->len);
	p->name.name = (const char *)(p + 1);
	p->name.len = name->len;
	if (parent && !tsearch(p, &parent->children, compare)) {
		free(p);
		return NULL;
	}
	if (parent)
		parent->nr_children++;
	return p;
}

/* NULL: nobody watches there, or below. */
static struct watch_point *point_find(const struct watch_index *x, const char *path)
{
	struct watch_point *p = path_is_special(path) ? x->special : x->root;
	struct path_part part;

	while (p && path_next(&path, &part))
		p = point_child(p, &part);
	return p;
}

/* Frees what nobody watches any more, upwards. */
static void point_prune(struct watch_point *p)
{
	while (p->parent && !p->nr_children && list_is_empty(&p->watches)) {
		struct watch_point *parent = p->parent;

		tdelete(p, &parent->children, compare);
		parent->nr_children--;
		free(p);
		p = parent;
	}
}

static struct watch_point **index_top(struct watch_index *x, const char *path)
{
	return path_is_special(path) ? &x->special : &x->root;
}

static struct watch_point *point_get(struct watch_index *x, const char *path)
{
	struct watch_point **top = index_top(x, path), *p, *child;
	struct path_part part = { "", 0 };

	if (!*top)
		*top = point_create(NULL, &part);
	p = *top;
	while (p && path_next(&path, &part)) {
		child = point_child(p, &part);
		if (!child)
			child = point_create(p, &part);
		if (!child)
			point_prune(p);
		p = child;
	}
	return p;
}

void watch_index_fini(struct watch_index *x)
{
	free(x->root);
	free(x->special);
}

static uint32_t nr_parts(const char *path)
{
	struct path_part part;
	uint32_t nr = 0;

	while (path_next(&path, &part))
		nr++;
	return nr;
}

size_t watch_bytes(const char *path, const char *token)
{
	return sizeof(struct watch) + 2 * strlen(path) + strlen(token) +
	       nr_parts(path) * sizeof(struct watch_point);
}

int watch_add(struct watch_index *x, struct conn *conn, const char *path, size_t relative_start,
	      const char *token, uint32_t depth, struct watch **ret_watch)
{
	size_t path_size = strlen(path) + 1, token_size = strlen(token) + 1;
	struct watch *w;

	if (watch_find(conn, path, token))
		return -EEXIST;
	w = calloc(1, sizeof(*w) + path_size + token_size);
	if (!w)
		return -ENOMEM;
	w->point = point_get(x, path);
	if (!w->point) {
		free(w);
		return -ENOMEM;
	}
	w->conn = conn;
	w->depth = depth;
	w->relative_start = relative_start;
	memcpy(w->path, path, path_size);
	w->token = w->path + path_size;
	memcpy(w->token, token, token_size);
	list_init(&w->queued);
	list_push_back(&w->point->watches, &w->node);
	list_push_back(&conn->watches, &w->conn_node);
	conn->nr_watches++;
	w->bytes = conn->is_privileged ? 0 : watch_bytes(path, token);
	conn->bytes += w->bytes;
	*ret_watch = w;
	return 0;
}

static bool is_that(const struct watch *w, const struct conn *conn, const char *path,
		    const char *token)
{
	return w->conn == conn && !strcmp(w->token, token) && !strcmp(w->path, path);
}

/* A guest has few watches; the service VM's own have many, but few of them on one path. */
struct watch *watch_find(const struct conn *conn, const char *path, const char *token)
{
	const struct watch_point *p =
		conn->nr_watches > FEW ? point_find(&conn->store->watches, path) : NULL;
	struct watch *w;

	if (p) {
		list_for_each_entry(w, &p->watches, node) {
			if (is_that(w, conn, path, token))
				return w;
		}
	} else if (conn->nr_watches <= FEW) {
		list_for_each_entry(w, &conn->watches, conn_node) {
			if (is_that(w, conn, path, token))
				return w;
		}
	}
	return NULL;
}

void watch_remove(struct watch_index *x, struct watch *w)
{
	struct list_node *queued;

	(void)x;
	do
		queued = list_pop_front(&w->queued);
	while (queued);
	list_remove(&w->node);
	list_remove(&w->conn_node);
	w->conn->nr_watches--;
	w->conn->bytes -= w->bytes;
	point_prune(w->point);
	free(w);
}

void watch_send(struct watch *w, const char *path)
{
	conn_send_event(w->conn, w, path + w->relative_start);
}

/* Who is at home there may, whose guest is gone. */
static bool may_hear(struct store *s, const struct watch *w, const char *path,
		     const struct content *c)
{
	return !c || conn_is_at_home(w->conn, path) || access_of(s, w->conn, c) & PERM_READ;
}

/* levels: how far below the watched path the change is. */
static void fire_point(struct store *s, struct watch_point *p, const char *path,
		       const struct content *c, uint32_t levels)
{
	struct watch *w;

	list_for_each_entry(w, &p->watches, node) {
		if (levels <= w->depth && may_hear(s, w, path, c))
			watch_send(w, path);
	}
}

void watch_fire(struct store *s, const char *path, const struct content *c)
{
	struct watch_point *p = *index_top(&s->watches, path);
	const char *cursor = path;
	struct path_part part;
	uint32_t levels = nr_parts(path);

	while (p) {
		fire_point(s, p, path, c, levels--);
		p = path_next(&cursor, &part) ? point_child(p, &part) : NULL;
	}
}

struct removal {
	struct store *s;
	struct node *node; /* what was there */
};

static void fire_removed(const void *item, VISIT visit, void *arg)
{
	struct watch_point *p = *(struct watch_point *const *)item;
	const struct removal *above = arg;
	struct removal here = { .s = above->s };
	struct watch *w;

	if (visit != postorder && visit != leaf)
		return;
	here.node = node_child(above->node, p->name.name, p->name.len);
	if (!here.node)
		return;
	twalk_r(p->children, fire_removed, &here);
	list_for_each_entry(w, &p->watches, node) {
		if (may_hear(here.s, w, w->path, here.node->content))
			watch_send(w, w->path);
	}
}

void watch_fire_removed(struct store *s, const char *path, struct node *removed)
{
	struct watch_point *p = point_find(&s->watches, path);
	struct removal here = { s, removed };

	if (p)
		twalk_r(p->children, fire_removed, &here);
}

void watch_fire_special(struct store *s, const char *name, uint16_t domid, const struct content *c)
{
	struct path_part part = { name, strlen(name) };
	struct watch_point *p = s->watches.special ? point_child(s->watches.special, &part) : NULL;
	char with_domain[64], number[8];
	struct watch *w;

	if (!p)
		return;
	snprintf(with_domain, sizeof(with_domain), "%s/%u", name, domid);
	list_for_each_entry(w, &p->watches, node) {
		if (access_of(s, w->conn, c) & PERM_READ)
			watch_send(w, w->depth == DEPTH_ANY || !w->depth ? name : with_domain);
	}
	part.len = (size_t)snprintf(number, sizeof(number), "%u", domid);
	part.name = number;
	p = point_child(p, &part);
	if (p)
		fire_point(s, p, with_domain, c, 0);
}
