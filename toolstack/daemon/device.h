/*
 * A guest's devices. What a kind of device does is a struct device_class (disk.c, nic.c); everything that
 * is the same for all of them is in device.c (nodes, processes, states, hot-plug), devices.c (all of a guest's),
 * and device-unplug.c.
 *
 * A device's life: prepare (before the domain exists) → plug (the domain exists) → … → unplug → release.
 * All functions run in the loop's thread and must not wait. They return 0 or a negative errno with a text.
 *
 * Two kinds of backends: a process of ours, which lodged starts, and starts again when it ends; or a driver
 * in the service VM's kernel, which needs nodes only.
 */
#ifndef LODGE_DAEMON_DEVICE_H
#define LODGE_DAEMON_DEVICE_H

#include <cjson/cJSON.h>

#include "daemon/child.h"
#include "daemon/loop.h"
#include "daemon/nodes.h"
#include "lib/list.h"

struct device;
struct domain_description;
struct guest;
struct lodged;

struct device_class {
	const char *name;      /* "disk": in messages */
	const char *list_name; /* "disks": the member of `info` and of records */
	const char *kind;      /* "vbd": folder of the frontend */
	size_t private_bytes;  /* of device->private, which is zeroed and goes with the device */

	/* Those in a description: struct disk, struct interface. */
	size_t (*count)(const struct domain_description *d);
	const void *(*config)(const struct domain_description *d, size_t index);
	/* By what people call it: "xvda"; to be freed; NULL without memory. */
	char *(*label)(const void *config);

	/* Everything that can be refused is refused here: no such image, in use by another guest, no such
	 * bridge. Opens what the backend needs, and keeps it in device->private. Sets device->id and
	 * device->backend_kind. The guest has no domain yet. index counts the guest's devices of this
	 * class. When it fails, release() is called all the same. config stays as long as the device. */
	int (*prepare)(struct device *d, size_t index, struct err *err);

	/* The domain's id is known (guest->domain). Adds its own nodes to the batch, below
	 * device->frontend_path and device->backend_path (batch_at()); what all devices have is there
	 * already: backend, backend-id, state; frontend, frontend-id, online, state. For a process: fills
	 * spec's arguments and fds; device->backend_kind of the kernel's leaves it empty. The argument
	 * strings must stay until the next call of this class. May be called again after a failure. */
	int (*plug)(struct device *d, struct batch *b, struct child_spec *spec, struct err *err);

	/* lodged was started anew, and the guest runs with this device: opens again what prepare() opened,
	 * and fills spec as plug() did. saved: what save() wrote, an object. */
	int (*adopt)(struct device *d, size_t index, const cJSON *saved, struct child_spec *spec,
		     struct err *err);
	void (*save)(const struct device *d, cJSON *object); /* may be NULL */

	/* The backend's state has changed (XenbusState, 0: none); may be NULL. E.g. a network interface
	 * joins its bridge when the backend waits (2). */
	void (*backend_changed)(struct device *d, unsigned int state);

	/* Adds what `info` shows, beside backend, state and error. */
	void (*status)(struct device *d, cJSON *object);

	/* Adds texts: what `list` shows. NULL: none. */
	void (*addresses)(const struct device *d, cJSON *array);

	/* The process has ended, or the kernel's backend has lost its nodes: whether what it had begun has
	 * ended, too, so that what the device used is free. Asked again until it is so; the guest may be gone
	 * by then. May be NULL: at once. */
	bool (*is_gone)(struct device *d);

	/* Undoes prepare(), whatever of it was done. The backend and the nodes are gone; so may be the guest. */
	void (*release)(struct device *d);
};

struct device {
	struct list_node node; /* guest->devices */
	struct lodged *lodged;
	struct guest *guest; /* NULL once it ends: its process may take longer than the guest */
	const struct device_class *class;
	const void *config;    /* in holder, or in extra */
	struct config *holder; /* guest->active as it was when the device was made */
	struct config *extra;  /* of one that was plugged in while the guest ran; else NULL */
	char *label;
	unsigned int id;          /* xenbus' number of it */
	const char *backend_kind; /* "vbd", "lodge-block", … */
	char frontend_path[64], backend_path[80];
	struct child *process; /* NULL: the backend is in the kernel, or not started */
	struct nodes_watch state_watch, error_watch;
	unsigned int backend_state; /* as last seen */
	bool is_plugged;
	bool is_forgotten;            /* release() is not to touch what the guest goes on using */
	char error[160];              /* what the backend wrote, or why it ended; empty: nothing */
	bool has_ended;               /* error says how its process ended */
	struct device_unplug *unplug; /* while it is on its way out of a running guest */
	/* Once its guest ends: the next look whether it is gone, and who is told then. */
	struct loop_timer look;
	void (*gone)(void *argument);
	void *gone_argument;
	void *private;
};

#define DEVICE_LOOK_MS 5u /* between two questions whether it is gone */

/* The next start of its process is as the spec says, which is like one of plug() and adopt(). -ESTALE: it has none. */
must_check int device_change(struct device *d, struct child_spec *spec, struct err *err);

/* Of one whose process has ended, or that has none. */
bool device_is_gone(struct device *d);

/* What is wrong with it; empty: nothing. That its process has ended counts until the next one runs steadily. */
const char *device_error(const struct device *d);

/* A XenbusState as a word: "connected". */
const char *device_state_name(unsigned int state);

/* The number that xenbus wants as device->id of "xvdX". */
unsigned int device_disk_id(const char *target);

/* --- all devices of a guest; guest->active says which --- */

/* Refuses what can be refused. On failure none is left. */
must_check int devices_prepare(struct guest *g, struct err *err);
/* Nodes into the batch; the processes' specs are kept for devices_start(). */
must_check int devices_plug(struct guest *g, struct batch *b, struct err *err);
/* After the nodes are written: processes and watches. */
must_check int devices_start(struct guest *g, struct err *err);
/* Every backend has got as far as to wait for its frontend. */
bool devices_are_ready(const struct guest *g);
/* Ends backends and gives back everything but nodes; `done` (may be NULL) when all processes are gone, perhaps
 * at once. */
void devices_end(struct guest *g, void (*done)(void *argument), void *argument);
void devices_remove_nodes(const struct guest *g, struct batch *b);
/* Leaves processes alone, and frees the rest: lodged leaves. */
void devices_forget(struct guest *g);

/* The object's member for each class, e.g. "disks": [...]. */
void devices_save(const struct guest *g, cJSON *object);
void devices_adopt(struct guest *g, const cJSON *object);
void devices_status(struct guest *g, cJSON *object);

/* The description of a guest that runs, with the devices that it has by now, as XML, to be freed; NULL without memory. */
char *devices_text(const struct guest *g);

/* --- one device of a running guest --- */

/* extra's description has it as its only device of that class. done: 0 or an error, later. */
typedef void (*device_done_fn)(void *argument, int ret, const struct err *err);
must_check int device_attach(struct guest *g, const struct device_class *class,
			     struct config *extra, struct err *err);
struct device *device_find(const struct guest *g, const struct device_class *class,
			   const char *label);
/* Asks the guest to let go, waits for it at most timeout_ms; when it does so later, the device goes then.
 * done may be NULL. */
void device_detach(struct device *d, unsigned int timeout_ms, device_done_fn done, void *argument);

#endif
