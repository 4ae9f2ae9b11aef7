/* FIFO event channels: set-up, queues, priorities, moves, hostile words, reset and teardown. */
#include "fifo-guest.h"
#include "unit.h"

#include <pthread.h>

#include "lodge/evtchn.h"
#include "lodge/page.h"

static struct fifo_guest g;
static evtchn_port_t got[4096];

static struct vcpu *v0(void)
{
	return guest->vcpu[0];
}

/* Opens ports 1 … nr of the guest that it can send to itself, on vCPU 0. */
static void open_ports(unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		ck_assert_int_gt(call_bind_ipi(v0(), 0), 0);
}

/* Ports that can move: a channel of the guest to itself, with `nr` ends to be sent to by the others. */
static evtchn_port_t movable(void)
{
	return connect_domains(service, guest).b;
}

static void send(evtchn_port_t port)
{
	ck_assert_int_eq(call_send(v0(), port), 0);
}

/* From the other end of a movable port. */
static void send_to(evtchn_port_t port)
{
	struct evtchn_status s;

	ck_assert_int_eq(call_status(v0(), DOMID_SELF, port, &s), 0);
	ck_assert_int_eq(call_send(service->vcpu[0], s.u.interdomain.port), 0);
}

static void ck_handled(uint32_t vcpu, unsigned nr, ...)
{
	unsigned nr_got = fifo_handle(&g, vcpu, got, ARRAY_SIZE(got));
	va_list ap;

	ck_assert_uint_eq(nr_got, nr);
	va_start(ap, nr);
	for (unsigned i = 0; i < nr; i++)
		ck_assert_uint_eq(got[i], va_arg(ap, unsigned));
	va_end(ap);
}

/* Set-up -------------------------------------------------------------------------------------- */

START_TEST(init_control_switches_to_fifo_and_clears_ready)
{
	struct evtchn_fifo_control_block *c = world_ram(guest, CONTROL_GFN);

	memset(c, 0xff, PAGE_SIZE);
	ck_assert_uint_eq(evtchn_nr_ports(guest), 4096);
	ck_assert_int_eq(call_init_control(v0(), CONTROL_GFN, 0, 0), 0);
	ck_assert_uint_eq(c->ready, 0);
	ck_assert_uint_eq(evtchn_nr_ports(guest), 131072);
	ck_assert_int_eq(call_init_control(v0(), CONTROL_GFN, 0, 0), -XEN_EINVAL); /* once */
	ck_assert_int_eq(call_init_control(v0(), CONTROL_GFN, PAGE_SIZE - 72, 1), 0);
	ck_assert_uint_eq(world_page_count(c), 3);
}
END_TEST

START_TEST(init_control_refuses_bad_arguments_and_changes_nothing)
{
	const void *page = world_ram(guest, CONTROL_GFN);
	long nr_allocs = fake_nr_allocs;

	world_readonly_ram(guest, CONTROL_GFN + 1);
	ck_assert_int_eq(call_init_control(v0(), CONTROL_GFN, 0, 2), -XEN_ENOENT);
	ck_assert_int_eq(call_init_control(v0(), CONTROL_GFN, 0, UINT32_MAX), -XEN_ENOENT);
	ck_assert_int_eq(call_init_control(v0(), CONTROL_GFN, 4, 0), -XEN_EINVAL);
	ck_assert_int_eq(call_init_control(v0(), CONTROL_GFN, PAGE_SIZE - 64, 0), -XEN_EINVAL);
	ck_assert_int_eq(call_init_control(v0(), CONTROL_GFN, PAGE_SIZE, 0), -XEN_EINVAL);
	ck_assert_int_eq(call_init_control(v0(), CONTROL_GFN, 0xfffffff8, 0), -XEN_EINVAL);
	ck_assert_int_eq(call_init_control(v0(), CONTROL_GFN + 1, 0, 0), -XEN_EINVAL);
	ck_assert_int_eq(call_init_control(v0(), CONTROL_GFN + 2, 0, 0), -XEN_EINVAL);
	ck_assert_int_eq(call_init_control(v0(), UINT64_MAX, 0, 0), -XEN_EINVAL);
	ck_assert_ptr_null(guest->evtchn.fifo);
	ck_assert_ptr_null(v0()->fifo);
	ck_assert_uint_eq(world_page_count(page), 1);
	ck_assert_int_eq(fake_nr_allocs, nr_allocs);
}
END_TEST

START_TEST(init_control_without_memory_changes_nothing)
{
	const void *page = world_ram(guest, CONTROL_GFN);
	long nr_allocs = fake_nr_allocs;

	for (long n = 0; n < 2; n++) {
		fake_alloc_budget = n;
		ck_assert_int_eq(call_init_control(v0(), CONTROL_GFN, 0, 0), -XEN_ENOMEM);
		ck_assert_ptr_null(guest->evtchn.fifo);
		ck_assert_ptr_null(v0()->fifo);
		ck_assert_uint_eq(world_page_count(page), 1);
		ck_assert_int_eq(fake_nr_allocs, nr_allocs);
	}
	fake_alloc_budget = 2;
	ck_assert_int_eq(call_init_control(v0(), CONTROL_GFN, 0, 0), 0);
}
END_TEST

START_TEST(init_control_changes_nothing_when_copy_out_faults)
{
	world_ram(guest, CONTROL_GFN);
	fake_guest_fault_writes();
	ck_assert_int_eq(call_init_control(v0(), CONTROL_GFN, 0, 0), -XEN_EFAULT);
	ck_assert_ptr_null(guest->evtchn.fifo);
	ck_assert_ptr_null(v0()->fifo);
}
END_TEST

START_TEST(expand_array_needs_fifo_events_and_a_writable_page)
{
	const void *page = world_ram(guest, ARRAY_GFN);

	world_readonly_ram(guest, ARRAY_GFN + 1);
	ck_assert_int_eq(call_expand_array(v0(), ARRAY_GFN), -XEN_EOPNOTSUPP);
	ck_assert_uint_eq(world_page_count(page), 1);
	fifo_guest_init(&g, guest, 0);
	ck_assert_int_eq(call_expand_array(v0(), ARRAY_GFN + 1), -XEN_EINVAL);
	ck_assert_int_eq(call_expand_array(v0(), ARRAY_GFN + 2), -XEN_EINVAL);
	ck_assert_int_eq(call_expand_array(v0(), UINT64_MAX), -XEN_EINVAL);
	ck_assert_int_eq(call_expand_array(v0(), ARRAY_GFN), 0);
	ck_assert_uint_eq(world_page_count(page), 2);
}
END_TEST

START_TEST(the_array_grows_no_longer_than_the_ports_need)
{
	static const struct domain_config small = { .max_evtchn_port = 1024 };

	fifo_guest_init(&g, guest, 128);
	ck_assert_int_eq(call_expand_array(v0(), ARRAY_GFN), -XEN_ENOSPC);
	ck_assert_uint_eq(world_page_count(g.array[0]), 2);

	world_destroy(&third);
	third = world_domain(2, &small);
	fifo_guest_init(&g, third, 2);
	ck_assert_int_eq(call_expand_array(third->vcpu[0], ARRAY_GFN), -XEN_ENOSPC);
}
END_TEST

/* Queues -------------------------------------------------------------------------------------- */

START_TEST(events_of_one_priority_are_handled_in_the_order_they_were_sent)
{
	fifo_guest_init(&g, guest, 1);
	open_ports(5);
	consume(guest, 0);
	send(3);
	send(1);
	send(5);
	send(3); /* pending already */
	ck_assert_uint_eq(v0()->arch.nr_upcalls, 1);
	ck_assert_uint_eq(g.control[0]->ready, 1u << QUEUE);
	ck_assert_uint_eq(g.control[0]->head[QUEUE], 3);
	ck_assert(evtchn_port_is_pending(guest, 3));
	ck_assert(!evtchn_port_is_pending(guest, 2));
	ck_handled(0, 3, 3, 1, 5);
	ck_assert(!evtchn_port_is_pending(guest, 3));
	send(5); /* was the tail and is off the queue */
	send(5);
	ck_handled(0, 1, 5);
	ck_handled(0, 0);
}
END_TEST

START_TEST(an_event_sent_while_the_queue_is_handled_is_not_lost)
{
	evtchn_port_t port;
	uint32_t ready;

	fifo_guest_init(&g, guest, 1);
	open_ports(3);
	send(1);
	send(2);
	ready = g.control[0]->ready;
	g.control[0]->ready = 0;
	ck_assert_uint_eq(g.control[0]->head[QUEUE], 1);
	/* The handler has taken 1 off and reads on from 2 when 3 and 1 are sent. */
	*fifo_word(&g, 1) &= ~(LINKED | LINK | PENDING);
	g.head[0][QUEUE] = 2;
	send(3);
	send(1);
	ck_assert_uint_eq(g.control[0]->ready, 0); /* not empty: it will get there */
	g.control[0]->ready = ready;
	ck_handled(0, 3, 2, 3, 1);
	port = got[0];
	ck_assert_uint_eq(port, 2);
}
END_TEST

START_TEST(a_masked_port_is_not_linked_until_it_is_unmasked)
{
	fifo_guest_init(&g, guest, 1);
	open_ports(2);
	consume(guest, 0);
	*fifo_word(&g, 1) |= MASKED;
	send(1);
	ck_assert_uint_eq(*fifo_word(&g, 1), PENDING | MASKED);
	ck_assert_uint_eq(v0()->arch.nr_upcalls, 0);
	ck_assert(evtchn_port_is_pending(guest, 1));
	ck_assert_int_eq(call_unmask(v0(), 1), 0);
	ck_assert_uint_eq(*fifo_word(&g, 1), PENDING | LINKED);
	ck_assert_uint_eq(v0()->arch.nr_upcalls, 1);
	ck_handled(0, 1, 1);
	*fifo_word(&g, 1) |= MASKED;
	ck_assert_int_eq(call_unmask(v0(), 1), 0); /* nothing is pending */
	ck_assert_uint_eq(*fifo_word(&g, 1), 0);
}
END_TEST

START_TEST(unmask_links_what_a_handler_left_unlinked)
{
	fifo_guest_init(&g, guest, 1);
	open_ports(1);
	*fifo_word(&g, 1) = LINKED | MASKED;
	ck_assert_int_eq(call_unmask(v0(), 1), 0);
	ck_assert_uint_eq(*fifo_word(&g, 1), LINKED);
	*fifo_word(&g, 1) = PENDING; /* the handler saw it masked */
	ck_assert_int_eq(call_unmask(v0(), 1), 0);
	ck_handled(0, 1, 1);
}
END_TEST

START_TEST(higher_priorities_are_handled_first)
{
	fifo_guest_init(&g, guest, 1);
	open_ports(4);
	ck_assert_int_eq(call_set_priority(v0(), 2, 0), 0);
	ck_assert_int_eq(call_set_priority(v0(), 3, 15), 0);
	ck_assert_int_eq(call_set_priority(v0(), 3, 16), -XEN_EINVAL);
	ck_assert_int_eq(call_set_priority(v0(), 3, UINT32_MAX), -XEN_EINVAL);
	ck_assert_int_eq(call_set_priority(v0(), 0, 1), -XEN_EINVAL);
	ck_assert_int_eq(call_set_priority(v0(), 9, 1), -XEN_EINVAL);
	send(3);
	send(4);
	send(2);
	send(1);
	ck_assert_uint_eq(g.control[0]->ready, 1u << 15 | 1u << QUEUE | 1u);
	ck_handled(0, 4, 2, 4, 1, 3);
}
END_TEST

START_TEST(two_level_events_have_no_priority)
{
	open_ports(1);
	ck_assert_int_eq(call_set_priority(v0(), 1, 1), -XEN_ENOSYS);
}
END_TEST

START_TEST(a_port_that_changes_priority_leaves_its_queue_intact)
{
	fifo_guest_init(&g, guest, 1);
	open_ports(4);
	send(1);
	send(2); /* the tail */
	ck_assert_int_eq(call_set_priority(v0(), 2, 3), 0);
	send(3);
	ck_handled(0, 3, 1, 2, 3);
	send(2); /* now on queue 3; it still was the tail of nothing */
	send(3);
	send(4);
	ck_assert_uint_eq(g.control[0]->ready, 1u << QUEUE | 1u << 3);
	ck_handled(0, 3, 2, 3, 4);
}
END_TEST

START_TEST(the_tail_of_a_queue_that_moves_on_is_not_linked_from_there)
{
	fifo_guest_init(&g, guest, 1);
	open_ports(4);
	send(1);
	ck_handled(0, 1, 1); /* the tail of QUEUE, but off it */
	call_set_priority(v0(), 1, 2);
	send(1); /* the only one on queue 2 */
	send(2); /* must become QUEUE's head, not follow 1 on queue 2 */
	ck_assert_uint_eq(*fifo_word(&g, 1) & LINK, 0);
	ck_assert_uint_eq(g.control[0]->head[QUEUE], 2);
	ck_handled(0, 2, 1, 2);
}
END_TEST

START_TEST(a_port_that_moves_to_another_vcpu_goes_there_with_its_next_event)
{
	evtchn_port_t a, b;

	fifo_guest_init(&g, guest, 1);
	a = movable();
	b = movable();
	fifo_handle(&g, 0, got, ARRAY_SIZE(got)); /* they start pending */
	send_to(a);
	ck_assert_int_eq(call_bind_vcpu(v0(), a, 1), 0);
	send_to(b); /* follows a on vCPU 0 */
	ck_handled(1, 0);
	ck_handled(0, 2, a, b);
	send_to(a);
	send_to(b);
	ck_assert_uint_eq(guest->vcpu[1]->arch.nr_upcalls, 1);
	ck_handled(1, 1, a);
	ck_handled(0, 1, b);
}
END_TEST

START_TEST(a_vcpu_without_a_control_block_leaves_its_events_pending)
{
	world_ram(guest, CONTROL_GFN);
	ck_assert_int_eq(call_init_control(v0(), CONTROL_GFN, 0, 0), 0);
	g = (struct fifo_guest){ .d = guest };
	g.control[0] = mfn_to_ptr(MFN(0));
	fifo_guest_expand(&g);
	ck_assert_int_eq(call_bind_ipi(v0(), 1), 1);
	send(1);
	ck_assert_uint_eq(*fifo_word(&g, 1), PENDING);
	ck_assert(evtchn_port_is_pending(guest, 1));
	ck_assert_uint_eq(guest->vcpu[1]->arch.nr_upcalls, 0);
}
END_TEST

/* Events before their words ------------------------------------------------------------------- */

START_TEST(an_event_before_its_word_exists_is_delivered_with_the_page)
{
	fifo_guest_init(&g, guest, 0);
	open_ports(1030);
	consume(guest, 0);
	send(7);
	send(1029);
	ck_assert(evtchn_port_is_pending(guest, 7));
	ck_assert(!evtchn_port_is_pending(guest, 8));
	ck_assert_int_eq(call_unmask(v0(), 7), 0); /* there is nothing to unmask */
	ck_assert_uint_eq(v0()->arch.nr_upcalls, 0);
	fifo_guest_expand(&g);
	ck_handled(0, 1, 7);
	fifo_guest_expand(&g);
	ck_handled(0, 1, 1029);
	ck_handled(0, 0);
}
END_TEST

START_TEST(an_early_event_of_a_closed_port_is_forgotten)
{
	fifo_guest_init(&g, guest, 0);
	open_ports(2);
	send(1);
	call_close(v0(), 1);
	ck_assert(!evtchn_port_is_pending(guest, 1));
	open_ports(1);
	ck_assert(!evtchn_port_is_pending(guest, 1));
	fifo_guest_expand(&g);
	ck_handled(0, 0);
}
END_TEST

START_TEST(events_pending_in_the_bitmap_move_to_the_queues_at_the_switch)
{
	open_ports(100);
	set_mask(guest, 99, true); /* masks are the guest's to carry over */
	send(33);
	send(99);
	guest->shared_info->evtchn_pending[63] = UINT64_MAX; /* of no open ports */
	guest->shared_info->evtchn_pending[1] |= BIT64(120 % 64);
	guest->shared_info->evtchn_pending[0] |= 1;
	fifo_guest_init(&g, guest, 0);
	ck_assert(evtchn_port_is_pending(guest, 33));
	ck_assert(evtchn_port_is_pending(guest, 99));
	fifo_guest_expand(&g);
	ck_handled(0, 2, 33, 99);
	for (unsigned i = 0; i < 3; i++)
		fifo_guest_expand(&g);
	ck_handled(0, 0);
}
END_TEST

START_TEST(a_32_bit_guest_switches_too)
{
	guest->compat = true;
	open_ports(3);
	send(2);
	fifo_guest_init(&g, guest, 1);
	ck_handled(0, 1, 2);
}
END_TEST

/* Closing ------------------------------------------------------------------------------------- */

START_TEST(a_closed_port_that_is_still_on_a_queue_is_not_handed_out)
{
	fifo_guest_init(&g, guest, 1);
	open_ports(3);
	send(1);
	send(2);
	call_close(v0(), 1);
	ck_assert_uint_eq(*fifo_word(&g, 1) & PENDING, 0);
	ck_assert_int_eq(call_bind_ipi(v0(), 0), 4);
	ck_handled(0, 1, 2); /* the queue runs through 1 */
	ck_assert_int_eq(call_bind_ipi(v0(), 0), 1);
}
END_TEST

START_TEST(looking_for_a_port_among_closed_ones_on_queues_ends_soon)
{
	uint32_t nr_ports = 300 * EVTCHNS_PER_BUCKET, nr_pages = nr_ports / WORDS_A_PAGE + 1;

	fifo_guest_init(&g, guest, nr_pages);
	for (evtchn_port_t port = 1, p; port < nr_ports; port++)
		ck_assert_int_eq(evtchn_alloc_unbound(guest, 0, &p), 0);
	for (uint32_t i = 0; i < nr_pages; i++)
		memset(g.array[i], 0xff, PAGE_SIZE);
	for (evtchn_port_t port = 1; port < nr_ports; port++)
		ck_assert_int_eq(evtchn_close(guest, port), 0);
	ck_assert_int_eq(call_bind_ipi(v0(), 0), -XEN_ENOSPC);
	memset(g.array[0], 0, PAGE_SIZE);
	ck_assert_int_eq(call_bind_ipi(v0(), 0), 1);
}
END_TEST

/* Hostile words ------------------------------------------------------------------------------- */

START_TEST(words_and_control_blocks_full_of_ones_harm_nobody)
{
	fifo_guest_init(&g, guest, 1);
	open_ports(20);
	memset(g.array[0], 0xff, PAGE_SIZE);
	memset(g.control[0], 0xff, sizeof(*g.control[0]));
	for (evtchn_port_t port = 1; port <= 20; port++) {
		send(port);
		ck_assert_int_eq(call_unmask(v0(), port), 0);
		ck_assert_int_eq(call_close(v0(), port), 0);
	}
	ck_assert_int_eq(call_reset(v0(), DOMID_SELF), 0);
}
END_TEST

static uint32_t random_word(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed ^ *seed >> 15;
}

START_TEST(a_guest_that_scribbles_over_its_queues_harms_nobody)
{
	uint32_t seed = 1;

	fifo_guest_init(&g, guest, 1);
	open_ports(40);
	for (unsigned i = 0; i < 20000; i++) {
		evtchn_port_t port = 1 + random_word(&seed) % 40;

		*fifo_word(&g, random_word(&seed) % WORDS_A_PAGE) = random_word(&seed);
		g.control[0]->head[random_word(&seed) % 16] = random_word(&seed);
		g.control[0]->ready = random_word(&seed);
		switch (random_word(&seed) % 4) {
		case 0:
			ck_assert_int_eq(call_set_priority(v0(), port, port % 16), 0);
			break;
		case 1:
			ck_assert_int_eq(call_unmask(v0(), port), 0);
			break;
		default:
			send(port);
			break;
		}
	}
}
END_TEST

START_TEST(pages_of_the_queues_outlive_their_place_in_the_physmap)
{
	fifo_guest_init(&g, guest, 1);
	open_ports(1);
	world_drop_ram(guest, ARRAY_GFN);
	world_drop_ram(guest, CONTROL_GFN);
	ck_assert_uint_eq(world_page_count(g.array[0]), 1);
	ck_assert_uint_eq(world_page_count(g.control[0]), 2);
	send(1);
	ck_handled(0, 1, 1);
	ck_assert_int_eq(call_reset(v0(), DOMID_SELF), 0);
	ck_assert_uint_eq(world_page_count(g.array[0]), 0);
	ck_assert_uint_eq(world_page_count(g.control[0]), 0);
	ck_assert_uint_eq(guest->nr_pages, 0);
}
END_TEST

/* The end ------------------------------------------------------------------------------------- */

START_TEST(reset_goes_back_to_two_level_events)
{
	struct channel c;

	fifo_guest_init(&g, guest, 3);
	c = connect_domains(service, guest);
	ck_assert_int_eq(call_reset(v0(), DOMID_SELF), 0);
	ck_assert_ptr_null(guest->evtchn.fifo);
	ck_assert_ptr_null(v0()->fifo);
	ck_assert_ptr_null(guest->vcpu[1]->fifo);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(world_page_count(g.array[i]), 1);
	ck_assert_uint_eq(world_page_count(g.control[0]), 1);
	ck_assert_int_eq(call_send(service->vcpu[0], c.a), 0); /* unbound now */
	open_ports(1);
	send(1);
	ck_assert(is_pending(guest, 1));
	ck_assert_int_eq(call_expand_array(v0(), ARRAY_GFN), -XEN_EOPNOTSUPP);
	memset(g.array[0], 0, PAGE_SIZE);
	ck_assert_int_eq(call_init_control(v0(), CONTROL_GFN, 0, 0), 0);
	ck_assert_int_eq(call_expand_array(v0(), ARRAY_GFN), 0);
	g.nr_pages = 1;
	ck_handled(0, 1, 1);
}
END_TEST

START_TEST(the_queues_stay_while_a_port_is_open)
{
	struct channel c;

	fifo_guest_init(&g, guest, 1);
	c = connect_domains(service, guest);
	guest->evtchn.next_close = guest->evtchn.max_port + 1;
	ck_assert_int_eq(call_reset(v0(), DOMID_SELF), HYPERCALL_RESTART);
	ck_assert_ptr_nonnull(guest->evtchn.fifo);
	ck_assert_int_eq(call_send(service->vcpu[0], c.a), 0);
	ck_assert_int_eq(call_reset(v0(), DOMID_SELF), 0);
	ck_assert_ptr_null(guest->evtchn.fifo);
}
END_TEST

START_TEST(a_domain_with_queues_is_destroyed_in_pieces)
{
	unsigned nr_calls = 1;

	fifo_guest_init(&g, guest, 2);
	open_ports(1100);
	for (unsigned i = 0; i < 20; i++)
		connect_domains(service, guest);
	fake_should_stop = true;
	domain_ref(guest);
	while (domain_destroy(guest) == -XEN_EAGAIN)
		ck_assert_uint_lt(nr_calls++, 1000);
	ck_assert_uint_gt(nr_calls, 50);
	ck_assert_uint_eq(guest->nr_pages, 0);
	domain_put(guest);
	guest = NULL;
}
END_TEST

/* A sender and a handler at the same time ----------------------------------------------------- */

#define NR_RACE_PORTS 4u
#define NR_RACE_SENDS 30000u

static uint32_t sent[NR_RACE_PORTS + 1], seen[NR_RACE_PORTS + 1];

/* Sends a new number for a port before the event, as a driver puts a request on its ring first. */
static void *send_many(void *unused)
{
	uint32_t seed = 3;

	(void)unused;
	for (uint32_t i = 1; i <= NR_RACE_SENDS; i++) {
		evtchn_port_t port = 1 + random_word(&seed) % NR_RACE_PORTS;

		__atomic_store_n(&sent[port], i, __ATOMIC_SEQ_CST);
		send(port);
		if (random_word(&seed) % 64 == 0)
			ck_assert_int_eq(call_set_priority(v0(), port, i % 2 ? QUEUE : 1), 0);
	}
	__atomic_store_n(&sent[0], 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void note_seen(unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		seen[got[i]] = __atomic_load_n(&sent[got[i]], __ATOMIC_SEQ_CST);
}

START_TEST(no_event_is_lost_between_a_sender_and_the_handler)
{
	pthread_t thread;
	bool done = false;

	fifo_guest_init(&g, guest, 1);
	open_ports(NR_RACE_PORTS);
	ck_assert_int_eq(pthread_create(&thread, NULL, send_many, NULL), 0);
	while (!done) {
		done = __atomic_load_n(&sent[0], __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&v0()->info->evtchn_upcall_pending, __ATOMIC_SEQ_CST))
			note_seen(fifo_handle(&g, 0, got, ARRAY_SIZE(got)));
	}
	pthread_join(thread, NULL);
	for (evtchn_port_t port = 1; port <= NR_RACE_PORTS; port++)
		ck_assert_uint_eq(seen[port], sent[port]);
}
END_TEST

UNIT_MAIN("evtchn-fifo", world_setup, world_teardown,
	  init_control_switches_to_fifo_and_clears_ready,
	  init_control_refuses_bad_arguments_and_changes_nothing,
	  init_control_without_memory_changes_nothing,
	  init_control_changes_nothing_when_copy_out_faults,
	  expand_array_needs_fifo_events_and_a_writable_page,
	  the_array_grows_no_longer_than_the_ports_need,
	  events_of_one_priority_are_handled_in_the_order_they_were_sent,
	  an_event_sent_while_the_queue_is_handled_is_not_lost,
	  a_masked_port_is_not_linked_until_it_is_unmasked,
	  unmask_links_what_a_handler_left_unlinked, higher_priorities_are_handled_first,
	  two_level_events_have_no_priority, a_port_that_changes_priority_leaves_its_queue_intact,
	  the_tail_of_a_queue_that_moves_on_is_not_linked_from_there,
	  a_port_that_moves_to_another_vcpu_goes_there_with_its_next_event,
	  a_vcpu_without_a_control_block_leaves_its_events_pending,
	  an_event_before_its_word_exists_is_delivered_with_the_page,
	  an_early_event_of_a_closed_port_is_forgotten,
	  events_pending_in_the_bitmap_move_to_the_queues_at_the_switch,
	  a_32_bit_guest_switches_too, a_closed_port_that_is_still_on_a_queue_is_not_handed_out,
	  looking_for_a_port_among_closed_ones_on_queues_ends_soon,
	  words_and_control_blocks_full_of_ones_harm_nobody,
	  a_guest_that_scribbles_over_its_queues_harms_nobody,
	  pages_of_the_queues_outlive_their_place_in_the_physmap,
	  reset_goes_back_to_two_level_events, the_queues_stay_while_a_port_is_open,
	  a_domain_with_queues_is_destroyed_in_pieces,
	  no_event_is_lost_between_a_sender_and_the_handler)
