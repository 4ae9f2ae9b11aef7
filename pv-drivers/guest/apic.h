/* The local APIC of the calling vCPU, through MSRs or the MMIO page, whichever mode it is in. */
#ifndef GUEST_APIC_H
#define GUEST_APIC_H

#include "guest/cpu.h"

#define APIC_MMIO        0xfee00000UL
#define APIC_BASE_BSP    BIT(8)
#define APIC_BASE_X2APIC BIT(10)
#define APIC_BASE_ENABLE BIT(11)

/* Register numbers: MSR 0x800 + n, or MMIO page + n * 16. */
enum {
	APIC_ID = 0x02,
	APIC_VERSION = 0x03,
	APIC_TPR = 0x08,
	APIC_PPR = 0x0a,
	APIC_EOI = 0x0b,
	APIC_LDR = 0x0d,
	APIC_DFR = 0x0e,
	APIC_SPIV = 0x0f,
	APIC_ISR = 0x10,
	APIC_TMR = 0x18,
	APIC_IRR = 0x20,
	APIC_ESR = 0x28,
	APIC_ICR = 0x30,
	APIC_ICR_HIGH = 0x31,
	APIC_LVT_TIMER = 0x32,
	APIC_LVT_LINT0 = 0x35,
	APIC_LVT_ERROR = 0x37,
	APIC_TIMER_INITIAL = 0x38,
	APIC_TIMER_CURRENT = 0x39,
	APIC_TIMER_DIVIDE = 0x3e,
	APIC_SELF_IPI = 0x3f,
};

#define APIC_SPIV_ENABLE    0x100u
#define APIC_LVT_MASKED     0x10000u
#define APIC_TIMER_PERIODIC 0x20000u
#define APIC_TIMER_DEADLINE 0x40000u
#define APIC_ICR_FIXED      0x000u
#define APIC_ICR_NMI        0x400u
#define APIC_ICR_INIT       0x500u
#define APIC_ICR_SIPI       0x600u
#define APIC_ICR_LOGICAL    0x800u
#define APIC_ICR_ASSERT     0x4000u
#define APIC_ICR_LEVEL      0x8000u
#define APIC_ICR_SELF       0x40000u
#define APIC_ICR_ALL        0x80000u
#define APIC_ICR_OTHERS     0xc0000u

bool apic_is_x2apic(void);
void apic_init_cpu(
	void); /* notes the mode, so that accesses need not ask; after raw changes, again */
void apic_enable(bool x2apic); /* by way of "disabled", as leaving x2APIC mode demands */
uint32_t apic_read(unsigned int reg);
void apic_write(unsigned int reg, uint32_t value);
void apic_send(uint32_t dest, uint32_t icr);
void apic_eoi(void);

#endif
