/* How fast bytes may pass: a token bucket for the average and one for the peak. Either may be overdrawn by
 * one packet; nothing passes while one is empty. Time is given by the caller. */
#ifndef LODGE_NET_RATE_H
#define LODGE_NET_RATE_H

#include "lib/util.h"

struct bucket {
	uint64_t rate;  /* bytes a second; 0: no limit */
	uint64_t depth; /* bytes that may be saved up */
	int64_t level;  /* bytes */
	uint64_t when_ns;
};

struct rate {
	struct bucket average, peak;
};

/* Bytes a second, and bytes that may pass at peak speed after a rest; 0: no limit, a fitting burst. */
void rate_init(struct rate *r, uint64_t average, uint64_t peak, uint64_t burst, uint64_t now_ns);

static inline bool rate_is_limited(const struct rate *r)
{
	return r->average.rate || r->peak.rate;
}

/* 0: go ahead; else how long to wait. */
uint64_t rate_wait_ns(struct rate *r, uint64_t now_ns);

void rate_spend(struct rate *r, uint64_t bytes);

#endif
