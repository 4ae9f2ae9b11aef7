/*
 * Traps. An exception at an instruction wrapped in TRY() is caught and told; any other ends the guest
 * with a register dump. Interrupts go to one handler per vector, shared by all vCPUs.
 */
#ifndef GUEST_TRAP_H
#define GUEST_TRAP_H

#include "guest/cpu.h"

enum {
	TRAP_DE = 0,
	TRAP_DB = 1,
	TRAP_NMI = 2,
	TRAP_BP = 3,
	TRAP_UD = 6,
	TRAP_NM = 7,
	TRAP_DF = 8,
	TRAP_NP = 11,
	TRAP_SS = 12,
	TRAP_GP = 13,
	TRAP_PF = 14,
	TRAP_MF = 16,
	TRAP_AC = 17,
	TRAP_XM = 19,
};

struct regs {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* What TRY() returns: 0 for an instruction that completed. */
#define NO_FAULT             0u
#define FAULT(vector, error) (0x80000000u | (uint32_t)(vector) << 16 | (uint32_t)(error))
#define GP0                  FAULT(TRAP_GP, 0)
#define UD0                  FAULT(TRAP_UD, 0)

#define FIXUP(from, to) ".pushsection .fixups, \"a\"\n .quad " from ", " to "\n .popsection\n"

/*
 * Executes one instruction and tells the fault it raised. What follows the instruction is the tail of an
 * asm statement: TRY("wrmsr", : : "c"(msr), "a"(lo), "d"(hi)). Outputs are unchanged after a fault.
 */
#define TRY(insn, ...)                                                               \
	({                                                                           \
		this_cpu()->fault = NO_FAULT;                                        \
		__asm__ volatile("1: " insn "\n2:\n" FIXUP("1b", "2b") __VA_ARGS__); \
		*(volatile uint32_t *)&this_cpu()->fault;                            \
	})

typedef void (*irq_handler_t)(struct regs *regs);

void trap_init_cpu(struct cpu *cpu);
void trap_handle(struct regs *regs);
void irq_set_handler(unsigned int vector, irq_handler_t handler);
const char *fault_name(uint32_t fault); /* "#GP(0)"; valid until the next call */

/* MSR accesses that may fault. *value is written only without a fault. */
uint32_t rdmsr_try(uint32_t msr, uint64_t *value);
uint32_t wrmsr_try(uint32_t msr, uint64_t value);

/* Runs fn(arg) at CPL 3 on this vCPU, with TRY() and hypercalls usable there, and returns its result. */
uint64_t user_call(uint64_t (*fn)(uint64_t arg), uint64_t arg);

#endif
