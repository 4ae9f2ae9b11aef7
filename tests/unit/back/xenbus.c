/* The store's half of a device: pv-drivers/back/lib/xenbus.c. */
#include <errno.h>
#include <string.h>

#include "back/lib/xenbus.h"
#include "fake-platform.h"
#include "unit.h"

#define FRONT "/local/domain/7/device/vbd/51712"
#define BACK  "/local/domain/0/backend/lodge-block/7/51712"

static struct xenbus x;
static struct platform *p;
static struct err err;
static int nr_announced, nr_connected, nr_disconnected, connect_result;
static bool took_over;
static char told[64];

static int on_announce(struct xenbus *bus, struct err *e)
{
	(void)e;
	nr_announced++;
	return xenbus_tell(bus, "feature-x", "%d", 1);
}

static int on_connect(struct xenbus *bus, bool is_takeover, struct err *e)
{
	(void)bus;
	nr_connected++;
	took_over = is_takeover;
	return connect_result ? err_set(e, connect_result, "the ring is bad") : 0;
}

static void on_disconnect(struct xenbus *bus)
{
	(void)bus;
	nr_disconnected++;
}

static void on_change(struct xenbus *bus, const char *name)
{
	(void)bus;
	strcpy(told, name);
}

static const struct xenbus_ops ops = { on_announce, on_connect, on_disconnect };

static void setup(void)
{
	p = fake_platform_create();
	x = (struct xenbus){ .platform = p, .ops = &ops, .front = FRONT, .back = BACK };
	fake_set(p, BACK, "online", "1");
	fake_set(p, BACK, "state", "1");
	fake_set(p, FRONT, "state", "1");
	nr_announced = nr_connected = nr_disconnected = connect_result = 0;
}

static void start(void)
{
	ck_assert_int_eq(xenbus_watch(&x, &err), 0);
	ck_assert_int_eq(xenbus_start(&x, &err), 0);
}

static void front_goes(const char *state)
{
	fake_set(p, FRONT, "state", state);
	ck_assert_int_eq(xenbus_step(&x, on_change, &err), 0);
}

static void expect(const char *state)
{
	ck_assert_str_eq(fake_node(p, BACK, "state"), state);
}

START_TEST(a_device_announces_connects_when_the_frontend_is_ready_and_follows_it_down)
{
	start();
	expect("2");
	ck_assert_str_eq(fake_node(p, BACK, "feature-x"), "1");
	front_goes("3");
	expect("4");
	ck_assert(x.is_connected && !took_over);
	front_goes("4");
	ck_assert_int_eq(nr_connected, 1);
	front_goes("5");
	expect("5");
	ck_assert_int_eq(nr_disconnected, 1);
	front_goes("6");
	expect("6");
	ck_assert(!x.is_over);
	front_goes("1"); /* a new kernel in the guest */
	expect("2");
	ck_assert_int_eq(nr_announced, 2);
}
END_TEST

START_TEST(an_unplugged_device_ends_when_the_frontend_has_closed)
{
	start();
	front_goes("4");
	fake_set(p, BACK, "online", "0");
	ck_assert_int_eq(xenbus_step(&x, on_change, &err), 0);
	expect("5");
	ck_assert(x.is_connected && !x.is_over); /* the frontend still uses it */
	front_goes("5");
	front_goes("6");
	expect("6");
	ck_assert(x.is_over);
}
END_TEST

START_TEST(a_device_nobody_uses_is_unplugged_at_once)
{
	start();
	fake_set(p, BACK, "online", "0");
	ck_assert_int_eq(xenbus_step(&x, on_change, &err), 0);
	expect("6");
	ck_assert(x.is_over);
}
END_TEST

START_TEST(a_frontend_that_vanishes_ends_the_device)
{
	start();
	front_goes("4");
	fake_set(p, FRONT, "state", NULL);
	ck_assert_int_eq(xenbus_step(&x, on_change, &err), 0);
	ck_assert(x.is_over && !x.is_connected);
	ck_assert_int_eq(nr_disconnected, 1);
}
END_TEST

START_TEST(a_process_that_finds_itself_connected_takes_over_without_announcing)
{
	fake_set(p, BACK, "state", "4");
	fake_set(p, FRONT, "state", "4");
	start();
	ck_assert_int_eq(nr_announced, 0);
	ck_assert(x.is_connected && took_over);
	expect("4");
}
END_TEST

START_TEST(a_frontend_that_closed_while_no_process_was_there_is_not_taken_over)
{
	fake_set(p, BACK, "state", "4");
	fake_set(p, FRONT, "state", "5");
	start();
	ck_assert_int_eq(nr_connected, 0);
	expect("5");
	front_goes("6");
	front_goes("1"); /* new rings come, which nobody has served before */
	front_goes("3");
	ck_assert(x.is_connected && !took_over);
}
END_TEST

START_TEST(a_device_that_fails_says_why_and_stays_closed)
{
	start();
	connect_result = -EINVAL;
	front_goes("3");
	expect("5");
	ck_assert_str_eq(fake_node(p, BACK, "error"), "the ring is bad");
	ck_assert_int_eq(nr_disconnected, 0);
	front_goes("6");
	expect("6");
	front_goes("1");
	front_goes("3");
	expect("6");
	ck_assert_int_eq(nr_connected, 1);
}
END_TEST

START_TEST(numbers_of_the_guest_are_refused_unless_they_are_numbers_in_range)
{
	static const char *const bad[] = { "",  "-1", "0x10", "16", "99999999999999999999",
					   "a", "1 2" };
	uint64_t number = 77;

	ck_assert_int_eq(xenbus_ask(&x, "n", 15, &number, &err), -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fake_set(p, FRONT, "n", bad[i]);
		ck_assert_int_eq(xenbus_ask(&x, "n", 15, &number, &err), -EINVAL);
		ck_assert_int_eq(xenbus_ask_or(&x, "n", 15, 3, &number, &err), -EINVAL);
	}
	ck_assert_uint_eq(number, 77);
	fake_set(p, FRONT, "n", "15");
	ck_assert_int_eq(xenbus_ask(&x, "n", 15, &number, &err), 0);
	ck_assert_uint_eq(number, 15);
	ck_assert_int_eq(xenbus_ask_or(&x, "m", 15, 3, &number, &err), 0);
	ck_assert_uint_eq(number, 3);
}
END_TEST

START_TEST(other_nodes_of_the_device_are_told_of_and_a_lost_store_is_an_error)
{
	start();
	fake_set(p, BACK, "limit", "5");
	ck_assert_int_eq(xenbus_step(&x, on_change, &err), 0);
	ck_assert_str_eq(told, "limit");
	fake_lose_store(p);
	ck_assert_int_eq(xenbus_step(&x, on_change, &err), -EIO);
}
END_TEST

static void teardown(void)
{
	fake_platform_destroy(p);
}

UNIT_MAIN("xenbus", setup, teardown,
	  a_device_announces_connects_when_the_frontend_is_ready_and_follows_it_down,
	  an_unplugged_device_ends_when_the_frontend_has_closed,
	  a_device_nobody_uses_is_unplugged_at_once, a_frontend_that_vanishes_ends_the_device,
	  a_process_that_finds_itself_connected_takes_over_without_announcing,
	  a_frontend_that_closed_while_no_process_was_there_is_not_taken_over,
	  a_device_that_fails_says_why_and_stays_closed,
	  numbers_of_the_guest_are_refused_unless_they_are_numbers_in_range,
	  other_nodes_of_the_device_are_told_of_and_a_lost_store_is_an_error)
