/*
 * The table of hypercalls, their dispatch, and the two that are about hypercalls themselves:
 * multicall and vm_assist.
 */
#include "lodge/hypercall.h"

#include "abi/control.h"
#include "abi/errno.h"
#include "abi/xen.h"
#include "arch-inline.h"
#include "lodge/cpu.h"
#include "lodge/domain.h"
#include "lodge/guest.h"
#include "lodge/log.h"
#include "lodge/vcpu.h"

static hypercall_fn *const hypercall_table[NR_HYPERCALLS] = {
	[__HYPERVISOR_platform_op] = do_platform_op,
	[__HYPERVISOR_memory_op] = do_memory_op,
	[__HYPERVISOR_multicall] = do_multicall,
	[__HYPERVISOR_set_timer_op] = do_set_timer_op,
	[__HYPERVISOR_xen_version] = do_xen_version,
	[__HYPERVISOR_console_io] = do_console_io,
	[__HYPERVISOR_grant_table_op] = do_grant_table_op,
	[__HYPERVISOR_vm_assist] = do_vm_assist,
	[__HYPERVISOR_vcpu_op] = do_vcpu_op,
	[__HYPERVISOR_sched_op] = do_sched_op,
	[__HYPERVISOR_event_channel_op] = do_event_channel_op,
	[__HYPERVISOR_physdev_op] = do_physdev_op,
	[__HYPERVISOR_hvm_op] = do_hvm_op,
	[__HYPERVISOR_lodge_control] = do_control,
};

/* Once for each number of the table, and once for all beyond it. */
static __attribute__((noinline)) int64_t unknown(const struct vcpu *v, uint64_t nr)
{
	static uint64_t told[NR_HYPERCALLS / 64 + 1];
	uint64_t bit = MIN(nr, NR_HYPERCALLS);
	uint64_t *word = &told[bit / 64];

	if (!(__atomic_fetch_or(word, BIT64(bit % 64), __ATOMIC_RELAXED) & BIT64(bit % 64)))
		log_debug("dom%u: there is no hypercall %" PRIu64 "\n", v->domain->id, nr);
	return -XEN_ENOSYS;
}

int64_t hypercall_dispatch(struct vcpu *v, uint64_t nr, struct hypercall_args *a)
{
	hypercall_fn *fn;

	if (unlikely(nr >= NR_HYPERCALLS))
		return unknown(v, nr);
	fn = hypercall_table[index_clamp(nr, NR_HYPERCALLS)];
	if (unlikely(!fn))
		return unknown(v, nr);
	return fn(v, a);
}

bool hypercall_should_stop(void)
{
	return READ_ONCE(this_cpu()->pending);
}

/* multicall ------------------------------------------------------------------------------------- */

#define MULTICALL_ARGS ARRAY_SIZE(((struct hypercall_args *)NULL)->arg)

static size_t entry_size(bool compat)
{
	return compat ? sizeof(struct compat_multicall_entry) : sizeof(struct multicall_entry);
}

/* The 32-bit layout has the same members, half as wide. */
static int copy_entry_in(struct vcpu *v, guest_ptr_t at, bool compat,
			 struct multicall_entry *ret_entry)
{
	struct compat_multicall_entry c;
	int err;

	if (!compat)
		return copy_from_guest(v, ret_entry, at, sizeof(*ret_entry));
	err = copy_from_guest(v, &c, at, sizeof(c));
	if (err)
		return err;
	ret_entry->op = c.op;
	ret_entry->result = c.result;
	for (unsigned i = 0; i < ARRAY_SIZE(c.args); i++)
		ret_entry->args[i] = c.args[i];
	return 0;
}

static int copy_entry_out(struct vcpu *v, guest_ptr_t at, bool compat,
			  const struct multicall_entry *entry)
{
	struct compat_multicall_entry c;

	if (!compat)
		return copy_to_guest(v, at, entry, sizeof(*entry));
	c.op = (uint32_t)entry->op;
	c.result = (uint32_t)entry->result;
	for (unsigned i = 0; i < ARRAY_SIZE(c.args); i++)
		c.args[i] = (uint32_t)entry->args[i];
	return copy_to_guest(v, at, &c, sizeof(c));
}

/* One entry: 0 when it has its result, HYPERCALL_RESTART when it has how far it got, or -EFAULT. */
static int64_t run_entry(struct vcpu *v, guest_ptr_t at, bool compat)
{
	struct hypercall_args inner = { .compat = compat };
	struct multicall_entry entry;
	int64_t result;

	if (copy_entry_in(v, at, compat, &entry))
		return -XEN_EFAULT;
	for (unsigned i = 0; i < MULTICALL_ARGS; i++)
		inner.arg[i] = entry.args[i];
	if (entry.op == __HYPERVISOR_multicall) /* would nest as deep as a guest likes */
		result = -XEN_EINVAL;
	else
		result = hypercall_dispatch(v, entry.op, &inner);
	if (result == HYPERCALL_RESTART)
		for (unsigned i = 0; i < MULTICALL_ARGS; i++)
			entry.args[i] = inner.arg[i];
	else
		entry.result = (uint64_t)result;
	if (copy_entry_out(v, at, compat, &entry))
		return -XEN_EFAULT;
	return result == HYPERCALL_RESTART ? result : 0;
}

/* Arguments: entries, count; both move on as entries are done. */
int64_t do_multicall(struct vcpu *v, struct hypercall_args *a)
{
	while ((uint32_t)a->arg[1]) {
		int64_t err = run_entry(v, GUEST_PTR(a->arg[0]), a->compat);

		if (err)
			return err;
		a->arg[0] += entry_size(a->compat);
		a->arg[1] = (uint32_t)a->arg[1] - 1;
		if (a->arg[1] && hypercall_should_stop())
			return HYPERCALL_RESTART;
	}
	return 0;
}

/* vm_assist ------------------------------------------------------------------------------------- */

int64_t do_vm_assist(struct vcpu *v, struct hypercall_args *a)
{
	struct domain *d = v->domain;
	uint64_t bit = BIT64(VMASST_TYPE_runstate_update_flag);

	if ((uint32_t)a->arg[1] != VMASST_TYPE_runstate_update_flag)
		return -XEN_EINVAL;
	switch ((uint32_t)a->arg[0]) {
	case VMASST_CMD_enable:
		__atomic_fetch_or(&d->vm_assist, bit, __ATOMIC_RELAXED);
		return 0;
	case VMASST_CMD_disable:
		__atomic_fetch_and(&d->vm_assist, ~bit, __ATOMIC_RELAXED);
		return 0;
	default:
		return -XEN_ENOSYS;
	}
}
