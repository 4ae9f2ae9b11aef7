/* Verbs that tell about guests and change nothing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/guest-json.h"
#include "daemon/guest.h"
#include "daemon/hypervisor.h"
#include "daemon/verbs.h"
#include "daemon/why.h"

#define LINES_MAX     10000u
#define LINES_DEFAULT 100u

static const struct lodge_domain_info *find_info(const struct lodge_domain_info *infos, size_t nr,
						 uint32_t domain)
{
	for (size_t i = 0; i < nr; i++) {
		if (infos[i].domain == domain)
			return &infos[i];
	}
	return NULL;
}

void verb_list(struct lodged *l, struct request *r)
{
	cJSON *result = cJSON_CreateObject(), *guests = cJSON_AddArrayToObject(result, "guests");
	bool is_all = request_flag(r, "all");
	struct lodge_domain_info *infos = NULL;
	struct guest *g;
	uint64_t change;
	size_t nr = 0;

	if (hypervisor_list(l->hv, 0, &infos, &nr, &change))
		request_warn(r, "the hypervisor does not answer");
	list_for_each_entry(g, &l->guests, node) {
		if (is_all || g->state != GUEST_OFF || g->is_restarting)
			cJSON_AddItemToArray(guests,
					     guest_record(g, find_info(infos, nr, g->domain)));
	}
	free(infos);
	request_ok(r, result);
}

void verb_info(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);

	(void)l;
	if (g)
		request_ok(r, guest_full_record(g));
}

void verb_vcpu_list(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	cJSON *result;

	(void)l;
	if (!g)
		return;
	result = cJSON_CreateObject();
	cJSON_AddItemToObject(result, "vcpus", guest_vcpus(g));
	request_ok(r, result);
}

void verb_dumpxml(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	const struct config *c;
	cJSON *result;
	char *text;

	(void)l;
	if (!g)
		return;
	if (request_flag(r, "inactive") && !g->defined) {
		request_fail(r, RPC_STATE, "\"%s\" has no definition", g->name);
		return;
	}
	c = g->active && !request_flag(r, "inactive") ? g->active : g->defined;
	text = c ? domain_write(c->d) : NULL;
	if (!text) {
		request_fail(r, RPC_NO_MEMORY, "no memory");
		return;
	}
	result = cJSON_CreateObject();
	cJSON_AddStringToObject(result, "xml", text);
	free(text);
	request_ok(r, result);
}

void verb_validate(struct lodged *l, struct request *r)
{
	struct config *c = request_config(r, false);
	cJSON *result;

	(void)l;
	if (!c)
		return;
	config_put(c);
	result = cJSON_CreateObject();
	if (r->warnings)
		cJSON_AddItemToObject(result, "warnings", cJSON_Duplicate(r->warnings, true));
	else
		cJSON_AddArrayToObject(result, "warnings");
	request_ok(r, result);
}

/* Also of a guest that is forgotten. */
void verb_why(struct lodged *l, struct request *r)
{
	const char *name = request_text(r, "guest");
	const cJSON *why = name && !guest_find(l, name) ? why_remembered(l, name) : NULL;
	const struct guest *g = why ? NULL : request_guest(r);

	if (!why && !g)
		return;
	if (!why && !g->why)
		request_fail(r, RPC_STATE, "\"%s\" has not ended yet", g->name);
	else
		request_ok(r, cJSON_Duplicate(why ? why : g->why, true));
}

void verb_log(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	uint64_t nr;
	cJSON *result;
	char *path;

	(void)l;
	if (!g || !request_number(r, "lines", LINES_DEFAULT, LINES_MAX, &nr))
		return;
	path = guest_console_log(g);
	if (!path) {
		request_fail(r, RPC_NO_MEMORY, "no memory");
		return;
	}
	result = cJSON_CreateObject();
	cJSON_AddStringToObject(result, "path", path);
	cJSON_AddItemToObject(result, "lines", last_lines(path, nr));
	free(path);
	request_ok(r, result);
}

void verb_console(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	char path[256];
	cJSON *result;

	if (!g)
		return;
	if (g->domain == NO_DOMAIN) {
		request_fail(r, RPC_STATE, "\"%s\" is not running", g->name);
		return;
	}
	snprintf(path, sizeof(path), "%s/console", l->options.run_dir);
	result = cJSON_CreateObject();
	cJSON_AddStringToObject(result, "socket", path);
	cJSON_AddNumberToObject(result, "domain", g->domain);
	request_ok(r, result);
}
