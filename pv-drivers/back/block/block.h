/* One disk of one guest: its rings, its backing, and the requests between the two.
 *
 * A request's way: taken from a ring into the journal, parsed and checked (request.h); perhaps held back by a limit or
 * by a barrier before it; its steps begun on the backing, with the guest's pages mapped (pages.h) or a copy of them;
 * answered, published. Each struct io carries one, and its place in the array is its slot in the journal.
 *
 * What a guest may not do stops its device: block_turn() returns an error then, with the reason. What the disk cannot
 * do is an error of the one request; a full file system only holds everything up until there is room. */
#ifndef LODGE_BLOCK_BLOCK_H
#define LODGE_BLOCK_BLOCK_H

#include "back/block/backing.h"
#include "back/block/journal.h"
#include "back/block/limit.h"
#include "back/block/request.h"
#include "back/lib/xenbus.h"
#include "lib/list.h"
#include "ring/ring.h"

#define BLOCK_QUEUES_MAX JOURNAL_QUEUES
#define BLOCK_IOS        JOURNAL_SLOTS
#define BLOCK_RING_ORDER 4u /* pages of a ring, as a power of two */
#define BLOCK_IO_BYTES   (REQUEST_SEGMENTS_MAX * 4096u)

struct block;
struct pages;
struct run;
struct runs;

struct queue {
	struct block *block;
	uint32_t number;
	struct ring_back ring;
	void *ring_memory;
	uint32_t nr_ring_pages;
	uint32_t port;        /* 0: none */
	struct list answered; /* not published */
	bool is_empty;        /* when last looked at; the guest will notify */
};

enum io_step { STEP_FLUSH = 1, STEP_DATA = 2, STEP_FLUSH_AFTER = 4 };

struct io {
	struct list_node node; /* of free, answered, throttled or stalled */
	struct queue *queue;
	struct request request;
	struct transfer transfer;
	struct iovec iov[REQUEST_SEGMENTS_MAX];
	unsigned int steps; /* left to do: enum io_step */
	bool is_straight;   /* iov is the guest's pages, which are held */
	struct run *run;    /* they are; NULL: each by itself */
};

struct block {
	/* Set by whoever starts the device. */
	struct platform *platform;
	struct backing *backing;
	struct journal *journal;
	struct limits limits;
	uint32_t nr_queues_max;
	uint32_t logical, physical; /* 0: as the backing has them */
	bool is_read_only;
	uint64_t (*now_ns)(void);
	struct xenbus xenbus; /* its ops are block_ops */

	/* While connected. */
	struct queue queues[BLOCK_QUEUES_MAX];
	uint32_t nr_queues;
	uint32_t first_queue; /* the next turn begins with it */
	bool is_32_bit;
	struct pages *pages; /* NULL: the guest's grants do not last */
	struct runs *runs;
	bool may_go_straight;
	unsigned char *bounce; /* BLOCK_IO_BYTES for each io; NULL until one needs it */
	struct io *ios;
	struct list free, throttled[2], stalled; /* throttled: reads, and what changes the disk */
	uint32_t nr_busy;                        /* taken and not answered */
	uint32_t nr_begun;                       /* on the backing */
	struct io *barrier; /* taken; all before it come first, nothing after it is taken */
	bool is_closing;    /* what ends is not answered any more */
	bool is_broken;     /* the guest did what it may not; why says what */
	struct err why;
	uint64_t
		retry_ns; /* when throttled or stalled requests are tried again; UINT64_MAX: none is */
	uint64_t nr_errors;
};

extern const struct xenbus_ops block_ops;

/* After the first part is set: the device is not connected. -ENOMEM. */
must_check int block_init(struct block *b);
void block_fini(struct block *b); /* after the xenbus is disconnected */

/* Takes what guests have sent, begins it, publishes what has ended. True: there is more to do at once. */
bool block_turn(struct block *b);

/* Hears what event channels have to say; block_turn() then does it. */
void block_events(struct block *b);

/* Nothing goes on: only the guest, the store or a signal gives it something to do. */
bool block_is_idle(const struct block *b);

/* When block_turn() must be called even if nothing happens; UINT64_MAX: never. */
uint64_t block_timeout_ns(const struct block *b);

/* Waits for what is on the way and publishes it. What the limits hold back stays in the journal. */
void block_drain(struct block *b);

/* The size has changed: tells the guest. */
void block_resized(struct block *b);
/* After xenbus_start(): tells it, if a process before this one has told another size. */
must_check int block_announce_size(struct block *b, struct err *err);

/* Requests (io.c). */
void io_begin(struct io *io);   /* parsed and checked */
void io_retry(struct block *b); /* those that wait for time or room */
void io_answer(struct io *io, int16_t status);
/* The guest did what it may not; the first reason stays. */
void block_break(struct block *b, const struct err *err);
/* Like a request just taken. */
void io_accept(struct io *io, const void *entry);

#endif
