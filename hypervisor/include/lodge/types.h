/* The hypervisor's own scalar types. Address spaces are one-member structs, so that a guest frame
 * number cannot be passed where a machine frame number is meant. */
#ifndef LODGE_TYPES_H
#define LODGE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/util.h"

/* 1 in the debug build: lock order, assertions, page audits. */
#ifndef LODGE_DEBUG
#define LODGE_DEBUG 0
#endif

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ul
#define PAGE_MASK  (~(PAGE_SIZE - 1))
#define ORDER_4K   0u
#define ORDER_2M   9u
#define ORDER_1G   18u

#define NS_PER_US  UINT64_C(1000)
#define NS_PER_MS  UINT64_C(1000000)
#define NS_PER_SEC UINT64_C(1000000000)
#define TIME_NEVER UINT64_MAX /* a deadline that never comes */

typedef uint16_t domid_t;
typedef uint32_t evtchn_port_t;

typedef struct {
	uint64_t n;
} gfn_t; /* guest frame number */

typedef struct {
	uint64_t n;
} mfn_t; /* machine frame number */

typedef struct {
	uint64_t a;
} gpa_t; /* guest physical address */

typedef struct {
	uint64_t a;
} mpa_t; /* machine physical address */

typedef struct {
	uint64_t va;
} guest_ptr_t; /* linear address in the guest that is running; only guest.h follows it */

#define GFN(x)       ((gfn_t){ (x) })
#define MFN(x)       ((mfn_t){ (x) })
#define GPA(x)       ((gpa_t){ (x) })
#define MPA(x)       ((mpa_t){ (x) })
#define GUEST_PTR(x) ((guest_ptr_t){ (x) })

#define MFN_NONE MFN(UINT64_MAX)
#define GFN_NONE GFN(UINT64_MAX)

static inline bool mfn_is_none(mfn_t mfn)
{
	return mfn.n == UINT64_MAX;
}

static inline gfn_t gpa_to_gfn(gpa_t gpa)
{
	return GFN(gpa.a >> PAGE_SHIFT);
}

static inline mfn_t mpa_to_mfn(mpa_t mpa)
{
	return MFN(mpa.a >> PAGE_SHIFT);
}

static inline mpa_t mfn_to_mpa(mfn_t mfn)
{
	return MPA(mfn.n << PAGE_SHIFT);
}

static inline guest_ptr_t guest_ptr_add(guest_ptr_t p, uint64_t bytes)
{
	return GUEST_PTR(p.va + bytes);
}

#endif
