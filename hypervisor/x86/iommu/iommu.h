/* Options that all IOMMU drivers obey: iommu=off,force,verbose,no-intremap. */
#ifndef LODGE_X86_IOMMU_IOMMU_H
#define LODGE_X86_IOMMU_IOMMU_H

#include <stdbool.h>

extern bool iommu_verbose; /* tell what is found and which device goes where */
extern bool iommu_intremap;

#endif
