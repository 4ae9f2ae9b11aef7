/*
 * VM entry and exit. VMRUN itself switches rax, rsp, rip, rflags, CS, SS, DS, ES, GDTR, IDTR, CR0,
 * CR3, CR4 and EFER (APM 2, 15.5.1); here the general registers follow. What VMLOAD switches (FS, GS, TR,
 * LDTR, system call MSRs) stays the guest's until another vCPU is loaded.
 */

/* struct vm_regs; svm.c asserts these */
#define REG_RCX 8
#define REG_RDX 16
#define REG_RBX 24
#define REG_RBP 40
#define REG_RSI 48
#define REG_RDI 56
#define REG_R8	64
#define REG_R9	72
#define REG_R10 80
#define REG_R11 88
#define REG_R12 96
#define REG_R13 104
#define REG_R14 112
#define REG_R15 120

#define NR_RETURN_STACK_ENTRIES 32

/* In: rdi struct vm_regs, rsi physical address of the VMCB. Interrupts off.
 * Out: nothing. Keeps rbx, rbp, r12-r15, as any C function; interrupts off.
 * Stack at VMRUN: return address, rbp, rbx, r12-r15, rdi. */
.macro VM_ENTRY name, refill
	.globl \name
	.type \name, @function
	.p2align 5
\name:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdi
	mov %rsi, %rax
	/* With GIF clear nothing is taken here; with IF set, and V_INTR_MASKING, our interrupts end
	 * the guest whatever its own IF says (APM 2, 15.21.1). */
	clgi
	sti
	mov REG_RCX(%rdi), %rcx
	mov REG_RDX(%rdi), %rdx
	mov REG_RBX(%rdi), %rbx
	mov REG_RBP(%rdi), %rbp
	mov REG_RSI(%rdi), %rsi
	mov REG_R8(%rdi), %r8
	mov REG_R9(%rdi), %r9
	mov REG_R10(%rdi), %r10
	mov REG_R11(%rdi), %r11
	mov REG_R12(%rdi), %r12
	mov REG_R13(%rdi), %r13
	mov REG_R14(%rdi), %r14
	mov REG_R15(%rdi), %r15
	mov REG_RDI(%rdi), %rdi
	vmrun %rax
	pop %rax
	mov %rcx, REG_RCX(%rax)
	mov %rdx, REG_RDX(%rax)
	mov %rbx, REG_RBX(%rax)
	mov %rbp, REG_RBP(%rax)
	mov %rsi, REG_RSI(%rax)
	mov %rdi, REG_RDI(%rax)
	mov %r8, REG_R8(%rax)
	mov %r9, REG_R9(%rax)
	mov %r10, REG_R10(%rax)
	mov %r11, REG_R11(%rax)
	mov %r12, REG_R12(%rax)
	mov %r13, REG_R13(%rax)
	mov %r14, REG_R14(%rax)
	mov %r15, REG_R15(%rax)
.if \refill
	/* Calls that never return fill the predictor; lfence catches what speculates past one. */
	mov $(NR_RETURN_STACK_ENTRIES / 2), %ecx
1:	call 2f
	lfence
2:	call 3f
	lfence
3:	dec %ecx
	jnz 1b
	add $(NR_RETURN_STACK_ENTRIES * 8), %rsp
	lfence
.endif
	cli
	stgi
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret
	.size \name, . - \name
.endm

	.text
	VM_ENTRY svm_enter, 0
	VM_ENTRY svm_enter_guarded, 1

	.section .note.GNU-stack, "", @progbits
