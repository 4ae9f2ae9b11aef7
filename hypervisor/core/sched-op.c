/*
 * sched_op: yield, wait for events, stop a domain, watchdogs.
 *
 * Nothing here waits: block and poll record that the vCPU waits and return; it stops when its CPU is
 * back in the main loop, with the hypercall's result in place.
 */
#include "abi/sched.h"

#include "abi/errno.h"
#include "arch-inline.h"
#include "lodge/arch.h"
#include "lodge/domain.h"
#include "lodge/guest.h"
#include "lodge/hypercall.h"
#include "lodge/sched.h"
#include "lodge/vcpu.h"

#define MAX_POLL_PORTS 128u

/* Watchdogs: a domain that does not restart its own in time is stopped. */

static void watchdog_fired(struct timer *t)
{
	struct domain_watchdog *w = container_of(t, struct domain_watchdog, timer);

	if (READ_ONCE(w->active))
		domain_shutdown(w->domain, SHUTDOWN_watchdog);
}

void domain_watchdog_init(struct domain *d)
{
	for (unsigned i = 0; i < DOMAIN_WATCHDOGS; i++) {
		timer_init(&d->watchdog[i].timer, watchdog_fired);
		d->watchdog[i].domain = d;
	}
}

void domain_watchdog_fini(struct domain *d)
{
	for (unsigned i = 0; i < DOMAIN_WATCHDOGS; i++) {
		WRITE_ONCE(d->watchdog[i].active, false);
		timer_fini(&d->watchdog[i].timer);
	}
}

/* 1 more than the index of a watchdog that is free now; 0: none. d->lock is held. */
static uint32_t find_free_watchdog(const struct domain *d)
{
	for (uint32_t i = 0; i < DOMAIN_WATCHDOGS; i++)
		if (!d->watchdog[i].active)
			return i + 1;
	return 0;
}

/* d->lock is held. */
static int64_t set_watchdog(struct domain *d, const struct sched_watchdog *op)
{
	uint32_t id = op->id ? op->id : find_free_watchdog(d);
	struct domain_watchdog *w;

	if (!id)
		return -XEN_ENOSPC;
	w = &d->watchdog[index_clamp(id - 1, DOMAIN_WATCHDOGS)];
	if (op->id && !w->active)
		return -XEN_EINVAL;
	w->active = op->timeout;
	if (op->timeout)
		timer_set(&w->timer, arch_now_ns() + op->timeout * NS_PER_SEC);
	else
		timer_cancel(&w->timer);
	return op->id ? 0 : id;
}

/* The result is the id of a new watchdog. */
static int64_t schedop_watchdog(struct vcpu *v, guest_ptr_t arg)
{
	struct domain *d = v->domain;
	struct sched_watchdog op;
	int64_t result = copy_from_guest(v, &op, arg, sizeof(op));

	if (result)
		return result;
	if (op.id > DOMAIN_WATCHDOGS || (!op.id && !op.timeout))
		return -XEN_EINVAL;
	spin_lock(&d->lock);
	result = d->dying ? -XEN_EINVAL : set_watchdog(d, &op);
	spin_unlock(&d->lock);
	return result;
}

/* Waiting --------------------------------------------------------------------------------------- */

static int64_t schedop_yield(struct vcpu *v)
{
	sched_give_way(v);
	return 0;
}

static int64_t schedop_block(struct vcpu *v)
{
	vcpu_halt(v);
	return 0;
}

static int copy_poll(struct vcpu *v, const struct hypercall_args *a, struct sched_poll *ret_poll)
{
	struct compat_sched_poll c;
	int err;

	if (!a->compat)
		return copy_from_guest(v, ret_poll, GUEST_PTR(a->arg[1]), sizeof(*ret_poll));
	err = copy_from_guest(v, &c, GUEST_PTR(a->arg[1]), sizeof(c));
	if (!err)
		*ret_poll = (struct sched_poll){ .ports = c.ports,
						 .nr_ports = c.nr_ports,
						 .timeout = c.timeout };
	return err;
}

static bool any_is_pending(struct domain *d, const evtchn_port_t *ports, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		if (evtchn_port_is_pending(d, ports[i]))
			return true;
	return false;
}

/* The ports are looked at after the vCPU has been seen to wait, so that a sender either finds it
 * waiting or is found. */
static int64_t schedop_poll(struct vcpu *v, struct hypercall_args *a)
{
	evtchn_port_t ports[MAX_POLL_PORTS];
	struct sched_poll poll;
	int err = copy_poll(v, a, &poll);

	if (err)
		return err;
	if (poll.nr_ports > MAX_POLL_PORTS)
		return -XEN_EINVAL;
	err = copy_from_guest(v, ports, GUEST_PTR(poll.ports), poll.nr_ports * sizeof(ports[0]));
	if (err)
		return err;
	for (uint32_t i = 0; i < poll.nr_ports; i++)
		if (!evtchn_port_is_valid(v->domain, ports[i]))
			return -XEN_EINVAL;
	vcpu_poll(v, poll.nr_ports == 1 ? ports[0] : 0, poll.timeout ? poll.timeout : TIME_NEVER);
	if (any_is_pending(v->domain, ports, poll.nr_ports))
		vcpu_unblock(v, VCPU_POLLING);
	return 0;
}

/* Stopping -------------------------------------------------------------------------------------- */

static int64_t schedop_shutdown(struct vcpu *v, guest_ptr_t arg)
{
	struct sched_shutdown op;
	int err = copy_from_guest(v, &op, arg, sizeof(op));

	if (err)
		return err;
	if (op.reason > SHUTDOWN_MAX)
		return -XEN_EINVAL;
	domain_shutdown(v->domain, (uint8_t)op.reason);
	return 0;
}

/* What is to be reported as the reason, whatever the domain stops for. */
static int64_t schedop_shutdown_code(struct vcpu *v, guest_ptr_t arg)
{
	struct domain *d = v->domain;
	struct sched_shutdown op;
	int err = copy_from_guest(v, &op, arg, sizeof(op));

	if (err)
		return err;
	if (op.reason > SHUTDOWN_MAX)
		return -XEN_EINVAL;
	spin_lock(&d->lock);
	d->shutdown_code = (uint8_t)(op.reason + 1);
	spin_unlock(&d->lock);
	return 0;
}

static int64_t schedop_remote_shutdown(struct vcpu *v, guest_ptr_t arg)
{
	struct sched_remote_shutdown op;
	struct domain *d;
	int err = copy_from_guest(v, &op, arg, sizeof(op));

	if (err)
		return err;
	if (!v->domain->privileged)
		return -XEN_EPERM;
	if (op.reason > SHUTDOWN_MAX)
		return -XEN_EINVAL;
	err = domain_get(v, op.domain_id, &d);
	if (err)
		return err;
	domain_shutdown(d, (uint8_t)op.reason);
	domain_put(d);
	return 0;
}

int64_t do_sched_op(struct vcpu *v, struct hypercall_args *a)
{
	guest_ptr_t arg = GUEST_PTR(a->arg[1]);

	switch ((uint32_t)a->arg[0]) {
	case SCHEDOP_yield:
		return schedop_yield(v);
	case SCHEDOP_block:
		return schedop_block(v);
	case SCHEDOP_shutdown:
		return schedop_shutdown(v, arg);
	case SCHEDOP_poll:
		return schedop_poll(v, a);
	case SCHEDOP_remote_shutdown:
		return schedop_remote_shutdown(v, arg);
	case SCHEDOP_shutdown_code:
		return schedop_shutdown_code(v, arg);
	case SCHEDOP_watchdog:
		return schedop_watchdog(v, arg);
	default:
		return -XEN_ENOSYS;
	}
}
