/* Entries for all 256 vectors. The CPU pushes SS, RSP, RFLAGS, CS, RIP, after aligning the stack to 16,
 * and for some exceptions an error code. There is one privilege level: no stack switch but the
 * double fault's, nothing to load, no swapgs. */
#include "asm-offsets.h"

	.text
	.balign 16
	.globl trap_stubs
trap_stubs: /* 16 bytes for each vector */
	.set vector, 0
	.rept 256
	.balign 16
	.if vector >= 32
	pushq $vector
	jmp irq_entry
	.else
	.if (0x60227d00 >> vector) & 1 /* 8, 10-14, 17, 21, 29, 30 have an error code */
	.else
	pushq $0
	.endif
	pushq $vector
	jmp trap_entry
	.endif
	.set vector, vector + 1
	.endr
	.balign 16

/* Interrupts: C may change only what it may change in any call. Stack here: vector, RIP, … */
irq_entry:
	push %rax
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	sub $8, %rsp
	movzbl 80(%rsp), %edi
	cld
	call irq_dispatch
	add $8, %rsp
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rax
	add $8, %rsp
	iretq

/* Exceptions and NMIs: a whole struct trap_frame. */
trap_entry:
	push %rax
	push %rbx
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %rbp
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, %rdi
	cld
	call trap_dispatch
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rbp
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rbx
	pop %rax
	add $16, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits
