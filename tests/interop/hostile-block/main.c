/*
 * A frontend that sends what no honest one would: case= says what. Afterwards the disk must have been stopped, or
 * have answered with an error and work on, or work as if nothing was, as the table says; and a second disk of the
 * same guest, where there is one, must not have noticed. Words after the result tell which it was.
 */
#include "cases.h"
#include "front/block.h"
#include "options.h"

#define ANSWER_TIME  (5 * SEC)
#define ALL_IN_RING  32u
#define BAD_GRANT    4000u /* free, so nobody has granted anything by it */
#define NO_GRANT     0xffffffffu
#define STORM_EVENTS 20000u

const char test_title[] = "a hostile frontend of a disk harms only itself";

enum outcome {
	NOTHING, /* no answer, and the backend stays connected */
	WORKED,
	REFUSED, /* answered with an error */
	STOPPED,
};

static const char *const outcome_names[] = { "no answer", "it worked", "it was refused",
					     "the disk was stopped" };

static struct block disk, bystander;
static struct block_queue *queue;
static uint8_t *data; /* a page */
static uint32_t grant;

/* --- words for the cases --- */

static bool is_stopped(void)
{
	return xenbus_backend_state(&disk.bus) != XenbusStateConnected;
}

static struct blkif_request good_request(void)
{
	return (struct blkif_request){
		.operation = BLKIF_OP_READ,
		.nr_segments = 1,
		.id = 77,
		.seg[0] = { .gref = grant, .first_sect = 0, .last_sect = 7 },
	};
}

static void put(const void *request, size_t size)
{
	ring_front_put(&queue->ring, request, size);
	ring_front_push(&queue->ring);
	event_send(queue->port);
}

/* Takes so many answers, or what comes in time. */
static enum outcome answers(unsigned int count)
{
	uint64_t end = clock_ns() + ANSWER_TIME;
	enum outcome outcome = WORKED;
	struct blkif_response response;

	while (count && clock_ns() < end) {
		if (ring_front_take(&queue->ring, &response, sizeof(response)) == RING_TAKEN) {
			if (response.status)
				outcome = REFUSED;
			count--;
		} else if (is_stopped()) {
			return STOPPED;
		} else {
			block_wait(queue, 100 * MS);
		}
	}
	if (!count)
		return outcome;
	return is_stopped() ? STOPPED : NOTHING;
}

static enum outcome send(const void *request, size_t size)
{
	put(request, size);
	return answers(1);
}

static enum outcome send_request(struct blkif_request request)
{
	return send(&request, sizeof(request));
}

static enum outcome set_producer(RING_IDX index)
{
	ring_store(&queue->ring.view.shared->req_prod, index);
	event_send(queue->port);
	return WAIT_UNTIL(is_stopped(), ANSWER_TIME) ? STOPPED : NOTHING;
}

/* --- indices --- */

static enum outcome index_ahead(void)
{
	return set_producer(queue->ring.req_prod + queue->ring.view.nr_entries + 1);
}

static enum outcome index_far_ahead(void)
{
	return set_producer(queue->ring.req_prod + 0x80000000u);
}

static enum outcome index_back(void)
{
	struct blkif_request request = good_request();
	enum outcome outcome = send(&request, sizeof(request));

	return outcome == WORKED ? set_producer(queue->ring.req_prod - 1) : outcome;
}

static enum outcome index_wrap(void)
{
	enum outcome outcome = WORKED;

	for (unsigned int i = 0; i < 100 && outcome == WORKED; i++)
		outcome = send_request(good_request());
	return outcome;
}

/* --- requests --- */

static enum outcome unknown_operation(void)
{
	struct blkif_request r = good_request();

	r.operation = 99;
	return send_request(r);
}

static enum outcome no_segments(void)
{
	struct blkif_request r = good_request();

	r.nr_segments = 0;
	return send_request(r);
}

static enum outcome many_segments(void)
{
	struct blkif_request r = good_request();

	r.nr_segments = BLKIF_MAX_SEGMENTS_PER_REQUEST + 1;
	return send_request(r);
}

static enum outcome most_segments(void)
{
	struct blkif_request r = good_request();

	r.nr_segments = 255;
	return send_request(r);
}

static enum outcome first_after_last(void)
{
	struct blkif_request r = good_request();

	r.seg[0].first_sect = 5;
	r.seg[0].last_sect = 4;
	return send_request(r);
}

static enum outcome behind_page(void)
{
	struct blkif_request r = good_request();

	r.seg[0].last_sect = 8;
	return send_request(r);
}

static enum outcome behind_disk(void)
{
	struct blkif_request r = good_request();

	r.sector_number = disk.nr_sectors - 7;
	return send_request(r);
}

static enum outcome sector_overflow(void)
{
	struct blkif_request r = good_request();

	r.sector_number = ~0UL - 3;
	return send_request(r);
}

static enum outcome write_behind_disk(void)
{
	struct blkif_request r = good_request();

	r.operation = BLKIF_OP_WRITE;
	r.sector_number = disk.nr_sectors;
	return send_request(r);
}

static enum outcome discard_behind_disk(void)
{
	struct blkif_request_discard r = {
		.operation = BLKIF_OP_DISCARD,
		.sector_number = 8,
		.nr_sectors = ~0UL - 7,
	};

	return send(&r, sizeof(r));
}

/* The same page many times over: strange, and no harm to anybody. */
static enum outcome overlapping_segments(void)
{
	struct blkif_request r = good_request();

	for (unsigned int i = 1; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
		r.seg[i] = r.seg[0];
	r.nr_segments = BLKIF_MAX_SEGMENTS_PER_REQUEST;
	return send_request(r);
}

static enum outcome equal_ids(void)
{
	struct blkif_request r = good_request();

	put(&r, sizeof(r));
	put(&r, sizeof(r));
	return answers(2);
}

/* --- grants --- */

static enum outcome never_granted(void)
{
	struct blkif_request r = good_request();

	r.seg[0].gref = BAD_GRANT;
	return send_request(r);
}

static enum outcome no_such_grant(void)
{
	struct blkif_request r = good_request();

	r.seg[0].gref = NO_GRANT;
	return send_request(r);
}

static enum outcome read_into_readonly(void)
{
	struct blkif_request r = good_request();

	r.seg[0].gref = grant_take(disk.bus.backend_domid, data, GTF_readonly);
	return send_request(r);
}

static enum outcome one_bad_of_many(void)
{
	struct blkif_request r = good_request();

	r.nr_segments = 3;
	r.seg[1] = r.seg[0];
	r.seg[2] = r.seg[0];
	r.seg[1].gref = BAD_GRANT;
	return send_request(r);
}

static enum outcome foreign_page(void)
{
	struct blkif_request r = good_request();

	r.seg[0].gref = grant_take(disk.bus.backend_domid, (void *)0xffff0000, 0); /* no memory */
	return send_request(r);
}

static enum outcome revoked_in_flight(void)
{
	uint32_t refs[ALL_IN_RING];

	for (unsigned int i = 0; i < ALL_IN_RING; i++) {
		struct blkif_request r = good_request();

		refs[i] = grant_take(disk.bus.backend_domid, data, 0);
		r.seg[0].gref = refs[i];
		ring_front_put(&queue->ring, &r, sizeof(r));
	}
	ring_front_push(&queue->ring);
	event_send(queue->port);
	for (unsigned int i = 0; i < ALL_IN_RING; i++)
		grant_revoke(refs[i]);
	return answers(ALL_IN_RING);
}

/* --- indirect requests --- */

static struct blkif_request_indirect indirect(uint16_t nr_segments)
{
	struct blkif_request_segment *segments = page_alloc();
	struct blkif_request_indirect r = {
		.operation = BLKIF_OP_INDIRECT,
		.indirect_op = BLKIF_OP_READ,
		.nr_segments = nr_segments,
	};

	for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*segments); i++)
		segments[i] = (struct blkif_request_segment){ .gref = grant, .last_sect = 7 };
	for (unsigned int i = 0; i < BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST; i++)
		r.indirect_grefs[i] = grant_take(disk.bus.backend_domid, segments, 0);
	return r;
}

static enum outcome indirect_good(void)
{
	struct blkif_request_indirect r = indirect(12);

	return send(&r, sizeof(r));
}

static enum outcome indirect_none(void)
{
	struct blkif_request_indirect r = indirect(0);

	return send(&r, sizeof(r));
}

static enum outcome indirect_most(void)
{
	struct blkif_request_indirect r = indirect(0xffff);

	return send(&r, sizeof(r));
}

static enum outcome indirect_operation(void)
{
	struct blkif_request_indirect r = indirect(12);

	r.indirect_op = BLKIF_OP_INDIRECT;
	return send(&r, sizeof(r));
}

static enum outcome indirect_discard(void)
{
	struct blkif_request_indirect r = indirect(12);

	r.indirect_op = BLKIF_OP_DISCARD;
	return send(&r, sizeof(r));
}

static enum outcome indirect_never_granted(void)
{
	struct blkif_request_indirect r = indirect(12);

	r.indirect_grefs[0] = BAD_GRANT;
	return send(&r, sizeof(r));
}

/* The segments change while they may be looked at. */
static enum outcome indirect_changing(void)
{
	struct blkif_request_indirect r = indirect(12);
	struct blkif_request_segment *segments =
		(struct blkif_request_segment *)((uint64_t)grant_table[r.indirect_grefs[0]].frame
						 << PAGE_SHIFT);

	put(&r, sizeof(r));
	for (unsigned int i = 0; i < 200000; i++)
		*(volatile uint8_t *)&segments[i % 12].last_sect = i & 1 ? 255 : 7;
	return answers(1);
}

/* --- others --- */

static enum outcome event_storm(void)
{
	for (unsigned int i = 0; i < STORM_EVENTS; i++)
		event_send(queue->port);
	return send_request(good_request());
}

/* The whole ring is bytes that mean nothing. */
static enum outcome rubbish(void)
{
	uint64_t state = option_number("seed", 1);
	enum outcome outcome = WORKED;

	for (unsigned int i = 0; i < 1000 && outcome != STOPPED && outcome != NOTHING; i++) {
		uint64_t words[sizeof(struct blkif_request) / 8];

		for (unsigned int w = 0; w < ARRAY_SIZE(words); w++)
			words[w] = random_next(&state);
		((struct blkif_request *)words)->operation %= 8;
		if (((struct blkif_request *)words)->operation == BLKIF_OP_DISCARD)
			((struct blkif_request *)words)->operation = BLKIF_OP_READ;
		outcome = send(words, sizeof(words));
	}
	return outcome == WORKED ? REFUSED : outcome;
}

static enum outcome state_rubbish(void)
{
	xenbus_write(&disk.bus, STORE_NO_TX, "state", "%s", "4294967300x");
	xenbus_write(&disk.bus, STORE_NO_TX, "state", "%u", 99);
	xenbus_write(&disk.bus, STORE_NO_TX, "state", "%u", XenbusStateConnected);
	return send_request(good_request());
}

static enum outcome nodes_gone(void)
{
	store_remove(STORE_NO_TX, disk.bus.path);
	return WAIT_UNTIL(is_stopped(), ANSWER_TIME) ? STOPPED : NOTHING;
}

#define MAY(outcome) (1u << (outcome))
#define REFUSAL      (MAY(REFUSED) | MAY(STOPPED))

static const struct hostile_case {
	const char *name;
	enum outcome (*run)(void);
	unsigned int may;
	RING_IDX first_index;
} cases[] = {
	{ "index-ahead", index_ahead, MAY(STOPPED), 0 },
	{ "index-far-ahead", index_far_ahead, MAY(STOPPED), 0 },
	{ "index-back", index_back, MAY(STOPPED), 0 },
	{ "index-wrap", index_wrap, MAY(WORKED), 0xffffffd0 },
	{ "unknown-operation", unknown_operation, REFUSAL, 0 },
	{ "no-segments", no_segments, REFUSAL, 0 },
	{ "many-segments", many_segments, REFUSAL, 0 },
	{ "most-segments", most_segments, REFUSAL, 0 },
	{ "first-after-last", first_after_last, REFUSAL, 0 },
	{ "behind-page", behind_page, REFUSAL, 0 },
	{ "behind-disk", behind_disk, REFUSAL, 0 },
	{ "sector-overflow", sector_overflow, REFUSAL, 0 },
	{ "write-behind-disk", write_behind_disk, REFUSAL, 0 },
	{ "discard-behind-disk", discard_behind_disk, REFUSAL, 0 },
	{ "overlapping-segments", overlapping_segments, MAY(WORKED), 0 },
	{ "equal-ids", equal_ids, MAY(WORKED), 0 },
	{ "never-granted", never_granted, REFUSAL, 0 },
	{ "no-such-grant", no_such_grant, REFUSAL, 0 },
	{ "read-into-readonly", read_into_readonly, REFUSAL, 0 },
	{ "one-bad-of-many", one_bad_of_many, REFUSAL, 0 },
	{ "foreign-page", foreign_page, REFUSAL, 0 },
	{ "revoked-in-flight", revoked_in_flight, REFUSAL | MAY(WORKED), 0 },
	{ "indirect-good", indirect_good, MAY(WORKED), 0 },
	{ "indirect-none", indirect_none, REFUSAL, 0 },
	{ "indirect-most", indirect_most, REFUSAL, 0 },
	{ "indirect-operation", indirect_operation, REFUSAL, 0 },
	{ "indirect-discard", indirect_discard, REFUSAL, 0 },
	{ "indirect-never-granted", indirect_never_granted, REFUSAL, 0 },
	{ "indirect-changing", indirect_changing, REFUSAL | MAY(WORKED), 0 },
	{ "event-storm", event_storm, MAY(WORKED), 0 },
	{ "rubbish", rubbish, REFUSAL, 0 },
	{ "state-rubbish", state_rubbish, MAY(WORKED) | MAY(STOPPED), 0 },
	{ "nodes-gone", nodes_gone, MAY(STOPPED), 0 },
};

static bool still_works(void)
{
	grant = grant_take(disk.bus.backend_domid, data, 0);
	return send_request(good_request()) == WORKED;
}

void test_main(void)
{
	const struct hostile_case *c;
	struct block_options options = { 0 };
	enum outcome outcome;
	bool has_bystander;

	front_init();
	c = &cases[CHOSEN_CASE(cases)];
	options.first_index = c->first_index;
	if (block_open(&disk, 0, &options))
		test_error("the disk does not connect");
	has_bystander = !block_open(&bystander, 1, NULL);
	queue = &disk.queue[0];
	data = page_alloc();
	grant = grant_take(disk.bus.backend_domid, data, 0);
	outcome = c->run();
	check(c->may & MAY(outcome), "%s: %s", c->name, outcome_names[outcome]);
	if (outcome == REFUSED || outcome == WORKED)
		check(still_works(), "the disk works on");
	if (has_bystander)
		check_err(block_transfer(&bystander, BLKIF_OP_READ, 0, 8, data), 0,
			  "the other disk works on");
}
