/*
 * What a guest sees of CPUID: what is in the tables, and zeros elsewhere. A row lets through the
 * host's bits under its masks, then a function may change them. Features that a guest could use but
 * that we do not switch, emulate or confine are masked out.
 */
#include "x86/vm/exit.h"

#include "abi/cpuid.h"
#include "arch-inline.h"
#include "lodge/domain.h"
#include "lodge/vcpu.h"
#include "x86/cpu.h"
#include "x86/time.h"
#include "x86/vm/vm.h"

#define XEN_VERSION (4u << 16 | 17u) /* the interface that we speak, as xen_version has it */

#define BIT32(n) (1u << (n))
#define ALL      UINT32_MAX

typedef void fixup_fn(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r);

struct cpuid_row {
	uint32_t eax, ebx, ecx,
		edx;     /* bits of the host's that pass; all zero: not even asked for */
	fixup_fn *fixup; /* NULL: none */
};

/* Leaf 1 ECX: SSE3, PCLMUL, SSSE3, FMA, CX16, PCID, SSE4.1, SSE4.2, MOVBE, POPCNT, AES, XSAVE, AVX,
 * F16C, RDRAND. Not: MONITOR, VMX, TSC deadline, performance counters. */
#define LEAF1_ECX                                                                            \
	(BIT32(0) | BIT32(1) | BIT32(9) | BIT32(12) | BIT32(13) | BIT32(17) | BIT32(19) |    \
	 BIT32(20) | BIT32(22) | BIT32(23) | BIT32(25) | BIT32(26) | BIT32(28) | BIT32(29) | \
	 BIT32(30))
#define LEAF1_ECX_X2APIC     BIT32(21)
#define LEAF1_ECX_OSXSAVE    BIT32(27)
#define LEAF1_ECX_HYPERVISOR BIT32(31)
/* Features that need XSAVE's registers: FMA, AVX, F16C, XSAVE itself. */
#define LEAF1_ECX_XSAVE (BIT32(12) | BIT32(26) | BIT32(28) | BIT32(29))
/* Leaf 1 EDX: all of the basics. Not: machine checks, thermal control, debug store, HTT. */
#define LEAF1_EDX                                                                                \
	(BIT32(0) | BIT32(1) | BIT32(2) | BIT32(3) | BIT32(4) | BIT32(5) | BIT32(6) | BIT32(8) | \
	 BIT32(9) | BIT32(11) | BIT32(12) | BIT32(13) | BIT32(15) | BIT32(16) | BIT32(17) |      \
	 BIT32(19) | BIT32(23) | BIT32(24) | BIT32(25) | BIT32(26))
/* Leaf 7 EBX: FSGSBASE, BMI1, AVX2, SMEP, BMI2, ERMS, INVPCID, AVX-512 (F, DQ, IFMA, CD, BW, VL), RDSEED,
 * ADX, SMAP, CLFLUSHOPT, CLWB, SHA. */
#define LEAF7_EBX                                                                                  \
	(BIT32(0) | BIT32(3) | BIT32(5) | BIT32(7) | BIT32(8) | BIT32(9) | BIT32(10) | BIT32(16) | \
	 BIT32(17) | BIT32(18) | BIT32(19) | BIT32(20) | BIT32(21) | BIT32(23) | BIT32(24) |       \
	 BIT32(28) | BIT32(29) | BIT32(30) | BIT32(31))
#define LEAF7_EBX_XSAVE \
	(BIT32(5) | BIT32(16) | BIT32(17) | BIT32(21) | BIT32(28) | BIT32(30) | BIT32(31))
/* Leaf 7 ECX: VBMI, UMIP, VBMI2, GFNI, VAES, VPCLMUL, VNNI, BITALG, VPOPCNT, RDPID. */
#define LEAF7_ECX                                                                       \
	(BIT32(1) | BIT32(2) | BIT32(6) | BIT32(8) | BIT32(9) | BIT32(10) | BIT32(11) | \
	 BIT32(12) | BIT32(14) | BIT32(22))
#define LEAF7_ECX_XSAVE \
	(BIT32(1) | BIT32(6) | BIT32(8) | BIT32(9) | BIT32(10) | BIT32(11) | BIT32(12) | BIT32(14))
#define LEAF7_ECX_RDPID BIT32(22)
#define LEAF7_EDX       (BIT32(4) | BIT32(10)) /* FSRM, MD_CLEAR */
/* 0x80000001 ECX: LAHF, CR8 by LOCK, LZCNT, SSE4A, misaligned SSE, PREFETCHW, XOP, FMA4, TBM. */
#define EXT1_ECX                                                                                   \
	(BIT32(0) | BIT32(4) | BIT32(5) | BIT32(6) | BIT32(7) | BIT32(8) | BIT32(11) | BIT32(16) | \
	 BIT32(21))
#define EXT1_ECX_XSAVE (BIT32(11) | BIT32(16))
/* 0x80000001 EDX: the copy of leaf 1's, SYSCALL, NX, MMX extensions, 1 GiB pages, RDTSCP, long mode,
 * 3DNow. Not: FFXSR. */
#define EXT1_EDX                                                                                 \
	((LEAF1_EDX & 0x0183f3ffu) | BIT32(11) | BIT32(20) | BIT32(22) | BIT32(26) | BIT32(27) | \
	 BIT32(29) | BIT32(30) | BIT32(31))
#define EXT8_EBX  (BIT32(0) | BIT32(2) | BIT32(9)) /* CLZERO, XSAVEERPTR, WBNOINVD */
#define EXT21_EAX (BIT32(2) | BIT32(6)) /* LFENCE serialises, null selectors clear the base */

#define MAX_BASIC    0xdu
#define MAX_EXTENDED 0x80000021u

static void fix_max_basic(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
{
	(void)v;
	(void)subleaf;
	r->eax = MIN(r->eax, MAX_BASIC);
}

static void fix_features(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
{
	struct vm_paging p;

	(void)subleaf;
	r->ebx = (r->ebx & 0xff00) | 1u << 16 | v->arch.vlapic.id << 24;
	r->ecx |= LEAF1_ECX_X2APIC | LEAF1_ECX_HYPERVISOR;
	if (!cpu_has(CPU_XSAVE)) {
		r->ecx &= ~LEAF1_ECX_XSAVE;
		return;
	}
	vm_ops->get_paging(v, &p);
	if (p.cr4 & CR4_OSXSAVE)
		r->ecx |= LEAF1_ECX_OSXSAVE;
}

static void fix_power(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
{
	(void)v;
	(void)subleaf;
	r->eax = BIT32(2); /* the local APIC's timer never stops */
}

static void fix_leaf7(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
{
	(void)v;
	r->eax = 0; /* no further sub-leaves */
	if (subleaf) {
		*r = (struct cpuid_regs){ 0 };
		return;
	}
	if (!cpu_has(CPU_XSAVE)) {
		r->ebx &= ~LEAF7_EBX_XSAVE;
		r->ecx &= ~LEAF7_ECX_XSAVE;
	}
	if (!cpu_has(CPU_RDTSCP))
		r->ecx &= ~LEAF7_ECX_RDPID;
}

/* Every vCPU is a core of its own, all in one package. */
static void fix_topology(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
{
	uint32_t id_bits = v->domain->nr_vcpus > 1 ? log2_floor(v->domain->nr_vcpus - 1) + 1 : 0;

	*r = (struct cpuid_regs){ .ecx = subleaf & 0xff, .edx = v->arch.vlapic.id };
	if (subleaf == 0) {
		r->ebx = 1;
		r->ecx |= 1u << 8; /* threads */
	} else if (subleaf == 1) {
		r->eax = id_bits;
		r->ebx = v->domain->nr_vcpus;
		r->ecx |= 2u << 8; /* cores */
	}
}

/* Sizes follow from XCR0, and the guest's is in the CPU. */
static void fix_xsave(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
{
	(void)v;
	if (!cpu_has(CPU_XSAVE) || subleaf > 63 ||
	    (subleaf > 1 && !(host_cpu.xcr0_mask >> subleaf & 1))) {
		*r = (struct cpuid_regs){ 0 };
	} else if (subleaf == 0) {
		r->eax = (uint32_t)host_cpu.xcr0_mask;
		r->edx = (uint32_t)(host_cpu.xcr0_mask >> 32);
		r->ecx = host_cpu.xsave_bytes;
	} else if (subleaf == 1) {
		r->eax &= 7; /* XSAVEOPT, XSAVEC, XGETBV(1); not XSAVES */
		r->ecx = r->edx = 0;
	}
}

static const struct cpuid_row basic[MAX_BASIC + 1] = {
	[0x0] = { ALL, ALL, ALL, ALL, fix_max_basic },
	[0x1] = { ALL, ALL, LEAF1_ECX, LEAF1_EDX, fix_features },
	[0x2] = { ALL, ALL, ALL, ALL, NULL },
	[0x6] = { 0, 0, 0, 0, fix_power },
	[0x7] = { 0, LEAF7_EBX, LEAF7_ECX, LEAF7_EDX, fix_leaf7 },
	[0xb] = { 0, 0, 0, 0, fix_topology },
	[0xd] = { ALL, ALL, ALL, ALL, fix_xsave },
};

static void fix_max_extended(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
{
	(void)v;
	(void)subleaf;
	r->eax = MIN(r->eax, MAX_EXTENDED);
}

static void fix_extended_features(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
{
	(void)v;
	(void)subleaf;
	if (!cpu_has(CPU_XSAVE))
		r->ecx &= ~EXT1_ECX_XSAVE;
}

static void fix_address_sizes(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
{
	(void)v;
	(void)subleaf;
	r->eax = MIN(r->eax & 0xff, 48u) | 48u << 8;
	if (cpu_has(CPU_IBPB))
		r->ebx |= BIT32(12);
	/* SPEC_CTRL exists for a guest when any of these does; msr.c knows the bits. */
	r->ebx |= host_cpu.word[CPUID_80000008_EBX] & (BIT32(14) | BIT32(15) | BIT32(24));
}

static const struct cpuid_row extended[MAX_EXTENDED - 0x80000000u + 1] = {
	[0x0] = { ALL, ALL, ALL, ALL, fix_max_extended },
	[0x1] = { ALL, 0, EXT1_ECX, EXT1_EDX, fix_extended_features },
	[0x2] = { ALL, ALL, ALL, ALL, NULL }, /* the CPU's name */
	[0x3] = { ALL, ALL, ALL, ALL, NULL },
	[0x4] = { ALL, ALL, ALL, ALL, NULL },
	[0x5] = { ALL, ALL, ALL, ALL, NULL }, /* caches */
	[0x6] = { ALL, ALL, ALL, ALL, NULL },
	[0x7] = { 0, 0, 0, BIT32(8), NULL }, /* invariant TSC */
	[0x8] = { ALL, EXT8_EBX, 0, 0, fix_address_sizes },
	[0x19] = { ALL, ALL, 0, 0, NULL }, /* TLBs of 1 GiB pages */
	[0x1a] = { ALL, 0, 0, 0, NULL },
	[0x21] = { EXT21_EAX, 0, 0, 0, NULL },
};

static void hypervisor_base(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
{
	(void)v;
	(void)subleaf;
	r->eax = XEN_CPUID_LEAF(XEN_CPUID_MAX_NUM_LEAVES);
	r->ebx = XEN_CPUID_SIGNATURE_EBX;
	r->ecx = XEN_CPUID_SIGNATURE_ECX;
	r->edx = XEN_CPUID_SIGNATURE_EDX;
}

static void hypervisor_version(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
{
	(void)v;
	(void)subleaf;
	r->eax = XEN_VERSION;
}

static void hypervisor_hypercall_page(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
{
	(void)v;
	(void)subleaf;
	r->eax = 1;
	r->ebx = XEN_HYPERCALL_MSR;
}

static void hypervisor_time(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
{
	uint64_t offset = v->domain->arch.tsc_offset;

	switch (subleaf) {
	case 0:
		r->eax = (cpu_has(CPU_INVARIANT_TSC) ? XEN_CPUID_TSC_SAFE : 0) |
			 (cpu_has(CPU_RDTSCP) ? XEN_CPUID_TSC_RDTSCP : 0);
		r->ecx = (uint32_t)tsc_khz;
		break;
	case 1:
		r->eax = (uint32_t)offset;
		r->ebx = (uint32_t)(offset >> 32);
		r->ecx = tsc_scale.mul;
		r->edx = (uint32_t)(int32_t)tsc_scale.shift;
		break;
	case 2:
		r->eax = (uint32_t)tsc_khz;
		break;
	default:
		break;
	}
}

static void hypervisor_hvm(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
{
	(void)subleaf;
	r->eax = XEN_HVM_CPUID_IOMMU_MAPPINGS | XEN_HVM_CPUID_VCPU_ID_PRESENT |
		 XEN_HVM_CPUID_DOMID_PRESENT | XEN_HVM_CPUID_UPCALL_VECTOR;
	r->ebx = v->id;
	r->ecx = v->domain->id;
}

static const struct cpuid_row hypervisor[] = {
	{ 0, 0, 0, 0, hypervisor_base },
	{ 0, 0, 0, 0, hypervisor_version },
	{ 0, 0, 0, 0, hypervisor_hypercall_page },
	{ 0, 0, 0, 0, hypervisor_time },
	{ 0, 0, 0, 0, hypervisor_hvm },
};

static const struct cpuid_row *find_row(uint32_t leaf)
{
	if (leaf < ARRAY_SIZE(basic))
		return &basic[index_clamp(leaf, ARRAY_SIZE(basic))];
	if (leaf - XEN_CPUID_FIRST_LEAF < ARRAY_SIZE(hypervisor))
		return &hypervisor[index_clamp(leaf - XEN_CPUID_FIRST_LEAF,
					       ARRAY_SIZE(hypervisor))];
	if (leaf - 0x80000000u < ARRAY_SIZE(extended))
		return &extended[index_clamp(leaf - 0x80000000u, ARRAY_SIZE(extended))];
	return NULL;
}

int exit_cpuid(struct vcpu *v, const struct exit_info *x)
{
	struct vm_regs *regs = &v->arch.regs;
	uint32_t leaf = (uint32_t)regs->rax, subleaf = (uint32_t)regs->rcx;
	const struct cpuid_row *row = find_row(leaf);
	struct cpuid_regs r = { 0 };

	(void)x;
	if (likely(row)) {
		if (row->eax | row->ebx | row->ecx | row->edx) {
			r = cpuid(leaf, subleaf);
			r.eax &= row->eax;
			r.ebx &= row->ebx;
			r.ecx &= row->ecx;
			r.edx &= row->edx;
		}
		if (row->fixup)
			row->fixup(v, subleaf, &r);
	}
	regs->rax = r.eax;
	regs->rbx = r.ebx;
	regs->rcx = r.ecx;
	regs->rdx = r.edx;
	return 0;
}
