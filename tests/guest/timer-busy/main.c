/*
 * A vCPU that makes one hypercall after the other is told in time when its timer expires: neither the hypervisor
 * nor what emulates the machine loses the interrupt in one of the many exits.
 */
#include "guest/guest.h"

const char test_title[] = "timers expire in time for a vCPU that exits all the time";

#define ROUNDS   4000u
#define TIMER_NS (100 * US)
#define LATE_NS  SEC

void test_main(void)
{
	uint32_t port;
	uint64_t nr_late = 0;

	event_init(EVENT_CALLBACK_VECTOR);
	port = event_bind_virq(VIRQ_TIMER, 0);
	event_unmask(port);
	irq_enable();
	for (unsigned int i = 0; i < ROUNDS && nr_late < 3; i++) {
		uint32_t before = event_count[port];
		uint64_t end = clock_ns() + TIMER_NS;

		hypercall2(__HYPERVISOR_set_timer_op, end, 0);
		while (event_count[port] == before && clock_ns() < end + LATE_NS)
			xen_version(XENVER_version, NULL);
		nr_late += event_count[port] == before;
	}
	check_eq(nr_late, 0, "of %u timers none is missing a second later", ROUNDS);
}
