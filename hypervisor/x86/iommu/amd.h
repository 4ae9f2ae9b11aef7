/*
 * AMD's IOMMU (AMD-Vi), after the public specification 48882: DMA translation by the domains' nested
 * page tables, interrupt remapping. Sets iommu_ops and irq_remap where the machine has it.
 */
#ifndef LODGE_X86_IOMMU_AMD_H
#define LODGE_X86_IOMMU_AMD_H

#include <stdbool.h>

/* Finds the IOMMUs by the ACPI table IVRS and turns them on, every device blocked. False: there are
 * none, or iommu=off. Boot CPU, once, after irq_init(). */
bool amd_iommu_init(void);

#endif
