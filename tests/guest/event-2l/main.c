/* Event channels under the 2-level ABI: every kind of port, masks, upcalls by vector and by callback. */
#include "guest/guest.h"
#include "event-checks.h"

const char test_title[] = "2-level events reach the guest exactly once";

/* The selector word follows the pending bit: what the upcall relies on. */
static void check_bits(void)
{
	uint32_t port = event_bind_ipi(0);
	volatile struct vcpu_info *info = event_vcpu_info(0);

	irq_disable();
	check(event_is_masked(port), "a new port is masked as the guest left it");
	event_send(port);
	check(event_is_pending(port), "a send sets the pending bit");
	check(!info->evtchn_upcall_pending || !(info->evtchn_pending_sel >> (port / 64) & 1),
	      "but not the selector, as long as the port is masked");
	event_unmask(port);
	check(info->evtchn_upcall_pending, "unmasking a pending port raises the upcall flag");
	check(info->evtchn_pending_sel >> (port / 64) & 1, "and the selector bit");
	irq_enable();
	check_eq(event_count[port], 1, "the upcall comes when interrupts are enabled");
	event_close(port);
}

void test_main(void)
{
	bool callback = strstr(command_line(), "callback") != NULL;

	note("upcalls by %s",
	     callback ? "callback vector, past the local APIC" : "vector of each vCPU");
	event_init(callback ? EVENT_CALLBACK_VECTOR : EVENT_PER_VCPU_VECTOR);
	irq_enable();
	check_bits();
	check_events();
}
