/*
 * The machine's PCI configuration space: through the windows of MCFG, and through ports for the first
 * 256 bytes of segment 0 where there is no window. A function is named by segment and bdf: bus << 8 | device << 3 |
 * function. What is not there reads as all ones.
 * Locking: the port pair has a lock (LOCK_RANK_IOAPIC); otherwise none.
 */
#ifndef LODGE_X86_PCI_H
#define LODGE_X86_PCI_H

#include "lodge/types.h"

#define PCI_VENDOR      0x00u
#define PCI_COMMAND     0x04u
#define PCI_STATUS      0x06u
#define PCI_CLASS       0x08u /* revision, interface, subclass, class */
#define PCI_HEADER_TYPE 0x0eu
#define PCI_BAR0        0x10u
#define PCI_ROM         0x30u
#define PCI_ROM_BRIDGE  0x38u
#define PCI_CAPABILITY  0x34u

#define PCI_COMMAND_IO     0x1u
#define PCI_COMMAND_MEMORY 0x2u
#define PCI_COMMAND_MASTER 0x4u
#define PCI_STATUS_CAPS    0x10u
#define PCI_HEADER_MULTI   0x80u

#define PCI_CAP_MSI    0x05u
#define PCI_CAP_SECURE 0x0fu /* AMD's IOMMU, among others */
#define PCI_CAP_MSIX   0x11u

#define PCI_CLASS_HOST_BRIDGE 0x0600u
#define PCI_CLASS_IOMMU       0x0806u

/* Makes the segments that no port reaches accessible: all but 0. Boot CPU. */
void pci_init(void);
/* size is 1, 2 or 4 and reg a multiple of it. */
uint32_t pci_read(uint16_t segment, uint16_t bdf, unsigned reg, unsigned size);
void pci_write(uint16_t segment, uint16_t bdf, unsigned reg, unsigned size, uint32_t value);
/* After the first scan: whether bus 0 has a window, so that the ports are not needed any more. */
bool pci_has_windows(void);
/* Offset of a capability in the first 256 bytes; 0: the function does not have it. */
unsigned pci_find_capability(uint16_t segment, uint16_t bdf, uint8_t id);
/* Calls fn for each function there is. The first call also maps the windows of segment 0 that are
 * needed: boot CPU. */
void pci_scan(void (*fn)(uint16_t segment, uint16_t bdf));

#endif
