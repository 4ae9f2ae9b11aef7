/* All devices of a guest together: see device.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/device-life.h"
#include "daemon/device.h"
#include "daemon/guest.h"

#define STATE_WAITING 2u

int devices_prepare(struct guest *g, struct err *err)
{
	struct device *d;

	for (size_t c = 0; c < nr_device_classes; c++) {
		const struct device_class *class = device_classes[c];

		for (size_t i = 0; i < class->count(g->active->d); i++) {
			int ret = device_prepare(g, class, class->config(g->active->d, i), &d, err);

			if (ret) {
				devices_end(g, NULL, NULL);
				return ret;
			}
		}
	}
	return 0;
}

int devices_plug(struct guest *g, struct batch *b, struct err *err)
{
	struct device *d;
	int ret = 0;

	list_for_each_entry(d, &g->devices, node) {
		if (!ret)
			ret = device_plug(d, b, err);
	}
	return ret;
}

int devices_start(struct guest *g, struct err *err)
{
	struct device *d;
	int ret = 0;

	list_for_each_entry(d, &g->devices, node) {
		if (!ret)
			ret = device_start(d, err);
	}
	return ret;
}

bool devices_are_ready(const struct guest *g)
{
	const struct device *d;

	list_for_each_entry(d, &g->devices, node) {
		if (d->backend_state < STATE_WAITING)
			return false;
	}
	return true;
}

struct ending {
	size_t nr; /* backends that are still there, and one for who counts */
	void (*done)(void *argument);
	void *argument;
};

static void ending_put(void *argument)
{
	struct ending *e = argument;

	if (--e->nr)
		return;
	if (e->done)
		e->done(e->argument);
	free(e);
}

void devices_end(struct guest *g, void (*done)(void *argument), void *argument)
{
	struct ending *e = malloc(sizeof(*e));
	struct device *d;

	if (e)
		*e = (struct ending){ 1, done, argument };
	list_for_each_entry_safe(d, &g->devices, node) {
		if (e)
			e->nr++;
		device_end(d, e ? ending_put : NULL, e);
	}
	if (e)
		ending_put(e);
	else if (done)
		done(argument);
}

void devices_remove_nodes(const struct guest *g, struct batch *b)
{
	static const char *const kinds[] = { "vbd", "vif", "lodge-block", "lodge-net" };
	char name[32];

	snprintf(name, sizeof(name), "%" PRIu32, g->domain);
	for (size_t i = 0; g->active && i < ARRAY_SIZE(kinds); i++) {
		batch_at(b, "/local/domain/0/backend/%s", kinds[i]);
		batch_remove(b, name);
	}
}

void devices_forget(struct guest *g)
{
	struct device *d;

	list_for_each_entry_safe(d, &g->devices, node) {
		device_forget(d);
	}
}

/* --- records --- */

static cJSON *save_one(const struct device *d)
{
	cJSON *object = cJSON_CreateObject();
	char *xml = d->extra ? domain_write(d->extra->d) : NULL;

	cJSON_AddStringToObject(object, "label", d->label);
	if (d->process) {
		cJSON_AddNumberToObject(object, "pid", child_pid(d->process));
		cJSON_AddNumberToObject(object, "pid_time", (double)child_start_time(d->process));
	}
	if (xml)
		cJSON_AddStringToObject(object, "xml", xml);
	free(xml);
	if (d->class->save)
		d->class->save(d, object);
	return object;
}

void devices_save(const struct guest *g, cJSON *object)
{
	const struct device *d;

	list_for_each_entry(d, &g->devices, node) {
		cJSON *list = cJSON_GetObjectItemCaseSensitive(object, d->class->list_name);

		if (!list)
			list = cJSON_AddArrayToObject(object, d->class->list_name);
		cJSON_AddItemToArray(list, save_one(d));
	}
}

/* The description's entry of that name; else what the record has of a device that was plugged in later. */
static const void *find_config(const struct guest *g, const struct device_class *class,
			       const char *label, const cJSON *saved, struct config **ret_extra)
{
	const char *xml = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(saved, "xml"));
	const void *found = NULL;

	*ret_extra = NULL;
	if (xml) {
		*ret_extra = config_parse(xml, g->lodged->host);
		return *ret_extra && class->count((*ret_extra)->d)
			       ? class->config((*ret_extra)->d, 0)
			       : NULL;
	}
	for (size_t i = 0; !found && i < class->count(g->active->d); i++) {
		const void *config = class->config(g->active->d, i);
		char *name = class->label(config);

		if (name && !strcmp(name, label))
			found = config;
		free(name);
	}
	return found;
}

static void adopt_one(struct guest *g, const struct device_class *class, const cJSON *saved)
{
	const char *label = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(saved, "label"));
	struct config *extra = NULL;
	const void *config = label ? find_config(g, class, label, saved, &extra) : NULL;

	if (config && device_adopt(g, class, config, extra, saved))
		return;
	config_put(extra);
	log_line("%s: %s %s: not adopted", g->name, class->name, label ? label : "");
}

void devices_adopt(struct guest *g, const cJSON *object)
{
	const cJSON *saved;

	for (size_t c = 0; c < nr_device_classes; c++) {
		cJSON_ArrayForEach(saved, cJSON_GetObjectItemCaseSensitive(
						  object, device_classes[c]->list_name))
		{
			adopt_one(g, device_classes[c], saved);
		}
	}
}

/* --- what people see --- */

void devices_status(struct guest *g, cJSON *object)
{
	struct device *d;

	for (size_t c = 0; c < nr_device_classes; c++)
		cJSON_AddArrayToObject(object, device_classes[c]->list_name);
	list_for_each_entry(d, &g->devices, node) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(object, d->class->list_name),
				     one);
		cJSON_AddStringToObject(one, "backend", d->backend_kind);
		cJSON_AddStringToObject(one, "state", device_state_name(d->backend_state));
		cJSON_AddStringToObject(one, "error", device_error(d));
		d->class->status(d, one);
	}
}
