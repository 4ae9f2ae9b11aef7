/* A device's two ends as xenstore shows them: where they are, their states, and how they change. */
#ifndef FRONT_XENBUS_H
#define FRONT_XENBUS_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/xenbus.h"
#include "front/store.h"

#define XENBUS_IS(state) (1u << (state))

struct xenbus_device {
	char path[64];     /* of this end: device/vbd/51712 */
	char backend[128]; /* of the other */
	uint16_t backend_domid;
};

/* The device of that type ("vbd", "vif") with that place in the folder's order. -XEN_ENOENT: no such. */
int xenbus_find(const char *type, unsigned int index, struct xenbus_device *ret_device);

int xenbus_switch_state(const struct xenbus_device *d, enum xenbus_state state);
enum xenbus_state xenbus_backend_state(const struct xenbus_device *d);

/* Waits until the other end is in one of the states, a mask of XENBUS_IS(). */
bool xenbus_wait_backend(const struct xenbus_device *d, unsigned int states, uint64_t timeout_ns);

/* This end goes first, the other follows. False: it did not. */
bool xenbus_close(const struct xenbus_device *d);

/* Nodes of either end. Where the backend has none, a number is 0. */
int xenbus_write(const struct xenbus_device *d, uint32_t tx, const char *node, const char *format,
		 ...) __attribute__((format(printf, 4, 5)));
uint64_t xenbus_backend_number(const struct xenbus_device *d, const char *node);
int xenbus_backend_text(const struct xenbus_device *d, const char *node, char *ret_text,
			size_t size);

/* What fill() writes becomes visible at once. It may be called more than once. */
int xenbus_publish(int (*fill)(uint32_t tx, void *context), void *context);

#endif
