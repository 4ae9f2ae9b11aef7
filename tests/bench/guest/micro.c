/*
 * What the hypervisor costs, one operation at a time. Under -icount shift=0 the TSC counts instructions,
 * the guest's own and the hypervisor's; a run of RDTSC; operation; RDTSC less an empty run is then an
 * exact cost. Prints "BENCH name value" per row, then stops the machine.
 */
#include "guest/guest.h"

#define ROUNDS   64
#define SELF_REF 32
#define WAKE_NS  (200 * US)

typedef void (*operation_t)(unsigned int round);

static uint16_t self;
static uint8_t *granted[ROUNDS], *windows[ROUNDS], *own_page;
static uint32_t handles[ROUNDS];
static uint64_t gfns[ROUNDS];
static uint32_t masked_port, self_port, peer_port, back_port, timer_port;
static volatile uint32_t peer_ready;

static void nothing(unsigned int round)
{
	(void)round;
	barrier();
}

/* The middle of the sorted samples: an interrupt or a cold cache in one round does not count. */
static uint64_t median(uint64_t *samples)
{
	for (unsigned int i = 1; i < ROUNDS; i++) {
		uint64_t sample = samples[i];
		unsigned int at = i;

		for (; at && samples[at - 1] > sample; at--)
			samples[at] = samples[at - 1];
		samples[at] = sample;
	}
	return samples[ROUNDS / 2];
}

/* afterwards: puts things back after each round, unmeasured; may be NULL. */
static uint64_t measure_with(operation_t operation, operation_t afterwards)
{
	static uint64_t samples[ROUNDS];

	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t start = rdtsc();

		operation(i);
		samples[i] = rdtsc() - start;
		if (afterwards)
			afterwards(i);
	}
	return median(samples);
}

static uint64_t measure(operation_t operation)
{
	return measure_with(operation, NULL);
}

static void report(const char *name, uint64_t value)
{
	printf("BENCH %s %lu\n", name, value);
}

static void null_hypercall(unsigned int round)
{
	(void)round;
	xen_version(XENVER_version, NULL);
}

static void cpuid_exit(unsigned int round)
{
	(void)round;
	cpuid(1);
}

static void msr_exit(unsigned int round)
{
	(void)round;
	rdmsr(MSR_APIC_BASE);
}

static void npt_fault(unsigned int round)
{
	(void)round;
	mmio_read32((uintptr_t)windows[0]);
}

static void send_masked(unsigned int round)
{
	(void)round;
	event_send(masked_port);
}

static void clear_masked(unsigned int round)
{
	(void)round;
	event_clear(masked_port);
}

static void send_self(unsigned int round)
{
	(void)round;
	event_send(self_port);
}

static void send_peer(unsigned int round)
{
	(void)round;
	event_send(peer_port);
}

static void set_timer(unsigned int round)
{
	struct vcpu_set_singleshot_timer timer = { .timeout_abs_ns = 3600 * SEC + round };

	vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer);
}

static void grant_map(unsigned int round)
{
	struct gnttab_map_grant_ref op = { .host_addr = (uintptr_t)windows[round],
					   .flags = GNTMAP_host_map,
					   .ref = SELF_REF + round,
					   .dom = self };

	grant_table_op(GNTTABOP_map_grant_ref, &op, 1);
	handles[round] = op.status == GNTST_okay ? op.handle : ~0u;
}

static void grant_unmap(unsigned int round)
{
	struct gnttab_unmap_grant_ref op = { .host_addr = (uintptr_t)windows[round],
					     .handle = handles[round] };

	grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1);
	if (op.status != GNTST_okay)
		test_error("unmap: %d", op.status);
}

static void grant_copy(unsigned int round)
{
	struct gnttab_copy op = {
		.source = { .u.ref = SELF_REF, .domid = self },
		.dest = { .u.gmfn = gfn_of(own_page), .domid = DOMID_SELF },
		.len = PAGE_SIZE,
		.flags = GNTCOPY_source_gref,
	};

	(void)round;
	grant_table_op(GNTTABOP_copy, &op, 1);
	if (op.status != GNTST_okay)
		test_error("copy: %d", op.status);
}

static void populate(unsigned int round)
{
	struct xen_memory_reservation r = { .extent_start = (uintptr_t)&gfns[round],
					    .nr_extents = 1,
					    .domid = DOMID_SELF };

	if (memory_op(XENMEM_populate_physmap, &r) != 1)
		test_error("populate");
}

/* Pages of its own for each round: Xen moves a page that its owner maps by grant. */
static void set_up_memory(void)
{
	grant_init(1);
	own_page = page_alloc();
	for (unsigned int i = 0; i < ROUNDS; i++) {
		granted[i] = page_alloc();
		windows[i] = hole_alloc();
		gfns[i] = gfn_of(hole_alloc());
		grant_allow(SELF_REF + i, self, granted[i], 0);
	}
}

static void bench_memory(uint64_t empty)
{
	report("grant-copy-4k", measure(grant_copy) - empty);
	report("npt-fault", measure(npt_fault) - empty);
	report("grant-map", measure(grant_map) - empty);
	report("grant-unmap", measure(grant_unmap) - empty);
	report("populate-4k", measure(populate) - empty);
}

static void bench_exits(uint64_t empty)
{
	report("null-hypercall", measure(null_hypercall) - empty);
	report("cpuid-exit", measure(cpuid_exit) - empty);
	report("msr-exit", measure(msr_exit) - empty);
}

/* TSC ticks for less than a second, by the clock's own scale: the other way round. */
static uint64_t ns_to_ticks(uint64_t ns)
{
	volatile struct vcpu_time_info *t = &event_vcpu_info(0)->time;
	uint64_t ticks = (ns << 32) / t->tsc_to_system_mul;

	return t->tsc_shift >= 0 ? ticks >> t->tsc_shift : ticks << -t->tsc_shift;
}

static volatile uint64_t woken_at;

static void on_upcall(struct regs *regs)
{
	woken_at = rdtsc();
	event_upcall(regs);
}

/* How long after its time a timer's upcall runs on a vCPU that sleeps in HLT. */
static void bench_wake(void)
{
	static uint64_t samples[ROUNDS];

	event_unmask(timer_port);
	irq_set_handler(EVENT_VECTOR, on_upcall);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t tsc = rdtsc();
		uint64_t now = clock_read(&event_vcpu_info(0)->time, tsc);
		struct vcpu_set_singleshot_timer timer = { .timeout_abs_ns = now + WAKE_NS };

		irq_disable();
		vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer);
		irq_enable_and_halt();
		samples[i] = woken_at - (tsc + ns_to_ticks(WAKE_NS));
	}
	irq_set_handler(EVENT_VECTOR, event_upcall);
	report("timer-wakeup", median(samples));
}

/* vCPU 1 sleeps; each event it gets it sends back. */
static void peer(void *arg)
{
	uint32_t seen = 0;

	(void)arg;
	apic_enable(true);
	event_init_cpu();
	event_unmask(back_port);
	peer_ready = 1;
	for (;;) {
		irq_disable();
		while (event_count[back_port] == seen)
			irq_enable_and_halt();
		seen = event_count[back_port];
		event_send(back_port);
	}
}

static void round_trip(unsigned int round)
{
	uint32_t seen = event_count[peer_port];

	(void)round;
	event_send(peer_port);
	irq_disable();
	while (event_count[peer_port] == seen)
		irq_enable_and_halt();
	irq_enable();
}

static void bench_peer(uint64_t empty)
{
	struct evtchn_bind_vcpu op = { .vcpu = 1 };

	if (nr_cpus < 2)
		return;
	peer_port = event_alloc_unbound(DOMID_SELF, self);
	back_port = event_bind_interdomain(self, peer_port);
	op.port = back_port;
	event_channel_op(EVTCHNOP_bind_vcpu, &op);
	event_clear(back_port);
	event_unmask(peer_port);
	event_count[peer_port] = event_count[back_port] = 0;
	cpu_start(1, peer, NULL);
	while (!peer_ready)
		sched_op(SCHEDOP_yield, NULL);
	delay_ns(100 * US);
	report("event-round-trip", measure(round_trip) - empty);
	event_mask(peer_port);
	irq_disable();
	report("event-other-vcpu", measure(send_peer) - empty);
	irq_enable();
}

static void bench_events(uint64_t empty)
{
	masked_port = event_bind_ipi(0);
	self_port = event_bind_ipi(0);
	timer_port = event_bind_virq(VIRQ_TIMER, 0);
	event_unmask(self_port);
	report("event-masked", measure_with(send_masked, clear_masked) - empty);
	report("event-self", measure(send_self) - empty);
	report("set-timer", measure(set_timer) - empty);
	vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL);
	bench_wake();
	bench_peer(empty);
}

/* 1000 instructions that everybody agrees on: ticks for them tell what a tick is. */
static void thousand(unsigned int round)
{
	uint64_t count = 500;

	(void)round;
	__asm__ volatile("1: dec %0; jnz 1b" : "+r"(count));
}

/* The way Linux takes events: a vector of each vCPU's local APIC, which wants an EOI. */
static void bench_lapic_upcall(uint64_t empty)
{
	irq_disable();
	event_set_delivery(EVENT_PER_VCPU_VECTOR);
	irq_enable();
	report("event-self-lapic", measure(send_self) - empty);
}

void guest_main(void)
{
	uint64_t empty;

	self = own_domid();
	apic_enable(true);
	event_init(EVENT_CALLBACK_VECTOR);
	if (!event_fifo_init())
		note("2-level events");
	irq_enable();
	empty = measure(nothing);
	report("thousand-instructions", measure(thousand) - empty);
	bench_exits(empty);
	bench_events(empty);
	set_up_memory();
	bench_memory(empty);
	bench_lapic_upcall(empty);
	printf("RESULT: SUCCESS\n");
}
