/*
 * Disks: the device class, for both backends. lodge-block gets the image's descriptor, or the name of one for
 * qemu-nbd; and a journal, a file in the run folder that outlives it. The service VM's kernel (blkback) gets a
 * block device, a loop device if need be.
 */
#include "daemon/disk.h"

#include <dirent.h>
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

#include "daemon/disk-command.h"
#include "daemon/disk-source.h"
#include "daemon/guest.h"
#include "daemon/nic-switch.h"
#include "daemon/seed.h"
#include "lib/cleanup.h"

#define BLKBACK_DRIVER  "/sys/bus/xen-backend/drivers/vbd"
#define BLKBACK_DEVICES "/sys/bus/xen-backend/devices"
#define LOGICAL_MAX     4096u
#define LOOKS_MAX       (10000u / DEVICE_LOOK_MS)
#define GROW_MS         30000u
#define SECTOR_BYTES    512u

struct disk_state {
	struct device *device;
	int fd;       /* of the image; -1: none, it is somewhere in the network */
	int probe_fd; /* the image opened anew, to see its lock; -1: not yet */
	unsigned int nr_looks;
	int loop_fd;    /* the kernel's backend; -1: none */
	int journal_fd; /* -1: none yet */
	struct disk_layers layers;
	char *source; /* for the server, and for people */
	char journal[288];
	struct nodes_watch status_watch;
	bool is_full;          /* the guest waits for space */
	struct growth *growth; /* its process is to let it grow */

	struct disk_command command;
};

/* While somebody waits for an image to grow that a server has open. */
struct growth {
	struct disk_state *disk;
	uint64_t bytes;
	struct nodes_watch watch;
	struct loop_timer timer;
	disk_resized_fn done;
	void *argument;
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

	snprintf(disk->command.program, sizeof(disk->command.program), "%s/lodge-block",
		 d->guest->lodged->options.libexec_dir);
	if (access(disk->command.program, X_OK))
		return err_errno(err, -errno, "%s", disk->command.program);
	return disk_needs_server(config_of(d)) ? disk_check_server(config_of(d), err) : 0;
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

static bool has_image(const struct device *d, const char *path)
{
	const struct disk_state *disk = d->private;
	bool is_below = false;

	for (size_t i = 0; i < disk->layers.nr; i++)
		is_below |= !strcmp(disk->layers.below[i].path, path);
	return is_below || (config_of(d)->path && !strcmp(config_of(d)->path, path));
}

/* Who has the image, for the message: lodged knows its guests. */
static const char *user_of(const struct device *self, const char *path)
{
	const struct guest *g;
	const struct device *d;

	list_for_each_entry(g, &self->guest->lodged->guests, node) {
		list_for_each_entry(d, &g->devices, node) {
			if (d != self && d->class == &disk_class && has_image(d, path))
				return g->name;
		}
	}
	return NULL;
}

/* Those below it, which nobody may write to as long as it is in use. */
static int lock_layers(struct device *d, struct err *err)
{
	struct disk_state *disk = d->private;
	char *busy cleanup_free = NULL;
	int code = disk_layers_lock(config_of(d), &disk->layers, &busy, err);
	const char *user = busy ? user_of(d, busy) : NULL;

	return user ? err_set(err, code, "%s, which is below %s, is in use by guest \"%s\"", busy,
			      config_of(d)->path, user)
		    : code;
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
	user = code == -EBUSY ? user_of(d, config_of(d)->path) : NULL;
	if (user)
		return err_set(err, code, "%s is in use by guest \"%s\", and not <shareable/>",
			       config_of(d)->path, user);
	return code ? code : lock_layers(d, err);
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

void disks_remove_stale(struct lodged *l, bool (*is_stale)(struct lodged *l, uint32_t domain))
{
	DIR *dir = opendir(l->options.run_dir);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		uint32_t domain;
		unsigned int id;
		int end = 0;

		if (sscanf(entry->d_name, "block-%" SCNu32 "-%u%n", &domain, &id, &end) == 2 &&
		    !entry->d_name[end] && is_stale(l, domain))
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
	if (dir)
		closedir(dir);
}

static void fill_spec(struct device *d, struct child_spec *spec)
{
	struct disk_state *disk = d->private;

	disk_command_fill(&disk->command, d, disk->source, disk->growth ? disk->growth->bytes : 0,
			  spec->arguments);
	spec->fds[0] = disk->journal_fd;
	spec->nr_fds = 1;
	if (disk->fd >= 0)
		spec->fds[spec->nr_fds++] =
			disk->fd; /* with the lock, also where a server reads it */
	for (size_t i = 0; i < disk->layers.nr; i++)
		spec->fds[spec->nr_fds++] = disk->layers.below[i].fd; /* likewise */
}

/* The image has no room, or has it again. */
static void status_changed(struct nodes_watch *w, const char *path)
{
	struct disk_state *disk = container_of(w, struct disk_state, status_watch);
	struct device *d = disk->device;
	char *text = nodes_read(d->lodged->nodes, "%s", path);
	bool is_full = text && !strcmp(text, "no-space");

	free(text);
	if (!d->guest || is_full == disk->is_full || !nodes_is_up(d->lodged->nodes))
		return; /* without a store nothing is known; it tells when it is back */
	disk->is_full = is_full;
	d->has_ended = false;
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
		fd = pidfd_getfd(process, DISK_IMAGE_FD, 0);
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
	/* The guest has them already, whatever has become of their names; its process has locked them. */
	if (!code && lock_layers(d, err))
		log_line("%s: disk %s: %s", d->guest->name, d->label, err->text);
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
	if (disk->fd >= 0 && config->format == DISK_QCOW2)
		cJSON_AddNumberToObject(object, "bytes", (double)qcow2_size(disk->fd));
}

static void growth_end(struct disk_state *disk, int ret, const char *text)
{
	struct growth *w = disk->growth;
	struct device *d = disk->device;
	struct child_spec spec = { .nr_fds = 0 };
	struct err err;

	disk->growth = NULL;
	if (d->process) { /* what has failed once does not happen at some later start */
		fill_spec(d, &spec);
		if (device_change(d, &spec, &err))
			log_line("%s: disk %s: %s", d->guest->name, d->label, err.text);
	}
	nodes_unwatch(disk->device->lodged->nodes, &w->watch);
	loop_timer_stop(&w->timer);
	err_set(&err, ret, "%s", text);
	w->done(w->argument, ret, &err);
	free(w);
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
	if (disk->growth)
		growth_end(disk, -ESRCH, "the guest or the disk has gone first");
	disk_layers_unlock(&disk->layers);
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

static int check_size(const struct disk_state *disk, uint64_t now, uint64_t bytes, struct err *err)
{
	const struct disk *config = config_of(disk->device);
	bool is_device = config->type == DISK_BLOCK && config->format == DISK_RAW;

	if (disk_is_read_only(config) && !is_device)
		return err_set(err, -EINVAL, "disk %s is read-only", disk->device->label);
	if (is_device ? bytes != now : bytes < now)
		return err_set(err, -EINVAL, "%s has %" PRIu64 " bytes; %s", disk->source, now,
			       is_device ? "let the device grow first" : "a disk can only grow");
	if (bytes % SECTOR_BYTES)
		return err_set(err, -EINVAL, "%" PRIu64 " bytes are no whole sectors", bytes);
	return 0;
}

/* An image that the process or the kernel has open as it is. */
static int resize_raw(struct device *d, uint64_t bytes, struct err *err)
{
	struct disk_state *disk = d->private;
	int code;

	if (disk->fd < 0)
		return err_set(
			err, -EOPNOTSUPP,
			"the kernel serves it since before lodged was started; stop the guest");
	code = check_size(disk, size_of(disk->fd), bytes, err);
	if (!code && config_of(d)->type == DISK_FILE)
		code = grow_file(disk, bytes, err);
	return code ? code : tell_backend(d, bytes, err);
}

/* What the process says of it. */
static void grown_changed(struct nodes_watch *watch, const char *path)
{
	struct growth *w = container_of(watch, struct growth, watch);
	char *text cleanup_free = nodes_read(w->disk->device->lodged->nodes, "%s", path);

	if (text)
		growth_end(w->disk, strcmp(text, "ok") ? -EIO : 0, text);
}

static void grown_late(struct loop_timer *t)
{
	growth_end(container_of(t, struct growth, timer)->disk, -ETIMEDOUT,
		   "the disk's backend does not say whether the image has grown");
}

static int forget_grown(const struct device *d, struct err *err)
{
	struct batch b;
	int code;

	batch_init(&b);
	batch_at(&b, "%s", d->backend_path);
	batch_remove(&b, "grown");
	code = nodes_run(d->lodged->nodes, &b, false, err);
	batch_fini(&b);
	return code;
}

/* Only one who has it open can grow an image with tables of its own, so its server is ended for that. The guest waits
 * meanwhile, as when the server was killed. */
static int grow_served(struct device *d, struct growth *w, struct err *err)
{
	struct disk_state *disk = d->private;
	struct child_spec spec = { .nr_fds = 0 };
	int code = forget_grown(d, err);

	w->disk = disk;
	w->watch.changed = grown_changed;
	w->timer.fire = grown_late;
	if (!code)
		code = nodes_watch(d->lodged->nodes, &w->watch, err, "%s/grown", d->backend_path);
	if (code)
		return code;
	disk->growth = w;
	fill_spec(d, &spec);
	code = device_change(d, &spec, err);
	if (!code) {
		child_restart(d->process);
		loop_timer_start(&d->lodged->loop, &w->timer, GROW_MS);
		return 0;
	}
	disk->growth = NULL;
	nodes_unwatch(d->lodged->nodes, &w->watch);
	return code;
}

static int check_served(const struct device *d, uint64_t bytes, struct err *err)
{
	const struct disk_state *disk = d->private;
	const struct disk *config = config_of(d);
	struct qcow2 image;
	int code;

	if (config->type == DISK_NETWORK || config->format != DISK_QCOW2)
		return err_set(
			err, -EOPNOTSUPP,
			"of disks that qemu-nbd serves, qcow2 images only can grow while the guest "
			"runs");
	if (disk->growth)
		return err_set(err, -EBUSY, "%s is growing already", disk->source);
	if (access(DISK_QEMU_IMG, X_OK))
		return err_set(err, -ENOENT, DISK_QEMU_IMG " is not here: install qemu-utils");
	code = qcow2_read(config->path, &image, err);
	return code ? code : check_size(disk, image.nr_bytes, bytes, err);
}

static int resize_served(struct device *d, uint64_t bytes, disk_resized_fn done, void *argument,
			 struct err *err)
{
	struct growth *w;
	int code = check_served(d, bytes, err);

	if (code)
		return code;
	w = calloc(1, sizeof(*w));
	if (!w)
		return err_set(err, -ENOMEM, "no memory");
	*w = (struct growth){ .bytes = bytes, .done = done, .argument = argument };
	code = grow_served(d, w, err);
	if (code)
		free(w);
	return code;
}

void disk_resize(struct device *d, uint64_t bytes, disk_resized_fn done, void *argument)
{
	bool is_served = disk_needs_server(config_of(d));
	struct err err;
	int code = is_served ? resize_served(d, bytes, done, argument, &err)
			     : resize_raw(d, bytes, &err);

	if (code || !is_served)
		done(argument, code, &err);
}
