/* The life of a port: every sub-operation of event_channel_op but delivery, happy and hostile. */
#include "calls.h"
#include "unit.h"

#include "lodge/evtchn.h"

#define FAR 0xfffffff0u

static struct vcpu *v0(struct domain *d)
{
	return d->vcpu[0];
}

/* Opening ------------------------------------------------------------------------------------- */

START_TEST(alloc_unbound_gives_the_lowest_free_port_and_never_0)
{
	ck_assert_int_eq(call_alloc_unbound(v0(guest), DOMID_SELF, 0), 1);
	ck_assert_int_eq(call_alloc_unbound(v0(guest), DOMID_SELF, 0), 2);
	ck_assert_int_eq(call_alloc_unbound(v0(guest), DOMID_SELF, 0), 3);
	ck_assert_int_eq(call_close(v0(guest), 2), 0);
	ck_assert_int_eq(call_close(v0(guest), 1), 0);
	ck_assert_int_eq(call_alloc_unbound(v0(guest), DOMID_SELF, 0), 1);
	ck_assert_int_eq(call_alloc_unbound(v0(guest), DOMID_SELF, 0), 2);
	ck_assert_int_eq(call_alloc_unbound(v0(guest), DOMID_SELF, 0), 4);
}
END_TEST

START_TEST(alloc_unbound_for_another_domain_needs_privilege)
{
	ck_assert_int_eq(call_alloc_unbound(v0(guest), 2, 0), -XEN_EPERM);
	ck_assert_int_eq(call_alloc_unbound(v0(guest), 0, 0), -XEN_EPERM);
	ck_assert_int_eq(call_alloc_unbound(v0(service), 1, 0), 1);
	ck_assert_uint_eq(guest->evtchn.nr_open, 1);
	ck_assert_uint_eq(service->evtchn.nr_open, 0);
}
END_TEST

START_TEST(alloc_unbound_fails_for_an_unknown_domain)
{
	ck_assert_int_eq(call_alloc_unbound(v0(service), 99, 0), -XEN_ESRCH);
	ck_assert_int_eq(call_alloc_unbound(v0(service), DOMID_INVALID, 0), -XEN_ESRCH);
}
END_TEST

START_TEST(alloc_unbound_takes_DOMID_SELF_as_the_caller_on_both_sides)
{
	struct evtchn_status s;

	ck_assert_int_eq(call_alloc_unbound(v0(service), DOMID_SELF, DOMID_SELF), 1);
	ck_assert_int_eq(call_alloc_unbound(v0(service), 1, DOMID_SELF), 1);
	ck_assert_int_eq(call_status(v0(service), 0, 1, &s), 0);
	ck_assert_uint_eq(s.u.unbound.dom, 0);
	ck_assert_int_eq(call_status(v0(service), 1, 1, &s), 0);
	ck_assert_uint_eq(s.u.unbound.dom, 0);
}
END_TEST

START_TEST(a_dying_domain_opens_no_port)
{
	int64_t port = call_alloc_unbound(v0(service), 1, 0);

	guest->dying = true;
	ck_assert_int_eq(call_alloc_unbound(v0(service), 1, 0), -XEN_EINVAL);
	ck_assert_int_eq(call_bind_interdomain(v0(service), 1, (evtchn_port_t)port), -XEN_EINVAL);
	guest->dying = false;
	ck_assert_int_eq(call_bind_interdomain(v0(service), 1, (evtchn_port_t)port), 1);
}
END_TEST

START_TEST(bind_interdomain_connects_both_ends_and_starts_pending)
{
	uint32_t service_refs = service->refcount, guest_refs = guest->refcount;
	int64_t theirs = call_alloc_unbound(v0(service), DOMID_SELF, 1), ours;
	struct evtchn_status s;

	ours = call_bind_interdomain(v0(guest), 0, (evtchn_port_t)theirs);
	ck_assert_int_eq(ours, 1);
	ck_assert(is_pending(guest, 1));
	ck_assert(!is_pending(service, (evtchn_port_t)theirs));
	ck_assert_uint_eq(v0(guest)->arch.nr_upcalls, 1);
	ck_assert_uint_eq(service->refcount, service_refs + 1);
	ck_assert_uint_eq(guest->refcount, guest_refs + 1);

	ck_assert_int_eq(call_status(v0(guest), DOMID_SELF, 1, &s), 0);
	ck_assert_uint_eq(s.status, EVTCHNSTAT_interdomain);
	ck_assert_uint_eq(s.u.interdomain.dom, 0);
	ck_assert_uint_eq(s.u.interdomain.port, (uint32_t)theirs);
	ck_assert_int_eq(call_status(v0(service), 0, (evtchn_port_t)theirs, &s), 0);
	ck_assert_uint_eq(s.u.interdomain.dom, 1);
	ck_assert_uint_eq(s.u.interdomain.port, 1);
}
END_TEST

START_TEST(bind_interdomain_wants_a_port_that_waits_for_the_caller)
{
	struct vcpu *v = v0(guest);

	call_alloc_unbound(v0(service), DOMID_SELF, 2);
	ck_assert_int_eq(call_bind_ipi(v0(service), 0), 2);
	ck_assert_int_eq(call_bind_interdomain(v, 0, 1), -XEN_EINVAL); /* waits for domain 2 */
	ck_assert_int_eq(call_bind_interdomain(v, 0, 2), -XEN_EINVAL); /* an IPI */
	ck_assert_int_eq(call_bind_interdomain(v, 0, 3), -XEN_EINVAL); /* closed */
	ck_assert_int_eq(call_bind_interdomain(v, 0, 0), -XEN_EINVAL);
	ck_assert_int_eq(call_bind_interdomain(v, 0, 200), -XEN_EINVAL);
	ck_assert_int_eq(call_bind_interdomain(v, 0, FAR), -XEN_EINVAL);
	ck_assert_int_eq(call_bind_interdomain(v, 99, 1), -XEN_ESRCH);
	ck_assert_int_eq(call_bind_interdomain(v0(third), 0, 1), 1);
	ck_assert_int_eq(call_bind_interdomain(v0(third), 0, 1), -XEN_EINVAL); /* taken */
	ck_assert_uint_eq(guest->evtchn.nr_open, 0);
}
END_TEST

START_TEST(a_channel_to_oneself_works_and_closes)
{
	uint32_t refs = guest->refcount;
	evtchn_port_t a = (evtchn_port_t)call_alloc_unbound(v0(guest), DOMID_SELF, DOMID_SELF);
	evtchn_port_t b = (evtchn_port_t)call_bind_interdomain(v0(guest), DOMID_SELF, a);
	struct evtchn_status s;

	ck_assert_uint_eq(b, 2);
	consume(guest, 0);
	ck_assert_int_eq(call_send(v0(guest), a), 0);
	ck_assert(is_pending(guest, b) && !is_pending(guest, a));
	consume(guest, 0);
	ck_assert_int_eq(call_send(v0(guest), b), 0);
	ck_assert(is_pending(guest, a) && !is_pending(guest, b));

	ck_assert_int_eq(call_close(v0(guest), b), 0);
	ck_assert_uint_eq(guest->refcount, refs);
	ck_assert_int_eq(call_status(v0(guest), DOMID_SELF, a, &s), 0);
	ck_assert_uint_eq(s.status, EVTCHNSTAT_unbound);
	ck_assert_uint_eq(s.u.unbound.dom, 1);
	ck_assert_int_eq(call_close(v0(guest), a), 0);
	ck_assert_uint_eq(guest->evtchn.nr_open, 0);
}
END_TEST

START_TEST(bind_virq_opens_one_port_for_each_vcpu_or_one_for_all)
{
	struct vcpu *v = v0(service);
	struct evtchn_status s;

	ck_assert_int_eq(call_bind_virq(v, VIRQ_TIMER, 0), 1);
	ck_assert_int_eq(call_bind_virq(v, VIRQ_TIMER, 1), 2);
	ck_assert_int_eq(call_bind_virq(v, VIRQ_TIMER, 1), -XEN_EEXIST);
	ck_assert_int_eq(call_bind_virq(v, VIRQ_DOM_EXC, 0), 3);
	ck_assert_int_eq(call_bind_virq(v, VIRQ_DOM_EXC, 0), -XEN_EEXIST);
	ck_assert_int_eq(call_bind_virq(v, VIRQ_DOM_EXC, 1), -XEN_EINVAL);
	ck_assert_int_eq(call_bind_virq(v, NR_VIRQS, 0), -XEN_EINVAL);
	ck_assert_int_eq(call_bind_virq(v, FAR, 0), -XEN_EINVAL);
	ck_assert_int_eq(call_bind_virq(v, VIRQ_TIMER, 2), -XEN_ENOENT);
	ck_assert_int_eq(call_bind_virq(v, VIRQ_TIMER, FAR), -XEN_ENOENT);

	ck_assert_int_eq(call_status(v, DOMID_SELF, 2, &s), 0);
	ck_assert_uint_eq(s.status, EVTCHNSTAT_virq);
	ck_assert_uint_eq(s.u.virq, VIRQ_TIMER);
	ck_assert_uint_eq(s.vcpu, 1);
}
END_TEST

START_TEST(a_closed_virq_can_be_bound_again)
{
	struct vcpu *v = v0(service);

	ck_assert_int_eq(call_bind_virq(v, VIRQ_TIMER, 1), 1);
	ck_assert_int_eq(call_bind_virq(v, VIRQ_CONSOLE, 0), 2);
	ck_assert_int_eq(call_bind_vcpu(v, 2, 1), 0); /* recorded at vCPU 0 wherever it goes */
	ck_assert_int_eq(call_close(v, 1), 0);
	ck_assert_int_eq(call_close(v, 2), 0);
	ck_assert_int_eq(call_bind_virq(v, VIRQ_CONSOLE, 0), 1);
	ck_assert_int_eq(call_bind_virq(v, VIRQ_TIMER, 1), 2);
}
END_TEST

START_TEST(bind_ipi_wants_a_vcpu_that_exists)
{
	struct evtchn_status s;

	ck_assert_int_eq(call_bind_ipi(v0(guest), 1), 1);
	ck_assert_int_eq(call_bind_ipi(v0(guest), 2), -XEN_ENOENT);
	ck_assert_int_eq(call_bind_ipi(v0(guest), FAR), -XEN_ENOENT);
	ck_assert_int_eq(call_status(v0(guest), DOMID_SELF, 1, &s), 0);
	ck_assert_uint_eq(s.status, EVTCHNSTAT_ipi);
	ck_assert_uint_eq(s.vcpu, 1);
}
END_TEST

START_TEST(no_more_ports_are_opened_than_the_configuration_allows)
{
	static const struct domain_config small = { .max_evtchn_port = 130 };

	world_destroy(&third);
	third = world_domain(2, &small);
	for (evtchn_port_t port = 1; port <= 130; port++)
		ck_assert_int_eq(call_bind_ipi(v0(third), 0), port);
	ck_assert_int_eq(call_bind_ipi(v0(third), 0), -XEN_ENOSPC);
	ck_assert_int_eq(call_bind_virq(v0(third), VIRQ_TIMER, 0), -XEN_ENOSPC);
	ck_assert_int_eq(call_close(v0(third), 77), 0);
	ck_assert_int_eq(call_bind_ipi(v0(third), 0), 77);
	ck_assert_int_eq(call_send(v0(third), 131), -XEN_EINVAL);
}
END_TEST

START_TEST(no_more_ports_are_opened_than_the_layout_has)
{
	guest->compat = true;
	for (evtchn_port_t port = 1; port < 1024; port++)
		ck_assert_int_eq(call_bind_ipi(v0(guest), 0), port);
	ck_assert_int_eq(call_bind_ipi(v0(guest), 0), -XEN_ENOSPC);
	guest->compat = false;
	for (evtchn_port_t port = 1024; port < 4096; port++)
		ck_assert_int_eq(call_bind_ipi(v0(guest), 0), port);
	ck_assert_int_eq(call_bind_ipi(v0(guest), 0), -XEN_ENOSPC);
}
END_TEST

/* Errors -------------------------------------------------------------------------------------- */

START_TEST(operations_that_do_not_exist_are_ENOSYS)
{
	uint64_t nothing = 0;

	ck_assert_int_eq(evtchn_op(v0(guest), EVTCHNOP_bind_pirq, &nothing, 8), -XEN_ENOSYS);
	ck_assert_int_eq(evtchn_op(v0(guest), 14, &nothing, 8), -XEN_ENOSYS);
	ck_assert_int_eq(evtchn_op(v0(guest), BIT64(32), &nothing, 8), -XEN_ENOSYS);
	ck_assert_int_eq(evtchn_op(v0(guest), UINT64_MAX, &nothing, 8), -XEN_ENOSYS);
}
END_TEST

START_TEST(nothing_happens_when_copy_in_faults)
{
	fake_guest_fault_reads();
	for (uint64_t cmd = 0; cmd <= EVTCHNOP_set_priority; cmd++) {
		struct hypercall_args a = { .arg = { cmd, FAKE_GUEST_BASE } };

		if (cmd != EVTCHNOP_bind_pirq)
			ck_assert_int_eq(do_event_channel_op(v0(guest), &a), -XEN_EFAULT);
	}
	ck_assert_uint_eq(guest->evtchn.nr_open, 0);
	ck_assert_uint_eq(fake_nr_guest_writes, 0);
}
END_TEST

START_TEST(alloc_unbound_is_undone_when_copy_out_faults)
{
	fake_guest_fault_writes();
	ck_assert_int_eq(call_alloc_unbound(v0(service), 1, 0), -XEN_EFAULT);
	ck_assert_uint_eq(guest->evtchn.nr_open, 0);
	ck_assert_uint_eq(guest->refcount, 1);
}
END_TEST

START_TEST(bind_interdomain_is_undone_when_copy_out_faults)
{
	struct evtchn_status s;
	uint32_t refs = service->refcount;

	call_alloc_unbound(v0(service), DOMID_SELF, 1);
	fake_guest_fault_writes();
	ck_assert_int_eq(call_bind_interdomain(v0(guest), 0, 1), -XEN_EFAULT);
	ck_assert_uint_eq(guest->evtchn.nr_open, 0);
	ck_assert_uint_eq(service->refcount, refs);
	fake_guest_fault_writes_after(-1);
	ck_assert_int_eq(call_status(v0(service), 0, 1, &s), 0);
	ck_assert_uint_eq(s.status, EVTCHNSTAT_unbound);
	ck_assert_uint_eq(s.u.unbound.dom, 1);
	ck_assert(!is_pending(guest, 1));
}
END_TEST

START_TEST(bind_virq_is_undone_when_copy_out_faults)
{
	fake_guest_fault_writes();
	ck_assert_int_eq(call_bind_virq(v0(guest), VIRQ_TIMER, 1), -XEN_EFAULT);
	ck_assert_uint_eq(guest->evtchn.nr_open, 0);
	ck_assert_uint_eq(guest->vcpu[1]->virq_port[VIRQ_TIMER], 0);
}
END_TEST

START_TEST(bind_ipi_is_undone_when_copy_out_faults)
{
	fake_guest_fault_writes();
	ck_assert_int_eq(call_bind_ipi(v0(guest), 1), -XEN_EFAULT);
	ck_assert_uint_eq(guest->evtchn.nr_open, 0);
}
END_TEST

START_TEST(status_tells_that_copy_out_faulted)
{
	struct evtchn_status s;

	fake_guest_fault_writes();
	ck_assert_int_eq(call_status(v0(guest), DOMID_SELF, 1, &s), -XEN_EFAULT);
}
END_TEST

START_TEST(without_memory_no_port_is_opened)
{
	uint32_t refs = service->refcount;

	call_alloc_unbound(v0(service), DOMID_SELF, 1);
	fake_alloc_budget = 0;
	ck_assert_int_eq(call_alloc_unbound(v0(guest), DOMID_SELF, 0), -XEN_ENOMEM);
	ck_assert_int_eq(call_bind_interdomain(v0(guest), 0, 1), -XEN_ENOMEM);
	ck_assert_int_eq(call_bind_virq(v0(guest), VIRQ_TIMER, 0), -XEN_ENOMEM);
	ck_assert_int_eq(call_bind_ipi(v0(guest), 0), -XEN_ENOMEM);
	ck_assert_uint_eq(guest->evtchn.nr_open, 0);
	ck_assert_uint_eq(guest->vcpu[0]->virq_port[VIRQ_TIMER], 0);
	ck_assert_uint_eq(service->refcount, refs);
	fake_alloc_budget = -1;
	ck_assert_int_eq(call_bind_interdomain(v0(guest), 0, 1), 1);
}
END_TEST

START_TEST(status_describes_every_state)
{
	struct vcpu *v = v0(service);
	struct evtchn_status s;

	call_alloc_unbound(v, DOMID_SELF, 2);
	ck_assert_int_eq(call_status(v, DOMID_SELF, 1, &s), 0);
	ck_assert_uint_eq(s.status, EVTCHNSTAT_unbound);
	ck_assert_uint_eq(s.u.unbound.dom, 2);
	call_close(v, 1);
	ck_assert_int_eq(call_status(v, DOMID_SELF, 1, &s), 0);
	ck_assert_uint_eq(s.status, EVTCHNSTAT_closed);
	ck_assert_int_eq(call_status(v, DOMID_SELF, 4095, &s), 0);
	ck_assert_uint_eq(s.status, EVTCHNSTAT_closed);
	ck_assert_int_eq(call_status(v, DOMID_SELF, 4096, &s), -XEN_EINVAL);
	ck_assert_int_eq(call_status(v, DOMID_SELF, 0, &s), -XEN_EINVAL);
	ck_assert_int_eq(call_status(v, DOMID_SELF, FAR, &s), -XEN_EINVAL);
	ck_assert_int_eq(call_status(v, 99, 1, &s), -XEN_ESRCH);
	ck_assert_int_eq(call_status(v, 1, 1, &s), 0);
	ck_assert_int_eq(call_status(v0(guest), 0, 1, &s), -XEN_EPERM);
}
END_TEST

START_TEST(only_interdomain_unbound_and_global_virq_ports_move)
{
	struct vcpu *v = v0(service);
	struct evtchn_status s;

	call_alloc_unbound(v, DOMID_SELF, 1);
	call_bind_ipi(v, 0);
	call_bind_virq(v, VIRQ_TIMER, 0);
	call_bind_virq(v, VIRQ_DOM_EXC, 0);
	ck_assert_int_eq(call_bind_vcpu(v, 1, 1), 0);
	ck_assert_int_eq(call_bind_vcpu(v, 2, 1), -XEN_EINVAL);
	ck_assert_int_eq(call_bind_vcpu(v, 3, 1), -XEN_EINVAL);
	ck_assert_int_eq(call_bind_vcpu(v, 4, 1), 0);
	ck_assert_int_eq(call_bind_vcpu(v, 5, 1), -XEN_EINVAL);
	ck_assert_int_eq(call_bind_vcpu(v, 0, 1), -XEN_EINVAL);
	ck_assert_int_eq(call_bind_vcpu(v, FAR, 1), -XEN_EINVAL);
	ck_assert_int_eq(call_bind_vcpu(v, 1, 2), -XEN_ENOENT);
	ck_assert_int_eq(call_bind_vcpu(v, 1, FAR), -XEN_ENOENT);
	ck_assert_int_eq(call_status(v, DOMID_SELF, 1, &s), 0);
	ck_assert_uint_eq(s.vcpu, 1);
	ck_assert_int_eq(call_status(v, DOMID_SELF, 2, &s), 0);
	ck_assert_uint_eq(s.vcpu, 0);
}
END_TEST

START_TEST(ports_that_are_not_open_are_EINVAL)
{
	static const evtchn_port_t bad[] = { 0, 1, 129, 4095, 4096, 131071, 131072, FAR };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_int_eq(call_close(v0(guest), bad[i]), -XEN_EINVAL);
		ck_assert_int_eq(call_send(v0(guest), bad[i]), -XEN_EINVAL);
		ck_assert_int_eq(call_unmask(v0(guest), bad[i]), -XEN_EINVAL);
		ck_assert(!evtchn_port_is_valid(guest, bad[i]));
		ck_assert(!evtchn_port_is_pending(guest, bad[i]));
	}
}
END_TEST

START_TEST(open_ports_are_found_in_order_and_nothing_beyond_them)
{
	evtchn_port_t port = 0;

	ck_assert_uint_eq(evtchn_next_open(guest, 1), 0);
	for (unsigned i = 0; i < 300; i++)
		ck_assert_int_eq(evtchn_alloc_unbound(guest, 0, &port), 0);
	ck_assert_uint_eq(port, 300);
	for (port = 2; port < 300; port++)
		if (port != 129)
			ck_assert_int_eq(evtchn_close(guest, port), 0);
	ck_assert_uint_eq(evtchn_next_open(guest, 1), 1);
	ck_assert_uint_eq(evtchn_next_open(guest, 2), 129);
	ck_assert_uint_eq(evtchn_next_open(guest, 130), 300);
	ck_assert_uint_eq(evtchn_next_open(guest, 301), 0);
	ck_assert_uint_eq(evtchn_next_open(guest, UINT32_MAX), 0);
}
END_TEST

/* Closing ------------------------------------------------------------------------------------- */

START_TEST(either_end_of_a_channel_may_close_first)
{
	struct domain *ends[] = { guest, service };

	for (unsigned first = 0; first < 2; first++) {
		struct domain *a = ends[first], *b = ends[!first];
		uint32_t refs_a = a->refcount, refs_b = b->refcount;
		struct channel c = connect_domains(a, b);
		struct evtchn_status s;

		ck_assert_int_eq(call_close(v0(a), c.a), 0);
		ck_assert_uint_eq(a->refcount, refs_a);
		ck_assert_uint_eq(b->refcount, refs_b);
		ck_assert_int_eq(call_status(v0(b), DOMID_SELF, c.b, &s), 0);
		ck_assert_uint_eq(s.status, EVTCHNSTAT_unbound);
		ck_assert_uint_eq(s.u.unbound.dom, a->id);
		ck_assert_int_eq(call_send(v0(b), c.b), 0); /* nobody listens */
		ck_assert_int_eq(call_bind_interdomain(v0(a), b->id, c.b), c.a);
		ck_assert_int_eq(call_close(v0(b), c.b), 0);
		ck_assert_int_eq(call_close(v0(a), c.a), 0);
		ck_assert_int_eq(call_close(v0(a), c.a), -XEN_EINVAL);
		ck_assert_uint_eq(a->refcount, refs_a);
		ck_assert_uint_eq(b->refcount, refs_b);
	}
}
END_TEST

START_TEST(a_closed_port_is_no_longer_pending)
{
	struct channel c = connect_domains(service, guest);

	call_send(v0(service), c.a);
	ck_assert(is_pending(guest, c.b));
	ck_assert(evtchn_port_is_pending(guest, c.b));
	call_close(v0(guest), c.b);
	ck_assert(!is_pending(guest, c.b));
	ck_assert(!evtchn_port_is_pending(guest, c.b));
}
END_TEST

START_TEST(a_kernel_of_the_other_width_loses_the_high_ports_but_they_can_be_closed)
{
	uint32_t refs = service->refcount;
	struct channel c;

	while (guest->evtchn.nr_open < 2000)
		call_bind_ipi(v0(guest), 0);
	c = connect_domains(service, guest);
	ck_assert_uint_eq(c.b, 2001);
	spin_lock(&guest->lock);
	domain_set_layout(guest, true);
	spin_unlock(&guest->lock);
	consume(guest, 0);

	ck_assert_int_eq(call_send(v0(service), c.a), 0);
	ck_assert(!evtchn_port_is_pending(guest, c.b));
	ck_assert_int_eq(call_unmask(v0(guest), c.b), 0);
	ck_assert_uint_eq(v0(guest)->arch.nr_upcalls, 0);
	ck_assert_int_eq(call_close(v0(service), c.a), 0);
	ck_assert_int_eq(call_bind_ipi(v0(guest), 0), -XEN_ENOSPC);
	while (evtchn_reset(guest))
		;
	ck_assert_uint_eq(guest->evtchn.nr_open, 0);
	ck_assert_uint_eq(service->refcount, refs);
	ck_assert_int_eq(call_bind_ipi(v0(guest), 0), 1);
}
END_TEST

/* Reset and teardown -------------------------------------------------------------------------- */

START_TEST(reset_closes_everything)
{
	uint32_t service_refs = service->refcount, guest_refs = guest->refcount;
	struct channel c = connect_domains(guest, service);
	struct evtchn_status s;

	call_alloc_unbound(v0(guest), DOMID_SELF, 2);
	call_bind_virq(v0(guest), VIRQ_TIMER, 1);
	call_bind_ipi(v0(guest), 0);
	ck_assert_int_eq(call_reset(v0(guest), DOMID_SELF), 0);
	ck_assert_uint_eq(guest->evtchn.nr_open, 0);
	ck_assert_uint_eq(guest->vcpu[1]->virq_port[VIRQ_TIMER], 0);
	ck_assert_int_eq(call_status(v0(service), 0, c.b, &s), 0);
	ck_assert_uint_eq(s.status, EVTCHNSTAT_unbound);
	ck_assert_uint_eq(service->refcount, service_refs);
	ck_assert_uint_eq(guest->refcount, guest_refs);
	ck_assert_int_eq(call_bind_ipi(v0(guest), 0), 1);
}
END_TEST

START_TEST(reset_of_another_domain_needs_privilege)
{
	call_bind_ipi(v0(guest), 0);
	ck_assert_int_eq(call_reset(v0(third), 1), -XEN_EPERM);
	ck_assert_int_eq(call_reset(v0(service), 99), -XEN_ESRCH);
	ck_assert_uint_eq(guest->evtchn.nr_open, 1);
	ck_assert_int_eq(call_reset(v0(service), 1), 0);
	ck_assert_uint_eq(guest->evtchn.nr_open, 0);
	ck_assert_uint_eq(guest->refcount, 1);
}
END_TEST

START_TEST(reset_is_restarted_when_it_should_stop_and_always_gets_on)
{
	unsigned nr_calls = 1;

	for (unsigned i = 0; i < 200; i++)
		call_bind_ipi(v0(guest), 0);
	fake_should_stop = true;
	while (call_reset(v0(guest), DOMID_SELF) == HYPERCALL_RESTART) {
		nr_calls++;
		ck_assert_uint_lt(nr_calls, 100);
		ck_assert_int_eq(call_bind_ipi(v0(guest), 0), -XEN_EBUSY);
	}
	ck_assert_uint_gt(nr_calls, 10);
	ck_assert_uint_eq(guest->evtchn.nr_open, 0);
	ck_assert_int_eq(call_bind_ipi(v0(guest), 0), 1);
}
END_TEST

START_TEST(a_reset_that_finds_ports_opened_behind_it_goes_on)
{
	call_bind_ipi(v0(guest), 0);
	guest->evtchn.next_close = guest->evtchn.max_port + 1; /* as a second reset left it */
	ck_assert_int_eq(call_reset(v0(guest), DOMID_SELF), HYPERCALL_RESTART);
	ck_assert_uint_eq(guest->evtchn.nr_open, 1);
	ck_assert_int_eq(call_reset(v0(guest), DOMID_SELF), 0);
	ck_assert_uint_eq(guest->evtchn.nr_open, 0);
}
END_TEST

START_TEST(teardown_is_preemptible_and_idempotent)
{
	unsigned nr_calls = 1;

	for (unsigned i = 0; i < 40; i++)
		connect_domains(guest, service);
	guest->dying = true;
	fake_should_stop = true;
	while (evtchn_teardown(guest) == -XEN_EAGAIN)
		ck_assert_uint_lt(nr_calls++, 100);
	ck_assert_uint_gt(nr_calls, 2);
	ck_assert_int_eq(evtchn_teardown(guest), 0);
	ck_assert_uint_eq(guest->refcount, 1);
	ck_assert_uint_eq(service->evtchn.nr_open, 40);
}
END_TEST

START_TEST(after_teardown_every_operation_still_has_an_answer)
{
	struct evtchn_status s;
	uint32_t refs = guest->refcount;

	call_bind_virq(v0(guest), VIRQ_TIMER, 0);
	guest->dying = true;
	ck_assert_int_eq(evtchn_teardown(guest), 0);
	ck_assert_int_eq(call_status(v0(service), 1, 1, &s), -XEN_EINVAL);
	ck_assert_int_eq(call_alloc_unbound(v0(service), 1, 0), -XEN_EINVAL);
	ck_assert_int_eq(call_bind_interdomain(v0(service), 1, 1), -XEN_EINVAL);
	ck_assert_int_eq(call_reset(v0(service), 1), 0);
	ck_assert_int_eq(evtchn_close(guest, 1), -XEN_EINVAL);
	evtchn_send_virq(guest->vcpu[0], VIRQ_TIMER);
	evtchn_send_global_virq(guest, VIRQ_DOM_EXC);
	ck_assert(!evtchn_port_is_pending(guest, 1));
	ck_assert(!evtchn_port_is_valid(guest, 1));
	ck_assert_uint_eq(guest->refcount, refs);
}
END_TEST

START_TEST(a_half_built_domain_can_be_torn_down)
{
	struct domain d = { .id = 9 };

	ck_assert_int_eq(evtchn_teardown(&d), 0);
	fake_alloc_budget = 0;
	ck_assert_int_eq(evtchn_init(&d, 0), -XEN_ENOMEM);
	ck_assert_int_eq(evtchn_teardown(&d), 0);
	fake_alloc_budget = -1;
	ck_assert_int_eq(evtchn_init(&d, UINT32_MAX), 0);
	ck_assert_uint_eq(d.evtchn.max_port, 131071);
	ck_assert_int_eq(evtchn_teardown(&d), 0);
}
END_TEST

UNIT_MAIN("evtchn-ports", world_setup, world_teardown,
	  alloc_unbound_gives_the_lowest_free_port_and_never_0,
	  alloc_unbound_for_another_domain_needs_privilege,
	  alloc_unbound_fails_for_an_unknown_domain,
	  alloc_unbound_takes_DOMID_SELF_as_the_caller_on_both_sides, a_dying_domain_opens_no_port,
	  bind_interdomain_connects_both_ends_and_starts_pending,
	  bind_interdomain_wants_a_port_that_waits_for_the_caller,
	  a_channel_to_oneself_works_and_closes,
	  bind_virq_opens_one_port_for_each_vcpu_or_one_for_all, a_closed_virq_can_be_bound_again,
	  bind_ipi_wants_a_vcpu_that_exists, no_more_ports_are_opened_than_the_configuration_allows,
	  no_more_ports_are_opened_than_the_layout_has, operations_that_do_not_exist_are_ENOSYS,
	  nothing_happens_when_copy_in_faults, alloc_unbound_is_undone_when_copy_out_faults,
	  bind_interdomain_is_undone_when_copy_out_faults, bind_virq_is_undone_when_copy_out_faults,
	  bind_ipi_is_undone_when_copy_out_faults, status_tells_that_copy_out_faulted,
	  without_memory_no_port_is_opened, status_describes_every_state,
	  only_interdomain_unbound_and_global_virq_ports_move, ports_that_are_not_open_are_EINVAL,
	  either_end_of_a_channel_may_close_first, a_closed_port_is_no_longer_pending,
	  a_kernel_of_the_other_width_loses_the_high_ports_but_they_can_be_closed,
	  reset_closes_everything, reset_of_another_domain_needs_privilege,
	  reset_is_restarted_when_it_should_stop_and_always_gets_on,
	  a_reset_that_finds_ports_opened_behind_it_goes_on, teardown_is_preemptible_and_idempotent,
	  open_ports_are_found_in_order_and_nothing_beyond_them,
	  after_teardown_every_operation_still_has_an_answer, a_half_built_domain_can_be_torn_down)
