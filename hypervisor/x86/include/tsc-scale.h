/* How a counter's ticks become nanoseconds: see x86/time.h. */
#ifndef LODGE_TSC_SCALE_H
#define LODGE_TSC_SCALE_H

#include "lodge/types.h"

struct tsc_scale {
	uint32_t mul;
	int8_t shift;
};

#endif
