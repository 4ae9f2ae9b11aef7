/*
 * What a guest's interface is plugged into: a bridge, Open vSwitch, a script's choice, or nothing. The same for
 * both backends; the device is there already when it is connected.
 */
#ifndef LODGE_DAEMON_NIC_SWITCH_H
#define LODGE_DAEMON_NIC_SWITCH_H

#include "config/domain.h"
#include "lib/err.h"

/* Refuses what cannot be connected, with what to do about it. */
must_check int nic_switch_check(const struct interface *nic, struct err *err);

/* Brings the device up, and plugs it in. */
must_check int nic_switch_connect(const struct interface *nic, const char *name, struct err *err);

/* What does not go with the device. */
void nic_switch_disconnect(const struct interface *nic, const char *name);

/* Filters what the device receives by nftables: only the interface's own MAC address, and its IP addresses if
 * it has some. -ENOENT: there is no nft here. */
must_check int nic_filter_add(const struct interface *nic, const char *name, struct err *err);
void nic_filter_remove(const char *name);

/* Runs a program and waits for it; its input is text (NULL: none). The error has its exit status. */
must_check int run_program(const char *const *arguments, const char *text, struct err *err);
/* The same; one that has not ended by then is killed: -ETIMEDOUT. By run_program() that is after ten seconds. */
must_check int run_program_within(const char *const *arguments, const char *text, int timeout_ms,
				  struct err *err);

#endif
