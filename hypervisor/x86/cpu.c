/* What the CPU can do, and the control registers that follow from it. */
#include "x86/cpu.h"
#include "lib/string.h"
#include "lodge/log.h"
#include "x86/cmdline.h"

struct cpu_features host_cpu;

static bool opt_smep = true, opt_smap = true;
OPTION_BOOL("smep", opt_smep);
OPTION_BOOL("smap", opt_smap);

static void read_words(uint32_t word[NR_CPUID_WORDS], uint32_t max_leaf, uint32_t max_extended)
{
	struct cpuid_regs r = cpuid(1, 0);

	memset(word, 0, NR_CPUID_WORDS * sizeof(*word));
	word[CPUID_1_ECX] = r.ecx;
	word[CPUID_1_EDX] = r.edx;
	if (max_leaf >= 7) {
		r = cpuid(7, 0);
		word[CPUID_7_EBX] = r.ebx;
		word[CPUID_7_ECX] = r.ecx;
		word[CPUID_7_EDX] = r.edx;
	}
	if (max_leaf >= 0xd)
		word[CPUID_D1_EAX] = cpuid(0xd, 1).eax;
	r = cpuid(0x80000001, 0);
	word[CPUID_80000001_ECX] = r.ecx;
	word[CPUID_80000001_EDX] = r.edx;
	if (max_extended >= 0x80000007)
		word[CPUID_80000007_EDX] = cpuid(0x80000007, 0).edx;
	if (max_extended >= 0x80000008)
		word[CPUID_80000008_EBX] = cpuid(0x80000008, 0).ebx;
	if (max_extended >= 0x8000000a && (word[CPUID_80000001_ECX] & 4))
		word[CPUID_8000000A_EDX] = cpuid(0x8000000a, 0).edx;
	if (max_extended >= 0x80000021)
		word[CPUID_80000021_EAX] = cpuid(0x80000021, 0).eax;
}

static void read_vendor(void)
{
	static const struct {
		const char *name;
		enum cpu_vendor vendor;
	} vendors[] = {
		{ "GenuineIntel", VENDOR_INTEL },
		{ "AuthenticAMD", VENDOR_AMD },
		{ "HygonGenuine", VENDOR_HYGON },
	};
	struct cpuid_regs r = cpuid(0, 0);

	host_cpu.max_leaf = r.eax;
	memcpy(&host_cpu.vendor_name[0], &r.ebx, 4);
	memcpy(&host_cpu.vendor_name[4], &r.edx, 4);
	memcpy(&host_cpu.vendor_name[8], &r.ecx, 4);
	for (size_t i = 0; i < ARRAY_SIZE(vendors); i++)
		if (strcmp(vendors[i].name, host_cpu.vendor_name) == 0)
			host_cpu.vendor = vendors[i].vendor;
}

static void read_model(void)
{
	struct cpuid_regs r = cpuid(1, 0);
	uint32_t family = r.eax >> 8 & 0xf;

	host_cpu.stepping = r.eax & 0xf;
	host_cpu.model = (r.eax >> 4 & 0xf) | (r.eax >> 12 & 0xf0);
	host_cpu.family = family == 0xf ? family + (r.eax >> 20 & 0xff) : family;
	host_cpu.clflush_bytes = (r.ebx >> 8 & 0xff) * 8;
	for (uint32_t i = 0; i < 3 && host_cpu.max_extended_leaf >= 0x80000004; i++) {
		r = cpuid(0x80000002 + i, 0);
		memcpy(&host_cpu.model_name[16 * i], &r, 16);
	}
}

void cpu_features_init(void)
{
	struct cpuid_regs r;

	read_vendor();
	host_cpu.max_extended_leaf = cpuid(0x80000000, 0).eax;
	read_model();
	read_words(host_cpu.word, host_cpu.max_leaf, host_cpu.max_extended_leaf);
	if (!cpu_has(CPU_NX))
		boot_fail(
			"this CPU has no NX bit, or the firmware has switched it off: enable it there\n");
	if (!cpu_has(CPU_APIC) || !cpu_has(CPU_FXSR))
		boot_fail("this CPU has no local APIC or no FXSAVE, or the firmware hides them\n");
	host_cpu.phys_bits = 36;
	if (host_cpu.max_extended_leaf >= 0x80000008)
		host_cpu.phys_bits = cpuid(0x80000008, 0).eax & 0xff;
	if (cpu_has(CPU_SVM) && host_cpu.max_extended_leaf >= 0x8000000a)
		host_cpu.nr_asids = cpuid(0x8000000a, 0).ebx;
	if (cpu_has(CPU_XSAVE)) {
		r = cpuid(0xd, 0);
		host_cpu.xcr0_mask = (uint64_t)r.edx << 32 | r.eax;
		host_cpu.xsave_bytes = r.ecx;
	}
}

void cpu_registers_init(void)
{
	uint64_t cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (cpu_has(CPU_MCE))
		cr4 |= CR4_MCE;
	if (cpu_has(CPU_PGE))
		cr4 |= CR4_PGE;
	if (cpu_has(CPU_XSAVE))
		cr4 |= CR4_OSXSAVE;
	if (cpu_has(CPU_UMIP))
		cr4 |= CR4_UMIP;
	if (cpu_has(CPU_SMEP) && opt_smep)
		cr4 |= CR4_SMEP;
	if (cpu_has(CPU_SMAP) && opt_smap)
		cr4 |= CR4_SMAP;
	write_cr0(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
	write_cr4(cr4);
	wrmsr(MSR_EFER, (rdmsr(MSR_EFER) & EFER_LMA) | EFER_LME | EFER_NXE);
	if (cpu_has(CPU_XSAVE))
		xsetbv(0, host_cpu.xcr0_mask & 1 ? 3 : 0);
}

/* Features whose absence on one CPU would break what the boot CPU decided for all. */
bool cpu_is_equal(void)
{
	static const uint32_t needed_1_ecx =
		1u << (CPU_XSAVE % 32) | 1u << (CPU_X2APIC % 32) | 1u << (CPU_TSC_DEADLINE % 32);
	uint32_t word[NR_CPUID_WORDS];

	read_words(word, host_cpu.max_leaf, host_cpu.max_extended_leaf);
	for (unsigned i = 0; i < NR_CPUID_WORDS; i++) {
		uint32_t needed = host_cpu.word[i];

		if (i == CPUID_1_ECX)
			needed &= needed_1_ecx; /* OSXSAVE, for one, comes and goes */
		if ((word[i] & needed) != needed)
			return false;
	}
	return true;
}
