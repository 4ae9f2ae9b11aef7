/* A guest with a disk, without a hypervisor: a frontend on pv-drivers/ring, a disk in memory whose transfers end when a
 * test says so, and the device under test between the two. */
#ifndef LODGE_TESTS_FAKE_FRONT_H
#define LODGE_TESTS_FAKE_FRONT_H

#include "back/block/block.h"
#include "fake-platform.h"

#define FRONT        "/local/domain/7/device/vbd/51712"
#define BACK         "/local/domain/0/backend/lodge-block/7/51712"
#define DISK_SECTORS 4096u
#define RING_REF     8u   /* of the first page of the first ring */
#define PORT         21u  /* of the first queue */
#define DATA_REF     100u /* pages for data, as many as wanted, from here on */

struct disk {
	struct backing backing;
	unsigned char bytes[DISK_SECTORS * SECTOR];
	bool is_held; /* transfers end by disk_release() only */
	int result;   /* of the next transfers */
	struct list held;
	uint32_t nr_flushed, nr_written, nr_read, nr_discarded;
	uint32_t nr_held, most_held;
	uint32_t nr_pieces; /* of memory, of the last transfer */
};

struct front {
	struct ring_front ring[BLOCK_QUEUES_MAX];
	uint32_t nr_queues, order;
	bool is_32_bit, is_persistent;
	uint8_t last_operation; /* in the last response taken */
};

extern struct platform *guest;
extern struct block block;
extern struct disk disk;
extern struct front front;
extern uint64_t clock_ns;

/* The device, announced; the frontend has not said anything. */
void front_setup(void);
void front_teardown(void);

/* The frontend's nodes and rings, as front says; the device is connected then. */
void front_connect(void);
void front_write_nodes(void);
/* Both: what has happened is done, until nothing is left. Fails the test when that never ends. */
void run(void);

/* Sends a request of nr_segments whole pages, from DATA_REF + page on. */
void front_send(uint32_t queue, uint8_t operation, uint64_t id, uint64_t sector, uint32_t page,
		uint32_t nr_segments);
void front_send_entry(uint32_t queue, const void *entry, size_t size);
/* The status of the next response, which must be for the id; -100: there is none. */
int front_status(uint32_t queue, uint64_t *ret_id);
int front_take(uint32_t queue, uint64_t id);

/* Another process in the place of the one that was killed: memory of its own, the same journal. */
void front_kill_backend(void);
void front_restart_backend(void);

void disk_release(uint32_t nr);     /* the oldest */
const char *node(const char *name); /* of the backend */

#endif
