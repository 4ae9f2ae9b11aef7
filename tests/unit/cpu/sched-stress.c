/* vCPUs of two domains run, halt, are woken, paused, moved, weighted and capped at random, on four CPUs at
 * once. None may run on two CPUs, and none may sleep through what it was told. */
#include "common.h"
#include "lodge/sched.h"
#include "lodge/timer.h"
#include "threads.h"

#define PASSES   30000u
#define NR_VCPUS 4u /* of each of the domains */
#define STEP_NS  (20 * NS_PER_US)

static struct domain *domain[2];
static uint32_t runs_on[2 * NR_VCPUS]; /* CPU number + 1 */
static uint32_t seeds[] = { 1, 2, 3, 4 };
static bool is_over; /* nobody pauses a vCPU any more */

static void setup(void)
{
	machine_setup(4);
	for (unsigned i = 0; i < ARRAY_SIZE(domain); i++)
		domain[i] = machine_domain((domid_t)(i + 1), false, NR_VCPUS);
	for (unsigned i = 0; i < 2 * NR_VCPUS; i++)
		vcpu_unblock(domain[i % 2]->vcpu[i / 2], VCPU_DOWN);
	machine_settle();
}

static void teardown(void)
{
	fake_core_reset();
}

static struct vcpu *any_vcpu(unsigned cpu)
{
	return domain[random_below(&seeds[cpu], 2)]->vcpu[random_below(&seeds[cpu], NR_VCPUS)];
}

static void interrupt(struct vcpu *v)
{
	__atomic_store_n(&v->arch.has_interrupt, true, __ATOMIC_SEQ_CST);
	vcpu_kick(v);
}

/* A stay in the guest: it takes its interrupts, and then perhaps halts, yields or sends one. */
static void run_guest(unsigned cpu, struct vcpu *v)
{
	uint32_t *owner = &runs_on[(v->domain->id - 1u) * NR_VCPUS + v->id];

	ck_assert_uint_eq(__atomic_exchange_n(owner, cpu + 1, __ATOMIC_SEQ_CST), 0);
	__atomic_store_n(&v->arch.has_interrupt, false, __ATOMIC_SEQ_CST);
	switch (random_below(&seeds[cpu], 4)) {
	case 0:
		vcpu_halt(v);
		break;
	case 1:
		sched_give_way(v);
		break;
	case 2:
		interrupt(any_vcpu(cpu));
		break;
	default:
		break;
	}
	__atomic_store_n(owner, 0, __ATOMIC_SEQ_CST);
}

static void pass(unsigned cpu)
{
	struct cpu *c = cpus[cpu];

	if (c->arch.timer_deadline_ns <=
	    __atomic_add_fetch(&fake_now_ns, STEP_NS, __ATOMIC_SEQ_CST)) {
		c->arch.timer_deadline_ns = TIME_NEVER;
		cpu_raise(c, CPU_PENDING_TIMER);
	}
	cpu_do_pending(c);
	if (c->current)
		run_guest(cpu, c->current);
	else
		sched_yield();
}

static void run_cpu(unsigned cpu)
{
	while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST))
		pass(cpu);
}

static void set_affinity(unsigned cpu)
{
	bitmap_word_t mask[BITMAP_WORDS(MAX_CPUS)] = { 0 };

	mask[0] = 1 + random_below(&seeds[cpu], 15);
	ck_assert_int_eq(sched_set_affinity(any_vcpu(cpu), mask), 0);
}

/* What the service VM does; one caller at a time, as for domain_control_begin(). */
static void control(unsigned cpu)
{
	struct vcpu *v = any_vcpu(cpu);

	switch (random_below(&seeds[cpu], 5)) {
	case 0:
		vcpu_pause(v);
		vcpu_unpause(v);
		break;
	case 1:
		set_affinity(cpu);
		break;
	case 2:
		ck_assert_int_eq(sched_set_weight(v, 1 + random_below(&seeds[cpu], 65535)), 0);
		break;
	case 3:
		sched_set_cap(v->domain, random_below(&seeds[cpu], 3) * 60);
		break;
	default:
		interrupt(v);
		break;
	}
}

/* Others wait for this CPU as long as it waits for them: it runs nobody meanwhile. */
static void run_control(unsigned cpu)
{
	for (unsigned i = 0; i < PASSES; i++) {
		pass(cpu);
		if (!cpus[cpu]->current)
			control(cpu);
	}
	__atomic_store_n(&is_over, true, __ATOMIC_SEQ_CST);
}

static void check_vcpu(struct vcpu *v)
{
	ck_assert_uint_eq(v->blocked_by & ~VCPU_HALTED, 0);
	ck_assert(!(v->blocked_by && v->arch.has_interrupt));
	ck_assert(v->blocked_by || v->sched.queued || cpus[v->cpu]->current == v);
	ck_assert(!v->sched.queued || cpus[v->cpu]->current); /* nobody waits for an idle CPU */
}

START_TEST(none_runs_twice_and_none_sleeps_for_ever)
{
	static void (*const fn[])(unsigned) = { run_cpu, run_cpu, run_cpu, run_control };
	bitmap_word_t any[BITMAP_WORDS(MAX_CPUS)];

	bitmap_fill(any, MAX_CPUS);
	run_threads(4, fn);
	fake_run_on(0);
	sched_set_cap(domain[0], 0);
	sched_set_cap(domain[1], 0);
	machine_advance(100 * NS_PER_MS);
	for (unsigned i = 0; i < 2 * NR_VCPUS; i++)
		check_vcpu(domain[i % 2]->vcpu[i / 2]);
	for (unsigned i = 0; i < 2 * NR_VCPUS; i++)
		ck_assert_int_eq(sched_set_affinity(domain[i % 2]->vcpu[i / 2], any), 0);
	machine_advance(100 * NS_PER_MS);
	for (unsigned i = 0; i < 2 * NR_VCPUS; i++)
		check_vcpu(domain[i % 2]->vcpu[i / 2]);
	for (unsigned i = 0; i < nr_cpus; i++)
		ck_assert(cpus[i]->current || !cpus[i]->sched.load);
}
END_TEST

UNIT_MAIN("sched-stress", setup, teardown, none_runs_twice_and_none_sleeps_for_ever)
