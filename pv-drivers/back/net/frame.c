#include "frame.h"

#include <errno.h>

#define V4_HEADER       20u
#define V6_HEADER       40u
#define V6_MAX_HEADERS  8u /* behind each other in one packet */
#define V4_FRAGMENT     0x3fffu
#define V6_FRAGMENT     0xfff9u
#define TCP_HEADER      20u
#define UDP_HEADER      8u
#define MAX_TAGS        2u
#define EXT_HOP_BY_HOP  0u
#define EXT_ROUTING     43u
#define EXT_FRAGMENT    44u
#define EXT_DESTINATION 60u

static void parse_v4(const uint8_t *data, size_t length, struct frame *f)
{
	const uint8_t *ip = data + f->l3;
	unsigned int header, total;

	if (length < f->l3 + V4_HEADER || ip[0] >> 4 != 4)
		return;
	header = (ip[0] & 15u) * 4u;
	total = get_be16(ip + 2);
	if (header < V4_HEADER || f->l3 + header > length || total < header)
		return;
	f->is_fragment = get_be16(ip + 6) & V4_FRAGMENT;
	f->protocol = ip[9];
	f->l4 = (uint16_t)(f->l3 + header);
	f->l4_size = (uint16_t)(total - header);
}

static bool is_extension(uint8_t protocol)
{
	return protocol == EXT_HOP_BY_HOP || protocol == EXT_ROUTING || protocol == EXT_FRAGMENT ||
	       protocol == EXT_DESTINATION;
}

static void parse_v6(const uint8_t *data, size_t length, struct frame *f)
{
	const uint8_t *ip = data + f->l3;
	size_t at = f->l3 + V6_HEADER, end;
	uint8_t next;

	if (length < at || ip[0] >> 4 != 6)
		return;
	next = ip[6];
	end = at + get_be16(ip + 4);
	for (unsigned int i = 0; is_extension(next); i++) {
		size_t size;

		if (i == V6_MAX_HEADERS || at + 8 > length)
			return;
		size = next == EXT_FRAGMENT ? 8 : (data[at + 1] + 1u) * 8u;
		if (next == EXT_FRAGMENT && get_be16(data + at + 2) & V6_FRAGMENT)
			f->is_fragment = true;
		next = data[at];
		at += size;
	}
	if (at > length || at > end)
		return;
	f->protocol = next;
	f->l4 = (uint16_t)at;
	f->l4_size = (uint16_t)(end - at);
}

void frame_parse(const uint8_t *data, size_t length, struct frame *ret_frame)
{
	struct frame f = { .l3 = ETHERNET_HEADER };

	length = MIN(length, FRAME_HEADERS_MAX);
	if (length >= ETHERNET_HEADER)
		f.ethertype = get_be16(data + 12);
	for (unsigned int i = 0; f.ethertype == ETHERTYPE_TAG || f.ethertype == ETHERTYPE_OUTERTAG;
	     i++) {
		f.is_tagged = true;
		if (i == MAX_TAGS)
			break;
		f.ethertype = f.l3 + 4u <= length ? get_be16(data + f.l3 + 2) : 0;
		f.l3 = (uint16_t)(f.l3 + 4u);
	}
	if (f.ethertype == ETHERTYPE_V4)
		parse_v4(data, length, &f);
	else if (f.ethertype == ETHERTYPE_V6)
		parse_v6(data, length, &f);
	*ret_frame = f;
}

int frame_checksum_place(const struct frame *f, uint16_t *ret_start, uint16_t *ret_offset)
{
	bool is_tcp = f->protocol == PROTOCOL_TCP;

	if (!f->l4 || f->is_fragment || !(is_tcp || f->protocol == PROTOCOL_UDP) ||
	    f->l4_size < (is_tcp ? TCP_HEADER : UDP_HEADER))
		return -EPROTO;
	*ret_start = f->l4;
	*ret_offset = is_tcp ? 16 : 6;
	return 0;
}

size_t frame_tcp_headers(const uint8_t *data, size_t length, const struct frame *f)
{
	size_t size;

	if (!f->l4 || f->is_fragment || f->protocol != PROTOCOL_TCP || f->l4 + TCP_HEADER > length)
		return 0;
	size = (data[f->l4 + 12] >> 4) * 4u;
	return size < TCP_HEADER ? 0 : f->l4 + size;
}

static uint64_t sum_words(const uint8_t *data, size_t length)
{
	uint64_t sum = 0;

	for (; length > 1; length -= 2, data += 2)
		sum += get_be16(data);
	return length ? sum + ((unsigned int)data[0] << 8) : sum;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint16_t frame_pseudo_checksum(const uint8_t *data, const struct frame *f)
{
	uint64_t sum = (uint64_t)f->protocol + f->l4_size;

	if (f->ethertype == ETHERTYPE_V4)
		sum += sum_words(data + f->l3 + 12, 8);
	else
		sum += sum_words(data + f->l3 + 8, 32);
	return fold(sum);
}

void frame_checksum_fill(uint8_t *data, size_t length, uint16_t start, uint16_t offset)
{
	uint16_t sum = (uint16_t)~fold(sum_words(data + start, length - start));

	put_be16(data + start + offset, sum ? sum : 0xffff); /* 0 says that UDP has none */
}
