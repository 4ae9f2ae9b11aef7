/* The paravirtual clock and the wall clock. */
#include "guest/guest.h"

const char test_title[] = "clocks are right and never go back, on any vCPU";

#define SAMPLES 20000

static volatile uint32_t lock;
static volatile uint64_t last, backwards, samples[MAX_CPUS];

/* Under the lock every reading follows the one before it in real time. */
static void sample(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		uint64_t now;

		while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
			pause();
		now = clock_ns();
		if (now < last)
			backwards++;
		last = now;
		samples[this_cpu()->vcpu_id]++;
		__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	}
}

static void check_wall_clock(void)
{
	uint32_t version = shared_info->wc_version;
	uint64_t seconds = (uint64_t)shared_info->wc_sec_hi << 32 | shared_info->wc_sec;

	check_eq(version & 1, 0, "the wall clock's version is even");
	check(seconds > 1700000000 && seconds < 4000000000,
	      "it was second %lu when the clock was 0", seconds);
	check(shared_info->wc_nsec < SEC, "nanoseconds are below a second");
}

/* Without its own timer the guest has one more clock: the local APIC's, of unknown but fixed rate. */
static void check_rate(void)
{
	uint64_t ns = clock_ns(), tsc = rdtsc();
	volatile struct vcpu_time_info *t = &event_vcpu_info(0)->time;

	delay_ns(20 * MS);
	ns = clock_ns() - ns;
	tsc = rdtsc() - tsc;
	check(ns >= 20 * MS && ns < 2 * SEC, "a delay of 20 ms takes %lu us", ns / US);
	note("the TSC runs at %lu MHz", tsc * 1000 / ns);
	check(t->tsc_to_system_mul & 1u << 31, "the scale uses its whole word: mul %#x shift %d",
	      t->tsc_to_system_mul, t->tsc_shift);
}

/* A copy of the clock where user space could read it; offered when all vCPUs' clocks agree. */
static void check_time_area(void)
{
	static struct vcpu_time_info area;
	struct vcpu_register_time_memory_area op = { .addr.p = (uintptr_t)&area };

	if (!(event_vcpu_info(0)->time.flags & XEN_PVCLOCK_TSC_STABLE_BIT)) {
		note("clocks of vCPUs are not said to agree");
		return;
	}
	check_err(vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &op), 0,
		  "a copy of the clock can be registered");
	sched_op(SCHEDOP_yield, NULL);
	check(area.tsc_to_system_mul != 0, "it is filled in");
	op.addr.p = 0;
	check_err(vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &op), 0, "and given up");
}

void test_main(void)
{
	event_init(EVENT_PER_VCPU_VECTOR);
	check_wall_clock();
	check_rate();
	for (unsigned int i = 1; i < nr_cpus; i++)
		cpu_start(i, sample, NULL);
	sample(NULL);
	for (unsigned int i = 1; i < nr_cpus; i++)
		cpu_wait_down(i);
	for (unsigned int i = 0; i < nr_cpus; i++)
		check_eq(samples[i], SAMPLES, "vCPU %u read the clock %u times", i, SAMPLES);
	check_eq(backwards, 0, "no reading was before an earlier one");
	check_time_area();
}
