#include "fifo-guest.h"

void fifo_guest_expand(struct fifo_guest *g)
{
	g->array[g->nr_pages] = world_ram(g->d, ARRAY_GFN + g->nr_pages);
	ck_assert_int_eq(call_expand_array(g->d->vcpu[0], ARRAY_GFN + g->nr_pages), 0);
	g->nr_pages++;
}

void fifo_guest_init(struct fifo_guest *g, struct domain *d, uint32_t nr_pages)
{
	uint8_t *page = world_ram(d, CONTROL_GFN);

	*g = (struct fifo_guest){ .d = d };
	for (uint32_t i = 0; i < 2; i++) {
		g->control[i] = (void *)(page + (size_t)i * 128);
		ck_assert_int_eq(call_init_control(d->vcpu[0], CONTROL_GFN, i * 128, i), 0);
	}
	while (g->nr_pages < nr_pages)
		fifo_guest_expand(g);
}

event_word_t *fifo_word(struct fifo_guest *g, evtchn_port_t port)
{
	return g->array[port / WORDS_A_PAGE] + port % WORDS_A_PAGE;
}

/* Takes the port off its queue; returns the next one there. */
static uint32_t unlink_word(event_word_t *word)
{
	event_word_t w = READ_ONCE(*word);

	while (!__atomic_compare_exchange_n(word, &w, w & ~(LINKED | LINK), false, __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST))
		;
	return w & LINK;
}

static bool take_one(struct fifo_guest *g, uint32_t vcpu, unsigned queue, uint32_t *ready,
		     evtchn_port_t *ret_port)
{
	uint32_t *head = &g->head[vcpu][queue];
	evtchn_port_t port;
	event_word_t *word;

	if (!*head)
		*head = __atomic_load_n(&g->control[vcpu]->head[queue], __ATOMIC_SEQ_CST);
	port = *head;
	word = fifo_word(g, port);
	*head = unlink_word(word);
	if (!*head)
		*ready &= ~(1u << queue);
	if (READ_ONCE(*word) & MASKED ||
	    !(__atomic_fetch_and(word, ~PENDING, __ATOMIC_SEQ_CST) & PENDING))
		return false;
	*ret_port = port;
	return true;
}

unsigned fifo_handle(struct fifo_guest *g, uint32_t vcpu, evtchn_port_t *ret_ports, unsigned max)
{
	uint32_t *shared = &g->control[vcpu]->ready;
	uint32_t ready = __atomic_exchange_n(shared, 0, __ATOMIC_SEQ_CST);
	unsigned nr = 0;

	__atomic_store_n(&g->d->vcpu[vcpu]->info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
	while (ready) {
		ck_assert_uint_lt(nr, max);
		nr += take_one(g, vcpu, (unsigned)__builtin_ctz(ready), &ready, &ret_ports[nr]);
		ready |= __atomic_exchange_n(shared, 0, __ATOMIC_SEQ_CST);
	}
	return nr;
}
