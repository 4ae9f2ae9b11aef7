/*
 * The smallest guest that says something: it writes one line to its console and waits for ever. It runs in
 * the 32-bit mode that it is entered in, without paging, and calls the hypervisor by VMMCALL. The line tells
 * the time stamp counter's count between its first instruction and the line.
 *
 * EBP keeps the count at the entry, EDI the ring.
 */
#define HYPERVISOR_sched_op         29
#define HYPERVISOR_event_channel_op 32
#define HYPERVISOR_hvm_op           34
#define SCHEDOP_poll                3
#define EVTCHNOP_send               4
#define HVMOP_get_param             1
#define HVM_PARAM_CONSOLE_PFN       17
#define HVM_PARAM_CONSOLE_EVTCHN    18
#define DOMID_SELF                  0x7ff0

#define RING_OUT      1024 /* bytes for input lie before it */
#define RING_OUT_PROD (1024 + 2048 + 12)

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 4, 18 /* the entry for PVH */
	.asciz "Xen"
	.long _start

	.code32
	.text
	.globl _start
_start:
	rdtsc
	movl %eax, %ebp
	movl $stack_top, %esp

	movl $HVM_PARAM_CONSOLE_EVTCHN, %eax
	call get_param
	movl %eax, port
	movl $HVM_PARAM_CONSOLE_PFN, %eax
	call get_param
	shll $12, %eax
	movl %eax, %edi

	rdtsc
	subl %ebp, %eax
	movl $digits_end, %esi
	movl $10, %ecx
1:	xorl %edx, %edx
	divl %ecx
	addb $'0', %dl
	decl %esi
	movb %dl, (%esi)
	testl %eax, %eax
	jnz 1b

	pushl %edi
	movl $line, %esi
	addl $RING_OUT, %edi
	movl $line_end - line, %ecx
	rep movsb
	popl %edi
	movl $line_end - line, RING_OUT_PROD(%edi)

	movl $HYPERVISOR_event_channel_op, %eax
	movl $EVTCHNOP_send, %ebx
	movl $port, %ecx
	vmmcall
2:	movl $HYPERVISOR_sched_op, %eax
	movl $SCHEDOP_poll, %ebx
	movl $poll, %ecx
	vmmcall
	jmp 2b

/* EAX: the parameter; gives its lower half. */
get_param:
	movl %eax, param_index
	movl $HYPERVISOR_hvm_op, %eax
	movl $HVMOP_get_param, %ebx
	movl $param, %ecx
	vmmcall
	movl param_value, %eax
	ret

	.data
	.balign 8
param:
	.word DOMID_SELF, 0
param_index:
	.long 0
param_value:
	.quad 0
poll: /* on no port, without a time limit: an event wakes it once */
	.long 0, 0
	.quad 0
port:
	.long 0
line:
	.ascii "bench-create: first line after 0000000000"
digits_end:
	.ascii " ns\r\n"
line_end:
	.bss
	.balign 16
	.skip 256
stack_top:
