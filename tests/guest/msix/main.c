/* The pages with a device's MSI-X table, which the hypervisor accesses for the guest: where they are the
 * device's, and where the guest says that they are. */
#include "guest/guest.h"
#include "edu.h"

const char test_title[] = "a device's MSI-X table can be moved, but not over foreign memory";

/* QEMU's e1000e: the table is at the start of BAR 3, the pending bits follow at 0x2000. */
#define E1000E_ID    0x10d38086
#define TABLE_BAR    (PCI_BAR0 + 3 * 4)
#define ENTRY_BYTES  16
#define BEHIND_TABLE 0x800 /* in its page */
#define PATTERN      0x600d5eed

static uint32_t find_device(void)
{
	for (uint32_t devfn = 0; devfn < 256; devfn++)
		if (pci_read(devfn, 0) == E1000E_ID)
			return devfn;
	return ~0u;
}

static void move_table(uint32_t devfn, uint32_t to)
{
	uint32_t command = pci_read(devfn, PCI_COMMAND);

	pci_write(devfn, PCI_COMMAND, command & ~PCI_COMMAND_MEMORY);
	pci_write(devfn, TABLE_BAR, to);
	pci_write(devfn, PCI_COMMAND, command | PCI_COMMAND_MEMORY);
}

/* The table's words are ours to write; what is behind them is the device's. */
static void check_table(uint64_t at)
{
	mmio_write32(at + ENTRY_BYTES, PATTERN & ~3u);
	check_eq(mmio_read32(at + ENTRY_BYTES), PATTERN & ~3u, "an entry keeps its address");
	mmio_write32(at + ENTRY_BYTES, 0);
}

static void check_foreign(uint32_t devfn, uint32_t at, const char *what)
{
	move_table(devfn, at);
	mmio_write32(at + BEHIND_TABLE, PATTERN);
	check_eq(mmio_read32(at + BEHIND_TABLE), 0xffffffff, "%s is not reached behind the table",
		 what);
}

void test_main(void)
{
	uint32_t devfn = find_device(), home;

	if (devfn == ~0u)
		test_skip("the machine has no e1000e");
	home = pci_read(devfn, TABLE_BAR) & ~0xfu;
	check_table(home);
	check_foreign(devfn, 0x30000000, "RAM that is not this domain's");
	check_foreign(devfn, 0xfed80000, "the IOMMU");
	move_table(devfn, home);
	check_table(home);
}
