/* lodge-block from the guest's side: pv-drivers/back/block but main.c, file.c and nbd.c. */
#include <errno.h>
#include <string.h>

#include "fake-front.h"
#include "unit.h"

#define PAGE_SECTORS 8

static void fill_page(uint32_t page, unsigned char byte)
{
	memset(fake_page(guest, DATA_REF + page), byte, PLATFORM_PAGE);
}

static void expect_stopped(const char *why)
{
	run();
	ck_assert_str_eq(node("state"), "5");
	ck_assert_msg(strstr(node("error"), why), "error is \"%s\"", node("error"));
	ck_assert_uint_eq(fake_nr_mapped(guest), 0);
	ck_assert_uint_eq(fake_nr_bound(guest), 0);
	ck_assert(!block.is_broken); /* nothing is left to react to: the process sleeps */
}

static void write_then_read(void)
{
	(void)fake_notified(guest, PORT);
	for (uint32_t i = 0; i < 11; i++)
		fill_page(i, (unsigned char)(i + 1));
	front_send(0, BLKIF_OP_WRITE, 1, 16, 0, 11);
	run();
	ck_assert_int_eq(front_take(0, 1), BLKIF_RSP_OKAY);
	ck_assert_uint_eq(disk.bytes[16 * SECTOR], 1);
	ck_assert_uint_eq(disk.bytes[(16 + 10 * PAGE_SECTORS) * SECTOR], 11);
	front_send(0, BLKIF_OP_READ, 2, 24, 20, 3);
	run();
	ck_assert_int_eq(front_take(0, 2), BLKIF_RSP_OKAY);
	ck_assert_mem_eq(fake_page(guest, DATA_REF + 20), disk.bytes + (size_t)24 * SECTOR,
			 3 * PLATFORM_PAGE);
	ck_assert_uint_eq(fake_notified(guest, PORT), 2);
}

START_TEST(a_disk_tells_what_it_is_and_can_do)
{
	ck_assert_str_eq(node("sectors"), "4096");
	ck_assert_str_eq(node("sector-size"), "512");
	ck_assert_str_eq(node("physical-sector-size"), "4096");
	ck_assert_str_eq(node("info"), "0");
	ck_assert_str_eq(node("feature-flush-cache"), "1");
	ck_assert_str_eq(node("feature-persistent"), "1");
	ck_assert_str_eq(node("feature-discard"), "1");
	ck_assert_str_eq(node("discard-secure"), "0");
	ck_assert_str_eq(node("feature-max-indirect-segments"), "64");
	ck_assert_str_eq(node("max-ring-page-order"), "4");
	ck_assert_str_eq(node("multi-queue-max-queues"), "4");
}
END_TEST

START_TEST(what_is_written_is_read_again_by_copies)
{
	front_connect();
	write_then_read();
	ck_assert_uint_eq(fake_nr_mapped(guest), 1); /* the ring */
	ck_assert_uint_eq(fake_nr_copies(guest), 14);
}
END_TEST

START_TEST(grants_that_last_are_mapped_once_and_not_copied)
{
	front.is_persistent = true;
	front_connect();
	write_then_read();
	write_then_read();
	ck_assert_uint_eq(fake_nr_mapped(guest), 1 + 14);
	ck_assert_uint_eq(fake_nr_copies(guest), 0);
}
END_TEST

/* Writes nr_segments pages from page on; what is mapped then, but for the ring. */
static uint32_t write_pages(uint32_t page, uint32_t nr_segments)
{
	fill_page(page + nr_segments - 1, (unsigned char)(page + 1));
	front_send(0, BLKIF_OP_WRITE, 1, 16, page, nr_segments);
	run();
	ck_assert_int_eq(front_take(0, 1), BLKIF_RSP_OKAY);
	ck_assert_uint_eq(disk.bytes[(16 + (nr_segments - 1) * PAGE_SECTORS) * SECTOR], page + 1);
	ck_assert_uint_eq(fake_nr_copies(guest), 0);
	return fake_nr_mapped(guest) - 1;
}

START_TEST(pages_that_are_used_in_the_same_order_again_and_again_become_one_piece)
{
	front.is_persistent = true;
	front_connect();
	ck_assert_uint_eq(write_pages(0, 11), 11);
	ck_assert_uint_eq(write_pages(0, 11), 11);
	ck_assert_uint_eq(write_pages(0, 11), 2 * 11);
	ck_assert_uint_eq(write_pages(0, 11), 2 * 11);
	ck_assert_uint_eq(disk.nr_pieces, 1);
	ck_assert_uint_eq(write_pages(0, 10), 2 * 11);
	ck_assert_uint_eq(disk.nr_pieces, 10);
	disk.is_held = true; /* one that is in use stays, and ends with the device */
	front_send(0, BLKIF_OP_WRITE, 1, 16, 0, 11);
	run();
	fake_set(guest, FRONT, "state", "5");
	run();
	ck_assert_uint_eq(fake_nr_mapped(guest), 0);
}
END_TEST

START_TEST(pages_that_are_not_used_again_soon_do_not_become_one_piece)
{
	front.is_persistent = true;
	front_connect();
	for (uint32_t i = 0; i < 4; i++)
		for (uint32_t page = 0; page < 40; page++)
			(void)write_pages(page, 5);
	ck_assert_uint_eq(fake_nr_mapped(guest), 1 + 44);
	for (uint32_t page = 0; page < 40; page++)
		for (uint32_t i = 0; i < 4; i++)
			(void)write_pages(page, 5);
	ck_assert_uint_eq(fake_nr_mapped(guest), 1 + 44 + 32 * 5); /* the last 32 */
}
END_TEST

START_TEST(what_cannot_be_mapped_as_one_piece_goes_page_by_page)
{
	front.is_persistent = true;
	front_connect();
	(void)write_pages(0, 8);
	(void)write_pages(0, 8);
	fake_fail_maps(guest, 1);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_uint_eq(write_pages(0, 8), 8);
}
END_TEST

START_TEST(parts_of_pages_become_one_piece_only_at_its_ends)
{
	struct blkif_request r = { .operation = BLKIF_OP_WRITE, .nr_segments = 4, .id = 1 };

	for (uint32_t i = 0; i < 4; i++)
		r.seg[i] = (struct blkif_request_segment){ .gref = DATA_REF + i, .last_sect = 7 };
	r.seg[0].first_sect = 7;
	r.seg[3].last_sect = 0;
	front.is_persistent = true;
	front_connect();
	for (uint32_t i = 0; i < 4; i++)
		fill_page(i, (unsigned char)(i + 1));
	for (uint32_t i = 0; i < 4; i++) {
		front_send_entry(0, &r, sizeof(r));
		run();
		ck_assert_int_eq(front_take(0, 1), BLKIF_RSP_OKAY);
	}
	ck_assert_uint_eq(disk.nr_pieces, 1);
	ck_assert_uint_eq(disk.bytes[0], 1);
	ck_assert_uint_eq(disk.bytes[SECTOR], 2);
	ck_assert_uint_eq(disk.bytes[17 * SECTOR], 4);
	r.seg[1].last_sect = 6;
	front_send_entry(0, &r, sizeof(r));
	run();
	ck_assert_int_eq(front_take(0, 1), BLKIF_RSP_OKAY);
	ck_assert_uint_eq(disk.nr_pieces, 4);
	ck_assert_uint_eq(disk.bytes[8 * SECTOR], 3);
}
END_TEST

START_TEST(a_page_that_cannot_be_mapped_is_copied)
{
	front.is_persistent = true;
	front_connect();
	fake_grant(guest, DATA_REF, true); /* only to be written to the disk */
	fake_fail_maps(guest, 1);
	write_then_read();
	ck_assert_uint_eq(fake_nr_copies(guest), 11);
}
END_TEST

START_TEST(pages_the_kernel_cannot_reach_are_copied_from_then_on)
{
	front.is_persistent = true;
	front_connect();
	disk.is_held = true;
	front_send(0, BLKIF_OP_WRITE, 1, 0, 0, 2);
	run();
	disk.result = -EFAULT;
	disk_release(1);
	disk.result = 0;
	disk.is_held = false;
	disk_release(1);
	run();
	ck_assert_int_eq(front_take(0, 1), BLKIF_RSP_OKAY);
	ck_assert_uint_eq(fake_nr_copies(guest), 2);
	write_then_read();
	ck_assert_uint_eq(fake_nr_copies(guest), 2 + 14);
}
END_TEST

START_TEST(queues_and_rings_of_several_pages_work_together)
{
	front.nr_queues = 4;
	front.order = 2;
	front_connect();
	for (uint32_t q = 0; q < 4; q++)
		for (uint32_t i = 0; i < 100; i++)
			front_send(q, BLKIF_OP_WRITE, i, (q * 100 + i) * PAGE_SECTORS, i, 1);
	run();
	for (uint32_t q = 0; q < 4; q++)
		for (uint32_t i = 0; i < 100; i++)
			ck_assert_int_eq(front_take(q, i), BLKIF_RSP_OKAY);
	ck_assert_uint_eq(disk.nr_written, 400);
}
END_TEST

START_TEST(a_32_bit_guest_is_understood)
{
	front.is_32_bit = true;
	front_connect();
	write_then_read();
}
END_TEST

static struct blkif_request_indirect indirect(uint16_t nr_segments, uint64_t sector)
{
	struct blkif_request_segment *segments = fake_page(guest, DATA_REF + 200);

	for (uint32_t i = 0; i < 512; i++)
		segments[i] = (struct blkif_request_segment){ .gref = DATA_REF + i % 200,
							      .last_sect = 7 };
	return (struct blkif_request_indirect){ .operation = BLKIF_OP_INDIRECT,
						.indirect_op = BLKIF_OP_WRITE,
						.nr_segments = nr_segments,
						.id = 9,
						.sector_number = sector,
						.indirect_grefs = { DATA_REF + 200 } };
}

START_TEST(indirect_requests_carry_up_to_64_segments)
{
	struct blkif_request_indirect r;

	front_connect();
	r = indirect(64, 8);
	for (uint32_t i = 0; i < 64; i++)
		fill_page(i, (unsigned char)(i + 1));
	front_send_entry(0, &r, sizeof(r));
	run();
	ck_assert_int_eq(front_take(0, 9), BLKIF_RSP_OKAY);
	ck_assert_uint_eq(front.last_operation, BLKIF_OP_WRITE); /* the one inside */
	ck_assert_uint_eq(disk.bytes[8 * SECTOR], 1);
	ck_assert_uint_eq(disk.bytes[(8 + 63 * PAGE_SECTORS) * SECTOR], 64);
	r = indirect(65, 8);
	front_send_entry(0, &r, sizeof(r));
	expect_stopped("65 segments");
}
END_TEST

START_TEST(the_page_of_an_indirect_request_stays_mapped_where_grants_last)
{
	struct blkif_request_indirect r;

	front.is_persistent = true;
	front_connect();
	for (uint32_t i = 0; i < 3; i++) {
		r = indirect(3, 8 * i);
		front_send_entry(0, &r, sizeof(r));
		run();
		ck_assert_int_eq(front_take(0, 9), BLKIF_RSP_OKAY);
	}
	ck_assert_uint_eq(fake_nr_mapped(guest), 1 + 1 + 3);
	ck_assert_uint_eq(fake_nr_copies(guest), 0);
}
END_TEST

START_TEST(a_flush_makes_durable_before_it_is_answered)
{
	front_connect();
	disk.is_held = true;
	front_send(0, BLKIF_OP_FLUSH_DISKCACHE, 1, 0, 0, 0);
	run();
	ck_assert_int_eq(front_take(0, 1), -100);
	disk_release(1);
	run();
	ck_assert_int_eq(front_take(0, 1), BLKIF_RSP_OKAY);
	ck_assert_uint_eq(disk.nr_flushed, 1);
}
END_TEST

START_TEST(a_barrier_comes_after_all_before_it_and_nothing_passes_it)
{
	front_connect();
	disk.is_held = true;
	front_send(0, BLKIF_OP_WRITE, 1, 0, 0, 1);
	front_send(0, BLKIF_OP_WRITE_BARRIER, 2, 8, 1, 1);
	front_send(0, BLKIF_OP_WRITE, 3, 16, 2, 1);
	run();
	ck_assert_uint_eq(disk.nr_held, 1); /* the first write only */
	disk_release(1);
	run();
	ck_assert_uint_eq(disk.nr_flushed, 0);
	disk_release(1); /* the flush before */
	ck_assert_uint_eq(disk.nr_flushed, 1);
	ck_assert_uint_eq(disk.nr_written, 1);
	disk_release(1); /* the data */
	run();
	ck_assert_uint_eq(disk.nr_written, 2);
	ck_assert_uint_eq(disk.nr_held, 1);
	ck_assert_int_eq(front_take(0, 1), BLKIF_RSP_OKAY);
	ck_assert_int_eq(front_take(0, 2), -100);
	disk_release(1); /* the flush after */
	run();
	ck_assert_int_eq(front_take(0, 2), BLKIF_RSP_OKAY);
	ck_assert_uint_eq(disk.nr_held, 1); /* the last write has begun */
	disk_release(1);
	run();
	ck_assert_int_eq(front_take(0, 3), BLKIF_RSP_OKAY);
}
END_TEST

START_TEST(discards_are_done_where_they_can_be_and_refused_where_not)
{
	struct blkif_request_discard r = {
		.operation = BLKIF_OP_DISCARD, .id = 1, .sector_number = 8, .nr_sectors = 8
	};

	front_connect();
	front_send_entry(0, &r, sizeof(r));
	run();
	ck_assert_int_eq(front_take(0, 1), BLKIF_RSP_OKAY);
	ck_assert_uint_eq(disk.bytes[8 * SECTOR], 0);
	r.flag = BLKIF_DISCARD_SECURE;
	front_send_entry(0, &r, sizeof(r));
	run();
	ck_assert_int_eq(front_take(0, 1), BLKIF_RSP_EOPNOTSUPP);
	r.flag = 0;
	r.sector_number = DISK_SECTORS - 1;
	r.nr_sectors = UINT64_MAX;
	front_send_entry(0, &r, sizeof(r));
	expect_stopped("sectors 4095 + 18446744073709551615 of 4096");
}
END_TEST

START_TEST(a_disk_that_is_read_only_refuses_writes_and_says_so)
{
	disk.backing.is_read_only = true;
	block.is_read_only = true;
	fake_set(guest, FRONT, "state", "6");
	run();
	fake_set(guest, FRONT, "state", "1");
	run();
	ck_assert_str_eq(node("info"), "4");
	front_connect();
	front_send(0, BLKIF_OP_WRITE, 1, 0, 0, 1);
	front_send(0, BLKIF_OP_READ, 2, 0, 0, 1);
	front_send(0, BLKIF_OP_FLUSH_DISKCACHE, 3, 0, 0, 0);
	run();
	ck_assert_int_eq(front_take(0, 1), BLKIF_RSP_ERROR);
	ck_assert_int_eq(front_take(0, 2), BLKIF_RSP_OKAY);
	ck_assert_int_eq(front_take(0, 3), BLKIF_RSP_OKAY);
	ck_assert_uint_eq(disk.nr_written, 0);
}
END_TEST

START_TEST(an_operation_nobody_knows_is_answered_as_such)
{
	front_connect();
	front_send(0, 99, 5, 0, 0, 1);
	run();
	ck_assert_int_eq(front_take(0, 5), BLKIF_RSP_EOPNOTSUPP);
	write_then_read();
}
END_TEST

START_TEST(an_error_of_the_disk_is_an_error_of_the_request_only)
{
	front_connect();
	disk.result = -EIO;
	front_send(0, BLKIF_OP_READ, 1, 0, 0, 1);
	run();
	ck_assert_int_eq(front_take(0, 1), BLKIF_RSP_ERROR);
	disk.result = 0;
	write_then_read();
}
END_TEST

START_TEST(without_space_the_guest_waits_and_nothing_is_lost)
{
	front_connect();
	disk.result = -ENOSPC;
	fill_page(0, 77);
	front_send(0, BLKIF_OP_WRITE, 1, 0, 0, 1);
	run();
	front_send(0, BLKIF_OP_WRITE, 2, 8, 0, 1);
	run();
	ck_assert_int_eq(front_take(0, 1), -100);
	ck_assert_str_eq(node("status"), "no-space");
	ck_assert_uint_eq(block_timeout_ns(&block), 1000000000);
	clock_ns += 1000000000;
	run(); /* still none */
	ck_assert_str_eq(node("status"), "no-space");
	disk.result = 0;
	clock_ns += 1000000000;
	run();
	ck_assert_str_eq(node("status"), "ok");
	ck_assert_int_eq(front_take(0, 1), BLKIF_RSP_OKAY);
	ck_assert_int_eq(front_take(0, 2), BLKIF_RSP_OKAY);
	ck_assert_uint_eq(disk.bytes[0], 77);
}
END_TEST

START_TEST(a_flush_that_had_no_space_is_an_error_and_not_tried_again)
{
	front_connect();
	disk.result = -ENOSPC;
	front_send(0, BLKIF_OP_FLUSH_DISKCACHE, 1, 0, 0, 0);
	run();
	ck_assert_int_eq(front_take(0, 1), BLKIF_RSP_ERROR);
	disk.result = 0;
	write_then_read();
}
END_TEST

START_TEST(limits_hold_requests_back_for_as_long_as_they_say)
{
	uint64_t id;
	int nr = 0;

	ck_assert_int_eq(limits_set(&block.limits, "operations-write=100", &block.why), 0);
	limits_start(&block.limits, clock_ns);
	front_connect();
	for (uint32_t i = 0; i < 30; i++)
		front_send(0, BLKIF_OP_WRITE, i, 0, 0, 1);
	front_send(0, BLKIF_OP_READ, 30, 0, 0, 1);
	run();
	ck_assert_uint_eq(disk.nr_read, 1); /* reads do not wait for writes */
	ck_assert_uint_eq(disk.nr_written, 10);
	for (int i = 0; i < 1000 && disk.nr_written < 30; i++) {
		uint64_t wait = block_timeout_ns(&block);

		ck_assert_uint_le(wait, 20000000);
		clock_ns += wait;
		run();
	}
	ck_assert_uint_ge(clock_ns, 1000000000 + 190000000); /* 20 more, 100 a second */
	ck_assert_uint_le(clock_ns, 1000000000 + 230000000);
	while (front_status(0, &id) == BLKIF_RSP_OKAY)
		nr++;
	ck_assert_int_eq(nr, 31);
}
END_TEST

START_TEST(a_disk_that_has_grown_is_told_to_the_guest)
{
	disk.backing.nr_bytes = sizeof(disk.bytes) / 2;
	front_connect();
	block_resized(&block);
	ck_assert_str_eq(node("sectors"), "4096");
	ck_assert_str_eq(node("state"), "4");
	front_send(0, BLKIF_OP_READ, 1, DISK_SECTORS - 8, 0, 1);
	run();
	ck_assert_int_eq(front_take(0, 1), BLKIF_RSP_OKAY);
}
END_TEST

/* What a guest may not do. */

START_TEST(indices_far_ahead_stop_the_device)
{
	front_connect();
	front.ring[0].view.shared->req_prod = 33;
	expect_stopped("impossible index");
}
END_TEST

START_TEST(a_segment_that_leaves_its_page_stops_the_device)
{
	struct blkif_request r = { .operation = BLKIF_OP_READ,
				   .nr_segments = 1,
				   .seg = { { .gref = DATA_REF, .last_sect = 8 } } };

	front_connect();
	front_send_entry(0, &r, sizeof(r));
	expect_stopped("sector 0 to 8 of a page");
}
END_TEST

START_TEST(a_segment_that_ends_before_it_begins_stops_the_device)
{
	struct blkif_request r = {
		.operation = BLKIF_OP_READ,
		.nr_segments = 1,
		.seg = { { .gref = DATA_REF, .first_sect = 2, .last_sect = 1 } }
	};

	front_connect();
	front_send_entry(0, &r, sizeof(r));
	expect_stopped("sector 2 to 1 of a page");
}
END_TEST

START_TEST(segment_counts_out_of_range_stop_the_device)
{
	struct blkif_request r = { .operation = BLKIF_OP_READ, .nr_segments = 12 };

	front_connect();
	front_send_entry(0, &r, sizeof(r));
	expect_stopped("12 segments");
}
END_TEST

START_TEST(a_read_of_no_segment_stops_the_device)
{
	front_connect();
	front_send(0, BLKIF_OP_READ, 1, 0, 0, 0);
	expect_stopped("0 segments");
}
END_TEST

START_TEST(requests_beyond_the_end_stop_the_device)
{
	front_connect();
	front_send(0, BLKIF_OP_WRITE, 1, DISK_SECTORS - 7, 0, 1);
	expect_stopped("sectors 4089 + 8 of 4096");
}
END_TEST

START_TEST(requests_that_wrap_around_stop_the_device)
{
	front_connect();
	front_send(0, BLKIF_OP_READ, 1, UINT64_MAX - 3, 0, 1);
	expect_stopped("of 4096");
}
END_TEST

START_TEST(a_grant_that_is_none_stops_the_device)
{
	front_connect();
	fake_revoke(guest, DATA_REF);
	front_send(0, BLKIF_OP_WRITE, 1, 0, 0, 1);
	expect_stopped("to be written that it had not granted");
}
END_TEST

START_TEST(a_grant_revoked_in_flight_stops_the_device)
{
	front_connect();
	disk.is_held = true;
	front_send(0, BLKIF_OP_READ, 1, 0, 0, 1);
	run();
	fake_revoke(guest, DATA_REF);
	disk_release(1);
	expect_stopped("to be read to that it had not granted");
}
END_TEST

START_TEST(an_indirect_page_that_is_not_granted_stops_the_device)
{
	struct blkif_request_indirect r;

	front_connect();
	r = indirect(3, 0);
	fake_revoke(guest, DATA_REF + 200);
	front_send_entry(0, &r, sizeof(r));
	expect_stopped("indirect request in a page");
}
END_TEST

START_TEST(an_indirect_request_that_is_neither_read_nor_write_stops_the_device)
{
	struct blkif_request_indirect r;

	front_connect();
	r = indirect(3, 0);
	r.indirect_op = BLKIF_OP_INDIRECT;
	front_send_entry(0, &r, sizeof(r));
	expect_stopped("of kind 6");
}
END_TEST

static void refuse_nodes(const char *name, const char *value)
{
	front_write_nodes();
	fake_set(guest, FRONT, name, value);
	fake_set(guest, FRONT, "state", "3");
	expect_stopped(name);
}

START_TEST(a_ring_that_is_not_granted_is_refused)
{
	front_write_nodes();
	fake_revoke(guest, RING_REF);
	fake_set(guest, FRONT, "state", "3");
	expect_stopped("mapping the guest's ring 0");
}
END_TEST

START_TEST(a_ring_of_too_many_pages_is_refused)
{
	refuse_nodes("ring-page-order", "5");
}
END_TEST

START_TEST(too_many_queues_are_refused)
{
	refuse_nodes("multi-queue-num-queues", "5");
}
END_TEST

START_TEST(no_queue_is_refused)
{
	refuse_nodes("multi-queue-num-queues", "0");
}
END_TEST

START_TEST(an_unknown_protocol_is_refused)
{
	refuse_nodes("protocol", "arm-abi");
}
END_TEST

START_TEST(a_device_without_an_event_channel_is_refused_and_gives_its_ring_back)
{
	refuse_nodes("event-channel", NULL);
}
END_TEST

START_TEST(a_device_that_closes_waits_for_its_io)
{
	front.is_persistent = true;
	front_connect();
	disk.is_held = true;
	front_send(0, BLKIF_OP_READ, 1, 0, 0, 4);
	run();
	fake_set(guest, FRONT, "state", "5");
	run();
	ck_assert_str_eq(node("state"), "5");
	ck_assert_uint_eq(disk.nr_held, 0);
	ck_assert_uint_eq(fake_nr_mapped(guest), 0);
}
END_TEST

UNIT_MAIN("block", front_setup, front_teardown, a_disk_tells_what_it_is_and_can_do,
	  what_is_written_is_read_again_by_copies, grants_that_last_are_mapped_once_and_not_copied,
	  pages_that_are_used_in_the_same_order_again_and_again_become_one_piece,
	  pages_that_are_not_used_again_soon_do_not_become_one_piece,
	  what_cannot_be_mapped_as_one_piece_goes_page_by_page,
	  parts_of_pages_become_one_piece_only_at_its_ends, a_page_that_cannot_be_mapped_is_copied,
	  pages_the_kernel_cannot_reach_are_copied_from_then_on,
	  queues_and_rings_of_several_pages_work_together, a_32_bit_guest_is_understood,
	  indirect_requests_carry_up_to_64_segments,
	  the_page_of_an_indirect_request_stays_mapped_where_grants_last,
	  a_flush_makes_durable_before_it_is_answered,
	  a_barrier_comes_after_all_before_it_and_nothing_passes_it,
	  discards_are_done_where_they_can_be_and_refused_where_not,
	  a_disk_that_is_read_only_refuses_writes_and_says_so,
	  an_operation_nobody_knows_is_answered_as_such,
	  an_error_of_the_disk_is_an_error_of_the_request_only,
	  without_space_the_guest_waits_and_nothing_is_lost,
	  a_flush_that_had_no_space_is_an_error_and_not_tried_again,
	  limits_hold_requests_back_for_as_long_as_they_say,
	  a_disk_that_has_grown_is_told_to_the_guest, indices_far_ahead_stop_the_device,
	  a_segment_that_leaves_its_page_stops_the_device,
	  a_segment_that_ends_before_it_begins_stops_the_device,
	  segment_counts_out_of_range_stop_the_device, a_read_of_no_segment_stops_the_device,
	  requests_beyond_the_end_stop_the_device, requests_that_wrap_around_stop_the_device,
	  a_grant_that_is_none_stops_the_device, a_grant_revoked_in_flight_stops_the_device,
	  an_indirect_page_that_is_not_granted_stops_the_device,
	  an_indirect_request_that_is_neither_read_nor_write_stops_the_device,
	  a_ring_that_is_not_granted_is_refused, a_ring_of_too_many_pages_is_refused,
	  too_many_queues_are_refused, no_queue_is_refused, an_unknown_protocol_is_refused,
	  a_device_without_an_event_channel_is_refused_and_gives_its_ring_back,
	  a_device_that_closes_waits_for_its_io)
