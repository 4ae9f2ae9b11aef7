/* See hypervisor.h. */
#include "daemon/hypervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct lodge_control operation(uint32_t op, uint32_t domain)
{
	return (struct lodge_control){ .version = LODGE_CONTROL_VERSION,
				       .op = op,
				       .domain = domain };
}

static int run(struct hypervisor *hv, struct lodge_control *c)
{
	return hv->ops->control(hv, c, NULL, NULL, 0);
}

void hypervisor_close(struct hypervisor *hv)
{
	if (hv)
		hv->ops->close(hv);
}

int hypervisor_version(struct hypervisor *hv, uint32_t *ret_version)
{
	struct lodge_control c = operation(LODGE_CONTROL_version, 0);
	int err = run(hv, &c);

	if (!err)
		*ret_version = c.u.version.version;
	return err;
}

int hypervisor_create(struct hypervisor *hv, const struct domain_limits *limits,
		      uint32_t *ret_domain)
{
	struct lodge_control c = operation(LODGE_CONTROL_create, LODGE_DOMAIN_ANY);
	int err;

	memcpy(c.u.create.uuid, limits->uuid, sizeof(c.u.create.uuid));
	c.u.create.max_pages = limits->max_pages;
	c.u.create.nr_vcpus = limits->nr_vcpus;
	c.u.create.max_grant_frames = limits->max_grant_frames;
	c.u.create.max_ports = limits->max_ports;
	err = run(hv, &c);
	if (!err)
		*ret_domain = c.domain;
	return err;
}

static int simple(struct hypervisor *hv, uint32_t op, uint32_t domain)
{
	struct lodge_control c = operation(op, domain);

	return run(hv, &c);
}

int hypervisor_destroy(struct hypervisor *hv, uint32_t domain)
{
	return simple(hv, LODGE_CONTROL_destroy, domain);
}

int hypervisor_pause(struct hypervisor *hv, uint32_t domain)
{
	return simple(hv, LODGE_CONTROL_pause, domain);
}

int hypervisor_unpause(struct hypervisor *hv, uint32_t domain)
{
	return simple(hv, LODGE_CONTROL_unpause, domain);
}

/* Records from number `first` on; what fits the buffer. */
static int list(struct hypervisor *hv, struct lodge_control *c, uint32_t first, void *records,
		size_t max, size_t record_bytes)
{
	c->u.list.first = first;
	c->u.list.max = (uint32_t)MIN(max, HYPERVISOR_BUFFER / record_bytes);
	c->u.list.nr = 0;
	c->u.list.next = 0;
	return hv->ops->control(hv, c, &c->u.list.buffer, records, c->u.list.max * record_bytes);
}

/* All records, at most max. */
static int list_all(struct hypervisor *hv, uint32_t op, uint32_t domain, void *records, size_t max,
		    size_t record_bytes, size_t *ret_nr)
{
	struct lodge_control c = operation(op, domain);
	uint32_t first = 0;
	size_t nr = 0;

	while (first != LODGE_LIST_END && nr < max) {
		int err = list(hv, &c, first, (char *)records + nr * record_bytes, max - nr,
			       record_bytes);

		if (err)
			return err;
		nr += c.u.list.nr;
		first = c.u.list.next;
	}
	*ret_nr = nr;
	return 0;
}

#define INFOS_AT_ONCE 64u

int hypervisor_list(struct hypervisor *hv, uint64_t since, struct lodge_domain_info **ret_infos,
		    size_t *ret_nr, uint64_t *ret_change)
{
	struct lodge_control c = operation(LODGE_CONTROL_list, 0);
	struct lodge_domain_info *infos = NULL;
	uint64_t change = 0;
	uint32_t first = 0;
	size_t nr = 0;
	int err = 0;

	while (!err && first != LODGE_LIST_END) {
		struct lodge_domain_info *grown =
			reallocarray(infos, nr + INFOS_AT_ONCE, sizeof(*grown));

		if (!grown) {
			err = -ENOMEM;
			break;
		}
		infos = grown;
		c.u.list.since = since;
		c.u.list.change = 0;
		err = list(hv, &c, first, infos + nr, INFOS_AT_ONCE, sizeof(*infos));
		if (!nr)
			change = c.u.list.change; /* later ones tell more than was seen here */
		nr += err ? 0 : c.u.list.nr;
		first = c.u.list.next;
	}
	if (err) {
		free(infos);
		return err;
	}
	*ret_infos = infos;
	*ret_nr = nr;
	*ret_change = change;
	return 0;
}

int hypervisor_info(struct hypervisor *hv, uint32_t domain, struct lodge_domain_info *ret_info)
{
	struct lodge_control c = operation(LODGE_CONTROL_list, 0);
	struct lodge_domain_info info = { .domain = LODGE_DOMAIN_ANY };
	int err = list(hv, &c, domain, &info, 1, sizeof(info));

	if (err)
		return err;
	if (!c.u.list.nr || info.domain != domain || info.flags & LODGE_DOMAIN_GONE)
		return -ESRCH;
	*ret_info = info;
	return 0;
}

int hypervisor_vcpus(struct hypervisor *hv, uint32_t domain, struct lodge_vcpu_info *ret_vcpus,
		     size_t max, size_t *ret_nr)
{
	return list_all(hv, LODGE_CONTROL_vcpu_list, domain, ret_vcpus, max, sizeof(*ret_vcpus),
			ret_nr);
}

int hypervisor_set_memory(struct hypervisor *hv, uint32_t domain, uint64_t nr_pages)
{
	struct lodge_control c = operation(LODGE_CONTROL_set_memory, domain);

	c.u.memory.nr_pages = nr_pages;
	return run(hv, &c);
}

int hypervisor_set_scheduling(struct hypervisor *hv, uint32_t domain, uint32_t weight, uint32_t cap)
{
	struct lodge_control c = operation(LODGE_CONTROL_set_scheduling, domain);

	c.u.scheduling.vcpu = LODGE_VCPU_ALL;
	c.u.scheduling.weight = weight;
	c.u.scheduling.cap = cap;
	return run(hv, &c);
}

int hypervisor_get_scheduling(struct hypervisor *hv, uint32_t domain, uint32_t *ret_weight,
			      uint32_t *ret_cap)
{
	struct lodge_control c = operation(LODGE_CONTROL_get_scheduling, domain);
	int err = run(hv, &c);

	if (!err) {
		*ret_weight = c.u.scheduling.weight;
		*ret_cap = c.u.scheduling.cap;
	}
	return err;
}

static int vcpu_buffer(struct hypervisor *hv, uint32_t op, uint32_t domain, uint32_t vcpu,
		       void *buffer, size_t bytes)
{
	struct lodge_control c = operation(op, domain);

	c.u.vcpu.vcpu = vcpu;
	return hv->ops->control(hv, &c, &c.u.vcpu.buffer, buffer, bytes);
}

int hypervisor_set_affinity(struct hypervisor *hv, uint32_t domain, uint32_t vcpu,
			    const uint8_t mask[LODGE_CPU_MASK_BYTES])
{
	uint8_t copy[LODGE_CPU_MASK_BYTES];

	memcpy(copy, mask, sizeof(copy));
	return vcpu_buffer(hv, LODGE_CONTROL_set_affinity, domain, vcpu, copy, sizeof(copy));
}

int hypervisor_get_affinity(struct hypervisor *hv, uint32_t domain, uint32_t vcpu,
			    uint8_t ret_mask[LODGE_CPU_MASK_BYTES])
{
	return vcpu_buffer(hv, LODGE_CONTROL_get_affinity, domain, vcpu, ret_mask,
			   LODGE_CPU_MASK_BYTES);
}

int hypervisor_set_cpuid(struct hypervisor *hv, uint32_t domain,
			 const struct lodge_cpuid_change *changes, uint32_t nr)
{
	struct lodge_control c = operation(LODGE_CONTROL_set_cpuid, domain);
	struct lodge_cpuid_change copy[LODGE_CPUID_LEAVES];

	if (nr > LODGE_CPUID_LEAVES)
		return -EINVAL;
	memcpy(copy, changes, nr * sizeof(copy[0]));
	c.u.list.nr = nr;
	return hv->ops->control(hv, &c, &c.u.list.buffer, copy, nr * sizeof(copy[0]));
}

int hypervisor_set_tsc(struct hypervisor *hv, uint32_t domain, uint64_t hz)
{
	struct lodge_control c = operation(LODGE_CONTROL_set_tsc, domain);

	c.u.tsc.hz = hz;
	return run(hv, &c);
}

int hypervisor_set_clock(struct hypervisor *hv, uint32_t domain, int64_t offset_s)
{
	struct lodge_control c = operation(LODGE_CONTROL_set_clock, domain);

	c.u.clock.offset_s = offset_s;
	return run(hv, &c);
}

int hypervisor_registers(struct hypervisor *hv, uint32_t domain, uint32_t vcpu,
			 struct lodge_registers *ret_registers)
{
	return vcpu_buffer(hv, LODGE_CONTROL_registers, domain, vcpu, ret_registers,
			   sizeof(*ret_registers));
}

int hypervisor_translate(struct hypervisor *hv, uint32_t domain, uint32_t vcpu, uint64_t linear,
			 uint64_t *ret_gpa)
{
	struct lodge_control c = operation(LODGE_CONTROL_translate, domain);
	int err;

	c.u.translate.vcpu = vcpu;
	c.u.translate.linear = linear;
	err = run(hv, &c);
	if (!err)
		*ret_gpa = c.u.translate.gpa;
	return err;
}

int hypervisor_copy_out(struct hypervisor *hv, uint32_t domain, uint64_t gpa, void *ret_data,
			size_t bytes)
{
	struct lodge_control c = operation(LODGE_CONTROL_copy_out, domain);
	size_t part;

	for (size_t at = 0; at < bytes; at += part) {
		int err;

		part = MIN(bytes - at, HYPERVISOR_BUFFER);
		c.u.copy.gpa = gpa + at;
		c.u.copy.bytes = part;
		c.u.copy.done = 0;
		err = hv->ops->control(hv, &c, &c.u.copy.buffer, (char *)ret_data + at, part);
		if (err)
			return err;
	}
	return 0;
}

int hypervisor_host(struct hypervisor *hv, struct lodge_host_info *ret_info)
{
	struct lodge_control c = operation(LODGE_CONTROL_host_info, 0);

	return list(hv, &c, 0, ret_info, 1, sizeof(*ret_info));
}

int hypervisor_cpus(struct hypervisor *hv, struct lodge_cpu_info *ret_cpus, size_t max,
		    size_t *ret_nr)
{
	return list_all(hv, LODGE_CONTROL_cpu_list, 0, ret_cpus, max, sizeof(*ret_cpus), ret_nr);
}

int hypervisor_cpuid(struct hypervisor *hv,
		     struct lodge_cpuid_features ret_features[LODGE_CPUID_LEAVES])
{
	size_t nr;

	memset(ret_features, 0, LODGE_CPUID_LEAVES * sizeof(*ret_features));
	return list_all(hv, LODGE_CONTROL_cpuid_features, 0, ret_features, LODGE_CPUID_LEAVES,
			sizeof(*ret_features), &nr);
}

int hypervisor_exit_names(struct hypervisor *hv, struct lodge_exit_name ret_names[LODGE_EXIT_KINDS])
{
	size_t nr;

	memset(ret_names, 0, LODGE_EXIT_KINDS * sizeof(*ret_names));
	return list_all(hv, LODGE_CONTROL_exit_names, 0, ret_names, LODGE_EXIT_KINDS,
			sizeof(*ret_names), &nr);
}

int hypervisor_console(struct hypervisor *hv, uint64_t *position, bool clear, char *ret_text,
		       size_t max, size_t *ret_bytes)
{
	struct lodge_control c = operation(LODGE_CONTROL_read_console, 0);
	int err;

	c.u.console.position = *position;
	c.u.console.bytes = (uint32_t)MIN(max, HYPERVISOR_BUFFER);
	c.u.console.flags = clear ? LODGE_CONSOLE_CLEAR : 0;
	err = hv->ops->control(hv, &c, &c.u.console.buffer, ret_text, c.u.console.bytes);
	if (err)
		return err;
	*position = c.u.console.position;
	*ret_bytes = c.u.console.done;
	return 0;
}

int hypervisor_execute(struct hypervisor *hv, uint32_t domain, const struct build_plan *plan,
		       struct guest_ports *ret_ports, struct err *err)
{
	return hv->ops->execute(hv, domain, plan, ret_ports, err);
}
