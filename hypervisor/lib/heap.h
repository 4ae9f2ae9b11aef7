/* A priority queue whose nodes are members of what is queued: a pairing heap. Insert and minimum take
 * constant time, removing any node takes O(log n) amortised. No memory, no recursion, and no lock:
 * whoever owns the heap guards it.
 *
 * A zeroed node is in no heap; heap_remove() leaves it so. What decides a node's place may change only
 * while it is in no heap. Nodes of which neither is before the other leave in any order. */
#ifndef LODGE_LIB_HEAP_H
#define LODGE_LIB_HEAP_H

#include "lib/util.h"

struct heap_node {
	struct heap_node *child; /* first of its children */
	struct heap_node *next;  /* next sibling */
	struct heap_node *prev;  /* previous sibling; parent of a first child; itself at the root */
};

/* Whether a must leave the heap before b: a strict weak order. */
typedef bool (*heap_before_fn)(const struct heap_node *a, const struct heap_node *b);

struct heap {
	struct heap_node *root;
	heap_before_fn before;
};

static inline void heap_init(struct heap *h, heap_before_fn before)
{
	h->root = NULL;
	h->before = before;
}

static inline bool heap_is_empty(const struct heap *h)
{
	return h->root == NULL;
}

static inline bool heap_node_is_linked(const struct heap_node *n)
{
	return n->prev != NULL;
}

static inline struct heap_node *heap_min(const struct heap *h) /* NULL: empty */
{
	return h->root;
}

void heap_insert(struct heap *h, struct heap_node *n); /* n is in no heap */
void heap_remove(struct heap *h, struct heap_node *n); /* n is in h */

/* Visits every node: heap_min() first, then heap_next() until NULL. Each comes after those that it
 * hangs below, otherwise in no order. The heap must not change meanwhile. */
struct heap_node *heap_next(const struct heap_node *n);

#define heap_entry(node, type, member) container_of(node, type, member)

#endif
