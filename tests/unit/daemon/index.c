/* Items in an order, held against a plain search. */
#include "daemon/index.h"

#include <stdlib.h>

#include "unit.h"

#define ITEMS 200
#define KEYS  40

struct item {
	int key;
	bool is_in;
};

static struct item items[ITEMS];

static int compare(const void *key, const void *item)
{
	return *(const int *)key - ((const struct item *)item)->key;
}

static struct index index_of_items = { .compare = compare };

static size_t count(bool (*is_meant)(const struct item *i, int key), int key)
{
	size_t nr = 0;

	for (size_t i = 0; i < ITEMS; i++)
		nr += items[i].is_in && is_meant(&items[i], key);
	return nr;
}

static bool is_like(const struct item *i, int key)
{
	return i->key == key;
}

static bool is_behind(const struct item *i, int key)
{
	return i->key > key;
}

static void check_key(int key)
{
	const struct item *found = index_find(&index_of_items, &key);
	const struct item *after = index_after(&index_of_items, &key);

	ck_assert_int_eq(found != NULL, count(is_like, key) > 0);
	ck_assert(!found || found->key == key);
	ck_assert_int_eq(after != NULL, count(is_behind, key) > 0);
	ck_assert(!after || after->key > key);
}

static void change(struct item *i)
{
	if (i->is_in)
		index_remove(&index_of_items, &i->key, i);
	else
		index_add(&index_of_items, &i->key, i);
	i->is_in = !i->is_in;
}

START_TEST(items_are_found_by_their_keys_however_they_come_and_go)
{
	srandom(1);
	ck_assert_int_eq(index_reserve(&index_of_items, ITEMS), 0);
	for (size_t i = 0; i < ITEMS; i++)
		items[i].key = (int)(random() % KEYS);
	for (unsigned int round = 0; round < 5000; round++) {
		change(&items[random() % ITEMS]);
		check_key((int)(random() % (KEYS + 2)) - 1);
	}
	index_fini(&index_of_items);
}
END_TEST

START_TEST(of_items_with_one_key_the_first_is_found_and_any_can_go)
{
	int key = items[0].key;

	ck_assert_int_eq(index_reserve(&index_of_items, 3), 0);
	for (size_t i = 0; i < 3; i++)
		index_add(&index_of_items, &key, &items[i]);
	ck_assert_ptr_eq(index_find(&index_of_items, &key), &items[0]);
	index_remove(&index_of_items, &key, &items[1]);
	index_remove(&index_of_items, &key, &items[1]); /* is not there any more */
	index_remove(&index_of_items, &key, &items[0]);
	ck_assert_ptr_eq(index_find(&index_of_items, &key), &items[2]);
	ck_assert_ptr_null(index_after(&index_of_items, &key));
	index_fini(&index_of_items);
}
END_TEST

UNIT_MAIN("daemon-index", NULL, NULL, items_are_found_by_their_keys_however_they_come_and_go,
	  of_items_with_one_key_the_first_is_found_and_any_can_go)
