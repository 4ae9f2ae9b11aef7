/* Transactions and watches: what clients see of each other's changes. */
#include <string.h>

#include "conn.h"
#include "op.h"
#include "unit.h"
#include "world.h"

static void setup(void)
{
	world_setup();
	ask(0, XS_WRITE, 0, BYTES("/a/b\0x"));
	ask(0, XS_WRITE, 0, BYTES("/c\0y"));
}

START_TEST(a_transaction_sees_the_past_and_itself_only)
{
	uint32_t tx = begin(0);

	ask(0, XS_WRITE, 0, BYTES("/a/b\0new"));
	ck_assert_str_eq(ask(0, XS_READ, tx, STR("/a/b")), "x");
	ask(0, XS_WRITE, tx, BYTES("/d\0z"));
	ck_assert_str_eq(ask(0, XS_READ, tx, STR("/d")), "z");
	ck_assert_str_eq(ask(0, XS_READ, 0, STR("/d")), "ENOENT");
}
END_TEST

START_TEST(an_aborted_transaction_changes_nothing)
{
	uint32_t tx = begin(0);

	ask(0, XS_RM, tx, STR("/a"));
	ck_assert_str_eq(ask(0, XS_TRANSACTION_END, tx, STR("F")), "OK");
	ck_assert_str_eq(ask(0, XS_READ, 0, STR("/a/b")), "x");
	ck_assert_str_eq(ask(0, XS_READ, tx, STR("/a/b")), "ENOENT"); /* no such transaction */
	ck_assert_str_eq(end(0, tx), "ENOENT");
}
END_TEST

START_TEST(changes_elsewhere_are_no_conflict)
{
	uint32_t tx = begin(0);

	ask(0, XS_READ, tx, STR("/a/b"));
	ask(0, XS_WRITE, tx, BYTES("/a/new\0z"));
	ask(0, XS_WRITE, 0, BYTES("/a/other\0w"));
	ask(0, XS_WRITE, 0, BYTES("/c\0w"));
	ck_assert_str_eq(end(0, tx), "OK");
	ck_assert_mem_eq(ask(0, XS_DIRECTORY, 0, STR("/a")), "b\0new\0other", 12);
	ck_assert_str_eq(ask(0, XS_READ, 0, STR("/c")), "w");
}
END_TEST

START_TEST(a_change_of_what_was_read_is_a_conflict)
{
	uint32_t tx = begin(0);

	ask(0, XS_READ, tx, STR("/a/b"));
	ask(0, XS_WRITE, tx, BYTES("/d\0z"));
	ask(0, XS_WRITE, 0, BYTES("/a/b\0x")); /* the same value is a change, too */
	ck_assert_str_eq(end(0, tx), "EAGAIN");
	ck_assert_str_eq(ask(0, XS_READ, 0, STR("/d")), "ENOENT");
}
END_TEST

START_TEST(a_change_of_what_was_written_is_a_conflict)
{
	uint32_t first = begin(0), second = begin(0);

	ask(0, XS_WRITE, first, BYTES("/a/b\0001"));
	ask(0, XS_WRITE, second, BYTES("/a/b\0002"));
	ck_assert_str_eq(end(0, first), "OK");
	ck_assert_str_eq(end(0, second), "EAGAIN");
	ck_assert_str_eq(ask(0, XS_READ, 0, STR("/a/b")), "1");
}
END_TEST

START_TEST(a_change_of_a_list_that_was_read_is_a_conflict)
{
	uint32_t tx = begin(0);

	ask(0, XS_DIRECTORY, tx, STR("/a"));
	ask(0, XS_WRITE, tx, BYTES("/d\0z"));
	ask(0, XS_WRITE, 0, BYTES("/a/b\0w"));
	ask(0, XS_MKDIR, 0, STR("/a/other"));
	ck_assert_str_eq(end(0, tx), "EAGAIN");
	tx = begin(0);
	ask(0, XS_DIRECTORY, tx, STR("/a"));
	ask(0, XS_WRITE, tx, BYTES("/d\0z"));
	ask(0, XS_WRITE, 0, BYTES("/a/b\0w")); /* a value below does not change the list */
	ck_assert_str_eq(end(0, tx), "OK");
}
END_TEST

START_TEST(what_was_missing_and_now_is_there_is_a_conflict)
{
	uint32_t tx = begin(0);

	ck_assert_str_eq(ask(0, XS_READ, tx, STR("/d")), "ENOENT");
	ask(0, XS_WRITE, tx, BYTES("/e\0z"));
	ask(0, XS_MKDIR, 0, STR("/d"));
	ck_assert_str_eq(end(0, tx), "EAGAIN");
}
END_TEST

START_TEST(a_parent_that_has_gone_is_a_conflict)
{
	uint32_t tx = begin(0);

	ask(0, XS_WRITE, tx, BYTES("/a/new/deep\0z"));
	ask(0, XS_RM, 0, STR("/a"));
	ck_assert_str_eq(end(0, tx), "EAGAIN");
	ck_assert_str_eq(ask(0, XS_READ, 0, STR("/a")), "ENOENT");
}
END_TEST

START_TEST(all_changes_of_a_transaction_come_at_once_with_their_events)
{
	uint32_t tx;

	ask(0, XS_WATCH, 0, STR("/a\0t"));
	ck_assert_str_eq(world_event(0), "/a t");
	tx = begin(0);
	ask(0, XS_WRITE, tx, BYTES("/a/d\0z"));
	ask(0, XS_RM, tx, STR("/a/b"));
	ck_assert_str_eq(world_event(0), "none");
	ck_assert_str_eq(end(0, tx), "OK");
	ck_assert_str_eq(world_event(0), "/a/d t");
	ck_assert_str_eq(world_event(0), "/a/b t");
	ck_assert_str_eq(world_event(0), "none");
}
END_TEST

START_TEST(a_transaction_cannot_be_started_within_another)
{
	uint32_t tx = begin(0);

	ck_assert_str_eq(ask(0, XS_TRANSACTION_START, tx, STR("")), "EBUSY");
}
END_TEST

START_TEST(a_transaction_is_limited_in_what_it_touches)
{
	uint32_t tx;

	ask(0, XS_SET_PERMS, 0, STR("/a\0b0"));
	ask(0, XS_CONTROL, 0, STR("quota\0set\0accesses\0002\0001"));
	tx = begin(1);
	ck_assert_str_eq(ask(1, XS_DIRECTORY, tx, STR("/a")), "b");
	ck_assert_str_eq(ask(1, XS_DIRECTORY, tx, STR("/a")), "b");
	ck_assert_str_eq(ask(1, XS_READ, tx, STR("/a/1")), "ENOENT");
	ck_assert_str_eq(ask(1, XS_READ, tx, STR("/a/2")), "ENOSPC");
	ck_assert_str_eq(end(1, tx), "OK");
}
END_TEST

/* A path of 500 parts makes as many nodes; what is removed again is remembered, too. */
START_TEST(a_transaction_counts_all_that_it_remembers)
{
	char path[1024] = "/a";
	unsigned int nr = 0;
	uint32_t tx;

	for (size_t i = 2; i + 2 < 1000; i += 2)
		memcpy(path + i, "/x", 3);
	ask(0, XS_SET_PERMS, 0, STR("/a\0b0"));
	tx = begin(1);
	while (!strcmp(ask(1, XS_MKDIR, tx, path, strlen(path) + 1), "OK") &&
	       !strcmp(ask(1, XS_RM, tx, STR("/a/x")), "OK"))
		ck_assert_uint_lt(++nr, 100);
	ck_assert_uint_gt(nr, 0);
	ck_assert_uint_le(store->domains[1]->conn->bytes, 2 << 20);
	ck_assert_str_eq(ask(1, XS_TRANSACTION_END, tx, STR("F")), "OK");
	ck_assert_uint_eq(store->domains[1]->conn->bytes, 0);
}
END_TEST

START_TEST(a_watch_fires_once_when_it_is_set_and_for_all_below)
{
	ck_assert_str_eq(ask(0, XS_WATCH, 0, STR("/w\0tok")), "OK");
	ck_assert_str_eq(world_event(0), "/w tok");
	ask(0, XS_WRITE, 0, BYTES("/w/x/y\0z"));
	ck_assert_str_eq(world_event(0), "/w tok"); /* parents that were made on the way, too */
	ck_assert_str_eq(world_event(0), "/w/x tok");
	ck_assert_str_eq(world_event(0), "/w/x/y tok");
	ask(0, XS_SET_PERMS, 0, STR("/w\0r0"));
	ck_assert_str_eq(world_event(0), "/w tok");
	ask(0, XS_MKDIR, 0, STR("/wx"));
	ck_assert_str_eq(world_event(0), "none");
}
END_TEST

START_TEST(a_watch_is_set_and_taken_away_once)
{
	ask(0, XS_WATCH, 0, STR("/w\0t"));
	ck_assert_str_eq(ask(0, XS_WATCH, 0, STR("/w\0t")), "EEXIST");
	ck_assert_str_eq(ask(0, XS_UNWATCH, 0, STR("/w\0other")), "ENOENT");
	ck_assert_str_eq(ask(0, XS_UNWATCH, 0, STR("/w\0t")), "OK");
	ck_assert_str_eq(ask(0, XS_UNWATCH, 0, STR("/w\0t")), "ENOENT");
	ck_assert_str_eq(world_event(0), "/w t");
	ask(0, XS_MKDIR, 0, STR("/w"));
	ck_assert_str_eq(world_event(0), "none");
}
END_TEST

START_TEST(a_depth_limits_how_far_below_a_watch_sees)
{
	ask(0, XS_WATCH, 0, STR("/w\0t\0001"));
	ask(0, XS_WATCH, 0, STR("/w\0u\0000"));
	ck_assert_str_eq(world_event(0), "/w t");
	ck_assert_str_eq(world_event(0), "/w u");
	ask(0, XS_WRITE, 0, BYTES("/w\0z"));
	ck_assert_str_eq(world_event(0), "/w t");
	ck_assert_str_eq(world_event(0), "/w u");
	ask(0, XS_MKDIR, 0, STR("/w/x"));
	ask(0, XS_MKDIR, 0, STR("/w/x/y"));
	ck_assert_str_eq(world_event(0), "/w/x t");
	ck_assert_str_eq(world_event(0), "none");
}
END_TEST

START_TEST(removal_above_tells_a_watch_below_its_own_path)
{
	ask(0, XS_WATCH, 0, STR("/a/b\0t"));
	ask(0, XS_WATCH, 0, STR("/a/none\0t"));
	world_event(0);
	world_event(0);
	ask(0, XS_RM, 0, STR("/a"));
	ck_assert_str_eq(world_event(0), "/a/b t");
	ck_assert_str_eq(world_event(0), "none");
}
END_TEST

START_TEST(events_of_a_relative_watch_are_relative)
{
	ask(0, XS_WRITE, 0, BYTES("/local/domain/1/device\0z"));
	ask(0, XS_SET_PERMS, 0, STR("/local/domain/1/device\0b1"));
	ask(1, XS_WATCH, 0, STR("device\0t"));
	ck_assert_str_eq(world_event(1), "device t");
	ask(0, XS_WRITE, 0, BYTES("/local/domain/1/device/x\0z"));
	ck_assert_str_eq(world_event(1), "device/x t");
}
END_TEST

START_TEST(who_may_not_read_hears_nothing)
{
	ask(1, XS_WATCH, 0, STR("/a\0t"));
	ck_assert_str_eq(world_event(1), "/a t");
	ask(0, XS_WRITE, 0, BYTES("/a/b\0z"));
	ask(0, XS_RM, 0, STR("/a/b"));
	ck_assert_str_eq(world_event(1), "none");
	ask(0, XS_SET_PERMS, 0, STR("/a\0n0\0r1"));
	ck_assert_str_eq(world_event(1), "/a t");
	ask(0, XS_RM, 0, STR("/a"));
	ck_assert_str_eq(world_event(1), "/a t");
}
END_TEST

START_TEST(reset_watches_takes_all_watches_and_transactions)
{
	uint32_t tx = begin(0);

	ask(0, XS_WATCH, 0, STR("/w\0t"));
	world_event(0);
	ck_assert_str_eq(ask(0, XS_RESET_WATCHES, 0, STR("")), "OK");
	ask(0, XS_MKDIR, 0, STR("/w"));
	ck_assert_str_eq(world_event(0), "none");
	ck_assert_str_eq(end(0, tx), "ENOENT");
}
END_TEST

START_TEST(special_watches_tell_of_domains_that_come_and_go)
{
	ask(0, XS_WATCH, 0, STR("@introduceDomain\0t"));
	ask(0, XS_WATCH, 0, STR("@releaseDomain\0t"));
	ask(0, XS_WATCH, 0, STR("@releaseDomain\0d\0001"));
	ask(0, XS_WATCH, 0, STR("@releaseDomain/3\0one"));
	ask(1, XS_WATCH, 0, STR("@introduceDomain\0t"));
	for (int i = 0; i < 4; i++)
		world_event(0);
	world_event(1);
	ask(0, XS_INTRODUCE, 0, STR("3\0001\0001"));
	ck_assert_str_eq(world_event(0), "@introduceDomain t");
	ck_assert_str_eq(world_event(1), "none"); /* until it may read */
	ask(0, XS_RELEASE, 0, STR("3"));
	ck_assert_str_eq(world_event(0), "@releaseDomain t");
	ck_assert_str_eq(world_event(0), "@releaseDomain/3 d");
	ck_assert_str_eq(world_event(0), "@releaseDomain/3 one");
	ck_assert_str_eq(ask(0, XS_SET_PERMS, 0, STR("@introduceDomain\0n0\0r1")), "OK");
	ck_assert_str_eq(ask(0, XS_GET_PERMS, 0, STR("@introduceDomain")), "n0");
	ask(0, XS_INTRODUCE, 0, STR("3\0001\0001"));
	ck_assert_str_eq(world_event(1), "@introduceDomain t");
}
END_TEST

START_TEST(a_domain_that_ends_is_released_and_one_that_shuts_down_is_told_once)
{
	ask(0, XS_WATCH, 0, STR("@releaseDomain\0t"));
	world_event(0);
	world_set_domain_state(1, DOMAIN_SHUT_DOWN);
	ck_assert_str_eq(world_event(0), "@releaseDomain t");
	world_set_domain_state(1, DOMAIN_SHUT_DOWN);
	ck_assert_str_eq(world_event(0), "none");
	ck_assert_str_eq(ask(0, XS_IS_DOMAIN_INTRODUCED, 0, STR("1")), "T");
	world_set_domain_state(1, DOMAIN_GONE);
	ck_assert_str_eq(world_event(0), "@releaseDomain t");
	ck_assert_str_eq(ask(0, XS_IS_DOMAIN_INTRODUCED, 0, STR("1")), "F");
}
END_TEST

START_TEST(a_domain_that_shut_down_before_it_was_introduced_is_told_with_the_next_change)
{
	ask(0, XS_WATCH, 0, STR("@releaseDomain\0t"));
	world_event(0);
	world_set_domain_state(3, DOMAIN_SHUT_DOWN);
	ask(0, XS_INTRODUCE, 0, STR("3\0001\0001"));
	ck_assert_str_eq(world_event(0), "none");
	store_domains_changed(store);
	ck_assert_str_eq(world_event(0), "@releaseDomain t");
	store_domains_changed(store);
	ck_assert_str_eq(world_event(0), "none");
}
END_TEST

/* One that fails after it has made some of the nodes that were missing; with a snapshot, and without. */
START_TEST(a_change_that_fails_half_way_leaves_the_tree_as_it_was)
{
	struct update u;

	for (int i = 0; i < 2; i++) {
		struct node *snapshot = i ? node_get(store->root) : NULL;
		struct content *c = tree_lookup(store->root, "/c")->content;

		update_init_in_place(&u, store);
		ck_assert_int_eq(update_set(&u, "/a/d", c), 0);
		ck_assert_int_eq(update_set(&u, "/a/d/e", c), 0);
		update_abort(&u);
		ck_assert_mem_eq(ask(0, XS_DIRECTORY, 0, STR("/a")), "b", 2);
		ck_assert_str_eq(ask(0, XS_READ, 0, STR("/a/b")), "x");
		node_put(snapshot);
	}
}
END_TEST

START_TEST(what_a_transaction_looks_at_is_not_changed_in_place)
{
	uint32_t tx = begin(0);

	ask(0, XS_WRITE, 0, BYTES("/a/b\0new"));
	ask(0, XS_RM, 0, STR("/c"));
	ask(0, XS_WRITE, 0, BYTES("/a/longer-than-a-word-2\0v"));
	ask(0, XS_WRITE, 0, BYTES("/a/longer-than-a-word-1\0w"));
	ck_assert_str_eq(ask(0, XS_READ, tx, STR("/a/b")), "x");
	ck_assert_str_eq(ask(0, XS_READ, tx, STR("/c")), "y");
	ck_assert_mem_eq(ask(0, XS_DIRECTORY, tx, STR("/a")), "b", 2);
	ck_assert_mem_eq(ask(0, XS_DIRECTORY, 0, STR("/a")),
			 "b\0longer-than-a-word-1\0longer-than-a-word-2", 42);
	ck_assert_str_eq(ask(0, XS_READ, 0, STR("/a/longer-than-a-word-1")), "w");
}
END_TEST

UNIT_MAIN("store-sharing", setup, world_teardown, a_transaction_sees_the_past_and_itself_only,
	  an_aborted_transaction_changes_nothing, changes_elsewhere_are_no_conflict,
	  a_change_of_what_was_read_is_a_conflict, a_change_of_what_was_written_is_a_conflict,
	  a_change_of_a_list_that_was_read_is_a_conflict,
	  what_was_missing_and_now_is_there_is_a_conflict, a_parent_that_has_gone_is_a_conflict,
	  all_changes_of_a_transaction_come_at_once_with_their_events,
	  a_transaction_cannot_be_started_within_another,
	  a_transaction_is_limited_in_what_it_touches, a_transaction_counts_all_that_it_remembers,
	  a_watch_fires_once_when_it_is_set_and_for_all_below, a_watch_is_set_and_taken_away_once,
	  a_depth_limits_how_far_below_a_watch_sees, removal_above_tells_a_watch_below_its_own_path,
	  events_of_a_relative_watch_are_relative, who_may_not_read_hears_nothing,
	  reset_watches_takes_all_watches_and_transactions,
	  special_watches_tell_of_domains_that_come_and_go,
	  a_domain_that_shut_down_before_it_was_introduced_is_told_with_the_next_change,
	  a_domain_that_ends_is_released_and_one_that_shuts_down_is_told_once,
	  a_change_that_fails_half_way_leaves_the_tree_as_it_was,
	  what_a_transaction_looks_at_is_not_changed_in_place)
