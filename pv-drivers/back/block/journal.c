#include "back/block/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC   0x314b424cU /* "LBK1" */
#define WAIT_MS 5

/* What is before stands in memory before what comes after: for the process that reads it after a kill. */
static void step(void)
{
	__asm__ volatile("" ::: "memory");
}

/* Opened anew: fd may be one that others share, and so the lock of it. */
static int lock_file(int fd, unsigned int timeout_ms, struct err *err)
{
	const struct timespec pause = { .tv_nsec = WAIT_MS * 1000000L };
	char path[32];
	int lock;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	lock = open(path, O_RDWR | O_CLOEXEC);
	if (lock < 0)
		return err_errno(err, -errno, "the journal");
	for (unsigned int waited = 0; flock(lock, LOCK_EX | LOCK_NB); waited += WAIT_MS) {
		int code = -errno;

		if (code == -EWOULDBLOCK && waited < timeout_ms) {
			nanosleep(&pause, NULL);
			continue;
		}
		close(lock);
		return code == -EWOULDBLOCK
			       ? err_set(err, -ETIMEDOUT,
					 "another process serves the disk, or its I/O does not end")
			       : err_errno(err, code, "the journal's lock");
	}
	return lock;
}

static int make_long(int fd)
{
	struct stat s;

	if (fstat(fd, &s))
		return -errno;
	return s.st_size < (off_t)JOURNAL_BYTES && ftruncate(fd, (off_t)JOURNAL_BYTES) ? -errno : 0;
}

int journal_open(int fd, unsigned int timeout_ms, struct journal **ret_journal, int *ret_lock,
		 struct err *err)
{
	int lock = fd < 0 ? -1 : lock_file(fd, timeout_ms, err);
	void *memory;

	if (fd >= 0 && lock < 0)
		return lock;
	if (lock >= 0 && make_long(lock)) {
		(void)err_errno(err, -errno, "the journal");
		close(lock);
		return -EIO;
	}
	memory = mmap(NULL, sizeof(struct journal), PROT_READ | PROT_WRITE,
		      lock < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED, lock, 0);
	if (memory == MAP_FAILED) {
		if (lock >= 0)
			close(lock);
		return err_errno(err, -ENOMEM, "the journal");
	}
	*ret_lock = lock;
	*ret_journal = memory;
	return 0;
}

void journal_close(struct journal *j)
{
	if (j)
		munmap(j, sizeof(*j));
}

void journal_reset(struct journal *j, uint32_t nr_queues, const RING_IDX *req_cons)
{
	j->nr_queues = 0;
	step();
	for (uint32_t i = 0; i < JOURNAL_SLOTS; i++)
		j->slots[i].state = SLOT_FREE;
	for (uint32_t i = 0; i < nr_queues; i++)
		j->req_cons[i] = req_cons[i];
	j->magic = MAGIC;
	step();
	j->nr_queues = nr_queues;
}

bool journal_is_for(const struct journal *j, uint32_t nr_queues)
{
	return j->magic == MAGIC && j->nr_queues == nr_queues;
}

void journal_take(struct journal *j, uint32_t slot, uint32_t queue, RING_IDX index,
		  const void *entry, size_t size)
{
	struct journal_slot *s = &j->slots[slot];

	s->queue = queue;
	s->index = index;
	memcpy(s->entry, entry, size);
	step();
	s->state = SLOT_TAKEN;
	step();
	j->req_cons[queue] = index + 1;
	step();
}

void journal_answer(struct journal *j, uint32_t slot, RING_IDX rsp_index)
{
	j->slots[slot].rsp_index = rsp_index;
	step();
	j->slots[slot].state = SLOT_ANSWERED;
	step();
}

void journal_forget(struct journal *j, uint32_t slot)
{
	step();
	j->slots[slot].state = SLOT_FREE;
}

static bool is_before(RING_IDX a, RING_IDX b)
{
	return (int32_t)(a - b) < 0;
}

static bool is_unanswered(const struct journal *j, const struct journal_slot *s, uint32_t queue,
			  RING_IDX rsp_prod)
{
	if (s->state == SLOT_FREE || s->queue != queue)
		return false;
	if (!is_before(s->index, j->req_cons[queue]))
		return false;
	return s->state != SLOT_ANSWERED || !is_before(s->rsp_index, rsp_prod);
}

uint32_t journal_recover(struct journal *j, uint32_t queue, RING_IDX rsp_prod,
			 uint32_t ret_slots[JOURNAL_SLOTS])
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < JOURNAL_SLOTS; i++) {
		struct journal_slot *s = &j->slots[i];
		uint32_t place = nr;

		if (!is_unanswered(j, s, queue, rsp_prod)) {
			if (s->queue == queue)
				s->state = SLOT_FREE;
			continue;
		}
		s->state = SLOT_TAKEN;
		for (; place && is_before(s->index, j->slots[ret_slots[place - 1]].index); place--)
			ret_slots[place] = ret_slots[place - 1];
		ret_slots[place] = i;
		nr++;
	}
	return nr;
}
