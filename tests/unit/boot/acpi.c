/* x86/acpi.c: what tables of odd machines say. Each test runs in a process of its own. */
#define _GNU_SOURCE
#include "unit.h"

#include <sched.h>
#include <string.h>

#include "arch-inline.h"
#include "fake-arch.h"
#include "lodge/page.h"
#include "x86/acpi.h"
#include "x86/boot-info.h"
#include "x86/cpu.h"
#include "x86/paging.h"

#define RSDT 0x10000u
#define MADT 0x20000u
#define SRAT 0x30000u
#define MCFG 0x40000u

struct cpu_features host_cpu;
struct boot_info boot_info;

static uint32_t table_end, own_id;

const void *map_firmware(mpa_t a, uint64_t bytes)
{
	ck_assert_uint_le(a.a + bytes, FAKE_MAX_FRAMES << PAGE_SHIFT);
	return mpa_to_ptr(a);
}

static void add(unsigned bytes, uint64_t value)
{
	memcpy(fake_memory + table_end, &value, bytes);
	table_end += bytes;
}

static void start_table(uint32_t at, const char *signature, uint8_t revision, uint32_t head)
{
	memset(fake_memory + at, 0, head);
	memcpy(fake_memory + at, signature, 4);
	fake_memory[at + 8] = revision;
	table_end = at + head;
}

static void finish_table(uint32_t at)
{
	struct acpi_header *h = (void *)(fake_memory + at);
	uint8_t sum = 0;

	h->length = table_end - at;
	for (uint32_t i = at; i < table_end; i++)
		sum = (uint8_t)(sum + fake_memory[i]);
	h->checksum = (uint8_t)(h->checksum - sum);
}

static void add_lapic(uint32_t id, uint32_t flags)
{
	add(1, 0);
	add(1, 8);
	add(1, id);
	add(1, id);
	add(4, flags);
}

static void add_x2apic(uint32_t id)
{
	add(1, 9);
	add(1, 16);
	add(2, 0);
	add(4, id);
	add(4, 1);
	add(4, id);
}

/* A MADT with the CPU that we run on. */
static void start_madt(void)
{
	start_table(MADT, "APIC", 4, 44);
	add_lapic(own_id, 1);
}

static void add_memory(uint32_t domain, uint64_t base, uint64_t bytes)
{
	add(1, 1);
	add(1, 40);
	add(4, domain);
	add(2, 0);
	add(8, base);
	add(8, bytes);
	add(4, 0);
	add(4, 1);
	add(8, 0);
}

static void setup(void)
{
	cpu_set_t set;

	fake_reset();
	CPU_ZERO(&set);
	CPU_SET((size_t)sched_getcpu(), &set);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(set), &set), 0);
	own_id = cpuid(1, 0).ebx >> 24; /* host_cpu.max_leaf is 0 */
	boot_info.efi = true;
	start_madt();
	finish_table(MADT);
	start_table(SRAT, "SRAT", 3, 48);
	finish_table(SRAT);
	start_table(MCFG, "MCFG", 1, 44);
	finish_table(MCFG);
}

static void teardown(void)
{
}

static void read_tables(void)
{
	uint32_t rsdt = RSDT;
	uint8_t sum = 0;

	start_table(RSDT, "RSDT", 1, 36);
	add(4, MADT);
	add(4, SRAT);
	add(4, MCFG);
	finish_table(RSDT);
	memcpy(boot_info.rsdp, "RSD PTR ", 8);
	memcpy(boot_info.rsdp + 16, &rsdt, sizeof(rsdt));
	for (unsigned i = 0; i < 20; i++)
		sum = (uint8_t)(sum + boot_info.rsdp[i]);
	boot_info.rsdp[8] = (uint8_t)-sum;
	acpi_init();
}

START_TEST(a_cpu_that_is_listed_twice_is_one)
{
	start_madt();
	add_lapic(own_id ^ 1, 1);
	add_x2apic(own_id ^ 1);
	add_x2apic(own_id);
	add_x2apic(0x100);
	finish_table(MADT);
	read_tables();
	ck_assert_uint_eq(nr_acpi_cpus, 3);
	ck_assert_uint_eq(acpi_cpus[0].apic_id, own_id);
	ck_assert_uint_eq(acpi_cpus[2].apic_id, 0x100);
}
END_TEST

START_TEST(ids_that_name_all_cpus_and_disabled_entries_are_no_cpus)
{
	start_madt();
	add_lapic(0xff, 1);
	add_lapic(own_id ^ 1, 0);
	add_lapic(own_id ^ 2, 2); /* may be plugged in */
	add_x2apic(UINT32_MAX);
	finish_table(MADT);
	read_tables();
	ck_assert_uint_eq(nr_acpi_cpus, 1);
}
END_TEST

START_TEST(an_entry_of_length_0_ends_the_table)
{
	start_madt();
	add(2, 0);
	add_lapic(own_id ^ 1, 1);
	finish_table(MADT);
	read_tables();
	ck_assert_uint_eq(nr_acpi_cpus, 1);
}
END_TEST

START_TEST(more_nodes_than_the_page_allocator_has_count_as_the_first)
{
	mpa_t end;

	start_table(SRAT, "SRAT", 3, 48);
	for (uint32_t i = 0; i < MAX_NODES + 4; i++)
		add_memory(i * 3, (uint64_t)i << 30, 1u << 30);
	finish_table(SRAT);
	read_tables();
	for (uint32_t i = 0; i < MAX_NODES + 4; i++)
		ck_assert_uint_eq(acpi_memory_node(MPA((uint64_t)i << 30), &end),
				  i < MAX_NODES ? i : 0);
}
END_TEST

START_TEST(the_first_revision_of_srat_has_domains_of_8_bits)
{
	mpa_t end;

	start_table(SRAT, "SRAT", 1, 48);
	add_memory(0xdead0001, 0, 1u << 30);
	add_memory(0xbeef0001, 1u << 30, 1u << 30);
	finish_table(SRAT);
	read_tables();
	ck_assert_uint_eq(acpi_memory_node(MPA(1u << 30), &end), 0);
}
END_TEST

START_TEST(memory_of_a_node_that_would_wrap_ends_at_the_top)
{
	mpa_t end;

	start_table(SRAT, "SRAT", 3, 48);
	add_memory(0, 0, 1u << 30);
	add_memory(1, 1u << 30, UINT64_MAX);
	finish_table(SRAT);
	read_tables();
	ck_assert_uint_eq(acpi_memory_node(MPA(2ull << 30), &end), 1);
	ck_assert_uint_eq(end.a, UINT64_MAX & PAGE_MASK);
}
END_TEST

static void add_window(uint64_t base, uint16_t segment, uint8_t first, uint8_t last)
{
	add(8, base);
	add(2, segment);
	add(1, first);
	add(1, last);
	add(4, 0);
}

START_TEST(windows_without_buses_or_address_are_ignored)
{
	start_table(MCFG, "MCFG", 1, 44);
	add_window(0, 0, 0, 255);
	add_window(0xe0000000, 0, 255, 0);
	add_window(0xe0000000, 1, 0, 63);
	finish_table(MCFG);
	read_tables();
	ck_assert_uint_eq(nr_acpi_mcfg, 1);
	ck_assert_uint_eq(acpi_mcfg[0].segment, 1);
}
END_TEST

UNIT_MAIN("acpi", setup, teardown, a_cpu_that_is_listed_twice_is_one,
	  ids_that_name_all_cpus_and_disabled_entries_are_no_cpus,
	  an_entry_of_length_0_ends_the_table,
	  more_nodes_than_the_page_allocator_has_count_as_the_first,
	  the_first_revision_of_srat_has_domains_of_8_bits,
	  memory_of_a_node_that_would_wrap_ends_at_the_top,
	  windows_without_buses_or_address_are_ignored)
