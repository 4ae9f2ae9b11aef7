/* What vpci.c (configuration space, BARs) and msi.c (message interrupts) share. Nobody else includes
 * it. */
#ifndef LODGE_X86_VM_VPCI_INTERNAL_H
#define LODGE_X86_VM_VPCI_INTERNAL_H

#include "lodge/spinlock.h"
#include "x86/pci.h"
#include "x86/vm/vpci.h"

#define VPCI_NR_BARS 6u
#define VPCI_ROM     VPCI_NR_BARS /* index of the ROM's among the BARs */

struct vmsi;  /* msi.c */
struct vmsix; /* msi.c */

struct vpci_bar {
	uint64_t bytes;  /* 0: none, or I/O ports; constant */
	uint64_t mapped; /* where it is mapped for the service VM; 0: nowhere */
	bool is_64bit;   /* takes the next register too */
};

/* One PCI function. Never freed: interrupts may be on their way. */
struct vpci_device {
	struct vpci_device *next; /* in its hash bucket */
	struct domain *domain;    /* whose it is */
	uint16_t segment, bdf;
	bool is_hidden; /* the hypervisor's own */
	bool is_fixed;  /* cannot be written */
	uint8_t rom_register;
	struct vpci_bar bar[VPCI_NR_BARS + 1]; /* vpci_lock */
	unsigned first_index;                  /* of its interrupts, for the IOMMU; constant */
	struct vmsi *msi;                      /* NULL: cannot */
	struct vmsix *msix;
};

/* All state of all devices; rank DEVICE. Configuration space is not where speed matters. */
extern struct spinlock vpci_lock;

/* Address of a memory BAR as it is now, 0 when it is off. */
uint64_t vpci_bar_address(const struct vpci_device *dev, unsigned i);

/* Finds the MSI and MSI-X capabilities. -ENOMEM. */
must_check int msi_create(struct vpci_device *dev);
/* Is the aligned double word at `reg` part of a capability that msi.c emulates? */
bool msi_owns(const struct vpci_device *dev, unsigned reg);
/* vpci_lock held. */
uint32_t msi_read(struct vpci_device *dev, unsigned reg);
void msi_write(struct vpci_device *dev, unsigned reg, uint32_t value);

/* The pages that hold the MSI-X table when BAR number `bar` is at `address`; false: it has none. */
bool msix_table_pages(const struct vpci_device *dev, unsigned bar, uint64_t address,
		      uint64_t *ret_start, uint64_t *ret_end);
/* dev->msix: the BAR with the table is at `address` now; 0: gone. vpci_lock held. -ENOMEM, -EEXIST. */
must_check int msix_table_moved(struct vpci_device *dev, uint64_t address);

#endif
