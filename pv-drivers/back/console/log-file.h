/* A guest's log: PATH with the newest output, PATH.1 to PATH.3 with older one. Whatever goes wrong with the file
 * (a full disk, a link in its place) is said once and costs output, never the daemon. */
#ifndef LODGE_CONSOLE_LOG_FILE_H
#define LODGE_CONSOLE_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/util.h"

#define LOG_FILE_KEPT 4 /* files of a guest, the newest included */

struct log_file {
	int fd; /* -1: not open */
	off_t size, max_size;
	bool is_failing;  /* and that was said */
	uint64_t lost;    /* bytes since then */
	uint64_t written; /* since log_file_open() */
	char path[256];
};

/* Does not fail: a file that cannot be opened is tried again with every output. */
void log_file_open(struct log_file *f, const char *path, off_t max_size);
void log_file_close(struct log_file *f); /* a zeroed one must have fd -1 */

void log_file_append(struct log_file *f, const char *data, size_t size);

/* Copies the last lines, of which the newest may have no end yet, as far as they fit. Their size. */
must_check size_t log_file_tail(const struct log_file *f, unsigned int lines, char *buffer,
				size_t size);

#endif
