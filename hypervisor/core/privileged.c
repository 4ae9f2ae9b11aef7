/*
 * The hypercalls that are about the physical machine: the service VM's alone. The machine part does
 * them.
 */
#include "abi/errno.h"
#include "lodge/arch.h"
#include "lodge/domain.h"
#include "lodge/hypercall.h"
#include "lodge/vcpu.h"

int64_t do_physdev_op(struct vcpu *v, struct hypercall_args *a)
{
	return v->domain->privileged ? arch_physdev_op(v, a) : -XEN_EPERM;
}

int64_t do_platform_op(struct vcpu *v, struct hypercall_args *a)
{
	return v->domain->privileged ? arch_platform_op(v, a) : -XEN_EPERM;
}
