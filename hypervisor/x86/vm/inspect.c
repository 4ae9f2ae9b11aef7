/*
 * What the control interface asks of the machine part: a stopped vCPU's registers, what its page tables
 * say, names of exits, and what only the machine part knows about the host.
 */
#include "abi/control.h"
#include "abi/errno.h"
#include "lib/string.h"
#include "lodge/arch.h"
#include "lodge/cpu.h"
#include "lodge/domain.h"
#include "lodge/p2m.h"
#include "lodge/page.h"
#include "x86/cpu.h"
#include "x86/time.h"
#include "x86/vm/vm.h"

#define PTE_PRESENT (1ull << 0)
#define PTE_LARGE   (1ull << 7)
#define PTE_FRAME   0x000ffffffffff000ull
#define CR4_PSE     (1ull << 4)
#define CR4_LA57    (1ull << 12)

/* Registers. */

static_assert(sizeof(struct vm_segment) == sizeof(struct lodge_segment) &&
		      offsetof(struct vm_segment, attr) ==
			      offsetof(struct lodge_segment, attributes) &&
		      VM_ES == 0 && VM_CS == 1 && VM_SS == 2 && VM_DS == 3 && VM_FS == 4 &&
		      VM_GS == 5 && VM_LDTR == 6 && VM_TR == 7,
	      "told in our order");

void arch_vcpu_registers(struct vcpu *v, struct lodge_registers *ret_regs)
{
	const struct vm_regs *r = &v->arch.regs;
	struct vm_segment s;
	struct vm_paging p;

	static_assert(offsetof(struct lodge_registers, rflags) == offsetof(struct vm_regs, rflags),
		      "both start alike");
	memcpy(ret_regs, r, sizeof(*r));
	vm_ops->get_paging(v, &p);
	ret_regs->cr0 = p.cr0;
	ret_regs->cr3 = p.cr3;
	ret_regs->cr4 = p.cr4;
	ret_regs->efer = p.efer;
	ret_regs->cr2 = vm_ops->get_cr2(v);
	ret_regs->kernel_gs_base = vm_ops->get_kernel_gs_base(v);
	for (unsigned i = 0; i < VM_NR_SEGMENTS; i++) {
		vm_ops->get_segment(v, (enum vm_segment_name)i, &s);
		ret_regs->segment[i] =
			(struct lodge_segment){ s.selector, s.attr, s.limit, s.base };
	}
}

/* Page tables of a vCPU that is not ours: its domain may lose pages meanwhile, so each table is pinned
 * while it is read. guest-mem.c, which is quicker, relies on the vCPU being the current one. */

static int read_entry(struct domain *d, uint64_t table, unsigned index, unsigned bytes,
		      uint64_t *ret_entry)
{
	uint64_t gpa = table + (uint64_t)index * bytes, entry = 0;
	mfn_t mfn;

	if (p2m_pin(d, GFN(gpa >> PAGE_SHIFT), false, &mfn))
		return -XEN_ENOENT;
	memcpy(&entry, (const uint8_t *)mfn_to_ptr(mfn) + (gpa & (PAGE_SIZE - 1)), bytes);
	page_put(mfn);
	if (!(entry & PTE_PRESENT))
		return -XEN_ENOENT;
	*ret_entry = entry;
	return 0;
}

/* Levels of 512 entries, the first indexed by linear >> shift. */
static int walk_512(struct domain *d, uint64_t table, unsigned shift, uint64_t linear,
		    gpa_t *ret_gpa)
{
	for (;; shift -= 9) {
		uint64_t entry, below = (1ull << shift) - 1;
		int err = read_entry(d, table, linear >> shift & 511, 8, &entry);

		if (err)
			return err;
		if (shift == PAGE_SHIFT || (entry & PTE_LARGE && shift <= 30)) {
			*ret_gpa = GPA((entry & PTE_FRAME & ~below) | (linear & below));
			return 0;
		}
		table = entry & PTE_FRAME;
	}
}

static int walk_32(struct domain *d, const struct vm_paging *p, uint32_t linear, gpa_t *ret_gpa)
{
	uint64_t entry;
	int err = read_entry(d, p->cr3 & 0xfffff000u, linear >> 22, 4, &entry);

	if (!err && entry & PTE_LARGE && p->cr4 & CR4_PSE) {
		*ret_gpa = GPA((entry & 0x1fe000u) << 19 | (entry & 0xffc00000u) |
			       (linear & 0x3fffffu));
		return 0;
	}
	if (!err)
		err = read_entry(d, entry & 0xfffff000u, linear >> 12 & 1023, 4, &entry);
	if (!err)
		*ret_gpa = GPA((entry & 0xfffff000u) | (linear & 0xfffu));
	return err;
}

int arch_vcpu_translate(struct vcpu *v, uint64_t linear, gpa_t *ret_gpa)
{
	struct domain *d = v->domain;
	struct vm_paging p;
	uint64_t entry;
	int err;

	vm_ops->get_paging(v, &p);
	if (p.efer & EFER_LMA)
		return walk_512(d, p.cr3 & PTE_FRAME, p.cr4 & CR4_LA57 ? 48 : 39, linear, ret_gpa);
	linear = (uint32_t)linear;
	if (!(p.cr0 & CR0_PG)) {
		*ret_gpa = GPA(linear);
		return 0;
	}
	if (!(p.cr4 & CR4_PAE))
		return walk_32(d, &p, (uint32_t)linear, ret_gpa);
	err = read_entry(d, p.cr3 & 0xffffffe0u, (unsigned)(linear >> 30), 8, &entry);
	return err ? err : walk_512(d, entry & PTE_FRAME, 21, linear, ret_gpa);
}

/* Names. */

static_assert(EXIT_NR <= VCPU_EXIT_KINDS, "each kind is counted");

const char *arch_exit_name(unsigned kind)
{
	static const char *const name[EXIT_NR] = {
		[EXIT_INTR] = "interrupt",
		[EXIT_NMI] = "nmi",
		[EXIT_WINDOW] = "window",
		[EXIT_NMI_WINDOW] = "nmi-window",
		[EXIT_HYPERCALL] = "hypercall",
		[EXIT_CPUID] = "cpuid",
		[EXIT_HLT] = "hlt",
		[EXIT_XSETBV] = "xsetbv",
		[EXIT_WBINVD] = "wbinvd",
		[EXIT_RDTSC] = "rdtsc",
		[EXIT_RDTSCP] = "rdtscp",
		[EXIT_UD] = "ud",
		[EXIT_GP] = "gp",
		[EXIT_CR8] = "cr8",
		[EXIT_DEBUG_REG] = "debug-reg",
		[EXIT_MACHINE_CHECK] = "machine-check",
		[EXIT_INIT] = "init",
		[EXIT_SHUTDOWN] = "triple-fault",
		[EXIT_MSR_READ] = "msr-read",
		[EXIT_MSR_WRITE] = "msr-write",
		[EXIT_IO] = "io",
		[EXIT_NPT_FAULT] = "npt-fault",
		[EXIT_EXCEPTION] = "exception",
		[EXIT_TASK_SWITCH] = "task-switch",
		[EXIT_INVALID] = "invalid",
		[EXIT_UNKNOWN] = "unknown",
	};

	return kind < EXIT_NR ? name[kind] : NULL;
}

/* The host. */

void arch_host_info(struct lodge_host_info *info)
{
	(void)str_copy(info->cpu_model, host_cpu.model_name, sizeof(info->cpu_model));
	info->cpu_khz = (uint32_t)tsc_khz;
}

void arch_cpu_info(const struct cpu *c, struct lodge_cpu_info *info)
{
	info->node = c->arch.node;
	info->apic_id = c->arch.apic_id;
}
