/* Small objects of the hypervisor's own: size classes of powers of two from 16 bytes to half a page,
 * whole pages beyond. Zeroed memory. Any context; takes LOCK_RANK_HEAP. */
#ifndef LODGE_ALLOC_H
#define LODGE_ALLOC_H

#include "lib/util.h"
#include "lodge/types.h"

must_check void *mem_alloc(
	size_t size);                /* zeroed, aligned to min(size class, PAGE_SIZE); NULL: none */
void mem_free(void *p, size_t size); /* NULL is allowed; size as given to mem_alloc */

#define MEM_SIZE_MIN 16u

/* What an object of that size takes. */
static inline size_t mem_footprint(size_t size)
{
	if (size <= MEM_SIZE_MIN)
		return MEM_SIZE_MIN;
	return (size_t)2 << log2_floor(size - 1); /* a size class, or a block of pages */
}

#endif
