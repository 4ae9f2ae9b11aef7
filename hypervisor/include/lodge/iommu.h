/* DMA translation. The tables are the physmap's own; what is left to do is to attach devices and to
 * flush. One implementation is chosen at boot; without an IOMMU iommu_ops is NULL. */
#ifndef LODGE_IOMMU_H
#define LODGE_IOMMU_H

#include "lodge/types.h"

struct domain;

struct iommu_ops {
	const char *name;
	/* From now on the device (segment, bus << 8 | devfn) reaches d's physmap and nothing else. */
	int (*attach)(struct domain *d, uint16_t segment, uint16_t bdf);
	/* Translations of [gfn, gfn + nr) are gone from the IOMMU when it returns. */
	void (*flush)(struct domain *d, gfn_t gfn, uint64_t nr_pages);
};

extern const struct iommu_ops *iommu_ops;

#endif
