#include "hash.h"

#include <string.h>

#define V4_ADDRESSES  12u /* offset of both, source first */
#define V6_ADDRESSES  8u
#define TUPLE_MAX     36u
#define NUMBER_V4     0u
#define NUMBER_V4_TCP 1u
#define NUMBER_V6     2u
#define NUMBER_V6_TCP 3u

uint32_t hash_toeplitz(const uint8_t key[HASH_KEY_MAX], const uint8_t *data, size_t length)
{
	uint32_t window =
		(uint32_t)key[0] << 24 | (uint32_t)key[1] << 16 | (uint32_t)key[2] << 8 | key[3];
	uint32_t hash = 0;

	for (size_t i = 0; i < length; i++) {
		uint8_t next = i + 4 < HASH_KEY_MAX ? key[i + 4] : 0;

		for (int bit = 7; bit >= 0; bit--) {
			if (data[i] >> bit & 1)
				hash ^= window;
			window = window << 1 | ((unsigned int)next >> bit & 1u);
		}
	}
	return hash;
}

bool hash_packet(const struct hash *h, const struct frame *f, const uint8_t *headers, size_t length,
		 uint32_t *ret_value, uint8_t *ret_type)
{
	bool is_v6 = f->ethertype == ETHERTYPE_V6;
	uint8_t plain = is_v6 ? NUMBER_V6 : NUMBER_V4;
	uint8_t with_ports = is_v6 ? NUMBER_V6_TCP : NUMBER_V4_TCP;
	size_t addresses = is_v6 ? 32 : 8;
	uint8_t tuple[TUPLE_MAX];

	if (!f->l4)
		return false;
	memcpy(tuple, headers + f->l3 + (is_v6 ? V6_ADDRESSES : V4_ADDRESSES), addresses);
	if (h->types & 1u << with_ports && f->protocol == PROTOCOL_TCP && !f->is_fragment &&
	    f->l4 + 4u <= length) {
		memcpy(tuple + addresses, headers + f->l4, 4);
		addresses += 4;
		*ret_type = with_ports;
	} else if (h->types & 1u << plain) {
		*ret_type = plain;
	} else {
		return false;
	}
	*ret_value = hash_toeplitz(h->key, tuple, addresses);
	return true;
}

uint32_t hash_queue(const struct hash *h, uint32_t value, uint32_t nr_queues)
{
	if (h->nr_mapping)
		return h->mapping[value % h->nr_mapping] % nr_queues;
	return value % nr_queues;
}
