/*
 * sched_op(cmd, arg): yield, block, wait for events, and end a domain.
 */
#ifndef LODGE_ABI_SCHED_H
#define LODGE_ABI_SCHED_H

#include "event-channel.h"
#include "xen.h"

#define SCHEDOP_yield           0
#define SCHEDOP_block           1
#define SCHEDOP_shutdown        2
#define SCHEDOP_poll            3
#define SCHEDOP_remote_shutdown 4
#define SCHEDOP_shutdown_code   5
#define SCHEDOP_watchdog        6
#define SCHEDOP_pin_override    7

#define SHUTDOWN_poweroff   0
#define SHUTDOWN_reboot     1
#define SHUTDOWN_suspend    2
#define SHUTDOWN_crash      3
#define SHUTDOWN_watchdog   4
#define SHUTDOWN_soft_reset 5
#define SHUTDOWN_MAX        5

/* Returns only for SHUTDOWN_suspend: 0 when resumed elsewhere, 1 when cancelled. */
struct sched_shutdown {
	uint32_t reason; /* SHUTDOWN_* */
};

ABI_SIZE(struct sched_shutdown, 4);
ABI_OFFSET(struct sched_shutdown, reason, 0);

/* Sleep until one of the ports is pending, masked or not, or the system time is reached. */
struct sched_poll {
	uint64_t ports; /* to evtchn_port_t[nr_ports] */
	uint32_t nr_ports;
	uint32_t pad;
	uint64_t timeout; /* ns, 0: none */
};

ABI_SIZE(struct sched_poll, 24);
ABI_OFFSET(struct sched_poll, ports, 0);
ABI_OFFSET(struct sched_poll, nr_ports, 8);
ABI_OFFSET(struct sched_poll, pad, 12);
ABI_OFFSET(struct sched_poll, timeout, 16);

struct compat_sched_poll {
	uint32_t ports;
	uint32_t nr_ports;
	compat_uint64_t timeout;
};

ABI_SIZE(struct compat_sched_poll, 16);
ABI_OFFSET(struct compat_sched_poll, ports, 0);
ABI_OFFSET(struct compat_sched_poll, nr_ports, 4);
ABI_OFFSET(struct compat_sched_poll, timeout, 8);

struct sched_remote_shutdown {
	domid_t domain_id;
	uint16_t pad;
	uint32_t reason;
};

ABI_SIZE(struct sched_remote_shutdown, 8);
ABI_OFFSET(struct sched_remote_shutdown, domain_id, 0);
ABI_OFFSET(struct sched_remote_shutdown, pad, 2);
ABI_OFFSET(struct sched_remote_shutdown, reason, 4);

/* id 0 asks for a new watchdog; timeout 0 stops one. */
struct sched_watchdog {
	uint32_t id;
	uint32_t timeout; /* s */
};

ABI_SIZE(struct sched_watchdog, 8);
ABI_OFFSET(struct sched_watchdog, id, 0);
ABI_OFFSET(struct sched_watchdog, timeout, 4);

/* Hold the calling vCPU on one physical CPU; negative: let it go again. */
struct sched_pin_override {
	int32_t pcpu;
};

ABI_SIZE(struct sched_pin_override, 4);
ABI_OFFSET(struct sched_pin_override, pcpu, 0);

#endif /* LODGE_ABI_SCHED_H */
