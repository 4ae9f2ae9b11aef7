/* See adopt.h. */
#include "daemon/adopt.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "daemon/device.h"
#include "daemon/disk.h"
#include "daemon/guest.h"
#include "daemon/hypervisor.h"
#include "daemon/record.h"
#include "daemon/why.h"

static void save(const struct guest *g)
{
	struct err err;

	if (record_save(g, &err))
		log_line("%s: %s", g->name, err.text);
}

/* Its domain ended while nobody looked, or with the host. */
static void note_loss(struct guest *g, bool had_domain)
{
	g->state = GUEST_OFF;
	guest_set_domain(g, NO_DOMAIN);
	g->requested = NULL;
	g->is_paused = false;
	if (!had_domain)
		return;
	cJSON_Delete(g->why);
	g->why = why_create(END_GONE, "it ended with the host, or while lodged did not run");
	why_set_action(g->why, g->is_restarting ? "restart" : "destroy");
	why_add_console(g->why, g);
}

static void go_on_without(struct guest *g, bool had_domain)
{
	note_loss(g, had_domain);
	if (g->is_restarting && g->active) {
		loop_timer_start(&g->lodged->loop, &g->restart, 0);
		return;
	}
	g->is_restarting = false;
	config_put(g->active);
	g->active = NULL;
	if (!g->defined)
		guest_forget(g);
	else if (had_domain)
		save(g);
}

/* Killed between its record and its first instruction, an earlier lodged owes it the start. */
static void catch_up(struct guest *g, const struct lodge_domain_info *info)
{
	if (g->state == GUEST_RUNNING && !g->is_paused && info->pause_count &&
	    hypervisor_unpause(g->lodged->hv, g->domain))
		log_line("%s: stays paused", g->name);
}

void adopt_guest(struct guest *g, const cJSON *record, bool had_domain)
{
	struct lodge_domain_info info;
	bool is_there = g->domain != NO_DOMAIN &&
			!hypervisor_info(g->lodged->hv, g->domain, &info) &&
			!memcmp(info.uuid, g->domain_uuid, sizeof(info.uuid)) &&
			!(info.flags & LODGE_DOMAIN_DYING);

	if (!is_there) {
		go_on_without(g, had_domain);
		return;
	}
	devices_adopt(g, record);
	save(g); /* backends that have died meanwhile are other processes now */
	catch_up(g, &info);
	log_line("%s: adopted, domain %" PRIu32, g->name, g->domain);
}

/* --- what belongs to no guest --- */

/* A domain that never ran and that no guest knows was being built. */
static void destroy_half_built(struct lodged *l, const struct lodge_domain_info *info)
{
	if (guest_by_domain(l, info->domain) ||
	    info->flags & (LODGE_DOMAIN_PRIVILEGED | LODGE_DOMAIN_DYING | LODGE_DOMAIN_GONE))
		return;
	if (!info->pause_count || info->cpu_time_ns) {
		log_line("domain %" PRIu32 " is no guest of lodged's, and left alone",
			 info->domain);
		return;
	}
	log_line("domain %" PRIu32 " was left half-built; it is destroyed", info->domain);
	if (hypervisor_destroy(l->hv, info->domain))
		log_line("domain %" PRIu32 " cannot be destroyed", info->domain);
}

static bool is_stale(struct lodged *l, uint32_t domain)
{
	struct lodge_domain_info info;

	return domain && !guest_by_domain(l, domain) &&
	       (hypervisor_info(l->hv, domain, &info) || info.flags & LODGE_DOMAIN_DYING);
}

struct domains { /* that there are */
	struct lodge_domain_info *infos;
	size_t nr;
};

static bool is_stale_domain(struct lodged *l, const struct domains *there, const char *name)
{
	(void)there;
	return is_stale(l, (uint32_t)strtoul(name, NULL, 10));
}

/* What is in /vm is known by the uuids of domains. */
static bool is_stale_vm(struct lodged *l, const struct domains *there, const char *name)
{
	uuid_t uuid;

	(void)l;
	if (uuid_parse(name, uuid))
		return false;
	for (size_t i = 0; i < there->nr; i++) {
		if (!memcmp(there->infos[i].uuid, uuid, sizeof(uuid)) &&
		    !(there->infos[i].flags & LODGE_DOMAIN_DYING))
			return false;
	}
	return true;
}

static const struct {
	const char *path;
	bool (*is_stale)(struct lodged *l, const struct domains *there, const char *name);
} folders[] = {
	{ "/local/domain", is_stale_domain },
	{ "/lodge", is_stale_domain },
	{ "/local/domain/0/backend/vbd", is_stale_domain },
	{ "/local/domain/0/backend/vif", is_stale_domain },
	{ "/local/domain/0/backend/lodge-block", is_stale_domain },
	{ "/local/domain/0/backend/lodge-net", is_stale_domain },
	{ "/vm", is_stale_vm },
};

/* Folders of domains that are gone. */
static int remove_stale(struct lodged *l, const struct domains *there, struct err *err)
{
	struct batch lists, removals;
	int ret;

	batch_init(&lists);
	batch_init(&removals);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		batch_list(&lists, folders[i].path);
	ret = nodes_run(l->nodes, &lists, false, err);
	for (size_t i = 0; !ret && i < ARRAY_SIZE(folders); i++) {
		size_t bytes = 0;
		const char *name = batch_answer(&lists, i, &bytes), *end = name + bytes;

		batch_at(&removals, "%s", folders[i].path);
		for (; name && name < end; name += strlen(name) + 1) {
			if (folders[i].is_stale(l, there, name))
				batch_remove(&removals, name);
		}
	}
	if (!ret)
		ret = nodes_run(l->nodes, &removals, false, err);
	batch_fini(&lists);
	batch_fini(&removals);
	return ret;
}

static int remove_all_stale(struct lodged *l, struct err *err)
{
	struct domains there;
	uint64_t change;
	int ret = hypervisor_list(l->hv, 0, &there.infos, &there.nr, &change);

	if (ret)
		return err_errno(err, ret, "listing domains");
	disks_remove_stale(l, is_stale);
	ret = remove_stale(l, &there, err);
	free(there.infos);
	return ret;
}

int adopt_rest(struct lodged *l, struct err *err)
{
	struct lodge_domain_info *infos;
	uint64_t change;
	size_t nr;
	int ret = hypervisor_list(l->hv, 0, &infos, &nr, &change);

	if (ret)
		return err_errno(err, ret, "listing domains");
	for (size_t i = 0; i < nr; i++)
		destroy_half_built(l, &infos[i]);
	free(infos);
	return remove_all_stale(l, err); /* of which there may be more now */
}
