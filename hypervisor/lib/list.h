/* A doubly linked list whose nodes are members of what is listed. The list takes no memory and no
 * lock: whoever owns it guards it.
 *
 * A zeroed node is on no list; list_remove() leaves it so. A node is on one list at most. */
#ifndef LODGE_LIB_LIST_H
#define LODGE_LIB_LIST_H

#include "lib/util.h"

struct list_node {
	struct list_node *next, *prev; /* NULL while on no list */
};

struct list {
	struct list_node head; /* next: first, prev: last; itself when empty */
};

#define LIST_INIT(list)                            \
	{                                          \
		{                                  \
			&(list).head, &(list).head \
		}                                  \
	}

static inline void list_init(struct list *l)
{
	l->head.next = &l->head;
	l->head.prev = &l->head;
}

static inline bool list_is_empty(const struct list *l)
{
	return l->head.next == &l->head;
}

static inline bool list_node_is_linked(const struct list_node *n)
{
	return n->next != NULL;
}

/* Link n between two neighbours. */
static inline void list_link(struct list_node *prev, struct list_node *n, struct list_node *next)
{
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}

static inline void list_push_front(struct list *l, struct list_node *n)
{
	list_link(&l->head, n, l->head.next);
}

static inline void list_push_back(struct list *l, struct list_node *n)
{
	list_link(l->head.prev, n, &l->head);
}

/* where is on a list; n goes right in front of it. */
static inline void list_insert_before(struct list_node *where, struct list_node *n)
{
	list_link(where->prev, n, where);
}

/* n is on a list. */
static inline void list_remove(struct list_node *n)
{
	/* The analyzer loses the other nodes of the list and takes the one just removed for the next.
	 * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->next = NULL;
	n->prev = NULL;
}

static inline struct list_node *list_first(const struct list *l) /* NULL: empty */
{
	return list_is_empty(l) ? NULL : l->head.next;
}

static inline struct list_node *list_last(const struct list *l) /* NULL: empty */
{
	return list_is_empty(l) ? NULL : l->head.prev;
}

static inline struct list_node *list_pop_front(struct list *l) /* NULL: empty */
{
	struct list_node *n = list_first(l);

	if (n)
		list_remove(n);
	return n;
}

/* Everything on from moves, in order, to the end of to. */
static inline void list_splice_back(struct list *to, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->head.next->prev = to->head.prev;
	to->head.prev->next = from->head.next;
	from->head.prev->next = &to->head;
	to->head.prev = from->head.prev;
	list_init(from);
}

#define list_entry(node, type, member) container_of(node, type, member)

/* pos (a pointer variable) takes each entry in turn. The body may not remove the entry. */
#define list_for_each_entry(pos, list, member)                                   \
	for (struct list_node *pos##_node = (list)->head.next;                   \
	     pos##_node != &(list)->head &&                                      \
	     ((pos) = list_entry(pos##_node, __typeof__(*(pos)), member), true); \
	     pos##_node = pos##_node->next)

/* The same; the body may remove the entry, and no other. */
#define list_for_each_entry_safe(pos, list, member)                                            \
	for (struct list_node *pos##_node = (list)->head.next, *pos##_next = pos##_node->next; \
	     pos##_node != &(list)->head &&                                                    \
	     ((pos) = list_entry(pos##_node, __typeof__(*(pos)), member), true);               \
	     pos##_node = pos##_next, pos##_next = pos##_node->next)

#endif
