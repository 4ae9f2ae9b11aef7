/* The contract of the PVH entry point: CPU state, start info, memory map, modules, ACPI. */
#include "guest/guest.h"

const char test_title[] = "the guest starts as the PVH entry contract says";

#define MEMMAP_MAX 64

static struct xen_e820_entry map[MEMMAP_MAX];
static uint32_t nr_map;

static void check_cpu(void)
{
	const struct entry_state *e = &entry_state;

	check_eq(e->cr0 & (CR0_PE | CR0_PG), CR0_PE, "CR0 has protection on and paging off");
	check_eq(e->cr4, 0, "CR4 is 0");
	check_eq(e->efer, 0, "EFER is 0");
	check_eq(e->eflags & ~2u, 0, "EFLAGS has no bit but the fixed one: IF, TF, VM are clear");
	check_eq(rdmsr(MSR_APIC_BASE) & ~(APIC_BASE_X2APIC), 0xfee00900,
		 "the local APIC is enabled at 0xfee00000 and this is the boot processor");
}

/* Version 0 (what Xen gives its dom0) has no map: it comes by hypercall. */
static void read_memmap(void)
{
	const struct hvm_memmap_table_entry *table = (const void *)start_info->memmap_paddr;
	struct xen_memory_map op = { .nr_entries = MEMMAP_MAX, .buffer = (uintptr_t)map };

	if (start_info->version == 0 || !start_info->memmap_entries) {
		if (memory_op(XENMEM_memory_map, &op))
			test_fail("neither start info nor hypercall gives a memory map");
		nr_map = op.nr_entries;
		return;
	}
	for (; nr_map < start_info->memmap_entries && nr_map < MEMMAP_MAX; nr_map++)
		map[nr_map] = (struct xen_e820_entry){ table[nr_map].addr, table[nr_map].size,
						       table[nr_map].type };
}

static bool is_ram(uint64_t from, uint64_t size)
{
	for (uint32_t i = 0; i < nr_map; i++) {
		if (map[i].type == XEN_HVM_MEMMAP_TYPE_RAM && map[i].addr <= from &&
		    from + size <= map[i].addr + map[i].size)
			return true;
	}
	return false;
}

static void check_memmap(void)
{
	bool sorted = true;
	uint64_t ram = 0;

	read_memmap();
	for (uint32_t i = 0; i < nr_map; i++) {
		note("%016lx-%016lx type %u", map[i].addr, map[i].addr + map[i].size, map[i].type);
		if (map[i].type == XEN_HVM_MEMMAP_TYPE_RAM)
			ram += map[i].size;
		if (i && map[i].addr < map[i - 1].addr + map[i - 1].size)
			sorted = false;
	}
	check(nr_map > 1 && nr_map <= XEN_HVM_MEMMAP_LINUX_MAX, "the map has 2 to 127 entries");
	check(sorted, "it is sorted and nothing overlaps");
	check(is_ram(0, 0x1000) && is_ram(TRAMPOLINE, 0x1000), "RAM below 1 MiB includes page 0");
	check(is_ram(0x1000000, 0x1000000), "the memory the kernel was loaded to is RAM");
	check(ram > 32 << 20, "there is RAM: %lu KiB", ram >> 10);
	check(is_ram(start_info->cmdline_paddr, 1) || !start_info->cmdline_paddr ||
		      start_info->cmdline_paddr < 1UL << 32,
	      "the command line is below 4 GiB");
}

static void check_start_info(void)
{
	const struct hvm_modlist_entry *module = (const void *)start_info->modlist_paddr;

	check_eq(start_info->magic, XEN_HVM_START_MAGIC_VALUE, "EBX points at the start info");
	check(start_info->version <= 1, "its version is 0 or 1: %u", start_info->version);
	check_eq(start_info->flags, SIF_PRIVILEGED | SIF_INITDOMAIN,
		 "flags say that this is the initial domain");
	check(strstr(command_line(), "hello=guest") != NULL, "the command line arrives: \"%s\"",
	      command_line());
	check(start_info->nr_modules <= 1, "at most one module was given");
	if (start_info->nr_modules)
		check(module->paddr + module->size < 1UL << 32, "the module is below 4 GiB");
}

static void check_acpi(void)
{
	const char *rsdp = (const void *)start_info->rsdp_paddr;
	uint8_t sum = 0;

	check(rsdp && !memcmp(rsdp, "RSD PTR ", 8), "rsdp_paddr names an RSDP");
	for (unsigned int i = 0; i < 36; i++)
		sum = (uint8_t)(sum + (uint8_t)rsdp[i]);
	check_eq(sum, 0, "its checksum is right over all 36 bytes");
	check_eq((uint8_t)rsdp[15], 2, "its revision is 2");
	check(acpi_table("APIC") != NULL, "the XSDT has a MADT");
	check(acpi_table("FACP") != NULL, "the XSDT has a FADT");
	check(!acpi_table("HPET"), "it hides the HPET, which is the hypervisor's");
	check(!acpi_table("IVRS") && !acpi_table("DMAR"), "it hides the IOMMU");
	check_eq(nr_cpus, 2, "the MADT lists one local APIC per vCPU");
	for (unsigned int i = 1; i < nr_cpus; i++)
		check(cpus[i].apic_id != cpus[0].apic_id, "vCPU %u has its own APIC id %u", i,
		      cpus[i].apic_id);
}

void test_main(void)
{
	check_cpu();
	check_start_info();
	check_memmap();
	check_acpi();
}
