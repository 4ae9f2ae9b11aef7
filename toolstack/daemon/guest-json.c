/* See guest-json.h. */
#include "daemon/guest-json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/device.h"
#include "daemon/guest.h"
#include "daemon/hypervisor.h"
#include "daemon/why.h"

#define PAGE_KIB  4u
#define MAX_VCPUS 128u

static const struct domain_description *description_of(const struct guest *g)
{
	static const struct domain_description none;
	const struct config *c = g->active ? g->active : g->defined;

	return c ? c->d : &none;
}

static void add_text(cJSON *object, const char *name, const char *text)
{
	if (text)
		cJSON_AddStringToObject(object, name, text);
	else
		cJSON_AddNullToObject(object, name);
}

static void add_domain(cJSON *object, const struct guest *g, const struct lodge_domain_info *info)
{
	char started[TIME_TEXT_BYTES];

	time_text(g->started, started);
	cJSON_AddNumberToObject(object, "vcpus", info ? info->nr_vcpus_up : 0);
	cJSON_AddNumberToObject(object, "memory_kib",
				info ? (double)(info->nr_pages * PAGE_KIB) : 0);
	cJSON_AddNumberToObject(object, "cpu_time_ns", info ? (double)info->cpu_time_ns : 0);
	add_text(object, "started", info ? started : NULL);
}

static void add_devices(cJSON *object, const struct guest *g)
{
	cJSON *addresses = cJSON_AddArrayToObject(object, "addresses");
	cJSON *warnings = cJSON_AddArrayToObject(object, "warnings");
	const struct device *d;
	char text[256];

	list_for_each_entry(d, &g->devices, node) {
		if (d->class->addresses)
			d->class->addresses(d, addresses);
		if (!*device_error(d))
			continue;
		snprintf(text, sizeof(text), "%s %s: %s", d->class->name, d->label,
			 device_error(d));
		cJSON_AddItemToArray(warnings, cJSON_CreateString(text));
	}
}

/* Of its domain, unless the caller knows. False: it has none. */
static bool find_info(const struct guest *g, const struct lodge_domain_info **info,
		      struct lodge_domain_info *room)
{
	if (*info)
		return true;
	if (g->domain == NO_DOMAIN || hypervisor_info(g->lodged->hv, g->domain, room))
		return false;
	*info = room;
	return true;
}

cJSON *guest_record(struct guest *g, const struct lodge_domain_info *info)
{
	const struct domain_description *d = description_of(g);
	cJSON *object = cJSON_CreateObject();
	struct lodge_domain_info room;
	char uuid[37];

	guest_uuid_text(g->uuid, uuid);
	cJSON_AddStringToObject(object, "name", g->name);
	cJSON_AddStringToObject(object, "uuid", uuid);
	if (g->domain != NO_DOMAIN)
		cJSON_AddNumberToObject(object, "id", g->domain);
	else
		cJSON_AddNullToObject(object, "id");
	cJSON_AddStringToObject(object, "state", guest_state_name(g));
	add_domain(object, g, find_info(g, &info, &room) ? info : NULL);
	cJSON_AddNumberToObject(object, "vcpus_max", d->nr_vcpus);
	cJSON_AddNumberToObject(object, "memory_max_kib", (double)(d->memory >> 10));
	cJSON_AddBoolToObject(object, "autostart", g->defined && g->defined->d->autostart);
	cJSON_AddBoolToObject(object, "persistent", g->defined != NULL);
	add_text(object, "title", d->title);
	if (g->why)
		cJSON_AddItemToObject(object, "why", why_in_short(g->why));
	else
		cJSON_AddNullToObject(object, "why");
	add_devices(object, g);
	return object;
}

/* --- vCPUs --- */

static const char *vcpu_state_name(uint32_t flags)
{
	if (!(flags & LODGE_VCPU_UP))
		return "offline";
	if (flags & LODGE_VCPU_PAUSED)
		return "paused";
	if (flags & LODGE_VCPU_RUNNING)
		return "running";
	if (flags & LODGE_VCPU_CAPPED)
		return "capped";
	return flags & LODGE_VCPU_BLOCKED ? "blocked" : "waiting";
}

static void add_exits(cJSON *object, const uint64_t counts[LODGE_EXIT_KINDS],
		      const struct lodge_exit_name names[LODGE_EXIT_KINDS])
{
	cJSON *exits = cJSON_AddObjectToObject(object, "exits");
	char name[sizeof(names[0].name) + 1];

	for (unsigned int i = 0; i < LODGE_EXIT_KINDS; i++) {
		snprintf(name, sizeof(name), "%.*s", (int)sizeof(names[i].name), names[i].name);
		if (counts[i] && name[0])
			cJSON_AddNumberToObject(exits, name, (double)counts[i]);
	}
}

static void add_affinity(cJSON *object, struct guest *g, uint32_t vcpu)
{
	uint8_t mask[LODGE_CPU_MASK_BYTES];
	struct cpu_set set = { .word = { 0 } };
	char *text;

	if (hypervisor_get_affinity(g->lodged->hv, g->domain, vcpu, mask))
		return;
	for (unsigned int cpu = 0; cpu < MIN(g->lodged->nr_cpus, 8 * sizeof(mask)); cpu++) {
		if (mask[cpu / 8] >> cpu % 8 & 1)
			set.word[cpu / 64] |= BIT64(cpu % 64);
	}
	text = cpu_set_format(&set);
	if (text)
		cJSON_AddStringToObject(object, "affinity", text);
	free(text);
}

static cJSON *make_vcpu(struct guest *g, const struct lodge_vcpu_info *v,
			const struct lodge_exit_name names[LODGE_EXIT_KINDS])
{
	cJSON *object = cJSON_CreateObject();

	cJSON_AddNumberToObject(object, "vcpu", v->vcpu);
	cJSON_AddStringToObject(object, "state", vcpu_state_name(v->flags));
	cJSON_AddNumberToObject(object, "cpu", v->cpu);
	cJSON_AddNumberToObject(object, "running_ns", (double)v->running_ns);
	cJSON_AddNumberToObject(object, "waiting_ns", (double)v->waiting_ns);
	if (v->capped_ns) /* a part of that */
		cJSON_AddNumberToObject(object, "capped_ns", (double)v->capped_ns);
	cJSON_AddNumberToObject(object, "blocked_ns", (double)v->blocked_ns);
	cJSON_AddNumberToObject(object, "offline_ns", (double)v->offline_ns);
	cJSON_AddNumberToObject(object, "weight", v->weight);
	add_affinity(object, g, v->vcpu);
	add_exits(object, v->exits, names);
	return object;
}

/* Adds all, and what they come to. */
static void add_vcpus(struct guest *g, cJSON *array, uint64_t ret_exits[LODGE_EXIT_KINDS],
		      struct lodge_exit_name ret_names[LODGE_EXIT_KINDS])
{
	struct lodge_vcpu_info *vcpus = calloc(MAX_VCPUS, sizeof(*vcpus));
	size_t nr = 0;

	memset(ret_exits, 0, LODGE_EXIT_KINDS * sizeof(*ret_exits));
	if (!vcpus || hypervisor_exit_names(g->lodged->hv, ret_names) ||
	    hypervisor_vcpus(g->lodged->hv, g->domain, vcpus, MAX_VCPUS, &nr))
		nr = 0;
	for (size_t i = 0; i < nr; i++) {
		cJSON_AddItemToArray(array, make_vcpu(g, &vcpus[i], ret_names));
		for (unsigned int k = 0; k < LODGE_EXIT_KINDS; k++)
			ret_exits[k] += vcpus[i].exits[k];
	}
	free(vcpus);
}

cJSON *guest_vcpus(struct guest *g)
{
	struct lodge_exit_name names[LODGE_EXIT_KINDS];
	uint64_t exits[LODGE_EXIT_KINDS];
	cJSON *array = cJSON_CreateArray();

	if (g->domain != NO_DOMAIN)
		add_vcpus(g, array, exits, names);
	return array;
}

/* --- everything --- */

static void add_memory(cJSON *object, const struct lodge_domain_info *info)
{
	cJSON *memory = cJSON_AddObjectToObject(object, "memory");

	cJSON_AddNumberToObject(memory, "owned_kib", (double)(info->nr_pages * PAGE_KIB));
	cJSON_AddNumberToObject(memory, "limit_kib", (double)(info->max_pages * PAGE_KIB));
	cJSON_AddNumberToObject(memory, "tables_kib", (double)(info->nr_tables * PAGE_KIB));
	cJSON_AddNumberToObject(memory, "overhead_kib", (double)(info->overhead >> 10));
	cJSON_AddNumberToObject(memory, "grant_frames", info->nr_grant_frames);
	cJSON_AddNumberToObject(memory, "maptrack_frames", info->nr_maptrack_frames);
	cJSON_AddNumberToObject(memory, "ports", info->nr_ports);
}

/* What its backends take in the service VM. */
static uint64_t processes_kib(const struct guest *g)
{
	const struct device *d;
	uint64_t kib = 0;

	list_for_each_entry(d, &g->devices, node) {
		char path[32];
		unsigned long size, resident;
		FILE *f;

		if (!d->process || !child_pid(d->process))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/statm", (int)child_pid(d->process));
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fscanf(f, "%lu %lu", &size, &resident) == 2)
			kib += resident * ((unsigned long)getpagesize() >> 10);
		fclose(f);
	}
	return kib;
}

static void add_live(cJSON *object, struct guest *g, const struct lodge_domain_info *info)
{
	struct lodge_exit_name names[LODGE_EXIT_KINDS];
	uint64_t exits[LODGE_EXIT_KINDS];
	uint32_t weight, cap;
	cJSON *vcpus = cJSON_AddArrayToObject(object, "vcpu");

	if (!hypervisor_get_scheduling(g->lodged->hv, g->domain, &weight, &cap)) {
		cJSON_AddNumberToObject(object, "weight", weight);
		cJSON_AddNumberToObject(object, "cap", cap);
	}
	add_affinity(object, g, 0);
	add_memory(object, info);
	add_vcpus(g, vcpus, exits, names);
	add_exits(object, exits, names);
	if (info->crash_reason[0]) {
		char reason[LODGE_CRASH_REASON_LEN + 1];

		snprintf(reason, sizeof(reason), "%.*s", LODGE_CRASH_REASON_LEN,
			 info->crash_reason);
		cJSON_AddStringToObject(object, "crash_reason", reason);
	}
}

cJSON *guest_full_record(struct guest *g)
{
	const struct domain_description *d = description_of(g);
	const struct lodge_domain_info *info = NULL;
	struct lodge_domain_info room;
	bool is_there = find_info(g, &info, &room);
	cJSON *object = guest_record(g, info);
	char *log = guest_console_log(g);

	if (g->why)
		cJSON_ReplaceItemInObjectCaseSensitive(object, "why",
						       cJSON_Duplicate(g->why, true));
	add_text(object, "description", d->description);
	add_text(object, "kernel", d->kernel);
	if (!d->kernel)
		add_text(object, "loader", d->loader ? d->loader : g->lodged->options.grub);
	add_text(object, "console_log", log);
	free(log);
	devices_status(g, cJSON_AddObjectToObject(object, "devices"));
	cJSON_AddNumberToObject(object, "host_process_kib", (double)processes_kib(g));
	if (is_there)
		add_live(object, g, info);
	return object;
}
