/* The tree of nodes: see tree.h.
 *
 * A change first makes its whole search path its own (refs 1), which may fail and changes no meaning; what
 * follows cannot fail. */
#include "tree.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "path.h"

struct content *content_create(uint64_t gen, const struct perm *perms, size_t nr_perms,
			       const void *value, size_t len)
{
	size_t perms_size = nr_perms * sizeof(*perms);
	struct content *c = malloc(sizeof(*c) + perms_size + len);

	if (!c)
		return NULL;
	c->refs = 1;
	c->gen = gen;
	c->nr_perms = (uint32_t)nr_perms;
	c->value_len = (uint32_t)len;
	memcpy(c->perms, perms, perms_size);
	if (len)
		memcpy((char *)c->perms + perms_size, value, len);
	return c;
}

struct content *content_get(struct content *c)
{
	c->refs++;
	return c;
}

void content_put(struct content *c)
{
	if (c && --c->refs == 0)
		free(c);
}

const void *content_value(const struct content *c)
{
	return c->perms + c->nr_perms;
}

/* What a name begins with. Two that differ here are in the same order as the names; names have no zero bytes. */
static uint64_t start_of(const char *name, size_t len)
{
	uint64_t start = 0;

	memcpy(&start, name, MIN(len, sizeof(start)));
	return be64toh(start);
}

static struct node *node_create(const char *name, size_t len, struct content *c)
{
	struct node *n = calloc(1, sizeof(*n) + len + 1);

	if (!n)
		return NULL;
	n->refs = 1;
	n->priority = (uint32_t)mrand48();
	n->content = content_get(c);
	n->start = start_of(name, len);
	n->name_len = (uint32_t)len;
	memcpy(n->name, name, len);
	return n;
}

/* Of all that it refers to, there is one more reference each. */
static struct node *node_copy(const struct node *from)
{
	size_t size = sizeof(*from) + from->name_len + 1;
	struct node *n = malloc(size);

	if (!n)
		return NULL;
	memcpy(n, from, size);
	n->refs = 1;
	node_get(n->left);
	node_get(n->right);
	node_get(n->children);
	content_get(n->content);
	return n;
}

struct node *tree_create(struct content *c)
{
	return node_create("", 0, c);
}

struct node *node_get(struct node *n)
{
	if (n)
		n->refs++;
	return n;
}

/* Depth is bounded: a path has at most 1536 parts, and treaps are logarithmic. */
void node_put(struct node *n)
{
	while (n && --n->refs == 0) {
		struct node *next = n->right;

		node_put(n->left);
		node_put(n->children);
		content_put(n->content);
		free(n);
		n = next;
	}
}

/* Names are compared all over. start is start_of(name). */
static inline int compare(uint64_t start, const char *name, size_t len, const struct node *n)
{
	int order;

	if (start != n->start)
		return start < n->start ? -1 : 1;
	if (MAX(len, n->name_len) <= sizeof(start))
		return 0;
	order = memcmp(name, n->name, MIN(len, n->name_len));
	return order ? order : (len > n->name_len) - (len < n->name_len);
}

struct node *node_child(const struct node *n, const char *name, size_t len)
{
	struct node *child = n->children;
	uint64_t start = start_of(name, len);

	while (child) {
		int order = compare(start, name, len, child);

		if (!order)
			break;
		child = order < 0 ? child->left : child->right;
	}
	return child;
}

static int for_each_sibling(struct node *n, node_fn fn, void *arg)
{
	int result = 0;

	while (n && !result) {
		result = for_each_sibling(n->left, fn, arg);
		if (!result)
			result = fn(n, arg);
		n = n->right;
	}
	return result;
}

int node_for_each_child(const struct node *n, node_fn fn, void *arg)
{
	return for_each_sibling(n->children, fn, arg);
}

struct node *tree_nearest(struct node *root, const char *path, bool *ret_is_it)
{
	struct node *n = root, *child = root;
	struct path_part part;

	while (child && path_next(&path, &part)) {
		child = node_child(n, part.name, part.len);
		if (child)
			n = child;
	}
	*ret_is_it = child;
	return n;
}

struct node *tree_lookup(struct node *root, const char *path)
{
	struct node *n = root;
	struct path_part part;

	while (n && path_next(&path, &part))
		n = node_child(n, part.name, part.len);
	return n;
}

/* Replaces a shared node by a copy that belongs to this tree alone. */
static int node_own(struct node **slot)
{
	struct node *old = *slot, *n;

	if (old->refs == 1)
		return 0;
	n = node_copy(old);
	if (!n)
		return -ENOMEM;
	old->refs--;
	*slot = n;
	return 0;
}

/* Owns every node on the way to name among siblings; ret_slot is where it is, or would be (NULL there). */
static int own_way(struct node **slot, const char *name, size_t len, struct node ***ret_slot)
{
	uint64_t start = start_of(name, len);
	int err = 0;

	while (*slot && !err) {
		int order = compare(start, name, len, *slot);

		err = node_own(slot);
		if (err || !order)
			break;
		slot = order < 0 ? &(*slot)->left : &(*slot)->right;
	}
	if (!err)
		*ret_slot = slot;
	return err;
}

static int own_spine(struct node **slot, bool to_right)
{
	int err = 0;

	while (*slot && !err) {
		err = node_own(slot);
		slot = to_right ? &(*slot)->right : &(*slot)->left;
	}
	return err;
}

/* The way to n's place is owned. */
static void insert(struct node **slot, struct node *n)
{
	struct node *rest, **less = &n->left, **more = &n->right;

	while (*slot && (*slot)->priority >= n->priority)
		slot = compare(n->start, n->name, n->name_len, *slot) < 0 ? &(*slot)->left
									  : &(*slot)->right;
	rest = *slot;
	*slot = n;
	while (rest) {
		if (compare(n->start, n->name, n->name_len, rest) > 0) {
			*less = rest;
			less = &rest->right;
			rest = rest->right;
		} else {
			*more = rest;
			more = &rest->left;
			rest = rest->left;
		}
	}
	*less = NULL;
	*more = NULL;
}

/* Everything in a precedes everything in b; the spines between them are owned. */
static struct node *merge(struct node *a, struct node *b)
{
	struct node *top, **slot = &top;

	while (a && b) {
		if (a->priority >= b->priority) {
			*slot = a;
			slot = &a->right;
			a = a->right;
		} else {
			*slot = b;
			slot = &b->left;
			b = b->left;
		}
	}
	*slot = a ? a : b;
	return top;
}

/* Owns the way to path's parent; part is path's last. path is not "/". */
static int own_parent(struct node **root, const char *path, struct path_part *ret_part,
		      struct node **ret_parent)
{
	const char *end = path + strlen(path);
	struct node **slot = root;
	int err = node_own(slot);

	while (!err && path_next(&path, ret_part)) {
		if (path == end) {
			*ret_parent = *slot;
			return 0;
		}
		err = own_way(&(*slot)->children, ret_part->name, ret_part->len, &slot);
		if (!err && !*slot)
			err = -ENOENT;
	}
	return err ? err : -ENOENT;
}

int tree_set(struct node **root, const char *path, struct content *c, uint64_t gen,
	     struct content **ret_old)
{
	struct node *parent, *n, **slot = root;
	struct path_part part;
	int err;

	if (!path[1]) {
		err = node_own(root);
	} else {
		err = own_parent(root, path, &part, &parent);
		if (!err)
			err = own_way(&parent->children, part.name, part.len, &slot);
	}
	if (err)
		return err;
	if (*slot) {
		*ret_old = (*slot)->content;
		(*slot)->content = content_get(c);
		return 0;
	}
	n = node_create(part.name, part.len, c);
	if (!n)
		return -ENOMEM;
	*ret_old = NULL;
	insert(&parent->children, n);
	parent->children_gen = gen;
	return 0;
}

int tree_remove(struct node **root, const char *path, uint64_t gen, struct node **ret_removed)
{
	struct node *parent, *n, **slot;
	struct path_part part;
	int err = own_parent(root, path, &part, &parent);

	if (!err)
		err = own_way(&parent->children, part.name, part.len, &slot);
	if (err)
		return err;
	n = *slot;
	if (!n)
		return -ENOENT;
	err = own_spine(&n->left, true);
	if (!err)
		err = own_spine(&n->right, false);
	if (err)
		return err;
	*slot = merge(n->left, n->right);
	n->left = NULL;
	n->right = NULL;
	parent->children_gen = gen;
	*ret_removed = n;
	return 0;
}
