/* See doctor.h. Each check is a row: what it is called, and a function that finds out. */
#include "daemon/doctor.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/hypervisor.h"
#include "daemon/lodged.h"

#define BRIDGE       "xenbr0"
#define LOW_MEMORY   (UINT64_C(64) << 20)
#define LOW_DISK     (UINT64_C(64) << 20)
#define CLOCK_SOURCE "/sys/devices/system/clocksource/clocksource0/current_clocksource"

struct finding {
	bool is_ok;
	char text[256];
	char fix[256];
};

static void say(struct finding *f, bool is_ok, const char *fix, const char *format, ...)
	__attribute__((__format__(__printf__, 4, 5)));

/* fix is told only where something is wrong. */
static void say(struct finding *f, bool is_ok, const char *fix, const char *format, ...)
{
	va_list arguments;

	f->is_ok = is_ok;
	va_start(arguments, format);
	vsnprintf(f->text, sizeof(f->text), format, arguments);
	va_end(arguments);
	snprintf(f->fix, sizeof(f->fix), "%s", is_ok ? "" : fix);
}

static void check_hypervisor(struct lodged *l, struct finding *f)
{
	uint32_t version = 0;
	int ret = hypervisor_version(l->hv, &version);

	if (ret)
		say(f, false, "boot the host with Lodge, and run lodged in its service VM",
		    "the hypervisor does not answer: %s", strerror(-ret));
	else
		say(f, version == LODGE_CONTROL_VERSION,
		    "install a hypervisor and a toolstack of the same version, and reboot",
		    "the control interface has version %" PRIu32 ", lodged speaks %u", version,
		    LODGE_CONTROL_VERSION);
}

static void check_iommu(struct lodged *l, struct finding *f)
{
	struct lodge_host_info info;
	bool has_one = !hypervisor_host(l->hv, &info) && info.features & LODGE_HOST_IOMMU;

	say(f, has_one, "enable the IOMMU (AMD-Vi, VT-d) in the firmware's setup",
	    has_one ? "devices reach only the memory of their owner"
		    : "a device of the service VM can reach all memory");
}

static void check_memory(struct lodged *l, struct finding *f)
{
	struct lodge_host_info info;
	uint64_t bytes = hypervisor_host(l->hv, &info) ? 0 : info.nr_free << 12;

	say(f, bytes >= LOW_MEMORY, "give the service VM less: dom0_mem= on Lodge's command line",
	    "%" PRIu64 " MiB are free for guests", bytes >> 20);
}

static void check_build(struct lodged *l, struct finding *f)
{
	struct lodge_host_info info;
	bool is_debug = !hypervisor_host(l->hv, &info) && info.features & LODGE_HOST_DEBUG;

	say(f, !is_debug,
	    "install the hypervisor's release build: this one checks itself all the time",
	    is_debug ? "the hypervisor is a debug build" : "the hypervisor is a release build");
}

static void check_store(struct lodged *l, struct finding *f)
{
	char *name = nodes_read(l->nodes, "/local/domain/0/name");

	say(f, name != NULL, "start lodge-store, and see its log; then restart lodged",
	    name                    ? "xenstore answers"
	    : nodes_is_up(l->nodes) ? "xenstore does not know the service VM"
				    : "xenstore does not answer");
	free(name);
}

static bool does_answer(const char *folder, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ret;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", folder, name);
	ret = connect(fd, (const struct sockaddr *)&address, sizeof(address));
	close(fd);
	return !ret;
}

static void check_console(struct lodged *l, struct finding *f)
{
	bool is_there = does_answer(l->options.run_dir, "console");

	say(f, is_there, "start lodge-console, and see its log",
	    is_there ? "consoles are kept" : "lodge-console does not answer: consoles are lost");
}

static void check_devices(struct lodged *l, struct finding *f)
{
	static const char *const paths[] = { "/dev/xen/privcmd", "/dev/xen/evtchn",
					     "/dev/xen/gntdev" };

	(void)l;
	say(f, true, "", "the kernel's interfaces to the hypervisor are there");
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (access(paths[i], R_OK | W_OK))
			say(f, false, "modprobe xen-privcmd xen-evtchn xen-gntdev", "%s: %s",
			    paths[i], strerror(errno));
	}
}

static void check_bridge(struct lodged *l, struct finding *f)
{
	bool is_there = !access("/sys/class/net/" BRIDGE "/bridge", F_OK);

	(void)l;
	say(f, is_there, "make one, e.g. with ifupdown: iface xenbr0 inet dhcp, bridge_ports CARD",
	    is_there ? "the bridge %s is there"
		     : "there is no bridge %s, which interfaces are on unless told otherwise",
	    BRIDGE);
}

static void check_backends(struct lodged *l, struct finding *f)
{
	static const char *const names[] = { "lodge-block", "lodge-net" };
	char path[512];

	say(f, true, "", "the programs that serve disks and interfaces are there");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", l->options.libexec_dir, names[i]);
		if (access(path, X_OK))
			say(f, false,
			    "install it, or use the kernel's backends (<driver name='phy'/>)",
			    "%.200s: %s", path, strerror(errno));
	}
}

static void check_disk(struct lodged *l, struct finding *f)
{
	struct statvfs fs;
	uint64_t bytes = 0;

	if (!statvfs(l->options.state_dir, &fs))
		bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	say(f, bytes >= LOW_DISK, "make room: definitions, kernels and dumps are kept there",
	    "%.128s has %" PRIu64 " MiB free", l->options.state_dir, bytes >> 20);
}

static void check_clock(struct lodged *l, struct finding *f)
{
	FILE *file = fopen(CLOCK_SOURCE, "re");
	char name[32] = "";

	(void)l;
	if (file) {
		if (!fgets(name, sizeof(name), file))
			name[0] = '\0';
		fclose(file);
	}
	name[strcspn(name, "\n")] = '\0';
	say(f, !strcmp(name, "xen") || !strcmp(name, "tsc"), "echo xen >" CLOCK_SOURCE,
	    "the service VM's clock is \"%s\"", name);
}

static void check_group(struct lodged *l, struct finding *f)
{
	bool is_there = getgrnam("lodge") != NULL;

	(void)l;
	say(f, is_there, "addgroup --system lodge, and restart lodged",
	    is_there ? "members of the group lodge may use lodge"
		     : "there is no group lodge: only root may use lodge");
}

static const struct {
	const char *name;
	void (*check)(struct lodged *l, struct finding *f);
} checks[] = {
	{ "hypervisor", check_hypervisor }, { "iommu", check_iommu },
	{ "build", check_build },           { "memory", check_memory },
	{ "kernel", check_devices },        { "clock", check_clock },
	{ "xenstore", check_store },        { "console", check_console },
	{ "bridge", check_bridge },         { "backends", check_backends },
	{ "disk-space", check_disk },       { "group", check_group },
};

cJSON *doctor_check(struct lodged *l)
{
	cJSON *array = cJSON_CreateArray();

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		struct finding f = { .is_ok = false };
		cJSON *one = cJSON_CreateObject();

		checks[i].check(l, &f);
		cJSON_AddStringToObject(one, "name", checks[i].name);
		cJSON_AddBoolToObject(one, "ok", f.is_ok);
		cJSON_AddStringToObject(one, "text", f.text);
		cJSON_AddStringToObject(one, "fix", f.fix);
		cJSON_AddItemToArray(array, one);
	}
	return array;
}
