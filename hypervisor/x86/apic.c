/* See apic.h. In x2APIC mode registers are MSRs, else uncached memory at apic_base. Interrupts go to
 * one CPU by its physical id; logical destinations and priorities are not used. */
#include "x86/apic.h"
#include "lodge/arch.h"
#include "lodge/cpu.h"
#include "lodge/log.h"
#include "x86/cmdline.h"
#include "x86/cpu.h"
#include "x86/paging.h"
#include "x86/time.h"
#include "x86/trap.h"

enum apic_register { /* byte offset in the page; MSR 0x800 + offset / 16 */
		     APIC_ID = 0x20,
		     APIC_VERSION = 0x30,
		     APIC_TPR = 0x80,
		     APIC_EOI = 0xb0,
		     APIC_SPURIOUS = 0xf0,
		     APIC_ESR = 0x280,
		     APIC_ICR = 0x300,
		     APIC_ICR_HIGH = 0x310,
		     APIC_LVT_TIMER = 0x320,
		     APIC_LVT_THERMAL = 0x330,
		     APIC_LVT_PERFORMANCE = 0x340,
		     APIC_LVT_LINT0 = 0x350,
		     APIC_LVT_LINT1 = 0x360,
		     APIC_LVT_ERROR = 0x370,
		     APIC_TIMER_START = 0x380,
		     APIC_TIMER_COUNT = 0x390,
		     APIC_TIMER_DIVIDE = 0x3e0,
};

#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)
#define APIC_BASE_PAGE   0x000ffffffffff000ull

#define SPURIOUS_ENABLE  0x100u
#define LVT_MASKED       0x10000u
#define LVT_NMI          0x400u
#define LVT_TSC_DEADLINE 0x40000u
#define DIVIDE_BY_1      0xbu
#define ICR_NMI          0x400u
#define ICR_INIT         0x500u
#define ICR_STARTUP      0x600u
#define ICR_ASSERT       0x4000u
#define ICR_PENDING      0x1000u
#define ICR_WAIT_SPINS   100000u

bool apic_is_x2apic;
mpa_t apic_base;

static volatile uint32_t *registers; /* xAPIC */
static bool uses_deadline;
static uint64_t counts_per_ns_32; /* counts of the timer a nanosecond, times 2^32 */

static bool opt_x2apic = true, opt_tsc_deadline = true;
OPTION_BOOL("x2apic", opt_x2apic);
OPTION_BOOL("tsc_deadline", opt_tsc_deadline);

static void apic_write(enum apic_register reg, uint32_t value)
{
	if (apic_is_x2apic)
		wrmsr(MSR_X2APIC + reg / 16, value);
	else
		registers[reg / 4] = value;
}

static uint32_t apic_read(enum apic_register reg)
{
	if (apic_is_x2apic)
		return (uint32_t)rdmsr(MSR_X2APIC + reg / 16);
	return registers[reg / 4];
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

uint32_t apic_read_id(void)
{
	return apic_is_x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
}

static void wait_icr(void)
{
	uint32_t spins = 0;

	while ((registers[APIC_ICR / 4] & ICR_PENDING) && ++spins < ICR_WAIT_SPINS)
		cpu_relax();
}

static void send(uint32_t apic_id, uint32_t command)
{
	if (apic_is_x2apic) {
		smp_mb(); /* this MSR write is not serialising: what we stored comes first */
		wrmsr(MSR_X2APIC + APIC_ICR / 16, (uint64_t)apic_id << 32 | command);
		return;
	}
	wait_icr();
	registers[APIC_ICR_HIGH / 4] = apic_id << 24;
	registers[APIC_ICR / 4] = command;
}

void apic_send_ipi(const struct cpu *c, uint8_t vector)
{
	send(c->arch.apic_id, ICR_ASSERT | vector);
}

/* May interrupt another send() between its two halves, so it leaves the upper one as it was. */
void apic_send_nmi(const struct cpu *c)
{
	uint32_t high = apic_is_x2apic ? 0 : registers[APIC_ICR_HIGH / 4];

	send(c->arch.apic_id, ICR_ASSERT | ICR_NMI);
	if (!apic_is_x2apic) {
		wait_icr();
		registers[APIC_ICR_HIGH / 4] = high;
	}
}

void apic_send_init(uint32_t apic_id)
{
	send(apic_id, ICR_ASSERT | ICR_INIT);
}

void apic_send_startup(uint32_t apic_id, uint8_t page)
{
	send(apic_id, ICR_ASSERT | ICR_STARTUP | page);
}

/* ---- Timer ---- */

void apic_timer_start_count(uint32_t start)
{
	apic_write(APIC_TIMER_START, start);
}

uint32_t apic_timer_count(void)
{
	return apic_read(APIC_TIMER_COUNT);
}

void apic_timer_set_speed(uint64_t khz)
{
	counts_per_ns_32 = (khz << 32) / 1000000;
}

void apic_timer_arm(uint64_t deadline_ns)
{
	uint64_t now, counts;

	if (uses_deadline) {
		wrmsr(MSR_TSC_DEADLINE, deadline_ns == TIME_NEVER ? 0 : tsc_at(deadline_ns));
		return;
	}
	if (deadline_ns == TIME_NEVER) {
		apic_write(APIC_TIMER_START, 0);
		return;
	}
	now = arch_now_ns();
	counts = 1;
	if (deadline_ns > now) /* never early; what is far away is armed again on the way */
		counts = (uint64_t)(((unsigned __int128)(deadline_ns - now) * counts_per_ns_32) >>
				    32) +
			 1;
	apic_write(APIC_TIMER_START, (uint32_t)MIN(counts, UINT32_MAX));
}

static void timer_interrupt(uint8_t vector)
{
	(void)vector;
	apic_eoi();
	cpu_raise(this_cpu(), CPU_PENDING_TIMER);
}

static void kick_interrupt(uint8_t vector)
{
	(void)vector; /* leaving guest mode or HLT was all it was for */
	apic_eoi();
}

static void error_interrupt(uint8_t vector)
{
	static bool told;

	(void)vector;
	apic_write(APIC_ESR, 0);
	if (!told)
		log_warn("CPU %u: local APIC error %#x\n", this_cpu()->id, apic_read(APIC_ESR));
	told = true;
	apic_eoi();
}

static void spurious_interrupt(uint8_t vector)
{
	(void)vector; /* no EOI: nothing is in service */
}

/* ---- Start ---- */

void apic_init(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	apic_base = MPA(base & APIC_BASE_PAGE);
	apic_is_x2apic = cpu_has(CPU_X2APIC) && (opt_x2apic || (base & APIC_BASE_X2APIC));
	uses_deadline = cpu_has(CPU_TSC_DEADLINE) && opt_tsc_deadline;
	if (!apic_is_x2apic)
		registers = map_mmio(apic_base, PAGE_SIZE);
	irq_set_handler(VECTOR_TIMER, timer_interrupt);
	irq_set_handler(VECTOR_KICK, kick_interrupt);
	irq_set_handler(VECTOR_APIC_ERROR, error_interrupt);
	irq_set_handler(VECTOR_SPURIOUS, spurious_interrupt);
	/* The old interrupt controllers stay silent. */
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	apic_cpu_init();
	log_info("local APICs in %s mode, timer by %s\n", apic_is_x2apic ? "x2APIC" : "xAPIC",
		 uses_deadline ? "TSC deadline" : "count");
}

void apic_cpu_init(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;
	uint32_t nr_lvt;

	wrmsr(MSR_APIC_BASE, base);
	if (apic_is_x2apic)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2APIC);
	nr_lvt = (apic_read(APIC_VERSION) >> 16 & 0xff) + 1;
	apic_write(APIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	/* The machine's NMI comes in at LINT1, and to one CPU only: see panic.c. */
	apic_write(APIC_LVT_LINT1, this_cpu()->id == 0 ? LVT_NMI : LVT_MASKED);
	apic_write(APIC_LVT_ERROR, VECTOR_APIC_ERROR);
	if (nr_lvt > 4)
		apic_write(APIC_LVT_PERFORMANCE, LVT_MASKED);
	if (nr_lvt > 5)
		apic_write(APIC_LVT_THERMAL, LVT_MASKED);
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER | (uses_deadline ? LVT_TSC_DEADLINE : 0));
	if (!uses_deadline)
		apic_write(APIC_TIMER_START, 0);
	this_cpu()->arch.apic_id = apic_read_id();
}

void arch_timer_program(uint64_t deadline_ns)
{
	apic_timer_arm(deadline_ns);
}

void arch_cpu_kick(struct cpu *c)
{
	if (READ_ONCE(c->idle) || READ_ONCE(c->arch.in_guest))
		apic_send_ipi(c, VECTOR_KICK);
}
