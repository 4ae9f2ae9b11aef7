/* lodge-block killed and started again, between any two steps: no request is lost, none is answered twice. */
#include <string.h>

#include "fake-front.h"
#include "unit.h"

static uint32_t nr_answers[64];

static void collect(uint32_t queue)
{
	uint64_t id;
	int status;

	while ((status = front_status(queue, &id)) != -100) {
		ck_assert_int_eq(status, BLKIF_RSP_OKAY);
		ck_assert_uint_lt(id, ARRAY_SIZE(nr_answers));
		nr_answers[id]++;
	}
}

static void setup(void)
{
	front_setup();
	memset(nr_answers, 0, sizeof(nr_answers));
}

static void restart(void)
{
	front_kill_backend();
	front_restart_backend();
	ck_assert_str_eq(node("error"), "");
	ck_assert(block.xenbus.is_connected);
}

START_TEST(a_killed_process_leaves_nothing_unanswered_or_answered_twice)
{
	front_connect();
	disk.is_held = true;
	for (uint32_t i = 0; i < 20; i++)
		front_send(0, BLKIF_OP_WRITE, i, (uint64_t)i * 8, i, 1);
	run();
	disk_release(7);
	run();           /* seven are published */
	disk_release(3); /* three more are written, and answered in the ring, but not published */
	restart();
	ck_assert_uint_eq(disk.nr_held, 13);
	disk.is_held = false;
	disk_release(13);
	run();
	collect(0);
	for (uint32_t i = 0; i < 20; i++)
		ck_assert_uint_eq(nr_answers[i], 1);
}
END_TEST

START_TEST(a_disk_that_has_grown_meanwhile_is_told_to_the_guest)
{
	struct err err;

	front_connect();
	front_kill_backend();
	disk.backing.nr_bytes *= 2;
	front_restart_backend();
	ck_assert_int_eq(block_announce_size(&block, &err), 0);
	ck_assert_str_eq(node("sectors"), "8192");
	ck_assert_str_eq(node("state"), "4");
	front_kill_backend();
	disk.backing.nr_bytes /= 2; /* which it may not */
	front_restart_backend();
	ck_assert_int_eq(block_announce_size(&block, &err), 0);
	ck_assert_str_eq(node("sectors"), "8192");
}
END_TEST

START_TEST(answers_out_of_order_do_not_harm_requests_that_wait)
{
	front_connect();
	disk.is_held = true;
	for (uint32_t i = 0; i < 8; i++)
		front_send(0, BLKIF_OP_WRITE, i, (uint64_t)i * 8, i, 1);
	run();
	for (uint32_t i = 0; i < 4; i++) { /* the youngest first */
		struct list_node *last = list_last(&disk.held);

		list_remove(last);
		list_push_front(&disk.held, last);
		disk_release(1);
		run();
	}
	restart();
	ck_assert_uint_eq(disk.nr_held, 4);
	disk_release(4);
	run();
	collect(0);
	for (uint32_t i = 0; i < 8; i++)
		ck_assert_uint_eq(nr_answers[i], 1);
}
END_TEST

START_TEST(what_is_done_again_is_done_in_the_order_of_the_guest)
{
	front_connect();
	disk.is_held = true;
	for (uint32_t i = 0; i < 6; i++)
		front_send(0, BLKIF_OP_WRITE, i, (uint64_t)i * 8, i, 1);
	run();
	disk_release(2);
	run();
	for (uint32_t i = 6; i < 12; i++) /* these take slots that became free */
		front_send(0, BLKIF_OP_WRITE, i, (uint64_t)i * 8, i, 1);
	run();
	restart();
	for (uint64_t sector = 16; sector < 96; sector += 8) {
		struct transfer *t = list_entry(list_first(&disk.held), struct transfer, node);

		ck_assert_uint_eq(t->offset, sector * SECTOR);
		disk_release(1);
	}
	run();
	collect(0);
	for (uint32_t i = 0; i < 12; i++)
		ck_assert_uint_eq(nr_answers[i], 1);
}
END_TEST

START_TEST(a_barrier_is_one_after_a_restart_too)
{
	front.nr_queues = 2;
	front_connect();
	disk.is_held = true;
	front_send(1, BLKIF_OP_WRITE, 1, 0, 0, 1);
	run();
	front_send(0, BLKIF_OP_WRITE_BARRIER, 2, 8, 1, 1);
	run();
	restart();
	run();
	ck_assert_uint_eq(disk.nr_held, 1); /* the write of the other queue */
	ck_assert_int_eq(list_entry(list_first(&disk.held), struct transfer, node)->kind,
			 TRANSFER_WRITE);
	disk.is_held = false;
	disk_release(1);
	run();
	collect(0);
	collect(1);
	ck_assert_uint_eq(nr_answers[1], 1);
	ck_assert_uint_eq(nr_answers[2], 1);
}
END_TEST

START_TEST(the_guest_is_notified_once_by_the_new_process)
{
	front_connect();
	(void)fake_notified(guest, PORT);
	restart();
	ck_assert_uint_eq(fake_notified(guest, PORT), 1);
}
END_TEST

START_TEST(a_kill_between_any_two_steps_of_the_journal_is_survived)
{
	struct journal_slot *slot;

	front_connect();
	disk.is_held = true;
	front_send(0, BLKIF_OP_WRITE, 0, 0, 0, 1);
	run();
	/* A request in a slot, but not counted: it is still in the ring. */
	front_send(0, BLKIF_OP_WRITE, 1, 8, 1, 1);
	slot = &block.journal->slots[200];
	slot->queue = 0;
	slot->index = 1;
	memset(slot->entry, 0xff, sizeof(slot->entry));
	slot->state = SLOT_TAKEN;
	restart();
	run();
	ck_assert_uint_eq(disk.nr_held, 2);
	/* Published, but the slot not freed. */
	disk_release(1);
	slot = block.journal->slots;
	while (slot->state != SLOT_ANSWERED)
		slot++;
	run();
	ck_assert_uint_eq(slot->state, SLOT_FREE);
	slot->state = SLOT_ANSWERED;
	restart();
	run();
	ck_assert_uint_eq(disk.nr_held, 1);
	disk_release(1);
	run();
	collect(0);
	ck_assert_uint_eq(nr_answers[0], 1);
	ck_assert_uint_eq(nr_answers[1], 1);
}
END_TEST

START_TEST(a_guest_that_changes_its_ring_meanwhile_harms_itself_only)
{
	front_connect();
	disk.is_held = true;
	front_send(0, BLKIF_OP_WRITE, 0, 0, 0, 1);
	run();
	front_kill_backend();
	front.ring[0].view.shared->rsp_prod = 1;
	front_restart_backend();
	ck_assert(!block.xenbus.is_connected);
	ck_assert_str_eq(node("state"), "5");
	ck_assert(strstr(node("error"), "ring 0") != NULL);
}
END_TEST

START_TEST(random_kills_lose_nothing)
{
	uint32_t random = 12345, sent = 0;

	front.nr_queues = 3;
	front_connect();
	disk.is_held = true;
	for (int i = 0; i < 3000; i++) {
		uint32_t q;

		random = random * 1664525 + 1013904223;
		q = (random >> 8) % 3;
		if (random >> 28 < 6 && ring_front_free(&front.ring[q]) && sent < 2000)
			front_send(q, BLKIF_OP_WRITE, sent++ % 64, (random >> 12) % 4000, q, 1);
		else if (random >> 28 < 10)
			disk_release(random >> 4 & 7);
		else if (random >> 28 < 15)
			run();
		else
			restart();
		collect(q);
	}
	for (int i = 0; i < 1000 && (disk.nr_held || block.nr_busy); i++) {
		disk_release(100);
		run();
	}
	run();
	for (uint32_t q = 0; q < 3; q++)
		collect(q);
	for (uint32_t i = 0; i < 64; i++)
		ck_assert_uint_eq(nr_answers[i], sent / 64 + (i < sent % 64));
}
END_TEST

UNIT_MAIN("block restart", setup, front_teardown,
	  a_killed_process_leaves_nothing_unanswered_or_answered_twice,
	  a_disk_that_has_grown_meanwhile_is_told_to_the_guest,
	  answers_out_of_order_do_not_harm_requests_that_wait,
	  what_is_done_again_is_done_in_the_order_of_the_guest,
	  a_barrier_is_one_after_a_restart_too, the_guest_is_notified_once_by_the_new_process,
	  a_kill_between_any_two_steps_of_the_journal_is_survived,
	  a_guest_that_changes_its_ring_meanwhile_harms_itself_only, random_kills_lose_nothing)
