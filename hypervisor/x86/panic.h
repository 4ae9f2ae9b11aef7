/* Panics and state dumps. Both print without locks: straight to the serial line, and for a panic
 * into the console ring too. */
#ifndef LODGE_PANIC_H
#define LODGE_PANIC_H

#include "lodge/types.h"

struct cpu;
struct trap_frame;
struct vcpu;

/* A line for a panic or dump; lock-free. */
void panic_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Prints v's registers in a dump; set by the virtual machine part, NULL until then. May run in NMI
 * context while v's CPU is anywhere: reads only. */
extern void (*panic_dump_vcpu)(struct vcpu *v);

_Noreturn void panic_trap(struct trap_frame *f);
void nmi_handle(struct trap_frame *f);
/* The other CPUs halt, wherever they are. */
void panic_stop_others(void);
/* The watchdog found that CPU stuck: it dumps and panics, from where it is. */
void panic_watchdog_expired(struct cpu *c);

#endif
