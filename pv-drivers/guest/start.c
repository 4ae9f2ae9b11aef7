/* The first C code of a guest, on the boot processor with interrupts off. */
#include "guest/start.h"

#include "guest/apic.h"
#include "guest/console.h"
#include "guest/hypercall.h"
#include "guest/smp.h"
#include "guest/trap.h"

#define VENDOR_AMD   0x68747541 /* "Auth" */
#define VENDOR_HYGON 0x6f677948 /* "Hygo" */

/* Written before .bss could be trusted to be anything else than zero: belongs to .data. */
struct entry_state entry_state __attribute__((section(".data")));
const struct hvm_start_info *start_info;

extern uint8_t *const _hypercall_sites_start[], *const _hypercall_sites_end[];

static void patch_hypercalls(void)
{
	uint32_t vendor = cpuid(0).ebx;

	if (vendor == VENDOR_AMD || vendor == VENDOR_HYGON)
		return;
	for (uint8_t *const *site = _hypercall_sites_start; site < _hypercall_sites_end; site++)
		(*site)[2] = 0xc1; /* 0f 01 c1: vmcall */
}

bool is_initial_domain(void)
{
	return start_info->flags & SIF_INITDOMAIN;
}

const char *command_line(void)
{
	return start_info->cmdline_paddr ? (const char *)start_info->cmdline_paddr : "";
}

void guest_shutdown(unsigned int reason)
{
	struct sched_shutdown op = { .reason = reason };

	for (;;)
		sched_op(SCHEDOP_shutdown, &op);
}

void guest_start(const struct hvm_start_info *info)
{
	start_info = info;
	patch_hypercalls();
	console_start();
	trap_init_cpu(&cpus[0]);
	apic_init_cpu();
	smp_init();
	cpus[0].apic_id = cpuid(1).ebx >> 24;
	guest_main();
	guest_shutdown(SHUTDOWN_poweroff);
}
