/* Rings through the service VM's own devices: /dev/xen/evtchn, /dev/xen/gntdev, /proc/xen; and the control
 * hypercall to hear how domains are. */
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xencall.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include "abi/control.h"
#include "abi/xs-wire.h"
#include "lib/log.h"

#define STORE_GRANT     1 /* the toolstack lets domain 0 have the ring by this */
#define VIRQ_DOM_CHANGE 3
#define RING_FILE       "/proc/xen/xsd_kva"
#define PORT_FILE       "/proc/xen/xsd_port"

struct platform {
	xenevtchn_handle *events;
	xengnttab_handle *grants;
	xencall_handle *calls;
	uint32_t virq_port;

	/* Hypercall arguments, made when they are first needed. */
	struct lodge_control *op;
	struct lodge_domain_info *info; /* NR_RECORDS */

	/* Changes that were asked for: up to `since` all are told. Of those up to `newest`, info holds nr_info,
	 * next_info is the next to tell, and from domain next_domain on there are more. */
	uint64_t since, newest;
	uint32_t nr_info, next_info, next_domain;
};

#define NR_RECORDS ((uint32_t)(4096 / sizeof(struct lodge_domain_info)))

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
	p->events = xenevtchn_open(NULL, 0);
	p->grants = xengnttab_open(NULL, 0);
	p->calls = xencall_open(NULL, 0);
	if (!p->events || !p->grants || !p->calls) {
		log_line("no access to event channels, grants or hypercalls: %s", strerror(errno));
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
	if (p->info)
		xencall_free_buffer(p->calls, p->info);
	if (p->op)
		xencall_free_buffer(p->calls, p->op);
	if (p->calls)
		xencall_close(p->calls);
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

/* Records from domain `first` on go to p->info; how many, 0 if they cannot be had. */
static uint32_t list_domains(struct platform *p, uint32_t first, uint32_t max, uint64_t since)
{
	if (!p->op)
		p->op = xencall_alloc_buffer(p->calls, sizeof(*p->op));
	if (!p->info)
		p->info = xencall_alloc_buffer(p->calls, NR_RECORDS * sizeof(*p->info));
	if (!p->op || !p->info)
		return 0;
	memset(p->op, 0, sizeof(*p->op));
	p->op->version = LODGE_CONTROL_VERSION;
	p->op->op = LODGE_CONTROL_list;
	p->op->u.list.buffer = (uint64_t)(uintptr_t)p->info;
	p->op->u.list.max = max;
	p->op->u.list.first = first;
	p->op->u.list.since = since;
	if (xencall1(p->calls, __HYPERVISOR_lodge_control, (uint64_t)(uintptr_t)p->op) < 0) {
		p->op->u.list.next = LODGE_LIST_END;
		return 0;
	}
	return p->op->u.list.nr;
}

static enum domain_state state_of(const struct lodge_domain_info *info)
{
	if (info->flags & (LODGE_DOMAIN_DYING | LODGE_DOMAIN_GONE))
		return DOMAIN_GONE;
	return info->flags & LODGE_DOMAIN_SHUT_DOWN ? DOMAIN_SHUT_DOWN : DOMAIN_RUNS;
}

enum domain_state platform_domain_state(struct platform *p, uint16_t domid)
{
	p->nr_info = p->next_info = p->next_domain = 0; /* changes begin anew */
	if (list_domains(p, domid, 1, 0) && p->info->domain == domid)
		return state_of(p->info);
	return p->op && p->info ? DOMAIN_GONE : DOMAIN_RUNS;
}

bool platform_next_change(struct platform *p, uint16_t *ret_domid, enum domain_state *ret_state)
{
	const struct lodge_domain_info *info;

	while (p->next_info == p->nr_info) {
		bool is_first = !p->next_domain;

		p->nr_info = p->next_info = 0;
		if (p->next_domain == LODGE_LIST_END) {
			p->next_domain = 0;
			p->since = p->newest;
			return false;
		}
		p->nr_info = list_domains(p, p->next_domain, NR_RECORDS, p->since);
		if (!p->op || !p->info)
			return false;
		p->next_domain = p->op->u.list.next;
		if (is_first)
			p->newest = MAX(p->op->u.list.change, p->since);
	}
	info = &p->info[p->next_info++];
	*ret_domid = (uint16_t)info->domain;
	*ret_state = state_of(info);
	return true;
}
