/* Verbs about the network interfaces of guests that run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/guest.h"
#include "daemon/nic.h"
#include "daemon/verb-device.h"
#include "daemon/verbs.h"

#define DETACH_MS 30000u

/* A card without a MAC address gets one of the domain's name, which is another for each. */
static struct config *request_interface(struct request *r, const struct guest *g)
{
	static unsigned int nr;
	char uuid[37], name[96];

	guest_uuid_text(g->uuid, uuid);
	snprintf(name, sizeof(name), "%s-%ld-%u", uuid, (long)g->started, nr++);
	return request_device_xml(r, &nic_class, name);
}

void verb_nic_attach(struct lodged *l, struct request *r)
{
	struct guest *g = request_running_guest(r);
	struct config *c = g ? request_interface(r, g) : NULL;
	cJSON *result;
	char *mac;
	struct err err;
	int ret;

	(void)l;
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

void verb_nic_detach(struct lodged *l, struct request *r)
{
	struct guest *g = request_running_guest(r);
	struct device *d = g ? request_nic(r, g) : NULL;

	(void)l;
	if (d)
		device_detach(d, DETACH_MS, request_answer, r);
}

void verb_nic_list(struct lodged *l, struct request *r)
{
	(void)l;
	request_list(r, &nic_class);
}

/* The backend lets nothing through, and takes the carrier from its device. */
void verb_nic_link(struct lodged *l, struct request *r)
{
	struct guest *g = request_running_guest(r);
	const char *state = g ? request_need(r, "state") : NULL;
	struct device *d;
	struct batch b;
	struct err err;
	int ret;

	if (!state)
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
