/* The hypervisor's own address space, the same on all CPUs:
 *
 *	0xffff800000000000  direct map of RAM (usable, ACPI, NVS) and of the first MiB: RW, NX
 *	0xffffc00000000000  map_mmio() and map_firmware(), one after the other
 *	0xffffd00000000000  CPU stacks, an unmapped page under each
 *	0xffffffff80200000  the image: text RX, read-only data R, data RW
 *
 * All built at boot; later only map_mmio() and stacks add to it. Nothing is ever unmapped but the
 * identity map that starts CPUs, hence no TLB shootdown. Locking: map_mmio() has its own (LOCK_RANK_PAGING);
 * the rest is for the boot CPU before the service VM runs. */
#ifndef LODGE_PAGING_H
#define LODGE_PAGING_H

#include "lodge/types.h"

#define MMIO_MAP_BASE  0xffffc00000000000ull
#define STACK_MAP_BASE 0xffffd00000000000ull
#define IMAGE_BASE     0xffffffff80200000ull

/* Linker script. */
extern char image_start[], image_text_end[], image_rodata_end[], image_data_end[], image_end[];
extern mpa_t image_base; /* where image_start was loaded; set by boot.S */

/* For addresses in the image only. */
static inline mpa_t image_to_mpa(const void *p)
{
	return MPA((uint64_t)((const char *)p - image_start) + image_base.a);
}

/* Builds and loads the tables. Takes memory with boot_alloc(). */
void paging_init(void);
/* Other CPUs. */
void paging_cpu_init(void);
mpa_t paging_root(void);

/* Registers of a device: uncached, for good; the same range again gives the same pointer. `a` and `bytes`
 * need no alignment. NULL without memory, but only once the page allocator works. Takes
 * LOCK_RANK_PAGING. */
void *map_mmio(mpa_t a, uint64_t bytes);
/* Firmware's tables, wherever they are: cached, read-only, for good. */
const void *map_firmware(mpa_t a, uint64_t bytes);

/* Maps CPU `id`'s stack and returns its top (end). NULL without memory. */
void *stack_create(uint32_t id);

/* One page, mapped at its own machine address, executable, while CPUs are started. */
void paging_map_trampoline(mpa_t page);
void paging_unmap_trampoline(void);

/* Zeroed pages before the page allocator exists; below 4 GiB; never given back. */
void *boot_alloc(uint64_t nr_pages);
/* Gives all RAM that is in no one's hands to the page allocator; ends boot_alloc(). */
void memory_init(void);
/* Gives the boot modules' memory, too, once they are no longer needed. */
void memory_free_modules(void);

#endif
