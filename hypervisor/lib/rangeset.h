/* A set of 64-bit numbers, kept as sorted ranges that neither overlap nor touch. Both ends of a range
 * belong to it, so the whole number space can be a range. The array is the caller's and does not grow;
 * an operation that needs more room fails and changes nothing. No lock: whoever owns the set guards it. */
#ifndef LODGE_LIB_RANGESET_H
#define LODGE_LIB_RANGESET_H

#include "lib/util.h"

struct range {
	uint64_t start, end; /* start <= end, both inside */
};

struct rangeset {
	struct range *ranges; /* sorted */
	size_t nr;
	size_t capacity;
};

static inline void rangeset_init(struct rangeset *rs, struct range *storage, size_t capacity)
{
	rs->ranges = storage;
	rs->nr = 0;
	rs->capacity = capacity;
}

/* False, and nothing changed, if start > end or there is no room. Adding what is there is fine. */
must_check bool rangeset_add(struct rangeset *rs, uint64_t start, uint64_t end);

bool rangeset_overlaps(const struct rangeset *rs, uint64_t start, uint64_t end); /* any of it */

/* r (a const struct range *) takes each range, lowest first. The set must not change meanwhile. */
#define rangeset_for_each(r, rs) for ((r) = (rs)->ranges; (r) < (rs)->ranges + (rs)->nr; (r)++)

#endif
