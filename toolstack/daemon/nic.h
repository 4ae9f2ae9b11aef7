/* Network interfaces of guests. */
#ifndef LODGE_DAEMON_NIC_H
#define LODGE_DAEMON_NIC_H

#include "daemon/device.h"

extern const struct device_class nic_class;

/* The name of its device in the service VM. */
const char *nic_target(const struct device *d);

#endif
