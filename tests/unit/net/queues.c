/* The rings of one queue: pv-drivers/back/net/{tx,rx,ctrl,net}.c. */
#include <errno.h>
#include <string.h>

#include "guest.h"
#include "unit.h"

#define MS UINT64_C(1000000)

static struct guest g;
static struct net net;
static uint8_t frame[70000], got[70000];
static struct virtio_net_hdr header;
static uint64_t now_ns, wake_ns;

static void attach(bool is_inherited)
{
	uint32_t tx = GUEST_TX_RING, rx = GUEST_RX_RING;
	struct queue_ends ends = { .tap_fd = g.tap, .is_inherited = is_inherited };

	ck_assert_int_eq(platform_map(g.platform, &tx, 1, false, &ends.tx_page), 0);
	ck_assert_int_eq(platform_map(g.platform, &rx, 1, false, &ends.rx_page), 0);
	ck_assert_int_eq(platform_bind(g.platform, GUEST_TX_PORT, &ends.tx_port), 0);
	ck_assert_int_eq(platform_bind(g.platform, GUEST_RX_PORT, &ends.rx_port), 0);
	ck_assert_int_eq(net_add_queue(&net, &ends), 0);
}

static void setup(void)
{
	guest_init(&g);
	ck_assert_int_eq(net_init(&net, g.platform, FAKE_DOMID), 0);
	memcpy(net.filter.mac, guest_mac, 6);
	net.features = (struct net_features){ true, true, true, true, true, true };
	now_ns = 1;
	attach(false);
}

static void teardown(void)
{
	net_remove_queues(&net);
	ck_assert_uint_eq(net.nr_rx_spare, ARRAY_SIZE(net.rx_spare)); /* no buffer is lost */
	net_fini(&net);
	guest_fini(&g);
}

static int serve(void)
{
	int result;

	do
		result = net_serve(&net, now_ns, &wake_ns);
	while (result > 0);
	return result;
}

static void kick(void)
{
	if (ring_front_push(&g.tx))
		net.queues[0].tx_is_due = true;
	net.queues[0].tap_is_ready = true;
}

/* A packet in parts of these sizes; the first is the rest. */
static void put_packet(size_t length, uint16_t flags, const struct netif_extra_info *extra,
		       unsigned int nr_parts, size_t part)
{
	size_t first = length - (nr_parts - 1) * part;

	guest_put_tx(&g, frame, 100, (uint16_t)first, (uint16_t)length,
		     (uint16_t)(flags | (extra ? NETTXF_extra_info : 0u) |
				(nr_parts > 1 ? NETTXF_more_data : 0u)),
		     7);
	if (extra)
		guest_put_extra(&g, extra);
	for (unsigned int i = 1; i < nr_parts; i++)
		guest_put_tx(&g, frame + first + (i - 1) * part, 0, (uint16_t)part, (uint16_t)part,
			     i + 1 < nr_parts ? NETTXF_more_data : 0, (uint16_t)(7 + i));
}

static void expect_sent(size_t length)
{
	ck_assert_int_eq(guest_wire_read(&g, &header, got, sizeof(got)), (ssize_t)length);
	ck_assert_mem_eq(got, frame, length);
}

static void expect_nothing_sent(void)
{
	ck_assert_int_lt(guest_wire_read(&g, &header, got, sizeof(got)), 0);
}

static void expect_answer(uint16_t id, int16_t status)
{
	struct netif_tx_response response = guest_tx_response(&g);

	ck_assert_uint_eq(response.id, id);
	ck_assert_int_eq(response.status, status);
}

static void expect_broken(const char *why)
{
	kick();
	ck_assert_int_eq(serve(), -EPROTO);
	ck_assert_msg(strstr(net.why, why), "\"%s\" is not \"%s\"", net.why, why);
}

START_TEST(a_packet_comes_out_as_it_was_put_and_is_answered)
{
	guest_make_frame(frame, 1500);
	put_packet(1500, 0, NULL, 1, 0);
	kick();
	ck_assert_int_eq(serve(), 0);
	expect_sent(1500);
	ck_assert_uint_eq(header.flags, 0);
	ck_assert_uint_eq(header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	expect_answer(7, NETIF_RSP_OKAY);
	ck_assert_uint_eq(fake_notified(g.platform, GUEST_TX_PORT), 1);
	ck_assert_uint_eq(net.counters.tx_bytes, 1500);
}
END_TEST

START_TEST(parts_are_put_together_with_headers_in_any_of_them)
{
	guest_make_tcp(frame, 6000);
	put_packet(6000, NETTXF_csum_blank | NETTXF_data_validated, NULL, 3, 2990);
	kick();
	ck_assert_int_eq(serve(), 0);
	expect_sent(6000);
	ck_assert_uint_eq(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	ck_assert_uint_eq(header.csum_start, 34);
	ck_assert_uint_eq(header.csum_offset, 16);
	for (uint16_t id = 7; id < 10; id++)
		expect_answer(id, NETIF_RSP_OKAY);
}
END_TEST

START_TEST(a_packet_of_64_kib_goes_out_in_one_piece)
{
	struct netif_extra_info gso = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

	gso.u.gso.size = 1448;
	gso.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
	guest_make_tcp(frame, 65535);
	put_packet(65535, NETTXF_csum_blank | NETTXF_data_validated, &gso, 17, 4088);
	kick();
	ck_assert_int_eq(serve(), 0);
	expect_sent(65535);
	ck_assert_uint_eq(header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	ck_assert_uint_eq(header.gso_size, 1448);
	ck_assert_uint_eq(header.hdr_len, 54);
	expect_answer(7, NETIF_RSP_OKAY);
	ck_assert_int_eq(guest_tx_response(&g).status, NETIF_RSP_NULL);
	for (uint16_t id = 8; id < 24; id++)
		expect_answer(id, NETIF_RSP_OKAY);
}
END_TEST

START_TEST(a_packet_to_be_cut_gets_the_pseudo_sum_where_the_frontend_forgot)
{
	struct netif_extra_info gso = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

	gso.u.gso.size = 1000;
	gso.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
	guest_make_tcp(frame, 3000);
	put_be16(frame + 50, 0);
	put_packet(3000, 0, &gso, 1, 0);
	guest_make_tcp(frame, 3000);
	kick();
	ck_assert_int_eq(serve(), 0);
	expect_sent(3000);
	ck_assert_uint_eq(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
}
END_TEST

START_TEST(a_full_ring_is_sent_in_batches)
{
	guest_make_frame(frame, 60);
	for (int i = 0; i < 256; i++)
		put_packet(60, 0, NULL, 1, 0);
	kick();
	ck_assert_int_eq(serve(), 0);
	for (int i = 0; i < 256; i++) {
		expect_sent(60);
		expect_answer(7, NETIF_RSP_OKAY);
	}
	ck_assert_uint_le(fake_notified(g.platform, GUEST_TX_PORT), 3);
}
END_TEST

START_TEST(that_packets_were_taken_is_told_in_the_next_round)
{
	guest_make_frame(frame, 60);
	put_packet(60, 0, NULL, 1, 0);
	kick();
	ck_assert_int_eq(net_serve(&net, now_ns, &wake_ns), 1);
	expect_answer(7, NETIF_RSP_OKAY);
	ck_assert_uint_eq(fake_notified(g.platform, GUEST_TX_PORT), 0);
	ck_assert_int_eq(net_serve(&net, now_ns, &wake_ns), 0);
	ck_assert_uint_eq(fake_notified(g.platform, GUEST_TX_PORT), 1);
}
END_TEST

START_TEST(plain_bad_packets_are_answered_with_an_error)
{
	struct netif_extra_info gso = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

	gso.u.gso.size = 1000;
	gso.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV6; /* of an IPv4 packet */
	guest_make_tcp(frame, 1500);
	guest_put_tx(&g, frame, 0, 0, 0, 0, 1);
	guest_put_tx(&g, frame, 0, 13, 13, 0, 2);
	put_packet(1500, NETTXF_csum_blank, &gso, 1, 0);
	frame[23] = 99; /* no checksum is known for this protocol */
	put_packet(1500, NETTXF_csum_blank, NULL, 1, 0);
	guest_put_tx(&g, frame, 0, 100, 100, NETTXF_more_data, 3); /* the second has all of it */
	guest_put_tx(&g, frame, 0, 100, 100, 0, 4);
	put_packet(1900, 0, NULL, 19, 100);
	kick();
	ck_assert_int_eq(serve(), 0);
	expect_nothing_sent();
	expect_answer(1, NETIF_RSP_ERROR);
	expect_answer(2, NETIF_RSP_ERROR);
	expect_answer(7, NETIF_RSP_ERROR);
	ck_assert_int_eq(guest_tx_response(&g).status, NETIF_RSP_NULL);
	expect_answer(7, NETIF_RSP_ERROR);
	expect_answer(3, NETIF_RSP_ERROR);
	expect_answer(4, NETIF_RSP_ERROR);
	for (uint16_t id = 7; id < 26; id++)
		expect_answer(id, NETIF_RSP_ERROR);
	ck_assert_uint_eq(net.counters.tx_errors, 6);
}
END_TEST

START_TEST(a_grant_that_is_not_there_costs_only_its_own_packet)
{
	guest_make_frame(frame, 60);
	put_packet(60, 0, NULL, 1, 0);
	put_packet(60, 0, NULL, 1, 0);
	fake_revoke(g.platform, GUEST_TX_PAGES);
	kick();
	ck_assert_int_eq(serve(), 0);
	expect_answer(7, NETIF_RSP_ERROR);
	expect_answer(7, NETIF_RSP_OKAY);
	expect_sent(60);
	expect_nothing_sent();
}
END_TEST

START_TEST(a_part_that_leaves_its_page_ends_the_connection)
{
	guest_put_tx(&g, frame, 4000, 96, 97, 0, 1);
	expect_broken("97 bytes at offset 4000");
}
END_TEST

START_TEST(a_later_part_that_leaves_its_page_ends_the_connection)
{
	guest_put_tx(&g, frame, 0, 100, 6000, NETTXF_more_data, 1);
	guest_put_tx(&g, frame, 1, 0, 4096, 0, 2);
	expect_broken("4096 bytes at offset 1");
}
END_TEST

START_TEST(a_packet_without_an_end_ends_the_connection)
{
	guest_put_tx(&g, frame, 0, 100, 200, NETTXF_more_data, 1);
	expect_broken("no end");
}
END_TEST

START_TEST(missing_extra_information_ends_the_connection)
{
	guest_put_tx(&g, frame, 0, 100, 100, NETTXF_extra_info, 1);
	expect_broken("no end");
}
END_TEST

START_TEST(extra_information_of_no_known_type_ends_the_connection)
{
	struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_MAX };

	put_packet(60, 0, &extra, 1, 0);
	expect_broken("type 5");
}
END_TEST

START_TEST(pieces_of_no_size_end_the_connection)
{
	struct netif_extra_info gso = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

	gso.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
	put_packet(60, 0, &gso, 1, 0);
	expect_broken("pieces of 0 bytes");
}
END_TEST

START_TEST(a_producer_index_far_ahead_ends_the_connection)
{
	g.tx.view.shared->req_prod = 257;
	net.queues[0].tx_is_due = true;
	ck_assert_int_eq(serve(), -EPROTO);
	g.tx.view.shared->req_prod = 0;
}
END_TEST

START_TEST(a_whole_ring_of_one_packet_is_an_error_and_no_more)
{
	guest_make_frame(frame, 60);
	for (int i = 0; i < 256; i++)
		guest_put_tx(&g, frame, 0, 100, 100, i < 255 ? NETTXF_more_data : 0, (uint16_t)i);
	kick();
	ck_assert_int_eq(serve(), 0);
	for (uint16_t id = 0; id < 256; id++)
		expect_answer(id, NETIF_RSP_ERROR);
	expect_nothing_sent();
}
END_TEST

START_TEST(spoofed_packets_are_dropped_and_counted)
{
	guest_make_frame(frame, 60);
	memcpy(frame + 6, other_mac, 6);
	put_packet(60, 0, NULL, 1, 0);
	kick();
	ck_assert_int_eq(serve(), 0);
	expect_nothing_sent();
	expect_answer(7, NETIF_RSP_DROPPED);
	ck_assert_uint_eq(net.counters.tx_spoofed, 1);
}
END_TEST

START_TEST(groups_are_joined_by_packets_that_go_nowhere)
{
	struct netif_extra_info join = { .type = XEN_NETIF_EXTRA_TYPE_MCAST_ADD };

	memset(join.u.mcast.addr, 0x33, 6);
	put_packet(60, 0, &join, 1, 0);
	kick();
	ck_assert_int_eq(serve(), 0);
	expect_nothing_sent();
	expect_answer(7, NETIF_RSP_OKAY);
	expect_answer(join.type, NETIF_RSP_NULL); /* for what joined */
	ck_assert_uint_eq(net.filter.nr_groups, 1);
	join.type = XEN_NETIF_EXTRA_TYPE_MCAST_DEL;
	put_packet(0, 0, &join, 1, 0); /* frontends that send no frame with it */
	kick();
	ck_assert_int_eq(serve(), 0);
	expect_answer(7, NETIF_RSP_OKAY);
	ck_assert_uint_eq(net.filter.nr_groups, 0);
}
END_TEST

START_TEST(beyond_its_rate_the_guest_waits)
{
	rate_init(&net.from_guest, 1000000, 0, 0, now_ns);
	guest_make_frame(frame, 40000);
	for (int i = 0; i < 10; i++)
		put_packet(4000 * 10, 0, NULL, 11, 3900);
	kick();
	ck_assert_int_eq(serve(), 0);
	ck_assert_uint_gt(wake_ns, now_ns);
	ck_assert_uint_lt(net.counters.tx_packets, 10);
	for (int i = 0; i < 2000 && net.counters.tx_packets < 10; i++) {
		now_ns = MIN(now_ns + 1000 * MS, wake_ns);
		ck_assert_int_eq(serve(), 0);
	}
	ck_assert_uint_eq(net.counters.tx_packets, 10);
	ck_assert_uint_ge(now_ns, 150 * MS);
}
END_TEST

static void receive(size_t length)
{
	guest_wire_write(&g, &header, frame, length);
	net.queues[0].tap_is_ready = true;
	ck_assert_int_eq(serve(), 0);
}

static struct netif_rx_response next_rx(const uint8_t **ret_page)
{
	struct netif_rx_response response;

	ck_assert(guest_rx_response(&g, &response, ret_page));
	return response;
}

START_TEST(a_received_packet_lies_in_the_pages_that_were_posted)
{
	struct netif_rx_response response;
	const uint8_t *page;

	guest_post_rx(&g, 10);
	guest_make_frame(frame, 5000);
	header = (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_DATA_VALID };
	receive(5000);
	response = next_rx(&page);
	ck_assert_uint_eq(response.flags, NETRXF_more_data | NETRXF_data_validated);
	ck_assert_uint_eq(response.id, 0);
	ck_assert_uint_eq(response.offset, 0);
	ck_assert_int_eq(response.status, 4096);
	ck_assert_mem_eq(page, frame, 4096);
	response = next_rx(&page);
	ck_assert_uint_eq(response.flags, 0);
	ck_assert_int_eq(response.status, 904);
	ck_assert_mem_eq(page, frame + 4096, 904);
	ck_assert_uint_eq(page[904], 0xee);
	ck_assert_uint_eq(fake_notified(g.platform, GUEST_RX_PORT), 1);
}
END_TEST

START_TEST(a_large_packet_comes_with_what_it_is_to_be_cut_into)
{
	struct netif_rx_response response;
	struct netif_extra_info extra;
	unsigned int nr = 0;

	guest_post_rx(&g, 30);
	guest_make_tcp(frame, 65549);
	header = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.gso_size = 1448,
		.csum_start = 34,
		.csum_offset = 16,
	};
	receive(65549);
	response = next_rx(NULL);
	ck_assert_uint_eq(response.flags, NETRXF_more_data | NETRXF_data_validated |
						  NETRXF_csum_blank | NETRXF_extra_info);
	response = next_rx(NULL);
	memcpy(&extra, &response, sizeof(extra));
	ck_assert_uint_eq(extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
	ck_assert_uint_eq(extra.flags, 0);
	ck_assert_uint_eq(extra.u.gso.size, 1448);
	ck_assert_uint_eq(extra.u.gso.type, XEN_NETIF_GSO_TYPE_TCPV4);
	while (guest_rx_response(&g, &response, NULL))
		nr++;
	ck_assert_uint_eq(nr, 16);
	ck_assert_uint_eq(response.flags, 0);
	ck_assert_int_eq(response.status, 65549 - 16 * 4096);
}
END_TEST

START_TEST(a_checksum_that_the_frontend_does_not_take_is_completed)
{
	uint8_t whole[100];
	const uint8_t *page;

	net.features.csum_v4 = false;
	guest_post_rx(&g, 4);
	guest_make_tcp(frame, 100);
	header = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = 34,
		.csum_offset = 16,
	};
	receive(100);
	memcpy(whole, frame, sizeof(whole));
	frame_checksum_fill(whole, sizeof(whole), 34, 16);
	ck_assert_uint_eq(next_rx(&page).flags, NETRXF_data_validated);
	ck_assert_mem_eq(page, whole, sizeof(whole));
}
END_TEST

START_TEST(what_the_frontend_cannot_take_makes_the_host_prepare_packets_fully)
{
	net.features.gso_v4 = false;
	guest_post_rx(&g, 30);
	guest_make_tcp(frame, 3000);
	header = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.gso_size = 1448,
		.csum_start = 34,
		.csum_offset = 16,
	};
	receive(3000);
	ck_assert(net.wants_plain_tap);
	ck_assert_uint_eq(net.counters.rx_dropped, 1);
}
END_TEST

START_TEST(a_packet_waits_for_room_and_the_guest_is_asked_to_tell)
{
	struct netif_rx_response response;
	uint32_t ports[PLATFORM_EVENTS];

	guest_post_rx(&g, 1);
	guest_make_frame(frame, 5000);
	header = (struct virtio_net_hdr){ 0 };
	receive(5000);
	ck_assert(!guest_rx_response(&g, &response, NULL));
	ck_assert(!ring_front_push(&g.rx));
	guest_post_rx(&g, 1);
	ck_assert_uint_eq(platform_events(g.platform, ports), 2);
	ck_assert_uint_eq(ports[0], net.queues[0].tx_port);
	ck_assert_uint_eq(ports[1], net.queues[0].rx_port);
	ck_assert_int_eq(serve(), 0);
	ck_assert_int_eq(next_rx(NULL).status, 4096);
	ck_assert_int_eq(next_rx(NULL).status, 904);
}
END_TEST

START_TEST(a_guest_that_posts_nothing_for_long_loses_packets_until_it_does)
{
	guest_make_frame(frame, 60);
	header = (struct virtio_net_hdr){ 0 };
	receive(60);
	ck_assert_uint_eq(wake_ns, now_ns + 10000 * MS);
	now_ns = wake_ns;
	ck_assert_int_eq(serve(), 0);
	ck_assert_uint_eq(net.nr_stalled, 1);
	for (int i = 0; i < 100; i++)
		receive(60);
	ck_assert_uint_eq(net.counters.rx_dropped, 101);
	guest_post_rx(&g, 100);
	receive(60);
	ck_assert_uint_eq(net.nr_stalled, 0);
	ck_assert_int_eq(next_rx(NULL).status, 60);
}
END_TEST

START_TEST(a_guest_that_does_not_tell_when_it_posts_is_looked_at_often)
{
	net.features.rx_notify = false;
	guest_make_frame(frame, 60);
	header = (struct virtio_net_hdr){ 0 };
	receive(60);
	ck_assert_uint_eq(wake_ns, now_ns + 30 * MS);
	now_ns += 100000 * MS;
	ck_assert_int_eq(serve(), 0);
	ck_assert_uint_eq(net.nr_stalled, 0);
}
END_TEST

START_TEST(a_page_that_cannot_be_written_costs_only_its_own_packet)
{
	guest_post_rx(&g, 4);
	fake_revoke(g.platform, GUEST_RX_PAGES);
	guest_make_frame(frame, 60);
	header = (struct virtio_net_hdr){ 0 };
	guest_wire_write(&g, &header, frame, 60);
	receive(60);
	ck_assert_int_eq(next_rx(NULL).status, NETIF_RSP_ERROR);
	ck_assert_int_eq(next_rx(NULL).status, 60);
	ck_assert_uint_eq(net.counters.rx_errors, 1);
}
END_TEST

START_TEST(many_packets_are_received_in_batches)
{
	guest_post_rx(&g, 200);
	guest_make_frame(frame, 60);
	header = (struct virtio_net_hdr){ 0 };
	for (int i = 0; i < 199; i++)
		guest_wire_write(&g, &header, frame, 60);
	receive(60);
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(next_rx(NULL).status, 60);
	ck_assert_uint_le(fake_notified(g.platform, GUEST_RX_PORT), 8);
}
END_TEST

START_TEST(an_index_of_the_rx_ring_far_ahead_ends_the_connection)
{
	g.rx.view.shared->req_prod = 1000;
	guest_make_frame(frame, 60);
	header = (struct virtio_net_hdr){ 0 };
	guest_wire_write(&g, &header, frame, 60);
	ck_assert_int_eq(serve(), -EPROTO);
	g.rx.view.shared->req_prod = 0;
}
END_TEST

START_TEST(an_index_of_the_rx_ring_is_looked_at_when_the_guest_notifies)
{
	g.rx.view.shared->req_prod = 1000;
	ck_assert_int_eq(serve(), 0);
	net_port_event(&net, net.queues[0].rx_port);
	ck_assert_int_eq(serve(), -EPROTO);
	g.rx.view.shared->req_prod = 0;
}
END_TEST

/* What a process leaves that is killed: nr_torn rx responses written and not published. */
static void die_and_come_back(uint32_t nr_torn)
{
	struct queue *q = &net.queues[0];
	uint32_t intent = q->rx.rsp_prod + nr_torn;

	memcpy(q->rx.view.shared->pad + 44, &intent, sizeof(intent));
	for (uint32_t i = 0; i < nr_torn; i++) {
		struct netif_rx_response response = { .id = (uint16_t)(q->rx.rsp_prod + i),
						      .status = 60 };

		ring_copy_in(&q->rx.view, q->rx.rsp_prod + i, &response, sizeof(response));
	}
	platform_unbind(g.platform, q->tx_port);
	platform_unbind(g.platform, q->rx_port);
	net_remove_queues(&net);
	attach(true);
}

START_TEST(a_process_that_takes_over_answers_for_the_one_before)
{
	guest_post_rx(&g, 10);
	guest_make_frame(frame, 60);
	header = (struct virtio_net_hdr){ 0 };
	receive(60);
	ck_assert_int_eq(next_rx(NULL).status, 60);
	put_packet(60, 0, NULL, 1, 0);
	put_packet(3000, 0, NULL, 2, 1000);
	kick();
	die_and_come_back(3);
	ck_assert_int_eq(serve(), 0);
	expect_nothing_sent(); /* it may have sent these */
	expect_answer(7, NETIF_RSP_DROPPED);
	expect_answer(7, NETIF_RSP_DROPPED);
	expect_answer(8, NETIF_RSP_DROPPED);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(next_rx(NULL).status, NETIF_RSP_ERROR);
	put_packet(60, 0, NULL, 1, 0);
	kick();
	receive(60);
	expect_sent(60);
	expect_answer(7, NETIF_RSP_OKAY);
	ck_assert_int_eq(next_rx(NULL).status, 60);
}
END_TEST

START_TEST(a_ring_that_was_idle_goes_on_as_if_nothing_had_been)
{
	guest_post_rx(&g, 10);
	guest_make_frame(frame, 60);
	header = (struct virtio_net_hdr){ 0 };
	receive(60);
	die_and_come_back(0);
	receive(60);
	ck_assert_int_eq(next_rx(NULL).status, 60);
	ck_assert_int_eq(next_rx(NULL).status, 60);
}
END_TEST

START_TEST(a_frontend_controls_the_hash_and_gets_it_with_its_packets)
{
	struct ring_front ctrl;
	uint32_t ref = GUEST_CTRL, port;
	void *page;
	const struct xen_netif_ctrl_request requests[] = {
		{ 1, XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, { 0 } },
		{ 2, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, { 1 } },
		{ 3, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, { 3 } },
		{ 4, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, { GUEST_CTRL + 1, 40 } },
		{ 5, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, { 2 } },
		{ 6, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, { GUEST_CTRL + 1, 2, 1 } },
		{ 7, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, { GUEST_CTRL + 1, 41 } },
		{ 8, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, { 4000, 40 } },
		{ 9, XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, { 0 } },
		{ 10, XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, { 0 } },
		{ 11, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, { GUEST_CTRL + 2, 2, 0 } },
		{ 12, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, { GUEST_CTRL + 1, 1, 0 } },
	};
	static const uint32_t expected[] = { 1, 0, 0, 0, 0, 2, 2, 2, 0, 1, 0, 2 };
	struct netif_rx_response response;
	struct netif_extra_info extra;

	ring_front_init(&ctrl, fake_grant(g.platform, GUEST_CTRL, false), NET_PAGE,
			sizeof(struct xen_netif_ctrl_request));
	memset(fake_grant(g.platform, GUEST_CTRL + 1, true), 0x5a, 40);
	fake_grant(g.platform, GUEST_CTRL + 2, true);
	ck_assert_int_eq(platform_map(g.platform, &ref, 1, false, &page), 0);
	ck_assert_int_eq(platform_bind(g.platform, 22, &port), 0);
	ck_assert_int_eq(net_set_control(&net, page, port), 0);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		ring_front_put(&ctrl, &requests[i], sizeof(requests[i]));
	(void)ring_front_push(&ctrl);
	ck_assert_int_eq(serve(), 0);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		struct xen_netif_ctrl_response answer;

		ck_assert_int_eq(ring_front_take(&ctrl, &answer, sizeof(answer)), RING_TAKEN);
		ck_assert_uint_eq(answer.id, i + 1);
		ck_assert_uint_eq(answer.status, expected[i]);
	}
	guest_post_rx(&g, 4);
	guest_make_tcp(frame, 60);
	header = (struct virtio_net_hdr){ 0 };
	receive(60);
	ck_assert_uint_eq(next_rx(NULL).flags, NETRXF_extra_info);
	response = next_rx(NULL);
	memcpy(&extra, &response, sizeof(extra));
	ck_assert_uint_eq(extra.type, XEN_NETIF_EXTRA_TYPE_HASH);
	ck_assert_uint_eq(extra.u.hash.type, 1);
}
END_TEST

START_TEST(with_the_link_down_nothing_passes)
{
	net.is_link_down = true;
	guest_post_rx(&g, 4);
	guest_make_frame(frame, 60);
	put_packet(60, 0, NULL, 1, 0);
	kick();
	header = (struct virtio_net_hdr){ 0 };
	receive(60);
	expect_nothing_sent();
	expect_answer(7, NETIF_RSP_DROPPED);
	ck_assert_uint_eq(net.counters.rx_dropped, 1);
}
END_TEST

UNIT_MAIN("net-queues", setup, teardown, a_packet_comes_out_as_it_was_put_and_is_answered,
	  parts_are_put_together_with_headers_in_any_of_them,
	  a_packet_of_64_kib_goes_out_in_one_piece,
	  a_packet_to_be_cut_gets_the_pseudo_sum_where_the_frontend_forgot,
	  a_full_ring_is_sent_in_batches, that_packets_were_taken_is_told_in_the_next_round,
	  plain_bad_packets_are_answered_with_an_error,
	  a_grant_that_is_not_there_costs_only_its_own_packet,
	  a_part_that_leaves_its_page_ends_the_connection,
	  a_later_part_that_leaves_its_page_ends_the_connection,
	  a_packet_without_an_end_ends_the_connection,
	  missing_extra_information_ends_the_connection,
	  extra_information_of_no_known_type_ends_the_connection,
	  pieces_of_no_size_end_the_connection, a_producer_index_far_ahead_ends_the_connection,
	  a_whole_ring_of_one_packet_is_an_error_and_no_more,
	  spoofed_packets_are_dropped_and_counted, groups_are_joined_by_packets_that_go_nowhere,
	  beyond_its_rate_the_guest_waits, a_received_packet_lies_in_the_pages_that_were_posted,
	  a_large_packet_comes_with_what_it_is_to_be_cut_into,
	  a_checksum_that_the_frontend_does_not_take_is_completed,
	  what_the_frontend_cannot_take_makes_the_host_prepare_packets_fully,
	  a_packet_waits_for_room_and_the_guest_is_asked_to_tell,
	  a_guest_that_posts_nothing_for_long_loses_packets_until_it_does,
	  a_guest_that_does_not_tell_when_it_posts_is_looked_at_often,
	  a_page_that_cannot_be_written_costs_only_its_own_packet,
	  many_packets_are_received_in_batches,
	  an_index_of_the_rx_ring_far_ahead_ends_the_connection,
	  an_index_of_the_rx_ring_is_looked_at_when_the_guest_notifies,
	  a_process_that_takes_over_answers_for_the_one_before,
	  a_ring_that_was_idle_goes_on_as_if_nothing_had_been,
	  a_frontend_controls_the_hash_and_gets_it_with_its_packets,
	  with_the_link_down_nothing_passes)
