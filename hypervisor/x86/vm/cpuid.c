/*
 * What a guest sees of CPUID: its domain's policy (cpuid-policy.c), what depends on the vCPU or on the moment,
 * and the hypervisor's own leaves. Zeros elsewhere.
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

#define LEAF1_ECX_OSXSAVE (1u << 27)

#define TSC_MODE_DEFAULT 0u
#define TSC_MODE_EMULATE 1u

/* Completes what the policy says, or says it all. */
typedef void live_fn(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r);

static void live_features(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
{
	struct vm_paging p;

	(void)subleaf;
	r->ebx |= v->arch.vlapic.id << 24;
	if (!vm_has(v->domain, CPU_XSAVE))
		return;
	vm_ops->get_paging(v, &p);
	if (p.cr4 & CR4_OSXSAVE)
		r->ecx |= LEAF1_ECX_OSXSAVE;
}

static void live_leaf7(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
{
	(void)v;
	if (subleaf)
		*r = (struct cpuid_regs){ 0 };
}

/* Every vCPU is a core of its own, all in one package. */
static void live_topology(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
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

static inline struct cpuid_regs policy_leaf(const struct cpuid_policy *p, uint32_t at)
{
	const uint32_t *leaf = p->leaf[index_clamp(at, CPUID_NR_LEAVES)];

	return (struct cpuid_regs){ leaf[CPUID_EAX], leaf[CPUID_EBX], leaf[CPUID_ECX],
				    leaf[CPUID_EDX] };
}

/* Sizes in EBX follow from XCR0, and the guest's is in the CPU. */
static void live_xsave(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
{
	const struct cpuid_policy *p = v->domain->arch.cpuid;

	*r = (struct cpuid_regs){ 0 };
	if (!p->xcr0_mask || subleaf >= CPUID_NR_XSAVE)
		return;
	*r = policy_leaf(p, CPUID_AT_XSAVE + subleaf);
	if (subleaf < 2)
		r->ebx = cpuid(CPUID_LEAF_XSAVE, subleaf).ebx;
}

static live_fn *const basic_live[CPUID_NR_BASIC] = {
	[0x1] = live_features,
	[0x7] = live_leaf7,
	[0xb] = live_topology,
	[0xd] = live_xsave,
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
	const struct arch_domain *d = &v->domain->arch;
	uint64_t offset = d->tsc_is_emulated ? 0 : d->tsc_offset;

	switch (subleaf) {
	case 0:
		r->eax = (d->tsc_is_emulated ? XEN_CPUID_TSC_EMULATED : 0) |
			 (cpu_has(CPU_INVARIANT_TSC) ? XEN_CPUID_TSC_SAFE : 0) |
			 (vm_has(v->domain, CPU_RDTSCP) ? XEN_CPUID_TSC_RDTSCP : 0);
		r->ebx = d->tsc_is_emulated ? TSC_MODE_EMULATE : TSC_MODE_DEFAULT;
		r->ecx = (uint32_t)d->tsc_khz;
		break;
	case 1:
		r->eax = (uint32_t)offset;
		r->ebx = (uint32_t)(offset >> 32);
		r->ecx = d->tsc_scale.mul;
		r->edx = (uint32_t)(int32_t)d->tsc_scale.shift;
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

static live_fn *const hypervisor_leaf[] = {
	hypervisor_base, hypervisor_version, hypervisor_hypercall_page,
	hypervisor_time, hypervisor_hvm,
};

int exit_cpuid(struct vcpu *v, const struct exit_info *x)
{
	struct vm_regs *regs = &v->arch.regs;
	uint32_t leaf = (uint32_t)regs->rax, subleaf = (uint32_t)regs->rcx;
	const struct cpuid_policy *p = v->domain->arch.cpuid;
	struct cpuid_regs r = { 0 };
	live_fn *live = NULL;

	(void)x;
	if (leaf < CPUID_NR_BASIC) {
		r = policy_leaf(p, leaf);
		live = basic_live[index_clamp(leaf, CPUID_NR_BASIC)];
	} else if (leaf - XEN_CPUID_FIRST_LEAF < ARRAY_SIZE(hypervisor_leaf)) {
		live = hypervisor_leaf[index_clamp(leaf - XEN_CPUID_FIRST_LEAF,
						   ARRAY_SIZE(hypervisor_leaf))];
	} else if (leaf - CPUID_EXTENDED < CPUID_NR_EXTENDED) {
		r = policy_leaf(p, CPUID_AT_EXTENDED + leaf - CPUID_EXTENDED);
	}
	if (live)
		live(v, subleaf, &r);
	regs->rax = r.eax;
	regs->rbx = r.ebx;
	regs->rcx = r.ecx;
	regs->rdx = r.edx;
	return 0;
}
