/* The interface's life in the store: pv-drivers/back/net/device.c. */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest.h"
#include "unit.h"

#define FRONT "/local/domain/7/device/vif/0"
#define BACK  "/local/domain/0/backend/lodge-net/7/0"

static struct guest g;
static struct device device;
static struct err err;
static struct device_options options;

/* What the tap device is told. */
static unsigned int nr_attached, nr_carrier_off;

int __wrap_ioctl(int fd, unsigned long request, void *argument);

int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
	(void)fd;
	if (request == TUNSETQUEUE)
		nr_attached += ((const struct ifreq *)argument)->ifr_flags == IFF_ATTACH_QUEUE;
	if (request == TUNSETCARRIER)
		nr_carrier_off += !*(const int *)argument;
	return 0;
}

static void lodged_writes(void)
{
	fake_set(g.platform, BACK, "state", "1");
	fake_set(g.platform, BACK, "online", "1");
	fake_set(g.platform, BACK, "mac", "00:16:3e:01:02:03");
	fake_set(g.platform, FRONT, "state", "1");
}

static void setup(void)
{
	guest_init(&g);
	options = (struct device_options){
		.domid = FAKE_DOMID,
		.front = FRONT,
		.back = BACK,
		.tap_fd = g.tap,
		.nr_taps = 1,
	};
	memset(&device, 0, sizeof(device));
	lodged_writes();
}

static void teardown(void)
{
	guest_fini(&g);
}

static void start(void)
{
	ck_assert_int_eq(device_open(&device, &options, g.platform, &err), 0);
	ck_assert_int_eq(device_start(&device, &err), 0);
}

static void front_goes(const char *state)
{
	fake_set(g.platform, FRONT, "state", state);
	ck_assert_int_eq(device_store_news(&device, &err), 0);
}

static void frontend_writes(void)
{
	fake_set(g.platform, FRONT, "tx-ring-ref", "8");
	fake_set(g.platform, FRONT, "rx-ring-ref", "9");
	fake_set(g.platform, FRONT, "event-channel-tx", "20");
	fake_set(g.platform, FRONT, "event-channel-rx", "21");
	fake_set(g.platform, FRONT, "request-rx-copy", "1");
	fake_set(g.platform, FRONT, "feature-rx-notify", "1");
	fake_set(g.platform, FRONT, "feature-sg", "1");
	fake_set(g.platform, FRONT, "feature-gso-tcpv4", "1");
	fake_set(g.platform, FRONT, "feature-ipv6-csum-offload", "1");
}

static const char *back(const char *name)
{
	return fake_node(g.platform, BACK, name);
}

static void serve(void)
{
	device_take_events(&device);
	while (!device_serve(&device))
		;
}

START_TEST(a_frontend_finds_features_connects_and_sends)
{
	uint8_t frame[60], got[60];
	struct virtio_net_hdr header;

	start();
	ck_assert_str_eq(back("state"), "2");
	ck_assert_str_eq(back("feature-rx-copy"), "1");
	ck_assert_str_eq(back("feature-sg"), "1");
	ck_assert_str_eq(back("multi-queue-max-queues"), "1");
	frontend_writes();
	front_goes("4");
	ck_assert_str_eq(back("state"), "4");
	ck_assert(device.net.features.gso_v4 && device.net.features.csum_v6);
	ck_assert(!device.net.features.gso_v6);
	guest_make_frame(frame, sizeof(frame));
	guest_put_tx(&g, frame, 0, 60, 60, 0, 1);
	(void)ring_front_push(&g.tx);
	fake_event(g.platform, GUEST_TX_PORT);
	serve();
	ck_assert_int_eq(guest_wire_read(&g, &header, got, sizeof(got)), 60);
	front_goes("5");
	ck_assert_uint_eq(fake_nr_mapped(g.platform), 0);
	ck_assert_uint_eq(fake_nr_bound(g.platform), 0);
	front_goes("6");
	front_goes("1");
	ck_assert_str_eq(back("state"), "2");
	device_close(&device);
}
END_TEST

START_TEST(one_event_channel_serves_both_rings_where_the_frontend_has_one)
{
	start();
	frontend_writes();
	fake_set(g.platform, FRONT, "event-channel-tx", NULL);
	fake_set(g.platform, FRONT, "event-channel-rx", NULL);
	fake_set(g.platform, FRONT, "event-channel", "20");
	front_goes("4");
	ck_assert_str_eq(back("state"), "4");
	ck_assert_uint_eq(fake_nr_bound(g.platform), 1);
	device_close(&device);
}
END_TEST

/* Each leaves nothing of the guest's in use, and says what is wrong. */
START_TEST(a_frontend_whose_nodes_are_wrong_is_told_so)
{
	static const struct {
		const char *name, *text, *why;
	} cases[] = {
		{ "tx-ring-ref", NULL, "no node tx-ring-ref" },
		{ "rx-ring-ref", "x", "rx-ring-ref is not a number" },
		{ "rx-ring-ref", "4095", "grant 4095" },
		{ "event-channel-rx", "5000", "port 5000" },
		{ "event-channel-rx", NULL, "no node event-channel-rx" },
		{ "request-rx-copy", "0", "copied" },
		{ "feature-sg", "7", "feature-sg is not a number" },
		{ "multi-queue-num-queues", "0", "no queue" },
		{ "multi-queue-num-queues", "2", "multi-queue-num-queues is not a number up to 1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (i) {
			guest_fini(&g);
			setup();
		}
		start();
		frontend_writes();
		fake_set(g.platform, FRONT, cases[i].name, cases[i].text);
		front_goes("4");
		ck_assert_str_eq(back("state"), "5");
		ck_assert_msg(strstr(back("error"), cases[i].why), "\"%s\" is not \"%s\"",
			      back("error"), cases[i].why);
		ck_assert_uint_eq(fake_nr_mapped(g.platform), 0);
		ck_assert_uint_eq(fake_nr_bound(g.platform), 0);
		device_close(&device);
	}
}
END_TEST

START_TEST(a_broken_frontend_is_disconnected_with_the_reason)
{
	uint8_t frame[100] = { 0 };

	start();
	frontend_writes();
	front_goes("4");
	guest_put_tx(&g, frame, 4090, 0, 100, 0, 1);
	(void)ring_front_push(&g.tx);
	fake_event(g.platform, GUEST_TX_PORT);
	device_take_events(&device);
	ck_assert_int_eq(device_serve(&device), -1);
	ck_assert_str_eq(back("state"), "5");
	ck_assert_str_eq(back("error"), "a request of 100 bytes at offset 4090");
	ck_assert_uint_eq(fake_nr_mapped(g.platform), 0);
	device_close(&device);
}
END_TEST

START_TEST(queues_are_connected_by_the_number_the_frontend_asks_for)
{
	struct ring_front ring;

	options.nr_taps = 2;
	options.tap_fd = fcntl(g.tap, F_DUPFD, 200);
	ck_assert_int_eq(dup2(g.tap, options.tap_fd + 1), options.tap_fd + 1);
	start();
	ck_assert_str_eq(back("multi-queue-max-queues"), "2");
	frontend_writes();
	for (uint32_t ref = 8; ref < 12; ref++)
		ring_front_init(&ring, fake_grant(g.platform, ref, false), NET_PAGE,
				ref % 2 ? 8 : 12);
	fake_set(g.platform, FRONT, "multi-queue-num-queues", "2");
	fake_set(g.platform, FRONT, "queue-0/tx-ring-ref", "8");
	fake_set(g.platform, FRONT, "queue-0/rx-ring-ref", "9");
	fake_set(g.platform, FRONT, "queue-0/event-channel", "20");
	fake_set(g.platform, FRONT, "queue-1/tx-ring-ref", "10");
	fake_set(g.platform, FRONT, "queue-1/rx-ring-ref", "11");
	fake_set(g.platform, FRONT, "queue-1/event-channel-tx", "22");
	fake_set(g.platform, FRONT, "queue-1/event-channel-rx", "23");
	front_goes("4");
	ck_assert_str_eq(back("state"), "4");
	ck_assert_uint_eq(device.net.nr_queues, 2);
	ck_assert_uint_eq(fake_nr_bound(g.platform), 3);
	device_close(&device);
	close(options.tap_fd);
	close(options.tap_fd + 1);
}
END_TEST

/* Which ones, only the process knew that is dead. */
START_TEST(a_second_process_lets_all_groups_pass)
{
	static const uint8_t group[60] = { 0x01, 0, 0x5e, 0, 0, 1 };

	frontend_writes();
	fake_set(g.platform, FRONT, "request-multicast-control", "1");
	fake_set(g.platform, BACK, "state", "4");
	fake_set(g.platform, FRONT, "state", "4");
	start();
	ck_assert(filter_may_enter(&device.net.filter, group));
	front_goes("6");
	front_goes("1");
	front_goes("4");
	ck_assert(!filter_may_enter(&device.net.filter, group));
	device_close(&device);
}
END_TEST

START_TEST(a_single_queue_that_was_set_aside_is_attached)
{
	start();
	frontend_writes();
	nr_attached = 0;
	front_goes("4");
	ck_assert_uint_eq(nr_attached, 1);
	device_close(&device);
}
END_TEST

START_TEST(a_second_process_leaves_the_carrier_as_it_is)
{
	fake_set(g.platform, BACK, "state", "4");
	fake_set(g.platform, FRONT, "state", "4");
	frontend_writes();
	nr_carrier_off = 0;
	start();
	ck_assert_uint_eq(nr_carrier_off, 0);
	device_close(&device);
}
END_TEST

START_TEST(a_second_process_takes_the_rings_over_and_notifies)
{
	fake_set(g.platform, BACK, "state", "4");
	fake_set(g.platform, FRONT, "state", "4");
	frontend_writes();
	start();
	ck_assert_str_eq(back("state"), "4");
	ck_assert_str_eq(back("feature-sg"), "");
	ck_assert(device.xenbus.is_connected);
	ck_assert_uint_eq(fake_notified(g.platform, GUEST_TX_PORT), 1);
	ck_assert_uint_eq(fake_notified(g.platform, GUEST_RX_PORT), 1);
	device_close(&device);
}
END_TEST

START_TEST(settings_are_read_and_some_change_while_it_runs)
{
	fake_set(g.platform, BACK, "link", "down");
	fake_set(g.platform, BACK, "inbound", "1000 2000 500");
	fake_set(g.platform, BACK, "allowed-addresses", "10.0.0.5 fd00::5");
	start();
	ck_assert(device.net.is_link_down);
	ck_assert_mem_eq(device.net.filter.mac, guest_mac, 6);
	ck_assert_uint_eq(device.net.filter.nr_addresses, 2);
	ck_assert_uint_eq(device.net.to_guest.average.rate, 1024000);
	ck_assert_uint_eq(device.net.to_guest.peak.rate, 2048000);
	ck_assert(!rate_is_limited(&device.net.from_guest));
	fake_set(g.platform, BACK, "link", "up");
	fake_set(g.platform, BACK, "outbound", "8");
	ck_assert_int_eq(device_store_news(&device, &err), 0);
	ck_assert(!device.net.is_link_down);
	ck_assert_uint_eq(device.net.from_guest.average.rate, 8192);
	device_close(&device);
}
END_TEST

START_TEST(settings_that_are_wrong_are_refused)
{
	fake_set(g.platform, BACK, "mac", "00:16:3e:01:02");
	ck_assert_int_eq(device_open(&device, &options, g.platform, &err), -EINVAL);
	guest_fini(&g);
	setup();
	fake_set(g.platform, BACK, "allowed-addresses", "10.0.0");
	ck_assert_int_eq(device_open(&device, &options, g.platform, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "10.0.0"));
}
END_TEST

START_TEST(addresses_and_spoofed_packets_are_told)
{
	uint8_t frame[60] = { 0 };

	start();
	frontend_writes();
	front_goes("4");
	memset(frame, 0xff, 6);
	memcpy(frame + 6, guest_mac, 6);
	put_be16(frame + 12, ETHERTYPE_RESOLVE);
	memcpy(frame + 22, guest_mac, 6);
	memcpy(frame + 28, (const uint8_t[]){ 10, 0, 0, 5 }, 4);
	guest_put_tx(&g, frame, 0, 60, 60, 0, 1);
	frame[11]++;
	guest_put_tx(&g, frame, 0, 60, 60, 0, 1);
	(void)ring_front_push(&g.tx);
	fake_event(g.platform, GUEST_TX_PORT);
	serve();
	ck_assert_str_eq(back("addresses"), "10.0.0.5");
	ck_assert_str_eq(back("spoofed"), "1");
	device_close(&device);
}
END_TEST

START_TEST(multicast_control_may_be_turned_on_while_connected)
{
	start();
	frontend_writes();
	front_goes("4");
	ck_assert(!device.net.filter.has_multicast_control);
	fake_set(g.platform, FRONT, "request-multicast-control", "1");
	ck_assert_int_eq(device_store_news(&device, &err), 0);
	ck_assert(device.net.filter.has_multicast_control);
	device_close(&device);
}
END_TEST

START_TEST(a_control_ring_is_forgotten_with_its_connection)
{
	start();
	frontend_writes();
	(void)fake_grant(g.platform, GUEST_CTRL, false);
	fake_set(g.platform, FRONT, "ctrl-ring-ref", "10");
	fake_set(g.platform, FRONT, "event-channel-ctrl", "22");
	front_goes("4");
	serve();
	fake_event(g.platform, 22);
	device_take_events(&device);
	front_goes("6");
	front_goes("1");
	fake_set(g.platform, FRONT, "ctrl-ring-ref", NULL);
	front_goes("4");
	ck_assert_msg(device.xenbus.is_connected, "%s", back("error"));
	ck_assert(!device.net.ctrl_is_due);
	serve();
	device_close(&device);
}
END_TEST

START_TEST(packets_that_nobody_wants_do_not_keep_the_rest_waiting)
{
	struct virtio_net_hdr header = { 0 };
	uint8_t frame[60] = { 0x01, 0, 0x5e, 0, 0, 1 };

	start();
	frontend_writes();
	fake_set(g.platform, FRONT, "request-multicast-control", "1");
	front_goes("4");
	for (unsigned int i = 0; i < RX_BATCH + 8; i++)
		guest_wire_write(&g, &header, frame, sizeof(frame));
	ck_assert_int_eq(device_serve(&device), 0);
	ck_assert_uint_eq(device.net.counters.rx_dropped, RX_BATCH);
	serve();
	ck_assert_uint_eq(device.net.counters.rx_dropped, RX_BATCH + 8);
	device_close(&device);
}
END_TEST

START_TEST(a_guest_of_many_addresses_does_not_keep_the_store_busy)
{
	uint8_t frame[60] = { 0 };

	start();
	frontend_writes();
	front_goes("4");
	memset(frame, 0xff, 6);
	memcpy(frame + 6, guest_mac, 6);
	put_be16(frame + 12, ETHERTYPE_RESOLVE);
	memcpy(frame + 22, guest_mac, 6);
	for (uint8_t i = 1; i < 3; i++) {
		memcpy(frame + 28, (const uint8_t[]){ 10, 0, 0, i }, 4);
		guest_put_tx(&g, frame, 0, 60, 60, 0, i);
		(void)ring_front_push(&g.tx);
		fake_event(g.platform, GUEST_TX_PORT);
		device_take_events(&device);
		while (!device_serve(&device))
			;
	}
	ck_assert_str_eq(back("addresses"), "10.0.0.1"); /* the second waits */
	ck_assert_int_gt(device_serve(&device), 0);
	device.addresses_told_ns = 0;
	(void)!device_serve(&device);
	ck_assert_str_eq(back("addresses"), "10.0.0.2 10.0.0.1");
	device_close(&device);
}
END_TEST

UNIT_MAIN("net-device", setup, teardown, a_frontend_finds_features_connects_and_sends,
	  one_event_channel_serves_both_rings_where_the_frontend_has_one,
	  a_frontend_whose_nodes_are_wrong_is_told_so,
	  a_broken_frontend_is_disconnected_with_the_reason,
	  queues_are_connected_by_the_number_the_frontend_asks_for,
	  a_single_queue_that_was_set_aside_is_attached,
	  a_second_process_leaves_the_carrier_as_it_is, a_second_process_lets_all_groups_pass,
	  a_second_process_takes_the_rings_over_and_notifies,
	  settings_are_read_and_some_change_while_it_runs, settings_that_are_wrong_are_refused,
	  addresses_and_spoofed_packets_are_told, a_control_ring_is_forgotten_with_its_connection,
	  packets_that_nobody_wants_do_not_keep_the_rest_waiting,
	  a_guest_of_many_addresses_does_not_keep_the_store_busy,
	  multicast_control_may_be_turned_on_while_connected)
