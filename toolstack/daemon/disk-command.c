/* See disk-command.h. */
#include "daemon/disk-command.h"

#include <inttypes.h>
#include <stdio.h>

#include "daemon/disk-source.h"
#include "daemon/guest.h"

#define QUEUES_DEFAULT 4u
#define QUEUES_MAX     8u

static const char *cache_of(const struct disk *config)
{
	static const char *const names[] = {
		[DISK_CACHE_DEFAULT] = "none",
		[DISK_CACHE_NONE] = "none",
		[DISK_CACHE_WRITETHROUGH] = "writethrough",
		[DISK_CACHE_WRITEBACK] = "writeback",
		[DISK_CACHE_DIRECTSYNC] = "directsync",
		[DISK_CACHE_UNSAFE] = "unsafe",
	};

	return names[config->cache];
}

struct words {
	const char **next;
};

static void add(struct words *w, const char *word)
{
	*w->next++ = word;
}

static void add_number(struct words *w, const char *option, char *text, size_t size,
		       uint64_t number)
{
	if (!number)
		return;
	snprintf(text, size, "%" PRIu64, number);
	add(w, option);
	add(w, text);
}

static void add_limits(const struct disk *c, struct disk_command *room, struct words *w)
{
	const struct {
		const char *unit;
		const struct disk_rate *rate;
	} units[] = { { "bytes", &c->bytes }, { "operations", &c->operations } };
	size_t nr = 0;

	for (size_t u = 0; u < ARRAY_SIZE(units); u++) {
		const struct disk_rate *r = units[u].rate;
		const struct {
			const char *name;
			uint64_t value;
		} settings[] = {
			{ "total", r->total },
			{ "read", r->read },
			{ "write", r->write },
			{ "total-max", r->total_max },
			{ "read-max", r->read_max },
			{ "write-max", r->write_max },
			{ "total-max-length", r->total_max_length },
			{ "read-max-length", r->read_max_length },
			{ "write-max-length", r->write_max_length },
		};

		for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
			if (!settings[i].value)
				continue;
			snprintf(room->limits[nr], DISK_LIMIT_BYTES, "--limit=%s-%s=%" PRIu64,
				 units[u].unit, settings[i].name, settings[i].value);
			add(w, room->limits[nr++]);
		}
	}
	if (c->operation_size) {
		snprintf(room->limits[nr], DISK_LIMIT_BYTES, "--limit=operation-size=%" PRIu64,
			 c->operation_size);
		add(w, room->limits[nr]);
	}
}

static void add_source(const struct disk *config, const char *source, struct words *w)
{
	if (disk_needs_server(config)) {
		add(w, "--image");
		add(w, source);
		add(w, "--format");
		add(w, disk_format_names[config->format]);
		add(w, "--cache");
		add(w, cache_of(config));
		add(w, "--qemu-nbd");
		add(w, DISK_QEMU_NBD);
	} else {
		static_assert(DISK_IMAGE_FD == 4, "--disk-fd");
		add(w, "--disk-fd");
		add(w, "4");
	}
}

static uint32_t wanted_queues(const struct device *d)
{
	const struct disk *config = d->config;
	uint32_t nr = config->nr_queues;

	if (!nr && d->guest->active)
		nr = MIN(d->guest->active->d->nr_vcpus, QUEUES_DEFAULT);
	return MIN(MAX(nr, 1U), QUEUES_MAX);
}

void disk_command_fill(struct disk_command *room, const struct device *d, const char *source,
		       uint64_t grow_to, const char **ret_arguments)
{
	const struct disk *config = d->config;
	struct words w = { ret_arguments };

	static_assert(DISK_JOURNAL_FD == 3, "--journal-fd");
	add(&w, room->program);
	add_number(&w, "--domain", room->domain, sizeof(room->domain), d->guest->domain);
	add(&w, "--frontend");
	add(&w, d->frontend_path);
	add(&w, "--backend");
	add(&w, d->backend_path);
	add(&w, "--journal-fd");
	add(&w, "3");
	add_source(config, source, &w);
	add_number(&w, "--queues", room->queues, sizeof(room->queues), wanted_queues(d));
	add_number(&w, "--logical-sector", room->logical, sizeof(room->logical),
		   config->logical_block_size);
	add_number(&w, "--physical-sector", room->physical, sizeof(room->physical),
		   config->physical_block_size);
	if (disk_is_read_only(config))
		add(&w, "--read-only");
	if (config->discard != DISK_DISCARD_IGNORE)
		add(&w, "--discard");
	if (grow_to) {
		add(&w, "--qemu-img");
		add(&w, DISK_QEMU_IMG);
	}
	add_number(&w, "--grow", room->grow, sizeof(room->grow), grow_to);
	add_limits(config, room, &w);
	add(&w, NULL);
}
