/* Verbs that tell about guests and change nothing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/device.h"
#include "daemon/guest-json.h"
#include "daemon/guest.h"
#include "daemon/hypervisor.h"
#include "daemon/verbs.h"
#include "daemon/why.h"

#define LINES_MAX     10000u
#define LINES_DEFAULT 100u
#define LIST_BYTES    (RPC_LINE_MAX / 2) /* of guests in one answer; the rest is asked for */

static int compare_domains(const void *a, const void *b)
{
	const struct lodge_domain_info *x = a, *y = b;

	return (x->domain > y->domain) - (x->domain < y->domain);
}

/* They are in the order of their numbers. */
static const struct lodge_domain_info *find_info(const struct lodge_domain_info *infos, size_t nr,
						 uint32_t domain)
{
	const struct lodge_domain_info key = { .domain = domain };

	return nr ? bsearch(&key, infos, nr, sizeof(key), compare_domains) : NULL;
}

/* Adds it as the text that is sent, whose length is returned. */
static size_t add_text_of(cJSON *array, cJSON *object)
{
	char *text = cJSON_PrintUnformatted(object);
	size_t bytes = text ? strlen(text) : 0;

	if (text)
		cJSON_AddItemToArray(array, cJSON_CreateRaw(text));
	cJSON_free(text);
	cJSON_Delete(object);
	return bytes;
}

/* Those behind a name, as many as fit into an answer: false, and not all. */
static bool add_guests(cJSON *array, struct lodged *l, const char *after, bool is_all,
		       const struct lodge_domain_info *infos, size_t nr)
{
	struct guest *g;
	size_t bytes = 0;

	list_for_each_entry(g, &l->guests, node) {
		bool is_meant = is_all || g->state != GUEST_OFF || g->is_restarting;

		if (!is_meant || (after && strcmp(g->name, after) <= 0))
			continue;
		if (bytes > LIST_BYTES)
			return false;
		bytes += add_text_of(array, guest_record(g, find_info(infos, nr, g->domain)));
	}
	return true;
}

void verb_list(struct lodged *l, struct request *r)
{
	cJSON *result = cJSON_CreateObject(), *guests = cJSON_AddArrayToObject(result, "guests");
	struct lodge_domain_info *infos = NULL;
	uint64_t change;
	size_t nr = 0;

	if (hypervisor_list(l->hv, 0, &infos, &nr, &change))
		request_warn(r, "the hypervisor does not answer");
	if (!add_guests(guests, l, request_text(r, "after"), request_flag(r, "all"), infos, nr))
		cJSON_AddTrueToObject(result, "more");
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
	bool is_inactive = request_flag(r, "inactive");
	const struct config *c;
	cJSON *result;
	char *text;

	(void)l;
	if (!g)
		return;
	if (is_inactive && !g->defined) {
		request_fail(r, RPC_STATE, "\"%s\" has no definition", g->name);
		return;
	}
	c = g->active && !is_inactive ? g->active : g->defined;
	if (g->state == GUEST_RUNNING && !is_inactive)
		text = devices_text(g);
	else
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
