/*
 * The service VM's view of PCI configuration space. Every access is trapped; nearly all are passed on.
 * What is not: functions of the hypervisor (they read as absent), writes to host bridges (whose registers
 * decide where the windows of MCFG, memory and the CPUs' own registers are), and what msi.c emulates. What is
 * looked at after it has been passed on: the command register and the BARs, which decide where device
 * memory is mapped for the guest: at the machine's address, except for pages with MSI-X tables.
 *
 * A mapping stays when a device's memory is merely switched off, because its address still belongs to
 * the device; it goes when the BAR moves.
 *
 * It does not do: hiding parts of a function.
 */
#include "x86/vm/vpci-internal.h"

#include "abi/errno.h"
#include "lodge/alloc.h"
#include "lodge/arch.h"
#include "lodge/domain.h"
#include "lodge/iommu.h"
#include "lodge/log.h"
#include "x86/acpi.h"
#include "x86/cpu.h"
#include "x86/vm/service-vm.h"
#include "x86/vm/vm.h"

#define PORT_ADDRESS 0xcf8u
#define PORT_RESET   0xcf9u
#define PORT_DATA    0xcfcu
#define NR_PORTS     8u
#define RESET_CPU    0x4u /* in PORT_RESET */

#define BAR_IO        0x1u
#define BAR_TYPE_MASK 0x6u
#define BAR_TYPE_64   0x4u
#define ROM_ENABLE    0x1u

#define NR_BUCKETS 64u

/* Of the domain that has the devices. Linux looks for old bridges through the ports, with 25000 pairs
 * of accesses, so the address port is the machine's own where the hypervisor does not need it. */
struct vpci {
	bool address_passes;
	uint32_t address; /* port 0xcf8 otherwise; as racy between vCPUs as in hardware */
};

struct spinlock vpci_lock = SPINLOCK(LOCK_RANK_DEVICE);
static struct vpci_device *bucket[NR_BUCKETS]; /* vpci_lock after boot; only ever grows */

static struct vpci_device **bucket_of(uint16_t segment, uint16_t bdf)
{
	return &bucket[(bdf ^ bdf >> 6 ^ segment) % NR_BUCKETS];
}

static struct vpci_device *find(uint16_t segment, uint16_t bdf)
{
	struct vpci_device *dev = *bucket_of(segment, bdf);

	while (dev && (dev->bdf != bdf || dev->segment != segment))
		dev = dev->next;
	return dev;
}

/* Reads and writes of the machine. */

static uint32_t hw_read(const struct vpci_device *dev, unsigned reg, unsigned size)
{
	return pci_read(dev->segment, dev->bdf, reg, size);
}

static void hw_write(const struct vpci_device *dev, unsigned reg, unsigned size, uint32_t value)
{
	pci_write(dev->segment, dev->bdf, reg, size, value);
}

/* BARs. */

static unsigned bar_register(const struct vpci_device *dev, unsigned i)
{
	return i == VPCI_ROM ? dev->rom_register : PCI_BAR0 + 4 * i;
}

static uint32_t address_mask(unsigned i)
{
	return i == VPCI_ROM ? 0xfffff800 : 0xfffffff0;
}

uint64_t vpci_bar_address(const struct vpci_device *dev, unsigned i)
{
	unsigned reg = bar_register(dev, i);
	uint32_t low;
	uint64_t high = 0;

	if (!dev->bar[i].bytes || !(hw_read(dev, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY))
		return 0;
	low = hw_read(dev, reg, 4);
	if (i == VPCI_ROM && !(low & ROM_ENABLE))
		return 0;
	if (dev->bar[i].is_64bit)
		high = hw_read(dev, reg + 4, 4);
	return high << 32 | (low & address_mask(i));
}

/* Decoding is off: finds out how large a BAR is, by the bits that can be set in it. */
static void size_bar(struct vpci_device *dev, unsigned i)
{
	unsigned reg = bar_register(dev, i);
	uint32_t low = hw_read(dev, reg, 4), high = 0;
	uint64_t mask;

	if (i != VPCI_ROM && (low & BAR_IO))
		return;
	dev->bar[i].is_64bit =
		i != VPCI_ROM && (low & BAR_TYPE_MASK) == BAR_TYPE_64 && i + 1 < VPCI_NR_BARS;
	hw_write(dev, reg, 4, i == VPCI_ROM ? address_mask(i) : UINT32_MAX);
	mask = hw_read(dev, reg, 4) & address_mask(i);
	hw_write(dev, reg, 4, low);
	if (dev->bar[i].is_64bit) {
		high = hw_read(dev, reg + 4, 4);
		hw_write(dev, reg + 4, 4, UINT32_MAX);
		mask |= (uint64_t)hw_read(dev, reg + 4, 4) << 32;
		hw_write(dev, reg + 4, 4, high);
	} else if (mask) {
		mask |= ~(uint64_t)UINT32_MAX;
	}
	dev->bar[i].bytes = mask ? ~mask + 1 : 0;
}

static void size_bars(struct vpci_device *dev)
{
	uint8_t type = hw_read(dev, PCI_HEADER_TYPE, 1) & 0x7f;
	unsigned nr = type == 0 ? VPCI_NR_BARS : type == 1 ? 2 : 0;
	uint32_t command = hw_read(dev, PCI_COMMAND, 2);

	dev->rom_register = type == 1 ? PCI_ROM_BRIDGE : PCI_ROM;
	hw_write(dev, PCI_COMMAND, 2, command & ~(PCI_COMMAND_MEMORY | PCI_COMMAND_IO));
	for (unsigned i = 0; i < nr; i++) {
		size_bar(dev, i);
		if (dev->bar[i].is_64bit)
			i++;
	}
	if (nr)
		size_bar(dev, VPCI_ROM);
	hw_write(dev, PCI_COMMAND, 2, command);
}

static int map_bar(struct vpci_device *dev, unsigned i, uint64_t at)
{
	uint64_t end = at + dev->bar[i].bytes, table, table_end;
	int err;

	if (!msix_table_pages(dev, i, at, &table, &table_end))
		return service_vm_map_identity(dev->domain, at, end - at);
	err = msix_table_moved(dev, at);
	if (!err && at < table)
		err = service_vm_map_identity(dev->domain, at, table - at);
	if (!err && table_end < end)
		err = service_vm_map_identity(dev->domain, table_end, end - table_end);
	return err;
}

/* Makes the mapping of a BAR follow its register. */
static int update_bar(struct vpci_device *dev, unsigned i)
{
	struct vpci_bar *bar = &dev->bar[i];
	uint64_t at = vpci_bar_address(dev, i);
	int err;

	if (!at || at == bar->mapped)
		return 0;
	if (bar->mapped)
		service_vm_unmap_identity(dev->domain, bar->mapped, bar->bytes);
	err = map_bar(dev, i, at);
	bar->mapped = at;
	return err;
}

static int update_bars(struct vpci_device *dev)
{
	int err = 0;

	for (unsigned i = 0; i <= VPCI_ROM && !err; i++)
		err = update_bar(dev, i);
	return err;
}

static bool is_bar_register(const struct vpci_device *dev, unsigned reg)
{
	unsigned type = hw_read(dev, PCI_HEADER_TYPE, 1) & 0x7f;
	unsigned end = PCI_BAR0 + (type == 0 ? 4 * VPCI_NR_BARS : type == 1 ? 8 : 0);

	return (reg >= PCI_BAR0 && reg < end) || reg == dev->rom_register;
}

/* Accesses of the guest: size 1, 2 or 4 inside of one double word. */

static uint32_t guest_read(uint16_t segment, uint16_t bdf, unsigned reg, unsigned size)
{
	struct vpci_device *dev = find(segment, bdf);

	/* Functions that appeared after boot are the service VM's, too. */
	if (!dev)
		return pci_read(segment, bdf, reg, size);
	if (dev->is_hidden)
		return UINT32_MAX;
	if (msi_owns(dev, reg & ~3u))
		return msi_read(dev, reg & ~3u) >> (reg % 4 * 8);
	return hw_read(dev, reg, size);
}

static void guest_write(uint16_t segment, uint16_t bdf, unsigned reg, unsigned size, uint32_t value)
{
	struct vpci_device *dev = find(segment, bdf);
	unsigned shift = reg % 4 * 8;
	uint32_t mask = size == 4 ? UINT32_MAX : ((1u << size * 8) - 1) << shift;

	if (!dev) {
		pci_write(segment, bdf, reg, size, value);
		return;
	}
	if (dev->is_hidden || dev->is_fixed)
		return;
	if (msi_owns(dev, reg & ~3u)) {
		uint32_t old = msi_read(dev, reg & ~3u);

		msi_write(dev, reg & ~3u, (old & ~mask) | (value << shift & mask));
		return;
	}
	hw_write(dev, reg, size, value);
	if (((reg & ~3u) == PCI_COMMAND || is_bar_register(dev, reg & ~3u)) && update_bars(dev))
		guest_log(dev->domain, "no memory to map device %02x:%02x.%x\n", bdf >> 8,
			  bdf >> 3 & 31, bdf & 7u);
}

/* Ports. */

static uint32_t ones(unsigned size)
{
	return size == 4 ? UINT32_MAX : (1u << size * 8) - 1;
}

static uint32_t selected(const struct vpci *p)
{
	return p->address_passes ? inl(PORT_ADDRESS) : READ_ONCE(p->address);
}

/* True when an access to the data port names a register. Bytes beyond the double word do not count. */
static bool decode_port(uint32_t address, uint16_t port, unsigned size, uint16_t *ret_bdf,
			unsigned *ret_reg)
{
	unsigned byte = port - PORT_DATA;

	*ret_bdf = (uint16_t)(address >> 8);
	*ret_reg = (address & 0xfc) + byte;
	return (address >> 31) && is_aligned(byte, size);
}

static uint32_t data_read(struct vcpu *v, uint16_t port, unsigned size)
{
	uint32_t address = selected(v->domain->arch.vpci), value = 0;
	uint16_t bdf;
	unsigned reg;

	if (port + size > PORT_DATA + 4u)
		return UINT32_MAX;
	spin_lock(&vpci_lock);
	if (decode_port(address, port, size, &bdf, &reg)) {
		value = guest_read(0, bdf, reg, size);
	} else if (address >> 31) {
		for (unsigned i = 0; i < size; i++) /* a word at an odd address */
			value |= (guest_read(0, bdf, reg + i, 1) & 0xff) << i * 8;
	} else {
		value = UINT32_MAX;
	}
	spin_unlock(&vpci_lock);
	return value;
}

static void data_write(struct vcpu *v, uint16_t port, unsigned size, uint32_t value)
{
	uint32_t address = selected(v->domain->arch.vpci);
	uint16_t bdf;
	unsigned reg;

	if (port + size > PORT_DATA + 4u)
		return;
	spin_lock(&vpci_lock);
	if (decode_port(address, port, size, &bdf, &reg))
		guest_write(0, bdf, reg, size, value);
	else if (address >> 31)
		for (unsigned i = 0; i < size; i++)
			guest_write(0, bdf, reg + i, 1, value >> i * 8 & 0xff);
	spin_unlock(&vpci_lock);
}

static uint32_t port_read(struct vcpu *v, void *ctx, uint16_t port, unsigned size)
{
	const struct vpci *p = ctx;

	if (port >= PORT_DATA)
		return data_read(v, port, size);
	return port == PORT_ADDRESS && size == 4 ? READ_ONCE(p->address) : ones(size);
}

static void port_write(struct vcpu *v, void *ctx, uint16_t port, unsigned size, uint32_t value)
{
	struct vpci *p = ctx;

	if (port >= PORT_DATA)
		data_write(v, port, size, value);
	else if (port == PORT_ADDRESS && size == 4)
		WRITE_ONCE(p->address, value);
	else if (port == PORT_RESET && size == 1 && (value & RESET_CPU))
		arch_machine_restart();
}

static const struct port_ops vpci_port_ops = { port_read, port_write };

/* Windows. The context is the entry of MCFG. */

static void decode_window(const struct acpi_mcfg *m, uint64_t offset, uint16_t *ret_bdf,
			  unsigned *ret_reg)
{
	*ret_bdf = (uint16_t)((uint64_t)m->first_bus * 256 + (offset >> PAGE_SHIFT));
	*ret_reg = (unsigned)(offset % PAGE_SIZE);
}

static uint64_t window_read(struct vcpu *v, void *ctx, uint64_t offset, unsigned size)
{
	const struct acpi_mcfg *m = ctx;
	uint64_t value = UINT64_MAX;
	uint16_t bdf;
	unsigned reg;

	(void)v;
	decode_window(m, offset, &bdf, &reg);
	if (!is_aligned(offset, size))
		return value;
	spin_lock(&vpci_lock);
	value = guest_read(m->segment, bdf, reg, MIN(size, 4u));
	if (size == 8)
		value |= (uint64_t)guest_read(m->segment, bdf, reg + 4, 4) << 32;
	spin_unlock(&vpci_lock);
	return value;
}

static void window_write(struct vcpu *v, void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	const struct acpi_mcfg *m = ctx;
	uint16_t bdf;
	unsigned reg;

	(void)v;
	decode_window(m, offset, &bdf, &reg);
	if (!is_aligned(offset, size))
		return;
	spin_lock(&vpci_lock);
	guest_write(m->segment, bdf, reg, MIN(size, 4u), (uint32_t)value);
	if (size == 8)
		guest_write(m->segment, bdf, reg + 4, 4, (uint32_t)(value >> 32));
	spin_unlock(&vpci_lock);
}

static const struct mmio_ops window_ops = { window_read, window_write };

static int register_accesses(struct domain *d)
{
	struct vpci *p = d->arch.vpci;
	int err;

	p->address_passes = pci_has_windows();
	if (p->address_passes) {
		err = port_allow(d, PORT_ADDRESS, PORT_DATA - 1);
		if (!err)
			err = port_register(d, PORT_DATA, 4, &vpci_port_ops, p);
	} else {
		err = port_register(d, PORT_ADDRESS, NR_PORTS, &vpci_port_ops, p);
	}
	for (unsigned i = 0; i < nr_acpi_mcfg && !err; i++) {
		struct acpi_mcfg *m = &acpi_mcfg[i];
		uint64_t start = m->base.a + (uint64_t)m->first_bus * 0x100000;
		uint64_t bytes = (m->last_bus - m->first_bus + 1ull) * 0x100000;

		err = mmio_register(d, GPA(start), bytes, &window_ops, m);
	}
	return err;
}

/* Devices. */

/* NULL without memory. */
static struct vpci_device *add_device(uint16_t segment, uint16_t bdf)
{
	struct vpci_device **at = bucket_of(segment, bdf);
	struct vpci_device *dev = mem_alloc(sizeof(*dev));
	uint32_t class = pci_read(segment, bdf, PCI_CLASS, 4) >> 16;

	if (!dev)
		return NULL;
	dev->segment = segment;
	dev->bdf = bdf;
	dev->is_hidden = class == PCI_CLASS_IOMMU;
	dev->is_fixed = class == PCI_CLASS_HOST_BRIDGE;
	if (!dev->is_hidden)
		size_bars(dev);
	dev->next = *at;
	*at = dev;
	return dev;
}

static void found(uint16_t segment, uint16_t bdf)
{
	if (!add_device(segment, bdf))
		boot_fail("no memory to describe the machine's PCI devices");
}

void vpci_scan(void)
{
	pci_scan(found);
}

uint64_t vpci_next_bar(uint64_t from)
{
	uint64_t lowest = UINT64_MAX;

	for (unsigned b = 0; b < NR_BUCKETS; b++)
		for (const struct vpci_device *dev = bucket[b]; dev; dev = dev->next)
			for (unsigned i = 0; i <= VPCI_ROM; i++) {
				uint64_t at = vpci_bar_address(dev, i);

				if (at && at + dev->bar[i].bytes > from)
					lowest = MIN(lowest, MAX(at, from));
			}
	return lowest;
}

/* Gives a device to d. */
static int give(struct domain *d, struct vpci_device *dev)
{
	int err;

	if (dev->is_hidden)
		return 0;
	dev->domain = d;
	err = msi_create(dev);
	if (!err && iommu_ops)
		err = iommu_ops->attach(d, dev->segment, dev->bdf);
	if (!err)
		err = update_bars(dev);
	return err;
}

int vpci_create(struct domain *d)
{
	int err = 0;

	d->arch.vpci = mem_alloc(sizeof(*d->arch.vpci));
	if (!d->arch.vpci)
		return -XEN_ENOMEM;
	spin_lock(&vpci_lock);
	for (unsigned b = 0; b < NR_BUCKETS && !err; b++)
		for (struct vpci_device *dev = bucket[b]; dev && !err; dev = dev->next)
			err = give(d, dev);
	spin_unlock(&vpci_lock);
	return err ? err : register_accesses(d);
}

static int add_new(struct domain *d, uint16_t segment, uint16_t bdf)
{
	struct vpci_device *dev;

	if ((pci_read(segment, bdf, PCI_VENDOR, 4) & 0xffff) == 0xffff)
		return -XEN_ENODEV;
	dev = add_device(segment, bdf);
	return dev ? give(d, dev) : -XEN_ENOMEM;
}

int vpci_add_device(struct domain *d, uint16_t segment, uint16_t bdf)
{
	int err = 0;

	spin_lock(&vpci_lock);
	if (!find(segment, bdf))
		err = add_new(d, segment, bdf);
	spin_unlock(&vpci_lock);
	return err;
}
