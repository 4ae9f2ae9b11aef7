/* Starting the other CPUs, one after the other: INIT, start-up IPI, and the trampoline brings it to
 * start_secondary() on its own stack. Then the boot CPU and the new one compare their TSCs, and the new
 * one waits until everything is initialised. */
#include "x86/smp.h"
#include "lib/string.h"
#include "lodge/alloc.h"
#include "lodge/arch.h"
#include "lodge/cpu.h"
#include "lodge/log.h"
#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/boot-info.h"
#include "x86/cmdline.h"
#include "x86/cpu.h"
#include "x86/paging.h"
#include "x86/start.h"
#include "x86/time.h"
#include "x86/trap.h"

#define INIT_DELAY_US    20u
#define STARTUP_RETRY_US 1000u
#define STARTUP_LIMIT_MS 500u
#define TSC_ROUNDS       4u
#define LOW_MEMORY_LIMIT 0x9f000u

struct trampoline { /* parameters at the end of trampoline.S */
	uint64_t stack, entry;
	uint32_t page_table;
	uint32_t far_32;
	uint16_t selector_32;
	uint16_t gdt_limit;
	uint32_t gdt;
	uint32_t far_64;
	uint16_t selector_64;
} __attribute__((packed));

extern const char trampoline_start[], trampoline_end[], trampoline_parameters[];
extern char boot_stack[];

static bool opt_nosmp;
static unsigned opt_maxcpus = MAX_CPUS;
OPTION_BOOL("nosmp", opt_nosmp);
OPTION_UINT("maxcpus", opt_maxcpus);

static struct cpu boot_cpu;

/* What the CPU that is being started has reached; it and the boot CPU write in turn. */
static enum { CPU_ABSENT, CPU_CALLED, CPU_REFUSED, CPU_STARTED } start_state;
static bool is_released;

/* The TSC comparison: each side publishes its reading and the other answers with a later one. */
static struct {
	uint32_t round; /* even: the boot CPU's turn */
	uint64_t tsc;
	uint64_t worst_lag; /* how far a reading was behind an earlier one of the other CPU */
} tsc_check;

void smp_boot_cpu_init(void)
{
	*(struct cpu **)(void *)(boot_stack + CPU_STACK_SIZE - sizeof(void *)) = &boot_cpu;
	cpus[0] = &boot_cpu;
	nr_cpus = 1;
	cpu_init(&boot_cpu, 0);
	boot_cpu.online = true;
}

static void set_stack_owner(void *stack_top, struct cpu *c)
{
	((struct cpu **)stack_top)[-1] = c;
}

void *smp_boot_cpu_stack(void)
{
	void *top = stack_create(0);

	if (!top)
		boot_fail("no memory for the boot CPU's stack\n");
	set_stack_owner(top, &boot_cpu);
	return top;
}

static void compare_tsc(uint32_t parity)
{
	for (unsigned i = 0; i < TSC_ROUNDS; i++) {
		uint64_t now;

		while ((__atomic_load_n(&tsc_check.round, __ATOMIC_ACQUIRE) & 1) != parity)
			cpu_relax();
		now = rdtsc();
		if (now < tsc_check.tsc)
			tsc_check.worst_lag = MAX(tsc_check.worst_lag, tsc_check.tsc - now);
		tsc_check.tsc = now;
		__atomic_fetch_add(&tsc_check.round, 1, __ATOMIC_RELEASE);
	}
}

/* The rest of a new CPU's life starts here. */
static _Noreturn void start_secondary(void)
{
	struct cpu *c = this_cpu();

	trap_cpu_load(c);
	cpu_registers_init();
	apic_cpu_init();
	if (!cpu_is_equal()) {
		__atomic_store_n(&start_state, CPU_REFUSED, __ATOMIC_RELEASE);
		halt_forever();
	}
	__atomic_store_n(&start_state, CPU_STARTED, __ATOMIC_RELEASE);
	compare_tsc(1);
	WRITE_ONCE(c->online, true);
	WRITE_ONCE(c->idle, true);
	while (!__atomic_load_n(&is_released, __ATOMIC_ACQUIRE))
		irq_wait();
	WRITE_ONCE(c->idle, false);
	start_cpu_ready();
}

/* A usable page of the first MiB, above what firmware may still use. */
static mpa_t find_low_page(void)
{
	for (unsigned i = 0; i < boot_info.nr_ranges; i++) {
		const struct memory_range *r = &boot_info.range[i];
		uint64_t end = MIN(align_down(r->base + r->bytes, PAGE_SIZE), LOW_MEMORY_LIMIT);

		if (r->type == MEMORY_USABLE && end >= r->base + 2 * PAGE_SIZE &&
		    end > 2 * PAGE_SIZE)
			return MPA(end - PAGE_SIZE);
	}
	return MPA(0);
}

static struct trampoline *install_trampoline(mpa_t page)
{
	char *code = mpa_to_ptr(page);
	struct trampoline *t = (void *)(code + (trampoline_parameters - trampoline_start));

	memcpy(code, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	t->page_table = (uint32_t)paging_root().a;
	t->far_32 += (uint32_t)page.a;
	t->gdt += (uint32_t)page.a;
	t->far_64 += (uint32_t)page.a;
	t->entry = (uintptr_t)start_secondary;
	paging_map_trampoline(page);
	return t;
}

static struct cpu *create_cpu(uint32_t id, const struct acpi_cpu *from)
{
	struct cpu *c = mem_alloc(sizeof(*c));

	if (!c)
		return NULL;
	cpu_init(c, id);
	c->arch.apic_id = from->apic_id;
	c->arch.acpi_id = from->acpi_id;
	c->arch.node = from->node;
	if (trap_cpu_prepare(c)) {
		mem_free(c, sizeof(*c));
		return NULL;
	}
	return c;
}

static bool has_answered(void)
{
	return __atomic_load_n(&start_state, __ATOMIC_ACQUIRE) > CPU_CALLED;
}

/* Two start-up IPIs if one is not enough; a fast CPU is on its way before the second. */
static void call_cpu(uint32_t apic_id, mpa_t page)
{
	uint8_t vector = (uint8_t)(page.a >> PAGE_SHIFT);

	__atomic_store_n(&start_state, CPU_CALLED, __ATOMIC_SEQ_CST);
	/* An emulator that counts instructions charges an INIT with the rest of its CPU's time slice,
	 * which the next timer ends. */
	apic_timer_arm(arch_now_ns() + 5 * INIT_DELAY_US * NS_PER_US);
	cpu_relax();
	apic_send_init(apic_id);
	delay_us(INIT_DELAY_US);
	apic_send_startup(apic_id, vector);
	for (unsigned us = 0; us < STARTUP_LIMIT_MS * 1000 && !has_answered(); us += 10) {
		if (us == STARTUP_RETRY_US)
			apic_send_startup(apic_id, vector);
		delay_us(10);
	}
}

/* Another id would be cut to that of some CPU that runs, or of all. */
static bool can_address(uint32_t apic_id)
{
	return apic_is_x2apic || apic_id < 0xff;
}

static void start_cpu(const struct acpi_cpu *from, mpa_t page, struct trampoline *t)
{
	struct cpu *c;
	void *stack;

	if (!can_address(from->apic_id)) {
		log_warn("the CPU with APIC id %#x needs x2APIC mode: left out\n", from->apic_id);
		return;
	}
	c = create_cpu(nr_cpus, from);
	stack = c ? stack_create(c->id) : NULL;
	if (!stack) {
		log_warn("no memory for the CPU with APIC id %#x\n", from->apic_id);
		return;
	}
	set_stack_owner(stack, c);
	t->stack = (uintptr_t)stack - 16;
	cpus[c->id] = c;
	call_cpu(from->apic_id, page);
	if (__atomic_load_n(&start_state, __ATOMIC_ACQUIRE) != CPU_STARTED) {
		/* Its record and stack stay: it may yet wake up. */
		log_warn("the CPU with APIC id %#x %s: left out\n", from->apic_id,
			 start_state == CPU_REFUSED ? "can do less than the boot CPU"
						    : "does not start");
		cpus[c->id] = NULL;
		apic_send_init(from->apic_id);
		return;
	}
	compare_tsc(0);
	while (!READ_ONCE(c->online))
		cpu_relax();
	nr_cpus++;
}

void smp_start_all(void)
{
	unsigned limit = opt_nosmp ? 1 : MIN(opt_maxcpus, nr_acpi_cpus);
	mpa_t page = find_low_page();
	struct trampoline *t;

	boot_cpu.arch.acpi_id = acpi_cpus[0].acpi_id;
	boot_cpu.arch.node = acpi_cpus[0].node;
	if (limit > 1 && page.a == 0) {
		log_warn("no free memory below 1 MiB: the other CPUs stay off\n");
		limit = 1;
	}
	if (limit > 1) {
		t = install_trampoline(page);
		for (unsigned i = 1; i < limit; i++)
			start_cpu(&acpi_cpus[i], page, t);
		paging_unmap_trampoline();
	}
	log_info("%u of %u CPUs run\n", nr_cpus, nr_acpi_cpus);
	if (tsc_check.worst_lag)
		log_warn("the CPUs' TSCs differ by up to %" PRIu64
			 " ns: time may step back between CPUs\n",
			 tsc_to_ns(tsc_check.worst_lag));
}

void smp_release(void)
{
	__atomic_store_n(&is_released, true, __ATOMIC_SEQ_CST);
	for (unsigned i = 1; i < nr_cpus; i++)
		apic_send_ipi(cpus[i], VECTOR_KICK);
}
