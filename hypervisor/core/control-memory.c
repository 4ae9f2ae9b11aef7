/*
 * The control interface's part about memory: limit, claim, populate, bulk copies, and the map that the
 * guest is told.
 *
 * Copies go between the caller's buffer and the domain's pages directly, a page at a time, each pinned
 * while it is copied.
 */
#include "core/control-internal.h"

#include "abi/errno.h"
#include "lodge/arch.h"
#include "lodge/guest.h"
#include "lodge/hypercall.h"
#include "lodge/p2m.h"
#include "lodge/page.h"

/* 4K pages between two looks at whether to stop. A copied page takes a microsecond or less. */
#define POPULATE_BATCH 32u
#define COPY_BATCH     16u

int control_set_memory(struct control *c)
{
	const struct lodge_control_memory *op = &c->op.u.memory;

	if (op->missing || op->nr_pages > UINT64_MAX >> PAGE_SHIFT)
		return -XEN_EINVAL;
	WRITE_ONCE(c->d->max_pages, op->nr_pages);
	p2m_set_limit(c->d, op->nr_pages);
	return 0;
}

int control_claim(struct control *c)
{
	struct lodge_control_memory *op = &c->op.u.memory;

	op->missing = 0;
	return page_set_claim(c->d, op->nr_pages, &op->missing);
}

/* Populate ----------------------------------------------------------------------------------------- */

/* A block into the physmap, or nothing at all. */
static int populate_block(struct domain *d, uint64_t gfn, unsigned order, unsigned flags)
{
	struct p2m_entry e = { .kind = P2M_RAM,
			       .order = (uint8_t)order,
			       .access = p2m_ram_access(d) };
	int err = page_alloc_domain(d, order, flags, &e.mfn);

	if (err)
		return err;
	err = p2m_map(d, GFN(gfn), &e);
	if (err)
		page_put_block(e.mfn, order);
	return err;
}

/* The largest block that starts at the frame and fits, or a page. Returns the order, or the error. */
static int populate_next(struct domain *d, uint64_t gfn, uint64_t nr_left, bool large_too,
			 unsigned flags)
{
	int err;

	if (large_too && is_aligned(gfn, 1ull << ORDER_2M) && nr_left >= 1ull << ORDER_2M &&
	    !populate_block(d, gfn, ORDER_2M, flags))
		return ORDER_2M;
	err = populate_block(d, gfn, ORDER_4K, flags);
	return err ? err : (int)ORDER_4K;
}

int control_populate(struct control *c)
{
	struct lodge_control_populate *op = &c->op.u.populate;
	unsigned flags = op->node ? PAGE_ALLOC_NODE(op->node - 1) : 0;
	bool large_too = op->max_order != LODGE_ORDER_4K;
	unsigned nr_steps = 0;

	if (op->node > MAX_NODES || op->max_order > LODGE_ORDER_2M || op->done > op->nr_pages ||
	    op->gfn > UINT64_MAX - op->nr_pages)
		return -XEN_EINVAL;
	while (op->done < op->nr_pages) {
		int order = populate_next(c->d, op->gfn + op->done, op->nr_pages - op->done,
					  large_too, flags);

		if (order < 0)
			return order;
		op->done += 1ull << order;
		nr_steps += order ? POPULATE_BATCH : 1;
		if (nr_steps >= POPULATE_BATCH && op->done < op->nr_pages) {
			if (hypercall_should_stop())
				return -XEN_EAGAIN;
			nr_steps = 0;
		}
	}
	return 0;
}

/* Copies ------------------------------------------------------------------------------------------- */

/* Up to the end of a page. */
static int copy_piece(struct control *c, uint64_t gpa, guest_ptr_t buffer, size_t bytes, bool in)
{
	uint8_t *page;
	mfn_t mfn;
	int err = p2m_pin(c->d, GFN(gpa >> PAGE_SHIFT), in, &mfn);

	if (err)
		return err;
	page = mfn_to_ptr(mfn);
	page += gpa & ~PAGE_MASK;
	err = in ? copy_from_guest(c->caller, page, buffer, bytes)
		 : copy_to_guest(c->caller, buffer, page, bytes);
	page_put(mfn);
	return err;
}

static int copy(struct control *c, bool in)
{
	struct lodge_control_copy *op = &c->op.u.copy;
	unsigned nr_pieces = 0;

	if (op->done > op->bytes || op->gpa > UINT64_MAX - op->bytes)
		return -XEN_EINVAL;
	while (op->done < op->bytes) {
		uint64_t gpa = op->gpa + op->done;
		size_t bytes = MIN(op->bytes - op->done, PAGE_SIZE - (gpa & ~PAGE_MASK));
		int err = copy_piece(c, gpa, GUEST_PTR(op->buffer + op->done), bytes, in);

		if (err)
			return err;
		op->done += bytes;
		if (++nr_pieces == COPY_BATCH && op->done < op->bytes) {
			if (hypercall_should_stop())
				return -XEN_EAGAIN;
			nr_pieces = 0;
		}
	}
	return 0;
}

int control_copy_in(struct control *c)
{
	return copy(c, true);
}

int control_copy_out(struct control *c)
{
	return copy(c, false);
}

/* The map that the guest is told -------------------------------------------------------------------- */

int control_set_memory_map(struct control *c)
{
	const struct lodge_control_list *op = &c->op.u.list;
	struct xen_e820_entry entries[MAX_E820_ENTRIES];
	int err;

	if (op->max || op->first || op->next || op->since || op->change)
		return -XEN_EINVAL;
	if (op->nr > MAX_E820_ENTRIES)
		return -XEN_E2BIG;
	err = copy_from_guest(c->caller, entries, GUEST_PTR(op->buffer),
			      op->nr * sizeof(entries[0]));
	return err ? err : domain_set_memory_map(c->d, entries, op->nr);
}
