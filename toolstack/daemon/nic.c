/*
 * Network interfaces: the device class, for both backends. lodge-net gets a tap device that lodged makes and
 * plugs in; the service VM's kernel (netback) makes a device of its own, which is plugged in when it is there.
 */
#include "daemon/nic.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/guest.h"
#include "daemon/link.h"
#include "daemon/nic-switch.h"

#define NETBACK_DRIVER  "/sys/bus/xen-backend/drivers/vif"
#define QUEUES_DEFAULT  4u
#define QUEUES_MAX      8u
#define FIRST_FD        3
#define STATE_WAITING   2u
#define ADDRESSES_BYTES 384
#define RATE_SLICE_US   50000u
#define NETBACK_LOOK_MS 20u
#define NETBACK_LOOKS   250u

struct nic {
	char name[LINK_NAME_BYTES]; /* of the device in the service VM; empty: not known yet */
	int fds[QUEUES_MAX];
	unsigned int nr_queues; /* as many descriptors are open */
	bool is_connected;
	bool is_unfiltered;              /* netback, and there is no nft */
	struct nodes_watch news_watch;   /* addresses that the backend has seen */
	struct loop_timer netback_timer; /* until netback has made its device */
	unsigned int nr_looks;
	struct device *device;
	char addresses[ADDRESSES_BYTES];
	char program[256], domain[16], id[16], queues[16];
};

static const struct interface *config_of(const struct device *d)
{
	return d->config;
}

static bool is_netback(const struct device *d)
{
	return config_of(d)->backend == CARD_NETBACK;
}

static void format_mac(const uint8_t mac[6], char ret_text[18])
{
	snprintf(ret_text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
}

static size_t nic_count(const struct domain_description *d)
{
	return d->nr_interfaces;
}

static const void *nic_config(const struct domain_description *d, size_t index)
{
	return &d->interfaces[index];
}

static char *nic_label(const void *config)
{
	const struct interface *nic = config;
	char mac[18];

	format_mac(nic->mac, mac);
	return strdup(mac);
}

/* --- before the guest has a domain --- */

static unsigned int free_id(const struct device *self)
{
	const struct device *d;
	unsigned int id = 0;
	bool is_taken = true;

	while (is_taken) {
		is_taken = false;
		list_for_each_entry(d, &self->guest->devices, node) {
			is_taken |= d != self && d->class == &nic_class && d->id == id;
		}
		id += is_taken;
	}
	return id;
}

/* Two of one address on a network make both fail, now and then. */
static int check_mac(const struct device *self, struct err *err)
{
	const struct guest *g;
	const struct device *d;

	list_for_each_entry(g, &self->guest->lodged->guests, node) {
		list_for_each_entry(d, &g->devices, node) {
			if (d != self && d->class == &nic_class && !strcmp(d->label, self->label))
				return err_set(err, -EBUSY, "guest \"%s\" has this MAC address",
					       g->name);
		}
	}
	return 0;
}

static int check_netback(struct err *err)
{
	static const char *const arguments[] = { "/sbin/modprobe", "-q", "xen-netback", NULL };
	struct err ignored;

	if (access(NETBACK_DRIVER, F_OK))
		(void)!run_program(arguments, NULL, &ignored);
	if (access(NETBACK_DRIVER, F_OK))
		return err_set(
			err, -ENOENT,
			"the service VM's kernel has no xen-netback; leave <driver name=\"netback\"/> out");
	return 0;
}

static int check_process(const struct device *d, struct err *err)
{
	struct nic *nic = d->private;

	snprintf(nic->program, sizeof(nic->program), "%s/lodge-net",
		 d->guest->lodged->options.libexec_dir);
	if (access(nic->program, X_OK))
		return err_errno(err, -errno, "%s", nic->program);
	if (access("/dev/net/tun", R_OK | W_OK))
		return err_errno(err, -errno, "/dev/net/tun");
	return 0;
}

static int check_name(const struct device *d, struct err *err)
{
	const char *target = config_of(d)->target;

	if (target && link_exists(target))
		return err_set(err, -EEXIST, "the service VM has a network device %s already",
			       target);
	return 0;
}

static void identify(struct device *d)
{
	struct nic *nic = d->private;

	nic->device = d;
	d->backend_kind = is_netback(d) ? "vif" : "lodge-net";
}

static int nic_prepare(struct device *d, size_t index, struct err *err)
{
	int code;

	(void)index;
	identify(d);
	d->id = free_id(d);
	code = check_mac(d, err);
	if (!code)
		code = nic_switch_check(config_of(d), err);
	if (!code)
		code = is_netback(d) ? check_netback(err) : check_process(d, err);
	return code ? code : check_name(d, err);
}

/* --- the guest has a domain --- */

static void name_device(struct device *d)
{
	struct nic *nic = d->private;

	if (config_of(d)->target)
		snprintf(nic->name, sizeof(nic->name), "%s", config_of(d)->target);
	else
		snprintf(nic->name, sizeof(nic->name), "vif%" PRIu32 ".%u", d->guest->domain,
			 d->id);
}

static unsigned int wanted_queues(const struct device *d)
{
	unsigned int nr = config_of(d)->nr_queues;

	if (!nr)
		nr = MIN(d->guest->active ? d->guest->active->d->nr_vcpus : 1u, QUEUES_DEFAULT);
	return MIN(nr, QUEUES_MAX);
}

static void close_queues(struct nic *nic)
{
	for (unsigned int i = 0; i < nic->nr_queues; i++)
		close(nic->fds[i]);
	nic->nr_queues = 0;
}

static int open_queues(struct device *d, unsigned int nr, struct err *err)
{
	struct nic *nic = d->private;
	int code;

	close_queues(nic);
	code = link_open_tap(nic->name, nr, nic->fds, err);
	if (!code)
		nic->nr_queues = nr;
	return code;
}

static void write_rate(struct batch *b, const char *name, const struct bandwidth *rate)
{
	if (rate->average || rate->peak)
		batch_write(b, name, "%" PRIu64 " %" PRIu64 " %" PRIu64, rate->average, rate->peak,
			    rate->burst);
}

static void write_allowed(struct batch *b, const struct interface *config)
{
	char text[2000] = ""; /* what a node holds */
	size_t used = 0;

	for (size_t i = 0; i < config->nr_addresses && used < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? " " : "",
					 config->addresses[i].address);
	if (used >= sizeof(text)) { /* half an address is another one */
		b->err = -E2BIG;
		return;
	}
	if (*text)
		batch_write(b, "allowed-addresses", "%s", text);
}

static void write_nodes(const struct device *d, struct batch *b)
{
	const struct interface *config = config_of(d);
	const struct nic *nic = d->private;
	uint32_t mtu = config->mtu;

	if (!mtu && config->bridge)
		mtu = link_mtu(config->bridge);
	batch_at(b, "%s", d->frontend_path);
	batch_write(b, "handle", "%u", d->id);
	batch_write(b, "mac", "%s", d->label);
	if (mtu)
		batch_write(b, "mtu", "%" PRIu32, mtu);
	batch_at(b, "%s", d->backend_path);
	batch_write(b, "handle", "%u", d->id);
	batch_write(b, "mac", "%s", d->label);
	batch_write(b, "vifname", "%s", nic->name);
	if (config->bridge)
		batch_write(b, "bridge", "%s", config->bridge);
	if (mtu)
		batch_write(b, "mtu", "%" PRIu32, mtu);
}

static void write_process_nodes(const struct device *d, struct batch *b)
{
	const struct interface *config = config_of(d);

	batch_write(b, "link", "%s", config->link_down ? "down" : "up");
	if (config->any_mac)
		batch_write(b, "trusted-addresses", "1");
	write_rate(b, "inbound", &config->inbound);
	write_rate(b, "outbound", &config->outbound);
	write_allowed(b, config);
}

static void write_kernel_nodes(const struct device *d, struct batch *b)
{
	const struct interface *config = config_of(d);

	/* Bytes for each slice of time; the kernel limits what comes from the guest only. */
	if (config->outbound.average)
		batch_write(b, "rate", "%" PRIu64 ",%u",
			    config->outbound.average * 1024 * RATE_SLICE_US / 1000000,
			    RATE_SLICE_US);
	batch_write(b, "script", "/bin/true"); /* netback wants one; there is nothing to do */
	batch_write(b, "hotplug-status", "waiting");
}

static void fill_spec(struct device *d, struct child_spec *spec)
{
	struct nic *nic = d->private;
	const char *const arguments[] = {
		nic->program,
		"--domain",
		nic->domain,
		"--device",
		nic->id,
		"--backend-path",
		d->backend_path,
		"--frontend-path",
		d->frontend_path,
		"--tap-fd",
		"3",
		"--queues",
		nic->queues,
	};

	static_assert(FIRST_FD == 3, "--tap-fd");
	snprintf(nic->domain, sizeof(nic->domain), "%" PRIu32, d->guest->domain);
	snprintf(nic->id, sizeof(nic->id), "%u", d->id);
	snprintf(nic->queues, sizeof(nic->queues), "%u", nic->nr_queues);
	for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
		spec->arguments[i] = arguments[i];
	spec->arguments[ARRAY_SIZE(arguments)] = NULL;
	for (unsigned int i = 0; i < nic->nr_queues; i++)
		spec->fds[i] = nic->fds[i];
	spec->nr_fds = nic->nr_queues;
}

static void read_addresses(struct nodes_watch *w, const char *path)
{
	struct nic *nic = container_of(w, struct nic, news_watch);
	struct nodes *nodes = nic->device->lodged->nodes;
	char *text = nodes_read(nodes, "%s", path);

	if (!text && !nodes_is_up(nodes))
		return; /* it tells when it is back */
	snprintf(nic->addresses, sizeof(nic->addresses), "%s", text ? text : "");
	free(text);
	if (*nic->addresses && nic->device->guest)
		guest_changed(nic->device->guest, "address");
}

static int watch_addresses(struct device *d, struct err *err)
{
	struct nic *nic = d->private;

	nodes_unwatch(d->guest->lodged->nodes, &nic->news_watch);
	nic->news_watch.changed = read_addresses;
	return nodes_watch(d->guest->lodged->nodes, &nic->news_watch, err,
			   "/local/domain/0/backend/%s/%" PRIu32 "/%u/addresses", d->backend_kind,
			   d->guest->domain, d->id);
}

static int nic_plug(struct device *d, struct batch *b, struct child_spec *spec, struct err *err)
{
	struct nic *nic = d->private;
	int code;

	name_device(d);
	write_nodes(d, b);
	if (is_netback(d)) {
		write_kernel_nodes(d, b);
		return 0;
	}
	write_process_nodes(d, b);
	code = open_queues(d, wanted_queues(d), err);
	if (!code)
		code = nic_switch_connect(config_of(d), nic->name, err);
	if (!code)
		code = watch_addresses(d, err);
	nic->is_connected = !code;
	if (!code)
		fill_spec(d, spec);
	return code;
}

/* --- the kernel's backend has made its device --- */

static void name_by_netback(const struct device *d, char name[LINK_NAME_BYTES])
{
	snprintf(name, LINK_NAME_BYTES, "vif%" PRIu32 ".%u", d->guest->domain, d->id);
}

static int connect_netback(struct device *d, struct err *err)
{
	struct nic *nic = d->private;
	char made[LINK_NAME_BYTES];
	int code = 0;

	name_by_netback(d, made);
	if (strcmp(made, nic->name) != 0 && !link_exists(nic->name))
		code = link_rename(made, nic->name, err);
	if (!code && !config_of(d)->any_mac) {
		code = nic_filter_add(config_of(d), nic->name, err);
		nic->is_unfiltered = code == -ENOENT;
		if (nic->is_unfiltered) {
			log_line("%s: interface %s: its source addresses are not filtered: %s",
				 d->guest->name, d->label, err->text);
			code = 0;
		}
	}
	if (!code)
		code = nic_switch_connect(config_of(d), nic->name, err);
	return code;
}

static void finish_netback(struct device *d)
{
	struct nic *nic = d->private;
	struct batch b;
	struct err err;
	int code;

	batch_init(&b);
	batch_at(&b, "%s", d->backend_path);
	code = connect_netback(d, &err);
	nic->is_connected = !code;
	if (code)
		batch_write(&b, "error", "%s", err.text);
	batch_write(&b, "hotplug-status", "%s", code ? "error" : "connected");
	if (nodes_run(d->guest->lodged->nodes, &b, false, &err))
		log_line("%s: interface %s: %s", d->guest->name, d->label, err.text);
	batch_fini(&b);
}

/* netback says that it waits before it makes its device: look again until that is there. */
static void look_for_netback(struct loop_timer *t)
{
	struct nic *nic = container_of(t, struct nic, netback_timer);
	struct device *d = nic->device;
	char made[LINK_NAME_BYTES];

	name_by_netback(d, made);
	if (link_exists(made) || link_exists(nic->name) || nic->nr_looks++ == NETBACK_LOOKS)
		finish_netback(d);
	else
		loop_timer_start(&d->guest->lodged->loop, t, NETBACK_LOOK_MS);
}

static void nic_backend_changed(struct device *d, unsigned int state)
{
	struct nic *nic = d->private;

	if (!is_netback(d) || state != STATE_WAITING || nic->is_connected)
		return;
	nic->device = d;
	nic->nr_looks = 0;
	nic->netback_timer.fire = look_for_netback;
	look_for_netback(&nic->netback_timer);
}

/* --- lodged is new, the guest is not --- */

static void nic_save(const struct device *d, cJSON *object)
{
	const struct nic *nic = d->private;

	cJSON_AddNumberToObject(object, "id", d->id);
	cJSON_AddStringToObject(object, "device", nic->name);
	cJSON_AddNumberToObject(object, "queues", nic->nr_queues);
}

static int adopt_process(struct device *d, unsigned int nr_queues, struct child_spec *spec,
			 struct err *err)
{
	struct nic *nic = d->private;
	bool is_there = link_exists(nic->name);
	int code = check_process(d, err);

	if (!code)
		code = open_queues(d, nr_queues, err);
	if (!code && is_there)
		code = link_park_queues(nic->fds, nr_queues, err);
	if (!code && !is_there)
		code = nic_switch_connect(config_of(d), nic->name, err);
	if (!code)
		code = watch_addresses(d, err);
	if (!code)
		fill_spec(d, spec);
	return code;
}

static int nic_adopt(struct device *d, size_t index, const cJSON *saved, struct child_spec *spec,
		     struct err *err)
{
	const cJSON *id = cJSON_GetObjectItemCaseSensitive(saved, "id");
	const cJSON *queues = cJSON_GetObjectItemCaseSensitive(saved, "queues");
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(saved, "device"));
	struct nic *nic = d->private;
	int code = 0;

	identify(d);
	d->id = cJSON_IsNumber(id) ? (unsigned int)id->valueint : (unsigned int)index;
	name_device(d);
	if (name)
		snprintf(nic->name, sizeof(nic->name), "%s", name);
	if (!is_netback(d))
		code = adopt_process(d,
				     cJSON_IsNumber(queues) && queues->valueint > 0
					     ? MIN((unsigned int)queues->valueint, QUEUES_MAX)
					     : wanted_queues(d),
				     spec, err);
	nic->is_connected = !code;
	return code;
}

/* --- what people see --- */

static void nic_addresses(const struct device *d, cJSON *array)
{
	const struct nic *nic = d->private;
	char text[ADDRESSES_BYTES], *rest = text, *word;

	snprintf(text, sizeof(text), "%s", nic->addresses);
	while ((word = strsep(&rest, " "))) {
		if (*word)
			cJSON_AddItemToArray(array, cJSON_CreateString(word));
	}
}

static void nic_status(struct device *d, cJSON *object)
{
	const struct interface *config = config_of(d);
	const struct nic *nic = d->private;

	cJSON_AddStringToObject(object, "target", nic->name);
	cJSON_AddStringToObject(object, "mac", d->label);
	if (config->bridge)
		cJSON_AddStringToObject(object, "bridge", config->bridge);
	else
		cJSON_AddNullToObject(object, "bridge");
	cJSON_AddBoolToObject(object, "filtered", !config->any_mac && !nic->is_unfiltered);
	if (!is_netback(d))
		cJSON_AddNumberToObject(object, "queues", nic->nr_queues);
	nic_addresses(d, cJSON_AddArrayToObject(object, "addresses"));
}

static void nic_release(struct device *d)
{
	struct nic *nic = d->private;

	nodes_unwatch(d->lodged->nodes, &nic->news_watch);
	loop_timer_stop(&nic->netback_timer);
	if (nic->is_connected && !d->is_forgotten) {
		nic_switch_disconnect(config_of(d), nic->name);
		if (is_netback(d))
			nic_filter_remove(nic->name);
	}
	close_queues(nic);
}

const struct device_class nic_class = {
	.name = "interface",
	.list_name = "interfaces",
	.kind = "vif",
	.private_bytes = sizeof(struct nic),
	.count = nic_count,
	.config = nic_config,
	.label = nic_label,
	.prepare = nic_prepare,
	.plug = nic_plug,
	.adopt = nic_adopt,
	.save = nic_save,
	.backend_changed = nic_backend_changed,
	.status = nic_status,
	.addresses = nic_addresses,
	.release = nic_release,
};

const char *nic_target(const struct device *d)
{
	const struct nic *nic = d->private;

	return nic->name;
}
