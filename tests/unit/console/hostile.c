/* Guests that flood, and guests that write nonsense into their rings. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

static void flood(uint16_t domid)
{
	char block[2048];

	memset(block, 'x', sizeof(block));
	(void)!guest_print(domid, block, sizeof(block));
}

START_TEST(a_flooding_guest_gets_its_burst_and_then_its_rate)
{
	uint32_t before;

	for (int i = 0; i < 100; i++) {
		flood(1);
		world_settle();
	}
	before = world_ring(1)->out_cons;
	ck_assert_uint_le(before, BURST_KIB << 10);
	ck_assert_uint_gt(before, 3 * (BURST_KIB << 10) / 4);
	for (int i = 0; i < 100; i++) {
		flood(1);
		world_wait_ms(10);
	}
	ck_assert_uint_le(world_ring(1)->out_cons - before, RATE_KIB << 10);
	ck_assert_uint_gt(world_ring(1)->out_cons - before, (RATE_KIB << 10) / 2);
}
END_TEST

START_TEST(a_flooding_guest_does_not_delay_another_one)
{
	for (int i = 0; i < 20; i++) {
		flood(1);
		(void)!guest_print(2, "x", 1);
		for (int turn = 0; turn < 3; turn++)
			ck_assert_int_eq(console_turn(world_console, 0), 0);
		ck_assert_uint_eq(world_ring(2)->out_cons, (uint32_t)i + 1);
	}
}
END_TEST

START_TEST(a_guest_that_sends_events_without_output_runs_out_of_budget)
{
	unsigned int taken = 0;

	for (int i = 0; i < 1000; i++) {
		fake_send_event(1);
		world_settle();
		taken += !machine->domains[1].pending;
	}
	ck_assert_uint_le(taken, (BURST_KIB << 10) / 32 + 1);
	ck_assert(machine->domains[1].masked);
	world_wait_ms(2000);
	world_settle();
	ck_assert(!machine->domains[1].pending);
}
END_TEST

static void expect_only_domain_1_suffers(void)
{
	uint32_t before = world_ring(2)->out_cons;

	world_settle();
	(void)!guest_print(2, "fine\n", 5);
	world_wait_ms(1000);
	ck_assert_uint_eq(world_ring(2)->out_cons, before + 5);
	fake_send_event(1);
	world_settle();
	ck_assert(machine->domains[1].masked || machine->domains[1].pending);
	fake_release(1);
	world_settle();
	ck_assert(!machine->domains[1].is_mapped);
}

START_TEST(a_producer_index_too_far_ahead_ends_the_console)
{
	world_ring(1)->out_prod = world_ring(1)->out_cons + 2049;
	fake_send_event(1);
	expect_only_domain_1_suffers();
}
END_TEST

START_TEST(a_producer_index_that_goes_back_ends_the_console)
{
	(void)!guest_print(1, "abc", 3);
	world_settle();
	world_ring(1)->out_prod--;
	fake_send_event(1);
	expect_only_domain_1_suffers();
}
END_TEST

START_TEST(our_index_in_the_page_is_not_believed_twice)
{
	(void)!guest_print(1, "abc", 3);
	world_settle();
	world_ring(1)->out_cons = 77;
	world_ring(1)->out[MASK_XENCONS_IDX(world_ring(1)->out_prod++, world_ring(1)->out)] = 'd';
	fake_send_event(1);
	world_settle();
	ck_assert_str_eq(log_text("one", 0), "abcd");
}
END_TEST

START_TEST(a_consumer_index_that_nobody_wrote_ends_the_console)
{
	int fd = client_new("attach 1\n");

	world_ring(1)->in_cons = world_ring(1)->in_prod + 1;
	client_type(fd, "x");
	(void)!guest_print(1, "x", 1);
	expect_only_domain_1_suffers();
	client_close(fd);
}
END_TEST

START_TEST(a_ring_that_makes_no_sense_from_the_start_is_not_served)
{
	world_ring(3)->out_prod = 99999;
	fake_introduce(3, "three");
	world_settle();
	(void)!guest_print(2, "fine\n", 5);
	world_settle();
	ck_assert_str_eq(log_text("three", 0), "");
	ck_assert_str_eq(log_text("two", 0), "fine\n");
}
END_TEST

START_TEST(indices_run_over_the_end_of_their_type)
{
	struct xencons_interface *r = world_ring(3);

	r->out_cons = UINT32_MAX - 1;
	r->out_prod = UINT32_MAX - 1;
	r->in_cons = UINT32_MAX;
	r->in_prod = UINT32_MAX;
	fake_introduce(3, "three");
	world_settle();
	(void)!guest_print(3, "abcdef", 6);
	client_close(client_new("attach 3\nxyz"));
	ck_assert_str_eq(log_text("three", 0), "abcdef");
	ck_assert_str_eq(guest_read(3), "xyz");
	ck_assert_uint_eq(r->out_cons, 4);
}
END_TEST

UNIT_MAIN("hostile consoles", world_init, world_fini,
	  a_flooding_guest_gets_its_burst_and_then_its_rate,
	  a_flooding_guest_does_not_delay_another_one,
	  a_guest_that_sends_events_without_output_runs_out_of_budget,
	  a_producer_index_too_far_ahead_ends_the_console,
	  a_producer_index_that_goes_back_ends_the_console,
	  our_index_in_the_page_is_not_believed_twice,
	  a_consumer_index_that_nobody_wrote_ends_the_console,
	  a_ring_that_makes_no_sense_from_the_start_is_not_served,
	  indices_run_over_the_end_of_their_type)
