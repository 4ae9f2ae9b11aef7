/* What happens to guests, told to whoever listens. */
#ifndef LODGE_DAEMON_EVENTS_H
#define LODGE_DAEMON_EVENTS_H

#include <cjson/cJSON.h>

#include "lib/list.h"
#include "lib/util.h"

struct guest;

struct events {
	struct list listeners;
};

/* Memory of the caller's. */
struct events_listener {
	struct list_node node;
	/* The event is the caller's; it may not be kept. May remove this listener, and no other. */
	void (*heard)(struct events_listener *l, const cJSON *event);
};

void events_init(struct events *e);
void events_listen(struct events *e, struct events_listener *l);
void events_unlisten(struct events_listener *l); /* fine when it does not listen */

/* "started", "stopped", …; why may be NULL and stays the caller's. */
void events_tell(struct events *e, const struct guest *g, const char *event, const cJSON *why);

/* "2026-11-21T03:00:00Z" */
#define TIME_TEXT_BYTES 24
void time_text(int64_t seconds, char ret_text[TIME_TEXT_BYTES]);

#endif
