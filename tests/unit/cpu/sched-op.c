/* core/sched-op.c: SCHEDOP_*, as a guest's kernel calls them. */
#include "abi/sched.h"

#include <string.h>

#include "arch-inline.h"
#include "common.h"

#define MS NS_PER_MS

static struct domain *d, *service;
static struct vcpu *v;

static void setup(void)
{
	machine_setup(2);
	service = machine_domain(0, true, 1);
	d = machine_domain(1, false, 2);
	d->evtchn.max_port = 1023;
	v = d->vcpu[0];
	machine_run(v, 0);
}

static void teardown(void)
{
	fake_core_reset();
}

static int64_t op(uint64_t cmd, guest_ptr_t arg)
{
	return call(do_sched_op, v, cmd, arg.va, 0);
}

#define put(x) fake_guest_put(&(x), sizeof(x))

/* In place of the fake that knows no pending port. */
bool evtchn_port_is_pending(struct domain *of, evtchn_port_t port)
{
	return READ_ONCE(of->shared_info->evtchn_pending[port / 64]) & BIT64(port % 64);
}

static void set_pending(evtchn_port_t port)
{
	d->shared_info->evtchn_pending[port / 64] |= BIT64(port % 64);
}

static guest_ptr_t poll_arg(const evtchn_port_t *ports, uint32_t nr, uint64_t timeout_ns)
{
	struct sched_poll poll = {
		.ports = fake_guest_put(ports, nr * sizeof(ports[0])).va,
		.nr_ports = nr,
		.timeout = timeout_ns,
	};

	return put(poll);
}

START_TEST(fails_with_enosys_for_an_operation_that_does_not_exist)
{
	ck_assert_int_eq(op(8, GUEST_PTR(0)), -XEN_ENOSYS);
	ck_assert_int_eq(op(SCHEDOP_pin_override, GUEST_PTR(0)), -XEN_ENOSYS);
}
END_TEST

START_TEST(yield_succeeds_and_reschedules)
{
	ck_assert_int_eq(op(SCHEDOP_yield, GUEST_PTR(0)), 0);
	ck_assert_uint_eq(cpus[0]->pending, CPU_PENDING_RESCHED);
}
END_TEST

START_TEST(block_sleeps_until_an_event)
{
	ck_assert_int_eq(op(SCHEDOP_block, GUEST_PTR(0)), 0);
	machine_settle();
	ck_assert_ptr_null(cpus[0]->current);
	vcpu_raise_upcall(v);
	machine_settle();
	ck_assert(sched_is_running(v));
}
END_TEST

START_TEST(poll_sleeps_until_its_port_is_pending)
{
	evtchn_port_t port = 5;

	ck_assert_int_eq(op(SCHEDOP_poll, poll_arg(&port, 1, 0)), 0);
	ck_assert_uint_eq(v->blocked_by, VCPU_POLLING);
	ck_assert_uint_eq(v->poll_port, 5);
}
END_TEST

START_TEST(poll_returns_at_once_when_a_port_is_pending)
{
	evtchn_port_t ports[] = { 5, 6, 7 };

	set_pending(7);
	ck_assert_int_eq(op(SCHEDOP_poll, poll_arg(ports, 3, 0)), 0);
	ck_assert_uint_eq(v->blocked_by, 0);
	ck_assert_uint_eq(d->evtchn.nr_pollers, 0);
}
END_TEST

START_TEST(poll_ends_at_its_absolute_timeout)
{
	evtchn_port_t ports[] = { 5, 6 };

	ck_assert_int_eq(op(SCHEDOP_poll, poll_arg(ports, 2, fake_now_ns + 10 * MS)), 0);
	ck_assert_uint_eq(v->poll_port, 0);
	machine_advance(5 * MS);
	ck_assert_uint_eq(v->blocked_by, VCPU_POLLING);
	machine_advance(6 * MS);
	ck_assert_uint_eq(v->blocked_by, 0);
}
END_TEST

START_TEST(poll_of_no_port_is_a_sleep)
{
	ck_assert_int_eq(op(SCHEDOP_poll, poll_arg(NULL, 0, fake_now_ns + MS)), 0);
	ck_assert_uint_eq(v->blocked_by, VCPU_POLLING);
	machine_advance(2 * MS);
	ck_assert_uint_eq(v->blocked_by, 0);
}
END_TEST

START_TEST(poll_takes_128_ports_and_no_more)
{
	evtchn_port_t ports[129];

	for (unsigned i = 0; i < 129; i++)
		ports[i] = i + 1;
	ck_assert_int_eq(op(SCHEDOP_poll, poll_arg(ports, 129, 0)), -XEN_EINVAL);
	ck_assert_uint_eq(v->blocked_by, 0);
	ck_assert_int_eq(op(SCHEDOP_poll, poll_arg(ports, 128, 0)), 0);
}
END_TEST

START_TEST(poll_fails_for_a_port_that_cannot_be)
{
	evtchn_port_t ports[] = { 5, UINT32_MAX };

	ck_assert_int_eq(op(SCHEDOP_poll, poll_arg(ports, 2, 0)), -XEN_EINVAL);
	ports[1] = 0;
	ck_assert_int_eq(op(SCHEDOP_poll, poll_arg(ports, 2, 0)), -XEN_EINVAL);
	ck_assert_uint_eq(v->blocked_by, 0);
}
END_TEST

START_TEST(poll_fails_when_copy_in_faults)
{
	struct sched_poll poll = { .ports = 8, .nr_ports = 1 };

	ck_assert_int_eq(op(SCHEDOP_poll, GUEST_PTR(8)), -XEN_EFAULT);
	ck_assert_int_eq(op(SCHEDOP_poll, put(poll)), -XEN_EFAULT);
	ck_assert_int_eq(call_compat(do_sched_op, v, SCHEDOP_poll, 8, 0), -XEN_EFAULT);
	ck_assert_uint_eq(v->blocked_by, 0);
}
END_TEST

START_TEST(poll_of_a_32_bit_caller_has_its_layout)
{
	evtchn_port_t port = 5;
	struct compat_sched_poll poll = {
		.ports = (uint32_t)fake_guest_put(&port, sizeof(port)).va,
		.nr_ports = 1,
		.timeout = fake_now_ns + MS,
	};

	ck_assert_int_eq(call_compat(do_sched_op, v, SCHEDOP_poll, put(poll).va, 0), 0);
	ck_assert_uint_eq(v->poll_port, 5);
	machine_advance(2 * MS);
	ck_assert_uint_eq(v->blocked_by, 0);
}
END_TEST

START_TEST(shutdown_stops_the_domain_with_its_reason)
{
	struct sched_shutdown arg = { SHUTDOWN_suspend };

	ck_assert_int_eq(op(SCHEDOP_shutdown, put(arg)), 0);
	ck_assert(d->is_shut_down);
	ck_assert_uint_eq(d->shutdown_reason, SHUTDOWN_suspend);
}
END_TEST

START_TEST(shutdown_refuses_a_reason_that_does_not_exist)
{
	struct sched_shutdown arg = { SHUTDOWN_MAX + 1 };

	ck_assert_int_eq(op(SCHEDOP_shutdown, put(arg)), -XEN_EINVAL);
	arg.reason = 256; /* 0 in a byte */
	ck_assert_int_eq(op(SCHEDOP_shutdown, put(arg)), -XEN_EINVAL);
	ck_assert_int_eq(op(SCHEDOP_shutdown_code, put(arg)), -XEN_EINVAL);
	ck_assert(!d->is_shut_down);
}
END_TEST

START_TEST(shutdown_fails_when_copy_in_faults)
{
	ck_assert_int_eq(op(SCHEDOP_shutdown, GUEST_PTR(8)), -XEN_EFAULT);
	ck_assert_int_eq(op(SCHEDOP_shutdown_code, GUEST_PTR(8)), -XEN_EFAULT);
	ck_assert(!d->is_shut_down);
}
END_TEST

START_TEST(shutdown_code_is_kept_for_the_shutdown)
{
	struct sched_shutdown arg = { SHUTDOWN_crash };

	ck_assert_int_eq(op(SCHEDOP_shutdown_code, put(arg)), 0);
	ck_assert_uint_eq(d->shutdown_code, SHUTDOWN_crash + 1);
	ck_assert(!d->is_shut_down);
}
END_TEST

START_TEST(remote_shutdown_is_for_the_privileged_only)
{
	struct sched_remote_shutdown arg = { .domain_id = 1, .reason = SHUTDOWN_crash };

	ck_assert_int_eq(op(SCHEDOP_remote_shutdown, put(arg)), -XEN_EPERM);
	ck_assert(!d->is_shut_down);
	v = service->vcpu[0];
	ck_assert_int_eq(op(SCHEDOP_remote_shutdown, put(arg)), 0);
	ck_assert(d->is_shut_down);
	ck_assert_uint_eq(d->shutdown_reason, SHUTDOWN_crash);
	ck_assert_uint_eq(d->refcount, 1);
}
END_TEST

START_TEST(remote_shutdown_refuses_bad_arguments)
{
	struct sched_remote_shutdown arg = { .domain_id = 77, .reason = SHUTDOWN_crash };

	v = service->vcpu[0];
	ck_assert_int_eq(op(SCHEDOP_remote_shutdown, put(arg)), -XEN_ESRCH);
	arg = (struct sched_remote_shutdown){ .domain_id = 1, .reason = 99 };
	ck_assert_int_eq(op(SCHEDOP_remote_shutdown, put(arg)), -XEN_EINVAL);
	ck_assert_int_eq(op(SCHEDOP_remote_shutdown, GUEST_PTR(8)), -XEN_EFAULT);
	ck_assert(!d->is_shut_down);
}
END_TEST

static int64_t watchdog(uint32_t id, uint32_t timeout_s)
{
	struct sched_watchdog arg = { id, timeout_s };

	return op(SCHEDOP_watchdog, put(arg));
}

static void watchdog_setup(void)
{
	domain_watchdog_init(d);
}

START_TEST(a_watchdog_stops_a_domain_that_does_not_restart_it)
{
	watchdog_setup();
	ck_assert_int_eq(watchdog(0, 10), 1);
	machine_advance(9 * NS_PER_SEC);
	fake_run_on(0);
	ck_assert_int_eq(watchdog(1, 10), 0);
	machine_advance(9 * NS_PER_SEC);
	ck_assert(!d->is_shut_down);
	machine_advance(2 * NS_PER_SEC);
	ck_assert(d->is_shut_down);
	ck_assert_uint_eq(d->shutdown_reason, SHUTDOWN_watchdog);
}
END_TEST

START_TEST(a_domain_has_two_watchdogs)
{
	watchdog_setup();
	ck_assert_int_eq(watchdog(0, 10), 1);
	ck_assert_int_eq(watchdog(0, 10), 2);
	ck_assert_int_eq(watchdog(0, 10), -XEN_ENOSPC);
	ck_assert_int_eq(watchdog(1, 0), 0);
	ck_assert_int_eq(watchdog(0, 10), 1);
}
END_TEST

START_TEST(a_watchdog_that_was_stopped_does_not_fire)
{
	watchdog_setup();
	ck_assert_int_eq(watchdog(0, 10), 1);
	ck_assert_int_eq(watchdog(1, 0), 0);
	machine_advance(20 * NS_PER_SEC);
	ck_assert(!d->is_shut_down);
	fake_run_on(0);
	ck_assert_int_eq(watchdog(0, 10), 1);
	d->watchdog[0].active = false; /* stopped while it was firing */
	machine_advance(20 * NS_PER_SEC);
	ck_assert(!d->is_shut_down);
}
END_TEST

START_TEST(watchdog_refuses_what_makes_no_sense)
{
	watchdog_setup();
	ck_assert_int_eq(watchdog(0, 0), -XEN_EINVAL);
	ck_assert_int_eq(watchdog(1, 10), -XEN_EINVAL);
	ck_assert_int_eq(watchdog(3, 10), -XEN_EINVAL);
	ck_assert_int_eq(watchdog(UINT32_MAX, 10), -XEN_EINVAL);
	ck_assert_int_eq(watchdog(0, 10), 1);
	ck_assert_int_eq(watchdog(3, 10), -XEN_EINVAL);
	ck_assert_int_eq(op(SCHEDOP_watchdog, GUEST_PTR(8)), -XEN_EFAULT);
	d->dying = true;
	ck_assert_int_eq(watchdog(0, 10), -XEN_EINVAL);
}
END_TEST

START_TEST(fini_stops_all_watchdogs_and_accepts_a_zeroed_domain)
{
	watchdog_setup();
	ck_assert_int_eq(watchdog(0, 10), 1);
	domain_watchdog_fini(d);
	machine_advance(20 * NS_PER_SEC);
	ck_assert(!d->is_shut_down);
	memset(d->watchdog, 0, sizeof(d->watchdog));
	domain_watchdog_fini(d);
}
END_TEST

UNIT_MAIN("sched-op", setup, teardown, fails_with_enosys_for_an_operation_that_does_not_exist,
	  yield_succeeds_and_reschedules, block_sleeps_until_an_event,
	  poll_sleeps_until_its_port_is_pending, poll_returns_at_once_when_a_port_is_pending,
	  poll_ends_at_its_absolute_timeout, poll_of_no_port_is_a_sleep,
	  poll_takes_128_ports_and_no_more, poll_fails_for_a_port_that_cannot_be,
	  poll_fails_when_copy_in_faults, poll_of_a_32_bit_caller_has_its_layout,
	  shutdown_stops_the_domain_with_its_reason, shutdown_refuses_a_reason_that_does_not_exist,
	  shutdown_fails_when_copy_in_faults, shutdown_code_is_kept_for_the_shutdown,
	  remote_shutdown_is_for_the_privileged_only, remote_shutdown_refuses_bad_arguments,
	  a_watchdog_stops_a_domain_that_does_not_restart_it, a_domain_has_two_watchdogs,
	  a_watchdog_that_was_stopped_does_not_fire, watchdog_refuses_what_makes_no_sense,
	  fini_stops_all_watchdogs_and_accepts_a_zeroed_domain)
