/*
 * hvm_op: the parameters of a domain, and how its vCPUs get their event upcalls.
 *
 * Parameters are words that the toolstack and the guest leave for each other; only the callback does
 * something here.
 */
#include "abi/hvm.h"

#include "abi/errno.h"
#include "arch-inline.h"
#include "lodge/arch.h"
#include "lodge/domain.h"
#include "lodge/guest.h"
#include "lodge/hypercall.h"
#include "lodge/vcpu.h"

/* What a domain may do to its own parameters. The service VM may do anything to other domains', but no
 * more than anyone to its own. */
enum { SELF_GET = 1, SELF_SET = 2, SET_ONCE = 4 };

static const uint8_t param_rights[HVM_NR_PARAMS] = {
	[HVM_PARAM_CALLBACK_IRQ] = SELF_GET | SELF_SET,
	[HVM_PARAM_STORE_PFN] = SELF_GET,
	[HVM_PARAM_STORE_EVTCHN] = SELF_GET | SELF_SET,
	[HVM_PARAM_VIRIDIAN] = SET_ONCE,
	[HVM_PARAM_VM86_TSS] = SELF_GET | SELF_SET,
	[HVM_PARAM_CONSOLE_PFN] = SELF_GET,
	[HVM_PARAM_CONSOLE_EVTCHN] = SELF_GET | SELF_SET,
	[HVM_PARAM_ACPI_IOPORTS_LOCATION] = SELF_GET | SELF_SET,
	[HVM_PARAM_IOREQ_SERVER_PFN] = SET_ONCE,
	[HVM_PARAM_NR_IOREQ_SERVER_PAGES] = SET_ONCE,
	[HVM_PARAM_VM_GENERATION_ID_ADDR] = SELF_GET | SELF_SET,
	[HVM_PARAM_ALTP2M] = SELF_GET | SET_ONCE,
	[HVM_PARAM_X87_FIP_WIDTH] = SELF_GET | SELF_SET,
	[HVM_PARAM_VM86_TSS_SIZED] = SELF_GET | SELF_SET,
	[HVM_PARAM_MCA_CAP] = SET_ONCE,
};

/* Copies the argument in and takes a count of the domain that it names. */
static int get_param_op(struct vcpu *v, guest_ptr_t arg, uint8_t self_right,
			struct xen_hvm_param *ret_op, struct domain **ret_d)
{
	struct domain *d;
	int err = copy_from_guest(v, ret_op, arg, sizeof(*ret_op));

	if (err)
		return err;
	if (ret_op->index >= HVM_NR_PARAMS)
		return -XEN_EINVAL;
	err = domain_get(v, ret_op->domid, &d);
	if (err)
		return err;
	if (d == v->domain &&
	    !(param_rights[index_clamp(ret_op->index, HVM_NR_PARAMS)] & self_right)) {
		domain_put(d);
		return -XEN_EPERM;
	}
	*ret_d = d;
	return 0;
}

/* The way has changed: what was pending before goes by the new one. */
static void redeliver(struct vcpu *v)
{
	if (!vcpu_upcall_pending(v))
		return;
	arch_vcpu_upcall(v);
	vcpu_kick(v);
}

/* d->lock is held: a domain that is being destroyed loses its vCPUs under it. */
static int set_callback(struct domain *d, uint64_t via)
{
	int err = arch_domain_set_callback(d, via);

	for (uint32_t i = 0; !err && i < d->nr_vcpus; i++)
		if (d->vcpu[i])
			redeliver(d->vcpu[i]);
	return err;
}

static int64_t hvmop_set_param(struct vcpu *v, guest_ptr_t arg)
{
	struct xen_hvm_param op;
	struct domain *d;
	uint64_t *param;
	int err = get_param_op(v, arg, SELF_SET, &op, &d);

	if (err)
		return err;
	param = &d->param[index_clamp(op.index, HVM_NR_PARAMS)];
	spin_lock(&d->lock);
	if (op.index == HVM_PARAM_CALLBACK_IRQ)
		err = set_callback(d, op.value);
	if ((param_rights[index_clamp(op.index, HVM_NR_PARAMS)] & SET_ONCE) && *param &&
	    *param != op.value)
		err = -XEN_EEXIST;
	if (!err)
		*param = op.value;
	spin_unlock(&d->lock);
	domain_put(d);
	return err;
}

static int64_t hvmop_get_param(struct vcpu *v, guest_ptr_t arg)
{
	struct xen_hvm_param op;
	struct domain *d;
	int err = get_param_op(v, arg, SELF_GET, &op, &d);

	if (err)
		return err;
	op.value = READ_ONCE(d->param[index_clamp(op.index, HVM_NR_PARAMS)]);
	domain_put(d);
	return copy_to_guest(v, arg, &op, sizeof(op));
}

static int64_t hvmop_set_upcall_vector(struct vcpu *v, guest_ptr_t arg)
{
	struct xen_hvm_evtchn_upcall_vector op;
	struct vcpu *target;
	int err = copy_from_guest(v, &op, arg, sizeof(op));

	if (err)
		return err;
	if (op.vector < 0x10) /* exceptions have those */
		return -XEN_EINVAL;
	target = domain_vcpu(v->domain, op.vcpu);
	if (!target)
		return -XEN_ENOENT;
	err = arch_vcpu_set_upcall_vector(target, op.vector);
	if (!err)
		redeliver(target);
	return err;
}

static int64_t hvmop_flush_tlbs(struct vcpu *v, guest_ptr_t arg)
{
	if (arg.va)
		return -XEN_EINVAL;
	arch_p2m_flush(v->domain);
	return 0;
}

int64_t do_hvm_op(struct vcpu *v, struct hypercall_args *a)
{
	guest_ptr_t arg = GUEST_PTR(a->arg[1]);

	switch ((uint32_t)a->arg[0]) {
	case HVMOP_set_param:
		return hvmop_set_param(v, arg);
	case HVMOP_get_param:
		return hvmop_get_param(v, arg);
	case HVMOP_set_evtchn_upcall_vector:
		return hvmop_set_upcall_vector(v, arg);
	case HVMOP_flush_tlbs:
		return hvmop_flush_tlbs(v, arg);
	case HVMOP_pagetable_dying: /* a hint for shadow paging; this answer turns it off */
		return -XEN_EINVAL;
	default:
		return -XEN_ENOSYS;
	}
}
