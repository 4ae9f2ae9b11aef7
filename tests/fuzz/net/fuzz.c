/* Fuzz target: a frontend that writes what it likes into its rings. The input is a program: a byte says what comes
 * next, the bytes behind it are the slot, the packet, or a frame for all that looks into frames. Whatever it is, the
 * backend stays within its memory, answers each request once at most, sends nothing with a foreign source, and after an
 * end a new connection works. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fake-platform.h"
#include "net.h"

#define TX_RING 8u
#define RX_RING 9u
#define CTRL    10u
#define PAGES   16u
#define NR      64u

enum action {
	SLOT,
	RAW_SLOT,
	KICK,
	POST,
	RECEIVE,
	CONTROL,
	INDEX,
	DATA,
	RESTART,
	FRAME,
	NR_ACTIONS
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t mac[] = { 0, 0x16, 0x3e, 1, 2, 3 };
static struct platform *platform;
static struct net net;
static void *tx_page, *rx_page, *ctrl_page;
static struct ring_header *tx, *rx, *ctrl;
static int ends[2];
static uint32_t port;
static uint64_t now_ns;

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

static void *map(uint32_t ref)
{
	void *page;

	fake_grant(platform, ref, false);
	must(!platform_map(platform, &ref, 1, false, &page));
	return page;
}

static void attach(bool is_inherited)
{
	struct queue_ends e = { tx_page, rx_page, port, port, ends[0], is_inherited };

	net_remove_queues(&net);
	must(net.nr_rx_spare == ARRAY_SIZE(net.rx_spare));
	if (net_add_queue(&net, &e) || net_set_control(&net, ctrl_page, port)) {
		memset(tx, 0, NET_PAGE);
		memset(rx, 0, NET_PAGE);
		memset(ctrl, 0, NET_PAGE);
		net_remove_queues(&net);
		e.is_inherited = false;
		must(!net_add_queue(&net, &e) && !net_set_control(&net, ctrl_page, port));
	}
}

static void open_all(void)
{
	int bytes = 4 << 20;

	platform = fake_platform_create();
	must(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends));
	must(!setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)));
	must(!setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)));
	must(!net_init(&net, platform, FAKE_DOMID));
	memcpy(net.filter.mac, mac, sizeof(mac));
	must(!platform_bind(platform, 20, &port));
	tx_page = map(TX_RING);
	rx_page = map(RX_RING);
	ctrl_page = map(CTRL);
	tx = tx_page;
	rx = rx_page;
	ctrl = ctrl_page;
	for (uint32_t i = 0; i < NR; i++)
		fake_grant(platform, PAGES + i, i % 8 == 7);
}

static void check_sent(void)
{
	static uint8_t packet[70000];
	ssize_t got;

	while ((got = read(ends[1], packet, sizeof(packet))) > 0) {
		must((size_t)got >= sizeof(struct virtio_net_hdr) + ETHERNET_HEADER);
		must(!memcmp(packet + sizeof(struct virtio_net_hdr) + ETHERNET_ADDRESS, mac,
			     sizeof(mac)));
	}
}

static void serve(void)
{
	uint64_t wake_ns;
	int result;

	net_port_event(&net, port);
	if (net.nr_queues)
		net.queues[0].tap_is_ready = true;
	for (int i = 0; i < 50; i++) {
		result = net_serve(&net, now_ns, &wake_ns);
		must((uint32_t)(tx->rsp_prod - net.queues[0].tx.req_cons) == 0 || result < 0);
		if (result <= 0)
			break;
	}
	check_sent();
	if (result < 0) {
		memset(tx, 0, NET_PAGE);
		memset(rx, 0, NET_PAGE);
		memset(ctrl, 0, NET_PAGE);
		attach(false);
	}
}

struct input {
	const uint8_t *data;
	size_t size;
};

static uint32_t take(struct input *in, size_t bytes)
{
	uint32_t value = 0;

	while (bytes-- && in->size) {
		value = value << 8 | *in->data++;
		in->size--;
	}
	return value;
}

static void put_slot(struct input *in, bool is_raw)
{
	uint8_t *slot = (uint8_t *)tx + 64 + (tx->req_prod & 255) * sizeof(struct netif_tx_request);
	struct netif_tx_request request = {
		.gref = PAGES + take(in, 1) % NR,
		.offset = (uint16_t)take(in, 2) & 4095,
		.flags = (uint16_t)take(in, 1) & 15,
		.id = (uint16_t)tx->req_prod,
		.size = (uint16_t)take(in, 2),
	};

	if (!is_raw) {
		request.size &= 4095;
		if (request.offset + request.size > 4096)
			request.offset = 0;
	}
	memcpy(slot, &request, sizeof(request));
	if (is_raw)
		for (size_t i = 0; i < sizeof(request); i++)
			slot[i] = (uint8_t)take(in, 1);
	tx->req_prod++;
}

static void post(struct input *in)
{
	uint32_t nr = take(in, 1) % 64;

	while (nr-- && rx->req_prod - rx->rsp_prod < 256) {
		struct netif_rx_request request = {
			.id = (uint16_t)rx->req_prod,
			.gref = PAGES + rx->req_prod % NR,
		};

		memcpy((uint8_t *)rx + 64 + (rx->req_prod & 255) * sizeof(request), &request,
		       sizeof(request));
		rx->req_prod++;
	}
}

static void receive(struct input *in)
{
	static uint8_t packet[70000];
	size_t length = take(in, 2) % 65550, given = MIN(take(in, 1), 80u);

	memset(packet, 0, 80);
	for (size_t i = 0; i < given; i++)
		packet[i] = (uint8_t)take(in, 1);
	(void)!send(ends[1], packet, length, MSG_DONTWAIT);
}

static void control(struct input *in)
{
	struct xen_netif_ctrl_request request = {
		.type = (uint16_t)(take(in, 1) % 12),
		.data = { take(in, 1), take(in, 1), take(in, 1) },
	};

	memcpy((uint8_t *)ctrl + 64 + (ctrl->req_prod & 127) * 16, &request, sizeof(request));
	ctrl->req_prod++;
}

static void change_index(struct input *in)
{
	uint32_t which = take(in, 1), value = take(in, 4);
	uint32_t *words = which & 1 ? (uint32_t *)tx : (uint32_t *)rx;

	/* rsp_prod is the backend's own. */
	if (which >> 1 & 7 && (which >> 1 & 15) != 2)
		words[which >> 1 & 15] = value;
	else
		words[0] += value % 300;
}

static void fill_page(struct input *in)
{
	uint8_t *page = fake_page(platform, PAGES + take(in, 1) % NR);
	uint32_t at = take(in, 2) & 4095, nr = MIN(take(in, 1), 128u);

	memcpy(page + 6, mac, sizeof(mac));
	while (nr-- && at < 4096)
		page[at++] = (uint8_t)take(in, 1);
}

/* What it says of its sender is the guest's own, or it does not leave. */
static void filter_frame(const struct frame *f, const uint8_t *bytes, size_t length, bool has_v4,
			 bool has_v6)
{
	static const uint8_t own[] = { 10, 0, 0, 5 }, none[4];
	struct filter filter = { .is_trusted = false };

	memcpy(filter.mac, mac, sizeof(mac));
	must(!has_v4 || !filter_allow(&filter, "10.0.0.5"));
	must(!has_v6 || !filter_allow(&filter, "fd00::5"));
	if (!filter_may_leave(&filter, f, bytes, length))
		return;
	must(length >= ETHERNET_HEADER && f->ethertype != ETHERTYPE_TAG);
	if (f->ethertype == ETHERTYPE_RESOLVE && has_v4)
		must(!memcmp(bytes + f->l3 + 14, own, 4) || !memcmp(bytes + f->l3 + 14, none, 4));
	if (f->ethertype == ETHERTYPE_V4 && has_v4)
		must(!memcmp(bytes + f->l3 + 12, own, 4) || !memcmp(bytes + f->l3 + 12, none, 4));
}

static void look_into(const struct frame *f, const uint8_t *bytes, size_t length)
{
	struct snoop snoop = { .mac = mac };
	struct hash hash = { .types = HASH_TYPES };
	char text[SNOOP_TEXT_MAX];
	uint16_t start, offset;
	uint32_t value;
	uint8_t type;

	snoop_leaving(&snoop, f, bytes, length);
	snoop_entering(&snoop, f, bytes, length);
	snoop_text(&snoop, text, sizeof(text));
	must(snoop.nr_addresses <= SNOOP_ADDRESSES_MAX && strlen(text) < sizeof(text));
	(void)!frame_tcp_headers(bytes, length, f);
	if (!frame_checksum_place(f, &start, &offset))
		(void)!frame_pseudo_checksum(bytes, f);
	(void)!hash_packet(&hash, f, bytes, length, &value, &type);
}

/* As long as it says to the byte, from the guest or a stranger. */
static void try_frame(struct input *in)
{
	static const uint16_t types[] = { ETHERTYPE_V4,  ETHERTYPE_V6,       ETHERTYPE_RESOLVE,
					  ETHERTYPE_TAG, ETHERTYPE_OUTERTAG, 0 };
	uint32_t length = MIN(take(in, 1), FRAME_HEADERS_MAX), flags = take(in, 1);
	uint8_t *bytes = malloc(MAX(length, 1U));
	uint16_t type = types[(flags >> 3) % ARRAY_SIZE(types)];
	struct frame f;

	must(bytes);
	for (uint32_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)take(in, 1);
	if (length >= ETHERNET_HEADER && flags & 1)
		memcpy(bytes + ETHERNET_ADDRESS, mac, sizeof(mac));
	if (length >= ETHERNET_HEADER && type)
		put_be16(bytes + 12, type);
	frame_parse(bytes, length, &f);
	filter_frame(&f, bytes, length, flags & 2, flags & 4);
	look_into(&f, bytes, length);
	free(bytes);
}

static void features(uint32_t bits)
{
	net.features = (struct net_features){ bits & 1, bits & 2,  bits & 4,
					      bits & 8, bits & 16, bits & 32 };
	net.filter.has_multicast_control = bits & 64;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	if (!platform)
		open_all();
	memset(tx, 0, NET_PAGE);
	memset(rx, 0, NET_PAGE);
	memset(ctrl, 0, NET_PAGE);
	memset(&net.filter.groups, 0, sizeof(net.filter.groups));
	net.filter.nr_groups = 0;
	attach(false);
	features(~take(&in, 1));
	while (in.size) {
		switch ((enum action)(take(&in, 1) % NR_ACTIONS)) {
		case SLOT:
			put_slot(&in, false);
			break;
		case RAW_SLOT:
			put_slot(&in, true);
			break;
		case KICK:
			serve();
			break;
		case POST:
			post(&in);
			break;
		case RECEIVE:
			receive(&in);
			serve();
			break;
		case CONTROL:
			control(&in);
			serve();
			break;
		case INDEX:
			change_index(&in);
			break;
		case DATA:
			fill_page(&in);
			break;
		case RESTART:
			now_ns += (uint64_t)take(&in, 1) << 26;
			attach(true);
			break;
		case FRAME:
			try_frame(&in);
			break;
		case NR_ACTIONS:
			break;
		}
	}
	serve();
	return 0;
}
