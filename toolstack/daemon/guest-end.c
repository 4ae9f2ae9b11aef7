/*
 * From running to off: the guest ended by itself, crashed, or was destroyed. First its backends go, then the
 * domain (in a thread: a large one takes a while to empty), then its nodes; then it is decided whether it
 * starts again.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uuid/uuid.h>

#include "daemon/console-sync.h"
#include "daemon/core-dump.h"
#include "daemon/device.h"
#include "daemon/guest.h"
#include "daemon/hypervisor.h"
#include "daemon/record.h"
#include "daemon/why.h"

#define NS_PER_MS UINT64_C(1000000)
#define DUMPS_MAX 4u /* of a guest: one that crashes all the time must not fill the disk */

static void destroy_domain(struct job *j, struct hypervisor *hv)
{
	struct guest_end *e = container_of(j, struct guest_end, job);

	e->ret = hv ? hypervisor_destroy(hv, e->domain) : -EIO;
	if (e->ret == -ESRCH) /* gone already */
		e->ret = 0;
}

static void remove_nodes(struct guest *g)
{
	struct batch b;

	if (g->domain == NO_DOMAIN)
		return;
	batch_init(&b);
	guest_nodes_remove(g, &b);
	nodes_post(g->lodged->nodes, &b);
}

static void save(struct guest *g)
{
	struct err err;

	if (record_save(g, &err))
		log_line("%s: %s", g->name, err.text);
}

static void forget_or_save(struct guest *g)
{
	config_put(g->active);
	g->active = NULL;
	guest_changed(g, NULL);
	if (g->defined)
		save(g);
	else
		guest_forget(g);
}

static void restart_later(struct guest *g, uint64_t ran_ms)
{
	uint64_t delay_ms = policy_delay_ms(&g->restarts, ran_ms);

	if (delay_ms)
		log_line("%s: ended %" PRIu64 " ms after its start; starts again in %" PRIu64 " s",
			 g->name, ran_ms, delay_ms / 1000);
	loop_timer_start(&g->lodged->loop, &g->restart, delay_ms);
}

/* Nothing of the domain is left. */
static void ended(struct guest *g)
{
	remove_nodes(g);
	guest_set_domain(g, NO_DOMAIN);
	if (g->end.then) {
		g->end.then(g->end.argument);
		return;
	}
	g->state = GUEST_OFF;
	g->requested = NULL;
	g->is_paused = false;
	why_add_console(g->why, g);
	if (!g->is_restarting) {
		config_put(g->active);
		g->active = NULL;
	}
	guest_changed(g, g->has_crashed ? "crashed" : "stopped");
	if (!g->defined && !g->is_restarting) {
		guest_forget(g);
		return;
	}
	save(g);
	if (g->is_restarting)
		restart_later(g, g->end.ran_ms);
}

static void one_done(struct guest *g)
{
	if (!--g->end.nr_pending)
		ended(g);
}

static void domain_destroyed(struct job *j)
{
	struct guest *g = container_of(j, struct guest, end.job);

	if (g->end.ret)
		log_line("%s: domain %" PRIu32 " cannot be destroyed: %s", g->name, g->end.domain,
			 strerror(-g->end.ret));
	one_done(g);
}

static void devices_gone(void *argument)
{
	one_done(argument);
}

static void begin(struct guest *g)
{
	g->end = (struct guest_end){
		.domain = g->domain,
		.job = { .work = destroy_domain, .done = domain_destroyed },
		.ran_ms = (loop_now_ns() - g->started_ns) / NS_PER_MS,
	};
}

static void run(struct guest *g)
{
	console_sync_cancel(g->sync);
	g->sync = NULL;
	g->end.nr_pending = 2;
	if (g->end.domain == NO_DOMAIN)
		g->end.nr_pending--;
	else
		jobs_submit(g->lodged->jobs, &g->end.job);
	devices_end(g, devices_gone, g);
}

void guest_abort(struct guest *g, void (*then)(void *argument), void *argument)
{
	begin(g);
	g->end.then = then;
	g->end.argument = argument;
	run(g);
}

void guest_destroy(struct guest *g, const char *reason, const char *text)
{
	bool is_host = !strcmp(reason, end_reason_name(END_HOST_SHUTDOWN));

	if (g->state == GUEST_BUILDING) {
		guest_start_cancel(g);
		return;
	}
	g->is_restarting = false;
	if (g->state == GUEST_DYING)
		return;
	if (g->state == GUEST_OFF) { /* it waits for its next start */
		loop_timer_stop(&g->restart);
		forget_or_save(g);
		return;
	}
	begin(g);
	if (g->state == GUEST_RUNNING || !g->why) { /* else why it ended is known */
		cJSON_Delete(g->why);
		g->why = why_create(is_host ? END_HOST_SHUTDOWN : END_DESTROYED, text);
		g->has_crashed = false;
	}
	why_set_action(g->why, "destroy");
	g->state = GUEST_DYING;
	run(g);
	guest_changed(g, NULL);
}

/* --- it ended by itself --- */

static void describe(const struct guest *g, const struct lodge_domain_info *info,
		     enum end_reason reason, struct err *ret_text)
{
	switch (reason) {
	case END_POWEROFF:
		err_set(ret_text, 0, "it powered off%s",
			g->requested ? ", as it was asked to" : "");
		break;
	case END_REBOOT:
		err_set(ret_text, 0, "it rebooted%s", g->requested ? ", as it was asked to" : "");
		break;
	case END_SUSPEND:
		err_set(ret_text, 0, "it suspended itself, and nothing could wake it");
		break;
	case END_WATCHDOG:
		err_set(ret_text, 0, "its watchdog expired");
		break;
	case END_GONE:
		err_set(ret_text, 0, "its domain was destroyed by somebody else");
		break;
	default:
		err_set(ret_text, 0, "it crashed%s%.*s", info->crash_reason[0] ? ": " : "",
			(int)sizeof(info->crash_reason), info->crash_reason);
	}
}

/* What it was goes on under another name, to be looked at; g is then OFF and can start again. */
static int set_aside(struct guest *g, struct err *err)
{
	struct guest *kept;
	char name[160];
	uuid_t uuid;
	int ret = -EEXIST;

	uuid_generate(uuid);
	for (unsigned int i = 1; ret == -EEXIST && i < 1000; i++) {
		snprintf(name, sizeof(name), "%s-%u", g->name, i);
		ret = guest_create(g->lodged, name, uuid, &kept, err);
	}
	if (ret)
		return ret;
	kept->active = config_get(g->active);
	kept->state = GUEST_ENDED;
	kept->has_crashed = g->has_crashed;
	kept->started = g->started;
	kept->started_ns = g->started_ns;
	kept->log_file = g->log_file;
	kept->log_bytes = g->log_bytes;
	kept->why = cJSON_Duplicate(g->why, true);
	memcpy(kept->domain_uuid, g->domain_uuid, sizeof(kept->domain_uuid));
	guest_set_domain(kept, g->domain);
	guest_set_domain(g, NO_DOMAIN);
	g->state = GUEST_OFF;
	g->requested = NULL;
	g->is_paused = false;
	save(kept);
	guest_changed(kept, "preserved");
	return 0;
}

/* What starts again has the devices that it had: some have perhaps come or gone while it ran. */
static void keep_devices(struct guest *g)
{
	char *was = domain_write(g->active->d), *is = devices_text(g);
	bool is_same = was && is && !strcmp(was, is);
	struct config *next = !is_same && is ? config_parse(is, g->lodged->host) : NULL;

	free(was);
	free(is);
	if (is_same)
		return;
	if (!next) {
		log_line("%s: no memory: starts again with the devices it had at first", g->name);
		return;
	}
	memcpy(next->d->uuid, g->uuid, sizeof(next->d->uuid));
	config_put(g->active);
	g->active = next;
}

/* The next one wants the same disks: it is DYING until its backends have gone, without a domain of its own. */
static void rename_restart(struct guest *g)
{
	struct err err;

	if (set_aside(g, &err)) {
		log_line("%s: not set aside: %s", g->name, err.text);
		guest_destroy(g, end_reason_name(END_DESTROYED), "");
		return;
	}
	begin(g);
	keep_devices(g);
	g->is_restarting = true;
	g->state = GUEST_DYING;
	run(g);
	save(g);
	guest_changed(g, NULL);
}

static void console_synced(void *argument)
{
	struct guest *g = argument;

	g->sync = NULL;
	run(g);
}

/* It has ended by itself, and perhaps said why, so short ago that lodge-console has not even mapped its ring: that
 * takes a domain that is there. */
static void run_after_console(struct guest *g)
{
	g->sync = console_sync_begin(g->lodged, g->domain, console_synced, g);
	if (!g->sync)
		run(g);
}

static void end_and(struct guest *g, bool is_restart)
{
	begin(g);
	g->is_restarting = is_restart;
	if (is_restart) {
		keep_devices(g);
		save(g); /* who is killed from here on starts it again all the same */
	}
	g->state = GUEST_DYING;
	run_after_console(g);
	guest_changed(g, NULL);
}

static void dumped(void *argument, struct guest *g, int ret, const struct err *err)
{
	(void)argument;
	if (ret)
		log_line("%s: no core dump: %s", g ? g->name : "a guest", err->text);
	if (g && g->state == GUEST_ENDED) /* not destroyed meanwhile */
		end_and(g, policy_action(g->active->d, END_CRASH) == DOMAIN_COREDUMP_RESTART);
}

/* Of files that are called as this one, at whatever time. */
static unsigned int count_dumps(const struct guest *g, const char *folder, const char *file)
{
	size_t same = strlen(g->name) + sizeof("-") - 1;
	const struct dirent *entry;
	DIR *dir = opendir(folder);
	unsigned int nr = 0;

	while (dir && (entry = readdir(dir)))
		nr += strlen(entry->d_name) == strlen(file) && !strncmp(entry->d_name, file, same);
	if (dir)
		closedir(dir);
	return nr;
}

static int dump(struct guest *g, struct err *err)
{
	char folder[300], file[200], path[512], now[TIME_TEXT_BYTES];

	time_text(time(NULL), now);
	snprintf(folder, sizeof(folder), "%s/dump", g->lodged->options.state_dir);
	snprintf(file, sizeof(file), "%s-%s.core", g->name, now);
	snprintf(path, sizeof(path), "%s/%s", folder, file);
	if (count_dumps(g, folder, file) >= DUMPS_MAX)
		return err_set(err, -EDQUOT, "%s has %u of it already", folder, DUMPS_MAX);
	return core_dump(g, path, dumped, NULL, err);
}

static void dump_then_end(struct guest *g)
{
	struct err err = { "" };
	int ret;

	g->state = GUEST_ENDED;
	ret = dump(g, &err);
	if (ret)
		dumped(NULL, g, ret, &err);
}

static void keep(void *argument)
{
	struct guest *g = argument;

	g->sync = NULL;
	why_add_console(g->why, g);
	save(g);
	guest_changed(g, g->has_crashed ? "crashed" : "stopped");
}

static void set_aside_and_restart(void *argument)
{
	struct guest *g = argument;

	g->sync = NULL;
	why_add_console(g->why, g);
	rename_restart(g);
}

/* Its domain stays. What is to be done waits for its last lines, unless it is destroyed meanwhile. */
static void keep_domain(struct guest *g, void (*then)(void *argument))
{
	g->state = GUEST_ENDED;
	g->sync = console_sync_begin(g->lodged, g->domain, then, g);
	if (!g->sync)
		then(g);
}

static void act(struct guest *g, enum domain_action action)
{
	why_set_action(g->why, policy_action_name(action));
	switch (action) {
	case DOMAIN_PRESERVE:
		keep_domain(g, keep);
		break;
	case DOMAIN_RENAME_RESTART:
		keep_domain(g, set_aside_and_restart);
		break;
	case DOMAIN_COREDUMP_DESTROY:
	case DOMAIN_COREDUMP_RESTART:
		dump_then_end(g);
		break;
	default:
		end_and(g, action == DOMAIN_RESTART);
	}
}

void guest_domain_ended(struct guest *g, const struct lodge_domain_info *info)
{
	bool is_gone = info->flags & (LODGE_DOMAIN_GONE | LODGE_DOMAIN_DYING);
	enum end_reason reason = is_gone ? END_GONE : end_reason_of_shutdown(info->shutdown_reason);
	enum domain_action action = policy_action(g->active->d, reason);
	struct err text = { "" };

	/* An order to power off holds also for a guest whose description says otherwise. */
	if (reason == END_POWEROFF && g->requested && !strcmp(g->requested, "poweroff"))
		action = DOMAIN_DESTROY;
	if (reason == END_REBOOT && g->requested && !strcmp(g->requested, "reboot"))
		action = DOMAIN_RESTART;
	if (g->lodged->stop)
		action = DOMAIN_DESTROY;
	describe(g, info, reason, &text);
	cJSON_Delete(g->why);
	g->why = why_create(reason, text.text);
	g->has_crashed = reason == END_CRASH || reason == END_WATCHDOG;
	if (g->has_crashed)
		why_add_vcpus(g->why, g->lodged, info);
	act(g, action);
}

void guests_look(struct lodged *l)
{
	struct lodge_domain_info *infos;
	uint64_t change;
	size_t nr;

	if (hypervisor_list(l->hv, l->change, &infos, &nr, &change))
		return;
	l->change = change;
	for (size_t i = 0; i < nr; i++) {
		struct guest *g = guest_by_domain(l, infos[i].domain);

		if (g && g->state == GUEST_RUNNING &&
		    infos[i].flags &
			    (LODGE_DOMAIN_SHUT_DOWN | LODGE_DOMAIN_DYING | LODGE_DOMAIN_GONE))
			guest_domain_ended(g, &infos[i]);
	}
	free(infos);
}
