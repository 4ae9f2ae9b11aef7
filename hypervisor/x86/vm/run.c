/*
 * The loop in which every CPU spends its life: do what is pending, then run the current vCPU until
 * its next exit, or idle.
 *
 * Interrupts are off all the time but while a guest runs (they end it), in one-instruction windows
 * after such an exit, and in the idle loop. Nothing here switches stacks: whatever makes a vCPU wait
 * sets a bit, and the loop comes by.
 */
#include "x86/vm/vm.h"

#include "abi/errno.h"
#include "lodge/cpu.h"
#include "lodge/domain.h"
#include "lodge/log.h"
#include "lodge/page.h"
#include "x86/apic.h"
#include "x86/cpu.h"
#include "x86/panic.h"
#include "x86/vm/exit.h"
#include "x86/vm/fpu.h"
#include "x86/vm/guest-mem.h"
#include "x86/vm/vlapic.h"

const struct vm_ops *vm_ops;

#define OPCODE_HLT 0xf4u

#define SCRUB_BATCH 1u /* pages between two looks at what is pending: a wake-up waits that long */

void vm_init(void)
{
	const char *why = NULL;

	vm_ops = svm_probe(&why);
	if (!vm_ops)
		boot_fail("%s: Lodge needs AMD's SVM with nested paging", why);
	fpu_init();
	cpuid_policy_init(&cpuid_default, cpuid);
	panic_dump_vcpu = vcpu_dump_in_panic;
	log_info("virtualisation: %s, %u ASIDs%s\n", vm_ops->name, host_cpu.nr_asids,
		 cpu_has(CPU_SVM_NRIPS) ? "" : ", no next RIP");
}

void vm_cpu_init(struct cpu *c)
{
	int err = vm_ops->cpu_init(c);

	if (err)
		panic("CPU %u: %s cannot be turned on: error %d", c->id, vm_ops->name, err);
}

/* Events. */

static void set_window(struct vcpu *v, bool on)
{
	if (v->arch.intr_window != on) {
		v->arch.intr_window = on;
		vm_ops->set_intr_window(v, on);
	}
}

/* Bits of arch_vcpu.nmi_step: an NMI that cannot be injected now has to come after one instruction, or after
 * the event that is queued already, whatever the guest's interrupt flag says. */
#define NMI_WAITS   0x1u /* the next exit is to come soon, and then events are delivered anew */
#define NMI_STEPS   0x2u /* by a single step that is ours: the guest's TF was clear */
#define NMI_AT_IRET 0x4u /* the instruction is the IRET that ends an NMI handler */

/* An interrupt of our own waits for this CPU's next VM entry: the guest takes what is queued, and exits. */
static void exit_after_event(struct vcpu *v)
{
	v->arch.nmi_step |= NMI_WAITS;
	apic_send_ipi(this_cpu(), VECTOR_KICK);
}

/* A guest that single-steps itself exits anyway, with a #DB of its own. */
static void exit_after_insn(struct vcpu *v)
{
	v->arch.nmi_step |= NMI_WAITS;
	if (v->arch.regs.rflags & RFLAGS_TF)
		return;
	v->arch.regs.rflags |= RFLAGS_TF;
	v->arch.nmi_step |= NMI_STEPS;
}

static void deliver_nmi(struct vcpu *v)
{
	if (v->arch.nmi_blocked && !(v->arch.nmi_step & NMI_AT_IRET))
		return; /* the handler's IRET exits */
	if (vm_ops->is_injecting(v)) {
		exit_after_event(v);
	} else if (!vm_ops->can_inject(v, VM_EVENT_NMI)) {
		exit_after_insn(v);
	} else {
		vlapic_take_nmi(v);
		vm_ops->inject(v, VM_EVENT_NMI, VECTOR_NMI, false, 0);
		v->arch.nmi_blocked = true;
		vm_ops->set_nmi_window(v, true);
	}
}

void vcpu_end_of_nmi(struct vcpu *v)
{
	vm_ops->set_nmi_window(v, false);
	v->arch.nmi_step = NMI_AT_IRET;
	v->arch.nmi_iret_rip = v->arch.regs.rip;
	vm_request_event(v);
}

/* The guest is not entered after all: as if nothing had been prepared. */
static void cancel_nmi_step(struct vcpu *v)
{
	if (v->arch.nmi_step & NMI_STEPS)
		v->arch.regs.rflags &= ~RFLAGS_TF;
	v->arch.nmi_step &= NMI_AT_IRET;
	vm_request_event(v);
}

/* The IRET was done, or the guest exited before: then it exits there again. */
static void leave_nmi(struct vcpu *v, bool is_done)
{
	if (is_done)
		v->arch.nmi_blocked = false;
	else
		vm_ops->set_nmi_window(v, true);
}

/* After an exit. What the step did to the guest's flags and to DR6 is taken back, before anybody looks. */
static void end_nmi_step(struct vcpu *v, struct exit_info *x)
{
	uint8_t step = v->arch.nmi_step;
	bool has_stepped = x->kind == EXIT_EXCEPTION && x->exception.vector == VECTOR_DB;

	v->arch.nmi_step = 0;
	vm_request_event(v);
	if (step & NMI_AT_IRET)
		leave_nmi(v, step & NMI_STEPS ? has_stepped
					      : v->arch.regs.rip != v->arch.nmi_iret_rip);
	if (!(step & NMI_STEPS))
		return;
	/* An IRET that is done has loaded the flags that its handler saved, TF among them. */
	if (!(step & NMI_AT_IRET && has_stepped))
		v->arch.regs.rflags &= ~RFLAGS_TF;
	if (has_stepped && vm_ops->forget_step(v))
		x->kind = EXIT_NMI; /* nothing is left to do */
}

static bool callback_is_pending(const struct vcpu *v)
{
	return READ_ONCE(v->arch.upcall_via_callback) && v->domain->arch.callback_vector;
}

static bool interrupt_is_pending(const struct vcpu *v)
{
	return callback_is_pending(v) || vlapic_pending_vector(v) >= 0;
}

/* The upcall by callback vector goes first: it bypasses the local APIC and its priorities. */
static void deliver_interrupt(struct vcpu *v)
{
	int vector;

	if (callback_is_pending(v)) {
		vector = v->domain->arch.callback_vector;
		/* The guest clears upcall_pending in its handler, so a new upcall sets this again. */
		WRITE_ONCE(v->arch.upcall_via_callback, false);
	} else {
		vector = vlapic_pending_vector(v);
		vlapic_accept(v, (uint8_t)vector);
	}
	vm_ops->inject(v, VM_EVENT_INTERRUPT, (uint8_t)vector, false, 0);
}

/* The guest has executed STI and is about to execute HLT, which what is pending would end at once: it is as
 * if that had happened. This saves the exit, but more than that, QEMU (7.2) forgets the interrupt shadow at
 * VMRUN: the interrupt would come before the HLT, and the guest sleep through what it was told. */
static void pass_halt(struct vcpu *v, bool nmi)
{
	uint8_t insn;

	if (v->arch.regs.rflags & RFLAGS_IF && !(vm_ops->mode(v) & VM_MODE_CPL) &&
	    (nmi || interrupt_is_pending(v)) &&
	    guest_fetch_at_rip(v, &insn, sizeof(insn)) == sizeof(insn) && insn == OPCODE_HLT)
		vcpu_set_next_rip(v, v->arch.regs.rip + sizeof(insn));
}

void vcpu_deliver_events(struct vcpu *v)
{
	uint32_t attention = vlapic_attention(v);

	if (unlikely(attention & VLAPIC_ATT_RESET) && !vlapic_do_reset(v))
		return;
	if (unlikely(v->arch.intr_shadow))
		pass_halt(v, attention & VLAPIC_ATT_NMI);
	if (unlikely(attention & VLAPIC_ATT_NMI))
		deliver_nmi(v);
	if (interrupt_is_pending(v) && vm_ops->can_inject(v, VM_EVENT_INTERRUPT))
		deliver_interrupt(v);
	/* What could not be injected, or is next, waits until the guest takes interrupts. */
	set_window(v, interrupt_is_pending(v));
}

static void do_work(struct vcpu *v)
{
	uint32_t work = __atomic_exchange_n(&v->arch.work, 0, __ATOMIC_SEQ_CST);

	if (work & VM_WORK_FLUSH)
		vm_ops->flush_tlb(v);
	if (work & VM_WORK_EVENT)
		vcpu_deliver_events(v);
}

/* One stay in the guest, unless something has come up in the meantime. */
static void vm_enter(struct cpu *c, struct vcpu *v)
{
	struct exit_info x;

	if (unlikely(READ_ONCE(v->runstate_dirty)))
		vcpu_publish(v);
	if (unlikely(READ_ONCE(v->arch.work)))
		do_work(v);
	/* From here on, who wants us kicks us. Who wanted us before has set one of the words that are
	 * looked at now: the exchange orders our store before these loads. Pairs with cpu_raise(),
	 * vm_request_work() and arch_p2m_flush(). */
	__atomic_exchange_n(&c->arch.in_guest, CPU_IN_GUEST, __ATOMIC_SEQ_CST);
	if (unlikely(READ_ONCE(c->pending) | READ_ONCE(v->arch.work))) {
		WRITE_ONCE(c->arch.in_guest, 0);
		if (unlikely(v->arch.nmi_step))
			cancel_nmi_step(v);
		c->arch.heartbeat++;
		return;
	}
	vm_ops->run(c, v, &x);
	WRITE_ONCE(c->arch.in_guest, 0);
	if (unlikely(v->arch.nmi_step))
		end_nmi_step(v, &x);
	c->nr_exits++;
	v->nr_exits[x.kind]++;
	vcpu_handle_exit(v, &x);
}

static void idle(struct cpu *c)
{
	/* As in vm_enter(): either we see what is pending, or who made it pending sees us idle. */
	WRITE_ONCE(c->idle, true);
	c->arch.heartbeat++;
	smp_mb();
	while (!READ_ONCE(c->pending)) {
		if (page_scrub_some(SCRUB_BATCH))
			irq_window();
		else
			irq_wait();
		c->arch.heartbeat++;
	}
	WRITE_ONCE(c->idle, false);
}

_Noreturn void run_loop(void)
{
	struct cpu *c = this_cpu();

	for (;;) {
		if (unlikely(READ_ONCE(c->pending)))
			cpu_do_pending(c);
		if (likely(c->current))
			vm_enter(c, c->current);
		else
			idle(c);
	}
}
