/* pv-drivers/ring: both ends on one piece of memory, and each against a peer that writes what it likes. */
#include <string.h>

#include "abi/blkif.h"
#include "abi/console.h"
#include "ring/ring.h"
#include "ring/stream.h"
#include "unit.h"

struct entry {
	uint32_t word[3];
};

#define BYTES 4096
#define NR    256 /* entries of 12 bytes in a page: 336, rounded down */

static _Alignas(4096) unsigned char page[BYTES];
static struct ring_front front;
static struct ring_back back;
static struct ring_header *shared;

static void setup(void)
{
	memset(page, 0, sizeof(page));
	shared = (struct ring_header *)page;
	ring_front_init(&front, page, BYTES, sizeof(struct entry));
	ring_back_attach(&back, page, BYTES, sizeof(struct entry));
}

static void put(uint32_t value)
{
	ring_front_put(&front, &(struct entry){ { value, ~value, 7 } }, sizeof(struct entry));
}

static uint32_t take(void)
{
	struct entry e;

	ck_assert_int_eq(ring_back_take(&back, &e, sizeof(e)), RING_TAKEN);
	ck_assert_uint_eq(e.word[1], ~e.word[0]);
	return e.word[0];
}

static void answer(uint32_t value)
{
	ring_back_put(&back, &(struct entry){ { value } }, sizeof(struct entry));
}

START_TEST(a_ring_has_as_many_entries_as_fit_rounded_down_to_a_power_of_two)
{
	ck_assert_uint_eq(front.view.nr_entries, NR);
	ck_assert_uint_eq(ring_entries(4096, sizeof(union blkif_sring_entry)), 32);
	ck_assert_uint_eq(ring_entries((size_t)16 * 4096, sizeof(union blkif_sring_entry)), 512);
	ck_assert_uint_eq(ring_entries(64 + 11, 12), 0);
	ck_assert_uint_eq(ring_entries(64 + 12, 12), 1);
}
END_TEST

START_TEST(requests_and_responses_arrive_whole_and_in_order_however_often_the_indices_wrap)
{
	struct entry e;
	uint32_t next = 0;

	shared->req_prod = shared->rsp_prod = UINT32_MAX - 500;
	shared->req_event = shared->rsp_event = UINT32_MAX - 499;
	ring_back_attach(&back, page, BYTES, sizeof(struct entry));
	front.req_prod = front.req_sent = front.rsp_cons = front.rsp_seen = UINT32_MAX - 500;
	for (int round = 0; round < 100; round++) {
		for (uint32_t i = 0; i < 7; i++)
			put(next + i);
		ck_assert(ring_front_push(&front));
		for (uint32_t i = 0; i < 7; i++)
			answer(take() + 1000);
		ck_assert_int_eq(ring_back_take(&back, &e, sizeof(e)), RING_EMPTY);
		ck_assert_int_eq(ring_back_rearm(&back), RING_EMPTY);
		ck_assert(ring_back_push(&back));
		for (uint32_t i = 0; i < 7; i++) {
			ck_assert_int_eq(ring_front_take(&front, &e, sizeof(e)), RING_TAKEN);
			ck_assert_uint_eq(e.word[0], next + i + 1000);
		}
		ck_assert_int_eq(ring_front_take(&front, &e, sizeof(e)), RING_EMPTY);
		ck_assert_int_eq(ring_front_rearm(&front), RING_EMPTY);
		next += 7;
	}
}
END_TEST

START_TEST(a_full_ring_has_no_room_until_a_response_is_taken)
{
	struct entry e;

	for (uint32_t i = 0; i < NR; i++)
		put(i);
	ck_assert_uint_eq(ring_front_free(&front), 0);
	(void)ring_front_push(&front);
	for (uint32_t i = 0; i < NR; i++)
		ck_assert_uint_eq(take(), i);
	ck_assert_uint_eq(ring_back_in_flight(&back), NR);
	ck_assert_int_eq(ring_back_take(&back, &e, sizeof(e)), RING_EMPTY);
	answer(1);
	ck_assert_int_eq(ring_front_take(&front, &e, sizeof(e)), RING_EMPTY);
	(void)ring_back_push(&back);
	ck_assert_int_eq(ring_front_take(&front, &e, sizeof(e)), RING_TAKEN);
	ck_assert_uint_eq(ring_front_free(&front), 1);
}
END_TEST

START_TEST(a_side_that_has_not_asked_is_not_notified)
{
	put(1);
	ck_assert(ring_front_push(&front));
	put(2);
	ck_assert(!ring_front_push(&front)); /* the backend is awake */
	ck_assert(!ring_front_push(&front)); /* nothing new */
	take();
	ck_assert_int_eq(ring_back_rearm(&back), RING_TAKEN);
	take();
	ck_assert_int_eq(ring_back_rearm(&back), RING_EMPTY);
	put(3);
	put(4);
	ck_assert(ring_front_push(&front)); /* once for both */
	answer(1);
	ck_assert(ring_back_push(&back));
	answer(2);
	ck_assert(!ring_back_push(&back));
	ck_assert(!ring_back_push(&back));
}
END_TEST

START_TEST(requests_further_ahead_than_the_ring_is_long_break_it)
{
	struct entry e;

	shared->req_prod = NR + 1;
	ck_assert_int_eq(ring_back_take(&back, &e, sizeof(e)), RING_BROKEN);
	ck_assert_int_eq(ring_back_rearm(&back), RING_BROKEN);
	shared->req_prod = UINT32_MAX; /* behind what was taken */
	ck_assert_int_eq(ring_back_take(&back, &e, sizeof(e)), RING_BROKEN);
	shared->req_prod = NR;
	ck_assert_int_eq(ring_back_take(&back, &e, sizeof(e)), RING_TAKEN);
	shared->req_prod = NR + 1; /* the one taken has no answer yet */
	back.req_seen = back.req_cons;
	ck_assert_int_eq(ring_back_take(&back, &e, sizeof(e)), RING_BROKEN);
}
END_TEST

START_TEST(responses_to_what_was_never_asked_break_the_ring)
{
	struct entry e;

	shared->rsp_prod = 1;
	ck_assert_int_eq(ring_front_take(&front, &e, sizeof(e)), RING_BROKEN);
	ck_assert_int_eq(ring_front_rearm(&front), RING_BROKEN);
	put(1); /* not pushed: the backend cannot know it */
	ck_assert_int_eq(ring_front_take(&front, &e, sizeof(e)), RING_BROKEN);
	(void)ring_front_push(&front);
	ck_assert_int_eq(ring_front_take(&front, &e, sizeof(e)), RING_TAKEN);
	shared->rsp_prod = 0;
	ck_assert_int_eq(ring_front_take(&front, &e, sizeof(e)), RING_BROKEN);
}
END_TEST

START_TEST(a_request_changed_after_it_was_taken_stays_what_it_was)
{
	struct entry e;

	put(5);
	(void)ring_front_push(&front);
	ck_assert_int_eq(ring_back_take(&back, &e, sizeof(e)), RING_TAKEN);
	memset(page + sizeof(*shared), 0xff, BYTES - sizeof(*shared));
	ck_assert_uint_eq(e.word[0], 5);
}
END_TEST

START_TEST(a_new_backend_goes_on_where_the_old_one_had_published)
{
	for (uint32_t i = 0; i < 5; i++)
		put(i);
	(void)ring_front_push(&front);
	take();
	take();
	answer(0);
	(void)ring_back_push(&back);
	answer(1); /* not published; and request 1 is lost by that */
	memset(&back, 0xee, sizeof(back));
	ring_back_attach(&back, page, BYTES, sizeof(struct entry));
	ck_assert_uint_eq(back.rsp_prod, 1);
	ck_assert_int_eq(ring_back_resume(&back, 2), RING_TAKEN);
	ck_assert_uint_eq(ring_back_in_flight(&back), 1);
	put(9);
	(void)ring_front_push(&front);
	ck_assert_uint_eq(take(), 2);
}
END_TEST

START_TEST(a_new_backend_resumes_only_within_the_ring)
{
	ck_assert_int_eq(ring_back_resume(&back, NR), RING_TAKEN);
	ck_assert_uint_eq(ring_back_in_flight(&back), NR);
	ring_back_attach(&back, page, BYTES, sizeof(struct entry));
	ck_assert_int_eq(ring_back_resume(&back, NR + 1), RING_BROKEN);
	ck_assert_int_eq(ring_back_resume(&back, UINT32_MAX), RING_BROKEN);
}
END_TEST

START_TEST(a_stream_carries_what_fits_and_refuses_impossible_indices)
{
	struct xencons_interface console = { .out_prod = UINT32_MAX - 1,
					     .out_cons = UINT32_MAX - 1 };
	static char text[4096];
	struct stream writer, reader;

	stream_attach(&writer, console.out, sizeof(console.out), &console.out_prod,
		      &console.out_cons);
	stream_attach(&reader, console.out, sizeof(console.out), &console.out_cons,
		      &console.out_prod);
	ck_assert_int_eq(stream_read(&reader, text, 8), 0);
	ck_assert_int_eq(stream_write(&writer, "abcdef", 6), 6);
	ck_assert_int_eq(stream_read(&reader, text, 4), 4);
	ck_assert_mem_eq(text, "abcd", 4);
	ck_assert_int_eq(stream_write(&writer, text, 4096), 2046);
	ck_assert_int_eq(stream_write(&writer, text, 1), 0);
	ck_assert_int_eq(stream_waiting(&reader), 2048);
	console.out_prod++;
	ck_assert_int_eq(stream_read(&reader, text, 4096), -1);
	console.out_cons = console.out_prod + 5;
	ck_assert_int_eq(stream_write(&writer, "x", 1), -1);
}
END_TEST

UNIT_MAIN("ring", setup, NULL, a_ring_has_as_many_entries_as_fit_rounded_down_to_a_power_of_two,
	  requests_and_responses_arrive_whole_and_in_order_however_often_the_indices_wrap,
	  a_full_ring_has_no_room_until_a_response_is_taken,
	  a_side_that_has_not_asked_is_not_notified,
	  requests_further_ahead_than_the_ring_is_long_break_it,
	  responses_to_what_was_never_asked_break_the_ring,
	  a_request_changed_after_it_was_taken_stays_what_it_was,
	  a_new_backend_goes_on_where_the_old_one_had_published,
	  a_new_backend_resumes_only_within_the_ring,
	  a_stream_carries_what_fits_and_refuses_impossible_indices)
