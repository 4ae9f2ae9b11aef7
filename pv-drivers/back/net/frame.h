/* Reads the headers of an Ethernet frame, as far as offloads, filters and hashes need them. Nothing here
 * trusts a length or an offset of the frame; it works on the leading bytes that the caller has in one piece. */
#ifndef LODGE_NET_FRAME_H
#define LODGE_NET_FRAME_H

#include "lib/util.h"

#define ETHERNET_HEADER    14u
#define ETHERNET_ADDRESS   6u
#define FRAME_HEADERS_MAX  256u /* no more bytes than these are ever looked at */
#define ETHERTYPE_V4       0x0800u
#define ETHERTYPE_V6       0x86ddu
#define ETHERTYPE_RESOLVE  0x0806u
#define ETHERTYPE_TAG      0x8100u
#define ETHERTYPE_OUTERTAG 0x88a8u
#define PROTOCOL_TCP       6u
#define PROTOCOL_UDP       17u
#define PROTOCOL_ICMP6     58u

struct frame {
	uint16_t ethertype; /* behind the tags; 0: the frame is cut off */
	bool is_tagged;
	bool is_fragment; /* of an IP packet */
	uint8_t protocol; /* of the IP packet; meaningful with l4 */
	uint16_t l3;      /* offset of the IP or ARP header */
	uint16_t l4;      /* offset behind all IP headers; 0: there is no whole IP header */
	uint16_t l4_size; /* bytes from there to the IP packet's end, as the IP header says */
};

/* length is that of the bytes at data, which may be fewer than the frame has. */
void frame_parse(const uint8_t *data, size_t length, struct frame *ret_frame);

/* Where a TCP or UDP checksum starts and stands. -EPROTO for what is neither or a fragment. */
must_check int frame_checksum_place(const struct frame *f, uint16_t *ret_start,
				    uint16_t *ret_offset);

/* Bytes of all headers up to TCP's end; 0 when it is no whole TCP header. */
size_t frame_tcp_headers(const uint8_t *data, size_t length, const struct frame *f);

/* The checksum of the pseudo header: what stands in the field of a packet whose checksum is blank. */
uint16_t frame_pseudo_checksum(const uint8_t *data, const struct frame *f);

/* Completes a checksum that so far has the pseudo header's sum only: that of the bytes from start to length,
 * put at start + offset. Both must lie in the frame. */
void frame_checksum_fill(uint8_t *data, size_t length, uint16_t start, uint16_t offset);

static inline uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void put_be16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

#endif
