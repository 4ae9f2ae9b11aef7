/* Access to the machine's PCI configuration space, and the search for what is there. */
#include "x86/pci.h"

#include "lodge/spinlock.h"
#include "x86/acpi.h"
#include "x86/cpu.h"
#include "x86/paging.h"

#define PORT_ADDRESS   0xcf8u
#define PORT_DATA      0xcfcu
#define ADDRESS_ENABLE (1u << 31)
#define WINDOW_BYTES   0x100000ull /* of one bus */
#define MAX_CAPS       48u         /* more means a loop */

static struct spinlock port_lock = SPINLOCK(LOCK_RANK_IOAPIC);
/* By MCFG entry and bus; NULL where nothing was found on a bus of segment 0. Constant after the first scan. */
static uint8_t *window[ACPI_MAX_MCFG][256];

static bool find_window(uint16_t segment, uint16_t bdf, unsigned *ret_mcfg)
{
	unsigned bus = bdf >> 8;

	for (unsigned i = 0; i < nr_acpi_mcfg; i++)
		if (acpi_mcfg[i].segment == segment && bus >= acpi_mcfg[i].first_bus &&
		    bus <= acpi_mcfg[i].last_bus) {
			*ret_mcfg = i;
			return true;
		}
	return false;
}

static void map_window(uint16_t segment, uint16_t bdf)
{
	unsigned bus = bdf >> 8, i;

	if (find_window(segment, bdf, &i) && !window[i][bus])
		window[i][bus] =
			map_mmio(MPA(acpi_mcfg[i].base.a + bus * WINDOW_BYTES), WINDOW_BYTES);
}

static volatile void *window_address(uint16_t segment, uint16_t bdf, unsigned reg)
{
	unsigned i;

	if (!find_window(segment, bdf, &i) || !window[i][bdf >> 8])
		return NULL;
	return window[i][bdf >> 8] + (bdf & 0xffu) * PAGE_SIZE + reg;
}

/* Only where there is no window: the service VM may hold the address port, see pci_has_windows(). */
static bool is_by_port(uint16_t segment, uint16_t bdf, unsigned reg)
{
	return segment == 0 && reg < 256 && !window_address(segment, bdf, reg);
}

bool pci_has_windows(void)
{
	return window_address(0, 0, 0) != NULL;
}

/* Returns what was selected before. */
static uint32_t select(uint16_t bdf, unsigned reg)
{
	uint32_t old = inl(PORT_ADDRESS);

	outl(PORT_ADDRESS, ADDRESS_ENABLE | (uint32_t)bdf << 8 | (reg & 0xfc));
	return old;
}

static uint32_t port_read(uint16_t bdf, unsigned reg, unsigned size)
{
	uint16_t port = (uint16_t)(PORT_DATA + (reg & 3));
	uint32_t value, old;

	spin_lock(&port_lock);
	old = select(bdf, reg);
	value = io_in(port, size);
	outl(PORT_ADDRESS, old);
	spin_unlock(&port_lock);
	return value;
}

uint32_t pci_read(uint16_t segment, uint16_t bdf, unsigned reg, unsigned size)
{
	volatile void *at;

	if (is_by_port(segment, bdf, reg))
		return port_read(bdf, reg, size);
	at = window_address(segment, bdf, reg);
	if (!at)
		return UINT32_MAX;
	if (size == 1)
		return *(volatile uint8_t *)at;
	return size == 2 ? *(volatile uint16_t *)at : *(volatile uint32_t *)at;
}

static void port_write(uint16_t bdf, unsigned reg, unsigned size, uint32_t value)
{
	uint16_t port = (uint16_t)(PORT_DATA + (reg & 3));
	uint32_t old;

	spin_lock(&port_lock);
	old = select(bdf, reg);
	io_out(port, size, value);
	outl(PORT_ADDRESS, old);
	spin_unlock(&port_lock);
}

void pci_write(uint16_t segment, uint16_t bdf, unsigned reg, unsigned size, uint32_t value)
{
	volatile void *at;

	if (is_by_port(segment, bdf, reg)) {
		port_write(bdf, reg, size, value);
		return;
	}
	at = window_address(segment, bdf, reg);
	if (!at)
		return;
	if (size == 1)
		*(volatile uint8_t *)at = (uint8_t)value;
	else if (size == 2)
		*(volatile uint16_t *)at = (uint16_t)value;
	else
		*(volatile uint32_t *)at = value;
}

unsigned pci_find_capability(uint16_t segment, uint16_t bdf, uint8_t id)
{
	unsigned at;

	if (!(pci_read(segment, bdf, PCI_STATUS, 2) & PCI_STATUS_CAPS))
		return 0;
	at = pci_read(segment, bdf, PCI_CAPABILITY, 1) & 0xfc;
	for (unsigned i = 0; at >= 0x40 && i < MAX_CAPS; i++) {
		if (pci_read(segment, bdf, at, 1) == id)
			return at;
		at = pci_read(segment, bdf, at + 1, 1) & 0xfc;
	}
	return 0;
}

static bool is_there(uint16_t segment, uint16_t bdf)
{
	return (pci_read(segment, bdf, PCI_VENDOR, 4) & 0xffff) != 0xffff;
}

static void scan_device(uint16_t segment, uint16_t bdf, void (*fn)(uint16_t, uint16_t))
{
	unsigned nr;

	if (!is_there(segment, bdf))
		return;
	map_window(segment, bdf);
	nr = pci_read(segment, bdf, PCI_HEADER_TYPE, 1) & PCI_HEADER_MULTI ? 8 : 1;
	for (unsigned function = 0; function < nr; function++)
		if (!function || is_there(segment, (uint16_t)(bdf + function)))
			fn(segment, (uint16_t)(bdf + function));
}

static void scan_buses(uint16_t segment, unsigned first, unsigned last,
		       void (*fn)(uint16_t, uint16_t))
{
	for (unsigned bus = first; bus <= last; bus++)
		for (unsigned device = 0; device < 32; device++)
			scan_device(segment, (uint16_t)(bus << 8 | device << 3), fn);
}

/* All buses of an entry at once: one by one they would use up what map_mmio() can remember. */
static void map_entry(unsigned i)
{
	const struct acpi_mcfg *m = &acpi_mcfg[i];
	unsigned nr = m->last_bus - m->first_bus + 1u;
	uint8_t *at = map_mmio(MPA(m->base.a + m->first_bus * WINDOW_BYTES), nr * WINDOW_BYTES);

	for (unsigned bus = 0; at && bus < nr; bus++)
		window[i][m->first_bus + bus] = at + bus * WINDOW_BYTES;
}

void pci_init(void)
{
	for (unsigned i = 0; i < nr_acpi_mcfg; i++)
		if (acpi_mcfg[i].segment)
			map_entry(i);
}

void pci_scan(void (*fn)(uint16_t segment, uint16_t bdf))
{
	scan_buses(0, 0, 255, fn);
	for (unsigned i = 0; i < nr_acpi_mcfg; i++)
		if (acpi_mcfg[i].segment)
			scan_buses(acpi_mcfg[i].segment, acpi_mcfg[i].first_bus,
				   acpi_mcfg[i].last_bus, fn);
}
