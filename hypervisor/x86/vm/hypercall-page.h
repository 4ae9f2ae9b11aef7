/* The page of hypercall stubs that a guest may ask for, by the MSR that CPUID names. */
#ifndef LODGE_X86_VM_HYPERCALL_PAGE_H
#define LODGE_X86_VM_HYPERCALL_PAGE_H

#include "lodge/types.h"

struct vcpu;

/* value: the guest frame's address; bits 11:0 are the number of the page, of which there is one.
 * -EINVAL: no such page, or no memory there. */
must_check int hypercall_page_fill(struct vcpu *v, uint64_t value);

#endif
