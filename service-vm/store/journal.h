/* What survives the process: a file of records, mapped into memory, in a file system that goes when the
 * machine restarts (/run). Records are appended as things change, and count from journal_commit() on, which
 * is one store to memory: a process killed at any instruction leaves all of a request, or nothing of it.
 *
 * When the file has grown much larger than what it says, a new one is written beside it, a slice at a time
 * (a checkpoint): the store's snapshot, then what was appended to the old one meanwhile. It then takes the
 * old one's name.
 *
 * All functions accept NULL for "nothing is kept". */
#ifndef LODGE_STORE_JOURNAL_H
#define LODGE_STORE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "lib/util.h"

struct conn;
struct content;
struct domain;
struct journal;
struct store;
struct watch;

enum record_type {
	RECORD_NODE = 1, /* struct record_node, permissions, path, value; special paths too */
	RECORD_REMOVE,   /* path */
	RECORD_DOMAIN,   /* struct record_domain */
	RECORD_QUOTA,    /* struct record_quota; DOMID_NONE: the default */
	RECORD_RING,     /* struct record_ring: starts anew, nothing waits */
	RECORD_FORGET,   /* watches and transactions are gone */
	RECORD_FAILED,   /* the ring is not served any more; nothing waits */
	RECORD_WATCH,    /* struct record_watch, path, token */
	RECORD_UNWATCH,  /* path, token */
	RECORD_BEGIN,    /* uint32_t: a transaction is open */
	RECORD_END,      /* uint32_t */
	RECORD_IN,       /* uint32_t: bytes consumed; then the part of a request that has come */
	RECORD_OUT,      /* bytes that wait */
};

struct record { /* len bytes follow, then the next record */
	uint32_t len;
	uint16_t type;
	uint16_t domid;
};

struct record_node {
	uint64_t gen;
	uint32_t nr_perms;
	uint32_t path_size; /* with the zero */
};

struct record_domain {
	uint64_t gfn, first_gen;
	uint32_t port;
	uint16_t target;
	uint8_t is_introduced, is_shut_down;
};

struct record_quota {
	uint32_t quota, value;
};

struct record_ring {
	uint32_t in, out;
};

struct record_watch {
	uint32_t depth, relative_start;
};

/* Opens the file or makes it. One of an earlier boot, or of another version, counts as empty. The error is
 * also logged. */
must_check int journal_open(const char *path, struct journal **ret_journal);
void journal_close(struct journal *j);

/* All records from *cursor (0 at first) on, in order; false at the end. */
bool journal_next(const struct journal *j, size_t *cursor, struct record *ret_record,
		  const char **ret_data);

void journal_put(struct journal *j, enum record_type type, uint16_t domid,
		 const struct iovec *parts, size_t nr_parts);
void journal_commit(struct journal *j);

/* Some more of a checkpoint, if one is worth it; to_end: all of one, now. */
void journal_checkpoint(struct journal *j, struct store *s, bool to_end);

void journal_node(struct journal *j, const char *path, const struct content *c);
void journal_remove(struct journal *j, const char *path);
void journal_domain(struct journal *j, const struct domain *d);
void journal_quota(struct journal *j, uint16_t domid, uint32_t quota, uint32_t value);
void journal_ring(struct journal *j, const struct conn *conn, uint32_t in, uint32_t out);
void journal_plain(struct journal *j, enum record_type type, const struct conn *conn);
void journal_watch(struct journal *j, const struct watch *w);
void journal_unwatch(struct journal *j, const struct watch *w);
void journal_transaction(struct journal *j, const struct conn *conn, uint32_t id, bool is_open);
void journal_in(struct journal *j, const struct conn *conn);
void journal_out(struct journal *j, const struct conn *conn, const void *data, size_t len);

#endif
