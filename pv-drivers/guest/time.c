/* The paravirtual clock. See time.h. */
#include "guest/time.h"

#include "guest/event.h"
#include "guest/hypercall.h"

/* The hypervisor makes the version odd, changes the record, makes it even: read both sides of it. */
uint64_t clock_read(const volatile struct vcpu_time_info *t, uint64_t tsc)
{
	uint32_t version;
	uint64_t ns;

	do {
		uint64_t delta;

		version = t->version;
		barrier();
		delta = (tsc ? tsc : rdtsc()) - t->tsc_timestamp;
		if (t->tsc_shift >= 0)
			delta <<= t->tsc_shift;
		else
			delta >>= -t->tsc_shift;
		ns = t->system_time +
		     (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
		barrier();
	} while ((version & 1) || version != t->version);
	return ns;
}

uint64_t clock_ns(void)
{
	return clock_read(&event_vcpu_info(this_cpu()->vcpu_id)->time, 0);
}

void delay_ns(uint64_t ns)
{
	uint64_t end = clock_ns() + ns;

	while (clock_ns() < end)
		pause();
}
