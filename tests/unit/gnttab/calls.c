#include "calls.h"

static guest_ptr_t place;

int64_t grant_op_once(struct vcpu *v, struct hypercall_args *a, uint64_t cmd, const void *ops,
		      size_t bytes, uint64_t count)
{
	if (!place.va)
		place = fake_guest_space(16384);
	if (bytes)
		memcpy(fake_guest_at(place), ops, bytes);
	*a = (struct hypercall_args){ .arg = { cmd, place.va, count },
				      .compat = v->domain->compat };
	return do_grant_table_op(v, a);
}

int64_t grant_op(struct vcpu *v, uint64_t cmd, void *ops, size_t bytes, uint64_t count)
{
	struct hypercall_args a;
	int64_t result = grant_op_once(v, &a, cmd, ops, bytes, count);

	while (result == HYPERCALL_RESTART)
		result = do_grant_table_op(v, &a);
	if (bytes)
		memcpy(ops, fake_guest_at(place), bytes);
	return result;
}

struct grant_entry_v1 *grant_entry(struct domain *d, grant_ref_t ref)
{
	return &d->grant.frame[ref / 512][ref % 512];
}

void grant(struct domain *d, grant_ref_t ref, domid_t user, uint64_t gfn, uint16_t flags)
{
	*grant_entry(d, ref) = (struct grant_entry_v1){ flags, user, (uint32_t)gfn };
}

int16_t map(struct domain *d, domid_t dom, grant_ref_t ref, uint64_t gfn, uint32_t flags,
	    grant_handle_t *ret_handle)
{
	struct gnttab_map_grant_ref op = {
		.host_addr = gfn * PAGE_SIZE, .flags = flags, .ref = ref, .dom = dom, .status = 99
	};

	ck_assert_int_eq(grant_op(d->vcpu[0], GNTTABOP_map_grant_ref, &op, sizeof(op), 1), 0);
	if (!op.status) {
		ck_assert_uint_eq(op.dev_bus_addr, op.host_addr);
		*ret_handle = op.handle;
	}
	return op.status;
}

grant_handle_t map_ok(struct domain *d, domid_t dom, grant_ref_t ref, uint64_t gfn, uint32_t flags)
{
	grant_handle_t handle = MAPTRACK_NONE;

	ck_assert_int_eq(map(d, dom, ref, gfn, flags, &handle), GNTST_okay);
	return handle;
}

int16_t unmap(struct domain *d, grant_handle_t handle, uint64_t gfn)
{
	struct gnttab_unmap_grant_ref op = { .host_addr = gfn * PAGE_SIZE, .handle = handle };

	ck_assert_int_eq(grant_op(d->vcpu[0], GNTTABOP_unmap_grant_ref, &op, sizeof(op), 1), 0);
	return op.status;
}

struct p2m_entry at(struct domain *d, uint64_t gfn)
{
	struct p2m_entry e;

	p2m_lookup(d, GFN(gfn), &e);
	return e;
}
