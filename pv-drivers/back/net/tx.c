/* Packets from the guest: gathered from requests, copied out of its pages by one call for a batch, checked,
 * and written to the tap device. */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "net.h"

static const char no_end[] = "a packet of queue %u has no end";

/* The ring gives words; they become a slot by a copy, which analyzers can follow. */
static inline enum ring_status take_slot(struct queue *q, void *ret_slot, size_t size)
{
	uint32_t words[sizeof(struct netif_tx_request) / sizeof(uint32_t)] = { 0 };
	enum ring_status status = ring_back_take(&q->tx, words, size);

	memcpy(ret_slot, words, size);
	return status;
}

static struct tx_part *add_part(struct tx_batch *b, struct tx_packet *p)
{
	p->nr_parts++;
	return &b->parts[b->nr_parts++];
}

static int apply_extra(struct queue *q, struct tx_packet *p, const struct netif_extra_info *extra)
{
	struct filter *filter = &q->net->filter;

	switch (extra->type) {
	case XEN_NETIF_EXTRA_TYPE_GSO:
		if (!extra->u.gso.size || (extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV4 &&
					   extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV6))
			return net_broken(q->net,
					  "a packet to be cut in pieces of %u bytes by type %u",
					  extra->u.gso.size, extra->u.gso.type);
		p->gso_size = extra->u.gso.size;
		p->gso_type = extra->u.gso.type;
		return 0;
	case XEN_NETIF_EXTRA_TYPE_MCAST_ADD:
		p->is_for_us = true;
		if (filter_join(filter, extra->u.mcast.addr))
			p->status = NETIF_RSP_ERROR;
		return 0;
	case XEN_NETIF_EXTRA_TYPE_MCAST_DEL:
		p->is_for_us = true;
		filter_leave(filter, extra->u.mcast.addr);
		return 0;
	case XEN_NETIF_EXTRA_TYPE_HASH: /* the host has its own */
		return 0;
	default:
		return net_broken(q->net, "extra information of type %u", extra->type);
	}
}

static int take_extras(struct queue *q, struct tx_packet *p)
{
	struct netif_extra_info extra;
	struct tx_part *part;
	int err;

	do {
		if (take_slot(q, &extra, sizeof(extra)) != RING_TAKEN)
			return net_broken(q->net, no_end, q->index);
		part = add_part(&q->net->tx, p);
		part->is_extra = true;
		memcpy(&part->id, &extra, sizeof(part->id)); /* these bytes stay as they are */
		err = apply_extra(q, p, &extra);
	} while (!err && extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
	return err;
}

static uint16_t take_part(struct tx_batch *b, struct tx_packet *p,
			  const struct netif_tx_request *request)
{
	struct tx_part *part = add_part(b, p);

	part->is_extra = false;
	part->gref = request->gref;
	part->offset = request->offset;
	part->size = request->size;
	part->id = request->id;
	return request->flags;
}

static bool leaves_page(const struct tx_part *part)
{
	return (uint32_t)part->offset + part->size > NET_PAGE;
}

/* Takes all slots of the packet that begins with request. */
static int take_packet(struct queue *q, const struct netif_tx_request *request, struct tx_packet *p)
{
	struct tx_batch *b = &q->net->tx;
	struct tx_part *first = &b->parts[b->nr_parts];
	struct netif_tx_request next;
	uint32_t rest = 0, nr = 1;
	int err = 0;

	p->flags = take_part(b, p, request);
	p->size = request->size;
	if (p->flags & NETTXF_extra_info)
		err = take_extras(q, p);
	if (err)
		return err;
	for (uint16_t flags = p->flags; flags & NETTXF_more_data; nr++) {
		if (take_slot(q, &next, sizeof(next)) != RING_TAKEN)
			return net_broken(q->net, no_end, q->index);
		flags = take_part(b, p, &next);
		rest += next.size;
		if (leaves_page(&b->parts[b->nr_parts - 1]))
			return net_broken(q->net, "a request of %u bytes at offset %u", next.size,
					  next.offset);
	}
	if (p->is_for_us) /* its size, often 0, says nothing */
		return 0;
	if (nr > XEN_NETIF_NR_SLOTS_MIN || rest >= p->size || p->size < ETHERNET_HEADER) {
		p->status = NETIF_RSP_ERROR;
		return 0;
	}
	first->size = (uint16_t)(p->size - rest);
	if (leaves_page(first))
		return net_broken(q->net, "a request of %u bytes at offset %u", first->size,
				  first->offset);
	return 0;
}

static void plan_copies(struct queue *q, struct tx_packet *p)
{
	struct tx_batch *b = &q->net->tx;

	p->first_segment = (uint16_t)b->nr_segments;
	for (unsigned int i = 0; i < p->nr_parts; i++) {
		const struct tx_part *part = &b->parts[p->first_part + i];
		struct platform_copy *s = &b->segments[b->nr_segments];

		if (part->is_extra || !part->size)
			continue;
		s->local = b->pages + (size_t)b->nr_segments * NET_PAGE;
		s->ref = part->gref;
		s->offset = part->offset;
		s->length = part->size;
		s->to_guest = false;
		b->nr_segments++;
	}
	p->nr_segments = (uint16_t)(b->nr_segments - p->first_segment);
}

static int gather(struct queue *q, uint64_t now_ns)
{
	struct tx_batch *b = &q->net->tx;
	struct rate *rate = &q->net->from_guest;
	struct netif_tx_request request;
	enum ring_status status = RING_TAKEN;

	b->nr_parts = 0;
	b->nr_packets = 0;
	b->nr_segments = 0;
	while (b->nr_parts < TX_BATCH && b->nr_segments + XEN_NETIF_NR_SLOTS_MIN <= TX_BATCH) {
		struct tx_packet *p = &b->packets[b->nr_packets];
		int err;

		status = take_slot(q, &request, sizeof(request));
		if (status != RING_TAKEN)
			break;
		*p = (struct tx_packet){ .first_part = (uint16_t)b->nr_parts };
		err = take_packet(q, &request, p);
		if (err)
			return err;
		b->nr_packets++;
		if (q->nr_tx_lost) {
			q->nr_tx_lost -= MIN(q->nr_tx_lost, p->nr_parts);
			p->status = NETIF_RSP_DROPPED;
		}
		if (p->status != NETIF_RSP_OKAY || p->is_for_us)
			continue;
		plan_copies(q, p);
		rate_spend(rate, p->size);
		if (rate_is_limited(rate) && rate_wait_ns(rate, now_ns))
			break;
	}
	if (status == RING_BROKEN)
		return net_broken(q->net,
				  "the requests of tx queue %u are more than its ring holds",
				  q->index);
	return 0;
}

/* The leading bytes in one piece. */
static const uint8_t *headers_of(const struct tx_batch *b, const struct tx_packet *p,
				 uint8_t scratch[FRAME_HEADERS_MAX], size_t *ret_length)
{
	const struct platform_copy *s = &b->segments[p->first_segment];
	size_t wanted = MIN(p->size, FRAME_HEADERS_MAX), length = 0;

	*ret_length = wanted;
	if (s->length >= wanted)
		return s->local;
	for (; length < wanted; s++) {
		size_t part = MIN(s->length, wanted - length);

		memcpy(scratch + length, s->local, part);
		length += part;
	}
	return scratch;
}

/* A packet to be cut in pieces has a blank checksum by nature, though not every frontend says so. */
static int blank_checksum(const struct tx_batch *b, const struct tx_packet *p,
			  const struct frame *f, const uint8_t *headers)
{
	const struct platform_copy *s = &b->segments[p->first_segment];
	uint16_t start, offset;

	if (frame_checksum_place(f, &start, &offset) || start + offset + 2u > s->length)
		return -EPROTO;
	put_be16((uint8_t *)s->local + start + offset, frame_pseudo_checksum(headers, f));
	return 0;
}

static int fill_header(const struct tx_batch *b, const struct tx_packet *p, const struct frame *f,
		       const uint8_t *headers, size_t length, struct virtio_net_hdr *ret_header)
{
	struct virtio_net_hdr h = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	uint16_t start = 0, offset = 0;
	size_t tcp;

	if (p->flags & NETTXF_csum_blank || p->gso_type) {
		if (frame_checksum_place(f, &start, &offset) ||
		    (uint32_t)start + offset + 2 > p->size)
			return -EPROTO;
		h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h.csum_start = start;
		h.csum_offset = offset;
	} else if (p->flags & NETTXF_data_validated) {
		h.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	}
	if (p->gso_type) {
		bool is_v4 = p->gso_type == XEN_NETIF_GSO_TYPE_TCPV4;

		tcp = frame_tcp_headers(headers, length, f);
		if (!tcp || tcp >= p->size ||
		    f->ethertype != (is_v4 ? ETHERTYPE_V4 : ETHERTYPE_V6) ||
		    (!(p->flags & NETTXF_csum_blank) && blank_checksum(b, p, f, headers)))
			return -EPROTO;
		h.gso_type = is_v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
		h.gso_size = p->gso_size;
		h.hdr_len = (uint16_t)tcp;
	}
	*ret_header = h;
	return 0;
}

static int write_packet(const struct queue *q, const struct tx_packet *p,
			struct virtio_net_hdr *header)
{
	const struct platform_copy *s = &q->net->tx.segments[p->first_segment];
	struct iovec iov[XEN_NETIF_NR_SLOTS_MIN + 1];

	iov[0] = (struct iovec){ header, sizeof(*header) };
	for (unsigned int i = 0; i < p->nr_segments; i++)
		iov[i + 1] = (struct iovec){ s[i].local, s[i].length };
	return writev(q->tap_fd, iov, p->nr_segments + 1) < 0 ? -errno : 0;
}

static int16_t send_packet(struct queue *q, const struct tx_packet *p)
{
	struct net *n = q->net;
	uint8_t scratch[FRAME_HEADERS_MAX];
	struct virtio_net_hdr header;
	const uint8_t *headers;
	struct frame f;
	size_t length;
	int err;

	headers = headers_of(&n->tx, p, scratch, &length);
	frame_parse(headers, length, &f);
	if (n->is_link_down) {
		n->counters.tx_dropped++;
		return NETIF_RSP_DROPPED;
	}
	if (!filter_may_leave(&n->filter, &f, headers, length)) {
		n->counters.tx_spoofed++;
		return NETIF_RSP_DROPPED;
	}
	err = fill_header(&n->tx, p, &f, headers, length, &header);
	if (!err) {
		snoop_leaving(&n->snoop, &f, headers, length);
		err = write_packet(q, p, &header);
	}
	if (err == -EPROTO || err == -EINVAL) {
		n->counters.tx_errors++;
		return NETIF_RSP_ERROR;
	}
	if (err) { /* no memory, or the device is down */
		n->counters.tx_dropped++;
		return NETIF_RSP_DROPPED;
	}
	n->counters.tx_packets++;
	n->counters.tx_bytes += p->size;
	return NETIF_RSP_OKAY;
}

static void answer(struct queue *q, const struct tx_packet *p)
{
	const struct tx_part *part = &q->net->tx.parts[p->first_part];

	for (unsigned int i = 0; i < p->nr_parts; i++, part++) {
		struct netif_tx_response response = {
			.id = part->id,
			.status = part->is_extra ? NETIF_RSP_NULL : p->status,
		};

		ring_back_put(&q->tx, &response, sizeof(response));
	}
}

/* One call copies all. When a part of it is not possible, each packet's is done again to see whose that was. */
static int copy_all(struct net *n)
{
	struct tx_batch *b = &n->tx;
	int err = b->nr_segments ? platform_copy(n->platform, b->segments, b->nr_segments) : 0;

	if (err != -EFAULT)
		return err;
	for (unsigned int i = 0; i < b->nr_packets; i++) {
		struct tx_packet *p = &b->packets[i];

		if (p->nr_segments &&
		    platform_copy(n->platform, &b->segments[p->first_segment], p->nr_segments))
			p->status = NETIF_RSP_ERROR;
	}
	return 0;
}

static int finish(struct queue *q)
{
	struct net *n = q->net;
	int err = copy_all(n);

	if (err)
		return err;
	for (unsigned int i = 0; i < n->tx.nr_packets; i++) {
		struct tx_packet *p = &n->tx.packets[i];

		if (p->status == NETIF_RSP_ERROR)
			n->counters.tx_errors++;
		else if (p->nr_segments)
			p->status = send_packet(q, p);
		answer(q, p);
	}
	q->owes_tx_event |= ring_back_push(&q->tx);
	return 0;
}

int tx_serve(struct queue *q, uint64_t now_ns, uint64_t *wake_ns)
{
	struct net *n = q->net;
	uint64_t wait_ns = rate_wait_ns(&n->from_guest, now_ns);
	enum ring_status status;
	int err;

	if (!q->tx_is_due)
		return 0;
	if (wait_ns) {
		*wake_ns = MIN(*wake_ns, now_ns + wait_ns);
		return 0;
	}
	err = gather(q, now_ns);
	if (!err)
		err = finish(q);
	if (err)
		return err;
	if (n->tx.nr_packets)
		return 1; /* more may have come meanwhile; only then is it worth asking for events */
	status = ring_back_rearm(&q->tx);
	if (status == RING_BROKEN)
		return net_broken(n, "the requests of tx queue %u are more than its ring holds",
				  q->index);
	q->tx_is_due = status == RING_TAKEN;
	return q->tx_is_due;
}
