/* What CPUID shows: the hypervisor's own leaves, and which features of the machine are passed on. */
#include "guest/guest.h"

const char test_title[] = "CPUID shows a consistent virtual CPU";

enum reg { EAX, EBX, ECX, EDX };

static const struct bit_row {
	uint32_t leaf;
	enum reg reg;
	uint8_t bit;
	bool shown;
	const char *name;
} bits[] = {
	{ 1, ECX, 3, false, "MONITOR" },
	{ 1, ECX, 5, false, "VMX" },
	{ 1, ECX, 21, true, "x2APIC" },
	{ 1, ECX, 31, true, "hypervisor" },
	{ 1, EDX, 0, true, "FPU" },
	{ 1, EDX, 3, true, "PSE" },
	{ 1, EDX, 4, true, "TSC" },
	{ 1, EDX, 5, true, "MSR" },
	{ 1, EDX, 6, true, "PAE" },
	{ 1, EDX, 8, true, "CX8" },
	{ 1, EDX, 9, true, "APIC" },
	{ 1, EDX, 11, true, "SEP" },
	{ 1, EDX, 13, true, "PGE" },
	{ 1, EDX, 15, true, "CMOV" },
	{ 1, EDX, 16, true, "PAT" },
	{ 1, EDX, 24, true, "FXSR" },
	{ 1, EDX, 25, true, "SSE" },
	{ 1, EDX, 26, true, "SSE2" },
	{ 0x80000001, ECX, 2, false, "SVM" },
	{ 0x80000001, ECX, 9, false, "OSVW" },
	{ 0x80000001, ECX, 10, false, "IBS" },
	{ 0x80000001, ECX, 12, false, "SKINIT" },
	{ 0x80000001, EDX, 11, true, "SYSCALL" },
	{ 0x80000001, EDX, 20, true, "NX" },
	{ 0x80000001, EDX, 29, true, "long mode" },
};

static uint32_t reg_of(struct cpuid c, enum reg reg)
{
	const uint32_t regs[] = { c.eax, c.ebx, c.ecx, c.edx };

	return regs[reg];
}

static void check_hypervisor_leaves(void)
{
	struct cpuid base = cpuid(0x40000000);
	struct cpuid leaf4 = cpuid(0x40000004);
	bool others_empty = true;

	check_eq(base.ebx, 0x566e6558, "leaf 0x40000000 bears the signature (1)");
	check_eq(base.ecx, 0x65584d4d, "leaf 0x40000000 bears the signature (2)");
	check_eq(base.edx, 0x4d4d566e, "leaf 0x40000000 bears the signature (3)");
	check(base.eax >= 0x40000004 && base.eax < 0x40000100, "it names its last leaf, %#x",
	      base.eax);
	check_eq(cpuid(0x40000002).eax, 1, "there is one hypercall page");
	check_eq(cpuid(0x40000002).ebx, 0x40000000, "its MSR is 0x40000000");
	check_eq(leaf4.eax & 3, 0, "neither APIC access nor x2APIC is said to be virtualised");
	check(leaf4.eax & BIT(3), "the vCPU id is told");
	check_eq(leaf4.ebx, 0, "and it is 0 here");
	check(leaf4.eax & BIT(6), "upcall vectors per vCPU are told");
	for (uint32_t leaf = 0x40000100; leaf <= 0x4000ff00; leaf += 0x100) {
		struct cpuid c = cpuid(leaf);

		others_empty = others_empty && !c.eax && !c.ebx && !c.ecx && !c.edx;
	}
	check(others_empty, "no other hypervisor shows in 0x40000100 to 0x4000ff00");
}

static void check_limits(void)
{
	uint32_t last = cpuid(0).eax, last_extended = cpuid(0x80000000).eax;
	uint32_t sizes = cpuid(0x80000008).eax;

	check(last >= 1 && last < 0x40, "basic leaves end at %#x", last);
	check(last_extended >= 0x80000008 && last_extended < 0x80000040,
	      "extended leaves end at %#x", last_extended);
	check((sizes & 0xff) >= 36 && (sizes & 0xff) <= 52, "physical addresses have %u bits",
	      sizes & 0xff);
	check_eq(sizes >> 8 & 0xff, 48, "virtual addresses have 48 bits");
}

static void check_live_bits(void)
{
	uint64_t cr4 = read_cr4();
	bool xsave = cpuid(1).ecx >> 26 & 1;

	check(!(cpuid(1).ecx >> 27 & 1), "OSXSAVE is clear while CR4.OSXSAVE is");
	if (xsave) {
		write_cr4(cr4 | BIT(18));
		check(cpuid(1).ecx >> 27 & 1, "OSXSAVE follows CR4.OSXSAVE");
		write_cr4(cr4);
	}
	check_eq(cpuid(1).ebx >> 24,
		 apic_is_x2apic() ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24,
		 "the initial APIC id is the local APIC's");
}

/* An instruction can have prefixes that do nothing, in any order; its length counts them. */
static void check_prefixes(void)
{
	uint32_t plain = cpuid(0).ebx, ebx, eax = 0;

	__asm__ volatile(".byte 0x48, 0x66, 0x0f, 0xa2" : "+a"(eax), "=b"(ebx) : : "ecx", "edx");
	check_eq(ebx, plain, "CPUID works with a REX prefix before another prefix");
}

static void on_ap(void *arg)
{
	uint32_t *seen = arg;

	seen[0] = cpuid(1).ebx >> 24;
	seen[1] = cpuid(0x40000004).ebx;
}

void test_main(void)
{
	uint32_t seen[2];

	check_hypervisor_leaves();
	check_limits();
	for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++) {
		const struct bit_row *b = &bits[i];

		check_eq(reg_of(cpuid(b->leaf), b->reg) >> b->bit & 1, b->shown, "%s is %s",
			 b->name, b->shown ? "shown" : "hidden");
	}
	check_eq(cpuid(0x8000000a).eax, 0, "the SVM leaf is empty");
	check_live_bits();
	check_prefixes();

	event_init(EVENT_PER_VCPU_VECTOR);
	for (unsigned int i = 1; i < nr_cpus; i++) {
		cpu_start(i, on_ap, seen);
		cpu_wait_down(i);
		check_eq(seen[0], cpus[i].apic_id, "vCPU %u sees its own APIC id", i);
		check_eq(seen[1], i, "vCPU %u sees its own vCPU id", i);
	}
}
