/*
 * Carries out a plan by hypercalls: abi/control.h for memory and the first vCPU, event channels and HVM
 * parameters as any Xen toolstack sets them. Grant entries 0 and 1 let the service VM map console and
 * xenstore rings.
 */
#include "build/target-lodge.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <xencall.h>

#include "abi/control.h"
#include "abi/event-channel.h"
#include "abi/hvm.h"
#include "abi/memory.h"
#include "abi/xen.h"

/* What one call copies: more saves little, and costs the first guest its page faults. */
#define BUFFER_PAGES  64u
#define SERVICE_VM    0u
#define GRANT_CONSOLE 0u
#define GRANT_STORE   1u

static struct lodge_target *lodge_target(struct build_target *t)
{
	return container_of(t, struct lodge_target, target);
}

static struct lodge_control *start_op(const struct lodge_target *t, uint32_t op)
{
	memset(t->control, 0, sizeof(*t->control));
	t->control->version = LODGE_CONTROL_VERSION;
	t->control->op = op;
	t->control->domain = t->domain;
	return t->control;
}

static int run_op(const struct lodge_target *t)
{
	return xencall1(t->calls, __HYPERVISOR_lodge_control, (uint64_t)(uintptr_t)t->control) < 0
		       ? -errno
		       : 0;
}

static int claim(struct build_target *target, uint64_t nr_pages, struct err *err)
{
	struct lodge_target *t = lodge_target(target);
	struct lodge_control *c = start_op(t, LODGE_CONTROL_claim);
	int ret;

	c->u.memory.nr_pages = nr_pages;
	ret = run_op(t);
	if (ret == -ENOMEM)
		return err_set(err, ret,
			       "not enough free memory: the guest takes %" PRIu64
			       " KiB, of which %" PRIu64 " KiB are missing",
			       nr_pages << (BUILD_PAGE_SHIFT - 10),
			       c->u.memory.missing << (BUILD_PAGE_SHIFT - 10));
	return ret ? err_errno(err, ret, "claiming memory for domain %u", t->domain) : 0;
}

static int populate(struct build_target *target, const struct build_extent *e, struct err *err)
{
	struct lodge_target *t = lodge_target(target);
	struct lodge_control *c = start_op(t, LODGE_CONTROL_populate);
	int ret;

	c->u.populate.gfn = e->gfn;
	c->u.populate.nr_pages = e->nr_blocks << e->order;
	c->u.populate.max_order = e->order ? LODGE_ORDER_2M : LODGE_ORDER_4K;
	ret = run_op(t);
	return ret ? err_errno(err, ret, "giving domain %u memory at frame %#" PRIx64, t->domain,
			       e->gfn)
		   : 0;
}

static int copy(struct build_target *target, uint64_t gpa, size_t bytes, struct err *err)
{
	struct lodge_target *t = lodge_target(target);
	struct lodge_control *c = start_op(t, LODGE_CONTROL_copy_in);
	int ret;

	c->u.copy.gpa = gpa;
	c->u.copy.buffer = (uint64_t)(uintptr_t)target->buffer;
	c->u.copy.bytes = bytes;
	ret = run_op(t);
	return ret ? err_errno(err, ret, "writing to domain %u at %#" PRIx64, t->domain, gpa) : 0;
}

static int set_memory_map(const struct lodge_target *t, const struct build_plan *plan)
{
	struct lodge_control *c = start_op(t, LODGE_CONTROL_set_memory_map);
	struct xen_e820_entry *entry = t->argument;

	for (unsigned i = 0; i < plan->nr_memmap; i++)
		entry[i] = (struct xen_e820_entry){ .addr = plan->memmap[i].addr,
						    .size = plan->memmap[i].size,
						    .type = plan->memmap[i].type };
	c->u.list.buffer = (uint64_t)(uintptr_t)entry;
	c->u.list.nr = plan->nr_memmap;
	return run_op(t);
}

static int set_param(const struct lodge_target *t, uint32_t index, uint64_t value)
{
	struct xen_hvm_param *param = t->argument;

	*param = (struct xen_hvm_param){ .domid = (domid_t)t->domain,
					 .index = index,
					 .value = value };
	return xencall2(t->calls, __HYPERVISOR_hvm_op, HVMOP_set_param,
			(uint64_t)(uintptr_t)param) < 0
		       ? -errno
		       : 0;
}

/* A port of the guest's that the service VM may bind to. */
static int alloc_port(const struct lodge_target *t, uint32_t *ret_port)
{
	struct evtchn_alloc_unbound *alloc = t->argument;

	*alloc = (struct evtchn_alloc_unbound){ .dom = (domid_t)t->domain,
						.remote_dom = SERVICE_VM };
	if (xencall2(t->calls, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound,
		     (uint64_t)(uintptr_t)alloc) < 0)
		return -errno;
	*ret_port = alloc->port;
	return 0;
}

static int seed_grant(const struct lodge_target *t, uint32_t ref, uint64_t gfn)
{
	struct lodge_control *c = start_op(t, LODGE_CONTROL_seed_grant);

	c->u.seed_grant.ref = ref;
	c->u.seed_grant.peer = SERVICE_VM;
	c->u.seed_grant.gfn = gfn;
	return run_op(t);
}

static int connect_ring(const struct lodge_target *t, uint64_t gfn, uint32_t ref,
			uint32_t gfn_param, uint32_t port_param, uint32_t *ret_port)
{
	int ret = alloc_port(t, ret_port);

	if (!ret)
		ret = seed_grant(t, ref, gfn);
	if (!ret)
		ret = set_param(t, gfn_param, gfn);
	if (!ret)
		ret = set_param(t, port_param, *ret_port);
	return ret;
}

static int start_vcpu(const struct lodge_target *t, const struct vcpu_hvm_context *entry)
{
	struct lodge_control *c = start_op(t, LODGE_CONTROL_start_vcpu);

	memcpy(t->argument, entry, sizeof(*entry));
	c->u.vcpu.buffer = (uint64_t)(uintptr_t)t->argument;
	return run_op(t);
}

static int finish(struct build_target *target, const struct build_plan *plan, struct err *err)
{
	struct lodge_target *t = lodge_target(target);
	const char *what = "setting the memory map";
	int ret = set_memory_map(t, plan);

	if (!ret) {
		what = "connecting xenstore";
		ret = connect_ring(t, plan->store_gfn, GRANT_STORE, HVM_PARAM_STORE_PFN,
				   HVM_PARAM_STORE_EVTCHN, &t->store_port);
	}
	if (!ret) {
		what = "connecting the console";
		ret = connect_ring(t, plan->console_gfn, GRANT_CONSOLE, HVM_PARAM_CONSOLE_PFN,
				   HVM_PARAM_CONSOLE_EVTCHN, &t->console_port);
	}
	if (!ret) {
		what = "setting the first vCPU's state";
		ret = start_vcpu(t, &plan->entry);
	}
	return ret ? err_errno(err, ret, "%s of domain %u", what, t->domain) : 0;
}

static const struct build_target_ops ops = {
	.claim = claim,
	.populate = populate,
	.copy = copy,
	.finish = finish,
};

int lodge_target_init(struct lodge_target *t, xencall_handle *calls, uint32_t domain,
		      struct err *err)
{
	static_assert(BUILD_MAX_MEMMAP * sizeof(struct xen_e820_entry) <= BUILD_PAGE, "one page");
	*t = (struct lodge_target){
		.target = { .ops = &ops, .buffer_bytes = BUFFER_PAGES * BUILD_PAGE },
		.calls = calls,
		.domain = domain,
	};
	t->target.buffer = xencall_alloc_buffer_pages(calls, BUFFER_PAGES);
	t->control = xencall_alloc_buffer(calls, sizeof(*t->control));
	t->argument = xencall_alloc_buffer_pages(calls, 1);
	if (t->target.buffer && t->control && t->argument)
		return 0;
	lodge_target_fini(t);
	return err_set(err, -ENOMEM, "no memory for hypercall buffers");
}

void lodge_target_fini(struct lodge_target *t)
{
	if (t->target.buffer)
		xencall_free_buffer_pages(t->calls, t->target.buffer, BUFFER_PAGES);
	if (t->control)
		xencall_free_buffer(t->calls, t->control);
	if (t->argument)
		xencall_free_buffer_pages(t->calls, t->argument, 1);
	t->target.buffer = NULL;
	t->control = NULL;
	t->argument = NULL;
}
