/*
 * ACPI 6.4. The FADT says "hardware-reduced": no PM timer, no GPEs, no SCI, no sleep registers; the kernel
 * then leaves the 8259 and the CMOS alone, too. Power-off is the guest's hypercall, or its last vCPU that
 * halts.
 */
#include "build/acpi-tables.h"

#include <string.h>

#define packed __attribute__((__packed__))

struct rsdp {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} packed;
static_assert(sizeof(struct rsdp) == 36, "5.2.5.3");
#define RSDP_V1_BYTES 20u

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} packed;
static_assert(sizeof(struct header) == 36, "5.2.6");

struct xsdt {
	struct header header;
	uint64_t table[2]; /* FADT, MADT */
} packed;

/* What is zero means: does not exist. */
struct fadt {
	struct header header;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t reserved;
	uint8_t profile;
	uint8_t fixed_hardware[63];
	uint16_t boot_architecture;
	uint8_t reserved2;
	uint32_t flags;
	uint8_t reset[15];
	uint8_t minor_version;
	uint64_t x_facs;
	uint64_t x_dsdt;
	uint8_t registers[128];
} packed;
static_assert(sizeof(struct fadt) == 276, "5.2.9");
static_assert(offsetof(struct fadt, profile) == 45, "5.2.9");
static_assert(offsetof(struct fadt, boot_architecture) == 109, "5.2.9");
static_assert(offsetof(struct fadt, flags) == 112, "5.2.9");
static_assert(offsetof(struct fadt, minor_version) == 131, "5.2.9");
static_assert(offsetof(struct fadt, x_dsdt) == 140, "5.2.9");

#define FADT_REVISION         6
#define FADT_MINOR            4
#define PROFILE_SERVER        4 /* "enterprise server" */
#define BOOT_NO_VGA           0x04u
#define BOOT_NO_RTC           0x20u
#define FADT_WBINVD           (1u << 0)
#define FADT_HARDWARE_REDUCED (1u << 20)

struct madt_lapic {
	uint8_t type, length, uid, apic_id;
	uint32_t flags;
} packed;
#define MADT_TYPE_LAPIC  0
#define MADT_CPU_ENABLED 1u
#define MADT_REVISION    5
#define LAPIC_ADDRESS    0xfee00000u
static_assert(ACPI_TABLES_MAX_VCPUS < 255, "ids of 8 bits");

struct madt {
	struct header header;
	uint32_t lapic_address;
	uint32_t flags; /* bit 0 clear: there is no 8259 */
	struct madt_lapic lapic[];
} packed;

/* Scope (\_SB) {}: the smallest code that is some. */
static const uint8_t aml[] = { 0x10, 0x06, '\\', '_', 'S', 'B', '_' };

struct dsdt {
	struct header header;
	uint8_t aml[sizeof(aml)];
} packed;

/* Offsets in the page. */
#define AT_XSDT 0x40u
#define AT_FADT 0x80u
#define AT_DSDT 0x1a0u
#define AT_MADT 0x200u
static_assert(AT_XSDT + sizeof(struct xsdt) <= AT_FADT, "");
static_assert(AT_FADT + sizeof(struct fadt) <= AT_DSDT, "");
static_assert(AT_DSDT + sizeof(struct dsdt) <= AT_MADT, "");
static_assert(AT_MADT + sizeof(struct madt) + ACPI_TABLES_MAX_VCPUS * sizeof(struct madt_lapic) <=
		      ACPI_TABLES_BYTES,
	      "");

/* What makes the sum of all bytes zero. */
static uint8_t checksum(const void *table, size_t bytes)
{
	const uint8_t *b = table;
	uint8_t sum = 0;

	while (bytes--)
		sum = (uint8_t)(sum + *b++);
	return (uint8_t)-sum;
}

/* The table is complete but for its header. */
static void finish(struct header *h, const char *signature, uint8_t revision, size_t bytes)
{
	memcpy(h->signature, signature, sizeof(h->signature));
	h->length = (uint32_t)bytes;
	h->revision = revision;
	memcpy(h->oem_id, "LODGE ", sizeof(h->oem_id));
	memcpy(h->oem_table_id, "LODGE   ", sizeof(h->oem_table_id));
	h->oem_revision = 1;
	memcpy(h->creator_id, "LODG", sizeof(h->creator_id));
	h->creator_revision = 1;
	h->checksum = checksum(h, bytes);
}

static void write_rsdp(struct rsdp *r, uint32_t at)
{
	memcpy(r->signature, "RSD PTR ", sizeof(r->signature));
	memcpy(r->oem_id, "LODGE ", sizeof(r->oem_id));
	r->revision = 2;
	r->length = sizeof(*r);
	r->xsdt = at + AT_XSDT;
	r->checksum = checksum(r, RSDP_V1_BYTES);
	r->extended_checksum = checksum(r, sizeof(*r));
}

static void write_madt(struct madt *m, uint32_t nr_vcpus)
{
	m->lapic_address = LAPIC_ADDRESS;
	for (uint32_t i = 0; i < nr_vcpus; i++)
		m->lapic[i] = (struct madt_lapic){ .type = MADT_TYPE_LAPIC,
						   .length = sizeof(struct madt_lapic),
						   .uid = (uint8_t)i,
						   .apic_id = (uint8_t)i,
						   .flags = MADT_CPU_ENABLED };
	finish(&m->header, "APIC", MADT_REVISION, sizeof(*m) + nr_vcpus * sizeof(m->lapic[0]));
}

void acpi_tables_write(uint8_t *page, uint32_t at, uint32_t nr_vcpus)
{
	struct xsdt *xsdt = (struct xsdt *)(page + AT_XSDT);
	struct fadt *fadt = (struct fadt *)(page + AT_FADT);
	struct dsdt *dsdt = (struct dsdt *)(page + AT_DSDT);

	memset(page, 0, ACPI_TABLES_BYTES);
	write_rsdp((struct rsdp *)page, at);
	xsdt->table[0] = at + AT_FADT;
	xsdt->table[1] = at + AT_MADT;
	finish(&xsdt->header, "XSDT", 1, sizeof(*xsdt));
	fadt->dsdt = at + AT_DSDT;
	fadt->x_dsdt = at + AT_DSDT;
	fadt->profile = PROFILE_SERVER;
	fadt->boot_architecture = BOOT_NO_VGA | BOOT_NO_RTC;
	fadt->flags = FADT_WBINVD | FADT_HARDWARE_REDUCED;
	fadt->minor_version = FADT_MINOR;
	finish(&fadt->header, "FACP", FADT_REVISION, sizeof(*fadt));
	memcpy(dsdt->aml, aml, sizeof(aml));
	finish(&dsdt->header, "DSDT", 2, sizeof(*dsdt));
	write_madt((struct madt *)(page + AT_MADT), nr_vcpus);
}
