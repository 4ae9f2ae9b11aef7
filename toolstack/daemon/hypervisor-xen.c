/*
 * The hypervisor by libxencall (see hypervisor.h). What hypercalls read and write has to be resident, so
 * a buffer of the library's stands between. The buffer for building guests is made once and kept.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xencall.h>

#include "build/target-lodge.h"
#include "daemon/hypervisor.h"

#define PAGE 4096u

struct xen {
	struct hypervisor hv;
	xencall_handle *calls;
	struct lodge_control *control;
	void *buffer; /* HYPERVISOR_BUFFER bytes */
	struct lodge_target target;
	bool has_target;
};

static int control(struct hypervisor *hv, struct lodge_control *c, uint64_t *address, void *buffer,
		   size_t bytes)
{
	struct xen *x = container_of(hv, struct xen, hv);
	int ret;

	if (bytes > HYPERVISOR_BUFFER)
		return -EINVAL;
	if (address) {
		*address = (uint64_t)(uintptr_t)x->buffer;
		memcpy(x->buffer, buffer, bytes);
	}
	*x->control = *c;
	ret = xencall1(x->calls, __HYPERVISOR_lodge_control, (uint64_t)(uintptr_t)x->control) < 0
		      ? -errno
		      : 0;
	*c = *x->control;
	if (address)
		memcpy(buffer, x->buffer, bytes);
	return ret;
}

static int execute(struct hypervisor *hv, uint32_t domain, const struct build_plan *plan,
		   struct guest_ports *ret_ports, struct err *err)
{
	struct xen *x = container_of(hv, struct xen, hv);
	int ret = x->has_target ? 0 : lodge_target_init(&x->target, x->calls, domain, err);

	if (ret)
		return ret;
	x->has_target = true;
	x->target.domain = domain;
	ret = build_plan_execute(plan, &x->target.target, err);
	if (!ret)
		*ret_ports = (struct guest_ports){ .store = x->target.store_port,
						   .console = x->target.console_port };
	return ret;
}

static void close_xen(struct hypervisor *hv)
{
	struct xen *x = container_of(hv, struct xen, hv);

	if (x->has_target)
		lodge_target_fini(&x->target);
	if (x->buffer)
		xencall_free_buffer_pages(x->calls, x->buffer, HYPERVISOR_BUFFER / PAGE);
	if (x->control)
		xencall_free_buffer(x->calls, x->control);
	if (x->calls)
		xencall_close(x->calls);
	free(x);
}

static const struct hypervisor_ops xen_ops = {
	.control = control,
	.execute = execute,
	.close = close_xen,
};

struct hypervisor *hypervisor_open_xen(void *argument)
{
	struct xen *x = calloc(1, sizeof(*x));

	(void)argument;
	if (!x)
		return NULL;
	x->hv.ops = &xen_ops;
	x->calls = xencall_open(NULL, 0);
	if (x->calls) {
		x->control = xencall_alloc_buffer(x->calls, sizeof(*x->control));
		x->buffer = xencall_alloc_buffer_pages(x->calls, HYPERVISOR_BUFFER / PAGE);
	}
	if (x->control && x->buffer)
		return &x->hv;
	close_xen(&x->hv);
	return NULL;
}
