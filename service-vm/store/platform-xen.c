/* Rings through the service VM's own devices: /dev/xen/evtchn, /dev/xen/gntdev, /proc/xen; how domains are, domains.c
 * hears. */
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "abi/xs-wire.h"
#include "domains.h"
#include "lib/log.h"

#define STORE_GRANT     1 /* the toolstack lets domain 0 have the ring by this */
#define VIRQ_DOM_CHANGE 3
#define RING_FILE       "/proc/xen/xsd_kva"
#define PORT_FILE       "/proc/xen/xsd_port"

struct platform {
	xenevtchn_handle *events;
	xengnttab_handle *grants;
	struct domains domains;
	uint32_t virq_port;

	/* Changes that were asked for: up to `since` all are told. Of those up to `newest`, heard has some,
	 * next_info is the next to tell, and from domain next_domain on there are more. */
	struct domains_answer heard;
	uint64_t since, newest;
	uint32_t next_info, next_domain;
};

int platform_open(struct platform **ret_platform)
{
	struct platform *p;
	int port;

	if (access(RING_FILE, F_OK)) {
		*ret_platform = NULL;
		return 0;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	if (domains_open(&p->domains)) { /* first: it takes nothing of the rest along */
		free(p);
		return -EIO;
	}
	p->events = xenevtchn_open(NULL, 0);
	p->grants = xengnttab_open(NULL, 0);
	if (!p->events || !p->grants) {
		log_line("no access to event channels or grants: %s", strerror(errno));
		platform_close(p);
		return -EIO;
	}
	/* More than one event is taken at a time. */
	if (fcntl(xenevtchn_fd(p->events), F_SETFL, O_NONBLOCK))
		log_line("event channels block: %s", strerror(errno));
	port = xenevtchn_bind_virq(p->events, VIRQ_DOM_CHANGE);
	if (port < 0)
		log_line("domains that end will not be noticed: %s", strerror(errno));
	else
		p->virq_port = (uint32_t)port;
	*ret_platform = p;
	return 0;
}

void platform_close(struct platform *p)
{
	if (!p)
		return;
	if (p->events)
		xenevtchn_close(p->events);
	if (p->grants)
		xengnttab_close(p->grants);
	domains_close(&p->domains);
	free(p);
}

int platform_fd(const struct platform *p)
{
	return xenevtchn_fd(p->events);
}

uint32_t platform_event(struct platform *p, bool *ret_domains)
{
	int port = xenevtchn_pending(p->events);

	if (port <= 0)
		return 0;
	(void)!xenevtchn_unmask(p->events, (evtchn_port_t)port);
	if ((uint32_t)port == p->virq_port)
		*ret_domains = true;
	return (uint32_t)port;
}

int platform_local(struct platform *p, uint32_t *ret_port)
{
	FILE *f = fopen(PORT_FILE, "re");
	char line[16] = "";

	(void)p;
	if (!f)
		return -errno;
	if (fgets(line, sizeof(line), f))
		*ret_port = (uint32_t)strtoul(line, NULL, 10);
	fclose(f);
	return *line ? 0 : -EIO;
}

static void *map_local(void)
{
	int fd = open(RING_FILE, O_RDWR | O_CLOEXEC);
	void *page;

	if (fd < 0)
		return NULL;
	page = mmap(NULL, (size_t)getpagesize(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return page == MAP_FAILED ? NULL : page;
}

int platform_map(struct platform *p, uint16_t domid, uint64_t gfn,
		 struct xenstore_domain_interface **ret_page)
{
	void *page;

	(void)gfn; /* the grant names it */
	errno = 0;
	page = domid ? xengnttab_map_grant_ref(p->grants, domid, STORE_GRANT,
					       PROT_READ | PROT_WRITE)
		     : map_local();
	if (!page)
		return errno ? -errno : -EIO;
	*ret_page = page;
	return 0;
}

void platform_unmap(struct platform *p, uint16_t domid, struct xenstore_domain_interface *page)
{
	if (domid)
		xengnttab_unmap(p->grants, page, 1);
	else
		munmap(page, (size_t)getpagesize());
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

static enum domain_state state_of(const struct lodge_domain_info *info)
{
	if (info->flags & (LODGE_DOMAIN_DYING | LODGE_DOMAIN_GONE))
		return DOMAIN_GONE;
	return info->flags & LODGE_DOMAIN_SHUT_DOWN ? DOMAIN_SHUT_DOWN : DOMAIN_RUNS;
}

enum domain_state platform_domain_state(struct platform *p, uint16_t domid)
{
	const struct lodge_domain_info *info = p->heard.info;
	bool is_there;

	domains_ask(&p->domains, domid, 1, 0, &p->heard);
	is_there = p->heard.nr && info->domain == domid;
	p->heard.nr = p->next_info = p->next_domain = 0; /* changes begin anew */
	return is_there ? state_of(info) : DOMAIN_GONE;
}

bool platform_next_change(struct platform *p, uint16_t *ret_domid, enum domain_state *ret_state)
{
	const struct lodge_domain_info *info;

	while (p->next_info == p->heard.nr) {
		bool is_first = !p->next_domain;

		p->heard.nr = p->next_info = 0;
		if (p->next_domain == LODGE_LIST_END) {
			p->next_domain = 0;
			p->since = p->newest;
			return false;
		}
		domains_ask(&p->domains, p->next_domain, DOMAINS_AT_ONCE, p->since, &p->heard);
		p->next_domain = p->heard.next;
		if (is_first)
			p->newest = MAX(p->heard.change, p->since);
	}
	info = &p->heard.info[p->next_info++];
	*ret_domid = (uint16_t)info->domain;
	*ret_state = state_of(info);
	return true;
}
