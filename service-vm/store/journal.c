/* The journal: see journal.h.
 *
 * Its file system may be full. A batch that does not fit is dropped as a whole, and from then on a
 * checkpoint is tried for every request: until one succeeds, a restart goes back to the last state that was
 * written, and finds rings that have gone on, which it then disconnects. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conn.h"
#include "lib/log.h"
#include "state.h"
#include "tree.h"

#define MAGIC            UINT64_C(0x31304c4e524a474c) /* "LGJRNL01" */
#define GROW             ((size_t)1 << 20)
#define CHECKPOINT_BYTES ((size_t)4 << 20) /* least that is appended before one */
#define CHECKPOINT_NODES 2000              /* of one slice */

struct header {
	uint64_t magic;
	char boot_id[40];
	uint64_t committed; /* bytes that count */
};

struct journal {
	char *path;
	int fd;
	char *map;
	size_t size; /* of file and map */
	size_t end;  /* of what is written; committed and more */
	size_t base; /* how much of it a checkpoint was */
	bool has_failed;
	struct journal *next;    /* the checkpoint being written */
	struct state_walk *walk; /* how far it is */
	size_t mark;             /* where this one was when it began */
};

static struct header *header_of(const struct journal *j)
{
	return (struct header *)(void *)j->map;
}

static void read_boot_id(char *id, size_t size)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	memset(id, 0, size);
	if (!f)
		return;
	if (!fgets(id, (int)size, f))
		id[0] = '\0';
	fclose(f);
}

/* Room for len bytes more: the file has them, so that a full file system is an error and not a signal. */
static int reserve(struct journal *j, size_t len)
{
	size_t size = align_up(j->end + len, GROW);
	void *map;

	if (j->end + len <= j->size)
		return 0;
	if (posix_fallocate(j->fd, 0, (off_t)size))
		return -ENOSPC;
	map = j->map ? mremap(j->map, j->size, size, MREMAP_MAYMOVE)
		     : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, j->fd, 0);
	if (map == MAP_FAILED)
		return -ENOMEM;
	j->map = map;
	j->size = size;
	return 0;
}

static void format(struct journal *j)
{
	struct header *h = header_of(j);

	h->magic = MAGIC;
	read_boot_id(h->boot_id, sizeof(h->boot_id));
	h->committed = sizeof(*h);
	j->end = sizeof(*h);
	j->base = j->end;
}

static bool is_usable(const struct journal *j)
{
	const struct header *h = header_of(j);
	char boot_id[sizeof(h->boot_id)];

	read_boot_id(boot_id, sizeof(boot_id));
	return h->magic == MAGIC && !memcmp(h->boot_id, boot_id, sizeof(boot_id)) &&
	       h->committed >= sizeof(*h) && h->committed <= j->size;
}

static struct journal *open_file(const char *path, const char *suffix, int flags)
{
	struct journal *j = calloc(1, sizeof(*j));
	struct stat status;
	int err = -ENOMEM;

	if (!j)
		return NULL;
	j->fd = -1;
	if (asprintf(&j->path, "%s%s", path, suffix) < 0)
		j->path = NULL;
	else
		j->fd = open(j->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	if (j->fd >= 0 && !fstat(j->fd, &status))
		err = reserve(j, MAX((size_t)status.st_size, GROW));
	if (!err)
		return j;
	log_line("%s%s: cannot be opened: %s", path, suffix, strerror(errno));
	journal_close(j);
	return NULL;
}

int journal_open(const char *path, struct journal **ret_journal)
{
	struct journal *j = open_file(path, "", 0);

	if (!j)
		return -EIO;
	if (is_usable(j))
		j->end = header_of(j)->committed;
	else
		format(j);
	*ret_journal = j;
	return 0;
}

static void drop_checkpoint(struct journal *j)
{
	if (!j->next)
		return;
	unlink(j->next->path);
	journal_close(j->next);
	state_walk_destroy(j->walk);
	j->next = NULL;
	j->walk = NULL;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	drop_checkpoint(j);
	if (j->map)
		munmap(j->map, j->size);
	if (j->fd >= 0)
		close(j->fd);
	free(j->path);
	free(j);
}

bool journal_next(const struct journal *j, size_t *cursor, struct record *ret_record,
		  const char **ret_data)
{
	size_t at = *cursor ? *cursor : sizeof(struct header), end;

	if (!j)
		return false;
	end = header_of(j)->committed;
	if (end - at < sizeof(*ret_record))
		return false;
	memcpy(ret_record, j->map + at, sizeof(*ret_record));
	at += sizeof(*ret_record);
	if (ret_record->len > end - at)
		return false;
	*ret_data = j->map + at;
	*cursor = at + ret_record->len;
	return true;
}

void journal_put(struct journal *j, enum record_type type, uint16_t domid,
		 const struct iovec *parts, size_t nr_parts)
{
	struct record r = { .type = (uint16_t)type, .domid = domid };

	if (!j || j->has_failed)
		return;
	for (size_t i = 0; i < nr_parts; i++)
		r.len += (uint32_t)parts[i].iov_len;
	if (reserve(j, sizeof(r) + r.len)) {
		log_line("%s: full; a restart now would lose what changes", j->path);
		j->has_failed = true;
		return;
	}
	memcpy(j->map + j->end, &r, sizeof(r));
	j->end += sizeof(r);
	for (size_t i = 0; i < nr_parts; i++) {
		memcpy(j->map + j->end, parts[i].iov_base, parts[i].iov_len);
		j->end += parts[i].iov_len;
	}
}

/* A reader is a later process: what is before this store in program order is in memory. */
static void publish(struct journal *j)
{
	__atomic_store_n(&header_of(j)->committed, j->end, __ATOMIC_RELEASE);
}

void journal_commit(struct journal *j)
{
	if (!j)
		return;
	if (j->has_failed)
		j->end = header_of(j)->committed;
	else
		publish(j);
}

/* The new file is complete: it becomes j's, which keeps its identity for everybody else. */
static void switch_files(struct journal *j)
{
	struct journal *next = j->next;
	char *path = j->path;

	if (rename(next->path, path)) {
		log_line("%s: cannot be renamed: %s", next->path, strerror(errno));
		drop_checkpoint(j);
		return;
	}
	munmap(j->map, j->size);
	close(j->fd);
	free(next->path);
	state_walk_destroy(j->walk);
	*j = *next;
	j->path = path;
	j->base = j->end;
	j->has_failed = false;
	free(next);
}

static void begin_checkpoint(struct journal *j, struct store *s)
{
	j->next = open_file(j->path, ".new", O_TRUNC);
	if (!j->next)
		return;
	format(j->next);
	j->mark = j->end;
	state_save(j->next, s);
	j->walk = state_walk_create(s);
	if (!j->walk)
		drop_checkpoint(j);
}

static bool is_worth_it(const struct journal *j)
{
	return j->has_failed || j->end - j->base > MAX(CHECKPOINT_BYTES, j->base);
}

/* What was appended since the checkpoint began follows its snapshot. */
static void end_checkpoint(struct journal *j)
{
	size_t len = j->end - j->mark;

	if (!j->next->has_failed && !reserve(j->next, len)) {
		memcpy(j->next->map + j->next->end, j->map + j->mark, len);
		j->next->end += len;
		publish(j->next);
		switch_files(j);
	} else {
		drop_checkpoint(j);
	}
}

void journal_checkpoint(struct journal *j, struct store *s, bool to_end)
{
	if (!j)
		return;
	if (j->has_failed || to_end) /* what was begun does not know what was not appended */
		drop_checkpoint(j);
	to_end |= j->has_failed;
	if (!j->next && (to_end || is_worth_it(j)))
		begin_checkpoint(j, s);
	if (j->next && !state_walk(j->walk, j->next, to_end ? SIZE_MAX : CHECKPOINT_NODES))
		end_checkpoint(j);
}

#define PART(x)                                      \
	{                                            \
		(void *)(uintptr_t) & (x), sizeof(x) \
	}
#define BYTES(pointer, len)                         \
	{                                           \
		(void *)(uintptr_t)(pointer), (len) \
	}

void journal_node(struct journal *j, const char *path, const struct content *c)
{
	struct record_node r = { c->gen, c->nr_perms, (uint32_t)strlen(path) + 1 };
	struct iovec parts[] = { PART(r), BYTES(c->perms, c->nr_perms * sizeof(c->perms[0])),
				 BYTES(path, r.path_size), BYTES(content_value(c), c->value_len) };

	journal_put(j, RECORD_NODE, 0, parts, ARRAY_SIZE(parts));
}

void journal_remove(struct journal *j, const char *path)
{
	struct iovec parts[] = { BYTES(path, strlen(path) + 1) };

	journal_put(j, RECORD_REMOVE, 0, parts, ARRAY_SIZE(parts));
}

void journal_domain(struct journal *j, const struct domain *d)
{
	struct record_domain r = { d->gfn,    d->first_gen,     d->port,
				   d->target, d->is_introduced, d->is_shut_down };
	struct iovec parts[] = { PART(r) };

	journal_put(j, RECORD_DOMAIN, d->id, parts, ARRAY_SIZE(parts));
}

void journal_quota(struct journal *j, uint16_t domid, uint32_t quota, uint32_t value)
{
	struct record_quota r = { quota, value };
	struct iovec parts[] = { PART(r) };

	journal_put(j, RECORD_QUOTA, domid, parts, ARRAY_SIZE(parts));
}

void journal_ring(struct journal *j, const struct conn *conn, uint32_t in, uint32_t out)
{
	struct record_ring r = { in, out };
	struct iovec parts[] = { PART(r) };

	journal_put(j, RECORD_RING, conn->domid, parts, ARRAY_SIZE(parts));
}

void journal_plain(struct journal *j, enum record_type type, const struct conn *conn)
{
	journal_put(j, type, conn->domid, NULL, 0);
}

void journal_watch(struct journal *j, const struct watch *w)
{
	struct record_watch r = { w->depth, (uint32_t)w->relative_start };
	struct iovec parts[] = { PART(r), BYTES(w->path, strlen(w->path) + 1),
				 BYTES(w->token, strlen(w->token) + 1) };

	journal_put(j, RECORD_WATCH, w->conn->domid, parts, ARRAY_SIZE(parts));
}

void journal_unwatch(struct journal *j, const struct watch *w)
{
	struct iovec parts[] = { BYTES(w->path, strlen(w->path) + 1),
				 BYTES(w->token, strlen(w->token) + 1) };

	journal_put(j, RECORD_UNWATCH, w->conn->domid, parts, ARRAY_SIZE(parts));
}

void journal_transaction(struct journal *j, const struct conn *conn, uint32_t id, bool is_open)
{
	struct iovec parts[] = { PART(id) };

	journal_put(j, is_open ? RECORD_BEGIN : RECORD_END, conn->domid, parts, ARRAY_SIZE(parts));
}

void journal_in(struct journal *j, const struct conn *conn)
{
	uint32_t position = conn->ring.req_seen;
	struct iovec parts[] = { PART(position), BYTES(conn->in.bytes, conn->in_len) };

	journal_put(j, RECORD_IN, conn->domid, parts, ARRAY_SIZE(parts));
}

void journal_out(struct journal *j, const struct conn *conn, const void *data, size_t len)
{
	struct iovec parts[] = { BYTES(data, len) };

	journal_put(j, RECORD_OUT, conn->domid, parts, ARRAY_SIZE(parts));
}
