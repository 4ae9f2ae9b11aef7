/* The kinds of devices that there are. */
#include "daemon/device.h"
#include "daemon/disk.h"
#include "daemon/lodged.h"
#include "daemon/nic.h"

const struct device_class *const device_classes[] = {
	&disk_class,
	&nic_class,
	NULL,
};

const size_t nr_device_classes = ARRAY_SIZE(device_classes) - 1;
