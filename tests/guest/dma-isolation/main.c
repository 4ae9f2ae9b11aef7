/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device is told to read and write memory (QEMU's "edu" device, which copies on command). It sees the
 * guest's own memory at guest physical addresses, and nothing else: not the hypervisor, which lies at
 * machine address 2 MiB, and not what the guest has given back.
 */
#include "guest/guest.h"

const char test_title[] = "DMA reaches the guest's own memory and nothing else";

#define EDU_ID     0x11e81234
#define EDU_BUFFER 0x40000
#define LENGTH     2048       /* the device refuses its whole buffer */
#define HYPERVISOR 0x200000UL /* machine address */
#define SOON       (3000 * MS)

enum { DMA_SOURCE = 0x80, DMA_DEST = 0x88, DMA_COUNT = 0x90, DMA_COMMAND = 0x98 };
enum { DMA_START = 1, DMA_TO_MEMORY = 2 };

static uint64_t edu;

static uint32_t pci_read(uint32_t devfn, uint32_t reg)
{
	out32(0xcf8, 0x80000000 | devfn << 8 | reg);
	return in32(0xcfc);
}

static void pci_write(uint32_t devfn, uint32_t reg, uint32_t value)
{
	out32(0xcf8, 0x80000000 | devfn << 8 | reg);
	out32(0xcfc, value);
}

static bool find_edu(void)
{
	for (uint32_t devfn = 0; devfn < 256; devfn++) {
		if (pci_read(devfn, 0) != EDU_ID)
			continue;
		pci_write(devfn, 4, pci_read(devfn, 4) | 6); /* memory, bus master */
		edu = pci_read(devfn, 0x10) & ~0xfu;
		note("the device is at %02x.%u, its registers at %#lx", devfn >> 3, devfn & 7, edu);
		return true;
	}
	return false;
}

static bool dma(uint64_t source, uint64_t dest, uint32_t command)
{
	mmio_write64(edu + DMA_SOURCE, source);
	mmio_write64(edu + DMA_DEST, dest);
	mmio_write64(edu + DMA_COUNT, LENGTH);
	mmio_write64(edu + DMA_COMMAND, command | DMA_START);
	return WAIT_UNTIL(!(mmio_read64(edu + DMA_COMMAND) & DMA_START), SOON);
}

static bool device_reads(uint64_t address)
{
	return dma(address, EDU_BUFFER, 0);
}

static bool device_writes(uint64_t address)
{
	return dma(EDU_BUFFER, address, DMA_TO_MEMORY);
}

static bool is_all(const volatile uint8_t *page, uint8_t value)
{
	for (unsigned int i = 0; i < LENGTH; i++) {
		if (page[i] != value)
			return false;
	}
	return true;
}

static void check_own_memory(uint8_t *from, uint8_t *to)
{
	memset(from, 0x5a, PAGE_SIZE);
	check(device_reads((uintptr_t)from), "the device reads a page of the guest");
	check(device_writes((uintptr_t)to), "and writes it to another");
	check(is_all(to, 0x5a), "which then has the contents");
}

/* What lies at 2 MiB for the guest and for its devices is the guest's page, not the hypervisor. */
static void check_same_address(uint8_t *to)
{
	uint8_t *own = (uint8_t *)HYPERVISOR;

	memset(own, 0x3c, PAGE_SIZE);
	device_reads(HYPERVISOR);
	device_writes((uintptr_t)to);
	check(is_all(to, 0x3c), "DMA from address 2 MiB reads the guest's page there");
	memset(to, 0x66, PAGE_SIZE);
	device_reads((uintptr_t)to);
	device_writes(HYPERVISOR);
	check(is_all(own, 0x66), "DMA to address 2 MiB writes the guest's page there");
}

static bool give_back(uint64_t gfn, unsigned int cmd)
{
	struct xen_memory_reservation r = { .extent_start = (uintptr_t)&gfn,
					    .nr_extents = 1,
					    .domid = DOMID_SELF };

	return memory_op(cmd, &r) == 1;
}

/* The page at 2 MiB is given back: now the address means nothing to guest and devices. */
static void check_nothing(uint8_t *to)
{
	uint8_t *own = (uint8_t *)HYPERVISOR;
	uint8_t seen;

	if (!give_back(gfn_of(own), XENMEM_decrease_reservation))
		test_error("cannot give back the page at 2 MiB");
	memset(to, 0x77, PAGE_SIZE);
	device_reads((uintptr_t)to);
	device_reads(HYPERVISOR);
	device_writes((uintptr_t)to);
	seen = *to;
	check(is_all(to, seen) && (seen == 0x77 || seen == 0 || seen == 0xff),
	      "DMA from where nothing is brings nothing (%#x)", seen);
	memset(to, 0x99, PAGE_SIZE);
	device_reads((uintptr_t)to);
	device_writes(HYPERVISOR);
	check(give_back(gfn_of(own), XENMEM_populate_physmap), "the page can be taken again");
	check(!is_all(own, 0x99), "DMA to where nothing was has gone nowhere");
	device_writes(0xfffff000);
	check(true, "nor has DMA to the end of the 32-bit space");
}

/* A page granted for reading can be read by devices, too, and not written. */
static void check_readonly_grant(uint8_t *page, uint8_t *to)
{
	struct gnttab_map_grant_ref op = { .host_addr = (uintptr_t)hole_alloc(),
					   .flags = GNTMAP_host_map | GNTMAP_readonly,
					   .ref = 20,
					   .dom = own_domid() };

	memset(page, 0x21, PAGE_SIZE);
	grant_init(1);
	grant_allow(op.ref, op.dom, page, GTF_readonly);
	grant_table_op(GNTTABOP_map_grant_ref, &op, 1);
	check_err(op.status, GNTST_okay, "a read-only grant is mapped");
	memset(to, 0x43, PAGE_SIZE);
	device_reads((uintptr_t)to);
	device_writes(op.host_addr);
	check(is_all((uint8_t *)op.host_addr, 0x21), "the device cannot write it");
	device_reads(op.host_addr);
	device_writes((uintptr_t)to);
	check(is_all(to, 0x21), "but read it");
}

void test_main(void)
{
	uint8_t *from = page_alloc(), *to = page_alloc();

	event_init(EVENT_PER_VCPU_VECTOR);
	if (!find_edu())
		test_skip("the machine has no edu device");
	check_own_memory(from, to);
	check_same_address(to);
	check_nothing(to);
	check_own_memory(from, to);
	check_readonly_grant(page_alloc(), to);
}
