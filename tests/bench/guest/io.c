/*
 * What a disk and a network card cost: row= says what is measured, n= how often. The last line tells
 *   BENCH row requests bytes ns sent received
 * where sent and received are event notifications of the guest's. With -icount a nanosecond is an instruction
 * of the whole machine.
 */
#include "front/block.h"
#include "front/front.h"
#include "front/udp.h"

#define MAX_DEPTH  32
#define MAX_PAGES  64 /* of one request */
#define IO_TIMEOUT (60 * SEC)

static struct block disk;
static struct net card;
static struct udp_host host = { .net = &card };
static struct block_io jobs[MAX_DEPTH];
static uint8_t *buffers[MAX_DEPTH];
static uint64_t random_state = 88172645463325252UL;

struct row {
	const char *name;
	uint8_t operation;
	unsigned int depth, pages;
	bool is_random;
};

static const struct row rows[] = {
	{ "sequential-read", BLKIF_OP_READ, 4, 32, false },
	{ "sequential-write", BLKIF_OP_WRITE, 4, 32, false },
	{ "random-read-1", BLKIF_OP_READ, 1, 1, true },
	{ "random-read-32", BLKIF_OP_READ, 32, 1, true },
	{ "random-write-32", BLKIF_OP_WRITE, 32, 1, true },
};

/* The words of the command line: name=number. */
static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *word = strstr(command_line(), name);
	uint64_t number = 0;

	if (!word)
		return otherwise;
	for (word += strlen(name); *word >= '0' && *word <= '9'; word++)
		number = number * 10 + (uint64_t)(*word - '0');
	return number;
}

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void start(const struct row *row, struct block_io *io, uint64_t nth)
{
	uint64_t sectors = row->pages * (PAGE_SIZE / SECTOR_SIZE);
	uint64_t places = disk.nr_sectors / sectors;

	io->operation = row->operation;
	io->nr_sectors = sectors;
	io->sector = (row->is_random ? random_next() : nth) % places * sectors;
	if (!block_submit(&disk.queue[0], io))
		test_error("the ring is full");
}

static void run(const struct row *row, uint64_t count)
{
	uint64_t started = 0, ended = 0;

	for (unsigned int i = 0; i < row->depth; i++)
		jobs[i] = (struct block_io){ .data = buffers[i], .is_done = true };
	while (ended < count) {
		for (unsigned int i = 0; i < row->depth && started < count; i++) {
			if (jobs[i].is_done)
				start(row, &jobs[i], started++);
		}
		if (!block_poll(&disk.queue[0]) && !block_wait(&disk.queue[0], FOREVER))
			test_error("no answer");
		ended = started - disk.queue[0].nr_busy;
	}
}

static void measure_disk(const struct row *row, uint64_t count)
{
	struct block_options options = { .max_segments = MAX_PAGES, .use_persistent = false };
	uint64_t before, received, sent;

	options.use_persistent = number_of("persistent=", 0);
	if (block_open(&disk, 0, &options))
		test_error("no disk");
	for (unsigned int i = 0; i < row->depth; i++)
		buffers[i] = pages_alloc(row->pages);
	run(row, row->depth * 4);
	received = event_count[disk.queue[0].port];
	sent = disk.queue[0].nr_notified;
	before = clock_ns();
	run(row, count);
	before = clock_ns() - before;
	printf("BENCH %s %lu %lu %lu %lu %lu\n", row->name, count, row->pages * PAGE_SIZE, before,
	       disk.queue[0].nr_notified - sent, event_count[disk.queue[0].port] - received);
	block_close(&disk);
}

static void measure_ping(uint64_t count)
{
	static const uint8_t payload[56];
	struct udp_peer peer;
	uint64_t before;

	if (!udp_parse_address("10.9.0.2", &host.address) || net_open(&card, 0, NULL))
		test_error("no card");
	for (unsigned int i = 0; !udp_resolve(&host, host.address - 1, SEC, &peer); i++) {
		if (i == 10)
			test_error("nobody answers");
	}
	for (uint64_t i = 0; i < 10; i++)
		udp_ping(&host, &peer, (uint16_t)i, payload, sizeof(payload), SEC);
	before = clock_ns();
	for (uint64_t i = 0; i < count; i++) {
		if (!udp_ping(&host, &peer, (uint16_t)i, payload, sizeof(payload), SEC))
			test_error("no answer");
	}
	printf("BENCH round-trip %lu 56 %lu 0 0\n", count, clock_ns() - before);
	net_close(&card);
}

void guest_main(void)
{
	const char *name = strstr(command_line(), "row=");
	uint64_t count = number_of("n=", 1000);

	front_init();
	for (unsigned int i = 0; name && i < ARRAY_SIZE(rows); i++) {
		if (!memcmp(rows[i].name, name + 4, strlen(rows[i].name)) &&
		    (name[4 + strlen(rows[i].name)] == ' ' || !name[4 + strlen(rows[i].name)]))
			measure_disk(&rows[i], count);
	}
	if (name && !memcmp(name + 4, "round-trip", 10))
		measure_ping(count);
	printf("END\n");
}
