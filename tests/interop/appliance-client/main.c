/*
 * Asks the appliance (docs/examples/appliance) at peer= for n= sectors of its disk, each of which must be a line
 * that begins with the sector's number. ip= is this guest's address.
 */
#include "front/udp.h"
#include "options.h"

#define PORT        3260
#define OWN_PORT    4711
#define ANSWER_TIME (2 * SEC)

const char test_title[] = "the appliance serves its disk";

static struct net card;
static struct udp_host host = { .net = &card };

static bool ask(const struct udp_peer *peer, uint64_t sector, struct udp_datagram *ret_answer)
{
	uint8_t number[8];

	for (unsigned int i = 0; i < sizeof(number); i++)
		number[i] = (uint8_t)(sector >> (56 - 8 * i));
	return udp_send(&host, peer, OWN_PORT, number, sizeof(number)) &&
	       udp_receive(&host, ret_answer, ANSWER_TIME) && ret_answer->to_port == OWN_PORT;
}

static bool is_right(const struct udp_datagram *d, uint64_t sector)
{
	char line[32];
	int length = snprintf(line, sizeof(line), "%lu ", sector);

	return d->size == 512 && !memcmp(d->data, line, (size_t)length) && d->data[511] == '\n';
}

void test_main(void)
{
	uint64_t count = option_number("n", 1), nr_right = 0, start;
	struct udp_datagram answer;
	struct udp_peer peer;
	uint32_t address;

	if (!udp_parse_address(option("ip", ""), &host.address) ||
	    !udp_parse_address(option("peer", ""), &address))
		test_error("ip= and peer= are needed");
	front_init();
	if (net_open(&card, 0, NULL))
		test_error("the card does not connect");
	for (unsigned int i = 0; !udp_resolve(&host, address, ANSWER_TIME, &peer); i++) {
		if (i == 10)
			test_error("nobody has that address");
	}
	peer.port = PORT;
	start = clock_ns();
	for (uint64_t sector = 0; sector < count; sector++)
		nr_right += ask(&peer, sector, &answer) && is_right(&answer, sector);
	check_eq(nr_right, count, "every sector is what stands on the disk");
	note("%lu reads in %lu us", nr_right, (clock_ns() - start) / US);
	check(ask(&peer, ~0UL, &answer) && !answer.size, "a sector behind the end is none");
	net_close(&card);
}
