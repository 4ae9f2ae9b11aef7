#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "config/cloud-init.h"
#include "config/rules.h"
#include "config/walk.h"

#define DEFAULT_BRIDGE "xenbr0"

static void set_string(struct walk *w, char **field, const char *text)
{
	*field = strdup(text);
	if (!*field)
		w->err = -ENOMEM;
}

/* The domain as a whole. */

static void check_memory(struct walk *w, const xmlNode *node, struct domain_description *d)
{
	const xmlNode *current = walk_child(node, "currentMemory");
	const xmlNode *memtune = walk_child(node, "memtune");

	if (!d->memory_current)
		d->memory_current = d->memory;
	if (!d->memory)
		return;
	if (d->memory_current > d->memory)
		walk_mistake_text(w, current, "more than <memory>");
	if (d->memory_guaranteed > d->memory)
		walk_mistake_text(w, walk_child(memtune, "min_guarantee"), "more than <memory>");
	else if (d->memory_guaranteed > d->memory_current)
		walk_mistake_text(w, walk_child(memtune, "min_guarantee"),
				  "more than <currentMemory>");
}

/* Hundredths of a CPU, rounded up; 0: no limit. */
static uint64_t percent(const struct cpu_time *time, uint64_t nr_cpus)
{
	return div_round_up(time->quota_us * 100 * nr_cpus, time->period_us);
}

static void check_vcpus(struct walk *w, const xmlNode *node, struct domain_description *d)
{
	uint64_t each = percent(&d->vcpu_time, d->nr_vcpus), all = percent(&d->domain_time, 1);

	if (!d->nr_vcpus_current)
		d->nr_vcpus_current = d->nr_vcpus;
	if (d->nr_vcpus_current > d->nr_vcpus)
		walk_mistake_named(w, walk_child(node, "vcpu"), "current",
				   "more than the %u vCPUs there are", d->nr_vcpus);
	if (each && all)
		each = MIN(each, all);
	else
		each += all;
	d->cap_percent = each < UINT32_MAX ? (uint32_t)each : 0;
}

/* Pins, now that the number of vCPUs is known. */
static void check_pins(struct walk *w, const xmlNode *node, const struct domain_description *d)
{
	const xmlNode *cputune = walk_child(node, "cputune");

	for (const xmlNode *pin = walk_child(cputune, "vcpupin"); pin;
	     pin = walk_next(pin, "vcpupin")) {
		const xmlAttr *vcpu = walk_attribute(pin, "vcpu");
		const char *text = vcpu && vcpu->children ? (char *)vcpu->children->content : NULL;
		uint32_t number = text ? (uint32_t)strtoul(text, NULL, 10) : 0;

		if (number >= d->nr_vcpus && number < DOMAIN_MAX_VCPUS)
			walk_mistake_named(w, pin, "vcpu", "the last vCPU is %u", d->nr_vcpus - 1);
	}
}

static bool has_disk(const struct domain_description *d)
{
	for (size_t i = 0; i < d->nr_disks; i++)
		if (d->disks[i].path || d->disks[i].nr_hosts)
			return true;
	return false;
}

/* Either a kernel, with what it is given, or a loader that finds one. */
static void check_boot(struct walk *w, const xmlNode *node, const struct domain_description *d)
{
	static const char *const given[] = { "initrd", "cmdline" };
	const xmlNode *os = walk_child(node, "os");

	if (!os)
		return;
	if (walk_child(os, "kernel")) {
		if (walk_child(os, "loader"))
			walk_mistake(w, walk_child(os, "loader"), "goes without <kernel> only");
		return;
	}
	if (!walk_child(os, "loader") && !has_disk(d))
		walk_mistake(w, os,
			     "the element <kernel> is missing, and there is no disk to start from");
	for (size_t i = 0; i < ARRAY_SIZE(given); i++)
		if (walk_child(os, given[i]))
			walk_mistake(w, walk_child(os, given[i]), "goes with <kernel> only");
}

static const struct disk *find_target(const struct domain_description *d, const char *target)
{
	for (size_t i = 0; i < d->nr_disks; i++)
		if (d->disks[i].target && !strcmp(d->disks[i].target, target))
			return &d->disks[i];
	return NULL;
}

static const xmlNode *lodge_child(const xmlNode *node, const char *name)
{
	for (node = node ? node->children : NULL; node; node = node->next)
		if (node->type == XML_ELEMENT_NODE && node->ns &&
		    !strcmp((const char *)node->name, name))
			break;
	return node;
}

/* Unless said, the last free one of xvda to xvdz: there it is in nobody's way. */
static void check_seed_target(struct walk *w, const xmlNode *node, struct domain_description *d)
{
	struct disk *disk = &d->cloud_init.disk;
	char target[] = "xvdz";

	if (!d->cloud_init.is_wanted)
		return;
	disk->readonly = true;
	if (disk->target && find_target(d, disk->target))
		walk_mistake_named(w, lodge_child(walk_child(node, "metadata"), "cloud-init"),
				   "target", "another disk has this name");
	while (target[3] > 'a' && find_target(d, target))
		target[3]--;
	if (!disk->target)
		set_string(w, &disk->target, target);
}

static void make_uuid(struct domain_description *d)
{
	d->uuid_made = uuid_is_null(d->uuid);
	if (d->uuid_made)
		uuid_generate_random(d->uuid);
}

static uint64_t hash(uint64_t state, const void *data, size_t length)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < length; i++) /* FNV-1a */
		state = (state ^ bytes[i]) * UINT64_C(0x100000001b3);
	return state;
}

static bool mac_is_set(const struct interface *card)
{
	static const uint8_t none[6];

	return memcmp(card->mac, none, sizeof(none)) != 0;
}

static bool mac_is_taken(const struct domain_description *d, const struct interface *card)
{
	for (size_t i = 0; i < d->nr_interfaces; i++)
		if (&d->interfaces[i] != card &&
		    !memcmp(d->interfaces[i].mac, card->mac, sizeof(card->mac)))
			return true;
	return false;
}

/* Xen's prefix and 24 bits that depend on the guest and on the card's number alone. */
static void make_mac(const struct walk *w, struct interface *card, size_t nr)
{
	const struct domain_description *d = w->domain;
	uint64_t state = UINT64_C(0xcbf29ce484222325);

	state = hash(state, w->host ? w->host : "", w->host ? strlen(w->host) : 0);
	if (d->uuid_made)
		state = hash(state, d->name ? d->name : "", d->name ? strlen(d->name) : 0);
	else
		state = hash(state, d->uuid, sizeof(d->uuid));
	state = hash(state, &nr, sizeof(nr));
	for (uint32_t bits = (uint32_t)(state ^ state >> 24 ^ state >> 48);; bits++) {
		const uint8_t mac[6] = {
			0x00, 0x16, 0x3e, bits >> 16 & 0x7f, bits >> 8 & 0xff, bits & 0xff,
		};

		memcpy(card->mac, mac, sizeof(mac));
		if (!mac_is_taken(d, card))
			break;
	}
}

void check_domain(struct walk *w, const xmlNode *node, void *object)
{
	struct domain_description *d = object;

	d->console = true;
	check_memory(w, node, d);
	check_vcpus(w, node, d);
	check_pins(w, node, d);
	check_boot(w, node, d);
	check_seed_target(w, node, d);
	make_uuid(d);
	for (size_t i = 0; i < d->nr_interfaces; i++)
		if (!mac_is_set(&d->interfaces[i]))
			make_mac(w, &d->interfaces[i], i);
}

/* The seed of cloud-init. */

void check_cloud_init_part(struct walk *w, const xmlNode *node, void *object)
{
	const struct domain_description *d = object;
	enum cloud_init_part part = cloud_init_part_find((const char *)node->name);
	const struct cloud_init_source *source = &d->cloud_init.parts[part];
	struct err err;

	if (source->text && source->file)
		walk_mistake(w, node, "has both text and the attribute \"file\"");
	else if (!source->text && !walk_attribute(node, "file"))
		walk_mistake(w, node, "empty; it takes text, or the attribute \"file\"");
	else if (source->text && cloud_init_check(part, source->text, &err))
		walk_mistake(w, node, "%s", err.text);
}

void check_hostname(struct walk *w, const xmlNode *node, void *object)
{
	const struct domain_description *d = object;

	if (d->cloud_init.hostname && !cloud_init_is_hostname(d->cloud_init.hostname))
		walk_mistake_text(w, node,
				  "not a host's name: up to 64 letters, digits, hyphens and dots");
}

void check_cloud_init(struct walk *w, const xmlNode *node, void *object)
{
	const struct domain_description *d = object;
	const struct cloud_init_source *source = &d->cloud_init.parts[CLOUD_INIT_META_DATA];

	if (d->cloud_init.hostname && (source->text || source->file))
		walk_mistake(
			w, lodge_child(node, "hostname"),
			"goes without <lodge:meta-data> only, which says it as local-hostname");
}

/* Items of lists: the last item is the one that was just read. */

void check_pin(struct walk *w, const xmlNode *node, void *object)
{
	const struct vcpu_pin *pin = object;

	for (const struct vcpu_pin *other = w->domain->pins; other < pin; other++) {
		if (walk_attribute(node, "vcpu") && other->vcpu == pin->vcpu) {
			walk_mistake_named(w, node, "vcpu", "this vCPU is pinned twice");
			break;
		}
	}
}

void check_feature(struct walk *w, const xmlNode *node, void *object)
{
	const struct feature_setting *feature = object;

	for (const struct feature_setting *other = w->domain->features; other < feature; other++) {
		if (feature->name && other->name && !strcmp(other->name, feature->name)) {
			walk_mistake_named(w, node, "name", "this feature is named twice");
			break;
		}
	}
}

void check_clock(struct walk *w, const xmlNode *node, void *object)
{
	const struct domain_description *d = object;

	if (d->clock_adjustment_s && d->clock != CLOCK_VARIABLE)
		walk_mistake_named(w, node, "adjustment", "goes with offset=\"variable\" only");
	if (d->clock_basis != CLOCK_BASIS_UTC && d->clock != CLOCK_VARIABLE)
		walk_mistake_named(w, node, "basis", "goes with offset=\"variable\" only");
	if (d->clock_zone && d->clock != CLOCK_TIMEZONE)
		walk_mistake_named(w, node, "timezone", "goes with offset=\"timezone\" only");
	if (!walk_attribute(node, "timezone") && d->clock == CLOCK_TIMEZONE)
		walk_mistake(w, node, "the attribute \"timezone\" is missing");
}

void check_controller(struct walk *w, const xmlNode *node, void *object)
{
	(void)object;
	if (walk_attribute(node, "index") && walk_attribute(node, "index")->children &&
	    strcmp((const char *)walk_attribute(node, "index")->children->content, "0") != 0)
		walk_mistake_named(w, node, "index", "there is one controller, 0");
}

/* Disks. */

/* iSCSI and RBD: what is asked for has a name, and is not on this machine. */
static void check_remote(struct walk *w, const xmlNode *source, const struct disk *disk)
{
	if (!disk->export_name)
		walk_mistake(w, source, "the attribute \"name\" is missing");
	if (disk->protocol == DISK_ISCSI && disk->nr_hosts > 1)
		walk_mistake(w, source, "has more than one <host>");
	for (size_t i = 0; i < disk->nr_hosts; i++)
		if (disk->hosts[i].transport != HOST_TCP)
			walk_mistake(w, source,
				     "transport=\"unix\" goes with protocol=\"nbd\" only");
}

static void check_disk_source(struct walk *w, const xmlNode *node, const struct disk *disk)
{
	const xmlNode *source = walk_child(node, "source");
	const xmlNode *place = source ? source : node;

	if (disk->type == DISK_NETWORK && !disk->nr_hosts && !walk_child(source, "host"))
		walk_mistake(w, place, "the element <host> is missing");
	if (disk->type == DISK_NETWORK && disk->protocol != DISK_NBD)
		check_remote(w, place, disk);
	if (disk->type == DISK_NETWORK || disk->path || disk->device == DISK_CDROM)
		return;
	if (!source)
		walk_mistake(w, node, "the element <source> is missing");
	else if (!walk_attribute(source, disk->type == DISK_FILE ? "file" : "dev"))
		walk_mistake(w, source, "the attribute \"%s\" is missing",
			     disk->type == DISK_FILE ? "file" : "dev");
}

void check_disk(struct walk *w, const xmlNode *node, void *object)
{
	struct disk *disk = object;
	const xmlNode *blockio = walk_child(node, "blockio");

	if (disk->device == DISK_CDROM)
		disk->readonly = true;
	check_disk_source(w, node, disk);
	for (const struct disk *other = w->domain->disks; other < disk; other++) {
		if (disk->target && other->target && !strcmp(other->target, disk->target)) {
			walk_mistake_named(w, walk_child(node, "target"), "dev",
					   "another disk has this name");
			break;
		}
	}
	if (disk->shareable && disk->format != DISK_RAW)
		walk_mistake(w, walk_child(node, "shareable"), "goes with type=\"raw\" only");
	if (disk->logical_block_size & (disk->logical_block_size - 1))
		walk_mistake_named(w, blockio, "logical_block_size", "not a power of two");
	if (disk->physical_block_size & (disk->physical_block_size - 1))
		walk_mistake_named(w, blockio, "physical_block_size", "not a power of two");
	else if (disk->physical_block_size && disk->physical_block_size < disk->logical_block_size)
		walk_mistake_named(w, blockio, "physical_block_size",
				   "less than the logical block size");
}

void check_host(struct walk *w, const xmlNode *node, void *object)
{
	const struct disk_host *host = object;
	const char *needed = host->transport == HOST_TCP ? "name" : "socket";

	if (!walk_attribute(node, needed))
		walk_mistake(w, node, "the attribute \"%s\" is missing", needed);
}

static void check_rate(struct walk *w, const xmlNode *node, const struct disk_rate *rate,
		       const char *what)
{
	if (rate->total && (rate->read || rate->write))
		walk_mistake(w, node, "limits %s both in total and by direction", what);
	if ((rate->total_max && rate->total_max < rate->total) ||
	    (rate->read_max && rate->read_max < rate->read) ||
	    (rate->write_max && rate->write_max < rate->write))
		walk_mistake(w, node, "lets bursts of %s be slower than their steady rate", what);
	if ((rate->total_max && !rate->total) || (rate->read_max && !rate->read) ||
	    (rate->write_max && !rate->write))
		walk_mistake(w, node, "limits bursts of %s, and not their steady rate", what);
}

void check_iotune(struct walk *w, const xmlNode *node, void *object)
{
	const struct disk *disk = object;

	check_rate(w, node, &disk->bytes, "bytes");
	check_rate(w, node, &disk->operations, "operations");
}

/* Network cards. */

/* vif3.0 is what the backend calls a card without a name: it changes with each start. */
static bool is_backend_name(const char *name)
{
	size_t digits;

	if (strncmp(name, "vif", 3) != 0)
		return false;
	name += 3;
	digits = strspn(name, "0123456789");
	if (!digits || name[digits] != '.')
		return false;
	name += digits + 1;
	return *name && !name[strspn(name, "0123456789")];
}

static void check_targets(struct walk *w, const xmlNode *node, struct interface *card)
{
	if (card->target && is_backend_name(card->target)) {
		free(card->target);
		card->target = NULL;
	}
	for (const struct interface *other = w->domain->interfaces; other < card; other++) {
		if (card->target && other->target && !strcmp(other->target, card->target)) {
			walk_mistake_named(w, walk_child(node, "target"), "dev",
					   "another interface has this name");
			break;
		}
	}
}

static void check_bandwidth(struct walk *w, const xmlNode *node, const char *direction,
			    const struct bandwidth *rate)
{
	const xmlNode *bandwidth = walk_child(node, "bandwidth");

	if (rate->peak && rate->peak < rate->average)
		walk_mistake_named(w, walk_child(bandwidth, direction), "peak",
				   "less than the average");
}

void check_interface(struct walk *w, const xmlNode *node, void *object)
{
	struct interface *card = object;
	const xmlNode *source = walk_child(node, "source");

	if (card->type == INTERFACE_BRIDGE && !card->bridge && !walk_child(node, "source"))
		set_string(w, &card->bridge, DEFAULT_BRIDGE);
	if (card->type == INTERFACE_BRIDGE && source && !walk_attribute(source, "bridge"))
		walk_mistake(w, source, "the attribute \"bridge\" is missing");
	if (card->type == INTERFACE_NETWORK && (!source || !walk_attribute(source, "network")))
		walk_mistake(w, source ? source : node, "the attribute \"network\" is missing");
	for (const struct interface *other = w->domain->interfaces; other < card; other++) {
		if (mac_is_set(card) && !memcmp(other->mac, card->mac, sizeof(card->mac))) {
			walk_mistake_named(w, walk_child(node, "mac"), "address",
					   "another interface has this address");
			break;
		}
	}
	check_targets(w, node, card);
	check_bandwidth(w, node, "inbound", &card->inbound);
	check_bandwidth(w, node, "outbound", &card->outbound);
}

void check_vlan(struct walk *w, const xmlNode *node, void *object)
{
	struct interface *card = object;

	if (card->nr_vlans > 1 && !card->vlan_trunk) {
		if (walk_attribute(node, "trunk"))
			walk_mistake_named(w, node, "trunk", "several tags make a trunk");
		card->vlan_trunk = true;
	}
}

void check_card_address(struct walk *w, const xmlNode *node, void *object)
{
	const struct card_address *a = object;
	unsigned char bytes[sizeof(struct in6_addr)];

	if (a->address && inet_pton(AF_INET, a->address, bytes) != 1 &&
	    inet_pton(AF_INET6, a->address, bytes) != 1)
		walk_mistake_named(w, node, "value", "no IP address such as \"192.0.2.7\"");
}
