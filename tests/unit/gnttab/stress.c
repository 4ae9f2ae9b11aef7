/* The guest grants, revokes, scribbles and drops pages while the service VM and a third domain map, unmap and
 * copy, each on a CPU of its own, and another mapper comes and goes. */
#include "calls.h"
#include "threads.h"
#include "unit.h"

#define ROUNDS   20000u
#define NR_REFS  8u
#define NR_PAGES 8u
#define RAM_GFN  0x10u
#define SCRATCH  0x900u
#define NR_SLOTS 16u
#define VISITOR  7u

static struct domain *const *const domain_of_cpu[] = { &guest, &service, &third };
static uint32_t seeds[] = { 1, 2, 3, 4 };
static uint32_t done; /* how many mappers */

static int64_t op(unsigned cpu, struct vcpu *v, uint64_t cmd, void *arg, size_t bytes)
{
	guest_ptr_t place = GUEST_PTR(FAKE_GUEST_BASE + cpu * 64);
	struct hypercall_args a = { .arg = { cmd, place.va, 1 } };
	int64_t result;

	memcpy(fake_guest_at(place), arg, bytes);
	result = do_grant_table_op(v, &a);
	memcpy(arg, fake_guest_at(place), bytes);
	ck_assert_int_eq(result, 0);
	return result;
}

static void run_granter(unsigned cpu)
{
	uint32_t *seed = &seeds[cpu];

	while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) < 2) {
		struct grant_entry_v1 *e = grant_entry(guest, random_below(seed, NR_REFS));
		uint64_t gfn = RAM_GFN + random_below(seed, NR_PAGES);
		static const uint16_t flags[] = { 0, PERMIT, PERMIT, PERMIT | GTF_readonly };
		static const domid_t users[] = { 0, 2, VISITOR };

		WRITE_ONCE(e->frame, (uint32_t)gfn);
		WRITE_ONCE(e->domid, users[random_below(seed, ARRAY_SIZE(users))]);
		WRITE_ONCE(e->flags, flags[random_below(seed, 4)]);
		if (random_below(seed, 16) == 0 && at(guest, gfn).kind == P2M_RAM) {
			world_drop_ram(guest, gfn);
			world_ram(guest, gfn);
		}
	}
}

struct slot {
	bool used;
	grant_handle_t handle;
};

static void try_map(unsigned cpu, struct domain *d, struct slot *s, uint64_t gfn)
{
	uint32_t *seed = &seeds[cpu];
	struct gnttab_map_grant_ref m = { .host_addr = gfn * PAGE_SIZE,
					  .flags = random_below(seed, 2) ? HOST_MAP : READONLY,
					  .ref = random_below(seed, NR_REFS),
					  .dom = 1 };

	op(cpu, d->vcpu[0], GNTTABOP_map_grant_ref, &m, sizeof(m));
	s->used = m.status == GNTST_okay;
	s->handle = m.handle;
	if (s->used) /* the page is ours to look at as long as it is mapped */
		(*(volatile uint8_t *)mfn_to_ptr(at(d, gfn).mfn))++;
}

static void unmap_slot(unsigned cpu, struct domain *d, struct slot *s, uint64_t gfn)
{
	struct gnttab_unmap_grant_ref u = { .host_addr = gfn * PAGE_SIZE, .handle = s->handle };

	op(cpu, d->vcpu[0], GNTTABOP_unmap_grant_ref, &u, sizeof(u));
	ck_assert_int_eq(u.status, GNTST_okay);
	s->used = false;
}

static void use_slots(unsigned cpu, struct domain *d, unsigned rounds, struct slot *slot)
{
	for (unsigned i = 0; i < rounds; i++) {
		uint32_t n = random_below(&seeds[cpu], NR_SLOTS);
		struct gnttab_copy c = { .source = { .u.ref = n % NR_REFS, .domid = 1 },
					 .dest = { .u.gmfn = RAM_GFN, .domid = DOMID_SELF },
					 .len = 64,
					 .flags = GNTCOPY_source_gref };

		if (slot[n].used)
			unmap_slot(cpu, d, &slot[n], SCRATCH + n);
		else if (random_below(&seeds[cpu], 3))
			try_map(cpu, d, &slot[n], SCRATCH + n);
		else
			op(cpu, d->vcpu[0], GNTTABOP_copy, &c, sizeof(c));
	}
}

static void run_mapper(unsigned cpu)
{
	struct domain *d = *domain_of_cpu[cpu];
	struct slot slot[NR_SLOTS] = { 0 };

	use_slots(cpu, d, ROUNDS, slot);
	for (uint32_t n = 0; n < NR_SLOTS; n++)
		if (slot[n].used)
			unmap_slot(cpu, d, &slot[n], SCRATCH + n);
	__atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
}

static int16_t map_own(struct domain *d)
{
	grant_handle_t handle;

	domain_ref(d);
	return gnttab_map(d, d, 1, GFN(SCRATCH + 100), false, &handle);
}

/* Goes without unmapping anything, also not what it has of itself. */
static void run_visitor(unsigned cpu)
{
	while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) < 2) {
		struct domain *d = world_domain(VISITOR, NULL);
		struct slot slot[NR_SLOTS] = { 0 };

		world_ram(d, RAM_GFN);
		grant(d, 1, VISITOR, RAM_GFN, PERMIT);
		use_slots(cpu, d, 20, slot);
		ck_assert_int_eq(map_own(d), GNTST_okay);
		world_destroy(&d);
	}
}

START_TEST(nothing_is_lost_or_held_when_all_happens_at_once)
{
	static void (*const fn[])(unsigned) = { run_granter, run_mapper, run_mapper, run_visitor };
	uint32_t refs;

	fake_cpus(4);
	for (unsigned i = 0; i < NR_PAGES; i++)
		world_ram(guest, RAM_GFN + i);
	world_ram(service, RAM_GFN);
	world_ram(third, RAM_GFN);
	refs = guest->refcount;
	run_threads(4, fn);
	ck_assert_uint_eq(guest->refcount, refs);
	ck_assert_uint_eq(guest->nr_pages, NR_PAGES);
	for (unsigned i = 0; i < NR_PAGES; i++)
		ck_assert_uint_eq(mfn_to_page(at(guest, RAM_GFN + i).mfn)->count, 1);
}
END_TEST

UNIT_MAIN("gnttab-stress", world_setup, world_teardown,
	  nothing_is_lost_or_held_when_all_happens_at_once)
