/* What happens between two steps on an event word: evtchn-fifo.c and evtchn.c are compiled into this file
 * with their atomics on shared memory under the test's control. */
#include "fifo-guest.h"
#include "unit.h"

#include "lodge/evtchn.h"

/* Called before the n-th compare-and-swap, and after an atomic store or fetch-or; NULL: nothing. */
static void (*before_swap)(unsigned n, event_word_t *word);
static void (*after_atomic)(void);
static unsigned nr_swaps;

static bool swap_word(event_word_t *word, event_word_t *expected, event_word_t new)
{
	if (before_swap)
		before_swap(nr_swaps, word);
	nr_swaps++;
	return __atomic_compare_exchange_n(word, expected, new, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

static void interrupt(void)
{
	void (*fn)(void) = after_atomic;

	after_atomic = NULL;
	if (fn)
		fn();
}

#define __atomic_compare_exchange_n(p, e, new, weak, s, f) swap_word(p, e, new)
#define __atomic_store_n(p, x, order)                         \
	do {                                                  \
		__typeof__(*(p)) new_ = (x);                  \
		__atomic_store((p), &new_, __ATOMIC_SEQ_CST); \
		interrupt();                                  \
	} while (0)
#define __atomic_fetch_or(p, x, order)                                 \
	({                                                             \
		__typeof__(*(p)) was_ = __sync_fetch_and_or((p), (x)); \
		interrupt();                                           \
		was_;                                                  \
	})
#include "core/evtchn-fifo.c"
#include "core/evtchn.c"
#undef __atomic_compare_exchange_n

static struct fifo_guest g;
static evtchn_port_t got[64];

static struct vcpu *v0(void)
{
	return guest->vcpu[0];
}

static void setup(void)
{
	world_setup();
	before_swap = NULL;
	after_atomic = NULL;
	nr_swaps = 0;
}

/* Ports 1 to 3; 1 is linked. */
static void start_queue(void)
{
	fifo_guest_init(&g, guest, 1);
	for (unsigned i = 0; i < 3; i++)
		call_bind_ipi(v0(), 0);
	ck_assert_int_eq(call_send(v0(), 1), 0);
	ck_assert_uint_eq(nr_swaps, 0);
}

static void take_off(unsigned n, event_word_t *word)
{
	(void)n;
	*word &= ~(LINKED | LINK | PENDING);
	g.control[0]->ready = 0;
}

START_TEST(a_tail_taken_off_between_look_and_swap_starts_a_new_queue)
{
	start_queue();
	before_swap = take_off;
	ck_assert_int_eq(call_send(v0(), 2), 0);
	ck_assert_uint_eq(nr_swaps, 1);
	ck_assert_uint_eq(*fifo_word(&g, 1), 0);
	ck_assert_uint_eq(g.control[0]->head[QUEUE], 2);
	ck_assert_uint_eq(g.control[0]->ready, 1u << QUEUE);
}
END_TEST

/* The guest consumes the tail's event and another is sent, again and again: the word never stays. */
static void toggle_pending(unsigned n, event_word_t *word)
{
	if (n < 6)
		*word ^= PENDING;
	else
		*word |= PENDING;
	ck_assert_uint_eq(!!(*word & BUSY), n >= LINK_ROUNDS);
}

static void toggle_six_times(unsigned n, event_word_t *word)
{
	if (n < 6)
		*word ^= MASKED;
	if (n == 5)
		*word &= ~PENDING;
}

START_TEST(busy_asks_the_guest_to_hold_still_and_no_change_of_the_word_is_lost)
{
	start_queue();
	before_swap = toggle_six_times;
	ck_assert_int_eq(call_send(v0(), 2), 0);
	ck_assert_uint_eq(nr_swaps, 7);
	ck_assert_uint_eq(*fifo_word(&g, 1), LINKED | 2); /* the event was consumed meanwhile */
	ck_assert_uint_eq(g.control[0]->head[QUEUE], 1);
}
END_TEST

static void unlink_while_busy(unsigned n, event_word_t *word)
{
	if (n == 6)
		take_off(n, word);
	else
		*word ^= MASKED;
}

START_TEST(a_tail_taken_off_while_busy_is_left_clean)
{
	start_queue();
	before_swap = unlink_while_busy;
	ck_assert_int_eq(call_send(v0(), 2), 0);
	ck_assert_uint_eq(nr_swaps, 7);
	ck_assert_uint_eq(*fifo_word(&g, 1) & (BUSY | LINKED | LINK), 0);
	ck_assert_uint_eq(g.control[0]->head[QUEUE], 2);
	ck_assert_uint_eq(g.control[0]->ready, 1u << QUEUE);
}
END_TEST

static void toggle_mask(unsigned n, event_word_t *word)
{
	(void)n;
	*word ^= MASKED;
}

START_TEST(a_guest_that_never_holds_still_costs_a_few_rounds_only)
{
	start_queue();
	before_swap = toggle_mask;
	ck_assert_int_eq(call_send(v0(), 2), 0);
	ck_assert_uint_eq(nr_swaps, 2 * LINK_ROUNDS);
	ck_assert_uint_eq(*fifo_word(&g, 1) & BUSY, 0);
	ck_assert_uint_eq(g.control[0]->head[QUEUE], 2);
}
END_TEST

/* What another CPU does meanwhile: it holds other locks. */
static void elsewhere(void (*fn)(void))
{
	fake_run_on(1);
	fn();
	fake_run_on(0);
}

static void expand(void)
{
	fifo_guest_expand(&g);
}

static void expand_elsewhere(void)
{
	elsewhere(expand);
}

START_TEST(a_page_given_while_an_early_event_is_noted_gets_the_event)
{
	struct channel c;

	fifo_guest_init(&g, guest, 0);
	c = connect_domains(service, guest);
	guest->evtchn.bucket[0][c.b].pending_early = false;
	after_atomic = expand_elsewhere; /* after the note, before the second look for the page */
	ck_assert_int_eq(call_send(service->vcpu[0], c.a), 0);
	ck_assert_uint_eq(fifo_handle(&g, 0, got, ARRAY_SIZE(got)), 1);
	ck_assert_uint_eq(got[0], c.b);
}
END_TEST

static void switch_to_fifo(void)
{
	fifo_guest_init(&g, guest, 1);
}

static void switch_elsewhere(void)
{
	elsewhere(switch_to_fifo);
}

START_TEST(an_event_sent_during_the_switch_to_fifo_arrives)
{
	struct channel c = connect_domains(service, guest);

	after_atomic = switch_elsewhere; /* the pending bit is set, FIFO has not been looked for */
	ck_assert_int_eq(call_send(service->vcpu[0], c.a), 0);
	ck_assert_uint_ge(fifo_handle(&g, 0, got, ARRAY_SIZE(got)), 1);
	ck_assert_uint_eq(got[0], c.b);
}
END_TEST

START_TEST(closing_looks_again_when_the_peer_was_quicker)
{
	uint32_t service_refs = service->refcount, guest_refs = guest->refcount;
	struct channel c = connect_domains(service, guest);
	struct domain *peer;

	spin_lock(&guest->evtchn.lock);
	ck_assert_int_eq(close_local(guest, c.b, &peer), 0);
	spin_unlock(&guest->evtchn.lock);
	ck_assert_ptr_eq(peer, service);
	ck_assert_int_eq(evtchn_close(service, c.a), 0);
	ck_assert_int_eq(close_interdomain(guest, c.b, peer), -XEN_EAGAIN);
	domain_put(peer);
	ck_assert_int_eq(evtchn_close(guest, c.b), 0);
	ck_assert_uint_eq(service->refcount, service_refs);
	ck_assert_uint_eq(guest->refcount, guest_refs);
}
END_TEST

START_TEST(a_word_that_changes_a_few_times_is_linked)
{
	start_queue();
	before_swap = toggle_pending;
	ck_assert_int_eq(call_send(v0(), 2), 0);
	ck_assert_uint_eq(*fifo_word(&g, 1), PENDING | LINKED | 2);
}
END_TEST

UNIT_MAIN("evtchn-races", setup, world_teardown,
	  a_tail_taken_off_between_look_and_swap_starts_a_new_queue,
	  busy_asks_the_guest_to_hold_still_and_no_change_of_the_word_is_lost,
	  a_tail_taken_off_while_busy_is_left_clean,
	  a_guest_that_never_holds_still_costs_a_few_rounds_only,
	  a_word_that_changes_a_few_times_is_linked,
	  a_page_given_while_an_early_event_is_noted_gets_the_event,
	  an_event_sent_during_the_switch_to_fifo_arrives,
	  closing_looks_again_when_the_peer_was_quicker)
