/* PCI configuration: what the initial domain sees of it, and what moving a device's registers gives it. */
#include "guest/guest.h"
#include "edu.h"

const char test_title[] = "PCI configuration shows devices and opens no way to foreign memory";

static struct edu edu;

static void check_hidden(void)
{
	uint32_t iommus = 0, devices = 0;

	for (uint32_t devfn = 0; devfn < 256; devfn++) {
		if (pci_read(devfn, 0) == 0xffffffff)
			continue;
		devices++;
		iommus += pci_read(devfn, 8) >> 16 == 0x0806;
	}
	check(devices >= 3, "%u functions are seen on bus 0", devices);
	/* Xen shows it. */
	check_eq(iommus, 0, "the IOMMU is not among them");
	check_eq(pci_read(0x1e << 3 | 7, 0), 0xffffffff, "an empty place reads as all ones");
}

/* The two registers of mechanism 1 in every width and position. */
#define HOST_BRIDGE 0u
#define PCIEXBAR    0x60u /* of QEMU's: where the memory window of configuration space is */

static void check_host_bridge(void)
{
	uint32_t before = pci_read(HOST_BRIDGE, PCIEXBAR);

	check(before & 1, "the memory window of configuration space is open");
	pci_write(HOST_BRIDGE, PCIEXBAR, before ^ 0x10000000);
	check_eq(pci_read(HOST_BRIDGE, PCIEXBAR), before, "and cannot be moved");
}

static void check_widths(void)
{
	uint32_t id;

	out32(0xcf8, 0x80000000 | edu.devfn << 8);
	id = in32(0xcfc);
	check_eq(id, EDU_ID, "4 bytes");
	check_eq(in32(0xcf8), 0x80000000 | edu.devfn << 8, "the address reads back");
	check_eq(in16(0xcfc), id & 0xffff, "2 bytes, low");
	check_eq(in16(0xcfe), id >> 16, "2 bytes, high");
	for (uint16_t i = 0; i < 4; i++)
		check_eq(in8((uint16_t)(0xcfc + i)), id >> 8 * i & 0xff, "byte %u", i);
	out32(0xcf8, edu.devfn << 8);
	check_eq(in32(0xcfc), 0xffffffff, "without the enable bit: all ones");
}

static void check_sizing(void)
{
	uint32_t bar = pci_read(edu.devfn, PCI_BAR0);
	uint32_t command = pci_read(edu.devfn, PCI_COMMAND);

	pci_write(edu.devfn, PCI_COMMAND, command & ~PCI_COMMAND_MEMORY);
	pci_write(edu.devfn, PCI_BAR0, ~0u);
	check_eq(pci_read(edu.devfn, PCI_BAR0), 0xfff00000,
		 "the size of its registers can be asked");
	pci_write(edu.devfn, PCI_BAR0, bar);
	pci_write(edu.devfn, PCI_COMMAND, command);
	check_eq(mmio_read32(edu.registers) & 0xff, 0xed, "and they are there again afterwards");
}

static void move_registers(uint32_t to)
{
	uint32_t command = pci_read(edu.devfn, PCI_COMMAND);

	pci_write(edu.devfn, PCI_COMMAND, command & ~PCI_COMMAND_MEMORY);
	pci_write(edu.devfn, PCI_BAR0, to);
	pci_write(edu.devfn, PCI_COMMAND, command | PCI_COMMAND_MEMORY);
}

static void check_move(void)
{
	uint32_t new = 0xe0000000;

	move_registers(new);
	check_eq(mmio_read32(new) & 0xff, 0xed, "registers can be moved within the PCI window");
	move_registers((uint32_t)edu.registers);
	check_eq(mmio_read32(edu.registers) & 0xff, 0xed, "and back");
}

static uint64_t sum(const volatile uint32_t *page)
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < PAGE_SIZE / 4; i++)
		total += page[i];
	return total;
}

/*
 * Registers "moved" to the machine addresses of the hypervisor's image, of RAM, and of registers that are
 * its own: these must not appear in the guest because of it.
 */
static void check_hostile_moves(void)
{
	static const struct {
		uint32_t to;
		const char *name;
	} rows[] = {
		{ 0x00200000, "the hypervisor's image" }, { 0x00100000, "RAM at 1 MiB" },
		{ 0x3f000000, "RAM near its end" },       { 0xfed00000, "the HPET and the IOMMU" },
		{ 0xfee00000, "the local APIC" },         { 0xfec00000, "the IO-APIC" },
	};
	uint32_t *own = (uint32_t *)0x200000;
	uint64_t before;

	for (unsigned int i = 0; i < PAGE_SIZE / 4; i++)
		own[i] = 0x11111111 * (i & 7);
	before = sum(own);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t apic = apic_is_x2apic() ? 0 : apic_read(APIC_VERSION);

		move_registers(rows[i].to);
		check(sum(own) == before && mmio_read32(0xfed00000) == 0xffffffff &&
			      mmio_read32(0xfed80000) == 0xffffffff &&
			      (apic_is_x2apic() || apic_read(APIC_VERSION) == apic),
		      "registers moved to %s show nothing there", rows[i].name);
		own[0]++;
		before++;
		move_registers((uint32_t)edu.registers);
	}
	check(sum(own) == before, "the guest's own page at 2 MiB is its own throughout");
	check_eq(mmio_read32(edu.registers) & 0xff, 0xed, "the device is back and works");
}

void test_main(void)
{
	event_init(EVENT_PER_VCPU_VECTOR);
	edu = edu_find();
	check_hidden();
	check_host_bridge();
	check_widths();
	check_sizing();
	check_move();
	check_hostile_moves();
}
