/* memory_op: a guest gives memory back, takes it again, moves frames, and cannot reach beyond. */
#include "guest/guest.h"

const char test_title[] = "memory_op changes the guest's own memory and nothing else";

#define BAD_POINTER TEST_VA
#define FAR_GFN     0x40000000000ULL /* beyond any physical address */

static int64_t reserve(unsigned int cmd, uint64_t *gfns, uint64_t count, uint32_t order)
{
	struct xen_memory_reservation r = {
		.extent_start = (uintptr_t)gfns,
		.nr_extents = count,
		.extent_order = order,
		.domid = DOMID_SELF,
	};

	return memory_op(cmd, &r);
}

static int64_t count_pages(void)
{
	struct xen_memory_domain self = { .domid = DOMID_SELF };

	return memory_op(XENMEM_current_reservation, &self);
}

static void check_balloon(void)
{
	uint8_t *pages = pages_alloc(8);
	uint64_t gfns[8];
	int64_t before = count_pages();
	uint32_t sum = 0;

	check(before > 0, "the reservation is told: %ld pages", before);
	for (unsigned int i = 0; i < 8; i++)
		gfns[i] = gfn_of(pages) + i;
	memset(pages, 0x5a, 8 * PAGE_SIZE);
	check_err(reserve(XENMEM_decrease_reservation, gfns, 8, 0), 8, "8 pages are given back");
	check_err(count_pages(), before - 8, "the reservation is smaller by 8");
	check_eq(mmio_read32((uintptr_t)pages), 0xffffffff, "what was there reads as all ones");
	mmio_write32((uintptr_t)pages, 1);
	check_eq(mmio_read32((uintptr_t)pages), 0xffffffff, "a write there is dropped");
	check(reserve(XENMEM_decrease_reservation, gfns, 1, 0) <= 0,
	      "a page cannot be given back twice");
	check_err(count_pages(), before - 8, "the reservation did not change by trying");
	check_err(reserve(XENMEM_populate_physmap, gfns, 8, 0), 8, "8 pages are taken again");
	check_err(count_pages(), before, "the reservation is what it was");
	for (unsigned int i = 0; i < 8 * PAGE_SIZE; i++)
		sum += pages[i];
	/* Xen gives a domain's own old pages back as they were. */
	check_eq(sum, 0, "new pages are empty: nobody's old data");
	memset(pages, 1, 8 * PAGE_SIZE);
	check_eq(pages[8 * PAGE_SIZE - 1], 1, "they can be used");
}

static void check_populate_refusals(void)
{
	uint64_t far = FAR_GFN, used = gfn_of(page_alloc());
	struct xen_memory_reservation r = { .extent_start = (uintptr_t)&used,
					    .nr_extents = 1,
					    .domid = DOMID_SELF };

	check(reserve(XENMEM_populate_physmap, &far, 1, 0) <= 0,
	      "no page beyond the address width");
	check(reserve(XENMEM_decrease_reservation, &far, 1, 0) <= 0, "nor can one be given back");
	check_err(reserve(XENMEM_populate_physmap, &used, 0, 0), 0, "no extents: nothing is done");
	check(reserve(XENMEM_populate_physmap, &used, 1, 60) <= 0, "an absurd order is refused");
	check(reserve(XENMEM_populate_physmap, (uint64_t *)BAD_POINTER, 1, 0) <= 0,
	      "an unmapped list is refused");
	r.nr_extents = ~0ULL;
	check(memory_op(XENMEM_populate_physmap, &r) <= 1,
	      "an absurd number of extents is refused");
	r.nr_extents = 1;
	r.domid = DOMID_INVALID;
	check(memory_op(XENMEM_decrease_reservation, &r) <= 0, "nothing is taken from no domain");
	r.domid = 1234;
	check(memory_op(XENMEM_populate_physmap, &r) <= 0, "nothing is given to no domain");
}

static int64_t add(uint32_t space, uint64_t idx, uint64_t gpfn)
{
	struct xen_add_to_physmap op = {
		.domid = DOMID_SELF, .space = space, .idx = idx, .gpfn = gpfn
	};

	return memory_op(XENMEM_add_to_physmap, &op);
}

static int64_t remove(uint64_t gpfn)
{
	struct xen_remove_from_physmap op = { .domid = DOMID_SELF, .gpfn = gpfn };

	return memory_op(XENMEM_remove_from_physmap, &op);
}

static void check_physmap(void)
{
	struct shared_info *first = page_alloc(), *second = hole_alloc();
	struct xen_add_to_physmap other = { .domid = 1234 };

	check_err(add(XENMAPSPACE_shared_info, 0, gfn_of(first)), 0,
		  "shared_info takes the place of a RAM page");
	check(first->vcpu_info[0].time.tsc_to_system_mul != 0, "its clock is valid at once");
	first->evtchn_mask[63] = 0x1234567;
	check_err(add(XENMAPSPACE_shared_info, 0, gfn_of(second)), 0, "shared_info can move");
	check_eq(second->evtchn_mask[63], 0x1234567, "it is the same page");
	check_eq(mmio_read32((uintptr_t)first), 0xffffffff, "its old place is empty");
	check_err(remove(gfn_of(second)), 0, "it can be removed");
	check_eq(mmio_read32((uintptr_t)second), 0xffffffff, "its place is then empty");
	check(remove(gfn_of(second)) < 0, "what is not there cannot be removed");
	check(remove(FAR_GFN) < 0, "nothing can be removed beyond the address width");
	check_err(add(XENMAPSPACE_shared_info, 1, gfn_of(first)), -XEN_EINVAL,
		  "there is one shared_info only");
	check(add(XENMAPSPACE_shared_info, 0, FAR_GFN) < 0, "not beyond the address width");
	check(add(99, 0, gfn_of(first)) < 0, "an unknown space is refused");
	check(add(XENMAPSPACE_grant_table, 100000, gfn_of(first)) < 0,
	      "a grant frame beyond the limit is refused");
	check(add(XENMAPSPACE_gmfn_foreign, 0, gfn_of(first)) < 0,
	      "foreign frames are for the batch call only");
	check_err(memory_op(XENMEM_add_to_physmap, &other), -XEN_ESRCH,
		  "a domain that does not exist gives -ESRCH");
}

static void check_batch(void)
{
	uint64_t idx[2] = { 0, 0 }, gpfn[2];
	int32_t errs[2] = { 77, 77 };
	struct xen_add_to_physmap_batch op = {
		.domid = DOMID_SELF,
		.space = XENMAPSPACE_gmfn_foreign,
		.size = 2,
		.u.foreign_domid = 1234,
		.idxs = (uintptr_t)idx,
		.gpfns = (uintptr_t)gpfn,
		.errs = (uintptr_t)errs,
	};

	int64_t rc;

	gpfn[0] = gfn_of(hole_alloc());
	gpfn[1] = gfn_of(hole_alloc());
	rc = memory_op(XENMEM_add_to_physmap_batch, &op);
	check(rc == -XEN_ESRCH || errs[0] == -XEN_ESRCH,
	      "a batch from a domain that does not exist gives -ESRCH");
	op.u.foreign_domid = DOMID_SELF;
	memory_op(XENMEM_add_to_physmap_batch, &op);
	check(errs[0] < 0 || errs[0] == 77, "one's own memory is not foreign");
}

static void check_map(void)
{
	static struct xen_e820_entry map[64];
	struct xen_memory_map op = { .nr_entries = ARRAY_SIZE(map), .buffer = (uintptr_t)map };
	uint32_t count;
	int64_t rc = memory_op(XENMEM_memory_map, &op);

	check_err(memory_op(63, &op), -XEN_ENOSYS, "an unknown command gives -ENOSYS");
	if (rc == -XEN_ENOSYS && start_info->memmap_entries) {
		note("the memory map is in the start info only");
		return;
	}
	check_err(rc, 0, "the memory map can be read");
	count = op.nr_entries;
	check(count > 1 && count <= 64 && map[0].addr == 0, "it has %u entries, from 0 on", count);
	op.nr_entries = 1;
	check(memory_op(XENMEM_memory_map, &op) <= 0 && op.nr_entries <= count,
	      "a short buffer gets no more than it holds");
	op = (struct xen_memory_map){ .nr_entries = 64, .buffer = BAD_POINTER };
	check_err(memory_op(XENMEM_memory_map, &op), -XEN_EFAULT,
		  "an unmapped buffer gives -EFAULT");
}

void test_main(void)
{
	check_balloon();
	check_populate_refusals();
	check_physmap();
	check_batch();
	check_map();
}
