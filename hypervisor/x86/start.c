/* Boot, from boot.S to the loop that runs vCPUs. docs/boot.md tells it as a list. */
#include "x86/start.h"
#include "lib/string.h"
#include "lodge/arch.h"
#include "lodge/console.h"
#include "lodge/cpu.h"
#include "lodge/log.h"
#include "lodge/page.h"
#include "lodge/version.h"
#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/boot-info.h"
#include "x86/cmdline.h"
#include "x86/cpu.h"
#include "x86/ioapic.h"
#include "x86/irq.h"
#include "x86/machine.h"
#include "x86/nmi-watchdog.h"
#include "x86/paging.h"
#include "x86/parts.h"
#include "x86/pci.h"
#include "x86/screen.h"
#include "x86/serial.h"
#include "x86/smp.h"
#include "x86/time.h"
#include "x86/trap.h"

extern uint64_t __stack_chk_guard;

static bool parse_loglvl(const char *s)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{ "none", LOG_ERR },  { "error", LOG_ERR },   { "warning", LOG_WARN },
		{ "info", LOG_INFO }, { "debug", LOG_DEBUG }, { "all", LOG_DEBUG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (strcmp(s, levels[i].name) == 0) {
			console_level = levels[i].level;
			return true;
		}
	}
	return false;
}
OPTION_PARSE("loglvl", parse_loglvl);

/* There is one scheduler; the option is for those who will ask for it by name. */
static bool parse_sched(const char *s)
{
	return strcmp(s, "share") == 0;
}
OPTION_PARSE("sched", parse_sched);

/* Not for callers that return: their guard would no longer match. */
static void __attribute__((no_stack_protector)) choose_stack_guard(void)
{
	uint64_t guard = rdtsc() * 0x9e3779b97f4a7c15ull, random;
	bool ok;

	if (cpu_has(CPU_RDRAND)) {
		__asm__ volatile("rdrand %0; setc %1" : "=r"(random), "=qm"(ok) : : "cc");
		guard ^= ok ? random : 0;
	}
	__stack_chk_guard = guard & ~0xffull; /* a zero byte stops runaway strings */
}

static void print_machine(void)
{
	log_info("Lodge, started by %s, %s\n", boot_info.loader, boot_info.efi ? "EFI" : "BIOS");
	log_info("options: %s\n", boot_info.cmdline);
	cmdline_report();
	log_info("%s: %s, family %#x model %#x stepping %u\n", host_cpu.vendor_name,
		 host_cpu.model_name, host_cpu.family, host_cpu.model, host_cpu.stepping);
	log_info("memory: %u MiB usable, %u modules, image at %#" PRIx64 "\n",
		 (unsigned)(boot_info_nr_usable_pages() >> (20 - PAGE_SHIFT)), boot_info.nr_modules,
		 image_base.a);
}

/* On the boot CPU's final stack. */
static _Noreturn void start_on_own_stack(void)
{
	apic_init();
	ioapic_init();
	time_init();
	smp_start_all();
	machine_init();
	irq_init();
	serial_irq_init();
	pci_init();
	iommu_init();
	vm_init();
	vm_cpu_init(this_cpu());
	service_vm_create();
	log_info("%" PRIu64 " MiB of memory are free\n", page_count_free() >> (20 - PAGE_SHIFT));
	watchdog_cpu_init();
	screen_release();
	smp_release();
	run_loop();
}

void __attribute__((no_stack_protector)) start_hypervisor(uint32_t magic, uint32_t info)
{
	smp_boot_cpu_init();
	if (trap_cpu_prepare(this_cpu()))
		BUG();
	trap_cpu_load(this_cpu());
	boot_info_init(magic, info);
	version_set_command_line(boot_info.cmdline);
	cmdline_parse(boot_info.cmdline);
	serial_init();
	cpu_features_init();
	choose_stack_guard();
	print_machine();
	paging_init();
	screen_map();
	cpu_registers_init();
	acpi_init();
	memory_init();
	smp_switch_stack(smp_boot_cpu_stack(), start_on_own_stack);
}

void start_cpu_ready(void)
{
	vm_cpu_init(this_cpu());
	watchdog_cpu_init();
	run_loop();
}
