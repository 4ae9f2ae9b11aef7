/* One device: its nodes, its process, its watches, and its end: see device.h. */
#include "daemon/device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/device-life.h"
#include "daemon/guest.h"
#include "daemon/record.h"

#define DETACH_MS          10000u /* of which nobody waits for the end */
#define STATE_INITIALISING 1u

/* --- memory --- */

/* Its backend is gone. */
static void device_free(struct device *d)
{
	if (list_node_is_linked(&d->node))
		list_remove(&d->node);
	d->guest = NULL;
	d->class->release(d);
	config_put(d->extra);
	config_put(d->holder);
	free(d->label);
	free(d->private);
	free(d);
}

static struct device *device_alloc(struct guest *g, const struct device_class *class,
				   const void *config)
{
	struct device *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->lodged = g->lodged;
	d->guest = g;
	d->class = class;
	d->config = config;
	d->label = class->label(config);
	d->private = calloc(1, MAX(class->private_bytes, 1U));
	if (d->label && d->private) {
		d->holder = config_get(g->active);
		return d;
	}
	free(d->label);
	free(d->private);
	free(d);
	return NULL;
}

static size_t count_of_class(const struct guest *g, const struct device_class *class)
{
	const struct device *d;
	size_t nr = 0;

	list_for_each_entry(d, &g->devices, node) {
		nr += d->class == class;
	}
	return nr;
}

int device_prepare(struct guest *g, const struct device_class *class, const void *config,
		   struct device **ret_device, struct err *err)
{
	struct device *d = device_alloc(g, class, config);
	int ret;

	if (!d) {
		err_set(err, -ENOMEM, "no memory");
		return -ENOMEM;
	}
	ret = class->prepare(d, count_of_class(g, class), err);
	if (ret) {
		err_wrap(err, ret, "%s %s", class->name, d->label);
		device_free(d);
		return ret;
	}
	list_push_back(&g->devices, &d->node);
	*ret_device = d;
	return 0;
}

/* --- coming --- */

static void set_paths(struct device *d)
{
	snprintf(d->frontend_path, sizeof(d->frontend_path),
		 "/local/domain/%" PRIu32 "/device/%s/%u", d->guest->domain, d->class->kind, d->id);
	snprintf(d->backend_path, sizeof(d->backend_path),
		 "/local/domain/0/backend/%s/%" PRIu32 "/%u", d->backend_kind, d->guest->domain,
		 d->id);
}

static void backend_ended(void *argument, const char *how)
{
	struct device *d = argument;

	if (d->unplug) /* it was quicker than the news that the device is over */
		return;
	d->has_ended = true;
	snprintf(d->error, sizeof(d->error), "its backend ended: %s", how);
	log_line("%s: %s %s: %s", d->guest->name, d->class->name, d->label, d->error);
	guest_changed(d->guest, "device-failed");
}

const char *device_error(const struct device *d)
{
	return d->has_ended && d->process && child_is_steady(d->process) ? "" : d->error;
}

static void backend_started(void *argument)
{
	struct device *d = argument;
	struct err err;

	if (child_nr_starts(d->process) < 2 || d->unplug)
		return;
	if (record_save(d->guest, &err)) /* the next lodged has to know the process */
		log_line("%s: %s", d->guest->name, err.text);
	guest_changed(d->guest, "device-restarted");
}

/* A user for each domain: who has taken over one guest's backends can do nothing to those of others. */
static void add_user(const struct device *d, struct child_spec *spec, char *text, size_t bytes)
{
	size_t nr = 0;

	while (spec->arguments[nr])
		nr++;
	snprintf(text, bytes, "%" PRIu32, d->guest->lodged->options.user_base + d->guest->domain);
	spec->arguments[nr++] = "--user";
	spec->arguments[nr++] = text;
	spec->arguments[nr] = NULL;
}

static void complete_spec(struct device *d, struct child_spec *spec, char *user, size_t bytes)
{
	add_user(d, spec, user, bytes);
	spec->ended = backend_ended;
	spec->started = backend_started;
	spec->argument = d;
}

static int make_process(struct device *d, struct child_spec *spec, struct err *err)
{
	char user[16];

	if (!spec->arguments[0])
		return 0;
	complete_spec(d, spec, user, sizeof(user));
	return child_create(&d->guest->lodged->loop, spec, &d->process, err);
}

int device_change(struct device *d, struct child_spec *spec, struct err *err)
{
	char user[16];

	if (!d->process || d->unplug)
		return err_set(err, -ESTALE, "%s %s has no backend", d->class->name, d->label);
	complete_spec(d, spec, user, sizeof(user));
	return child_change(d->process, spec, err);
}

int device_plug(struct device *d, struct batch *b, struct err *err)
{
	struct child_spec spec = { .nr_fds = 0 };
	uint32_t domain = d->guest->domain;
	int ret;

	set_paths(d);
	batch_at(b, "%s", d->backend_path);
	batch_remove(b, "");
	batch_mkdir(b, "");
	batch_permit(b, "", "n0 r%" PRIu32, domain);
	batch_write(b, "frontend", "%s", d->frontend_path);
	batch_write(b, "frontend-id", "%" PRIu32, domain);
	batch_write(b, "online", "1");
	batch_write(b, "state", "%u", STATE_INITIALISING);
	batch_at(b, "%s", d->frontend_path);
	batch_remove(b, "");
	batch_mkdir(b, "");
	batch_permit(b, "", "n%" PRIu32 " r0", domain);
	batch_write(b, "backend", "%s", d->backend_path);
	batch_write(b, "backend-id", "0");
	batch_write(b, "state", "%u", STATE_INITIALISING);
	ret = d->class->plug(d, b, &spec, err);
	if (!ret)
		ret = make_process(d, &spec, err);
	return ret ? err_wrap(err, ret, "%s %s", d->class->name, d->label) : 0;
}

static void state_changed(struct nodes_watch *w, const char *path)
{
	struct device *d = container_of(w, struct device, state_watch);
	char *text = nodes_read(d->guest->lodged->nodes, "%s", path);
	unsigned int state = text ? (unsigned int)strtoul(text, NULL, 10) : 0;

	free(text);
	if (state == d->backend_state || !nodes_is_up(d->guest->lodged->nodes))
		return; /* without a store nothing is known; it tells when it is back */
	d->backend_state = state;
	if (d->class->backend_changed)
		d->class->backend_changed(d, state);
	if (d->unplug)
		device_unplug_look(d);
	guest_start_look(d->guest);
}

static void error_changed(struct nodes_watch *w, const char *path)
{
	struct device *d = container_of(w, struct device, error_watch);
	char *text = nodes_read(d->guest->lodged->nodes, "%s", path);

	if (text && strcmp(text, d->error) != 0) {
		d->has_ended = false;
		snprintf(d->error, sizeof(d->error), "%s", text);
		log_line("%s: %s %s: %s", d->guest->name, d->class->name, d->label, d->error);
		guest_changed(d->guest, "device-failed");
	}
	free(text);
}

static int watch_on(struct device *d, struct err *err)
{
	struct nodes *n = d->guest->lodged->nodes;
	int ret;

	d->state_watch.changed = state_changed;
	d->error_watch.changed = error_changed;
	ret = nodes_watch(n, &d->state_watch, err, "%s/state", d->backend_path);
	if (!ret)
		ret = nodes_watch(n, &d->error_watch, err, "%s/error", d->backend_path);
	return ret;
}

int device_start(struct device *d, struct err *err)
{
	int ret = watch_on(d, err);

	if (!ret && d->process)
		ret = child_start(d->process, err);
	d->is_plugged = !ret;
	return ret ? err_wrap(err, ret, "%s %s", d->class->name, d->label) : 0;
}

static int adopt_backend(struct device *d, const cJSON *saved, struct err *err)
{
	const cJSON *pid = cJSON_GetObjectItemCaseSensitive(saved, "pid");
	const cJSON *time = cJSON_GetObjectItemCaseSensitive(saved, "pid_time");
	struct child_spec spec = { .nr_fds = 0 };
	int ret = d->class->adopt(d, count_of_class(d->guest, d->class), saved, &spec, err);

	if (ret)
		return ret;
	set_paths(d);
	ret = make_process(d, &spec, err);
	if (!ret && d->process)
		ret = child_adopt(d->process, cJSON_IsNumber(pid) ? (pid_t)pid->valuedouble : 0,
				  cJSON_IsNumber(time) ? (uint64_t)time->valuedouble : 0, err);
	return ret ? ret : watch_on(d, err);
}

/* An earlier lodged has asked the guest to let go of it, and the guest has not. */
static void go_on_detaching(struct device *d)
{
	char *online = nodes_read(d->lodged->nodes, "%s/online", d->backend_path);

	if (online && !strcmp(online, "0"))
		device_detach(d, DETACH_MS, NULL, NULL);
	free(online);
}

bool device_adopt(struct guest *g, const struct device_class *class, const void *config,
		  struct config *extra, const cJSON *saved)
{
	struct device *d = device_alloc(g, class, config);
	struct err err;

	if (!d)
		return false;
	d->extra = extra;
	if (adopt_backend(d, saved, &err)) {
		snprintf(d->error, sizeof(d->error), "%.*s", (int)sizeof(d->error) - 1, err.text);
		log_line("%s: %s %s: not adopted: %s", g->name, class->name, d->label, err.text);
	}
	d->is_plugged = true; /* as far as the guest knows */
	list_push_back(&g->devices, &d->node);
	if (*d->backend_path)
		go_on_detaching(d);
	return true;
}

/* --- going --- */

static void watch_off(struct device *d)
{
	nodes_unwatch(d->lodged->nodes, &d->state_watch);
	nodes_unwatch(d->lodged->nodes, &d->error_watch);
}

bool device_is_gone(struct device *d)
{
	return !d->class->is_gone || d->class->is_gone(d);
}

static void look_whether_gone(struct loop_timer *t)
{
	struct device *d = container_of(t, struct device, look);
	void (*gone)(void *argument) = d->gone;
	void *argument = d->gone_argument;

	if (!device_is_gone(d)) {
		loop_timer_start(&d->lodged->loop, t, DEVICE_LOOK_MS);
		return;
	}
	device_free(d);
	if (gone)
		gone(argument);
}

static void process_gone(void *argument)
{
	struct device *d = argument;

	look_whether_gone(&d->look);
}

/* Upon which the kernel's backend lets go. */
static void remove_backend_nodes(const struct device *d)
{
	struct batch b;
	struct err err;

	batch_init(&b);
	batch_remove(&b, d->backend_path);
	if (nodes_run(d->lodged->nodes, &b, false, &err))
		log_line("%s %s: %s", d->class->name, d->label, err.text);
	batch_fini(&b);
}

void device_end(struct device *d, void (*gone)(void *argument), void *argument)
{
	struct child *process = d->process;

	watch_off(d);
	device_unplug_abort(d);
	d->process = NULL;
	d->guest = NULL; /* which may be gone, or have other devices, by the time the process is */
	list_remove(&d->node);
	d->look.fire = look_whether_gone;
	d->gone = gone;
	d->gone_argument = argument;
	if (process) {
		child_stop(process, process_gone, d);
		return;
	}
	if (d->class->is_gone && *d->backend_path)
		remove_backend_nodes(d);
	look_whether_gone(&d->look);
}

void device_forget(struct device *d)
{
	watch_off(d);
	device_unplug_abort(d);
	child_forget(d->process);
	d->is_forgotten = true;
	device_free(d);
}

void device_discard(struct device *d)
{
	struct batch b;

	watch_off(d);
	batch_init(&b);
	batch_remove(&b, d->frontend_path);
	batch_remove(&b, d->backend_path);
	nodes_post(d->guest->lodged->nodes, &b);
	if (d->process)
		child_stop(d->process, NULL, NULL);
	device_free(d);
}

/* --- a running guest --- */

struct device *device_find(const struct guest *g, const struct device_class *class,
			   const char *label)
{
	struct device *d;

	list_for_each_entry(d, &g->devices, node) {
		if (d->class == class && !strcmp(d->label, label))
			return d;
	}
	return NULL;
}

int device_attach(struct guest *g, const struct device_class *class, struct config *extra,
		  struct err *err)
{
	const void *config = class->config(extra->d, 0);
	struct batch b;
	struct device *d;
	int ret = device_prepare(g, class, config, &d, err);

	if (ret)
		return ret;
	d->extra = config_get(extra);
	batch_init(&b);
	ret = device_plug(d, &b, err);
	if (!ret)
		ret = nodes_run(g->lodged->nodes, &b, true, err);
	batch_fini(&b);
	if (!ret)
		ret = device_start(d, err);
	if (!ret)
		ret = record_save(g, err); /* the next lodged has to know it */
	if (ret)
		device_discard(d);
	return ret;
}

const char *device_state_name(unsigned int state)
{
	static const char *const names[] = { "gone",   "starting",      "waiting",
					     "ready",  "connected",     "closing",
					     "closed", "reconfiguring", "reconfigured" };

	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

unsigned int device_disk_id(const char *target)
{
	unsigned int index = 0;

	for (const char *c = target + 3; *c >= 'a' && *c <= 'z'; c++)
		index = index * 26 + (unsigned int)(*c - 'a') + 1;
	index--;
	return index < 16 ? 202U << 8 | index << 4 : 1U << 28 | index << 8;
}
