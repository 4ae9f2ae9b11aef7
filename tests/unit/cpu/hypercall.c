/* core/hypercall.c and core/privileged.c: dispatch, multicall, vm_assist. The handlers behind the table are
 * stand-ins here: each records its call and returns what the test wants. */
#include "lodge/hypercall.h"

#include <string.h>

#include "abi/errno.h"
#include "abi/xen.h"
#include "fake-arch.h"
#include "unit.h"

static struct domain *d, *service;
static struct vcpu *v;

static unsigned nr_calls;
static struct hypercall_args last;
static int64_t result;
static int restarts; /* so many calls ask to be started again, and count in arg[2] */

static int64_t stand_in(struct hypercall_args *a)
{
	nr_calls++;
	last = *a;
	if (restarts) {
		restarts--;
		a->arg[2]++;
		return HYPERCALL_RESTART;
	}
	return result;
}

#define STAND_IN(name)                                          \
	int64_t name(struct vcpu *of, struct hypercall_args *a) \
	{                                                       \
		(void)of;                                       \
		return stand_in(a);                             \
	}

STAND_IN(do_memory_op)
STAND_IN(do_event_channel_op)
STAND_IN(do_grant_table_op)
STAND_IN(do_vcpu_op)
STAND_IN(do_sched_op)
STAND_IN(do_hvm_op)
STAND_IN(do_xen_version)
STAND_IN(do_console_io)
STAND_IN(do_set_timer_op)
STAND_IN(do_control)

static void setup(void)
{
	fake_reset();
	service = fake_domain(0, true, 1);
	d = fake_domain(1, false, 1);
	v = d->vcpu[0];
}

static void teardown(void)
{
	fake_core_reset();
}

static int64_t dispatch(uint64_t nr, uint64_t arg0, uint64_t arg1)
{
	struct hypercall_args a = { .arg = { arg0, arg1 } };

	return hypercall_dispatch(v, nr, &a);
}

START_TEST(a_hypercall_reaches_its_handler_with_its_arguments)
{
	static const uint64_t nrs[] = {
		__HYPERVISOR_memory_op,      __HYPERVISOR_event_channel_op,
		__HYPERVISOR_grant_table_op, __HYPERVISOR_vcpu_op,
		__HYPERVISOR_sched_op,       __HYPERVISOR_hvm_op,
		__HYPERVISOR_xen_version,    __HYPERVISOR_console_io,
		__HYPERVISOR_set_timer_op,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(nrs); i++) {
		result = 1000 + i;
		ck_assert_int_eq(dispatch(nrs[i], i, 77), 1000 + i);
		ck_assert_uint_eq(last.arg[0], i);
		ck_assert_uint_eq(last.arg[1], 77);
	}
	ck_assert_uint_eq(nr_calls, ARRAY_SIZE(nrs));
}
END_TEST

START_TEST(fails_with_enosys_for_a_hypercall_that_does_not_exist)
{
	static const uint64_t nrs[] = { 0, 1, 35, 36, 41, 48, 63, 64, 1 << 20, UINT64_MAX };

	for (unsigned i = 0; i < ARRAY_SIZE(nrs); i++)
		ck_assert_int_eq(dispatch(nrs[i], 0, 0), -XEN_ENOSYS);
	ck_assert_uint_eq(nr_calls, 0);
}
END_TEST

static unsigned count_lines(void)
{
	unsigned n = 0;

	for (const char *p = fake_log; *p; p++)
		n += *p == '\n';
	return n;
}

START_TEST(each_unknown_number_is_told_once)
{
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_int_eq(dispatch(38, 0, 0), -XEN_ENOSYS);
		ck_assert_int_eq(dispatch(63, 0, 0), -XEN_ENOSYS);
		ck_assert_int_eq(dispatch(64 + i, 0, 0), -XEN_ENOSYS);
	}
	ck_assert_uint_eq(count_lines(), 3);
	ck_assert_ptr_nonnull(strstr(fake_log, "38"));
}
END_TEST

START_TEST(what_is_pending_stops_long_hypercalls)
{
	ck_assert(!hypercall_should_stop());
	cpus[0]->pending = CPU_PENDING_TIMER;
	ck_assert(hypercall_should_stop());
}
END_TEST

START_TEST(the_machine_is_for_the_privileged_only)
{
	ck_assert_int_eq(dispatch(__HYPERVISOR_physdev_op, 0, 0), -XEN_EPERM);
	ck_assert_int_eq(dispatch(__HYPERVISOR_platform_op, 0, 0), -XEN_EPERM);
	v = service->vcpu[0];
	ck_assert_int_eq(dispatch(__HYPERVISOR_physdev_op, 0, 0),
			 -XEN_ENOSYS); /* the fake's answer */
	ck_assert_int_eq(dispatch(__HYPERVISOR_platform_op, 0, 0), -XEN_ENOSYS);
}
END_TEST

/* multicall */

static struct multicall_entry *entries(guest_ptr_t at)
{
	return fake_guest_at(at);
}

static guest_ptr_t two_entries(void)
{
	struct multicall_entry e[2] = {
		{ .op = __HYPERVISOR_xen_version, .args = { 1, 2, 3, 4, 5, 6 } },
		{ .op = __HYPERVISOR_sched_op, .args = { 7 } },
	};

	return fake_guest_put(e, sizeof(e));
}

START_TEST(multicall_runs_each_entry_and_stores_its_result)
{
	guest_ptr_t at = two_entries();

	result = -XEN_EBUSY;
	ck_assert_int_eq(dispatch(__HYPERVISOR_multicall, at.va, 2), 0);
	ck_assert_uint_eq(nr_calls, 2);
	ck_assert_uint_eq(last.arg[0], 7);
	ck_assert_int_eq((int64_t)entries(at)[0].result, -XEN_EBUSY);
	ck_assert_int_eq((int64_t)entries(at)[1].result, -XEN_EBUSY);
}
END_TEST

START_TEST(multicall_of_nothing_succeeds)
{
	ck_assert_int_eq(dispatch(__HYPERVISOR_multicall, 8, 0), 0);
}
END_TEST

START_TEST(multicall_does_not_nest)
{
	struct multicall_entry e = { .op = __HYPERVISOR_multicall };
	guest_ptr_t at = fake_guest_put(&e, sizeof(e));

	ck_assert_int_eq(dispatch(__HYPERVISOR_multicall, at.va, 1), 0);
	ck_assert_int_eq((int64_t)entries(at)->result, -XEN_EINVAL);
}
END_TEST

START_TEST(multicall_of_an_unknown_hypercall_says_so_in_its_entry)
{
	struct multicall_entry e = { .op = UINT64_MAX };
	guest_ptr_t at = fake_guest_put(&e, sizeof(e));

	ck_assert_int_eq(dispatch(__HYPERVISOR_multicall, at.va, 1), 0);
	ck_assert_int_eq((int64_t)entries(at)->result, -XEN_ENOSYS);
}
END_TEST

START_TEST(multicall_fails_when_copy_in_faults)
{
	ck_assert_int_eq(dispatch(__HYPERVISOR_multicall, 8, 1), -XEN_EFAULT);
	ck_assert_uint_eq(nr_calls, 0);
}
END_TEST

START_TEST(multicall_fails_when_copy_out_faults)
{
	guest_ptr_t at = two_entries();

	fake_guest_fault_writes();
	ck_assert_int_eq(dispatch(__HYPERVISOR_multicall, at.va, 2), -XEN_EFAULT);
	ck_assert_uint_eq(nr_calls, 1);
}
END_TEST

START_TEST(multicall_goes_on_with_the_next_entry_after_it_was_stopped)
{
	guest_ptr_t at = two_entries();
	struct hypercall_args a = { .arg = { at.va, 2 } };

	result = 5;
	cpus[0]->pending = CPU_PENDING_RESCHED;
	ck_assert(hypercall_dispatch(v, __HYPERVISOR_multicall, &a) == HYPERCALL_RESTART);
	ck_assert_uint_eq(nr_calls, 1);
	ck_assert_uint_eq(a.arg[0], at.va + sizeof(struct multicall_entry));
	ck_assert_uint_eq(a.arg[1], 1);
	ck_assert_int_eq(hypercall_dispatch(v, __HYPERVISOR_multicall, &a), 0);
	ck_assert_uint_eq(nr_calls, 2);
	ck_assert_uint_eq(entries(at)[1].result, 5);
}
END_TEST

START_TEST(an_entry_that_is_started_again_goes_on_where_it_was)
{
	guest_ptr_t at = two_entries();
	struct hypercall_args a = { .arg = { at.va, 2 } };

	restarts = 1;
	result = 9;
	ck_assert(hypercall_dispatch(v, __HYPERVISOR_multicall, &a) == HYPERCALL_RESTART);
	ck_assert_uint_eq(a.arg[0], at.va);
	ck_assert_uint_eq(a.arg[1], 2);
	ck_assert_uint_eq(entries(at)[0].args[2], 4); /* was 3: what the handler left there */
	ck_assert_int_eq(hypercall_dispatch(v, __HYPERVISOR_multicall, &a), 0);
	ck_assert_uint_eq(nr_calls, 3);
	ck_assert_uint_eq(entries(at)[0].result, 9);
}
END_TEST

START_TEST(multicall_of_a_32_bit_caller_has_its_layout)
{
	struct compat_multicall_entry e[2] = {
		{ .op = __HYPERVISOR_xen_version, .args = { 1, 2, 3, 4, 5, 6 } },
		{ .op = __HYPERVISOR_sched_op, .args = { 7, 8 } },
	};
	guest_ptr_t at = fake_guest_put(e, sizeof(e));
	struct hypercall_args a = { .arg = { at.va, 2 }, .compat = true };
	const struct compat_multicall_entry *out = fake_guest_at(at);

	result = -XEN_EBUSY;
	ck_assert_int_eq(hypercall_dispatch(v, __HYPERVISOR_multicall, &a), 0);
	ck_assert(last.compat);
	ck_assert_uint_eq(last.arg[1], 8);
	ck_assert_int_eq((int32_t)out[0].result, -XEN_EBUSY);
	ck_assert_int_eq((int32_t)out[1].result, -XEN_EBUSY);
	a = (struct hypercall_args){ .arg = { 8, 1 }, .compat = true };
	ck_assert_int_eq(hypercall_dispatch(v, __HYPERVISOR_multicall, &a), -XEN_EFAULT);
}
END_TEST

/* vm_assist */

START_TEST(vm_assist_turns_the_update_flag_on_and_off)
{
	uint64_t flag = BIT64(VMASST_TYPE_runstate_update_flag);

	ck_assert_int_eq(dispatch(__HYPERVISOR_vm_assist, VMASST_CMD_enable,
				  VMASST_TYPE_runstate_update_flag),
			 0);
	ck_assert_uint_eq(d->vm_assist, flag);
	ck_assert_int_eq(dispatch(__HYPERVISOR_vm_assist, VMASST_CMD_disable,
				  VMASST_TYPE_runstate_update_flag),
			 0);
	ck_assert_uint_eq(d->vm_assist, 0);
}
END_TEST

START_TEST(vm_assist_refuses_what_means_nothing_to_a_pvh_guest)
{
	ck_assert_int_eq(dispatch(__HYPERVISOR_vm_assist, VMASST_CMD_enable,
				  VMASST_TYPE_writable_pagetables),
			 -XEN_EINVAL);
	ck_assert_int_eq(dispatch(__HYPERVISOR_vm_assist, VMASST_CMD_enable, 64), -XEN_EINVAL);
	ck_assert_int_eq(dispatch(__HYPERVISOR_vm_assist, 2, VMASST_TYPE_runstate_update_flag),
			 -XEN_ENOSYS);
	ck_assert_uint_eq(d->vm_assist, 0);
}
END_TEST

UNIT_MAIN("hypercall", setup, teardown, a_hypercall_reaches_its_handler_with_its_arguments,
	  fails_with_enosys_for_a_hypercall_that_does_not_exist, each_unknown_number_is_told_once,
	  what_is_pending_stops_long_hypercalls, the_machine_is_for_the_privileged_only,
	  multicall_runs_each_entry_and_stores_its_result, multicall_of_nothing_succeeds,
	  multicall_does_not_nest, multicall_of_an_unknown_hypercall_says_so_in_its_entry,
	  multicall_fails_when_copy_in_faults, multicall_fails_when_copy_out_faults,
	  multicall_goes_on_with_the_next_entry_after_it_was_stopped,
	  an_entry_that_is_started_again_goes_on_where_it_was,
	  multicall_of_a_32_bit_caller_has_its_layout, vm_assist_turns_the_update_flag_on_and_off,
	  vm_assist_refuses_what_means_nothing_to_a_pvh_guest)
