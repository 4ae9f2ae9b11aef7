/* The event_channel_op hypercall: copies the argument in once, runs the operation on the copy, copies
 * results out. An operation that opened a port is undone when the guest cannot be told its number. */
#include "abi/errno.h"
#include "core/evtchn-internal.h"
#include "lodge/arch.h"
#include "lodge/guest.h"
#include "lodge/hypercall.h"
#include "lodge/vcpu.h"

union evtchn_arg {
	struct evtchn_alloc_unbound alloc_unbound;
	struct evtchn_bind_interdomain bind_interdomain;
	struct evtchn_bind_virq bind_virq;
	struct evtchn_bind_ipi bind_ipi;
	struct evtchn_close close;
	struct evtchn_status status;
	struct evtchn_bind_vcpu bind_vcpu;
	struct evtchn_unmask unmask;
	struct evtchn_reset reset;
	struct evtchn_init_control init_control;
	struct evtchn_expand_array expand_array;
	struct evtchn_set_priority set_priority;
};

/* By far the most frequent operation. The lock of the sender's domain is enough: see lodge/evtchn.h. */
static int send(struct domain *d, evtchn_port_t port)
{
	struct evtchn *chn;
	int err = 0;

	spin_lock(&d->evtchn.lock);
	chn = evtchn_find(d, port);
	switch (chn ? chn->state : EVTCHN_FREE) {
	case EVTCHN_INTERDOMAIN:
		evtchn_set_pending(chn->peer.domain,
				   evtchn_record(chn->peer.domain, chn->peer.port), chn->peer.port);
		break;
	case EVTCHN_IPI:
		evtchn_set_pending(d, chn, port);
		break;
	case EVTCHN_UNBOUND:
		break; /* nobody listens yet; who binds starts pending */
	default:
		err = -XEN_EINVAL;
		break;
	}
	spin_unlock(&d->evtchn.lock);
	return err;
}

static int op_send(struct vcpu *v, guest_ptr_t ptr)
{
	struct evtchn_send op;
	int err = copy_from_guest(v, &op, ptr, sizeof(op));

	return err ? err : send(v->domain, op.port);
}

static int op_alloc_unbound(struct vcpu *v, union evtchn_arg *arg)
{
	struct evtchn_alloc_unbound *op = &arg->alloc_unbound;
	domid_t peer = op->remote_dom == DOMID_SELF ? v->domain->id : op->remote_dom;
	struct domain *d;
	int err = domain_get(v, op->dom, &d);

	if (err)
		return err;
	err = evtchn_alloc_unbound(d, peer, &op->port);
	domain_put(d);
	return err;
}

static void undo_alloc_unbound(struct vcpu *v, const union evtchn_arg *arg)
{
	struct domain *d;

	if (domain_get(v, arg->alloc_unbound.dom, &d))
		return; /* gone, and the port with it */
	evtchn_close(d, arg->alloc_unbound.port);
	domain_put(d);
}

/* Both locks held. */
static int connect(struct domain *d, struct domain *peer, evtchn_port_t peer_port,
		   evtchn_port_t *ret_port)
{
	struct evtchn *theirs = evtchn_find(peer, peer_port), *ours;
	int err;

	if (peer->dying || !theirs || theirs->state != EVTCHN_UNBOUND || theirs->remote != d->id)
		return -XEN_EINVAL;
	err = evtchn_alloc_port(d, ret_port, &ours);
	if (err)
		return err;
	domain_ref(peer);
	domain_ref(d);
	ours->peer.domain = peer;
	ours->peer.port = peer_port;
	theirs->peer.domain = d;
	theirs->peer.port = *ret_port;
	evtchn_open(d, ours, EVTCHN_INTERDOMAIN);
	WRITE_ONCE(theirs->state, EVTCHN_INTERDOMAIN);
	/* The peer may have sent before we were there. */
	evtchn_set_pending(d, ours, *ret_port);
	return 0;
}

static int op_bind_interdomain(struct vcpu *v, union evtchn_arg *arg)
{
	struct evtchn_bind_interdomain *op = &arg->bind_interdomain;
	struct domain *peer;
	int err = domain_get_peer(v, op->remote_dom, &peer);

	if (err)
		return err;
	evtchn_lock_pair(v->domain, peer);
	err = connect(v->domain, peer, op->remote_port, &op->local_port);
	evtchn_unlock_pair(v->domain, peer);
	domain_put(peer);
	return err;
}

static void undo_bind_interdomain(struct vcpu *v, const union evtchn_arg *arg)
{
	evtchn_close(v->domain, arg->bind_interdomain.local_port);
}

static int op_bind_virq(struct vcpu *v, union evtchn_arg *arg)
{
	struct evtchn_bind_virq *op = &arg->bind_virq;
	struct domain *d = v->domain;
	struct vcpu *target;
	struct evtchn *chn;
	uint32_t virq;
	int err;

	if (op->virq >= NR_VIRQS || (virq_is_global(op->virq) && op->vcpu))
		return -XEN_EINVAL;
	virq = (uint32_t)index_clamp(op->virq, NR_VIRQS);
	target = domain_vcpu(d, op->vcpu);
	if (!target)
		return -XEN_ENOENT;
	spin_lock(&d->evtchn.lock);
	err = target->virq_port[virq] ? -XEN_EEXIST : evtchn_alloc_port(d, &op->port, &chn);
	if (!err) {
		chn->vcpu = target->id;
		chn->virq = virq;
		target->virq_port[virq] = op->port;
		evtchn_open(d, chn, EVTCHN_VIRQ);
	}
	spin_unlock(&d->evtchn.lock);
	return err;
}

static void undo_bind_virq(struct vcpu *v, const union evtchn_arg *arg)
{
	evtchn_close(v->domain, arg->bind_virq.port);
}

static int op_bind_ipi(struct vcpu *v, union evtchn_arg *arg)
{
	struct evtchn_bind_ipi *op = &arg->bind_ipi;
	struct domain *d = v->domain;
	struct evtchn *chn;
	int err;

	if (!domain_vcpu(d, op->vcpu))
		return -XEN_ENOENT;
	spin_lock(&d->evtchn.lock);
	err = evtchn_alloc_port(d, &op->port, &chn);
	if (!err) {
		chn->vcpu = op->vcpu;
		evtchn_open(d, chn, EVTCHN_IPI);
	}
	spin_unlock(&d->evtchn.lock);
	return err;
}

static void undo_bind_ipi(struct vcpu *v, const union evtchn_arg *arg)
{
	evtchn_close(v->domain, arg->bind_ipi.port);
}

static int op_close(struct vcpu *v, union evtchn_arg *arg)
{
	return evtchn_close(v->domain, arg->close.port);
}

/* Of an open port. */
static void describe(const struct evtchn *chn, struct evtchn_status *op)
{
	op->vcpu = chn->vcpu;
	switch (chn->state) {
	case EVTCHN_UNBOUND:
		op->status = EVTCHNSTAT_unbound;
		op->u.unbound.dom = chn->remote;
		break;
	case EVTCHN_INTERDOMAIN:
		op->status = EVTCHNSTAT_interdomain;
		op->u.interdomain.dom = chn->peer.domain->id;
		op->u.interdomain.port = chn->peer.port;
		break;
	case EVTCHN_VIRQ:
		op->status = EVTCHNSTAT_virq;
		op->u.virq = chn->virq;
		break;
	default:
		op->status = EVTCHNSTAT_ipi;
		break;
	}
}

static int op_status(struct vcpu *v, union evtchn_arg *arg)
{
	struct evtchn_status *op = &arg->status;
	struct evtchn *chn;
	struct domain *d;
	int err = domain_get(v, op->dom, &d);

	if (err)
		return err;
	spin_lock(&d->evtchn.lock);
	chn = evtchn_find(d, op->port);
	if (chn && chn->state != EVTCHN_FREE)
		describe(chn, op);
	else if (op->port && op->port < evtchn_nr_ports(d))
		op->status = EVTCHNSTAT_closed;
	else
		err = -XEN_EINVAL;
	spin_unlock(&d->evtchn.lock);
	domain_put(d);
	return err;
}

/* IPIs and the VIRQs of a vCPU stay with it. */
static bool may_move(const struct evtchn *chn)
{
	return chn->state == EVTCHN_INTERDOMAIN || chn->state == EVTCHN_UNBOUND ||
	       (chn->state == EVTCHN_VIRQ && virq_is_global(chn->virq));
}

static int op_bind_vcpu(struct vcpu *v, union evtchn_arg *arg)
{
	struct domain *d = v->domain;
	struct evtchn *chn;
	int err = -XEN_EINVAL;

	if (!domain_vcpu(d, arg->bind_vcpu.vcpu))
		return -XEN_ENOENT;
	spin_lock(&d->evtchn.lock);
	chn = evtchn_find(d, arg->bind_vcpu.port);
	if (chn && may_move(chn)) {
		WRITE_ONCE(chn->vcpu, arg->bind_vcpu.vcpu);
		err = 0;
	}
	spin_unlock(&d->evtchn.lock);
	return err;
}

/* The open port with this number, for an operation under the lock. */
static struct evtchn *find_open(struct domain *d, evtchn_port_t port)
{
	struct evtchn *chn = evtchn_find(d, port);

	return chn && chn->state != EVTCHN_FREE ? chn : NULL;
}

static int op_unmask(struct vcpu *v, union evtchn_arg *arg)
{
	struct domain *d = v->domain;
	struct evtchn *chn;

	spin_lock(&d->evtchn.lock);
	chn = find_open(d, arg->unmask.port);
	if (chn)
		evtchn_unmask(d, chn, arg->unmask.port);
	spin_unlock(&d->evtchn.lock);
	return chn ? 0 : -XEN_EINVAL;
}

static int op_set_priority(struct vcpu *v, union evtchn_arg *arg)
{
	struct domain *d = v->domain;
	struct evtchn *chn;
	int err;

	spin_lock(&d->evtchn.lock);
	chn = find_open(d, arg->set_priority.port);
	if (!d->evtchn.fifo) {
		err = -XEN_ENOSYS; /* 2-level events have none */
	} else if (!chn || arg->set_priority.priority > EVTCHN_FIFO_PRIORITY_MIN) {
		err = -XEN_EINVAL;
	} else {
		WRITE_ONCE(chn->priority, (uint8_t)arg->set_priority.priority);
		err = 0;
	}
	spin_unlock(&d->evtchn.lock);
	return err;
}

static int op_init_control(struct vcpu *v, union evtchn_arg *arg)
{
	return evtchn_fifo_init_control(v->domain, &arg->init_control);
}

/* An installed control block cannot be taken back, and the answer is always the same. */
static void answer_init_control(union evtchn_arg *arg)
{
	arg->init_control.link_bits = EVTCHN_FIFO_LINK_BITS;
}

static int op_expand_array(struct vcpu *v, union evtchn_arg *arg)
{
	return evtchn_fifo_expand_array(v->domain, &arg->expand_array);
}

static int op_reset(struct vcpu *v, union evtchn_arg *arg)
{
	struct domain *d;
	int err = domain_get(v, arg->reset.dom, &d);

	if (err)
		return err;
	err = evtchn_reset(d);
	domain_put(d);
	return err;
}

static const struct op_row {
	int (*fn)(struct vcpu *v, union evtchn_arg *arg);
	void (*undo)(struct vcpu *v, const union evtchn_arg *arg);
	void (*answer)(union evtchn_arg *arg); /* fills in the result before fn runs */
	uint8_t size;
	bool has_result; /* to be written once fn succeeded; undo takes fn back when that faults */
} op_table[] = {
	[EVTCHNOP_bind_interdomain] = { op_bind_interdomain, undo_bind_interdomain, NULL,
					sizeof(struct evtchn_bind_interdomain), true },
	[EVTCHNOP_bind_virq] = { op_bind_virq, undo_bind_virq, NULL,
				 sizeof(struct evtchn_bind_virq), true },
	[EVTCHNOP_close] = { op_close, NULL, NULL, sizeof(struct evtchn_close), false },
	[EVTCHNOP_status] = { op_status, NULL, NULL, sizeof(struct evtchn_status), true },
	[EVTCHNOP_alloc_unbound] = { op_alloc_unbound, undo_alloc_unbound, NULL,
				     sizeof(struct evtchn_alloc_unbound), true },
	[EVTCHNOP_bind_ipi] = { op_bind_ipi, undo_bind_ipi, NULL, sizeof(struct evtchn_bind_ipi),
				true },
	[EVTCHNOP_bind_vcpu] = { op_bind_vcpu, NULL, NULL, sizeof(struct evtchn_bind_vcpu), false },
	[EVTCHNOP_unmask] = { op_unmask, NULL, NULL, sizeof(struct evtchn_unmask), false },
	[EVTCHNOP_reset] = { op_reset, NULL, NULL, sizeof(struct evtchn_reset), false },
	[EVTCHNOP_init_control] = { op_init_control, NULL, answer_init_control,
				    sizeof(struct evtchn_init_control), false },
	[EVTCHNOP_expand_array] = { op_expand_array, NULL, NULL, sizeof(struct evtchn_expand_array),
				    false },
	[EVTCHNOP_set_priority] = { op_set_priority, NULL, NULL, sizeof(struct evtchn_set_priority),
				    false },
};

int64_t do_event_channel_op(struct vcpu *v, struct hypercall_args *a)
{
	guest_ptr_t ptr = GUEST_PTR(a->arg[1]);
	const struct op_row *row;
	union evtchn_arg arg;
	int err;

	if (likely(a->arg[0] == EVTCHNOP_send))
		return op_send(v, ptr); /* no table, no indirect call */
	if (a->arg[0] >= ARRAY_SIZE(op_table))
		return -XEN_ENOSYS;
	row = &op_table[index_clamp(a->arg[0], ARRAY_SIZE(op_table))];
	if (!row->fn)
		return -XEN_ENOSYS;
	err = copy_from_guest(v, &arg, ptr, row->size);
	if (!err && row->answer) {
		row->answer(&arg);
		err = copy_to_guest(v, ptr, &arg, row->size);
	}
	if (!err)
		err = row->fn(v, &arg);
	if (err == -XEN_EAGAIN)
		return HYPERCALL_RESTART;
	if (err || !row->has_result)
		return err;
	err = copy_to_guest(v, ptr, &arg, row->size);
	if (err && row->undo)
		row->undo(v, &arg); /* the guest never learned the port */
	return err;
}
