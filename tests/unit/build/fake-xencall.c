#include "fake-xencall.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xencall.h>

#include "abi/control.h"
#include "abi/event-channel.h"

void *xencall_alloc_buffer_pages(xencall_handle *x, size_t nr_pages)
{
	if (x->buffers_fail_at && x->nr_buffers >= x->buffers_fail_at - 1)
		return NULL;
	x->nr_buffers++;
	return calloc(nr_pages, 4096);
}

void xencall_free_buffer_pages(xencall_handle *x, void *p, size_t nr_pages)
{
	(void)nr_pages;
	x->nr_buffers--;
	free(p);
}

void *xencall_alloc_buffer(xencall_handle *x, size_t size)
{
	ck_assert_uint_le(size, 4096);
	return xencall_alloc_buffer_pages(x, 1);
}

void xencall_free_buffer(xencall_handle *x, void *p)
{
	xencall_free_buffer_pages(x, p, 1);
}

static const void *pointer(uint64_t address)
{
	return (const void *)(uintptr_t)address;
}

static int claim(struct xencall_handle *x, struct lodge_control_memory *m)
{
	if (m->nr_pages > x->nr_free) {
		m->missing = m->nr_pages - x->nr_free;
		return ENOMEM;
	}
	x->guest->nr_claimed = m->nr_pages;
	return 0;
}

static int populate(struct xencall_handle *x, const struct lodge_control_populate *p)
{
	ck_assert(p->done == 0 && p->node == 0);
	ck_assert(p->max_order == LODGE_ORDER_2M || p->max_order == LODGE_ORDER_4K);
	memset(x->guest->copied + p->gfn, 1, p->nr_pages);
	x->guest->nr_populated += p->nr_pages;
	return 0;
}

static int copy_in(struct xencall_handle *x, const struct lodge_control_copy *c)
{
	guest_bytes(x->guest, c->gpa, c->bytes);
	memcpy(x->guest->bytes + c->gpa, pointer(c->buffer), c->bytes);
	return 0;
}

static int set_map(struct xencall_handle *x, const struct lodge_control_list *l)
{
	ck_assert_uint_le(l->nr, ARRAY_SIZE(x->map));
	memcpy(x->map, pointer(l->buffer), l->nr * sizeof(x->map[0]));
	x->nr_map = l->nr;
	return 0;
}

static int seed_grant(struct xencall_handle *x, const struct lodge_control_seed_grant *s)
{
	ck_assert(s->peer == 0 && s->ref < ARRAY_SIZE(x->grants) && !x->grants[s->ref]);
	x->grants[s->ref] = s->gfn;
	return 0;
}

static int control(struct xencall_handle *x, struct lodge_control *c)
{
	ck_assert_uint_eq(c->version, LODGE_CONTROL_VERSION);
	ck_assert_uint_eq(c->domain, FAKE_DOMAIN);
	ck_assert_uint_eq(c->reserved, 0);
	switch (c->op) {
	case LODGE_CONTROL_claim:
		return claim(x, &c->u.memory);
	case LODGE_CONTROL_populate:
		return populate(x, &c->u.populate);
	case LODGE_CONTROL_copy_in:
		return copy_in(x, &c->u.copy);
	case LODGE_CONTROL_set_memory_map:
		return set_map(x, &c->u.list);
	case LODGE_CONTROL_seed_grant:
		return seed_grant(x, &c->u.seed_grant);
	case LODGE_CONTROL_start_vcpu:
		ck_assert(c->u.vcpu.vcpu == 0 && c->u.vcpu.reserved == 0);
		memcpy(&x->entry, pointer(c->u.vcpu.buffer), sizeof(x->entry));
		return 0;
	default:
		ck_abort_msg("op %u", c->op);
	}
}

static int answer(struct xencall_handle *x, int cause)
{
	if (++x->nr_calls == x->fail_at)
		cause = EIO;
	errno = cause;
	return cause ? -1 : 0;
}

int xencall1(xencall_handle *x, unsigned int op, uint64_t arg1)
{
	ck_assert_uint_eq(op, __HYPERVISOR_lodge_control);
	return answer(x, control(x, (struct lodge_control *)(uintptr_t)arg1));
}

int xencall2(xencall_handle *x, unsigned int op, uint64_t arg1, uint64_t arg2)
{
	struct evtchn_alloc_unbound *alloc = (struct evtchn_alloc_unbound *)(uintptr_t)arg2;
	const struct xen_hvm_param *param = pointer(arg2);

	if (op == 32) {
		ck_assert(arg1 == EVTCHNOP_alloc_unbound && alloc->dom == FAKE_DOMAIN &&
			  alloc->remote_dom == 0);
		alloc->port = ++x->nr_ports;
	} else {
		ck_assert(op == 34 && arg1 == HVMOP_set_param && param->domid == FAKE_DOMAIN &&
			  param->index < HVM_NR_PARAMS);
		x->params[param->index] = param->value;
	}
	return answer(x, 0);
}
