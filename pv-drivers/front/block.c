/* The frontend of blkif. See block.h. */
#include "front/block.h"

#include "guest/console.h"
#include "guest/event.h"
#include "guest/grant.h"
#include "guest/hypercall.h"
#include "guest/paging.h"
#include "guest/test.h"

#define BACKEND_TIMEOUT (30 * SEC)
#define IO_TIMEOUT      (60 * SEC)
#define SECTORS_IN_PAGE (PAGE_SIZE / SECTOR_SIZE)

/* --- a queue's memory --- */

/* Nobody sees the ring yet. */
static void begin_at(struct ring_front *r, RING_IDX index)
{
	struct ring_header *shared = r->view.shared;

	shared->req_prod = index;
	shared->rsp_prod = index;
	shared->req_event = index + 1;
	shared->rsp_event = index + 1;
	r->req_prod = index;
	r->req_sent = index;
	r->rsp_cons = index;
	r->rsp_seen = index;
}

static void queue_create(struct block *b, struct block_queue *q)
{
	size_t slots;

	q->block = b;
	q->nr_pages = 1u << b->options.ring_order;
	q->memory = pages_alloc(q->nr_pages);
	ring_front_init(&q->ring, q->memory, q->nr_pages * PAGE_SIZE,
			sizeof(union blkif_sring_entry));
	begin_at(&q->ring, b->options.first_index);
	for (unsigned int i = 0; i < q->nr_pages; i++)
		q->ring_grant[i] = grant_take(b->bus.backend_domid, q->memory + i * PAGE_SIZE, 0);
	slots = q->ring.view.nr_entries * sizeof(*q->slot);
	q->slot = pages_alloc((unsigned int)div_round_up(slots, PAGE_SIZE));
	q->port = event_alloc_unbound(DOMID_SELF, b->bus.backend_domid);
	event_unmask(q->port);
}

static bool give_back(struct block *b, uint32_t grant)
{
	bool is_free = grant_give_back(grant);

	if (!is_free)
		b->nr_kept_grants++;
	return is_free;
}

static void page_destroy(struct block *b, void *page, uint32_t grant)
{
	if (give_back(b, grant))
		page_free(page);
}

static void slot_destroy(struct block *b, struct block_slot *s)
{
	if (b->options.use_persistent) {
		for (unsigned int i = 0; i < BLOCK_MAX_SEGMENTS && s->page[i]; i++)
			page_destroy(b, s->page[i], s->grant[i]);
	} else if (s->io) {
		for (unsigned int i = 0; i < s->nr_grants; i++)
			give_back(b, s->grant[i]);
	}
	if (s->indirect)
		page_destroy(b, s->indirect, s->indirect_grant);
}

static void queue_destroy(struct block *b, struct block_queue *q)
{
	size_t slots = q->ring.view.nr_entries * sizeof(*q->slot);

	event_mask(q->port);
	event_close(q->port);
	for (uint32_t i = 0; i < q->ring.view.nr_entries; i++)
		slot_destroy(b, &q->slot[i]);
	for (size_t at = 0; at < slots; at += PAGE_SIZE)
		page_free((uint8_t *)q->slot + at);
	for (unsigned int i = 0; i < q->nr_pages; i++)
		page_destroy(b, q->memory + i * PAGE_SIZE, q->ring_grant[i]);
	*q = (struct block_queue){ 0 };
}

/* --- xenstore --- */

static int publish_queue(uint32_t tx, const struct block *b, const struct block_queue *q,
			 const char *prefix)
{
	char node[64];
	int err;

	snprintf(node, sizeof(node), "%sevent-channel", prefix);
	err = xenbus_write(&b->bus, tx, node, "%u", q->port);
	if (!err && q->nr_pages == 1) {
		snprintf(node, sizeof(node), "%sring-ref", prefix);
		return xenbus_write(&b->bus, tx, node, "%u", q->ring_grant[0]);
	}
	for (unsigned int i = 0; i < q->nr_pages && !err; i++) {
		snprintf(node, sizeof(node), "%sring-ref%u", prefix, i);
		err = xenbus_write(&b->bus, tx, node, "%u", q->ring_grant[i]);
	}
	return err;
}

static int publish(uint32_t tx, void *context)
{
	const struct block *b = context;
	const struct xenbus_device *bus = &b->bus;
	int err = xenbus_write(bus, tx, "protocol", "x86_64-abi");

	if (!err)
		err = xenbus_write(bus, tx, "feature-persistent", "%u", b->options.use_persistent);
	if (!err && b->options.ring_order)
		err = xenbus_write(bus, tx, "ring-page-order", "%u", b->options.ring_order);
	if (!err && b->nr_queues > 1)
		err = xenbus_write(bus, tx, "multi-queue-num-queues", "%u", b->nr_queues);
	for (unsigned int i = 0; i < b->nr_queues && !err; i++) {
		char prefix[32] = "";

		if (b->nr_queues > 1)
			snprintf(prefix, sizeof(prefix), "queue-%u/", i);
		err = publish_queue(tx, b, &b->queue[i], prefix);
	}
	return err;
}

static unsigned int at_most(unsigned int wanted, uint64_t offered)
{
	return offered < wanted ? (unsigned int)offered : wanted;
}

/* What both ends can do. */
static void agree(struct block *b, const struct block_options *wanted)
{
	struct block_options *o = &b->options;
	uint64_t offered = xenbus_backend_number(&b->bus, "feature-max-indirect-segments");

	*o = wanted ? *wanted : (struct block_options){ 0 };
	o->nr_queues = at_most(MIN(o->nr_queues, (unsigned int)BLOCK_MAX_QUEUES),
			       xenbus_backend_number(&b->bus, "multi-queue-max-queues"));
	o->ring_order = at_most(MIN(o->ring_order, 4u),
				xenbus_backend_number(&b->bus, "max-ring-page-order"));
	o->max_segments = MIN(o->max_segments, (unsigned int)BLOCK_MAX_SEGMENTS);
	o->max_segments = MAX(at_most(o->max_segments, offered),
			      (unsigned int)BLKIF_MAX_SEGMENTS_PER_REQUEST);
	b->nr_queues = MAX(o->nr_queues, 1u);
}

static void learn(struct block *b)
{
	const struct xenbus_device *bus = &b->bus;

	b->options.use_persistent &= xenbus_backend_number(bus, "feature-persistent") != 0;
	b->nr_sectors = xenbus_backend_number(bus, "sectors");
	b->sector_size = (uint32_t)xenbus_backend_number(bus, "sector-size");
	b->physical_sector_size = (uint32_t)xenbus_backend_number(bus, "physical-sector-size");
	b->info = (uint32_t)xenbus_backend_number(bus, "info");
	b->can_flush = xenbus_backend_number(bus, "feature-flush-cache");
	b->can_barrier = xenbus_backend_number(bus, "feature-barrier");
	b->can_discard = xenbus_backend_number(bus, "feature-discard");
	b->can_secure_discard = xenbus_backend_number(bus, "discard-secure");
}

int block_open(struct block *b, unsigned int index, const struct block_options *options)
{
	int err;

	*b = (struct block){ 0 };
	err = xenbus_find("vbd", index, &b->bus);
	if (err)
		return err;
	if (!xenbus_wait_backend(&b->bus, XENBUS_IS(XenbusStateInitWait), BACKEND_TIMEOUT))
		return -XEN_ETIMEDOUT;
	agree(b, options);
	for (unsigned int i = 0; i < b->nr_queues; i++)
		queue_create(b, &b->queue[i]);
	err = xenbus_publish(publish, b);
	if (!err)
		err = xenbus_switch_state(&b->bus, XenbusStateInitialised);
	if (!err && !xenbus_wait_backend(&b->bus, XENBUS_IS(XenbusStateConnected), BACKEND_TIMEOUT))
		err = -XEN_ETIMEDOUT;
	if (!err)
		err = xenbus_switch_state(&b->bus, XenbusStateConnected);
	if (err) {
		block_close(b);
		return err;
	}
	learn(b);
	return 0;
}

bool block_close(struct block *b)
{
	bool has_followed = xenbus_close(&b->bus);

	for (unsigned int i = 0; i < b->nr_queues; i++)
		queue_destroy(b, &b->queue[i]);
	b->nr_queues = 0;
	return has_followed;
}

/* --- transfers --- */

static bool is_write(uint8_t operation)
{
	return operation != BLKIF_OP_READ;
}

/* The page of data's next part, and how many sectors of it. */
static uint64_t next_part(uintptr_t at, uint64_t left, struct blkif_request_segment *segment)
{
	uint64_t first = at % PAGE_SIZE / SECTOR_SIZE, count = MIN(SECTORS_IN_PAGE - first, left);

	segment->first_sect = (uint8_t)first;
	segment->last_sect = (uint8_t)(first + count - 1);
	return count;
}

static unsigned int nr_segments(const struct block_io *io)
{
	uintptr_t at = (uintptr_t)io->data;

	return io->data ? (unsigned int)(((at + io->nr_sectors * SECTOR_SIZE + PAGE_SIZE - 1) >>
					  PAGE_SHIFT) -
					 (at >> PAGE_SHIFT))
			: 0;
}

/* With persistent grants data passes through pages of the slot. */
static uint32_t slot_grant(struct block_queue *q, struct block_slot *s, unsigned int i,
			   uintptr_t at, const struct blkif_request_segment *segment,
			   uint8_t operation)
{
	struct block *b = q->block;
	size_t offset = segment->first_sect * SECTOR_SIZE,
	       size = (segment->last_sect + 1u) * SECTOR_SIZE - offset;

	if (!b->options.use_persistent) {
		s->grant[i] =
			grant_take(b->bus.backend_domid, (const void *)(at & ~(PAGE_SIZE - 1)),
				   is_write(operation) ? GTF_readonly : 0);
		return s->grant[i];
	}
	if (!s->page[i]) {
		s->page[i] = page_alloc();
		s->grant[i] = grant_take(b->bus.backend_domid, s->page[i], 0);
	}
	if (is_write(operation))
		memcpy((uint8_t *)s->page[i] + offset, (const void *)at, size);
	return s->grant[i];
}

static void fill_segments(struct block_queue *q, struct block_slot *s, const struct block_io *io,
			  struct blkif_request_segment *segments)
{
	uintptr_t at = (uintptr_t)io->data;
	uint64_t left = io->data ? io->nr_sectors : 0;

	for (s->nr_grants = 0; left; s->nr_grants++) {
		struct blkif_request_segment segment = { 0 };
		uint64_t count = next_part(at, left, &segment);

		segment.gref = slot_grant(q, s, s->nr_grants, at, &segment, io->operation);
		segments[s->nr_grants] = segment;
		at += count * SECTOR_SIZE;
		left -= count;
	}
}

static void put_direct(struct block_queue *q, struct block_slot *s, const struct block_io *io)
{
	struct blkif_request request = {
		.operation = io->operation,
		.id = (uint64_t)(s - q->slot),
		.sector_number = io->sector,
	};

	fill_segments(q, s, io, request.seg);
	request.nr_segments = (uint8_t)s->nr_grants;
	ring_front_put(&q->ring, &request, sizeof(request));
}

static void put_indirect(struct block_queue *q, struct block_slot *s, const struct block_io *io)
{
	struct blkif_request_indirect request = {
		.operation = BLKIF_OP_INDIRECT,
		.indirect_op = io->operation,
		.id = (uint64_t)(s - q->slot),
		.sector_number = io->sector,
	};

	if (!s->indirect) {
		s->indirect = page_alloc();
		s->indirect_grant =
			grant_take(q->block->bus.backend_domid, s->indirect, GTF_readonly);
	}
	fill_segments(q, s, io, s->indirect);
	request.nr_segments = (uint16_t)s->nr_grants;
	request.indirect_grefs[0] = s->indirect_grant;
	ring_front_put(&q->ring, &request, sizeof(request));
}

static void put_discard(struct block_queue *q, struct block_slot *s, const struct block_io *io)
{
	struct blkif_request_discard request = {
		.operation = io->operation,
		.flag = io->is_secure ? BLKIF_DISCARD_SECURE : 0,
		.id = (uint64_t)(s - q->slot),
		.sector_number = io->sector,
		.nr_sectors = io->nr_sectors,
	};

	s->nr_grants = 0;
	ring_front_put(&q->ring, &request, sizeof(request));
}

static struct block_slot *free_slot(struct block_queue *q)
{
	for (uint32_t i = 0; i < q->ring.view.nr_entries; i++) {
		if (!q->slot[i].io)
			return &q->slot[i];
	}
	return NULL;
}

uint64_t block_max_sectors(const struct block *b)
{
	return b->options.max_segments * SECTORS_IN_PAGE;
}

bool block_submit(struct block_queue *q, struct block_io *io)
{
	unsigned int segments = nr_segments(io);
	struct block_slot *s;

	if (segments > q->block->options.max_segments || q->is_broken || !ring_front_free(&q->ring))
		return false;
	s = free_slot(q);
	if (!s)
		return false;
	s->io = io;
	io->is_done = false;
	if (io->operation == BLKIF_OP_DISCARD)
		put_discard(q, s, io);
	else if (segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
		put_indirect(q, s, io);
	else
		put_direct(q, s, io);
	q->nr_busy++;
	if (ring_front_push(&q->ring)) {
		event_send(q->port);
		q->nr_notified++;
	}
	return true;
}

/* What a persistent page has received goes to where it was asked for. */
static void copy_from_pages(const struct block_slot *s)
{
	uintptr_t at = (uintptr_t)s->io->data;
	uint64_t left = s->io->nr_sectors;

	for (unsigned int i = 0; left; i++) {
		struct blkif_request_segment segment;
		uint64_t count = next_part(at, left, &segment);

		memcpy((void *)at, (const uint8_t *)s->page[i] + segment.first_sect * SECTOR_SIZE,
		       count * SECTOR_SIZE);
		at += count * SECTOR_SIZE;
		left -= count;
	}
}

static void finish(struct block_queue *q, struct block_slot *s, int status)
{
	struct block_io *io = s->io;

	if (q->block->options.use_persistent) {
		if (io->operation == BLKIF_OP_READ)
			copy_from_pages(s);
	} else {
		for (unsigned int i = 0; i < s->nr_grants; i++)
			give_back(q->block, s->grant[i]);
	}
	s->io = NULL;
	q->nr_busy--;
	io->status = status;
	io->is_done = true;
}

unsigned int block_poll(struct block_queue *q)
{
	struct blkif_response response;
	unsigned int count = 0;
	enum ring_status status;

	while (!q->is_broken &&
	       (status = ring_front_take(&q->ring, &response, sizeof(response))) != RING_EMPTY) {
		if (status == RING_BROKEN || response.id >= q->ring.view.nr_entries ||
		    !q->slot[response.id].io) {
			q->is_broken = true;
			break;
		}
		finish(q, &q->slot[response.id], response.status);
		count++;
	}
	return count;
}

bool block_wait(struct block_queue *q, uint64_t timeout_ns)
{
	return HALT_UNTIL(ring_front_rearm(&q->ring) != RING_EMPTY, timeout_ns);
}

static int transfer_part(struct block_queue *q, struct block_io *io)
{
	if (!block_submit(q, io))
		return -XEN_EIO;
	while (!io->is_done) {
		if (!block_poll(q) && (q->is_broken || !block_wait(q, IO_TIMEOUT)))
			return -XEN_ETIMEDOUT;
	}
	return io->status;
}

int block_transfer(struct block *b, uint8_t operation, uint64_t sector, uint64_t nr_sectors,
		   void *data)
{
	struct block_io io = { .operation = operation, .sector = sector, .data = data };

	if (!data) {
		io.nr_sectors = nr_sectors;
		return transfer_part(&b->queue[0], &io);
	}
	while (nr_sectors) {
		uint64_t inside = (uintptr_t)io.data % PAGE_SIZE / SECTOR_SIZE;
		int status;

		io.nr_sectors = MIN(nr_sectors, block_max_sectors(b) - inside);
		status = transfer_part(&b->queue[0], &io);
		if (status)
			return status;
		io.sector += io.nr_sectors;
		io.data = (uint8_t *)io.data + io.nr_sectors * SECTOR_SIZE;
		nr_sectors -= io.nr_sectors;
	}
	return BLKIF_RSP_OKAY;
}
