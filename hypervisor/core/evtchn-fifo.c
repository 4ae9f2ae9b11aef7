/* FIFO event channels: sixteen queues for each vCPU, linked through one word for each port in pages
 * that the guest gave. Layout and rules: abi/event-channel.h.
 * Locking: fifo->lock for linking and for the tails. The words are guest memory and change under us:
 * every step is an atomic on one word, and all indices we follow are our own. */
#include "abi/errno.h"
#include "core/evtchn-internal.h"
#include "lodge/alloc.h"
#include "lodge/arch.h"
#include "lodge/page.h"
#include "lodge/vcpu.h"

#define WORDS_PER_PAGE  (PAGE_SIZE / sizeof(event_word_t))
#define MAX_ARRAY_PAGES (EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE)
#define WORD_PENDING    (1u << EVTCHN_FIFO_PENDING)
#define WORD_MASKED     (1u << EVTCHN_FIFO_MASKED)
#define WORD_LINKED     (1u << EVTCHN_FIFO_LINKED)
#define WORD_BUSY       (1u << EVTCHN_FIFO_BUSY)
#define LINK_ROUNDS     4u

struct evtchn_fifo {
	struct spinlock lock;
	uint32_t nr_pages;                    /* evtchn lock */
	event_word_t *array[MAX_ARRAY_PAGES]; /* pinned guest pages; set once, then constant */
};

struct evtchn_fifo_vcpu {
	struct evtchn_fifo_control_block *control;  /* in a pinned guest page */
	evtchn_port_t tail[EVTCHN_FIFO_MAX_QUEUES]; /* last port linked; 0: none. fifo lock */
};

/* d has a FIFO. NULL until the guest has given the page. A guest may have named the port: whoever looked it
 * up has clamped it for the record only. */
static event_word_t *find_word(struct domain *d, evtchn_port_t port)
{
	uint64_t i = index_clamp(port / WORDS_PER_PAGE, MAX_ARRAY_PAGES);
	event_word_t *page = READ_ONCE(d->evtchn.fifo->array[i]);

	return page ? page + port % WORDS_PER_PAGE : NULL;
}

/* Makes the word link to port if it is still on its queue. The guest may take it off or change another of
 * its bits at any moment, and so may senders: every change is a compare-and-swap. After a few lost rounds
 * BUSY asks the guest to hold still. One that goes on regardless has its queue cut here, and loses events
 * of its own. */
static bool set_link(event_word_t *word, evtchn_port_t port)
{
	event_word_t w = READ_ONCE(*word);
	unsigned round = 0;

	for (; round < 2 * LINK_ROUNDS && w & WORD_LINKED; round++) {
		if (round == LINK_ROUNDS)
			w = __atomic_or_fetch(word, WORD_BUSY, __ATOMIC_SEQ_CST);
		if (__atomic_compare_exchange_n(word, &w,
						(w & ~(EVTCHN_FIFO_LINK_MASK | WORD_BUSY)) | port,
						false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return true;
	}
	if (round > LINK_ROUNDS)
		__atomic_fetch_and(word, ~WORD_BUSY, __ATOMIC_SEQ_CST);
	return false;
}

/* The fifo lock is held. Returns true when the queue was empty and its head now names the port. */
static bool append(struct domain *d, struct evtchn_fifo_vcpu *fv, uint8_t queue, evtchn_port_t port)
{
	evtchn_port_t tail = fv->tail[queue];
	event_word_t *tail_word = tail ? find_word(d, tail) : NULL;

	fv->tail[queue] = port;
	if (tail_word && tail != port && set_link(tail_word, port))
		return false;
	WRITE_ONCE(fv->control->head[queue], port);
	return true;
}

/* A port that goes to another queue than last time must not stay that queue's tail: what is linked
 * there next would hang on a word that is not on it. */
static void leave_last_queue(struct domain *d, struct evtchn *chn, evtchn_port_t port,
			     uint32_t vcpu, uint8_t queue)
{
	struct vcpu *last = domain_vcpu(d, chn->last_vcpu);

	if (chn->last_vcpu == vcpu && chn->last_priority == queue)
		return;
	if (last && last->fifo && last->fifo->tail[chn->last_priority] == port)
		last->fifo->tail[chn->last_priority] = 0;
	chn->last_vcpu = (uint16_t)vcpu;
	chn->last_priority = queue;
}

static void link_port(struct domain *d, struct evtchn *chn, evtchn_port_t port, event_word_t *word)
{
	uint8_t queue = READ_ONCE(chn->priority);
	struct vcpu *v = d->vcpu[READ_ONCE(chn->vcpu)];
	struct evtchn_fifo_vcpu *fv = READ_ONCE(v->fifo);
	struct evtchn_fifo *fifo = d->evtchn.fifo;
	bool was_empty = false;

	if (!fv)
		return; /* the vCPU is not set up for events: the port stays pending */
	spin_lock(&fifo->lock);
	if (!(__atomic_fetch_or(word, WORD_LINKED, __ATOMIC_SEQ_CST) & WORD_LINKED)) {
		leave_last_queue(d, chn, port, v->id, queue);
		was_empty = append(d, fv, queue, port);
	}
	spin_unlock(&fifo->lock);

	if (was_empty && !(__atomic_fetch_or(&fv->control->ready, 1u << queue, __ATOMIC_SEQ_CST) &
			   (1u << queue)))
		vcpu_raise_upcall(v);
}

void evtchn_fifo_set_pending(struct domain *d, struct evtchn *chn, evtchn_port_t port)
{
	event_word_t *word = find_word(d, port), old;

	if (!word) {
		/* Pairs with evtchn_fifo_expand_array(): it publishes the page and then looks at the
		 * flag, we set the flag and then look for the page. */
		__atomic_store_n(&chn->pending_early, true, __ATOMIC_SEQ_CST);
		smp_mb();
		word = find_word(d, port);
		if (!word)
			return;
	}
	old = __atomic_fetch_or(word, WORD_PENDING, __ATOMIC_SEQ_CST);
	if (!(old & (WORD_MASKED | WORD_LINKED)))
		link_port(d, chn, port, word);
}

void evtchn_fifo_unmask(struct domain *d, struct evtchn *chn, evtchn_port_t port)
{
	event_word_t *word = find_word(d, port);

	if (word && __atomic_fetch_and(word, ~WORD_MASKED, __ATOMIC_SEQ_CST) & WORD_PENDING)
		link_port(d, chn, port, word);
}

void evtchn_fifo_clear_pending(struct domain *d, struct evtchn *chn, evtchn_port_t port)
{
	event_word_t *word = find_word(d, port);

	chn->pending_early = false;
	if (word)
		__atomic_fetch_and(word, ~WORD_PENDING, __ATOMIC_SEQ_CST);
}

bool evtchn_fifo_is_pending(struct domain *d, const struct evtchn *chn, evtchn_port_t port)
{
	const event_word_t *word = find_word(d, port);

	return word ? READ_ONCE(*word) & WORD_PENDING : READ_ONCE(chn->pending_early);
}

bool evtchn_fifo_is_linked(struct domain *d, evtchn_port_t port)
{
	const event_word_t *word = d->evtchn.fifo ? find_word(d, port) : NULL;

	return word && READ_ONCE(*word) & WORD_LINKED;
}

/* Events that are pending in the 2-level bitmap move over; they have no event word yet, so they wait
 * for evtchn_fifo_expand_array(). */
static void adopt_two_level(struct domain *d)
{
	const uint32_t *pending = (const uint32_t *)(const void *)d->shared_info->evtchn_pending;
	uint32_t nr_ports = d->compat ? COMPAT_EVTCHN_2L_NR_CHANNELS : EVTCHN_2L_NR_CHANNELS;

	for (uint32_t i = 0; i < nr_ports / 32; i++) {
		for (uint32_t word = READ_ONCE(pending[i]); word; word &= word - 1) {
			evtchn_port_t port = i * 32 + (uint32_t)__builtin_ctz(word);
			struct evtchn *chn = evtchn_find(d, port);

			if (chn && chn->state != EVTCHN_FREE)
				evtchn_fifo_set_pending(d, chn, port);
		}
	}
}

static int pin_control_block(struct domain *d, const struct evtchn_init_control *op,
			     struct evtchn_fifo_control_block **ret_control)
{
	mfn_t mfn;
	int err;

	if (op->offset % 8 || op->offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block))
		return -XEN_EINVAL;
	err = p2m_pin(d, GFN(op->control_gfn), true, &mfn);
	if (err)
		return err;
	*ret_control = (void *)((uint8_t *)mfn_to_ptr(mfn) + op->offset);
	return 0;
}

static void unpin(const void *p)
{
	page_put(ptr_to_mfn(p));
}

/* The evtchn lock is held. Takes over fv, and fifo where the domain has none. */
static int install_control(struct domain *d, struct vcpu *v, struct evtchn_fifo_vcpu *fv,
			   struct evtchn_fifo *fifo, bool *ret_used_fifo)
{
	if (v->fifo)
		return -XEN_EINVAL;
	WRITE_ONCE(fv->control->ready, 0);
	smp_wmb(); /* the block is complete before a sender on another CPU finds it */
	WRITE_ONCE(v->fifo, fv);
	*ret_used_fifo = !d->evtchn.fifo;
	if (*ret_used_fifo) {
		__atomic_store_n(&d->evtchn.fifo, fifo, __ATOMIC_SEQ_CST);
		smp_mb(); /* see evtchn_set_pending() */
		adopt_two_level(d);
	}
	return 0;
}

int evtchn_fifo_init_control(struct domain *d, const struct evtchn_init_control *op)
{
	struct vcpu *v = domain_vcpu(d, op->vcpu);
	struct evtchn_fifo *fifo;
	struct evtchn_fifo_vcpu *fv;
	bool used_fifo = false;
	int err = -XEN_ENOMEM;

	if (!v)
		return -XEN_ENOENT;
	fifo = domain_mem_alloc(d, sizeof(*fifo)); /* in case that this is the first call */
	fv = domain_mem_alloc(d, sizeof(*fv));
	if (!fifo || !fv)
		goto free;
	spinlock_init(&fifo->lock, LOCK_RANK_FIFO);
	err = pin_control_block(d, op, &fv->control);
	if (err)
		goto free;
	spin_lock(&d->evtchn.lock);
	err = install_control(d, v, fv, fifo, &used_fifo);
	spin_unlock(&d->evtchn.lock);
	if (err)
		unpin(fv->control);
free:
	if (!used_fifo)
		domain_mem_free(d, fifo, sizeof(*fifo));
	if (err)
		domain_mem_free(d, fv, sizeof(*fv));
	return err;
}

/* The evtchn lock is held. */
static int install_page(struct domain *d, mfn_t mfn)
{
	struct evtchn_fifo *fifo = d->evtchn.fifo;
	evtchn_port_t first;

	if (!fifo)
		return -XEN_EOPNOTSUPP;
	if (fifo->nr_pages == MAX_ARRAY_PAGES ||
	    fifo->nr_pages * WORDS_PER_PAGE > d->evtchn.max_port)
		return -XEN_ENOSPC;
	first = (evtchn_port_t)(fifo->nr_pages * WORDS_PER_PAGE);
	__atomic_store_n(&fifo->array[fifo->nr_pages], mfn_to_ptr(mfn), __ATOMIC_SEQ_CST);
	fifo->nr_pages++;
	smp_mb(); /* see evtchn_fifo_set_pending() */

	for (evtchn_port_t port = first; port < first + WORDS_PER_PAGE; port++) {
		struct evtchn *chn = evtchn_find(d, port);

		if (chn && __atomic_exchange_n(&chn->pending_early, false, __ATOMIC_SEQ_CST))
			evtchn_fifo_set_pending(d, chn, port);
	}
	return 0;
}

int evtchn_fifo_expand_array(struct domain *d, const struct evtchn_expand_array *op)
{
	mfn_t mfn;
	int err = p2m_pin(d, GFN(op->array_gfn), true, &mfn);

	if (err)
		return err;
	spin_lock(&d->evtchn.lock);
	err = install_page(d, mfn);
	spin_unlock(&d->evtchn.lock);
	if (err)
		page_put(mfn);
	return err;
}

void evtchn_fifo_fini(struct domain *d)
{
	struct evtchn_fifo *fifo = d->evtchn.fifo;

	if (!fifo)
		return;
	d->evtchn.fifo = NULL;
	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		struct vcpu *v = domain_vcpu(d, i);

		if (!v || !v->fifo)
			continue;
		unpin(v->fifo->control);
		domain_mem_free(d, v->fifo, sizeof(*v->fifo));
		v->fifo = NULL;
	}
	for (uint32_t i = 0; i < fifo->nr_pages; i++)
		unpin(fifo->array[i]);
	domain_mem_free(d, fifo, sizeof(*fifo));
}
