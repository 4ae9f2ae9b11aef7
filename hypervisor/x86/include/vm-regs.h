/* A guest's general registers. A header of its own, so that the instruction decoder compiles on the
 * host, where the rest of the machine part is a fake. */
#ifndef LODGE_VM_REGS_H
#define LODGE_VM_REGS_H

#include <stdint.h>

/* In the order in which instructions encode them. rax, rsp, rip and rflags live in the VMCB while the
 * guest runs; vm_ops->run copies them in and out. */
struct vm_regs {
	uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, rflags;
};

/* Bits of rflags that make a difference to us. */
#define RFLAGS_TF (1ull << 8)
#define RFLAGS_IF (1ull << 9)
#define RFLAGS_DF (1ull << 10)
#define RFLAGS_VM (1ull << 17)

#endif
