/*
 * Memory. The low 4 GiB are mapped one to one, so that below it an address is its own physical address.
 * Pages can be taken from a pool inside the image, made into holes, and mapped anywhere else.
 */
#ifndef GUEST_PAGING_H
#define GUEST_PAGING_H

#include "guest/cpu.h"

#define PTE_P     BIT(0)
#define PTE_W     BIT(1)
#define PTE_U     BIT(2)
#define PTE_PCD   BIT(4)
#define PTE_A     BIT(5)
#define PTE_D     BIT(6)
#define PTE_LARGE BIT(7)
#define PTE_NX    BIT(63)

/* Virtual addresses from here on are free for tests. */
#define TEST_VA 0x10000000000UL

/* Zeroed pages; running out ends the guest with ERROR. Only single pages can be given back. */
void *page_alloc(void);
void *pages_alloc(unsigned int count);
void page_free(void *page); /* from either */

/* An address below 4 GiB without memory behind it: where grants and the like can be mapped. */
void *hole_alloc(void);

static inline uint64_t gfn_of(const void *p)
{
	return (uintptr_t)p >> PAGE_SHIFT;
}

/* Maps one 4 KiB page; pte is address | PTE_*. A large page in the way is not split: use TEST_VA. */
void map_page(uint64_t va, uint64_t pte);
void unmap_page(uint64_t va);
uint64_t *pte_of(uint64_t va); /* the entry that maps va with a 4 KiB page, or NULL */

/* PAE and 32-bit page tables that map the low 4 GiB, for call32(). */
uint32_t page_tables_pae(void);
uint32_t page_tables_32(void);

#endif
