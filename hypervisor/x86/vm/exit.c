/*
 * What follows from a VM exit: one row for each kind. A handler returns 0, or a negative errno for what
 * no guest can go on from; it injects faults itself and then returns EXIT_NO_SKIP.
 */
#include "x86/vm/exit.h"

#include "abi/errno.h"
#include "lib/format.h"
#include "lodge/cpu.h"
#include "lodge/domain.h"
#include "lodge/hypercall.h"
#include "lodge/log.h"
#include "x86/cpu.h"
#include "x86/panic.h"
#include "x86/trap.h"
#include "x86/vm/guest-mem.h"
#include "x86/vm/insn-len.h"
#include "x86/vm/vlapic.h"
#include "x86/vm/vm.h"

#define DR6_BS   (1ull << 14)
#define XCR0_X87 (1ull << 0)
#define XCR0_SSE (1ull << 1)
#define XCR0_AVX (1ull << 2)

void inject_fault(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error)
{
	vm_ops->inject(v, VM_EVENT_EXCEPTION, vector, has_error, error);
}

void inject_page_fault(struct vcpu *v, uint64_t linear, uint32_t error)
{
	if ((vm_ops->mode(v) & VM_MODE_CPL) == 3)
		error |= PF_USER;
	vm_ops->set_cr2(v, linear);
	inject_fault(v, VECTOR_PF, true, error);
}

void vcpu_finish_insn(struct vcpu *v)
{
	struct vm_regs *r = &v->arch.regs;

	/* 16- and 32-bit code wraps around; 64-bit code that crosses a 4 GiB line does not. */
	if (!(vm_ops->mode(v) & VM_MODE_CODE64))
		r->rip = (uint32_t)r->rip;
	if (r->rflags & RFLAGS_TF) {
		vm_ops->set_dr6_bits(v, DR6_BS);
		inject_fault(v, VECTOR_DB, false, 0);
	}
}

static void dump(struct vcpu *v, vm_print_fn *print)
{
	const struct vm_regs *r = &v->arch.regs;
	const uint64_t *reg = &r->rax;
	static const char names[16][4] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					   "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15" };

	print("domain %u, vCPU %u: rip %016" PRIx64 " rflags %" PRIx64 "\n", v->domain->id, v->id,
	      r->rip, r->rflags);
	for (unsigned i = 0; i < 16; i += 4)
		print("  %s %016" PRIx64 "  %s %016" PRIx64 "  %s %016" PRIx64 "  %s %016" PRIx64
		      "\n",
		      names[i], reg[i], names[i + 1], reg[i + 1], names[i + 2], reg[i + 2],
		      names[i + 3], reg[i + 3]);
	vm_ops->dump(v, print);
}

__attribute__((format(printf, 1, 2))) static void print_to_log(const char *fmt, ...)
{
	char line[160];
	va_list args;

	va_start(args, fmt);
	vformat(line, sizeof(line), fmt, args);
	va_end(args);
	log_err("%s", line);
}

__attribute__((noinline)) void vcpu_dump(struct vcpu *v)
{
	/* It stops already, and why has been told: what its other vCPUs run into meanwhile says little more. */
	if (!READ_ONCE(v->domain->is_shut_down))
		dump(v, print_to_log);
}

void vcpu_dump_in_panic(struct vcpu *v)
{
	dump(v, panic_print);
}

/* The handlers of what is no instruction of the guest's. */

static int exit_unknown(struct vcpu *v, const struct exit_info *x)
{
	(void)v;
	(void)x;
	return -XEN_EOPNOTSUPP;
}

static int exit_intr(struct vcpu *v, const struct exit_info *x)
{
	(void)v;
	(void)x;
	irq_window();
	return 0;
}

static int exit_nothing(struct vcpu *v, const struct exit_info *x)
{
	(void)v;
	(void)x;
	return 0; /* NMIs and SMIs were taken when the exit path set GIF */
}

static int exit_window(struct vcpu *v, const struct exit_info *x)
{
	(void)x;
	v->arch.intr_window = false;
	vm_ops->set_intr_window(v, false);
	vm_request_event(v);
	return 0;
}

static int exit_nmi_window(struct vcpu *v, const struct exit_info *x)
{
	(void)x;
	vcpu_end_of_nmi(v);
	return 0;
}

static int exit_machine_check(struct vcpu *v, const struct exit_info *x)
{
	(void)x;
	panic("machine check while domain %u, vCPU %u ran", v->domain->id, v->id);
}

static int exit_shutdown(struct vcpu *v, const struct exit_info *x)
{
	(void)x;
	vcpu_dump(v);
	domain_crash(v->domain, "vCPU %u: triple fault at %#" PRIx64, v->id, v->arch.regs.rip);
	return 0;
}

static int exit_invalid(struct vcpu *v, const struct exit_info *x)
{
	(void)x;
	vcpu_dump(v);
	domain_crash(v->domain, "vCPU %u: the CPU refused its state: %s", v->id,
		     vm_ops->invalid_reason(v));
	return 0;
}

static int exit_task_switch(struct vcpu *v, const struct exit_info *x)
{
	domain_crash(v->domain, "vCPU %u: hardware task switch to %#" PRIx64, v->id,
		     x->detail[0] & 0xffff);
	return 0;
}

static int exit_exception(struct vcpu *v, const struct exit_info *x)
{
	inject_fault(v, x->exception.vector, x->exception.has_error, x->exception.error);
	return 0;
}

/* The handlers of instructions. */

static int exit_ud(struct vcpu *v, const struct exit_info *x)
{
	(void)x;
	inject_fault(v, VECTOR_UD, false, 0);
	return EXIT_NO_SKIP;
}

static int exit_gp(struct vcpu *v, const struct exit_info *x)
{
	(void)x;
	inject_gp(v);
	return EXIT_NO_SKIP;
}

/* With interrupts off nothing but an NMI, INIT or a start ends it: this is how a guest takes a CPU
 * down, and with the last one itself. */
static int exit_hlt(struct vcpu *v, const struct exit_info *x)
{
	(void)x;
	if (v->arch.regs.rflags & RFLAGS_IF || vlapic_attention(v)) {
		/* The instruction after STI; HLT may be interrupted: nothing protects it any more. */
		v->arch.intr_shadow = false;
		/* What waited for this moment needs no exit of its own to be noticed. */
		if (v->arch.intr_window)
			vm_request_event(v);
		vcpu_halt(v);
		return 0;
	}
	vcpu_go_down(v);
	return 0;
}

static int exit_wbinvd(struct vcpu *v, const struct exit_info *x)
{
	(void)x;
	/* Only who owns devices can have a reason. */
	if (v->domain->privileged)
		__asm__ volatile("wbinvd" : : : "memory");
	return 0;
}

static bool xcr0_is_valid(const struct domain *d, uint64_t value)
{
	if (value & ~d->arch.cpuid->xcr0_mask || !(value & XCR0_X87))
		return false;
	if (value & XCR0_AVX && !(value & XCR0_SSE))
		return false;
	/* AVX-512 states come whole or not at all. */
	return !(value & 0xe0) || ((value & 0xe0) == 0xe0 && value & XCR0_AVX);
}

static int exit_xsetbv(struct vcpu *v, const struct exit_info *x)
{
	struct vm_regs *r = &v->arch.regs;
	uint64_t value = (r->rdx & UINT32_MAX) << 32 | (r->rax & UINT32_MAX);
	struct vm_paging p;

	(void)x;
	vm_ops->get_paging(v, &p);
	if (!vm_has(v->domain, CPU_XSAVE) || !(p.cr4 & CR4_OSXSAVE))
		return exit_ud(v, x);
	if (vm_ops->mode(v) & VM_MODE_CPL || (uint32_t)r->rcx || !xcr0_is_valid(v->domain, value) ||
	    xcr0_write_safe(value))
		return exit_gp(v, x);
	v->arch.xcr0 = value;
	return 0;
}

/* MOV to and from CR8, the task priority. Moves to the other control registers do not exit. */
static int exit_cr8(struct vcpu *v, const struct exit_info *x)
{
	uint8_t bytes[15];
	unsigned nr = guest_fetch_at_rip(v, bytes, x->insn_len), rex = 0;
	uint64_t *reg;

	if (nr != x->insn_len || nr < 3)
		return EXIT_NO_SKIP;
	if (nr > 3 && (bytes[nr - 4] & 0xf0) == 0x40)
		rex = bytes[nr - 4];
	reg = &v->arch.regs.rax + ((bytes[nr - 1] & 7) | (rex & 1) << 3);
	if (bytes[nr - 2] == 0x20) {
		*reg = vlapic_get_tpr(v) >> 4;
	} else if (*reg > 15) {
		return exit_gp(v, x);
	} else {
		vlapic_set_tpr(v, (uint8_t)(*reg << 4));
	}
	return 0;
}

/* From now on this vCPU's debug registers are switched with it; the instruction runs again. */
static int exit_debug_reg(struct vcpu *v, const struct exit_info *x)
{
	(void)x;
	vcpu_load_debug_regs(v);
	v->arch.uses_debug = true;
	vm_ops->allow_debug_regs(v);
	return EXIT_NO_SKIP;
}

static const struct exit_row {
	exit_fn *fn;
	bool skip_insn; /* advance rip once fn succeeded */
} exit_table[EXIT_NR] = {
	[EXIT_INTR] = { exit_intr, false },
	[EXIT_NMI] = { exit_nothing, false },
	[EXIT_WINDOW] = { exit_window, false },
	[EXIT_NMI_WINDOW] = { exit_nmi_window, false },
	[EXIT_HYPERCALL] = { exit_hypercall, true },
	[EXIT_CPUID] = { exit_cpuid, true },
	[EXIT_HLT] = { exit_hlt, true },
	[EXIT_XSETBV] = { exit_xsetbv, true },
	[EXIT_WBINVD] = { exit_wbinvd, true },
	[EXIT_RDTSC] = { exit_rdtsc, true },
	[EXIT_RDTSCP] = { exit_rdtscp, true },
	[EXIT_UD] = { exit_ud, false },
	[EXIT_GP] = { exit_gp, false },
	[EXIT_CR8] = { exit_cr8, true },
	[EXIT_DEBUG_REG] = { exit_debug_reg, false },
	[EXIT_MACHINE_CHECK] = { exit_machine_check, false },
	[EXIT_INIT] = { exit_nothing, false },
	[EXIT_SHUTDOWN] = { exit_shutdown, false },
	[EXIT_MSR_READ] = { exit_msr_read, true },
	[EXIT_MSR_WRITE] = { exit_msr_write, true },
	[EXIT_IO] = { exit_io, false },
	[EXIT_NPT_FAULT] = { exit_npt_fault, false },
	[EXIT_EXCEPTION] = { exit_exception, false },
	[EXIT_TASK_SWITCH] = { exit_task_switch, false },
	[EXIT_INVALID] = { exit_invalid, false },
	[EXIT_UNKNOWN] = { exit_unknown, false },
};

static __attribute__((noinline)) void fail(struct vcpu *v, const struct exit_info *x, int err)
{
	vcpu_dump(v);
	domain_crash(v->domain, "vCPU %u: exit %#" PRIx64 " at %#" PRIx64 ": error %d", v->id,
		     x->raw_code, v->arch.regs.rip, err);
}

void vcpu_handle_exit(struct vcpu *v, struct exit_info *x)
{
	/* The kind is one of enum exit_kind: the vendor's code made it. */
	const struct exit_row *row = &exit_table[x->kind];
	int err;

	if (row->skip_insn && unlikely(x->insn_len - 1 >= 15)) {
		x->insn_len = insn_len(v, x);
		if (unlikely(!x->insn_len))
			return; /* unreadable by now: the guest runs into its own fault */
	}
	err = row->fn(v, x);
	if (likely(!err) && row->skip_insn)
		vcpu_set_next_rip(v, v->arch.regs.rip + x->insn_len);
	else if (unlikely(err) && err != EXIT_NO_SKIP)
		fail(v, x, err);
}
