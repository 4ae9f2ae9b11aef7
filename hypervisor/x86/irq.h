/*
 * Host interrupts of devices: vectors 0x20 … 0xdf, allocated for each CPU by itself, so that the
 * machine has 192 of them for each CPU. A struct irq is one source (an IO-APIC pin, an MSI, one entry of
 * an MSI-X table), embedded in what its owner knows of it, and has one route: CPU and vector.
 * Interrupts follow the vCPU that they are for: the owner calls irq_move() when one arrives on the
 * wrong CPU. The old route stays valid until the next move, for what is still on its way.
 * Locking: LOCK_RANK_IRQ for routes and vector tables. Arrival takes no lock: a struct irq must stay
 * valid for ever once it was open, which those of the service VM's devices do.
 */
#ifndef LODGE_X86_IRQ_H
#define LODGE_X86_IRQ_H

#include "lodge/types.h"

#define IRQ_VECTOR_FIRST 0x20u
#define IRQ_VECTOR_LAST  0xdfu

struct irq;

struct irq_ops {
	/* Makes the source send irq->vector to CPU irq->cpu from now on. irq lock held. */
	void (*route)(struct irq *irq);
	/* It has come, on this CPU, and is not acknowledged yet. */
	void (*arrived)(struct irq *irq);
};

struct irq {
	const struct irq_ops *ops;
	uint32_t cpu;     /* where it is routed; irq lock */
	uint32_t old_cpu; /* valid with has_old */
	uint8_t vector;   /* the same on every CPU it moves to; 0: not open */
	bool has_old;
	uint64_t moved_ns; /* last move: moves are limited in rate */
	uint64_t count;    /* arrivals; the CPU it arrives on */
};

void irq_init(void); /* boot CPU, once; claims the vectors */

/* Gives irq a vector on `cpu`, or on another when that one has none left; then ops->route.
 * -ENOSPC: all vectors of all CPUs are in use. */
must_check int irq_open(struct irq *irq, const struct irq_ops *ops, uint32_t cpu);
void irq_close(struct irq *irq); /* the source is masked already; idempotent */
/* Re-routes irq to `cpu` unless it was moved a moment ago or its vector is in use there. */
void irq_move(struct irq *irq, uint32_t cpu);

/* Has ops->route called again: the source's shape has changed. Nothing when irq is not open. */
void irq_reroute(struct irq *irq);

/* The MSI that reaches the irq's CPU without interrupt remapping. */
#define MSI_ADDRESS_BASE 0xfee00000u
uint32_t irq_apic_id(const struct irq *irq);
uint32_t irq_msi_address(const struct irq *irq);
uint32_t irq_msi_data(const struct irq *irq);

/* Interrupt remapping, by x86/iommu; NULL: sources hold CPU and vector themselves. With it, sources
 * send an index, and a device cannot make up an interrupt that was not set up here. */
struct irq_remap_ops {
	/* Makes room for nr interrupts of a device, blocked at first; *ret_first is the index of the
	 * first of them, a multiple of nr's next power of two. -ENOMEM, -ENOSPC, -EINVAL. */
	int (*prepare)(uint16_t segment, uint16_t bdf, unsigned nr, unsigned *ret_first);
	/* What the device's `index` does from now on; irq NULL: it is blocked. Any context. */
	void (*set)(uint16_t segment, uint16_t bdf, unsigned index, const struct irq *irq);
	/* The same for an IO-APIC's pin; false: that IO-APIC is not remapped. */
	bool (*set_pin)(uint8_t ioapic_id, unsigned pin, const struct irq *irq);
};
extern const struct irq_remap_ops *irq_remap;

/* For irq_ops.route of an IO-APIC pin: `rte` (mask, trigger, polarity) with vector and destination. */
uint64_t irq_remap_gsi(uint32_t gsi, const struct irq *irq, uint64_t rte);

#endif
