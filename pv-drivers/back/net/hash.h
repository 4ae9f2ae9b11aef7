/* Which queue a packet to the guest goes to, where the guest has asked for a hash of its own choice on the
 * control ring; and the hash itself, which goes along with the packet. */
#ifndef LODGE_NET_HASH_H
#define LODGE_NET_HASH_H

#include "abi/netif.h"
#include "frame.h"

#define HASH_KEY_MAX     40u
#define HASH_MAPPING_MAX 128u
#define HASH_TYPES                                                           \
	(XEN_NETIF_CTRL_HASH_TYPE_IPV4 | XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP | \
	 XEN_NETIF_CTRL_HASH_TYPE_IPV6 | XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP)

struct hash {
	uint32_t
		algorithm; /* XEN_NETIF_CTRL_HASH_ALGORITHM_*: NONE, the host's own choice of queue holds */
	uint32_t types; /* XEN_NETIF_CTRL_HASH_TYPE_* */
	uint8_t key[HASH_KEY_MAX];
	uint32_t mapping[HASH_MAPPING_MAX];
	uint32_t nr_mapping; /* 0: the remainder by the number of queues */
};

/* The Toeplitz hash. */
uint32_t hash_toeplitz(const uint8_t key[HASH_KEY_MAX], const uint8_t *data, size_t length);

/* False: the packet is of no type that is hashed. ret_type is the number of a XEN_NETIF_CTRL_HASH_TYPE_*. */
bool hash_packet(const struct hash *h, const struct frame *f, const uint8_t *headers, size_t length,
		 uint32_t *ret_value, uint8_t *ret_type);

uint32_t hash_queue(const struct hash *h, uint32_t value, uint32_t nr_queues);

#endif
