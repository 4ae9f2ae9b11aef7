/* A description's <cpu> features as changes to what the host's hypervisor would give a guest. Pure. */
#ifndef LODGE_DAEMON_GUEST_CPU_H
#define LODGE_DAEMON_GUEST_CPU_H

#include "abi/control.h"
#include "config/domain.h"

struct guest_cpu {
	struct lodge_cpuid_change changes[LODGE_CPUID_LEAVES];
	uint32_t nr; /* 0: it gets what every guest gets */
};

/* host: what a new guest would have. -EINVAL, with the element in err, for what this host cannot do. */
must_check int guest_cpu_make(const struct domain_description *d,
			      const struct lodge_cpuid_features host[LODGE_CPUID_LEAVES],
			      struct guest_cpu *ret_cpu, struct err *err);

/* The guests' features by name. From *position on, which moves (0 at first); NULL: no more. */
const char *guest_cpu_feature(const struct lodge_cpuid_features host[LODGE_CPUID_LEAVES],
			      size_t *position);

#endif
