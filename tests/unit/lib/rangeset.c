/* lib/rangeset.h */
#include "lib/rangeset.h"

#include "unit.h"

static struct range storage[8];
static struct rangeset rs;

static void setup(void)
{
	rangeset_init(&rs, storage, ARRAY_SIZE(storage));
}

static void expect(const struct range *want, size_t nr)
{
	const struct range *r;
	size_t i = 0;

	ck_assert_uint_eq(rs.nr, nr);
	rangeset_for_each(r, &rs)
	{
		ck_assert_uint_eq(r->start, want[i].start);
		ck_assert_uint_eq(r->end, want[i].end);
		i++;
	}
}

#define EXPECT(...)                                                 \
	do {                                                        \
		static const struct range want[] = { __VA_ARGS__ }; \
		expect(want, ARRAY_SIZE(want));                     \
	} while (0)

START_TEST(ranges_stay_sorted)
{
	ck_assert(rangeset_add(&rs, 20, 29));
	ck_assert(rangeset_add(&rs, 0, 4));
	ck_assert(rangeset_add(&rs, 10, 14));
	EXPECT({ 0, 4 }, { 10, 14 }, { 20, 29 });
}
END_TEST

START_TEST(adding_joins_ranges_that_overlap_or_touch)
{
	ck_assert(rangeset_add(&rs, 10, 19));
	ck_assert(rangeset_add(&rs, 30, 39));
	ck_assert(rangeset_add(&rs, 50, 59));
	ck_assert(rangeset_add(&rs, 20, 24)); /* touches from above */
	EXPECT({ 10, 24 }, { 30, 39 }, { 50, 59 });
	ck_assert(rangeset_add(&rs, 45, 49)); /* touches from below */
	EXPECT({ 10, 24 }, { 30, 39 }, { 45, 59 });
	ck_assert(rangeset_add(&rs, 12, 13)); /* is there already */
	EXPECT({ 10, 24 }, { 30, 39 }, { 45, 59 });
	ck_assert(rangeset_add(&rs, 24, 45)); /* swallows one and joins two */
	EXPECT({ 10, 59 });
}
END_TEST

START_TEST(the_ends_of_the_number_space_can_be_members)
{
	ck_assert(rangeset_add(&rs, UINT64_MAX, UINT64_MAX));
	ck_assert(rangeset_add(&rs, 0, 0));
	EXPECT({ 0, 0 }, { UINT64_MAX, UINT64_MAX });
	ck_assert(rangeset_add(&rs, 1, UINT64_MAX - 1));
	EXPECT({ 0, UINT64_MAX });
}
END_TEST

START_TEST(overlaps_wants_any)
{
	ck_assert(rangeset_add(&rs, 10, 19));
	ck_assert(rangeset_add(&rs, 30, 39));
	ck_assert(rangeset_overlaps(&rs, 19, 30));
	ck_assert(rangeset_overlaps(&rs, 0, 10));
	ck_assert(!rangeset_overlaps(&rs, 20, 29));
	ck_assert(!rangeset_overlaps(&rs, 40, UINT64_MAX));
}
END_TEST

START_TEST(a_range_that_ends_before_it_starts_is_refused)
{
	ck_assert(rangeset_add(&rs, 1, 5));
	ck_assert(!rangeset_add(&rs, 4, 3));
	ck_assert(!rangeset_overlaps(&rs, 4, 3));
	EXPECT({ 1, 5 });
}
END_TEST

START_TEST(without_room_nothing_changes)
{
	rangeset_init(&rs, storage, 2);
	ck_assert(rangeset_add(&rs, 10, 19));
	ck_assert(rangeset_add(&rs, 30, 39));
	ck_assert(!rangeset_add(&rs, 50, 59));
	EXPECT({ 10, 19 }, { 30, 39 });
	ck_assert(rangeset_add(&rs, 20, 29)); /* needs less room, not more */
	EXPECT({ 10, 39 });
}
END_TEST

START_TEST(random_ranges_agree_with_a_bitmap)
{
	static struct range many[64];
	bool model[400] = { 0 };
	uint64_t seed = 7;

	rangeset_init(&rs, many, ARRAY_SIZE(many));
	for (int step = 0; step < 200; step++) {
		uint64_t start, end;

		seed = seed * UINT64_C(6364136223846793005) + 1;
		start = (seed >> 40) % 400;
		end = MIN(start + (seed >> 50) % 6, 399);
		if (!rangeset_add(&rs, start, end)) {
			ck_assert_uint_eq(rs.nr, ARRAY_SIZE(many));
			continue;
		}
		for (uint64_t i = start; i <= end; i++)
			model[i] = true;
		for (uint64_t i = 0; i < 400; i++)
			ck_assert_int_eq(rangeset_overlaps(&rs, i, i), model[i]);
		for (size_t i = 1; i < rs.nr; i++)
			ck_assert_uint_gt(many[i].start, many[i - 1].end + 1);
	}
}
END_TEST

UNIT_MAIN("rangeset", setup, NULL, ranges_stay_sorted, adding_joins_ranges_that_overlap_or_touch,
	  the_ends_of_the_number_space_can_be_members, overlaps_wants_any,
	  a_range_that_ends_before_it_starts_is_refused, without_room_nothing_changes,
	  random_ranges_agree_with_a_bitmap)
