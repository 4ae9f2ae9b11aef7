/* The interface as a device: its life in the store, and its tap device. */
#ifndef LODGE_NET_DEVICE_H
#define LODGE_NET_DEVICE_H

#include "back/lib/xenbus.h"
#include "net.h"

struct device_options {
	uint16_t domid;
	const char *front; /* paths in the store */
	const char *back;
	int tap_fd; /* the first queue's; the others' follow it */
	unsigned int nr_taps;
};

struct device {
	struct xenbus xenbus;
	struct net net;
	const struct device_options *options;
	unsigned int nr_mapped; /* queues whose pages and ports are held */
	struct queue_ends ends[NET_QUEUES_MAX];
	void *ctrl_page;
	uint32_t ctrl_port;
	bool has_carrier, is_carrier_known; /* of the tap device */
	bool is_plain;                      /* the tap device prepares packets fully */
	uint64_t spoofed_told, spoofed_told_ns;
	uint64_t addresses_told_ns;
};

/* Reads what lodged has written. The device is zero before; the platform is its from here on, also when this
 * fails. */
must_check int device_open(struct device *d, const struct device_options *options,
			   struct platform *platform, struct err *err);
void device_close(struct device *d);

/* From here on nothing is opened any more. */
must_check int device_start(struct device *d, struct err *err);

/* The store has news. 1: the device is over. -EIO: the store is gone. */
must_check int device_store_news(struct device *d, struct err *err);
void device_take_events(struct device *d);

/* Does what is due; returns how many milliseconds to wait for events, 0: there is more to do, -1: any time. */
int device_serve(struct device *d);

#endif
