/* Verbs plan and apply: what another description would change, and when; and doing it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config-xml.h"
#include "daemon/device.h"
#include "daemon/guest-run.h"
#include "daemon/guest.h"
#include "daemon/record.h"
#include "daemon/serve.h"
#include "daemon/verbs.h"

#define DETACH_MS 10000u

/* What of a running guest can change at once; the rest waits for its next start. */
static const struct {
	const char *path; /* with all below it */
	const char *takes;
} rules[] = {
	{ "name", "not-possible" }, { "uuid", "not-possible" },  { "title", "now" },
	{ "description", "now" },   { "metadata/start", "now" }, { "currentMemory", "now" },
	{ "memtune", "now" },       { "vcpu/current", "now" },   { "vcpu/cpuset", "now" },
	{ "cputune", "now" },       { "on_poweroff", "now" },    { "on_reboot", "now" },
	{ "on_crash", "now" },
};

static bool is_below(const char *path, const char *above)
{
	size_t length = strlen(above);

	return !strncmp(path, above, length) &&
	       (!path[length] || path[length] == '/' || path[length] == '[');
}

/* "devices/disk[xvda]" and nothing behind. */
static bool is_device(const char *path)
{
	return is_below(path, "devices") && path[strlen(path) - 1] == ']';
}

static const char *takes(const struct guest *g, const char *path)
{
	bool is_running = g->state == GUEST_RUNNING;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (is_below(path, rules[i].path) &&
		    (is_running || !strcmp(rules[i].takes, "not-possible")))
			return rules[i].takes;
	}
	return is_running && is_device(path) ? "now" : "next-start";
}

struct plan {
	struct guest *guest;
	cJSON *changes;
};

static void add_value(cJSON *object, const char *name, const char *value)
{
	if (value)
		cJSON_AddStringToObject(object, name, value);
	else
		cJSON_AddNullToObject(object, name);
}

static void add_change(void *argument, const char *path, const char *from, const char *to)
{
	const struct plan *p = argument;
	cJSON *one = cJSON_CreateObject();

	cJSON_AddStringToObject(one, "what", path);
	add_value(one, "from", from);
	add_value(one, "to", to);
	cJSON_AddStringToObject(one, "takes", takes(p->guest, path));
	cJSON_AddItemToArray(p->changes, one);
}

/* NULL without memory. */
static cJSON *make_plan(struct guest *g, const struct config *c)
{
	const struct config *now = g->active ? g->active : g->defined;
	char *from = g->state == GUEST_RUNNING ? devices_text(g) : domain_write(now->d);
	char *to = domain_write(c->d);
	struct plan p = { g, cJSON_CreateArray() };
	int ret = from && to ? config_compare(from, to, add_change, &p) : -ENOMEM;

	free(from);
	free(to);
	if (!ret)
		return p.changes;
	cJSON_Delete(p.changes);
	return NULL;
}

/* The guest that a description is of; NULL: there is none. */
static struct guest *guest_of(struct lodged *l, struct config *c)
{
	struct guest *g = guest_by_name(l, c->d->name);

	if (!c->d->uuid_made)
		return g ? g : guest_by_uuid(l, c->d->uuid);
	if (g)
		memcpy(c->d->uuid, g->uuid, sizeof(g->uuid));
	return g;
}

static cJSON *plan_of_new(const struct config *c)
{
	cJSON *changes = cJSON_CreateArray(), *one = cJSON_CreateObject();

	cJSON_AddItemToArray(changes, one);
	cJSON_AddStringToObject(one, "what", "guest");
	cJSON_AddNullToObject(one, "from");
	cJSON_AddStringToObject(one, "to", c->d->name);
	cJSON_AddStringToObject(one, "takes", "next-start");
	return changes;
}

static void answer(struct request *r, cJSON *changes)
{
	cJSON *result = cJSON_CreateObject();

	cJSON_AddItemToObject(result, "changes", changes);
	request_ok(r, result);
}

void verb_plan(struct lodged *l, struct request *r)
{
	struct config *c = request_config(r, false);
	struct guest *g;
	cJSON *changes;

	if (!c)
		return;
	g = guest_of(l, c);
	changes = g ? make_plan(g, c) : plan_of_new(c);
	config_put(c);
	if (changes)
		answer(r, changes);
	else
		request_fail(r, RPC_NO_MEMORY, "no memory");
}

/* --- apply --- */

static const char *text_of(const cJSON *change, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(change, name));

	return text ? text : "";
}

static bool has_change(const cJSON *changes, const char *path)
{
	const cJSON *change;

	cJSON_ArrayForEach(change, changes)
	{
		if (is_below(text_of(change, "what"), path))
			return true;
	}
	return false;
}

static int apply_pins(struct guest *g, const struct domain_description *d, struct err *err)
{
	struct cpu_set all = { .word = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX } };
	int ret = guest_pin(g, LODGE_VCPU_ALL, cpu_set_is_empty(&d->affinity) ? &all : &d->affinity,
			    err);

	for (size_t i = 0; !ret && i < d->nr_pins; i++) {
		if (d->pins[i].vcpu < g->active->d->nr_vcpus)
			ret = guest_pin(g, d->pins[i].vcpu, &d->pins[i].cpus, err);
	}
	return ret;
}

/* Numbers, in the order in which they may depend on each other. */
static int apply_numbers(struct guest *g, const struct domain_description *d, const cJSON *changes,
			 struct err *err)
{
	struct domain_description *now = g->active->d;
	int ret = 0;

	now->on_poweroff = d->on_poweroff;
	now->on_reboot = d->on_reboot;
	now->on_crash = d->on_crash;
	now->memory_guaranteed = MIN(d->memory_guaranteed, now->memory);
	if (has_change(changes, "currentMemory"))
		ret = guest_set_memory(g, MIN(d->memory_current, now->memory) >> 10, err);
	if (!ret && has_change(changes, "vcpu/current"))
		ret = guest_set_vcpus(g, MIN(d->nr_vcpus_current, now->nr_vcpus), err);
	if (!ret && (has_change(changes, "cputune/shares") || d->cap_percent != now->cap_percent))
		ret = guest_set_scheduling(g, d->weight, d->cap_percent, err);
	if (!ret && (has_change(changes, "cputune/vcpupin") || has_change(changes, "vcpu/cpuset")))
		ret = apply_pins(g, d, err);
	return ret;
}

/* What people read. */
static int apply_texts(struct domain_description *now, const struct domain_description *d,
		       struct err *err)
{
	char *title = d->title ? strdup(d->title) : NULL;
	char *description = d->description ? strdup(d->description) : NULL;

	if ((d->title && !title) || (d->description && !description)) {
		free(title);
		free(description);
		return err_set(err, -ENOMEM, "no memory");
	}
	free(now->title);
	free(now->description);
	now->title = title;
	now->description = description;
	return 0;
}

/* "devices/disk[xvda]": its class and, in ret_key, "xvda". NULL: no class of ours. */
static const struct device_class *class_of(const char *path, char ret_key[64])
{
	const char *name = strchr(path, '/') ? strchr(path, '/') + 1 : path;
	const char *key = strchr(name, '[');

	for (size_t i = 0; key && i < nr_device_classes; i++) {
		size_t length = strlen(device_classes[i]->name);

		if ((size_t)(key - name) != length ||
		    strncmp(name, device_classes[i]->name, length) != 0)
			continue;
		snprintf(ret_key, 64, "%.*s", (int)strcspn(key + 1, "]"), key + 1);
		return device_classes[i];
	}
	return NULL;
}

static int attach(struct guest *g, const struct device_class *class, const char *xml,
		  const char *key, struct err *err)
{
	char *element = config_device(xml, class->name, key);
	char *whole = element ? config_around_device("x", element) : NULL;
	struct config *extra = whole ? config_parse(whole, g->lodged->host) : NULL;
	int ret = extra ? device_attach(g, class, extra, err)
			: err_set(err, -ENOMEM, "%s %s: no memory", class->name, key);

	config_put(extra);
	free(whole);
	free(element);
	return ret;
}

/* An apply that is going on: what it has done is told when all devices that go have gone. */
struct apply {
	struct request *request;
	cJSON *changes;
	size_t nr_pending; /* devices on their way out, and one for who starts them */
	int ret;           /* the first that stays, or what went wrong before */
	struct err err;
	cJSON *details; /* each that stays; NULL: none */
};

static void apply_put(struct apply *a)
{
	struct request *r = a->request;

	if (--a->nr_pending)
		return;
	if (!a->ret) {
		answer(r, a->changes);
	} else {
		cJSON_Delete(a->changes);
		request_fail_details(r, rpc_code_of_errno(a->ret), a->err.text, a->details);
	}
	free(a);
}

static void detached(void *argument, int ret, const struct err *err)
{
	struct apply *a = argument;

	if (ret && !a->ret) {
		a->ret = ret;
		a->details = cJSON_CreateArray();
		err_set(&a->err, ret,
			"not all devices could be detached; everything else has been done");
	}
	if (ret && a->details)
		cJSON_AddItemToArray(a->details, cJSON_CreateString(err->text));
	apply_put(a);
}

static int apply_devices(struct guest *g, const struct config *c, struct apply *a, struct err *err)
{
	char *xml = domain_write(c->d), key[64];
	const cJSON *change;
	int ret = xml ? 0 : err_set(err, -ENOMEM, "no memory");

	cJSON_ArrayForEach(change, a->changes)
	{
		const char *path = text_of(change, "what");
		const struct device_class *class = is_device(path) ? class_of(path, key) : NULL;
		bool is_new = cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(change, "from"));
		struct device *d = class ? device_find(g, class, key) : NULL;

		if (ret || !class)
			continue;
		if (is_new) {
			ret = attach(g, class, xml, key, err);
		} else if (d) {
			a->nr_pending++;
			device_detach(d, DETACH_MS, detached, a);
		}
	}
	free(xml);
	return ret;
}

static int check_possible(const struct guest *g, const cJSON *changes, struct err *err)
{
	const cJSON *change;

	cJSON_ArrayForEach(change, changes)
	{
		if (!strcmp(text_of(change, "takes"), "not-possible"))
			return err_set(err, -EINVAL, "the %s cannot change from \"%s\" to \"%s\"",
				       text_of(change, "what"), text_of(change, "from"),
				       text_of(change, "to"));
	}
	if (g->state != GUEST_RUNNING && !g->defined)
		return err_set(err, -ESTALE, "\"%s\" is %s", g->name, guest_state_name(g));
	return 0;
}

/* The definition first: what takes effect now is part of it. */
static int apply(struct guest *g, struct config *c, struct apply *a, struct err *err)
{
	int ret = check_possible(g, a->changes, err);

	if (!ret && g->defined)
		ret = guest_define(g, c, err);
	if (ret || g->state != GUEST_RUNNING)
		return ret;
	ret = guest_own_active(g, err);
	if (!ret)
		ret = apply_texts(g->active->d, c->d, err);
	if (!ret)
		ret = apply_numbers(g, c->d, a->changes, err);
	if (!ret)
		ret = apply_devices(g, c, a, err);
	return ret ? ret : record_save(g, err);
}

/* Of a guest that is new, a definition is made. */
static int apply_new(struct lodged *l, struct config *c, struct err *err)
{
	struct guest *g;
	int ret = guest_create(l, c->d->name, c->d->uuid, &g, err);

	if (ret)
		return ret;
	ret = guest_define(g, c, err);
	if (ret)
		guest_forget(g);
	return ret;
}

void verb_apply(struct lodged *l, struct request *r)
{
	struct config *c = request_config(r, false);
	struct guest *g = c ? guest_of(l, c) : NULL;
	struct apply *a;
	struct err err;
	int ret;

	if (!c)
		return;
	a = calloc(1, sizeof(*a));
	if (a)
		a->changes = g ? make_plan(g, c) : plan_of_new(c);
	if (!a || !a->changes) {
		free(a);
		config_put(c);
		request_fail(r, RPC_NO_MEMORY, "no memory");
		return;
	}
	a->request = r;
	a->nr_pending = 1;
	ret = g ? apply(g, c, a, &err) : apply_new(l, c, &err);
	if (ret) { /* else a device may have failed to go already */
		a->ret = ret;
		a->err = err;
	}
	config_put(c);
	apply_put(a);
}
