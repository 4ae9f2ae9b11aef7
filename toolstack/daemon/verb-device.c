/* See verb-device.h. */
#include "daemon/verb-device.h"

#include <stdlib.h>

#include "daemon/config-xml.h"
#include "daemon/guest-run.h"
#include "daemon/guest.h"
#include "daemon/verbs.h"

struct guest *request_running_guest(struct request *r)
{
	struct guest *g = request_guest(r);
	struct err err;
	int ret = g ? guest_check_running(g, &err) : 0;

	if (!ret)
		return g;
	request_error(r, ret, &err);
	return NULL;
}

/* Not even one of another class. */
static bool is_one(const struct domain_description *d, const struct device_class *class)
{
	for (size_t i = 0; i < nr_device_classes; i++) {
		if (device_classes[i]->count(d) != (device_classes[i] == class))
			return false;
	}
	return true;
}

struct config *request_device_xml(struct request *r, const struct device_class *class,
				  const char *name)
{
	const char *element = request_need(r, "xml");
	char *whole = element ? config_around_device(name, element) : NULL;
	struct config *c = NULL;

	if (whole)
		c = request_config_text(r, whole, false);
	else if (element)
		request_fail(r, RPC_NO_MEMORY, "no memory");
	free(whole);
	if (!c || is_one(c->d, class))
		return c;
	request_fail(r, RPC_INVALID, "the XML is not one <%s> element", class->name);
	config_put(c);
	return NULL;
}

void request_answer(void *request, int ret, const struct err *err)
{
	struct request *r = request;

	if (ret)
		request_error(r, ret, err);
	else
		request_ok(r, NULL);
}

void request_list(struct request *r, const struct device_class *class)
{
	struct guest *g = request_guest(r);
	cJSON *all, *result;

	if (!g)
		return;
	all = cJSON_CreateObject();
	result = cJSON_CreateObject();
	devices_status(g, all);
	cJSON_AddItemToObject(result, class->list_name,
			      cJSON_DetachItemFromObjectCaseSensitive(all, class->list_name));
	cJSON_Delete(all);
	request_ok(r, result);
}
