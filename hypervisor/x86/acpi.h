/* ACPI's static tables, read once at boot and checked: bounds and checksums of all that is used.
 * What they say is in plain variables here; the AML in DSDT and SSDTs is the service VM's business,
 * except for the two numbers of \_S5 that power-off needs.
 * Nothing here changes after acpi_init(). */
#ifndef LODGE_ACPI_H
#define LODGE_ACPI_H

#include "lodge/cpu.h"
#include "lodge/types.h"

struct acpi_header {
	char signature[4];
	uint32_t length; /* of the whole table */
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision, creator_id, creator_revision;
} __attribute__((packed));
static_assert(sizeof(struct acpi_header) == 36, "ACPI 6.4, 5.2.6");

/* Every table that the RSDT or XSDT names, and the DSDT; mapped for good, read-only. */
struct acpi_table {
	mpa_t base;
	uint32_t bytes;
	const struct acpi_header *header;
};

#define ACPI_MAX_TABLES 64u

extern struct acpi_table acpi_tables[ACPI_MAX_TABLES];
extern unsigned nr_acpi_tables;
extern mpa_t acpi_rsdp; /* 0: it came by value from the loader and its address is not known */
extern mpa_t acpi_facs; /* 0: none */

void acpi_init(void);
/* The instance-th table with that signature, counting from 0; NULL when there is none. */
const struct acpi_header *acpi_find(const char signature[4], unsigned instance);

/* MADT. */
struct acpi_cpu {
	uint32_t apic_id;
	uint32_t acpi_id; /* processor id or uid */
	uint32_t node;    /* SRAT; 0 without one */
};
struct acpi_ioapic {
	mpa_t base;
	uint8_t id;
	uint32_t gsi_base;
};
struct acpi_override { /* ISA interrupt → GSI */
	uint8_t irq;
	uint32_t gsi;
	uint16_t flags; /* bits 0–1 polarity (3: active low), 2–3 trigger (3: level) */
};

#define ACPI_MAX_IOAPICS   16u
#define ACPI_MAX_OVERRIDES 32u

extern struct acpi_cpu acpi_cpus[MAX_CPUS]; /* usable ones; the boot CPU is the first */
extern unsigned nr_acpi_cpus;
extern struct acpi_ioapic acpi_ioapics[ACPI_MAX_IOAPICS];
extern unsigned nr_acpi_ioapics;
extern struct acpi_override acpi_overrides[ACPI_MAX_OVERRIDES];
extern unsigned nr_acpi_overrides;
extern bool acpi_has_8259; /* MADT: PCAT_COMPAT */

/* The GSI, polarity and trigger of an ISA interrupt, after overrides. */
struct acpi_override acpi_isa_irq(uint8_t irq);

/* FADT. Ports are 0 where there is no such register. */
struct acpi_fadt {
	const struct acpi_header *header; /* NULL: no FADT */
	uint16_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm_timer, smi_command;
	uint8_t pm1_event_bytes;
	uint8_t acpi_enable; /* written to smi_command gives the OS the registers */
	bool timer_is_32bit;
	uint8_t reset_space,
		reset_value; /* 0xff: no reset register; 0 memory, 1 I/O, 2 PCI config */
	uint64_t reset_address;
	bool has_s5;
	uint8_t s5_type_a, s5_type_b;
	uint16_t sci_irq;
	mpa_t dsdt;
};
extern struct acpi_fadt acpi_fadt;

/* HPET, MCFG, IVRS, SRAT. */
extern mpa_t acpi_hpet; /* 0: none */

struct acpi_mcfg {
	mpa_t base; /* of bus 0, even if first_bus is not 0 */
	uint16_t segment;
	uint8_t first_bus, last_bus;
};
#define ACPI_MAX_MCFG 16u
extern struct acpi_mcfg acpi_mcfg[ACPI_MAX_MCFG];
extern unsigned nr_acpi_mcfg;

extern const struct acpi_header *acpi_ivrs; /* NULL: no AMD IOMMU */

/* NUMA node of a machine address, dense from 0; always 0 without an SRAT. *ret_end is where another
 * answer may begin. */
unsigned acpi_memory_node(mpa_t a, mpa_t *ret_end);

#endif
