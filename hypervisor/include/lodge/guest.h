/* Access to the memory of the guest that runs: linear addresses through its own page tables, with
 * its own rights (read, write; kernel and user pages alike). Copy once, then validate, then use.
 * Only for the current vCPU, from a hypercall or an exit. */
#ifndef LODGE_GUEST_H
#define LODGE_GUEST_H

#include "lodge/types.h"

struct vcpu;

/* 0 or -EFAULT; a copy that faults half-way may have moved the first part. */
must_check int copy_from_guest(struct vcpu *v, void *to, guest_ptr_t from, size_t bytes);
must_check int copy_to_guest(struct vcpu *v, guest_ptr_t to, const void *from, size_t bytes);

/* The frame that the guest's page tables show at a linear address, for areas that are pinned once.
 * -EFAULT where there is none, or no right to write and for_write is set. */
must_check int guest_translate(struct vcpu *v, guest_ptr_t at, bool for_write, gfn_t *ret_gfn);

#endif
