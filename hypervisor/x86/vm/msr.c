/*
 * What RDMSR and WRMSR do in a guest: the rows of a table, sorted by number, and #GP(0) for all
 * others; and RDTSC and RDTSCP, where they exit. The registers that VMLOAD and VMSAVE switch do not exit and have no row.
 */
#include "x86/vm/exit.h"

#include "abi/cpuid.h"
#include "abi/errno.h"
#include "arch-inline.h"
#include "lib/string.h"
#include "lodge/cpu.h"
#include "lodge/domain.h"
#include "lodge/vcpu.h"
#include "x86/cpu.h"
#include "x86/trap.h"
#include "x86/vm/guest-mem.h"
#include "x86/vm/hypercall-page.h"
#include "x86/vm/vlapic.h"
#include "x86/vm/vm.h"

#define MSR_MTRR_DEF_TYPE 0x2ffu

typedef int read_fn(struct vcpu *v, uint32_t msr, uint64_t *ret_value); /* 0, or -EINVAL: #GP */
typedef int write_fn(struct vcpu *v, uint32_t msr, uint64_t value);

struct msr_row {
	uint32_t first, last;
	read_fn *read;   /* NULL: #GP */
	write_fn *write; /* NULL: #GP */
};

/* Registers that read as a constant, or whose writes change nothing that a guest could tell. */

static int read_zero(struct vcpu *v, uint32_t msr, uint64_t *ret_value)
{
	(void)v;
	(void)msr;
	*ret_value = 0;
	return 0;
}

static int ignore_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
	(void)v;
	(void)msr;
	(void)value;
	return 0;
}

/* Bit 24: the TSC runs at one speed; Linux asks on CPUs of family 10h and later. */
static int read_hwcr(struct vcpu *v, uint32_t msr, uint64_t *ret_value)
{
	(void)v;
	(void)msr;
	*ret_value = 1u << 24;
	return 0;
}

/* Bit 1: LFENCE serialises, so that nobody tries to set it. */
static int read_de_cfg(struct vcpu *v, uint32_t msr, uint64_t *ret_value)
{
	(void)v;
	(void)msr;
	*ret_value = 2;
	return 0;
}

static int read_patch_level(struct vcpu *v, uint32_t msr, uint64_t *ret_value)
{
	(void)v;
	return rdmsr_safe(msr, ret_value) ? -XEN_EINVAL : 0;
}

/* Time. */

static void read_tsc_to_regs(struct vcpu *v)
{
	uint64_t tsc = vm_guest_tsc(v->domain);

	v->arch.regs.rax = (uint32_t)tsc;
	v->arch.regs.rdx = tsc >> 32;
}

int exit_rdtscp(struct vcpu *v, const struct exit_info *x)
{
	(void)x;
	if (!vm_has(v->domain, CPU_RDTSCP)) {
		inject_fault(v, VECTOR_UD, false, 0);
		return EXIT_NO_SKIP;
	}
	read_tsc_to_regs(v);
	v->arch.regs.rcx = (uint32_t)v->arch.tsc_aux;
	return 0;
}

int exit_rdtsc(struct vcpu *v, const struct exit_info *x)
{
	static const uint8_t rdtscp[] = { 0x0f, 0x01, 0xf9 };
	uint8_t bytes[sizeof(rdtscp)];

	/* Emulated CPUs (QEMU 7.2) tell RDTSCP as RDTSC. */
	if (x->insn_len == sizeof(rdtscp) &&
	    guest_fetch_at_rip(v, bytes, sizeof(bytes)) == sizeof(bytes) &&
	    !memcmp(bytes, rdtscp, sizeof(bytes)))
		return exit_rdtscp(v, x);
	read_tsc_to_regs(v);
	return 0;
}

static int read_tsc(struct vcpu *v, uint32_t msr, uint64_t *ret_value)
{
	(void)msr;
	*ret_value = vm_guest_tsc(v->domain);
	return 0;
}

static int read_tsc_aux(struct vcpu *v, uint32_t msr, uint64_t *ret_value)
{
	(void)msr;
	*ret_value = v->arch.tsc_aux;
	return vm_has(v->domain, CPU_RDTSCP) ? 0 : -XEN_EINVAL;
}

static int write_tsc_aux(struct vcpu *v, uint32_t msr, uint64_t value)
{
	if (!vm_has(v->domain, CPU_RDTSCP) || value >> 32)
		return -XEN_EINVAL;
	v->arch.tsc_aux = value;
	wrmsr(msr, value);
	return 0;
}

/* Memory types: nested paging ignores the guest's MTRRs. Guests find RAM to be write-back by default;
 * the service VM sees the machine's. */

static int read_mtrr(struct vcpu *v, uint32_t msr, uint64_t *ret_value)
{
	*ret_value = 0;
	if (v->domain->privileged && rdmsr_safe(msr, ret_value))
		*ret_value = 0;
	return 0;
}

static int read_mtrr_cap(struct vcpu *v, uint32_t msr, uint64_t *ret_value)
{
	*ret_value = 0x508; /* eight variable ranges, fixed ranges, write combining */
	if (v->domain->privileged && rdmsr_safe(msr, ret_value))
		*ret_value = 0x508;
	return 0;
}

static int read_mtrr_def_type(struct vcpu *v, uint32_t msr, uint64_t *ret_value)
{
	(void)msr;
	*ret_value = v->arch.mtrr_def_type;
	return 0;
}

/* Type, and the enable bits of fixed ranges and of all (APM 2, 7.7.5). */
static int write_mtrr_def_type(struct vcpu *v, uint32_t msr, uint64_t value)
{
	uint8_t type = (uint8_t)value;

	(void)msr;
	if (value & ~0xcffull || type > 6 || type == 2 || type == 3)
		return -XEN_EINVAL;
	v->arch.mtrr_def_type = value;
	return 0;
}

static int read_pat(struct vcpu *v, uint32_t msr, uint64_t *ret_value)
{
	(void)msr;
	*ret_value = vm_ops->get_pat(v);
	return 0;
}

static int write_pat(struct vcpu *v, uint32_t msr, uint64_t value)
{
	(void)msr;
	for (unsigned i = 0; i < 64; i += 8) {
		uint8_t type = (uint8_t)(value >> i);

		if (type > 7 || type == 2 || type == 3)
			return -XEN_EINVAL;
	}
	vm_ops->set_pat(v, value);
	return 0;
}

/* Modes. */

static int read_efer(struct vcpu *v, uint32_t msr, uint64_t *ret_value)
{
	struct vm_paging p;

	(void)msr;
	vm_ops->get_paging(v, &p);
	*ret_value = p.efer;
	return 0;
}

static int write_efer(struct vcpu *v, uint32_t msr, uint64_t value)
{
	uint64_t may_be_set =
		EFER_SCE | EFER_LME | EFER_LMA | (vm_has(v->domain, CPU_NX) ? EFER_NXE : 0);
	struct vm_paging p;

	(void)msr;
	vm_ops->get_paging(v, &p);
	if (value & ~may_be_set)
		return -XEN_EINVAL;
	if (p.cr0 & CR0_PG && (value ^ p.efer) & EFER_LME)
		return -XEN_EINVAL;
	/* LMA follows from the others: the CPU ignores what is written to it. */
	vm_ops->set_efer(v, (value & ~EFER_LMA) | (p.efer & EFER_LMA));
	return 0;
}

/* Speculation control. What is set while the guest runs is loaded at VM entry. */

static uint64_t spec_ctrl_mask(const struct domain *d)
{
	return (vm_has(d, CPU_IBRS) ? 1u : 0u) | (vm_has(d, CPU_STIBP) ? 2u : 0u) |
	       (vm_has(d, CPU_SSBD) ? 4u : 0u);
}

static int read_spec_ctrl(struct vcpu *v, uint32_t msr, uint64_t *ret_value)
{
	(void)msr;
	*ret_value = v->arch.spec_ctrl;
	return spec_ctrl_mask(v->domain) ? 0 : -XEN_EINVAL;
}

static int write_spec_ctrl(struct vcpu *v, uint32_t msr, uint64_t value)
{
	(void)msr;
	if (!spec_ctrl_mask(v->domain) || value & ~spec_ctrl_mask(v->domain))
		return -XEN_EINVAL;
	v->arch.spec_ctrl = value;
	return 0;
}

static int write_pred_cmd(struct vcpu *v, uint32_t msr, uint64_t value)
{
	if (!vm_has(v->domain, CPU_IBPB) || value & ~1ull)
		return -XEN_EINVAL;
	if (value)
		wrmsr(msr, value);
	return 0;
}

static int read_hypercall_msr(struct vcpu *v, uint32_t msr, uint64_t *ret_value)
{
	(void)msr;
	*ret_value = v->arch.hypercall_msr;
	return 0;
}

static int write_hypercall_msr(struct vcpu *v, uint32_t msr, uint64_t value)
{
	int err = hypercall_page_fill(v, value);

	(void)msr;
	if (!err)
		v->arch.hypercall_msr = value;
	return err ? -XEN_EINVAL : 0;
}

/* Sorted: find_row() halves it. */
static const struct msr_row rows[] = {
	{ 0x10, 0x10, read_tsc, ignore_write },
	{ MSR_APIC_BASE, MSR_APIC_BASE, vlapic_msr_read, vlapic_msr_write },
	{ MSR_SPEC_CTRL, MSR_SPEC_CTRL, read_spec_ctrl, write_spec_ctrl },
	{ MSR_PRED_CMD, MSR_PRED_CMD, NULL, write_pred_cmd },
	{ 0x8b, 0x8b, read_patch_level, NULL }, /* microcode */
	{ 0xfe, 0xfe, read_mtrr_cap, NULL },
	{ 0x200, 0x20f, read_mtrr, ignore_write },
	{ 0x250, 0x250, read_mtrr, ignore_write },
	{ 0x258, 0x259, read_mtrr, ignore_write },
	{ 0x268, 0x26f, read_mtrr, ignore_write },
	{ MSR_PAT, MSR_PAT, read_pat, write_pat },
	{ MSR_MTRR_DEF_TYPE, MSR_MTRR_DEF_TYPE, read_mtrr_def_type, write_mtrr_def_type },
	{ MSR_TSC_DEADLINE, MSR_TSC_DEADLINE, vlapic_msr_read, vlapic_msr_write },
	{ 0x800, 0x8ff, vlapic_msr_read, vlapic_msr_write },
	{ XEN_HYPERCALL_MSR, XEN_HYPERCALL_MSR, read_hypercall_msr, write_hypercall_msr },
	{ MSR_EFER, MSR_EFER, read_efer, write_efer },
	{ MSR_TSC_AUX, MSR_TSC_AUX, read_tsc_aux, write_tsc_aux },
	{ 0xc0010000, 0xc0010007, read_zero, ignore_write }, /* performance counters */
	{ 0xc0010010, 0xc0010010, read_zero, ignore_write }, /* SYSCFG */
	{ 0xc0010015, 0xc0010015, read_hwcr, ignore_write },
	{ 0xc0010055, 0xc0010055, read_zero, ignore_write }, /* INT_PENDING_MSG */
	{ 0xc0010200, 0xc001020b, read_zero, ignore_write }, /* performance counters */
	{ 0xc0011029, 0xc0011029, read_de_cfg, ignore_write },
};

static const struct msr_row *find_row(uint32_t msr)
{
	unsigned low = 0, high = ARRAY_SIZE(rows);

	if (likely(msr - 0x800u < 0x100u)) /* x2APIC: nearly all MSR exits */
		msr = 0x800;
	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (msr < rows[middle].first)
			high = middle;
		else if (msr > rows[middle].last)
			low = middle + 1;
		else
			return &rows[middle];
	}
	return NULL;
}

int exit_msr_read(struct vcpu *v, const struct exit_info *x)
{
	struct vm_regs *r = &v->arch.regs;
	uint32_t msr = (uint32_t)r->rcx;
	const struct msr_row *row = find_row(msr);
	uint64_t value;

	(void)x;
	if (!row || !row->read || row->read(v, msr, &value)) {
		inject_gp(v);
		return EXIT_NO_SKIP;
	}
	r->rax = (uint32_t)value;
	r->rdx = value >> 32;
	return 0;
}

int exit_msr_write(struct vcpu *v, const struct exit_info *x)
{
	struct vm_regs *r = &v->arch.regs;
	uint32_t msr = (uint32_t)r->rcx;
	const struct msr_row *row = find_row(msr);
	uint64_t value = r->rdx << 32 | (uint32_t)r->rax;

	(void)x;
	if (!row || !row->write || row->write(v, msr, value)) {
		inject_gp(v);
		return EXIT_NO_SKIP;
	}
	return 0;
}
