/* Time: nanoseconds since some start, from the paravirtual clock in the calling vCPU's vcpu_info. */
#ifndef GUEST_TIME_H
#define GUEST_TIME_H

#include "guest/cpu.h"

#define US  1000UL
#define MS  1000000UL
#define SEC 1000000000UL

struct vcpu_time_info;

uint64_t clock_ns(void); /* needs event_init() */
uint64_t clock_read(const volatile struct vcpu_time_info *t, uint64_t tsc);
void delay_ns(uint64_t ns);

/* Spins, yielding, until the condition holds or the time is over; tells whether it holds. */
#define WAIT_UNTIL(condition, timeout_ns)                           \
	({                                                          \
		uint64_t end_ = clock_ns() + (timeout_ns);          \
		bool held_;                                         \
		while (!(held_ = (condition)) && clock_ns() < end_) \
			pause();                                    \
		held_;                                              \
	})

#endif
