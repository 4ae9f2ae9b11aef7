/* Descriptions as XML trees, where that is easier than structures: comparing two, and taking out one device. All
 * texts are what domain_write() gives, so they are known to be right. */
#ifndef LODGE_DAEMON_CONFIG_XML_H
#define LODGE_DAEMON_CONFIG_XML_H

#include "lib/err.h"

/* One difference. A list's items have a key: "devices/disk[xvda]/source/file". Of a disk or an interface that
 * only one has, the path ends behind the key, and value is "". NULL: the other has it. */
typedef void (*config_difference_fn)(void *argument, const char *path, const char *from,
				     const char *to);

must_check int config_compare(const char *from, const char *to, config_difference_fn tell,
			      void *argument);

/* The element of a device ("disk", "xvda"; "interface", its MAC address), to be freed; NULL: there is none. */
char *config_device(const char *text, const char *element, const char *key);

/* A whole description, with that name, around one device; on the device's first line, for the sake of messages. To be
 * freed; NULL without memory. */
char *config_around_device(const char *name, const char *xml);

#endif
