/*
 * The ACPI tables that the service VM sees. The machine's own stay where they are and are passed by an
 * allow-list; RSDP, XSDT and MADT are new: the MADT tells of vCPUs, and leaves out the 8259. Hidden are
 * the tables of what the hypervisor keeps: IOMMU, HPET, NUMA, the serial console.
 *
 * vCPU i has the processor uid i, because Linux uses that number in hypercalls, and the local APIC id
 * of the machine's i-th CPU, because the DSDT's processor objects name those.
 */
#include "x86/vm/service-vm-internal.h"

#include "lib/string.h"
#include "lodge/alloc.h"
#include "lodge/cpu.h"
#include "lodge/log.h"
#include "lodge/vcpu.h"
#include "x86/acpi.h"
#include "x86/ioapic.h"
#include "x86/vm/vlapic.h"

#define packed __attribute__((packed))

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} packed;
static_assert(sizeof(struct rsdp) == 36, "ACPI 6.4, 5.2.5.3");
#define RSDP_V1_BYTES 20u

struct madt {
	struct acpi_header header;
	uint32_t lapic_address;
	uint32_t flags; /* bit 0: the machine also has an 8259 */
} packed;

struct madt_lapic {
	uint8_t type, length, uid, apic_id;
	uint32_t flags; /* bit 0: enabled */
} packed;

struct madt_x2apic {
	uint8_t type, length;
	uint16_t reserved;
	uint32_t apic_id, flags, uid;
} packed;

struct madt_ioapic {
	uint8_t type, length, id, reserved;
	uint32_t address, gsi_base;
} packed;

struct madt_override {
	uint8_t type, length, bus, irq;
	uint32_t gsi;
	uint16_t flags;
} packed;

enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_X2APIC = 9 };

/* Offsets of the new tables in their pages. */
#define XSDT_OFFSET 0x40u
#define MADT_OFFSET 0x1000u

static const char passed_tables[][4] = {
	{ 'F', 'A', 'C', 'P' }, { 'S', 'S', 'D', 'T' }, { 'P', 'S', 'D', 'T' },
	{ 'S', 'B', 'S', 'T' }, { 'M', 'C', 'F', 'G' }, { 'S', 'L', 'I', 'C' },
	{ 'M', 'S', 'D', 'M' }, { 'W', 'D', 'A', 'T' }, { 'F', 'P', 'D', 'T' },
	{ 'S', '3', 'P', 'T' },
};

struct builder {
	uint8_t *buf; /* SERVICE_VM_ACPI_BYTES, to be written to `at` */
	uint64_t at;
	uint32_t end; /* of what is used in buf */
};

static uint8_t checksum(const void *p, size_t bytes)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	while (bytes--)
		sum = (uint8_t)(sum + *b++);
	return (uint8_t)-sum;
}

static bool is_passed(const struct acpi_header *h)
{
	for (unsigned i = 0; i < ARRAY_SIZE(passed_tables); i++)
		if (!memcmp(h->signature, passed_tables[i], 4))
			return true;
	return false;
}

static void start_table(struct acpi_header *h, const char *signature, uint8_t revision)
{
	memcpy(h->signature, signature, 4);
	h->revision = revision;
	memcpy(h->oem_id, "LODGE ", 6);
	memcpy(h->oem_table_id, "LODGE   ", 8);
	h->oem_revision = 1;
	memcpy(&h->creator_id, "LODG", 4);
	h->creator_revision = 1;
}

static void finish_table(struct acpi_header *h, uint32_t bytes)
{
	h->length = bytes;
	h->checksum = 0;
	h->checksum = checksum(h, bytes);
}

static void *append(struct builder *b, uint32_t bytes)
{
	void *p = b->buf + b->end;

	if (b->end + bytes > SERVICE_VM_ACPI_BYTES)
		boot_fail("the service VM's ACPI tables do not fit into %llu bytes",
			  SERVICE_VM_ACPI_BYTES);
	b->end += bytes;
	return p;
}

uint32_t service_vm_apic_id(uint32_t i)
{
	uint32_t highest = 0;

	if (i < nr_cpus)
		return cpus[i]->arch.apic_id;
	for (uint32_t c = 0; c < nr_cpus; c++)
		highest = MAX(highest, cpus[c]->arch.apic_id);
	return highest + 1 + i - nr_cpus;
}

static void add_cpu(struct builder *b, const struct vcpu *v)
{
	uint32_t id = v->arch.vlapic.id;

	if (id < 0xff && v->id < 0xff)
		*(struct madt_lapic *)append(b, sizeof(struct madt_lapic)) =
			(struct madt_lapic){ .type = MADT_LAPIC,
					     .length = sizeof(struct madt_lapic),
					     .uid = (uint8_t)v->id,
					     .apic_id = (uint8_t)id,
					     .flags = 1 };
	else
		*(struct madt_x2apic *)append(b, sizeof(struct madt_x2apic)) =
			(struct madt_x2apic){ .type = MADT_X2APIC,
					      .length = sizeof(struct madt_x2apic),
					      .apic_id = id,
					      .flags = 1,
					      .uid = v->id };
}

static void build_madt(struct builder *b, const struct domain *d)
{
	struct madt *m;

	b->end = MADT_OFFSET;
	m = append(b, sizeof(*m));
	start_table(&m->header, "APIC", 3);
	m->lapic_address = VLAPIC_BASE;
	for (uint32_t i = 0; i < d->nr_vcpus; i++)
		add_cpu(b, d->vcpu[i]);
	for (unsigned i = 0; i < nr_ioapics; i++) {
		const struct ioapic_info *io = ioapic_info(i);

		*(struct madt_ioapic *)append(b, sizeof(struct madt_ioapic)) =
			(struct madt_ioapic){ .type = MADT_IOAPIC,
					      .length = sizeof(struct madt_ioapic),
					      .id = io->id,
					      .address = (uint32_t)io->base.a,
					      .gsi_base = io->gsi_base };
	}
	for (unsigned i = 0; i < nr_acpi_overrides; i++)
		*(struct madt_override *)append(b, sizeof(struct madt_override)) =
			(struct madt_override){ .type = MADT_OVERRIDE,
						.length = sizeof(struct madt_override),
						.irq = acpi_overrides[i].irq,
						.gsi = acpi_overrides[i].gsi,
						.flags = acpi_overrides[i].flags };
	finish_table(&m->header, b->end - MADT_OFFSET);
}

static void add_pointer(struct builder *b, uint64_t address)
{
	memcpy(append(b, sizeof(address)), &address, sizeof(address));
}

static void build_xsdt(struct builder *b)
{
	struct acpi_header *h;

	b->end = XSDT_OFFSET;
	h = append(b, sizeof(*h));
	start_table(h, "XSDT", 1);
	add_pointer(b, b->at + MADT_OFFSET);
	for (unsigned i = 0; i < nr_acpi_tables; i++)
		if (is_passed(acpi_tables[i].header))
			add_pointer(b, acpi_tables[i].base.a);
	finish_table(h, b->end - XSDT_OFFSET);
}

static void build_rsdp(struct builder *b)
{
	struct rsdp *r = (struct rsdp *)b->buf;

	memcpy(r->signature, "RSD PTR ", 8);
	memcpy(r->oem_id, "LODGE ", 6);
	r->revision = 2;
	r->length = sizeof(*r);
	r->xsdt = b->at + XSDT_OFFSET;
	r->checksum = checksum(r, RSDP_V1_BYTES);
	r->extended_checksum = checksum(r, sizeof(*r));
}

uint64_t service_vm_write_acpi(struct domain *d, uint64_t at)
{
	struct builder b = { .buf = mem_alloc(SERVICE_VM_ACPI_BYTES), .at = at };

	if (!b.buf)
		boot_fail("no memory to build the service VM's ACPI tables");
	static_assert(XSDT_OFFSET + sizeof(struct acpi_header) + 8 * (ACPI_MAX_TABLES + 1) <=
			      MADT_OFFSET,
		      "the XSDT ends before the MADT");
	build_rsdp(&b);
	build_xsdt(&b);
	build_madt(&b, d);
	service_vm_write(d, at, b.buf, SERVICE_VM_ACPI_BYTES);
	mem_free(b.buf, SERVICE_VM_ACPI_BYTES);
	return at;
}
