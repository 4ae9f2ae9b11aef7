/* What reads frames: headers and checksums, filter, snooping, rate, hash. */
#include <errno.h>
#include <string.h>

#include "filter.h"
#include "frame.h"
#include "guest.h"
#include "hash.h"
#include "rate.h"
#include "snoop.h"
#include "unit.h"

#define SECOND UINT64_C(1000000000)

static uint8_t data[256];
static struct frame f;
static struct filter filter;
static struct snoop snoop;

static void setup(void)
{
	memset(data, 0, sizeof(data));
	memset(&filter, 0, sizeof(filter));
	memset(&snoop, 0, sizeof(snoop));
	memcpy(filter.mac, guest_mac, 6);
	snoop.mac = filter.mac;
}

static void make_arp(const uint8_t *hardware, const uint8_t *address)
{
	static const uint8_t start[] = { 0, 1, 8, 0, 6, 4, 0, 1 };

	memset(data, 0xff, 6);
	memcpy(data + 6, guest_mac, 6);
	put_be16(data + 12, ETHERTYPE_RESOLVE);
	memcpy(data + 14, start, sizeof(start));
	memcpy(data + 22, hardware, 6);
	memcpy(data + 28, address, 4);
	frame_parse(data, 60, &f);
}

/* ICMPv6 of a type, from source, about target. */
static void make_discovery(uint8_t type, const uint8_t *source, const uint8_t *target)
{
	memset(data, 0, sizeof(data));
	memset(data, 0x33, 6);
	memcpy(data + 6, guest_mac, 6);
	put_be16(data + 12, ETHERTYPE_V6);
	data[14] = 0x60;
	put_be16(data + 18, 24);
	data[20] = PROTOCOL_ICMP6;
	memcpy(data + 22, source, 16);
	data[54] = type;
	memcpy(data + 62, target, 16);
	frame_parse(data, 78, &f);
}

static bool leaves(size_t length)
{
	frame_parse(data, length, &f);
	return filter_may_leave(&filter, &f, data, length);
}

START_TEST(headers_of_tcp_and_udp_are_found_behind_options_and_tags)
{
	uint16_t start, offset;

	guest_make_tcp(data, 100);
	frame_parse(data, 100, &f);
	ck_assert_uint_eq(f.l4, 34);
	ck_assert_uint_eq(f.l4_size, 66);
	ck_assert_int_eq(frame_checksum_place(&f, &start, &offset), 0);
	ck_assert_uint_eq(start, 34);
	ck_assert_uint_eq(offset, 16);
	ck_assert_uint_eq(frame_tcp_headers(data, 100, &f), 54);
	memmove(data + 16, data + 12, 84);
	put_be16(data + 12, ETHERTYPE_TAG);
	put_be16(data + 14, 42);
	frame_parse(data, 104, &f);
	ck_assert(f.is_tagged);
	ck_assert_uint_eq(f.ethertype, ETHERTYPE_V4);
	ck_assert_uint_eq(f.l4, 38);
}
END_TEST

START_TEST(what_is_cut_off_or_contradicts_itself_has_no_inner_headers)
{
	for (size_t length = 0; length < 34; length++) {
		guest_make_frame(data, 60);
		frame_parse(data, length, &f);
		ck_assert_uint_eq(f.l4, 0);
	}
	guest_make_frame(data, 60);
	data[14] = 0x44; /* a header of 16 bytes */
	frame_parse(data, 60, &f);
	ck_assert_uint_eq(f.l4, 0);
	data[14] = 0x45;
	put_be16(data + 16, 19); /* a packet shorter than its header */
	frame_parse(data, 60, &f);
	ck_assert_uint_eq(f.l4, 0);
	put_be16(data + 16, 46);
	put_be16(data + 20, 0x2000); /* the first of several fragments */
	frame_parse(data, 60, &f);
	ck_assert(f.is_fragment);
	ck_assert_uint_eq(frame_tcp_headers(data, 60, &f), 0);
}
END_TEST

START_TEST(ipv6_headers_are_followed_up_to_a_limit)
{
	static const uint8_t nobody[16];

	make_discovery(135, nobody, nobody);
	ck_assert_uint_eq(f.l4, 54);
	data[20] = 0; /* hop by hop */
	data[54] = PROTOCOL_UDP;
	data[55] = 0;
	frame_parse(data, 78, &f);
	ck_assert_uint_eq(f.l4, 62);
	ck_assert_uint_eq(f.protocol, PROTOCOL_UDP);
	ck_assert_uint_eq(f.l4_size, 16);
	data[55] = 255; /* longer than the packet */
	frame_parse(data, 78, &f);
	ck_assert_uint_eq(f.l4, 0);
	memset(data + 54, 0, 150); /* one behind the other, for ever */
	put_be16(data + 18, 150);
	frame_parse(data, 204, &f);
	ck_assert_uint_eq(f.l4, 0);
}
END_TEST

START_TEST(a_blank_checksum_is_completed_over_odd_lengths_too)
{
	uint64_t sum = 0;

	guest_make_tcp(data, 101);
	frame_parse(data, 101, &f);
	frame_checksum_fill(data, 101, 34, 16);
	/* Now the packet with its pseudo header sums up to all ones. */
	for (size_t i = 34; i < 101; i += 2)
		sum += (uint64_t)data[i] << 8 | (i + 1 < 101 ? data[i + 1] : 0);
	for (size_t i = 26; i < 34; i += 2)
		sum += get_be16(data + i);
	sum += PROTOCOL_TCP + 67;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	ck_assert_uint_eq(sum, 0xffff);
}
END_TEST

START_TEST(only_frames_with_the_guests_own_mac_address_leave)
{
	guest_make_frame(data, 60);
	ck_assert(leaves(60));
	memcpy(data + 6, other_mac, 6);
	ck_assert(!leaves(60));
	filter.is_trusted = true;
	ck_assert(leaves(60));
	filter.is_trusted = false;
	ck_assert(!leaves(13));
}
END_TEST

START_TEST(arp_speaks_for_the_guests_own_addresses_only)
{
	static const uint8_t own[] = { 10, 0, 0, 5 }, foreign[] = { 10, 0, 0, 1 }, none[4];

	make_arp(guest_mac, foreign);
	ck_assert(filter_may_leave(&filter, &f, data, 60));
	make_arp(other_mac, own);
	ck_assert(!filter_may_leave(&filter, &f, data, 60));
	ck_assert_int_eq(filter_allow(&filter, "10.0.0.5"), 0);
	make_arp(guest_mac, own);
	ck_assert(filter_may_leave(&filter, &f, data, 60));
	make_arp(guest_mac, none);
	ck_assert(filter_may_leave(&filter, &f, data, 60));
	make_arp(guest_mac, foreign);
	ck_assert(!filter_may_leave(&filter, &f, data, 60));
	ck_assert(!filter_may_leave(&filter, &f, data, 41));
}
END_TEST

START_TEST(with_addresses_given_ip_packets_come_from_these_only)
{
	ck_assert_int_eq(filter_allow(&filter, "fd00::5"), 0);
	ck_assert_int_eq(filter_allow(&filter, "10.0.0.4"), 0);
	guest_make_frame(data, 60);
	ck_assert(!leaves(60));
	ck_assert_int_eq(filter_allow(&filter, "10.0.0.5"), 0);
	ck_assert(leaves(60));
	memset(data + 26, 0, 4); /* without an address: only to ask for one */
	ck_assert(!leaves(60));
	put_be16(data + 34, 68);
	ck_assert(leaves(60));
	data[14] = 0x41;
	ck_assert(!leaves(60));
	ck_assert_int_eq(filter_allow(&filter, "10.0.0"), -EINVAL);
}
END_TEST

/* Linux takes off tags of VLAN 0, however many, and receives what is behind. */
START_TEST(more_tags_than_are_looked_behind_do_not_leave)
{
	ck_assert_int_eq(filter_allow(&filter, "10.0.0.4"), 0);
	for (size_t nr = 1; nr < 5; nr++) {
		guest_make_frame(data, 60);
		memmove(data + 12 + 4 * nr, data + 12, 60);
		for (size_t i = 0; i < nr; i++) {
			put_be16(data + 12 + 4 * i, i % 2 ? ETHERTYPE_OUTERTAG : ETHERTYPE_TAG);
			put_be16(data + 14 + 4 * i, 0);
		}
		ck_assert(!leaves(60 + 4 * nr));
	}
}
END_TEST

START_TEST(neighbour_discovery_speaks_for_the_guests_own_addresses_only)
{
	static const uint8_t none[16], own[16] = { 0xfd, [15] = 5 },
				       foreign[16] = { 0xfd, [15] = 6 },
				       local[16] = { 0xfe, 0x80, [15] = 1 };

	ck_assert_int_eq(filter_allow(&filter, "fd00::5"), 0);
	make_discovery(136, own, own);
	ck_assert(filter_may_leave(&filter, &f, data, 78));
	make_discovery(136, own, foreign);
	ck_assert(!filter_may_leave(&filter, &f, data, 78));
	make_discovery(136, local, local);
	ck_assert(filter_may_leave(&filter, &f, data, 78));
	make_discovery(135, none, foreign); /* is it taken? */
	ck_assert(!filter_may_leave(&filter, &f, data, 78));
	make_discovery(135, own, foreign); /* whose is it? */
	ck_assert(filter_may_leave(&filter, &f, data, 78));
	make_discovery(128, foreign, own);
	ck_assert(!filter_may_leave(&filter, &f, data, 78));
}
END_TEST

START_TEST(multicast_goes_to_guests_that_have_joined_once_they_control_it)
{
	uint8_t group[6] = { 0x01, 0, 0x5e, 0, 0, 1 }, other[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	ck_assert(filter_may_enter(&filter, group));
	filter.has_multicast_control = true;
	ck_assert(!filter_may_enter(&filter, group));
	ck_assert_int_eq(filter_join(&filter, group), 0);
	ck_assert_int_eq(filter_join(&filter, group), 0);
	ck_assert(filter_may_enter(&filter, group));
	ck_assert(!filter_may_enter(&filter, other));
	ck_assert(filter_may_enter(&filter, all));
	ck_assert(filter_may_enter(&filter, guest_mac));
	filter_leave(&filter, group);
	ck_assert(!filter_may_enter(&filter, group));
	ck_assert_int_eq(filter_join(&filter, guest_mac), -EINVAL);
	for (unsigned int i = 0; i < FILTER_GROUPS_MAX; i++) {
		group[5] = (uint8_t)i;
		ck_assert_int_eq(filter_join(&filter, group), 0);
	}
	ck_assert_int_eq(filter_join(&filter, other), -ENOSPC);
}
END_TEST

START_TEST(addresses_are_learnt_from_arp_discovery_and_dhcp)
{
	static const uint8_t v4[] = { 10, 0, 0, 5 }, none[16], v6[16] = { 0xfd, [15] = 5 };
	char text[SNOOP_TEXT_MAX];

	make_arp(guest_mac, none);
	snoop_leaving(&snoop, &f, data, 60);
	ck_assert(!snoop.has_changed);
	make_arp(guest_mac, v4);
	snoop_leaving(&snoop, &f, data, 60);
	make_discovery(135, none, v6);
	snoop_leaving(&snoop, &f, data, 78);
	ck_assert(snoop.has_changed);
	snoop_text(&snoop, text, sizeof(text));
	ck_assert_str_eq(text, "fd00::5 10.0.0.5");
	snoop.has_changed = false;
	snoop_leaving(&snoop, &f, data, 78);
	ck_assert(!snoop.has_changed);
	guest_make_frame(data, 120);
	put_be16(data + 36, 68);
	memset(data + 42, 0, 78);
	data[42] = 2; /* a reply */
	data[42 + 16] = 10;
	data[42 + 19] = 77;
	frame_parse(data, 120, &f);
	snoop_entering(&snoop, &f, data, 120);
	ck_assert(!snoop.has_changed); /* for somebody else */
	memcpy(data + 42 + 28, guest_mac, 6);
	snoop_entering(&snoop, &f, data, 120);
	snoop_text(&snoop, text, sizeof(text));
	ck_assert_str_eq(text, "10.0.0.77 fd00::5 10.0.0.5");
}
END_TEST

START_TEST(only_the_latest_addresses_are_kept)
{
	uint8_t v4[] = { 10, 0, 0, 0 };
	char text[SNOOP_TEXT_MAX];

	for (uint8_t i = 1; i <= 20; i++) {
		v4[3] = i;
		make_arp(guest_mac, v4);
		snoop_leaving(&snoop, &f, data, 60);
	}
	ck_assert_uint_eq(snoop.nr_addresses, SNOOP_ADDRESSES_MAX);
	snoop_text(&snoop, text, sizeof(text));
	ck_assert_int_eq(strncmp(text, "10.0.0.20 10.0.0.19 ", 20), 0);
}
END_TEST

/* Packets of size that pass in a time, looking each millisecond. */
static uint64_t pass(struct rate *r, uint64_t from, uint64_t until, uint64_t size)
{
	uint64_t bytes = 0;

	for (uint64_t now = from; now < until; now += SECOND / 1000) {
		while (!rate_wait_ns(r, now)) {
			rate_spend(r, size);
			bytes += size;
		}
	}
	return bytes;
}

START_TEST(the_average_holds_over_time_and_a_burst_goes_at_once)
{
	struct rate r;

	rate_init(&r, 0, 0, 0, 0);
	ck_assert(!rate_is_limited(&r));
	ck_assert_uint_eq(rate_wait_ns(&r, 5), 0);
	rate_init(&r, 1000000, 0, 500000, 0);
	ck_assert_uint_eq((pass(&r, 0, 1, 1500) + 1499) / 1500, 334);
	ck_assert_uint_ge(pass(&r, 0, 10 * SECOND, 1500), 9900000);
	ck_assert_uint_le(pass(&r, 10 * SECOND, 20 * SECOND, 1500), 10100000);
}
END_TEST

START_TEST(the_peak_holds_during_a_burst)
{
	struct rate r;

	rate_init(&r, 1000000, 4000000, 8000000, 0);
	ck_assert_uint_le(pass(&r, 0, SECOND, 1500), 4200000);
	ck_assert_uint_le(pass(&r, SECOND, 101 * SECOND, 1500), 108100000);
}
END_TEST

START_TEST(a_large_packet_is_waited_for_and_long_rests_do_not_overflow)
{
	struct rate r;

	rate_init(&r, 1024, 0, 0, 0);
	rate_spend(&r, 65536 + 1024);
	ck_assert_uint_ge(rate_wait_ns(&r, 0), SECOND);
	ck_assert_uint_eq(rate_wait_ns(&r, 3 * SECOND), 0);
	rate_init(&r, UINT64_MAX, UINT64_MAX, UINT64_MAX, 0);
	ck_assert_uint_eq(rate_wait_ns(&r, UINT64_MAX), 0);
}
END_TEST

START_TEST(the_toeplitz_hash_is_the_published_one)
{
	/* Microsoft's examples for receive side scaling. */
	static const uint8_t key[HASH_KEY_MAX] = {
		0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
		0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
		0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
	};
	/* 66.9.149.187:2794 to 161.142.100.80:1766 */
	static const uint8_t tuple[] = { 66, 9, 149, 187, 161, 142, 100, 80, 10, 234, 6, 230 };

	ck_assert_uint_eq(hash_toeplitz(key, tuple, 8), 0x323e8fc2);
	ck_assert_uint_eq(hash_toeplitz(key, tuple, 12), 0x51ccc178);
}
END_TEST

START_TEST(a_hash_chooses_the_queue_by_the_mapping)
{
	struct hash h = { .types = XEN_NETIF_CTRL_HASH_TYPE_IPV4, .key = { 1 } };
	uint32_t value;
	uint8_t type;

	guest_make_tcp(data, 100);
	frame_parse(data, 100, &f);
	ck_assert(hash_packet(&h, &f, data, 100, &value, &type));
	ck_assert_uint_eq(type, 0);
	h.types |= XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP;
	ck_assert(hash_packet(&h, &f, data, 100, &value, &type));
	ck_assert_uint_eq(type, 1);
	h.types = XEN_NETIF_CTRL_HASH_TYPE_IPV6;
	ck_assert(!hash_packet(&h, &f, data, 100, &value, &type));
	ck_assert_uint_eq(hash_queue(&h, 7, 4), 3);
	h.nr_mapping = 2;
	h.mapping[1] = 2;
	ck_assert_uint_eq(hash_queue(&h, 7, 4), 2);
}
END_TEST

UNIT_MAIN("net-frames", setup, NULL, headers_of_tcp_and_udp_are_found_behind_options_and_tags,
	  what_is_cut_off_or_contradicts_itself_has_no_inner_headers,
	  ipv6_headers_are_followed_up_to_a_limit,
	  a_blank_checksum_is_completed_over_odd_lengths_too,
	  only_frames_with_the_guests_own_mac_address_leave,
	  arp_speaks_for_the_guests_own_addresses_only,
	  with_addresses_given_ip_packets_come_from_these_only,
	  more_tags_than_are_looked_behind_do_not_leave,
	  neighbour_discovery_speaks_for_the_guests_own_addresses_only,
	  multicast_goes_to_guests_that_have_joined_once_they_control_it,
	  addresses_are_learnt_from_arp_discovery_and_dhcp, only_the_latest_addresses_are_kept,
	  the_average_holds_over_time_and_a_burst_goes_at_once, the_peak_holds_during_a_burst,
	  a_large_packet_is_waited_for_and_long_rests_do_not_overflow,
	  the_toeplitz_hash_is_the_published_one, a_hash_chooses_the_queue_by_the_mapping)
