/* The device: what it tells the guest, how it takes its rings, and its turns. See block.h. */
#include "back/block/block.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "back/block/pages.h"
#include "back/block/runs.h"
#include "back/lib/platform.h"
#include "lib/cleanup.h"
#include "lib/size.h"

#define BATCH      32u /* requests of one queue before the next one has its turn */
#define PAGES_MAX  1024u
#define NAME_BYTES 64

static uint32_t logical_of(const struct block *b)
{
	return MAX(b->logical, b->backing->logical);
}

static int tell_size(struct block *b)
{
	return xenbus_tell(&b->xenbus, "sectors", "%llu",
			   (unsigned long long)(b->backing->nr_bytes / SECTOR));
}

static int tell_discard(struct xenbus *x, const struct backing *backing)
{
	int code = xenbus_tell(x, "feature-discard", "%d", backing->can_discard);

	if (!code)
		code = xenbus_tell(x, "discard-granularity", "%u", backing->discard_granularity);
	if (!code)
		code = xenbus_tell(x, "discard-alignment", "0");
	if (!code)
		code = xenbus_tell(x, "discard-secure", "%d", backing->can_discard_secure);
	return code;
}

static int on_announce(struct xenbus *x, struct err *err)
{
	struct block *b = container_of(x, struct block, xenbus);
	const struct {
		const char *name;
		uint32_t value;
	} nodes[] = {
		{ "info", b->is_read_only ? VDISK_READONLY : 0 },
		{ "sector-size", logical_of(b) },
		{ "physical-sector-size",
		  MAX(logical_of(b), MAX(b->physical, b->backing->physical)) },
		{ "feature-barrier", 1 },
		{ "feature-flush-cache", 1 },
		{ "feature-persistent", 1 },
		{ "feature-max-indirect-segments", REQUEST_SEGMENTS_MAX },
		{ "max-ring-page-order", BLOCK_RING_ORDER },
		{ "multi-queue-max-queues", b->nr_queues_max },
	};
	int code = tell_size(b);

	for (size_t i = 0; i < ARRAY_SIZE(nodes) && !code; i++)
		code = xenbus_tell(x, nodes[i].name, "%u", nodes[i].value);
	if (!code)
		code = tell_discard(x, b->backing);
	return code ? err_errno(err, code, "xenstore") : 0;
}

static int read_protocol(struct block *b, struct err *err)
{
	char *text cleanup_free = xenbus_ask_text(&b->xenbus, "protocol");

	b->is_32_bit = text && !strcmp(text, "x86_32-abi");
	if (!text || b->is_32_bit || !strcmp(text, "x86_64-abi"))
		return 0;
	return err_set(err, -EINVAL,
		       "the guest's node protocol is neither x86_32-abi nor x86_64-abi");
}

/* The name of a queue's node: queues have folders when there are several. */
static void node_name(const struct block *b, const struct queue *q, const char *name,
		      char ret_name[NAME_BYTES])
{
	if (b->nr_queues > 1)
		snprintf(ret_name, NAME_BYTES, "queue-%u/%s", q->number, name);
	else
		snprintf(ret_name, NAME_BYTES, "%s", name);
}

static int read_ring_refs(struct block *b, const struct queue *q, uint32_t *ret_refs,
			  struct err *err)
{
	char name[NAME_BYTES], part[24];

	int code = -ENOENT;
	uint64_t ref = 0;

	if (q->nr_ring_pages == 1) { /* numbered or not, as the frontend likes */
		node_name(b, q, "ring-ref", name);
		code = xenbus_ask(&b->xenbus, name, UINT32_MAX, &ref, err);
		ret_refs[0] = (uint32_t)ref;
	}
	if (code != -ENOENT)
		return code;
	for (uint32_t i = 0; i < q->nr_ring_pages; i++) {
		snprintf(part, sizeof(part), "ring-ref%u", i);
		node_name(b, q, part, name);
		code = xenbus_ask(&b->xenbus, name, UINT32_MAX, &ref, err);
		if (code)
			return code;
		ret_refs[i] = (uint32_t)ref;
	}
	return 0;
}

static int map_ring(struct block *b, struct queue *q, struct err *err)
{
	uint32_t refs[1U << BLOCK_RING_ORDER];
	int code = read_ring_refs(b, q, refs, err);

	if (code)
		return code;
	code = platform_map(b->platform, refs, q->nr_ring_pages, false, &q->ring_memory);
	if (code) {
		q->ring_memory = NULL;
		return err_errno(err, code, "mapping the guest's ring %u", q->number);
	}
	ring_back_attach(&q->ring, q->ring_memory, (size_t)q->nr_ring_pages * PLATFORM_PAGE,
			 request_entry_size(b->is_32_bit));
	return 0;
}

static int bind_port(struct block *b, struct queue *q, struct err *err)
{
	char name[NAME_BYTES];
	uint64_t port;
	int code;

	node_name(b, q, "event-channel", name);
	code = xenbus_ask(&b->xenbus, name, UINT32_MAX, &port, err);
	if (code)
		return code;
	code = platform_bind(b->platform, (uint32_t)port, &q->port);
	return code ? err_errno(err, code, "the guest's event channel %llu",
				(unsigned long long)port)
		    : 0;
}

/* What an earlier process had taken is taken up again; all else stays where it is, in the ring. */
static int recover(struct queue *q, struct err *err)
{
	struct block *b = q->block;
	uint32_t slots[JOURNAL_SLOTS], nr;

	if (ring_back_resume(&q->ring, b->journal->req_cons[q->number]) != RING_TAKEN)
		return err_set(err, -EINVAL, "ring %u is not as the process before has left it",
			       q->number);
	nr = journal_recover(b->journal, q->number, q->ring.rsp_prod, slots);
	if (nr != ring_back_in_flight(&q->ring))
		return err_set(err, -EINVAL, "ring %u: %u requests are known of %u", q->number, nr,
			       ring_back_in_flight(&q->ring));
	for (uint32_t i = 0; i < nr; i++) {
		struct io *io = &b->ios[slots[i]];

		list_remove(&io->node); /* from free */
		io->queue = q;
		io_accept(io, b->journal->slots[slots[i]].entry);
	}
	return 0;
}

static void free_ios(struct block *b)
{
	list_init(&b->free);
	list_init(&b->throttled[0]);
	list_init(&b->throttled[1]);
	list_init(&b->stalled);
	for (uint32_t i = 0; i < BLOCK_IOS; i++)
		list_push_back(&b->free, &b->ios[i].node);
}

static void begin_life(struct block *b)
{
	free_ios(b);
	b->nr_busy = 0;
	b->nr_begun = 0;
	b->barrier = NULL;
	b->is_closing = false;
	b->is_broken = false;
	b->may_go_straight = true;
	b->retry_ns = UINT64_MAX;
	b->first_queue = 0;
}

static void on_disconnect(struct xenbus *x)
{
	struct block *b = container_of(x, struct block, xenbus);

	b->is_closing = true;
	while (b->nr_begun) /* the kernel or the server may still use the pages */
		b->backing->ops->wait(b->backing);
	for (uint32_t i = 0; i < b->nr_queues; i++) {
		struct queue *q = &b->queues[i];

		if (q->port)
			platform_unbind(b->platform, q->port);
		if (q->ring_memory)
			platform_unmap(b->platform, q->ring_memory, q->nr_ring_pages);
		q->port = 0;
		q->ring_memory = NULL;
	}
	pages_destroy(b->pages);
	runs_destroy(b->runs);
	b->pages = NULL;
	b->runs = NULL;
	b->nr_queues = 0;
	b->is_broken = false;
	journal_reset(b->journal, 0, NULL);
}

static int take_queues(struct block *b, uint32_t nr_queues, uint64_t order, struct err *err)
{
	int code = 0;

	b->nr_queues = nr_queues;
	for (uint32_t i = 0; i < nr_queues && !code; i++) {
		struct queue *q = &b->queues[i];

		*q = (struct queue){ .block = b, .number = i, .nr_ring_pages = 1U << order };
		list_init(&q->answered);
		code = map_ring(b, q, err);
		if (!code)
			code = bind_port(b, q, err);
	}
	return code;
}

static int start_journal(struct block *b, bool is_takeover, struct err *err)
{
	RING_IDX req_cons[BLOCK_QUEUES_MAX];
	int code = 0;

	if (!is_takeover) {
		for (uint32_t i = 0; i < b->nr_queues; i++)
			req_cons[i] = b->queues[i].ring.req_cons;
		journal_reset(b->journal, b->nr_queues, req_cons);
		return 0;
	}
	if (!journal_is_for(b->journal, b->nr_queues))
		return err_set(err, -EINVAL, "the process before has left no journal");
	b->nr_busy++; /* a barrier waits until those of all queues are begun */
	for (uint32_t i = 0; i < b->nr_queues && !code; i++)
		code = recover(&b->queues[i], err);
	b->nr_busy--;
	/* It may have died between an answer and the notification of it. */
	for (uint32_t i = 0; i < b->nr_queues && !code; i++)
		platform_notify(b->platform, b->queues[i].port);
	return code;
}

static int make_pages(struct block *b)
{
	int code = pages_create(b->platform, PAGES_MAX, &b->pages);

	if (code)
		return code;
	code = runs_create(b->platform, &b->runs);
	if (code) {
		pages_destroy(b->pages);
		b->pages = NULL;
	}
	return code;
}

static int on_connect(struct xenbus *x, bool is_takeover, struct err *err)
{
	struct block *b = container_of(x, struct block, xenbus);
	uint64_t nr_queues, order, is_persistent;
	int code = read_protocol(b, err);

	if (!code)
		code = xenbus_ask_or(x, "multi-queue-num-queues", b->nr_queues_max, 1, &nr_queues,
				     err);
	if (!code && !nr_queues)
		code = err_set(err, -EINVAL, "the guest's node multi-queue-num-queues is 0");
	if (!code)
		code = xenbus_ask_or(x, "ring-page-order", BLOCK_RING_ORDER, 0, &order, err);
	if (!code)
		code = xenbus_ask_or(x, "feature-persistent", 1, 0, &is_persistent, err);
	if (code)
		return code;
	begin_life(b);
	if (is_persistent)
		code = make_pages(b);
	if (code)
		return err_errno(err, code, "the guest's pages");
	code = take_queues(b, (uint32_t)nr_queues, order, err);
	if (!code)
		code = start_journal(b, is_takeover, err);
	if (code)
		on_disconnect(x);
	return code;
}

const struct xenbus_ops block_ops = {
	.announce = on_announce,
	.connect = on_connect,
	.disconnect = on_disconnect,
};

int block_init(struct block *b)
{
	b->ios = calloc(BLOCK_IOS, sizeof(*b->ios));
	if (!b->ios)
		return -ENOMEM;
	b->xenbus.ops = &block_ops;
	b->xenbus.platform = b->platform;
	b->is_read_only = b->is_read_only || b->backing->is_read_only;
	begin_life(b);
	return 0;
}

void block_fini(struct block *b)
{
	free(b->ios);
}

static void publish(struct queue *q)
{
	struct block *b = q->block;
	struct list_node *node;

	if (list_is_empty(&q->answered))
		return;
	if (ring_back_push(&q->ring))
		platform_notify(b->platform, q->port);
	while ((node = list_pop_front(&q->answered))) {
		struct io *io = list_entry(node, struct io, node);

		journal_forget(b->journal, (uint32_t)(io - b->ios));
		list_push_front(&b->free, node); /* its memory is warm */
	}
}

/* Nothing is taken while a barrier or a full file system holds it up: it stays in the ring. */
static bool may_take(const struct block *b)
{
	return !b->barrier && list_is_empty(&b->stalled) && !list_is_empty(&b->free) &&
	       !b->is_broken && !b->backing->is_lost;
}

static void take_one(struct queue *q, const void *entry)
{
	struct block *b = q->block;
	struct io *io = list_entry(list_pop_front(&b->free), struct io, node);

	io->queue = q;
	journal_take(b->journal, (uint32_t)(io - b->ios), q->number, q->ring.req_cons - 1, entry,
		     q->ring.view.entry_size);
	io_accept(io, entry);
}

static void take(struct queue *q)
{
	struct block *b = q->block;
	union blkif_sring_entry entry;
	struct err err;

	q->is_empty = false;
	for (uint32_t i = 0; i < BATCH && may_take(b); i++) {
		enum ring_status status = ring_back_take(&q->ring, &entry, q->ring.view.entry_size);

		if (status == RING_TAKEN) {
			take_one(q, &entry);
			continue;
		}
		if (status == RING_EMPTY)
			status = ring_back_rearm(&q->ring);
		if (status == RING_EMPTY) {
			q->is_empty = true;
			return;
		}
		if (status == RING_BROKEN) {
			(void)err_set(&err, 0, "the guest's ring %u has an impossible index",
				      q->number);
			block_break(b, &err);
		}
	}
}

/* After publishing, which makes room for what could not be taken. */
static bool has_more(const struct block *b)
{
	bool is_empty = true;

	for (uint32_t i = 0; i < b->nr_queues; i++)
		is_empty &= b->queues[i].is_empty;
	if (b->barrier)
		return b->nr_busy == 1 && !b->nr_begun && list_is_empty(&b->stalled);
	return !is_empty && may_take(b);
}

bool block_turn(struct block *b)
{
	if (!b->xenbus.is_connected || b->is_broken)
		return false;
	io_retry(b);
	for (uint32_t i = 0; i < b->nr_queues; i++)
		take(&b->queues[(b->first_queue + i) % b->nr_queues]);
	b->first_queue++;
	for (uint32_t i = 0; i < b->nr_queues; i++)
		publish(&b->queues[i]);
	return has_more(b);
}

static_assert(BLOCK_QUEUES_MAX < PLATFORM_EVENTS, "one look takes the events of all");

void block_events(struct block *b)
{
	uint32_t ports[PLATFORM_EVENTS];

	(void)platform_events(b->platform, ports); /* all of them: there are fewer queues */
}

bool block_is_idle(const struct block *b)
{
	return b->xenbus.is_connected && !b->is_broken && !b->nr_begun &&
	       b->retry_ns == UINT64_MAX && b->backing->is_quiet;
}

uint64_t block_timeout_ns(const struct block *b)
{
	uint64_t now;

	if (!b->xenbus.is_connected || b->retry_ns == UINT64_MAX)
		return UINT64_MAX;
	now = b->now_ns();
	return b->retry_ns > now ? b->retry_ns - now : 0;
}

void block_drain(struct block *b)
{
	while (b->nr_begun)
		b->backing->ops->wait(b->backing);
	for (uint32_t i = 0; i < b->nr_queues; i++)
		publish(&b->queues[i]);
}

static int announce_size(struct block *b)
{
	int code = tell_size(b);

	return code || !b->xenbus.is_connected ? code
					       : xenbus_set_state(&b->xenbus, XenbusStateConnected);
}

int block_announce_size(struct block *b, struct err *err)
{
	char *text cleanup_free = xenbus_own(&b->xenbus, "sectors");
	struct err ignored;
	uint64_t told;
	int code = 0;

	if (b->xenbus.is_connected && text && !number_parse(text, &told, &ignored) &&
	    told < b->backing->nr_bytes / SECTOR)
		code = announce_size(b);
	return code ? err_errno(err, code, "xenstore") : 0;
}

void block_resized(struct block *b)
{
	uint64_t before = b->backing->nr_bytes;
	int code = b->backing->ops->resize(b->backing);

	if (!code && b->backing->nr_bytes < before) {
		b->backing->nr_bytes =
			before; /* the guest may still use the end: errors of I/O then */
		code = -EINVAL;
	}
	if (!code)
		code = announce_size(b);
	if (code)
		fprintf(stderr, "lodge-block: the new size is not taken: %s\n", strerror(-code));
}
