/* The tree of nodes. It is never changed where somebody else looks: a node with more than one
 * reference is copied before it changes, and so are those above it. A snapshot therefore is one
 * reference to the root, and costs what is changed after it.
 *
 * The children of a node form a search tree by name, balanced by random priorities (a treap), whose links
 * are in the nodes themselves. What a node contains is shared by its copies: two trees have the same
 * content at a path exactly if the pointers are equal. */
#ifndef LODGE_STORE_TREE_H
#define LODGE_STORE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/util.h"

#define PERM_READ  1u
#define PERM_WRITE 2u

struct perm {
	uint16_t domid;
	uint16_t access; /* PERM_… */
};

struct content { /* constant once it is in a tree */
	uint32_t refs;
	uint32_t value_len;
	uint64_t gen; /* larger than that of any older one */
	uint32_t nr_perms;
	struct perm perms[]; /* the owner with everybody else's rights first; then the value */
};

struct node {
	uint32_t refs;
	uint32_t priority;         /* not below that of left and right */
	struct node *left, *right; /* siblings */
	struct node *children;
	struct content *content;
	uint64_t children_gen; /* another one whenever a child comes or goes */
	uint64_t start;        /* the name's first bytes, as a number in the order of names */
	uint32_t name_len;
	char name[]; /* terminated */
};

/* value may be NULL for len 0. NULL: out of memory. The references in *this stay the caller's. */
struct content *content_create(uint64_t gen, const struct perm *perms, size_t nr_perms,
			       const void *value, size_t len);
struct content *content_get(struct content *c);
void content_put(struct content *c); /* NULL is none */
const void *content_value(const struct content *c);

/* A root without children. */
struct node *tree_create(struct content *c);
struct node *node_get(struct node *n);
void node_put(struct node *n); /* NULL is none */

/* The child of that name, or NULL. */
struct node *node_child(const struct node *n, const char *name, size_t len);

/* Calls fn for every child in order of their names, until it returns something else than 0: the result. */
typedef int (*node_fn)(struct node *child, void *arg);
int node_for_each_child(const struct node *n, node_fn fn, void *arg);

/* NULL where there is none. */
struct node *tree_lookup(struct node *root, const char *path);

/* The node at path, or the deepest above it that exists; which of them is told. */
struct node *tree_nearest(struct node *root, const char *path, bool *ret_is_it);

/* Gives path that content, for which it takes a reference; a node that is missing is made, with gen for
 * its parent's list of children. Fails with -ENOENT without a parent, and with -ENOMEM; the tree then
 * still says what it said. The caller gets the reference to the content before, NULL: there was none. */
must_check int tree_set(struct node **root, const char *path, struct content *c, uint64_t gen,
			struct content **ret_old);

/* Takes path, which is not "/", out of the tree. Fails as tree_set(). The caller gets the reference. */
must_check int tree_remove(struct node **root, const char *path, uint64_t gen,
			   struct node **ret_removed);

#endif
