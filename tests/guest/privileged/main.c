/* Privileged and intercepted instructions, at CPL 0 and CPL 3: each faults or works as on a CPU without
 * virtualisation. */
#include "guest/guest.h"

const char test_title[] = "privileged instructions fault or work as on a real CPU";

#define CASE(name, insn, ...)                  \
	static uint64_t name(uint64_t arg)     \
	{                                      \
		(void)arg;                     \
		return TRY(insn, __VA_ARGS__); \
	}

static uint8_t area[PAGE_SIZE] __attribute__((aligned(4096)));

CASE(do_hlt, "hlt")
CASE(do_cli, "cli")
CASE(do_clts, "clts")
CASE(do_invd, "wbinvd")
CASE(do_invlpg, "invlpg (%0)", : : "r"(area) : "memory")
CASE(do_lgdt, "lgdt (%0)", : : "r"(area) : "memory")
CASE(do_read_cr0, "mov %%cr0, %%rax", : : : "rax")
CASE(do_read_cr3, "mov %%cr3, %%rax", : : : "rax")
CASE(do_read_cr8, "mov %%cr8, %%rax", : : : "rax")
CASE(do_read_dr7, "mov %%dr7, %%rax", : : : "rax")
CASE(do_rdmsr, "rdmsr", : : "c"(MSR_EFER) : "rax", "rdx")
CASE(do_in, "inb $0x71, %%al", : : : "rax")
CASE(do_rdpmc, "rdpmc", : : "c"(0x1234) : "rax", "rdx")
CASE(do_ud2, "ud2")
CASE(do_int3, "int3")
CASE(do_cpuid, "cpuid", : : "a"(0), "c"(0) : "rbx", "rdx")
CASE(do_rdtsc, "rdtsc", : : : "rax", "rdx")
CASE(do_vmrun, "vmrun %%rax", : : "a"(area) : "memory")
CASE(do_vmload, "vmload %%rax", : : "a"(area) : "memory")
CASE(do_vmsave, "vmsave %%rax", : : "a"(area) : "memory")
CASE(do_stgi, "stgi")
CASE(do_clgi, "clgi")
CASE(do_skinit, "skinit", : : "a"(0))
CASE(do_invlpga, "invlpga %%rax, %%ecx", : : "a"(area), "c"(0) : "memory")
CASE(do_monitor, "monitor", : : "a"(area), "c"(0), "d"(0) : "memory")
CASE(do_vmxon, ".byte 0xf3, 0x0f, 0xc7, 0x30", : : "a"(area) : "memory")
CASE(do_xsetbv, "xsetbv", : : "a"(1), "d"(0), "c"(0))

#define ANY     1u /* depends on the CPU model and is not judged; still nothing may break */
#define REFUSED 2u /* some fault: SVM is on underneath, and the CPU checks privilege first */

static const struct row {
	uint64_t (*run)(uint64_t arg);
	uint32_t kernel, user; /* what it gives at CPL 0 and at CPL 3 */
	const char *name;
} rows[] = {
	{ do_cli, NO_FAULT, GP0, "CLI" },
	{ do_clts, NO_FAULT, GP0, "CLTS" },
	{ do_invd, NO_FAULT, GP0, "WBINVD" },
	{ do_invlpg, NO_FAULT, GP0, "INVLPG" },
	{ do_read_cr0, NO_FAULT, GP0, "a read of CR0" },
	{ do_read_cr3, NO_FAULT, GP0, "a read of CR3" },
	{ do_read_cr8, NO_FAULT, GP0, "a read of CR8" },
	{ do_read_dr7, NO_FAULT, GP0, "a read of DR7" },
	{ do_rdmsr, NO_FAULT, GP0, "RDMSR" },
	{ do_in, NO_FAULT, GP0, "IN" },
	{ do_rdpmc, ANY, ANY, "RDPMC" },
	{ do_ud2, UD0, UD0, "UD2" },
	{ do_int3, FAULT(TRAP_BP, 0), FAULT(TRAP_BP, 0), "INT3" },
	{ do_cpuid, NO_FAULT, NO_FAULT, "CPUID" },
	{ do_rdtsc, NO_FAULT, NO_FAULT, "RDTSC" },
	{ do_vmrun, UD0, REFUSED, "VMRUN" },
	{ do_vmload, UD0, REFUSED, "VMLOAD" },
	{ do_vmsave, UD0, REFUSED, "VMSAVE" },
	{ do_stgi, UD0, REFUSED, "STGI" },
	{ do_clgi, UD0, REFUSED, "CLGI" },
	{ do_skinit, UD0, UD0, "SKINIT" },
	{ do_invlpga, UD0, REFUSED, "INVLPGA" },
	{ do_monitor, UD0, UD0, "MONITOR" },
	{ do_vmxon, UD0, UD0, "VMXON" },
	{ do_xsetbv, UD0, UD0, "XSETBV without CR4.OSXSAVE" },
	{ do_hlt, ANY, GP0, "HLT" },
	{ do_lgdt, ANY, GP0, "LGDT" },
};

static void check_rows(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];

		/* HLT would sleep and LGDT would take the segments away. */
		if (r->run != do_hlt && r->run != do_lgdt) {
			uint32_t fault = (uint32_t)r->run(0);

			if (r->kernel != ANY)
				check_fault(fault, r->kernel, "%s at CPL 0", r->name);
		}
		if (r->user == REFUSED)
			check(user_call(r->run, 0) != NO_FAULT, "%s at CPL 3 is refused", r->name);
		else if (r->user != ANY)
			check_fault((uint32_t)user_call(r->run, 0), r->user, "%s at CPL 3",
				    r->name);
	}
}

static uint64_t trap_rip, trap_error;

static void on_debug(struct regs *regs)
{
	trap_rip = regs->rip;
	regs->rflags &= ~RFLAGS_TF;
}

/* An instruction that the hypervisor executes for the guest must trap behind itself all the same. */
static void check_single_step(void)
{
	uint64_t next;

	irq_set_handler(TRAP_DB, on_debug);
	__asm__ volatile("pushfq; orq %1, (%%rsp); popfq\n"
			 "cpuid\n"
			 "1: lea 1b(%%rip), %0"
			 : "=r"(next)
			 : "i"(RFLAGS_TF), "a"(0), "c"(0)
			 : "rbx", "rdx", "memory", "cc");
	irq_set_handler(TRAP_DB, NULL);
	check_eq(trap_rip, next, "single-stepping CPUID traps right behind it");
}

static void check_debug_registers(void)
{
	uint64_t value;

	__asm__ volatile("mov %0, %%dr0; mov %0, %%dr3" ::"r"(0x123456789abcUL));
	__asm__ volatile("mov %%dr0, %0" : "=r"(value));
	check_eq(value, 0x123456789abc, "DR0 keeps its value");
	cpuid(0);
	xen_version(XENVER_version, NULL);
	__asm__ volatile("mov %%dr3, %0" : "=r"(value));
	check_eq(value, 0x123456789abc, "DR3 keeps its value across exits");
}

static void check_breakpoint(void)
{
	static uint64_t target;
	uint32_t fault;

	__asm__ volatile("mov %0, %%dr0" ::"r"(&target));
	__asm__ volatile("mov %0, %%dr7" ::"r"(0x90701UL)); /* L0, LE, DR0: write, 8 bytes */
	fault = TRY("movq $1, %0", : "=m"(target));
	__asm__ volatile("mov %0, %%dr7" ::"r"(0x400UL));
	check_fault(fault, FAULT(TRAP_DB, 0), "a data breakpoint is hit");
}

/* A call into a page that may not be executed: go back to where it came from. */
static void on_fetch_fault(struct regs *regs)
{
	trap_error = regs->error;
	regs->rip = *(uint64_t *)regs->rsp;
	regs->rsp += 8;
}

static void check_page_faults(void)
{
	uint64_t page = TEST_VA;
	uint32_t fault;

	fault = TRY("movb (%0), %%al", : : "r"(page) : "rax");
	check_fault(fault, FAULT(TRAP_PF, 0), "a read of an unmapped page gives #PF(0)");
	check_eq(read_cr2(), page, "CR2 tells the address");
	map_page(page, (uintptr_t)area | PTE_P);
	fault = TRY("movb $1, (%0)", : : "r"(page) : "memory");
	check_fault(fault, FAULT(TRAP_PF, 3), "a write to a read-only page gives #PF(3)");
	map_page(page, (uintptr_t)area | PTE_P | PTE_NX);
	irq_set_handler(TRAP_PF, on_fetch_fault);
	__asm__ volatile("call *%0" ::"r"(page) : "memory");
	irq_set_handler(TRAP_PF, NULL);
	check_eq(trap_error, 0x11, "a fetch from a page without execution gives #PF(11)");
	unmap_page(page);
}

#define RFLAGS_IOPL_3 0x3000UL
#define ABSENT_PORT   0x42 /* reads as 0 */

static uint64_t do_insb(uint64_t to)
{
	return TRY("insb", : "+D"(to) : "d"(ABSENT_PORT) : "memory");
}

static void change_flags(uint64_t clear, uint64_t set)
{
	__asm__ volatile("pushfq; andq %0, (%%rsp); orq %1, (%%rsp); popfq"
			 :
			 : "r"(~clear), "r"(set)
			 : "memory", "cc");
}

/* The hypervisor carries out string I/O for the guest: with the rights of the code that asks for it. */
static void check_string_io(void)
{
	uint64_t page = TEST_VA;
	uint32_t fault;

	area[0] = 0x5a;
	map_page(page, (uintptr_t)area | PTE_P | PTE_W);
	change_flags(0, RFLAGS_IOPL_3);
	fault = (uint32_t)user_call(do_insb, page);
	change_flags(RFLAGS_IOPL_3, 0);
	check_fault(fault | 1, FAULT(TRAP_PF, 7), "INSB at CPL 3 into a page of the kernel's");
	check_eq(area[0], 0x5a, "the page is as it was");
	map_page(page, (uintptr_t)area | PTE_P | PTE_W | PTE_U);
	change_flags(0, RFLAGS_IOPL_3);
	fault = (uint32_t)user_call(do_insb, page);
	change_flags(RFLAGS_IOPL_3, 0);
	check_fault(fault, NO_FAULT, "INSB at CPL 3 into a page of its own");
	check_eq(area[0], 0, "the page has what was read");
	unmap_page(page);
}

void test_main(void)
{
	check_rows();
	check_single_step();
	check_debug_registers();
	check_breakpoint();
	check_page_faults();
	check_string_io();
}
