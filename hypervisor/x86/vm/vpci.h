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

/* Scans the machine's buses. Boot CPU, once, before the service VM's memory is planned. */
void vpci_scan(void);
/* The lowest address at or above `from` that a memory BAR covers; UINT64_MAX: none. */
uint64_t vpci_next_bar(uint64_t from);

/* Gives d all devices: registers their ports and windows, maps the BARs that are on, attaches them to
 * d's IOMMU tables. -ENOMEM. */
must_check int vpci_create(struct domain *d);

/* The service VM has found a function, possibly one that was not there at boot. -ENODEV: nor is it
 * now; -ENOMEM. */
must_check int vpci_add_device(struct domain *d, uint16_t segment, uint16_t bdf);

#endif
