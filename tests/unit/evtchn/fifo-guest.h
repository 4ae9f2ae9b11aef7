/* The guest's side of FIFO events: control blocks, array pages, and a handler that takes events off the
 * queues by the rules of the ABI. */
#ifndef LODGE_TESTS_FIFO_GUEST_H
#define LODGE_TESTS_FIFO_GUEST_H

#include "calls.h"

#define CONTROL_GFN  0x100u /* one page, both vCPUs' blocks in it */
#define ARRAY_GFN    0x200u
#define PENDING      (1u << EVTCHN_FIFO_PENDING)
#define MASKED       (1u << EVTCHN_FIFO_MASKED)
#define LINKED       (1u << EVTCHN_FIFO_LINKED)
#define BUSY         (1u << EVTCHN_FIFO_BUSY)
#define LINK         EVTCHN_FIFO_LINK_MASK
#define QUEUE        EVTCHN_FIFO_PRIORITY_DEFAULT
#define WORDS_A_PAGE 1024u

struct fifo_guest {
	struct domain *d;
	struct evtchn_fifo_control_block *control[2];
	event_word_t *array[128];
	uint32_t nr_pages;
	uint32_t head[2][EVTCHN_FIFO_MAX_QUEUES]; /* the handler's own: 0 asks the control block */
};

/* d switches to FIFO events with nr_pages of words, all clear. */
void fifo_guest_init(struct fifo_guest *g, struct domain *d, uint32_t nr_pages);
void fifo_guest_expand(struct fifo_guest *g);
event_word_t *fifo_word(struct fifo_guest *g, evtchn_port_t port);

/* Handles all that is ready on a vCPU. Stores the ports that were pending and not masked, in order; returns
 * how many there were. Safe against a sender on another thread. */
unsigned fifo_handle(struct fifo_guest *g, uint32_t vcpu, evtchn_port_t *ret_ports, unsigned max);

#endif
