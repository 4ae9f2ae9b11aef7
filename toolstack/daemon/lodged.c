/* All parts of lodged, made and given back. */
#include "daemon/lodged.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "daemon/adopt.h"
#include "daemon/autostart.h"
#include "daemon/device.h"
#include "daemon/guest.h"
#include "daemon/host-stop.h"
#include "daemon/hypervisor.h"
#include "daemon/record.h"
#include "daemon/serve.h"
#include "daemon/why.h"

#define MAX_THREADS 4u
#define STORE_MS    10000u /* that xenstore may need to start */

/* The first line of a file, to be freed; NULL: there is none. */
static char *first_line(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[128];
	char *copy = NULL;

	if (!f)
		return NULL;
	if (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		copy = strdup(line);
	}
	fclose(f);
	return copy;
}

/* Two of them would fight over guests. The lock goes with the process. */
static int lock_state(struct lodged *l, struct err *err)
{
	l->lock_fd = open(l->options.state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->lock_fd < 0)
		return err_errno(err, -errno, "%s", l->options.state_dir);
	if (flock(l->lock_fd, LOCK_EX | LOCK_NB))
		return err_errno(err, -errno, "%s: another lodged is running",
				 l->options.state_dir);
	return 0;
}

static void domains_changed(struct nodes_watch *w, const char *path)
{
	(void)path;
	guests_look(container_of(w, struct lodged, domains_watch));
}

static void read_host(struct lodged *l)
{
	char *boot = first_line("/proc/sys/kernel/random/boot_id");

	snprintf(l->boot_id, sizeof(l->boot_id), "%s", boot ? boot : "");
	free(boot);
	l->host = first_line("/etc/machine-id");
}

static int open_hypervisor(struct lodged *l, hypervisor_open_fn open_hv, void *argument,
			   struct err *err)
{
	struct lodge_host_info info;
	uint32_t version = 0;
	int ret;

	l->hv = open_hv(argument);
	if (!l->hv)
		return err_errno(err, -errno,
				 "no access to hypercalls; is this Lodge's service VM?");
	ret = hypervisor_version(l->hv, &version);
	if (ret)
		return err_errno(err, ret, "the hypervisor has no control interface");
	if (version != LODGE_CONTROL_VERSION)
		return err_set(err, -EPROTO,
			       "the hypervisor's control interface is version %u, lodged's is %u",
			       version, LODGE_CONTROL_VERSION);
	if (!hypervisor_host(l->hv, &info))
		l->nr_cpus = info.nr_cpus;
	ret = jobs_create(&l->loop, MAX_THREADS, open_hv, argument, &l->jobs);
	return ret ? err_errno(err, ret, "threads") : 0;
}

/* As Xen's tools name it, for programs that look. */
static int name_service_vm(struct lodged *l, struct err *err)
{
	struct batch b;
	int ret;

	batch_init(&b);
	batch_at(&b, "/local/domain/0");
	batch_write(&b, "name", "Domain-0");
	batch_write(&b, "domid", "0");
	ret = nodes_run(l->nodes, &b, false, err);
	batch_fini(&b);
	return ret;
}

static int open_all(struct lodged *l, hypervisor_open_fn open_hv, void *argument, struct err *err)
{
	int ret;

	read_host(l);
	ret = records_prepare(l, err);
	if (!ret)
		ret = lock_state(l, err);
	if (!ret)
		ret = open_hypervisor(l, open_hv, argument, err);
	if (!ret)
		ret = nodes_open(&l->loop, l->options.store_socket, STORE_MS, &l->nodes, err);
	if (!ret)
		ret = name_service_vm(l, err);
	if (!ret)
		ret = records_load(l, err);
	if (!ret)
		ret = adopt_rest(l, err);
	if (!ret) {
		l->domains_watch.changed = domains_changed;
		ret = nodes_watch(l->nodes, &l->domains_watch, err, "@releaseDomain");
	}
	return ret ? ret : serve_open(l, err);
}

/* Guests and their backends stay; memory is given back so that leak checkers see what is lost. */
void lodged_close(struct lodged *l)
{
	struct guest *g;

	serve_close(l);
	host_stop_end(l);
	jobs_destroy(l->jobs);
	autostart_end(l); /* after starts that it is told of */
	list_for_each_entry_safe(g, &l->guests, node) {
		devices_forget(g);
		guest_free(g);
	}
	index_fini(&l->by_name);
	index_fini(&l->by_uuid);
	index_fini(&l->by_domain);
	why_forget_all(l);
	nodes_close(l->nodes);
	hypervisor_close(l->hv);
	free(l->host);
	if (l->lock_fd >= 0)
		close(l->lock_fd);
	loop_fini(&l->loop);
}

int lodged_open(struct lodged *l, hypervisor_open_fn open_hv, void *argument, struct err *err)
{
	int ret;

	guests_init(l);
	list_init(&l->gone);
	list_init(&l->clients);
	events_init(&l->events);
	l->listener.fd = -1;
	l->lock_fd = -1;
	ret = loop_init(&l->loop);
	if (ret)
		return err_errno(err, ret, "epoll");
	ret = open_all(l, open_hv, argument, err);
	if (ret) {
		lodged_close(l);
		return ret;
	}
	guests_look(l); /* who ended meanwhile */
	if (!l->options.no_autostart)
		autostart_begin(l);
	return 0;
}
