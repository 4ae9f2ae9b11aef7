/* Event channels: ports, their life, and delivery through the 2-level bitmaps in shared info. See
 * lodge/evtchn.h for the locking. FIFO delivery is in evtchn-fifo.c, the hypercall in evtchn-op.c. */
#include "lodge/evtchn.h"

#include "abi/errno.h"
#include "core/evtchn-internal.h"
#include "lodge/alloc.h"
#include "lodge/arch.h"
#include "lodge/hypercall.h"
#include "lodge/log.h"
#include "lodge/vcpu.h"

int evtchn_init(struct domain *d, uint32_t max_port)
{
	struct evtchn_table *t = &d->evtchn;

	spinlock_init(&t->lock, LOCK_RANK_EVTCHN);
	t->max_port = max_port && max_port < EVTCHN_FIFO_NR_CHANNELS ? max_port
								     : EVTCHN_FIFO_NR_CHANNELS - 1;
	t->next_free = 1;
	t->next_close = 1;
	t->nr_buckets = (uint32_t)(t->max_port / EVTCHNS_PER_BUCKET) + 1;
	t->bucket = mem_alloc(t->nr_buckets * sizeof(t->bucket[0]));
	return t->bucket ? 0 : -XEN_ENOMEM;
}

uint32_t evtchn_nr_ports(const struct domain *d)
{
	uint32_t layout = d->evtchn.fifo ? EVTCHN_FIFO_NR_CHANNELS
			  : d->compat    ? COMPAT_EVTCHN_2L_NR_CHANNELS
					 : EVTCHN_2L_NR_CHANNELS;

	return MIN(layout, d->evtchn.max_port + 1);
}

struct evtchn *evtchn_find(struct domain *d, evtchn_port_t port)
{
	uint32_t nr_ports = evtchn_nr_ports(d);
	struct evtchn *bucket;

	if (!port || port >= nr_ports)
		return NULL;
	port = (evtchn_port_t)index_clamp(port, nr_ports);
	bucket = d->evtchn.bucket[port / EVTCHNS_PER_BUCKET];
	return bucket ? &bucket[port % EVTCHNS_PER_BUCKET] : NULL;
}

void evtchn_lock_pair(struct domain *a, struct domain *b)
{
	struct domain *first = a->id <= b->id ? a : b, *second = first == a ? b : a;

	spin_lock(&first->evtchn.lock);
	if (second != first)
		spin_lock_nested(&second->evtchn.lock);
}

void evtchn_unlock_pair(struct domain *a, struct domain *b)
{
	spin_unlock(&a->evtchn.lock);
	if (b != a)
		spin_unlock(&b->evtchn.lock);
}

/* 2-level layout ------------------------------------------------------------------------------ */

/* Both layouts are bitmaps in 32-bit words on this little-endian machine; they differ in where the
 * mask starts and in how many ports a selector bit stands for. */
static uint32_t *pending_word(struct domain *d, evtchn_port_t port)
{
	return (uint32_t *)(void *)d->shared_info->evtchn_pending + port / 32;
}

static uint32_t *mask_word(struct domain *d, evtchn_port_t port)
{
	void *mask = d->compat ? (void *)((struct compat_shared_info *)d->shared_info)->evtchn_mask
			       : (void *)d->shared_info->evtchn_mask;

	return (uint32_t *)mask + port / 32;
}

static uint32_t port_bit(evtchn_port_t port)
{
	return 1u << (port % 32);
}

/* Sets the selector bit that covers the port; the upcall follows if it was clear. */
static void two_level_select(struct domain *d, const struct evtchn *chn, evtchn_port_t port)
{
	struct vcpu *v = d->vcpu[chn->vcpu];
	bool was_set;

	if (d->compat) {
		uint32_t *sel = &((struct compat_vcpu_info *)v->info)->evtchn_pending_sel;
		uint32_t bit = 1u << (port / 32);

		was_set = __atomic_fetch_or(sel, bit, __ATOMIC_SEQ_CST) & bit;
	} else {
		uint64_t bit = 1ull << (port / 64);

		was_set = __atomic_fetch_or(&v->info->evtchn_pending_sel, bit, __ATOMIC_SEQ_CST) &
			  bit;
	}
	if (!was_set)
		vcpu_raise_upcall(v);
}

static void two_level_set_pending(struct domain *d, const struct evtchn *chn, evtchn_port_t port)
{
	uint32_t bit = port_bit(port);

	if (__atomic_fetch_or(pending_word(d, port), bit, __ATOMIC_SEQ_CST) & bit)
		return;
	if (!(READ_ONCE(*mask_word(d, port)) & bit))
		two_level_select(d, chn, port);
}

static void two_level_unmask(struct domain *d, const struct evtchn *chn, evtchn_port_t port)
{
	uint32_t bit = port_bit(port);

	__atomic_fetch_and(mask_word(d, port), ~bit, __ATOMIC_SEQ_CST);
	if (READ_ONCE(*pending_word(d, port)) & bit)
		two_level_select(d, chn, port);
}

/* Delivery ------------------------------------------------------------------------------------ */

/* A poller is woken even when the port is masked: that is what it polls for. */
static void wake_pollers(struct domain *d, evtchn_port_t port)
{
	if (likely(!READ_ONCE(d->evtchn.nr_pollers)))
		return;
	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		struct vcpu *v = d->vcpu[i];
		evtchn_port_t polled;

		if (!v || !(READ_ONCE(v->blocked_by) & VCPU_POLLING))
			continue;
		polled = READ_ONCE(v->poll_port);
		if (!polled || polled == port)
			vcpu_unblock(v, VCPU_POLLING);
	}
}

void evtchn_set_pending(struct domain *d, struct evtchn *chn, evtchn_port_t port)
{
	if (READ_ONCE(d->evtchn.fifo)) {
		evtchn_fifo_set_pending(d, chn, port);
	} else {
		two_level_set_pending(d, chn, port);
		/* Pairs with evtchn_fifo_init_control(): it publishes the FIFO and then looks at the
		 * bitmap, we set the bit and then look for the FIFO; one of us sees the other. The
		 * atomic above is the barrier. */
		if (unlikely(READ_ONCE(d->evtchn.fifo)))
			evtchn_fifo_set_pending(d, chn, port);
	}
	wake_pollers(d, port);
}

void evtchn_unmask(struct domain *d, struct evtchn *chn, evtchn_port_t port)
{
	if (d->evtchn.fifo)
		evtchn_fifo_unmask(d, chn, port);
	else
		two_level_unmask(d, chn, port);
}

bool evtchn_port_is_valid(struct domain *d, evtchn_port_t port)
{
	const struct evtchn *chn = evtchn_find(d, port);

	return chn && READ_ONCE(chn->state) != EVTCHN_FREE;
}

bool evtchn_port_is_pending(struct domain *d, evtchn_port_t port)
{
	const struct evtchn *chn = evtchn_find(d, port);

	if (!chn)
		return false;
	if (READ_ONCE(d->evtchn.fifo))
		return evtchn_fifo_is_pending(d, chn, port);
	return READ_ONCE(*pending_word(d, port)) & port_bit(port);
}

/* The port cannot change while we look: binding and closing a VIRQ need the same lock. */
void evtchn_send_virq(struct vcpu *v, uint32_t virq)
{
	struct domain *d = v->domain;
	evtchn_port_t port;

	spin_lock(&d->evtchn.lock);
	port = v->virq_port[virq];
	if (port)
		evtchn_set_pending(d, evtchn_find(d, port), port);
	spin_unlock(&d->evtchn.lock);
}

void evtchn_send_global_virq(struct domain *d, uint32_t virq)
{
	if (d && d->vcpu && d->vcpu[0])
		evtchn_send_virq(d->vcpu[0], virq);
}

/* Life of a port ------------------------------------------------------------------------------ */

int evtchn_alloc_port(struct domain *d, evtchn_port_t *ret_port, struct evtchn **ret_chn)
{
	struct evtchn_table *t = &d->evtchn;
	uint32_t nr_ports = evtchn_nr_ports(d);
	bool passed_free = false;

	if (d->dying)
		return -XEN_EINVAL;
	for (evtchn_port_t port = t->next_free; port < nr_ports; port++) {
		struct evtchn **bucket = &t->bucket[port / EVTCHNS_PER_BUCKET];
		struct evtchn *chn;

		if (!*bucket)
			*bucket = mem_alloc(PAGE_SIZE);
		if (!*bucket)
			return -XEN_ENOMEM;
		chn = &(*bucket)[port % EVTCHNS_PER_BUCKET];
		if (chn->state != EVTCHN_FREE)
			continue;
		if (evtchn_fifo_is_linked(d, port)) {
			passed_free = true;
			continue;
		}
		/* last_vcpu and last_priority stay: an old queue may still name the port as its tail. */
		chn->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
		chn->pending_early = false;
		chn->vcpu = 0;
		if (!passed_free)
			t->next_free = port + 1;
		*ret_port = port;
		*ret_chn = chn;
		return 0;
	}
	return -XEN_ENOSPC;
}

bool virq_is_global(uint32_t virq)
{
	return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF &&
	       virq != VIRQ_XENPMU;
}

int evtchn_alloc_unbound(struct domain *d, domid_t peer, evtchn_port_t *ret_port)
{
	struct evtchn *chn;
	int err;

	spin_lock(&d->evtchn.lock);
	err = evtchn_alloc_port(d, ret_port, &chn);
	if (!err) {
		chn->remote = peer;
		WRITE_ONCE(chn->state, EVTCHN_UNBOUND);
	}
	spin_unlock(&d->evtchn.lock);
	return err;
}

static void clear_pending(struct domain *d, struct evtchn *chn, evtchn_port_t port)
{
	if (d->evtchn.fifo)
		evtchn_fifo_clear_pending(d, chn, port);
	else
		__atomic_fetch_and(pending_word(d, port), ~port_bit(port), __ATOMIC_SEQ_CST);
}

static void free_port(struct domain *d, struct evtchn *chn, evtchn_port_t port)
{
	clear_pending(d, chn, port);
	WRITE_ONCE(chn->state, EVTCHN_FREE);
	d->evtchn.next_free = MIN(d->evtchn.next_free, port);
}

/* Both locks held. The peer's end can be bound again, by the same domain only. */
static void disconnect(struct domain *d, struct evtchn *chn)
{
	struct domain *peer = chn->peer.domain;
	struct evtchn *other = evtchn_find(peer, chn->peer.port);

	other->remote = d->id;
	other->peer.domain = NULL;
	WRITE_ONCE(other->state, EVTCHN_UNBOUND);
	chn->peer.domain = NULL;
}

/* Closes a port that is interdomain with another domain: both locks are needed, in their order, so
 * the port is looked at again once they are held. -EAGAIN when it has changed meanwhile. */
static int close_interdomain(struct domain *d, evtchn_port_t port, struct domain *peer)
{
	struct evtchn *chn;
	int err = -XEN_EAGAIN;

	evtchn_lock_pair(d, peer);
	chn = evtchn_find(d, port);
	if (chn->state == EVTCHN_INTERDOMAIN && chn->peer.domain == peer) {
		disconnect(d, chn);
		free_port(d, chn, port);
		err = 0;
	}
	evtchn_unlock_pair(d, peer);
	if (!err) {
		domain_put(peer); /* the count that our end held */
		domain_put(d);    /* and theirs */
	}
	return err;
}

/* Under d's lock alone: all that can be closed so. Returns the other domain of an interdomain
 * channel, with a count, when that is not enough. */
static int close_local(struct domain *d, evtchn_port_t port, struct domain **ret_peer)
{
	struct evtchn *chn = evtchn_find(d, port);

	*ret_peer = NULL;
	if (!chn || chn->state == EVTCHN_FREE)
		return -XEN_EINVAL;
	if (chn->state == EVTCHN_INTERDOMAIN) {
		if (chn->peer.domain != d) {
			*ret_peer = chn->peer.domain;
			domain_ref(*ret_peer);
			return 0;
		}
		disconnect(d, chn); /* a loopback: the caller's own count keeps d alive */
		domain_put(d);
		domain_put(d);
	}
	if (chn->state == EVTCHN_VIRQ)
		d->vcpu[virq_is_global(chn->virq) ? 0 : chn->vcpu]->virq_port[chn->virq] = 0;
	free_port(d, chn, port);
	return 0;
}

int evtchn_close(struct domain *d, evtchn_port_t port)
{
	struct domain *peer;
	int err;

	do {
		spin_lock(&d->evtchn.lock);
		err = close_local(d, port, &peer);
		spin_unlock(&d->evtchn.lock);
		if (peer) {
			err = close_interdomain(d, port, peer);
			domain_put(peer);
		}
	} while (err == -XEN_EAGAIN);
	return err;
}

int evtchn_reset(struct domain *d)
{
	struct evtchn_table *t = &d->evtchn;

	if (!t->bucket)
		return 0;
	while (t->next_close < evtchn_nr_ports(d)) {
		evtchn_port_t port = t->next_close;

		if (!t->bucket[port / EVTCHNS_PER_BUCKET]) {
			t->next_close =
				(uint32_t)((port / EVTCHNS_PER_BUCKET + 1) * EVTCHNS_PER_BUCKET);
			continue;
		}
		if (port % 32 == 0 && hypercall_should_stop())
			return -XEN_EAGAIN;
		if (evtchn_port_is_valid(d, port))
			evtchn_close(d, port); /* fails only if the guest was quicker */
		t->next_close = port + 1;
	}
	spin_lock(&t->lock);
	evtchn_fifo_fini(d);
	t->next_free = 1;
	t->next_close = 1;
	spin_unlock(&t->lock);
	return 0;
}

int evtchn_teardown(struct domain *d)
{
	struct evtchn_table *t = &d->evtchn;
	int err = evtchn_reset(d);

	if (err || !t->bucket)
		return err;
	for (uint32_t i = 0; i < t->nr_buckets; i++)
		mem_free(t->bucket[i], PAGE_SIZE);
	mem_free(t->bucket, t->nr_buckets * sizeof(t->bucket[0]));
	t->bucket = NULL;
	return 0;
}
