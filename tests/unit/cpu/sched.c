/* core/sched.c: who runs where after each single event. sched-fair.c has what follows over time. */
#include "lodge/sched.h"

#include <string.h>

#include "common.h"

#define MS NS_PER_MS

static struct domain *d;

static void setup(void)
{
	machine_setup(4);
	d = machine_domain(1, false, 8);
}

static void teardown(void)
{
	fake_core_reset();
}

static struct vcpu *vcpu(unsigned id)
{
	return d->vcpu[id];
}

static void pin(struct vcpu *v, uint64_t mask)
{
	bitmap_word_t map[BITMAP_WORDS(MAX_CPUS)] = { mask };

	ck_assert_int_eq(sched_set_affinity(v, map), 0);
}

static void wake(struct vcpu *v)
{
	vcpu_unblock(v, VCPU_DOWN);
}

/* Pins n vCPUs to CPU 0 and wakes them. */
static void crowd(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		pin(vcpu(i), 1);
		wake(vcpu(i));
		machine_settle();
	}
}

START_TEST(a_vcpu_that_wakes_on_an_idle_machine_runs)
{
	machine_settle();
	wake(vcpu(0));
	machine_settle();
	ck_assert_ptr_eq(cpus[vcpu(0)->cpu]->current, vcpu(0));
	ck_assert(sched_is_running(vcpu(0)));
	ck_assert_uint_eq(vcpu(0)->arch.nr_switched_in, 1);
	ck_assert_int_eq(vcpu(0)->runstate.state, RUNSTATE_running);
}
END_TEST

START_TEST(wake_is_idempotent)
{
	crowd(2);
	sched_wake(vcpu(0));
	sched_wake(vcpu(1));
	ck_assert_uint_eq(cpus[0]->sched.nr_runnable, 1);
	ck_assert_uint_eq(cpus[0]->sched.load, 2 * SCHED_WEIGHT_DEFAULT);
}
END_TEST

START_TEST(a_vcpu_that_is_blocked_is_not_woken)
{
	sched_wake(vcpu(0));
	machine_settle();
	ck_assert(!sched_is_running(vcpu(0)));
	ck_assert(!vcpu(0)->sched.queued);
}
END_TEST

START_TEST(a_lonely_vcpu_takes_no_ticks)
{
	crowd(1);
	ck_assert_uint_eq(cpus[0]->sched.slice_end_ns, TIME_NEVER);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(cpus[i]->arch.timer_deadline_ns, TIME_NEVER);
}
END_TEST

START_TEST(a_slice_ends_when_somebody_waits)
{
	crowd(2);
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
	ck_assert_uint_eq(cpus[0]->arch.timer_deadline_ns, fake_now_ns + 5 * MS);
	machine_advance(5 * MS);
	ck_assert_ptr_eq(cpus[0]->current, vcpu(1));
	machine_advance(5 * MS);
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
}
END_TEST

START_TEST(the_last_one_left_takes_no_ticks_either)
{
	crowd(2);
	machine_advance(5 * MS);
	vcpu_block(vcpu(0), VCPU_DOWN);
	machine_advance(5 * MS);
	ck_assert_ptr_eq(cpus[0]->current, vcpu(1));
	machine_advance(100 * MS);
	ck_assert_uint_eq(cpus[0]->arch.timer_deadline_ns, TIME_NEVER);
}
END_TEST

START_TEST(wake_prefers_the_cpu_where_it_ran_last)
{
	machine_run(vcpu(0), 3);
	vcpu_halt(vcpu(0));
	machine_settle();
	ck_assert_ptr_null(cpus[3]->current);
	vcpu_kick(vcpu(0));
	machine_settle();
	ck_assert_ptr_eq(cpus[3]->current, vcpu(0));
}
END_TEST

START_TEST(wake_takes_an_idle_cpu_when_the_last_one_is_busy)
{
	machine_run(vcpu(0), 3);
	vcpu_halt(vcpu(0));
	machine_settle();
	machine_run(vcpu(1), 3);
	fake_run_on(0);
	vcpu_kick(vcpu(0));
	machine_settle();
	ck_assert_uint_ne(vcpu(0)->cpu, 3);
	ck_assert(sched_is_running(vcpu(0)));
	ck_assert_ptr_eq(cpus[3]->current, vcpu(1));
}
END_TEST

START_TEST(two_wakes_take_two_idle_cpus)
{
	machine_settle();
	wake(vcpu(0));
	wake(vcpu(4)); /* last "ran" on the same one */
	ck_assert_uint_ne(vcpu(0)->cpu, vcpu(4)->cpu);
	machine_settle();
	ck_assert(sched_is_running(vcpu(0)));
	ck_assert(sched_is_running(vcpu(4)));
}
END_TEST

START_TEST(a_sleeper_preempts_a_hog_on_waking)
{
	crowd(2);
	machine_advance(5 * MS);
	fake_run_on(0);
	vcpu_halt(vcpu(1));
	machine_settle();
	machine_advance(50 * MS);
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
	vcpu_kick(vcpu(1));
	machine_settle();
	ck_assert_ptr_eq(cpus[0]->current, vcpu(1));
}
END_TEST

START_TEST(a_sleeper_that_wakes_early_in_a_turn_waits_until_it_is_100_us_old)
{
	crowd(2);
	machine_advance(5 * MS);
	fake_run_on(0);
	vcpu_halt(vcpu(1));
	machine_settle();
	machine_advance(50 * MS);
	vcpu_kick(vcpu(1));
	machine_settle();
	vcpu_halt(vcpu(1)); /* still behind; the turn of the other one begins */
	machine_settle();
	fake_now_ns += 20 * NS_PER_US;
	vcpu_kick(vcpu(1));
	machine_settle();
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
	machine_advance(79 * NS_PER_US);
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
	machine_advance(NS_PER_US);
	ck_assert_ptr_eq(cpus[0]->current, vcpu(1));
}
END_TEST

START_TEST(a_vcpu_hardly_behind_does_not_preempt)
{
	crowd(2);
	machine_advance(5 * MS);
	fake_run_on(0);
	vcpu_halt(vcpu(1)); /* did not run yet: 5 ms behind */
	machine_settle();
	fake_now_ns += 100 * NS_PER_US;
	vcpu_kick(vcpu(1));
	machine_settle();
	ck_assert_ptr_eq(cpus[0]->current, vcpu(1));
	fake_now_ns += 4600 * NS_PER_US; /* now half a millisecond behind */
	vcpu_halt(vcpu(1));
	machine_settle();
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
	vcpu_kick(vcpu(1));
	machine_settle();
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
}
END_TEST

START_TEST(a_newcomer_starts_with_the_clock_of_the_queue)
{
	crowd(1);
	machine_advance(10 * NS_PER_SEC);
	pin(vcpu(1), 1);
	wake(vcpu(1));
	machine_settle();
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0)); /* no credit for the time before it was */
	machine_advance(5 * MS);
	ck_assert_ptr_eq(cpus[0]->current, vcpu(1)); /* and no debt */
}
END_TEST

START_TEST(an_idle_cpu_steals_from_the_fullest_queue)
{
	crowd(1);
	for (unsigned i = 1; i < 4; i++) { /* three wait for CPU 0, because they must */
		pin(vcpu(i), 1);
		wake(vcpu(i));
	}
	machine_settle();
	ck_assert_uint_eq(cpus[0]->sched.nr_runnable, 3);
	for (unsigned i = 1; i < 4; i++)
		memset(vcpu(i)->sched.affinity, 0xff, sizeof(vcpu(i)->sched.affinity));
	cpu_raise(cpus[2], CPU_PENDING_RESCHED);
	machine_settle();
	ck_assert_ptr_nonnull(cpus[2]->current);
	ck_assert_uint_eq(cpus[2]->current->cpu, 2);
	ck_assert_uint_eq(cpus[0]->sched.nr_runnable, 2);
	ck_assert_uint_eq(cpus[0]->sched.load, 3 * SCHED_WEIGHT_DEFAULT);
	ck_assert_uint_eq(cpus[2]->sched.load, SCHED_WEIGHT_DEFAULT);
}
END_TEST

START_TEST(a_cpu_does_not_steal_what_may_not_run_there)
{
	crowd(3);
	pin(vcpu(2), 1 | 4);
	for (unsigned i = 1; i < 4; i++)
		cpu_raise(cpus[i], CPU_PENDING_RESCHED);
	machine_settle();
	ck_assert_ptr_null(cpus[1]->current);
	ck_assert_ptr_eq(cpus[2]->current, vcpu(2));
	ck_assert_uint_eq(cpus[0]->sched.nr_runnable, 1);
}
END_TEST

START_TEST(a_vcpu_whose_state_is_not_saved_yet_is_not_stolen)
{
	crowd(2);
	pin(vcpu(1), 3);
	vcpu(1)->sched.running = true; /* as in the middle of sched_run() on CPU 0 */
	cpu_raise(cpus[1], CPU_PENDING_RESCHED);
	machine_settle();
	ck_assert_ptr_null(cpus[1]->current);
	ck_assert_uint_eq(vcpu(1)->cpu, 0);
}
END_TEST

START_TEST(a_vcpu_whose_state_is_not_saved_yet_is_queued_where_that_is)
{
	machine_settle();
	vcpu(1)->cpu = 2;
	vcpu(1)->sched.running = true;
	machine_run(vcpu(0), 2);
	wake(vcpu(1));
	ck_assert_uint_eq(vcpu(1)->cpu, 2);
	ck_assert(vcpu(1)->sched.queued);
	/* An idle CPU is told, which can take it as soon as it is saved. */
	ck_assert_uint_eq(cpus[0]->pending | cpus[1]->pending | cpus[3]->pending,
			  CPU_PENDING_RESCHED);
}
END_TEST

START_TEST(a_vcpu_woken_where_it_may_not_run_moves_on)
{
	machine_settle();
	vcpu(1)->cpu = 2;
	vcpu(1)->sched.affinity[0] = 2; /* since it ran there */
	vcpu(1)->sched.running = true;
	wake(vcpu(1));
	ck_assert_uint_eq(vcpu(1)->cpu, 2);
	machine_settle();
	ck_assert_ptr_null(cpus[2]->current);
	ck_assert_ptr_eq(cpus[1]->current, vcpu(1));
}
END_TEST

START_TEST(sleep_takes_a_waiting_vcpu_off_the_queue)
{
	crowd(2);
	vcpu_block(vcpu(1), VCPU_DEAD);
	ck_assert(!vcpu(1)->sched.queued);
	ck_assert_uint_eq(cpus[0]->sched.load, SCHED_WEIGHT_DEFAULT);
	ck_assert_int_eq(vcpu(1)->runstate.state, RUNSTATE_offline);
}
END_TEST

START_TEST(sleep_interrupts_the_cpu_that_runs_it)
{
	machine_run(vcpu(0), 2);
	fake_run_on(0);
	vcpu_block(vcpu(0), VCPU_DEAD);
	ck_assert_uint_eq(cpus[2]->pending, CPU_PENDING_RESCHED);
	ck_assert(sched_is_running(vcpu(0)));
	machine_settle();
	ck_assert(!sched_is_running(vcpu(0)));
	ck_assert_uint_eq(vcpu(0)->arch.nr_switched_out, 1);
}
END_TEST

static void let_go(struct cpu *c)
{
	if (c->id == 2)
		machine_pass(2);
	fake_run_on(0);
}

START_TEST(wait_stopped_returns_once_it_runs_nowhere)
{
	machine_run(vcpu(0), 2);
	fake_run_on(0);
	fake_on_kick = let_go;
	vcpu_block(vcpu(0), VCPU_DEAD);
	sched_wait_stopped(vcpu(0));
	ck_assert(!sched_is_running(vcpu(0)));
}
END_TEST

START_TEST(wait_stopped_waits_while_it_runs)
{
	machine_run(vcpu(0), 2);
	fake_run_on(0);
	vcpu_block(vcpu(0), VCPU_DEAD);
	ck_assert_panics(sched_wait_stopped(vcpu(0))); /* the fake's limit to waiting */
}
END_TEST

START_TEST(wait_stopped_does_not_wait_for_the_caller_itself)
{
	machine_run(vcpu(0), 0);
	vcpu_block(vcpu(0), VCPU_DEAD);
	sched_wait_stopped(vcpu(0));
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
}
END_TEST

START_TEST(a_wake_before_the_cpu_let_go_keeps_it_running)
{
	machine_run(vcpu(0), 0);
	vcpu_block(vcpu(0), VCPU_HALTED);
	vcpu_unblock(vcpu(0), VCPU_HALTED);
	machine_settle();
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
	ck_assert_uint_eq(vcpu(0)->arch.nr_switched_out, 0);
}
END_TEST

START_TEST(yield_lets_an_equal_go_first)
{
	crowd(2);
	sched_give_way(cpus[0]->current);
	machine_settle();
	ck_assert_ptr_eq(cpus[0]->current, vcpu(1));
	sched_give_way(cpus[0]->current);
	machine_settle();
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
}
END_TEST

START_TEST(a_yield_is_over_when_its_turn_comes_again)
{
	crowd(2);
	sched_give_way(vcpu(0));
	machine_settle();
	sched_give_way(vcpu(1));
	machine_settle();
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
	cpu_raise(cpus[0], CPU_PENDING_RESCHED);
	machine_settle();
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
}
END_TEST

START_TEST(yield_alone_changes_nothing)
{
	crowd(1);
	sched_give_way(vcpu(0));
	machine_settle();
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
	ck_assert_uint_eq(vcpu(0)->arch.nr_switched_out, 0);
}
END_TEST

START_TEST(going_idle_saves_the_state)
{
	crowd(1);
	vcpu_halt(vcpu(0));
	machine_settle();
	ck_assert_ptr_eq(fake_switch_prev, vcpu(0));
	ck_assert_ptr_null(fake_switch_next);
	ck_assert_int_eq(vcpu(0)->runstate.state, RUNSTATE_blocked);
}
END_TEST

START_TEST(timers_come_along_with_a_vcpu_that_moves)
{
	machine_run(vcpu(0), 1);
	vcpu_set_singleshot(vcpu(0), 10 * NS_PER_SEC);
	vcpu_halt(vcpu(0));
	machine_settle();
	machine_run(vcpu(0), 3);
	ck_assert_uint_eq(vcpu(0)->singleshot.cpu, 3);
	ck_assert_uint_eq(cpus[3]->arch.timer_deadline_ns, 10 * NS_PER_SEC);
}
END_TEST

START_TEST(affinity_must_name_a_cpu_that_exists)
{
	bitmap_word_t map[BITMAP_WORDS(MAX_CPUS)] = { 0x10 };

	ck_assert_int_eq(sched_set_affinity(vcpu(0), map), -XEN_EINVAL);
	map[0] = 0;
	ck_assert_int_eq(sched_set_affinity(vcpu(0), map), -XEN_EINVAL);
}
END_TEST

START_TEST(a_running_vcpu_leaves_a_cpu_that_is_forbidden_to_it)
{
	machine_run(vcpu(0), 2);
	fake_run_on(0);
	pin(vcpu(0), 2);
	machine_settle();
	ck_assert_ptr_null(cpus[2]->current);
	ck_assert_ptr_eq(cpus[1]->current, vcpu(0));
	ck_assert_uint_eq(cpus[2]->sched.load, 0);
	ck_assert_uint_eq(cpus[1]->sched.load, SCHED_WEIGHT_DEFAULT);
}
END_TEST

START_TEST(a_waiting_vcpu_leaves_a_cpu_that_is_forbidden_to_it)
{
	crowd(2);
	pin(vcpu(1), 2);
	machine_settle();
	ck_assert_ptr_eq(cpus[1]->current, vcpu(1));
	ck_assert_uint_eq(cpus[0]->sched.nr_runnable, 0);
}
END_TEST

START_TEST(a_sleeping_vcpu_wakes_where_it_may_run)
{
	machine_run(vcpu(0), 2);
	vcpu_halt(vcpu(0));
	machine_settle();
	pin(vcpu(0), 2);
	machine_run(vcpu(1), 1); /* not idle, but the only one that is allowed */
	vcpu_kick(vcpu(0));
	ck_assert_uint_eq(vcpu(0)->cpu, 1);
}
END_TEST

START_TEST(a_weight_out_of_range_is_refused)
{
	ck_assert_int_eq(sched_set_weight(vcpu(0), 0), -XEN_EINVAL);
	ck_assert_int_eq(sched_set_weight(vcpu(0), 65536), -XEN_EINVAL);
	ck_assert_uint_eq(vcpu(0)->sched.weight, SCHED_WEIGHT_DEFAULT);
	ck_assert_int_eq(sched_set_weight(vcpu(0), 1), 0);
	ck_assert_int_eq(sched_set_weight(vcpu(0), 65535), 0);
}
END_TEST

START_TEST(load_follows_the_weights)
{
	crowd(2);
	ck_assert_int_eq(sched_set_weight(vcpu(0), 1000), 0); /* runs */
	ck_assert_int_eq(sched_set_weight(vcpu(1), 100), 0);  /* waits */
	ck_assert_uint_eq(cpus[0]->sched.load, 1100);
	ck_assert_uint_eq(cpus[0]->sched.nr_runnable, 1);
	vcpu_block(vcpu(1), VCPU_DEAD);
	ck_assert_int_eq(sched_set_weight(vcpu(1), 7), 0); /* sleeps */
	ck_assert_uint_eq(cpus[0]->sched.load, 1000);
	vcpu_block(vcpu(0), VCPU_DEAD);
	machine_settle();
	ck_assert_uint_eq(cpus[0]->sched.load, 0);
}
END_TEST

START_TEST(what_was_run_with_a_small_weight_is_no_burden_after_it_grew)
{
	ck_assert_int_eq(sched_set_weight(vcpu(0), 1), 0);
	crowd(2);
	machine_advance(5 * MS); /* 5 ms at weight 1 are 1280 ms of virtual time */
	ck_assert_ptr_eq(cpus[0]->current, vcpu(1));
	ck_assert_int_eq(sched_set_weight(vcpu(0), SCHED_WEIGHT_DEFAULT), 0);
	machine_advance(5 * MS);
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
}
END_TEST

START_TEST(run_states_add_up_to_the_time_that_passed)
{
	uint64_t start_ns = fake_now_ns, sum = 0;
	struct vcpu_runstate_info r;

	crowd(2);
	machine_advance(23 * MS);
	sched_get_runstate(vcpu(1), &r);
	for (unsigned i = 0; i < RUNSTATE_NR; i++)
		sum += r.time[i];
	ck_assert_uint_eq(sum, fake_now_ns - start_ns);
	ck_assert_uint_ge(r.time[RUNSTATE_running], 8 * MS);
	ck_assert_uint_ge(r.time[RUNSTATE_runnable], 8 * MS);
}
END_TEST

/* On CPU 1, while CPU 0 still has vCPU 0's state. */
static void stop_and_start_elsewhere(void)
{
	fake_on_switch = NULL;
	fake_run_on(1);
	vcpu_block(vcpu(0), VCPU_DOWN);
	wake(vcpu(0));
	cpu_do_pending(cpus[1]);
	ck_assert_ptr_null(cpus[1]->current);
	fake_run_on(0);
}

START_TEST(a_vcpu_that_moves_runs_nowhere_before_it_is_saved)
{
	crowd(1);
	pin(vcpu(0), 2);
	fake_on_switch = stop_and_start_elsewhere;
	machine_settle();
	ck_assert_ptr_null(fake_on_switch);
	ck_assert_ptr_eq(cpus[1]->current, vcpu(0));
	ck_assert_ptr_null(cpus[0]->current);
	ck_assert_uint_eq(cpus[0]->sched.load, 0);
	ck_assert_uint_eq(cpus[1]->sched.load, SCHED_WEIGHT_DEFAULT);
}
END_TEST

static unsigned nr_arrivals;

/* CPU 1 is told of vCPU 0, by a CPU that has not let go of it. */
static void note_arrival(struct cpu *c)
{
	if (c != cpus[1] || !vcpu(0)->sched.queued)
		return;
	nr_arrivals++;
	ck_assert(sched_is_running(vcpu(0)));
}

START_TEST(who_waits_for_a_vcpu_to_stop_waits_until_it_has_moved)
{
	crowd(1);
	pin(vcpu(0), 2);
	fake_on_kick = note_arrival;
	nr_arrivals = 0;
	machine_settle();
	ck_assert_uint_eq(nr_arrivals, 1);
	vcpu_block(vcpu(0), VCPU_DOWN);
	machine_settle();
	ck_assert(!sched_is_running(vcpu(0)));
}
END_TEST

START_TEST(a_clock_that_was_read_before_the_turn_began_charges_nothing)
{
	crowd(1);
	pin(vcpu(1), 1);
	fake_run_on(1);
	fake_now_ns -= 10;
	wake(vcpu(1));
	ck_assert_int_lt((int64_t)(cpus[0]->sched.min_vruntime - vcpu(0)->sched.vruntime), MS);
	ck_assert_int_eq(sched_set_weight(vcpu(0), 2 * SCHED_WEIGHT_DEFAULT), 0);
	fake_now_ns += 10;
	machine_advance(20 * MS);
	ck_assert_int_lt((int64_t)vcpu(0)->sched.vruntime, 100 * MS);
}
END_TEST

START_TEST(a_vcpu_that_is_destroyed_must_not_wait_for_a_cpu)
{
	crowd(2);
	ck_assert_panics(sched_vcpu_fini(vcpu(1)));
}
END_TEST

/* Alone on CPU 0, and the domain may have half of it: 5 ms of each 10 ms. */
static void run_with_half_a_cpu(void)
{
	crowd(1);
	sched_set_cap(d, 50);
	machine_settle();
}

START_TEST(a_vcpu_is_parked_when_the_cap_is_used_up_until_the_next_period)
{
	uint64_t start_ns = fake_now_ns;

	run_with_half_a_cpu();
	machine_advance(5 * MS - 1);
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
	machine_advance(1);
	ck_assert_ptr_null(cpus[0]->current);
	ck_assert_uint_eq(vcpu(0)->blocked_by, VCPU_PARKED);
	ck_assert_uint_eq(cpus[0]->arch.timer_deadline_ns, start_ns + 10 * MS);
	machine_advance(5 * MS - 1);
	ck_assert_ptr_null(cpus[0]->current);
	machine_advance(1);
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
	ck_assert_uint_eq(cpus[0]->sched.load, SCHED_WEIGHT_DEFAULT);
}
END_TEST

START_TEST(time_for_which_a_vcpu_is_parked_counts_as_waiting_and_is_told)
{
	struct vcpu_runstate_info r;

	run_with_half_a_cpu();
	machine_advance(8 * MS);
	sched_get_runstate(vcpu(0), &r);
	ck_assert_int_eq(r.state, RUNSTATE_runnable);
	ck_assert_uint_eq(r.time[RUNSTATE_running], 5 * MS);
	ck_assert_uint_eq(r.time[RUNSTATE_runnable], 3 * MS);
	ck_assert_uint_eq(sched_get_parked_ns(vcpu(0)), 3 * MS);
	machine_advance(4 * MS);
	ck_assert_uint_eq(sched_get_parked_ns(vcpu(0)), 5 * MS);
}
END_TEST

START_TEST(a_cap_that_ends_wakes_who_is_parked_and_takes_no_more_ticks)
{
	run_with_half_a_cpu();
	machine_advance(6 * MS);
	sched_set_cap(d, 0);
	machine_settle();
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
	machine_advance(10 * MS); /* what was set before fires once for nothing */
	machine_advance(100 * MS);
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(cpus[i]->arch.timer_deadline_ns, TIME_NEVER);
}
END_TEST

START_TEST(a_cap_that_cannot_be_exceeded_costs_nothing)
{
	crowd(1);
	sched_set_cap(d, 800);
	machine_settle();
	ck_assert_uint_eq(cpus[0]->arch.timer_deadline_ns, TIME_NEVER);
	ck_assert(!vcpu(0)->sched.capped);
}
END_TEST

START_TEST(a_vcpu_that_halts_gives_back_what_it_has_not_used)
{
	run_with_half_a_cpu();
	machine_advance(1 * MS);
	fake_run_on(0);
	vcpu_halt(vcpu(0));
	machine_settle();
	ck_assert_int_eq(vcpu(0)->sched.share_ns, 0);
	ck_assert_int_eq(d->cap.pool_ns, 4 * MS);
	ck_assert_int_eq(vcpu(0)->runstate.state, RUNSTATE_blocked);
}
END_TEST

START_TEST(a_vcpu_that_wakes_when_the_cap_is_used_up_waits_for_the_next_period)
{
	run_with_half_a_cpu();
	machine_advance(5 * MS);
	pin(vcpu(1), 2);
	wake(vcpu(1));
	machine_settle();
	ck_assert_ptr_null(cpus[1]->current);
	ck_assert_uint_eq(cpus[1]->sched.load, 0);
	ck_assert_int_eq(vcpu(1)->runstate.state, RUNSTATE_runnable);
	machine_advance(5 * MS);
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
	ck_assert_ptr_eq(cpus[1]->current, vcpu(1));
}
END_TEST

START_TEST(a_vcpu_that_is_paused_while_it_is_parked_stays_where_it_is)
{
	run_with_half_a_cpu();
	machine_advance(6 * MS);
	vcpu_pause(vcpu(0));
	machine_advance(20 * MS);
	ck_assert_ptr_null(cpus[0]->current);
	ck_assert_uint_eq(vcpu(0)->blocked_by, VCPU_PAUSE_ONE);
	vcpu_unpause(vcpu(0));
	machine_settle();
	ck_assert_ptr_eq(cpus[0]->current, vcpu(0));
}
END_TEST

START_TEST(who_finds_only_parked_vcpus_to_give_way_to_goes_on)
{
	struct domain *other = machine_domain(2, false, 1);
	struct vcpu *hog = other->vcpu[0];

	run_with_half_a_cpu();
	machine_advance(5 * MS);
	pin(hog, 1);
	wake(hog);
	pin(vcpu(1), 1);
	wake(vcpu(1));
	machine_settle();
	fake_run_on(0);
	sched_give_way(hog);
	machine_settle();
	ck_assert_ptr_eq(cpus[0]->current, hog);
	ck_assert(hog->sched.running);
	ck_assert_uint_eq(cpus[0]->sched.nr_runnable, 0);
}
END_TEST

UNIT_MAIN("sched", setup, teardown, a_newcomer_starts_with_the_clock_of_the_queue,
	  a_yield_is_over_when_its_turn_comes_again, a_vcpu_that_wakes_on_an_idle_machine_runs,
	  wake_is_idempotent, a_vcpu_that_is_blocked_is_not_woken, a_lonely_vcpu_takes_no_ticks,
	  a_slice_ends_when_somebody_waits, the_last_one_left_takes_no_ticks_either,
	  wake_prefers_the_cpu_where_it_ran_last, wake_takes_an_idle_cpu_when_the_last_one_is_busy,
	  two_wakes_take_two_idle_cpus, a_sleeper_preempts_a_hog_on_waking,
	  a_sleeper_that_wakes_early_in_a_turn_waits_until_it_is_100_us_old,
	  a_vcpu_hardly_behind_does_not_preempt, an_idle_cpu_steals_from_the_fullest_queue,
	  a_cpu_does_not_steal_what_may_not_run_there,
	  a_vcpu_whose_state_is_not_saved_yet_is_not_stolen,
	  a_vcpu_whose_state_is_not_saved_yet_is_queued_where_that_is,
	  a_vcpu_woken_where_it_may_not_run_moves_on, sleep_takes_a_waiting_vcpu_off_the_queue,
	  sleep_interrupts_the_cpu_that_runs_it, wait_stopped_returns_once_it_runs_nowhere,
	  wait_stopped_waits_while_it_runs, wait_stopped_does_not_wait_for_the_caller_itself,
	  a_wake_before_the_cpu_let_go_keeps_it_running, yield_lets_an_equal_go_first,
	  yield_alone_changes_nothing, going_idle_saves_the_state,
	  timers_come_along_with_a_vcpu_that_moves, affinity_must_name_a_cpu_that_exists,
	  a_running_vcpu_leaves_a_cpu_that_is_forbidden_to_it,
	  a_waiting_vcpu_leaves_a_cpu_that_is_forbidden_to_it,
	  a_sleeping_vcpu_wakes_where_it_may_run, a_weight_out_of_range_is_refused,
	  load_follows_the_weights, what_was_run_with_a_small_weight_is_no_burden_after_it_grew,
	  run_states_add_up_to_the_time_that_passed,
	  a_vcpu_that_moves_runs_nowhere_before_it_is_saved,
	  who_waits_for_a_vcpu_to_stop_waits_until_it_has_moved,
	  a_clock_that_was_read_before_the_turn_began_charges_nothing,
	  a_vcpu_that_is_destroyed_must_not_wait_for_a_cpu,
	  a_vcpu_is_parked_when_the_cap_is_used_up_until_the_next_period,
	  time_for_which_a_vcpu_is_parked_counts_as_waiting_and_is_told,
	  a_cap_that_ends_wakes_who_is_parked_and_takes_no_more_ticks,
	  a_cap_that_cannot_be_exceeded_costs_nothing,
	  a_vcpu_that_halts_gives_back_what_it_has_not_used,
	  a_vcpu_that_wakes_when_the_cap_is_used_up_waits_for_the_next_period,
	  a_vcpu_that_is_paused_while_it_is_parked_stays_where_it_is,
	  who_finds_only_parked_vcpus_to_give_way_to_goes_on)
