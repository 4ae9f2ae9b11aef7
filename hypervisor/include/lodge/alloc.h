/* Small objects of the hypervisor's own: size classes of powers of two from 16 bytes to half a page,
 * whole pages beyond. Zeroed memory. Any context; takes LOCK_RANK_HEAP. */
#ifndef LODGE_ALLOC_H
#define LODGE_ALLOC_H

#include "lodge/types.h"

must_check void *mem_alloc(
	size_t size);                /* zeroed, aligned to min(size class, PAGE_SIZE); NULL: none */
void mem_free(void *p, size_t size); /* NULL is allowed; size as given to mem_alloc */

#endif
