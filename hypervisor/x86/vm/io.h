/* Which ports and pages of a domain are emulated: the lookups, for io.c and mmio.c. */
#ifndef LODGE_X86_VM_IO_H
#define LODGE_X86_VM_IO_H

#include "lodge/types.h"
#include "x86/vm/vm.h"

struct mmio_region {
	uint64_t start, end; /* end: first address behind it */
	const struct mmio_ops *ops;
	void *ctx;
};

must_check int io_domain_init(struct domain *d); /* -ENOMEM; bitmap: everything exits */
void io_domain_fini(struct domain *d);           /* accepts what init left half-done */

/* False when nobody emulates that address. */
must_check bool mmio_find(struct domain *d, gpa_t gpa, struct mmio_region *ret_r);

#endif
