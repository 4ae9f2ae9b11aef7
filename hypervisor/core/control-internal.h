/* What the control*.c files share: one call in progress, and the operations by file. */
#ifndef LODGE_CONTROL_INTERNAL_H
#define LODGE_CONTROL_INTERNAL_H

#include "abi/control.h"
#include "lodge/domain.h"
#include "lodge/types.h"
#include "lodge/vcpu.h"

struct control {
	struct vcpu *caller;
	struct lodge_control op; /* our copy: the only one that is looked at */
	struct domain *d;        /* counted; NULL for operations without a domain */
};

/* 0, a negative errno, or -EAGAIN: start again, with what the operation left in c->op. */
typedef int control_fn(struct control *c);

/* control-memory.c */
control_fn control_set_memory, control_claim, control_populate, control_copy_in, control_copy_out,
	control_set_memory_map;
/* control-info.c */
control_fn control_list, control_vcpu_list, control_registers, control_translate, control_host_info,
	control_cpu_list, control_exit_names, control_read_console, control_cpuid_features;

#endif
