/* Learns the guest's addresses from what it says of itself: ARP, neighbour discovery, and the answers of
 * a DHCP server. Only such frames cost anything. */
#ifndef LODGE_NET_SNOOP_H
#define LODGE_NET_SNOOP_H

#include "filter.h"

#define SNOOP_ADDRESSES_MAX 8u
#define SNOOP_TEXT_MAX      (SNOOP_ADDRESSES_MAX * 40u)

struct snoop {
	const uint8_t *mac;
	struct ip_address addresses[SNOOP_ADDRESSES_MAX]; /* the latest first */
	unsigned int nr_addresses;
	bool has_changed; /* set here, cleared by the user */
};

/* Frames from the guest that were let out, and to it. */
void snoop_leaving(struct snoop *s, const struct frame *f, const uint8_t *headers, size_t length);
void snoop_entering(struct snoop *s, const struct frame *f, const uint8_t *headers, size_t length);

/* All addresses, the latest first, with spaces between. */
void snoop_text(const struct snoop *s, char *ret_text, size_t size);

#endif
