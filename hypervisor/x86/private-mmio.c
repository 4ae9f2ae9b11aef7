/* Machine addresses that are the hypervisor's own: one set, in whole pages. */
#include "x86/private-mmio.h"

#include "lib/rangeset.h"
#include "lodge/log.h"

#define MAX_RANGES 64u

static struct range ranges[MAX_RANGES];
static struct rangeset private_mmio = { .ranges = ranges, .nr = 0, .capacity = MAX_RANGES };

void private_mmio_add(mpa_t start, uint64_t bytes)
{
	uint64_t first = align_down(start.a, PAGE_SIZE);

	if (!rangeset_add(&private_mmio, first, align_up(start.a + bytes, PAGE_SIZE) - 1))
		boot_fail("the machine has more than %u ranges of interrupt and IOMMU registers",
			  MAX_RANGES);
}

bool private_mmio_overlaps(mpa_t start, uint64_t bytes)
{
	return rangeset_overlaps(&private_mmio, start.a, start.a + bytes - 1);
}

mpa_t private_mmio_skip(mpa_t a)
{
	const struct range *r;

	rangeset_for_each(r, &private_mmio) if (a.a >= r->start &&
						a.a <= r->end) return MPA(r->end + 1);
	return a;
}
