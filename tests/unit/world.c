#include "world.h"

#include <check.h>

#include "abi/errno.h"
#include "lodge/page.h"

#define NR_FRAMES 4096u

struct domain *service, *guest, *third;

static mfn_t taken[NR_FRAMES];
static size_t nr_taken;

struct domain *world_domain(domid_t id, const struct domain_config *cfg)
{
	struct domain_config c = cfg ? *cfg : (struct domain_config){ 0 };
	struct domain *d;
	int err;

	if (!c.nr_vcpus)
		c.nr_vcpus = 2;
	if (!c.max_pages)
		c.max_pages = NR_FRAMES;
	do { /* another thread may still hold the structure of the last one */
		err = domain_create(id, &c, &d);
		cpu_relax();
	} while (err == -XEN_EEXIST);
	ck_assert_int_eq(err, 0);
	return d;
}

void world_setup(void)
{
	static const struct domain_config privileged = { .privileged = true };

	fake_reset();
	fake_cpus(2);
	service = world_domain(0, &privileged);
	guest = world_domain(1, NULL);
	third = world_domain(2, NULL);
}

void world_destroy(struct domain **d)
{
	int err;

	domain_ref(*d);
	do {
		err = domain_destroy(*d);
	} while (err == -XEN_EAGAIN);
	ck_assert_int_eq(err, 0);
	domain_put(*d);
	*d = NULL;
}

void world_teardown(void)
{
	fake_should_stop = false;
	fake_should_stop_after = -1;
	service_vm = NULL;
	world_return_pages();
	if (third)
		world_destroy(&third);
	if (guest)
		world_destroy(&guest);
	if (service)
		world_destroy(&service);
	ck_assert_int_eq(fake_nr_allocs, 0);
	ck_assert_uint_eq(page_count_free(), page_count_total());
}

static void *map_ram(struct domain *d, uint64_t gfn, uint8_t access)
{
	struct p2m_entry e = { .kind = P2M_RAM, .order = ORDER_4K, .access = access };

	ck_assert_int_eq(page_alloc_domain(d, 0, 0, &e.mfn), 0);
	ck_assert_int_eq(p2m_map(d, GFN(gfn), &e), 0);
	return mfn_to_ptr(e.mfn);
}

void *world_ram(struct domain *d, uint64_t gfn)
{
	return map_ram(d, gfn, P2M_WRITE | P2M_EXEC);
}

void *world_readonly_ram(struct domain *d, uint64_t gfn)
{
	return map_ram(d, gfn, 0);
}

void world_drop_ram(struct domain *d, uint64_t gfn)
{
	struct p2m_entry old;

	ck_assert_int_eq(p2m_unmap(d, GFN(gfn), &old), 0);
	page_put(old.mfn);
}

uint32_t world_page_count(const void *in_page)
{
	return mfn_to_page(ptr_to_mfn(in_page))->count;
}

void world_leave_pages(uint64_t n)
{
	while (page_count_free() > n) {
		mfn_t mfn = page_alloc(0, NODE_ANY, 0);

		ck_assert(!mfn_is_none(mfn));
		taken[nr_taken++] = mfn;
	}
}

void world_return_pages(void)
{
	while (nr_taken)
		page_free(taken[--nr_taken], 0);
}
