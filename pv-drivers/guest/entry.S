/*
 * Entry of the boot processor (32-bit, PVH), of application processors (real mode, by SIPI), of traps,
 * and the way to CPL 3 and back.
 */
#include "guest/layout.h"

#define CR0_PE 0x1
#define CR0_START 0x80010033 /* PG WP NE ET MP PE */
#define CR4_START 0x6a0 /* PAE PGE OSFXSR OSXMMEXCPT */
#define MSR_EFER 0xc0000080
#define EFER_START 0x900 /* LME NXE */

	.section .note.Xen, "a", @note
	.align 4
	.long 4, 8, 18 /* name size, description size, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad pvh_entry

	.text
	.code32
/*
 * The hypervisor starts the guest here: flat 32-bit protected mode, no paging, EBX = start info.
 * Everything the entry contract speaks of is kept in entry_state, for the test that reads it.
 */
	.globl pvh_entry
pvh_entry:
	mov %eax, entry_state + 0
	mov %ebx, entry_state + 4
	mov %ecx, entry_state + 8
	mov %edx, entry_state + 12
	mov %esi, entry_state + 16
	mov %edi, entry_state + 20
	mov %ebp, entry_state + 24
	mov %esp, entry_state + 28
	mov $boot_stack + STACK_SIZE, %esp
	pushf
	pop entry_state + 32
	mov %cr0, %eax
	mov %eax, entry_state + 36
	mov %cr3, %eax
	mov %eax, entry_state + 40
	mov %cr4, %eax
	mov %eax, entry_state + 44
	mov $MSR_EFER, %ecx
	rdmsr
	mov %eax, entry_state + 48
	mov %cs, entry_state + 52
	mov %ds, entry_state + 54
	mov %es, entry_state + 56
	mov %ss, entry_state + 58
	str entry_state + 60

	call enter_long_mode
	.code64
	mov entry_state + 4(%rip), %edi
	call guest_start
1:	cli
	hlt
	jmp 1b

/* From flat 32-bit mode without paging to long mode. Keeps ESP and EBX; returns in 64-bit mode. */
	.code32
enter_long_mode:
	pop %esi
	lgdt boot_gdtr
	mov $CR4_START, %eax
	mov %eax, %cr4
	mov $boot_pml4, %eax
	mov %eax, %cr3
	mov $MSR_EFER, %ecx
	rdmsr
	or $EFER_START, %eax
	wrmsr
	mov $CR0_START, %eax
	mov %eax, %cr0
	ljmp $SEL_CODE64, $1f
	.code64
1:	mov $SEL_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	mov %esp, %esp
	mov %esi, %esi
	jmp *%rsi

/*
 * Application processors. The code between trampoline and trampoline_end runs from TRAMPOLINE, with
 * CS.base = TRAMPOLINE and DS = 0. It records its mode in ap_entry, then leaves for the image.
 */
#define AT(label) (TRAMPOLINE + (label) - trampoline)
	.globl trampoline, trampoline_end
	.code16
trampoline:
	cli
	mov %cs, %bx
	xor %eax, %eax
	mov %ax, %ds
	mov %cr0, %eax
	mov %eax, %ebp
	lgdtl AT(trampoline_gdtr)
	or $CR0_PE, %al
	mov %eax, %cr0
	ljmpl $SEL_CODE32, $ap_entry32
	.align 8
trampoline_gdtr:
	.word GDT_ENTRIES * 8 - 1
	.long boot_gdt
trampoline_end:

	.code32
ap_entry32:
	mov $SEL_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov %bx, ap_entry + 0
	mov %dx, ap_entry + 2
	mov %ebp, ap_entry + 4
	mov $MSR_EFER, %ecx
	rdmsr
	mov %eax, ap_entry + 8
	mov %cr4, %eax
	mov %eax, ap_entry + 12
	mov ap_stack, %esp
	call enter_long_mode
	.code64
	mov ap_cpu(%rip), %rdi
	call cpu_start_ap
1:	cli
	hlt
	jmp 1b

/* One stub of 16 bytes for each vector: pushes what the CPU did not, then joins trap_common. */
	.align 16
	.globl trap_stubs
trap_stubs:
	vector = 0
	.rept 256
	.align 16
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
	push $0
	.endif
	push $vector
	jmp trap_common
	vector = vector + 1
	.endr

/* Stack at entry: struct regs from .vector up. */
trap_common:
	push %rax
	push %rcx
	push %rdx
	push %rbx
	push %rbp
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	cld
	mov %rsp, %rdi
	mov %rsp, %rbp
	and $-16, %rsp
	call trap_handle
	mov %rbp, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rbp
	pop %rbx
	pop %rdx
	pop %rcx
	pop %rax
	add $16, %rsp
	iretq

/*
 * uint64_t user_enter(fn, arg, user_stack_top): runs fn(arg) at CPL 3 and returns what it returned.
 * Traps from there start right below the frame saved here; int $VECTOR_USER_EXIT comes back to it.
 */
	.globl user_enter
user_enter:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	pushq %gs:CPU_RSP0
	pushq %gs:CPU_USER_RESUME
	mov %rsp, %gs:CPU_USER_RESUME
	mov %rsp, %gs:CPU_RSP0
	mov %rdi, %rax
	mov %rsi, %rdi
	pushq $SEL_USER_DATA
	pushq %rdx
	pushfq
	pushq $SEL_USER_CODE64
	pushq $1f
	iretq
1:	call *%rax
	int $VECTOR_USER_EXIT
	ud2

	.globl user_exit
user_exit:
	mov %gs:CPU_USER_RESUME, %rsp
	popq %gs:CPU_USER_RESUME
	popq %gs:CPU_RSP0
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

/*
 * call32(struct call32 *c, mode): one hypercall from 32-bit code. Goes to 32-bit protected mode
 * (CALL32_COMPAT: stays in long mode's compatibility mode; otherwise paging is what c->cr0, c->cr4
 * and c->cr3 say), loads EAX, EBX, ECX, EDX, ESI, EDI from c, executes the hypercall instruction,
 * stores the registers back and returns to long mode. RBP holds c and must survive the hypercall.
 */
#define C32_CR0 32
#define C32_CR3 36
#define C32_CR4 40
	.globl call32
call32:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	pushfq
	cli
	mov %rdi, %rbp
	mov %rsp, call32_stack(%rip)
	lea call32_to(%rip), %rax
	ljmp *(%rax)
	.code32
call32_protected:
	mov $SEL_DATA, %eax
	mov %eax, %ss
	mov call32_stack, %esp
	cmpl $0, C32_CR0(%ebp)
	je 1f
	mov %cr0, %eax
	mov %eax, call32_cr0
	and $0x7fffffff, %eax
	mov %eax, %cr0 /* paging off: EFER.LMA goes */
	mov $MSR_EFER, %ecx
	rdmsr
	and $~0x100, %eax
	wrmsr
	mov %cr3, %eax
	mov %eax, call32_cr3
	mov %cr4, %eax
	mov %eax, call32_cr4
	mov C32_CR4(%ebp), %eax
	mov %eax, %cr4
	mov C32_CR3(%ebp), %eax
	mov %eax, %cr3
	mov C32_CR0(%ebp), %eax
	mov %eax, %cr0
1:	mov 0(%ebp), %eax
	mov 4(%ebp), %ebx
	mov 8(%ebp), %ecx
	mov 12(%ebp), %edx
	mov 16(%ebp), %esi
	mov 20(%ebp), %edi
2:	vmmcall
	.pushsection .hypercall_sites, "a"
	.quad 2b
	.popsection
	mov %eax, 0(%ebp)
	mov %ebx, 4(%ebp)
	mov %ecx, 8(%ebp)
	mov %edx, 12(%ebp)
	mov %esi, 16(%ebp)
	mov %edi, 20(%ebp)
	cmpl $0, C32_CR0(%ebp)
	je 3f
	mov %cr0, %eax
	and $0x7fffffff, %eax
	mov %eax, %cr0
	mov call32_cr4, %eax
	mov %eax, %cr4
	mov call32_cr3, %eax
	mov %eax, %cr3
	mov $MSR_EFER, %ecx
	rdmsr
	or $0x100, %eax
	wrmsr
	mov call32_cr0, %eax
	mov %eax, %cr0
3:	ljmp $SEL_CODE64, $call32_back
	.code64
call32_back:
	mov $SEL_DATA, %eax
	mov %eax, %ss
	mov call32_stack(%rip), %rsp
	popfq
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	.data
	.align 16
call32_to:
	.long call32_protected
	.word SEL_CODE32
	.align 8
call32_stack:
	.quad 0
call32_cr0:
	.long 0
call32_cr3:
	.long 0
call32_cr4:
	.long 0

	.align 8
boot_gdtr:
	.word GDT_ENTRIES * 8 - 1
	.quad boot_gdt
	.align 16
	.globl boot_gdt
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff /* SEL_CODE64 */
	.quad 0x00cf93000000ffff /* SEL_DATA */
	.quad 0x00cf9b000000ffff /* SEL_CODE32 */
	.quad 0x00009b000000ffff /* SEL_CODE16 */
	.quad 0x00cff3000000ffff /* SEL_USER_DATA */
	.quad 0x00affb000000ffff /* SEL_USER_CODE64 */
	.quad 0x00cffb000000ffff /* SEL_USER_CODE32 */
	.quad 0, 0 /* SEL_TSS, each CPU's own */

/* Identity map of the low 4 GiB in 2 MiB pages, open to CPL 3 too: the kit protects nothing. */
	.align 4096
	.globl boot_pml4
boot_pml4:
	.quad boot_pdpt + 7
	.fill 511, 8, 0
	.globl boot_pdpt
boot_pdpt:
	.quad boot_pd + 0x0007, boot_pd + 0x1007, boot_pd + 0x2007, boot_pd + 0x3007
	.fill 508, 8, 0
	.globl boot_pd
boot_pd:
	page = 0
	.rept 2048
	.quad page * 0x200000 + 0xe7
	page = page + 1
	.endr

	.bss
	.align 16
	.globl boot_stack
boot_stack:
	.skip STACK_SIZE

	.section .note.GNU-stack, "", @progbits
