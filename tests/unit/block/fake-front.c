#include "fake-front.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

struct platform *guest;
struct block block;
struct disk disk;
struct front front;
uint64_t clock_ns;

static struct err err;
static struct journal *journal;

static uint64_t now(void)
{
	return clock_ns;
}

static void move_bytes(struct transfer *t)
{
	unsigned char *at = disk.bytes + t->offset;

	disk.nr_pieces = t->nr_iov;
	for (unsigned int i = 0; i < t->nr_iov; i++) {
		if (t->kind == TRANSFER_READ)
			memcpy(t->iov[i].iov_base, at, t->iov[i].iov_len);
		else
			memcpy(at, t->iov[i].iov_base, t->iov[i].iov_len);
		at += t->iov[i].iov_len;
	}
	ck_assert_uint_eq((size_t)(at - disk.bytes), t->offset + t->length);
}

static void end(struct transfer *t)
{
	if (disk.result) {
		t->done(t, disk.result);
		return;
	}
	switch (t->kind) {
	case TRANSFER_FLUSH:
		disk.nr_flushed++;
		break;
	case TRANSFER_READ:
		disk.nr_read++;
		move_bytes(t);
		break;
	case TRANSFER_WRITE:
		disk.nr_written++;
		move_bytes(t);
		break;
	default:
		disk.nr_discarded++;
		memset(disk.bytes + t->offset, 0, t->length);
	}
	t->done(t, 0);
}

static void start(struct backing *b, struct transfer *t)
{
	(void)b;
	if (!disk.is_held) {
		end(t);
		return;
	}
	list_push_back(&disk.held, &t->node);
	disk.nr_held++;
	disk.most_held = MAX(disk.most_held, disk.nr_held);
}

void disk_release(uint32_t nr)
{
	while (nr-- && disk.nr_held) {
		disk.nr_held--;
		end(list_entry(list_pop_front(&disk.held), struct transfer, node));
	}
}

static void wait_for_one(struct backing *b)
{
	(void)b;
	ck_assert_uint_ne(disk.nr_held, 0);
	disk_release(1);
}

static int resize(struct backing *b)
{
	b->nr_bytes = sizeof(disk.bytes);
	return 0;
}

static const struct backing_ops ops = { .start = start, .wait = wait_for_one, .resize = resize };

const char *node(const char *name)
{
	return fake_node(guest, BACK, name);
}

static void start_device(void)
{
	memset(&block, 0, sizeof(block));
	block.platform = guest;
	block.backing = &disk.backing;
	block.journal = journal;
	block.nr_queues_max = 4;
	block.now_ns = now;
	block.xenbus.front = FRONT;
	block.xenbus.back = BACK;
	limits_start(&block.limits, now());
	ck_assert_int_eq(block_init(&block), 0);
}

void front_setup(void)
{
	int lock;

	guest = fake_platform_create();
	memset(&disk, 0, sizeof(disk));
	list_init(&disk.held);
	disk.backing = (struct backing){ .ops = &ops,
					 .nr_bytes = sizeof(disk.bytes),
					 .logical = SECTOR,
					 .physical = 4096,
					 .discard_granularity = 4096,
					 .can_discard = true };
	for (size_t i = 0; i < sizeof(disk.bytes); i++)
		disk.bytes[i] = (unsigned char)(i / SECTOR * 7 + i);
	clock_ns = 1000000000;
	front = (struct front){ .nr_queues = 1 };
	ck_assert_int_eq(journal_open(-1, 0, &journal, &lock, &err), 0);
	fake_set(guest, BACK, "online", "1");
	fake_set(guest, BACK, "state", "1");
	fake_set(guest, FRONT, "state", "1");
	start_device();
	ck_assert_int_eq(xenbus_watch(&block.xenbus, &err), 0);
	ck_assert_int_eq(xenbus_start(&block.xenbus, &err), 0);
	ck_assert_str_eq(node("state"), "2");
}

void front_teardown(void)
{
	if (block.xenbus.is_connected)
		block_ops.disconnect(&block.xenbus);
	block_fini(&block);
	journal_close(journal);
	fake_platform_destroy(guest);
}

static void set_number(const char *name, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	fake_set(guest, FRONT, name, text);
}

static void write_queue_nodes(uint32_t q)
{
	char name[64], folder[32] = "";
	uint32_t nr_pages = 1U << front.order;

	if (front.nr_queues > 1)
		snprintf(folder, sizeof(folder), "queue-%u/", q);
	for (uint32_t i = 0; i < nr_pages; i++) {
		snprintf(name, sizeof(name), nr_pages > 1 ? "%sring-ref%u" : "%sring-ref", folder,
			 i);
		set_number(name, RING_REF + q * nr_pages + i);
	}
	snprintf(name, sizeof(name), "%sevent-channel", folder);
	set_number(name, PORT + q);
}

void front_write_nodes(void)
{
	uint32_t nr_pages = 1U << front.order;
	size_t size = request_entry_size(front.is_32_bit);

	if (front.nr_queues > 1)
		set_number("multi-queue-num-queues", front.nr_queues);
	if (front.order)
		set_number("ring-page-order", front.order);
	fake_set(guest, FRONT, "protocol", front.is_32_bit ? "x86_32-abi" : "x86_64-abi");
	set_number("feature-persistent", front.is_persistent);
	for (uint32_t q = 0; q < front.nr_queues; q++) {
		for (uint32_t i = 0; i < nr_pages; i++)
			fake_grant(guest, RING_REF + q * nr_pages + i, false);
		ring_front_init(&front.ring[q], fake_page(guest, RING_REF + q * nr_pages),
				(size_t)nr_pages * PLATFORM_PAGE, size);
		write_queue_nodes(q);
	}
	for (uint32_t i = 0; i < 256; i++)
		fake_grant(guest, DATA_REF + i, false);
}

void front_connect(void)
{
	front_write_nodes();
	fake_set(guest, FRONT, "state", "3");
	run();
	ck_assert_str_eq(node("error"), "");
	ck_assert_str_eq(node("state"), "4");
	fake_set(guest, FRONT, "state", "4");
	run();
}

void run(void)
{
	for (int i = 0; i < 1000; i++) {
		bool has_more = block_turn(&block);

		block_events(&block);
		ck_assert_int_eq(xenbus_step(&block.xenbus, NULL, &err), 0);
		if (block.is_broken && block.xenbus.is_connected)
			xenbus_fail(&block.xenbus, &block.why);
		if (!has_more && (!block.xenbus.is_connected || !block_turn(&block)))
			return;
	}
	ck_abort_msg("it never comes to rest");
}

void front_send_entry(uint32_t queue, const void *entry, size_t size)
{
	ring_front_put(&front.ring[queue], entry, size);
	if (ring_front_push(&front.ring[queue]))
		fake_event(guest, PORT + queue);
}

static void fill_segments(struct blkif_request_segment *segments, uint32_t page, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		segments[i] = (struct blkif_request_segment){ .gref = DATA_REF + page + i,
							      .last_sect = 7 };
}

void front_send(uint32_t queue, uint8_t operation, uint64_t id, uint64_t sector, uint32_t page,
		uint32_t nr_segments)
{
	struct blkif_request request = { .operation = operation,
					 .nr_segments = (uint8_t)nr_segments,
					 .id = id,
					 .sector_number = sector };
	struct compat_blkif_request narrow = { .operation = operation,
					       .nr_segments = (uint8_t)nr_segments,
					       .id = id,
					       .sector_number = sector };

	fill_segments(front.is_32_bit ? narrow.seg : request.seg, page, nr_segments);
	if (front.is_32_bit)
		front_send_entry(queue, &narrow, sizeof(narrow));
	else
		front_send_entry(queue, &request, sizeof(request));
}

int front_status(uint32_t queue, uint64_t *ret_id)
{
	struct blkif_response response;
	struct compat_blkif_response narrow;
	enum ring_status status;

	if (front.is_32_bit)
		status = ring_front_take(&front.ring[queue], &narrow, sizeof(narrow));
	else
		status = ring_front_take(&front.ring[queue], &response, sizeof(response));
	ck_assert_int_ne(status, RING_BROKEN);
	if (status != RING_TAKEN)
		return -100;
	front.last_operation = front.is_32_bit ? narrow.operation : response.operation;
	(void)ring_front_rearm(&front.ring[queue]);
	*ret_id = front.is_32_bit ? narrow.id : response.id;
	return front.is_32_bit ? narrow.status : response.status;
}

int front_take(uint32_t queue, uint64_t id)
{
	uint64_t found = id;
	int status = front_status(queue, &found);

	ck_assert_uint_eq(found, id);
	return status;
}

/* The kernel unmaps and unbinds; transfers that are on the way end, unseen. */
void front_kill_backend(void)
{
	struct block dead = block;

	list_init(&disk.held);
	disk.nr_held = 0;
	dead.nr_begun = 0;
	dead.journal = calloc(1, sizeof(*journal));
	dead.xenbus.is_connected = false;
	memcpy(dead.journal, journal, sizeof(*journal));
	block.nr_begun = 0;
	block_ops.disconnect(&block.xenbus);
	memcpy(journal, dead.journal, sizeof(*journal));
	free(dead.journal);
	block_fini(&block);
}

void front_restart_backend(void)
{
	start_device();
	ck_assert_int_eq(xenbus_start(&block.xenbus, &err), 0);
}
