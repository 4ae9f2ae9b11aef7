/* vCPUs: what the MADT lists, and their start by INIT and SIPI. */
#ifndef GUEST_SMP_H
#define GUEST_SMP_H

#include "guest/cpu.h"

#define MAX_CPUS 16

/* How an application processor found itself at its first instructions. */
struct ap_entry {
	uint16_t cs;
	uint16_t dx;
	uint32_t cr0, efer, cr4;
};
extern struct ap_entry ap_entry;

extern struct cpu cpus[MAX_CPUS]; /* by vcpu_id */
extern unsigned int nr_cpus;

void smp_init(void);

/*
 * Starts a vCPU that is not running and waits until it is. It runs fn(arg) with interrupts off and
 * then goes down (HLT without interrupts); cpu_wait_down() returns once fn has returned.
 */
void cpu_start(unsigned int vcpu_id, void (*fn)(void *arg), void *arg);
void cpu_wait_down(unsigned int vcpu_id);

#endif
