/* Guest physical addresses and I/O ports where nothing is: reads give all ones, writes are dropped. */
#include "guest/guest.h"

const char test_title[] = "where nothing is, reads give all ones and writes are dropped";

static void check_place(uint64_t at, const char *what)
{
	uint64_t wide = 0;
	uint32_t narrow = 0;

	check_eq(mmio_read8(at), 0xff, "%s: 1 byte", what);
	check_eq(mmio_read16(at), 0xffff, "%s: 2 bytes", what);
	check_eq(mmio_read32(at), 0xffffffff, "%s: 4 bytes", what);
	check_eq(mmio_read64(at), ~0ULL, "%s: 8 bytes", what);
	check_eq(mmio_read32(at + 1), 0xffffffff, "%s: 4 bytes, not aligned", what);
	mmio_write8(at, 1);
	mmio_write16(at, 2);
	mmio_write32(at, 3);
	mmio_write64(at, 4);
	check_eq(mmio_read64(at), ~0ULL, "%s: writes are dropped", what);
	__asm__ volatile("movzbl (%1), %0" : "=r"(narrow) : "r"(at));
	check_eq(narrow, 0xff, "%s: MOVZX", what);
	__asm__ volatile("movsbq (%1), %0" : "=r"(wide) : "r"(at));
	check_eq(wide, ~0ULL, "%s: MOVSX", what);
	__asm__ volatile("movl $0x1234, (%0)" ::"r"(at) : "memory");
	__asm__ volatile("mov 4(%1,%2,2), %0" : "=r"(wide) : "r"(at), "r"(8UL));
	check_eq(wide, ~0ULL, "%s: with base, index and displacement", what);
	__asm__ volatile("mov (%1), %%ah; movzbl %%ah, %0" : "=r"(narrow) : "r"(at) : "rax");
	check_eq(narrow, 0xff, "%s: into AH", what);
	__asm__ volatile("push %%r12; mov (%1), %%r12d; mov %%r12, %0; pop %%r12"
			 : "=r"(wide)
			 : "r"(at));
	check_eq(wide, 0xffffffff, "%s: a 4-byte read clears the upper half", what);
}

static void check_ports(void)
{
	static const uint16_t ports[] = { 0x20, 0xa0, 0x1234, 0x5678, 0xfff0 };
	uint8_t bytes[4] = { 0 };
	void *to = bytes;
	uint64_t count = 4;

	for (unsigned int i = 0; i < ARRAY_SIZE(ports); i++) {
		uint16_t port = ports[i];

		check(in8(port) == 0xff && in16(port) == 0xffff && in32(port) == 0xffffffff,
		      "port %#x gives all ones in each width", port);
		out8(port, 0);
		out16(port, 0);
		out32(port, 0);
	}
	__asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"((uint16_t)0x1234) : "memory");
	check(count == 0 && bytes[0] == 0xff && bytes[3] == 0xff, "REP INS gives all ones");
}

void test_main(void)
{
	check_place((uintptr_t)hole_alloc(), "a hole in RAM");
	check_place(0xfed00000, "the HPET's place");
	map_page(TEST_VA, 0xfed80000 | PTE_P | PTE_W);
	check_place(TEST_VA, "the IOMMU's place, mapped elsewhere");
	check_ports();
}
