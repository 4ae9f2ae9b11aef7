/* x86/time.h: ticks and nanoseconds. */
#include "unit.h"
#include "x86/time.h"

static const uint64_t frequencies[] = { 1000000,     32768000,    999999999,  1000000000,
					1000000001,  2000000000,  2000000001, 2599997112,
					10000000000, 100000000000 };

/* Powers of two and their neighbours, up to ten years. */
static uint64_t duration(unsigned i)
{
	return (UINT64_C(1) << (i / 3)) + i % 3 - 1;
}

#define NR_DURATIONS (3u * 58u)

START_TEST(a_guests_clock_follows_its_counter_and_never_runs_ahead)
{
	for (unsigned f = 0; f < ARRAY_SIZE(frequencies); f++) {
		struct tsc_scale s = tsc_scale_for(frequencies[f]);
		uint64_t tick_ns = NS_PER_SEC / frequencies[f] + 2;

		for (unsigned i = 0; i < NR_DURATIONS; i++) {
			uint64_t ns = duration(i), back = ticks_to_ns(&s, ns_to_ticks(&s, ns));

			ck_assert_uint_le(back, ns);
			ck_assert_uint_le(ns - back, tick_ns);
		}
	}
}
END_TEST

START_TEST(a_deadline_is_never_early)
{
	for (unsigned f = 0; f < ARRAY_SIZE(frequencies); f++) {
		struct tsc_scale s = tsc_scale_for(frequencies[f]);

		for (unsigned i = 0; i < NR_DURATIONS; i++) {
			uint64_t ns = duration(i), ticks = ns_to_ticks_after(&s, ns);

			ck_assert_uint_ge(ticks_to_ns(&s, ticks), ns);
			ck_assert_uint_gt(ticks, ns_to_ticks(&s, ns));
		}
	}
}
END_TEST

START_TEST(a_second_has_as_many_ticks_as_the_frequency_says)
{
	for (unsigned f = 0; f < ARRAY_SIZE(frequencies); f++) {
		struct tsc_scale s = tsc_scale_for(frequencies[f]);
		uint64_t ticks = ns_to_ticks(&s, NS_PER_SEC), error = frequencies[f] >> 30;

		ck_assert_uint_ge(ticks, frequencies[f] - error - 64);
		ck_assert_uint_le(ticks, frequencies[f] + error + 64);
	}
}
END_TEST

UNIT_MAIN("tsc-scale", NULL, NULL, a_guests_clock_follows_its_counter_and_never_runs_ahead,
	  a_deadline_is_never_early, a_second_has_as_many_ticks_as_the_frequency_says)
