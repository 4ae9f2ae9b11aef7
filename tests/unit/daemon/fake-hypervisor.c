/* See fake-hypervisor.h. */
#include "fake-hypervisor.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build/build.h"

static struct {
	pthread_mutex_t lock;
	struct fake_domain domains[FAKE_DOMAINS_MAX];
	uint64_t free_pages, change;
	uint32_t next;
	uint32_t fail_op;
	int fail_err;
	unsigned int slow_ms;
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void touch(struct fake_domain *d)
{
	d->info.change = ++fake.change;
}

void fake_hypervisor_reset(void)
{
	memset(fake.domains, 0, sizeof(fake.domains));
	fake.domains[0].exists = true;
	fake.domains[0].info.flags = LODGE_DOMAIN_PRIVILEGED;
	fake.free_pages = FAKE_PAGES;
	fake.change = 1;
	fake.next = 1;
	fake.fail_op = UINT32_MAX;
	fake.slow_ms = 0;
}

struct fake_domain *fake_domain(uint32_t domain)
{
	return domain < FAKE_DOMAINS_MAX && fake.domains[domain].exists ? &fake.domains[domain]
									: NULL;
}

unsigned int fake_nr_domains(void)
{
	unsigned int nr = 0;

	for (uint32_t i = 1; i < FAKE_DOMAINS_MAX; i++)
		nr += fake.domains[i].exists;
	return nr;
}

uint64_t fake_free_pages(void)
{
	return fake.free_pages;
}

void fake_shut_down(uint32_t domain, uint32_t reason)
{
	struct fake_domain *d = fake_domain(domain);

	d->info.flags |= LODGE_DOMAIN_SHUT_DOWN;
	d->info.shutdown_reason = reason;
	touch(d);
}

void fake_fail(uint32_t op, int err)
{
	fake.fail_op = op;
	fake.fail_err = err;
}

void fake_slow_down(unsigned int ms)
{
	fake.slow_ms = ms;
}

static int create(struct lodge_control *c)
{
	uint32_t id = fake.next++;
	struct fake_domain *d = &fake.domains[id];

	if (id >= FAKE_DOMAINS_MAX)
		return -ENOMEM;
	*d = (struct fake_domain){ .exists = true, .weight = 256 };
	memset(d->affinity, 0xff, sizeof(d->affinity));
	d->info.domain = id;
	d->info.flags = LODGE_DOMAIN_PAUSED;
	d->info.pause_count = 1;
	d->info.nr_vcpus = c->u.create.nr_vcpus;
	d->info.max_pages = c->u.create.max_pages;
	memcpy(d->info.uuid, c->u.create.uuid, sizeof(d->info.uuid));
	touch(d);
	c->domain = id;
	return 0;
}

static int destroy(struct fake_domain *d)
{
	fake.free_pages += d->info.nr_pages;
	d->exists = false;
	touch(d);
	return 0;
}

static int change_pause(struct fake_domain *d, int by)
{
	if (by < 0 && !d->info.pause_count)
		return -EINVAL;
	d->info.pause_count += (uint32_t)by;
	if (d->info.pause_count)
		d->info.flags |= LODGE_DOMAIN_PAUSED;
	else
		d->info.flags &= ~LODGE_DOMAIN_PAUSED;
	touch(d);
	return 0;
}

static int list(struct lodge_control *c, struct lodge_domain_info *infos)
{
	uint32_t nr = 0, i;

	for (i = c->u.list.first; i < FAKE_DOMAINS_MAX && nr < c->u.list.max; i++) {
		const struct fake_domain *d = &fake.domains[i];

		if (c->u.list.since ? d->info.change <= c->u.list.since : !d->exists)
			continue;
		infos[nr] = d->info;
		if (!d->exists)
			infos[nr].flags = LODGE_DOMAIN_GONE;
		nr++;
	}
	c->u.list.nr = nr;
	c->u.list.next = i < FAKE_DOMAINS_MAX ? i : LODGE_LIST_END;
	c->u.list.change = fake.change;
	return 0;
}

static int list_vcpus(struct lodge_control *c, const struct fake_domain *d,
		      struct lodge_vcpu_info *vcpus)
{
	uint32_t nr = 0;

	for (uint32_t v = c->u.list.first; v < d->info.nr_vcpus && nr < c->u.list.max; v++)
		vcpus[nr++] = (struct lodge_vcpu_info){ .vcpu = v, .weight = d->weight };
	c->u.list.nr = nr;
	c->u.list.next =
		c->u.list.first + nr < d->info.nr_vcpus ? c->u.list.first + nr : LODGE_LIST_END;
	return 0;
}

static int tell_host(struct lodge_control *c, struct lodge_host_info *info)
{
	*info = (struct lodge_host_info){ .version = "fake",
					  .nr_cpus = 2,
					  .nr_pages = FAKE_PAGES,
					  .nr_free = fake.free_pages,
					  .cpu_khz = FAKE_CPU_KHZ };
	c->u.list.nr = 1;
	c->u.list.next = LODGE_LIST_END;
	return 0;
}

static int tell_nothing(struct lodge_control *c)
{
	c->u.list.nr = 0;
	c->u.list.next = LODGE_LIST_END;
	return 0;
}

static int tell_cpuid(struct lodge_control *c, struct lodge_cpuid_features *features)
{
	features[0] = (struct lodge_cpuid_features){ .leaf = 1,
						     .shown = { 0, 0, FAKE_LEAF1_ECX, 0 },
						     .fixed = { 0, 0, FAKE_FIXED, 0 } };
	features[1] = (struct lodge_cpuid_features){ .leaf = 7, .shown = { 0, FAKE_LEAF7_EBX } };
	c->u.list.nr = 2;
	c->u.list.next = LODGE_LIST_END;
	return 0;
}

static int run_domain_op(struct lodge_control *c, struct fake_domain *d, void *buffer, size_t bytes)
{
	switch (c->op) {
	case LODGE_CONTROL_destroy:
		return destroy(d);
	case LODGE_CONTROL_pause:
		return change_pause(d, 1);
	case LODGE_CONTROL_unpause:
		return change_pause(d, -1);
	case LODGE_CONTROL_vcpu_list:
		return list_vcpus(c, d, buffer);
	case LODGE_CONTROL_set_memory:
		d->info.max_pages = c->u.memory.nr_pages;
		return 0;
	case LODGE_CONTROL_set_scheduling:
		d->weight = c->u.scheduling.weight;
		d->cap = c->u.scheduling.cap;
		return d->weight ? 0 : -EINVAL;
	case LODGE_CONTROL_get_scheduling:
		c->u.scheduling.weight = d->weight;
		c->u.scheduling.cap = d->cap;
		return 0;
	case LODGE_CONTROL_set_affinity:
		memcpy(d->affinity, buffer, sizeof(d->affinity));
		return 0;
	case LODGE_CONTROL_get_affinity:
		memcpy(buffer, d->affinity, sizeof(d->affinity));
		return 0;
	case LODGE_CONTROL_set_cpuid:
		memcpy(d->changes, buffer, bytes);
		d->nr_changes = c->u.list.nr;
		return 0;
	case LODGE_CONTROL_set_clock:
		d->clock_offset_s = c->u.clock.offset_s;
		return 0;
	case LODGE_CONTROL_set_tsc:
		d->tsc_hz = c->u.tsc.hz;
		return 0;
	case LODGE_CONTROL_registers:
		memset(buffer, 0x11, bytes);
		return 0;
	case LODGE_CONTROL_copy_out:
		memset(buffer, 0, bytes);
		c->u.copy.done = bytes;
		return 0;
	case LODGE_CONTROL_translate:
		return -ENOENT;
	default:
		return -ENOSYS;
	}
}

static int run_op(struct lodge_control *c, void *buffer, size_t bytes)
{
	struct fake_domain *d;

	if (fake.fail_op == c->op) {
		fake.fail_op = UINT32_MAX;
		return fake.fail_err;
	}
	switch (c->op) {
	case LODGE_CONTROL_version:
		c->u.version.version = LODGE_CONTROL_VERSION;
		return 0;
	case LODGE_CONTROL_create:
		return create(c);
	case LODGE_CONTROL_list:
		return list(c, buffer);
	case LODGE_CONTROL_host_info:
		return tell_host(c, buffer);
	case LODGE_CONTROL_cpuid_features:
		return tell_cpuid(c, buffer);
	case LODGE_CONTROL_cpu_list:
	case LODGE_CONTROL_exit_names:
		return tell_nothing(c);
	case LODGE_CONTROL_read_console:
		c->u.console.done = 0;
		return 0;
	default:
		d = fake_domain(c->domain);
		return d ? run_domain_op(c, d, buffer, bytes) : -ESRCH;
	}
}

static int control(struct hypervisor *hv, struct lodge_control *c, uint64_t *address, void *buffer,
		   size_t bytes)
{
	int ret;

	(void)hv;
	if (address)
		*address = (uint64_t)(uintptr_t)buffer;
	if (c->op == LODGE_CONTROL_copy_out)
		usleep(fake.slow_ms * 1000);
	pthread_mutex_lock(&fake.lock);
	ret = run_op(c, buffer, bytes);
	pthread_mutex_unlock(&fake.lock);
	return ret;
}

static int fill(struct fake_domain *d, uint64_t nr_pages, struct err *err)
{
	if (fake.fail_op == LODGE_CONTROL_NR) {
		fake.fail_op = UINT32_MAX;
		return err_errno(err, fake.fail_err, "filling the domain");
	}
	if (nr_pages > fake.free_pages)
		return err_set(err, -ENOMEM, "not enough free memory");
	fake.free_pages -= nr_pages;
	d->info.nr_pages = nr_pages;
	d->info.nr_vcpus_up = 1;
	return 0;
}

static int execute(struct hypervisor *hv, uint32_t domain, const struct build_plan *plan,
		   struct guest_ports *ret_ports, struct err *err)
{
	int ret;

	(void)hv;
	usleep(fake.slow_ms * 1000);
	pthread_mutex_lock(&fake.lock);
	ret = fill(&fake.domains[domain], plan->nr_pages, err);
	pthread_mutex_unlock(&fake.lock);
	*ret_ports = (struct guest_ports){ .store = 1, .console = 2 };
	return ret;
}

static void close_fake(struct hypervisor *hv)
{
	free(hv);
}

static const struct hypervisor_ops fake_ops = {
	.control = control,
	.execute = execute,
	.close = close_fake,
};

struct hypervisor *fake_hypervisor_open(void *argument)
{
	struct hypervisor *hv = malloc(sizeof(*hv));

	(void)argument;
	if (hv)
		hv->ops = &fake_ops;
	return hv;
}
