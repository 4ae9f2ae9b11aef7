/*
 * The smallest guest: says one line on its console and halts for ever. It needs 4 MiB, so that many fit, and
 * making one costs little but what making any guest costs. It stays as the PVH entry point leaves it: 32-bit,
 * flat segments, no paging. EBX (start info) is not looked at.
 */
#define CONSOLE_RING    0xfefff000 /* where the builder puts it */
#define OUT             1024
#define OUT_PROD        3084
#define EVENT_CHANNEL_OP 32
#define EVTCHNOP_SEND   4
#define HVM_OP          34
#define HVMOP_GET_PARAM 1
#define PARAM_CONSOLE_PORT 18
#define DOMID_SELF      0x7ff0

	.section .note.pvh, "a", @note
	.align 4
	.long 4, 4, 18 /* name, description, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start

	.text
	.code32
	.globl start
start:
	mov $stack_top, %esp
	mov $line, %esi
	mov $CONSOLE_RING + OUT, %edi
	mov $line_end - line, %ecx
	rep movsb
	movl $line_end - line, CONSOLE_RING + OUT_PROD

	mov $HVM_OP, %eax /* arguments in EBX, ECX */
	mov $HVMOP_GET_PARAM, %ebx
	mov $param, %ecx
	vmmcall
	mov param_value, %eax
	mov %eax, port
	mov $EVENT_CHANNEL_OP, %eax
	mov $EVTCHNOP_SEND, %ebx
	mov $port, %ecx
	vmmcall

	sti /* nothing is set up that could interrupt */
1:	hlt
	jmp 1b

	.section .rodata
line:	.ascii "tiny: begins\n"
line_end:

	.data
	.align 8
param:	.word DOMID_SELF, 0
	.long PARAM_CONSOLE_PORT
param_value:
	.quad 0
port:	.long 0

	.bss
	.skip 256
stack_top:

	.section .note.GNU-stack, "", @progbits
