/*
 * As much of IPv4 as a tiny appliance needs: one address, ARP and ping answered, UDP datagrams in and out,
 * none of them in fragments. All sums are checked and made here.
 */
#ifndef FRONT_UDP_H
#define FRONT_UDP_H

#include "front/net.h"

#define UDP_MAX 1472 /* of payload, with the usual MTU */

struct udp_host {
	struct net *net;
	uint32_t address; /* in host order, as all numbers here are */
	uint8_t frame[2048];
	uint64_t nr_bad; /* packets dropped for what is in them */
	uint64_t nr_pings;
};

struct udp_peer {
	uint8_t mac[6];
	uint32_t address;
	uint16_t port;
};

struct udp_datagram {
	struct udp_peer from;
	uint16_t to_port;
	const uint8_t *data; /* in the host's frame: valid until the next call */
	size_t size;
};

bool udp_parse_address(const char *text, uint32_t *ret_address);

/* Waits for the next datagram, and answers what others ask meanwhile. False: the time is over. */
bool udp_receive(struct udp_host *h, struct udp_datagram *ret_datagram, uint64_t timeout_ns);

/* False: too long, or no room for it. */
bool udp_send(struct udp_host *h, const struct udp_peer *to, uint16_t from_port, const void *data,
	      size_t size);

/* Asks by ARP. What else comes meanwhile is lost. */
bool udp_resolve(struct udp_host *h, uint32_t address, uint64_t timeout_ns,
		 struct udp_peer *ret_peer);

/* Sends an ICMP echo request and waits for the same bytes to come back. */
bool udp_ping(struct udp_host *h, const struct udp_peer *to, uint16_t sequence, const void *data,
	      size_t size, uint64_t timeout_ns);

#endif
