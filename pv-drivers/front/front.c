/* The beginning of a program on the frontends. See front.h. */
#include "front/front.h"

#define GRANT_FRAMES 8 /* 4096 references */

void front_init(void)
{
	event_init(EVENT_PER_VCPU_VECTOR);
	event_unmask(event_bind_virq(VIRQ_TIMER, 0));
	irq_enable();
	if (!is_initial_domain() && !console_init())
		test_error("no console");
	grant_init(GRANT_FRAMES);
	if (store_init())
		test_error("no store");
}
