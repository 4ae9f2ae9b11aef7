/*
 * A host of one address on a network card. ip= is its address. With peer=, it pings that host n= times with
 * payloads of all sizes, has datagrams come back from its port 7 as often, and says by one to port 9 that it is
 * over. With groups=1, it wants the multicast frames of 239.127.0.1, n= of them, and no others. Without both, it
 * answers ARP, ping, and datagrams to port 7 with what is in them, until it is told so.
 * Options: queues=, channel=1 for one event channel of both rings, blank=1 to take frames without their sums.
 */
#include "front/udp.h"
#include "options.h"

#define PORT_ECHO    7
#define PORT_END     9
#define OWN_PORT     4711
#define ANSWER_TIME  (10 * SEC) /* what is lost does not come at all */
#define SERVICE_TIME (300 * SEC)
#define LISTEN_TIME  (60 * SEC)

const char test_title[] = "a network card carries data both ways";

static struct net card;
static struct udp_host host = { .net = &card };
static uint64_t random_state;
static uint8_t payload[UDP_MAX];

static void fill_payload(void)
{
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)random_next(&random_state);
}

/* Answers to earlier ones, given up meanwhile, do not count. */
static bool echo_once(const struct udp_peer *peer, size_t size)
{
	struct udp_datagram d;

	if (!udp_send(&host, peer, OWN_PORT, payload, size))
		return false;
	while (udp_receive(&host, &d, ANSWER_TIME)) {
		if (d.to_port == OWN_PORT && d.size == size && !memcmp(d.data, payload, size))
			return true;
	}
	return false;
}

static void ask(uint32_t address, uint64_t count)
{
	struct udp_peer peer;
	uint64_t nr_pings = 0, nr_echoes = 0;
	bool is_there = false;

	for (unsigned int i = 0; i < 10 && !is_there; i++)
		is_there = udp_resolve(&host, address, ANSWER_TIME, &peer);
	if (!check(is_there, "the peer answers ARP"))
		return;
	for (uint64_t i = 0; i < count; i++) {
		fill_payload();
		nr_pings += udp_ping(&host, &peer, (uint16_t)i, payload,
				     random_next(&random_state) % (UDP_MAX + 1), ANSWER_TIME);
	}
	check_eq(nr_pings, count, "every ping comes back as it was sent");
	peer.port = PORT_ECHO;
	for (uint64_t i = 0; i < count; i++) {
		fill_payload();
		nr_echoes += echo_once(&peer, 1 + random_next(&random_state) % UDP_MAX);
	}
	check_eq(nr_echoes, count, "every datagram comes back as it was sent");
	peer.port = PORT_END;
	for (unsigned int i = 0; i < 3; i++) { /* a datagram may be lost, above all the last */
		udp_send(&host, &peer, OWN_PORT, payload, 1);
		delay_ns(50 * MS);
	}
}

static void listen(uint64_t count)
{
	static const uint8_t group[] = { 0x01, 0x00, 0x5e, 0x7f, 0x00, 0x01 };
	uint64_t nr_wanted = 0, nr_others = 0, end;

	check(card.options.choose_groups, "the backend lets groups be chosen");
	check(net_join(&card.queue[0], group), "a group is asked for");
	note("ready");
	end = clock_ns() + LISTEN_TIME;
	while (nr_wanted < count && net_wait(&card, LISTEN_TIME) && clock_ns() < end) {
		while (net_receive(&card.queue[0], payload, sizeof(payload), NULL)) {
			bool is_broadcast = payload[0] == 0xff;

			if (!memcmp(payload, group, sizeof(group)))
				nr_wanted++;
			else
				nr_others += payload[0] & 1 && !is_broadcast;
		}
	}
	check_eq(nr_wanted, count, "the group's frames come");
	check_eq(nr_others, 0, "those of no other group do");
}

static void answer(void)
{
	struct udp_datagram d;
	uint64_t nr_echoes = 0;

	note("ready");
	for (;;) {
		if (!udp_receive(&host, &d, SERVICE_TIME))
			test_fail("nobody has said that it is over");
		if (d.to_port == PORT_END)
			break;
		if (d.to_port == PORT_ECHO)
			nr_echoes += udp_send(&host, &d.from, PORT_ECHO, d.data, d.size);
	}
	check(true, "it was said that it is over");
	note("%lu pings, %lu datagrams answered", host.nr_pings, nr_echoes);
}

void test_main(void)
{
	struct net_options options = {
		.nr_queues = (unsigned int)option_number("queues", 1),
		.use_one_channel = option_number("channel", 0),
		.take_blank_sums = option_number("blank", 0),
		.choose_groups = option_number("groups", 0),
	};
	uint32_t peer;
	uint64_t nr_refused = 0, nr_broken = 0;
	int err;

	random_state = option_number("seed", 1);
	if (!udp_parse_address(option("ip", ""), &host.address))
		test_error("ip= is missing");
	front_init();
	err = net_open(&card, 0, &options);
	if (!check_err(err, 0, "the card connects"))
		return;
	note("%02x:%02x:%02x:%02x:%02x:%02x, %u queues%s", card.mac[0], card.mac[1], card.mac[2],
	     card.mac[3], card.mac[4], card.mac[5], card.nr_queues,
	     card.options.use_one_channel ? ", one channel" : "");
	if (udp_parse_address(option("peer", ""), &peer))
		ask(peer, option_number("n", 100));
	else if (option_number("groups", 0))
		listen(option_number("n", 10));
	else
		answer();
	for (unsigned int i = 0; i < card.nr_queues; i++) {
		nr_refused += card.queue[i].nr_refused;
		nr_broken += card.queue[i].is_broken;
	}
	check_eq(nr_refused, 0, "the backend has refused nothing");
	check_eq(nr_broken, 0, "and answered only what it was asked");
	check_eq(host.nr_bad, 0, "all sums and lengths were right");
	check(net_close(&card), "the backend follows when the frontend closes");
	check_eq(card.nr_kept_grants, 0, "it lets go of all grants");
}
