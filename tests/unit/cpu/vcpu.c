/* core/vcpu.c and core/time-info.c. */
#include "lodge/vcpu.h"

#include <string.h>

#include "abi/sched.h"
#include "common.h"
#include "lodge/page.h"

#define MS NS_PER_MS

static struct domain *d;

static void setup(void)
{
	machine_setup(2);
	d = machine_domain(1, false, 3);
}

static void teardown(void)
{
	fake_core_reset();
}

static struct vcpu *vcpu(unsigned id)
{
	return d->vcpu[id];
}

/* Life */

START_TEST(a_new_vcpu_is_down_and_has_a_clock)
{
	const struct vcpu_time_info *t = &d->shared_info->vcpu_info[1].time;

	ck_assert_uint_eq(vcpu(1)->blocked_by, VCPU_DOWN);
	ck_assert(!vcpu(1)->initialised);
	ck_assert_ptr_eq(vcpu(1)->info, &d->shared_info->vcpu_info[1]);
	ck_assert_uint_ne(t->tsc_to_system_mul, 0);
	ck_assert_uint_ne(t->version, 0);
	ck_assert_uint_eq(t->version % 2, 0);
	ck_assert_int_eq(vcpu(1)->runstate.state, RUNSTATE_offline);
}
END_TEST

START_TEST(a_vcpu_beyond_shared_info_has_a_record_of_its_own)
{
	struct domain *large = fake_domain(2, false, 40);
	struct vcpu *was = large->vcpu[35];

	ck_assert_int_eq(vcpu_create(large, 35), 0);
	ck_assert_ptr_eq(large->vcpu[35]->info, &large->vcpu[35]->own_info);
	vcpu_destroy(large->vcpu[35]);
	large->vcpu[35] = was;
}
END_TEST

START_TEST(create_fails_without_memory)
{
	struct domain *other = fake_domain(2, false, 0);

	fake_alloc_budget = 0;
	ck_assert_int_eq(vcpu_create(other, 0), -XEN_ENOMEM);
	ck_assert_ptr_null(other->vcpu[0]);
}
END_TEST

START_TEST(destroy_gives_back_all_memory_and_pages)
{
	long allocs = fake_nr_allocs;
	struct vcpu *v = vcpu(2);
	mfn_t ram = machine_ram(d, 2);

	ck_assert_int_eq(vcpu_area_register(v, &v->runstate_area,
					    GUEST_PTR(FAKE_GUEST_BASE + PAGE_SIZE - 8), 48),
			 0);
	ck_assert_int_eq(vcpu_area_register(v, &v->time_area, GUEST_PTR(FAKE_GUEST_BASE), 32), 0);
	ck_assert_uint_eq(mfn_to_page(ram)->count, 3);
	vcpu_set_singleshot(v, TIME_NEVER - 1);
	timer_set(&v->periodic, TIME_NEVER - 1);
	timer_set(&v->poll_timer, TIME_NEVER - 1);
	vcpu_destroy(v);
	ck_assert_uint_eq(mfn_to_page(ram)->count, 1);
	ck_assert_uint_eq(mfn_to_page(MFN(ram.n + 1))->count, 1);
	ck_assert_ptr_null(d->vcpu[2]);
	ck_assert_int_eq(fake_nr_allocs, allocs - 1);
	ck_assert(heap_is_empty(&cpus[0]->timer.queue));
}
END_TEST

/* Reasons not to run */

START_TEST(it_runs_once_the_last_reason_not_to_is_gone)
{
	vcpu_block(vcpu(0), VCPU_HALTED);
	vcpu_unblock(vcpu(0), VCPU_DOWN);
	machine_settle();
	ck_assert(!sched_is_running(vcpu(0)));
	vcpu_unblock(vcpu(0), VCPU_HALTED);
	machine_settle();
	ck_assert(sched_is_running(vcpu(0)));
	ck_assert(vcpu(0)->initialised);
}
END_TEST

START_TEST(unblock_of_what_does_not_block_changes_nothing)
{
	vcpu_unblock(vcpu(0), VCPU_HALTED | VCPU_POLLING);
	ck_assert_uint_eq(vcpu(0)->blocked_by, VCPU_DOWN);
	ck_assert_uint_eq(d->evtchn.nr_pollers, 0);
}
END_TEST

START_TEST(pauses_are_counted)
{
	machine_run(vcpu(0), 0);
	vcpu_pause(vcpu(0));
	vcpu_pause(vcpu(0));
	machine_settle();
	ck_assert(!sched_is_running(vcpu(0)));
	vcpu_unpause(vcpu(0));
	machine_settle();
	ck_assert(!sched_is_running(vcpu(0)));
	ck_assert_uint_ne(vcpu(0)->blocked_by & VCPU_PAUSED, 0);
	vcpu_unpause(vcpu(0));
	machine_settle();
	ck_assert(sched_is_running(vcpu(0)));
}
END_TEST

static void let_go(struct cpu *c)
{
	machine_pass(c->id);
	fake_run_on(0);
}

START_TEST(pause_returns_once_it_runs_nowhere)
{
	machine_run(vcpu(0), 1);
	fake_run_on(0);
	fake_on_kick = let_go;
	vcpu_pause(vcpu(0));
	ck_assert(!sched_is_running(vcpu(0)));
}
END_TEST

START_TEST(try_pause_gives_up_when_something_else_wants_this_cpu)
{
	machine_run(vcpu(0), 0);
	machine_run(vcpu(1), 1);
	fake_run_on(0);
	cpu_raise(cpus[0], CPU_PENDING_RESCHED);
	ck_assert_int_eq(vcpu_try_pause(vcpu(1)), -XEN_EAGAIN);
	ck_assert_uint_eq(vcpu(1)->blocked_by, 0);
}
END_TEST

static void pass_time(struct cpu *c)
{
	(void)c;
	fake_now_ns += NS_PER_SEC; /* after the deadline was computed */
}

START_TEST(try_pause_gives_up_after_a_while)
{
	machine_run(vcpu(1), 1);
	fake_run_on(0);
	fake_on_kick = pass_time;
	ck_assert_int_eq(vcpu_try_pause(vcpu(1)), -XEN_EAGAIN);
	ck_assert_uint_eq(vcpu(1)->blocked_by, 0);
	machine_settle();
	ck_assert(sched_is_running(vcpu(1)));
}
END_TEST

START_TEST(try_pause_pauses_what_stops)
{
	machine_run(vcpu(1), 1);
	fake_run_on(0);
	fake_on_kick = let_go;
	ck_assert_int_eq(vcpu_try_pause(vcpu(1)), 0);
	ck_assert(!sched_is_running(vcpu(1)));
	vcpu_unpause(vcpu(1));
	machine_settle();
	ck_assert(sched_is_running(vcpu(1)));
}
END_TEST

START_TEST(the_last_one_to_go_down_powers_off_the_domain)
{
	machine_run(vcpu(0), 0);
	machine_run(vcpu(1), 1);
	vcpu_go_down(vcpu(1));
	ck_assert(!d->is_shut_down);
	vcpu_go_down(vcpu(0));
	ck_assert(d->is_shut_down);
	ck_assert_uint_eq(d->shutdown_reason, SHUTDOWN_poweroff);
}
END_TEST

/* Waiting */

START_TEST(halt_waits_until_kicked)
{
	machine_run(vcpu(0), 0);
	vcpu_halt(vcpu(0));
	machine_settle();
	ck_assert_ptr_null(cpus[0]->current);
	vcpu_kick(vcpu(0));
	machine_settle();
	ck_assert(sched_is_running(vcpu(0)));
}
END_TEST

START_TEST(halt_does_not_wait_when_an_interrupt_is_there)
{
	machine_run(vcpu(0), 0);
	vcpu(0)->arch.has_interrupt = true;
	vcpu_halt(vcpu(0));
	ck_assert_uint_eq(vcpu(0)->blocked_by, 0);
}
END_TEST

START_TEST(kick_makes_a_running_vcpu_leave_guest_mode)
{
	machine_run(vcpu(0), 1);
	fake_run_on(0);
	cpus[1]->arch.nr_kicks = 0;
	vcpu_kick(vcpu(0));
	ck_assert_uint_eq(cpus[1]->arch.nr_kicks, 1);
	fake_run_on(1);
	vcpu_kick(vcpu(0)); /* by itself: it is not in guest mode */
	ck_assert_uint_eq(cpus[1]->arch.nr_kicks, 1);
}
END_TEST

START_TEST(kick_does_not_start_a_vcpu_that_is_down)
{
	vcpu_kick(vcpu(0));
	machine_settle();
	ck_assert(!sched_is_running(vcpu(0)));
}
END_TEST

START_TEST(poll_waits_until_unblocked)
{
	machine_run(vcpu(0), 0);
	vcpu_poll(vcpu(0), 7, TIME_NEVER);
	machine_settle();
	ck_assert_uint_eq(vcpu(0)->poll_port, 7);
	ck_assert_uint_eq(d->evtchn.nr_pollers, 1);
	ck_assert_ptr_null(cpus[0]->current);
	vcpu_unblock(vcpu(0), VCPU_POLLING);
	ck_assert_uint_eq(d->evtchn.nr_pollers, 0);
	machine_settle();
	ck_assert(sched_is_running(vcpu(0)));
}
END_TEST

START_TEST(poll_ends_at_its_timeout)
{
	machine_run(vcpu(0), 0);
	vcpu_poll(vcpu(0), 0, fake_now_ns + 10 * MS);
	machine_advance(9 * MS);
	ck_assert(!sched_is_running(vcpu(0)));
	machine_advance(2 * MS);
	ck_assert(sched_is_running(vcpu(0)));
	ck_assert_uint_eq(d->evtchn.nr_pollers, 0);
}
END_TEST

START_TEST(poll_ends_when_kicked)
{
	machine_run(vcpu(0), 0);
	vcpu_poll(vcpu(0), 0, TIME_NEVER);
	machine_settle();
	vcpu_kick(vcpu(0));
	ck_assert_uint_eq(d->evtchn.nr_pollers, 0);
	machine_settle();
	ck_assert(sched_is_running(vcpu(0)));
}
END_TEST

START_TEST(poll_does_not_wait_when_an_interrupt_is_there)
{
	machine_run(vcpu(0), 0);
	vcpu(0)->arch.has_interrupt = true;
	vcpu_poll(vcpu(0), 0, TIME_NEVER);
	ck_assert_uint_eq(vcpu(0)->blocked_by, 0);
	ck_assert_uint_eq(d->evtchn.nr_pollers, 0);
}
END_TEST

START_TEST(the_timeout_of_an_earlier_poll_does_not_end_a_later_one)
{
	machine_run(vcpu(0), 0);
	vcpu_poll(vcpu(0), 0, fake_now_ns + 10 * MS);
	machine_settle();
	vcpu_kick(vcpu(0));
	machine_settle();
	vcpu_poll(vcpu(0), 0, TIME_NEVER);
	machine_advance(NS_PER_SEC);
	ck_assert_uint_eq(vcpu(0)->blocked_by, VCPU_POLLING);
}
END_TEST

/* Timers */

START_TEST(a_singleshot_timer_raises_its_virq_once)
{
	machine_run(vcpu(0), 0);
	vcpu_set_singleshot(vcpu(0), fake_now_ns + MS);
	machine_advance(MS - 1);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_TIMER], 0);
	machine_advance(10 * MS);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_TIMER], 1);
}
END_TEST

START_TEST(a_deadline_that_has_passed_fires_at_once)
{
	machine_run(vcpu(0), 0);
	vcpu_set_singleshot(vcpu(0), fake_now_ns + MS);
	vcpu_set_singleshot(vcpu(0), fake_now_ns);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_TIMER], 1);
	machine_advance(10 * MS);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_TIMER], 1);
}
END_TEST

START_TEST(a_periodic_timer_keeps_its_rhythm)
{
	machine_run(vcpu(0), 0);
	vcpu(0)->periodic_ns = 10 * MS;
	timer_set(&vcpu(0)->periodic, fake_now_ns + 10 * MS);
	machine_advance(105 * MS);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_TIMER], 10);
}
END_TEST

START_TEST(a_periodic_timer_does_not_make_up_for_lost_time)
{
	machine_run(vcpu(0), 0);
	vcpu(0)->periodic_ns = 10 * MS;
	timer_set(&vcpu(0)->periodic, fake_now_ns + 10 * MS);
	fake_now_ns += NS_PER_SEC;
	machine_advance(10 * MS);
	ck_assert_uint_le(fake_nr_virqs[VIRQ_TIMER], 2);
}
END_TEST

START_TEST(a_periodic_timer_stops_when_its_period_is_gone)
{
	machine_run(vcpu(0), 0);
	timer_set(&vcpu(0)->periodic, fake_now_ns + 10 * MS);
	machine_advance(100 * MS);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_TIMER], 0);
}
END_TEST

/* Upcalls and records */

START_TEST(an_upcall_is_injected_once_until_the_guest_clears_it)
{
	vcpu_raise_upcall(vcpu(0));
	vcpu_raise_upcall(vcpu(0));
	ck_assert(vcpu_upcall_pending(vcpu(0)));
	ck_assert_uint_eq(vcpu(0)->arch.nr_upcalls, 1);
	vcpu(0)->info->evtchn_upcall_pending = 0;
	vcpu_raise_upcall(vcpu(0));
	ck_assert_uint_eq(vcpu(0)->arch.nr_upcalls, 2);
}
END_TEST

START_TEST(an_upcall_ends_halt)
{
	machine_run(vcpu(0), 0);
	vcpu_halt(vcpu(0));
	machine_settle();
	vcpu_raise_upcall(vcpu(0));
	ck_assert_uint_eq(vcpu(0)->blocked_by, 0);
}
END_TEST

START_TEST(set_info_carries_over_and_has_the_guest_look_at_everything)
{
	struct vcpu_info *new = mfn_to_ptr(machine_ram(d, 1));

	vcpu(0)->info->arch.cr2 = 0x1234;
	vcpu_set_info(vcpu(0), new);
	ck_assert_ptr_eq(vcpu(0)->info, new);
	ck_assert_uint_eq(new->arch.cr2, 0x1234);
	ck_assert_uint_eq(new->evtchn_pending_sel, UINT64_MAX);
	ck_assert_uint_eq(new->evtchn_upcall_pending, 1);
	ck_assert_uint_ne(new->time.tsc_to_system_mul, 0);
	ck_assert_uint_eq(vcpu(0)->arch.nr_upcalls, 1);
}
END_TEST

START_TEST(set_info_knows_the_32_bit_layout)
{
	struct vcpu_info *new = mfn_to_ptr(machine_ram(d, 1));
	struct compat_vcpu_info *c = (struct compat_vcpu_info *)(void *)new;

	d->compat = true;
	vcpu_set_info(vcpu(0), new);
	ck_assert_uint_eq(c->evtchn_pending_sel, UINT32_MAX);
	ck_assert_uint_eq(c->arch.cr2, 0);
}
END_TEST

START_TEST(forget_returns_to_the_record_in_shared_info)
{
	mfn_t ram = machine_ram(d, 1);

	ck_assert(page_get(ram, d->id));
	vcpu(0)->info_mfn = ram;
	vcpu_set_info(vcpu(0), mfn_to_ptr(ram));
	vcpu_forget_areas(vcpu(0));
	vcpu_forget_areas(vcpu(0));
	ck_assert_ptr_eq(vcpu(0)->info, &d->shared_info->vcpu_info[0]);
	ck_assert_uint_eq(mfn_to_page(ram)->count, 1);
}
END_TEST

static const uint8_t *at_page_end(mfn_t first, size_t before_end)
{
	return (const uint8_t *)mfn_to_ptr(first) + PAGE_SIZE - before_end;
}

START_TEST(time_area_is_a_second_copy_of_the_clock)
{
	mfn_t ram = machine_ram(d, 2);
	struct vcpu_time_info copy;

	ck_assert_int_eq(vcpu_area_register(vcpu(0), &vcpu(0)->time_area,
					    GUEST_PTR(FAKE_GUEST_BASE + PAGE_SIZE - 10),
					    sizeof(copy)),
			 0);
	fake_now_ns = 77 * NS_PER_SEC;
	vcpu_update_time(vcpu(0));
	memcpy(&copy, at_page_end(ram, 10), 10);
	memcpy((uint8_t *)&copy + 10, mfn_to_ptr(MFN(ram.n + 1)), sizeof(copy) - 10);
	ck_assert_uint_eq(copy.system_time, 77 * NS_PER_SEC);
	ck_assert_uint_eq(copy.version % 2, 0);
	ck_assert_uint_eq(vcpu(0)->info->time.system_time, 77 * NS_PER_SEC);
}
END_TEST

START_TEST(an_area_that_cannot_be_reached_changes_nothing)
{
	mfn_t ram = machine_ram(d, 1);
	struct vcpu_area *area = &vcpu(0)->runstate_area;

	ck_assert_int_eq(vcpu_area_register(vcpu(0), area, GUEST_PTR(FAKE_GUEST_BASE), 48), 0);
	ck_assert_int_eq(vcpu_area_register(vcpu(0), area, GUEST_PTR(8), 48), -XEN_EFAULT);
	/* The second page of it is not there. */
	ck_assert_int_lt(
		vcpu_area_register(vcpu(0), area, GUEST_PTR(FAKE_GUEST_BASE + PAGE_SIZE - 8), 48),
		0);
	ck_assert_ptr_eq(area->part[0], mfn_to_ptr(ram));
	ck_assert_uint_eq(mfn_to_page(ram)->count, 2);
	ck_assert_int_eq(vcpu_area_register(vcpu(0), area, GUEST_PTR(0), 48), 0);
	ck_assert_ptr_null(area->part[0]);
	ck_assert_uint_eq(mfn_to_page(ram)->count, 1);
}
END_TEST

START_TEST(publish_writes_the_run_state)
{
	mfn_t ram = machine_ram(d, 1);
	const struct vcpu_runstate_info *r = mfn_to_ptr(ram);

	ck_assert_int_eq(vcpu_area_register(vcpu(0), &vcpu(0)->runstate_area,
					    GUEST_PTR(FAKE_GUEST_BASE), sizeof(*r)),
			 0);
	fake_now_ns += 5 * MS;
	machine_run(vcpu(0), 0);
	ck_assert(vcpu(0)->runstate_dirty);
	vcpu_publish(vcpu(0));
	ck_assert(!vcpu(0)->runstate_dirty);
	ck_assert_int_eq(r->state, RUNSTATE_running);
	ck_assert_uint_eq(r->state_entry_time, fake_now_ns);
	ck_assert_uint_eq(r->time[RUNSTATE_offline], 5 * MS);
}
END_TEST

START_TEST(publish_leaves_no_update_flag_behind)
{
	mfn_t ram = machine_ram(d, 2);
	struct vcpu_runstate_info r;

	d->vm_assist = BIT64(VMASST_TYPE_runstate_update_flag);
	ck_assert_int_eq(vcpu_area_register(vcpu(0), &vcpu(0)->runstate_area,
					    GUEST_PTR(FAKE_GUEST_BASE + PAGE_SIZE - 20), sizeof(r)),
			 0);
	machine_run(vcpu(0), 0);
	vcpu_publish(vcpu(0));
	memcpy(&r, at_page_end(ram, 20), 20);
	memcpy((uint8_t *)&r + 20, mfn_to_ptr(MFN(ram.n + 1)), sizeof(r) - 20);
	ck_assert_uint_eq(r.state_entry_time, fake_now_ns);
	ck_assert_int_eq(r.state, RUNSTATE_running);
}
END_TEST

START_TEST(publish_knows_the_32_bit_layout)
{
	mfn_t ram = machine_ram(d, 1);
	const struct compat_vcpu_runstate_info *r = mfn_to_ptr(ram);

	vcpu(0)->runstate_compat = true;
	d->vm_assist = BIT64(VMASST_TYPE_runstate_update_flag);
	ck_assert_int_eq(vcpu_area_register(vcpu(0), &vcpu(0)->runstate_area,
					    GUEST_PTR(FAKE_GUEST_BASE), sizeof(*r)),
			 0);
	fake_now_ns += 3 * MS;
	machine_run(vcpu(0), 0);
	vcpu_publish(vcpu(0));
	ck_assert_int_eq(r->state, RUNSTATE_running);
	ck_assert_uint_eq(r->state_entry_time, fake_now_ns);
	ck_assert_uint_eq(r->time[RUNSTATE_offline], 3 * MS);
}
END_TEST

START_TEST(publish_without_an_area_writes_nothing)
{
	machine_run(vcpu(0), 0);
	vcpu_publish(vcpu(0));
	ck_assert(!vcpu(0)->runstate_dirty);
}
END_TEST

/* Wall clock */

START_TEST(the_wall_clock_is_in_shared_info)
{
	fake_wall_clock_ns = 0x123456789 * NS_PER_SEC + 42;
	domain_update_wallclock(d);
	ck_assert_uint_eq(d->shared_info->wc_sec, 0x23456789);
	ck_assert_uint_eq(d->shared_info->wc_sec_hi, 1);
	ck_assert_uint_eq(d->shared_info->wc_nsec, 42);
	ck_assert_uint_eq(d->shared_info->wc_version % 2, 0);
	ck_assert_uint_ne(d->shared_info->wc_version, 0);
}
END_TEST

START_TEST(a_new_wall_clock_reaches_all_domains)
{
	struct domain *other = fake_domain(7, false, 0), *none = fake_domain(8, false, 0);
	struct compat_shared_info *c = (struct compat_shared_info *)(void *)other->shared_info;
	struct shared_info *s = none->shared_info;

	other->compat = true;
	none->shared_info = NULL; /* on its way out */
	fake_wall_clock_ns = 0x100000002 * NS_PER_SEC;
	domain_update_all_wallclocks();
	ck_assert_uint_eq(d->shared_info->wc_sec, 2);
	ck_assert_uint_eq(c->wc_sec, 2);
	ck_assert_uint_eq(c->arch.wc_sec_hi, 1);
	ck_assert_uint_eq(s->wc_version, 0);
	ck_assert_uint_eq(d->refcount, 1);
}
END_TEST

UNIT_MAIN("vcpu", setup, teardown, a_new_vcpu_is_down_and_has_a_clock,
	  a_vcpu_beyond_shared_info_has_a_record_of_its_own, create_fails_without_memory,
	  destroy_gives_back_all_memory_and_pages, it_runs_once_the_last_reason_not_to_is_gone,
	  unblock_of_what_does_not_block_changes_nothing, pauses_are_counted,
	  pause_returns_once_it_runs_nowhere, try_pause_gives_up_when_something_else_wants_this_cpu,
	  try_pause_gives_up_after_a_while, try_pause_pauses_what_stops,
	  the_last_one_to_go_down_powers_off_the_domain, halt_waits_until_kicked,
	  halt_does_not_wait_when_an_interrupt_is_there, kick_makes_a_running_vcpu_leave_guest_mode,
	  kick_does_not_start_a_vcpu_that_is_down, poll_waits_until_unblocked,
	  poll_ends_at_its_timeout, poll_ends_when_kicked,
	  poll_does_not_wait_when_an_interrupt_is_there,
	  the_timeout_of_an_earlier_poll_does_not_end_a_later_one,
	  a_singleshot_timer_raises_its_virq_once, a_deadline_that_has_passed_fires_at_once,
	  a_periodic_timer_keeps_its_rhythm, a_periodic_timer_does_not_make_up_for_lost_time,
	  a_periodic_timer_stops_when_its_period_is_gone,
	  an_upcall_is_injected_once_until_the_guest_clears_it, an_upcall_ends_halt,
	  set_info_carries_over_and_has_the_guest_look_at_everything,
	  set_info_knows_the_32_bit_layout, forget_returns_to_the_record_in_shared_info,
	  time_area_is_a_second_copy_of_the_clock, an_area_that_cannot_be_reached_changes_nothing,
	  publish_writes_the_run_state, publish_leaves_no_update_flag_behind,
	  publish_knows_the_32_bit_layout, publish_without_an_area_writes_nothing,
	  the_wall_clock_is_in_shared_info, a_new_wall_clock_reaches_all_domains)
