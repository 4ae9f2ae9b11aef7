/* Which frames may pass. From the guest: those with its own MAC address, and with its own IP addresses where
 * lodged has given some. To the guest: all, or where it has asked for multicast control, only the groups that
 * it has joined. */
#ifndef LODGE_NET_FILTER_H
#define LODGE_NET_FILTER_H

#include "frame.h"

#define FILTER_GROUPS_MAX    64u
#define FILTER_ADDRESSES_MAX 32u

struct ip_address {
	uint8_t bytes[16]; /* of IPv4 the first four */
	bool is_v6;
};

struct filter {
	uint8_t mac[ETHERNET_ADDRESS];
	bool is_trusted; /* any source address goes */
	struct ip_address addresses[FILTER_ADDRESSES_MAX];
	unsigned int nr_addresses;  /* 0: any IP address goes */
	bool has_multicast_control; /* the guest says which groups it wants */
	bool has_lost_groups;       /* which groups it wants is not known any more: all pass */
	uint8_t groups[FILTER_GROUPS_MAX][ETHERNET_ADDRESS];
	unsigned int nr_groups;
};

/* "10.0.0.5" or "fd00::5". -EINVAL, or -ENOSPC when there are too many. */
must_check int filter_allow(struct filter *filter, const char *address);

/* headers are length leading bytes of the frame that f describes. */
bool filter_may_leave(const struct filter *filter, const struct frame *f, const uint8_t *headers,
		      size_t length);
bool filter_may_enter(const struct filter *filter, const uint8_t *headers);

/* -EINVAL for what is no multicast address, -ENOSPC at the limit; twice is as once. */
must_check int filter_join(struct filter *filter, const uint8_t *group);
void filter_leave(struct filter *filter, const uint8_t *group);

#endif
