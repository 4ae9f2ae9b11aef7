/* The last things each CPU did, for a panic to tell: a ring of 16-byte records that cost a handful of
 * instructions each. Only the CPU itself writes its ring, so there is no lock; whoever prints another
 * CPU's ring may see the newest record half-written. */
#ifndef LODGE_TRACE_H
#define LODGE_TRACE_H

#include "lodge/types.h"

struct cpu;

enum trace_id { /* and what the argument is */
		TRACE_NONE,
		TRACE_RUN,       /* a vCPU gets the CPU: domain << 16 | vCPU */
		TRACE_IDLE,      /* nobody wants the CPU */
		TRACE_WAKE,      /* a vCPU can run again: domain << 16 | vCPU */
		TRACE_TIMER,     /* a timer's function is called: its address */
		TRACE_HYPERCALL, /* number */
		TRACE_EXIT,      /* VM exit: kind << 48 | rip */
		TRACE_INTERRUPT, /* host interrupt: vector */
		TRACE_SHUTDOWN,  /* a domain stops: domain << 16 | reason */
		TRACE_NR,
};

#define TRACE_RECORDS  64u /* power of two */
#define TRACE_ARG_BITS 56u

struct trace_record {
	uint64_t cycles; /* arch_cycles() */
	uint64_t id_arg; /* id << TRACE_ARG_BITS | argument */
};

struct trace_ring {
	uint32_t next; /* running count */
	struct trace_record record[TRACE_RECORDS];
};

/* In the header, so that it is inline where it counts. `ring` is this CPU's own. */
#define trace_put(ring, id, arg)                                                                 \
	do {                                                                                     \
		struct trace_record *r_ = &(ring)->record[(ring)->next++ & (TRACE_RECORDS - 1)]; \
                                                                                                 \
		r_->cycles = arch_cycles();                                                      \
		r_->id_arg = (uint64_t)(id) << TRACE_ARG_BITS |                                  \
			     ((uint64_t)(arg) & (BIT64(TRACE_ARG_BITS) - 1));                    \
	} while (0)
/* Needs lodge/cpu.h. */
#define trace(id, arg) trace_put(&this_cpu()->trace, id, arg)

/* Prints the last `nr` records of c, oldest first, one line each. */
void trace_print(const struct cpu *c, unsigned nr,
		 void (*print)(const char *fmt, ...) __attribute__((format(printf, 1, 2))));

#endif
