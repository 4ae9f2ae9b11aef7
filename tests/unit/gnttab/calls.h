/* grant_table_op as a guest makes it, and the granter's side of its table. */
#ifndef LODGE_TESTS_GNTTAB_CALLS_H
#define LODGE_TESTS_GNTTAB_CALLS_H

#include <check.h>
#include <string.h>

#include "abi/errno.h"
#include "core/gnttab-internal.h"
#include "lodge/hypercall.h"
#include "lodge/page.h"
#include "world.h"

/* The array is put at one place in guest memory; the results come back into it. */
int64_t grant_op(struct vcpu *v, uint64_t cmd, void *ops, size_t bytes, uint64_t count);
/* As grant_op, once: the arguments as a restart leaves them. */
int64_t grant_op_once(struct vcpu *v, struct hypercall_args *a, uint64_t cmd, const void *ops,
		      size_t bytes, uint64_t count);

struct grant_entry_v1 *grant_entry(struct domain *d, grant_ref_t ref);
/* d lets user have its frame. */
void grant(struct domain *d, grant_ref_t ref, domid_t user, uint64_t gfn, uint16_t flags);

/* One mapping; its status. */
int16_t map(struct domain *d, domid_t dom, grant_ref_t ref, uint64_t gfn, uint32_t flags,
	    grant_handle_t *ret_handle);
int16_t unmap(struct domain *d, grant_handle_t handle, uint64_t gfn);
/* Must succeed. */
grant_handle_t map_ok(struct domain *d, domid_t dom, grant_ref_t ref, uint64_t gfn, uint32_t flags);

/* What d has at gfn. */
struct p2m_entry at(struct domain *d, uint64_t gfn);

#define HOST_MAP GNTMAP_host_map
#define READONLY (GNTMAP_host_map | GNTMAP_readonly)
#define PERMIT   GTF_permit_access

#endif
