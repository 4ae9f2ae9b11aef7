/*
 * Every way in which a guest could make a VM entry fail. Each must give the exception a real CPU gives,
 * or stop this domain with a reason; never the machine. What a CPU refuses by itself need not be looked
 * at by the hypervisor, but an emulated CPU may let it pass, and then the entry fails: what can stop the
 * domain is a run of its own, named on the command line: "stop=cr3" and so on.
 */
#include "guest/guest.h"

const char test_title[] = "no guest state makes a VM entry fail unnoticed";

#define TRY_CR(name, value) TRY("mov %0, %%" #name, : : "r"(value) : "memory")

/* A CPU faults. An emulated one may ignore the bits instead, where the hypervisor need not look. */
static void check_harmless(uint32_t fault, bool unchanged, const char *what)
{
	check(fault == GP0 || (fault == NO_FAULT && unchanged), "%s gives #GP or has no effect",
	      what);
}

static void check_cr0(void)
{
	uint64_t cr0 = read_cr0();

	check_harmless(TRY_CR(cr0, cr0 | BIT(32)), read_cr0() == cr0, "the upper half of CR0");
	check_harmless(TRY_CR(cr0, cr0 | BIT(63)), read_cr0() == cr0, "bit 63 of CR0");
	check_fault(TRY_CR(cr0, cr0 | CR0_CD), NO_FAULT, "CR0.CD can be set");
	write_cr0(cr0);
	check_fault(TRY_CR(cr0, cr0 & ~CR0_WP), NO_FAULT, "CR0.WP can be cleared");
	write_cr0(cr0);
	check_fault(TRY_CR(cr0, cr0 ^ BIT(4)), NO_FAULT, "CR0.ET cannot be cleared, without fault");
	check_eq(read_cr0(), cr0, "CR0 reads back as before");
}

static void check_cr4(void)
{
	uint64_t cr4 = read_cr4();

	check_fault(TRY_CR(cr4, cr4 | CR4_TSD), NO_FAULT, "CR4.TSD can be set");
	check_eq(read_cr4(), cr4 | CR4_TSD, "and is kept");
	write_cr4(cr4);
}

static void check_rest(void)
{
	uint64_t efer = rdmsr(MSR_EFER);

	check_harmless(TRY_CR(cr8, 16UL), read_cr8() == 0, "CR8 above 15");
	write_cr8(0);
	check_fault(TRY("mov %0, %%dr7",
			:
			: "r"(0x100000400UL)),
		    GP0, "the upper half of DR7 gives #GP");
	check_fault(TRY("mov %0, %%dr6",
			:
			: "r"(0x1ffff0ff0UL)),
		    GP0, "the upper half of DR6 gives #GP");
	check_fault(wrmsr_try(MSR_EFER, efer ^ EFER_LME), GP0, "EFER.LME under paging gives #GP");
	check_fault(wrmsr_try(MSR_EFER, efer | EFER_SVME), GP0, "EFER.SVME gives #GP");
	check_fault(wrmsr_try(MSR_EFER, efer | BIT(1)), GP0, "a reserved bit of EFER gives #GP");
	check_fault(wrmsr_try(MSR_EFER, efer & ~EFER_LMA), NO_FAULT, "EFER.LMA ignores writes");
	check_eq(rdmsr(MSR_EFER), efer, "EFER reads back as before");
}

/* A descriptor that says both 64-bit and 32-bit. A CPU refuses to load it; not every emulator does. */
static void load_cs_with_l_and_d(void)
{
	this_cpu()->gdt[SEL_CODE16 / 8] = 0x00ef9b000000ffff;
	__asm__ volatile("pushq %0; pushq $1f; lretq\n1:" ::"i"(SEL_CODE16) : "memory");
	cpuid(0);
}

static void set_nw_without_cd(void)
{
	(void)TRY_CR(cr0, (read_cr0() | CR0_NW) & ~CR0_CD);
	cpuid(0);
}

static void clear_pe_under_paging(void)
{
	(void)TRY_CR(cr0, read_cr0() & ~CR0_PE);
	cpuid(0);
}

static void clear_pae_in_long_mode(void)
{
	(void)TRY_CR(cr4, read_cr4() & ~CR4_PAE);
	cpuid(0);
}

/* A bit that no CPU has, one of the other vendor, and features that CPUID does not show. */
static void set_cr4_bit(unsigned int bit)
{
	(void)TRY_CR(cr4, read_cr4() | BIT(bit));
	cpuid(0);
}

static void set_cr4_reserved(void)
{
	set_cr4_bit(63);
	set_cr4_bit(15);
}

static void set_cr4_vmxe(void)
{
	set_cr4_bit(13);
}

static void set_cr4_hidden(void)
{
	if (!(cpuid(1).ecx & BIT(17)))
		set_cr4_bit(17); /* PCIDE */
	if (!(cpuid(1).ecx & BIT(26)))
		set_cr4_bit(18); /* OSXSAVE */
	if (!(cpuid_count(7, 0).ebx & BIT(7)))
		set_cr4_bit(20); /* SMEP */
}

static void load_cr3_beyond_width(void)
{
	__asm__ volatile("mov %0, %%cr3; cpuid" ::"r"(read_cr3() | BIT(51)), "a"(0), "c"(0)
			 : "rbx", "rdx", "memory");
}

static void triple_fault(void)
{
	static const uint8_t empty[10];

	__asm__ volatile("lidt %0; ud2" ::"m"(empty));
}

static void halt_forever(void)
{
	__asm__ volatile("cli; hlt");
}

static void run_into_nothing(void)
{
	__asm__ volatile("jmp *%0" ::"r"(hole_alloc()));
}

/* An exception whose frame goes where no memory is: what runs then is not what stands at rip. */
static void stack_in_hole(void)
{
	__asm__ volatile("mov %0, %%rsp; ud2" : : "r"((uint8_t *)hole_alloc() + 2048) : "memory");
}

/* The page tables themselves may lie where no memory is. */
static void page_tables_in_hole(void)
{
	write_cr3((uintptr_t)hole_alloc());
	cpuid(0);
}

static const struct {
	const char *name;
	void (*run)(void);
} stops[] = {
	{ "nw", set_nw_without_cd },       { "pe", clear_pe_under_paging },
	{ "pae", clear_pae_in_long_mode }, { "cr4", set_cr4_reserved },
	{ "vmxe", set_cr4_vmxe },          { "hidden", set_cr4_hidden },
	{ "cs", load_cs_with_l_and_d },    { "cr3", load_cr3_beyond_width },
	{ "triple", triple_fault },        { "halt", halt_forever },
	{ "fetch", run_into_nothing },     { "tables", page_tables_in_hole },
	{ "stack", stack_in_hole },
};

/* A CPU that checks gives an exception; then the guest lives, and that is as good. */
static void stop(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(stops); i++) {
		if (strcmp(stops[i].name, name))
			continue;
		note("trying to stop by %s", name);
		stops[i].run();
		check(true, "the guest goes on");
		return;
	}
	test_error("no way to stop called %s", name);
}

void test_main(void)
{
	const char *how = strstr(command_line(), "stop=");

	if (how) {
		stop(how + strlen("stop="));
		return;
	}
	check_cr0();
	check_cr4();
	check_rest();
}
