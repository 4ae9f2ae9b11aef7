/*
 * A disk: the frontend of blkif. One vCPU uses a queue at a time.
 *
 * Transfers are of whole 512-byte sectors, from and to memory that begins at a multiple of 512 and does not
 * change hands until they are done. A program starts some with block_submit() and takes what is done with
 * block_poll(), or sleeps in block_wait(); block_transfer() does all of that for one.
 */
#ifndef FRONT_BLOCK_H
#define FRONT_BLOCK_H

#include "abi/blkif.h"
#include "front/xenbus.h"
#include "ring/ring.h"

#define SECTOR_SIZE        512u
#define BLOCK_MAX_QUEUES   4
#define BLOCK_MAX_SEGMENTS 64 /* of one indirect request */

struct block_options {
	unsigned int nr_queues; /* at most so many; 0 is 1 */
	unsigned int
		ring_order;  /* pages of a ring, as a power of 2; less where the backend says so */
	bool use_persistent; /* keep pages granted, and copy */
	unsigned int max_segments; /* more than 11: indirect requests */
	RING_IDX first_index;      /* where the rings' indices begin; 0 but in tests */
};

struct block_io {
	uint8_t operation; /* BLKIF_OP_READ, WRITE, WRITE_BARRIER, FLUSH_DISKCACHE, DISCARD */
	bool is_secure;    /* of a discard */
	uint64_t sector;
	uint64_t nr_sectors; /* 0 for a flush */
	void *data;          /* NULL for a flush and a discard */

	bool is_done;
	int status; /* BLKIF_RSP_*, when done */
};

/* What one request in flight keeps. */
struct block_slot {
	struct block_io *io; /* NULL: free */
	unsigned int nr_grants;
	uint32_t grant[BLOCK_MAX_SEGMENTS];
	void *page[BLOCK_MAX_SEGMENTS]; /* that stay granted, with use_persistent */
	struct blkif_request_segment *indirect;
	uint32_t indirect_grant;
};

struct block_queue {
	struct block *block;
	struct ring_front ring;
	uint32_t port;
	unsigned int nr_pages;
	uint8_t *memory; /* of the ring */
	uint32_t ring_grant[16];
	struct block_slot *slot; /* as many as the ring has entries; the index is a request's id */
	uint32_t nr_busy;
	uint64_t nr_notified; /* events sent to the backend */
	bool is_broken; /* the backend has answered what nobody asked, or its index is impossible */
};

struct block {
	struct xenbus_device bus;
	struct block_options options; /* as agreed on */
	struct block_queue queue[BLOCK_MAX_QUEUES];
	unsigned int nr_queues;
	uint64_t nr_sectors;
	uint32_t sector_size, physical_sector_size;
	uint32_t info; /* VDISK_* */
	bool can_flush, can_barrier, can_discard, can_secure_discard;
	unsigned int nr_kept_grants; /* that the backend did not let go of in time */
};

/* The disk with that place in the order of xenstore; options may be NULL. 0 or a negative error. */
int block_open(struct block *b, unsigned int index, const struct block_options *options);
/* Closes both ends. What is in flight is lost. False: the backend did not follow. */
bool block_close(struct block *b);

/* False: the ring is full, or the transfer is too long for one request. */
bool block_submit(struct block_queue *q, struct block_io *io);
uint64_t block_max_sectors(const struct block *b);
/* Finishes what is answered, and tells how much that was. */
unsigned int block_poll(struct block_queue *q);
/* Sleeps until something is answered. */
bool block_wait(struct block_queue *q, uint64_t timeout_ns);

/* Any length; the status of the first part that fails, or -XEN_ETIMEDOUT. */
int block_transfer(struct block *b, uint8_t operation, uint64_t sector, uint64_t nr_sectors,
		   void *data);

#endif
