/* What a guest finds in xenstore. The names and meanings are Xen's, because guests' kernels read them. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/device.h"
#include "daemon/guest.h"

#define CONSOLE_LIMIT (1u << 20) /* bytes; says so, and limits nothing */

/* Folders that the guest may write in. */
static const char *const guest_folders[] = { "data",
					     "drivers",
					     "feature",
					     "attr",
					     "error",
					     "control/shutdown",
					     "control/feature-poweroff",
					     "control/feature-reboot",
					     "control/feature-suspend",
					     "control/sysrq",
					     "control/feature-balloon",
					     "device/suspend/event-channel" };

static void add_cpus(const struct guest *g, struct batch *b)
{
	const struct domain_description *d = g->active->d;
	char name[32];

	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		snprintf(name, sizeof(name), "cpu/%" PRIu32 "/availability", i);
		batch_write(b, name, "%s", i < d->nr_vcpus_current ? "online" : "offline");
	}
}

static void add_rings(const struct guest *g, struct batch *b, const struct guest_rings *rings)
{
	batch_write(b, "console/ring-ref", "%" PRIu64, rings->console_gfn);
	batch_write(b, "console/port", "%" PRIu32, rings->console_port);
	batch_write(b, "console/limit", "%u", CONSOLE_LIMIT);
	batch_write(b, "console/type", "xenconsoled");
	batch_write(b, "store/ring-ref", "%" PRIu64, rings->store_gfn);
	batch_write(b, "store/port", "%" PRIu32, rings->store_port);
	(void)g;
}

static void add_domain(const struct guest *g, struct batch *b, const struct guest_rings *rings,
		       const char *uuid)
{
	const struct domain_description *d = g->active->d;

	batch_at(b, "/local/domain/%" PRIu32, g->domain);
	batch_remove(b, ""); /* of an earlier domain of that id, and of an earlier try */
	batch_mkdir(b, "");
	batch_permit(b, "", "n0 r%" PRIu32, g->domain);
	batch_write(b, "name", "%s", g->name);
	batch_write(b, "domid", "%" PRIu32, g->domain);
	batch_write(b, "vm", "/vm/%s", uuid);
	batch_write(b, "memory/target", "%" PRIu64, d->memory_current >> 10);
	batch_write(b, "memory/static-max", "%" PRIu64, d->memory >> 10);
	batch_write(b, "control/platform-feature-multiprocessor-suspend", "1");
	batch_write(b, "control/platform-feature-xs_reset_watches", "1");
	add_cpus(g, b);
	add_rings(g, b, rings);
	for (size_t i = 0; i < ARRAY_SIZE(guest_folders); i++) {
		batch_mkdir(b, guest_folders[i]);
		batch_permit(b, guest_folders[i], "n%" PRIu32, g->domain);
	}
	batch_mkdir(b, "device");
}

static void add_limits(const struct guest *g, struct batch *b)
{
	const struct domain_description *d = g->active->d;

	if (d->store_nodes)
		batch_quota(b, "nodes", d->store_nodes, g->domain);
	if (d->store_watches)
		batch_quota(b, "watches", d->store_watches, g->domain);
	if (d->store_transactions)
		batch_quota(b, "transactions", d->store_transactions, g->domain);
}

/* What only the service VM may see. */
static int add_ours(const struct guest *g, struct batch *b, const char *uuid)
{
	char *log = guest_console_log(g);

	if (!log)
		return -ENOMEM;
	batch_at(b, "/vm/%s", uuid);
	batch_write(b, "name", "%s", g->name);
	batch_write(b, "uuid", "%s", uuid);
	batch_write(b, "start_time", "%" PRId64, g->started);
	batch_at(b, "/lodge/%" PRIu32, g->domain);
	batch_write(b, "uuid", "%s", uuid);
	batch_write(b, "name", "%s", g->name);
	batch_write(b, "console-log", "%s", log);
	free(log);
	return 0;
}

int guest_nodes_write(struct guest *g, const struct guest_rings *rings, struct err *err)
{
	char uuid[37];
	struct batch b;
	int ret;

	guest_uuid_text(g->domain_uuid, uuid);
	batch_init(&b);
	add_domain(g, &b, rings, uuid);
	ret = add_ours(g, &b, uuid);
	if (!ret)
		ret = devices_plug(g, &b, err);
	else
		err_errno(err, ret, "xenstore");
	if (!ret) {
		batch_at(&b, "%s", "");
		batch_introduce(&b, g->domain, rings->store_gfn, rings->store_port);
		add_limits(g, &b);
		ret = nodes_run(g->lodged->nodes, &b, false, err);
	}
	batch_fini(&b);
	return ret;
}

void nodes_remove_domain(struct batch *b, uint32_t domain)
{
	batch_at(b, "%s", "");
	batch_release(b, domain);
	batch_at(b, "/local/domain/%" PRIu32, domain);
	batch_remove(b, "");
	batch_at(b, "/lodge/%" PRIu32, domain);
	batch_remove(b, "");
}

void guest_nodes_remove(const struct guest *g, struct batch *b)
{
	const struct guest *owner = guest_by_uuid(g->lodged, g->domain_uuid);
	char uuid[37];

	guest_uuid_text(g->domain_uuid, uuid);
	devices_remove_nodes(g, b);
	nodes_remove_domain(b, g->domain);
	if (owner && owner != g) /* g was set aside, and the guest runs again */
		return;
	batch_at(b, "/vm/%s", uuid);
	batch_remove(b, "");
}
