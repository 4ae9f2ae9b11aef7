/* Event channels under the FIFO ABI: the same promises, and queues, priorities, growth. */
#include "guest/guest.h"
#include "event-checks.h"

const char test_title[] = "FIFO events reach the guest exactly once, by priority";

#define NR_PORTS 1200 /* needs a second page of event words */

static uint32_t ports[NR_PORTS];

/* With interrupts off the upcall cannot run, so the queues can be looked at. */
static void check_priorities(void)
{
	static const uint32_t priority[] = { 15, 0, 7 };
	uint32_t port[3];

	irq_disable();
	for (unsigned int i = 0; i < 3; i++) {
		struct evtchn_set_priority op = { .priority = priority[i] };

		port[i] = event_bind_ipi(0);
		op.port = port[i];
		check_err(event_channel_op(EVTCHNOP_set_priority, &op), 0, "priority %u can be set",
			  priority[i]);
		event_unmask(port[i]);
		event_send(port[i]);
		check(*event_fifo_word(port[i]) >> EVTCHN_FIFO_LINKED & 1,
		      "a pending event is linked");
	}
	irq_enable();
	for (unsigned int i = 0; i < 3; i++) {
		check_eq(event_count[port[i]], 1, "the event of priority %u arrives", priority[i]);
		check(!(*event_fifo_word(port[i]) >> EVTCHN_FIFO_LINKED & 1), "and is unlinked");
		event_count[port[i]] = 0;
		event_close(port[i]);
	}
}

static void check_many(void)
{
	uint32_t arrived = 0;

	for (unsigned int i = 0; i < NR_PORTS; i++)
		ports[i] = event_bind_ipi(0);
	check(ports[NR_PORTS - 1] > 1024, "ports beyond the first page of words exist");
	irq_disable();
	for (unsigned int i = 0; i < NR_PORTS; i++) {
		event_count[ports[i]] = 0;
		event_unmask(ports[i]);
		event_send(ports[i]);
	}
	irq_enable();
	for (unsigned int i = 0; i < NR_PORTS; i++)
		arrived += event_count[ports[i]];
	check_eq(arrived, NR_PORTS, "%u events queued at once all arrive", NR_PORTS);
	for (unsigned int i = 0; i < NR_PORTS; i++)
		event_close(ports[i]);
}

/* An event may become pending before the guest gives the page that holds its word. */
static void check_late_page(void)
{
	struct evtchn_bind_ipi op = { .vcpu = 0 };
	uint32_t port;

	do {
		if (event_channel_op(EVTCHNOP_bind_ipi, &op))
			test_error("no more ports");
		port = op.port;
	} while (port < 2048);
	event_send(port);
	event_fifo_expand(port + 1);
	check(event_is_pending(port),
	      "an event sent before its word existed is pending afterwards");
	event_unmask(port);
	check_eq(event_count[port], 1, "and arrives");
	for (uint32_t p = 1; p <= port; p++)
		event_close(p);
}

void test_main(void)
{
	event_init(EVENT_PER_VCPU_VECTOR);
	if (!event_fifo_init())
		test_fail("the hypervisor has no FIFO events");
	irq_enable();
	check_events();
	check_priorities();
	check_many();
	check_late_page();
}
