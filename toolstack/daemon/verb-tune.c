/*
 * Verbs that change a guest's share of the host: memory, vCPUs, CPU time; and keys. Like virsh's, they change what
 * runs ("live"), the definition ("config"), or both; told neither, what runs, or the definition of one that is off.
 */
#include <errno.h>
#include <string.h>

#include "daemon/guest-json.h"
#include "daemon/guest-run.h"
#include "daemon/guest.h"
#include "daemon/hypervisor.h"
#include "daemon/tune.h"
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

/* Which of the two is meant. */
struct scope {
	bool is_live, is_config;
};

static int choose(const struct request *r, const struct guest *g, struct scope *ret_scope,
		  struct err *err)
{
	struct scope s = { request_flag(r, "live"), request_flag(r, "config") };

	if (!s.is_live && !s.is_config) {
		s.is_config = g->defined && g->state == GUEST_OFF;
		s.is_live = !s.is_config;
	}
	if (s.is_config && !g->defined)
		return err_set(err, -ESTALE, "\"%s\" has no definition that could change", g->name);
	*ret_scope = s;
	return s.is_live ? guest_check_running(g, err) : 0;
}

void verb_set_memory(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	struct scope s = { false, false };
	struct err err;
	uint64_t kib;
	int ret;

	(void)l;
	if (!g || !need_number(r, "kib", KIB_MAX, &kib))
		return;
	ret = choose(r, g, &s, &err);
	if (!ret && s.is_config)
		ret = tune_definition(g, &(struct tuning){ .what = TUNE_MEMORY, .kib = kib }, &err);
	if (!ret && s.is_live)
		ret = guest_set_memory(g, kib, &err);
	answer(r, g, ret, &err);
}

void verb_set_vcpus(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	struct scope s = { false, false };
	struct err err;
	uint64_t count;
	int ret;

	(void)l;
	if (!g || !need_number(r, "count", UINT32_MAX - 1, &count))
		return;
	ret = choose(r, g, &s, &err);
	if (!ret && s.is_config)
		ret = tune_definition(
			g, &(struct tuning){ .what = TUNE_VCPUS, .nr_vcpus = (uint32_t)count },
			&err);
	if (!ret && s.is_live)
		ret = guest_set_vcpus(g, (uint32_t)count, &err);
	answer(r, g, ret, &err);
}

void verb_pin(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	const char *text = g ? request_need(r, "cpus") : NULL;
	struct tuning t = { .what = TUNE_PIN };
	struct scope s = { false, false };
	struct err err;
	uint64_t vcpu;
	int ret;

	(void)l;
	if (!text || !request_number(r, "vcpu", LODGE_VCPU_ALL, LODGE_VCPU_ALL, &vcpu))
		return;
	t.vcpu = (uint32_t)vcpu;
	ret = choose(r, g, &s, &err);
	if (!ret)
		ret = cpu_set_parse(text, &t.cpus, &err);
	if (!ret && s.is_config)
		ret = tune_definition(g, &t, &err);
	if (!ret && s.is_live)
		ret = guest_pin(g, t.vcpu, &t.cpus, &err);
	answer(r, g, ret, &err);
}

/* The values that hold now, where the verb looks for them. */
static int get_share(struct lodged *l, const struct guest *g, const struct scope *s,
		     struct tuning *t, struct err *err)
{
	int ret;

	t->weight = s->is_live ? 0 : g->defined->d->weight;
	t->cap = s->is_live ? 0 : g->defined->d->cap_percent;
	ret = s->is_live ? hypervisor_get_scheduling(l->hv, g->domain, &t->weight, &t->cap) : 0;
	return ret ? err_errno(err, ret, "domain %u", g->domain) : 0;
}

static void answer_share(struct request *r, const struct tuning *t)
{
	cJSON *result = cJSON_CreateObject();

	cJSON_AddNumberToObject(result, "weight", t->weight);
	cJSON_AddNumberToObject(result, "cap", t->cap);
	request_ok(r, result);
}

/* Without weight and cap it only tells. */
void verb_sched(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	struct tuning t = { .what = TUNE_SHARE };
	uint64_t weight, cap;
	struct scope s = { false, false };
	struct err err;
	int ret;

	if (!g)
		return;
	ret = choose(r, g, &s, &err);
	if (!ret)
		ret = get_share(l, g, &s, &t, &err);
	if (ret) {
		request_error(r, ret, &err);
		return;
	}
	if (!request_number(r, "weight", t.weight, WEIGHT_MAX, &weight) ||
	    !request_number(r, "cap", t.cap, CAP_MAX, &cap))
		return;
	t.weight = (uint32_t)weight;
	t.cap = (uint32_t)cap;
	if (cJSON_HasObjectItem(r->message, "weight") || cJSON_HasObjectItem(r->message, "cap")) {
		ret = s.is_config ? tune_definition(g, &t, &err) : 0;
		if (!ret && s.is_live)
			ret = guest_set_scheduling(g, t.weight, t.cap, &err);
	}
	if (ret)
		request_error(r, ret, &err);
	else
		answer_share(r, &t);
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
