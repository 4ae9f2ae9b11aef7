/*
 * The guest that this test makes: 32-bit code at CHILD_ENTRY that works through a list of steps, which the
 * test writes into its memory. Each step is a hypercall or one of STEP_*; its result stays in the list.
 */
#ifndef CHILD_H
#define CHILD_H

#include <stdint.h>

#define CHILD_ENTRY 0x1000u
#define CHILD_STEPS 0x2000u
#define CHILD_DATA  0x3000u /* arguments of its hypercalls */
#define CHILD_PAGE  0x4000u /* what it grants */

#define STEP_STORE  0xfffffff0u /* b to address a */
#define STEP_LOAD   0xfffffff1u /* from address a */
#define STEP_IN     0xfffffff2u /* a byte from port a */
#define STEP_TRIPLE 0xfffffff3u /* a fault that it cannot take */
#define STEP_SPIN   0xfffffff4u /* for ever */
#define STEP_HALT   0xfffffff5u /* with interrupts off */
#define STEP_CPUID  0xfffffff6u /* leaf a, sub-leaf b */
#define STEP_WRMSR  0xfffffff7u /* to register a: b, and c in the upper half */
#define STEP_RDTSC  0xfffffff8u
#define STEP_RDTSCP 0xfffffff9u /* both: ECX was b */

struct step {
	uint32_t what; /* number of a hypercall, or STEP_* */
	uint32_t a, b, c;
	uint32_t result;
	uint32_t more[3]; /* CPUID: EBX, ECX, EDX; result is EAX. RDTSC: the last two */
};

extern const uint8_t child_code[], child_code_end[];

#endif
