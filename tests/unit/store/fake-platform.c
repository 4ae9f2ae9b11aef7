/* Rings that are plain pages, shared with child processes. Ports are the domain's id and one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/xs-wire.h"
#include "fake-platform.h"
#include "platform.h"

struct platform {
	int fd;
};

struct fake_machine *machine;

void fake_machine_init(void)
{
	machine = mmap(NULL, sizeof(*machine), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (machine == MAP_FAILED)
		abort();
	machine->event_fd = eventfd(0, EFD_NONBLOCK);
}

void fake_machine_fini(void)
{
	close(machine->event_fd);
	munmap(machine, sizeof(*machine));
}

void fake_machine_send_event(uint16_t domid)
{
	uint64_t one = 1;

	__atomic_store_n(&machine->pending[domid], true, __ATOMIC_SEQ_CST);
	(void)!write(machine->event_fd, &one, sizeof(one));
}

int platform_open(struct platform **ret_platform)
{
	struct platform *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->fd = machine->event_fd;
	*ret_platform = p;
	return 0;
}

void platform_close(struct platform *p)
{
	free(p);
}

int platform_fd(const struct platform *p)
{
	return p->fd;
}

uint32_t platform_event(struct platform *p, bool *ret_domains)
{
	uint64_t count;

	(void)!read(p->fd, &count, sizeof(count));
	for (uint32_t i = 0; i < FAKE_DOMAINS; i++) {
		if (__atomic_exchange_n(&machine->pending[i], false, __ATOMIC_SEQ_CST))
			return i + 1;
	}
	*ret_domains = __atomic_exchange_n(&machine->domains_changed, false, __ATOMIC_SEQ_CST);
	return 0;
}

int platform_local(struct platform *p, uint32_t *ret_port)
{
	(void)p;
	*ret_port = 1;
	return 0;
}

int platform_map(struct platform *p, uint16_t domid, uint64_t gfn,
		 struct xenstore_domain_interface **ret_page)
{
	(void)p;
	(void)gfn;
	if (domid >= FAKE_DOMAINS || machine->fail_maps)
		return -EINVAL;
	*ret_page = &machine->pages[domid].interface;
	return 0;
}

void platform_unmap(struct platform *p, uint16_t domid, struct xenstore_domain_interface *page)
{
	(void)p;
	(void)domid;
	(void)page;
}

int platform_bind(struct platform *p, uint16_t domid, uint32_t port, uint32_t *ret_local_port)
{
	(void)p;
	(void)port;
	*ret_local_port = domid + 1u;
	return 0;
}

void platform_unbind(struct platform *p, uint32_t local_port)
{
	(void)p;
	(void)local_port;
}

void platform_notify(struct platform *p, uint32_t local_port)
{
	(void)p;
	__atomic_add_fetch(&machine->nr_notified[local_port - 1], 1, __ATOMIC_SEQ_CST);
	if (machine->on_notify)
		machine->on_notify((uint16_t)(local_port - 1));
}

enum domain_state platform_domain_state(struct platform *p, uint16_t domid)
{
	(void)p;
	return machine->states[domid];
}

bool platform_next_change(struct platform *p, uint16_t *ret_domid, enum domain_state *ret_state)
{
	(void)p;
	for (uint16_t i = 0; i < FAKE_DOMAINS; i++) {
		if (machine->told[i] == machine->states[i])
			continue;
		machine->told[i] = machine->states[i];
		*ret_domid = i;
		*ret_state = machine->states[i];
		return true;
	}
	return false;
}
