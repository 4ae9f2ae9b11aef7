/* A thousand domains with twenty watches each: what single operations cost then, beside what they cost with
 * two. The figures are printed; what is asserted is that every event arrives, and no other. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fake-platform.h"
#include "unit.h"
#include "world.h"

#define DOMAINS 1000
#define WATCHES 20
#define NODES   50
#define REPEAT  2000

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Writes a node of domain 1 over and over, with all that goes with it; in microseconds each. */
static double cost_of_write(void)
{
	double start = now_us();

	for (int i = 0; i < REPEAT; i++)
		ask(1, XS_WRITE, 0, BYTES("node/1\0value"));
	return (now_us() - start) / REPEAT;
}

static double cost_of_transaction(void)
{
	double start = now_us();

	for (int i = 0; i < REPEAT; i++) {
		uint32_t tx = begin(1);

		ask(1, XS_WRITE, tx, BYTES("node/1\0value"));
		ask(1, XS_WRITE, tx, BYTES("node/2\0value"));
		ck_assert_str_eq(end(1, tx), "OK");
	}
	return (now_us() - start) / REPEAT;
}

static void make_domain(uint16_t domid)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%u%c1%c1", domid, 0, 0);

	if (domid > 2)
		ck_assert_str_eq(ask(0, XS_INTRODUCE, 0, text, (size_t)len + 1), "OK");
	len = snprintf(text, sizeof(text), "/local/domain/%u", domid);
	ask(0, XS_MKDIR, 0, text, (size_t)len + 1);
	len = snprintf(text, sizeof(text), "/local/domain/%u%cn%u", domid, 0, domid);
	ask(0, XS_SET_PERMS, 0, text, (size_t)len + 1);
	for (int i = 0; i < NODES; i++) {
		len = snprintf(text, sizeof(text), "node/%d%cvalue", i, 0);
		ck_assert_str_eq(ask(domid, XS_WRITE, 0, text, (size_t)len), "OK");
	}
	for (int i = 0; i < WATCHES; i++) {
		len = snprintf(text, sizeof(text), "watched/%d%ctoken", i, 0);
		ck_assert_str_eq(ask(domid, XS_WATCH, 0, text, (size_t)len + 1), "OK");
		world_event(domid);
	}
}

START_TEST(a_thousand_domains_with_many_watches_do_not_slow_each_other_down)
{
	double write, transaction, start;

	make_domain(1);
	write = cost_of_write();
	transaction = cost_of_transaction();
	printf("    1 domain:  write %.1f us, transaction of two writes %.1f us\n", write,
	       transaction);
	start = now_us();
	for (uint16_t i = 2; i <= DOMAINS; i++)
		make_domain(i);
	printf("    %d domains with %d nodes and %d watches each made in %.0f ms\n", DOMAINS - 1,
	       NODES, WATCHES, (now_us() - start) / 1e3);
	write = cost_of_write();
	transaction = cost_of_transaction();
	printf(" %d domains: write %.1f us, transaction of two writes %.1f us\n", DOMAINS, write,
	       transaction);
	ask(500, XS_WRITE, 0, BYTES("watched/7\0x"));
	ck_assert_str_eq(world_event(500), "watched/7 token");
	for (uint16_t i = 1; i <= DOMAINS; i++)
		ck_assert_str_eq(world_event(i), "none");
	fflush(stdout);
}
END_TEST

static void setup(void)
{
	world_setup();
	world_keep();
}

UNIT_MAIN("store-load", setup, world_teardown,
	  a_thousand_domains_with_many_watches_do_not_slow_each_other_down)
