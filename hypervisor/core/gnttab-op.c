/* The grant_table_op hypercall. Map, unmap and copy take arrays: they are fetched in batches, worked
 * on from our copy, and written back; between batches the call gives way when something waits. */
#include "abi/errno.h"
#include "core/gnttab-internal.h"
#include "lib/string.h"
#include "lodge/arch.h"
#include "lodge/guest.h"
#include "lodge/hypercall.h"
#include "lodge/page.h"
#include "lodge/vcpu.h"

#define BATCH GNTTAB_BATCH

static int16_t status_of_error(int err)
{
	return err == -XEN_ESRCH ? GNTST_bad_domain : err ? GNTST_general_error : GNTST_okay;
}

/* Map ----------------------------------------------------------------------------------------- */

static void map_one(struct vcpu *v, struct gnttab_map_grant_ref *op)
{
	struct domain *granter;
	gpa_t gpa = GPA(op->host_addr);

	if ((op->flags & ~(uint32_t)GNTMAP_readonly & ~(uint32_t)GNTMAP_device_map) !=
	    GNTMAP_host_map) {
		op->status = GNTST_general_error; /* a PVH guest maps at a guest physical address */
		return;
	}
	if (gpa.a % PAGE_SIZE) {
		op->status = GNTST_bad_virt_addr;
		return;
	}
	op->status = status_of_error(domain_get_peer(v, op->dom, &granter));
	if (op->status)
		return;
	op->status = gnttab_map(v->domain, granter, op->ref, gpa_to_gfn(gpa),
				op->flags & GNTMAP_readonly, &op->handle);
	if (op->status)
		domain_put(granter);
	else
		op->dev_bus_addr = op->host_addr; /* devices see guest physical addresses too */
}

static void map_batch(struct vcpu *v, void *ops, uint32_t nr)
{
	struct gnttab_map_grant_ref *op = ops;

	for (uint32_t i = 0; i < nr; i++)
		map_one(v, &op[i]);
}

/* The guest never learned the handles. */
static void undo_map_batch(struct vcpu *v, const void *ops, uint32_t nr)
{
	const struct gnttab_map_grant_ref *op = ops;
	struct gnttab_unmapping u;

	u.nr = 0;
	for (uint32_t i = 0; i < nr; i++)
		if (op[i].status == GNTST_okay &&
		    gnttab_unmap_begin(v->domain, &u, op[i].handle, GFN_NONE) != GNTST_okay)
			continue; /* another vCPU guessed the handle and was quicker */
	gnttab_unmap_finish(v->domain, &u);
}

/* Unmap --------------------------------------------------------------------------------------- */

/* Either address may be left out; map_one() made them the same. */
static int16_t unmap_one(struct domain *d, const struct gnttab_unmap_grant_ref *op,
			 struct gnttab_unmapping *u)
{
	uint64_t at = op->host_addr ? op->host_addr : op->dev_bus_addr;

	if (at % PAGE_SIZE)
		return GNTST_bad_virt_addr;
	if (op->dev_bus_addr && op->dev_bus_addr != at)
		return GNTST_bad_dev_addr;
	return gnttab_unmap_begin(d, u, op->handle, at ? gpa_to_gfn(GPA(at)) : GFN_NONE);
}

static void unmap_batch(struct vcpu *v, void *ops, uint32_t nr)
{
	struct gnttab_unmap_grant_ref *op = ops;
	struct gnttab_unmapping u;

	u.nr = 0;
	for (uint32_t i = 0; i < nr; i++)
		op[i].status = unmap_one(v->domain, &op[i], &u);
	gnttab_unmap_finish(v->domain, &u);
}

/* Copy ---------------------------------------------------------------------------------------- */

/* The domain that the copies of a batch are about, beside the caller: found once, as long as it is the same. */
struct copy_peer {
	struct domain *domain; /* holds a count; NULL: none yet */
	domid_t id;
};

/* One side of a copy, held. */
struct copy_side {
	struct domain *domain; /* the caller's or the peer's, which hold it */
	mfn_t mfn;
};

static int change_peer(struct vcpu *v, struct copy_peer *peer, domid_t id)
{
	struct domain *found;
	int err = domain_get_peer(v, id, &found);

	if (err)
		return err;
	if (peer->domain)
		domain_put(peer->domain);
	*peer = (struct copy_peer){ .domain = found, .id = id };
	return 0;
}

static inline int find_side(struct vcpu *v, struct copy_peer *peer, domid_t id,
			    struct domain **ret_d)
{
	int err = 0;

	if (id == DOMID_SELF || id == v->domain->id) {
		*ret_d = v->domain;
		return 0;
	}
	if (unlikely(!peer->domain || peer->id != id))
		err = change_peer(v, peer, id);
	if (!err)
		*ret_d = peer->domain;
	return err;
}

static inline int16_t hold_side(struct vcpu *v, struct copy_peer *peer,
				const struct gnttab_copy_ptr *p, bool by_ref, bool readonly,
				struct copy_side *ret_side)
{
	int err = find_side(v, peer, p->domid, &ret_side->domain);

	if (!by_ref && !v->domain->privileged && (err || ret_side->domain != v->domain))
		return GNTST_permission_denied;
	if (err)
		return GNTST_bad_domain;
	if (by_ref)
		return gnttab_acquire(ret_side->domain, p->u.ref, v->domain->id, readonly,
				      &ret_side->mfn);
	return p2m_pin(ret_side->domain, GFN(p->u.gmfn), !readonly, &ret_side->mfn) ? GNTST_bad_page
										    : GNTST_okay;
}

static void drop_side(const struct copy_side *side, const struct gnttab_copy_ptr *p, bool by_ref,
		      bool readonly)
{
	if (by_ref)
		gnttab_release(side->domain, p->u.ref, readonly);
	else
		page_put(side->mfn);
}

/* Each side has a peer of its own, so that finding the second does not let go of the first. */
static int16_t copy_one(struct vcpu *v, struct copy_peer peer[2], const struct gnttab_copy *op)
{
	bool source_by_ref = op->flags & GNTCOPY_source_gref;
	bool dest_by_ref = op->flags & GNTCOPY_dest_gref;
	struct copy_side source, dest;
	int16_t status;

	if (op->source.offset + op->len > PAGE_SIZE || op->dest.offset + op->len > PAGE_SIZE)
		return GNTST_bad_copy_arg;
	status = hold_side(v, &peer[0], &op->source, source_by_ref, true, &source);
	if (status)
		return status;
	status = hold_side(v, &peer[1], &op->dest, dest_by_ref, false, &dest);
	if (status)
		goto drop_source;
	memmove((uint8_t *)mfn_to_ptr(dest.mfn) + op->dest.offset,
		(uint8_t *)mfn_to_ptr(source.mfn) + op->source.offset, op->len);
	drop_side(&dest, &op->dest, dest_by_ref, false);
drop_source:
	drop_side(&source, &op->source, source_by_ref, true);
	return status;
}

static void drop_peers(const struct copy_peer peer[2])
{
	for (unsigned i = 0; i < 2; i++)
		if (peer[i].domain)
			domain_put(peer[i].domain);
}

static void copy_batch(struct vcpu *v, void *ops, uint32_t nr)
{
	struct copy_peer peer[2] = { { NULL, 0 }, { NULL, 0 } };
	struct gnttab_copy *op = ops;

	for (uint32_t i = 0; i < nr; i++)
		op[i].status = copy_one(v, peer, &op[i]);
	drop_peers(peer);
}

static void widen_copy_ptr(const struct compat_gnttab_copy_ptr *from,
			   struct gnttab_copy_ptr *ret_to)
{
	*ret_to = (struct gnttab_copy_ptr){ .u.gmfn = from->u.gmfn,
					    .domid = from->domid,
					    .offset = from->offset };
}

static void compat_copy_batch(struct vcpu *v, void *ops, uint32_t nr)
{
	struct copy_peer peer[2] = { { NULL, 0 }, { NULL, 0 } };
	struct compat_gnttab_copy *op = ops;

	for (uint32_t i = 0; i < nr; i++) {
		struct gnttab_copy wide = { .len = op[i].len, .flags = op[i].flags };

		widen_copy_ptr(&op[i].source, &wide.source);
		widen_copy_ptr(&op[i].dest, &wide.dest);
		op[i].status = copy_one(v, peer, &wide);
	}
	drop_peers(peer);
}

/* Arrays -------------------------------------------------------------------------------------- */

struct array_op {
	void (*batch)(struct vcpu *v, void *ops, uint32_t nr);
	void (*undo)(struct vcpu *v, const void *ops, uint32_t nr);
	uint32_t size;
};

static const struct array_op map_op = { map_batch, undo_map_batch,
					sizeof(struct gnttab_map_grant_ref) };
static const struct array_op unmap_op = { unmap_batch, NULL,
					  sizeof(struct gnttab_unmap_grant_ref) };
static const struct array_op copy_op = { copy_batch, NULL, sizeof(struct gnttab_copy) };
static const struct array_op compat_copy_op = { compat_copy_batch, NULL,
						sizeof(struct compat_gnttab_copy) };

static int64_t run_array(struct vcpu *v, struct hypercall_args *a, const struct array_op *row)
{
	union {
		struct gnttab_map_grant_ref map[BATCH];
		struct gnttab_unmap_grant_ref unmap[BATCH];
		struct gnttab_copy copy[BATCH];
	} ops;
	uint32_t left = (uint32_t)a->arg[2];

	while (left) {
		uint32_t nr = MIN(left, BATCH);
		guest_ptr_t ptr = GUEST_PTR(a->arg[1]);
		int err = copy_from_guest(v, &ops, ptr, nr * row->size);

		if (err)
			return err;
		row->batch(v, &ops, nr);
		err = copy_to_guest(v, ptr, &ops, nr * row->size);
		if (err && row->undo)
			row->undo(v, &ops, nr);
		if (err)
			return err;
		left -= nr;
		a->arg[1] += nr * row->size;
		a->arg[2] = left;
		if (left && hypercall_should_stop())
			return HYPERCALL_RESTART;
	}
	return 0;
}

/* Single operations --------------------------------------------------------------------------- */

static int query_size(struct vcpu *v, guest_ptr_t ptr)
{
	struct gnttab_query_size op;
	struct domain *d;
	int err = copy_from_guest(v, &op, ptr, sizeof(op));

	if (err)
		return err;
	err = domain_get(v, op.dom, &d);
	if (err) {
		op.status = err == -XEN_EPERM ? GNTST_permission_denied : GNTST_bad_domain;
	} else {
		op.nr_frames = READ_ONCE(d->grant.nr_frames);
		op.max_nr_frames = d->grant.max_frames;
		op.status = GNTST_okay;
		domain_put(d);
	}
	return copy_to_guest(v, ptr, &op, sizeof(op));
}

/* Writes where the guest placed its frames; a frame that is nowhere reads as all ones. */
static int write_frame_list(struct vcpu *v, const struct domain *d, uint32_t nr_frames,
			    guest_ptr_t list, bool compat)
{
	uint32_t size = compat ? sizeof(uint32_t) : sizeof(uint64_t);
	int err = 0;

	for (uint32_t i = 0; i < nr_frames && !err; i++) {
		uint64_t gfn = READ_ONCE(d->grant.frame_gfn[i].n);

		err = copy_to_guest(v, guest_ptr_add(list, (uint64_t)i * size), &gfn, size);
	}
	return err;
}

static int16_t setup_for(struct vcpu *v, domid_t dom, uint32_t nr_frames, guest_ptr_t list,
			 bool compat, int *ret_err)
{
	struct domain *d;
	int err = domain_get(v, dom, &d);

	*ret_err = 0;
	if (err)
		return err == -XEN_EPERM ? GNTST_permission_denied : GNTST_bad_domain;
	err = gnttab_grow(d, nr_frames);
	if (err == -XEN_EAGAIN)
		*ret_err = err;
	else if (!err)
		*ret_err = write_frame_list(v, d, nr_frames, list, compat);
	domain_put(d);
	return err ? GNTST_general_error : GNTST_okay;
}

static int setup_table(struct vcpu *v, guest_ptr_t ptr, bool compat)
{
	struct compat_gnttab_setup_table narrow;
	struct gnttab_setup_table op;
	int err;

	if (!compat) {
		err = copy_from_guest(v, &op, ptr, sizeof(op));
		if (!err)
			op.status = setup_for(v, op.dom, op.nr_frames, GUEST_PTR(op.frame_list),
					      false, &err);
		return err ? err : copy_to_guest(v, ptr, &op, sizeof(op));
	}
	err = copy_from_guest(v, &narrow, ptr, sizeof(narrow));
	if (!err)
		narrow.status = setup_for(v, narrow.dom, narrow.nr_frames,
					  GUEST_PTR(narrow.frame_list), true, &err);
	return err ? err : copy_to_guest(v, ptr, &narrow, sizeof(narrow));
}

/* Version 2 costs every user a second table and buys nothing that Linux uses below 16 TiB. */
static int set_version(struct vcpu *v, guest_ptr_t ptr)
{
	struct gnttab_set_version op;
	uint32_t wanted;
	int err = copy_from_guest(v, &op, ptr, sizeof(op));

	if (err)
		return err;
	wanted = op.version;
	op.version = 1;
	err = copy_to_guest(v, ptr, &op, sizeof(op));
	if (err || wanted == 1)
		return err;
	return wanted == 2 ? -XEN_ENOSYS : -XEN_EINVAL;
}

static int get_version(struct vcpu *v, guest_ptr_t ptr)
{
	struct gnttab_get_version op;
	struct domain *d;
	int err = copy_from_guest(v, &op, ptr, sizeof(op));

	if (!err)
		err = domain_get(v, op.dom, &d);
	if (err)
		return err;
	domain_put(d);
	op.version = 1;
	return copy_to_guest(v, ptr, &op, sizeof(op));
}

int64_t do_grant_table_op(struct vcpu *v, struct hypercall_args *a)
{
	guest_ptr_t ptr = GUEST_PTR(a->arg[1]);
	int err;

	if (a->arg[2] > INT32_MAX)
		return -XEN_EINVAL;
	switch (a->arg[0]) {
	case GNTTABOP_map_grant_ref:
		return run_array(v, a, &map_op);
	case GNTTABOP_unmap_grant_ref:
		return run_array(v, a, &unmap_op);
	case GNTTABOP_copy:
		return run_array(v, a, a->compat ? &compat_copy_op : &copy_op);
	case GNTTABOP_setup_table:
		err = a->arg[2] == 1 ? setup_table(v, ptr, a->compat) : -XEN_EINVAL;
		return err == -XEN_EAGAIN ? HYPERCALL_RESTART : err;
	case GNTTABOP_query_size:
		return a->arg[2] == 1 ? query_size(v, ptr) : -XEN_EINVAL;
	case GNTTABOP_set_version:
		return a->arg[2] == 1 ? set_version(v, ptr) : -XEN_EINVAL;
	case GNTTABOP_get_version:
		return a->arg[2] == 1 ? get_version(v, ptr) : -XEN_EINVAL;
	default:
		return -XEN_ENOSYS;
	}
}
