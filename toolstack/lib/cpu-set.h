/* A set of host CPUs, and its text: "0-3,^2,8" is 0, 1, 3 and 8; each part works on what stands before it. */
#ifndef LODGE_TOOLSTACK_CPU_SET_H
#define LODGE_TOOLSTACK_CPU_SET_H

#include "lib/err.h"

#define CPU_SET_MAX 1024u

struct cpu_set {
	uint64_t word[CPU_SET_MAX / 64];
};

bool cpu_set_has(const struct cpu_set *set, unsigned int cpu);
bool cpu_set_is_empty(const struct cpu_set *set);

/* -EINVAL for text that is not of that form or names no CPU, -ERANGE for a CPU from CPU_SET_MAX on. */
must_check int cpu_set_parse(const char *text, struct cpu_set *ret_set, struct err *err);

/* The shortest text of a set, to be freed; NULL without memory. That of the empty set is "". */
char *cpu_set_format(const struct cpu_set *set);

#endif
