/* Exceptions and interrupts of the hypervisor itself. Every CPU has its own IDT, GDT and TSS.
 * An exception is fixed up through the exception table, or is our own bug and panics. Interrupts
 * come only where the idle loop or the exit path opens a window; their handlers run on the CPU's
 * one stack, interrupts off, and send the EOI themselves. NMIs come at any time, take no locks. */
#ifndef LODGE_TRAP_H
#define LODGE_TRAP_H

#include "lodge/types.h"

struct cpu;

#define TRAP_NMI 2u
#define TRAP_DF  8u
#define TRAP_PF  14u
#define TRAP_MC  18u

struct trap_frame { /* as trap.S pushes it */
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss; /* by the CPU */
};

#define SELECTOR_CODE 0x08u
#define SELECTOR_DATA 0x10u
#define SELECTOR_TSS  0x18u

typedef void irq_fn(uint8_t vector);

/* The handler owes apic_eoi(). A vector without one is counted, acknowledged and reported once. */
void irq_set_handler(uint8_t vector, irq_fn *fn);

/* Allocates and fills c's descriptor tables; then, on the CPU itself, loads them. */
must_check int trap_cpu_prepare(struct cpu *c); /* -ENOMEM */
void trap_cpu_load(struct cpu *c);
/* While a guest's TR is loaded there is no TSS of ours, hence no stack to switch to: a double fault
 * stays on the current one. Call with false before VMLOAD of guest state, true after ours is back. */
void trap_use_double_fault_stack(struct cpu *c, bool on);

/* If the instruction at label `fault` faults, go on at label `fixup`. For inline assembly. */
#define ASM_EXTABLE(fault, fixup)                \
	"\t.pushsection .extable, \"a\"\n"       \
	"\t.balign 4\n"                          \
	"\t.long " fault " - ., " fixup " - .\n" \
	"\t.popsection\n"

/* MSRs that may not exist: 0, or -EFAULT when the access raised #GP. */
must_check int rdmsr_safe(uint32_t msr, uint64_t *ret_value);
/* The same for XCR0: only the CPU knows all combinations that it refuses. */
must_check int xcr0_write_safe(uint64_t value);

#endif
