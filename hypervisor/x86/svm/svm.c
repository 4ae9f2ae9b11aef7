/*
 * AMD's virtualisation behind struct vm_ops: the VMCB of each vCPU, ASIDs, event injection.
 * The VMCB belongs to its vCPU and is touched only by the CPU that runs it, or while it runs nowhere:
 * no locks. What a guest does, and what follows from an exit, is decided in x86/vm, not here.
 *
 * Every change of a VMCB field that the CPU may keep between runs clears its bit in vmcb->clean
 * (APM 2, 15.15); CPUs without that feature ignore the bits.
 */
#include "x86/svm/svm.h"

#include "abi/errno.h"
#include "lodge/alloc.h"
#include "lodge/cpu.h"
#include "lodge/domain.h"
#include "lodge/log.h"
#include "lodge/page.h"
#include "lodge/vcpu.h"
#include "x86/cpu.h"
#include "x86/vm/vm.h"

static_assert(offsetof(struct vm_regs, rcx) == 8 && offsetof(struct vm_regs, rdi) == 56 &&
		      offsetof(struct vm_regs, r8) == 64 && offsetof(struct vm_regs, r15) == 120,
	      "vmrun.S has these numbers");

#define VM_CR_SVMDIS    (1ull << 4)
#define PAT_AT_RESET    0x0007040600070406ull
#define DR6_AT_RESET    0xffff0ff0ull
#define DR7_AT_RESET    0x400ull
#define DR6_BS          (1ull << 14)
#define DR6_BREAKPOINTS 0xfull

/* Two bits for each MSR, read and write, set: exit. Three ranges of 0x2000 MSRs (APM 2, 15.11). */
#define MSR_BITMAP_ORDER 1u
static mfn_t msr_bitmap;

static const struct {
	uint32_t msr;
} free_msrs[] = {
	/* VMLOAD and VMSAVE switch them. */
	{ MSR_STAR },    { MSR_LSTAR },          { MSR_CSTAR }, { MSR_SFMASK }, { MSR_FS_BASE },
	{ MSR_GS_BASE }, { MSR_KERNEL_GS_BASE }, { 0x174 },     { 0x175 },      { 0x176 },
};

static void msr_bitmap_allow(uint8_t *bitmap, uint32_t msr)
{
	uint32_t range = msr < 0x2000 ? 0 : msr >= 0xc0010000 ? 2 : 1;
	uint32_t bit = range * 0x4000 + (msr & 0x1fff) * 2;

	bitmap[bit / 8] = (uint8_t)(bitmap[bit / 8] & ~(3u << (bit % 8)));
}

static int msr_bitmap_init(void)
{
	uint8_t *bitmap;

	msr_bitmap = page_alloc(MSR_BITMAP_ORDER, NODE_ANY, 0);
	if (mfn_is_none(msr_bitmap))
		return -XEN_ENOMEM;
	bitmap = mfn_to_ptr(msr_bitmap);
	__builtin_memset(bitmap, 0xff, PAGE_SIZE << MSR_BITMAP_ORDER);
	for (size_t i = 0; i < ARRAY_SIZE(free_msrs); i++)
		msr_bitmap_allow(bitmap, free_msrs[i].msr);
	return 0;
}

/* What a guest has taught the branch predictor must not steer us: with automatic IBRS the CPU sees to that
 * itself, with the older kind SPEC_CTRL says so whenever no guest runs. */
static uint64_t host_spec_ctrl;

static bool has_spec_ctrl(void)
{
	return cpu_has(CPU_IBRS) || cpu_has(CPU_STIBP) || cpu_has(CPU_SSBD);
}

static int svm_cpu_init(struct cpu *c)
{
	struct svm_cpu *s;
	mfn_t save;

	if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS)
		return -XEN_EOPNOTSUPP;
	s = mem_alloc(sizeof(*s));
	save = page_alloc(0, NODE_ANY, PAGE_ALLOC_ZERO);
	if (!s || mfn_is_none(save)) /* the machine does not start: nothing to give back */
		return -XEN_ENOMEM;
	s->host_save = mfn_to_mpa(save);
	s->generation = (uint64_t)c->id << 48 | 1;
	s->next_asid = UINT32_MAX; /* the first VM entry starts a generation, with a flush */
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME | (cpu_has(CPU_AUTO_IBRS) ? EFER_AIBRSE : 0));
	if (has_spec_ctrl())
		wrmsr(MSR_SPEC_CTRL, host_spec_ctrl);
	wrmsr(MSR_VM_HSAVE_PA, s->host_save.a);
	c->arch.svm = s;
	return 0;
}

#define INTERCEPT1                                                                                \
	(SVM_INTERCEPT1_INTR | SVM_INTERCEPT1_NMI | SVM_INTERCEPT1_SMI | SVM_INTERCEPT1_INIT |    \
	 SVM_INTERCEPT1_RDPMC | SVM_INTERCEPT1_CPUID | SVM_INTERCEPT1_INVD | SVM_INTERCEPT1_HLT | \
	 SVM_INTERCEPT1_INVLPGA | SVM_INTERCEPT1_IO | SVM_INTERCEPT1_MSR |                        \
	 SVM_INTERCEPT1_TASK_SWITCH | SVM_INTERCEPT1_SHUTDOWN)
#define INTERCEPT2                                                                \
	(SVM_INTERCEPT2_VMRUN | SVM_INTERCEPT2_VMMCALL | SVM_INTERCEPT2_VMLOAD |  \
	 SVM_INTERCEPT2_VMSAVE | SVM_INTERCEPT2_STGI | SVM_INTERCEPT2_CLGI |      \
	 SVM_INTERCEPT2_SKINIT | SVM_INTERCEPT2_WBINVD | SVM_INTERCEPT2_MONITOR | \
	 SVM_INTERCEPT2_MWAIT | SVM_INTERCEPT2_XSETBV | SVM_INTERCEPT2_RDPRU)
/* #DB and #AC: their delivery can raise them again, for ever, without an interrupt getting in between
 * (CVE-2015-8104, CVE-2015-5307). #MC: the machine's, not the guest's. */
#define INTERCEPT_EXCEPTIONS (1u << 1 | 1u << 17 | 1u << 18)
#define INTERCEPT_CR8        (1u << 8)
#define INTERCEPT_DR_READ    0x000fu /* DR0-DR3; DR6 and DR7 are in the VMCB */
/* DR7 too: it would turn on breakpoints at what another guest left in DR0-DR3. */
#define INTERCEPT_DR_WRITE 0x008fu

static int svm_vcpu_init(struct vcpu *v)
{
	struct svm_vcpu *s = domain_mem_alloc(v->domain, sizeof(*s));
	struct vmcb *vmcb;
	mfn_t mfn;

	if (!s)
		return -XEN_ENOMEM;
	mfn = page_alloc(0, NODE_ANY, PAGE_ALLOC_ZERO);
	if (mfn_is_none(mfn)) {
		domain_mem_free(v->domain, s, sizeof(*s));
		return -XEN_ENOMEM;
	}
	domain_count_overhead(v->domain, PAGE_SIZE);
	s->vmcb_pa = mfn_to_mpa(mfn);
	s->vmcb = vmcb = mfn_to_ptr(mfn);
	vmcb->intercept_cr_read = INTERCEPT_CR8;
	vmcb->intercept_cr_write = INTERCEPT_CR8;
	vmcb->intercept_dr_read = INTERCEPT_DR_READ;
	vmcb->intercept_dr_write = INTERCEPT_DR_WRITE;
	vmcb->intercept_exceptions = INTERCEPT_EXCEPTIONS;
	vmcb->intercept1 = INTERCEPT1;
	vmcb->intercept2 = INTERCEPT2;
	vmcb->io_bitmap_pa = mfn_to_mpa(v->domain->arch.io_bitmap).a;
	vmcb->msr_bitmap_pa = mfn_to_mpa(msr_bitmap).a;
	vmcb->v_masking = 1;
	vmcb->np_enable = 1;
	vmcb->nested_cr3 = mfn_to_mpa(v->domain->arch.p2m_root).a;
	v->arch.svm = s;
	return 0;
}

static void svm_vcpu_fini(struct vcpu *v)
{
	struct svm_vcpu *s = v->arch.svm;

	if (!s)
		return;
	page_free(mpa_to_mfn(s->vmcb_pa), 0);
	domain_count_overhead(v->domain, -(int64_t)PAGE_SIZE);
	domain_mem_free(v->domain, s, sizeof(*s));
	v->arch.svm = NULL;
}

static void svm_reset(struct vcpu *v, const struct vm_start_state *start)
{
	struct vmcb *vmcb = v->arch.svm->vmcb;

	vmcb->es = start->seg[VM_ES];
	vmcb->cs = start->seg[VM_CS];
	vmcb->ss = start->seg[VM_SS];
	vmcb->ds = start->seg[VM_DS];
	vmcb->fs = start->seg[VM_FS];
	vmcb->gs = start->seg[VM_GS];
	vmcb->ldtr = start->seg[VM_LDTR];
	vmcb->tr = start->seg[VM_TR];
	vmcb->gdtr = (struct vm_segment){ .limit = 0xffff };
	vmcb->idtr = (struct vm_segment){ .limit = 0xffff };
	vmcb->cpl = 0;
	vmcb->efer = start->efer | EFER_SVME;
	vmcb->cr0 = start->cr0;
	vmcb->cr3 = start->cr3;
	vmcb->cr4 = start->cr4;
	vmcb->cr2 = 0;
	vmcb->dr6 = DR6_AT_RESET;
	vmcb->dr7 = DR7_AT_RESET;
	vmcb->star = vmcb->lstar = vmcb->cstar = vmcb->sfmask = vmcb->kernel_gs_base = 0;
	vmcb->sysenter_cs = vmcb->sysenter_esp = vmcb->sysenter_eip = 0;
	vmcb->pat = PAT_AT_RESET;
	vmcb->event_inject = 0;
	vmcb->v_irq = 0;
	vmcb->intercept1 &= ~(SVM_INTERCEPT1_VINTR | SVM_INTERCEPT1_IRET);
	vmcb->clean = 0;
	v->arch.svm->generation = 0;
}

/* What the last exit left stays in the registers: called on the CPU where v ran last. */
static void svm_save(struct vcpu *v)
{
	__asm__ volatile("vmsave %0" : : "a"(v->arch.svm->vmcb_pa.a) : "memory");
}

static void svm_load(struct vcpu *v)
{
	/* Branch predictions that another guest trained must not steer this one. */
	if (cpu_has(CPU_IBPB))
		wrmsr(MSR_PRED_CMD, 1);
	__asm__ volatile("vmload %0" : : "a"(v->arch.svm->vmcb_pa.a) : "memory");
}

static void svm_flush_tlb(struct vcpu *v)
{
	v->arch.svm->generation = 0;
}

/* Translations are tagged with an ASID, so a vCPU that needs none of its old ones takes a fresh ASID.
 * When all are used up, a flush makes all of them fresh. */
static void new_asid(struct svm_vcpu *s, struct svm_cpu *c)
{
	if (c->next_asid >= host_cpu.nr_asids) {
		c->generation++;
		c->next_asid = 1;
		s->vmcb->tlb_control = SVM_TLB_FLUSH_ALL;
	}
	s->vmcb->asid = c->next_asid++;
	s->vmcb->clean = 0; /* it may have run on another CPU in between */
	s->generation = c->generation;
}

/* The exit came while the CPU delivered an event to the guest: deliver it again. Software interrupts,
 * #BP and #OF happen again by themselves, as their instruction runs again. */
static void requeue_event(struct vmcb *vmcb)
{
	uint64_t event = vmcb->exit_int_info;
	uint64_t type = event >> SVM_EVENT_TYPE_SHIFT & 7;
	uint64_t vector = event & SVM_EVENT_VECTOR_MASK;
	bool again = type == SVM_EVENT_SOFTWARE ||
		     (type == SVM_EVENT_EXCEPTION && (vector == 3 || vector == 4));

	vmcb->event_inject = again ? 0 : event;
}

#define KIND(code, exit) [code] = (exit) + 1
static const uint8_t kind_of_exit[SVM_NR_LOW_EXITS] = {
	/* + 1; 0: unknown */
	KIND(SVM_EXIT_CR_READ + 8, EXIT_CR8),
	KIND(SVM_EXIT_CR_WRITE + 8, EXIT_CR8),
	KIND(SVM_EXIT_DR_READ + 0, EXIT_DEBUG_REG),
	KIND(SVM_EXIT_DR_READ + 1, EXIT_DEBUG_REG),
	KIND(SVM_EXIT_DR_READ + 2, EXIT_DEBUG_REG),
	KIND(SVM_EXIT_DR_READ + 3, EXIT_DEBUG_REG),
	KIND(SVM_EXIT_DR_WRITE + 0, EXIT_DEBUG_REG),
	KIND(SVM_EXIT_DR_WRITE + 1, EXIT_DEBUG_REG),
	KIND(SVM_EXIT_DR_WRITE + 2, EXIT_DEBUG_REG),
	KIND(SVM_EXIT_DR_WRITE + 3, EXIT_DEBUG_REG),
	KIND(SVM_EXIT_DR_WRITE + 7, EXIT_DEBUG_REG),
	KIND(SVM_EXIT_EXCEPTION + 1, EXIT_EXCEPTION),
	KIND(SVM_EXIT_EXCEPTION + 17, EXIT_EXCEPTION),
	KIND(SVM_EXIT_EXCEPTION + 18, EXIT_MACHINE_CHECK),
	KIND(SVM_EXIT_INTR, EXIT_INTR),
	KIND(SVM_EXIT_NMI, EXIT_NMI),
	KIND(SVM_EXIT_SMI, EXIT_NMI), /* the same: it is taken once GIF is set again */
	KIND(SVM_EXIT_INIT, EXIT_INIT),
	KIND(SVM_EXIT_VINTR, EXIT_WINDOW),
	KIND(SVM_EXIT_RDTSC, EXIT_RDTSC),
	KIND(SVM_EXIT_RDPMC, EXIT_GP),
	KIND(SVM_EXIT_CPUID, EXIT_CPUID),
	KIND(SVM_EXIT_IRET, EXIT_NMI_WINDOW),
	KIND(SVM_EXIT_INVD, EXIT_WBINVD),
	KIND(SVM_EXIT_HLT, EXIT_HLT),
	KIND(SVM_EXIT_INVLPGA, EXIT_UD),
	KIND(SVM_EXIT_IO, EXIT_IO),
	KIND(SVM_EXIT_MSR, EXIT_MSR_READ),
	KIND(SVM_EXIT_TASK_SWITCH, EXIT_TASK_SWITCH),
	KIND(SVM_EXIT_SHUTDOWN, EXIT_SHUTDOWN),
	KIND(SVM_EXIT_VMRUN, EXIT_UD),
	KIND(SVM_EXIT_VMMCALL, EXIT_HYPERCALL),
	KIND(SVM_EXIT_VMLOAD, EXIT_UD),
	KIND(SVM_EXIT_VMSAVE, EXIT_UD),
	KIND(SVM_EXIT_STGI, EXIT_UD),
	KIND(SVM_EXIT_CLGI, EXIT_UD),
	KIND(SVM_EXIT_SKINIT, EXIT_UD),
	KIND(SVM_EXIT_RDTSCP, EXIT_RDTSCP),
	KIND(SVM_EXIT_WBINVD, EXIT_WBINVD),
	KIND(SVM_EXIT_MONITOR, EXIT_UD),
	KIND(SVM_EXIT_MWAIT, EXIT_UD),
	KIND(SVM_EXIT_MWAIT_ARMED, EXIT_UD),
	KIND(SVM_EXIT_XSETBV, EXIT_XSETBV),
	KIND(SVM_EXIT_RDPRU, EXIT_UD),
};
#undef KIND

static void fill_io(const struct vmcb *vmcb, struct exit_info *x)
{
	uint64_t info = vmcb->exit_info1;

	x->io.port = (uint16_t)(info >> 16);
	x->io.size = (uint8_t)(info >> SVM_IO_SIZE_SHIFT & 7);
	x->io.is_in = info & SVM_IO_IN;
	x->io.is_string = info & SVM_IO_STRING;
	x->io.is_rep = info & SVM_IO_REP;
	x->io.address_bits = info & SVM_IO_A64   ? 64
			     : info & SVM_IO_A32 ? 32
			     : info & SVM_IO_A16 ? 16
						 : 0;
	x->io.next_rip = vmcb->exit_info2;
}

/* The kinds that need more than their number. */
static __attribute__((noinline)) void fill_details(const struct vmcb *vmcb, struct exit_info *x)
{
	switch (x->kind) {
	case EXIT_IO:
		fill_io(vmcb, x);
		break;
	case EXIT_NPT_FAULT:
		x->fault.gpa = GPA(vmcb->exit_info2);
		x->fault.is_write = vmcb->exit_info1 & SVM_NPF_WRITE;
		x->fault.is_fetch = vmcb->exit_info1 & SVM_NPF_FETCH;
		x->fault.is_present = vmcb->exit_info1 & SVM_NPF_PRESENT;
		x->fault.is_table_walk = vmcb->exit_info1 & SVM_NPF_TABLE;
		break;
	case EXIT_MSR_READ:
		if (vmcb->exit_info1)
			x->kind = EXIT_MSR_WRITE;
		break;
	case EXIT_EXCEPTION:
		x->exception.vector = (uint8_t)(vmcb->exit_code - SVM_EXIT_EXCEPTION);
		x->exception.has_error = x->exception.vector == 17;
		x->exception.error = (uint32_t)vmcb->exit_info1;
		break;
	default:
		x->detail[0] = vmcb->exit_info1;
		x->detail[1] = vmcb->exit_info2;
		break;
	}
}

static void classify(const struct vmcb *vmcb, struct exit_info *x)
{
	uint64_t code = vmcb->exit_code;

	x->raw_code = code;
	x->kind = EXIT_UNKNOWN;
	if (likely(code < SVM_NR_LOW_EXITS)) {
		if (likely(kind_of_exit[code]))
			x->kind = kind_of_exit[code] - 1u;
	} else if (code == SVM_EXIT_NPF) {
		x->kind = EXIT_NPT_FAULT;
	} else if ((uint32_t)code == UINT32_MAX) { /* some emulators store 32 bits of -1 */
		x->kind = EXIT_INVALID;
	}
	if (x->kind >= EXIT_FIRST_DETAILED)
		fill_details(vmcb, x);
}

static inline __attribute__((always_inline)) void run(struct svm_cpu *c, struct vcpu *v,
						      struct exit_info *x,
						      void (*enter)(struct vm_regs *, mpa_t),
						      bool guarded)
{
	struct svm_vcpu *s = v->arch.svm;
	struct vmcb *vmcb = s->vmcb;
	struct vm_regs *regs = &v->arch.regs;

	if (unlikely(s->generation != c->generation))
		new_asid(s, c);
	vmcb->rax = regs->rax;
	vmcb->rsp = regs->rsp;
	vmcb->rip = regs->rip;
	vmcb->rflags = regs->rflags;
	vmcb->intr_shadow = v->arch.intr_shadow;
	if (guarded)
		wrmsr(MSR_SPEC_CTRL, v->arch.spec_ctrl);
	enter(regs, s->vmcb_pa);
	if (guarded)
		wrmsr(MSR_SPEC_CTRL, host_spec_ctrl);
	vmcb->clean = SVM_CLEAN_ALL;
	vmcb->tlb_control = SVM_TLB_KEEP;
	regs->rax = vmcb->rax;
	regs->rsp = vmcb->rsp;
	regs->rip = vmcb->rip;
	regs->rflags = vmcb->rflags;
	v->arch.intr_shadow = vmcb->intr_shadow & 1;
	vmcb->event_inject = 0;
	if (unlikely(vmcb->exit_int_info & SVM_EVENT_VALID))
		requeue_event(vmcb);
	x->insn_len = (uint32_t)(vmcb->next_rip - regs->rip);
	x->cr3 = vmcb->cr3;
	classify(vmcb, x);
}

static void svm_run(struct cpu *c, struct vcpu *v, struct exit_info *ret_x)
{
	run(c->arch.svm, v, ret_x, svm_enter, false);
}

static void svm_run_guarded(struct cpu *c, struct vcpu *v, struct exit_info *ret_x)
{
	run(c->arch.svm, v, ret_x, svm_enter_guarded, true);
}

static bool svm_can_inject(const struct vcpu *v, enum vm_event type)
{
	if (v->arch.svm->vmcb->event_inject & SVM_EVENT_VALID || v->arch.intr_shadow)
		return false;
	return type == VM_EVENT_NMI ? !v->arch.nmi_blocked : v->arch.regs.rflags & RFLAGS_IF;
}

static bool svm_is_injecting(const struct vcpu *v)
{
	return v->arch.svm->vmcb->event_inject & SVM_EVENT_VALID;
}

/* #DE, #TS, #NP, #SS, #GP: two of them make a double fault (APM 2, 8.2.9). */
static bool is_contributory(uint64_t vector)
{
	return vector == 0 || (vector >= 10 && vector <= 13);
}

/* What comes of an exception while `first` is being delivered: SVM_EVENT_* without VALID; 0: shutdown. */
static uint64_t merge_exceptions(uint64_t first, uint64_t second)
{
	uint64_t v1 = first & SVM_EVENT_VECTOR_MASK, v2 = second & SVM_EVENT_VECTOR_MASK;
	bool df = (is_contributory(v1) && is_contributory(v2)) ||
		  (v1 == VECTOR_PF && (is_contributory(v2) || v2 == VECTOR_PF));

	if ((first >> SVM_EVENT_TYPE_SHIFT & 7) != SVM_EVENT_EXCEPTION)
		return second;
	if (v1 == VECTOR_DF && (is_contributory(v2) || v2 == VECTOR_PF))
		return 0;
	return df ? VECTOR_DF | SVM_EVENT_EXCEPTION << SVM_EVENT_TYPE_SHIFT | SVM_EVENT_HAS_ERROR
		  : second;
}

static void svm_inject(struct vcpu *v, enum vm_event type, uint8_t vector, bool has_error,
		       uint32_t error)
{
	static const uint8_t types[] = { [VM_EVENT_INTERRUPT] = SVM_EVENT_INTERRUPT,
					 [VM_EVENT_NMI] = SVM_EVENT_NMI,
					 [VM_EVENT_EXCEPTION] = SVM_EVENT_EXCEPTION };
	struct vmcb *vmcb = v->arch.svm->vmcb;
	uint64_t event = vector | (uint64_t)types[type] << SVM_EVENT_TYPE_SHIFT;

	if (has_error)
		event |= SVM_EVENT_HAS_ERROR | (uint64_t)error << SVM_EVENT_ERROR_SHIFT;
	if (unlikely(vmcb->event_inject & SVM_EVENT_VALID)) {
		event = merge_exceptions(vmcb->event_inject, event);
		if (!event) {
			domain_crash(v->domain, "vCPU %u: triple fault", v->id);
			return;
		}
	}
	vmcb->event_inject = event | SVM_EVENT_VALID;
}

static void set_intercept1(struct vmcb *vmcb, uint32_t bit, bool on)
{
	uint32_t wanted = on ? vmcb->intercept1 | bit : vmcb->intercept1 & ~bit;

	if (wanted != vmcb->intercept1) {
		vmcb->intercept1 = wanted;
		vmcb->clean &= ~SVM_CLEAN_INTERCEPTS;
	}
}

/* A virtual interrupt that is never delivered, as its delivery is intercepted. */
static void svm_set_intr_window(struct vcpu *v, bool on)
{
	struct vmcb *vmcb = v->arch.svm->vmcb;

	set_intercept1(vmcb, SVM_INTERCEPT1_VINTR, on);
	vmcb->v_irq = on;
	vmcb->v_control = SVM_V_IGNORE_TPR | 0xf;
	vmcb->clean &= ~SVM_CLEAN_TPR;
}

static void svm_set_nmi_window(struct vcpu *v, bool on)
{
	set_intercept1(v->arch.svm->vmcb, SVM_INTERCEPT1_IRET, on);
}

static uint32_t svm_mode(const struct vcpu *v)
{
	const struct vmcb *vmcb = v->arch.svm->vmcb;
	uint32_t mode = vmcb->cpl;

	if (likely(vmcb->efer & EFER_LMA)) {
		mode |= VM_MODE_LONG;
		if (likely(vmcb->cs.attr & VM_SEG_L))
			return mode | VM_MODE_CODE64 | VM_MODE_PROTECTED;
	}
	if (vmcb->cs.attr & VM_SEG_DB)
		mode |= VM_MODE_CODE32;
	if (vmcb->cr0 & CR0_PE && !(v->arch.regs.rflags & RFLAGS_VM))
		mode |= VM_MODE_PROTECTED;
	return mode;
}

static void svm_get_paging(const struct vcpu *v, struct vm_paging *ret_p)
{
	const struct vmcb *vmcb = v->arch.svm->vmcb;

	ret_p->cr0 = vmcb->cr0;
	ret_p->cr3 = vmcb->cr3;
	ret_p->cr4 = vmcb->cr4;
	ret_p->efer = vmcb->efer & ~EFER_SVME;
}

static void svm_get_segment(struct vcpu *v, enum vm_segment_name n, struct vm_segment *ret_s)
{
	const struct vmcb *vmcb = v->arch.svm->vmcb;
	const struct vm_segment *const in_vmcb[] = {
		[VM_ES] = &vmcb->es, [VM_CS] = &vmcb->cs,     [VM_SS] = &vmcb->ss,
		[VM_DS] = &vmcb->ds, [VM_FS] = &vmcb->fs,     [VM_GS] = &vmcb->gs,
		[VM_TR] = &vmcb->tr, [VM_LDTR] = &vmcb->ldtr,
	};

	if (n >= VM_FS && this_cpu()->arch.loaded == v)
		svm_save(v);
	*ret_s = *in_vmcb[n];
}

static void svm_set_efer(struct vcpu *v, uint64_t efer)
{
	v->arch.svm->vmcb->efer = efer | EFER_SVME;
	v->arch.svm->vmcb->clean &= ~SVM_CLEAN_CR;
	/* A change of NXE gives cached translations another meaning. */
	svm_flush_tlb(v);
}

static uint64_t svm_get_pat(const struct vcpu *v)
{
	return v->arch.svm->vmcb->pat;
}

static void svm_set_pat(struct vcpu *v, uint64_t pat)
{
	v->arch.svm->vmcb->pat = pat;
	v->arch.svm->vmcb->clean &= ~SVM_CLEAN_NP;
}

static uint64_t svm_get_cr2(const struct vcpu *v)
{
	return v->arch.svm->vmcb->cr2;
}

static uint64_t svm_get_kernel_gs_base(const struct vcpu *v)
{
	return v->arch.svm->vmcb->kernel_gs_base;
}

static void svm_set_cr2(struct vcpu *v, uint64_t cr2)
{
	v->arch.svm->vmcb->cr2 = cr2;
	v->arch.svm->vmcb->clean &= ~SVM_CLEAN_CR2;
}

static void svm_set_dr6_bits(struct vcpu *v, uint64_t bits)
{
	v->arch.svm->vmcb->dr6 |= bits;
	v->arch.svm->vmcb->clean &= ~SVM_CLEAN_DR;
}

static bool svm_forget_step(struct vcpu *v)
{
	struct vmcb *vmcb = v->arch.svm->vmcb;

	vmcb->dr6 &= ~DR6_BS;
	vmcb->clean &= ~SVM_CLEAN_DR;
	return !v->arch.uses_debug || !(vmcb->dr6 & DR6_BREAKPOINTS);
}

static void svm_set_tsc_offset(struct vcpu *v, uint64_t offset)
{
	v->arch.svm->vmcb->tsc_offset = offset;
	v->arch.svm->vmcb->clean &= ~SVM_CLEAN_INTERCEPTS;
}

static void svm_intercept_tsc(struct vcpu *v, bool on)
{
	struct vmcb *vmcb = v->arch.svm->vmcb;

	set_intercept1(vmcb, SVM_INTERCEPT1_RDTSC, on);
	vmcb->intercept2 = on ? vmcb->intercept2 | SVM_INTERCEPT2_RDTSCP
			      : vmcb->intercept2 & ~SVM_INTERCEPT2_RDTSCP;
	vmcb->clean &= ~SVM_CLEAN_INTERCEPTS;
}

static void svm_allow_debug_regs(struct vcpu *v)
{
	struct vmcb *vmcb = v->arch.svm->vmcb;

	vmcb->intercept_dr_read = 0;
	vmcb->intercept_dr_write = 0;
	vmcb->clean &= ~SVM_CLEAN_INTERCEPTS;
}

static void dump_segment(vm_print_fn *print, const char *name, const struct vm_segment *s)
{
	print("  %s %04x attr %03x limit %08x base %016" PRIx64 "\n", name, s->selector, s->attr,
	      s->limit, s->base);
}

static void svm_dump(const struct vcpu *v, vm_print_fn *print)
{
	const struct vmcb *vmcb = v->arch.svm->vmcb;

	print("  cr0 %" PRIx64 " cr2 %" PRIx64 " cr3 %" PRIx64 " cr4 %" PRIx64 " efer %" PRIx64
	      " cpl %u\n",
	      vmcb->cr0, vmcb->cr2, vmcb->cr3, vmcb->cr4, vmcb->efer, vmcb->cpl);
	dump_segment(print, "cs", &vmcb->cs);
	dump_segment(print, "ss", &vmcb->ss);
	dump_segment(print, "ds", &vmcb->ds);
	dump_segment(print, "es", &vmcb->es);
	dump_segment(print, "gdtr", &vmcb->gdtr);
	dump_segment(print, "idtr", &vmcb->idtr);
	print("  exit %" PRIx64 " info %" PRIx64 " %" PRIx64 " while delivering %" PRIx64
	      ", next event %" PRIx64 ", shadow %" PRIx64 "\n",
	      vmcb->exit_code, vmcb->exit_info1, vmcb->exit_info2, vmcb->exit_int_info,
	      vmcb->event_inject, vmcb->intr_shadow);
}

/* The conditions of APM 2, 15.5.1, in their order there. */
static const char *svm_invalid_reason(const struct vcpu *v)
{
	const struct vmcb *vmcb = v->arch.svm->vmcb;
	bool paged = vmcb->cr0 & CR0_PG, pae = vmcb->cr4 & CR4_PAE, pe = vmcb->cr0 & CR0_PE;
	bool lme = vmcb->efer & EFER_LME;
	const struct {
		bool is_true;
		const char *reason;
	} rules[] = {
		{ !(vmcb->efer & EFER_SVME), "EFER.SVME is clear" },
		{ !(vmcb->cr0 & CR0_CD) && vmcb->cr0 & CR0_NW, "CR0.NW without CR0.CD" },
		{ vmcb->cr0 >> 32, "CR0 has high bits" },
		{ vmcb->dr6 >> 32 || vmcb->dr7 >> 32, "DR6 or DR7 has high bits" },
		{ lme && paged && !pae, "long mode without CR4.PAE" },
		{ lme && paged && !pe, "long mode without CR0.PE" },
		{ lme && paged && pae && vmcb->cs.attr & VM_SEG_L && vmcb->cs.attr & VM_SEG_DB,
		  "CS.L and CS.D are both set" },
		{ !vmcb->asid, "ASID 0" },
		{ !(vmcb->intercept2 & SVM_INTERCEPT2_VMRUN), "VMRUN is not intercepted" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (rules[i].is_true)
			return rules[i].reason;
	}
	return "reserved bits in CR3, CR4, EFER or the event to inject";
}

#define SVM_OPS(run_fn)                                                                         \
	{                                                                                       \
		.name = "SVM", .cpu_init = svm_cpu_init, .vcpu_init = svm_vcpu_init,            \
		.vcpu_fini = svm_vcpu_fini, .reset = svm_reset, .load = svm_load,               \
		.save = svm_save, .run = (run_fn), .can_inject = svm_can_inject,                \
		.inject = svm_inject, .is_injecting = svm_is_injecting,                         \
		.set_intr_window = svm_set_intr_window, .set_nmi_window = svm_set_nmi_window,   \
		.mode = svm_mode, .get_paging = svm_get_paging, .get_segment = svm_get_segment, \
		.set_efer = svm_set_efer, .get_pat = svm_get_pat, .set_pat = svm_set_pat,       \
		.get_cr2 = svm_get_cr2, .get_kernel_gs_base = svm_get_kernel_gs_base,           \
		.set_cr2 = svm_set_cr2, .set_dr6_bits = svm_set_dr6_bits,                       \
		.forget_step = svm_forget_step, .set_tsc_offset = svm_set_tsc_offset,           \
		.intercept_tsc = svm_intercept_tsc, .allow_debug_regs = svm_allow_debug_regs,   \
		.dump = svm_dump, .invalid_reason = svm_invalid_reason,                         \
		.flush_tlb = svm_flush_tlb, .p2m_init = npt_init, .p2m_fini = npt_fini,         \
		.p2m_set = npt_set, .p2m_get = npt_get, .p2m_next = npt_next,                   \
		.p2m_pointer = npt_pointer, .p2m_frame = npt_frame,                             \
	}

/* A CPU with speculation controls pays for them at each entry; one without has no trace of them. */
static const struct vm_ops plain_ops = SVM_OPS(svm_run);
static const struct vm_ops guarded_ops = SVM_OPS(svm_run_guarded);

const struct vm_ops *svm_probe(const char **ret_why)
{
	if (!cpu_has(CPU_SVM)) {
		*ret_why = "the CPU has no SVM";
	} else if (!cpu_has(CPU_SVM_NPT)) {
		*ret_why = "the CPU's SVM has no nested paging";
	} else if (host_cpu.nr_asids < 2) {
		*ret_why = "the CPU has no ASIDs";
	} else if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS) {
		*ret_why = "SVM is turned off in the firmware's setup";
	} else if (msr_bitmap_init()) {
		*ret_why = "no memory for the MSR bitmap";
	} else {
		host_spec_ctrl = cpu_has(CPU_IBRS) && !cpu_has(CPU_AUTO_IBRS) ? SPEC_CTRL_IBRS : 0;
		return has_spec_ctrl() ? &guarded_ops : &plain_ops;
	}
	return NULL;
}
