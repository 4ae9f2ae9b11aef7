/* Where a started CPU begins: real mode, in a page below 1 MiB into which smp.c copies this code. It
 * finds its own address in CS, and all else in the parameters at its end, which smp.c fills in. */
#include "asm-offsets.h"

#define AT(symbol) ((symbol) - trampoline_start)

	.section .rodata.trampoline, "a", @progbits
	.balign 16
	.globl trampoline_start, trampoline_end, trampoline_parameters
	.code16
trampoline_start:
	cli
	cld
	xor %ebx, %ebx
	mov %cs, %bx
	mov %bx, %ds
	shl $4, %ebx
	lgdtl AT(gdt_pointer)
	mov $1, %eax /* PE */
	mov %eax, %cr0
	ljmpl *AT(far_32)

	.code32
code_32: /* EBX: address of trampoline_start */
	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov $0x20, %eax /* PAE */
	mov %eax, %cr4
	mov AT(page_table)(%ebx), %eax
	mov %eax, %cr3
	mov $MSR_EFER_NUMBER, %ecx
	rdmsr
	or $0x900, %eax /* NXE, LME */
	wrmsr
	mov $0x80010021, %eax /* PG, WP, NE, PE */
	mov %eax, %cr0
	ljmpl *AT(far_64)(%ebx)

	.code64
code_64:
	mov AT(stack)(%rbx), %rsp
	mov AT(entry)(%rbx), %rax
	xor %ebp, %ebp
	jmp *%rax

	.balign 8
gdt:
	.quad 0
	.quad 0x00af9b000000ffff /* 0x08: 64-bit code */
	.quad 0x00cf93000000ffff /* 0x10: data */
	.quad 0x00cf9b000000ffff /* 0x18: 32-bit code */
gdt_end:
	.balign 8
trampoline_parameters: /* struct trampoline in smp.c */
stack:
	.quad 0
entry:
	.quad 0
page_table:
	.long 0
far_32:
	.long AT(code_32)
	.word 0x18
	.word gdt_end - gdt - 1
gdt_pointer = . - 2
	.long AT(gdt)
far_64:
	.long AT(code_64)
	.word 0x08
trampoline_end:

	.section .note.GNU-stack, "", @progbits
