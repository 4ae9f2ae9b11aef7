/* A device on its way out of a running guest, and what of device.c that needs. */
#ifndef LODGE_DAEMON_DEVICE_UNPLUG_H
#define LODGE_DAEMON_DEVICE_UNPLUG_H

struct device;

/* Its backend's state has changed. */
void device_unplug_look(struct device *d);

/* The guest goes first. Fine when it is not on its way out. */
void device_unplug_abort(struct device *d);

/* Backend, nodes and device go at once. */
void device_discard(struct device *d);

#endif
