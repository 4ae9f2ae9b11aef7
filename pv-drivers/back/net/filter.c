#include "filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define ARP_SIZE        28u
#define ARP_SENDER_MAC  8u
#define ARP_SENDER_IP   14u
#define V4_SOURCE       12u
#define V6_SOURCE       8u
#define IS_GROUP        1u /* in an Ethernet address' first byte */
#define PORT_BOOTP      68u
#define ND_SOLICITATION 135u
#define ND_ADVERTISING  136u
#define ND_SIZE         24u
#define ND_TARGET       8u

static const uint8_t broadcast[ETHERNET_ADDRESS] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const uint8_t nobody[16];

int filter_allow(struct filter *filter, const char *address)
{
	struct ip_address a = { 0 };

	if (filter->nr_addresses == FILTER_ADDRESSES_MAX)
		return -ENOSPC;
	if (inet_pton(AF_INET, address, a.bytes) != 1) {
		if (inet_pton(AF_INET6, address, a.bytes) != 1)
			return -EINVAL;
		a.is_v6 = true;
	}
	filter->addresses[filter->nr_addresses++] = a;
	return 0;
}

static bool is_allowed(const struct filter *filter, const uint8_t *address, bool is_v6)
{
	for (unsigned int i = 0; i < filter->nr_addresses; i++) {
		const struct ip_address *a = &filter->addresses[i];

		if (a->is_v6 == is_v6 && !memcmp(a->bytes, address, is_v6 ? 16 : 4))
			return true;
	}
	return !filter->nr_addresses;
}

static bool may_resolve(const struct filter *filter, const uint8_t *arp, size_t length)
{
	const uint8_t *ip = arp + ARP_SENDER_IP;

	if (length < ARP_SIZE || memcmp(arp + ARP_SENDER_MAC, filter->mac, ETHERNET_ADDRESS) != 0)
		return false;
	return !memcmp(ip, nobody, 4) || is_allowed(filter, ip, false); /* a probe has no sender */
}

/* A guest without an address may ask for one. */
static bool is_boot_request(const struct frame *f, const uint8_t *headers, size_t length)
{
	return f->protocol == PROTOCOL_UDP && f->l4 && f->l4 + 4u <= length &&
	       get_be16(headers + f->l4) == PORT_BOOTP;
}

/* Neighbour discovery tells of addresses too: those of advertisements, and of searches for doubles. */
static bool may_discover(const struct filter *filter, const uint8_t *icmp, size_t length,
			 bool has_source)
{
	if (length < 1 || (icmp[0] != ND_ADVERTISING && (has_source || icmp[0] != ND_SOLICITATION)))
		return true;
	return length >= ND_SIZE && is_allowed(filter, icmp + ND_TARGET, true);
}

static bool is_link_local(const uint8_t *address)
{
	return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

static bool may_leave_v6(const struct filter *filter, const struct frame *f, const uint8_t *headers,
			 size_t length)
{
	const uint8_t *source = headers + f->l3 + V6_SOURCE;
	bool has_source;

	if (!filter->nr_addresses)
		return true;
	if (!f->l4)
		return false; /* whose it is cannot be said */
	has_source = memcmp(source, nobody, sizeof(nobody)) != 0;
	if (has_source && !is_link_local(source) && !is_allowed(filter, source, true))
		return false;
	if (f->protocol != PROTOCOL_ICMP6 || f->is_fragment)
		return true;
	if (f->l4 + ND_SIZE <= length && is_link_local(headers + f->l4 + ND_TARGET))
		return true;
	return may_discover(filter, headers + f->l4, length - f->l4, has_source);
}

static bool may_leave_v4(const struct filter *filter, const struct frame *f, const uint8_t *headers,
			 size_t length)
{
	const uint8_t *source = headers + f->l3 + V4_SOURCE;

	if (!filter->nr_addresses)
		return true;
	if (!f->l4)
		return false;
	if (!memcmp(source, nobody, 4))
		return is_boot_request(f, headers, length);
	return is_allowed(filter, source, false);
}

bool filter_may_leave(const struct filter *filter, const struct frame *f, const uint8_t *headers,
		      size_t length)
{
	if (filter->is_trusted)
		return true;
	if (length < ETHERNET_HEADER ||
	    memcmp(headers + ETHERNET_ADDRESS, filter->mac, ETHERNET_ADDRESS) != 0)
		return false;
	if (f->ethertype == ETHERTYPE_RESOLVE)
		return f->l3 <= length && may_resolve(filter, headers + f->l3, length - f->l3);
	if (f->ethertype == ETHERTYPE_V4)
		return may_leave_v4(filter, f, headers, length);
	if (f->ethertype == ETHERTYPE_V6)
		return may_leave_v6(filter, f, headers, length);
	/* Behind more tags than are looked at; Linux takes off any number of them that name no VLAN. */
	return f->ethertype != ETHERTYPE_TAG && f->ethertype != ETHERTYPE_OUTERTAG;
}

static unsigned int find_group(const struct filter *filter, const uint8_t *group)
{
	unsigned int i = 0;

	while (i < filter->nr_groups && memcmp(filter->groups[i], group, ETHERNET_ADDRESS) != 0)
		i++;
	return i;
}

bool filter_may_enter(const struct filter *filter, const uint8_t *headers)
{
	if (!filter->has_multicast_control || filter->has_lost_groups || !(headers[0] & IS_GROUP) ||
	    !memcmp(headers, broadcast, ETHERNET_ADDRESS))
		return true;
	return find_group(filter, headers) < filter->nr_groups;
}

int filter_join(struct filter *filter, const uint8_t *group)
{
	if (!(group[0] & IS_GROUP))
		return -EINVAL;
	if (find_group(filter, group) < filter->nr_groups)
		return 0;
	if (filter->nr_groups == FILTER_GROUPS_MAX)
		return -ENOSPC;
	memcpy(filter->groups[filter->nr_groups++], group, ETHERNET_ADDRESS);
	return 0;
}

void filter_leave(struct filter *filter, const uint8_t *group)
{
	unsigned int i = find_group(filter, group);

	if (i == filter->nr_groups)
		return;
	filter->nr_groups--;
	memcpy(filter->groups[i], filter->groups[filter->nr_groups], ETHERNET_ADDRESS);
}
