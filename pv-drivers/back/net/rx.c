/* Packets to the guest: read from the tap device, placed in the pages that the guest has posted, copied by
 * one call for a batch of all queues. A packet without room is held; when the guest posts nothing for long,
 * what comes is dropped until it does again. */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "net.h"

#define STALL_NS    UINT64_C(10000000000)
#define POLL_NS     UINT64_C(30000000) /* for guests that do not tell when they have posted */
#define PIECE_TYPES (0xffu & ~(unsigned int)VIRTIO_NET_HDR_GSO_ECN)

/* While responses are being written over requests, they stand neither for the ones nor for the others. Up to
 * where is noted in a place of the ring page that nobody else uses, for the process that comes after this
 * one is killed; what a guest writes there harms its own packets only. */
static RING_IDX *intent(const struct ring_back *r)
{
	uint8_t *pad = r->view.shared->pad;

	return (RING_IDX *)(uintptr_t)(pad + sizeof(r->view.shared->pad) - sizeof(RING_IDX));
}

static uint8_t *buffer_get(struct net *n)
{
	return n->rx_spare[--n->nr_rx_spare];
}

static void buffer_put(struct net *n, uint8_t *buffer)
{
	n->rx_spare[n->nr_rx_spare++] = buffer;
}

/* False: the tap device has nothing now. */
static bool read_packet(struct queue *q, struct virtio_net_hdr *ret_header, uint8_t *data,
			uint32_t *ret_length)
{
	struct iovec iov[] = {
		{ ret_header, sizeof(*ret_header) },
		{ data, (size_t)RX_PAGES * NET_PAGE },
	};
	ssize_t size = readv(q->tap_fd, iov, ARRAY_SIZE(iov));

	if (size < 0) {
		q->tap_is_ready = false;
		return false;
	}
	*ret_length = size > (ssize_t)sizeof(*ret_header)
			      ? (uint32_t)((size_t)size - sizeof(*ret_header))
			      : 0;
	return true;
}

/* Whether the guest takes the frame with the checksum that is blank in it. */
static bool may_stay_blank(const struct net *n, const struct frame *f,
			   const struct virtio_net_hdr *h)
{
	uint16_t start, offset;

	if (f->is_tagged || frame_checksum_place(f, &start, &offset) || start != h->csum_start ||
	    offset != h->csum_offset)
		return false;
	return f->ethertype == ETHERTYPE_V4 ? n->features.csum_v4 : n->features.csum_v6;
}

static bool describe_checksum(const struct net *n, struct rx_packet *p, const struct frame *f,
			      const struct virtio_net_hdr *h)
{
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if (may_stay_blank(n, f, h)) {
			p->flags = NETRXF_csum_blank | NETRXF_data_validated;
			return true;
		}
		if (h->gso_type != VIRTIO_NET_HDR_GSO_NONE ||
		    (uint32_t)h->csum_start + h->csum_offset + 2 > p->length)
			return false;
		frame_checksum_fill(p->data, p->length, h->csum_start, h->csum_offset);
		p->flags = NETRXF_data_validated;
	} else if (h->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
		p->flags = NETRXF_data_validated;
	}
	return true;
}

static bool describe_pieces(const struct net *n, struct rx_packet *p,
			    const struct virtio_net_hdr *h)
{
	unsigned int type = h->gso_type & PIECE_TYPES;
	bool is_v4 = type == VIRTIO_NET_HDR_GSO_TCPV4;
	struct netif_extra_info *extra = &p->extras[p->nr_extras];

	if (type == VIRTIO_NET_HDR_GSO_NONE)
		return true;
	if (!(is_v4 && n->features.gso_v4) &&
	    !(type == VIRTIO_NET_HDR_GSO_TCPV6 && n->features.gso_v6))
		return false;
	*extra = (struct netif_extra_info){ .type = XEN_NETIF_EXTRA_TYPE_GSO };
	extra->u.gso.size = h->gso_size;
	extra->u.gso.type = is_v4 ? XEN_NETIF_GSO_TYPE_TCPV4 : XEN_NETIF_GSO_TYPE_TCPV6;
	p->nr_extras++;
	return true;
}

static void describe_hash(struct net *n, struct rx_packet *p, const struct frame *f)
{
	struct netif_extra_info *extra = &p->extras[p->nr_extras];
	uint32_t value;
	uint8_t type;

	if (n->hash.algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ ||
	    !hash_packet(&n->hash, f, p->data, p->length, &value, &type))
		return;
	*extra = (struct netif_extra_info){ .type = XEN_NETIF_EXTRA_TYPE_HASH };
	extra->u.hash.type = type;
	extra->u.hash.algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ;
	memcpy(extra->u.hash.value, &value, sizeof(value));
	p->nr_extras++;
	p->to = &n->queues[hash_queue(&n->hash, value, n->nr_queues)];
}

/* False: the packet is not for the guest. */
static bool describe(struct queue *q, struct rx_packet *p, const struct virtio_net_hdr *h)
{
	struct net *n = q->net;
	struct frame f;

	p->to = q;
	if (p->length < ETHERNET_HEADER || n->is_link_down ||
	    !filter_may_enter(&n->filter, p->data))
		return false;
	frame_parse(p->data, p->length, &f);
	if (!describe_checksum(n, p, &f, h) || !describe_pieces(n, p, h)) {
		/* The guest's frontend does not take such a one: behind a VLAN tag, for instance. The
		 * host is to prepare packets fully from now on; this one is sent again if it was TCP. */
		n->wants_plain_tap = true;
		return false;
	}
	if (!n->features.sg && p->length > NET_PAGE)
		return false;
	describe_hash(n, p, &f);
	snoop_entering(&n->snoop, &f, p->data, MIN(p->length, FRAME_HEADERS_MAX));
	p->nr_slots = (uint16_t)(div_round_up(p->length, NET_PAGE) + p->nr_extras);
	return true;
}

/* The next packet that is for the guest. False: none now, or none among the next so many. */
static bool fetch(struct queue *q, struct rx_packet *ret_packet)
{
	struct net *n = q->net;
	struct rx_packet p = { .data = buffer_get(n) };
	struct virtio_net_hdr header = { 0 };

	for (unsigned int i = 0; i < RX_BATCH && read_packet(q, &header, p.data, &p.length); i++) {
		p.flags = 0;
		p.nr_extras = 0;
		if (describe(q, &p, &header)) {
			*ret_packet = p;
			return true;
		}
		n->counters.rx_dropped++;
	}
	buffer_put(n, p.data);
	return false;
}

static void plan_copy(struct net *n, const struct rx_packet *p, unsigned int page, grant_ref_t ref)
{
	struct platform_copy *s = &n->rx.segments[n->rx.nr_segments++];

	s->local = p->data + (size_t)page * NET_PAGE;
	s->ref = ref;
	s->offset = 0;
	s->length = (uint16_t)MIN(p->length - page * NET_PAGE, NET_PAGE);
	s->to_guest = true;
}

/* Takes the requests for the packet, if there are enough: 1; else 0. */
static int place(struct net *n, struct rx_packet *p)
{
	struct ring_back *ring = &p->to->rx;
	struct netif_rx_request request;
	unsigned int page = 0;

	if (ring_back_waiting(ring) < p->nr_slots && ring_back_look(ring) == RING_BROKEN)
		return net_broken(n, "the requests of rx queue %u are more than its ring holds",
				  p->to->index);
	if (ring_back_waiting(ring) < p->nr_slots)
		return 0;
	p->first_segment = (uint16_t)n->rx.nr_segments;
	for (unsigned int slot = 0; slot < p->nr_slots; slot++) {
		bool is_extra = slot && slot <= p->nr_extras;

		if (ring_back_take(ring, &request, sizeof(request)) != RING_TAKEN)
			return net_broken(n, "rx queue %u is inconsistent", p->to->index);
		n->rx.ids[n->rx.nr_ids++] = request.id;
		if (!is_extra)
			plan_copy(n, p, page++, request.gref);
	}
	rate_spend(&n->to_guest, p->length);
	n->rx.packets[n->rx.nr_packets++] = *p;
	return 1;
}

/* There is no room for the packet that the queue holds. 1: there is more than before. */
static int wait_for_room(struct queue *q, uint64_t now_ns, uint64_t *wake_ns)
{
	struct net *n = q->net;
	enum ring_status status = ring_back_rearm_more(&q->held.to->rx);

	if (status == RING_BROKEN)
		return net_broken(n, "the requests of rx queue %u are more than its ring holds",
				  q->held.to->index);
	if (status == RING_TAKEN)
		return 1;
	if (!n->features.rx_notify) {
		*wake_ns = MIN(*wake_ns, now_ns + POLL_NS);
		return 0;
	}
	if (!q->held_since_ns)
		q->held_since_ns = now_ns;
	if (now_ns - q->held_since_ns < STALL_NS) {
		*wake_ns = MIN(*wake_ns, q->held_since_ns + STALL_NS);
		return 0;
	}
	q->is_stalled = true;
	n->nr_stalled++;
	buffer_put(n, q->held.data);
	q->held.data = NULL;
	n->counters.rx_dropped++;
	return 0;
}

/* Of a queue whose guest posts nothing, all packets are dropped. */
static int watch_stalled(struct queue *q)
{
	struct net *n = q->net;
	struct rx_packet p;

	if (ring_back_look(&q->rx) == RING_BROKEN)
		return net_broken(n, "the requests of rx queue %u are more than its ring holds",
				  q->index);
	if (ring_back_waiting(&q->rx) >= XEN_NETIF_NR_SLOTS_MIN) {
		q->is_stalled = false;
		n->nr_stalled--;
		return 0;
	}
	for (unsigned int i = 0; i < RX_BATCH && q->tap_is_ready && fetch(q, &p); i++) {
		buffer_put(n, p.data);
		n->counters.rx_dropped++;
	}
	return ring_back_rearm_more(&q->rx) == RING_TAKEN || q->tap_is_ready;
}

/* Whether a packet may be read from the tap device now. */
static bool may_fetch(struct queue *q, uint64_t now_ns, uint64_t *wake_ns)
{
	uint64_t wait_ns;

	if (!q->tap_is_ready)
		return false;
	wait_ns = rate_wait_ns(&q->net->to_guest, now_ns);
	if (wait_ns)
		*wake_ns = MIN(*wake_ns, now_ns + wait_ns);
	return !wait_ns;
}

/* Places packets of one tap queue, the held one first. 1: call again. */
static int fill(struct queue *q, uint64_t now_ns, uint64_t *wake_ns)
{
	struct net *n = q->net;
	int placed;

	while (n->rx.nr_packets < RX_BATCH) {
		if (!q->held.data) {
			if (!may_fetch(q, now_ns, wake_ns))
				return 0;
			if (!fetch(q, &q->held))
				return q->tap_is_ready;
		}
		placed = place(n, &q->held);
		if (placed < 0)
			return placed;
		if (!placed)
			return wait_for_room(q, now_ns, wake_ns);
		q->held.data = NULL;
		q->held_since_ns = 0;
	}
	return 1;
}

/* One queue, when its turn has come. 1: call again. */
static int serve_queue(struct queue *q, uint64_t now_ns, uint64_t *wake_ns)
{
	int again;

	if (q->rx_is_due && ring_back_look(&q->rx) == RING_BROKEN)
		return net_broken(q->net,
				  "the requests of rx queue %u are more than its ring holds",
				  q->index);
	q->rx_is_due = false;
	if (q->is_stalled) {
		again = watch_stalled(q);
		if (again || q->is_stalled)
			return again;
	}
	return fill(q, now_ns, wake_ns);
}

static unsigned int nr_pages(const struct rx_packet *p)
{
	return p->nr_slots - p->nr_extras;
}

static void answer(struct net *n, const struct rx_packet *p, const uint16_t *ids)
{
	const struct platform_copy *s = &n->rx.segments[p->first_segment];
	struct ring_back *ring = &p->to->rx;
	unsigned int nr_data = nr_pages(p);

	for (unsigned int i = 0; i < nr_data; i++, s++) {
		struct netif_rx_response response = { .id = *ids++ };

		response.flags = i ? 0 : p->flags;
		if (i + 1 < nr_data)
			response.flags |= NETRXF_more_data;
		if (!i && p->nr_extras)
			response.flags |= NETRXF_extra_info;
		response.status = p->has_failed ? NETIF_RSP_ERROR : (int16_t)s->length;
		ring_back_put(ring, &response, sizeof(response));
		for (unsigned int extra = 0; !i && extra < p->nr_extras; extra++, ids++) {
			struct netif_extra_info info = p->extras[extra];

			info.flags = extra + 1 < p->nr_extras ? XEN_NETIF_EXTRA_FLAG_MORE : 0;
			ring_back_put(ring, &info, sizeof(info));
		}
	}
	n->counters.rx_errors += p->has_failed;
	n->counters.rx_packets += !p->has_failed;
	n->counters.rx_bytes += p->has_failed ? 0 : p->length;
}

/* One call copies all. When a part of it is not possible, each packet's is done again to see whose that was. */
static int copy_all(struct net *n)
{
	int err = platform_copy(n->platform, n->rx.segments, n->rx.nr_segments);

	if (err != -EFAULT)
		return err;
	for (unsigned int i = 0; i < n->rx.nr_packets; i++) {
		struct rx_packet *p = &n->rx.packets[i];

		if (platform_copy(n->platform, &n->rx.segments[p->first_segment], nr_pages(p)))
			p->has_failed = true;
	}
	return 0;
}

static int finish(struct net *n)
{
	const uint16_t *ids = n->rx.ids;
	int err = copy_all(n);

	if (err)
		return err;
	for (unsigned int i = 0; i < n->nr_queues; i++) {
		struct ring_back *ring = &n->queues[i].rx;

		if (ring_back_in_flight(ring))
			ring_store(intent(ring), ring->req_cons);
	}
	for (unsigned int i = 0; i < n->rx.nr_packets; i++) {
		answer(n, &n->rx.packets[i], ids);
		ids += n->rx.packets[i].nr_slots;
		buffer_put(n, n->rx.packets[i].data);
	}
	n->rx.nr_packets = 0;
	for (unsigned int i = 0; i < n->nr_queues; i++) {
		if (ring_back_push(&n->queues[i].rx))
			platform_notify(n->platform, n->queues[i].rx_port);
	}
	return 0;
}

int rx_serve(struct net *n, uint64_t now_ns, uint64_t *wake_ns)
{
	int again = 0, err = 0;

	n->rx.nr_segments = 0;
	n->rx.nr_ids = 0;
	for (unsigned int i = 0; i < n->nr_queues && err >= 0; i++) {
		err = serve_queue(&n->queues[(n->rx_turn + i) % n->nr_queues], now_ns, wake_ns);
		again |= err > 0;
	}
	n->rx_turn++;
	if (err >= 0 && n->rx.nr_packets)
		err = finish(n);
	return err < 0 ? err : again;
}

int rx_recover(struct queue *q)
{
	uint32_t nr = ring_load(intent(&q->rx)) - q->rx.rsp_prod;
	struct netif_rx_request request;

	if (nr > q->rx.view.nr_entries)
		return 0;
	for (; nr; nr--) {
		struct netif_rx_response response = { .status = NETIF_RSP_ERROR };

		if (ring_back_take(&q->rx, &request, sizeof(request)) != RING_TAKEN)
			return net_broken(q->net, "rx queue %u has fewer requests than answers",
					  q->index);
		response.id = request.id;
		ring_back_put(&q->rx, &response, sizeof(response));
	}
	(void)ring_back_push(&q->rx); /* the guest is notified in any case */
	return 0;
}
