/* A port, and what evtchn.c, evtchn-op.c and evtchn-fifo.c share. Everything here is called with
 * d->evtchn.lock held, or, for set_pending, with a lock that keeps the port from being closed: the
 * domain's own or the interdomain peer's. */
#ifndef LODGE_EVTCHN_INTERNAL_H
#define LODGE_EVTCHN_INTERNAL_H

#include "arch-inline.h"
#include "lodge/domain.h"
#include "lodge/evtchn.h"

enum evtchn_state { EVTCHN_FREE, EVTCHN_UNBOUND, EVTCHN_INTERDOMAIN, EVTCHN_VIRQ, EVTCHN_IPI };

struct evtchn {
	uint8_t state;    /* enum evtchn_state */
	uint8_t priority; /* FIFO: the queue it goes to next */
	uint8_t last_priority;
	bool pending_early; /* FIFO: raised before the guest gave the page of its event word */
	uint16_t last_vcpu; /* FIFO, with last_priority: the queue it was put on last; fifo lock */
	domid_t remote;     /* UNBOUND: who may bind */
	uint32_t vcpu;      /* whom it notifies */
	uint32_t virq;      /* VIRQ */
	struct {
		struct domain *domain; /* holds a count of it */
		evtchn_port_t port;
	} peer; /* INTERDOMAIN */
};
static_assert(sizeof(struct evtchn) == 32, "128 ports a page");

#define EVTCHNS_PER_BUCKET ((uint32_t)(PAGE_SIZE / sizeof(struct evtchn)))
static_assert(EVTCHN_MAX_BUCKETS * EVTCHNS_PER_BUCKET == EVTCHN_FIFO_NR_CHANNELS, "buckets");

/* The record of an open port whose number is our own. */
static inline struct evtchn *evtchn_record(struct domain *d, evtchn_port_t port)
{
	return &d->evtchn.bucket[port / EVTCHNS_PER_BUCKET][port % EVTCHNS_PER_BUCKET];
}

/* The record of a port number that a guest gave; NULL when there is none. May be free. */
must_check static inline struct evtchn *evtchn_find(struct domain *d, evtchn_port_t port)
{
	uint32_t max_port = d->evtchn.max_port;

	if (port - 1 >= max_port) /* port 0 too */
		return NULL;
	port = (evtchn_port_t)index_clamp(port, max_port + 1ull);
	return d->evtchn.bucket[port / EVTCHNS_PER_BUCKET] ? evtchn_record(d, port) : NULL;
}

/* Number of port numbers that the present layout can express; port 0 included. */
uint32_t evtchn_nr_ports(const struct domain *d);

/* Global VIRQs exist once for each domain and are recorded at vCPU 0, whichever vCPU they notify. */
static inline bool virq_is_global(uint32_t virq)
{
	return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF &&
	       virq != VIRQ_XENPMU;
}

/* Locks the tables of both, which may be the same domain. */
void evtchn_lock_pair(struct domain *a, struct domain *b);
void evtchn_unlock_pair(struct domain *a, struct domain *b);

/* The lowest free port; the caller opens it by evtchn_open() before it drops the lock. */
must_check int evtchn_alloc_port(struct domain *d, evtchn_port_t *ret_port,
				 struct evtchn **ret_chn);
static inline void evtchn_open(struct domain *d, struct evtchn *chn, enum evtchn_state state)
{
	d->evtchn.nr_open++;
	WRITE_ONCE(chn->state, (uint8_t)state);
}

/* Marks it pending and does all that follows: link, upcall, wake of pollers. */
void evtchn_set_pending(struct domain *d, struct evtchn *chn, evtchn_port_t port);
void evtchn_unmask(struct domain *d, struct evtchn *chn, evtchn_port_t port);

/* evtchn-fifo.c */
void evtchn_fifo_set_pending(struct domain *d, struct evtchn *chn, evtchn_port_t port);
void evtchn_fifo_unmask(struct domain *d, struct evtchn *chn, evtchn_port_t port);
void evtchn_fifo_clear_pending(struct domain *d, struct evtchn *chn, evtchn_port_t port);
bool evtchn_fifo_is_pending(struct domain *d, const struct evtchn *chn, evtchn_port_t port);
/* A closed port whose word is still on a queue must not be handed out: the queue runs through it. */
bool evtchn_fifo_is_linked(struct domain *d, evtchn_port_t port);
/* These two take the lock themselves, because pinning a page ranks before it. */
must_check int evtchn_fifo_init_control(struct domain *d, const struct evtchn_init_control *op);
must_check int evtchn_fifo_expand_array(struct domain *d, const struct evtchn_expand_array *op);
/* All ports are closed: gives back the guest's pages and returns to 2-level events. */
void evtchn_fifo_fini(struct domain *d);

#endif
