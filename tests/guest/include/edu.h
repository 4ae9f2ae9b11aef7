/* QEMU's "edu" PCI device, which copies memory and raises interrupts on command, and the way to it. */
#ifndef TESTS_GUEST_EDU_H
#define TESTS_GUEST_EDU_H

#include "guest/guest.h"

#define EDU_ID     0x11e81234
#define EDU_BUFFER 0x40000
#define EDU_LENGTH 2048 /* it refuses its whole buffer of 4096 bytes */

enum {
	EDU_IRQ_STATUS = 0x24,
	EDU_IRQ_RAISE = 0x60,
	EDU_IRQ_ACK = 0x64,
	EDU_DMA_SOURCE = 0x80,
	EDU_DMA_DEST = 0x88,
	EDU_DMA_COUNT = 0x90,
	EDU_DMA_COMMAND = 0x98,
};
enum { EDU_DMA_START = 1, EDU_DMA_TO_MEMORY = 2 };

#define PCI_COMMAND        0x04
#define PCI_COMMAND_MEMORY 2u
#define PCI_COMMAND_MASTER 4u
#define PCI_BAR0           0x10
#define PCI_CAPABILITIES   0x34
#define PCI_CAP_MSI        5

struct edu {
	uint32_t devfn;
	uint64_t registers;
};

static inline uint32_t pci_read(uint32_t devfn, uint32_t reg)
{
	out32(0xcf8, 0x80000000 | devfn << 8 | (reg & ~3u));
	return in32(0xcfc);
}

static inline void pci_write(uint32_t devfn, uint32_t reg, uint32_t value)
{
	out32(0xcf8, 0x80000000 | devfn << 8 | (reg & ~3u));
	out32(0xcfc, value);
}

/* Ends the guest with SKIP where there is none. */
static inline struct edu edu_find(void)
{
	for (uint32_t devfn = 0; devfn < 256; devfn++) {
		uint64_t registers;

		if (pci_read(devfn, 0) != EDU_ID)
			continue;
		pci_write(devfn, PCI_COMMAND,
			  pci_read(devfn, PCI_COMMAND) | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
		registers = pci_read(devfn, PCI_BAR0) & ~0xfu;
		note("the device is at %02x.%u, its registers at %#lx", devfn >> 3, devfn & 7,
		     registers);
		return (struct edu){ devfn, registers };
	}
	test_skip("the machine has no edu device");
}

/* Copies between its buffer and memory; false when it does not end. */
static inline bool edu_dma(const struct edu *edu, uint64_t source, uint64_t dest, uint32_t command)
{
	mmio_write64(edu->registers + EDU_DMA_SOURCE, source);
	mmio_write64(edu->registers + EDU_DMA_DEST, dest);
	mmio_write64(edu->registers + EDU_DMA_COUNT, EDU_LENGTH);
	mmio_write64(edu->registers + EDU_DMA_COMMAND, command | EDU_DMA_START);
	return WAIT_UNTIL(!(mmio_read64(edu->registers + EDU_DMA_COMMAND) & EDU_DMA_START),
			  3000 * MS);
}

static inline bool edu_reads(const struct edu *edu, uint64_t address)
{
	return edu_dma(edu, address, EDU_BUFFER, 0);
}

static inline bool edu_writes(const struct edu *edu, uint64_t address)
{
	return edu_dma(edu, EDU_BUFFER, address, EDU_DMA_TO_MEMORY);
}

#endif
