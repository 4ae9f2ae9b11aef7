/*
 * What lodged knows about guests, on disk. A definition (domains/UUID.xml) is written through to the disk
 * before it counts. A record (state/UUID.json) tells of a guest's domain and of its end; it has to outlive
 * lodged, not the host. Files are made beside their place and renamed, so that each is whole or the old one.
 */
#ifndef LODGE_DAEMON_RECORD_H
#define LODGE_DAEMON_RECORD_H

#include "lib/err.h"

struct guest;
struct lodged;

/* The folders. */
must_check int records_prepare(const struct lodged *l, struct err *err);

must_check int record_write_definition(const struct guest *g, struct err *err);
must_check int record_remove_definition(const struct guest *g, struct err *err);

must_check int record_save(const struct guest *g, struct err *err);
void record_remove(const struct guest *g);

/* Makes guests of all that is there. What cannot be read is logged and left where it is. */
must_check int records_load(struct lodged *l, struct err *err);

/* Puts bytes at a path, whole or not at all. */
must_check int file_replace(const char *path, const char *bytes, size_t nr_bytes, bool is_durable,
			    struct err *err);

#endif
