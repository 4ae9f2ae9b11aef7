/* A host of one address. See udp.h. */
#include "front/udp.h"

#include "guest/console.h"
#include "guest/event.h"

#define ETHERTYPE_IP  0x0800
#define ETHERTYPE_ARP 0x0806
#define PROTOCOL_ICMP 1
#define PROTOCOL_UDP  17
#define ARP_SIZE      28
#define ARP_REQUEST   1
#define ARP_REPLY     2
#define IP_HEADER     20
#define ICMP_HEADER   8
#define ICMP_REQUEST  8
#define ICMP_REPLY    0
#define UDP_HEADER    8
#define IP_FRAGMENT   0x3fff /* offset, and "more follow" */

static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static void put16(uint8_t *at, uint64_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

/* The Internet sum of some bytes and of what was added up before. */
static uint32_t add_up(uint32_t sum, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i + 1 < size; i += 2)
		sum += get16(data + i);
	if (size % 2)
		sum += (uint32_t)data[size - 1] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint32_t pseudo_header(const uint8_t *ip, size_t size)
{
	return add_up(PROTOCOL_UDP + (uint32_t)size, ip + 12, 8);
}

bool udp_parse_address(const char *text, uint32_t *ret_address)
{
	uint32_t address = 0;

	for (unsigned int i = 0; i < 4; i++) {
		uint32_t byte = 0;

		if (*text < '0' || *text > '9')
			return false;
		for (; *text >= '0' && *text <= '9'; text++)
			byte = byte * 10 + (uint32_t)(*text - '0');
		if (byte > 255 || *text != (i < 3 ? '.' : '\0'))
			return false;
		text++;
		address = address << 8 | byte;
	}
	*ret_address = address;
	return true;
}

/* --- out --- */

static bool send_frame(struct udp_host *h, const uint8_t *mac, uint16_t type, uint8_t *frame,
		       size_t size)
{
	memcpy(frame, mac, 6);
	memcpy(frame + 6, h->net->mac, 6);
	put16(frame + 12, type);
	return net_send(&h->net->queue[0], frame, NET_HEADER_SIZE + size);
}

/* The packet's contents are behind the header's place already. */
static bool send_ip(struct udp_host *h, const struct udp_peer *to, uint8_t protocol, uint8_t *frame,
		    size_t size)
{
	uint8_t *ip = frame + NET_HEADER_SIZE;

	memset(ip, 0, IP_HEADER);
	ip[0] = 0x45;
	put16(ip + 2, IP_HEADER + size);
	ip[8] = 64;
	ip[9] = protocol;
	put32(ip + 12, h->address);
	put32(ip + 16, to->address);
	put16(ip + 10, fold(add_up(0, ip, IP_HEADER)));
	if (protocol == PROTOCOL_UDP)
		put16(ip + IP_HEADER + 6,
		      fold(add_up(pseudo_header(ip, size), ip + IP_HEADER, size)));
	return send_frame(h, to->mac, ETHERTYPE_IP, frame, IP_HEADER + size);
}

bool udp_send(struct udp_host *h, const struct udp_peer *to, uint16_t from_port, const void *data,
	      size_t size)
{
	static uint8_t frame[NET_HEADER_SIZE + IP_HEADER + UDP_HEADER + UDP_MAX];
	uint8_t *udp = frame + NET_HEADER_SIZE + IP_HEADER;

	if (size > UDP_MAX)
		return false;
	put16(udp, from_port);
	put16(udp + 2, to->port);
	put16(udp + 4, UDP_HEADER + size);
	put16(udp + 6, 0);
	memcpy(udp + UDP_HEADER, data, size);
	return send_ip(h, to, PROTOCOL_UDP, frame, UDP_HEADER + size);
}

static void send_arp(struct udp_host *h, uint16_t operation, const uint8_t *mac, uint32_t address)
{
	uint8_t frame[NET_HEADER_SIZE + ARP_SIZE], *arp = frame + NET_HEADER_SIZE;
	bool is_request = operation == ARP_REQUEST;

	put16(arp, 1); /* Ethernet */
	put16(arp + 2, ETHERTYPE_IP);
	arp[4] = 6;
	arp[5] = 4;
	put16(arp + 6, operation);
	memcpy(arp + 8, h->net->mac, 6);
	put32(arp + 14, h->address);
	memset(arp + 18, 0, 6);
	if (!is_request)
		memcpy(arp + 18, mac, 6);
	put32(arp + 24, address);
	send_frame(h, is_request ? everybody : mac, ETHERTYPE_ARP, frame, ARP_SIZE);
}

/* --- in --- */

struct packet {
	uint16_t type; /* 0: nothing for this host */
	uint8_t protocol;
	uint8_t *ip, *data; /* data: behind the IP header */
	size_t size;        /* of data */
};

static struct packet parse_ip(struct udp_host *h, size_t size)
{
	uint8_t *ip = h->frame + NET_HEADER_SIZE;
	struct packet p = { .ip = ip };
	size_t header, total;

	if (size < IP_HEADER)
		goto bad;
	header = (ip[0] & 15) * 4u;
	total = get16(ip + 2);
	if (ip[0] >> 4 != 4 || header < IP_HEADER || total < header || total > size ||
	    fold(add_up(0, ip, header)) || get16(ip + 6) & IP_FRAGMENT)
		goto bad;
	if (get32(ip + 16) != h->address)
		return p;
	p.type = ETHERTYPE_IP;
	p.protocol = ip[9];
	p.data = ip + header;
	p.size = total - header;
	return p;
bad:
	h->nr_bad++;
	return p;
}

static struct udp_peer sender(const struct udp_host *h, const struct packet *p)
{
	struct udp_peer peer = { .address = get32(p->ip + 12) };

	memcpy(peer.mac, h->frame + 6, 6);
	return peer;
}

static void answer_arp(struct udp_host *h, const uint8_t *arp)
{
	if (get16(arp + 6) == ARP_REQUEST && get32(arp + 24) == h->address)
		send_arp(h, ARP_REPLY, arp + 8, get32(arp + 14));
}

static bool is_good_icmp(struct udp_host *h, const struct packet *p)
{
	if (p->size >= ICMP_HEADER && !fold(add_up(0, p->data, p->size)))
		return true;
	h->nr_bad++;
	return false;
}

static void answer_ping(struct udp_host *h, const struct packet *p)
{
	static uint8_t frame[sizeof(h->frame)];
	struct udp_peer peer = sender(h, p);
	uint8_t *icmp = frame + NET_HEADER_SIZE + IP_HEADER;

	if (!is_good_icmp(h, p) || p->data[0] != ICMP_REQUEST)
		return;
	memcpy(icmp, p->data, p->size);
	icmp[0] = ICMP_REPLY;
	put16(icmp + 2, 0);
	put16(icmp + 2, fold(add_up(0, icmp, p->size)));
	h->nr_pings += send_ip(h, &peer, PROTOCOL_ICMP, frame, p->size);
}

static bool take_udp(struct udp_host *h, const struct packet *p, struct udp_datagram *ret_datagram)
{
	const uint8_t *udp = p->data;
	size_t size = p->size >= UDP_HEADER ? get16(udp + 4) : 0;

	if (size < UDP_HEADER || size > p->size ||
	    (get16(udp + 6) && fold(add_up(pseudo_header(p->ip, size), udp, size)))) {
		h->nr_bad++;
		return false;
	}
	ret_datagram->from = sender(h, p);
	ret_datagram->from.port = get16(udp);
	ret_datagram->to_port = get16(udp + 2);
	ret_datagram->data = udp + UDP_HEADER;
	ret_datagram->size = size - UDP_HEADER;
	return true;
}

/* The next packet of any queue that means this host, ARP answered. */
static struct packet next_packet(struct udp_host *h)
{
	for (unsigned int i = 0; i < h->net->nr_queues; i++) {
		size_t size = net_receive(&h->net->queue[i], h->frame, sizeof(h->frame), NULL);
		uint16_t type = get16(h->frame + 12);

		if (size < NET_HEADER_SIZE)
			continue;
		size -= NET_HEADER_SIZE;
		if (type == ETHERTYPE_IP)
			return parse_ip(h, size);
		if (type == ETHERTYPE_ARP && size >= ARP_SIZE)
			answer_arp(h, h->frame + NET_HEADER_SIZE);
		return (struct packet){ .type = type };
	}
	return (struct packet){ 0 };
}

/* Sleeps when there is nothing; false when the time is over. */
static bool wait_until(struct udp_host *h, uint64_t end)
{
	uint64_t now = clock_ns();

	if (end == FOREVER)
		return net_wait(h->net, FOREVER);
	return now < end && net_wait(h->net, end - now);
}

static uint64_t end_of(uint64_t timeout_ns)
{
	return timeout_ns == FOREVER ? FOREVER : clock_ns() + timeout_ns;
}

bool udp_receive(struct udp_host *h, struct udp_datagram *ret_datagram, uint64_t timeout_ns)
{
	uint64_t end = end_of(timeout_ns);

	do {
		struct packet p = next_packet(h);

		if (p.type != ETHERTYPE_IP)
			continue;
		if (p.protocol == PROTOCOL_ICMP)
			answer_ping(h, &p);
		else if (p.protocol == PROTOCOL_UDP && take_udp(h, &p, ret_datagram))
			return true;
	} while (wait_until(h, end));
	return false;
}

bool udp_resolve(struct udp_host *h, uint32_t address, uint64_t timeout_ns,
		 struct udp_peer *ret_peer)
{
	const uint8_t *arp = h->frame + NET_HEADER_SIZE;
	uint64_t end = end_of(timeout_ns);

	send_arp(h, ARP_REQUEST, everybody, address);
	do {
		if (next_packet(h).type != ETHERTYPE_ARP || get16(arp + 6) != ARP_REPLY ||
		    get32(arp + 14) != address)
			continue;
		*ret_peer = (struct udp_peer){ .address = address };
		memcpy(ret_peer->mac, arp + 8, 6);
		return true;
	} while (wait_until(h, end));
	return false;
}

bool udp_ping(struct udp_host *h, const struct udp_peer *to, uint16_t sequence, const void *data,
	      size_t size, uint64_t timeout_ns)
{
	static uint8_t frame[sizeof(h->frame)];
	uint8_t *icmp = frame + NET_HEADER_SIZE + IP_HEADER;
	uint64_t end = end_of(timeout_ns);

	if (size > UDP_MAX)
		return false;
	memset(icmp, 0, ICMP_HEADER);
	icmp[0] = ICMP_REQUEST;
	put16(icmp + 6, sequence);
	memcpy(icmp + ICMP_HEADER, data, size);
	put16(icmp + 2, fold(add_up(0, icmp, ICMP_HEADER + size)));
	if (!send_ip(h, to, PROTOCOL_ICMP, frame, ICMP_HEADER + size))
		return false;
	do {
		struct packet p = next_packet(h);

		if (p.type == ETHERTYPE_IP && p.protocol == PROTOCOL_ICMP && is_good_icmp(h, &p) &&
		    p.data[0] == ICMP_REPLY && get16(p.data + 6) == sequence)
			return p.size == ICMP_HEADER + size &&
			       !memcmp(p.data + ICMP_HEADER, data, size);
	} while (wait_until(h, end));
	return false;
}
