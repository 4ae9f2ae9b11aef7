/* lib/list.h */
#include "lib/list.h"

#include "unit.h"

struct item {
	int value;
	struct list_node node;
};

static struct list l;
static struct item items[4];

static void setup(void)
{
	list_init(&l);
	for (int i = 0; i < 4; i++)
		items[i] = (struct item){ .value = i };
}

/* The values on the list as one decimal number, first digit first; 9 stands before them. */
static int digits(const struct list *list)
{
	struct item *i;
	int sum = 9;

	list_for_each_entry(i, list, node)
		sum = sum * 10 + i->value;
	return sum;
}

START_TEST(a_new_list_is_empty)
{
	static struct list constant = LIST_INIT(constant);

	ck_assert(list_is_empty(&l));
	ck_assert(list_is_empty(&constant));
	ck_assert_ptr_null(list_first(&l));
	ck_assert_ptr_null(list_last(&l));
	ck_assert_ptr_null(list_pop_front(&l));
	ck_assert_int_eq(digits(&l), 9);
}
END_TEST

START_TEST(entries_come_in_the_order_of_insertion)
{
	list_push_back(&l, &items[1].node);
	list_push_back(&l, &items[2].node);
	list_push_front(&l, &items[0].node);
	list_insert_before(&items[2].node, &items[3].node);
	ck_assert_int_eq(digits(&l), 90132);
	ck_assert_ptr_eq(list_first(&l), &items[0].node);
	ck_assert_ptr_eq(list_last(&l), &items[2].node);
}
END_TEST

START_TEST(a_zeroed_or_removed_node_is_on_no_list)
{
	ck_assert(!list_node_is_linked(&items[0].node));
	list_push_back(&l, &items[0].node);
	ck_assert(list_node_is_linked(&items[0].node));
	list_remove(&items[0].node);
	ck_assert(!list_node_is_linked(&items[0].node));
	ck_assert(list_is_empty(&l));
}
END_TEST

START_TEST(pop_front_takes_the_first)
{
	for (int n = 0; n < 4; n++)
		list_push_back(&l, &items[n].node);
	for (int n = 0; n < 4; n++)
		ck_assert_int_eq(list_entry(list_pop_front(&l), struct item, node)->value, n);
	ck_assert(list_is_empty(&l));
}
END_TEST

START_TEST(splice_moves_everything_to_the_end_in_order)
{
	struct list other;

	list_init(&other);
	list_splice_back(&l, &other);
	ck_assert(list_is_empty(&l));
	list_push_back(&l, &items[0].node);
	list_push_back(&other, &items[1].node);
	list_push_back(&other, &items[2].node);
	list_splice_back(&l, &other);
	ck_assert(list_is_empty(&other));
	ck_assert_int_eq(digits(&l), 9012);
	ck_assert_ptr_eq(list_last(&l), &items[2].node);
}
END_TEST

START_TEST(the_safe_loop_may_remove_its_entry)
{
	struct item *i;

	for (int n = 0; n < 4; n++)
		list_push_back(&l, &items[n].node);
	list_for_each_entry_safe(i, &l, node) {
		if (i->value % 2)
			list_remove(&i->node);
	}
	ck_assert_int_eq(digits(&l), 902);
}
END_TEST

UNIT_MAIN("list", setup, NULL, a_new_list_is_empty, entries_come_in_the_order_of_insertion,
	  a_zeroed_or_removed_node_is_on_no_list, pop_front_takes_the_first,
	  splice_moves_everything_to_the_end_in_order, the_safe_loop_may_remove_its_entry)
