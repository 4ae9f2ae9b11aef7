/* A guest that does what it likes with its disk. The input: nodes of the frontend, then steps: bytes anywhere into the
 * ring, requests of any content, indices, grants given and revoked, transfers that end, kills of the process. Whatever
 * happens: no access outside what is the guest's, everything is given back, and the disk changes only where a valid
 * request said so, which here is: never in its last sector, which no input may reach. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "back/block/block.h"
#include "fake-platform.h"

#define FRONT        "/f"
#define BACK         "/b"
#define DISK_SECTORS 512u
#define NR_REFS      32u

static struct platform *guest;
static struct block block;
static struct backing backing;
static struct journal *journal;
static struct list held;
static unsigned char *bytes;
static uint64_t clock_ns;

static void require(bool what)
{
	if (!what)
		abort();
}

static uint64_t now(void)
{
	return clock_ns;
}

static void end_one(int result)
{
	struct transfer *t;
	unsigned char *at;

	if (list_is_empty(&held))
		return;
	t = list_entry(list_pop_front(&held), struct transfer, node);
	at = bytes + t->offset;
	if (result || t->kind == TRANSFER_FLUSH) {
		t->done(t, result);
		return;
	}
	require(t->offset <= backing.nr_bytes && t->length <= backing.nr_bytes - t->offset);
	if (t->kind == TRANSFER_DISCARD)
		memset(at, 0, t->length);
	for (unsigned int i = 0; t->kind <= TRANSFER_WRITE && i < t->nr_iov; i++) {
		if (t->kind == TRANSFER_READ)
			memcpy(t->iov[i].iov_base, at, t->iov[i].iov_len);
		else
			memcpy(at, t->iov[i].iov_base, t->iov[i].iov_len);
		at += t->iov[i].iov_len;
	}
	t->done(t, 0);
}

static void start(struct backing *b, struct transfer *t)
{
	(void)b;
	list_push_back(&held, &t->node);
}

static void wait_for_one(struct backing *b)
{
	(void)b;
	require(!list_is_empty(&held));
	end_one(0);
}

static int resize(struct backing *b)
{
	(void)b;
	return 0;
}

static const struct backing_ops ops = { .start = start, .wait = wait_for_one, .resize = resize };

static void start_device(void)
{
	struct err err;

	memset(&block, 0, sizeof(block));
	block.platform = guest;
	block.backing = &backing;
	block.journal = journal;
	block.nr_queues_max = 2;
	block.now_ns = now;
	block.xenbus.front = FRONT;
	block.xenbus.back = BACK;
	limits_start(&block.limits, now());
	require(!block_init(&block) && !xenbus_start(&block.xenbus, &err));
}

static void turn(void)
{
	struct err err;

	for (int i = 0; i < 100 && block_turn(&block); i++)
		;
	block_events(&block);
	require(!xenbus_step(&block.xenbus, NULL, &err));
	if (block.is_broken && block.xenbus.is_connected)
		xenbus_fail(&block.xenbus, &block.why);
}

static void kill_device(void)
{
	struct journal copy = *journal;

	list_init(&held);
	block.nr_begun = 0;
	if (block.xenbus.is_connected)
		block_ops.disconnect(&block.xenbus);
	*journal = copy;
	block_fini(&block);
	start_device();
}

static void set_nodes(const uint8_t *data)
{
	static const char *const protocols[] = { "x86_64-abi", "x86_32-abi", "x86_64-abi", "?" };
	char text[8];

	fake_set(guest, FRONT, "protocol", protocols[data[0] & 3]);
	fake_set(guest, FRONT, "feature-persistent", data[0] & 4 ? "1" : "0");
	if (data[0] & 8)
		fake_set(guest, FRONT, "multi-queue-num-queues", data[0] & 16 ? "2" : "3");
	if (data[0] & 32)
		fake_set(guest, FRONT, "ring-page-order", data[0] & 64 ? "1" : "0");
	for (int i = 0; i < 4; i++) {
		static const char *const refs[] = { "queue-0/ring-ref", "queue-0/ring-ref1",
						    "queue-1/ring-ref", "ring-ref" };

		snprintf(text, sizeof(text), "%d", i);
		fake_set(guest, FRONT, refs[i], text);
	}
	fake_set(guest, FRONT, "queue-0/ring-ref0", "0");
	fake_set(guest, FRONT, "ring-ref0", "0");
	fake_set(guest, FRONT, "ring-ref1", "1");
	fake_set(guest, FRONT, "event-channel", "5");
	fake_set(guest, FRONT, "queue-0/event-channel", "5");
	fake_set(guest, FRONT, "queue-1/event-channel", "6");
	fake_set(guest, FRONT, "state", "3");
}

/* A request that is nearly right, so that some get through. */
static void send_request(const uint8_t *data)
{
	struct ring_header *ring = fake_page(guest, data[0] & 1 ? 3 : 0);
	struct blkif_request r = { .operation = data[1] % 8,
				   .nr_segments = data[2] % 13,
				   .id = data[3],
				   .sector_number = data[4] * 2U };
	size_t room = (PLATFORM_PAGE - sizeof(*ring)) / sizeof(r);

	for (unsigned int i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
		r.seg[i] = (struct blkif_request_segment){ .gref = (data[5] + i) % 40,
							   .first_sect = data[6] & 3,
							   .last_sect = (data[6] >> 4) & 7 };
	if (r.operation == BLKIF_OP_INDIRECT) {
		r.nr_segments = data[7] & 3; /* the operation inside */
		memcpy((char *)&r + 2, (uint16_t[]){ data[6] % 70 }, 2);
	}
	memcpy((char *)ring + sizeof(*ring) + ring->req_prod % MIN(room, 32) * sizeof(r), &r,
	       sizeof(r));
	ring->req_prod++;
}

static void step(const uint8_t *data)
{
	uint32_t ref = data[1] % NR_REFS;

	switch (data[0] % 10) {
	case 0:
		memcpy((char *)fake_page(guest, ref) + data[2] * 16U, data + 3, 5);
		break;
	case 1:
		((struct ring_header *)fake_page(guest, ref & 3))->req_prod += data[2] % 40U;
		break;
	case 2:
		((struct ring_header *)fake_page(guest, ref & 3))->rsp_prod += data[2] % 3U;
		break;
	case 3:
		fake_revoke(guest, ref);
		break;
	case 4:
		end_one(data[1] & 1 ? 0 : -(int)data[2]);
		break;
	case 5:
		clock_ns += (uint64_t)data[1] << 24;
		break;
	case 6:
		kill_device();
		break;
	case 7:
		fake_set(guest, FRONT, "state",
			 (const char *[]){ "1", "3", "4", "5", "6" }[data[1] % 5]);
		break;
	default:
		send_request(data);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char last[SECTOR] = "untouched";
	struct err err;
	int lock;

	if (!size)
		return 0;
	guest = fake_platform_create();
	bytes = calloc(DISK_SECTORS + 1, SECTOR);
	memcpy(bytes + (size_t)DISK_SECTORS * SECTOR, last, SECTOR);
	list_init(&held);
	backing = (struct backing){ .ops = &ops,
				    .nr_bytes = (uint64_t)DISK_SECTORS * SECTOR,
				    .logical = SECTOR,
				    .can_discard = true };
	require(!journal_open(-1, 0, &journal, &lock, &err));
	for (uint32_t i = 0; i < NR_REFS; i++)
		fake_grant(guest, i, i > 28);
	fake_set(guest, BACK, "state", "1");
	fake_set(guest, FRONT, "state", "1");
	start_device();
	require(!xenbus_watch(&block.xenbus, &err));
	set_nodes(data);
	turn();
	for (size_t i = 1; i + 8 <= size && i < 1600; i += 8) {
		step(data + i);
		turn();
	}
	if (block.xenbus.is_connected)
		block_ops.disconnect(&block.xenbus);
	require(!memcmp(bytes + (size_t)DISK_SECTORS * SECTOR, last, SECTOR));
	block_fini(&block);
	journal_close(journal);
	fake_platform_destroy(guest);
	free(bytes);
	return 0;
}
