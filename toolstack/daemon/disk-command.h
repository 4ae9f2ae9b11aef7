/* How lodge-block is called for a disk: see lodge-block(8). */
#ifndef LODGE_DAEMON_DISK_COMMAND_H
#define LODGE_DAEMON_DISK_COMMAND_H

#include "daemon/device.h"

#define DISK_JOURNAL_FD  3 /* in the process */
#define DISK_IMAGE_FD    4
#define DISK_LIMITS_MAX  20
#define DISK_LIMIT_BYTES 48

/* Room for the words; program is the caller's to fill. */
struct disk_command {
	char program[288], domain[16], queues[16], logical[16], physical[16], grow[24];
	char limits[DISK_LIMITS_MAX][DISK_LIMIT_BYTES];
};

/* d is to have its paths, and d->config is a struct disk. source: what the server is asked for. grow_to: the bytes that
 * the disk is to have, 0: as it is. The arguments, at most CHILD_MAX_ARGUMENTS with a NULL, stay as long as all of these. */
void disk_command_fill(struct disk_command *room, const struct device *d, const char *source,
		       uint64_t grow_to, const char **ret_arguments);

#endif
