/* Verbs that make, start, stop and forget guests. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/guest-json.h"
#include "daemon/guest-run.h"
#include "daemon/guest.h"
#include "daemon/hypervisor.h"
#include "daemon/record.h"
#include "daemon/verbs.h"
#include "daemon/why.h"

#define DAY_S 86400u

/* --- create, start --- */

static void tell_started(void *argument, struct guest *g, int ret, const struct err *err)
{
	struct request *r = argument;

	if (ret)
		request_error(r, ret, err);
	else
		request_ok(r, guest_record(g, NULL));
}

static void tell_progress(void *argument, const char *text, unsigned int percent)
{
	request_progress(argument, text, percent);
}

static void start(struct guest *g, struct config *c, struct request *r)
{
	struct start_request request = { .config = c,
					 .is_paused = request_flag(r, "paused"),
					 .done = tell_started,
					 .progress = tell_progress,
					 .argument = r };
	struct err err;
	int ret = guest_start(g, &request, &err);

	if (ret)
		request_error(r, ret, &err);
}

void verb_create(struct lodged *l, struct request *r)
{
	struct config *c = request_config(r, true);
	struct guest *g;
	struct err err;
	int ret;

	if (!c)
		return;
	ret = guest_create(l, c->d->name, c->d->uuid, &g, &err);
	if (ret)
		request_error(r, ret, &err);
	else
		start(g, c, r);
	config_put(c);
}

void verb_start(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);

	(void)l;
	if (!g)
		return;
	if (!g->defined)
		request_fail(r, RPC_STATE, "\"%s\" is %s", g->name, guest_state_name(g));
	else
		start(g, g->defined, r);
}

/* --- define, undefine, rename, autostart --- */

/* The guest that a new definition is for: there already, or made. */
static struct guest *guest_for(struct lodged *l, struct config *c, struct request *r)
{
	struct guest *g = guest_by_name(l, c->d->name);
	struct err err;
	int ret;

	if (g && c->d->uuid_made)
		memcpy(c->d->uuid, g->uuid, sizeof(g->uuid));
	if (g && !memcmp(g->uuid, c->d->uuid, sizeof(g->uuid)))
		return g;
	ret = guest_create(l, c->d->name, c->d->uuid, &g, &err);
	if (!ret)
		return g;
	request_error(r, ret, &err);
	return NULL;
}

void verb_define(struct lodged *l, struct request *r)
{
	struct config *c = request_config(r, false);
	struct guest *g = c ? guest_for(l, c, r) : NULL;
	bool is_new = g && !g->defined;
	struct err err;
	int ret;

	if (g) {
		ret = guest_define(g, c, &err);
		if (!ret)
			guest_changed(g, "defined");
		if (ret && is_new && g->state == GUEST_OFF)
			guest_forget(g);
		if (ret)
			request_error(r, ret, &err);
		else
			request_ok(r, guest_record(g, NULL));
	}
	config_put(c);
}

/* A guest that runs, or will again, goes on without its definition, which its record then has. */
void verb_undefine(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	struct err err;
	int ret;

	(void)l;
	if (!g)
		return;
	if (!g->defined) {
		request_fail(r, RPC_STATE, "\"%s\" has no definition", g->name);
		return;
	}
	ret = g->active ? guest_own_active(g, &err) : 0;
	if (!ret && g->active)
		ret = record_save(g, &err);
	if (!ret)
		ret = guest_undefine(g, &err);
	if (ret) {
		request_error(r, ret, &err);
		return;
	}
	guest_changed(g, "undefined");
	if (g->state == GUEST_OFF && !g->is_restarting)
		guest_forget(g);
	request_ok(r, NULL);
}

void verb_rename(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	const char *name = g ? request_need(r, "to") : NULL;
	struct err err;
	int ret;

	(void)l;
	if (!name)
		return;
	if (g->state != GUEST_OFF && g->state != GUEST_ENDED) {
		request_fail(r, RPC_STATE, "\"%s\" is %s; only one that is off can be renamed",
			     g->name, guest_state_name(g));
		return;
	}
	ret = guest_rename(g, name, &err);
	if (ret) {
		request_error(r, ret, &err);
		return;
	}
	guest_changed(g, "renamed");
	request_ok(r, guest_record(g, NULL));
}

void verb_autostart(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	struct config *c;
	struct err err;
	int ret;

	(void)l;
	if (!g)
		return;
	if (!g->defined) {
		request_fail(r, RPC_STATE, "\"%s\" has no definition that could be started",
			     g->name);
		return;
	}
	if (!cJSON_IsBool(cJSON_GetObjectItemCaseSensitive(r->message, "on"))) {
		request_fail(r, RPC_INVALID, "\"on\" is true or false");
		return;
	}
	c = config_copy(g->defined);
	if (!c) {
		request_fail(r, RPC_NO_MEMORY, "no memory");
		return;
	}
	c->d->autostart = request_flag(r, "on");
	ret = guest_define(g, c, &err);
	config_put(c);
	if (ret)
		request_error(r, ret, &err);
	else
		request_ok(r, guest_record(g, NULL));
}

/* --- pause, resume --- */

static void change_pause(struct request *r, int (*change)(struct guest *g, struct err *err))
{
	struct guest *g = request_guest(r);
	struct err err;
	int ret;

	if (!g)
		return;
	ret = change(g, &err);
	if (ret)
		request_error(r, ret, &err);
	else
		request_ok(r, guest_record(g, NULL));
}

void verb_pause(struct lodged *l, struct request *r)
{
	(void)l;
	change_pause(r, guest_pause);
}

void verb_resume(struct lodged *l, struct request *r)
{
	(void)l;
	change_pause(r, guest_resume);
}

/* --- destroy, shutdown: until it is off --- */

struct wait_off {
	struct guest_waiter waiter;
	struct loop_timer timer;
	struct request *request;
	uint32_t domain;    /* the one that is to end */
	bool is_for_reboot; /* until another one runs */
};

static void wait_stop(struct wait_off *w)
{
	guest_unwait(&w->waiter);
	loop_timer_stop(&w->timer);
}

static bool is_over(const struct wait_off *w, const struct guest *g)
{
	bool is_off = !g || (g->state == GUEST_OFF && !g->is_restarting);

	return is_off || (w->is_for_reboot && g->state == GUEST_RUNNING && g->domain != w->domain);
}

static void wait_changed(struct guest_waiter *waiter, struct guest *g)
{
	struct wait_off *w = container_of(waiter, struct wait_off, waiter);

	if (g && g->state == GUEST_ENDED) {
		wait_stop(w);
		request_fail(w->request, RPC_STATE, "%s; what is left of it is kept",
			     why_text(g->why));
		return;
	}
	if (!is_over(w, g))
		return;
	wait_stop(w);
	request_ok(w->request, g ? guest_record(g, NULL) : NULL);
}

static void wait_expired(struct loop_timer *t)
{
	struct wait_off *w = container_of(t, struct wait_off, timer);

	wait_stop(w);
	request_fail(w->request, RPC_TIMEOUT, "it has not shut down in time, and goes on running");
}

static void wait_gone(struct request *r)
{
	wait_stop(r->private);
	request_fail(r, RPC_FAILED, "nobody waits");
}

/* timeout_s 0: as long as it takes. NULL: the request is answered. */
static struct wait_off *wait_for(struct request *r, struct guest *g, uint64_t timeout_s)
{
	struct wait_off *w = request_private(r, sizeof(*w));

	if (!w)
		return NULL;
	w->request = r;
	w->domain = g->domain;
	w->waiter.changed = wait_changed;
	w->timer.fire = wait_expired;
	r->gone = wait_gone;
	guest_wait(g, &w->waiter);
	if (timeout_s)
		loop_timer_start(&r->lodged->loop, &w->timer, timeout_s * 1000);
	return w;
}

void verb_destroy(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);

	(void)l;
	if (!g)
		return;
	if (g->state == GUEST_OFF && !g->is_restarting) {
		request_fail(r, RPC_STATE, "\"%s\" is not running", g->name);
		return;
	}
	if (g->state == GUEST_OFF) {
		guest_destroy(g, "destroyed",
			      "it was destroyed while it waited for its next start");
		request_ok(r, NULL);
		return;
	}
	if (wait_for(r, g, 0))
		guest_destroy(g, "destroyed", "it was destroyed by an administrator");
}

static void shut_down(struct request *r, struct guest *g, const char *mode)
{
	uint64_t wait_s;
	struct wait_off *w;
	struct err err;
	int ret;

	if (!request_number(r, "wait_s", 0, DAY_S, &wait_s))
		return;
	ret = guest_ask(g, mode, &err);
	if (ret) {
		request_error(r, ret, &err);
		return;
	}
	if (!wait_s) {
		request_ok(r, guest_record(g, NULL));
		return;
	}
	w = wait_for(r, g, wait_s);
	if (w)
		w->is_for_reboot = !strcmp(mode, "reboot");
}

void verb_shutdown(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	const char *mode = g ? request_text(r, "mode") : NULL;

	(void)l;
	if (!g)
		return;
	if (!mode || !strcmp(mode, "poweroff"))
		shut_down(r, g, "poweroff");
	else if (!strcmp(mode, "reboot"))
		shut_down(r, g, "reboot");
	else if (!strcmp(mode, "suspend"))
		request_fail(r, RPC_INVALID, "a guest that suspends could not be woken");
	else
		request_fail(r, RPC_INVALID, "the mode is \"poweroff\" or \"reboot\"");
}

void verb_reboot(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);

	(void)l;
	if (g)
		shut_down(r, g, "reboot");
}
