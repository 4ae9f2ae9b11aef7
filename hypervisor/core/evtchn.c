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

/* Buckets that may be looked through for one port. They are full of closed ports that are still on an
 * event queue, which only a guest that means it can arrange. */
#define MAX_FRUITLESS_BUCKETS 256u

int evtchn_init(struct domain *d, uint32_t max_port)
{
	struct evtchn_table *t = &d->evtchn;

	if (!max_port || max_port >= EVTCHN_FIFO_NR_CHANNELS)
		max_port = EVTCHN_FIFO_NR_CHANNELS - 1;
	spinlock_init(&t->lock, LOCK_RANK_EVTCHN);
	t->next_close = 1;
	t->bucket = domain_mem_alloc(d, EVTCHN_MAX_BUCKETS * sizeof(t->bucket[0]));
	if (!t->bucket)
		return -XEN_ENOMEM;
	t->max_port = max_port;
	return 0;
}

uint32_t evtchn_nr_ports(const struct domain *d)
{
	uint32_t layout = d->evtchn.fifo ? EVTCHN_FIFO_NR_CHANNELS
			  : d->compat    ? COMPAT_EVTCHN_2L_NR_CHANNELS
					 : EVTCHN_2L_NR_CHANNELS;

	return MIN(layout, d->evtchn.max_port + 1);
}

void evtchn_lock_pair(struct domain *a, struct domain *b)
{
	struct domain *first = (uintptr_t)a < (uintptr_t)b ? a : b;

	spin_lock(&first->evtchn.lock);
	if (a != b)
		spin_lock_nested(&(first == a ? b : a)->evtchn.lock);
}

void evtchn_unlock_pair(struct domain *a, struct domain *b)
{
	spin_unlock(&a->evtchn.lock);
	if (b != a)
		spin_unlock(&b->evtchn.lock);
}

/* 2-level layout ------------------------------------------------------------------------------ */

/* Both layouts are bitmaps in 32-bit words on this little-endian machine; they differ in where the
 * mask starts and in how many ports a selector bit stands for. Pending bits start at the same place. */
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

/* A kernel of the other width has taken over and knows only the lowest ports. */
static bool is_beyond_layout(const struct domain *d, evtchn_port_t port)
{
	return unlikely(d->compat) && port >= COMPAT_EVTCHN_2L_NR_CHANNELS;
}

/* Sets the selector bit that covers the port; the upcall follows if it was clear. */
static void two_level_select(struct domain *d, const struct evtchn *chn, evtchn_port_t port)
{
	struct vcpu *v = d->vcpu[chn->vcpu];
	struct vcpu_info *info = READ_ONCE(v->info);
	bool was_set;

	if (d->compat) {
		uint32_t *sel = &((struct compat_vcpu_info *)(void *)info)->evtchn_pending_sel;
		uint32_t bit = 1u << (port / 32);

		was_set = __atomic_fetch_or(sel, bit, __ATOMIC_SEQ_CST) & bit;
	} else {
		uint64_t bit = 1ull << (port / 64);

		was_set = __atomic_fetch_or(&info->evtchn_pending_sel, bit, __ATOMIC_SEQ_CST) & bit;
	}
	if (!was_set)
		vcpu_raise_upcall(v);
}

static void two_level_set_pending(struct domain *d, const struct evtchn *chn, evtchn_port_t port)
{
	uint32_t bit = port_bit(port);

	if (is_beyond_layout(d, port))
		return;
	if (__atomic_fetch_or(pending_word(d, port), bit, __ATOMIC_SEQ_CST) & bit)
		return;
	if (!(READ_ONCE(*mask_word(d, port)) & bit))
		two_level_select(d, chn, port);
}

static void two_level_unmask(struct domain *d, const struct evtchn *chn, evtchn_port_t port)
{
	uint32_t bit = port_bit(port);

	if (is_beyond_layout(d, port))
		return;
	__atomic_fetch_and(mask_word(d, port), ~bit, __ATOMIC_SEQ_CST);
	if (READ_ONCE(*pending_word(d, port)) & bit)
		two_level_select(d, chn, port);
}

static void two_level_clear_pending(struct domain *d, evtchn_port_t port)
{
	if (!is_beyond_layout(d, port))
		__atomic_fetch_and(pending_word(d, port), ~port_bit(port), __ATOMIC_SEQ_CST);
}

static bool two_level_is_pending(struct domain *d, evtchn_port_t port)
{
	return !is_beyond_layout(d, port) && READ_ONCE(*pending_word(d, port)) & port_bit(port);
}

/* Delivery ------------------------------------------------------------------------------------ */

/* A poller is woken even when the port is masked: that is what it polls for. */
static void wake_pollers(struct domain *d, evtchn_port_t port)
{
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
	/* Pairs with vcpu_poll(): it counts itself and then looks at its ports. */
	if (unlikely(READ_ONCE(d->evtchn.nr_pollers)))
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
	const struct evtchn *chn;
	bool is_valid;

	spin_lock(&d->evtchn.lock);
	chn = evtchn_find(d, port);
	is_valid = chn && chn->state != EVTCHN_FREE;
	spin_unlock(&d->evtchn.lock);
	return is_valid;
}

evtchn_port_t evtchn_next_open(struct domain *d, evtchn_port_t port)
{
	uint32_t end;

	spin_lock(&d->evtchn.lock);
	end = evtchn_nr_ports(d);
	while (port < end) {
		if (!d->evtchn.bucket[port / EVTCHNS_PER_BUCKET])
			port += EVTCHNS_PER_BUCKET - port % EVTCHNS_PER_BUCKET;
		else if (evtchn_record(d, port)->state == EVTCHN_FREE)
			port++;
		else
			break;
	}
	spin_unlock(&d->evtchn.lock);
	return port < end ? port : 0;
}

bool evtchn_port_is_pending(struct domain *d, evtchn_port_t port)
{
	const struct evtchn *chn;
	bool is_pending = false;

	spin_lock(&d->evtchn.lock); /* or a reset might take the queues away while we look */
	chn = evtchn_find(d, port);
	if (chn && d->evtchn.fifo)
		is_pending = evtchn_fifo_is_pending(d, chn, port);
	else if (chn)
		is_pending = two_level_is_pending(d, port);
	spin_unlock(&d->evtchn.lock);
	return is_pending;
}

/* The port cannot change while we look: binding and closing a VIRQ need the same lock. */
void evtchn_send_virq(struct vcpu *v, uint32_t virq)
{
	struct domain *d = v->domain;
	evtchn_port_t port;

	spin_lock(&d->evtchn.lock);
	port = v->virq_port[virq];
	if (port)
		evtchn_set_pending(d, evtchn_record(d, port), port);
	spin_unlock(&d->evtchn.lock);
}

void evtchn_send_global_virq(struct domain *d, uint32_t virq)
{
	if (d && d->vcpu && d->vcpu[0])
		evtchn_send_virq(d->vcpu[0], virq);
}

/* Life of a port ------------------------------------------------------------------------------ */

/* The lowest port of a bucket that is free and on no queue; 0: none. Port 0 is never handed out. */
static evtchn_port_t find_free(struct domain *d, uint32_t bucket, uint32_t nr_ports)
{
	struct evtchn_table *t = &d->evtchn;
	evtchn_port_t port = bucket * EVTCHNS_PER_BUCKET;
	uint32_t end = MIN(port + EVTCHNS_PER_BUCKET, nr_ports);
	bool is_full = true;

	for (port = MAX(port, 1u); port < end; port++) {
		if (t->bucket[bucket][port % EVTCHNS_PER_BUCKET].state != EVTCHN_FREE)
			continue;
		if (!evtchn_fifo_is_linked(d, port))
			return port;
		is_full = false;
	}
	if (is_full)
		bitmap_set(t->full, bucket);
	return 0;
}

int evtchn_alloc_port(struct domain *d, evtchn_port_t *ret_port, struct evtchn **ret_chn)
{
	struct evtchn_table *t = &d->evtchn;
	uint32_t nr_ports = evtchn_nr_ports(d);
	uint32_t nr_buckets = (uint32_t)div_round_up(nr_ports, EVTCHNS_PER_BUCKET);
	uint32_t b = (uint32_t)bitmap_next_clear(t->full, nr_buckets, 0);
	evtchn_port_t port = 0;

	if (d->dying)
		return -XEN_EINVAL;
	if (t->closing)
		return -XEN_EBUSY;
	for (uint32_t i = 0; b < nr_buckets && i < MAX_FRUITLESS_BUCKETS; i++) {
		if (!t->bucket[b])
			t->bucket[b] = domain_mem_alloc(d, PAGE_SIZE);
		if (!t->bucket[b])
			return -XEN_ENOMEM;
		port = find_free(d, b, nr_ports);
		if (port)
			break;
		b = (uint32_t)bitmap_next_clear(t->full, nr_buckets, b + 1);
	}
	if (!port)
		return -XEN_ENOSPC;
	*ret_port = port;
	*ret_chn = evtchn_record(d, port);
	/* last_vcpu and last_priority stay: an old queue may still name the port as its tail. */
	(*ret_chn)->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
	(*ret_chn)->pending_early = false;
	(*ret_chn)->vcpu = 0;
	return 0;
}

int evtchn_alloc_unbound(struct domain *d, domid_t peer, evtchn_port_t *ret_port)
{
	struct evtchn *chn;
	int err;

	spin_lock(&d->evtchn.lock);
	err = evtchn_alloc_port(d, ret_port, &chn);
	if (!err) {
		chn->remote = peer;
		evtchn_open(d, chn, EVTCHN_UNBOUND);
	}
	spin_unlock(&d->evtchn.lock);
	return err;
}

static void free_port(struct domain *d, struct evtchn *chn, evtchn_port_t port)
{
	if (d->evtchn.fifo)
		evtchn_fifo_clear_pending(d, chn, port);
	else
		two_level_clear_pending(d, port);
	WRITE_ONCE(chn->state, EVTCHN_FREE);
	d->evtchn.nr_open--;
	bitmap_clear(d->evtchn.full, port / EVTCHNS_PER_BUCKET);
}

/* Both locks held. The peer's end can be bound again, by the same domain only. */
static void disconnect(struct domain *d, struct evtchn *chn)
{
	struct domain *peer = chn->peer.domain;
	struct evtchn *other = evtchn_record(peer, chn->peer.port);

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
	chn = evtchn_find(d, port); /* NULL: torn down meanwhile */
	if (chn && chn->state == EVTCHN_INTERDOMAIN && chn->peer.domain == peer) {
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

/* Closes the next open port, or goes on to the next bucket. True once there is none. */
static bool close_next(struct domain *d)
{
	struct evtchn_table *t = &d->evtchn;
	evtchn_port_t port;
	bool done;

	spin_lock(&t->lock);
	t->closing = true;
	port = t->next_close;
	done = port > t->max_port || !t->nr_open; /* none opens any more */
	if (!done && t->bucket[port / EVTCHNS_PER_BUCKET])
		while (port % EVTCHNS_PER_BUCKET != EVTCHNS_PER_BUCKET - 1 &&
		       evtchn_record(d, port)->state == EVTCHN_FREE)
			port++;
	else
		port |= EVTCHNS_PER_BUCKET - 1;
	if (!done)
		t->next_close = port + 1;
	spin_unlock(&t->lock);
	if (!done)
		evtchn_close(d, port); /* -EINVAL: nothing there, or the guest was quicker */
	return done;
}

/* Without a port nobody else can reach the queues: senders hold the lock of an end of an open channel,
 * all others hold ours. So ports that a second caller let through must go first. */
static int finish_reset(struct domain *d)
{
	struct evtchn_table *t = &d->evtchn;
	int err = 0;

	spin_lock(&t->lock);
	t->next_close = 1;
	if (t->nr_open) {
		err = -XEN_EAGAIN;
	} else {
		evtchn_fifo_fini(d);
		t->closing = false;
	}
	spin_unlock(&t->lock);
	return err;
}

int evtchn_reset(struct domain *d)
{
	for (unsigned n = 1; !close_next(d); n++)
		if (n % 16 == 0 && hypercall_should_stop())
			return -XEN_EAGAIN;
	return finish_reset(d);
}

int evtchn_teardown(struct domain *d)
{
	struct evtchn_table *t = &d->evtchn;
	struct evtchn **bucket = t->bucket;
	int err;

	if (!bucket)
		return 0;
	err = evtchn_reset(d);
	if (err)
		return err;
	spin_lock(&t->lock);
	t->max_port = 0; /* from here on no port is found */
	t->bucket = NULL;
	spin_unlock(&t->lock);
	for (uint32_t i = 0; i < EVTCHN_MAX_BUCKETS; i++)
		domain_mem_free(d, bucket[i], PAGE_SIZE);
	domain_mem_free(d, bucket, EVTCHN_MAX_BUCKETS * sizeof(bucket[0]));
	return 0;
}
