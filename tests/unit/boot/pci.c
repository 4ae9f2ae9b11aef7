/* x86/pci.c: machines with several segments. */
#include "unit.h"

#include "arch-inline.h"
#include "fake-arch.h"
#include "x86/acpi.h"
#include "x86/paging.h"
#include "x86/pci.h"

#define WINDOWS   0x10000000ull
#define BUS_BYTES 0x100000ull

struct acpi_mcfg acpi_mcfg[ACPI_MAX_MCFG];
unsigned nr_acpi_mcfg;

static unsigned nr_mappings;

void *map_mmio(mpa_t a, uint64_t bytes)
{
	(void)bytes;
	nr_mappings++;
	return mpa_to_ptr(a);
}

static void setup(void)
{
	fake_reset();
	nr_mappings = 0;
	nr_acpi_mcfg = 4;
	for (unsigned i = 0; i < nr_acpi_mcfg; i++)
		acpi_mcfg[i] = (struct acpi_mcfg){ .base = MPA(WINDOWS + i * 256 * BUS_BYTES),
						   .segment = (uint16_t)i,
						   .first_bus = (uint8_t)i,
						   .last_bus = 255 };
}

static void teardown(void)
{
}

START_TEST(other_segments_take_one_mapping_each)
{
	pci_init();
	ck_assert_uint_eq(nr_mappings, 3);
}
END_TEST

START_TEST(functions_of_other_segments_can_be_read_before_the_first_scan)
{
	uint8_t *function = mpa_to_ptr(MPA(acpi_mcfg[2].base.a + 3 * BUS_BYTES + 8 * PAGE_SIZE));

	function[PCI_STATUS] = PCI_STATUS_CAPS;
	function[PCI_CAPABILITY] = 0x40;
	function[0x40] = PCI_CAP_MSI;
	pci_init();
	ck_assert_uint_eq(pci_find_capability(2, 3 << 8 | 8, PCI_CAP_MSI), 0x40);
	ck_assert_uint_eq(pci_read(2, 1 << 8, PCI_VENDOR, 4),
			  UINT32_MAX); /* before its first bus */
}
END_TEST

UNIT_MAIN("pci", setup, teardown, other_segments_take_one_mapping_each,
	  functions_of_other_segments_can_be_read_before_the_first_scan)
