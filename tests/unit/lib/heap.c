/* lib/heap.h */
#include "lib/heap.h"

#include "unit.h"

#define NR 500u

struct item {
	struct heap_node node;
	unsigned int key;
};

static struct heap h;
static struct item items[NR];
static unsigned long nr_compares;

static bool item_before(const struct heap_node *a, const struct heap_node *b)
{
	nr_compares++;
	return heap_entry(a, const struct item, node)->key <
	       heap_entry(b, const struct item, node)->key;
}

static unsigned int next_random(void) /* the same numbers in every run */
{
	static uint64_t state = 1;

	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned int)(state >> 33);
}

static void setup(void)
{
	heap_init(&h, item_before);
	nr_compares = 0;
	for (unsigned int i = 0; i < NR; i++)
		items[i] = (struct item){ .key = next_random() % (NR / 2) };
}

static struct heap_node *pop(void)
{
	struct heap_node *n = heap_min(&h);

	heap_remove(&h, n);
	return n;
}

static void insert_all(void)
{
	for (unsigned int i = 0; i < NR; i++)
		heap_insert(&h, &items[i].node);
}

static unsigned int drain_in_order(void)
{
	unsigned int nr = 0, last = 0;

	while (!heap_is_empty(&h)) {
		struct item *i = heap_entry(pop(), struct item, node);

		ck_assert_uint_ge(i->key, last);
		ck_assert(!heap_node_is_linked(&i->node));
		last = i->key;
		nr++;
	}
	return nr;
}

START_TEST(a_new_heap_is_empty)
{
	ck_assert(heap_is_empty(&h));
	ck_assert_ptr_null(heap_min(&h));
}
END_TEST

START_TEST(a_zeroed_or_removed_node_is_in_no_heap)
{
	ck_assert(!heap_node_is_linked(&items[0].node));
	heap_insert(&h, &items[0].node);
	ck_assert(heap_node_is_linked(&items[0].node));
	heap_remove(&h, &items[0].node);
	ck_assert(!heap_node_is_linked(&items[0].node));
	ck_assert(heap_is_empty(&h));
}
END_TEST

START_TEST(nodes_leave_in_order)
{
	insert_all();
	ck_assert_uint_eq(drain_in_order(), NR);
}
END_TEST

START_TEST(the_minimum_is_right_after_every_insert)
{
	unsigned int least = UINT32_MAX;

	for (unsigned int i = 0; i < NR; i++) {
		heap_insert(&h, &items[i].node);
		least = MIN(least, items[i].key);
		ck_assert_uint_eq(heap_entry(heap_min(&h), struct item, node)->key, least);
	}
}
END_TEST

START_TEST(any_node_can_be_removed)
{
	unsigned int left = NR;

	insert_all();
	pop();
	pop();
	left -= 2;
	for (unsigned int i = 0; i < NR; i++) {
		if (heap_node_is_linked(&items[i].node) && next_random() % 2) {
			heap_remove(&h, &items[i].node);
			left--;
		}
	}
	ck_assert_uint_eq(drain_in_order(), left);
}
END_TEST

START_TEST(random_operations_agree_with_a_sorted_model)
{
	for (int step = 0; step < 20000; step++) {
		struct item *i = &items[next_random() % NR];
		unsigned int least = UINT32_MAX;

		if (heap_node_is_linked(&i->node)) {
			heap_remove(&h, &i->node);
		} else {
			i->key = next_random() % 1000;
			heap_insert(&h, &i->node);
		}
		if (step % 16)
			continue;
		for (unsigned int n = 0; n < NR; n++) {
			if (heap_node_is_linked(&items[n].node))
				least = MIN(least, items[n].key);
		}
		if (heap_is_empty(&h))
			ck_assert_uint_eq(least, UINT32_MAX);
		else
			ck_assert_uint_eq(heap_entry(heap_min(&h), struct item, node)->key, least);
	}
}
END_TEST

START_TEST(the_walk_visits_every_node_once_minimum_first)
{
	unsigned char seen[NR] = { 0 };
	unsigned int nr = 0;

	insert_all();
	for (int i = 0; i < 20; i++) /* popping gives the tree some depth */
		pop();
	for (struct heap_node *n = heap_min(&h); n; n = heap_next(n)) {
		size_t index = (size_t)(heap_entry(n, struct item, node) - items);

		ck_assert_uint_eq(seen[index]++, 0);
		nr++;
	}
	ck_assert_uint_eq(nr, NR - 20);
}
END_TEST

START_TEST(inserting_and_popping_n_nodes_compares_order_n_log_n_times)
{
	insert_all();
	ck_assert_uint_lt(nr_compares, NR);
	drain_in_order();
	ck_assert_uint_lt(nr_compares, 3 * 9ul * NR); /* log2(500) is just under 9 */
}
END_TEST

START_TEST(equal_nodes_all_leave)
{
	for (unsigned int i = 0; i < NR; i++)
		items[i].key = 7;
	insert_all();
	ck_assert_uint_eq(drain_in_order(), NR);
}
END_TEST

UNIT_MAIN("heap", setup, NULL, a_new_heap_is_empty, a_zeroed_or_removed_node_is_in_no_heap,
	  nodes_leave_in_order, the_minimum_is_right_after_every_insert, any_node_can_be_removed,
	  random_operations_agree_with_a_sorted_model,
	  the_walk_visits_every_node_once_minimum_first,
	  inserting_and_popping_n_nodes_compares_order_n_log_n_times, equal_nodes_all_leave)
