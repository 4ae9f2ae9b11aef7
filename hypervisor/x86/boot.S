/* From the boot loader to C. Entered by Multiboot 1 and 2 alike: 32-bit protected mode, flat segments,
 * no paging, EAX magic, EBX information, no usable stack. The image may lie at any multiple of 2 MiB,
 * so this code finds out where it is and uses only offsets from _start until paging is on.
 *
 * The boot tables map the first 4 GiB twice (one to one, and as the direct map) and the image at its
 * link address, all writable and executable; paging_init() replaces them. */
#include "asm-offsets.h"

#define MB1_HEADER_MAGIC 0x1badb002
#define MB1_FLAGS        0x00010003 /* modules page-aligned, memory map, address fields valid */
#define MB2_HEADER_MAGIC 0xe85250d6

#define LOAD_ADDRESS 0x200000
#define LOADED_AT(symbol) ((symbol) - _start + LOAD_ADDRESS)

#define PTE_PRESENT_RW    0x3
#define PTE_PRESENT_RW_2M 0x83
#define IMAGE_2M_PAGES    16

	.section .text.boot, "ax", @progbits
	.code32
	.globl _start
_start:
	jmp boot32

	.balign 8
mb1_header:
	.long MB1_HEADER_MAGIC
	.long MB1_FLAGS
	.long -(MB1_HEADER_MAGIC + MB1_FLAGS)
	.long LOADED_AT(mb1_header)
	.long LOAD_ADDRESS
	.long LOADED_AT(image_data_end)
	.long LOADED_AT(image_end)
	.long LOAD_ADDRESS /* entry */

	.balign 8
mb2_header:
	.long MB2_HEADER_MAGIC
	.long 0 /* i386 */
	.long mb2_header_end - mb2_header
	.long -(MB2_HEADER_MAGIC + (mb2_header_end - mb2_header))

	.balign 8 /* addresses */
	.word 2, 0
	.long 24
	.long LOADED_AT(mb2_header)
	.long LOAD_ADDRESS
	.long LOADED_AT(image_data_end)
	.long LOADED_AT(image_end)

	.balign 8 /* entry */
	.word 3, 0
	.long 12
	.long LOAD_ADDRESS

	.balign 8 /* console: none required, EGA text supported */
	.word 4, 1
	.long 12
	.long 2

	.balign 8 /* frame buffer: any, if the firmware has one */
	.word 5, 1
	.long 20
	.long 0, 0, 0

	.balign 8 /* modules page-aligned */
	.word 6, 0
	.long 8

	.balign 8 /* relocatable: 2 MiB … 4 GiB, multiple of 2 MiB, as low as possible */
	.word 10, 0
	.long 24
	.long 0x200000, 0xffffffff, 0x200000, 1

	.balign 8 /* end */
	.word 0, 0
	.long 8
mb2_header_end:

/* ESI magic, EDI information, EBP where _start is. */
boot32:
	cli
	cld
	mov %eax, %esi
	mov %ebx, %edi
	/* The loader's information is the only memory we know: borrow its first word as a stack. */
	mov (%ebx), %edx
	lea 4(%ebx), %esp
	call 1f
1:	pop %ebp
	mov %edx, (%ebx)
	sub $(1b - _start), %ebp
	lea (boot_stack_end - _start)(%ebp), %esp

	mov $0x80000000, %eax
	cpuid
	cmp $0x80000001, %eax
	jb no_long_mode
	mov $0x80000001, %eax
	cpuid
	bt $29, %edx
	jnc no_long_mode

	/* 4 GiB in pages of 2 MiB. */
	lea (boot_pd - _start)(%ebp), %ebx
	mov $PTE_PRESENT_RW_2M, %eax
	mov $2048, %ecx
1:	mov %eax, (%ebx)
	movl $0, 4(%ebx)
	add $0x200000, %eax
	add $8, %ebx
	loop 1b

	/* Their four directories. */
	lea (boot_pd - _start + PTE_PRESENT_RW)(%ebp), %eax
	lea (boot_pdpt_low - _start)(%ebp), %ebx
	mov $4, %ecx
1:	mov %eax, (%ebx)
	add $0x1000, %eax
	add $8, %ebx
	loop 1b

	/* The image. */
	lea PTE_PRESENT_RW_2M(%ebp), %eax
	lea (boot_pd_image - _start + 8)(%ebp), %ebx
	mov $IMAGE_2M_PAGES, %ecx
1:	mov %eax, (%ebx)
	add $0x200000, %eax
	add $8, %ebx
	loop 1b
	lea (boot_pd_image - _start + PTE_PRESENT_RW)(%ebp), %eax
	mov %eax, (boot_pdpt_high - _start + 510 * 8)(%ebp)

	lea (boot_pdpt_low - _start + PTE_PRESENT_RW)(%ebp), %eax
	mov %eax, (boot_pml4 - _start)(%ebp)
	mov %eax, (boot_pml4 - _start + 256 * 8)(%ebp)
	lea (boot_pdpt_high - _start + PTE_PRESENT_RW)(%ebp), %eax
	mov %eax, (boot_pml4 - _start + 511 * 8)(%ebp)

	mov $0x20, %eax /* PAE */
	mov %eax, %cr4
	lea (boot_pml4 - _start)(%ebp), %eax
	mov %eax, %cr3
	mov $MSR_EFER_NUMBER, %ecx
	rdmsr
	or $0x100, %eax /* LME */
	wrmsr
	mov $0x80010021, %eax /* PG, WP, NE, PE */
	mov %eax, %cr0

	lea (boot_gdt - _start)(%ebp), %eax
	sub $8, %esp
	movw $(boot_gdt_end - boot_gdt - 1), (%esp)
	mov %eax, 2(%esp)
	lgdt (%esp)
	lea (boot64 - _start)(%ebp), %eax
	push $8
	push %eax
	lret

/* One line on the screen and the first serial line; nothing else works here. */
no_long_mode:
	lea (no_long_mode_text - _start)(%ebp), %esi
	mov $0xb8000, %edi
	mov $0x3f8, %edx
	mov $0x07, %ah
1:	lodsb
	test %al, %al
	jz 2f
	outb %al, %dx
	stosw
	jmp 1b
2:	cli
	hlt
	jmp 2b
no_long_mode_text:
	.asciz "lodge: this CPU has no 64-bit mode; Lodge needs an AMD64 processor with SVM\r\n"

	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff /* code, 64-bit */
	.quad 0x00cf93000000ffff /* data */
boot_gdt_end:

	.code64
boot64:
	movabs $1f, %rax
	jmp *%rax
1:	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	lldt %ax
	mov %ebp, %ebp
	mov %rbp, image_base(%rip)
	lea boot_stack_end - 16(%rip), %rsp
	mov %esi, %eax
	mov %edi, %esi
	mov %eax, %edi
	xor %ebp, %ebp
	call start_hypervisor /* (magic, information); does not return */
	ud2

/* smp_switch_stack(top in RDI, function in RSI): nothing of the old stack is used again. */
	.globl smp_switch_stack
smp_switch_stack:
	lea -16(%rdi), %rsp
	xor %ebp, %ebp
	call *%rsi
	ud2

	.section .bss.boot, "aw", @nobits
	.balign STACK_SIZE
	.globl boot_stack
boot_stack:
	.skip STACK_SIZE
boot_stack_end:
	.balign 4096
boot_pml4:
	.skip 4096
boot_pdpt_low:
	.skip 4096
boot_pdpt_high:
	.skip 4096
boot_pd_image:
	.skip 4096
boot_pd:
	.skip 4 * 4096

	.section .note.GNU-stack, "", @progbits
