/*
 * A run of bytes to read from: a file, a part of one, or memory.
 *
 * Files are read by pread() and never mapped: a file that somebody shortens meanwhile is then an error,
 * not a SIGBUS, and what is built costs the reader no memory.
 */
#ifndef LODGE_TOOLSTACK_SOURCE_H
#define LODGE_TOOLSTACK_SOURCE_H

#include "lib/err.h"

struct source {
	const char *name;    /* of the file, for messages; stays the caller's */
	int fd;              /* -1: data */
	uint64_t base;       /* where it starts in the file */
	const uint8_t *data; /* with fd -1 */
	uint64_t bytes;
	bool is_owner; /* closing it closes fd, or frees data */
};

/* A regular file as a whole. Its size is taken here; bytes that come later do not count. */
int source_open(struct source *ret_source, const char *path, struct err *err);
/* Lets go of what it owns. Accepts one that is all zero, or closed. */
void source_close(struct source *s);

/* bytes of s from offset on, owned by s, which has to stay. They are inside of it. */
struct source source_part(const struct source *s, uint64_t offset, uint64_t bytes);

bool source_has(const struct source *s, uint64_t offset, uint64_t bytes);

/* All of the bytes, which are inside of it, or an error. */
int source_read(const struct source *s, uint64_t offset, void *ret_data, size_t bytes,
		struct err *err);

/* The first bytes from *offset to end that are not a hole in the file: moves *offset to their start and
 * tells where they end. False when there are none. */
bool source_next_data(const struct source *s, uint64_t *offset, uint64_t end, uint64_t *ret_end);

#endif
