/* Delivery through the bitmaps in shared info, in the layouts of both widths; pollers; VIRQs. */
#include "calls.h"
#include "unit.h"

#include "lodge/evtchn.h"

static struct channel c; /* service → guest */

static void setup(void)
{
	world_setup();
	c = connect_domains(service, guest);
}

static unsigned nr_upcalls(unsigned vcpu)
{
	return guest->vcpu[vcpu]->arch.nr_upcalls;
}

static uint64_t selector(unsigned vcpu)
{
	const struct vcpu_info *info = guest->vcpu[vcpu]->info;

	return guest->compat
		       ? ((const struct compat_vcpu_info *)(const void *)info)->evtchn_pending_sel
		       : info->evtchn_pending_sel;
}

static void send(void)
{
	ck_assert_int_eq(call_send(service->vcpu[0], c.a), 0);
}

START_TEST(send_sets_pending_and_selector_and_raises_the_upcall)
{
	send();
	ck_assert(is_pending(guest, c.b));
	ck_assert_uint_eq(selector(0), 1);
	ck_assert_uint_eq(guest->vcpu[0]->info->evtchn_upcall_pending, 1);
	ck_assert_uint_eq(nr_upcalls(0), 1);
	ck_assert_uint_eq(nr_upcalls(1), 0);
	ck_assert(!is_pending(service, c.a));
}
END_TEST

START_TEST(a_second_send_before_the_first_is_consumed_does_nothing)
{
	send();
	guest->vcpu[0]->info->evtchn_upcall_pending = 0;
	guest->vcpu[0]->info->evtchn_pending_sel = 0;
	send();
	ck_assert_uint_eq(selector(0), 0);
	ck_assert_uint_eq(nr_upcalls(0), 1);
	consume(guest, 0);
	send();
	ck_assert_uint_eq(nr_upcalls(0), 1);
}
END_TEST

START_TEST(a_masked_port_becomes_pending_and_no_more)
{
	set_mask(guest, c.b, true);
	send();
	ck_assert(is_pending(guest, c.b));
	ck_assert_uint_eq(selector(0), 0);
	ck_assert_uint_eq(nr_upcalls(0), 0);
}
END_TEST

START_TEST(unmask_delivers_what_is_pending)
{
	set_mask(guest, c.b, true);
	send();
	ck_assert_int_eq(call_unmask(guest->vcpu[0], c.b), 0);
	ck_assert_uint_eq(selector(0), 1);
	ck_assert_uint_eq(nr_upcalls(0), 1);
	consume(guest, 0);
	send();
	ck_assert_uint_eq(nr_upcalls(0), 1); /* the mask is clear */
}
END_TEST

START_TEST(unmask_of_a_quiet_port_raises_nothing)
{
	set_mask(guest, c.b, true);
	ck_assert_int_eq(call_unmask(guest->vcpu[0], c.b), 0);
	ck_assert_uint_eq(nr_upcalls(0), 0);
	send();
	ck_assert_uint_eq(nr_upcalls(0), 1);
}
END_TEST

START_TEST(a_selector_bit_that_is_set_needs_no_other_upcall)
{
	guest->vcpu[0]->info->evtchn_pending_sel = 1;
	send();
	ck_assert(is_pending(guest, c.b));
	ck_assert_uint_eq(nr_upcalls(0), 0);
}
END_TEST

START_TEST(an_event_goes_to_the_vcpu_that_it_was_bound_to)
{
	ck_assert_int_eq(call_bind_vcpu(guest->vcpu[0], c.b, 1), 0);
	send();
	ck_assert_uint_eq(nr_upcalls(0), 0);
	ck_assert_uint_eq(nr_upcalls(1), 1);
	ck_assert_uint_eq(selector(1), 1);
}
END_TEST

START_TEST(an_ipi_reaches_its_own_vcpu)
{
	int64_t port = call_bind_ipi(guest->vcpu[0], 1);

	ck_assert_int_eq(call_send(guest->vcpu[0], (evtchn_port_t)port), 0);
	ck_assert(is_pending(guest, (evtchn_port_t)port));
	ck_assert_uint_eq(nr_upcalls(1), 1);
	ck_assert_uint_eq(nr_upcalls(0), 0);
}
END_TEST

START_TEST(send_to_an_unbound_port_is_silent)
{
	int64_t port = call_alloc_unbound(guest->vcpu[0], DOMID_SELF, 2);

	ck_assert_int_eq(call_send(guest->vcpu[0], (evtchn_port_t)port), 0);
	ck_assert(!is_pending(guest, (evtchn_port_t)port));
}
END_TEST

START_TEST(a_guest_cannot_send_a_virq)
{
	int64_t port = call_bind_virq(guest->vcpu[0], VIRQ_TIMER, 0);

	ck_assert_int_eq(call_send(guest->vcpu[0], (evtchn_port_t)port), -XEN_EINVAL);
	ck_assert(!is_pending(guest, (evtchn_port_t)port));
}
END_TEST

START_TEST(the_last_port_of_the_64_bit_layout_works)
{
	while (call_bind_ipi(guest->vcpu[0], 0) != 4095)
		;
	set_mask(guest, 4095, true);
	call_send(guest->vcpu[0], 4095);
	ck_assert(is_pending(guest, 4095));
	ck_assert_uint_eq(nr_upcalls(0), 0);
	call_unmask(guest->vcpu[0], 4095);
	ck_assert_uint_eq(selector(0), BIT64(63));
	ck_assert_uint_eq(guest->shared_info->wc_version % 2, 0);
	ck_assert_uint_eq(guest->shared_info->evtchn_mask[63], 0);
}
END_TEST

START_TEST(the_32_bit_layout_has_its_own_masks_and_selector)
{
	const struct compat_shared_info *s = (const void *)guest->shared_info;

	guest->compat = true;
	while (call_bind_ipi(guest->vcpu[0], 0) != 1023)
		;
	set_mask(guest, 1023, true);
	call_send(guest->vcpu[0], 1023);
	ck_assert_uint_eq(s->evtchn_pending[31], 1u << 31);
	ck_assert_uint_eq(s->evtchn_mask[31], 1u << 31);
	ck_assert_uint_eq(nr_upcalls(0), 0);
	call_unmask(guest->vcpu[0], 1023);
	ck_assert_uint_eq(s->evtchn_mask[31], 0);
	ck_assert_uint_eq(selector(0), 1u << 31);
	ck_assert_uint_eq(nr_upcalls(0), 1);
	call_close(guest->vcpu[0], 1023);
	ck_assert_uint_eq(s->evtchn_pending[31], 0);
}
END_TEST

START_TEST(shared_info_full_of_ones_harms_nobody)
{
	memset(guest->shared_info, 0xff, PAGE_SIZE);
	send();
	ck_assert_int_eq(call_unmask(guest->vcpu[0], c.b), 0);
	ck_assert_int_eq(call_close(guest->vcpu[0], c.b), 0);
	ck_assert_uint_eq(nr_upcalls(0), 0);
}
END_TEST

/* Pollers ------------------------------------------------------------------------------------- */

static void start_polling(unsigned vcpu, evtchn_port_t port)
{
	struct vcpu *v = guest->vcpu[vcpu];

	v->poll_port = port;
	v->blocked_by |= VCPU_POLLING;
	guest->evtchn.nr_pollers++;
}

static bool polls(unsigned vcpu)
{
	return guest->vcpu[vcpu]->blocked_by & VCPU_POLLING;
}

START_TEST(a_poller_is_woken_even_by_a_masked_port)
{
	set_mask(guest, c.b, true);
	start_polling(1, c.b);
	send();
	ck_assert(!polls(1));
	ck_assert(evtchn_port_is_pending(guest, c.b));
}
END_TEST

START_TEST(a_poller_of_another_port_sleeps_on)
{
	start_polling(0, c.b);
	start_polling(1, c.b + 1);
	send();
	ck_assert(!polls(0));
	ck_assert(polls(1));
}
END_TEST

START_TEST(a_poller_of_several_ports_looks_for_itself)
{
	start_polling(1, 0);
	send();
	ck_assert(!polls(1));
}
END_TEST

/* VIRQs --------------------------------------------------------------------------------------- */

START_TEST(a_virq_reaches_the_vcpu_that_bound_it)
{
	int64_t port = call_bind_virq(guest->vcpu[0], VIRQ_TIMER, 1);

	evtchn_send_virq(guest->vcpu[0], VIRQ_TIMER); /* not bound there */
	ck_assert(!is_pending(guest, (evtchn_port_t)port));
	evtchn_send_virq(guest->vcpu[1], VIRQ_TIMER);
	ck_assert(is_pending(guest, (evtchn_port_t)port));
	ck_assert_uint_eq(nr_upcalls(1), 1);
	ck_assert_uint_eq(nr_upcalls(0), 0);
}
END_TEST

START_TEST(a_global_virq_reaches_the_vcpu_that_it_was_moved_to)
{
	int64_t port;

	evtchn_send_global_virq(NULL, VIRQ_CONSOLE);
	evtchn_send_global_virq(guest, VIRQ_CONSOLE); /* nobody is told */
	port = call_bind_virq(guest->vcpu[0], VIRQ_CONSOLE, 0);
	call_bind_vcpu(guest->vcpu[0], (evtchn_port_t)port, 1);
	evtchn_send_global_virq(guest, VIRQ_CONSOLE);
	ck_assert(is_pending(guest, (evtchn_port_t)port));
	ck_assert_uint_eq(nr_upcalls(1), 1);
	ck_assert_uint_eq(nr_upcalls(0), 0);
}
END_TEST

UNIT_MAIN("evtchn-two-level", setup, world_teardown,
	  send_sets_pending_and_selector_and_raises_the_upcall,
	  a_second_send_before_the_first_is_consumed_does_nothing,
	  a_masked_port_becomes_pending_and_no_more, unmask_delivers_what_is_pending,
	  unmask_of_a_quiet_port_raises_nothing, a_selector_bit_that_is_set_needs_no_other_upcall,
	  an_event_goes_to_the_vcpu_that_it_was_bound_to, an_ipi_reaches_its_own_vcpu,
	  send_to_an_unbound_port_is_silent, a_guest_cannot_send_a_virq,
	  the_last_port_of_the_64_bit_layout_works,
	  the_32_bit_layout_has_its_own_masks_and_selector, shared_info_full_of_ones_harms_nobody,
	  a_poller_is_woken_even_by_a_masked_port, a_poller_of_another_port_sleeps_on,
	  a_poller_of_several_ports_looks_for_itself, a_virq_reaches_the_vcpu_that_bound_it,
	  a_global_virq_reaches_the_vcpu_that_it_was_moved_to)
