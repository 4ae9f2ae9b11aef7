/* A frontend of one queue for tests, in plain memory, and the wire: the far end of what the backend takes for a
 * tap device. Grants: 8 and 9 are the rings, from 16 on the tx pages, from 512 on the rx pages. */
#ifndef LODGE_TESTS_NET_GUEST_H
#define LODGE_TESTS_NET_GUEST_H

#include <sys/types.h>

#include "abi/netif.h"
#include "fake-platform.h"
#include "net.h"

#define GUEST_TX_RING  8u
#define GUEST_RX_RING  9u
#define GUEST_CTRL     10u
#define GUEST_TX_PAGES 16u
#define GUEST_RX_PAGES 512u
#define GUEST_TX_PORT  20u
#define GUEST_RX_PORT  21u

static const uint8_t guest_mac[6] = { 0x00, 0x16, 0x3e, 1, 2, 3 };
static const uint8_t other_mac[6] = { 0x00, 0x16, 0x3e, 9, 9, 9 };

struct guest {
	struct platform *platform;
	struct ring_front tx, rx;
	int wire; /* far end of the tap device */
	int tap;
	uint32_t next_page; /* for tx */
};

void guest_init(struct guest *g);
void guest_fini(struct guest *g);

/* One slot of a packet to be sent, of which size bytes at data go into a fresh page, at offset. */
void guest_put_tx(struct guest *g, const void *data, uint16_t offset, uint16_t size,
		  uint16_t request_size, uint16_t flags, uint16_t id);
void guest_put_extra(struct guest *g, const struct netif_extra_info *extra);
void guest_post_rx(struct guest *g, unsigned int nr);

/* A frame of length bytes for UDP over IPv4 from the guest's address, payload counting up. */
void guest_make_frame(uint8_t *frame, size_t length);
/* The same for TCP, with the pseudo header's sum in place of a checksum. */
void guest_make_tcp(uint8_t *frame, size_t length);

/* What came out of the tap device; -1: nothing. */
ssize_t guest_wire_read(struct guest *g, struct virtio_net_hdr *ret_header, void *data,
			size_t size);
void guest_wire_write(struct guest *g, const struct virtio_net_hdr *header, const void *data,
		      size_t size);

/* Expects the next response of the tx ring; of the rx ring with the page it is in, or NULL. */
struct netif_tx_response guest_tx_response(struct guest *g);
bool guest_rx_response(struct guest *g, struct netif_rx_response *ret_response,
		       const uint8_t **ret_page);

#endif
