/* Domains' rings and what a domain can do wrong in its own. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"
#include "world.h"

static void expect_only_domain_1_suffers(uint32_t error)
{
	world_serve();
	ck_assert_uint_eq(world_page(1)->error, error);
	ck_assert_str_eq(ask(2, XS_GET_DOMAIN_PATH, 0, STR("2")), "/local/domain/2");
	ck_assert_str_eq(ask(0, XS_IS_DOMAIN_INTRODUCED, 0, STR("1")), "T");
}

START_TEST(a_producer_index_too_far_ahead_ends_the_connection)
{
	world_page(1)->req_prod = world_page(1)->req_cons + XENSTORE_RING_SIZE + 1;
	world_put(1, "", 0);
	expect_only_domain_1_suffers(XENSTORE_ERROR_RINGIDX);
}
END_TEST

START_TEST(a_producer_index_that_goes_back_ends_the_connection)
{
	world_put(1, "abcdefgh", 8);
	world_serve();
	world_page(1)->req_prod -= 4;
	world_put(1, "", 0);
	expect_only_domain_1_suffers(XENSTORE_ERROR_RINGIDX);
}
END_TEST

START_TEST(a_consumer_index_that_nobody_wrote_ends_the_connection)
{
	world_page(1)->rsp_cons = world_page(1)->rsp_prod + 1;
	world_send(1, XS_GET_DOMAIN_PATH, 0, STR("1"));
	expect_only_domain_1_suffers(XENSTORE_ERROR_RINGIDX);
}
END_TEST

START_TEST(a_message_that_is_too_long_ends_the_connection)
{
	struct xsd_sockmsg header = { XS_WRITE, 1, 0, XENSTORE_PAYLOAD_MAX + 1 };

	world_put(1, &header, sizeof(header));
	expect_only_domain_1_suffers(XENSTORE_ERROR_PROTO);
}
END_TEST

START_TEST(a_disconnected_domain_can_start_anew)
{
	struct xsd_sockmsg header = { XS_WRITE, 1, 0, UINT32_MAX };

	ask(1, XS_WATCH, 0, STR("@releaseDomain\0t"));
	world_event(1);
	world_put(1, &header, sizeof(header));
	world_serve();
	world_page(1)->connection = XENSTORE_RECONNECT;
	world_put(1, "", 0);
	world_serve();
	ck_assert_uint_eq(world_page(1)->connection, XENSTORE_CONNECTED);
	ck_assert_uint_eq(world_page(1)->error, XENSTORE_ERROR_NONE);
	ck_assert_uint_eq(world_page(1)->req_prod, 0);
	ck_assert_str_eq(ask(1, XS_GET_DOMAIN_PATH, 0, STR("1")), "/local/domain/1");
	ck_assert_str_eq(ask(1, XS_WATCH, 0, STR("@releaseDomain\0t")), "OK"); /* none was left */
}
END_TEST

START_TEST(a_domain_that_fails_again_and_again_is_told_of_once)
{
	struct xsd_sockmsg header = { XS_WRITE, 1, 0, UINT32_MAX };
	char text[1024] = "";
	FILE *kept = tmpfile();
	int real = dup(STDERR_FILENO);

	ck_assert_int_ge(dup2(fileno(kept), STDERR_FILENO), 0);
	for (int i = 0; i < 3; i++) {
		world_page(1)->connection = XENSTORE_RECONNECT;
		world_put(1, "", 0);
		world_serve();
		world_put(1, &header, sizeof(header));
		world_serve();
		ck_assert_uint_eq(world_page(1)->error, XENSTORE_ERROR_PROTO);
	}
	ck_assert_int_ge(dup2(real, STDERR_FILENO), 0);
	rewind(kept);
	ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, kept), 0);
	ck_assert_ptr_nonnull(strstr(text, "domain 1: disconnected"));
	ck_assert_ptr_null(strstr(strchr(text, '\n'), "disconnected"));
	fclose(kept);
	close(real);
}
END_TEST

START_TEST(the_page_says_what_the_server_can_do)
{
	ck_assert_uint_eq(world_page(1)->server_features,
			  XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR);
}
END_TEST

START_TEST(messages_longer_than_the_ring_pass_both_ways)
{
	char value[4000] = "/big";

	for (size_t i = 5; i < sizeof(value); i++)
		value[i] = (char)(i * 7);
	ck_assert_str_eq(ask(0, XS_WRITE, 0, value, sizeof(value)), "OK");
	ck_assert_mem_eq(ask(0, XS_READ, 0, STR("/big")), value + 5, sizeof(value) - 5);
	ck_assert_uint_eq(world_answer_len, sizeof(value) - 5);
}
END_TEST

START_TEST(indices_wrap)
{
	struct xenstore_domain_interface *page = world_page(3);

	page->req_cons = page->req_prod = UINT32_MAX - 10;
	page->rsp_cons = page->rsp_prod = UINT32_MAX - 5;
	ask(0, XS_INTRODUCE, 0, STR("3\0001\0001"));
	for (int i = 0; i < 10; i++)
		ck_assert_str_eq(ask(3, XS_GET_DOMAIN_PATH, 0, STR("3")), "/local/domain/3");
}
END_TEST

START_TEST(a_domain_that_does_not_fetch_answers_is_not_served_further)
{
	struct xenstore_domain_interface *page = world_page(1);
	struct message m;
	int nr = 0;

	while (page->req_prod - page->req_cons < 900) {
		world_send(1, XS_GET_DOMAIN_PATH, 0, STR("1"));
		world_serve();
		ck_assert_int_lt(++nr, 1000);
	}
	ck_assert_uint_lt(store->domains[1]->nr_nodes, 1);
	while (nr--)
		ck_assert(world_get(1, &m));
	ck_assert(!world_get(1, &m));
}
END_TEST

START_TEST(events_for_a_domain_that_does_not_fetch_them_are_bounded)
{
	char path[32];
	int len;

	ask(0, XS_MKDIR, 0, STR("/a"));
	ask(0, XS_SET_PERMS, 0, STR("/a\0r0"));
	ask(0, XS_CONTROL, 0, STR("quota\0set\0memory\0004000\0001"));
	ask(1, XS_WATCH, 0, STR("/a\0t"));
	for (int i = 0; i < 400; i++) {
		len = snprintf(path, sizeof(path), "/a/%d", i);
		ask(0, XS_MKDIR, 0, path, (size_t)len + 1);
	}
	for (int i = 0; strcmp(world_event(1), "none"); i++)
		ck_assert_int_lt(i, 250);
	ask(0, XS_MKDIR, 0, STR("/a/last"));
	ck_assert_str_eq(world_event(1), "/a/last t");
}
END_TEST

START_TEST(equal_events_that_wait_are_one)
{
	struct xenstore_domain_interface *page = world_page(1);
	struct message m;
	int nr = 0;

	ask(0, XS_WRITE, 0, BYTES("/a\0x"));
	ask(0, XS_SET_PERMS, 0, STR("/a\0r0"));
	ask(1, XS_WATCH, 0, STR("/a\0t"));
	world_event(1);
	page->rsp_cons -= XENSTORE_RING_SIZE - (page->rsp_prod - page->rsp_cons); /* full */
	for (int i = 0; i < 50; i++)
		ask(0, XS_WRITE, 0, BYTES("/a\0x"));
	page->rsp_cons = page->rsp_prod;
	while (world_get(1, &m))
		nr++;
	ck_assert_int_eq(nr, 1);
}
END_TEST

START_TEST(the_peer_is_notified_of_answers_and_of_room)
{
	unsigned int nr = world_nr_notified(1);

	world_send(1, XS_GET_DOMAIN_PATH, 0, STR("1"));
	world_serve();
	ck_assert_uint_gt(world_nr_notified(1), nr);
	nr = world_nr_notified(1);
	world_serve();
	ck_assert_uint_eq(world_nr_notified(1), nr);
}
END_TEST

/* Linux tells of bytes only when it sees that all before them are consumed, and it sends a request in two
 * parts. */
START_TEST(the_part_of_a_request_that_has_come_is_consumed)
{
	struct xsd_sockmsg header = { XS_GET_DOMAIN_PATH, 7, 0, 2 };
	struct xenstore_domain_interface *page = world_page(1);
	struct message m;

	world_put(1, &header, sizeof(header));
	world_serve();
	ck_assert_uint_eq(page->req_cons, page->req_prod);
	world_put(1, "1", 2);
	ck_assert(world_get(1, &m));
	ck_assert_uint_eq(m.header.req_id, 7);
	ck_assert_str_eq(m.data, "/local/domain/1");
}
END_TEST

static void add_request_without_event(uint16_t domid)
{
	static const char request[] = "1";
	struct xsd_sockmsg header = { XS_GET_DOMAIN_PATH, 8, 0, sizeof(request) };

	world_on_notify(NULL);
	world_put_quietly(domid, &header, sizeof(header));
	world_put_quietly(domid, request, sizeof(request));
}

/* It looked at our index just before we changed it, so it sends no event. */
START_TEST(what_the_peer_adds_at_the_end_of_a_turn_is_seen)
{
	struct xenstore_domain_interface *page = world_page(1);

	world_on_notify(add_request_without_event);
	world_send(1, XS_GET_DOMAIN_PATH, 0, STR("1"));
	world_serve();
	ck_assert_uint_eq(page->req_cons, page->req_prod);
	ck_assert_uint_eq(page->rsp_prod - page->rsp_cons,
			  2 * (sizeof(struct xsd_sockmsg) + sizeof("/local/domain/1")));
}
END_TEST

static void fetch_all_without_event(uint16_t domid)
{
	world_page(domid)->rsp_cons = world_page(domid)->rsp_prod;
}

START_TEST(the_room_that_the_peer_makes_at_the_end_of_a_turn_is_used)
{
	char value[4000] = "/big";
	uint32_t prod;

	memset(value + 5, 'x', sizeof(value) - 5);
	ask(0, XS_WRITE, 0, value, sizeof(value));
	prod = world_page(0)->rsp_prod;
	world_send(0, XS_READ, 0, STR("/big"));
	world_on_notify(fetch_all_without_event);
	world_serve();
	ck_assert_uint_eq(world_page(0)->rsp_prod - prod,
			  sizeof(struct xsd_sockmsg) + sizeof(value) - sizeof("/big"));
}
END_TEST

UNIT_MAIN("store-ring", world_setup, world_teardown,
	  a_producer_index_too_far_ahead_ends_the_connection,
	  a_producer_index_that_goes_back_ends_the_connection,
	  a_consumer_index_that_nobody_wrote_ends_the_connection,
	  a_message_that_is_too_long_ends_the_connection, a_disconnected_domain_can_start_anew,
	  a_domain_that_fails_again_and_again_is_told_of_once, the_page_says_what_the_server_can_do,
	  messages_longer_than_the_ring_pass_both_ways, indices_wrap,
	  a_domain_that_does_not_fetch_answers_is_not_served_further,
	  events_for_a_domain_that_does_not_fetch_them_are_bounded, equal_events_that_wait_are_one,
	  the_peer_is_notified_of_answers_and_of_room,
	  the_part_of_a_request_that_has_come_is_consumed,
	  what_the_peer_adds_at_the_end_of_a_turn_is_seen,
	  the_room_that_the_peer_makes_at_the_end_of_a_turn_is_used)
