/* Disks of guests. */
#ifndef LODGE_DAEMON_DISK_H
#define LODGE_DAEMON_DISK_H

#include "daemon/device.h"

extern const struct device_class disk_class;

/* The disk of a running guest gets so many bytes; its image is grown where that is a file. */
must_check int disk_resize(struct device *d, uint64_t bytes, struct err *err);

#endif
