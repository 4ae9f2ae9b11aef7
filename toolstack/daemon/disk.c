/*
 * Disks: the device class, for both backends. lodge-block gets the image's descriptor, or the name of one for
 * qemu-nbd; and a journal, a file in the run folder that outlives it. The service VM's kernel (blkback) gets a
 * block device, a loop device if need be.
 */
#include "daemon/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/fs.h>
#include <linux/loop.h>

#include "daemon/disk-source.h"
#include "daemon/guest.h"
#include "daemon/nic-switch.h"
#include "daemon/seed.h"

#define BLKBACK_DRIVER  "/sys/bus/xen-backend/drivers/vbd"
#define BLKBACK_DEVICES "/sys/bus/xen-backend/devices"
#define QUEUES_DEFAULT  4u
#define QUEUES_MAX      8u
#define LOGICAL_MAX     4096u
#define JOURNAL_FD      3 /* in lodge-block */
#define IMAGE_FD        4
#define LIMITS_MAX      20
#define TEXT_BYTES      48
#define LOOKS_MAX       (10000u / DEVICE_LOOK_MS)

struct disk_state {
	struct device *device;
	int fd;       /* of the image; -1: none, it is somewhere in the network */
	int probe_fd; /* the image opened anew, to see its lock; -1: not yet */
	unsigned int nr_looks;
	int loop_fd;    /* the kernel's backend; -1: none */
	int journal_fd; /* -1: none yet */
	char *source;   /* for the server, and for people */
	char journal[288];
	struct nodes_watch status_watch;
	bool is_full; /* the guest waits for space */

	char program[288], domain[16], queues[16], logical[16], physical[16];
	char limits[LIMITS_MAX][TEXT_BYTES];
};

static const struct disk *config_of(const struct device *d)
{
	return d->config;
}

static bool is_blkback(const struct device *d)
{
	return config_of(d)->backend == DISK_BLKBACK;
}

static bool is_empty_drive(const struct device *d)
{
	return config_of(d)->type != DISK_NETWORK && !config_of(d)->path;
}

/* The disk that the description implies, behind those it has. */
static bool is_seed(const struct device *d)
{
	const struct config *c = d->guest->active;

	return c && config_of(d) == &c->d->cloud_init.disk;
}

static size_t disk_count(const struct domain_description *d)
{
	return d->nr_disks + d->cloud_init.is_wanted;
}

static const void *disk_config(const struct domain_description *d, size_t index)
{
	return index < d->nr_disks ? &d->disks[index] : &d->cloud_init.disk;
}

static char *disk_label(const void *config)
{
	const struct disk *disk = config;

	return strdup(disk->target);
}

/* --- before the guest has a domain --- */

static void identify(struct device *d)
{
	struct disk_state *disk = d->private;

	disk->device = d;
	disk->fd = -1;
	disk->probe_fd = -1;
	disk->loop_fd = -1;
	disk->journal_fd = -1;
	d->id = device_disk_id(d->label);
	d->backend_kind = is_blkback(d) ? "vbd" : "lodge-block";
}

static int check_blkback(const struct device *d, struct err *err)
{
	static const char *const arguments[] = { "/sbin/modprobe", "-q", "xen-blkback", NULL };
	struct err ignored;

	if (disk_needs_server(config_of(d)) || is_empty_drive(d))
		return err_set(err, -EINVAL,
			       "the kernel serves raw disks only; leave name=\"phy\" out");
	if (access(BLKBACK_DRIVER, F_OK))
		(void)!run_program(arguments, NULL, &ignored);
	if (access(BLKBACK_DRIVER, F_OK))
		return err_set(
			err, -ENOENT,
			"the service VM's kernel has no xen-blkback; leave name=\"phy\" out");
	return 0;
}

static int check_process(const struct device *d, struct err *err)
{
	struct disk_state *disk = d->private;

	snprintf(disk->program, sizeof(disk->program), "%s/lodge-block",
		 d->guest->lodged->options.libexec_dir);
	if (access(disk->program, X_OK))
		return err_errno(err, -errno, "%s", disk->program);
	return disk_needs_server(config_of(d)) ? disk_check_server(err) : 0;
}

static int check_settings(const struct device *d, struct err *err)
{
	const struct disk *config = config_of(d);

	if (config->logical_block_size > LOGICAL_MAX)
		return err_set(err, -EINVAL, "sectors of %u bytes are more than %u",
			       config->logical_block_size, LOGICAL_MAX);
	if (config->tls)
		return err_set(err, -EINVAL, "servers are reached without TLS only");
	if (device_find(d->guest, &disk_class, d->label) &&
	    device_find(d->guest, &disk_class, d->label) != d)
		return err_set(err, -EEXIST, "the guest has this disk already");
	return 0;
}

static char *name_source(const struct device *d)
{
	if (is_seed(d))
		return strdup("cloud-init");
	return is_empty_drive(d) ? strdup("") : disk_source_name(config_of(d));
}

static int open_image(struct device *d, struct err *err)
{
	struct disk_state *disk = d->private;

	disk->source = name_source(d);
	if (!disk->source)
		return err_set(err, -ENOMEM, "no memory");
	if (is_seed(d))
		return seed_create(d->guest->active->d, &disk->fd, err);
	if (is_empty_drive(d))
		return disk_source_empty(&disk->fd, err);
	if (config_of(d)->type == DISK_NETWORK)
		return 0;
	return disk_source_open(config_of(d), &disk->fd, err);
}

/* Who has the image, for the message: lodged knows its guests. */
static const char *user_of(const struct device *self)
{
	const struct guest *g;
	const struct device *d;

	list_for_each_entry(g, &self->guest->lodged->guests, node) {
		list_for_each_entry(d, &g->devices, node) {
			if (d != self && d->class == &disk_class && config_of(d)->path &&
			    !strcmp(config_of(d)->path, config_of(self)->path))
				return g->name;
		}
	}
	return NULL;
}

static int disk_prepare(struct device *d, size_t index, struct err *err)
{
	const char *user;
	int code;

	(void)index;
	identify(d);
	code = check_settings(d, err);
	if (!code)
		code = is_blkback(d) ? check_blkback(d, err) : check_process(d, err);
	if (code)
		return code;
	code = open_image(d, err);
	user = code == -EBUSY ? user_of(d) : NULL;
	if (user)
		return err_set(err, code, "%s is in use by guest \"%s\", and not <shareable/>",
			       config_of(d)->path, user);
	return code;
}

/* --- the guest has a domain --- */

static void write_nodes(const struct device *d, struct batch *b)
{
	const struct disk_state *disk = d->private;
	const struct disk *config = config_of(d);

	batch_at(b, "%s", d->frontend_path);
	batch_write(b, "virtual-device", "%u", d->id);
	batch_write(b, "device-type", "%s", config->device == DISK_CDROM ? "cdrom" : "disk");
	batch_at(b, "%s", d->backend_path);
	batch_write(b, "dev", "%s", d->label);
	batch_write(b, "mode", "%s", disk_is_read_only(config) ? "r" : "w");
	batch_write(b, "device-type", "%s", config->device == DISK_CDROM ? "cdrom" : "disk");
	batch_write(b, "params", "%s", disk->source);
}

static int write_kernel_nodes(const struct device *d, struct batch *b, struct err *err)
{
	struct disk_state *disk = d->private;
	const struct disk *config = config_of(d);
	struct stat s;
	int code = 0;

	if (config->type == DISK_FILE && disk->loop_fd < 0)
		code = disk_make_loop(disk->fd, disk_is_read_only(config), &disk->loop_fd, err);
	if (code)
		return code;
	if (fstat(disk->loop_fd < 0 ? disk->fd : disk->loop_fd, &s))
		return err_errno(err, -errno, "%s", config->path);
	batch_write(b, "type", "phy");
	batch_write(b, "physical-device", "%x:%x", major(s.st_rdev), minor(s.st_rdev));
	if (config->discard == DISK_DISCARD_IGNORE)
		batch_write(b, "discard-enable", "0");
	return 0;
}

/* A new domain has rings of its own: what an earlier one has left is of no use. */
static int make_journal(struct device *d, bool is_new, struct err *err)
{
	struct disk_state *disk = d->private;

	if (disk->journal_fd >= 0)
		close(disk->journal_fd);
	snprintf(disk->journal, sizeof(disk->journal), "%s/block-%" PRIu32 "-%u",
		 d->guest->lodged->options.run_dir, d->guest->domain, d->id);
	disk->journal_fd =
		open(disk->journal,
		     O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (is_new ? O_TRUNC : 0), 0600);
	return disk->journal_fd < 0 ? err_errno(err, -errno, "%s", disk->journal) : 0;
}

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

static void add_limits(struct disk_state *disk, struct words *w)
{
	const struct disk *c = config_of(disk->device);
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
			snprintf(disk->limits[nr], TEXT_BYTES, "--limit=%s-%s=%" PRIu64,
				 units[u].unit, settings[i].name, settings[i].value);
			add(w, disk->limits[nr++]);
		}
	}
	if (c->operation_size) {
		snprintf(disk->limits[nr], TEXT_BYTES, "--limit=operation-size=%" PRIu64,
			 c->operation_size);
		add(w, disk->limits[nr]);
	}
}

static void add_source(const struct device *d, struct words *w)
{
	const struct disk_state *disk = d->private;
	const struct disk *config = config_of(d);

	if (disk_needs_server(config)) {
		add(w, "--image");
		add(w, disk->source);
		add(w, "--format");
		add(w, disk_format_names[config->format]);
		add(w, "--cache");
		add(w, cache_of(config));
		add(w, "--qemu-nbd");
		add(w, DISK_QEMU_NBD);
	} else {
		static_assert(IMAGE_FD == 4, "--disk-fd");
		add(w, "--disk-fd");
		add(w, "4");
	}
}

static uint32_t wanted_queues(const struct device *d)
{
	uint32_t nr = config_of(d)->nr_queues;

	if (!nr && d->guest->active)
		nr = MIN(d->guest->active->d->nr_vcpus, QUEUES_DEFAULT);
	return MIN(MAX(nr, 1U), QUEUES_MAX);
}

static void fill_spec(struct device *d, struct child_spec *spec)
{
	struct disk_state *disk = d->private;
	const struct disk *config = config_of(d);
	struct words w = { spec->arguments };

	static_assert(JOURNAL_FD == 3, "--journal-fd");
	add(&w, disk->program);
	add_number(&w, "--domain", disk->domain, sizeof(disk->domain), d->guest->domain);
	add(&w, "--frontend");
	add(&w, d->frontend_path);
	add(&w, "--backend");
	add(&w, d->backend_path);
	add(&w, "--journal-fd");
	add(&w, "3");
	add_source(d, &w);
	add_number(&w, "--queues", disk->queues, sizeof(disk->queues), wanted_queues(d));
	add_number(&w, "--logical-sector", disk->logical, sizeof(disk->logical),
		   config->logical_block_size);
	add_number(&w, "--physical-sector", disk->physical, sizeof(disk->physical),
		   config->physical_block_size);
	if (disk_is_read_only(config))
		add(&w, "--read-only");
	if (config->discard != DISK_DISCARD_IGNORE)
		add(&w, "--discard");
	add_limits(disk, &w);
	add(&w, NULL);
	spec->fds[0] = disk->journal_fd;
	spec->nr_fds = 1;
	if (disk->fd >= 0)
		spec->fds[spec->nr_fds++] =
			disk->fd; /* with the lock, also where a server reads it */
}

/* The image has no room, or has it again. */
static void status_changed(struct nodes_watch *w, const char *path)
{
	struct disk_state *disk = container_of(w, struct disk_state, status_watch);
	struct device *d = disk->device;
	char *text = nodes_read(d->lodged->nodes, "%s", path);
	bool is_full = text && !strcmp(text, "no-space");

	free(text);
	if (!d->guest || is_full == disk->is_full)
		return;
	disk->is_full = is_full;
	snprintf(d->error, sizeof(d->error), "%s",
		 is_full ? "no space is left for its image; the guest waits until there is" : "");
	log_line("%s: disk %s: %s", d->guest->name, d->label,
		 is_full ? d->error : "there is space again");
	guest_changed(d->guest, is_full ? "disk-full" : "disk-resumed");
}

static int watch_status(struct device *d, struct err *err)
{
	struct disk_state *disk = d->private;

	nodes_unwatch(d->guest->lodged->nodes, &disk->status_watch);
	disk->status_watch.changed = status_changed;
	return nodes_watch(d->guest->lodged->nodes, &disk->status_watch, err,
			   "/local/domain/0/backend/%s/%" PRIu32 "/%u/status", d->backend_kind,
			   d->guest->domain, d->id);
}

static int disk_plug(struct device *d, struct batch *b, struct child_spec *spec, struct err *err)
{
	int code;

	write_nodes(d, b);
	if (is_blkback(d))
		return write_kernel_nodes(d, b, err);
	code = make_journal(d, true, err);
	if (!code)
		code = watch_status(d, err);
	if (!code)
		fill_spec(d, spec);
	return code;
}

/* --- lodged is new, the guest is not --- */

/* The image's descriptor, and with it its lock, from the backend that has it. */
static int take_image_from(const cJSON *saved, int *ret_fd)
{
	const cJSON *number = cJSON_GetObjectItemCaseSensitive(saved, "pid");
	const cJSON *time = cJSON_GetObjectItemCaseSensitive(saved, "pid_time");
	pid_t pid = cJSON_IsNumber(number) ? (pid_t)number->valuedouble : 0;
	int process = pid > 0 ? pidfd_open(pid, 0) : -1, fd = -1;

	if (process < 0)
		return -ESRCH;
	if (cJSON_IsNumber(time) && process_is(pid, (uint64_t)time->valuedouble))
		fd = pidfd_getfd(process, IMAGE_FD, 0);
	close(process);
	if (fd < 0)
		return -ESRCH;
	*ret_fd = fd;
	return 0;
}

static int disk_adopt(struct device *d, size_t index, const cJSON *saved, struct child_spec *spec,
		      struct err *err)
{
	struct disk_state *disk = d->private;
	int code;

	(void)index;
	identify(d);
	disk->source = name_source(d);
	/* The kernel has all it needs; a loop device has the lock, too. */
	if (is_blkback(d))
		return config_of(d)->type == DISK_BLOCK
			       ? disk_source_open(config_of(d), &disk->fd, err)
			       : 0;
	code = check_process(d, err);
	if (code)
		return code;
	/* A process that has died meanwhile has left its lock, too. */
	if (config_of(d)->type == DISK_NETWORK || take_image_from(saved, &disk->fd)) {
		free(disk->source);
		code = open_image(d, err);
	}
	if (!code)
		code = make_journal(d, false, err);
	if (!code)
		code = watch_status(d, err);
	if (!code)
		fill_spec(d, spec);
	return code;
}

/* --- what people see --- */

static uint64_t size_of(int fd)
{
	struct stat s;
	uint64_t bytes = 0;

	if (fd < 0 || fstat(fd, &s))
		return 0;
	if (S_ISBLK(s.st_mode))
		return ioctl(fd, BLKGETSIZE64, &bytes) ? 0 : bytes;
	return (uint64_t)s.st_size;
}

static void disk_status(struct device *d, cJSON *object)
{
	const struct disk_state *disk = d->private;
	const struct disk *config = config_of(d);

	cJSON_AddStringToObject(object, "target", d->label);
	cJSON_AddStringToObject(object, "source", disk->source ? disk->source : "");
	cJSON_AddStringToObject(object, "format", disk_format_names[config->format]);
	cJSON_AddBoolToObject(object, "read_only", disk_is_read_only(config));
	if (disk->fd >= 0 && config->format == DISK_RAW)
		cJSON_AddNumberToObject(object, "bytes", (double)size_of(disk->fd));
}

static void close_one(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* The kernel's backend has a device of its own as long as it uses the disk: vbd-DOMAIN-ID. */
static bool kernel_has(const struct device *d)
{
	uint32_t domain;
	char path[64];

	if (sscanf(d->backend_path, "/local/domain/0/backend/vbd/%" SCNu32, &domain) != 1)
		return false;
	snprintf(path, sizeof(path), BLKBACK_DEVICES "/vbd-%" PRIu32 "-%u", domain, d->id);
	return !access(path, F_OK);
}

/* A dead process' io_uring lets go of the image, and with it of the lock, when its last operation has ended. The lock is
 * ours, too, as long as we have the same description. Where that takes for ever, the guest is not held up: who wants the
 * image next is told that it is in use. */
static bool disk_is_gone(struct device *d)
{
	struct disk_state *disk = d->private;

	if (disk->fd >= 0) {
		disk->probe_fd = disk_source_open_anew(disk->fd);
		close(disk->fd);
		disk->fd = -1;
	}
	close_one(disk->loop_fd); /* it goes with the last who has it open */
	disk->loop_fd = -1;
	if (disk->nr_looks++ >= LOOKS_MAX)
		return true;
	if (is_blkback(d) && kernel_has(d))
		return false;
	return disk->probe_fd < 0 || disk_source_is_free(config_of(d), disk->probe_fd);
}

static void disk_release(struct device *d)
{
	struct disk_state *disk = d->private;

	if (!disk->device)
		return;
	nodes_unwatch(d->lodged->nodes, &disk->status_watch);
	close_one(disk->fd);
	close_one(disk->probe_fd);
	close_one(disk->loop_fd);
	close_one(disk->journal_fd);
	if (*disk->journal && !d->is_forgotten)
		unlink(disk->journal);
	free(disk->source);
}

const struct device_class disk_class = {
	.name = "disk",
	.list_name = "disks",
	.kind = "vbd",
	.private_bytes = sizeof(struct disk_state),
	.count = disk_count,
	.config = disk_config,
	.label = disk_label,
	.prepare = disk_prepare,
	.plug = disk_plug,
	.adopt = disk_adopt,
	.status = disk_status,
	.is_gone = disk_is_gone,
	.release = disk_release,
};

/* --- growing --- */

static int grow_file(const struct disk_state *disk, uint64_t bytes, struct err *err)
{
	if (ftruncate(disk->fd, (off_t)bytes))
		return err_errno(err, -errno, "%s", disk->source);
	if (disk->loop_fd >= 0 && ioctl(disk->loop_fd, LOOP_SET_CAPACITY, 0))
		return err_errno(err, -errno, "the loop device of %s", disk->source);
	return 0;
}

static int tell_backend(struct device *d, uint64_t bytes, struct err *err)
{
	struct batch b;
	int code;

	if (is_blkback(d))
		return 0; /* it sees by itself */
	batch_init(&b);
	batch_at(&b, "%s", d->backend_path);
	batch_write(&b, "resize", "%" PRIu64, bytes);
	code = nodes_run(d->guest->lodged->nodes, &b, false, err);
	batch_fini(&b);
	return code;
}

int disk_resize(struct device *d, uint64_t bytes, struct err *err)
{
	struct disk_state *disk = d->private;
	const struct disk *config = config_of(d);
	uint64_t now = size_of(disk->fd);
	int code = 0;

	if (disk_needs_server(config) || disk->fd < 0)
		return err_set(
			err, -EOPNOTSUPP,
			"only raw disks grow while the guest runs; stop it, and use qemu-img resize");
	if (config->type == DISK_BLOCK ? bytes != now : bytes < now)
		return err_set(err, -EINVAL, "%s has %" PRIu64 " bytes; %s", disk->source, now,
			       config->type == DISK_BLOCK ? "let the device grow first"
							  : "a disk can only grow");
	if (bytes % 512)
		return err_set(err, -EINVAL, "%" PRIu64 " bytes are no whole sectors", bytes);
	if (config->type == DISK_FILE)
		code = grow_file(disk, bytes, err);
	return code ? code : tell_backend(d, bytes, err);
}
