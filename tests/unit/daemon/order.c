/* The order in which guests start. */
#include "daemon/order.h"

#include <string.h>

#include "unit.h"

#define MAX_GUESTS 8u

static struct domain_description descriptions[MAX_GUESTS];
static struct ordered guests[MAX_GUESTS];
static char *after[MAX_GUESTS][4];
static size_t nr;

/* after1, after2: may be NULL. */
static void add(const char *name, uint32_t order, char *after1, char *after2)
{
	struct domain_description *d = &descriptions[nr];

	after[nr][0] = after1;
	after[nr][1] = after2;
	d->start_order = order;
	d->start_after = after[nr];
	d->nr_start_after = after2 ? 2 : after1 ? 1 : 0;
	guests[nr] = (struct ordered){ .name = name, .d = d };
	nr++;
}

static const char *names(void)
{
	static char text[128];

	text[0] = '\0';
	order_guests(guests, nr);
	for (size_t i = 0; i < nr; i++) {
		strcat(text, guests[i].name);
		strcat(text, guests[i].is_in_cycle ? "! " : " ");
	}
	return text;
}

START_TEST(lower_numbers_start_first_then_names_in_their_order)
{
	add("c", 10, NULL, NULL);
	add("b", 20, NULL, NULL);
	add("a", 20, NULL, NULL);
	ck_assert_str_eq(names(), "c a b ");
}
END_TEST

START_TEST(who_is_named_comes_first_whatever_its_number_is)
{
	add("web", 1, (char[]){ "db" }, NULL);
	add("db", 99, NULL, NULL);
	ck_assert_str_eq(names(), "db web ");
}
END_TEST

START_TEST(names_that_are_not_there_are_overlooked)
{
	add("web", 1, (char[]){ "nobody" }, NULL);
	ck_assert_str_eq(names(), "web ");
}
END_TEST

START_TEST(a_cycle_is_broken_once_and_reported)
{
	add("a", 1, (char[]){ "b" }, NULL);
	add("b", 2, (char[]){ "c" }, NULL);
	add("c", 3, (char[]){ "a" }, NULL);
	add("d", 9, NULL, NULL);
	ck_assert_str_eq(names(), "d a! c b ");
}
END_TEST

START_TEST(a_guest_that_waits_for_itself_starts)
{
	add("a", 1, (char[]){ "a" }, NULL);
	ck_assert_str_eq(names(), "a ");
}
END_TEST

START_TEST(guests_that_do_not_wait_for_each_other_share_a_level)
{
	add("db", 0, NULL, NULL);
	add("dns", 0, NULL, NULL);
	add("web", 0, (char[]){ "db" }, (char[]){ "dns" });
	add("late", 5, NULL, NULL);
	ck_assert_str_eq(names(), "db dns web late ");
	ck_assert_uint_eq(guests[0].level, 0);
	ck_assert_uint_eq(guests[1].level, 0);
	ck_assert_uint_eq(guests[2].level, 1);
	ck_assert_uint_eq(guests[3].level, 2);
}
END_TEST

UNIT_MAIN("daemon-order", NULL, NULL, lower_numbers_start_first_then_names_in_their_order,
	  who_is_named_comes_first_whatever_its_number_is, names_that_are_not_there_are_overlooked,
	  a_cycle_is_broken_once_and_reported, a_guest_that_waits_for_itself_starts,
	  guests_that_do_not_wait_for_each_other_share_a_level)
