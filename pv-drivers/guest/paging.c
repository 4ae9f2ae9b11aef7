/* Page pool and page tables. See paging.h. Only one vCPU may allocate or map at a time. */
#include "guest/paging.h"

#include "guest/console.h"
#include "guest/hypercall.h"
#include "guest/test.h"

#define POOL_PAGES  4096
#define PTE_ADDRESS 0x000ffffffffff000UL

extern uint64_t boot_pml4[], boot_pdpt[], boot_pd[];

static uint8_t pool[POOL_PAGES][PAGE_SIZE] __attribute__((aligned(4096)));
static unsigned int pool_used;
static void **pool_free; /* each page's first word points to the next */

void *pages_alloc(unsigned int count)
{
	void *pages = pool[pool_used];

	if (count > POOL_PAGES - pool_used)
		test_error("out of pages");
	pool_used += count;
	return pages;
}

void *page_alloc(void)
{
	void **page = pool_free;

	if (!page)
		return pages_alloc(1);
	pool_free = *page;
	return memset(page, 0, PAGE_SIZE);
}

void page_free(void *page)
{
	*(void **)page = pool_free;
	pool_free = page;
}

void *hole_alloc(void)
{
	void *page = page_alloc();
	uint64_t gfn = gfn_of(page);
	struct xen_memory_reservation r = {
		.extent_start = (uintptr_t)&gfn,
		.nr_extents = 1,
		.domid = DOMID_SELF,
	};

	if (memory_op(XENMEM_decrease_reservation, &r) != 1)
		test_error("cannot make a hole at gfn %#lx", gfn);
	return page;
}

static uint64_t *table_at(const uint64_t *entry)
{
	return (uint64_t *)(*entry & PTE_ADDRESS);
}

static uint64_t *entry_of(uint64_t va, bool create)
{
	uint64_t *table = boot_pml4;

	for (unsigned int shift = 39;; shift -= 9) {
		uint64_t *entry = &table[va >> shift & 511];

		if (shift == PAGE_SHIFT)
			return entry;
		if (!(*entry & PTE_P)) {
			if (!create)
				return NULL;
			*entry = (uintptr_t)page_alloc() | PTE_P | PTE_W | PTE_U;
		}
		if (*entry & PTE_LARGE)
			return NULL;
		table = table_at(entry);
	}
}

uint64_t *pte_of(uint64_t va)
{
	return entry_of(va, false);
}

static void flush(uint64_t va)
{
	__asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

void map_page(uint64_t va, uint64_t pte)
{
	uint64_t *entry = entry_of(va, true);

	if (!entry)
		test_error("address %#lx is in a large page", va);
	*entry = pte;
	flush(va);
}

void unmap_page(uint64_t va)
{
	uint64_t *entry = entry_of(va, false);

	if (entry)
		*entry = 0;
	flush(va);
}

uint32_t page_tables_pae(void)
{
	uint64_t *pdpt = page_alloc();

	for (unsigned int i = 0; i < 4; i++)
		pdpt[i] = ((uintptr_t)boot_pd + i * PAGE_SIZE) | PTE_P;
	return (uint32_t)(uintptr_t)pdpt;
}

uint32_t page_tables_32(void)
{
	uint32_t *pd = page_alloc();

	for (uint32_t i = 0; i < 1024; i++)
		pd[i] = i << 22 | (uint32_t)(PTE_LARGE | PTE_W | PTE_P);
	return (uint32_t)(uintptr_t)pd;
}
