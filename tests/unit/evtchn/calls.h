/* event_channel_op as a guest makes it, one function for each operation. */
#ifndef LODGE_TESTS_EVTCHN_CALLS_H
#define LODGE_TESTS_EVTCHN_CALLS_H

#include <check.h>
#include <string.h>

#include "abi/errno.h"
#include "core/evtchn-internal.h"
#include "lodge/hypercall.h"
#include "world.h"

/* All arguments are put at one place in guest memory; the result comes back into *op. */
int64_t evtchn_op(struct vcpu *v, uint64_t cmd, void *op, size_t bytes);

/* These return the error, or what they opened. */
int64_t call_alloc_unbound(struct vcpu *v, domid_t dom, domid_t remote);
int64_t call_bind_interdomain(struct vcpu *v, domid_t remote, evtchn_port_t port);
int64_t call_bind_virq(struct vcpu *v, uint32_t virq, uint32_t vcpu);
int64_t call_bind_ipi(struct vcpu *v, uint32_t vcpu);

int64_t call_close(struct vcpu *v, evtchn_port_t port);
int64_t call_send(struct vcpu *v, evtchn_port_t port);
int64_t call_unmask(struct vcpu *v, evtchn_port_t port);
int64_t call_bind_vcpu(struct vcpu *v, evtchn_port_t port, uint32_t vcpu);
int64_t call_set_priority(struct vcpu *v, evtchn_port_t port, uint32_t priority);
int64_t call_reset(struct vcpu *v, domid_t dom);
int64_t call_status(struct vcpu *v, domid_t dom, evtchn_port_t port,
		    struct evtchn_status *ret_status);
int64_t call_init_control(struct vcpu *v, uint64_t gfn, uint32_t offset, uint32_t vcpu);
int64_t call_expand_array(struct vcpu *v, uint64_t gfn);

/* An interdomain channel: a's end and b's. Both are as after the first event was consumed. */
struct channel {
	evtchn_port_t a, b;
};
struct channel connect_domains(struct domain *a, struct domain *b);

/* The word of a port in the 2-level bitmaps, wherever the domain's layout has it. */
bool is_pending(struct domain *d, evtchn_port_t port);
void set_mask(struct domain *d, evtchn_port_t port, bool masked);
/* The guest has handled all events of its vCPU. */
void consume(struct domain *d, uint32_t vcpu);

#endif
