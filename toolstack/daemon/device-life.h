/* One device's way in and out, for those who know more of it than device.h: devices.c and device-unplug.c. */
#ifndef LODGE_DAEMON_DEVICE_LIFE_H
#define LODGE_DAEMON_DEVICE_LIFE_H

#include "daemon/device.h"

/* --- in: prepare, plug, start; or adopt --- */

/* On failure there is none. */
must_check int device_prepare(struct guest *g, const struct device_class *class, const void *config,
			      struct device **ret_device, struct err *err);
/* Its nodes, into the batch. */
must_check int device_plug(struct device *d, struct batch *b, struct err *err);
/* After the nodes are written: process and watches. */
must_check int device_start(struct device *d, struct err *err);

/* What the guest had when lodged was started anew. Takes extra (may be NULL) over, unless there is no memory: false.
 * When its backend cannot be had again, that is logged and stays as the device's error. */
must_check bool device_adopt(struct guest *g, const struct device_class *class, const void *config,
			     struct config *extra, const cJSON *saved);

/* --- out --- */

/* The guest ends; `gone` (may be NULL) when the backend is gone, perhaps at once. */
void device_end(struct device *d, void (*gone)(void *argument), void *argument);

/* Backend, nodes and device go at once. */
void device_discard(struct device *d);

/* Leaves the process alone, and frees the rest. */
void device_forget(struct device *d);

/* --- device-unplug.c --- */

/* The backend's state of one on its way out has changed. */
void device_unplug_look(struct device *d);

/* The guest goes first. Fine when it is not on its way out. */
void device_unplug_abort(struct device *d);

#endif
