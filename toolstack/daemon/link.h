/*
 * Network devices of the service VM: tap devices with several queues, bridges and their VLANs. Plain calls of
 * the kernel's interfaces; everything that is changed goes with the device.
 */
#ifndef LODGE_DAEMON_LINK_H
#define LODGE_DAEMON_LINK_H

#include <net/if.h>

#include "lib/err.h"

#define LINK_NAME_BYTES IFNAMSIZ

struct vlan_tag;

/* Makes the tap device, or opens it again, with virtio's header before each packet; one descriptor for each
 * queue. On failure none is open. */
must_check int link_open_tap(const char *name, unsigned int nr_queues, int *ret_fds,
			     struct err *err);

/* The queues of a device that others are using get no packets; whoever is handed them attaches them again. */
must_check int link_park_queues(const int *fds, unsigned int nr, struct err *err);

bool link_exists(const char *name);
bool link_is_bridge(const char *name);
bool link_has_vlan_filter(const char *bridge);
uint32_t link_mtu(const char *name); /* 0: unknown */

must_check int link_rename(const char *name, const char *to, struct err *err);

/* No address of its own, the MTU (0: as it is), and up. Its hardware address is one that a bridge does not
 * take for its own, as it is higher than any card's. */
must_check int link_configure(const char *name, uint32_t mtu, struct err *err);

/* Fine when it is a port of it already. */
must_check int link_join(const char *bridge, const char *name, struct err *err);

/* Of a bridge's port. One tag: what the guest sends gets it, and what has it goes to the guest without.
 * is_trunk: these go through with their tags, and no others. */
must_check int link_set_vlans(const char *name, const struct vlan_tag *tags, size_t nr,
			      bool is_trunk, struct err *err);

#endif
