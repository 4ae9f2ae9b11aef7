/* Guests through the service VM's devices /dev/xen/evtchn and /dev/xen/gntdev, and the store through its socket. */
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore_lib.h>

#include "back/lib/store-link.h"
#include "lib/log.h"

#define CONSOLE_GRANT 0 /* the toolstack lets domain 0 have the ring by this */
#define RELEASED      "@releaseDomain"
#define OURS          "/lodge" /* which guests do not see */

struct platform {
	xenevtchn_handle *events;
	xengnttab_handle *grants;
	struct store_link link;
};

static int open_store(struct platform *p)
{
	int err = store_link_open(&p->link);

	if (err)
		return err;
	return xs_watch(p->link.store, "@introduceDomain", "introduced") ? 0 : -errno;
}

int platform_open(struct platform **ret_platform)
{
	struct platform *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->events = xenevtchn_open(NULL, 0);
	p->grants = xengnttab_open(NULL, 0);
	if (!p->events || !p->grants) {
		log_line("no access to event channels or grants: %s", strerror(errno));
		err = -EIO;
		goto close;
	}
	/* More than one event is taken at a time. */
	if (fcntl(xenevtchn_fd(p->events), F_SETFL, O_NONBLOCK))
		log_line("event channels block: %s", strerror(errno));
	err = open_store(p);
	if (err) {
		log_line("no access to the store: %s", strerror(-err));
		goto close;
	}
	*ret_platform = p;
	return 0;
close:
	platform_close(p);
	return err;
}

void platform_close(struct platform *p)
{
	store_link_close(&p->link);
	if (p->grants)
		xengnttab_close(p->grants);
	if (p->events)
		xenevtchn_close(p->events);
	free(p);
}

uint64_t platform_now_ns(struct platform *p)
{
	struct timespec now;

	(void)p;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int platform_event_fd(const struct platform *p)
{
	return xenevtchn_fd(p->events);
}

uint32_t platform_event(struct platform *p)
{
	int port = xenevtchn_pending(p->events);

	return port > 0 ? (uint32_t)port : 0;
}

void platform_unmask(struct platform *p, uint32_t local_port)
{
	(void)!xenevtchn_unmask(p->events, local_port);
}

int platform_map(struct platform *p, uint16_t domid, struct xencons_interface **ret_page)
{
	void *page;

	errno = 0;
	page = xengnttab_map_grant_ref(p->grants, domid, CONSOLE_GRANT, PROT_READ | PROT_WRITE);
	if (!page)
		return errno ? -errno : -EIO;
	*ret_page = page;
	return 0;
}

void platform_unmap(struct platform *p, uint16_t domid, struct xencons_interface *page)
{
	(void)domid;
	xengnttab_unmap(p->grants, page, 1);
}

int platform_bind(struct platform *p, uint16_t domid, uint32_t port, uint32_t *ret_local_port)
{
	int local = xenevtchn_bind_interdomain(p->events, domid, port);

	if (local < 0)
		return -errno;
	*ret_local_port = (uint32_t)local;
	return 0;
}

void platform_unbind(struct platform *p, uint32_t local_port)
{
	xenevtchn_unbind(p->events, local_port);
}

void platform_notify(struct platform *p, uint32_t local_port)
{
	xenevtchn_notify(p->events, local_port);
}

int platform_store_fd(const struct platform *p)
{
	return p->link.fd;
}

int platform_news(struct platform *p, uint16_t *ret_domid)
{
	bool is_lost;
	char **news = store_link_news(&p->link, &is_lost);
	unsigned int domid;
	int result = NEWS_INTRODUCED;

	if (!news)
		return is_lost ? -EIO : NEWS_NONE;
	if (sscanf(news[XS_WATCH_TOKEN], "released %u", &domid) == 1) {
		*ret_domid = (uint16_t)domid;
		result = NEWS_RELEASED;
	}
	free(news);
	return result;
}

/* The path and the token of the watch for a domain that goes. */
static void name_watch(uint16_t domid, char ret_path[32], char ret_token[32])
{
	snprintf(ret_path, 32, RELEASED "/%u", domid);
	snprintf(ret_token, 32, "released %u", domid);
}

int platform_watch_release(struct platform *p, uint16_t domid)
{
	char path[32], token[32];

	name_watch(domid, path, token);
	return xs_watch(p->link.store, path, token) ? 0 : -errno;
}

void platform_unwatch_release(struct platform *p, uint16_t domid)
{
	char path[32], token[32];

	name_watch(domid, path, token);
	xs_unwatch(p->link.store, path, token);
}

int platform_domains(struct platform *p, uint16_t **ret_domids, size_t *ret_nr)
{
	unsigned int nr;
	size_t nr_domids = 0;
	char **names = xs_directory(p->link.store, XBT_NULL, "/local/domain", &nr);
	uint16_t *domids;

	if (!names && errno != ENOENT)
		return -errno;
	if (!names)
		nr = 0;
	domids = calloc(nr + 1, sizeof(*domids));
	for (unsigned int i = 0; domids && i < nr; i++) {
		unsigned long domid = strtoul(names[i], NULL, 10);

		if (domid && domid <= UINT16_MAX)
			domids[nr_domids++] = (uint16_t)domid;
	}
	free(names);
	if (!domids)
		return -ENOMEM;
	*ret_domids = domids;
	*ret_nr = nr_domids;
	return 0;
}

bool platform_is_introduced(struct platform *p, uint16_t domid)
{
	return xs_is_domain_introduced(p->link.store, domid);
}

/* The text of a domain's node, cut off at size; empty when there is none. */
static void read_text(struct platform *p, const char *folder, uint16_t domid, const char *name,
		      char *ret_text, size_t size)
{
	char path[64], *text;

	snprintf(path, sizeof(path), "%s/%u/%s", folder, domid, name);
	text = xs_read(p->link.store, XBT_NULL, path, NULL);
	snprintf(ret_text, size, "%s", text ? text : "");
	free(text);
}

int platform_describe(struct platform *p, uint16_t domid, struct guest_description *ret_guest)
{
	struct guest_description *g = ret_guest;
	char port[16];

	read_text(p, "/local/domain", domid, "console/port", port, sizeof(port));
	g->port = (uint32_t)strtoul(port, NULL, 10);
	if (!g->port)
		return -ENOENT;
	read_text(p, OURS, domid, "name", g->name, sizeof(g->name));
	if (!*g->name)
		read_text(p, "/local/domain", domid, "name", g->name, sizeof(g->name));
	read_text(p, OURS, domid, "console-log", g->log, sizeof(g->log));
	return 0;
}
