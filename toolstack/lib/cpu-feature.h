/* CPU features by the names that libvirt gives them, and where CPUID shows each. */
#ifndef LODGE_TOOLSTACK_CPU_FEATURE_H
#define LODGE_TOOLSTACK_CPU_FEATURE_H

#include "lib/util.h"

enum cpuid_register { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

struct cpu_feature {
	const char *name;
	uint32_t leaf;
	uint32_t subleaf;
	enum cpuid_register reg;
	unsigned int bit;
};

/* NULL: no such feature; *ret_near is then the nearest name, or NULL. */
const struct cpu_feature *cpu_feature_find(const char *name, const char **ret_near);

/* All of them, one after the other, from index 0 on; NULL: no more. */
const struct cpu_feature *cpu_feature_at(size_t index);

#endif
