/* Verbs about the network interfaces of guests that run. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/report.h"
#include "daemon/guest.h"
#include "daemon/nic.h"
#include "daemon/verbs.h"

#define DETACH_MS 30000u

/* An <interface> in as much of a domain as the reader wants. A card without a MAC address gets one of the
 * domain's name, which is another for each; the element is on the first line, for the sake of messages. */
static char *wrap(const struct guest *g, const char *element)
{
	static unsigned int nr;
	char uuid[37], *text;

	guest_uuid_text(g->uuid, uuid);
	if (asprintf(
		    &text,
		    "<domain type=\"xen\"><name>%s-%ld-%u</name><memory unit=\"MiB\">64</memory>"
		    "<os><type>xenpvh</type><kernel>/none</kernel></os><devices>%s</devices></domain>",
		    uuid, (long)g->started, nr++, element) < 0)
		return NULL;
	return text;
}

/* The request's XML: one interface. NULL: it is not, and the request is answered. */
static struct config *request_interface(struct request *r, const struct guest *g)
{
	const char *element = request_need(r, "xml");
	char *text = element ? wrap(g, element) : NULL;
	struct config *c = NULL;

	if (!element)
		return NULL;
	if (text &&
	    cJSON_ReplaceItemInObjectCaseSensitive(r->message, "xml", cJSON_CreateString(text)))
		c = request_config(r, false);
	else
		request_fail(r, RPC_NO_MEMORY, "no memory");
	free(text);
	if (c && (c->d->nr_interfaces != 1 || c->d->nr_disks)) {
		request_fail(r, RPC_INVALID, "the XML is not one <interface> element");
		config_put(c);
		return NULL;
	}
	return c;
}

static bool is_running(const struct guest *g, struct request *r)
{
	if (g->state == GUEST_RUNNING)
		return true;
	request_fail(r, RPC_STATE, "\"%s\" is %s", g->name, guest_state_name(g));
	return false;
}

void verb_nic_attach(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	struct config *c;
	cJSON *result;
	char *mac;
	struct err err;
	int ret;

	(void)l;
	if (!g || !is_running(g, r))
		return;
	c = request_interface(r, g);
	if (!c)
		return;
	ret = device_attach(g, &nic_class, c, &err);
	mac = nic_class.label(c->d->interfaces);
	config_put(c);
	if (ret) {
		request_error(r, ret, &err);
	} else {
		result = cJSON_CreateObject();
		cJSON_AddStringToObject(result, "mac", mac ? mac : "");
		guest_changed(g, "device-attached");
		request_ok(r, result);
	}
	free(mac);
}

/* By its MAC address, or the name of its device. NULL: the request is answered. */
static struct device *request_nic(struct request *r, const struct guest *g)
{
	const char *mac = request_text(r, "mac"), *target = request_text(r, "target");
	struct device *d;

	list_for_each_entry(d, &g->devices, node) {
		if (d->class != &nic_class)
			continue;
		if ((mac && !strcasecmp(d->label, mac)) ||
		    (target && !strcmp(nic_target(d), target)))
			return d;
	}
	if (mac || target)
		request_fail(r, RPC_NOT_FOUND, "\"%s\" has no interface %s", g->name,
			     mac ? mac : target);
	else
		request_fail(r, RPC_USAGE, "\"mac\" or \"target\" has to be given");
	return NULL;
}

static void detached(void *argument, int ret, const struct err *err)
{
	struct request *r = argument;

	if (ret)
		request_error(r, ret, err);
	else
		request_ok(r, NULL);
}

void verb_nic_detach(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	struct device *d;

	(void)l;
	if (!g || !is_running(g, r))
		return;
	d = request_nic(r, g);
	if (d)
		device_detach(d, DETACH_MS, detached, r);
}

void verb_nic_list(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	cJSON *all, *result;

	(void)l;
	if (!g)
		return;
	all = cJSON_CreateObject();
	result = cJSON_CreateObject();
	devices_status(g, all);
	cJSON_AddItemToObject(result, nic_class.list_name,
			      cJSON_DetachItemFromObjectCaseSensitive(all, nic_class.list_name));
	cJSON_Delete(all);
	request_ok(r, result);
}

/* The backend lets nothing through, and takes the carrier from its device. */
void verb_nic_link(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	const char *state = g ? request_need(r, "state") : NULL;
	struct device *d;
	struct batch b;
	struct err err;
	int ret;

	if (!state || !is_running(g, r))
		return;
	if (strcmp(state, "up") != 0 && strcmp(state, "down") != 0) {
		request_fail(r, RPC_INVALID, "\"%s\" is neither \"up\" nor \"down\"", state);
		return;
	}
	d = request_nic(r, g);
	if (!d)
		return;
	if (!d->process) {
		request_fail(r, RPC_FAILED, "the kernel's backend cannot take the link down");
		return;
	}
	batch_init(&b);
	batch_at(&b, "%s", d->backend_path);
	batch_write(&b, "link", "%s", state);
	ret = nodes_run(l->nodes, &b, false, &err);
	batch_fini(&b);
	if (ret)
		request_error(r, ret, &err);
	else
		request_ok(r, NULL);
}
