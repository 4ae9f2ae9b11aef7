/* See nbd-room.h. qemu-nbd opens files by their names and with its own rights; it takes no descriptors. So the image's
 * owner stays who it is, and qemu-nbd may override that (CAP_DAC_OVERRIDE), which in its room is of no use for
 * anything else: what is not bound into it is not there. */
#include "back/block/nbd-room.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "back/lib/sandbox.h"
#include "lib/qcow2.h"

#define THINGS_MAX (QCOW2_BELOW_MAX + 16u)
#define NAME_BYTES QCOW2_NAME_BYTES

/* A folder or file and the mount of it that is going to be in the room. */
struct thing {
	char name[NAME_BYTES];
	int tree;
};

struct room {
	struct thing things[THINGS_MAX];
	size_t nr;
};

static int put_in(struct room *r, const char *name, bool may_write, struct err *err)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_NOSUID |
						     (may_write ? 0U : MOUNT_ATTR_RDONLY) };
	struct thing *t = &r->things[r->nr];

	if (r->nr == THINGS_MAX || strlen(name) >= sizeof(t->name))
		return err_set(err, -E2BIG, "%s: too many images below, or too long a name", name);
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->tree = open_tree(AT_FDCWD, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (t->tree < 0 ||
	    mount_setattr(t->tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)))
		return err_errno(err, -errno, "%s", name);
	r->nr++;
	return 0;
}

/* "": any server. */
static bool is_at(const char *image, const char *servers)
{
	return *image != '/' && !strncmp(image, servers, strlen(servers));
}

/* What a program of this machine needs, as far as it is there. */
static int put_in_programs(struct room *r, const char *image, struct err *err)
{
	static const struct {
		const char *name;
		bool is_device;
		const char *servers; /* only for images there: how their names begin */
	} things[] = {
		{ "/usr", false, NULL },
		{ "/bin", false, NULL },
		{ "/lib", false, NULL },
		{ "/lib64", false, NULL },
		{ "/etc/ld.so.cache", false, NULL },
		{ "/dev/null", true, NULL },
		{ "/dev/urandom", true, NULL },
		{ "/etc/hosts", false, "" },
		{ "/etc/resolv.conf", false, "" },
		{ "/etc/nsswitch.conf", false, "" },
		{ "/etc/ceph", false, "rbd:" }, /* who we are there: secrets */
	};
	int code = 0;

	for (size_t i = 0; i < ARRAY_SIZE(things) && !code; i++) {
		const char *servers = things[i].servers;

		if (access(things[i].name, F_OK) || (servers && !is_at(image, servers)))
			continue;
		code = put_in(r, things[i].name, things[i].is_device, err);
	}
	return code;
}

/* The image, and all below it, which are read only. */
static int put_in_images(struct room *r, const struct nbd_image *image, struct err *err)
{
	struct qcow2 layer = { .nr_bytes = 0 };
	char name[QCOW2_NAME_BYTES];
	bool is_last = !strcmp(image->format, "raw");
	int code = put_in(r, image->name, !image->is_read_only, err);

	snprintf(name, sizeof(name), "%s", image->name);
	while (!code && !is_last) {
		code = qcow2_read(name, &layer, err);
		if (code || !*layer.below)
			break;
		code = put_in(r, layer.below, false, err);
		snprintf(name, sizeof(name), "%s", layer.below);
		is_last = layer.is_below_raw;
	}
	return code;
}

static int put_in_socket(struct room *r, const struct nbd_image *image, struct err *err)
{
	const char *socket = strstr(image->name, "?socket=");

	return socket ? put_in(r, socket + strlen("?socket="), true, err) : 0;
}

/* An empty file system takes the place of all others. */
static int move_in(struct err *err)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), root = -1;

	if (fs >= 0 && !fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0) &&
	    !fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		root = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (root < 0 || move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) ||
	    fchdir(root) || chroot("."))
		return err_errno(err, -errno, "an empty file system");
	close(root);
	close(fs);
	return 0;
}

static int make_folders(const char *name)
{
	char path[NAME_BYTES];

	for (const char *slash = strchr(name + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(path, sizeof(path), "%.*s", (int)(slash - name), name);
		if (mkdir(path, 0755) && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int place(const struct thing *t)
{
	struct stat s;
	int fd, code = make_folders(t->name);

	if (code || fstat(t->tree, &s))
		return code ? code : -errno;
	fd = -1;
	if (S_ISDIR(s.st_mode) ? mkdir(t->name, 0755) && errno != EEXIST
			       : (fd = open(t->name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) < 0)
		return -errno;
	if (fd >= 0)
		close(fd);
	if (move_mount(t->tree, "", AT_FDCWD, t->name, MOVE_MOUNT_F_EMPTY_PATH))
		return -errno;
	close(t->tree);
	return 0;
}

static int furnish(const struct room *r, struct err *err)
{
	struct mount_attr fixed = { .attr_set = MOUNT_ATTR_RDONLY };

	for (size_t i = 0; i < r->nr; i++) {
		int code = place(&r->things[i]);

		if (code)
			return err_errno(err, code, "making a place for %s", r->things[i].name);
	}
	return mount_setattr(AT_FDCWD, "/", 0, &fixed, sizeof(fixed))
		       ? err_errno(err, -errno, "the new root")
		       : 0;
}

/* Another user, with the one capability, also after exec(). */
static int leave_root(const char *user, struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const uint32_t only = 1U << CAP_DAC_OVERRIDE;
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { { only, only, only } };
	int code;

	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
		return err_errno(err, -errno, "keeping a capability");
	code = sandbox_leave_root(user, err);
	if (code)
		return code;
	if (syscall(SYS_capset, &header, sets) ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0))
		return err_errno(err, -errno, "keeping a capability");
	return 0;
}

int nbd_room_enter(const struct nbd_image *image, struct err *err)
{
	bool is_file = *image->name == '/';
	struct room room = { .nr = 0 };
	int code;

	if (geteuid())
		return 0;
	if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | (is_file ? CLONE_NEWNET : 0)) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return err_errno(err, -errno, "a file system of its own");
	code = put_in_programs(&room, image->name, err);
	if (!code)
		code = is_file ? put_in_images(&room, image, err)
			       : put_in_socket(&room, image, err);
	if (!code)
		code = move_in(err);
	if (!code)
		code = furnish(&room, err);
	return code ? code : leave_root(image->user, err);
}
