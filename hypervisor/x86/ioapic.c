/* See ioapic.h. */
#include "x86/ioapic.h"
#include "lodge/log.h"
#include "lodge/spinlock.h"
#include "x86/acpi.h"
#include "x86/paging.h"

#define REG_VERSION 0x01u
#define REG_RTE     0x10u
#define MAX_PINS    240u

#define READ_ONLY_BITS ((uint32_t)IOAPIC_RTE_REMOTE_IRR | 1u << 12) /* and delivery status */

#define VERSION_WITH_EOI 0x20u

unsigned nr_ioapics;

static struct ioapic {
	struct ioapic_info info;
	volatile uint32_t *index, *data; /* lock */
	volatile uint32_t *eoi;          /* NULL: an older version, without this register */
	struct spinlock lock;
} ioapics[ACPI_MAX_IOAPICS];

static uint32_t read_register(struct ioapic *io, uint32_t reg)
{
	*io->index = reg;
	return *io->data;
}

static void write_register(struct ioapic *io, uint32_t reg, uint32_t value)
{
	*io->index = reg;
	*io->data = value;
}

const struct ioapic_info *ioapic_info(unsigned i)
{
	return &ioapics[i].info;
}

static struct ioapic *find(uint32_t gsi)
{
	for (unsigned i = 0; i < nr_ioapics; i++) {
		struct ioapic *io = &ioapics[i];

		if (gsi >= io->info.gsi_base && gsi - io->info.gsi_base < io->info.nr_pins)
			return io;
	}
	return NULL;
}

bool ioapic_has_gsi(uint32_t gsi)
{
	return find(gsi) != NULL;
}

/* The index of the low half of a pin's entry. */
static uint32_t rte_index(const struct ioapic *io, uint32_t gsi)
{
	return REG_RTE + 2 * (gsi - io->info.gsi_base);
}

/* Lock held. An edge that comes while its entry is masked is lost, so an entry is masked only where
 * vector, mode and destination could be seen half-changed: not when one half stays what it is. */
static void write_rte(struct ioapic *io, uint32_t gsi, uint64_t rte)
{
	uint32_t index = rte_index(io, gsi);
	uint32_t low = (uint32_t)rte, high = (uint32_t)(rte >> 32);
	uint32_t old_low = read_register(io, index) & ~READ_ONLY_BITS;

	if (read_register(io, index + 1) == high) {
		if (old_low != low)
			write_register(io, index, low);
		return;
	}
	if (old_low != low && !(old_low & IOAPIC_RTE_MASKED))
		write_register(io, index, old_low | (uint32_t)IOAPIC_RTE_MASKED);
	write_register(io, index + 1, high);
	if (old_low != low)
		write_register(io, index, low);
}

void ioapic_write_rte(uint32_t gsi, uint64_t rte)
{
	struct ioapic *io = find(gsi);

	if (!io)
		return;
	spin_lock(&io->lock);
	write_rte(io, gsi, rte);
	spin_unlock(&io->lock);
}

static void change_low(uint32_t gsi, uint32_t clear, uint32_t set)
{
	struct ioapic *io = find(gsi);
	uint32_t index;

	if (!io)
		return;
	spin_lock(&io->lock);
	index = rte_index(io, gsi);
	write_register(io, index, (read_register(io, index) & ~clear) | set);
	spin_unlock(&io->lock);
}

void ioapic_mask(uint32_t gsi)
{
	change_low(gsi, 0, (uint32_t)IOAPIC_RTE_MASKED);
}

void ioapic_unmask(uint32_t gsi)
{
	change_low(gsi, (uint32_t)IOAPIC_RTE_MASKED, 0);
}

/* Version 0x20 has a register for it; before, an entry forgets its remote IRR when it becomes edge. */
void ioapic_eoi(uint32_t gsi)
{
	struct ioapic *io = find(gsi);
	uint32_t index, low;

	if (!io)
		return;
	spin_lock(&io->lock);
	index = rte_index(io, gsi);
	low = read_register(io, index);
	if (io->eoi) {
		*io->eoi = low & 0xff;
	} else {
		write_register(io, index,
			       (low | (uint32_t)IOAPIC_RTE_MASKED) & ~(uint32_t)IOAPIC_RTE_LEVEL);
		write_register(io, index, low);
	}
	spin_unlock(&io->lock);
}

static bool init_one(struct ioapic *io, const struct acpi_ioapic *from)
{
	uint8_t *page = map_mmio(from->base, 0x44);
	uint32_t version;

	spinlock_init(&io->lock, LOCK_RANK_IOAPIC);
	io->index = (volatile uint32_t *)page;
	io->data = (volatile uint32_t *)(page + 0x10);
	version = read_register(io, REG_VERSION);
	if (version == UINT32_MAX) {
		log_warn("no IO-APIC at %#" PRIx64 ", where ACPI has one: ignored\n", from->base.a);
		return false;
	}
	if ((version & 0xff) >= VERSION_WITH_EOI)
		io->eoi = (volatile uint32_t *)(page + 0x40);
	io->info = (struct ioapic_info){ .base = from->base,
					 .id = from->id,
					 .gsi_base = from->gsi_base,
					 .nr_pins = MIN((version >> 16 & 0xff) + 1, MAX_PINS) };
	return true;
}

void ioapic_init(void)
{
	for (unsigned i = 0; i < nr_acpi_ioapics; i++) {
		struct ioapic *io = &ioapics[nr_ioapics];

		if (!init_one(io, &acpi_ioapics[i]))
			continue;
		nr_ioapics++;
		for (uint32_t pin = 0; pin < io->info.nr_pins; pin++)
			write_rte(io, io->info.gsi_base + pin, IOAPIC_RTE_MASKED);
	}
	if (nr_ioapics == 0)
		boot_fail("the machine has no IO-APIC, or its firmware hides it\n");
}
