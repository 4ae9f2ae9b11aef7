/*
 * What the trace records say, for people.
 */
#include "lodge/trace.h"

#include "lib/format.h"
#include "lodge/cpu.h"

static const char *const trace_name[TRACE_NR] = {
	[TRACE_NONE] = "-",
	[TRACE_RUN] = "run",
	[TRACE_IDLE] = "idle",
	[TRACE_WAKE] = "wake",
	[TRACE_TIMER] = "timer",
	[TRACE_HYPERCALL] = "hypercall",
	[TRACE_EXIT] = "exit",
	[TRACE_INTERRUPT] = "interrupt",
	[TRACE_SHUTDOWN] = "shutdown",
};

void trace_print(const struct cpu *c, unsigned nr, void (*print)(const char *fmt, ...))
{
	uint32_t end = c->trace.next;

	nr = MIN(nr, TRACE_RECORDS);
	for (uint32_t n = end > nr ? end - nr : 0; n != end; n++) {
		const struct trace_record *r = &c->trace.record[n & (TRACE_RECORDS - 1)];
		uint64_t id = r->id_arg >> TRACE_ARG_BITS;

		print("cpu%u %" PRIu64 " %s %#" PRIx64 "\n", c->id, r->cycles,
		      id < TRACE_NR ? trace_name[id] : "?",
		      (uint64_t)((int64_t)(r->id_arg << (64 - TRACE_ARG_BITS)) >>
				 (64 - TRACE_ARG_BITS))); /* addresses get their sign back */
	}
}
