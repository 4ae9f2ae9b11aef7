/* See guest-cpu.h. */
#include "daemon/guest-cpu.h"

#include <errno.h>

#include "lib/cpu-feature.h"

static_assert(CPUID_EAX == 0 && CPUID_EBX == 1 && CPUID_ECX == 2 && CPUID_EDX == 3,
	      "the registers' order in abi/control.h");

static const struct lodge_cpuid_features *find_leaf(const struct lodge_cpuid_features *host,
						    const struct cpu_feature *f)
{
	for (unsigned int i = 0; i < LODGE_CPUID_LEAVES; i++)
		if (host[i].leaf == f->leaf && host[i].subleaf == f->subleaf)
			return &host[i];
	return NULL;
}

static bool is_shown(const struct lodge_cpuid_features *host, const struct cpu_feature *f)
{
	const struct lodge_cpuid_features *leaf = find_leaf(host, f);

	return leaf && leaf->shown[f->reg] >> f->bit & 1;
}

static bool is_fixed(const struct lodge_cpuid_features *host, const struct cpu_feature *f)
{
	const struct lodge_cpuid_features *leaf = find_leaf(host, f);

	return leaf && leaf->fixed[f->reg] >> f->bit & 1;
}

/* The change of its leaf. There is room for all leaves that the host told of. */
static struct lodge_cpuid_change *change_of(struct guest_cpu *cpu, const struct cpu_feature *f)
{
	uint32_t i;

	for (i = 0; i < cpu->nr; i++)
		if (cpu->changes[i].leaf == f->leaf && cpu->changes[i].subleaf == f->subleaf)
			break;
	if (i == cpu->nr)
		cpu->changes[cpu->nr++] =
			(struct lodge_cpuid_change){ .leaf = f->leaf, .subleaf = f->subleaf };
	return &cpu->changes[i];
}

static int add(struct guest_cpu *cpu, const struct lodge_cpuid_features *host,
	       const struct feature_setting *s, const struct cpu_feature *f, struct err *err)
{
	bool shown = is_shown(host, f);

	switch (s->policy) {
	case FEATURE_REQUIRE:
	case FEATURE_FORCE:
		if (!shown)
			return err_set(err, -EINVAL,
				       "<feature policy=\"%s\" name=\"%s\">: guests of this host "
				       "cannot have it",
				       s->policy == FEATURE_FORCE ? "force" : "require", s->name);
		change_of(cpu, f)->need[f->reg] |= 1u << f->bit;
		return 0;
	case FEATURE_DISABLE:
		if (shown && is_fixed(host, f))
			return err_set(err, -EINVAL,
				       "<feature policy=\"disable\" name=\"%s\">: every guest has "
				       "it",
				       s->name);
		if (shown)
			change_of(cpu, f)->hide[f->reg] |= 1u << f->bit;
		return 0;
	case FEATURE_FORBID:
		if (shown)
			return err_set(err, -EINVAL,
				       "<feature policy=\"forbid\" name=\"%s\">: guests of this "
				       "host have it",
				       s->name);
		return 0;
	default: /* FEATURE_OPTIONAL: as the host has it */
		return 0;
	}
}

int guest_cpu_make(const struct domain_description *d,
		   const struct lodge_cpuid_features host[LODGE_CPUID_LEAVES],
		   struct guest_cpu *ret_cpu, struct err *err)
{
	struct guest_cpu cpu = { .nr = 0 };
	const char *near;

	for (size_t i = 0; i < d->nr_features; i++) {
		const struct cpu_feature *f = cpu_feature_find(d->features[i].name, &near);
		int ret = f ? add(&cpu, host, &d->features[i], f, err)
			    : err_set(err, -EINVAL, "<feature name=\"%s\">: no such CPU feature",
				      d->features[i].name);

		if (ret)
			return ret;
	}
	*ret_cpu = cpu;
	return 0;
}

const char *guest_cpu_feature(const struct lodge_cpuid_features host[LODGE_CPUID_LEAVES],
			      size_t *position)
{
	const struct cpu_feature *f;

	while ((f = cpu_feature_at((*position)++)))
		if (is_shown(host, f))
			return f->name;
	return NULL;
}
