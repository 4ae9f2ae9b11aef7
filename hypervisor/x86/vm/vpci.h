/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The service VM's PCI configuration space: the machine's own, less what belongs to the hypervisor
 * (IOMMUs), through ports 0xcf8 and 0xcfc and through the memory-mapped windows of MCFG. Reads pass;
 * writes pass but where they would reach around the hypervisor: BARs are followed by identity
 * mappings, MSI and MSI-X are ours (msi.c).
 */
#ifndef LODGE_X86_VM_VPCI_H
#define LODGE_X86_VM_VPCI_H

#include "lodge/types.h"

struct domain;

/* Scans all buses, maps the BARs that are on, attaches the devices to the IOMMU. -ENOMEM. */
must_check int vpci_create(struct domain *d);

#endif
