/* The length of the instruction that exited, on CPUs that do not tell. */
#ifndef LODGE_X86_VM_INSN_LEN_H
#define LODGE_X86_VM_INSN_LEN_H

#include "lodge/vcpu.h"
#include "x86/vm/vm-ops.h"

uint32_t insn_len_fill(struct vcpu *v, const struct exit_info *x, struct insn_len_entry *e);

/* 0 when the instruction at rip cannot be read or is not one that exits so: the guest changed its
 * code under us, and runs it again. */
static inline uint32_t insn_len(struct vcpu *v, const struct exit_info *x)
{
	uint64_t rip = v->arch.regs.rip;
	/* By 2^64 over the golden ratio, which sends neighbours far apart. */
	struct insn_len_entry *e =
		&v->arch.insn_len[rip * 0x9e3779b97f4a7c15 >> (64 - INSN_LEN_ORDER)];

	__asm__("" : "+r"(e)); /* else the compiler works out each member's address anew */
	/* A zeroed entry is of kind EXIT_INTR, which has no instruction. */
	if (likely(e->rip == rip && e->cr3 == x->cr3 && e->kind == x->kind))
		return e->len;
	return insn_len_fill(v, x, e);
}

#endif
