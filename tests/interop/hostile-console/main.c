/*
 * A domain that abuses its console: case= says how. What is to be seen is that the service VM and other guests'
 * consoles stay well, which is for the runner to see; this end only tells that it has come to its own.
 */
#include "cases.h"

#define FLOOD (4u << 20) /* bytes */
#define STORM 20000u
#define PIECE 997u

const char test_title[] = "a domain that abuses its console harms nobody";

static void flood(void)
{
	static char text[PIECE];
	uint64_t state = option_number("seed", 1);

	for (unsigned int sent = 0; sent < FLOOD; sent += PIECE) {
		for (unsigned int i = 0; i < PIECE; i++)
			text[i] = (char)random_next(&state);
		console_write(text, PIECE);
	}
}

static void long_line(void)
{
	for (unsigned int i = 0; i < FLOOD / 16; i++)
		console_write("never an end to ", 16);
}

static void event_storm(void)
{
	for (unsigned int i = 0; i < STORM; i++)
		event_send(console_port);
}

static void index_ahead(void)
{
	__atomic_store_n(&console_ring->out_prod, console_ring->out_cons + 1000000,
			 __ATOMIC_RELEASE);
	event_send(console_port);
}

static void index_back(void)
{
	__atomic_store_n(&console_ring->out_prod, console_ring->out_cons - 1, __ATOMIC_RELEASE);
	event_send(console_port);
}

static void reader_index(void)
{
	__atomic_store_n(&console_ring->in_cons, console_ring->in_prod + 5000, __ATOMIC_RELEASE);
	event_send(console_port);
}

static void rubbish(void)
{
	uint64_t state = option_number("seed", 1);
	uint64_t *words = (uint64_t *)console_ring;

	for (unsigned int round = 0; round < 100; round++) {
		for (unsigned int i = 0; i < sizeof(*console_ring) / sizeof(*words); i++)
			words[i] = random_next(&state);
		event_send(console_port);
		delay_ns(MS);
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "flood", flood },
	{ "long-line", long_line },
	{ "event-storm", event_storm },
	{ "index-ahead", index_ahead },
	{ "index-back", index_back },
	{ "reader-index", reader_index },
	{ "rubbish", rubbish },
};

void test_main(void)
{
	unsigned int chosen;

	front_init();
	chosen = CHOSEN_CASE(cases);
	cases[chosen].run();
	delay_ns(500 * MS);
	store_write(STORE_NO_TX, "data/result", "done"); /* the console may be no more */
	check(true, "%s: still here", cases[chosen].name);
}
