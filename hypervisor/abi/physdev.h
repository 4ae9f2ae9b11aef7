/*
 * physdev_op(cmd, arg): what the service VM tells about the PCI devices it finds.
 *
 * All structures are the same for 64-bit and 32-bit guests. Physical interrupts as event channels
 * (map_pirq and its family) are not part of what Lodge speaks: only their numbers are known.
 */
#ifndef LODGE_ABI_PHYSDEV_H
#define LODGE_ABI_PHYSDEV_H

#include "xen.h"

#define PHYSDEVOP_irq_status_query   5
#define PHYSDEVOP_set_iopl           6
#define PHYSDEVOP_set_iobitmap       7
#define PHYSDEVOP_apic_read          8
#define PHYSDEVOP_apic_write         9
#define PHYSDEVOP_alloc_irq_vector   10
#define PHYSDEVOP_free_irq_vector    11
#define PHYSDEVOP_eoi                12
#define PHYSDEVOP_map_pirq           13
#define PHYSDEVOP_unmap_pirq         14
#define PHYSDEVOP_manage_pci_add     15
#define PHYSDEVOP_manage_pci_remove  16
#define PHYSDEVOP_pirq_eoi_gmfn_v1   17
#define PHYSDEVOP_restore_msi        19
#define PHYSDEVOP_manage_pci_add_ext 20
#define PHYSDEVOP_setup_gsi          21
#define PHYSDEVOP_get_free_pirq      23
#define PHYSDEVOP_pci_mmcfg_reserved 24
#define PHYSDEVOP_pci_device_add     25
#define PHYSDEVOP_pci_device_remove  26
#define PHYSDEVOP_restore_msi_ext    27
#define PHYSDEVOP_pirq_eoi_gmfn_v2   28
#define PHYSDEVOP_dbgp_op            29
#define PHYSDEVOP_prepare_msix       30
#define PHYSDEVOP_release_msix       31

/* manage_pci_add, manage_pci_remove: segment 0 only. */
struct physdev_manage_pci {
	uint8_t bus;
	uint8_t devfn;
};

ABI_SIZE(struct physdev_manage_pci, 2);
ABI_OFFSET(struct physdev_manage_pci, bus, 0);
ABI_OFFSET(struct physdev_manage_pci, devfn, 1);

#define XEN_PCI_MMCFG_RESERVED 0x1U

/* A memory-mapped configuration window, and whether the firmware reserves it. */
struct physdev_pci_mmcfg_reserved {
	uint64_t address;
	uint16_t segment;
	uint8_t start_bus;
	uint8_t end_bus;
	uint32_t flags;
};

ABI_SIZE(struct physdev_pci_mmcfg_reserved, 16);
ABI_OFFSET(struct physdev_pci_mmcfg_reserved, address, 0);
ABI_OFFSET(struct physdev_pci_mmcfg_reserved, segment, 8);
ABI_OFFSET(struct physdev_pci_mmcfg_reserved, start_bus, 10);
ABI_OFFSET(struct physdev_pci_mmcfg_reserved, end_bus, 11);
ABI_OFFSET(struct physdev_pci_mmcfg_reserved, flags, 12);

#define XEN_PCI_DEV_EXTFN  0x1U
#define XEN_PCI_DEV_VIRTFN 0x2U /* physfn names the physical function */
#define XEN_PCI_DEV_PXM    0x4U /* optarr[0] is the proximity domain */

struct physdev_pci_device_add {
	uint16_t seg;
	uint8_t bus;
	uint8_t devfn;
	uint32_t flags; /* XEN_PCI_DEV_* */
	struct {
		uint8_t bus;
		uint8_t devfn;
	} physfn;
	uint16_t pad;
	uint32_t optarr[];
};

ABI_SIZE(struct physdev_pci_device_add, 12);
ABI_OFFSET(struct physdev_pci_device_add, seg, 0);
ABI_OFFSET(struct physdev_pci_device_add, bus, 2);
ABI_OFFSET(struct physdev_pci_device_add, devfn, 3);
ABI_OFFSET(struct physdev_pci_device_add, flags, 4);
ABI_OFFSET(struct physdev_pci_device_add, physfn, 8);
ABI_OFFSET(struct physdev_pci_device_add, physfn.bus, 8);
ABI_OFFSET(struct physdev_pci_device_add, physfn.devfn, 9);
ABI_OFFSET(struct physdev_pci_device_add, pad, 10);
ABI_OFFSET(struct physdev_pci_device_add, optarr, 12);

/* pci_device_remove, restore_msi_ext, prepare_msix, release_msix */
struct physdev_pci_device {
	uint16_t seg;
	uint8_t bus;
	uint8_t devfn;
};

ABI_SIZE(struct physdev_pci_device, 4);
ABI_OFFSET(struct physdev_pci_device, seg, 0);
ABI_OFFSET(struct physdev_pci_device, bus, 2);
ABI_OFFSET(struct physdev_pci_device, devfn, 3);

#endif /* LODGE_ABI_PHYSDEV_H */
