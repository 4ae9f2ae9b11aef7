/*
 * Event channels: event_channel_op(cmd, arg) and the two layouts of pending events.
 *
 * All structures are the same for 64-bit and 32-bit guests.
 */
#ifndef LODGE_ABI_EVENT_CHANNEL_H
#define LODGE_ABI_EVENT_CHANNEL_H

#include "xen.h"

#define EVTCHNOP_bind_interdomain 0
#define EVTCHNOP_bind_virq        1
#define EVTCHNOP_bind_pirq        2
#define EVTCHNOP_close            3
#define EVTCHNOP_send             4
#define EVTCHNOP_status           5
#define EVTCHNOP_alloc_unbound    6
#define EVTCHNOP_bind_ipi         7
#define EVTCHNOP_bind_vcpu        8
#define EVTCHNOP_unmask           9
#define EVTCHNOP_reset            10
#define EVTCHNOP_init_control     11
#define EVTCHNOP_expand_array     12
#define EVTCHNOP_set_priority     13

/* Port 0 is never handed out: it means "none". */
typedef uint32_t evtchn_port_t;

/* A new port of dom that remote_dom may bind to. */
struct evtchn_alloc_unbound {
	domid_t dom;
	domid_t remote_dom;
	evtchn_port_t port; /* out */
};

ABI_SIZE(struct evtchn_alloc_unbound, 8);
ABI_OFFSET(struct evtchn_alloc_unbound, dom, 0);
ABI_OFFSET(struct evtchn_alloc_unbound, remote_dom, 2);
ABI_OFFSET(struct evtchn_alloc_unbound, port, 4);

/* A new local port connected to a port that remote_dom allocated for the caller. It starts
 * pending, because the peer may have sent before anyone was bound. */
struct evtchn_bind_interdomain {
	domid_t remote_dom;
	uint16_t pad;
	evtchn_port_t remote_port;
	evtchn_port_t local_port; /* out */
};

ABI_SIZE(struct evtchn_bind_interdomain, 12);
ABI_OFFSET(struct evtchn_bind_interdomain, remote_dom, 0);
ABI_OFFSET(struct evtchn_bind_interdomain, pad, 2);
ABI_OFFSET(struct evtchn_bind_interdomain, remote_port, 4);
ABI_OFFSET(struct evtchn_bind_interdomain, local_port, 8);

/* A new port that VIRQ_* raises; global ones take vCPU 0. */
struct evtchn_bind_virq {
	uint32_t virq;
	uint32_t vcpu;
	evtchn_port_t port; /* out */
};

ABI_SIZE(struct evtchn_bind_virq, 12);
ABI_OFFSET(struct evtchn_bind_virq, virq, 0);
ABI_OFFSET(struct evtchn_bind_virq, vcpu, 4);
ABI_OFFSET(struct evtchn_bind_virq, port, 8);

/* A new port with which a vCPU notifies another of its own domain. */
struct evtchn_bind_ipi {
	uint32_t vcpu;
	evtchn_port_t port; /* out */
};

ABI_SIZE(struct evtchn_bind_ipi, 8);
ABI_OFFSET(struct evtchn_bind_ipi, vcpu, 0);
ABI_OFFSET(struct evtchn_bind_ipi, port, 4);

/* Give a port back; the peer's end of an interdomain channel becomes unbound again. */
struct evtchn_close {
	evtchn_port_t port;
};

ABI_SIZE(struct evtchn_close, 4);
ABI_OFFSET(struct evtchn_close, port, 0);

/* Notify the other end. */
struct evtchn_send {
	evtchn_port_t port;
};

ABI_SIZE(struct evtchn_send, 4);
ABI_OFFSET(struct evtchn_send, port, 0);

#define EVTCHNSTAT_closed      0
#define EVTCHNSTAT_unbound     1
#define EVTCHNSTAT_interdomain 2
#define EVTCHNSTAT_pirq        3
#define EVTCHNSTAT_virq        4
#define EVTCHNSTAT_ipi         5

/* What dom's port is, which vCPU it notifies, and what it is connected to. */
struct evtchn_status {
	domid_t dom;
	uint16_t pad0;
	evtchn_port_t port;
	uint32_t status; /* out: EVTCHNSTAT_* */
	uint32_t vcpu;   /* out */
	union {
		struct {
			domid_t dom;
		} unbound;
		struct {
			domid_t dom;
			uint16_t pad1;
			evtchn_port_t port;
		} interdomain;
		uint32_t pirq;
		uint32_t virq;
	} u; /* out */
};

ABI_SIZE(struct evtchn_status, 24);
ABI_OFFSET(struct evtchn_status, dom, 0);
ABI_OFFSET(struct evtchn_status, pad0, 2);
ABI_OFFSET(struct evtchn_status, port, 4);
ABI_OFFSET(struct evtchn_status, status, 8);
ABI_OFFSET(struct evtchn_status, vcpu, 12);
ABI_OFFSET(struct evtchn_status, u, 16);
ABI_OFFSET(struct evtchn_status, u.unbound.dom, 16);
ABI_OFFSET(struct evtchn_status, u.interdomain.dom, 16);
ABI_OFFSET(struct evtchn_status, u.interdomain.pad1, 18);
ABI_OFFSET(struct evtchn_status, u.interdomain.port, 20);
ABI_OFFSET(struct evtchn_status, u.pirq, 16);
ABI_OFFSET(struct evtchn_status, u.virq, 16);

/* From now on the port notifies this vCPU. */
struct evtchn_bind_vcpu {
	evtchn_port_t port;
	uint32_t vcpu;
};

ABI_SIZE(struct evtchn_bind_vcpu, 8);
ABI_OFFSET(struct evtchn_bind_vcpu, port, 0);
ABI_OFFSET(struct evtchn_bind_vcpu, vcpu, 4);

/* Clear the mask and deliver what is pending. */
struct evtchn_unmask {
	evtchn_port_t port;
};

ABI_SIZE(struct evtchn_unmask, 4);
ABI_OFFSET(struct evtchn_unmask, port, 0);

/* Close every port of dom and return it to 2-level events. */
struct evtchn_reset {
	domid_t dom;
};

ABI_SIZE(struct evtchn_reset, 2);
ABI_OFFSET(struct evtchn_reset, dom, 0);

/* Place a vCPU's FIFO control block; the first call switches the domain to FIFO events. */
struct evtchn_init_control {
	uint64_t control_gfn;
	uint32_t offset; /* within the page, multiple of 8 */
	uint32_t vcpu;
	uint8_t link_bits; /* out: EVTCHN_FIFO_LINK_BITS */
	uint8_t pad[7];
};

ABI_SIZE(struct evtchn_init_control, 24);
ABI_OFFSET(struct evtchn_init_control, control_gfn, 0);
ABI_OFFSET(struct evtchn_init_control, offset, 8);
ABI_OFFSET(struct evtchn_init_control, vcpu, 12);
ABI_OFFSET(struct evtchn_init_control, link_bits, 16);
ABI_OFFSET(struct evtchn_init_control, pad, 17);

/* Add one page to the array of event words. */
struct evtchn_expand_array {
	uint64_t array_gfn;
};

ABI_SIZE(struct evtchn_expand_array, 8);
ABI_OFFSET(struct evtchn_expand_array, array_gfn, 0);

struct evtchn_set_priority {
	evtchn_port_t port;
	uint32_t priority;
};

ABI_SIZE(struct evtchn_set_priority, 8);
ABI_OFFSET(struct evtchn_set_priority, port, 0);
ABI_OFFSET(struct evtchn_set_priority, priority, 4);

/* 2-level events: bits in shared_info, and a selector word in each vcpu_info. */
#define EVTCHN_2L_NR_CHANNELS        4096
#define COMPAT_EVTCHN_2L_NR_CHANNELS 1024

/*
 * FIFO events: one word for each port, in pages the guest gives one by one, and a control block
 * for each vCPU. A queue is a list of words, linked by port number from head[priority].
 */
#define EVTCHN_FIFO_PRIORITY_MAX     0
#define EVTCHN_FIFO_PRIORITY_DEFAULT 7
#define EVTCHN_FIFO_PRIORITY_MIN     15
#define EVTCHN_FIFO_MAX_QUEUES       16

typedef uint32_t event_word_t;

/* Bit numbers in an event word. */
#define EVTCHN_FIFO_PENDING     31
#define EVTCHN_FIFO_MASKED      30
#define EVTCHN_FIFO_LINKED      29
#define EVTCHN_FIFO_BUSY        28
#define EVTCHN_FIFO_LINK_BITS   17
#define EVTCHN_FIFO_LINK_MASK   ((1U << EVTCHN_FIFO_LINK_BITS) - 1)
#define EVTCHN_FIFO_NR_CHANNELS (1U << EVTCHN_FIFO_LINK_BITS)

struct evtchn_fifo_control_block {
	uint32_t ready; /* one bit for each queue that is not empty */
	uint32_t rsvd;
	uint32_t head[EVTCHN_FIFO_MAX_QUEUES];
};

ABI_SIZE(struct evtchn_fifo_control_block, 72);
ABI_OFFSET(struct evtchn_fifo_control_block, ready, 0);
ABI_OFFSET(struct evtchn_fifo_control_block, rsvd, 4);
ABI_OFFSET(struct evtchn_fifo_control_block, head, 8);

#endif /* LODGE_ABI_EVENT_CHANNEL_H */
