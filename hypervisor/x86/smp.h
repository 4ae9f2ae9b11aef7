/* Starts the other CPUs: each gets a struct cpu, a stack and descriptor tables, runs
 * start_secondary() and ends in run_loop(). A CPU that does not come up is reported and left out. */
#ifndef LODGE_SMP_H
#define LODGE_SMP_H

#include "lodge/types.h"

struct cpu;

/* The boot CPU's own record, before anything calls this_cpu(). */
void smp_boot_cpu_init(void);
void *smp_boot_cpu_stack(void); /* with a guard page; once the page allocator works */
/* Moves the boot CPU to a stack with a guard page and calls fn there. */
_Noreturn void smp_switch_stack(void *stack_top, void (*fn)(void));
void smp_start_all(void);
/* Lets the started CPUs go on into run_loop(): all is initialised. */
void smp_release(void);

#endif
