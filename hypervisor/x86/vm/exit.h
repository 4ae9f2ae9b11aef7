/* The handlers of VM exits, one row of exit.c's table each, and what they share. */
#ifndef LODGE_X86_VM_EXIT_H
#define LODGE_X86_VM_EXIT_H

#include "lodge/vcpu.h"
#include "x86/vm/vm-ops.h"

#define EXIT_NO_SKIP \
	1 /* done, but the guest runs the instruction again, or a fault instead of it */

typedef int exit_fn(struct vcpu *v, const struct exit_info *x);

exit_fn exit_hypercall, exit_cpuid, exit_msr_read, exit_msr_write, exit_rdtsc, exit_rdtscp, exit_io,
	exit_npt_fault;

/* The rare part of what follows. */
void vcpu_finish_insn(struct vcpu *v);

/* The current instruction is done: rip, interrupt shadow, single step. */
static inline void vcpu_set_next_rip(struct vcpu *v, uint64_t rip)
{
	struct vm_regs *r = &v->arch.regs;
	bool crosses_4g = (rip ^ r->rip) >> 32;

	r->rip = rip;
	v->arch.intr_shadow = false;
	if (unlikely(crosses_4g || r->rflags & RFLAGS_TF))
		vcpu_finish_insn(v);
}
/* Registers to the log, before a crash. */
void vcpu_dump(struct vcpu *v);
/* The same without locks: for panic_dump_vcpu. Reads only. */
void vcpu_dump_in_panic(struct vcpu *v);

/* DR0-DR3 into the CPU. */
void vcpu_load_debug_regs(const struct vcpu *v);

#endif
