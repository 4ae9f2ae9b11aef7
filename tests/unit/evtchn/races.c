/* What happens between two steps on an event word: evtchn-fifo.c and evtchn.c are compiled into this file
 * with their atomics on shared memory under the test's control. */
#include "fifo-guest.h"
#include "unit.h"

#include "lodge/evtchn.h"

/* Called before the n-th compare-and-swap, and once before or after the next atomic store, or or and; NULL:
 * nothing. */
static void (*before_swap)(unsigned n, event_word_t *word);
static void (*before_atomic)(void), (*after_atomic)(void);
static unsigned nr_swaps;

static bool swap_word(event_word_t *word, event_word_t *expected, event_word_t new)
{
	if (before_swap)
		before_swap(nr_swaps, word);
	nr_swaps++;
	return __atomic_compare_exchange_n(word, expected, new, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

static void interrupt(void (**hook)(void))
{
	void (*fn)(void) = *hook;

	*hook = NULL;
	if (fn)
		fn();
}

#define __atomic_compare_exchange_n(p, e, new, weak, s, f) swap_word(p, e, new)
#define __atomic_store_n(p, x, order)                         \
	do {                                                  \
		__typeof__(*(p)) new_ = (x);                  \
		interrupt(&before_atomic);                    \
		__atomic_store((p), &new_, __ATOMIC_SEQ_CST); \
		interrupt(&after_atomic);                     \
	} while (0)
#define FETCH(sync, p, x)                                \
	({                                               \
		__typeof__(*(p)) was_;                   \
		interrupt(&before_atomic);               \
		was_ = sync((p), (__typeof__(was_))(x)); \
		interrupt(&after_atomic);                \
		was_;                                    \
	})
#define __atomic_fetch_or(p, x, order)  FETCH(__sync_fetch_and_or, p, x)
#define __atomic_fetch_and(p, x, order) FETCH(__sync_fetch_and_and, p, x)
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
	before_atomic = after_atomic = NULL;
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

/* Before: the other CPU sees no event, and we must see what it did. After: the other way round. */
static void early_event(void (**hook)(void))
{
	struct channel c;

	fifo_guest_init(&g, guest, 0);
	c = connect_domains(service, guest);
	guest->evtchn.bucket[0][c.b].pending_early = false;
	*hook = expand_elsewhere;
	ck_assert_int_eq(call_send(service->vcpu[0], c.a), 0);
	ck_assert_ptr_null(*hook);
	ck_assert_uint_eq(fifo_handle(&g, 0, got, ARRAY_SIZE(got)), 1);
	ck_assert_uint_eq(got[0], c.b);
}

START_TEST(a_page_given_before_an_early_event_is_noted_gets_the_event)
{
	early_event(&before_atomic);
}
END_TEST

START_TEST(a_page_given_after_an_early_event_is_noted_gets_the_event)
{
	early_event(&after_atomic);
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

static void event_at_switch(void (**hook)(void))
{
	struct channel c = connect_domains(service, guest);

	*hook = switch_elsewhere;
	ck_assert_int_eq(call_send(service->vcpu[0], c.a), 0);
	ck_assert_ptr_null(*hook);
	ck_assert_uint_ge(fifo_handle(&g, 0, got, ARRAY_SIZE(got)), 1);
	ck_assert_uint_eq(got[0], c.b);
}

START_TEST(an_event_that_the_switch_to_fifo_did_not_see_arrives)
{
	event_at_switch(&before_atomic);
}
END_TEST

START_TEST(an_event_that_the_switch_to_fifo_adopted_arrives)
{
	event_at_switch(&after_atomic);
}
END_TEST

static void consume_event(void)
{
	*fifo_word(&g, 1) &= ~PENDING;
}

START_TEST(unmask_does_not_make_pending_what_the_guest_consumes_meanwhile)
{
	start_queue();
	*fifo_word(&g, 1) = PENDING | MASKED;
	after_atomic = consume_event; /* the mask is clear */
	ck_assert_int_eq(call_unmask(v0(), 1), 0);
	ck_assert_uint_eq(*fifo_word(&g, 1), LINKED);
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
	  a_page_given_before_an_early_event_is_noted_gets_the_event,
	  a_page_given_after_an_early_event_is_noted_gets_the_event,
	  an_event_that_the_switch_to_fifo_did_not_see_arrives,
	  an_event_that_the_switch_to_fifo_adopted_arrives,
	  unmask_does_not_make_pending_what_the_guest_consumes_meanwhile,
	  closing_looks_again_when_the_peer_was_quicker)
