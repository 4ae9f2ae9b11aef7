/* x86/iommu/ivrs.c: what the table says in its three forms, and what damage does to it. */
#include "unit.h"

#include <string.h>

#include "fake-arch.h"
#include "x86/acpi.h"
#include "x86/iommu/ivrs.h"

#define BLOCKS 48u

const struct acpi_header *acpi_ivrs;

static union {
	uint8_t byte[1024];
	struct acpi_header header;
} table;
static unsigned end;

static void put(unsigned at, unsigned bytes, uint64_t value)
{
	memcpy(table.byte + at, &value, bytes);
}

static void add_bytes(const uint8_t *bytes, unsigned nr)
{
	memcpy(table.byte + end, bytes, nr);
	end += nr;
	table.header.length = end;
}
#define ADD(...) \
	add_bytes((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* Starts a block; finish_block() writes its length. */
static unsigned start_block(uint8_t type, uint16_t bdf, uint64_t base)
{
	unsigned at = end;
	uint8_t zero[40] = { 0 };

	add_bytes(zero, type == 0x10 ? 24 : 40);
	put(at, 1, type);
	put(at + 1, 1, 0x3);
	put(at + 4, 2, bdf);
	put(at + 8, 8, base);
	put(at + 16, 2, 0);
	return at;
}

static void finish_block(unsigned at)
{
	put(at + 2, 2, end - at);
}

static void add_memory(uint8_t type, uint64_t start, uint64_t bytes)
{
	unsigned at = end;
	uint8_t zero[32] = { 0 };

	add_bytes(zero, sizeof(zero));
	put(at, 1, type);
	put(at + 2, 2, sizeof(zero));
	put(at + 16, 8, start);
	put(at + 24, 8, bytes);
}

static void setup(void)
{
	fake_reset();
	memset(&table, 0, sizeof(table));
	memset(&ivrs, 0, sizeof(ivrs));
	end = BLOCKS;
	table.header.length = end;
	acpi_ivrs = &table.header;
}

static void teardown(void)
{
	fake_core_reset();
}

START_TEST(without_a_table_there_is_no_iommu)
{
	acpi_ivrs = NULL;
	ck_assert(!ivrs_parse());
}
END_TEST

START_TEST(a_block_names_registers_devices_and_ioapics)
{
	unsigned at = start_block(0x10, 2, 0xfed80000);

	ADD(2, 0x10, 0, 0);                      /* device 00:02.0 */
	ADD(3, 0x20, 0, 0, 4, 0xff, 1, 0);       /* from 00:04.0 to 01:1f.7 */
	ADD(0x48, 0, 0, 0xd7, 7, 0xa0, 0x00, 1); /* IO-APIC 7 is 00:14.0 */
	ADD(0x48, 0, 0, 0, 0, 0xa1, 0x00, 2);    /* a HPET */
	finish_block(at);
	ck_assert(ivrs_parse());
	ck_assert_uint_eq(ivrs.nr_iommus, 1);
	ck_assert_uint_eq(ivrs.iommu[0].base.a, 0xfed80000);
	ck_assert_uint_eq(ivrs.iommu[0].bdf, 2);
	ck_assert_uint_eq(ivrs.iommu[0].flags, IVHD_FLAG_HT_TUNNEL | IVHD_FLAG_PASS_PW);
	ck_assert_uint_eq(ivrs.last_bdf, 0x1ff);
	ck_assert_uint_eq(ivrs.nr_ioapics, 1);
	ck_assert_uint_eq(ivrs.ioapic[0].id, 7);
	ck_assert_uint_eq(ivrs.ioapic[0].bdf, 0xa0);
}
END_TEST

START_TEST(all_devices_means_all)
{
	unsigned at = start_block(0x11, 2, 0xfed80000);

	ADD(1, 0, 0, 0);
	finish_block(at);
	ck_assert(ivrs_parse());
	ck_assert_uint_eq(ivrs.last_bdf, 0xffff);
}
END_TEST

START_TEST(of_blocks_for_one_iommu_the_highest_type_counts)
{
	unsigned at = start_block(0x10, 2, 0x1000);

	ADD(2, 0x10, 0, 0);
	finish_block(at);
	at = start_block(0x40, 2, 0x2000);
	ADD(2, 0x20, 0, 0);
	ADD(0xf0, 0x30, 0, 0, 'A', 'M', 'D', 'I', '0', '0', '2', '0', 0, 0, 0, 0, 0, 0, 0, 0, 2, 3,
	    'u', 'i', 'd');
	ADD(2, 0x28, 0, 0);
	finish_block(at);
	at = start_block(0x11, 2, 0x3000);
	finish_block(at);
	at = start_block(0x10, 0x102, 0x4000);
	finish_block(at);
	ck_assert(ivrs_parse());
	ck_assert_uint_eq(ivrs.nr_iommus, 2);
	ck_assert_uint_eq(ivrs.iommu[0].base.a, 0x2000);
	ck_assert_uint_eq(ivrs.iommu[1].base.a, 0x4000);
	ck_assert_uint_eq(ivrs.last_bdf, 0x28);
}
END_TEST

START_TEST(aliases_are_kept_singly_and_by_range)
{
	unsigned at = start_block(0x10, 2, 0x1000);

	ADD(0x42, 0x08, 2, 0, 0, 0x00, 2, 0);                /* 02:01.0 sends as 02:00.0 */
	ADD(0x43, 0x00, 3, 0, 0, 0xe0, 0, 0, 4, 0xff, 3, 0); /* bus 3 sends as 00:1c.0 */
	ADD(0x42, 0x10, 2, 0, 0, 0x10, 2, 0);                /* one that is its own alias */
	finish_block(at);
	ck_assert(ivrs_parse());
	ck_assert_uint_eq(ivrs.nr_aliases, 2);
	ck_assert_uint_eq(ivrs.alias[0].first, 0x208);
	ck_assert_uint_eq(ivrs.alias[0].last, 0x208);
	ck_assert_uint_eq(ivrs.alias[0].bdf, 0x200);
	ck_assert_uint_eq(ivrs.alias[1].first, 0x300);
	ck_assert_uint_eq(ivrs.alias[1].last, 0x3ff);
	ck_assert_uint_eq(ivrs.alias[1].bdf, 0xe0);
	ck_assert_uint_eq(ivrs.last_bdf, 0x3ff);
}
END_TEST

START_TEST(memory_blocks_are_kept)
{
	finish_block(start_block(0x10, 2, 0x1000));
	add_memory(0x20, 0x7d000000, 0x1000);
	add_memory(0x22, 0x7e000000, 0x2000);
	ck_assert(ivrs_parse());
	ck_assert_uint_eq(ivrs.nr_unities, 2);
	ck_assert_uint_eq(ivrs.unity[1].start, 0x7e000000);
	ck_assert_uint_eq(ivrs.unity[1].bytes, 0x2000);
}
END_TEST

START_TEST(a_table_that_names_no_iommu_stops_boot)
{
	ck_assert_int_eq(fake_end_of(ivrs_parse()), FAKE_BOOT_FAILED);
	add_memory(0x20, 0x7d000000, 0x1000);
	ck_assert_int_eq(fake_end_of(ivrs_parse()), FAKE_BOOT_FAILED);
}
END_TEST

START_TEST(a_block_that_reaches_beyond_the_table_is_left_out)
{
	unsigned at = start_block(0x10, 2, 0x1000);

	finish_block(at);
	put(at + 2, 2, 25);
	ck_assert_int_eq(fake_end_of(ivrs_parse()), FAKE_BOOT_FAILED);
	put(at + 2, 2, 0);
	ck_assert_int_eq(fake_end_of(ivrs_parse()), FAKE_BOOT_FAILED);
}
END_TEST

START_TEST(an_entry_of_unknown_type_or_cut_short_ends_its_block)
{
	unsigned at = start_block(0x10, 2, 0x1000);

	ADD(2, 0x10, 0, 0);
	ADD(0x80, 0, 0, 0);
	ADD(2, 0x20, 0, 0);
	finish_block(at);
	at = start_block(0x10, 3, 0x2000);
	ADD(0x42, 0xff, 0xff, 0);
	finish_block(at);
	at = start_block(0x40, 4, 0x3000);
	ADD(0xf0, 0xff, 0xff, 0);
	finish_block(at);
	ck_assert(ivrs_parse());
	ck_assert_uint_eq(ivrs.nr_iommus, 3);
	ck_assert_uint_eq(ivrs.last_bdf, 0x10);
}
END_TEST

START_TEST(an_ioapic_that_two_blocks_list_is_one)
{
	for (unsigned i = 0; i < 2; i++) {
		unsigned at = start_block(0x10, (uint16_t)(2 + i), 0x1000 * (i + 1));

		ADD(0x48, 0, 0, 0, 7, 0xa0, 0, 1);
		finish_block(at);
	}
	ck_assert(ivrs_parse());
	ck_assert_uint_eq(ivrs.nr_ioapics, 1);
}
END_TEST

START_TEST(more_iommus_than_there_is_room_for_stop_boot)
{
	for (unsigned i = 0; i < IVRS_MAX_IOMMUS + 1; i++)
		finish_block(start_block(0x10, (uint16_t)i, 0x1000));
	ck_assert_int_eq(fake_end_of(ivrs_parse()), FAKE_BOOT_FAILED);
}
END_TEST

UNIT_MAIN("ivrs", setup, teardown, without_a_table_there_is_no_iommu,
	  a_block_names_registers_devices_and_ioapics, all_devices_means_all,
	  of_blocks_for_one_iommu_the_highest_type_counts, aliases_are_kept_singly_and_by_range,
	  memory_blocks_are_kept, a_table_that_names_no_iommu_stops_boot,
	  a_block_that_reaches_beyond_the_table_is_left_out,
	  an_entry_of_unknown_type_or_cut_short_ends_its_block,
	  an_ioapic_that_two_blocks_list_is_one, more_iommus_than_there_is_room_for_stop_boot)
