/* Verbs that change a guest while it runs: memory, vCPUs, shares of CPU time, keys. */
#include <errno.h>
#include <string.h>

#include "daemon/guest-json.h"
#include "daemon/guest-run.h"
#include "daemon/guest.h"
#include "daemon/hypervisor.h"
#include "daemon/verbs.h"

#define KIB_MAX    (UINT64_C(1) << 42)
#define WEIGHT_MAX 65535u
#define CAP_MAX    100000u

/* The answer of a verb that has done something to a guest. */
static void answer(struct request *r, struct guest *g, int ret, const struct err *err)
{
	if (ret)
		request_error(r, ret, err);
	else
		request_ok(r, guest_record(g, NULL));
}

/* A number that has to be there. */
static bool need_number(struct request *r, const char *name, uint64_t max, uint64_t *ret_number)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(r->message, name);

	if (!item || cJSON_IsNull(item)) {
		request_fail(r, RPC_INVALID, "the request has no \"%s\"", name);
		return false;
	}
	return request_number(r, name, 0, max, ret_number);
}

void verb_set_memory(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	struct err err;
	uint64_t kib;

	(void)l;
	if (g && need_number(r, "kib", KIB_MAX, &kib))
		answer(r, g, guest_set_memory(g, kib, &err), &err);
}

void verb_set_vcpus(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	struct err err;
	uint64_t count;

	(void)l;
	if (g && need_number(r, "count", UINT32_MAX - 1, &count))
		answer(r, g, guest_set_vcpus(g, (uint32_t)count, &err), &err);
}

void verb_pin(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	const char *text = g ? request_need(r, "cpus") : NULL;
	struct cpu_set cpus;
	struct err err;
	uint64_t vcpu;
	int ret;

	(void)l;
	if (!text || !request_number(r, "vcpu", LODGE_VCPU_ALL, LODGE_VCPU_ALL, &vcpu))
		return;
	ret = cpu_set_parse(text, &cpus, &err);
	if (!ret)
		ret = guest_pin(g, (uint32_t)vcpu, &cpus, &err);
	answer(r, g, ret, &err);
}

/* Without weight and cap it only tells. */
void verb_sched(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	uint64_t weight, cap;
	uint32_t weight_now, cap_now;
	struct err err;
	cJSON *result;
	int ret;

	if (!g)
		return;
	ret = guest_check_running(g, &err);
	if (!ret) {
		ret = hypervisor_get_scheduling(l->hv, g->domain, &weight_now, &cap_now);
		if (ret)
			err_errno(&err, ret, "domain %u", g->domain);
	}
	if (ret) {
		request_error(r, ret, &err);
		return;
	}
	if (!request_number(r, "weight", weight_now, WEIGHT_MAX, &weight) ||
	    !request_number(r, "cap", cap_now, CAP_MAX, &cap))
		return;
	if (weight != weight_now || cap != cap_now)
		ret = guest_set_scheduling(g, (uint32_t)weight, (uint32_t)cap, &err);
	if (ret) {
		request_error(r, ret, &err);
		return;
	}
	result = cJSON_CreateObject();
	cJSON_AddNumberToObject(result, "weight", (double)weight);
	cJSON_AddNumberToObject(result, "cap", (double)cap);
	request_ok(r, result);
}

void verb_sysrq(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	const char *key = g ? request_need(r, "key") : NULL;
	struct err err;

	(void)l;
	if (!key)
		return;
	if (strlen(key) != 1 || *key <= ' ' || *key > '~')
		request_fail(r, RPC_INVALID, "a key is one letter or digit");
	else
		answer(r, g, guest_sysrq(g, *key, &err), &err);
}
