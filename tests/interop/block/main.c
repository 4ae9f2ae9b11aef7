/*
 * Writes and reads a disk at random places, with `depth` requests in flight, and holds every sector that was
 * written against what it must be. Options: n= requests, depth=, queues= (0: no multi-queue keys), order= of
 * the ring's pages, persistent=, segments=, seed=.
 */
#include "front/block.h"
#include "options.h"

#define MAX_DEPTH    64
#define MAX_SECTORS  65536 /* of the disk that are used */
#define WORDS        (SECTOR_SIZE / sizeof(uint64_t))
#define BUFFER_PAGES 17
#define LONGEST      ((BUFFER_PAGES - 1) * 8)
#define IO_TIMEOUT   (60 * SEC)

const char test_title[] = "a disk gives back what was written to it";

static struct block disk;
static uint16_t version[MAX_SECTORS]; /* of what is on the disk; 0: not written by this test */
static bool is_busy[MAX_SECTORS];
static uint64_t random_state, nr_used, nr_reads, nr_writes, nr_wrong, nr_errors;

static struct job {
	struct block_io io;
	bool is_used;
	uint8_t *buffer;
} jobs[MAX_DEPTH];

static uint64_t word_of(uint64_t sector, uint64_t nr_version, uint64_t word)
{
	return (sector << 32 | nr_version << 8 | word) * 0x9e3779b97f4a7c15UL;
}

static void fill(uint64_t *words, uint64_t sector)
{
	for (uint64_t i = 0; i < WORDS; i++)
		words[i] = word_of(sector, version[sector], i);
}

static bool is_right(const uint64_t *words, uint64_t sector)
{
	if (!version[sector])
		return true;
	for (uint64_t i = 0; i < WORDS; i++) {
		if (words[i] != word_of(sector, version[sector], i))
			return false;
	}
	return true;
}

static uint64_t random_below(uint64_t limit)
{
	return random_next(&random_state) % limit;
}

static bool is_free(uint64_t sector, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		if (is_busy[sector + i])
			return false;
	}
	return true;
}

static void mark(const struct block_io *io, bool busy)
{
	for (uint64_t i = 0; i < io->nr_sectors; i++)
		is_busy[io->sector + i] = busy;
}

/* A request that no other in flight touches. False: none was found, or the ring is full. */
static bool start_one(struct job *job)
{
	struct block_io *io = &job->io;
	uint64_t offset = random_below(8);
	uint64_t longest = MIN(block_max_sectors(&disk) - offset, (uint64_t)LONGEST);

	*io = (struct block_io){ .nr_sectors = 1 + random_below(longest) };
	io->sector = random_below(nr_used - io->nr_sectors);
	io->operation = random_below(2) ? BLKIF_OP_WRITE : BLKIF_OP_READ;
	io->data = job->buffer + offset * SECTOR_SIZE;
	if (!is_free(io->sector, io->nr_sectors))
		return false;
	for (uint64_t i = 0; io->operation == BLKIF_OP_WRITE && i < io->nr_sectors; i++) {
		version[io->sector + i]++;
		fill((uint64_t *)io->data + i * WORDS, io->sector + i);
	}
	job->is_used = true;
	mark(io, true);
	while (!block_submit(&disk.queue[random_below(disk.nr_queues)], io))
		; /* another queue has room: there are fewer jobs than entries */
	return true;
}

static void end_one(struct job *job)
{
	const struct block_io *io = &job->io;

	if (io->status)
		nr_errors++;
	else if (io->operation == BLKIF_OP_WRITE)
		nr_writes++;
	else
		nr_reads++;
	for (uint64_t i = 0; io->operation == BLKIF_OP_READ && !io->status && i < io->nr_sectors;
	     i++) {
		if (!is_right((uint64_t *)io->data + i * WORDS, io->sector + i))
			nr_wrong++;
	}
	mark(io, false);
	job->is_used = false;
}

static unsigned int nr_ended(unsigned int depth)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < disk.nr_queues; i++)
		block_poll(&disk.queue[i]);
	for (unsigned int i = 0; i < depth; i++) {
		if (jobs[i].is_used && jobs[i].io.is_done) {
			end_one(&jobs[i]);
			count++;
		}
	}
	return count;
}

static bool something_is_answered(void)
{
	for (unsigned int i = 0; i < disk.nr_queues; i++) {
		if (ring_front_rearm(&disk.queue[i].ring) != RING_EMPTY)
			return true;
	}
	return false;
}

/* Every sector once, so that all reads can be checked. */
static void write_everything(void)
{
	for (uint64_t sector = 0; sector < nr_used;) {
		uint64_t count =
			MIN(nr_used - sector, MIN(block_max_sectors(&disk), (uint64_t)LONGEST));

		for (uint64_t i = 0; i < count; i++) {
			version[sector + i] = 1;
			fill((uint64_t *)jobs[0].buffer + i * WORDS, sector + i);
		}
		if (block_transfer(&disk, BLKIF_OP_WRITE, sector, count, jobs[0].buffer))
			nr_errors++;
		sector += count;
	}
}

static void at_random(uint64_t nr_requests, unsigned int depth)
{
	uint64_t started = 0, ended = 0;

	while (ended < nr_requests) {
		unsigned int count;

		for (unsigned int i = 0; i < depth && started < nr_requests; i++) {
			if (!jobs[i].is_used && start_one(&jobs[i]))
				started++;
		}
		count = nr_ended(depth);
		ended += count;
		if (!count && started > ended && !HALT_UNTIL(something_is_answered(), IO_TIMEOUT))
			test_fail("%lu requests are not answered", started - ended);
	}
}

static void other_requests(void)
{
	uint64_t *data = (uint64_t *)jobs[0].buffer;

	if (disk.can_flush)
		check_err(block_transfer(&disk, BLKIF_OP_FLUSH_DISKCACHE, 0, 0, NULL), 0,
			  "a flush is answered with success");
	if (disk.can_discard) {
		int status = block_transfer(&disk, BLKIF_OP_DISCARD, nr_used - 64, 64, NULL);

		check(!status || status == BLKIF_RSP_EOPNOTSUPP,
		      "a discard is done, or said to be impossible: %d", status);
	}
	check_err(block_transfer(&disk, BLKIF_OP_READ, 0, 1, data), 0,
		  "the first sector can be read");
	check(is_right(data, 0), "and is what was written");
}

void test_main(void)
{
	struct block_options options = {
		.nr_queues = (unsigned int)option_number("queues", 0),
		.ring_order = (unsigned int)option_number("order", 0),
		.use_persistent = option_number("persistent", 0),
		.max_segments = (unsigned int)option_number("segments", 0),
	};
	uint64_t nr_requests = option_number("n", 1000);
	unsigned int depth = (unsigned int)option_number("depth", 32);
	uint64_t start;
	int err;

	random_state = option_number("seed", 1);
	front_init();
	err = block_open(&disk, 0, &options);
	if (!check_err(err, 0, "the disk connects"))
		return;
	note("%lu sectors of %u bytes; %u queues, ring of %u entries, %u segments%s%s%s%s",
	     disk.nr_sectors, disk.sector_size, disk.nr_queues, disk.queue[0].ring.view.nr_entries,
	     disk.options.max_segments, disk.options.use_persistent ? ", persistent" : "",
	     disk.can_flush ? ", flush" : "", disk.can_barrier ? ", barrier" : "",
	     disk.can_discard ? ", discard" : "");
	nr_used = MIN(disk.nr_sectors, (uint64_t)MAX_SECTORS);
	depth = MIN(depth, MIN(disk.queue[0].ring.view.nr_entries, (uint32_t)MAX_DEPTH));
	for (unsigned int i = 0; i < depth; i++)
		jobs[i].buffer = pages_alloc(BUFFER_PAGES);
	write_everything();
	check_eq(nr_errors, 0, "every sector can be written");
	start = clock_ns();
	at_random(nr_requests, depth);
	note("%lu reads, %lu writes at depth %u in %lu us", nr_reads, nr_writes, depth,
	     (clock_ns() - start) / US);
	check_eq(nr_errors, 0, "no request fails");
	check_eq(nr_wrong, 0, "every sector read is what was written last");
	other_requests();
	check(block_close(&disk), "the backend follows when the frontend closes");
	check_eq(disk.nr_kept_grants, 0, "it lets go of all grants");
}
