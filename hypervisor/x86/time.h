/* Time. System time is the TSC, scaled exactly as a guest's pvclock record scales it:
 *	ns = (((tsc - tsc_at_zero) << shift) * mul) >> 32		(>> -shift when shift is negative)
 * so that a guest that is given tsc_at_zero and the scale computes the same numbers as we do, for ever.
 * All constant after time_init(). */
#ifndef LODGE_TIME_H
#define LODGE_TIME_H

#include "lodge/types.h"
#include "x86/include/tsc-scale.h"

extern struct tsc_scale tsc_scale;
extern uint64_t tsc_at_zero; /* TSC at system time 0 */
extern uint64_t tsc_khz;

/* The scale for a counter of that frequency. */
struct tsc_scale tsc_scale_for(uint64_t hz);
/* Durations. ns stays below 2^60, 36 years. */
uint64_t ticks_to_ns(const struct tsc_scale *s, uint64_t ticks);
uint64_t ns_to_ticks(const struct tsc_scale *s,
		     uint64_t ns); /* such that not more than ns have passed */
/* The smallest that ticks_to_ns() does not make shorter than ns, or a little more. */
uint64_t ns_to_ticks_after(const struct tsc_scale *s, uint64_t ns);

void time_init(void);
uint64_t ns_to_tsc(uint64_t ns);  /* a duration */
uint64_t tsc_to_ns(uint64_t tsc); /* a duration */
/* The TSC at a moment of system time. */
uint64_t tsc_at(uint64_t system_time_ns);

/* UTC at system time 0: what arch_wall_clock_ns() says from now on. */
void time_set_wall_clock(uint64_t utc_ns_at_zero);

/* Before time_init() too, but then only roughly. */
void delay_us(unsigned us);

#endif
