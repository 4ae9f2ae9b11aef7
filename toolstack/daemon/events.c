/* See events.h. */
#include "daemon/events.h"

#include <time.h>

#include "daemon/guest.h"

void events_init(struct events *e)
{
	list_init(&e->listeners);
}

void events_listen(struct events *e, struct events_listener *l)
{
	list_push_back(&e->listeners, &l->node);
}

void events_unlisten(struct events_listener *l)
{
	if (list_node_is_linked(&l->node))
		list_remove(&l->node);
}

void time_text(int64_t seconds, char ret_text[TIME_TEXT_BYTES])
{
	time_t t = seconds;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(ret_text, TIME_TEXT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static cJSON *make_event(const struct guest *g, const char *event, const cJSON *why)
{
	char now[TIME_TEXT_BYTES], uuid[37];
	cJSON *object = cJSON_CreateObject();

	time_text(time(NULL), now);
	guest_uuid_text(g->uuid, uuid);
	cJSON_AddStringToObject(object, "time", now);
	cJSON_AddStringToObject(object, "guest", g->name);
	cJSON_AddStringToObject(object, "uuid", uuid);
	if (g->domain != NO_DOMAIN)
		cJSON_AddNumberToObject(object, "id", g->domain);
	else
		cJSON_AddNullToObject(object, "id");
	cJSON_AddStringToObject(object, "event", event);
	if (why)
		cJSON_AddItemToObject(object, "why", cJSON_Duplicate(why, true));
	return object;
}

void events_tell(struct events *e, const struct guest *g, const char *event, const cJSON *why)
{
	struct events_listener *l;
	cJSON *object;

	if (list_is_empty(&e->listeners))
		return;
	object = make_event(g, event, why);
	list_for_each_entry_safe(l, &e->listeners, node) {
		l->heard(l, object);
	}
	cJSON_Delete(object);
}
