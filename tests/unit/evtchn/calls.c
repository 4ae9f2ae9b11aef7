#include "calls.h"

int64_t evtchn_op(struct vcpu *v, uint64_t cmd, void *op, size_t bytes)
{
	static guest_ptr_t place;
	struct hypercall_args a = { .compat = v->domain->compat };
	int64_t result;

	if (!place.va)
		place = fake_guest_space(64);
	memcpy(fake_guest_at(place), op, bytes);
	a.arg[0] = cmd;
	a.arg[1] = place.va;
	result = do_event_channel_op(v, &a);
	memcpy(op, fake_guest_at(place), bytes);
	return result;
}

#define CALL(v, name, op) evtchn_op(v, EVTCHNOP_##name, &(op), sizeof(op))

int64_t call_alloc_unbound(struct vcpu *v, domid_t dom, domid_t remote)
{
	struct evtchn_alloc_unbound op = { .dom = dom, .remote_dom = remote };
	int64_t err = CALL(v, alloc_unbound, op);

	return err ? err : op.port;
}

int64_t call_bind_interdomain(struct vcpu *v, domid_t remote, evtchn_port_t port)
{
	struct evtchn_bind_interdomain op = { .remote_dom = remote, .remote_port = port };
	int64_t err = CALL(v, bind_interdomain, op);

	return err ? err : op.local_port;
}

int64_t call_bind_virq(struct vcpu *v, uint32_t virq, uint32_t vcpu)
{
	struct evtchn_bind_virq op = { .virq = virq, .vcpu = vcpu };
	int64_t err = CALL(v, bind_virq, op);

	return err ? err : op.port;
}

int64_t call_bind_ipi(struct vcpu *v, uint32_t vcpu)
{
	struct evtchn_bind_ipi op = { .vcpu = vcpu };
	int64_t err = CALL(v, bind_ipi, op);

	return err ? err : op.port;
}

int64_t call_close(struct vcpu *v, evtchn_port_t port)
{
	struct evtchn_close op = { port };

	return CALL(v, close, op);
}

int64_t call_send(struct vcpu *v, evtchn_port_t port)
{
	struct evtchn_send op = { port };

	return CALL(v, send, op);
}

int64_t call_unmask(struct vcpu *v, evtchn_port_t port)
{
	struct evtchn_unmask op = { port };

	return CALL(v, unmask, op);
}

int64_t call_bind_vcpu(struct vcpu *v, evtchn_port_t port, uint32_t vcpu)
{
	struct evtchn_bind_vcpu op = { port, vcpu };

	return CALL(v, bind_vcpu, op);
}

int64_t call_set_priority(struct vcpu *v, evtchn_port_t port, uint32_t priority)
{
	struct evtchn_set_priority op = { port, priority };

	return CALL(v, set_priority, op);
}

int64_t call_reset(struct vcpu *v, domid_t dom)
{
	struct evtchn_reset op = { dom };

	return CALL(v, reset, op);
}

int64_t call_status(struct vcpu *v, domid_t dom, evtchn_port_t port,
		    struct evtchn_status *ret_status)
{
	*ret_status = (struct evtchn_status){ .dom = dom, .port = port };
	return CALL(v, status, *ret_status);
}

int64_t call_init_control(struct vcpu *v, uint64_t gfn, uint32_t offset, uint32_t vcpu)
{
	struct evtchn_init_control op = { .control_gfn = gfn, .offset = offset, .vcpu = vcpu };
	int64_t err = CALL(v, init_control, op);

	if (!err)
		ck_assert_uint_eq(op.link_bits, EVTCHN_FIFO_LINK_BITS);
	return err;
}

int64_t call_expand_array(struct vcpu *v, uint64_t gfn)
{
	struct evtchn_expand_array op = { gfn };

	return CALL(v, expand_array, op);
}

struct channel connect_domains(struct domain *a, struct domain *b)
{
	int64_t pa = call_alloc_unbound(a->vcpu[0], DOMID_SELF, b->id), pb;

	ck_assert_int_gt(pa, 0);
	pb = call_bind_interdomain(b->vcpu[0], a->id, (evtchn_port_t)pa);
	ck_assert_int_gt(pb, 0);
	if (!b->evtchn.fifo)
		consume(b, 0);
	return (struct channel){ (evtchn_port_t)pa, (evtchn_port_t)pb };
}

static uint32_t *words(struct domain *d, bool mask)
{
	struct compat_shared_info *c = (void *)d->shared_info;

	if (!mask)
		return (void *)d->shared_info->evtchn_pending;
	return d->compat ? (void *)c->evtchn_mask : (void *)d->shared_info->evtchn_mask;
}

bool is_pending(struct domain *d, evtchn_port_t port)
{
	return words(d, false)[port / 32] >> (port % 32) & 1;
}

void set_mask(struct domain *d, evtchn_port_t port, bool masked)
{
	uint32_t bit = 1u << (port % 32);

	if (masked)
		words(d, true)[port / 32] |= bit;
	else
		words(d, true)[port / 32] &= ~bit;
}

void consume(struct domain *d, uint32_t vcpu)
{
	struct vcpu *v = d->vcpu[vcpu];

	v->info->evtchn_upcall_pending = 0;
	v->info->evtchn_pending_sel = 0;
	if (d->compat)
		((struct compat_vcpu_info *)(void *)v->info)->evtchn_pending_sel = 0;
	memset(words(d, false), 0, d->compat ? 128 : 512);
	v->arch.nr_upcalls = 0;
}
