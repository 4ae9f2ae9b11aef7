/* Verbs about the host: what it is, what it says, and whether it is fit. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "daemon/core-dump.h"
#include "daemon/doctor.h"
#include "daemon/guest-cpu.h"
#include "daemon/guest.h"
#include "daemon/host-stop.h"
#include "daemon/hypervisor.h"
#include "daemon/verbs.h"

#define PAGE_KIB       4.0
#define MAX_CPUS       1024u
#define MAX_DMESG      (1u << 18)
#define MAX_STOP_S     86400u
#define MAX_PATH_BYTES 4000u

/* --- host --- */

static void add_text(cJSON *object, const char *name, const char *text, size_t bytes)
{
	char copy[64];

	snprintf(copy, sizeof(copy), "%.*s", (int)MIN(bytes, sizeof(copy) - 1), text);
	cJSON_AddStringToObject(object, name, copy);
}

static void add_nodes(cJSON *object, const struct lodge_host_info *info)
{
	cJSON *nodes = cJSON_AddArrayToObject(object, "nodes");

	for (uint32_t i = 0; i < MIN(info->nr_nodes, LODGE_MAX_NODES); i++) {
		cJSON *node = cJSON_CreateObject();

		cJSON_AddItemToArray(nodes, node);
		cJSON_AddNumberToObject(node, "node", i);
		cJSON_AddNumberToObject(node, "memory_kib",
					(double)info->node[i].nr_pages * PAGE_KIB);
		cJSON_AddNumberToObject(node, "free_kib", (double)info->node[i].nr_free * PAGE_KIB);
	}
}

static void add_cpus(cJSON *object, struct lodged *l)
{
	struct lodge_cpu_info *cpus = calloc(MAX_CPUS, sizeof(*cpus));
	cJSON *array = cJSON_AddArrayToObject(object, "cpu");
	size_t nr = 0;

	if (!cpus || hypervisor_cpus(l->hv, cpus, MAX_CPUS, &nr))
		nr = 0;
	for (size_t i = 0; i < nr; i++) {
		const struct guest *g = guest_by_domain(l, cpus[i].domain);
		cJSON *cpu = cJSON_CreateObject();

		cJSON_AddItemToArray(array, cpu);
		cJSON_AddNumberToObject(cpu, "cpu", cpus[i].cpu);
		cJSON_AddNumberToObject(cpu, "node", cpus[i].node);
		cJSON_AddBoolToObject(cpu, "idle", cpus[i].domain == LODGE_DOMAIN_ANY);
		if (cpus[i].domain != LODGE_DOMAIN_ANY) {
			cJSON_AddNumberToObject(cpu, "domain", cpus[i].domain);
			cJSON_AddNumberToObject(cpu, "vcpu", cpus[i].vcpu);
			cJSON_AddStringToObject(cpu, "guest", g ? g->name : "");
		}
		cJSON_AddNumberToObject(cpu, "waiting", cpus[i].nr_waiting);
		cJSON_AddNumberToObject(cpu, "load", (double)cpus[i].load);
		cJSON_AddNumberToObject(cpu, "exits", (double)cpus[i].exits);
	}
	free(cpus);
}

static void add_memory(cJSON *object, const struct lodge_host_info *info)
{
	cJSON_AddNumberToObject(object, "memory_kib", (double)info->nr_pages * PAGE_KIB);
	cJSON_AddNumberToObject(object, "free_kib", (double)info->nr_free * PAGE_KIB);
	cJSON_AddNumberToObject(object, "free_pages", (double)info->nr_free);
	cJSON_AddNumberToObject(object, "claimed_kib", (double)info->nr_claimed * PAGE_KIB);
	cJSON_AddNumberToObject(object, "unscrubbed_kib", (double)info->nr_dirty * PAGE_KIB);
}

/* Of guests, by the names that descriptions use. */
static void add_features(cJSON *object, struct lodged *l)
{
	struct lodge_cpuid_features features[LODGE_CPUID_LEAVES];
	cJSON *array = cJSON_AddArrayToObject(object, "features");
	size_t position = 0;
	const char *name;

	if (hypervisor_cpuid(l->hv, features))
		return;
	while ((name = guest_cpu_feature(features, &position)))
		cJSON_AddItemToArray(array, cJSON_CreateString(name));
}

void verb_host(struct lodged *l, struct request *r)
{
	struct lodge_host_info info;
	struct utsname system;
	cJSON *result;
	int ret = hypervisor_host(l->hv, &info);

	if (ret) {
		request_fail(r, RPC_FAILED, "the hypervisor does not answer: %s", strerror(-ret));
		return;
	}
	result = cJSON_CreateObject();
	add_text(result, "version", info.version, sizeof(info.version));
	add_text(result, "cpu_model", info.cpu_model, sizeof(info.cpu_model));
	cJSON_AddNumberToObject(result, "cpus", info.nr_cpus);
	cJSON_AddNumberToObject(result, "cpu_khz", info.cpu_khz);
	cJSON_AddNumberToObject(result, "uptime_s", (double)info.uptime_ns / 1e9);
	add_memory(result, &info);
	add_nodes(result, &info);
	cJSON_AddBoolToObject(result, "iommu", info.features & LODGE_HOST_IOMMU);
	cJSON_AddBoolToObject(result, "debug", info.features & LODGE_HOST_DEBUG);
	cJSON_AddNumberToObject(result, "domains", info.nr_domains);
	cJSON_AddNumberToObject(result, "domains_max", info.max_domains);
	cJSON_AddNumberToObject(result, "vcpus_max", info.max_vcpus);
	if (!uname(&system)) {
		cJSON_AddStringToObject(result, "host", system.nodename);
		cJSON_AddStringToObject(result, "service_vm", system.release);
	}
	add_features(result, l);
	add_cpus(result, l);
	request_ok(r, result);
}

/* --- dmesg --- */

void verb_dmesg(struct lodged *l, struct request *r)
{
	char *text = malloc(MAX_DMESG + 1);
	uint64_t position;
	size_t nr = 0, part;
	cJSON *result;
	int ret = text ? 0 : -ENOMEM;

	if (!request_number(r, "position", 0, UINT64_C(1) << 53, &position)) {
		free(text);
		return;
	}
	while (!ret && nr < MAX_DMESG) {
		ret = hypervisor_console(l->hv, &position, request_flag(r, "clear"), text + nr,
					 MAX_DMESG - nr, &part);
		if (ret || !part)
			break;
		nr += part;
	}
	if (ret) {
		free(text);
		request_fail(r, RPC_FAILED, "reading the hypervisor's log: %s", strerror(-ret));
		return;
	}
	for (size_t i = 0; i < nr; i++) { /* JSON has UTF-8 only */
		if ((unsigned char)text[i] > '~' || !text[i])
			text[i] = '?';
	}
	text[nr] = '\0';
	result = cJSON_CreateObject();
	cJSON_AddStringToObject(result, "text", text);
	cJSON_AddNumberToObject(result, "position", (double)position);
	free(text);
	request_ok(r, result);
}

/* --- the rest --- */

void verb_doctor(struct lodged *l, struct request *r)
{
	cJSON *result = cJSON_CreateObject();

	cJSON_AddItemToObject(result, "checks", doctor_check(l));
	request_ok(r, result);
}

void verb_version(struct lodged *l, struct request *r)
{
	struct lodge_host_info info;
	cJSON *result = cJSON_CreateObject();
	uint32_t abi = 0;

	cJSON_AddStringToObject(result, "lodged", LODGED_VERSION);
	if (!hypervisor_host(l->hv, &info))
		add_text(result, "hypervisor", info.version, sizeof(info.version));
	if (!hypervisor_version(l->hv, &abi))
		cJSON_AddNumberToObject(result, "abi", abi);
	request_ok(r, result);
}

static void tell_dumped(void *argument, struct guest *g, int ret, const struct err *err)
{
	struct request *r = argument;
	cJSON *result;

	(void)g;
	if (ret) {
		request_error(r, ret, err);
		return;
	}
	result = cJSON_CreateObject();
	cJSON_AddStringToObject(result, "path", request_text(r, "path"));
	request_ok(r, result);
}

void verb_dump_core(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	const char *path = g ? request_need(r, "path") : NULL;
	struct err err;
	int ret;

	(void)l;
	if (!path)
		return;
	if (path[0] != '/' || strlen(path) > MAX_PATH_BYTES) {
		request_fail(r, RPC_INVALID, "the path of a core dump begins with \"/\"");
		return;
	}
	if (!guest_has_domain(g)) {
		request_fail(r, RPC_STATE, "\"%s\" is not running", g->name);
		return;
	}
	ret = core_dump(g, path, tell_dumped, r, &err);
	if (ret)
		request_error(r, ret, &err);
}

static void tell_stopped(void *argument)
{
	request_ok(argument, NULL);
}

void verb_host_stop(struct lodged *l, struct request *r)
{
	struct err err;
	uint64_t time_s;
	int ret;

	if (!request_number(r, "time_s", l->options.stop_s, MAX_STOP_S, &time_s))
		return;
	ret = host_stop_begin(l, (uint32_t)time_s, tell_stopped, r, &err);
	if (ret)
		request_error(r, ret, &err);
}
