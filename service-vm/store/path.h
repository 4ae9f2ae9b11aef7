/* Names of nodes: "/" or "/part/part…". A part has letters, digits and -_@ only. */
#ifndef LODGE_STORE_PATH_H
#define LODGE_STORE_PATH_H

#include <stdbool.h>
#include <stddef.h>

struct path_part {
	const char *name; /* not terminated */
	size_t len;
};

/* Of an absolute path; its length is not looked at. */
bool path_is_valid(const char *path);

/* "@introduceDomain" and its like name events, not nodes. */
bool path_is_special(const char *path);

/* The part at *cursor, which moves behind it; false at the end. Starts with *cursor at a valid path. */
bool path_next(const char **cursor, struct path_part *ret_part);

/* How long the parent of a valid path is that is not "/". */
size_t path_parent_len(const char *path);

#endif
