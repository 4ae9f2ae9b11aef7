/* Which MSRs a guest may read and write, and what it finds there. */
#include "guest/guest.h"

const char test_title[] = "MSRs read, keep and fault as the policy says";

/* Registers that keep what is written. No wrong values are tried: these need no exit, and an emulated
 * CPU does not check them. */
static const struct kept_row {
	uint32_t msr;
	uint64_t value;
	const char *name;
} kept[] = {
	{ MSR_STAR, 0x0023001000000000, "STAR" },
	{ MSR_LSTAR, 0xffffffff81000000, "LSTAR" },
	{ MSR_CSTAR, 0xffffffff81001000, "CSTAR" },
	{ MSR_SFMASK, 0x47700, "SFMASK" },
	{ MSR_FS_BASE, 0x00007fff12345678, "FS_BASE" },
	{ MSR_KERNEL_GS_BASE, 0xffff888012345678, "KERNEL_GS_BASE" },
	{ MSR_SYSENTER_CS, 0x10, "SYSENTER_CS" },
	{ 0x175, 0xffffc90000001000, "SYSENTER_ESP" },
	{ 0x176, 0xffffffff81002000, "SYSENTER_EIP" },
	{ MSR_PAT, 0x0407050600070106, "PAT" },
};

/* Reading must not fault: Linux does it without a safety net. */
static const struct {
	uint32_t msr;
	const char *name;
} readable[] = {
	{ MSR_APIC_BASE, "APIC_BASE" },
	{ MSR_EFER, "EFER" },
	{ 0xfe, "MTRRcap" },
	{ 0x2ff, "MTRRdefType" },
	{ 0x200, "MTRRphysBase0" },
	{ 0x250, "MTRRfix64K" },
	{ 0xc0010010, "SYSCFG" },
	{ 0x8b, "PATCH_LEVEL" },
	{ 0xc0010055, "INT_PENDING" },
	{ MSR_TSC, "TSC" },
};

/* Not there, or not a guest's business. (Xen reads VM_HSAVE_PA as 0 and ignores writes.) */
static const struct {
	uint32_t msr;
	const char *name;
} refused[] = {
	{ 0xc0010117, "VM_HSAVE_PA" },
	{ 0x40000400, "a hypervisor MSR that does not exist" },
	{ 0xdeadbeef, "a number out of nowhere" },
	{ 0x480, "VMX_BASIC" },
};

static void check_kept(const struct kept_row *row)
{
	uint64_t before = 0, after = 0;

	check_fault(rdmsr_try(row->msr, &before), NO_FAULT, "%s can be read", row->name);
	check_fault(wrmsr_try(row->msr, row->value), NO_FAULT, "%s can be written", row->name);
	rdmsr_try(row->msr, &after);
	check_eq(after, row->value, "%s keeps what was written", row->name);
	wrmsr(row->msr, before);
}

static void check_efer(void)
{
	uint64_t efer = rdmsr(MSR_EFER);

	check_eq(efer, EFER_LME | EFER_LMA | EFER_NXE, "EFER shows LME, LMA, NXE, and not SVME");
	check_fault(wrmsr_try(MSR_EFER, efer | EFER_SVME), GP0, "EFER refuses SVME");
	check_fault(wrmsr_try(MSR_EFER, efer | BIT(63)), GP0, "EFER refuses reserved bits");
	check_fault(wrmsr_try(MSR_EFER, efer & ~EFER_LME), GP0,
		    "EFER refuses to clear LME under paging");
	check_fault(wrmsr_try(MSR_EFER, efer | EFER_SCE), NO_FAULT, "EFER takes SCE");
	check_eq(rdmsr(MSR_EFER), efer | EFER_SCE, "and keeps it");
	wrmsr(MSR_EFER, efer);
}

static void check_mtrr_def_type(void)
{
	uint64_t before = rdmsr(0x2ff);

	check_fault(wrmsr_try(0x2ff, 0xc06), NO_FAULT, "MTRRdefType takes a type and its bits");
	check_eq(rdmsr(0x2ff), 0xc06, "and keeps them");
	check_fault(wrmsr_try(0x2ff, 0xe06), GP0, "it refuses reserved bits");
	check_fault(wrmsr_try(0x2ff, 0xc02), GP0, "and a type that does not exist");
	wrmsr(0x2ff, before);
}

static void check_tsc(void)
{
	uint64_t before = rdmsr(MSR_TSC);
	uint64_t after = rdtsc();

	check(after >= before, "RDTSC and the TSC MSR run together");
	check(after - before < 1000000000, "with no great distance");
}

/* MSR 0x40000000 fills a page with one 32-byte stub per hypercall. */
static void check_hypercall_page(void)
{
	uint8_t *page = page_alloc();
	int64_t version;

	wrmsr(0x40000000, (uintptr_t)page);
	check_eq(page[0], 0xb8, "the hypercall page starts with mov $0, %%eax");
	check_eq(page[__HYPERVISOR_xen_version * 32 + 1], __HYPERVISOR_xen_version,
		 "each entry loads its own number");
	__asm__ volatile("call *%1"
			 : "=a"(version)
			 : "r"(page + __HYPERVISOR_xen_version * 32), "D"(0UL), "S"(0UL)
			 : "memory", "rdx", "rcx", "r8", "r9", "r10", "r11");
	check_err(version, xen_version(XENVER_version, NULL), "a call through it works");
	check_fault(wrmsr_try(0x40000000, 0xfffffffffffff000), GP0,
		    "a page outside of memory is refused");
}

void test_main(void)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(kept); i++)
		check_kept(&kept[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(readable); i++)
		check_fault(rdmsr_try(readable[i].msr, &value), NO_FAULT, "%s can be read",
			    readable[i].name);
	for (unsigned int i = 0; i < ARRAY_SIZE(refused); i++) {
		check_fault(rdmsr_try(refused[i].msr, &value), GP0, "reading %s gives #GP",
			    refused[i].name);
		check_fault(wrmsr_try(refused[i].msr, 0), GP0, "writing %s gives #GP",
			    refused[i].name);
	}
	check_efer();
	check_mtrr_def_type();
	check_tsc();
	check_hypercall_page();
	check_eq(rdmsr(0xc0010010) & BIT(19), 0, "SYSCFG shows no DRAM range to modify");
}
