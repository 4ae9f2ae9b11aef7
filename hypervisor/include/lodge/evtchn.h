/* Event channels. One pending bit for each port, set by the peer, cleared by the owner. Two layouts
 * in guest memory: 2-level bitmaps in shared info, and FIFO queues (evtchn-fifo.c) once the guest asks.
 * Locking: d->evtchn.lock for every change of a port's state; for two domains evtchn_lock_pair(),
 * which owns the order. Sending takes the lock of the sender's domain only: closing an interdomain
 * channel needs both, so neither end changes under a sender. docs/events.md tells the rest. */
#ifndef LODGE_EVTCHN_H
#define LODGE_EVTCHN_H

#include "abi/event-channel.h"
#include "lib/bitmap.h"
#include "lodge/spinlock.h"
#include "lodge/types.h"

struct domain;
struct vcpu;
struct evtchn;      /* private to the evtchn*.c files: core/evtchn-internal.h */
struct evtchn_fifo; /* private to evtchn-fifo.c */

#define EVTCHN_MAX_BUCKETS (EVTCHN_FIFO_NR_CHANNELS / 128)

struct evtchn_table {
	struct spinlock lock;
	uint32_t max_port;      /* highest port that may ever be valid; 0 once torn down; lock */
	struct evtchn **bucket; /* pages of ports, allocated as needed; lock */
	struct evtchn_fifo
		*fifo;       /* NULL: 2-level; changes under the lock, to NULL only without ports */
	uint32_t nr_pollers; /* vCPUs in SCHEDOP_poll; atomic */
	uint32_t nr_open;    /* ports that are not free; lock */
	uint32_t next_close; /* how far evtchn_reset() got; lock */
	bool closing;        /* a reset or the teardown is under way: no new ports; lock */
	bitmap_word_t
		full[BITMAP_WORDS(EVTCHN_MAX_BUCKETS)]; /* buckets without a free port; lock */
};

must_check int evtchn_init(struct domain *d, uint32_t max_port);
/* Closes every port; preemptible: -EAGAIN. Idempotent, accepts a half-built domain. */
must_check int evtchn_teardown(struct domain *d);

/* For a domain `d` that waits for `peer`; *ret_port is the lowest free one, never 0. -ENOSPC, -ENOMEM;
 * -EINVAL for a dying domain, -EBUSY while its ports are being closed by evtchn_reset(). */
must_check int evtchn_alloc_unbound(struct domain *d, domid_t peer, evtchn_port_t *ret_port);
/* -EINVAL unless the port is open. An interdomain peer becomes unbound again. */
int evtchn_close(struct domain *d, evtchn_port_t port);

/* Tells the vCPU that bound it; nothing when unbound. Any context. */
void evtchn_send_virq(struct vcpu *v, uint32_t virq); /* per-vCPU VIRQs */
void evtchn_send_global_virq(struct domain *d, uint32_t virq);
/* For SCHEDOP_poll: takes the lock. */
bool evtchn_port_is_pending(struct domain *d, evtchn_port_t port);
bool evtchn_port_is_valid(struct domain *d, evtchn_port_t port);
/* The first open port from `port`, which is not 0, on; 0: there is none. */
evtchn_port_t evtchn_next_open(struct domain *d, evtchn_port_t port);

/* Closes all ports and goes back to 2-level events. Preemptible: -EAGAIN; until a later call returns 0,
 * no port can be opened. */
must_check int evtchn_reset(struct domain *d);

#endif
