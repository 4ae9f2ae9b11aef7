/*
 * IVRS, after the AMD IOMMU specification (48882), chapter 5. Firmware may describe each IOMMU up to
 * three times, in blocks of type 10h, 11h and 40h, each saying more: the highest type counts. The
 * table's length has been checked; lengths inside of it are checked here, and a block that reaches
 * beyond its end is left out with all that follow.
 */
#include "x86/iommu/ivrs.h"

#include "lib/string.h"
#include "lodge/log.h"
#include "x86/acpi.h"

struct ivrs ivrs;

#define BLOCKS_OFFSET 48u /* header, information, reserved */

struct block {
	uint8_t type, flags;
	uint16_t length, bdf;
} __attribute__((packed));

struct ivhd { /* common part of the types */
	struct block block;
	uint16_t capability;
	uint64_t base;
	uint16_t segment, info;
	uint32_t features;
} __attribute__((packed));
static_assert(sizeof(struct ivhd) == 24, "48882, Table 95");

struct ivmd {
	struct block block;
	uint16_t aux;
	uint64_t reserved, start, bytes;
} __attribute__((packed));
static_assert(sizeof(struct ivmd) == 32, "48882, Table 105");

enum { IVHD_10 = 0x10, IVHD_11 = 0x11, IVHD_40 = 0x40 };
enum { IVMD_ALL = 0x20, IVMD_SELECT = 0x21, IVMD_RANGE = 0x22 };

/* Device entries. */
enum {
	DEV_ALL = 1,
	DEV_SELECT = 2,
	DEV_RANGE_START = 3,
	DEV_RANGE_END = 4,
	DEV_ALIAS_SELECT = 0x42,
	DEV_ALIAS_RANGE = 0x43,
	DEV_EXT_SELECT = 0x46,
	DEV_EXT_RANGE = 0x47,
	DEV_SPECIAL = 0x48,
	DEV_ACPI = 0xf0,
};

#define SPECIAL_IOAPIC 1u

static bool is_ivhd(uint8_t type)
{
	return type == IVHD_10 || type == IVHD_11 || type == IVHD_40;
}

static uint16_t get_bdf(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

/* Bytes of a device entry; 0: unknown. `left` bytes of the block are left. */
static unsigned entry_bytes(const uint8_t *e, unsigned left)
{
	if (e[0] == DEV_ACPI)
		return left >= 22 ? 22u + e[21] : 0;
	return e[0] < 0x40 ? 4 : e[0] < 0x80 ? 8 : 0;
}

static void note_device(uint16_t bdf)
{
	ivrs.last_bdf = MAX(ivrs.last_bdf, bdf);
}

static void add_alias(uint16_t segment, uint16_t first, uint16_t last, uint16_t bdf)
{
	note_device(bdf);
	if (first == bdf && last == bdf)
		return;
	if (ivrs.nr_aliases == IVRS_MAX_ALIASES)
		boot_fail("IVRS: more than %u device aliases", IVRS_MAX_ALIASES);
	ivrs.alias[ivrs.nr_aliases++] = (struct ivrs_alias){ segment, first, last, bdf };
}

static void add_special(uint16_t segment, const uint8_t *e)
{
	uint16_t bdf = get_bdf(e + 5);

	note_device(bdf);
	/* Some firmware lists an IO-APIC in the block of each IOMMU. */
	for (unsigned i = 0; i < ivrs.nr_ioapics; i++)
		if (ivrs.ioapic[i].segment == segment && ivrs.ioapic[i].bdf == bdf &&
		    ivrs.ioapic[i].id == e[4])
			return;
	if (e[7] != SPECIAL_IOAPIC || ivrs.nr_ioapics == IVRS_MAX_IOAPICS)
		return;
	ivrs.ioapic[ivrs.nr_ioapics++] = (struct ivrs_ioapic){ segment, bdf, e[4] };
}

struct range_state { /* between the start and the end of a range of devices */
	uint16_t first, alias;
	bool is_alias;
};

static void parse_entry(uint16_t segment, const uint8_t *e, struct range_state *range)
{
	uint16_t bdf = get_bdf(e + 1);

	switch (e[0]) {
	case DEV_ALL:
		note_device(UINT16_MAX);
		break;
	case DEV_SELECT:
	case DEV_EXT_SELECT:
		note_device(bdf);
		break;
	case DEV_RANGE_START:
	case DEV_EXT_RANGE:
		*range = (struct range_state){ .first = bdf };
		break;
	case DEV_ALIAS_RANGE:
		*range = (struct range_state){ bdf, get_bdf(e + 5), true };
		break;
	case DEV_RANGE_END:
		note_device(bdf);
		if (range->is_alias)
			add_alias(segment, range->first, bdf, range->alias);
		break;
	case DEV_ALIAS_SELECT:
		note_device(bdf);
		add_alias(segment, bdf, bdf, get_bdf(e + 5));
		break;
	case DEV_SPECIAL:
		add_special(segment, e);
		break;
	default: /* devices that only ACPI names have PCI ids of their own that are listed, too */
		break;
	}
}

static void parse_ivhd(const struct ivhd *h)
{
	const uint8_t *at = (const uint8_t *)h + (h->block.type == IVHD_10 ? 24 : 40);
	const uint8_t *end = (const uint8_t *)h + h->block.length;
	struct range_state range = { 0 };

	if (ivrs.nr_iommus == IVRS_MAX_IOMMUS)
		boot_fail("IVRS: more than %u IOMMUs", IVRS_MAX_IOMMUS);
	ivrs.iommu[ivrs.nr_iommus++] = (struct ivrs_iommu){ .base = MPA(h->base),
							    .segment = h->segment,
							    .bdf = h->block.bdf,
							    .flags = h->block.flags };
	while (at + 4 <= end) {
		unsigned bytes = entry_bytes(at, (unsigned)(end - at));

		if (!bytes || bytes > end - at) {
			log_warn("IVRS: device entry of unknown type %#x; the rest is ignored\n",
				 at[0]);
			return;
		}
		parse_entry(h->segment, at, &range);
		at += bytes;
	}
}

static void parse_ivmd(const struct ivmd *m)
{
	if (ivrs.nr_unities == IVRS_MAX_UNITY)
		boot_fail("IVRS: more than %u memory blocks", IVRS_MAX_UNITY);
	ivrs.unity[ivrs.nr_unities++] = (struct ivrs_unity){ m->start, m->bytes };
}

/* The block after `previous` (NULL: the first); NULL after the last. */
static const struct block *next_block(const struct acpi_header *table, const struct block *previous)
{
	const uint8_t *end = (const uint8_t *)table + table->length;
	const uint8_t *at = previous ? (const uint8_t *)previous + previous->length
				     : (const uint8_t *)table + BLOCKS_OFFSET;
	const struct block *b = (const struct block *)at;

	if (at + sizeof(*b) > end || b->length < sizeof(struct ivhd) || b->length > end - at)
		return NULL;
	return b;
}

static bool is_described_better(const struct acpi_header *table, const struct block *block)
{
	const struct block *b = NULL;

	while ((b = next_block(table, b)))
		if (is_ivhd(b->type) && b->bdf == block->bdf && b->type > block->type &&
		    ((const struct ivhd *)b)->segment == ((const struct ivhd *)block)->segment)
			return true;
	return false;
}

bool ivrs_parse(void)
{
	const struct block *b = NULL;

	if (!acpi_ivrs)
		return false;
	while ((b = next_block(acpi_ivrs, b))) {
		if (is_ivhd(b->type) && !is_described_better(acpi_ivrs, b))
			parse_ivhd((const struct ivhd *)b);
		else if (b->type >= IVMD_ALL && b->type <= IVMD_RANGE &&
			 b->length >= sizeof(struct ivmd))
			parse_ivmd((const struct ivmd *)b);
	}
	if (!ivrs.nr_iommus)
		boot_fail("the ACPI table IVRS is damaged: no IOMMU can be used; iommu=off starts "
			  "without one");
	return true;
}
