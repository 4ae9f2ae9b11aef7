/*
 * vcpu_op(cmd, vcpuid, arg): state, timers and shared areas of one vCPU.
 */
#ifndef LODGE_ABI_VCPU_H
#define LODGE_ABI_VCPU_H

#include "xen.h"

#define VCPUOP_initialise                     0
#define VCPUOP_up                             1
#define VCPUOP_down                           2
#define VCPUOP_is_up                          3
#define VCPUOP_get_runstate_info              4
#define VCPUOP_register_runstate_memory_area  5
#define VCPUOP_set_periodic_timer             6
#define VCPUOP_stop_periodic_timer            7
#define VCPUOP_set_singleshot_timer           8
#define VCPUOP_stop_singleshot_timer          9
#define VCPUOP_register_vcpu_info             10
#define VCPUOP_send_nmi                       11
#define VCPUOP_get_physid                     12
#define VCPUOP_register_vcpu_time_memory_area 13

#define RUNSTATE_running  0
#define RUNSTATE_runnable 1 /* wants a CPU and has none */
#define RUNSTATE_blocked  2
#define RUNSTATE_offline  3
#define RUNSTATE_NR       4

/* In state_entry_time, while the hypervisor writes the rest; only for guests that enabled
 * VMASST_TYPE_runstate_update_flag. */
#define XEN_RUNSTATE_UPDATE (1ULL << 63)

/* Where a vCPU's time went. */
struct vcpu_runstate_info {
	int32_t state; /* RUNSTATE_* */
	uint32_t pad;
	uint64_t state_entry_time;  /* ns, system time */
	uint64_t time[RUNSTATE_NR]; /* ns spent in each state */
};

ABI_SIZE(struct vcpu_runstate_info, 48);
ABI_OFFSET(struct vcpu_runstate_info, state, 0);
ABI_OFFSET(struct vcpu_runstate_info, pad, 4);
ABI_OFFSET(struct vcpu_runstate_info, state_entry_time, 8);
ABI_OFFSET(struct vcpu_runstate_info, time, 16);

struct compat_vcpu_runstate_info {
	int32_t state;
	compat_uint64_t state_entry_time;
	compat_uint64_t time[RUNSTATE_NR];
};

ABI_SIZE(struct compat_vcpu_runstate_info, 44);
ABI_OFFSET(struct compat_vcpu_runstate_info, state, 0);
ABI_OFFSET(struct compat_vcpu_runstate_info, state_entry_time, 4);
ABI_OFFSET(struct compat_vcpu_runstate_info, time, 12);

/* Keep a vcpu_runstate_info up to date at this guest linear address. */
struct vcpu_register_runstate_memory_area {
	union {
		uint64_t p;
	} addr;
};

ABI_SIZE(struct vcpu_register_runstate_memory_area, 8);
ABI_OFFSET(struct vcpu_register_runstate_memory_area, addr, 0);
ABI_OFFSET(struct vcpu_register_runstate_memory_area, addr.p, 0);

struct vcpu_set_periodic_timer {
	uint64_t period_ns;
};

ABI_SIZE(struct vcpu_set_periodic_timer, 8);
ABI_OFFSET(struct vcpu_set_periodic_timer, period_ns, 0);

#define VCPU_SSHOTTMR_future (1U << 0) /* fail with -ETIME if the deadline has passed */

/* Raise VIRQ_TIMER at this system time; at once if it has passed. */
struct vcpu_set_singleshot_timer {
	uint64_t timeout_abs_ns;
	uint32_t flags; /* VCPU_SSHOTTMR_* */
	uint32_t pad;
};

ABI_SIZE(struct vcpu_set_singleshot_timer, 16);
ABI_OFFSET(struct vcpu_set_singleshot_timer, timeout_abs_ns, 0);
ABI_OFFSET(struct vcpu_set_singleshot_timer, flags, 8);
ABI_OFFSET(struct vcpu_set_singleshot_timer, pad, 12);

/* Same members, but nothing after flags: reading 16 bytes could fault where 12 do not. */
struct compat_vcpu_set_singleshot_timer {
	compat_uint64_t timeout_abs_ns;
	uint32_t flags;
};

ABI_SIZE(struct compat_vcpu_set_singleshot_timer, 12);
ABI_OFFSET(struct compat_vcpu_set_singleshot_timer, timeout_abs_ns, 0);
ABI_OFFSET(struct compat_vcpu_set_singleshot_timer, flags, 8);

/* Move this vCPU's vcpu_info to gfn mfn, at offset. Once only. */
struct vcpu_register_vcpu_info {
	uint64_t mfn;
	uint32_t offset;
	uint32_t rsvd; /* 0 */
};

ABI_SIZE(struct vcpu_register_vcpu_info, 16);
ABI_OFFSET(struct vcpu_register_vcpu_info, mfn, 0);
ABI_OFFSET(struct vcpu_register_vcpu_info, offset, 8);
ABI_OFFSET(struct vcpu_register_vcpu_info, rsvd, 12);

/* Keep a second copy of the vcpu_time_info at this guest linear address; 0 stops that. */
struct vcpu_register_time_memory_area {
	union {
		uint64_t p;
	} addr;
};

ABI_SIZE(struct vcpu_register_time_memory_area, 8);
ABI_OFFSET(struct vcpu_register_time_memory_area, addr, 0);
ABI_OFFSET(struct vcpu_register_time_memory_area, addr.p, 0);

#endif /* LODGE_ABI_VCPU_H */
