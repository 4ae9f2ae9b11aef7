#include "rate.h"

#define NS_PER_S   UINT64_C(1000000000)
#define PEAK_NS    (NS_PER_S / 100) /* the peak is held over this time */
#define BURST_NS   (NS_PER_S / 20)
#define DEPTH_MIN  65536u /* the largest packet */
#define DEPTH_MAX  (UINT64_C(1) << 40)
#define MAX_REST_S 3600u /* products stay in 64 bits, and a bucket is full by then */

static void bucket_init(struct bucket *b, uint64_t rate, uint64_t depth, uint64_t now_ns)
{
	b->rate = MIN(rate, DEPTH_MAX);
	b->depth = MIN(MAX(depth, DEPTH_MIN), DEPTH_MAX);
	b->level = (int64_t)b->depth;
	b->when_ns = now_ns;
}

void rate_init(struct rate *r, uint64_t average, uint64_t peak, uint64_t burst, uint64_t now_ns)
{
	uint64_t fitting = average / NS_PER_S * BURST_NS + average % NS_PER_S * BURST_NS / NS_PER_S;

	bucket_init(&r->average, average, burst ? burst : fitting, now_ns);
	bucket_init(&r->peak, peak, peak / (NS_PER_S / PEAK_NS), now_ns);
}

static uint64_t scale(uint64_t value, uint64_t by, uint64_t divisor)
{
	return (uint64_t)((unsigned __int128)value * by / divisor);
}

static uint64_t bucket_wait_ns(struct bucket *b, uint64_t now_ns)
{
	uint64_t passed, earned;

	if (!b->rate)
		return 0;
	passed = now_ns > b->when_ns ? MIN(now_ns - b->when_ns, MAX_REST_S * NS_PER_S) : 0;
	earned = scale(b->rate, passed, NS_PER_S);
	if (earned) { /* else the time goes on counting */
		b->level = MIN(b->level + (int64_t)earned, (int64_t)b->depth);
		b->when_ns = now_ns;
	}
	return b->level > 0 ? 0 : scale((uint64_t)-b->level + 1, NS_PER_S, b->rate) + 1;
}

uint64_t rate_wait_ns(struct rate *r, uint64_t now_ns)
{
	uint64_t average = bucket_wait_ns(&r->average, now_ns);
	uint64_t peak = bucket_wait_ns(&r->peak, now_ns);

	return MAX(average, peak);
}

void rate_spend(struct rate *r, uint64_t bytes)
{
	if (r->average.rate)
		r->average.level -= (int64_t)bytes;
	if (r->peak.rate)
		r->peak.level -= (int64_t)bytes;
}
