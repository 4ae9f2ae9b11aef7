/* memory_op: what a domain does with its memory reservation and its physmap.
 * A list operation that stops early tells how many entries it finished: an entry that cannot be done
 * ends it and is no error of the call. Preempted, it keeps that number in the command's upper bits.
 * Not here: increase_reservation, exchange and the machine's own map, which mean nothing to a guest
 * whose physmap is ours to keep (-ENOSYS). */
#include "abi/errno.h"
#include "abi/memory.h"
#include "lib/string.h"
#include "lodge/arch.h"
#include "lodge/domain.h"
#include "lodge/guest.h"
#include "lodge/hypercall.h"
#include "lodge/p2m.h"
#include "lodge/page.h"
#include "lodge/vcpu.h"

/* Entries of a guest's list that one copy fetches, and one flush serves. */
#define LIST_BATCH P2M_BATCH
/* Larger blocks would be cleared for too long at once. */
#define MAX_EXTENT_ORDER ORDER_2M

/* One call, after the command was taken apart. */
struct memop {
	struct vcpu *v;
	struct hypercall_args *args;
	bool compat;
	unsigned cmd;
	uint64_t start; /* entries that earlier rounds have done */
	guest_ptr_t arg;
};

/* Goes on with entry `done` later. */
static int64_t memop_restart(const struct memop *m, uint64_t done)
{
	m->args->arg[0] = m->cmd | done << MEMOP_EXTENT_SHIFT;
	return HYPERCALL_RESTART;
}

/* Lists of frame numbers: 64 or 32 bits wide. */
static size_t frame_bytes(const struct memop *m)
{
	return m->compat ? sizeof(uint32_t) : sizeof(uint64_t);
}

static int read_frames(const struct memop *m, guest_ptr_t list, uint64_t first, unsigned nr,
		       uint64_t *ret_frame)
{
	uint32_t narrow[LIST_BATCH];
	guest_ptr_t from = guest_ptr_add(list, first * frame_bytes(m));
	int err;

	if (!m->compat)
		return copy_from_guest(m->v, ret_frame, from, nr * sizeof(uint64_t));
	err = copy_from_guest(m->v, narrow, from, nr * sizeof(uint32_t));
	for (unsigned i = 0; !err && i < nr; i++)
		ret_frame[i] = narrow[i];
	return err;
}

/* Reservations ---------------------------------------------------------------------------------------- */

struct reservation {
	struct domain *d; /* counted */
	guest_ptr_t list;
	uint64_t nr;
	unsigned order;
	uint32_t mem_flags;
};

static int reservation_read(const struct memop *m, struct reservation *ret_r)
{
	struct compat_xen_memory_reservation narrow;
	struct xen_memory_reservation r;
	int err;

	if (m->compat) {
		err = copy_from_guest(m->v, &narrow, m->arg, sizeof(narrow));
		if (!err)
			r = (struct xen_memory_reservation){ .extent_start = narrow.extent_start,
							     .nr_extents = narrow.nr_extents,
							     .extent_order = narrow.extent_order,
							     .mem_flags = narrow.mem_flags,
							     .domid = narrow.domid };
	} else {
		err = copy_from_guest(m->v, &r, m->arg, sizeof(r));
	}
	if (err)
		return err;
	/* What the command's upper bits could not count, and a start that the guest made up. */
	if (r.nr_extents > (m->compat ? UINT32_MAX : UINT64_MAX) >> MEMOP_EXTENT_SHIFT ||
	    m->start > r.nr_extents || r.extent_order > MAX_EXTENT_ORDER)
		return -XEN_EINVAL;
	*ret_r = (struct reservation){ .list = GUEST_PTR(r.extent_start),
				       .nr = r.nr_extents,
				       .order = r.extent_order,
				       .mem_flags = r.mem_flags };
	return domain_get(m->v, r.domid, &ret_r->d);
}

/* Does one batch of a list, from entry `first`; returns how many of the nr entries it finished. */
typedef unsigned extents_fn(const struct reservation *r, const uint64_t gfn[], unsigned nr);

static int64_t for_each_extent(const struct memop *m, extents_fn *fn)
{
	uint64_t gfn[LIST_BATCH];
	struct reservation r;
	uint64_t done = m->start;
	int64_t ret = reservation_read(m, &r);
	unsigned nr, nr_done;

	if (ret)
		return ret;
	while (done < r.nr) {
		/* Large extents one by one: each is some 50 microseconds of work. */
		nr = (unsigned)MIN(r.nr - done, r.order ? 1 : LIST_BATCH);
		if (read_frames(m, r.list, done, nr, gfn))
			break;
		nr_done = fn(&r, gfn, nr);
		done += nr_done;
		if (nr_done < nr)
			break;
		if (done < r.nr && hypercall_should_stop()) {
			domain_put(r.d);
			return memop_restart(m, done);
		}
	}
	domain_put(r.d);
	return (int64_t)done;
}

/* A block of pages that d owns and counts goes into its physmap, or all of it is given back. */
static int map_ram(struct domain *d, uint64_t gfn, mfn_t mfn, unsigned order)
{
	unsigned step = order == ORDER_2M && is_aligned(gfn, 1ull << order) ? ORDER_2M : ORDER_4K;
	struct p2m_entry e = { .kind = P2M_RAM,
			       .order = (uint8_t)step,
			       .access = p2m_ram_access(d) };
	struct p2m_batch b;
	uint64_t done;
	int err = 0;

	for (done = 0; done < 1ull << order; done += 1ull << step) {
		e.mfn = MFN(mfn.n + done);
		err = p2m_map(d, GFN(gfn + done), &e);
		if (err)
			break;
	}
	if (!err)
		return 0;
	p2m_batch_init(&b, d);
	for (uint64_t i = 0; i < done; i++) /* the guest may have been quicker */
		(void)!p2m_batch_unmap(&b, GFN(gfn + i), ORDER_4K, P2M_KIND(P2M_RAM));
	p2m_batch_finish(&b);
	for (uint64_t i = done; i < 1ull << order; i++)
		page_put(MFN(mfn.n + i));
	return err;
}

static unsigned populate_extents(const struct reservation *r, const uint64_t gfn[], unsigned nr)
{
	unsigned bits = XENMEMF_get_address_bits(r->mem_flags);
	unsigned node = XENMEMF_get_node(r->mem_flags);
	unsigned flags = 0;
	unsigned i;
	mfn_t mfn;

	if (bits && bits < 32)
		return 0;
	if (bits == 32)
		flags |= PAGE_ALLOC_BELOW_4G;
	if (node < MAX_NODES)
		flags |= PAGE_ALLOC_NODE(node);
	for (i = 0; i < nr; i++)
		if (page_alloc_domain(r->d, r->order, flags, &mfn) ||
		    map_ram(r->d, gfn[i], mfn, r->order))
			break;
	return i;
}

static int64_t memop_populate_physmap(const struct memop *m)
{
	return for_each_extent(m, populate_extents);
}

static int release_extent(struct p2m_batch *b, uint64_t gfn, unsigned order)
{
	int err = 0;

	if (order == ORDER_2M && !p2m_batch_unmap(b, GFN(gfn), ORDER_2M, P2M_KIND(P2M_RAM)))
		return 0;
	for (uint64_t i = 0; !err && i < 1ull << order; i++)
		err = p2m_batch_unmap(b, GFN(gfn + i), ORDER_4K, P2M_KIND(P2M_RAM));
	return err;
}

static unsigned release_extents(const struct reservation *r, const uint64_t gfn[], unsigned nr)
{
	struct p2m_batch b;
	unsigned i;

	p2m_batch_init(&b, r->d);
	for (i = 0; i < nr; i++)
		if (release_extent(&b, gfn[i], r->order))
			break;
	p2m_batch_finish(&b);
	return i;
}

static int64_t memop_decrease_reservation(const struct memop *m)
{
	return for_each_extent(m, release_extents);
}

/* What there is ----------------------------------------------------------------------------------------- */

static int64_t memop_maximum_ram_page(const struct memop *m)
{
	(void)m;
	return (int64_t)nr_page_records;
}

/* The domain that struct xen_memory_domain at the argument names. */
static int read_domain(const struct memop *m, struct domain **ret_d)
{
	struct xen_memory_domain op;
	int err = copy_from_guest(m->v, &op, m->arg, sizeof(op));

	return err ? err : domain_get(m->v, op.domid, ret_d);
}

static int64_t memop_domain_number(const struct memop *m)
{
	struct domain *d;
	int64_t ret = read_domain(m, &d);

	if (ret)
		return ret;
	if (m->cmd == XENMEM_current_reservation)
		ret = (int64_t)READ_ONCE(d->nr_pages);
	else if (m->cmd == XENMEM_maximum_reservation)
		ret = (int64_t)MIN(d->max_pages, (uint64_t)INT64_MAX);
	else
		ret = (int64_t)READ_ONCE(d->p2m.highest_gfn);
	domain_put(d);
	return ret;
}

static int read_map(const struct memop *m, struct xen_memory_map *ret_map)
{
	struct compat_xen_memory_map narrow;
	int err;

	if (!m->compat)
		return copy_from_guest(m->v, ret_map, m->arg, sizeof(*ret_map));
	err = copy_from_guest(m->v, &narrow, m->arg, sizeof(narrow));
	if (!err)
		*ret_map = (struct xen_memory_map){ .nr_entries = narrow.nr_entries,
						    .buffer = narrow.buffer };
	return err;
}

/* The caller's own map. -ENOSYS when it has none, -ENOBUFS without room for all of it. */
static int64_t memop_memory_map(const struct memop *m)
{
	struct xen_e820_entry copy[MAX_E820_ENTRIES];
	struct domain *d = m->v->domain;
	struct xen_memory_map map;
	uint32_t nr;
	int err = read_map(m, &map);

	if (err)
		return err;
	spin_lock(&d->lock);
	nr = d->nr_e820;
	if (nr)
		memcpy(copy, d->e820, nr * sizeof(copy[0]));
	spin_unlock(&d->lock);
	if (!nr)
		return -XEN_ENOSYS;
	if (map.nr_entries < nr)
		return -XEN_ENOBUFS;
	err = copy_to_guest(m->v, GUEST_PTR(map.buffer), copy, nr * sizeof(copy[0]));
	if (!err) /* nr_entries comes first in both layouts */
		err = copy_to_guest(m->v, m->arg, &nr, sizeof(nr));
	return err;
}

/* The physmap ------------------------------------------------------------------------------------------- */

#define REPLACEABLE \
	(P2M_KIND(P2M_RAM) | P2M_KIND(P2M_SHARED) | P2M_KIND(P2M_FOREIGN) | P2M_KIND(P2M_MMIO))
#define REMOVABLE (P2M_KIND(P2M_RAM) | P2M_KIND(P2M_SHARED) | P2M_KIND(P2M_FOREIGN))

/* Takes one frame's mapping out and drops what it counted. */
static int remove_one(struct domain *d, gfn_t gfn, unsigned kinds)
{
	struct p2m_batch b;
	int err;

	p2m_batch_init(&b, d);
	err = p2m_batch_unmap(&b, gfn, ORDER_4K, kinds);
	p2m_batch_finish(&b);
	return err;
}

/* Puts a page that the caller has counted at gfn, in the place of what is there: the guest asks for that
 * where it has RAM, and for scratch space also where the machine has nothing but addresses. On failure
 * the count is still the caller's. */
static int place(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned kind, unsigned access)
{
	struct p2m_entry e = { .mfn = mfn, .kind = (uint8_t)kind, .access = (uint8_t)access };
	int err = remove_one(d, gfn, REPLACEABLE);

	if (err && err != -XEN_ENOENT)
		return err;
	return p2m_map(d, gfn, &e);
}

/* A page of the hypervisor's, which a domain sees at most once: *where is where. d->lock is held. */
static int place_shared(struct domain *d, gfn_t gfn, mfn_t mfn, gfn_t *where)
{
	struct p2m_entry old;
	int err;

	if (!page_get(mfn, PAGE_OWNER_SHARED))
		return -XEN_EINVAL;
	err = place(d, gfn, mfn, P2M_SHARED, P2M_WRITE);
	if (err) {
		page_put(mfn);
		return err;
	}
	if (where->n != gfn.n) {
		p2m_lookup(d, *where, &old);
		if (old.kind == P2M_SHARED && old.mfn.n == mfn.n)
			(void)!remove_one(d, *where, P2M_KIND(P2M_SHARED)); /* or it is gone */
	}
	*where = gfn;
	return 0;
}

static int add_shared_info(const struct memop *m, struct domain *d, uint64_t idx, gfn_t gfn)
{
	int err = -XEN_EINVAL;

	if (idx)
		return err;
	spin_lock(&d->lock);
	err = place_shared(d, gfn, ptr_to_mfn(d->shared_info), &d->shared_info_gfn);
	/* The kernel that maps the page is the one that will read it. */
	if (!err && d == m->v->domain)
		domain_set_layout(d, m->compat);
	spin_unlock(&d->lock);
	return err;
}

static int add_grant_frame(struct domain *d, uint64_t idx, gfn_t gfn)
{
	mfn_t mfn;
	int err;

	if (idx >= d->grant.max_frames)
		return -XEN_EINVAL;
	idx = index_clamp(idx, d->grant.max_frames);
	spin_lock(&d->lock);
	err = gnttab_get_frame(d, (uint32_t)idx, &mfn);
	if (!err)
		err = place_shared(d, gfn, mfn, &d->grant.frame_gfn[idx]);
	spin_unlock(&d->lock);
	return err;
}

/* A foreign page: as writable as its owner has it, never to be executed, and out of devices' reach, so
 * that taking it away costs no flush of the IOMMU. */
static int add_foreign(struct domain *d, struct domain *owner, uint64_t idx, gfn_t gfn)
{
	unsigned access = P2M_WRITE;
	mfn_t mfn;
	int err = p2m_pin(owner, GFN(idx), true, &mfn);

	if (err) {
		access = 0;
		err = p2m_pin(owner, GFN(idx), false, &mfn);
	}
	if (err)
		return err;
	err = place(d, gfn, mfn, P2M_FOREIGN, access);
	if (err)
		page_put(mfn);
	return err;
}

/* One page into d's physmap. owner: for XENMAPSPACE_gmfn_foreign, else NULL. */
static int add_one(const struct memop *m, struct domain *d, struct domain *owner, unsigned space,
		   uint64_t idx, gfn_t gfn)
{
	switch (space) {
	case XENMAPSPACE_shared_info:
		return add_shared_info(m, d, idx, gfn);
	case XENMAPSPACE_grant_table:
		return add_grant_frame(d, idx, gfn);
	case XENMAPSPACE_gmfn_foreign:
		return owner ? add_foreign(d, owner, idx, gfn) : -XEN_ENOSYS;
	case XENMAPSPACE_gmfn:
	case XENMAPSPACE_gmfn_range:
	case XENMAPSPACE_dev_mmio:
		return -XEN_ENOSYS;
	default:
		return -XEN_EINVAL;
	}
}

static int64_t memop_add_to_physmap(const struct memop *m)
{
	struct compat_xen_add_to_physmap narrow;
	struct xen_add_to_physmap op;
	struct domain *d;
	int err;

	if (m->compat) {
		err = copy_from_guest(m->v, &narrow, m->arg, sizeof(narrow));
		if (!err)
			op = (struct xen_add_to_physmap){ .domid = narrow.domid,
							  .space = narrow.space,
							  .idx = narrow.idx,
							  .gpfn = narrow.gpfn };
	} else {
		err = copy_from_guest(m->v, &op, m->arg, sizeof(op));
	}
	if (!err)
		err = domain_get(m->v, op.domid, &d);
	if (err)
		return err;
	err = add_one(m, d, NULL, op.space, op.idx, GFN(op.gpfn));
	domain_put(d);
	return err == -XEN_EAGAIN ? memop_restart(m, m->start) : err;
}

static int batch_read(const struct memop *m, struct xen_add_to_physmap_batch *ret_op)
{
	struct compat_xen_add_to_physmap_batch narrow;
	int err;

	if (!m->compat)
		return copy_from_guest(m->v, ret_op, m->arg, sizeof(*ret_op));
	err = copy_from_guest(m->v, &narrow, m->arg, sizeof(narrow));
	if (!err)
		*ret_op = (struct xen_add_to_physmap_batch){ .domid = narrow.domid,
							     .space = narrow.space,
							     .size = narrow.size,
							     .u.res0 = narrow.u.res0,
							     .idxs = narrow.idxs,
							     .gpfns = narrow.gpfns,
							     .errs = narrow.errs };
	return err;
}

/* The other domain of a batch; domain_get() lets only the privileged name one. A foreign page goes into the
 * caller's own physmap: what the service VM may see is no business of third parties. */
static int batch_owner(const struct memop *m, const struct domain *d,
		       const struct xen_add_to_physmap_batch *op, struct domain **ret_owner)
{
	*ret_owner = NULL;
	if (op->space != XENMAPSPACE_gmfn_foreign)
		return op->u.res0 ? -XEN_EINVAL : 0;
	if (d != m->v->domain)
		return -XEN_EPERM;
	if (op->u.foreign_domid == DOMID_SELF || op->u.foreign_domid == d->id)
		return -XEN_EINVAL;
	return domain_get(m->v, op->u.foreign_domid, ret_owner);
}

/* Entry i. Its own failure goes into its place in errs; -EFAULT ends the call, -EAGAIN stops it. */
static int batch_one(const struct memop *m, struct domain *d, struct domain *owner,
		     const struct xen_add_to_physmap_batch *op, uint64_t i)
{
	uint64_t idx, gfn;
	int32_t result;
	int err;

	err = read_frames(m, GUEST_PTR(op->idxs), i, 1, &idx);
	if (!err)
		err = read_frames(m, GUEST_PTR(op->gpfns), i, 1, &gfn);
	if (err)
		return err;
	result = add_one(m, d, owner, op->space, idx, GFN(gfn));
	if (result == -XEN_EAGAIN)
		return result;
	err = copy_to_guest(m->v, guest_ptr_add(GUEST_PTR(op->errs), i * sizeof(result)), &result,
			    sizeof(result));
	if (err && !result && owner) /* the caller never learned of it: undo */
		(void)!remove_one(d, GFN(gfn), P2M_KIND(P2M_FOREIGN));
	return err;
}

static int64_t batch_all(const struct memop *m, struct domain *d, struct domain *owner,
			 const struct xen_add_to_physmap_batch *op)
{
	uint64_t i = m->start;
	int err = 0;

	if (i > op->size)
		return -XEN_EINVAL;
	while (!err && i < op->size) {
		if (i > m->start && hypercall_should_stop())
			return memop_restart(m, i);
		err = batch_one(m, d, owner, op, i);
		if (err == -XEN_EAGAIN)
			return memop_restart(m, i);
		i++;
	}
	return err;
}

static int64_t memop_add_to_physmap_batch(const struct memop *m)
{
	struct xen_add_to_physmap_batch op;
	struct domain *d, *owner;
	int64_t ret = batch_read(m, &op);

	if (!ret)
		ret = domain_get(m->v, op.domid, &d);
	if (ret)
		return ret;
	ret = batch_owner(m, d, &op, &owner);
	if (!ret)
		ret = batch_all(m, d, owner, &op);
	if (owner)
		domain_put(owner);
	domain_put(d);
	return ret;
}

/* -ENOENT on a hole, -EBUSY for a grant mapping or a machine's address. */
static int64_t memop_remove_from_physmap(const struct memop *m)
{
	struct compat_xen_remove_from_physmap narrow;
	struct xen_remove_from_physmap op;
	struct domain *d;
	int err;

	if (m->compat) {
		err = copy_from_guest(m->v, &narrow, m->arg, sizeof(narrow));
		if (!err)
			op = (struct xen_remove_from_physmap){ .domid = narrow.domid,
							       .gpfn = narrow.gpfn };
	} else {
		err = copy_from_guest(m->v, &op, m->arg, sizeof(op));
	}
	if (!err)
		err = domain_get(m->v, op.domid, &d);
	if (err)
		return err;
	err = remove_one(d, GFN(op.gpfn), REMOVABLE);
	domain_put(d);
	return err;
}

/* Another domain's hypervisor pages ------------------------------------------------------------------------ */

struct resource {
	struct domain *d; /* counted */
	uint64_t first;
	uint32_t nr;
	guest_ptr_t list; /* 0: only the size is wanted */
};

/* Only grant tables of version 1 exist. */
static int resource_check(const struct xen_mem_acquire_resource *op)
{
	if (op->pad)
		return -XEN_EINVAL;
	if (op->type != XENMEM_resource_grant_table)
		return -XEN_EOPNOTSUPP;
	if (op->id != XENMEM_resource_grant_table_id_shared)
		return -XEN_EINVAL;
	if (!op->frame_list)
		return op->nr_frames ? -XEN_EINVAL : 0;
	return op->frame > UINT32_MAX || op->nr_frames > UINT32_MAX >> MEMOP_EXTENT_SHIFT
		       ? -XEN_EINVAL
		       : 0;
}

static int resource_read(const struct memop *m, struct resource *ret_r)
{
	struct compat_xen_mem_acquire_resource narrow;
	struct xen_mem_acquire_resource op;
	int err;

	if (m->compat) {
		err = copy_from_guest(m->v, &narrow, m->arg, sizeof(narrow));
		if (!err)
			op = (struct xen_mem_acquire_resource){ .domid = narrow.domid,
								.type = narrow.type,
								.id = narrow.id,
								.nr_frames = narrow.nr_frames,
								.pad = narrow.pad,
								.frame = narrow.frame,
								.frame_list = narrow.frame_list };
	} else {
		err = copy_from_guest(m->v, &op, m->arg, sizeof(op));
	}
	if (!err)
		err = resource_check(&op);
	if (err)
		return err;
	*ret_r = (struct resource){ .first = op.frame,
				    .nr = op.nr_frames,
				    .list = GUEST_PTR(op.frame_list) };
	if (!m->v->domain->privileged)
		return -XEN_EPERM;
	return domain_get(m->v, op.domid, &ret_r->d);
}

/* Page i of the resource, at the frame that the caller's list names. */
static int resource_map_one(const struct memop *m, const struct resource *r, uint64_t i)
{
	uint64_t gfn, idx = r->first + i;
	mfn_t mfn;
	int err;

	if (idx >= r->d->grant.max_frames)
		return -XEN_EINVAL;
	err = read_frames(m, r->list, i, 1, &gfn);
	if (!err)
		err = gnttab_get_frame(r->d, (uint32_t)index_clamp(idx, r->d->grant.max_frames),
				       &mfn);
	if (err)
		return err;
	/* Our count of r->d keeps the frame until this one is taken. */
	if (!page_get(mfn, PAGE_OWNER_SHARED))
		return -XEN_EINVAL;
	err = place(m->v->domain, GFN(gfn), mfn, P2M_SHARED, P2M_WRITE);
	if (err)
		page_put(mfn);
	return err;
}

static int64_t resource_map(const struct memop *m, const struct resource *r)
{
	uint64_t i = m->start;
	int err = 0;

	if (i > r->nr)
		return -XEN_EINVAL;
	while (!err && i < r->nr) {
		if (i > m->start && hypercall_should_stop())
			return memop_restart(m, i);
		err = resource_map_one(m, r, i);
		if (err == -XEN_EAGAIN)
			return memop_restart(m, i);
		i++;
	}
	return err;
}

/* Pages before the one that fails stay mapped: they are in the caller's own physmap, for it to remove. */
static int64_t memop_acquire_resource(const struct memop *m)
{
	struct resource r;
	int64_t ret = resource_read(m, &r);

	if (ret)
		return ret;
	if (r.list.va)
		ret = resource_map(m, &r);
	else
		ret = copy_to_guest(
			m->v,
			guest_ptr_add(m->arg, offsetof(struct xen_mem_acquire_resource, nr_frames)),
			&r.d->grant.max_frames, sizeof(r.d->grant.max_frames));
	domain_put(r.d);
	return ret;
}

static_assert(offsetof(struct xen_mem_acquire_resource, nr_frames) ==
		      offsetof(struct compat_xen_mem_acquire_resource, nr_frames),
	      "one copy-out serves both");

/* Dispatch -------------------------------------------------------------------------------------------------- */

static int64_t (*const memop_table[])(const struct memop *m) = {
	[XENMEM_decrease_reservation] = memop_decrease_reservation,
	[XENMEM_maximum_ram_page] = memop_maximum_ram_page,
	[XENMEM_current_reservation] = memop_domain_number,
	[XENMEM_maximum_reservation] = memop_domain_number,
	[XENMEM_populate_physmap] = memop_populate_physmap,
	[XENMEM_add_to_physmap] = memop_add_to_physmap,
	[XENMEM_memory_map] = memop_memory_map,
	[XENMEM_maximum_gpfn] = memop_domain_number,
	[XENMEM_remove_from_physmap] = memop_remove_from_physmap,
	[XENMEM_add_to_physmap_batch] = memop_add_to_physmap_batch,
	[XENMEM_acquire_resource] = memop_acquire_resource,
};

int64_t do_memory_op(struct vcpu *v, struct hypercall_args *a)
{
	struct memop m = {
		.v = v,
		.args = a,
		.compat = a->compat,
		.cmd = (unsigned)a->arg[0] & MEMOP_CMD_MASK,
		.start = a->arg[0] >> MEMOP_EXTENT_SHIFT,
		.arg = GUEST_PTR(a->arg[1]),
	};
	unsigned cmd = m.cmd;

	if (cmd >= ARRAY_SIZE(memop_table))
		return -XEN_ENOSYS;
	cmd = (unsigned)index_clamp(cmd, ARRAY_SIZE(memop_table));
	return memop_table[cmd] ? memop_table[cmd](&m) : -XEN_ENOSYS;
}
