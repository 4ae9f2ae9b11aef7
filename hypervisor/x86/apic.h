/* This CPU's local APIC, in xAPIC or x2APIC mode, whichever it can: interrupts between CPUs, end of
 * interrupt, the one-shot timer. Its registers belong to the CPU itself: no locks. */
#ifndef LODGE_APIC_H
#define LODGE_APIC_H

#include "lodge/types.h"

struct cpu;

/* Vectors. Devices have FIRST_DEVICE … LAST_DEVICE, given out by x86/irq.c. */
#define VECTOR_FIRST_DEVICE 0x20u
#define VECTOR_LAST_DEVICE  0xdfu
#define VECTOR_TIMER        0xf0u
#define VECTOR_KICK         0xf1u /* leave guest mode or HLT and look at cpu->pending */
#define VECTOR_IOMMU        0xf3u
#define VECTOR_SERIAL       0xf4u
#define VECTOR_APIC_ERROR   0xfeu
#define VECTOR_SPURIOUS     0xffu

extern bool apic_is_x2apic;
extern mpa_t apic_base; /* of the xAPIC registers, also in x2APIC mode */

void apic_init(void);     /* boot CPU: finds and maps it, chooses the mode */
void apic_cpu_init(void); /* each CPU, for itself */
uint32_t apic_read_id(void);

void apic_eoi(void);
void apic_send_ipi(const struct cpu *c, uint8_t vector);
void apic_send_nmi(const struct cpu *c);
void apic_send_init(uint32_t apic_id);
void apic_send_startup(uint32_t apic_id, uint8_t page);

/* One interrupt on VECTOR_TIMER at that system time; TIME_NEVER: none. */
void apic_timer_arm(uint64_t deadline_ns);

/* Used by time.c to measure the timer's speed: counts down from start, and returns what is left. */
void apic_timer_start_count(uint32_t start);
uint32_t apic_timer_count(void);
void apic_timer_set_speed(uint64_t khz); /* counts a millisecond, with our divider */

#endif
