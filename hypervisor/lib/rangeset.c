/* The set of ranges. Adding finds by bisection which ranges it concerns, [first, last), and replaces those by one. */
#include "lib/rangeset.h"

/* The first range that ends at or after x; rs->nr when there is none. */
static size_t rangeset_find(const struct rangeset *rs, uint64_t x)
{
	size_t low = 0, high = rs->nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (rs->ranges[mid].end < x)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Puts one range in the place of [first, last). False, and nothing changed, if it does not fit. */
static bool rangeset_replace(struct rangeset *rs, size_t first, size_t last, struct range with)
{
	size_t new_nr = rs->nr - (last - first) + 1;

	if (new_nr > rs->capacity)
		return false;
	if (first == last) {
		for (size_t i = rs->nr; i-- > last;)
			rs->ranges[i + 1] = rs->ranges[i];
	} else {
		for (size_t i = last; i < rs->nr; i++)
			rs->ranges[i - (last - first) + 1] = rs->ranges[i];
	}
	rs->ranges[first] = with;
	rs->nr = new_nr;
	return true;
}

bool rangeset_add(struct rangeset *rs, uint64_t start, uint64_t end)
{
	/* Neighbours that only touch are joined too. */
	uint64_t reach_down = start ? start - 1 : 0;
	uint64_t reach_up = end < UINT64_MAX ? end + 1 : end;
	struct range joined = { start, end };
	size_t first, last;

	if (start > end)
		return false;
	first = rangeset_find(rs, reach_down);
	for (last = first; last < rs->nr && rs->ranges[last].start <= reach_up; last++)
		joined.end = MAX(joined.end, rs->ranges[last].end);
	if (last > first)
		joined.start = MIN(joined.start, rs->ranges[first].start);
	return rangeset_replace(rs, first, last, joined);
}

bool rangeset_overlaps(const struct rangeset *rs, uint64_t start, uint64_t end)
{
	size_t i = rangeset_find(rs, start);

	return i < rs->nr && rs->ranges[i].start <= end && start <= end;
}
