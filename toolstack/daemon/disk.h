/* Disks of guests. */
#ifndef LODGE_DAEMON_DISK_H
#define LODGE_DAEMON_DISK_H

#include "daemon/device.h"

extern const struct device_class disk_class;

/* Journals of domains that are gone, which a lodged has left that was killed. */
void disks_remove_stale(struct lodged *l, bool (*is_stale)(struct lodged *l, uint32_t domain));

/* The disk of a running guest gets so many bytes; its image is grown where that is a file. done: 0 or an error, at once or
 * when the backend has said so. */
typedef device_done_fn disk_resized_fn;
void disk_resize(struct device *d, uint64_t bytes, disk_resized_fn done, void *argument);

#endif
