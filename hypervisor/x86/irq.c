/*
 * Vectors of device interrupts. An irq keeps its vector number for as long as it is open, also on the
 * CPU it moves to: then an MSI's address alone says where it goes, and one write moves it.
 */
#include "x86/irq.h"

#include "abi/errno.h"
#include "lodge/alloc.h"
#include "lodge/arch.h"
#include "lodge/cpu.h"
#include "lodge/log.h"
#include "lodge/spinlock.h"
#include "x86/apic.h"
#include "x86/ioapic.h"
#include "x86/trap.h"

#define NR_VECTORS     (IRQ_VECTOR_LAST - IRQ_VECTOR_FIRST + 1)
#define MOVE_PERIOD_NS (10 * NS_PER_MS)
#define MAX_UNEXPECTED 8u /* messages */
#define TABLE_BYTES    (NR_VECTORS * sizeof(struct irq *))

const struct irq_remap_ops *irq_remap;

static struct spinlock irq_lock = SPINLOCK(LOCK_RANK_IRQ);
/* Who has each vector of each CPU; NULL until that CPU gets its first. Changed under irq_lock, read
 * without it by the CPU itself. */
static struct irq **vector_table[MAX_CPUS];
static unsigned nr_unexpected; /* only counts messages: a race costs one more of them */

static void unexpected(uint8_t vector)
{
	if (nr_unexpected >= MAX_UNEXPECTED)
		return;
	nr_unexpected++;
	log_warn("unexpected interrupt, vector %#x on CPU %u%s\n", vector, this_cpu()->id,
		 nr_unexpected == MAX_UNEXPECTED ? "; further ones are not reported" : "");
}

static void dispatch(uint8_t vector)
{
	struct irq **table = READ_ONCE(vector_table[this_cpu()->id]);
	struct irq *irq = table ? READ_ONCE(table[vector - IRQ_VECTOR_FIRST]) : NULL;

	if (irq) {
		irq->count++;
		irq->ops->arrived(irq);
	} else {
		unexpected(vector);
	}
	apic_eoi();
}

void irq_init(void)
{
	for (unsigned vector = IRQ_VECTOR_FIRST; vector <= IRQ_VECTOR_LAST; vector++)
		irq_set_handler((uint8_t)vector, dispatch);
}

static struct irq **slot(uint32_t cpu, uint8_t vector)
{
	return &vector_table[cpu][vector - IRQ_VECTOR_FIRST];
}

static void release(uint32_t cpu, uint8_t vector)
{
	WRITE_ONCE(*slot(cpu, vector), NULL);
}

static bool have_table(uint32_t cpu)
{
	if (!vector_table[cpu])
		WRITE_ONCE(vector_table[cpu], mem_alloc(TABLE_BYTES));
	return vector_table[cpu];
}

/* 0: the CPU has none left. The first to come get low vectors, which means low priorities; that is of no
 * consequence, as handlers do not nest. */
static uint8_t find_vector(uint32_t cpu)
{
	if (!have_table(cpu))
		return 0;
	for (unsigned vector = IRQ_VECTOR_FIRST; vector <= IRQ_VECTOR_LAST; vector++)
		if (!*slot(cpu, (uint8_t)vector))
			return (uint8_t)vector;
	return 0;
}

int irq_open(struct irq *irq, const struct irq_ops *ops, uint32_t cpu)
{
	int err = -XEN_ENOSPC;

	spin_lock(&irq_lock);
	for (unsigned i = 0; i < nr_cpus && err; i++) {
		uint32_t candidate = (cpu + i) % nr_cpus;
		uint8_t vector = find_vector(candidate);

		if (!vector)
			continue;
		irq->ops = ops;
		irq->cpu = candidate;
		irq->vector = vector;
		irq->has_old = false;
		irq->moved_ns = arch_now_ns();
		WRITE_ONCE(*slot(candidate, vector), irq);
		ops->route(irq);
		err = 0;
	}
	spin_unlock(&irq_lock);
	return err;
}

static void release_old(struct irq *irq)
{
	if (irq->has_old)
		release(irq->old_cpu, irq->vector);
	irq->has_old = false;
}

void irq_close(struct irq *irq)
{
	spin_lock(&irq_lock);
	if (irq->vector) {
		release_old(irq);
		release(irq->cpu, irq->vector);
		irq->vector = 0;
	}
	spin_unlock(&irq_lock);
}

void irq_move(struct irq *irq, uint32_t cpu)
{
	uint64_t now;

	if (READ_ONCE(irq->cpu) == cpu)
		return;
	now = arch_now_ns();
	spin_lock(&irq_lock);
	if (irq->vector && irq->cpu != cpu && now - irq->moved_ns >= MOVE_PERIOD_NS &&
	    have_table(cpu)) {
		irq->moved_ns = now;
		release_old(irq);
		if (!*slot(cpu, irq->vector)) {
			irq->old_cpu = irq->cpu;
			irq->has_old = true;
			irq->cpu = cpu;
			WRITE_ONCE(*slot(cpu, irq->vector), irq);
			irq->ops->route(irq);
		}
	}
	spin_unlock(&irq_lock);
}

void irq_reroute(struct irq *irq)
{
	spin_lock(&irq_lock);
	if (irq->vector)
		irq->ops->route(irq);
	spin_unlock(&irq_lock);
}

uint32_t irq_apic_id(const struct irq *irq)
{
	return cpus[irq->cpu]->arch.apic_id;
}

uint32_t irq_msi_address(const struct irq *irq)
{
	return MSI_ADDRESS_BASE | (irq_apic_id(irq) & 0xff) << 12;
}

uint32_t irq_msi_data(const struct irq *irq)
{
	return irq->vector; /* edge, fixed */
}

uint64_t irq_remap_gsi(uint32_t gsi, const struct irq *irq, uint64_t rte)
{
	for (unsigned i = 0; i < nr_ioapics && irq_remap; i++) {
		const struct ioapic_info *io = ioapic_info(i);
		unsigned pin = gsi - io->gsi_base;

		if (gsi >= io->gsi_base && pin < io->nr_pins &&
		    irq_remap->set_pin(io->id, pin, irq))
			return rte | pin; /* the index is in the place of the vector */
	}
	return rte | irq->vector | (uint64_t)(irq_apic_id(irq) & 0xff) << 56;
}
