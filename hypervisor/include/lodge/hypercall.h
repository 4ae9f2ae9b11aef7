/* Hypercalls: table and dispatch. A handler gets the vCPU and its five arguments, and returns the
 * value for the guest: 0 or more, or a negative errno of abi/errno.h.
 * A handler that must not run on stores how far it got in its arguments and returns
 * HYPERCALL_RESTART; the guest then executes the same instruction again, with these arguments. */
#ifndef LODGE_HYPERCALL_H
#define LODGE_HYPERCALL_H

#include "lodge/types.h"

struct vcpu;

#define HYPERCALL_RESTART INT64_MIN
#define NR_HYPERCALLS     64u

struct hypercall_args {
	uint64_t arg[5]; /* zero-extended for 32-bit callers */
	bool compat;     /* called from 32-bit code: structures have their 32-bit layout */
};

typedef int64_t hypercall_fn(struct vcpu *v, struct hypercall_args *a);

/* The machine part has checked that the caller is the guest's kernel (CPL 0). */
int64_t hypercall_dispatch(struct vcpu *v, uint64_t nr, struct hypercall_args *a);

/* True when something else wants this CPU: a preemptible operation should return
 * HYPERCALL_RESTART (or -EAGAIN inside). Cheap; call it every few microseconds of work. */
bool hypercall_should_stop(void);

hypercall_fn do_memory_op, do_event_channel_op, do_grant_table_op, do_vcpu_op, do_sched_op,
	do_hvm_op, do_xen_version, do_console_io, do_set_timer_op, do_physdev_op, do_platform_op,
	do_multicall, do_vm_assist, do_control;

#endif
