/* Structure offsets and constants for assembly files; asm-offsets.sed turns the compiler's output
 * into asm-offsets.h. */
#include "arch-inline.h"
#include "lodge/cpu.h"
#include "x86/cpu.h"
#include "x86/trap.h"

#define DEFINE(name, value)        __asm__ volatile("\n\t.ascii \"->" #name " %0\"" : : "i"(value))
#define OFFSET(name, type, member) DEFINE(name, offsetof(type, member))

void asm_offsets(void);

void asm_offsets(void)
{
	DEFINE(STACK_SIZE, CPU_STACK_SIZE);
	DEFINE(TRAP_FRAME_VECTOR, offsetof(struct trap_frame, vector));
	DEFINE(MSR_EFER_NUMBER, MSR_EFER);
}
