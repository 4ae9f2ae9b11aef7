/* Sentences about events that hold under both event ABIs. Interrupts must be on. */
#ifndef TESTS_GUEST_EVENT_CHECKS_H
#define TESTS_GUEST_EVENT_CHECKS_H

#include "guest/guest.h"

#define SOON (2000 * MS)

static inline void check_ipi_port(void)
{
	uint32_t port = event_bind_ipi(0);
	uint32_t upcalls;

	event_unmask(port);
	upcalls = this_cpu()->nr_upcalls;
	event_count[port] = 0;
	for (unsigned int i = 1; i <= 3; i++) {
		event_send(port);
		check_eq(event_count[port], i,
			 "send %u to an IPI port of this vCPU arrives at once", i);
	}
	check_eq(this_cpu()->nr_upcalls, upcalls + 3, "by one upcall each");
	event_mask(port);
	event_send(port);
	event_send(port);
	check_eq(event_count[port], 3, "a masked port does not interrupt");
	event_unmask(port);
	check_eq(event_count[port], 4,
		 "two sends to a masked port arrive as one when it is unmasked");
	check_err(event_close(port), 0, "the port can be closed");
	check_err(event_send(port), -XEN_EINVAL, "a closed port cannot be sent to");
}

static inline void check_loopback(void)
{
	uint16_t self = own_domid();
	uint32_t there = event_alloc_unbound(DOMID_SELF, self);
	uint32_t here;

	check_err(event_send(there), 0, "a send on an unbound port goes nowhere, without error");
	here = event_bind_interdomain(self, there);
	check(here && there && here != there, "two ports of one domain make a channel: %u, %u",
	      there, here);
	check(event_is_pending(here), "the bound end starts pending");
	event_clear(here);
	event_clear(there);
	event_count[here] = event_count[there] = 0;
	event_unmask(here);
	event_unmask(there);
	event_count[here] = event_count[there] = 0;
	event_send(here);
	check(event_count[there] == 1 && event_count[here] == 0, "a send arrives at the other end");
	event_send(there);
	check(event_count[here] == 1, "and back");
	check_err(event_close(here), 0, "one end can be closed");
	check_err(event_send(there), 0, "the other end is then unbound and takes sends silently");
	check_err(event_close(there), 0, "the other end can be closed too");
}

static inline void check_timer_virq(void)
{
	uint32_t port = event_bind_virq(VIRQ_TIMER, 0);
	struct vcpu_set_singleshot_timer timer = { 0 };
	uint64_t start;

	event_unmask(port);
	event_count[port] = 0;
	start = clock_ns();
	timer.timeout_abs_ns = start + 5 * MS;
	check_err(vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer), 0, "a timer can be set");
	check(WAIT_UNTIL(event_count[port] == 1, SOON), "VIRQ_TIMER is raised");
	check(clock_ns() >= timer.timeout_abs_ns, "not before its time");
	timer.timeout_abs_ns = 1;
	check_err(vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer), 0,
		  "a time that is past is taken");
	check(WAIT_UNTIL(event_count[port] == 2, SOON), "and raises the event at once");
	timer.timeout_abs_ns = clock_ns() + 20 * MS;
	vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer);
	check_err(vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0, "a timer can be stopped");
	delay_ns(40 * MS);
	check_eq(event_count[port], 2, "a stopped timer is silent");
	check(event_wait(port, 3, 10 * MS), "an event wakes a vCPU from HLT");
	event_close(port);
}

static inline void on_other_vcpu(void *arg)
{
	volatile uint32_t *port = arg;
	uint32_t end = event_count[*port] + 100;

	event_init_cpu();
	event_unmask(*port);
	irq_enable();
	*(port + 1) = 1;
	while (event_count[*port] < end)
		pause();
	irq_disable();
}

static inline void check_other_vcpu(void)
{
	volatile uint32_t shared[2] = { 0, 0 };
	uint32_t port, sent = 0;

	if (nr_cpus < 2)
		return;
	port = event_alloc_unbound(DOMID_SELF, own_domid());
	shared[0] = event_bind_interdomain(own_domid(), port);
	check_err(event_channel_op(EVTCHNOP_bind_vcpu,
				   &(struct evtchn_bind_vcpu){ .port = shared[0], .vcpu = 1 }),
		  0, "a port can be bound to another vCPU");
	event_clear(shared[0]);
	event_count[shared[0]] = 0;
	cpu_start(1, on_other_vcpu, (void *)(uintptr_t)shared);
	WAIT_UNTIL(shared[1], SOON);
	for (; sent < 200 && event_count[shared[0]] < 100; sent++) {
		uint32_t before = event_count[shared[0]];

		event_send(port);
		if (!WAIT_UNTIL(event_count[shared[0]] > before, SOON))
			break;
	}
	check(event_count[shared[0]] >= 100, "100 events reach vCPU 1, one by one: %u",
	      event_count[shared[0]]);
	cpu_wait_down(1);
	event_close(shared[0]);
	event_close(port);
}

static inline void check_status(void)
{
	struct evtchn_status status = { .dom = DOMID_SELF };
	uint32_t port = event_bind_ipi(0);

	status.port = port;
	check_err(event_channel_op(EVTCHNOP_status, &status), 0,
		  "the status of a port can be asked");
	check_eq(status.status, EVTCHNSTAT_ipi, "an IPI port is told as such");
	event_close(port);
	status.port = port;
	event_channel_op(EVTCHNOP_status, &status);
	check_eq(status.status, EVTCHNSTAT_closed, "a closed one too");
	port = event_bind_virq(VIRQ_DEBUG, 0);
	status.port = port;
	event_channel_op(EVTCHNOP_status, &status);
	check(status.status == EVTCHNSTAT_virq && status.u.virq == VIRQ_DEBUG,
	      "a VIRQ port is told with its number");
	event_close(port);
	port = event_alloc_unbound(DOMID_SELF, own_domid());
	status.port = port;
	event_channel_op(EVTCHNOP_status, &status);
	check(status.status == EVTCHNSTAT_unbound && status.u.unbound.dom == own_domid(),
	      "an unbound port is told with its peer");
	event_close(port);
}

static inline void check_events(void)
{
	check_ipi_port();
	check_loopback();
	check_timer_virq();
	check_other_vcpu();
	check_status();
}

#endif
