/* libxencall's functions over an imagined hypervisor that has one domain, made of a struct guest_memory. */
#ifndef LODGE_TESTS_BUILD_FAKE_XENCALL_H
#define LODGE_TESTS_BUILD_FAKE_XENCALL_H

#include "abi/hvm.h"
#include "abi/memory.h"
#include "guest-memory.h"

#define FAKE_DOMAIN 7u

typedef struct xencall_handle {
	struct guest_memory *guest;
	uint64_t params[HVM_NR_PARAMS];
	uint64_t grants[8]; /* gfn, by ref */
	uint32_t nr_ports;
	struct xen_e820_entry map[16];
	unsigned nr_map;
	struct vcpu_hvm_context entry;
	uint64_t nr_free;                /* pages of the machine */
	unsigned nr_calls, fail_at;      /* the n-th hypercall fails with EIO */
	int nr_buffers, buffers_fail_at; /* allocated now; fail from that many on (0: never) */
} xencall_handle;

#endif
