/* Guests as objects: names, definitions, who waits. See guest.h. */
#include "daemon/guest.h"

#include <errno.h>
#include <libxml/xmlstring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "daemon/console-sync.h"
#include "daemon/device.h"
#include "daemon/record.h"
#include "daemon/why.h"

#define NAME_MAX_BYTES 128u

void guest_uuid_text(const uint8_t uuid[16], char ret_text[37])
{
	uuid_unparse_lower(uuid, ret_text);
}

static int compare_name(const void *key, const void *item)
{
	const struct guest *g = item;

	return strcmp(key, g->name);
}

static int compare_uuid(const void *key, const void *item)
{
	const struct guest *g = item;

	return memcmp(key, g->uuid, sizeof(g->uuid));
}

static int compare_domain(const void *key, const void *item)
{
	const struct guest *g = item;
	uint32_t domain = *(const uint32_t *)key;

	return (domain > g->domain) - (domain < g->domain);
}

void guests_init(struct lodged *l)
{
	list_init(&l->guests);
	l->by_name = (struct index){ .compare = compare_name };
	l->by_uuid = (struct index){ .compare = compare_uuid };
	l->by_domain = (struct index){ .compare = compare_domain };
}

struct guest *guest_by_name(struct lodged *l, const char *name)
{
	return index_find(&l->by_name, name);
}

struct guest *guest_by_uuid(struct lodged *l, const uint8_t uuid[16])
{
	return index_find(&l->by_uuid, uuid);
}

struct guest *guest_by_domain(struct lodged *l, uint32_t domain)
{
	return index_find(&l->by_domain, &domain);
}

void guest_set_domain(struct guest *g, uint32_t domain)
{
	struct index *x = &g->lodged->by_domain;

	if (g->domain != NO_DOMAIN)
		index_remove(x, &g->domain, g);
	g->domain = domain;
	if (domain != NO_DOMAIN)
		index_add(x, &domain, g); /* a guest that is made reserves the room */
}

static bool is_number(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0';
}

struct guest *guest_find(struct lodged *l, const char *name)
{
	struct guest *g = guest_by_name(l, name);
	uuid_t uuid;

	if (!g && is_number(name) && strlen(name) <= 9)
		g = guest_by_domain(l, (uint32_t)strtoul(name, NULL, 10));
	if (!g && !uuid_parse(name, uuid))
		g = guest_by_uuid(l, uuid);
	return g;
}

/* Also those beyond ASCII, U+0080 to U+009F; the name is UTF-8. */
static bool has_controls(const char *name)
{
	for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
		if (*c < ' ' || *c == 0x7f || (c[0] == 0xc2 && c[1] < 0xa0))
			return true;
	}
	return false;
}

int guest_check_name(const char *name, struct err *err)
{
	uuid_t uuid;

	if (!*name)
		return err_set(err, -EINVAL, "a guest's name may not be empty");
	if (strlen(name) > NAME_MAX_BYTES)
		return err_set(err, -EINVAL, "a guest's name has at most %u bytes", NAME_MAX_BYTES);
	if (strpbrk(name, "/ ") || name[0] == '.')
		return err_set(
			err, -EINVAL,
			"a guest's name has no white space, no \"/\", and no \".\" in front");
	if (!xmlCheckUTF8((const unsigned char *)name))
		return err_set(err, -EINVAL, "a guest's name is UTF-8");
	if (has_controls(name))
		return err_set(err, -EINVAL, "a guest's name has no control characters");
	if (is_number(name))
		return err_set(err, -EINVAL, "\"%s\" would be taken for a domain's id", name);
	if (!uuid_parse(name, uuid))
		return err_set(err, -EINVAL, "\"%s\" would be taken for a uuid", name);
	return 0;
}

/* By its name, for which there is room. */
static void insert(struct lodged *l, struct guest *g)
{
	struct guest *next = index_after(&l->by_name, g->name);

	if (next)
		list_insert_before(&next->node, &g->node);
	else
		list_push_back(&l->guests, &g->node);
	index_add(&l->by_name, g->name, g);
}

static void take_out(struct guest *g)
{
	index_remove(&g->lodged->by_name, g->name, g);
	list_remove(&g->node);
}

static int make_room(struct lodged *l)
{
	size_t nr = l->by_name.nr + 1;

	return index_reserve(&l->by_name, nr) || index_reserve(&l->by_uuid, nr) ||
			       index_reserve(&l->by_domain, nr)
		       ? -ENOMEM
		       : 0;
}

static void restart_now(struct loop_timer *t)
{
	struct guest *g = container_of(t, struct guest, restart);
	struct start_request request = {
		.config = g->active ? g->active : g->defined,
		.is_again = true,
	};
	char *name = strdup(g->name); /* a transient guest that cannot start is forgotten */
	struct err err;

	if (guest_start(g, &request, &err))
		log_line("%s: not started again: %s", name ? name : "?", err.text);
	free(name);
}

int guest_create(struct lodged *l, const char *name, const uint8_t uuid[16],
		 struct guest **ret_guest, struct err *err)
{
	struct guest *g;
	int ret = guest_check_name(name, err);

	if (ret)
		return ret;
	if (guest_by_name(l, name))
		return err_set(err, -EEXIST, "there is a guest called \"%s\" already", name);
	g = guest_by_uuid(l, uuid);
	if (g)
		return err_set(err, -EEXIST, "its uuid is that of the guest \"%s\"", g->name);
	g = make_room(l) ? NULL : calloc(1, sizeof(*g));
	if (g)
		g->name = strdup(name);
	if (!g || !g->name) {
		free(g);
		return err_set(err, -ENOMEM, "no memory");
	}
	g->lodged = l;
	g->domain = NO_DOMAIN;
	g->restart.fire = restart_now;
	memcpy(g->uuid, uuid, sizeof(g->uuid));
	list_init(&g->devices);
	list_init(&g->waiters);
	insert(l, g);
	index_add(&l->by_uuid, g->uuid, g);
	*ret_guest = g;
	return 0;
}

void guest_free(struct guest *g)
{
	struct list_node *n;

	loop_timer_stop(&g->restart);
	console_sync_cancel(g->sync);
	guest_set_domain(g, NO_DOMAIN);
	index_remove(&g->lodged->by_uuid, g->uuid, g);
	take_out(g);
	while ((n = list_pop_front(&g->waiters))) {
		struct guest_waiter *w = list_entry(n, struct guest_waiter, node);

		w->changed(w, NULL);
	}
	config_put(g->defined);
	config_put(g->active);
	cJSON_Delete(g->why);
	free(g->name);
	free(g);
}

void guest_forget(struct guest *g)
{
	why_remember(g->lodged, g);
	record_remove(g);
	guest_free(g);
}

/* Guests are in the order of their names. Takes over the new one; the one before is to be freed. */
static char *change_name(struct guest *g, char *name)
{
	char *before = g->name;

	take_out(g);
	g->name = name;
	insert(g->lodged, g);
	return before;
}

/* The definition with another name. NULL without memory. */
static struct config *rename_config(const struct config *defined, const char *name)
{
	struct config *c = config_copy(defined);
	char *copy = strdup(name);

	if (!c || !copy) {
		config_put(c);
		free(copy);
		return NULL;
	}
	free(c->d->name);
	c->d->name = copy;
	return c;
}

/* Definition (NULL: none) and record. On failure both are as before, as far as that can be. */
static int write_renamed(struct guest *g, struct config *c, struct err *err)
{
	struct config *before = config_get(g->defined);
	struct err ignored;
	int ret = c ? guest_define(g, c, err) : 0;

	if (!ret) {
		ret = record_save(g, err);
		if (ret && c)
			(void)!guest_define(g, before, &ignored);
	}
	config_put(before);
	return ret;
}

int guest_rename(struct guest *g, const char *name, struct err *err)
{
	struct config *c = NULL;
	char *other;
	int ret = guest_check_name(name, err);

	if (ret)
		return ret;
	if (guest_by_name(g->lodged, name))
		return err_set(err, -EEXIST, "there is a guest called \"%s\" already", name);
	other = strdup(name);
	if (g->defined)
		c = rename_config(g->defined, name);
	if (!other || (g->defined && !c)) {
		free(other);
		config_put(c);
		return err_set(err, -ENOMEM, "no memory");
	}
	other = change_name(g, other);
	ret = write_renamed(g, c, err);
	if (ret)
		other = change_name(g, other);
	free(other);
	config_put(c);
	return ret;
}

int guest_define(struct guest *g, struct config *c, struct err *err)
{
	struct config *before = g->defined;
	int ret = 0;

	g->defined = config_get(c);
	if (guest_has_domain(g) &&
	    g->active == before) /* its record has relied on the definition */
		ret = record_save(g, err);
	if (!ret)
		ret = record_write_definition(g, err);
	if (ret) {
		config_put(g->defined);
		g->defined = before;
		return ret;
	}
	config_put(before);
	return 0;
}

int guest_undefine(struct guest *g, struct err *err)
{
	int ret = record_remove_definition(g, err);

	if (ret)
		return ret;
	config_put(g->defined);
	g->defined = NULL;
	return 0;
}

int guest_own_active(struct guest *g, struct err *err)
{
	if (g->active == g->defined) {
		struct config *own = config_copy(g->defined);

		if (!own)
			return err_set(err, -ENOMEM, "no memory");
		/* Devices point into the description that runs, so the copy becomes the definition. */
		config_put(g->defined);
		g->defined = own;
	}
	free(g->active->text);
	g->active->text = NULL;
	return 0;
}

bool guest_has_domain(const struct guest *g)
{
	return g->state == GUEST_RUNNING || g->state == GUEST_ENDED;
}

const char *guest_state_name(const struct guest *g)
{
	switch (g->state) {
	case GUEST_BUILDING:
		return "building";
	case GUEST_RUNNING:
		if (g->is_paused)
			return "paused";
		return g->requested ? "shutting-down" : "running";
	case GUEST_ENDED:
		return g->has_crashed ? "crashed" : "shut-off";
	case GUEST_DYING:
		return "dying";
	default:
		return "shut-off";
	}
}

char *guest_console_log(const struct guest *g)
{
	const struct config *c = g->active ? g->active : g->defined;
	char *path;

	if (c && c->d->console_log)
		return strdup(c->d->console_log);
	return asprintf(&path, "%s/%s.console", g->lodged->options.log_dir, g->name) < 0 ? NULL
											 : path;
}

void guest_changed(struct guest *g, const char *event)
{
	struct guest_waiter *w;

	if (event) {
		bool has_ended = !strcmp(event, "stopped") || !strcmp(event, "crashed") ||
				 !strcmp(event, "failed");

		events_tell(&g->lodged->events, g, event, has_ended ? g->why : NULL);
		log_line("%s: %s%s%s", g->name, event, has_ended && g->why ? ": " : "",
			 has_ended ? why_text(g->why) : "");
	}
	list_for_each_entry_safe(w, &g->waiters, node) {
		w->changed(w, g);
	}
}

void guest_wait(struct guest *g, struct guest_waiter *w)
{
	list_push_back(&g->waiters, &w->node);
}

void guest_unwait(struct guest_waiter *w)
{
	if (list_node_is_linked(&w->node))
		list_remove(&w->node);
}
