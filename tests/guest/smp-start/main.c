/* vCPUs are started by INIT and SIPI, stop, and are started again; IPIs go between them. */
#include "guest/guest.h"

const char test_title[] = "vCPUs start by INIT and SIPI, as often as one likes";

#define VECTOR 0x61
#define SOON   (2000 * MS)

static volatile uint32_t runs[MAX_CPUS], ipis[MAX_CPUS], nmis[MAX_CPUS];
static volatile bool leave;

#define HALTS       20000u
#define DELAY_LOOPS 32768u /* some time around what an IPI takes */

static volatile uint32_t asked;

static void run_once(void *arg)
{
	(void)arg;
	runs[this_cpu()->vcpu_id]++;
}

static void spin(void *arg)
{
	(void)arg;
	apic_write(APIC_SPIV, APIC_SPIV_ENABLE | 0xff);
	runs[this_cpu()->vcpu_id]++;
	irq_enable();
	while (!leave)
		pause();
	irq_disable();
}

static void on_ipi(struct regs *regs)
{
	(void)regs;
	ipis[this_cpu()->vcpu_id]++;
	apic_eoi();
}

static void on_nmi(struct regs *regs)
{
	(void)regs;
	nmis[this_cpu()->vcpu_id]++;
}

static void check_first_start(unsigned int i)
{
	cpu_start(i, run_once, NULL);
	cpu_wait_down(i);
	check_eq(runs[i], 1, "vCPU %u starts and runs", i);
	check_eq(ap_entry.cs, TRAMPOLINE >> 4, "at the page its SIPI names, in real mode");
	check_eq(ap_entry.cr0 & ~(CR0_CD | CR0_NW), 0x10, "with CR0 as after INIT");
	check_eq(ap_entry.efer, 0, "EFER 0");
	check_eq(ap_entry.cr4, 0, "and CR4 0");
}

static void check_ipis(void)
{
	uint32_t all = 0;

	leave = false;
	for (unsigned int i = 1; i < nr_cpus; i++)
		cpu_start(i, spin, NULL);
	for (unsigned int i = 1; i < nr_cpus; i++) {
		uint32_t before = ipis[i];

		apic_send(cpus[i].apic_id, APIC_ICR_FIXED | VECTOR);
		check(WAIT_UNTIL(ipis[i] == before + 1, SOON), "an IPI reaches vCPU %u", i);
		if (apic_is_x2apic()) {
			uint32_t id = cpus[i].apic_id;

			apic_send((id >> 4) << 16 | 1u << (id & 15), APIC_ICR_LOGICAL | VECTOR);
			check(WAIT_UNTIL(ipis[i] == before + 2, SOON), "and by its logical id");
		}
		apic_send(cpus[i].apic_id, APIC_ICR_NMI);
		check(WAIT_UNTIL(nmis[i] == 1, SOON), "an NMI reaches vCPU %u", i);
		ipis[i] = 0;
	}
	apic_send(0, APIC_ICR_OTHERS | VECTOR);
	for (unsigned int i = 1; i < nr_cpus; i++)
		all += WAIT_UNTIL(ipis[i] == 1, SOON);
	check_eq(all, nr_cpus - 1, "an IPI to all others reaches them all");
	apic_send(0xfe, APIC_ICR_FIXED | VECTOR);
	check(true, "one to an id that nobody has goes nowhere");
}

static void check_sipi_is_ignored(void)
{
	uint32_t before = runs[1];

	apic_send(cpus[1].apic_id, APIC_ICR_SIPI | TRAMPOLINE >> PAGE_SHIFT);
	delay_ns(10 * MS);
	check_eq(runs[1], before, "a SIPI without INIT is ignored by a vCPU that runs");
}

static void check_init_stops(void)
{
	uint32_t before;

	apic_send(cpus[1].apic_id, APIC_ICR_INIT | APIC_ICR_ASSERT | APIC_ICR_LEVEL);
	delay_ns(10 * MS);
	before = ipis[1];
	apic_send(cpus[1].apic_id, APIC_ICR_FIXED | VECTOR);
	delay_ns(10 * MS);
	check_eq(ipis[1], before, "INIT stops a vCPU that runs");
	runs[1] = 0;
	leave = true;
	for (unsigned int i = 2; i < nr_cpus; i++)
		cpu_wait_down(i);
	cpus[1].running = false;
	cpu_start(1, run_once, NULL);
	cpu_wait_down(1);
	check_eq(runs[1], 1, "it can be started again");
}

/* Asks for an IPI each time, and halts until it has come. Nothing else would end its HLT. */
static void halt_often(void *arg)
{
	(void)arg;
	apic_write(APIC_SPIV, APIC_SPIV_ENABLE | 0xff);
	for (uint32_t i = 1; i <= HALTS; i++) {
		irq_disable();
		asked = i;
		for (uint32_t n = i * 61 % DELAY_LOOPS; n; n--)
			__asm__ volatile("");
		while (ipis[1] < i) {
			irq_enable_and_halt();
			irq_disable();
		}
	}
}

/* The IPI comes anywhere between the question and the HLT, also right before it. */
static void check_halts(void)
{
	uint32_t lost = 0;

	ipis[1] = asked = 0;
	cpu_start(1, halt_often, NULL);
	for (uint32_t i = 1; i <= HALTS; i++) {
		if (!WAIT_UNTIL(asked == i, SOON)) {
			lost = lost ? lost : i - 1;
			ipis[1]--; /* it halts although this one has come: another wakes it */
			apic_send(cpus[1].apic_id, APIC_ICR_FIXED | VECTOR);
			WAIT_UNTIL(asked == i, SOON);
		}
		apic_send(cpus[1].apic_id, APIC_ICR_FIXED | VECTOR);
	}
	check_eq(lost, 0, "of %u IPIs around a HLT, all end it", HALTS);
	cpu_wait_down(1);
}

void test_main(void)
{
	event_init(EVENT_PER_VCPU_VECTOR);
	irq_set_handler(VECTOR, on_ipi);
	irq_set_handler(TRAP_NMI, on_nmi);
	check_eq(nr_cpus, 4, "there are 4 vCPUs");
	for (unsigned int i = 1; i < nr_cpus; i++)
		check_first_start(i);
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 1; i < nr_cpus; i++) {
			cpu_start(i, run_once, NULL);
			cpu_wait_down(i);
		}
	}
	for (unsigned int i = 1; i < nr_cpus; i++)
		check_eq(runs[i], 4, "vCPU %u starts again three times", i);
	check_halts();
	check_ipis();
	check_sipi_is_ignored();
	check_init_stops();
}
