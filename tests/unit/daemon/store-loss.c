/* The store is killed, is away for a while, and comes back: nobody waits for it who need not. The one that comes
 * back here knows nothing of what the other one knew. */
#include <stdlib.h>
#include <string.h>

#include "daemon/guest.h"
#include "unit.h"
#include "world.h"

static struct loop_timer comes_back;

static void start_store(struct loop_timer *t)
{
	(void)t;
	world_start_store();
}

/* Away from now on; back after this time, unless it is 0. */
static void lose_store(uint64_t back_ms)
{
	world_kill_store();
	world_until(!nodes_is_up(lodged.nodes));
	comes_back.fire = start_store;
	if (back_ms)
		loop_timer_start(&lodged.loop, &comes_back, back_ms);
}

START_TEST(without_a_store_guests_are_looked_at_and_paused)
{
	world_ok("{'verb':'create','xml':'%s'}", world_xml("web", ""));
	lose_store(0);
	ck_assert_int_eq(
		cJSON_GetArraySize(cJSON_GetObjectItem(world_ok("{'verb':'list'}"), "guests")), 1);
	ck_assert_str_eq(text_of(world_ok("{'verb':'info','guest':'web'}"), "state"), "running");
	world_ok("{'verb':'pause','guest':'web'}");
	world_ok("{'verb':'resume','guest':'web'}");
	world_ok("{'verb':'doctor'}");
	world_start_store();
	world_until(nodes_is_up(lodged.nodes));
}
END_TEST

START_TEST(a_verb_that_needs_the_store_waits_for_it)
{
	world_ok("{'verb':'create','xml':'%s'}",
		 world_xml("web", "<vcpu current=\\\"1\\\">2</vcpu>"));
	lose_store(300);
	world_ok("{'verb':'set-vcpus','guest':'web','count':2}");
	ck_assert_str_eq(node("/local/domain/1/cpu/1/availability"), "online");
	lose_store(300);
	world_ok("{'verb':'create','xml':'%s'}", world_xml("db", ""));
	ck_assert_str_eq(node("/local/domain/2/name"), "db");
}
END_TEST

START_TEST(a_guest_that_is_being_built_waits_for_the_store)
{
	struct err err;
	struct guest *g;

	world_ok("{'verb':'define','xml':'%s'}", world_xml("web", ""));
	g = guest_by_name(&lodged, "web");
	fake_slow_down(50);
	ck_assert_int_eq(guest_start(g, &(struct start_request){ .config = g->defined }, &err), 0);
	lose_store(500);
	world_until(!strcmp(guest_state_name(g), "running"));
	ck_assert_str_eq(node("/local/domain/1/name"), "web");
}
END_TEST

START_TEST(a_guest_is_destroyed_without_a_store)
{
	world_ok("{'verb':'create','xml':'%s'}", world_xml("web", ""));
	lose_store(0);
	world_ok("{'verb':'destroy','guest':'web'}");
	ck_assert_uint_eq(fake_nr_domains(), 0);
	ck_assert_uint_eq(fake_free_pages(), FAKE_PAGES);
	world_start_store();
	world_until(nodes_is_up(lodged.nodes));
}
END_TEST

START_TEST(what_is_left_to_the_store_is_done_when_it_is_back)
{
	struct batch b;

	lose_store(0);
	batch_init(&b);
	batch_write(&b, "/tool/first", "1");
	nodes_post(lodged.nodes, &b);
	batch_write(&b, "/tool/first", "2");
	nodes_post(lodged.nodes, &b);
	world_start_store();
	world_until(nodes_is_up(lodged.nodes));
	ck_assert_str_eq(node("/tool/first"), "2");
}
END_TEST

static unsigned int nr_calls;

static void count_call(struct nodes_watch *w, const char *path)
{
	(void)w;
	(void)path;
	nr_calls++;
}

START_TEST(a_watch_that_is_set_without_a_store_is_set_when_it_is_back)
{
	struct nodes_watch w = { .changed = count_call };
	struct batch b;
	struct err err;

	lose_store(0);
	ck_assert_int_eq(nodes_watch(lodged.nodes, &w, &err, "/tool/watched"), 0);
	world_start_store();
	world_until(nodes_is_up(lodged.nodes) && nr_calls);
	nr_calls = 0;
	batch_init(&b);
	batch_write(&b, "/tool/watched", "1");
	nodes_post(lodged.nodes, &b);
	world_until(nr_calls);
	nodes_unwatch(lodged.nodes, &w);
}
END_TEST

START_TEST(a_store_that_was_restarted_unnoticed_is_asked_again)
{
	struct batch b;
	struct err err;

	world_kill_store();
	world_start_store();
	batch_init(&b);
	batch_write(&b, "/tool/again", "1");
	ck_assert_int_eq(nodes_run(lodged.nodes, &b, true, &err), 0);
	batch_fini(&b);
	ck_assert_str_eq(node("/tool/again"), "1");
}
END_TEST

START_TEST(a_store_that_hangs_while_it_comes_back_holds_up_nobody)
{
	uint64_t before;

	lose_store(0);
	world_start_store();
	world_hang_store(true);
	before = loop_now_ns();
	for (int i = 0; i < 10; i++)
		world_turn();
	world_ok("{'verb':'list'}");
	ck_assert_uint_lt(loop_now_ns() - before, UINT64_C(2000000000));
	ck_assert(!nodes_is_up(lodged.nodes));
	world_hang_store(false);
	world_until(nodes_is_up(lodged.nodes));
}
END_TEST

UNIT_MAIN("daemon-store-loss", world_setup, world_teardown,
	  without_a_store_guests_are_looked_at_and_paused, a_verb_that_needs_the_store_waits_for_it,
	  a_guest_that_is_being_built_waits_for_the_store, a_guest_is_destroyed_without_a_store,
	  what_is_left_to_the_store_is_done_when_it_is_back,
	  a_watch_that_is_set_without_a_store_is_set_when_it_is_back,
	  a_store_that_was_restarted_unnoticed_is_asked_again,
	  a_store_that_hangs_while_it_comes_back_holds_up_nobody)
