/* core/timer.c and core/cpu.c. */
#include "lodge/timer.h"

#include <unistd.h>

#include "arch-inline.h"
#include "fake-arch.h"
#include "lodge/sched.h"
#include "threads.h"
#include "unit.h"

#define NR 64u

static struct timer timer[NR];
static unsigned fired[NR * 4], nr_fired;

static void note(struct timer *t)
{
	fired[nr_fired++] = (unsigned)(t - timer);
	ck_assert(!t->queued);
}

static void setup(void)
{
	fake_reset();
	fake_cpus(2);
	cpu_init(cpus[0], 0);
	cpu_init(cpus[1], 1);
	cpus[0]->pending = cpus[1]->pending = 0;
	for (unsigned i = 0; i < NR; i++)
		timer_init(&timer[i], note);
}

static void teardown(void)
{
	fake_core_reset();
}

static void run_at(uint64_t ns)
{
	fake_now_ns = ns;
	timer_run_due(this_cpu());
}

START_TEST(timers_fire_in_the_order_of_their_deadlines)
{
	for (unsigned i = 0; i < NR; i++)
		timer_set(&timer[i], 2 * NS_PER_SEC + (i * 37 % NR) * 1000);
	run_at(3 * NS_PER_SEC);
	ck_assert_uint_eq(nr_fired, NR);
	for (unsigned i = 1; i < NR; i++)
		ck_assert_uint_lt(timer[fired[i - 1]].deadline_ns, timer[fired[i]].deadline_ns);
}
END_TEST

START_TEST(a_timer_does_not_fire_before_its_deadline)
{
	timer_set(&timer[0], 2 * NS_PER_SEC);
	run_at(2 * NS_PER_SEC - 1);
	ck_assert_uint_eq(nr_fired, 0);
	run_at(2 * NS_PER_SEC);
	ck_assert_uint_eq(nr_fired, 1);
	run_at(3 * NS_PER_SEC);
	ck_assert_uint_eq(nr_fired, 1);
}
END_TEST

START_TEST(the_hardware_is_set_for_the_first_deadline)
{
	timer_set(&timer[0], 3 * NS_PER_SEC);
	ck_assert_uint_eq(cpus[0]->arch.timer_deadline_ns, 3 * NS_PER_SEC);
	timer_set(&timer[1], 2 * NS_PER_SEC);
	ck_assert_uint_eq(cpus[0]->arch.timer_deadline_ns, 2 * NS_PER_SEC);
	timer_set(&timer[2], 4 * NS_PER_SEC);
	ck_assert_uint_eq(cpus[0]->arch.nr_timer_programs, 2);
	run_at(2 * NS_PER_SEC);
	ck_assert_uint_eq(cpus[0]->arch.timer_deadline_ns, 3 * NS_PER_SEC);
}
END_TEST

START_TEST(setting_a_timer_again_moves_it)
{
	timer_set(&timer[0], 2 * NS_PER_SEC);
	timer_set(&timer[0], 5 * NS_PER_SEC);
	ck_assert_uint_eq(cpus[0]->arch.timer_deadline_ns, 5 * NS_PER_SEC);
	run_at(3 * NS_PER_SEC);
	ck_assert_uint_eq(nr_fired, 0);
	timer_set(&timer[0], 4 * NS_PER_SEC);
	run_at(4 * NS_PER_SEC);
	ck_assert_uint_eq(nr_fired, 1);
}
END_TEST

START_TEST(a_timer_set_for_never_is_off)
{
	timer_set(&timer[0], 2 * NS_PER_SEC);
	timer_set(&timer[0], TIME_NEVER);
	ck_assert(!timer[0].queued);
	run_at(100 * NS_PER_SEC);
	ck_assert_uint_eq(nr_fired, 0);
}
END_TEST

START_TEST(cancel_is_idempotent)
{
	timer_set(&timer[0], 2 * NS_PER_SEC);
	timer_cancel(&timer[0]);
	timer_cancel(&timer[0]);
	run_at(3 * NS_PER_SEC);
	ck_assert_uint_eq(nr_fired, 0);
}
END_TEST

START_TEST(a_timer_of_another_cpu_can_be_cancelled)
{
	timer_set(&timer[0], 2 * NS_PER_SEC);
	fake_run_on(1);
	timer_cancel(&timer[0]);
	fake_run_on(0);
	run_at(3 * NS_PER_SEC);
	ck_assert_uint_eq(nr_fired, 0);
}
END_TEST

START_TEST(a_timer_belongs_to_the_cpu_that_it_was_set_on)
{
	timer_set(&timer[0], 2 * NS_PER_SEC);
	fake_run_on(1);
	timer_set(&timer[0], 3 * NS_PER_SEC);
	ck_assert_uint_eq(timer[0].cpu, 1);
	ck_assert(heap_is_empty(&cpus[0]->timer.queue));
	ck_assert_uint_eq(cpus[1]->arch.timer_deadline_ns, 3 * NS_PER_SEC);
	run_at(3 * NS_PER_SEC);
	ck_assert_uint_eq(nr_fired, 1);
}
END_TEST

START_TEST(migrate_moves_a_queued_timer_to_this_cpu)
{
	timer_set(&timer[0], 2 * NS_PER_SEC);
	fake_run_on(1);
	timer_migrate(&timer[0]);
	ck_assert_uint_eq(timer[0].cpu, 1);
	ck_assert_uint_eq(cpus[1]->arch.timer_deadline_ns, 2 * NS_PER_SEC);
	timer_migrate(&timer[0]);
	run_at(2 * NS_PER_SEC);
	ck_assert_uint_eq(nr_fired, 1);
}
END_TEST

START_TEST(migrate_leaves_a_timer_that_is_off_alone)
{
	fake_run_on(1);
	timer_migrate(&timer[0]);
	ck_assert_uint_eq(timer[0].cpu, 0);
	ck_assert(!timer[0].queued);
}
END_TEST

static void set_again(struct timer *t)
{
	note(t);
	timer_set(t, fake_now_ns);
}

START_TEST(a_function_that_sets_its_timer_for_now_does_not_hold_up_the_cpu)
{
	timer_init(&timer[0], set_again);
	timer_set(&timer[0], 2 * NS_PER_SEC);
	run_at(2 * NS_PER_SEC);
	ck_assert_uint_eq(nr_fired, 1);
	ck_assert_uint_eq(cpus[0]->arch.timer_deadline_ns, 2 * NS_PER_SEC + 1);
}
END_TEST

static volatile bool slow_has_begun, slow_is_over;

static void set_again_slowly(struct timer *t)
{
	slow_has_begun = true;
	usleep(20000);
	timer_set(t, fake_now_ns);
	slow_is_over = true;
}

static void run_slow_timer(unsigned cpu)
{
	(void)cpu;
	timer_set(&timer[0], fake_now_ns);
	timer_run_due(cpus[0]);
}

static void end_slow_timer(unsigned cpu)
{
	(void)cpu;
	while (!slow_has_begun)
		usleep(100);
	timer_fini(&timer[0]);
	ck_assert(slow_is_over);
	ck_assert(!timer[0].queued);
}

START_TEST(the_end_of_a_timer_waits_for_its_function)
{
	timer_init(&timer[0], set_again_slowly);
	fake_now_ns = 2 * NS_PER_SEC;
	run_threads(2, (void (*const[])(unsigned)){ run_slow_timer, end_slow_timer });
	ck_assert(slow_is_over);
	ck_assert(!timer[0].queued);
}
END_TEST

START_TEST(nothing_is_programmed_when_nothing_is_set)
{
	run_at(5 * NS_PER_SEC);
	ck_assert_uint_eq(cpus[0]->arch.nr_timer_programs, 0);
}
END_TEST

START_TEST(the_end_of_a_slice_is_a_deadline_as_well)
{
	cpus[0]->sched.slice_end_ns = 2 * NS_PER_SEC;
	timer_slice_changed(cpus[0]);
	ck_assert_uint_eq(cpus[0]->arch.timer_deadline_ns, 2 * NS_PER_SEC);
	timer_set(&timer[0], 3 * NS_PER_SEC);
	ck_assert_uint_eq(cpus[0]->arch.timer_deadline_ns, 2 * NS_PER_SEC);
	run_at(2 * NS_PER_SEC);
	ck_assert_uint_eq(cpus[0]->pending, CPU_PENDING_RESCHED);
	ck_assert_uint_eq(cpus[0]->arch.timer_deadline_ns, 3 * NS_PER_SEC);
}
END_TEST

START_TEST(a_later_slice_does_not_touch_the_hardware)
{
	timer_set(&timer[0], 2 * NS_PER_SEC);
	cpus[0]->sched.slice_end_ns = 3 * NS_PER_SEC;
	timer_slice_changed(cpus[0]);
	ck_assert_uint_eq(cpus[0]->arch.nr_timer_programs, 1);
}
END_TEST

START_TEST(raise_interrupts_another_cpu_once)
{
	cpu_raise(cpus[1], CPU_PENDING_RESCHED);
	cpu_raise(cpus[1], CPU_PENDING_RESCHED);
	ck_assert_uint_eq(cpus[1]->arch.nr_kicks, 1);
	cpu_raise(cpus[1], CPU_PENDING_TIMER);
	ck_assert_uint_eq(cpus[1]->arch.nr_kicks, 2);
	ck_assert_uint_eq(cpus[1]->pending, CPU_PENDING_RESCHED | CPU_PENDING_TIMER);
}
END_TEST

START_TEST(raise_does_not_interrupt_the_cpu_itself)
{
	cpu_raise(cpus[0], CPU_PENDING_RESCHED);
	ck_assert_uint_eq(cpus[0]->arch.nr_kicks, 0);
	ck_assert_uint_eq(cpus[0]->pending, CPU_PENDING_RESCHED);
}
END_TEST

START_TEST(do_pending_runs_due_timers_and_clears_what_it_did)
{
	timer_set(&timer[0], 2 * NS_PER_SEC);
	fake_now_ns = 2 * NS_PER_SEC;
	cpu_raise(cpus[0], CPU_PENDING_TIMER | CPU_PENDING_RESCHED);
	cpu_do_pending(cpus[0]);
	ck_assert_uint_eq(nr_fired, 1);
	ck_assert_uint_eq(cpus[0]->pending, 0);
}
END_TEST

UNIT_MAIN("timer", setup, teardown, timers_fire_in_the_order_of_their_deadlines,
	  a_timer_does_not_fire_before_its_deadline, the_hardware_is_set_for_the_first_deadline,
	  setting_a_timer_again_moves_it, a_timer_set_for_never_is_off, cancel_is_idempotent,
	  a_timer_of_another_cpu_can_be_cancelled, a_timer_belongs_to_the_cpu_that_it_was_set_on,
	  migrate_moves_a_queued_timer_to_this_cpu, migrate_leaves_a_timer_that_is_off_alone,
	  a_function_that_sets_its_timer_for_now_does_not_hold_up_the_cpu,
	  the_end_of_a_timer_waits_for_its_function, nothing_is_programmed_when_nothing_is_set,
	  the_end_of_a_slice_is_a_deadline_as_well, a_later_slice_does_not_touch_the_hardware,
	  raise_interrupts_another_cpu_once, raise_does_not_interrupt_the_cpu_itself,
	  do_pending_runs_due_timers_and_clears_what_it_did)
