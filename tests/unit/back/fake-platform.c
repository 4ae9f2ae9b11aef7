#include "fake-platform.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NODES     128
#define PORTS     16
#define CHANGES   256
#define WATCHES   8
#define PATH_MAX_ 256

/* Pages lie in a file in memory, so that a mapping is a second view of the same page, side by side in the order
 * asked for, as the real one is. */
struct platform {
	int memory;
	unsigned char *guest;
	bool is_granted[FAKE_GRANTS], is_read_only[FAKE_GRANTS];
	uint32_t nr_mapped, nr_copies, nr_failures;
	uint32_t remote[PORTS]; /* of each local port; 0: not bound */
	bool has_event[PORTS];
	uint32_t nr_notified[PORTS];
	char path[NODES][PATH_MAX_];
	char *text[NODES];
	char watch[WATCHES][PATH_MAX_];
	char change[CHANGES][PATH_MAX_];
	uint32_t nr_nodes, nr_watches, nr_changes;
	bool store_is_lost;
};

static void require(bool what, const char *why)
{
	if (what)
		return;
	fprintf(stderr, "fake platform: %s\n", why);
	abort();
}

struct platform *fake_platform_create(void)
{
	struct platform *p = calloc(1, sizeof(*p));

	require(p != NULL, "no memory");
	p->memory = memfd_create("guest", MFD_CLOEXEC);
	require(p->memory >= 0 && !ftruncate(p->memory, (off_t)FAKE_GRANTS * PLATFORM_PAGE),
		"no memory");
	p->guest = mmap(NULL, (size_t)FAKE_GRANTS * PLATFORM_PAGE, PROT_READ | PROT_WRITE,
			MAP_SHARED, p->memory, 0);
	require(p->guest != MAP_FAILED, "no memory");
	return p;
}

void fake_platform_destroy(struct platform *p)
{
	require(!p->nr_mapped, "a page is still mapped");
	for (uint32_t i = 0; i < PORTS; i++)
		require(!p->remote[i], "a port is still bound");
	for (uint32_t i = 0; i < p->nr_nodes; i++)
		free(p->text[i]);
	munmap(p->guest, (size_t)FAKE_GRANTS * PLATFORM_PAGE);
	close(p->memory);
	free(p);
}

int platform_open(uint16_t domid, struct platform **ret_platform, struct err *err)
{
	(void)domid;
	(void)err;
	*ret_platform = fake_platform_create();
	return 0;
}

void platform_close(struct platform *p)
{
	if (p)
		fake_platform_destroy(p);
}

void *fake_page(struct platform *p, uint32_t ref)
{
	return p->guest + (size_t)ref * PLATFORM_PAGE;
}

void *fake_grant(struct platform *p, uint32_t ref, bool read_only)
{
	require(ref < FAKE_GRANTS, "no such grant");
	p->is_granted[ref] = true;
	p->is_read_only[ref] = read_only;
	memset(fake_page(p, ref), 0, PLATFORM_PAGE);
	return fake_page(p, ref);
}

void fake_revoke(struct platform *p, uint32_t ref)
{
	p->is_granted[ref] = false;
}

uint32_t fake_nr_mapped(const struct platform *p)
{
	return p->nr_mapped;
}

uint32_t fake_nr_copies(const struct platform *p)
{
	return p->nr_copies;
}

void fake_fail_maps(struct platform *p, uint32_t nr)
{
	p->nr_failures = nr;
}

static bool may_use(const struct platform *p, uint32_t ref, bool read_only)
{
	return ref < FAKE_GRANTS && p->is_granted[ref] && (read_only || !p->is_read_only[ref]);
}

int platform_map(struct platform *p, const uint32_t *refs, uint32_t nr, bool read_only,
		 void **ret_pages)
{
	unsigned char *pages;

	if (p->nr_failures) {
		p->nr_failures--;
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < nr; i++)
		if (!may_use(p, refs[i], read_only))
			return -EINVAL;
	pages = mmap(NULL, (size_t)nr * PLATFORM_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	require(pages != MAP_FAILED, "no memory");
	for (uint32_t i = 0; i < nr; i++)
		require(mmap(pages + (size_t)i * PLATFORM_PAGE, PLATFORM_PAGE,
			     read_only ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			     p->memory, (off_t)refs[i] * PLATFORM_PAGE) != MAP_FAILED,
			"no memory");
	p->nr_mapped += nr;
	*ret_pages = pages;
	return 0;
}

void platform_unmap(struct platform *p, void *pages, uint32_t nr)
{
	require(p->nr_mapped >= nr, "more pages unmapped than mapped");
	p->nr_mapped -= nr;
	munmap(pages, (size_t)nr * PLATFORM_PAGE);
}

int platform_copy(struct platform *p, const struct platform_copy *copies, uint32_t nr)
{
	int err = 0;

	for (uint32_t i = 0; i < nr; i++) {
		const struct platform_copy *c = &copies[i];
		unsigned char *page;

		require(c->offset + c->length <= (int)PLATFORM_PAGE, "a copy leaves its page");
		p->nr_copies++;
		if (!may_use(p, c->ref, !c->to_guest)) {
			err = -EFAULT;
			continue;
		}
		page = fake_page(p, c->ref);
		if (c->to_guest)
			memcpy(page + c->offset, c->local, c->length);
		else
			memcpy(c->local, page + c->offset, c->length);
	}
	return err;
}

int platform_bind(struct platform *p, uint32_t remote_port, uint32_t *ret_port)
{
	if (!remote_port || remote_port > 1000)
		return -EINVAL;
	for (uint32_t i = 1; i < PORTS; i++)
		if (p->remote[i] == remote_port)
			return -EINVAL;
	for (uint32_t i = 1; i < PORTS; i++) {
		if (p->remote[i])
			continue;
		p->remote[i] = remote_port;
		p->has_event[i] = true; /* as the hypervisor does, in case one was lost */
		*ret_port = i;
		return 0;
	}
	return -ENOSPC;
}

void platform_unbind(struct platform *p, uint32_t port)
{
	require(port < PORTS && p->remote[port], "a port unbound that is not bound");
	p->remote[port] = 0;
	p->has_event[port] = false;
}

void platform_notify(struct platform *p, uint32_t port)
{
	require(port < PORTS && p->remote[port], "a port notified that is not bound");
	p->nr_notified[port]++;
}

int platform_event_fd(const struct platform *p)
{
	(void)p;
	return -1;
}

uint32_t platform_events(struct platform *p, uint32_t ret_ports[PLATFORM_EVENTS])
{
	uint32_t nr = 0;

	for (uint32_t i = 1; i < PORTS && nr < PLATFORM_EVENTS; i++) {
		if (!p->has_event[i])
			continue;
		p->has_event[i] = false;
		ret_ports[nr++] = i;
	}
	return nr;
}

static uint32_t local_port(const struct platform *p, uint32_t remote_port)
{
	for (uint32_t i = 1; i < PORTS; i++)
		if (p->remote[i] == remote_port)
			return i;
	return 0;
}

void fake_event(struct platform *p, uint32_t remote_port)
{
	p->has_event[local_port(p, remote_port)] = true;
}

uint32_t fake_notified(struct platform *p, uint32_t remote_port)
{
	uint32_t port = local_port(p, remote_port), nr = p->nr_notified[port];

	p->nr_notified[port] = 0;
	return nr;
}

uint32_t fake_nr_bound(const struct platform *p)
{
	uint32_t nr = 0;

	for (uint32_t i = 1; i < PORTS; i++)
		nr += p->remote[i] != 0;
	return nr;
}

static int find_node(const struct platform *p, const char *path)
{
	for (uint32_t i = 0; i < p->nr_nodes; i++)
		if (p->text[i] && !strcmp(p->path[i], path))
			return (int)i;
	return -1;
}

static void tell_watches(struct platform *p, const char *path)
{
	for (uint32_t i = 0; i < p->nr_watches; i++) {
		size_t length = strlen(p->watch[i]);

		if (strncmp(path, p->watch[i], length) || (path[length] && path[length] != '/'))
			continue;
		require(p->nr_changes < CHANGES, "too many changes of the store");
		snprintf(p->change[p->nr_changes++], PATH_MAX_, "%s", path);
	}
}

static void set_node(struct platform *p, const char *path, const char *text)
{
	int i = find_node(p, path);

	if (i < 0) {
		require(p->nr_nodes < NODES, "too many nodes");
		i = (int)p->nr_nodes++;
		snprintf(p->path[i], PATH_MAX_, "%s", path);
	}
	free(p->text[i]);
	p->text[i] = text ? strdup(text) : NULL;
	tell_watches(p, path);
}

void fake_set(struct platform *p, const char *folder, const char *name, const char *text)
{
	char path[PATH_MAX_];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	set_node(p, path, text);
}

const char *fake_node(struct platform *p, const char *folder, const char *name)
{
	char path[PATH_MAX_];
	int i;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	i = find_node(p, path);
	return i < 0 ? "" : p->text[i];
}

void fake_lose_store(struct platform *p)
{
	p->store_is_lost = true;
}

char *platform_read(struct platform *p, const char *path)
{
	int i = find_node(p, path);

	errno = ENOENT;
	return i < 0 || p->store_is_lost ? NULL : strdup(p->text[i]);
}

int platform_write(struct platform *p, const char *path, const char *text)
{
	if (p->store_is_lost)
		return -EIO;
	set_node(p, path, text);
	return 0;
}

void platform_confine(struct platform *p, const char *path)
{
	(void)p, (void)path;
}

int platform_watch(struct platform *p, const char *path)
{
	require(p->nr_watches < WATCHES, "too many watches");
	snprintf(p->watch[p->nr_watches++], PATH_MAX_, "%s", path);
	tell_watches(p, path);
	return 0;
}

int platform_store_fd(const struct platform *p)
{
	(void)p;
	return -1;
}

int platform_changed(struct platform *p, char *ret_path, size_t size)
{
	if (p->store_is_lost)
		return -EIO;
	if (!p->nr_changes)
		return 0;
	snprintf(ret_path, size, "%s", p->change[0]);
	p->nr_changes--;
	memmove(p->change[0], p->change[1], (size_t)p->nr_changes * PATH_MAX_);
	return 1;
}
