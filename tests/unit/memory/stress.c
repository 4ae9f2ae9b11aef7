/* Two vCPUs of a guest and one of the service VM change the guest's physmap at the same frames, and map its
 * pages, while another guest comes and goes under foreign mappings. A page that is counted once too
 * often never comes back; once too seldom, it ends the test. */
#include <string.h>

#include "abi/errno.h"
#include "abi/memory.h"
#include "lodge/hypercall.h"
#include "lodge/page.h"
#include "threads.h"
#include "unit.h"
#include "world.h"

#define ROUNDS     6000u
#define VISITOR    7u
#define SMALL_GFN  0x10u  /* pages, shared info, grant frames */
#define LARGE_GFN  0x200u /* a block of 2 MiB, whole or in pieces */
#define SCRATCH    0x900u /* of the service VM, where it maps others' */
#define NR_SMALL   8u
#define NR_SCRATCH 8u

static uint32_t seeds[] = { 1, 2, 3, 4 };
static uint32_t done; /* how many of the first three */

/* What a call gets, in memory that each CPU has to itself. */
struct call_memory {
	union {
		struct xen_memory_reservation reservation;
		struct xen_add_to_physmap add;
		struct xen_add_to_physmap_batch batch;
		struct xen_remove_from_physmap remove;
		struct xen_mem_acquire_resource resource;
	} arg;
	uint64_t list[2];
	int32_t errs[2];
};

static guest_ptr_t place_of(unsigned cpu, size_t offset)
{
	return GUEST_PTR(FAKE_GUEST_BASE + cpu * 512 + offset);
}

static struct call_memory *memory_of(unsigned cpu)
{
	return fake_guest_at(place_of(cpu, 0));
}

#define LIST(cpu, i) place_of((cpu), offsetof(struct call_memory, list) + (i) * sizeof(uint64_t)).va

static void call(unsigned cpu, struct vcpu *v, uint64_t cmd)
{
	struct hypercall_args a = { .arg = { cmd, place_of(cpu, 0).va } };
	int64_t result;

	do {
		result = do_memory_op(v, &a);
	} while (result == HYPERCALL_RESTART);
	ck_assert(result >= -200);
}

static void extent(unsigned cpu, struct vcpu *v, uint64_t cmd, domid_t dom, uint64_t gfn,
		   unsigned order)
{
	struct call_memory *m = memory_of(cpu);

	m->list[0] = gfn;
	m->arg.reservation = (struct xen_memory_reservation){
		.extent_start = LIST(cpu, 0), .nr_extents = 1, .extent_order = order, .domid = dom
	};
	call(cpu, v, cmd);
}

static void add(unsigned cpu, struct vcpu *v, domid_t dom, unsigned space, uint64_t idx,
		uint64_t gfn)
{
	memory_of(cpu)->arg.add = (struct xen_add_to_physmap){
		.domid = dom, .space = space, .idx = idx, .gpfn = gfn
	};
	call(cpu, v, XENMEM_add_to_physmap);
}

static void remove_at(unsigned cpu, struct vcpu *v, domid_t dom, uint64_t gfn)
{
	memory_of(cpu)->arg.remove = (struct xen_remove_from_physmap){ .domid = dom, .gpfn = gfn };
	call(cpu, v, XENMEM_remove_from_physmap);
}

/* On the guest, by itself or by the service VM. */
static void change_guest(unsigned cpu, struct vcpu *v, domid_t dom)
{
	uint32_t *seed = &seeds[cpu];
	uint64_t small = SMALL_GFN + random_below(seed, NR_SMALL);
	uint64_t piece = LARGE_GFN + random_below(seed, 512);

	switch (random_below(seed, 9)) {
	case 0:
		extent(cpu, v, XENMEM_populate_physmap, dom, small, 0);
		break;
	case 1:
		extent(cpu, v, XENMEM_decrease_reservation, dom, small, 0);
		break;
	case 2:
		extent(cpu, v, XENMEM_populate_physmap, dom, LARGE_GFN, 9);
		break;
	case 3:
		extent(cpu, v, XENMEM_decrease_reservation, dom, LARGE_GFN, 9);
		break;
	case 4:
		extent(cpu, v, XENMEM_decrease_reservation, dom, piece, 0);
		break;
	case 5:
		extent(cpu, v, XENMEM_populate_physmap, dom, piece, 0);
		break;
	case 6:
		add(cpu, v, dom, XENMAPSPACE_shared_info, 0, small);
		break;
	case 7:
		add(cpu, v, dom, XENMAPSPACE_grant_table, random_below(seed, 3), small);
		break;
	default:
		remove_at(cpu, v, dom, small);
		break;
	}
}

static void run_guest(unsigned cpu)
{
	for (unsigned i = 0; i < ROUNDS; i++)
		change_guest(cpu, guest->vcpu[cpu], DOMID_SELF);
	__atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
}

static void map_foreign(unsigned cpu, domid_t from, uint64_t idx, uint64_t gfn)
{
	struct call_memory *m = memory_of(cpu);

	m->list[0] = idx;
	m->list[1] = gfn;
	m->arg.batch = (struct xen_add_to_physmap_batch){
		.domid = DOMID_SELF,
		.space = XENMAPSPACE_gmfn_foreign,
		.size = 1,
		.u.foreign_domid = from,
		.idxs = LIST(cpu, 0),
		.gpfns = LIST(cpu, 1),
		.errs = place_of(cpu, offsetof(struct call_memory, errs)).va,
	};
	call(cpu, service->vcpu[0], XENMEM_add_to_physmap_batch);
}

static void map_grant_frame(unsigned cpu, domid_t from, uint64_t gfn)
{
	struct call_memory *m = memory_of(cpu);

	m->list[0] = gfn;
	m->arg.resource = (struct xen_mem_acquire_resource){ .domid = from,
							     .type = XENMEM_resource_grant_table,
							     .nr_frames = 1,
							     .frame = random_below(&seeds[cpu], 3),
							     .frame_list = LIST(cpu, 0) };
	call(cpu, service->vcpu[0], XENMEM_acquire_resource);
}

static void run_service(unsigned cpu)
{
	struct vcpu *v = service->vcpu[0];
	uint32_t *seed = &seeds[cpu];

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t gfn = SCRATCH + random_below(seed, NR_SCRATCH);
		domid_t from = random_below(seed, 2) ? 1 : VISITOR;

		switch (random_below(seed, 5)) {
		case 0:
			map_foreign(cpu, from, SMALL_GFN + random_below(seed, NR_SMALL), gfn);
			break;
		case 1:
			map_foreign(cpu, from, LARGE_GFN + random_below(seed, 512), gfn);
			break;
		case 2:
			map_grant_frame(cpu, from, gfn);
			break;
		case 3:
			remove_at(cpu, v, DOMID_SELF, gfn);
			break;
		default:
			change_guest(cpu, v, 1);
			break;
		}
	}
	__atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
}

static void run_visitor(unsigned cpu)
{
	while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) < 3) {
		struct domain *d = world_domain(VISITOR, NULL);

		for (unsigned i = 0; i < 20; i++)
			change_guest(cpu, d->vcpu[0], DOMID_SELF);
		world_destroy(&d);
	}
}

START_TEST(nothing_is_lost_when_all_change_the_same_frames)
{
	static void (*const fn[])(unsigned) = { run_guest, run_guest, run_service, run_visitor };

	fake_cpus(4);
	run_threads(4, fn);
	for (uint64_t gfn = SCRATCH; gfn < SCRATCH + NR_SCRATCH; gfn++)
		remove_at(0, service->vcpu[0], DOMID_SELF, gfn);
	ck_assert_uint_eq(page_count_owned(VISITOR), 0);
	ck_assert_uint_eq(page_count_owned(1), guest->nr_pages);
}
END_TEST

UNIT_MAIN("memory-stress", world_setup, world_teardown,
	  nothing_is_lost_when_all_change_the_same_frames)
