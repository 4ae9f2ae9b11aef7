/* See guest-run.h. */
#include "daemon/guest-run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/guest.h"
#include "daemon/hypervisor.h"
#include "daemon/record.h"
#include "daemon/tune.h"

#define PAGE_KIB       4u
#define RESERVED_PAGES 256u /* as in guest-start.c: what a balloon may overshoot */

int guest_check_running(const struct guest *g, struct err *err)
{
	if (g->state == GUEST_RUNNING)
		return 0;
	return err_set(err, -ESTALE, "\"%s\" is not running, but %s", g->name, guest_state_name(g));
}

int guest_pause(struct guest *g, struct err *err)
{
	int ret = guest_check_running(g, err);

	if (ret)
		return ret;
	if (g->is_paused)
		return err_set(err, -ESTALE, "\"%s\" is paused already", g->name);
	ret = hypervisor_pause(g->lodged->hv, g->domain);
	if (ret)
		return err_errno(err, ret, "pausing \"%s\"", g->name);
	g->is_paused = true;
	ret = record_save(g, err);
	if (ret) {
		g->is_paused = false;
		(void)!hypervisor_unpause(g->lodged->hv, g->domain);
		return ret;
	}
	guest_changed(g, "paused");
	return 0;
}

int guest_resume(struct guest *g, struct err *err)
{
	int ret = guest_check_running(g, err);

	if (ret)
		return ret;
	if (!g->is_paused)
		return err_set(err, -ESTALE, "\"%s\" is not paused", g->name);
	g->is_paused = false;
	ret = record_save(g, err); /* first: the next lodged would resume it, too */
	if (!ret) {
		ret = hypervisor_unpause(g->lodged->hv, g->domain);
		if (ret)
			err_errno(err, ret, "resuming \"%s\"", g->name);
	}
	if (ret) {
		g->is_paused = true;
		return ret;
	}
	guest_changed(g, "resumed");
	return 0;
}

/* One node of the guest's. */
static int write_node(struct guest *g, const char *name, const char *value, struct err *err)
{
	struct batch b;
	int ret;

	batch_init(&b);
	batch_at(&b, "/local/domain/%" PRIu32, g->domain);
	batch_write(&b, name, "%s", value);
	ret = nodes_run(g->lodged->nodes, &b, false, err);
	batch_fini(&b);
	return ret;
}

int guest_ask(struct guest *g, const char *mode, struct err *err)
{
	int ret = guest_check_running(g, err);

	if (ret)
		return ret;
	if (g->is_paused)
		return err_set(err, -ESTALE, "\"%s\" is paused, and cannot shut down", g->name);
	ret = write_node(g, "control/shutdown", mode, err);
	if (ret)
		return ret;
	g->requested = mode;
	ret = record_save(g, err);
	guest_changed(g, "shutdown-requested");
	return ret;
}

int guest_sysrq(struct guest *g, char key, struct err *err)
{
	const char value[] = { key, '\0' };
	int ret = guest_check_running(g, err);

	return ret ? ret : write_node(g, "control/sysrq", value, err);
}

/* It was done: the description of what runs, and its record, follow. */
static int note(struct guest *g, const struct tuning *t, struct err *err)
{
	int ret = guest_own_active(g, err);

	if (!ret)
		ret = tune_description(g->active->d, t, err);
	if (!ret)
		ret = record_save(g, err);
	guest_changed(g, NULL);
	return ret;
}

static int may_tune(const struct guest *g, const struct tuning *t, struct err *err)
{
	int ret = guest_check_running(g, err);

	return ret ? ret : tune_check(g->name, g->active->d, t, err);
}

int guest_set_memory(struct guest *g, uint64_t kib, struct err *err)
{
	struct tuning t = { .what = TUNE_MEMORY, .kib = kib };
	char text[24];
	int ret = may_tune(g, &t, err);

	if (ret)
		return ret;
	/* The limit first, so that it may grow; it shrinks when the balloon has given back. */
	ret = hypervisor_set_memory(g->lodged->hv, g->domain, kib / PAGE_KIB + RESERVED_PAGES);
	if (ret)
		return err_errno(err, ret, "setting the limit of \"%s\"", g->name);
	snprintf(text, sizeof(text), "%" PRIu64, kib);
	ret = write_node(g, "memory/target", text, err);
	return ret ? ret : note(g, &t, err);
}

int guest_set_vcpus(struct guest *g, uint32_t count, struct err *err)
{
	struct tuning t = { .what = TUNE_VCPUS, .nr_vcpus = count };
	char name[32];
	struct batch b;
	int ret = may_tune(g, &t, err);

	if (ret)
		return ret;
	batch_init(&b);
	batch_at(&b, "/local/domain/%" PRIu32, g->domain);
	for (uint32_t i = 0; i < g->active->d->nr_vcpus; i++) {
		snprintf(name, sizeof(name), "cpu/%" PRIu32 "/availability", i);
		batch_write(&b, name, "%s", i < count ? "online" : "offline");
	}
	ret = nodes_run(g->lodged->nodes, &b, false, err);
	batch_fini(&b);
	return ret ? ret : note(g, &t, err);
}

int guest_pin(struct guest *g, uint32_t vcpu, const struct cpu_set *cpus, struct err *err)
{
	struct tuning t = { .what = TUNE_PIN, .vcpu = vcpu, .cpus = *cpus };
	uint8_t mask[LODGE_CPU_MASK_BYTES];
	int ret = may_tune(g, &t, err);

	if (ret)
		return ret;
	for (unsigned int i = 0; i < sizeof(mask); i++)
		mask[i] = (uint8_t)(cpus->word[i / 8] >> (i % 8 * 8));
	ret = hypervisor_set_affinity(g->lodged->hv, g->domain, vcpu, mask);
	if (ret == -EINVAL)
		return err_set(err, ret, "the host has none of these CPUs");
	return ret ? err_errno(err, ret, "pinning \"%s\"", g->name) : note(g, &t, err);
}

int guest_set_scheduling(struct guest *g, uint32_t weight, uint32_t cap, struct err *err)
{
	struct tuning t = { .what = TUNE_SHARE, .weight = weight, .cap = cap };
	int ret = may_tune(g, &t, err);

	if (ret)
		return ret;
	ret = hypervisor_set_scheduling(g->lodged->hv, g->domain, weight, cap);
	if (ret == -EINVAL)
		return err_set(
			err, ret,
			"the weight is 1 to 65535, the cap at most all CPUs that it can use");
	return ret ? err_errno(err, ret, "setting weight and cap of \"%s\"", g->name)
		   : note(g, &t, err);
}
