/* What has been taken from the rings and has no answer yet, in memory that outlives the process: a file of lodged's
 * in /run, mapped. The rings themselves do not hold it, because a response lies on a request, and not on its own.
 *
 * A process may be killed between any two instructions, and the next one reads what is there then; what orders the
 * writes is the compiler barrier in each step, since both ran on the same machine. The steps:
 *
 *	taking	the slot is filled, then marked taken, then req_cons goes past the request. A slot at or past
 *		req_cons is not taken for real: the request is still whole in the ring, and is taken again.
 *	answering	the slot notes the index of its response, and is marked so; then the response is written, and
 *		rsp_prod published by ring_back_push(); then the slot is free. A slot with such a note is answered if
 *		rsp_prod is past the index, else it is as if only taken.
 *
 * What is taken and not answered is done again, in the order of the guest's requests. That is safe for each kind: the
 * guest still holds the pages of what has no answer, a write or discard done twice leaves the same bytes, and the guest
 * cannot count on any order among requests that are unanswered at the same time, which a barrier is not: nothing
 * behind it was taken. What it needs is that the I/O of the process before has ended: journal_open() waits for that. */
#ifndef LODGE_BLOCK_JOURNAL_H
#define LODGE_BLOCK_JOURNAL_H

#include "abi/ring.h"
#include "back/block/request.h"

#define JOURNAL_SLOTS  256u
#define JOURNAL_QUEUES 8u

enum journal_state { SLOT_FREE = 0, SLOT_TAKEN = 1, SLOT_ANSWERED = 2 };

struct journal_slot {
	uint32_t state; /* enum journal_state */
	uint32_t queue;
	RING_IDX index;     /* of the request */
	RING_IDX rsp_index; /* of the response */
	unsigned char entry[REQUEST_ENTRY_MAX];
};

struct journal {
	uint32_t magic;
	uint32_t nr_queues; /* in use; 0: nothing is */
	RING_IDX req_cons[JOURNAL_QUEUES];
	struct journal_slot slots[JOURNAL_SLOTS];
};

#define JOURNAL_BYTES \
	align_up(sizeof(struct journal), 4096) /* of the file; others may use the rest */

/* Maps the file, which is made long enough; fd -1: plain memory, for tests. Waits up to timeout_ms until nobody else
 * holds the file's lock. ret_lock is a descriptor by which this process holds it now; whatever does I/O on the disk has
 * to keep it open until the last of it has ended, even when this process is dead: its io_uring does, as does a server
 * that inherits it. -ETIMEDOUT. */
must_check int journal_open(int fd, unsigned int timeout_ms, struct journal **ret_journal,
			    int *ret_lock, struct err *err);
void journal_close(struct journal *j);

/* Forgets everything, and is for queues whose requests are taken from req_cons on. */
void journal_reset(struct journal *j, uint32_t nr_queues, const RING_IDX *req_cons);

/* Whether it is what an earlier process with so many queues has left. */
bool journal_is_for(const struct journal *j, uint32_t nr_queues);

void journal_take(struct journal *j, uint32_t slot, uint32_t queue, RING_IDX index,
		  const void *entry, size_t size);
/* Before ring_back_put(), of which rsp_index is the place. */
void journal_answer(struct journal *j, uint32_t slot, RING_IDX rsp_index);
/* After ring_back_push(): all answers of the queue are published. */
void journal_forget(struct journal *j, uint32_t slot);

/* Slots of the queue that are to be done again, in order; those of its others are freed. rsp_prod is the ring's.
 * ret_slots has room for all. The number. */
uint32_t journal_recover(struct journal *j, uint32_t queue, RING_IDX rsp_prod,
			 uint32_t ret_slots[JOURNAL_SLOTS]);

#endif
