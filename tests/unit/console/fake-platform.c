/* Rings that are plain pages, shared with child processes; a port is its domain's number; the clock stands still
 * unless a test moves it. */
#include "fake-platform.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

struct platform {
	char unused;
};

struct fake_machine *machine;

void fake_machine_init(void)
{
	machine = mmap(NULL, sizeof(*machine), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (machine == MAP_FAILED)
		abort();
	machine->event_fd = eventfd(0, EFD_NONBLOCK);
	machine->store_fd = eventfd(0, EFD_NONBLOCK);
	machine->now_ns = 1000000000;
}

void fake_machine_fini(void)
{
	close(machine->event_fd);
	close(machine->store_fd);
	munmap(machine, sizeof(*machine));
}

static void wake(int fd)
{
	uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

static void clear(int fd)
{
	uint64_t count;

	(void)!read(fd, &count, sizeof(count));
}

void fake_send_event(uint16_t domid)
{
	machine->domains[domid].pending = true;
	wake(machine->event_fd);
}

void fake_introduce(uint16_t domid, const char *name)
{
	struct fake_domain *d = &machine->domains[domid];

	d->is_introduced = true;
	d->has_console = true;
	snprintf(d->name, sizeof(d->name), "%s", name);
	machine->introduced[domid] = true;
	wake(machine->store_fd);
}

void fake_release(uint16_t domid)
{
	machine->domains[domid].is_introduced = false;
	machine->released[domid] = true;
	wake(machine->store_fd);
}

int platform_open(struct platform **ret_platform)
{
	*ret_platform = calloc(1, sizeof(**ret_platform));
	return *ret_platform ? 0 : -ENOMEM;
}

void platform_close(struct platform *p)
{
	free(p);
}

uint64_t platform_now_ns(struct platform *p)
{
	(void)p;
	return machine->now_ns;
}

int platform_event_fd(const struct platform *p)
{
	(void)p;
	return machine->event_fd;
}

uint32_t platform_event(struct platform *p)
{
	(void)p;
	clear(machine->event_fd);
	for (uint32_t i = 1; i < FAKE_DOMAINS; i++) {
		struct fake_domain *d = &machine->domains[i];

		if (d->pending && d->is_bound && !d->masked) {
			d->pending = false;
			d->masked = true;
			wake(machine->event_fd); /* there may be more */
			return i;
		}
	}
	return 0;
}

void platform_unmask(struct platform *p, uint32_t local_port)
{
	(void)p;
	machine->domains[local_port].masked = false;
	if (machine->domains[local_port].pending)
		wake(machine->event_fd);
}

int platform_map(struct platform *p, uint16_t domid, struct xencons_interface **ret_page)
{
	(void)p;
	if (machine->fails_to_map)
		return -EINVAL;
	machine->domains[domid].is_mapped = true;
	*ret_page = &machine->domains[domid].page.ring;
	return 0;
}

void platform_unmap(struct platform *p, uint16_t domid, struct xencons_interface *page)
{
	(void)p;
	(void)page;
	machine->domains[domid].is_mapped = false;
}

int platform_bind(struct platform *p, uint16_t domid, uint32_t port, uint32_t *ret_local_port)
{
	(void)p;
	(void)port;
	if (machine->fails_to_bind)
		return -EINVAL;
	machine->domains[domid].is_bound = true;
	machine->domains[domid].masked = false;
	*ret_local_port = domid;
	return 0;
}

void platform_unbind(struct platform *p, uint32_t local_port)
{
	(void)p;
	machine->domains[local_port].is_bound = false;
}

void platform_notify(struct platform *p, uint32_t local_port)
{
	(void)p;
	machine->domains[local_port].nr_notified++;
}

int platform_store_fd(const struct platform *p)
{
	(void)p;
	return machine->store_fd;
}

int platform_news(struct platform *p, uint16_t *ret_domid)
{
	(void)p;
	if (machine->store_is_gone)
		return -EIO;
	clear(machine->store_fd);
	for (uint16_t i = 0; i < FAKE_DOMAINS; i++) {
		bool *news = machine->released[i]     ? &machine->released[i]
			     : machine->introduced[i] ? &machine->introduced[i]
						      : NULL;

		if (!news)
			continue;
		*news = false;
		*ret_domid = i;
		return news == &machine->released[i] ? NEWS_RELEASED : NEWS_INTRODUCED;
	}
	return NEWS_NONE;
}

int platform_domains(struct platform *p, uint16_t **ret_domids, size_t *ret_nr)
{
	uint16_t *domids = calloc(FAKE_DOMAINS, sizeof(*domids));
	size_t nr = 0;

	(void)p;
	if (!domids)
		return -ENOMEM;
	for (uint16_t i = 1; i < FAKE_DOMAINS; i++) {
		if (machine->domains[i].is_introduced)
			domids[nr++] = i;
	}
	*ret_domids = domids;
	*ret_nr = nr;
	return 0;
}

bool platform_is_introduced(struct platform *p, uint16_t domid)
{
	(void)p;
	return machine->domains[domid].is_introduced;
}

int platform_describe(struct platform *p, uint16_t domid, struct guest_description *ret_guest)
{
	const struct fake_domain *d = domid < FAKE_DOMAINS ? &machine->domains[domid] : NULL;

	(void)p;
	if (!d || !d->is_introduced || !d->has_console)
		return -ENOENT;
	ret_guest->port = 1;
	memcpy(ret_guest->name, d->name, sizeof(d->name));
	memcpy(ret_guest->log, d->log, sizeof(d->log));
	return 0;
}
