/* ACPI's static tables: finding them, checking them, and reading what the hypervisor needs. See acpi.h.
 * Firmware is not trusted to be right: every offset is checked against the table's length. A table
 * that Lodge cannot do without stops the boot when it is broken, any other is reported and ignored. */
#include "x86/acpi.h"
#include "arch-inline.h"
#include "lib/string.h"
#include "lodge/log.h"
#include "lodge/page.h"
#include "x86/boot-info.h"
#include "x86/cpu.h"
#include "x86/paging.h"

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length; /* from here on: revision 2 */
	uint64_t xsdt;
	uint8_t extended_checksum, reserved[3];
} __attribute__((packed));
static_assert(sizeof(struct rsdp) == 36, "ACPI 6.4, 5.2.5.3");
#define RSDP_V1_BYTES 20u

#define MAX_TABLE_BYTES (16u << 20)
#define MAX_SRAT_RANGES 64u

struct acpi_table acpi_tables[ACPI_MAX_TABLES];
unsigned nr_acpi_tables;
mpa_t acpi_rsdp, acpi_facs, acpi_hpet;
struct acpi_cpu acpi_cpus[MAX_CPUS];
unsigned nr_acpi_cpus;
struct acpi_ioapic acpi_ioapics[ACPI_MAX_IOAPICS];
unsigned nr_acpi_ioapics;
struct acpi_override acpi_overrides[ACPI_MAX_OVERRIDES];
unsigned nr_acpi_overrides;
bool acpi_has_8259;
struct acpi_fadt acpi_fadt = { .reset_space = 0xff };
struct acpi_mcfg acpi_mcfg[ACPI_MAX_MCFG];
unsigned nr_acpi_mcfg;
const struct acpi_header *acpi_ivrs;

static struct srat_range {
	uint64_t start, end;
	unsigned node;
} srat_ranges[MAX_SRAT_RANGES];
static unsigned nr_srat_ranges;
static uint32_t node_domains[MAX_NODES]; /* proximity domain of each node */
static unsigned nr_nodes;
static uint32_t domain_mask; /* revision 1 has 8 bits of it, and reserved ones behind them */

/* ---- Reading ---- */

static uint8_t checksum(const void *p, size_t bytes)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	while (bytes--)
		sum = (uint8_t)(sum + *b++);
	return sum;
}

/* A field of a table; 0 beyond its end, as an older revision would have it. */
static uint64_t field(const struct acpi_header *h, uint32_t offset, uint32_t bytes)
{
	uint64_t value = 0;

	if (bytes <= h->length && offset <= h->length - bytes)
		memcpy(&value, (const uint8_t *)h + offset, bytes);
	return value;
}

/* A subtable of MADT or SRAT: type and length in its first two bytes. */
struct entry {
	const uint8_t *p;
	uint32_t bytes;
};

static uint64_t entry_field(const struct entry *e, uint32_t offset, uint32_t bytes)
{
	uint64_t value = 0;

	if (offset + bytes <= e->bytes)
		memcpy(&value, e->p + offset, bytes);
	return value;
}

static void for_each_entry(const struct acpi_header *h, uint32_t at,
			   void (*fn)(const struct entry *))
{
	while (at + 2 <= h->length) {
		struct entry e = { .p = (const uint8_t *)h + at };

		e.bytes = e.p[1];
		if (e.bytes < 2 || at + e.bytes > h->length) {
			log_warn("ACPI table %.4s ends in the middle of an entry\n", h->signature);
			return;
		}
		fn(&e);
		at += e.bytes;
	}
}

static bool is_required(const char signature[4])
{
	return memcmp(signature, "APIC", 4) == 0 || memcmp(signature, "FACP", 4) == 0 ||
	       memcmp(signature, "DSDT", 4) == 0;
}

/* Maps the table at `base`; NULL after complaining about one that is broken. */
static const struct acpi_header *map_table(uint64_t base)
{
	const struct acpi_header *h = map_firmware(MPA(base), sizeof(*h));
	char signature[4];
	uint32_t bytes = h->length;

	memcpy(signature, h->signature, sizeof(signature));
	if (bytes >= sizeof(*h) && bytes <= MAX_TABLE_BYTES) {
		h = map_firmware(MPA(base), bytes);
		if (checksum(h, bytes) == 0)
			return h;
	}
	if (is_required(signature))
		boot_fail("ACPI table %.4s at %#" PRIx64
			  " is corrupt (length or checksum): update the machine's firmware\n",
			  signature, base);
	log_warn("ACPI table %.4s at %#" PRIx64 " is corrupt (length or checksum): ignored\n",
		 signature, base);
	return NULL;
}

static void add_table(uint64_t base)
{
	const struct acpi_header *h = base ? map_table(base) : NULL;

	if (!h)
		return;
	if (nr_acpi_tables == ACPI_MAX_TABLES) {
		log_warn("more than %u ACPI tables: %.4s ignored\n", ACPI_MAX_TABLES, h->signature);
		return;
	}
	acpi_tables[nr_acpi_tables++] =
		(struct acpi_table){ .base = MPA(base), .bytes = h->length, .header = h };
}

const struct acpi_header *acpi_find(const char signature[4], unsigned instance)
{
	for (unsigned i = 0; i < nr_acpi_tables; i++) {
		const struct acpi_header *h = acpi_tables[i].header;

		if (memcmp(h->signature, signature, 4) == 0 && instance-- == 0)
			return h;
	}
	return NULL;
}

/* ---- RSDP ---- */

static bool rsdp_is_valid(const struct rsdp *r)
{
	if (memcmp(r->signature, "RSD PTR ", 8) != 0 || checksum(r, RSDP_V1_BYTES) != 0)
		return false;
	return r->revision < 2 || checksum(r, sizeof(*r)) == 0;
}

static bool scan_for_rsdp(uint64_t start, uint64_t end, struct rsdp *ret_r)
{
	for (; start < end; start += 16) {
		const struct rsdp *r = mpa_to_ptr(MPA(start));

		if (rsdp_is_valid(r)) {
			acpi_rsdp = MPA(start);
			*ret_r = *r;
			return true;
		}
	}
	return false;
}

static bool bios_rsdp(struct rsdp *ret_r)
{
	const uint16_t *ebda_segment = mpa_to_ptr(MPA(0x40e));
	uint64_t ebda = (uint64_t)READ_ONCE(*ebda_segment) << 4;

	if (ebda >= 0x80000 && ebda < 0xa0000 && scan_for_rsdp(ebda, ebda + 1024, ret_r))
		return true;
	return scan_for_rsdp(0xe0000, 0x100000, ret_r);
}

/* By EFI's configuration tables (UEFI 2.9, 4.3 and 4.6). */
static bool efi_rsdp(struct rsdp *ret_r)
{
	static const uint8_t guid[2][16] = {
		{ 0x71, 0xe8, 0x68, 0x88, 0xf1, 0xe4, 0xd3, 0x11, 0xbc, 0x22, 0x00, 0x80, 0xc7,
		  0x3c, 0x88, 0x81 }, /* ACPI 2.0 */
		{ 0x30, 0x2d, 0x9d, 0xeb, 0x88, 0x2d, 0xd3, 0x11, 0x9a, 0x16, 0x00, 0x90, 0x27,
		  0x3f, 0xc1, 0x4d }, /* ACPI 1.0 */
	};
	struct {
		uint8_t guid[16];
		uint64_t pointer;
	} entry;
	const uint8_t *system_table, *tables;
	uint64_t nr, at;

	if (boot_info.efi_system_table.a == 0)
		return false;
	system_table = map_firmware(boot_info.efi_system_table, 120);
	memcpy(&nr, system_table + 104, sizeof(nr));
	memcpy(&at, system_table + 112, sizeof(at));
	nr = MIN(nr, 256);
	tables = map_firmware(MPA(at), nr * sizeof(entry));
	for (size_t g = 0; g < ARRAY_SIZE(guid); g++) {
		for (uint64_t i = 0; i < nr; i++) {
			memcpy(&entry, tables + i * sizeof(entry), sizeof(entry));
			if (memcmp(entry.guid, guid[g], sizeof(entry.guid)) != 0)
				continue;
			*ret_r = *(const struct rsdp *)map_firmware(MPA(entry.pointer),
								    sizeof(*ret_r));
			acpi_rsdp = MPA(entry.pointer);
			return rsdp_is_valid(ret_r);
		}
	}
	return false;
}

static void find_rsdp(struct rsdp *ret_r)
{
	if (efi_rsdp(ret_r))
		return;
	acpi_rsdp = MPA(0);
	if (!boot_info.efi && bios_rsdp(ret_r))
		return;
	memcpy(ret_r, boot_info.rsdp, sizeof(*ret_r));
	if (!rsdp_is_valid(ret_r))
		boot_fail(
			"no valid ACPI root pointer (RSDP) found: enable ACPI in the machine's firmware\n");
}

static void add_tables(const struct rsdp *r)
{
	bool wide = r->revision >= 2 && r->xsdt;
	uint64_t base = wide ? r->xsdt : r->rsdt;
	uint32_t bytes = wide ? 8 : 4;
	const struct acpi_header *root = base ? map_table(base) : NULL;

	if (!root && wide && r->rsdt) { /* a broken XSDT beside a good RSDT */
		bytes = 4;
		root = map_table(r->rsdt);
	}
	if (!root)
		boot_fail("the ACPI root table at %#" PRIx64
			  " is corrupt: update the machine's firmware\n",
			  base);
	for (uint32_t at = sizeof(*root); at + bytes <= root->length; at += bytes)
		add_table(field(root, at, bytes));
}

/* ---- MADT ---- */

#define CPU_ENABLED 0x1u

/* Ids that name all CPUs; firmware has them in entries that it does not use. */
#define ALL_LOCAL_APICS 0xffu
#define ALL_X2APICS     UINT32_MAX

static void add_cpu(uint32_t apic_id, uint32_t acpi_id)
{
	static bool told;

	/* Some firmware lists a CPU twice, as a local APIC and as an x2APIC. */
	for (unsigned i = 0; i < nr_acpi_cpus; i++)
		if (acpi_cpus[i].apic_id == apic_id)
			return;
	if (nr_acpi_cpus < MAX_CPUS) {
		acpi_cpus[nr_acpi_cpus++] =
			(struct acpi_cpu){ .apic_id = apic_id, .acpi_id = acpi_id };
	} else if (!told) {
		told = true;
		log_warn("more than %u CPUs: the others stay unused\n", MAX_CPUS);
	}
}

static void add_ioapic(const struct entry *e)
{
	if (nr_acpi_ioapics < ACPI_MAX_IOAPICS)
		acpi_ioapics[nr_acpi_ioapics++] =
			(struct acpi_ioapic){ .base = MPA(entry_field(e, 4, 4)),
					      .id = (uint8_t)entry_field(e, 2, 1),
					      .gsi_base = (uint32_t)entry_field(e, 8, 4) };
}

static void add_override(const struct entry *e)
{
	if (nr_acpi_overrides < ACPI_MAX_OVERRIDES)
		acpi_overrides[nr_acpi_overrides++] =
			(struct acpi_override){ .irq = (uint8_t)entry_field(e, 3, 1),
						.gsi = (uint32_t)entry_field(e, 4, 4),
						.flags = (uint16_t)entry_field(e, 8, 2) };
}

static void madt_entry(const struct entry *e)
{
	uint32_t id;

	switch (e->p[0]) {
	case 0: /* local APIC */
		id = (uint32_t)entry_field(e, 3, 1);
		if ((entry_field(e, 4, 4) & CPU_ENABLED) && id != ALL_LOCAL_APICS)
			add_cpu(id, (uint32_t)entry_field(e, 2, 1));
		break;
	case 1:
		add_ioapic(e);
		break;
	case 2:
		add_override(e);
		break;
	case 9: /* x2APIC */
		id = (uint32_t)entry_field(e, 4, 4);
		if ((entry_field(e, 8, 4) & CPU_ENABLED) && id != ALL_X2APICS)
			add_cpu(id, (uint32_t)entry_field(e, 12, 4));
		break;
	default:
		break;
	}
}

static uint32_t own_apic_id(void)
{
	if (host_cpu.max_leaf >= 0xb && cpuid(0xb, 0).ebx)
		return cpuid(0xb, 0).edx;
	return cpuid(1, 0).ebx >> 24;
}

static void put_boot_cpu_first(void)
{
	for (unsigned i = 0; i < nr_acpi_cpus; i++) {
		struct acpi_cpu boot = acpi_cpus[i];

		if (boot.apic_id != own_apic_id())
			continue;
		for (; i > 0; i--)
			acpi_cpus[i] = acpi_cpus[i - 1];
		acpi_cpus[0] = boot;
		return;
	}
	boot_fail(
		"the ACPI table APIC does not name the boot CPU (APIC id %#x): update the firmware\n",
		own_apic_id());
}

static void read_madt(void)
{
	const struct acpi_header *h = acpi_find("APIC", 0);

	if (!h)
		boot_fail(
			"no ACPI table APIC, so no interrupt controllers: enable ACPI and the APIC in the firmware\n");
	acpi_has_8259 = field(h, 40, 4) & 1;
	for_each_entry(h, 44, madt_entry);
	put_boot_cpu_first();
}

struct acpi_override acpi_isa_irq(uint8_t irq)
{
	for (unsigned i = 0; i < nr_acpi_overrides; i++)
		if (acpi_overrides[i].irq == irq)
			return acpi_overrides[i];
	return (struct acpi_override){ .irq = irq, .gsi = irq, .flags = 0 };
}

/* ---- FADT and \_S5 ---- */

/* An integer of AML: 0, 1, byte, word or dword constant. False at anything else. */
static bool aml_integer(const uint8_t **p, const uint8_t *end, uint8_t *ret_value)
{
	const uint8_t *at = *p;
	size_t bytes = 0;

	if (at >= end)
		return false;
	switch (*at++) {
	case 0x00:
		*ret_value = 0;
		break;
	case 0x01:
		*ret_value = 1;
		break;
	case 0x0a:
		bytes = 1;
		break;
	case 0x0b:
		bytes = 2;
		break;
	case 0x0c:
		bytes = 4;
		break;
	default:
		return false;
	}
	if ((size_t)(end - at) < bytes)
		return false;
	if (bytes)
		*ret_value = at[0];
	*p = at + bytes;
	return true;
}

/* Name(_S5, Package(){a, b, …}): 08 [5c] "_S5_" 12 PkgLength NumElements elements. */
static bool find_s5(const struct acpi_header *h)
{
	const uint8_t *start = (const uint8_t *)h, *end = start + h->length;

	for (const uint8_t *p = start + sizeof(*h) + 2; p + 8 < end; p++) {
		const uint8_t *at = p + 4;

		if (memcmp(p, "_S5_", 4) != 0 || *at++ != 0x12)
			continue;
		if (p[-1] != 0x08 && !(p[-1] == '\\' && p[-2] == 0x08))
			continue;
		at += (*at >> 6) + 2; /* package length, number of elements */
		if (!aml_integer(&at, end, &acpi_fadt.s5_type_a))
			continue;
		if (!aml_integer(&at, end, &acpi_fadt.s5_type_b))
			acpi_fadt.s5_type_b = acpi_fadt.s5_type_a;
		return true;
	}
	return false;
}

/* An I/O port: the 64-bit generic address if it is there and names I/O space, else the old field. */
static uint16_t fadt_port(const struct acpi_header *h, uint32_t old, uint32_t generic)
{
	if (field(h, generic, 1) == 1 && field(h, generic + 4, 8))
		return (uint16_t)field(h, generic + 4, 8);
	return (uint16_t)field(h, old, 4);
}

static void read_fadt(void)
{
	const struct acpi_header *h = acpi_find("FACP", 0);
	struct acpi_fadt *f = &acpi_fadt;
	uint32_t flags;

	if (!h) {
		log_warn("no ACPI table FACP: the machine cannot be powered off\n");
		return;
	}
	f->header = h;
	flags = (uint32_t)field(h, 112, 4);
	f->pm1a_event = fadt_port(h, 56, 148);
	f->pm1b_event = fadt_port(h, 60, 160);
	f->pm1a_control = fadt_port(h, 64, 172);
	f->pm1b_control = fadt_port(h, 68, 184);
	f->pm_timer = fadt_port(h, 76, 208);
	f->pm1_event_bytes = (uint8_t)field(h, 88, 1);
	f->smi_command = (uint16_t)field(h, 48, 4);
	f->acpi_enable = (uint8_t)field(h, 52, 1);
	f->sci_irq = (uint16_t)field(h, 46, 2);
	f->timer_is_32bit = flags & (1u << 8);
	if (flags & (1u << 10)) {
		f->reset_space = (uint8_t)field(h, 116, 1);
		f->reset_address = field(h, 120, 8);
		f->reset_value = (uint8_t)field(h, 128, 1);
	}
	acpi_facs = MPA(field(h, 132, 8) ? field(h, 132, 8) : field(h, 36, 4));
	f->dsdt = MPA(field(h, 140, 8) ? field(h, 140, 8) : field(h, 40, 4));
	add_table(f->dsdt.a);
	for (unsigned i = 0; i < nr_acpi_tables && !f->has_s5; i++) {
		const char *signature = acpi_tables[i].header->signature;

		if (memcmp(signature, "DSDT", 4) == 0 || memcmp(signature, "SSDT", 4) == 0)
			f->has_s5 = find_s5(acpi_tables[i].header);
	}
}

/* ---- NUMA ---- */

static unsigned node_of_domain(uint32_t domain)
{
	unsigned node = 0;

	domain &= domain_mask;
	while (node < nr_nodes && node_domains[node] != domain)
		node++;
	if (node == MAX_NODES)
		return 0;
	if (node == nr_nodes)
		node_domains[nr_nodes++] = domain;
	return node;
}

static void set_cpu_node(uint32_t apic_id, uint32_t domain)
{
	unsigned node = node_of_domain(domain);

	for (unsigned i = 0; i < nr_acpi_cpus; i++)
		if (acpi_cpus[i].apic_id == apic_id)
			acpi_cpus[i].node = node;
}

static void add_memory(uint64_t base, uint64_t bytes, uint32_t domain)
{
	uint64_t limit = UINT64_MAX & PAGE_MASK;

	if (bytes && base < limit && nr_srat_ranges < MAX_SRAT_RANGES)
		srat_ranges[nr_srat_ranges++] =
			(struct srat_range){ base, bytes < limit - base ? base + bytes : limit,
					     node_of_domain(domain) };
}

static void srat_entry(const struct entry *e)
{

	switch (e->p[0]) {
	case 0: /* CPU by APIC id */
		if (entry_field(e, 4, 4) & CPU_ENABLED)
			set_cpu_node((uint32_t)entry_field(e, 3, 1),
				     (uint32_t)(entry_field(e, 2, 1) | entry_field(e, 9, 3) << 8));
		break;
	case 1: /* memory */
		if (entry_field(e, 28, 4) & 1)
			add_memory(entry_field(e, 8, 8), entry_field(e, 16, 8),
				   (uint32_t)entry_field(e, 2, 4));
		break;
	case 2: /* CPU by x2APIC id */
		if (entry_field(e, 12, 4) & CPU_ENABLED)
			set_cpu_node((uint32_t)entry_field(e, 8, 4),
				     (uint32_t)entry_field(e, 4, 4));
		break;
	default:
		break;
	}
}

unsigned acpi_memory_node(mpa_t a, mpa_t *ret_end)
{
	uint64_t end = UINT64_MAX & PAGE_MASK;

	for (unsigned i = 0; i < nr_srat_ranges; i++) {
		const struct srat_range *r = &srat_ranges[i];

		if (a.a >= r->start && a.a < r->end) {
			*ret_end = MPA(r->end);
			return r->node;
		}
		if (r->start > a.a)
			end = MIN(end, r->start);
	}
	*ret_end = MPA(end);
	return 0;
}

/* ---- All ---- */

/* Entries that name no buses or no address are what firmware leaves when it has switched them off. */
static void add_mcfg(const struct acpi_mcfg *m)
{
	if (m->base.a && m->first_bus <= m->last_bus)
		acpi_mcfg[nr_acpi_mcfg++] = *m;
}

static void read_mcfg(const struct acpi_header *h)
{
	for (uint32_t at = 44; at + 16 <= h->length && nr_acpi_mcfg < ACPI_MAX_MCFG; at += 16)
		add_mcfg(&(struct acpi_mcfg){ .base = MPA(field(h, at, 8)),
					      .segment = (uint16_t)field(h, at + 8, 2),
					      .first_bus = (uint8_t)field(h, at + 10, 1),
					      .last_bus = (uint8_t)field(h, at + 11, 1) });
}

static void print_tables(void)
{
	char line[5 * ACPI_MAX_TABLES + 1];
	size_t used = 0;

	for (unsigned i = 0; i < nr_acpi_tables; i++)
		used += format(line + used, sizeof(line) - used, " %.4s",
			       acpi_tables[i].header->signature);
	log_info("ACPI:%s\n", line);
}

void acpi_init(void)
{
	struct rsdp r;
	const struct acpi_header *h;

	find_rsdp(&r);
	add_tables(&r);
	read_madt();
	read_fadt();
	h = acpi_find("SRAT", 0);
	if (h) {
		domain_mask = h->revision < 2 ? 0xff : UINT32_MAX;
		for_each_entry(h, 48, srat_entry);
	}
	h = acpi_find("HPET", 0);
	if (h && field(h, 40, 1) == 0)
		acpi_hpet = MPA(field(h, 44, 8));
	h = acpi_find("MCFG", 0);
	if (h)
		read_mcfg(h);
	acpi_ivrs = acpi_find("IVRS", 0);
	print_tables();
}
