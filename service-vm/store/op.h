/* The four changes a client can make to nodes, and what it may see. They are made to an update: a tree of
 * its own with a list of what was done, which replaces the store's tree at once, or is thrown away.
 * A transaction is an update, too, whose changes are made again to the tree of the day when it ends. */
#ifndef LODGE_STORE_OP_H
#define LODGE_STORE_OP_H

#include <stddef.h>
#include <stdint.h>

#include "tree.h"

#define MAX_PERMS 64u /* entries of a node, whoever sets them */

struct conn;
struct store;
struct transaction;

struct change {
	char *path;
	struct content *content; /* NULL: removed */
	struct content *old;     /* NULL: there was none */
	struct node *removed;    /* with all that was below */
};

struct balance { /* what the update changes for an owner */
	uint16_t domid;
	int32_t nr_nodes;
};

struct update {
	struct store *store;
	struct node *root;
	bool is_in_place; /* root is the store's own reference */
	struct change *changes;
	size_t nr_changes, max_changes;
	struct balance *balances;
	size_t nr_balances, max_balances;
	size_t bytes; /* that it remembers, and the nodes that it has made */
};

void update_init(struct update *u, struct store *s);
void update_fini(struct update *u);

/* For one change, made to the store's own tree, which is not to be used until update_commit() or update_abort():
 * what nobody else refers to is not copied first. */
void update_init_in_place(struct update *u, struct store *s);
void update_abort(struct update *u); /* after op_apply() has failed; update_fini() included */

/* The update's tree becomes the store's, which nobody has changed since update_init(). */
void update_commit(struct update *u);

/* Events for what was committed. */
void update_fire(struct update *u);

/* Sets or removes (c is NULL) without asking who may: also what a restart does. */
must_check int update_set(struct update *u, const char *path, struct content *c);
must_check int update_remove(struct update *u, const char *path);

/* PERM_… that a client has on a node. */
unsigned int access_of(const struct store *s, const struct conn *conn, const struct content *c);

/* Entries that still count, at most nr_perms of c; the result is how many. */
size_t perms_current(const struct store *s, const struct content *c, struct perm *ret_perms);

/* -ENOENT only to who could see a node at path; else -EACCES. */
must_check int op_find(const struct store *s, const struct conn *conn, struct node *root,
		       const char *path, unsigned int access, struct node **ret_node);

/* A change as the request of that type (XS_WRITE, XS_MKDIR, XS_RM, XS_SET_PERMS) wants it; data is what
 * follows the path: a value, or struct perm. Errors are those of the protocol. */
must_check int op_apply(struct update *u, struct conn *conn, uint32_t type, const char *path,
			const void *data, size_t len);

#endif
