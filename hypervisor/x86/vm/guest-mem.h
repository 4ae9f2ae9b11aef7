/* Guest memory by linear address, for the exit path: what lodge/guest.h has not. */
#ifndef LODGE_X86_VM_GUEST_MEM_H
#define LODGE_X86_VM_GUEST_MEM_H

#include "lodge/guest.h"
#include "lodge/types.h"

/* Bytes of the instruction at linear address `from`: how many could be read, up to nr. */
unsigned guest_fetch_insn(struct vcpu *v, uint64_t from, uint8_t *ret_bytes, unsigned nr);
/* The same, of the current instruction. */
unsigned guest_fetch_at_rip(struct vcpu *v, uint8_t *ret_bytes, unsigned nr);
/* How the current code is to be decoded: 16, 32 or 64. */
unsigned vcpu_code_bits(const struct vcpu *v);

/* The operand in memory of an instruction that is carried out for the guest: code of privilege 3 reaches
 * user pages only. 0 or -EFAULT. */
must_check int guest_read_operand(struct vcpu *v, void *to, uint64_t va, size_t bytes);
must_check int guest_write_operand(struct vcpu *v, uint64_t va, const void *from, size_t bytes);

#endif
