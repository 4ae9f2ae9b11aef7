/* The pairing heap. A node's children form a list in no order; each is the root of a heap of its own.
 * Removing a root pairs its children from left to right and then merges the pairs from right to left,
 * which is what makes the amortised cost logarithmic. */
#include "lib/heap.h"

/* Merges two roots without siblings; either may be NULL. The result's prev is the caller's to set. */
static struct heap_node *heap_meld(const struct heap *h, struct heap_node *a, struct heap_node *b)
{
	struct heap_node *top = a, *below = b;

	if (!a || !b)
		return a ? a : b;
	if (h->before(b, a)) {
		top = b;
		below = a;
	}
	below->prev = top;
	below->next = top->child;
	if (below->next)
		below->next->prev = below;
	top->child = below;
	return top;
}

/* Merges a list of siblings into one heap. Melded pairs wait on a stack linked by next. */
static struct heap_node *heap_combine(const struct heap *h, struct heap_node *first)
{
	struct heap_node *pairs = NULL, *result = NULL;

	while (first) {
		struct heap_node *a = first, *b = a->next, *pair;

		first = b ? b->next : NULL;
		a->next = NULL;
		if (b)
			b->next = NULL;
		pair = heap_meld(h, a, b);
		pair->next = pairs;
		pairs = pair;
	}
	while (pairs) {
		struct heap_node *pair = pairs;

		pairs = pair->next;
		pair->next = NULL;
		result = heap_meld(h, result, pair);
	}
	return result;
}

static void heap_set_root(struct heap *h, struct heap_node *root)
{
	h->root = root;
	if (root)
		root->prev = root;
}

void heap_insert(struct heap *h, struct heap_node *n)
{
	n->child = NULL;
	n->next = NULL;
	heap_set_root(h, heap_meld(h, h->root, n));
}

/* Takes n, which is not the root, and all below it out of its sibling list. */
static void heap_cut(struct heap_node *n)
{
	if (n->prev->child == n)
		n->prev->child = n->next;
	else
		n->prev->next = n->next;
	if (n->next)
		n->next->prev = n->prev;
	n->next = NULL;
}

void heap_remove(struct heap *h, struct heap_node *n)
{
	struct heap_node *rest = heap_combine(h, n->child);

	if (n == h->root) {
		heap_set_root(h, rest);
	} else {
		heap_cut(n);
		heap_set_root(h, heap_meld(h, h->root, rest));
	}
	n->child = NULL;
	n->next = NULL;
	n->prev = NULL;
}

static bool heap_node_is_root(const struct heap_node *n)
{
	return n->prev == n;
}

struct heap_node *heap_next(const struct heap_node *n)
{
	if (n->child)
		return n->child;
	while (!heap_node_is_root(n)) {
		if (n->next)
			return n->next;
		while (n->prev->child != n) /* back to the first sibling, */
			n = n->prev;
		n = n->prev; /* then up */
	}
	return NULL;
}
