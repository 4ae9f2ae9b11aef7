/* core/sched.c over time: a simulation of CPUs and of vCPUs that compute and sleep. Shares of time are
 * compared with what their weights promise. */
#include "lodge/sched.h"

#include "common.h"

#define MS         NS_PER_MS
#define MAX_ACTORS 64u

/* A vCPU's behaviour, and what came of it. */
struct actor {
	struct vcpu *v;
	uint64_t burst_ns, sleep_ns; /* computes, then sleeps; burst TIME_NEVER: a hog */
	uint64_t left_ns;            /* of this burst */
	uint64_t wake_ns;            /* TIME_NEVER: it does not sleep */
	uint64_t used_ns;
	uint64_t max_latency_ns; /* from wake-up to running */
	uint64_t woken_ns;       /* TIME_NEVER: has run since */
	unsigned nr_moves, last_cpu;
};

static struct actor actor[MAX_ACTORS];
static unsigned nr_actors;
static struct domain *d;

static void setup(void)
{
}

static void teardown(void)
{
	fake_core_reset();
}

static void start_machine(unsigned nr, unsigned nr_vcpus)
{
	machine_setup(nr);
	d = machine_domain(1, false, nr_vcpus);
}

static struct actor *add(uint32_t weight, uint64_t burst_ns, uint64_t sleep_ns)
{
	struct actor *a = &actor[nr_actors];

	*a = (struct actor){ .v = d->vcpu[nr_actors],
			     .burst_ns = burst_ns,
			     .sleep_ns = sleep_ns,
			     .left_ns = burst_ns,
			     .wake_ns = TIME_NEVER,
			     .woken_ns = TIME_NEVER };
	nr_actors++;
	ck_assert_int_eq(sched_set_weight(a->v, weight), 0);
	vcpu_unblock(a->v, VCPU_DOWN);
	machine_settle();
	return a;
}

static struct actor *add_hog(uint32_t weight)
{
	return add(weight, TIME_NEVER, 0);
}

static bool runs(const struct actor *a)
{
	return cpus[a->v->cpu]->current == a->v;
}

/* The next moment at which something changes. */
static uint64_t next_event(uint64_t until_ns)
{
	uint64_t next_ns = until_ns;

	for (unsigned i = 0; i < nr_cpus; i++)
		next_ns = MIN(next_ns, cpus[i]->arch.timer_deadline_ns);
	for (unsigned i = 0; i < nr_actors; i++) {
		next_ns = MIN(next_ns, actor[i].wake_ns);
		if (runs(&actor[i]) && actor[i].left_ns < TIME_NEVER - fake_now_ns)
			next_ns = MIN(next_ns, fake_now_ns + actor[i].left_ns);
	}
	return MAX(next_ns, fake_now_ns);
}

static void account(struct actor *a, uint64_t passed_ns)
{
	if (!runs(a))
		return;
	a->used_ns += passed_ns;
	if (a->left_ns != TIME_NEVER)
		a->left_ns -= passed_ns;
	if (a->last_cpu != a->v->cpu)
		a->nr_moves++;
	a->last_cpu = a->v->cpu;
}

static void act(struct actor *a)
{
	fake_run_on(a->v->cpu);
	if (runs(a) && !a->left_ns) {
		a->left_ns = a->burst_ns;
		a->wake_ns = fake_now_ns + a->sleep_ns;
		vcpu_halt(a->v);
	} else if (a->wake_ns <= fake_now_ns) {
		a->wake_ns = TIME_NEVER;
		a->woken_ns = fake_now_ns;
		vcpu_kick(a->v);
	}
	machine_settle();
	for (unsigned i = 0; i < nr_actors; i++) {
		struct actor *other = &actor[i];

		if (!runs(other) || other->woken_ns == TIME_NEVER)
			continue;
		other->max_latency_ns = MAX(other->max_latency_ns, fake_now_ns - other->woken_ns);
		other->woken_ns = TIME_NEVER;
	}
}

static void interrupt(struct cpu *c)
{
	if (c->arch.timer_deadline_ns > fake_now_ns)
		return;
	c->arch.timer_deadline_ns = TIME_NEVER;
	c->pending |= CPU_PENDING_TIMER;
	machine_settle();
}

static void simulate(uint64_t ns)
{
	uint64_t until_ns = fake_now_ns + ns;

	while (fake_now_ns < until_ns) {
		uint64_t next_ns = next_event(until_ns), passed_ns = next_ns - fake_now_ns;

		fake_now_ns = next_ns;
		for (unsigned i = 0; i < nr_actors; i++)
			account(&actor[i], passed_ns);
		for (unsigned i = 0; i < nr_cpus; i++)
			interrupt(cpus[i]);
		for (unsigned i = 0; i < nr_actors; i++)
			act(&actor[i]);
	}
}

/* What is there from now on is what counts. */
static void measure(uint64_t ns)
{
	for (unsigned i = 0; i < nr_actors; i++) {
		actor[i].used_ns = actor[i].max_latency_ns = 0;
		actor[i].nr_moves = 0;
	}
	simulate(ns);
}

/* a's part of the time of one CPU, in thousandths. */
static unsigned share(const struct actor *a, uint64_t ns)
{
	return (unsigned)(a->used_ns * 1000 / ns);
}

static void assert_near(unsigned is, unsigned should_be, unsigned within)
{
	ck_assert_uint_ge(is + within, should_be);
	ck_assert_uint_le(is, should_be + within);
}

START_TEST(equal_hogs_share_a_cpu_equally)
{
	start_machine(1, 5);
	for (unsigned i = 0; i < 5; i++)
		add_hog(256);
	measure(2 * NS_PER_SEC);
	for (unsigned i = 0; i < 5; i++)
		assert_near(share(&actor[i], 2 * NS_PER_SEC), 200, 4);
}
END_TEST

START_TEST(shares_follow_weights)
{
	start_machine(1, 4);
	add_hog(64);
	add_hog(128);
	add_hog(256);
	add_hog(512);
	measure(10 * NS_PER_SEC);
	assert_near(share(&actor[0], 10 * NS_PER_SEC), 67, 3);
	assert_near(share(&actor[1], 10 * NS_PER_SEC), 133, 3);
	assert_near(share(&actor[2], 10 * NS_PER_SEC), 267, 3);
	assert_near(share(&actor[3], 10 * NS_PER_SEC), 533, 3);
}
END_TEST

START_TEST(the_smallest_weight_still_runs_beside_a_large_one)
{
	start_machine(1, 2);
	add_hog(1);
	add_hog(1000);
	measure(100 * NS_PER_SEC);
	assert_near(share(&actor[0], 100 * NS_PER_SEC), 1, 1);
	ck_assert_uint_gt(actor[0].used_ns, 0);
	assert_near(share(&actor[1], 100 * NS_PER_SEC), 999, 1);
}
END_TEST

START_TEST(a_sleeper_cannot_hoard_more_than_a_slice)
{
	start_machine(1, 2);
	add_hog(256);
	add(256, 1000 * MS, 10 * NS_PER_SEC);
	while (actor[1].wake_ns == TIME_NEVER)
		simulate(10 * MS);
	simulate(actor[1].wake_ns - fake_now_ns -
		 1); /* it has slept for 10 s, and is about to wake */
	measure(40 * MS);
	ck_assert_uint_ge(actor[1].used_ns, 15 * MS);
	ck_assert_uint_le(actor[1].used_ns,
			  26 * MS); /* half, a slice of credit, a slice of rounding */
}
END_TEST

START_TEST(one_that_sleeps_half_the_time_does_not_get_more_than_its_share)
{
	start_machine(1, 10);
	add(256, 5 * MS, 5 * MS);
	for (unsigned i = 0; i < 9; i++)
		add_hog(256);
	measure(5 * NS_PER_SEC);
	assert_near(share(&actor[0], 5 * NS_PER_SEC), 100, 20);
	for (unsigned i = 1; i < 10; i++)
		assert_near(share(&actor[i], 5 * NS_PER_SEC), 100, 12);
}
END_TEST

START_TEST(a_light_sleeper_runs_within_100_us_beside_hogs)
{
	start_machine(1, 4);
	for (unsigned i = 0; i < 3; i++)
		add_hog(256);
	add(256, 200 * NS_PER_US, 10 * MS); /* wants 2 %, its share is 25 % */
	simulate(NS_PER_SEC);
	measure(2 * NS_PER_SEC);
	ck_assert_uint_le(actor[3].max_latency_ns, 100 * NS_PER_US);
	assert_near(share(&actor[3], 2 * NS_PER_SEC), 20, 1);
}
END_TEST

START_TEST(nobody_waits_while_a_cpu_is_idle)
{
	start_machine(4, 4);
	for (unsigned i = 0; i < 4; i++)
		add_hog(256);
	simulate(10 * MS);
	measure(NS_PER_SEC);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(share(&actor[i], NS_PER_SEC), 1000);
		ck_assert_uint_eq(actor[i].nr_moves, 0);
	}
}
END_TEST

START_TEST(three_hogs_share_two_cpus_equally)
{
	start_machine(2, 3);
	for (unsigned i = 0; i < 3; i++)
		add_hog(256);
	measure(5 * NS_PER_SEC);
	for (unsigned i = 0; i < 3; i++)
		assert_near(share(&actor[i], 5 * NS_PER_SEC), 667, 30);
	/* Each CPU lets go of one in 30 ms at most. */
	ck_assert_uint_le(actor[0].nr_moves + actor[1].nr_moves + actor[2].nr_moves,
			  2 * 5 * NS_PER_SEC / (30 * MS));
}
END_TEST

START_TEST(seven_hogs_share_four_cpus_equally)
{
	start_machine(4, 7);
	for (unsigned i = 0; i < 7; i++)
		add_hog(256);
	measure(10 * NS_PER_SEC);
	for (unsigned i = 0; i < 7; i++)
		assert_near(share(&actor[i], 10 * NS_PER_SEC), 571, 60);
}
END_TEST

START_TEST(a_heavy_hog_has_a_cpu_of_its_own_beside_light_ones)
{
	start_machine(2, 4);
	add_hog(1024);
	for (unsigned i = 0; i < 3; i++)
		add_hog(256);
	measure(5 * NS_PER_SEC);
	assert_near(share(&actor[0], 5 * NS_PER_SEC), 1000, 30);
	for (unsigned i = 1; i < 4; i++)
		assert_near(share(&actor[i], 5 * NS_PER_SEC), 333, 30);
}
END_TEST

START_TEST(balanced_queues_are_left_alone)
{
	start_machine(2, 4);
	for (unsigned i = 0; i < 4; i++)
		add_hog(256);
	simulate(NS_PER_SEC);
	measure(2 * NS_PER_SEC);
	for (unsigned i = 0; i < 4; i++) {
		assert_near(share(&actor[i], 2 * NS_PER_SEC), 500, 5);
		ck_assert_uint_eq(actor[i].nr_moves, 0);
	}
}
END_TEST

START_TEST(affinity_is_kept_whatever_the_load)
{
	bitmap_word_t second[BITMAP_WORDS(MAX_CPUS)] = { 2 };

	start_machine(2, 4);
	for (unsigned i = 0; i < 4; i++) {
		add_hog(256);
		if (i < 3)
			ck_assert_int_eq(sched_set_affinity(actor[i].v, second), 0);
		machine_settle();
	}
	measure(3 * NS_PER_SEC);
	for (unsigned i = 0; i < 3; i++) {
		assert_near(share(&actor[i], 3 * NS_PER_SEC), 333, 10);
		ck_assert_uint_eq(actor[i].v->cpu, 1);
	}
	assert_near(share(&actor[3], 3 * NS_PER_SEC), 1000, 2);
}
END_TEST

START_TEST(a_cpu_that_loses_its_work_takes_over_others)
{
	start_machine(2, 3);
	for (unsigned i = 0; i < 3; i++)
		add_hog(256);
	simulate(100 * MS);
	fake_run_on(actor[0].v->cpu);
	vcpu_block(actor[0].v, VCPU_DEAD);
	machine_settle();
	measure(NS_PER_SEC);
	assert_near(share(&actor[1], NS_PER_SEC), 1000, 10);
	assert_near(share(&actor[2], NS_PER_SEC), 1000, 10);
}
END_TEST

START_TEST(many_sleepers_on_many_cpus_lose_no_wake_up)
{
	uint64_t seed = 12345;

	start_machine(8, 40);
	for (unsigned i = 0; i < 40; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		add(256, (seed >> 40) % (3 * MS) + 1, (seed >> 20) % (20 * MS) + 1);
	}
	measure(2 * NS_PER_SEC);
	for (unsigned i = 0; i < 40; i++) {
		const struct actor *a = &actor[i];
		uint64_t wants = a->burst_ns * 1000 / (a->burst_ns + a->sleep_ns);

		/* There is room for all, so each gets nearly what it asks for. */
		ck_assert_uint_ge(share(a, 2 * NS_PER_SEC), wants / 2);
		ck_assert_uint_le(a->max_latency_ns, 25 * MS);
	}
}
END_TEST

/* Caps. All actors are one domain's. */

static unsigned share_of_all(uint64_t ns)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < nr_actors; i++)
		sum += share(&actor[i], ns);
	return sum;
}

static void set_cap(uint32_t percent)
{
	sched_set_cap(d, percent);
	machine_settle();
}

static void assert_cap(unsigned percent)
{
	measure(NS_PER_SEC);
	assert_near(share_of_all(NS_PER_SEC), 10 * percent, MAX(10 * percent / 50, 1));
}

START_TEST(a_cap_holds_for_one_vcpu_within_2_percent_of_itself)
{
	static const unsigned percents[] = { 1, 5, 10, 33, 50, 75, 95, 99 };

	start_machine(2, 1);
	add_hog(256);
	for (unsigned i = 0; i < ARRAY_SIZE(percents); i++) {
		set_cap(percents[i]);
		assert_cap(percents[i]);
	}
	set_cap(0);
	assert_cap(100);
	set_cap(100);
	assert_cap(100);
}
END_TEST

START_TEST(a_cap_holds_for_all_vcpus_together)
{
	static const unsigned percents[] = { 2, 10, 50, 100, 150, 250, 390 };

	start_machine(4, 4);
	for (unsigned i = 0; i < 4; i++)
		add_hog(256);
	for (unsigned i = 0; i < ARRAY_SIZE(percents); i++) {
		set_cap(percents[i]);
		assert_cap(percents[i]);
	}
	for (unsigned i = 0; i < 4; i++)
		assert_near(share(&actor[i], NS_PER_SEC), 975, 20);
}
END_TEST

START_TEST(a_cap_holds_beside_stealing_and_affinity)
{
	bitmap_word_t second[BITMAP_WORDS(MAX_CPUS)] = { 2 };

	start_machine(2, 4);
	for (unsigned i = 0; i < 4; i++)
		add_hog(256);
	ck_assert_int_eq(sched_set_affinity(actor[3].v, second), 0);
	set_cap(70);
	assert_cap(70);
	ck_assert_uint_eq(actor[3].v->cpu, 1);
}
END_TEST

START_TEST(bursts_get_no_more_than_the_cap)
{
	start_machine(4, 4);
	for (unsigned i = 0; i < 4; i++)
		add(256, (7 + 5 * i) * MS, 11 * MS);
	set_cap(120);
	assert_cap(120);
	set_cap(20);
	assert_cap(20);
}
END_TEST

START_TEST(one_who_wants_less_than_the_cap_gets_it_at_once)
{
	start_machine(1, 1);
	add(256, 1 * MS, 9 * MS);
	set_cap(50);
	simulate(100 * MS);
	measure(NS_PER_SEC);
	assert_near(share(&actor[0], NS_PER_SEC), 100, 1);
	ck_assert_uint_eq(actor[0].max_latency_ns, 0);
	ck_assert_uint_eq(sched_get_parked_ns(actor[0].v), 0);
}
END_TEST

START_TEST(what_a_domain_may_not_use_others_get)
{
	struct domain *other;

	start_machine(1, 2);
	add_hog(256);
	other = machine_domain(2, false, 1);
	set_cap(20);
	d = other;
	actor[1] = (struct actor){ .v = other->vcpu[0],
				   .burst_ns = TIME_NEVER,
				   .left_ns = TIME_NEVER,
				   .wake_ns = TIME_NEVER,
				   .woken_ns = TIME_NEVER };
	nr_actors = 2;
	vcpu_unblock(actor[1].v, VCPU_DOWN);
	machine_settle();
	measure(NS_PER_SEC);
	assert_near(share(&actor[0], NS_PER_SEC), 200, 4);
	assert_near(share(&actor[1], NS_PER_SEC), 800, 4);
}
END_TEST

UNIT_MAIN("sched-fair", setup, teardown, equal_hogs_share_a_cpu_equally, shares_follow_weights,
	  the_smallest_weight_still_runs_beside_a_large_one,
	  a_sleeper_cannot_hoard_more_than_a_slice,
	  one_that_sleeps_half_the_time_does_not_get_more_than_its_share,
	  a_light_sleeper_runs_within_100_us_beside_hogs, nobody_waits_while_a_cpu_is_idle,
	  three_hogs_share_two_cpus_equally, seven_hogs_share_four_cpus_equally,
	  a_heavy_hog_has_a_cpu_of_its_own_beside_light_ones, balanced_queues_are_left_alone,
	  affinity_is_kept_whatever_the_load, a_cpu_that_loses_its_work_takes_over_others,
	  many_sleepers_on_many_cpus_lose_no_wake_up,
	  a_cap_holds_for_one_vcpu_within_2_percent_of_itself, a_cap_holds_for_all_vcpus_together,
	  a_cap_holds_beside_stealing_and_affinity, bursts_get_no_more_than_the_cap,
	  one_who_wants_less_than_the_cap_gets_it_at_once, what_a_domain_may_not_use_others_get)
