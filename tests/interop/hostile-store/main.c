/*
 * A domain that abuses xenstore: case= says how. The store must refuse what is too much, and let go of a ring that
 * makes no sense, after which the domain may begin anew. That others are served meanwhile is for the runner to see.
 */
#include "cases.h"

#define MANY 20000u

const char test_title[] = "a domain that abuses xenstore is refused, and may begin anew";

/* --- too much --- */

static void many_nodes(void)
{
	unsigned int count = 0;
	int err = 0;
	char path[64];

	for (; count < MANY && !err; count++) {
		snprintf(path, sizeof(path), "data/node-%u", count);
		err = store_write(STORE_NO_TX, path, "x");
	}
	check(err, "the number of nodes has a limit: %u", count);
	check_err(store_remove(STORE_NO_TX, "data/node-0"), 0, "a node can be removed then");
	check_err(store_write(STORE_NO_TX, "data/again", "x"), 0, "and another be written");
}

static void many_watches(void)
{
	unsigned int count = 0;
	int err = 0;
	char token[32];

	for (; count < MANY && !err; count++) {
		snprintf(token, sizeof(token), "%u", count);
		err = store_watch("data", token);
	}
	check(err, "the number of watches has a limit: %u", count);
	check_err(store_unwatch("data", "0"), 0, "one can be given up then");
}

static void many_transactions(void)
{
	unsigned int count = 0;
	uint32_t tx = 0, last = 0;
	int err = 0;

	for (; count < MANY && !err; count++) {
		last = tx;
		err = store_begin(&tx);
	}
	check(err, "the number of transactions has a limit: %u", count);
	check_err(store_end(last, false), 0, "one can be ended then");
}

static void long_value(void)
{
	static char value[XENSTORE_PAYLOAD_MAX];
	struct store_part parts[] = { { "data/long", 10 }, { value, sizeof(value) - 10 } };
	char reply[64];

	memset(value, 'x', sizeof(value));
	check(store_request(XS_WRITE, STORE_NO_TX, parts, 2, reply, sizeof(reply)) < 0,
	      "a value that fills a message is refused");
	parts[1].size = 100;
	check(store_request(XS_WRITE, STORE_NO_TX, parts, 2, reply, sizeof(reply)) >= 0,
	      "a shorter one is taken");
}

static void foreign_nodes(void)
{
	check(store_write(STORE_NO_TX, "/local/domain/0/name", "mine") < 0,
	      "the service VM's nodes cannot be written");
	check(store_write(STORE_NO_TX, "name", "mine") < 0, "nor the own name");
	check(store_remove(STORE_NO_TX, "/local/domain/0/backend") < 0, "nor removed");
	check(store_write(STORE_NO_TX, "no//good/../path", "x") < 0,
	      "a path that is none is refused");
}

/* --- what is no message, or no ring --- */

static bool begins_anew(void)
{
	char value[32];

	store_ring->connection = XENSTORE_RECONNECT;
	event_send(store_port);
	if (!WAIT_UNTIL(*(volatile uint32_t *)&store_ring->connection == XENSTORE_CONNECTED,
			10 * SEC))
		return false;
	(void)!store_init();
	return store_read(STORE_NO_TX, "domid", value, sizeof(value)) > 0;
}

static uint32_t told_error(void)
{
	(void)WAIT_UNTIL(*(volatile uint32_t *)&store_ring->error, 5 * SEC);
	return store_ring->error;
}

static void long_message(void)
{
	struct xsd_sockmsg message = { .type = XS_WRITE, .len = XENSTORE_PAYLOAD_MAX + 1 };

	memcpy(store_ring->req + MASK_XENSTORE_IDX(store_ring->req_prod), &message,
	       sizeof(message)); /* the ring is still at its beginning */
	store_ring->req_prod += (uint32_t)sizeof(message);
	event_send(store_port);
	check_eq(told_error(), XENSTORE_ERROR_PROTO, "a message that is too long ends the service");
	check(begins_anew(), "the domain can begin anew");
}

static void index_ahead(void)
{
	store_ring->req_prod += XENSTORE_RING_SIZE + 1;
	event_send(store_port);
	check_eq(told_error(), XENSTORE_ERROR_RINGIDX, "an index too far ahead ends the service");
	check(begins_anew(), "the domain can begin anew");
}

static void reader_index(void)
{
	struct xsd_sockmsg message = { .type = XS_READ, .len = 6 };

	store_ring->rsp_cons = store_ring->rsp_prod + 100000;
	memcpy(store_ring->req + MASK_XENSTORE_IDX(store_ring->req_prod), &message,
	       sizeof(message));
	memcpy(store_ring->req + MASK_XENSTORE_IDX(store_ring->req_prod) + sizeof(message), "domid",
	       6);
	store_ring->req_prod += (uint32_t)sizeof(message) + 6;
	event_send(store_port);
	check_eq(told_error(), XENSTORE_ERROR_RINGIDX,
		 "an index of the reader's that is wrong, too");
	check(begins_anew(), "the domain can begin anew");
}

static void rubbish(void)
{
	uint64_t state = option_number("seed", 1);

	for (unsigned int round = 0; round < 20; round++) {
		for (unsigned int i = 0; i < XENSTORE_RING_SIZE; i++)
			store_ring->req[i] = (char)random_next(&state);
		store_ring->req_prod += XENSTORE_RING_SIZE;
		event_send(store_port);
		if (!told_error() || !begins_anew()) {
			check(false, "rubbish ends the service, and the domain can begin anew");
			return;
		}
	}
	check(true, "rubbish ends the service, and the domain can begin anew");
}

static void event_storm(void)
{
	char value[32];

	for (unsigned int i = 0; i < MANY; i++)
		event_send(store_port);
	check(store_read(STORE_NO_TX, "domid", value, sizeof(value)) > 0,
	      "events without messages change nothing");
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "many-nodes", many_nodes },
	{ "many-watches", many_watches },
	{ "many-transactions", many_transactions },
	{ "long-value", long_value },
	{ "foreign-nodes", foreign_nodes },
	{ "long-message", long_message },
	{ "index-ahead", index_ahead },
	{ "reader-index", reader_index },
	{ "rubbish", rubbish },
	{ "event-storm", event_storm },
};

void test_main(void)
{
	front_init();
	cases[CHOSEN_CASE(cases)].run();
}
