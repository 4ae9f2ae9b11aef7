/* See tune.h. */
#include "daemon/tune.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/guest.h"

#define PAGE_BYTES    4096u
#define PERIOD_US     100000u
#define US_OF_PERCENT (PERIOD_US / 100)

static int check_memory(const char *name, const struct domain_description *d, uint64_t kib,
			struct err *err)
{
	if (kib > d->memory >> 10)
		return err_set(err, -EINVAL, "\"%s\" can have %" PRIu64 " KiB at most", name,
			       d->memory >> 10);
	if (kib < d->memory_guaranteed >> 10)
		return err_set(err, -EINVAL, "\"%s\" was promised %" PRIu64 " KiB", name,
			       d->memory_guaranteed >> 10);
	return kib ? 0 : err_set(err, -EINVAL, "\"%s\" cannot be without memory", name);
}

int tune_check(const char *name, const struct domain_description *d, const struct tuning *t,
	       struct err *err)
{
	switch (t->what) {
	case TUNE_MEMORY:
		return check_memory(name, d, t->kib, err);
	case TUNE_VCPUS:
		if (t->nr_vcpus && t->nr_vcpus <= d->nr_vcpus)
			return 0;
		return err_set(err, -EINVAL, "\"%s\" can have 1 to %" PRIu32 " vCPUs", name,
			       d->nr_vcpus);
	case TUNE_PIN:
		if (t->vcpu == LODGE_VCPU_ALL || t->vcpu < d->nr_vcpus)
			return 0;
		return err_set(err, -EINVAL, "\"%s\" has no vCPU %" PRIu32, name, t->vcpu);
	default:
		return t->weight ? 0 : err_set(err, -EINVAL, "the weight is 1 to 65535");
	}
}

static struct vcpu_pin *find_pin(const struct domain_description *d, uint32_t vcpu)
{
	for (size_t i = 0; i < d->nr_pins; i++) {
		if (d->pins[i].vcpu == vcpu)
			return &d->pins[i];
	}
	return NULL;
}

static bool is_every_cpu(const struct cpu_set *cpus)
{
	unsigned int cpu = 0;

	while (cpu < 8 * LODGE_CPU_MASK_BYTES && cpu_set_has(cpus, cpu))
		cpu++;
	return cpu == 8 * LODGE_CPU_MASK_BYTES;
}

static int pin(struct domain_description *d, uint32_t vcpu, const struct cpu_set *cpus,
	       struct err *err)
{
	struct vcpu_pin *one = find_pin(d, vcpu), *grown;

	if (vcpu == LODGE_VCPU_ALL) {
		d->affinity = *cpus;
		if (is_every_cpu(cpus))
			memset(&d->affinity, 0, sizeof(d->affinity));
		d->nr_pins = 0;
		return 0;
	}
	if (is_every_cpu(cpus) && cpu_set_is_empty(&d->affinity)) {
		if (one)
			*one = d->pins[--d->nr_pins];
		return 0;
	}
	if (!one) {
		grown = reallocarray(d->pins, d->nr_pins + 1, sizeof(*grown));
		if (!grown)
			return err_set(err, -ENOMEM, "no memory");
		d->pins = grown;
		one = &grown[d->nr_pins++];
		one->vcpu = vcpu;
	}
	one->cpus = *cpus;
	return 0;
}

int tune_description(struct domain_description *d, const struct tuning *t, struct err *err)
{
	switch (t->what) {
	case TUNE_MEMORY:
		d->memory_current = align_up(t->kib << 10, PAGE_BYTES);
		return 0;
	case TUNE_VCPUS:
		d->nr_vcpus_current = t->nr_vcpus;
		return 0;
	case TUNE_PIN:
		return pin(d, t->vcpu, &t->cpus, err);
	default:
		d->weight = t->weight;
		d->cap_percent = t->cap;
		d->vcpu_time.quota_us = 0;
		d->domain_time = (struct cpu_time){ PERIOD_US, (uint64_t)t->cap * US_OF_PERCENT };
		return 0;
	}
}

int tune_definition(struct guest *g, const struct tuning *t, struct err *err)
{
	struct config *c;
	int ret = tune_check(g->name, g->defined->d, t, err);

	if (ret)
		return ret;
	c = config_copy(g->defined);
	ret = c ? tune_description(c->d, t, err) : err_set(err, -ENOMEM, "no memory");
	if (!ret)
		ret = guest_define(g, c, err);
	config_put(c);
	return ret;
}
