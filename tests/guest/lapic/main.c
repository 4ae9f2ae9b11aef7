/* The local APIC in xAPIC and in x2APIC mode: identity, priorities, IPIs to oneself, timer, errors. */
#include "guest/guest.h"

const char test_title[] = "the local APIC works in both of its modes";

#define LOW    0x31
#define MIDDLE 0x51
#define HIGH   0x71
#define SOON   (2000 * MS)

static volatile uint32_t taken[256];
static volatile uint8_t order[8];
static volatile unsigned int nr_order;
static volatile bool nest; /* the handler sends the others while it is in service */
static volatile uint32_t isr_seen;

static void on_vector(struct regs *regs)
{
	uint8_t vector = (uint8_t)regs->vector;

	taken[vector]++;
	if (nr_order < ARRAY_SIZE(order))
		order[nr_order++] = vector;
	if (vector == MIDDLE && nest) {
		nest = false;
		isr_seen = apic_read(APIC_ISR + MIDDLE / 32) >> (MIDDLE % 32) & 1;
		apic_send(0, APIC_ICR_SELF | LOW);
		apic_send(0, APIC_ICR_SELF | HIGH);
		irq_enable();
		__asm__ volatile("nop");
		irq_disable();
	}
	apic_eoi();
}

static void reset_counts(void)
{
	for (unsigned int i = 0; i < 256; i++)
		taken[i] = 0;
	nr_order = 0;
}

static void check_identity(bool x2apic)
{
	uint32_t id = cpuid(1).ebx >> 24;
	uint32_t version = apic_read(APIC_VERSION);

	check_eq(x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24, id,
		 "the id is CPUID's: %u", id);
	check((version & 0xff) >= 0x10 && (version & 0xff) < 0x20 && (version >> 16 & 0xff) >= 3,
	      "the version is %#x", version);
	if (x2apic)
		check_eq(apic_read(APIC_LDR), (id >> 4) << 16 | 1u << (id & 15),
			 "the logical id follows from the id");
	apic_write(APIC_SPIV, APIC_SPIV_ENABLE | 0xff);
	check_eq(apic_read(APIC_SPIV) & 0x1ff, APIC_SPIV_ENABLE | 0xff,
		 "SPIV keeps what is written");
	check_eq(apic_read(APIC_LVT_TIMER), APIC_LVT_MASKED, "the timer starts masked");
}

static void check_self_ipi(bool x2apic)
{
	reset_counts();
	apic_send(0, APIC_ICR_SELF | MIDDLE);
	check_eq(taken[MIDDLE], 0, "an IPI to oneself waits while interrupts are off");
	check_eq(apic_read(APIC_IRR + MIDDLE / 32) >> (MIDDLE % 32) & 1, 1, "in the IRR");
	irq_enable();
	check_eq(taken[MIDDLE], 1, "it arrives when they are on");
	apic_send(x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24, APIC_ICR_FIXED | MIDDLE);
	check_eq(taken[MIDDLE], 2, "an IPI to one's own id arrives");
	apic_send(0, APIC_ICR_ALL | MIDDLE);
	check_eq(taken[MIDDLE], 3, "an IPI to all, oneself included, arrives");
	apic_send(0, APIC_ICR_OTHERS | MIDDLE);
	check_eq(taken[MIDDLE], 3, "one to all others does not come back");
	if (x2apic) {
		apic_write(APIC_SELF_IPI, HIGH);
		check_eq(taken[HIGH], 1, "the SELF_IPI register works");
	}
	irq_disable();
	check_eq(apic_read(APIC_ICR) & 0x1000, 0, "the ICR is never busy");
}

static void check_priorities(void)
{
	reset_counts();
	apic_write(APIC_TPR, 0x60);
	check_eq(read_cr8(), 6, "CR8 shows the task priority");
	check_eq(apic_read(APIC_PPR), 0x60, "the processor priority follows it");
	irq_enable();
	apic_send(0, APIC_ICR_SELF | LOW);
	apic_send(0, APIC_ICR_SELF | MIDDLE);
	check(!taken[LOW] && !taken[MIDDLE], "vectors of lower classes wait");
	apic_send(0, APIC_ICR_SELF | HIGH);
	check_eq(taken[HIGH], 1, "a higher one does not");
	apic_write(APIC_TPR, 0x40);
	check(taken[MIDDLE] == 1 && !taken[LOW], "a lower priority lets in what is now above it");
	apic_write(APIC_TPR, 0);
	check_eq(taken[LOW], 1, "priority 0 lets in the rest");
	irq_disable();

	reset_counts();
	nest = true;
	apic_send(0, APIC_ICR_SELF | MIDDLE);
	irq_enable();
	irq_disable();
	check_eq(isr_seen, 1, "a vector is in the ISR while its handler runs");
	check(nr_order == 3 && order[0] == MIDDLE && order[1] == HIGH && order[2] == LOW,
	      "a higher vector interrupts the handler, a lower one waits for EOI");
	apic_eoi();
	check(true, "an EOI with nothing in service is harmless");
}

/* The timer's rate is not promised; two ways to read it must agree. */
static void check_timer(void)
{
	uint32_t first, second;

	reset_counts();
	apic_write(APIC_TIMER_DIVIDE, 0xb); /* by 1 */
	apic_write(APIC_LVT_TIMER, MIDDLE);
	apic_write(APIC_TIMER_INITIAL, 0x7fffffff);
	first = apic_read(APIC_TIMER_CURRENT);
	delay_ns(MS);
	second = apic_read(APIC_TIMER_CURRENT);
	check(second < first && first <= 0x7fffffff, "the count goes down: %u in 1 ms",
	      first - second);
	apic_write(APIC_TIMER_INITIAL, 0);
	check_eq(apic_read(APIC_TIMER_CURRENT), 0, "0 stops it");
	irq_enable();
	apic_write(APIC_TIMER_INITIAL, 2 * (first - second));
	check(WAIT_UNTIL(taken[MIDDLE] == 1, SOON), "one-shot: it interrupts");
	delay_ns(8 * MS);
	check_eq(taken[MIDDLE], 1, "once");
	apic_write(APIC_LVT_TIMER, APIC_TIMER_PERIODIC | MIDDLE);
	apic_write(APIC_TIMER_INITIAL, 2 * (first - second));
	check(WAIT_UNTIL(taken[MIDDLE] >= 5, SOON), "periodic: it interrupts again and again");
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | APIC_TIMER_PERIODIC | MIDDLE);
	delay_ns(4 * MS);
	reset_counts();
	delay_ns(8 * MS);
	check_eq(taken[MIDDLE], 0, "masked: it does not");
	apic_write(APIC_TIMER_INITIAL, 0);
	if (cpuid(1).ecx & BIT(24)) {
		apic_write(APIC_LVT_TIMER, APIC_TIMER_DEADLINE | MIDDLE);
		wrmsr(MSR_TSC_DEADLINE, rdtsc() + 1000000);
		check(WAIT_UNTIL(taken[MIDDLE] == 1, SOON), "TSC deadline: it interrupts");
		check_eq(rdmsr(MSR_TSC_DEADLINE), 0, "and the deadline is 0 then");
	}
	irq_disable();
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
}

static void check_errors(void)
{
	apic_write(APIC_ESR, 0);
	apic_write(APIC_ESR, 0);
	check_eq(apic_read(APIC_ESR), 0, "no errors so far");
	apic_send(0, APIC_ICR_SELF | 5);
	apic_write(APIC_ESR, 0);
	check(apic_read(APIC_ESR) & 0x60, "vector 5 is an illegal vector: ESR %#x",
	      apic_read(APIC_ESR));
	apic_write(APIC_ESR, 0);
	apic_write(APIC_ESR, 0);
	apic_write(APIC_SPIV, 0xff);
	check_eq(apic_read(APIC_LVT_LINT0) & APIC_LVT_MASKED, APIC_LVT_MASKED,
		 "switching off by SPIV masks the LVT");
	apic_write(APIC_LVT_TIMER, MIDDLE);
	check_eq(apic_read(APIC_LVT_TIMER) & APIC_LVT_MASKED, APIC_LVT_MASKED,
		 "and it cannot be unmasked meanwhile");
	apic_write(APIC_SPIV, APIC_SPIV_ENABLE | 0xff);
}

static void check_x2apic_msrs(void)
{
	static const struct {
		uint32_t msr;
		uint32_t read, write; /* faults */
		uint64_t value;
		const char *name;
	} rows[] = {
		{ 0x802, NO_FAULT, GP0, 1, "ID" },
		{ 0x803, NO_FAULT, GP0, 1, "VERSION" },
		{ 0x80a, NO_FAULT, GP0, 0, "PPR" },
		{ 0x80b, GP0, GP0, 1, "EOI with a value that is not 0" },
		{ 0x80d, NO_FAULT, GP0, 1, "LDR" },
		{ 0x80e, GP0, GP0, 0, "DFR" },
		{ 0x810, NO_FAULT, GP0, 0, "ISR" },
		{ 0x828, NO_FAULT, GP0, 1, "ESR with a value that is not 0" },
		{ 0x831, GP0, GP0, 0, "ICR2" },
		{ 0x83f, GP0, GP0, 0x100, "SELF_IPI with a vector beyond 255" },
		{ 0x808, NO_FAULT, GP0, 0x100, "TPR with a value beyond 255" },
		{ 0x80f, NO_FAULT, GP0, 1ULL << 32, "SPIV with its upper half" },
		{ 0x8ff, GP0, GP0, 0, "the last of the range" },
	};
	uint64_t value;

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		check_fault(rdmsr_try(rows[i].msr, &value), rows[i].read, "reading MSR %#x (%s)",
			    rows[i].msr, rows[i].name);
		check_fault(wrmsr_try(rows[i].msr, rows[i].value), rows[i].write,
			    "writing MSR %#x (%s)", rows[i].msr, rows[i].name);
	}
}

static void check_mode_changes(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);
	uint64_t off = base & ~(APIC_BASE_ENABLE | APIC_BASE_X2APIC), value;

	check_fault(wrmsr_try(MSR_APIC_BASE, off | APIC_BASE_ENABLE), GP0,
		    "x2APIC to xAPIC directly gives #GP");
	check_fault(wrmsr_try(MSR_APIC_BASE, off | APIC_BASE_X2APIC), GP0,
		    "x2APIC without enable gives #GP");
	check_fault(wrmsr_try(MSR_APIC_BASE, base | BIT(63)), GP0, "a reserved bit gives #GP");
	check_fault(wrmsr_try(MSR_APIC_BASE, off), NO_FAULT, "it can be switched off");
	check_fault(rdmsr_try(0x802, &value), GP0, "its MSRs are then gone");
	check_fault(wrmsr_try(MSR_APIC_BASE, off | APIC_BASE_ENABLE | APIC_BASE_X2APIC), GP0,
		    "off to x2APIC directly gives #GP");
	check_fault(wrmsr_try(MSR_APIC_BASE, off | APIC_BASE_ENABLE), NO_FAULT,
		    "off to xAPIC works");
	check_fault(rdmsr_try(0x802, &value), GP0, "x2APIC MSRs are not there in xAPIC mode");
}

/* Xen in QEMU never returns from this: the two compare priorities differently. */
static void check_own_class(void)
{
	reset_counts();
	apic_write(APIC_TPR, 0x50);
	irq_enable();
	apic_send(0, APIC_ICR_SELF | MIDDLE);
	check_eq(taken[MIDDLE], 0, "a vector of the task's own class waits");
	write_cr8(4);
	check_eq(apic_read(APIC_TPR), 0x40, "a write to CR8 is one to TPR");
	check_eq(taken[MIDDLE], 1, "and lets it in");
	irq_disable();
	apic_write(APIC_TPR, 0);
}

static void check_mode(bool x2apic)
{
	note("%s mode", x2apic ? "x2APIC" : "xAPIC");
	check_eq(apic_is_x2apic(), x2apic, "the mode is told by APIC_BASE");
	check_identity(x2apic);
	check_self_ipi(x2apic);
	check_priorities();
	check_timer();
	check_errors();
}

void test_main(void)
{
	irq_set_handler(LOW, on_vector);
	irq_set_handler(MIDDLE, on_vector);
	irq_set_handler(HIGH, on_vector);
	irq_set_handler(0xff, on_vector);
	event_init(EVENT_CALLBACK_VECTOR); /* for the clock */
	apic_enable(true);
	check_mode(true);
	check_x2apic_msrs();
	check_mode_changes();
	apic_init_cpu();
	check_mode(false);
	apic_enable(true);
	check(apic_is_x2apic(), "xAPIC to x2APIC works");
	apic_write(APIC_SPIV, APIC_SPIV_ENABLE | 0xff);
	check_own_class();
}
