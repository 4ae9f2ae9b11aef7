/*
 * A frontend that sends packets no honest one would: case= says what. Afterwards the card must have been stopped,
 * or have refused or dropped the packet and work on, as the table says; and a second card of the same guest,
 * where there is one, must not have noticed.
 */
#include "cases.h"
#include "front/net.h"
#include "options.h"

#define ANSWER_TIME  (3 * SEC)
#define BAD_GRANT    4000u /* free, so nobody has granted anything by it */
#define NO_GRANT     0xffffffffu
#define STORM_EVENTS 20000u
#define SMALL_FRAME  64u

const char test_title[] = "a hostile frontend of a network card harms only itself";

enum outcome {
	NOTHING, /* no answer, and the backend stays connected */
	WORKED,
	REFUSED, /* dropped, or answered with an error */
	STOPPED,
};

static const char *const outcome_names[] = { "no answer", "it worked", "it was refused",
					     "the card was stopped" };

static struct net card, bystander;
static struct net_queue *queue;
static uint8_t *page;
static uint32_t grant;

/* --- words for the cases --- */

static bool is_stopped(void)
{
	return xenbus_backend_state(&card.bus) != XenbusStateConnected;
}

/* A broadcast of a protocol for experiments, from this card. */
static void fill_page(void)
{
	memset(page, 0xff, 6);
	memcpy(page + 6, card.mac, 6);
	page[12] = 0x88;
	page[13] = 0xb5;
	for (unsigned int i = 14; i < PAGE_SIZE; i++)
		page[i] = (uint8_t)i;
}

static struct netif_tx_request part(uint64_t offset, uint64_t size, uint16_t flags)
{
	return (struct netif_tx_request){
		.gref = grant,
		.offset = (uint16_t)offset,
		.size = (uint16_t)size,
		.flags = flags,
	};
}

static void put(const void *request)
{
	ring_front_put(&queue->tx, request, sizeof(struct netif_tx_request));
}

static void publish(void)
{
	ring_front_push(&queue->tx);
	event_send(queue->tx_port);
}

static enum outcome answers(unsigned int count)
{
	uint64_t end = clock_ns() + ANSWER_TIME;
	enum outcome outcome = WORKED;
	struct netif_tx_response response;

	while (count && clock_ns() < end) {
		if (ring_front_take(&queue->tx, &response, sizeof(response)) == RING_TAKEN) {
			if (response.status < 0)
				outcome = REFUSED;
			count--;
		} else if (is_stopped()) {
			return STOPPED;
		} else {
			(void)HALT_UNTIL(ring_front_rearm(&queue->tx) != RING_EMPTY, 100 * MS);
		}
	}
	if (!count)
		return outcome;
	return is_stopped() ? STOPPED : NOTHING;
}

static enum outcome send(struct netif_tx_request request)
{
	put(&request);
	publish();
	return answers(1);
}

static enum outcome set_producer(struct ring_front *r, uint32_t port, RING_IDX index)
{
	ring_store(&r->view.shared->req_prod, index);
	event_send(port);
	return WAIT_UNTIL(is_stopped(), ANSWER_TIME) ? STOPPED : NOTHING;
}

/* --- indices --- */

static enum outcome tx_ahead(void)
{
	return set_producer(&queue->tx, queue->tx_port, queue->tx.req_prod + NET_RING_SIZE + 1);
}

static enum outcome tx_back(void)
{
	enum outcome outcome = send(part(0, SMALL_FRAME, 0));

	return outcome == WORKED ? set_producer(&queue->tx, queue->tx_port, queue->tx.req_prod - 1)
				 : outcome;
}

static enum outcome rx_ahead(void)
{
	return set_producer(&queue->rx, queue->rx_port, queue->rx.req_prod + NET_RING_SIZE + 1);
}

static enum outcome rx_back(void)
{
	return set_producer(&queue->rx, queue->rx_port, queue->rx.rsp_cons - 1000);
}

/* --- sizes --- */

static enum outcome size_0(void)
{
	return send(part(0, 0, 0));
}

static enum outcome size_13(void)
{
	return send(part(0, 13, 0));
}

static enum outcome across_page(void)
{
	return send(part(PAGE_SIZE - 32, SMALL_FRAME, 0));
}

static enum outcome offset_behind_page(void)
{
	return send(part(0xfff0, SMALL_FRAME, 0));
}

static enum outcome whole_64_kib(void)
{
	return send(part(0, 65535, 0));
}

static enum outcome send_parts(unsigned int count, uint64_t whole, uint64_t each)
{
	struct netif_tx_request request = part(0, whole, NETTXF_more_data);

	put(&request);
	for (unsigned int i = 1; i < count; i++) {
		request = part(0, each, i < count - 1 ? NETTXF_more_data : 0);
		put(&request);
	}
	publish();
	return answers(count);
}

static enum outcome more_than_64_kib(void)
{
	return send_parts(18, 65535, PAGE_SIZE);
}

static enum outcome parts_longer_than_whole(void)
{
	return send_parts(3, 100, PAGE_SIZE);
}

static enum outcome parts_of_nothing(void)
{
	return send_parts(4, SMALL_FRAME, 0);
}

static enum outcome too_many_parts(void)
{
	return send_parts(60, 60 * 100, 100);
}

static enum outcome endless_parts(void)
{
	struct netif_tx_request request = part(0, 65535, NETTXF_more_data);

	for (unsigned int i = 0; i < NET_RING_SIZE; i++)
		put(&request);
	publish();
	return answers(NET_RING_SIZE);
}

/* A packet whose second part never comes harms nobody; the next packet is its second part. */
static enum outcome unfinished(void)
{
	struct netif_tx_request request = part(0, SMALL_FRAME, NETTXF_more_data);
	enum outcome outcome;

	put(&request);
	publish();
	outcome = answers(1);
	if (outcome != NOTHING)
		return outcome;
	request = part(0, SMALL_FRAME / 2, 0);
	put(&request);
	publish();
	return answers(2);
}

/* --- grants --- */

static enum outcome never_granted(void)
{
	struct netif_tx_request request = part(0, SMALL_FRAME, 0);

	request.gref = BAD_GRANT;
	return send(request);
}

static enum outcome no_such_grant(void)
{
	struct netif_tx_request request = part(0, SMALL_FRAME, 0);

	request.gref = NO_GRANT;
	return send(request);
}

static enum outcome second_part_not_granted(void)
{
	struct netif_tx_request request = part(0, SMALL_FRAME, NETTXF_more_data);

	put(&request);
	request = part(0, SMALL_FRAME / 2, 0);
	request.gref = BAD_GRANT;
	put(&request);
	publish();
	return answers(2);
}

static enum outcome revoked_in_flight(void)
{
	uint32_t refs[32];

	for (unsigned int i = 0; i < ARRAY_SIZE(refs); i++) {
		struct netif_tx_request request = part(0, PAGE_SIZE / 4, 0);

		refs[i] = grant_take(card.bus.backend_domid, page, GTF_readonly);
		request.gref = refs[i];
		put(&request);
	}
	publish();
	for (unsigned int i = 0; i < ARRAY_SIZE(refs); i++)
		grant_revoke(refs[i]);
	return answers(ARRAY_SIZE(refs));
}

/* What comes in finds no page to go to. */
static enum outcome rx_revoked(void)
{
	struct netif_tx_request request = part(0, SMALL_FRAME, 0);

	for (unsigned int i = 0; i < NET_RING_SIZE; i++) {
		if (queue->rx_buffer[i].page)
			grant_revoke(queue->rx_buffer[i].grant);
	}
	delay_ns(500 * MS);
	return send(request);
}

/* --- extra information --- */

static enum outcome with_extra(struct netif_extra_info extra, uint16_t flags)
{
	struct netif_tx_request request =
		part(0, SMALL_FRAME, (uint16_t)(NETTXF_extra_info | flags));
	uint8_t slot[sizeof(request)] = { 0 };

	memcpy(slot, &extra, sizeof(extra));
	put(&request);
	put(slot);
	publish();
	return answers(2);
}

static enum outcome gso_size_0(void)
{
	return with_extra((struct netif_extra_info){ .type = XEN_NETIF_EXTRA_TYPE_GSO,
						     .u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4 },
			  NETTXF_csum_blank);
}

static enum outcome gso_unknown(void)
{
	return with_extra((struct netif_extra_info){ .type = XEN_NETIF_EXTRA_TYPE_GSO,
						     .u.gso = { .type = 9, .size = 1000 } },
			  NETTXF_csum_blank);
}

/* The frame is no TCP at all. */
static enum outcome gso_of_nothing(void)
{
	return with_extra((struct netif_extra_info){ .type = XEN_NETIF_EXTRA_TYPE_GSO,
						     .u.gso = { .type = XEN_NETIF_GSO_TYPE_TCPV4,
								.size = 10 } },
			  NETTXF_csum_blank);
}

static enum outcome extra_unknown(void)
{
	return with_extra((struct netif_extra_info){ .type = 200 }, 0);
}

static enum outcome extra_type_0(void)
{
	return with_extra((struct netif_extra_info){ .type = XEN_NETIF_EXTRA_TYPE_NONE }, 0);
}

static enum outcome extra_missing(void)
{
	struct netif_tx_request request = part(0, SMALL_FRAME, NETTXF_extra_info);
	enum outcome outcome;

	put(&request);
	publish();
	outcome = answers(1);
	return outcome == NOTHING ? WORKED : outcome; /* it may wait for the rest */
}

static enum outcome extra_endless(void)
{
	struct netif_tx_request request = part(0, SMALL_FRAME, NETTXF_extra_info);
	struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO,
					  .flags = XEN_NETIF_EXTRA_FLAG_MORE,
					  .u.gso = { .type = XEN_NETIF_GSO_TYPE_TCPV4,
						     .size = 1000 } };
	uint8_t slot[sizeof(request)] = { 0 };

	memcpy(slot, &extra, sizeof(extra));
	put(&request);
	for (unsigned int i = 1; i < NET_RING_SIZE; i++)
		put(slot);
	publish();
	return answers(NET_RING_SIZE);
}

static enum outcome blank_sum_of_nothing(void)
{
	return send(part(0, SMALL_FRAME, NETTXF_csum_blank));
}

/* An IPv4 header whose lengths lead nowhere. */
static enum outcome blank_sum_far_away(void)
{
	page[12] = 0x08;
	page[13] = 0;
	page[14] = 0x4f;
	page[16] = 0xff;
	page[17] = 0xff;
	page[23] = 6;
	return send(part(0, 20, NETTXF_csum_blank));
}

static enum outcome unknown_flags(void)
{
	return send(part(0, SMALL_FRAME, 0xfff0));
}

/* --- others --- */

static enum outcome foreign_mac(void)
{
	page[6] ^= 2;
	return send(part(0, SMALL_FRAME, 0));
}

static enum outcome event_storm(void)
{
	for (unsigned int i = 0; i < STORM_EVENTS; i++)
		event_send(queue->tx_port);
	return send(part(0, SMALL_FRAME, 0));
}

static enum outcome rubbish(void)
{
	uint64_t state = option_number("seed", 1);
	enum outcome outcome = WORKED;

	for (unsigned int i = 0; i < 50 && outcome != STOPPED && outcome != NOTHING; i++) {
		uint32_t words[3] = { 0 };

		for (unsigned int n = 0; n < 64 && ring_front_free(&queue->tx); n++) {
			for (unsigned int w = 0; w < ARRAY_SIZE(words); w++)
				words[w] = (uint32_t)random_next(&state);
			put(words);
		}
		publish();
		outcome = answers(1);
		while (outcome != STOPPED && outcome != NOTHING &&
		       queue->tx.rsp_cons != queue->tx.req_prod)
			outcome = answers(1);
	}
	return outcome == WORKED ? REFUSED : outcome;
}

static enum outcome nodes_gone(void)
{
	store_remove(STORE_NO_TX, card.bus.path);
	return WAIT_UNTIL(is_stopped(), ANSWER_TIME) ? STOPPED : NOTHING;
}

#define MAY(outcome) (1u << (outcome))
#define REFUSAL      (MAY(REFUSED) | MAY(STOPPED))
#define HARMLESS     (MAY(WORKED) | REFUSAL)

static const struct hostile_case {
	const char *name;
	enum outcome (*run)(void);
	unsigned int may;
} cases[] = {
	{ "tx-ahead", tx_ahead, MAY(STOPPED) },
	{ "tx-back", tx_back, MAY(STOPPED) },
	{ "rx-ahead", rx_ahead, MAY(STOPPED) },
	{ "rx-back", rx_back, MAY(STOPPED) },
	{ "size-0", size_0, REFUSAL },
	{ "size-13", size_13, REFUSAL },
	{ "across-page", across_page, REFUSAL },
	{ "offset-behind-page", offset_behind_page, REFUSAL },
	{ "whole-64-kib", whole_64_kib, REFUSAL },
	{ "more-than-64-kib", more_than_64_kib, REFUSAL },
	{ "parts-longer-than-whole", parts_longer_than_whole, REFUSAL },
	{ "parts-of-nothing", parts_of_nothing, HARMLESS },
	{ "too-many-parts", too_many_parts, REFUSAL },
	{ "endless-parts", endless_parts, REFUSAL },
	{ "unfinished", unfinished, HARMLESS },
	{ "never-granted", never_granted, REFUSAL },
	{ "no-such-grant", no_such_grant, REFUSAL },
	{ "second-part-not-granted", second_part_not_granted, REFUSAL },
	{ "revoked-in-flight", revoked_in_flight, HARMLESS },
	{ "rx-revoked", rx_revoked, HARMLESS },
	{ "gso-size-0", gso_size_0, REFUSAL },
	{ "gso-unknown", gso_unknown, REFUSAL },
	{ "gso-of-nothing", gso_of_nothing, HARMLESS },
	{ "extra-unknown", extra_unknown, REFUSAL },
	{ "extra-type-0", extra_type_0, REFUSAL },
	{ "extra-missing", extra_missing, HARMLESS },
	{ "extra-endless", extra_endless, REFUSAL },
	{ "blank-sum-of-nothing", blank_sum_of_nothing, HARMLESS },
	{ "blank-sum-far-away", blank_sum_far_away, HARMLESS },
	{ "unknown-flags", unknown_flags, HARMLESS },
	{ "foreign-mac", foreign_mac, HARMLESS },
	{ "event-storm", event_storm, MAY(WORKED) },
	{ "rubbish", rubbish, REFUSAL },
	{ "nodes-gone", nodes_gone, MAY(STOPPED) },
};

static bool still_works(void)
{
	fill_page();
	return send(part(0, SMALL_FRAME, 0)) == WORKED;
}

static bool bystander_works(void)
{
	struct net_queue *q = &bystander.queue[0];

	memcpy(page + 6, bystander.mac, 6);
	return net_send(q, page, SMALL_FRAME) &&
	       HALT_UNTIL((net_poll(q), q->nr_sent + q->nr_refused), ANSWER_TIME) && !q->nr_refused;
}

void test_main(void)
{
	const struct hostile_case *c;
	enum outcome outcome;
	bool has_bystander;

	front_init();
	c = &cases[CHOSEN_CASE(cases)];
	if (net_open(&card, 0, NULL))
		test_error("the card does not connect");
	has_bystander = !net_open(&bystander, 1, NULL);
	queue = &card.queue[0];
	page = page_alloc();
	grant = grant_take(card.bus.backend_domid, page, GTF_readonly);
	fill_page();
	outcome = c->run();
	check(c->may & MAY(outcome), "%s: %s", c->name, outcome_names[outcome]);
	if ((outcome == REFUSED || outcome == WORKED) && queue->tx.rsp_cons == queue->tx.req_prod)
		check(still_works(), "the card works on");
	fill_page();
	if (has_bystander)
		check(bystander_works(), "the other card works on");
}
