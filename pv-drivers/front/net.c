/* The frontend of netif. See net.h. */
#include "front/net.h"

#include "guest/console.h"
#include "guest/event.h"
#include "guest/grant.h"
#include "guest/hypercall.h"
#include "guest/paging.h"

#define BACKEND_TIMEOUT (30 * SEC)

/* --- a queue's memory --- */

static uint32_t ring_create(struct net *n, struct ring_front *r, size_t entry_size)
{
	void *page = page_alloc();

	ring_front_init(r, page, PAGE_SIZE, entry_size);
	return grant_take(n->bus.backend_domid, page, 0);
}

static void buffer_create(struct net_queue *q, struct net_buffer *b, uint16_t flags)
{
	if (b->page)
		return;
	b->page = page_alloc();
	b->grant = grant_take(q->net->bus.backend_domid, b->page, flags);
}

/* A request's id is its place: so the request of a place that extra information took is known. */
static void fill_rx(struct net_queue *q)
{
	while (q->rx.req_prod - q->rx.rsp_cons < NET_RX_BUFFERS) {
		uint16_t id = (uint16_t)(q->rx.req_prod & (NET_RING_SIZE - 1));
		struct netif_rx_request request = { .id = id };

		buffer_create(q, &q->rx_buffer[id], 0);
		request.gref = q->rx_buffer[id].grant;
		ring_front_put(&q->rx, &request, sizeof(request));
	}
	if (ring_front_push(&q->rx))
		event_send(q->rx_port);
}

static void queue_create(struct net *n, struct net_queue *q)
{
	q->net = n;
	q->tx_grant = ring_create(n, &q->tx, sizeof(union net_tx_entry));
	q->rx_grant = ring_create(n, &q->rx, sizeof(union net_rx_entry));
	for (uint16_t i = 0; i < NET_RING_SIZE; i++)
		q->tx_buffer[i].next_free = (uint16_t)(i + 1);
	q->tx_free = 0;
	q->tx_port = event_alloc_unbound(DOMID_SELF, n->bus.backend_domid);
	q->rx_port = n->options.use_one_channel
			     ? q->tx_port
			     : event_alloc_unbound(DOMID_SELF, n->bus.backend_domid);
	event_unmask(q->tx_port);
	event_unmask(q->rx_port);
}

static void page_destroy(struct net *n, void *page, uint32_t grant)
{
	if (!page)
		return;
	if (!grant_give_back(grant))
		n->nr_kept_grants++;
	else
		page_free(page);
}

static void queue_destroy(struct net *n, struct net_queue *q)
{
	event_mask(q->tx_port);
	event_mask(q->rx_port);
	event_close(q->tx_port);
	if (q->rx_port != q->tx_port)
		event_close(q->rx_port);
	for (unsigned int i = 0; i < NET_RING_SIZE; i++) {
		page_destroy(n, q->tx_buffer[i].page, q->tx_buffer[i].grant);
		page_destroy(n, q->rx_buffer[i].page, q->rx_buffer[i].grant);
	}
	page_destroy(n, q->tx.view.shared, q->tx_grant);
	page_destroy(n, q->rx.view.shared, q->rx_grant);
}

/* --- xenstore --- */

static int publish_queue(uint32_t tx, const struct net *n, const struct net_queue *q,
			 const char *prefix)
{
	const struct {
		const char *node;
		uint32_t value;
		bool is_needed;
	} nodes[] = {
		{ "tx-ring-ref", q->tx_grant, true },
		{ "rx-ring-ref", q->rx_grant, true },
		{ "event-channel", q->tx_port, n->options.use_one_channel },
		{ "event-channel-tx", q->tx_port, !n->options.use_one_channel },
		{ "event-channel-rx", q->rx_port, !n->options.use_one_channel },
	};
	int err = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(nodes) && !err; i++) {
		char node[64];

		snprintf(node, sizeof(node), "%s%s", prefix, nodes[i].node);
		if (nodes[i].is_needed)
			err = xenbus_write(&n->bus, tx, node, "%u", nodes[i].value);
	}
	return err;
}

static int publish_features(uint32_t tx, const struct net *n)
{
	const struct {
		const char *node;
		bool value;
	} features[] = {
		{ "request-rx-copy", true },
		{ "feature-rx-notify", true },
		{ "feature-sg", true },
		{ "feature-no-csum-offload", !n->options.take_blank_sums },
		{ "feature-ipv6-csum-offload", n->options.take_blank_sums },
		{ "feature-gso-tcpv4", n->options.take_segments },
		{ "request-multicast-control", n->options.choose_groups },
	};
	int err = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(features) && !err; i++)
		err = xenbus_write(&n->bus, tx, features[i].node, "%u", features[i].value);
	return err;
}

static int publish(uint32_t tx, void *context)
{
	const struct net *n = context;
	int err = publish_features(tx, n);

	if (!err && n->nr_queues > 1)
		err = xenbus_write(&n->bus, tx, "multi-queue-num-queues", "%u", n->nr_queues);
	for (unsigned int i = 0; i < n->nr_queues && !err; i++) {
		char prefix[32] = "";

		if (n->nr_queues > 1)
			snprintf(prefix, sizeof(prefix), "queue-%u/", i);
		err = publish_queue(tx, n, &n->queue[i], prefix);
	}
	return err;
}

static bool hex_digit(char c, uint8_t *ret_digit)
{
	if (c >= '0' && c <= '9')
		*ret_digit = (uint8_t)(c - '0');
	else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		*ret_digit = (uint8_t)((c | 0x20) - 'a' + 10);
	else
		return false;
	return true;
}

static int read_mac(struct net *n)
{
	char path[96], text[32];
	int ret;

	snprintf(path, sizeof(path), "%s/mac", n->bus.path);
	ret = store_read(STORE_NO_TX, path, text, sizeof(text));
	if (ret < 0)
		return ret;
	for (unsigned int i = 0; i < sizeof(n->mac); i++) {
		uint8_t high, low;

		if (!hex_digit(text[3 * i], &high) || !hex_digit(text[3 * i + 1], &low))
			return -XEN_EINVAL;
		n->mac[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static void agree(struct net *n, const struct net_options *wanted)
{
	struct net_options *o = &n->options;
	uint64_t max_queues = xenbus_backend_number(&n->bus, "multi-queue-max-queues");

	*o = wanted ? *wanted : (struct net_options){ 0 };
	o->nr_queues = MIN(o->nr_queues, (unsigned int)NET_MAX_QUEUES);
	o->nr_queues = MIN(o->nr_queues, (unsigned int)max_queues);
	if (!xenbus_backend_number(&n->bus, "feature-split-event-channels"))
		o->use_one_channel = true;
	if (!xenbus_backend_number(&n->bus, "feature-multicast-control"))
		o->choose_groups = false;
	n->can_scatter = xenbus_backend_number(&n->bus, "feature-sg");
	n->nr_queues = MAX(o->nr_queues, 1u);
}

int net_open(struct net *n, unsigned int index, const struct net_options *options)
{
	int err;

	*n = (struct net){ 0 };
	err = xenbus_find("vif", index, &n->bus);
	if (!err)
		err = read_mac(n);
	if (err)
		return err;
	if (!xenbus_wait_backend(&n->bus, XENBUS_IS(XenbusStateInitWait), BACKEND_TIMEOUT))
		return -XEN_ETIMEDOUT;
	agree(n, options);
	for (unsigned int i = 0; i < n->nr_queues; i++) {
		queue_create(n, &n->queue[i]);
		fill_rx(&n->queue[i]);
	}
	err = xenbus_publish(publish, n);
	if (!err)
		err = xenbus_switch_state(&n->bus, XenbusStateConnected);
	if (!err && !xenbus_wait_backend(&n->bus, XENBUS_IS(XenbusStateConnected), BACKEND_TIMEOUT))
		err = -XEN_ETIMEDOUT;
	if (err) {
		net_close(n);
		return err;
	}
	for (unsigned int i = 0; i < n->nr_queues; i++) /* nobody listened to the first one */
		event_send(n->queue[i].rx_port);
	return 0;
}

bool net_close(struct net *n)
{
	bool has_followed = xenbus_close(&n->bus);

	for (unsigned int i = 0; i < n->nr_queues; i++)
		queue_destroy(n, &n->queue[i]);
	n->nr_queues = 0;
	return has_followed;
}

/* --- packets --- */

void net_poll(struct net_queue *q)
{
	struct netif_tx_response response = { 0 };
	enum ring_status status;

	while (!q->is_broken &&
	       (status = ring_front_take(&q->tx, &response, sizeof(response))) != RING_EMPTY) {
		if (status == RING_BROKEN) {
			q->is_broken = true;
			break;
		}
		if (response.status == NETIF_RSP_NULL)
			continue;
		if (response.id >= NET_RING_SIZE ||
		    q->tx_buffer[response.id].next_free != NET_IN_USE) {
			q->is_broken = true;
			break;
		}
		if (response.status == NETIF_RSP_OKAY)
			q->nr_sent++;
		else
			q->nr_refused++;
		q->tx_buffer[response.id].next_free = q->tx_free;
		q->tx_free = response.id;
	}
}

/* Copies a part into a buffer that has an answer to come. */
static struct netif_tx_request take_tx(struct net_queue *q, const uint8_t *data, size_t size)
{
	uint16_t id = q->tx_free;
	struct net_buffer *b = &q->tx_buffer[id];

	buffer_create(q, b, GTF_readonly);
	q->tx_free = b->next_free;
	b->next_free = NET_IN_USE;
	memcpy(b->page, data, size);
	return (struct netif_tx_request){ .gref = b->grant, .id = id, .size = (uint16_t)size };
}

bool net_send(struct net_queue *q, const void *frame, size_t size)
{
	const uint8_t *data = frame;
	size_t nr_parts = div_round_up(size, PAGE_SIZE), first = size;

	net_poll(q);
	if (q->is_broken || !size || size > NET_FRAME_MAX || ring_front_free(&q->tx) < nr_parts ||
	    (nr_parts > 1 && !q->net->can_scatter))
		return false;
	while (size) {
		size_t part = MIN(size, PAGE_SIZE);
		struct netif_tx_request request = take_tx(q, data, part);

		if (size == first) /* the first request tells of the whole */
			request.size = (uint16_t)size;
		data += part;
		size -= part;
		request.flags = size ? NETTXF_more_data : 0;
		ring_front_put(&q->tx, &request, sizeof(request));
	}
	if (ring_front_push(&q->tx))
		event_send(q->tx_port);
	return true;
}

/* Looks at one response's bytes. False: there are none, or it is not from this world. */
static bool copy_part(struct net_queue *q, const struct netif_rx_response *r, uint8_t *frame,
		      size_t size, size_t *length)
{
	size_t count = r->status > 0 ? (size_t)r->status : 0;

	if (r->id >= NET_RING_SIZE || !q->rx_buffer[r->id].page || r->offset + count > PAGE_SIZE) {
		q->is_broken = true;
		return false;
	}
	if (*length < size)
		memcpy(frame + *length, (const uint8_t *)q->rx_buffer[r->id].page + r->offset,
		       MIN(count, size - *length));
	*length += count;
	return r->status >= 0;
}

static bool take_rx(struct net_queue *q, union net_rx_entry *ret_entry)
{
	enum ring_status status = ring_front_take(&q->rx, ret_entry, sizeof(*ret_entry));

	q->is_broken |= status == RING_BROKEN;
	return status == RING_TAKEN;
}

/* The extra slots behind a frame's first. */
static bool skip_extras(struct net_queue *q)
{
	union net_rx_entry entry = { 0 };

	entry.extra.flags = XEN_NETIF_EXTRA_FLAG_MORE;

	while (entry.extra.flags & XEN_NETIF_EXTRA_FLAG_MORE) {
		if (!take_rx(q, &entry))
			return false;
	}
	return true;
}

bool net_join(struct net_queue *q, const uint8_t group[6])
{
	struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_MCAST_ADD };
	struct netif_tx_request request;

	net_poll(q);
	if (q->is_broken || ring_front_free(&q->tx) < 2)
		return false;
	request = take_tx(q, group, 0); /* of a frame that is none */
	request.flags = NETTXF_extra_info;
	memcpy(extra.u.mcast.addr, group, sizeof(extra.u.mcast.addr));
	ring_front_put(&q->tx, &request, sizeof(request));
	ring_front_put(&q->tx, &extra, sizeof(extra));
	if (ring_front_push(&q->tx))
		event_send(q->tx_port);
	return true;
}

size_t net_receive(struct net_queue *q, void *ret_frame, size_t size, uint16_t *ret_flags)
{
	union net_rx_entry entry = { 0 };
	size_t length = 0;
	bool is_good;

	net_poll(q);
	if (q->is_broken || !take_rx(q, &entry))
		return 0;
	if (ret_flags)
		*ret_flags = entry.response.flags;
	is_good = copy_part(q, &entry.response, ret_frame, size, &length);
	if (entry.response.flags & NETRXF_extra_info && !skip_extras(q))
		return 0;
	while (entry.response.flags & NETRXF_more_data) {
		if (!take_rx(q, &entry)) {
			q->is_broken = true; /* a backend publishes frames as a whole */
			return 0;
		}
		is_good &= copy_part(q, &entry.response, ret_frame, size, &length);
	}
	fill_rx(q);
	return is_good ? MIN(length, size) : 0;
}

static bool something_is_there(struct net *n)
{
	bool is_there = false;

	for (unsigned int i = 0; i < n->nr_queues; i++) {
		is_there |= ring_front_rearm(&n->queue[i].rx) != RING_EMPTY;
		is_there |= ring_front_rearm(&n->queue[i].tx) != RING_EMPTY;
	}
	return is_there;
}

bool net_wait(struct net *n, uint64_t timeout_ns)
{
	return HALT_UNTIL(something_is_there(n), timeout_ns);
}
