/* What the boot loader told us, copied out of its memory before anything else runs: the same for
 * Multiboot 1, Multiboot 2, BIOS and EFI. Written once by multiboot.c; strings live in it.
 * It does not say who uses a range later: that is the page allocator's business. */
#ifndef LODGE_BOOT_INFO_H
#define LODGE_BOOT_INFO_H

#include "lodge/types.h"

enum memory_type { /* the numbers of E820 */
		   MEMORY_USABLE = 1,
		   MEMORY_RESERVED = 2,
		   MEMORY_ACPI = 3, /* tables; the firmware's, but RAM */
		   MEMORY_NVS = 4,
		   MEMORY_BAD = 5,
};

struct memory_range {
	uint64_t base, bytes;
	uint32_t type; /* enum memory_type; unknown numbers are kept and count as reserved */
};

struct boot_module {
	mpa_t base;
	uint64_t bytes;
	const char *cmdline; /* never NULL; without the file's name */
};

struct boot_framebuffer { /* linear, 16 to 32 bits a pixel */
	mpa_t base;
	uint32_t pitch, width, height;
	uint8_t bpp; /* 0: there is none */
};

#define BOOT_MAX_RANGES  256u
#define BOOT_MAX_MODULES 16u

struct boot_info {
	const char *loader;
	const char *cmdline;                        /* without the image's name */
	struct memory_range range[BOOT_MAX_RANGES]; /* sorted by base, not overlapping */
	unsigned nr_ranges;
	struct boot_module module[BOOT_MAX_MODULES];
	unsigned nr_modules;
	bool efi;               /* the machine has EFI firmware (boot services are over) */
	mpa_t efi_system_table; /* 0: unknown */
	uint8_t rsdp[36];       /* copy of the loader's RSDP tag; rsdp[0] is 0 without one */
	struct boot_framebuffer framebuffer;
};

extern struct boot_info boot_info;

/* magic and info as the loader left them in EAX and EBX; stops with boot_fail() on nonsense. */
void boot_info_init(uint32_t magic, uint32_t info);
uint64_t boot_info_nr_usable_pages(void); /* frames of usable RAM */

#endif
