/* Watches, found by path: an index with a node for every part of a watched path, so that a change costs
 * what is watched above and below it, not what is watched elsewhere. */
#ifndef LODGE_STORE_WATCH_H
#define LODGE_STORE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/list.h"

#define DEPTH_ANY UINT32_MAX

struct conn;
struct content;
struct node;
struct store;
struct watch_point;

struct watch_index {
	struct watch_point *root;    /* of "/" */
	struct watch_point *special; /* of "@…" */
};

struct watch {
	struct list_node node;      /* in its point */
	struct list_node conn_node; /* in conn->watches */
	struct list queued;         /* struct msg.watch_node: events not sent, newest last */
	struct watch_point *point;
	struct conn *conn;
	uint32_t depth;        /* levels below that it sees */
	size_t relative_start; /* where the client's own spelling of the path starts */
	size_t bytes;          /* of conn->bytes: watch_bytes(), but for who has no limit */
	char *token;           /* behind path */
	char path[];
};

/* The index makes nothing before it is used, and nothing stays when no watch does. */
void watch_index_fini(struct watch_index *x);

/* What such a watch takes, if nobody watches near it. */
size_t watch_bytes(const char *path, const char *token);

/* path is absolute or special. Fails with -EEXIST for the same path and token again, and -ENOMEM. */
must_check int watch_add(struct watch_index *x, struct conn *conn, const char *path,
			 size_t relative_start, const char *token, uint32_t depth,
			 struct watch **ret_watch);
struct watch *watch_find(const struct conn *conn, const char *path, const char *token);
void watch_remove(struct watch_index *x, struct watch *w);

/* Sends an event to every watch on path or above whose client may read a node with this content. */
void watch_fire(struct store *s, const char *path, const struct content *c);

/* The same for each watch below path on a node of the tree under removed, which was at path. */
void watch_fire_removed(struct store *s, const char *path, struct node *removed);

/* An event about a domain: watches with a depth of one or more hear "name/domid", as do those set on that. */
void watch_fire_special(struct store *s, const char *name, uint16_t domid, const struct content *c);

/* One event; the path is in full and is spelt as the client did. */
void watch_send(struct watch *w, const char *path);

#endif
