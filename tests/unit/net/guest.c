#include "guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define WIRE_BYTES (4 << 20)

static void require(bool what)
{
	if (!what)
		abort();
}

void guest_init(struct guest *g)
{
	int ends[2], size = WIRE_BYTES;

	memset(g, 0, sizeof(*g));
	g->platform = fake_platform_create();
	require(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
	g->tap = ends[0];
	g->wire = ends[1];
	for (int i = 0; i < 2; i++)
		require(!setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	ring_front_init(&g->tx, fake_grant(g->platform, GUEST_TX_RING, false), NET_PAGE,
			sizeof(struct netif_tx_request));
	ring_front_init(&g->rx, fake_grant(g->platform, GUEST_RX_RING, false), NET_PAGE,
			sizeof(struct netif_rx_request));
}

void guest_fini(struct guest *g)
{
	close(g->tap);
	close(g->wire);
}

void guest_put_tx(struct guest *g, const void *data, uint16_t offset, uint16_t size,
		  uint16_t request_size, uint16_t flags, uint16_t id)
{
	uint32_t ref = GUEST_TX_PAGES + g->next_page++ % 256;
	struct netif_tx_request request = { ref, offset, flags, id, request_size };
	uint8_t *page = fake_grant(g->platform, ref, true);

	if (size)
		memcpy(page + offset, data, size);
	require(ring_front_free(&g->tx));
	ring_front_put(&g->tx, &request, sizeof(request));
}

void guest_put_extra(struct guest *g, const struct netif_extra_info *extra)
{
	require(ring_front_free(&g->tx));
	ring_front_put(&g->tx, extra, sizeof(*extra));
}

void guest_post_rx(struct guest *g, unsigned int nr)
{
	while (nr--) {
		uint16_t id = (uint16_t)(g->rx.req_prod % 256);
		struct netif_rx_request request = { .id = id, .gref = GUEST_RX_PAGES + id };

		require(ring_front_free(&g->rx));
		memset(fake_grant(g->platform, request.gref, false), 0xee, NET_PAGE);
		ring_front_put(&g->rx, &request, sizeof(request));
	}
	if (ring_front_push(&g->rx) && fake_nr_bound(g->platform))
		fake_event(g->platform, GUEST_RX_PORT);
}

static void make_ip(uint8_t *frame, size_t length, uint8_t protocol)
{
	static const uint8_t addresses[] = { 10, 0, 0, 5, 10, 0, 0, 1 };

	for (size_t i = 0; i < length; i++)
		frame[i] = (uint8_t)(i * 7);
	memcpy(frame, other_mac, 6);
	memcpy(frame + 6, guest_mac, 6);
	put_be16(frame + 12, ETHERTYPE_V4);
	memset(frame + 14, 0, 28);
	frame[14] = 0x45;
	put_be16(frame + 16, (uint16_t)(length - 14));
	frame[22] = 64;
	frame[23] = protocol;
	memcpy(frame + 26, addresses, sizeof(addresses));
}

void guest_make_frame(uint8_t *frame, size_t length)
{
	make_ip(frame, length, PROTOCOL_UDP);
	put_be16(frame + 34, 1000);
	put_be16(frame + 36, 2000);
	put_be16(frame + 38, (uint16_t)(length - 34));
}

void guest_make_tcp(uint8_t *frame, size_t length)
{
	struct frame f;

	make_ip(frame, length, PROTOCOL_TCP);
	memset(frame + 34, 0, 20);
	frame[46] = 0x50;
	frame_parse(frame, length, &f);
	put_be16(frame + 50, frame_pseudo_checksum(frame, &f));
}

ssize_t guest_wire_read(struct guest *g, struct virtio_net_hdr *ret_header, void *data, size_t size)
{
	struct iovec iov[] = { { ret_header, sizeof(*ret_header) }, { data, size } };
	ssize_t got = readv(g->wire, iov, 2);

	return got < 0 ? got : got - (ssize_t)sizeof(*ret_header);
}

void guest_wire_write(struct guest *g, const struct virtio_net_hdr *header, const void *data,
		      size_t size)
{
	struct virtio_net_hdr h = *header;
	struct iovec iov[] = { { &h, sizeof(h) }, { (void *)(uintptr_t)data, size } };

	require(writev(g->wire, iov, 2) == (ssize_t)(size + sizeof(h)));
}

struct netif_tx_response guest_tx_response(struct guest *g)
{
	struct netif_tx_response response;

	require(ring_front_take(&g->tx, &response, sizeof(response)) == RING_TAKEN);
	return response;
}

bool guest_rx_response(struct guest *g, struct netif_rx_response *ret_response,
		       const uint8_t **ret_page)
{
	uint32_t slot = g->rx.rsp_cons % 256;

	if (ring_front_take(&g->rx, ret_response, sizeof(*ret_response)) != RING_TAKEN)
		return false;
	if (ret_page)
		*ret_page = fake_page(g->platform, GUEST_RX_PAGES + slot);
	return true;
}
