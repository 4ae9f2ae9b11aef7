/* Between a counter's ticks and nanoseconds: see time.h. Pure arithmetic. */
#include "x86/time.h"

struct tsc_scale tsc_scale_for(uint64_t hz)
{
	struct tsc_scale s = { 0 };

	for (; hz > 2 * NS_PER_SEC; hz >>= 1)
		s.shift--;
	for (; hz <= NS_PER_SEC; hz <<= 1)
		s.shift++;
	s.mul = (uint32_t)((NS_PER_SEC << 32) / hz);
	return s;
}

uint64_t ticks_to_ns(const struct tsc_scale *s, uint64_t ticks)
{
	if (s->shift < 0)
		ticks >>= -s->shift;
	else
		ticks <<= s->shift;
	return (uint64_t)(((unsigned __int128)ticks * s->mul) >> 32);
}

/* (ns << 32) / mul without a division of 128 bits; below 2^61 for ns below 2^60. */
static uint64_t ns_to_shifted(const struct tsc_scale *s, uint64_t ns)
{
	return (ns / s->mul << 32) + ((ns % s->mul) << 32) / s->mul;
}

uint64_t ns_to_ticks(const struct tsc_scale *s, uint64_t ns)
{
	uint64_t shifted = ns_to_shifted(s, ns);

	return s->shift < 0 ? shifted << -s->shift : shifted >> s->shift;
}

uint64_t ns_to_ticks_after(const struct tsc_scale *s, uint64_t ns)
{
	uint64_t shifted = ns_to_shifted(s, ns) + 1;

	return s->shift < 0 ? shifted << -s->shift : (shifted >> s->shift) + 1;
}
