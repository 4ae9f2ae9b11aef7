/* Verbs about disks: of guests that run, and images. */
#include <string.h>
#include <sys/stat.h>

#include "daemon/disk-image.h"
#include "daemon/disk.h"
#include "daemon/guest.h"
#include "daemon/jobs.h"
#include "daemon/verb-device.h"
#include "daemon/verbs.h"

#define DETACH_MS 10000u

void verb_disk_attach(struct lodged *l, struct request *r)
{
	struct guest *g = request_running_guest(r);
	struct config *c = g ? request_device_xml(r, &disk_class, "disk") : NULL;
	struct err err;
	int ret;

	(void)l;
	if (!c)
		return;
	ret = device_attach(g, &disk_class, c, &err);
	config_put(c);
	if (ret) {
		request_error(r, ret, &err);
		return;
	}
	guest_changed(g, "device-attached");
	request_ok(r, NULL);
}

/* By its target. NULL: the request is answered. */
static struct device *request_disk(struct request *r, const struct guest *g)
{
	const char *target = request_need(r, "target");
	struct device *d = target ? device_find(g, &disk_class, target) : NULL;

	if (target && !d)
		request_fail(r, RPC_NOT_FOUND, "\"%s\" has no disk %s", g->name, target);
	return d;
}

void verb_disk_detach(struct lodged *l, struct request *r)
{
	struct guest *g = request_running_guest(r);
	struct device *d = g ? request_disk(r, g) : NULL;

	(void)l;
	if (d)
		device_detach(d, DETACH_MS, request_answer, r);
}

void verb_disk_list(struct lodged *l, struct request *r)
{
	(void)l;
	request_list(r, &disk_class);
}

void verb_disk_resize(struct lodged *l, struct request *r)
{
	struct guest *g = request_running_guest(r);
	struct device *d = g ? request_disk(r, g) : NULL;
	uint64_t bytes;

	(void)l;
	if (d && request_number(r, "bytes", 0, INT64_MAX, &bytes))
		disk_resize(d, bytes, request_answer, r);
}

static bool is_file(const char *path, const struct stat *s)
{
	struct stat other;

	return path && !stat(path, &other) && other.st_dev == s->st_dev &&
	       other.st_ino == s->st_ino;
}

static enum disk_format format_in(const struct config *c, const struct stat *s)
{
	for (size_t i = 0; c && i < c->d->nr_disks; i++)
		if (is_file(c->d->disks[i].path, s))
			return c->d->disks[i].format;
	return DISK_FORMATS;
}

/* What the description says of a guest that has the file. */
static enum disk_format known_format(const struct lodged *l, const char *path)
{
	enum disk_format format = DISK_FORMATS;
	const struct guest *g;
	struct stat s;

	if (stat(path, &s))
		return format;
	list_for_each_entry(g, &l->guests, node) {
		if (format == DISK_FORMATS)
			format = format_in(g->active, &s);
		if (format == DISK_FORMATS)
			format = format_in(g->defined, &s);
	}
	return format;
}

struct clone_job {
	struct job job;
	struct request *request;
	const char *from, *to; /* of the request */
	enum disk_format format;
	enum clone_way way;
	int ret;
	struct err err;
};

static void clone_work(struct job *j, struct hypervisor *hv)
{
	struct clone_job *c = container_of(j, struct clone_job, job);

	(void)hv;
	c->ret = image_clone(c->from, c->format, c->to, c->way, &c->way, &c->err);
}

static void clone_done(struct job *j)
{
	struct clone_job *c = container_of(j, struct clone_job, job);
	cJSON *result;

	if (c->ret) {
		request_error(c->request, c->ret, &c->err);
		return;
	}
	result = cJSON_CreateObject();
	cJSON_AddStringToObject(result, "how", clone_ways[c->way]);
	request_ok(c->request, result);
}

/* CLONE_ANY where none is asked for. False: there is no such way. */
static bool find_way(const char *how, enum clone_way *ret_way)
{
	*ret_way = CLONE_ANY;
	for (size_t i = CLONE_REFLINK; how && i <= CLONE_COPY; i++)
		if (!strcmp(how, clone_ways[i]))
			*ret_way = (enum clone_way)i;
	return !how || *ret_way != CLONE_ANY;
}

/* What is refused has been answered, and is gone: nothing of the request may be looked at after that. */
void verb_disk_clone(struct lodged *l, struct request *r)
{
	const char *from = request_need(r, "from"), *to = from ? request_need(r, "to") : NULL;
	struct clone_job *c;
	enum clone_way way;

	if (!to)
		return;
	if (!find_way(request_text(r, "how"), &way)) {
		request_fail(r, RPC_INVALID, "there is no way \"%s\" to clone",
			     request_text(r, "how"));
		return;
	}
	if (*from != '/' || *to != '/') {
		request_fail(r, RPC_INVALID, "paths have to be absolute");
		return;
	}
	c = request_private(r, sizeof(*c));
	if (!c)
		return;
	c->request = r;
	c->from = from;
	c->to = to;
	c->format = known_format(l, from);
	c->way = way;
	c->job.work = clone_work;
	c->job.done = clone_done;
	jobs_submit(l->jobs, &c->job);
}
