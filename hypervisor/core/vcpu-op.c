/*
 * The hypercalls about one vCPU of the caller's own domain: vcpu_op, and set_timer_op, which is older.
 *
 * An area of another vCPU changes only while that one is stopped: it writes its areas itself. Where it
 * does not stop at once, the hypercall is started again, so that vCPUs that do this to each other
 * never wait with their CPUs. Several callers may hold the same vCPU: what they change has the
 * domain's lock.
 */
#include "abi/errno.h"
#include "abi/vcpu.h"
#include "arch-inline.h"
#include "lib/string.h"
#include "lodge/arch.h"
#include "lodge/domain.h"
#include "lodge/guest.h"
#include "lodge/hypercall.h"
#include "lodge/p2m.h"
#include "lodge/page.h"
#include "lodge/sched.h"
#include "lodge/vcpu.h"

#define MIN_PERIOD_NS NS_PER_MS
#define MAX_PERIOD_NS (UINT64_MAX / 4) /* sums with it cannot overflow */

struct vcpu_op {
	struct vcpu *caller;
	struct vcpu *v; /* whom it is about */
	guest_ptr_t arg;
	bool compat;
};

typedef int64_t vcpu_op_fn(const struct vcpu_op *op);

static int64_t op_up(const struct vcpu_op *op)
{
	if (!op->v->initialised)
		return -XEN_EINVAL;
	vcpu_unblock(op->v, VCPU_DOWN);
	return 0;
}

static int64_t op_down(const struct vcpu_op *op)
{
	vcpu_go_down(op->v);
	return 0;
}

static int64_t op_is_up(const struct vcpu_op *op)
{
	return !(READ_ONCE(op->v->blocked_by) & VCPU_DOWN);
}

static int64_t op_get_runstate_info(const struct vcpu_op *op)
{
	struct vcpu_runstate_info r;
	struct compat_vcpu_runstate_info c;

	sched_get_runstate(op->v, &r);
	if (!op->compat)
		return copy_to_guest(op->caller, op->arg, &r, sizeof(r));
	c = (struct compat_vcpu_runstate_info){ .state = r.state,
						.state_entry_time = r.state_entry_time };
	for (unsigned i = 0; i < RUNSTATE_NR; i++)
		c.time[i] = r.time[i];
	return copy_to_guest(op->caller, op->arg, &c, sizeof(c));
}

/* The argument of both: a union of a pointer and 64 bits, of which a 32-bit guest fills the pointer. */
static int copy_area_address(const struct vcpu_op *op, guest_ptr_t *ret_at)
{
	uint64_t at = 0;
	int err = copy_from_guest(op->caller, &at, op->arg, op->compat ? 4 : 8);

	*ret_at = GUEST_PTR(at);
	return err;
}

/* Has v stopped, unless it is the caller. resume() undoes it. */
static int hold(const struct vcpu_op *op)
{
	return op->v == op->caller ? 0 : vcpu_try_pause(op->v);
}

static void resume(const struct vcpu_op *op)
{
	if (op->v != op->caller)
		vcpu_unpause(op->v);
}

/* Two callers must not set the same state; nor one set it when another starts v, which a SIPI does at any
 * moment. */
static int64_t op_initialise(const struct vcpu_op *op)
{
	struct vcpu *v = op->v;
	int64_t err = -XEN_EEXIST;

	if (v->initialised || v == op->caller)
		return err;
	if (hold(op))
		return HYPERCALL_RESTART;
	spin_lock(&v->domain->lock);
	if (v->initialised)
		goto unlock;
	err = -XEN_EINVAL;
	if (v->info ==
	    &v->own_info) /* beyond shared info, and none registered: cannot get events */
		goto unlock;
	err = arch_vcpu_initialise(v, op->arg);
	if (!err)
		v->initialised = true;
unlock:
	spin_unlock(&v->domain->lock);
	resume(op);
	return err;
}

static int64_t op_register_runstate(const struct vcpu_op *op)
{
	struct vcpu *v = op->v;
	guest_ptr_t at;
	int err = copy_area_address(op, &at);

	if (err)
		return err;
	if (hold(op))
		return HYPERCALL_RESTART;
	spin_lock(&v->domain->lock);
	err = vcpu_area_register(op->caller, &v->runstate_area, at,
				 op->compat ? sizeof(struct compat_vcpu_runstate_info)
					    : sizeof(struct vcpu_runstate_info));
	if (!err) {
		v->runstate_compat = op->compat;
		vcpu_publish(v); /* the guest may read it before v runs */
	}
	spin_unlock(&v->domain->lock);
	resume(op);
	return err;
}

static int64_t op_register_time(const struct vcpu_op *op)
{
	struct vcpu *v = op->v;
	guest_ptr_t at;
	int err = copy_area_address(op, &at);

	if (err)
		return err;
	if (hold(op))
		return HYPERCALL_RESTART;
	spin_lock(&v->domain->lock);
	err = vcpu_area_register(op->caller, &v->time_area, at, sizeof(struct vcpu_time_info));
	if (!err)
		vcpu_update_time(v);
	spin_unlock(&v->domain->lock);
	resume(op);
	return err;
}

static int64_t op_set_periodic(const struct vcpu_op *op)
{
	struct vcpu_set_periodic_timer set;
	int err = copy_from_guest(op->caller, &set, op->arg, sizeof(set));

	if (err)
		return err;
	if (set.period_ns < MIN_PERIOD_NS || set.period_ns > MAX_PERIOD_NS)
		return -XEN_EINVAL;
	WRITE_ONCE(op->v->periodic_ns, set.period_ns);
	timer_set(&op->v->periodic, arch_now_ns() + set.period_ns);
	return 0;
}

static int64_t op_stop_periodic(const struct vcpu_op *op)
{
	WRITE_ONCE(op->v->periodic_ns, 0);
	timer_cancel(&op->v->periodic);
	return 0;
}

static int64_t op_set_singleshot(const struct vcpu_op *op)
{
	struct vcpu_set_singleshot_timer set;
	size_t bytes = op->compat ? sizeof(struct compat_vcpu_set_singleshot_timer) : sizeof(set);
	int err;

	if (op->v != op->caller)
		return -XEN_EINVAL;
	err = copy_from_guest(op->caller, &set, op->arg, bytes);
	if (err)
		return err;
	if ((set.flags & VCPU_SSHOTTMR_future) && set.timeout_abs_ns < arch_now_ns())
		return -XEN_ETIME;
	vcpu_set_singleshot(op->v, set.timeout_abs_ns);
	return 0;
}

static int64_t op_stop_singleshot(const struct vcpu_op *op)
{
	if (op->v != op->caller)
		return -XEN_EINVAL;
	timer_cancel(&op->v->singleshot);
	return 0;
}

/* Pinned here, so that senders can write it whatever the guest does to its physmap. */
static int set_info(struct vcpu *v, gfn_t gfn, uint32_t offset)
{
	struct domain *d = v->domain;
	mfn_t mfn;
	int err = p2m_pin(d, gfn, true, &mfn);

	if (err)
		return err;
	spin_lock(&d->lock);
	err = mfn_is_none(v->info_mfn) ? 0 : -XEN_EINVAL;
	if (!err) {
		v->info_mfn = mfn;
		vcpu_set_info(v, (struct vcpu_info *)(void *)((uint8_t *)mfn_to_ptr(mfn) + offset));
	}
	spin_unlock(&d->lock);
	if (err)
		page_put(mfn);
	return err;
}

static int64_t op_register_info(const struct vcpu_op *op)
{
	struct vcpu *v = op->v;
	struct vcpu_register_vcpu_info reg;
	uint32_t align = op->caller->domain->compat ? 4 : 8; /* of its selector word */
	int err = copy_from_guest(op->caller, &reg, op->arg, sizeof(reg));

	if (err)
		return err;
	if (reg.offset > PAGE_SIZE - sizeof(struct vcpu_info) || reg.offset % align)
		return -XEN_EINVAL;
	if (v != op->caller && !(READ_ONCE(v->blocked_by) & VCPU_DOWN))
		return -XEN_EINVAL;
	return set_info(v, GFN(reg.mfn), reg.offset);
}

static int64_t op_send_nmi(const struct vcpu_op *op)
{
	return arch_vcpu_send_nmi(op->v);
}

/* No vCPU of ours is tied to a physical CPU for good. */
static int64_t op_get_physid(const struct vcpu_op *op)
{
	(void)op;
	return -XEN_EINVAL;
}

static vcpu_op_fn *const vcpu_ops[] = {
	[VCPUOP_initialise] = op_initialise,
	[VCPUOP_up] = op_up,
	[VCPUOP_down] = op_down,
	[VCPUOP_is_up] = op_is_up,
	[VCPUOP_get_runstate_info] = op_get_runstate_info,
	[VCPUOP_register_runstate_memory_area] = op_register_runstate,
	[VCPUOP_set_periodic_timer] = op_set_periodic,
	[VCPUOP_stop_periodic_timer] = op_stop_periodic,
	[VCPUOP_set_singleshot_timer] = op_set_singleshot,
	[VCPUOP_stop_singleshot_timer] = op_stop_singleshot,
	[VCPUOP_register_vcpu_info] = op_register_info,
	[VCPUOP_send_nmi] = op_send_nmi,
	[VCPUOP_get_physid] = op_get_physid,
	[VCPUOP_register_vcpu_time_memory_area] = op_register_time,
};

int64_t do_vcpu_op(struct vcpu *v, struct hypercall_args *a)
{
	uint32_t cmd = (uint32_t)a->arg[0], id = (uint32_t)a->arg[1];
	struct vcpu_op op = { v, domain_vcpu(v->domain, id), GUEST_PTR(a->arg[2]), a->compat };

	if (!op.v)
		return -XEN_ENOENT;
	if (cmd >= ARRAY_SIZE(vcpu_ops))
		return -XEN_ENOSYS;
	return vcpu_ops[index_clamp(cmd, ARRAY_SIZE(vcpu_ops))](&op);
}

int64_t do_set_timer_op(struct vcpu *v, struct hypercall_args *a)
{
	uint64_t deadline_ns = a->arg[0];

	if (a->compat) /* in two halves */
		deadline_ns = (uint32_t)a->arg[0] | a->arg[1] << 32;
	if (deadline_ns)
		vcpu_set_singleshot(v, deadline_ns);
	else
		timer_cancel(&v->singleshot);
	return 0;
}
