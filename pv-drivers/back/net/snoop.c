#include "snoop.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define ARP_SIZE         28u
#define ARP_SENDER_IP    14u
#define V6_SOURCE        8u
#define ND_SOLICITATION  135u
#define ND_ADVERTISING   136u
#define ND_TARGET        8u
#define ND_SIZE          24u
#define UDP_HEADER       8u
#define PORT_BOOTP       68u
#define BOOTP_REPLY      2u
#define BOOTP_YOUR_IP    16u
#define BOOTP_CLIENT_MAC 28u
#define BOOTP_SIZE       44u /* up to the server's name */

static const uint8_t nobody[16];

static void learn(struct snoop *s, const uint8_t *address, bool is_v6)
{
	struct ip_address a = { .is_v6 = is_v6 };
	unsigned int i = 0;

	if (!memcmp(address, nobody, is_v6 ? 16 : 4))
		return;
	memcpy(a.bytes, address, is_v6 ? 16 : 4);
	while (i < s->nr_addresses && memcmp(&s->addresses[i], &a, sizeof(a)) != 0)
		i++;
	if (i < s->nr_addresses) /* known */
		return;
	if (s->nr_addresses < SNOOP_ADDRESSES_MAX)
		s->nr_addresses++;
	memmove(&s->addresses[1], &s->addresses[0], (s->nr_addresses - 1) * sizeof(a));
	s->addresses[0] = a;
	s->has_changed = true;
}

static void learn_neighbour(struct snoop *s, const struct frame *f, const uint8_t *headers,
			    size_t length)
{
	const uint8_t *icmp = headers + f->l4;
	bool has_source;

	if (!f->l4 || f->is_fragment || f->protocol != PROTOCOL_ICMP6 || f->l4 + ND_SIZE > length)
		return;
	has_source = memcmp(headers + f->l3 + V6_SOURCE, nobody, 16) != 0;
	if (icmp[0] == ND_ADVERTISING || (icmp[0] == ND_SOLICITATION && !has_source))
		learn(s, icmp + ND_TARGET, true);
	else if (icmp[0] == ND_SOLICITATION)
		learn(s, headers + f->l3 + V6_SOURCE, true);
}

void snoop_leaving(struct snoop *s, const struct frame *f, const uint8_t *headers, size_t length)
{
	if (f->ethertype == ETHERTYPE_RESOLVE && f->l3 + ARP_SIZE <= length)
		learn(s, headers + f->l3 + ARP_SENDER_IP, false);
	else if (f->ethertype == ETHERTYPE_V6)
		learn_neighbour(s, f, headers, length);
}

void snoop_entering(struct snoop *s, const struct frame *f, const uint8_t *headers, size_t length)
{
	const uint8_t *bootp = headers + f->l4 + UDP_HEADER;

	if (f->ethertype != ETHERTYPE_V4 || f->protocol != PROTOCOL_UDP || !f->l4 ||
	    f->is_fragment || f->l4 + UDP_HEADER + BOOTP_SIZE > length ||
	    get_be16(headers + f->l4 + 2) != PORT_BOOTP)
		return;
	if (bootp[0] == BOOTP_REPLY && !memcmp(bootp + BOOTP_CLIENT_MAC, s->mac, ETHERNET_ADDRESS))
		learn(s, bootp + BOOTP_YOUR_IP, false);
}

void snoop_text(const struct snoop *s, char *ret_text, size_t size)
{
	char one[INET6_ADDRSTRLEN];
	size_t used = 0;

	*ret_text = '\0';
	for (unsigned int i = 0; i < s->nr_addresses; i++) {
		const struct ip_address *a = &s->addresses[i];
		int n;

		if (!inet_ntop(a->is_v6 ? AF_INET6 : AF_INET, a->bytes, one, sizeof(one)))
			continue;
		n = snprintf(ret_text + used, size - used, "%s%s", used ? " " : "", one);
		if (n < 0 || used + (size_t)n >= size)
			return;
		used += (size_t)n;
	}
}
