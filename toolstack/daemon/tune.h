/* Memory, vCPUs and CPU time as a description has them: what changes in it when a verb changes a guest. */
#ifndef LODGE_DAEMON_TUNE_H
#define LODGE_DAEMON_TUNE_H

#include "config/domain.h"
#include "lib/cpu-set.h"
#include "lib/err.h"

struct guest;

struct tuning {
	enum { TUNE_MEMORY, TUNE_VCPUS, TUNE_PIN, TUNE_SHARE } what;
	uint64_t kib;
	uint32_t nr_vcpus;
	uint32_t vcpu; /* or LODGE_VCPU_ALL, which also takes back the pins of single ones */
	struct cpu_set cpus;
	uint32_t weight, cap; /* cap in hundredths of a CPU, 0: none */
};

/* What a guest may be told: -EINVAL for more than its description allows. */
must_check int tune_check(const char *name, const struct domain_description *d,
			  const struct tuning *t, struct err *err);
/* It was checked. -ENOMEM, and nothing has changed. */
must_check int tune_description(struct domain_description *d, const struct tuning *t,
				struct err *err);

/* The definition, for the next start: checked, changed and written. */
must_check int tune_definition(struct guest *g, const struct tuning *t, struct err *err);

#endif
