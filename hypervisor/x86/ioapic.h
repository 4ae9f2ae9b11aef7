/* The machine's IO-APICs. All pins are masked at boot; x86/irq.c decides where they go.
 * Locking: each IO-APIC's index and data registers are guarded by a lock (LOCK_RANK_IOAPIC) inside
 * the functions; who owns a pin is irq.c's business. */
#ifndef LODGE_IOAPIC_H
#define LODGE_IOAPIC_H

#include "lodge/types.h"

#define IOAPIC_RTE_MASKED     (1ull << 16)
#define IOAPIC_RTE_LEVEL      (1ull << 15)
#define IOAPIC_RTE_REMOTE_IRR (1ull << 14)
#define IOAPIC_RTE_LOW        (1ull << 13)

struct ioapic_info {
	mpa_t base;
	uint8_t id;
	uint32_t gsi_base, nr_pins;
};

extern unsigned nr_ioapics;

void ioapic_init(void);
const struct ioapic_info *ioapic_info(unsigned i); /* i < nr_ioapics */
bool ioapic_has_gsi(uint32_t gsi);

/* For a GSI that ioapic_has_gsi(); else they do nothing. A write puts the low half last, so that an unmasked entry is
 * never half-written. */
void ioapic_write_rte(uint32_t gsi, uint64_t rte);
void ioapic_mask(uint32_t gsi);
void ioapic_unmask(uint32_t gsi);
/* Ends a level interrupt whose vector the local APIC does not know, because it was remapped. */
void ioapic_eoi(uint32_t gsi);

#endif
