/* The kinds of devices that there are. */
#include <stdlib.h>

#include "daemon/device.h"
#include "daemon/disk.h"
#include "daemon/guest.h"
#include "daemon/lodged.h"
#include "daemon/nic.h"

const struct device_class *const device_classes[] = {
	&disk_class,
	&nic_class,
	NULL,
};

const size_t nr_device_classes = ARRAY_SIZE(device_classes) - 1;

/* Those of the guest's devices that a description lists; what they are made of stays theirs. */
static void collect(const struct guest *g, struct domain_description *d)
{
	const struct device *one;

	d->nr_disks = 0;
	d->nr_interfaces = 0;
	list_for_each_entry(one, &g->devices, node) {
		if (one->class == &nic_class)
			d->interfaces[d->nr_interfaces++] = *(const struct interface *)one->config;
		else if (one->config != &g->active->d->cloud_init.disk) /* which is implied */
			d->disks[d->nr_disks++] = *(const struct disk *)one->config;
	}
}

char *devices_text(const struct guest *g)
{
	struct domain_description d = *g->active->d;
	const struct device *one;
	size_t nr = 1;
	char *text = NULL;

	list_for_each_entry(one, &g->devices, node) {
		nr++;
	}
	d.disks = calloc(nr, sizeof(*d.disks));
	d.interfaces = calloc(nr, sizeof(*d.interfaces));
	if (d.disks && d.interfaces) {
		collect(g, &d);
		text = domain_write(&d);
	}
	free(d.disks);
	free(d.interfaces);
	return text;
}
