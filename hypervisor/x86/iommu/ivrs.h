/* The ACPI table IVRS: which AMD IOMMUs there are, and what is behind each. Read once at boot. */
#ifndef LODGE_X86_IOMMU_IVRS_H
#define LODGE_X86_IOMMU_IVRS_H

#include "lodge/types.h"

#define IVRS_MAX_IOMMUS  32u
#define IVRS_MAX_IOAPICS 16u
#define IVRS_MAX_ALIASES 64u
#define IVRS_MAX_UNITY   32u

#define IVHD_FLAG_HT_TUNNEL  0x1u
#define IVHD_FLAG_PASS_PW    0x2u
#define IVHD_FLAG_RES_PASSPW 0x4u
#define IVHD_FLAG_ISOC       0x8u

struct ivrs_iommu {
	mpa_t base; /* of its registers */
	uint16_t segment, bdf;
	uint8_t flags; /* IVHD_FLAG_* */
};

struct ivrs_ioapic {
	uint16_t segment, bdf; /* by which it sends */
	uint8_t id;
};

struct ivrs_alias { /* devices first … last send with the id `bdf` */
	uint16_t segment, first, last, bdf;
};

struct ivrs_unity { /* firmware has devices work there: to be mapped one to one */
	uint64_t start, bytes;
};

struct ivrs {
	struct ivrs_iommu iommu[IVRS_MAX_IOMMUS];
	struct ivrs_ioapic ioapic[IVRS_MAX_IOAPICS];
	struct ivrs_alias alias[IVRS_MAX_ALIASES];
	struct ivrs_unity unity[IVRS_MAX_UNITY];
	unsigned nr_iommus, nr_ioapics, nr_aliases, nr_unities;
	uint16_t last_bdf; /* highest that any IOMMU translates */
};

extern struct ivrs ivrs;

/* False when the machine has no such table. */
bool ivrs_parse(void);

#endif
