/* Event channels under a guest that lies: wrong arguments, torn queues, floods. */
#include "guest/guest.h"

const char test_title[] = "wrong arguments and torn queues harm nobody but the guest";

#define ANY_ERROR 1

/* Each operation with one thing wrong. */
#define WRONG(cmd, value, error, sentence)                                    \
	do {                                                                  \
		int64_t rc_ = event_channel_op(cmd, &(value));                \
		if ((error) == ANY_ERROR)                                     \
			check(rc_ < 0, "%s is refused (%ld)", sentence, rc_); \
		else                                                          \
			check_err(rc_, error, "%s", sentence);                \
	} while (0)

static void check_ports(void)
{
	static const struct {
		int cmd;
		const char *name;
	} ops[] = { { EVTCHNOP_close, "close" },
		    { EVTCHNOP_send, "send" },
		    { EVTCHNOP_unmask, "unmask" } };
	static const uint32_t bad[] = { 0, 4095, 4096, 131071, 131072, 0x7fffffff, 0xffffffff };

	for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
		bool all = true;

		for (unsigned int j = 0; j < ARRAY_SIZE(bad); j++) {
			uint32_t port = bad[j];

			/* Unmasking a port that is not in use is harmless and may succeed. */
			if (ops[i].cmd == EVTCHNOP_unmask && port < 4096)
				continue;
			all = event_channel_op(ops[i].cmd, &port) < 0 && all;
		}
		check(all, "%s refuses every port number out of range", ops[i].name);
	}
}

static void check_binds(void)
{
	uint32_t ipi = event_bind_ipi(0), timer;

	WRONG(EVTCHNOP_bind_virq, ((struct evtchn_bind_virq){ .virq = NR_VIRQS }), -XEN_EINVAL,
	      "bind_virq of a number beyond the last gives -EINVAL");
	WRONG(EVTCHNOP_bind_virq, ((struct evtchn_bind_virq){ .virq = ~0u }), -XEN_EINVAL,
	      "bind_virq of -1 gives -EINVAL");
	WRONG(EVTCHNOP_bind_virq, ((struct evtchn_bind_virq){ .virq = VIRQ_TIMER, .vcpu = 999 }),
	      ANY_ERROR, "bind_virq for a vCPU that does not exist");
	WRONG(EVTCHNOP_bind_virq, ((struct evtchn_bind_virq){ .virq = VIRQ_CONSOLE, .vcpu = 1 }),
	      ANY_ERROR, "bind_virq of a global VIRQ on another vCPU than 0");
	timer = event_bind_virq(VIRQ_TIMER, 0);
	WRONG(EVTCHNOP_bind_virq, ((struct evtchn_bind_virq){ .virq = VIRQ_TIMER }), -XEN_EEXIST,
	      "binding a VIRQ twice gives -EEXIST");
	WRONG(EVTCHNOP_bind_ipi, ((struct evtchn_bind_ipi){ .vcpu = 999 }), ANY_ERROR,
	      "bind_ipi for a vCPU that does not exist");
	WRONG(EVTCHNOP_bind_vcpu, ((struct evtchn_bind_vcpu){ .port = ipi, .vcpu = 0 }),
	      -XEN_EINVAL, "bind_vcpu of an IPI port gives -EINVAL");
	WRONG(EVTCHNOP_bind_vcpu, ((struct evtchn_bind_vcpu){ .port = timer, .vcpu = 0 }),
	      -XEN_EINVAL, "bind_vcpu of a VIRQ of one vCPU gives -EINVAL");
	WRONG(EVTCHNOP_bind_vcpu, ((struct evtchn_bind_vcpu){ .port = ipi, .vcpu = 999 }),
	      ANY_ERROR, "bind_vcpu to a vCPU that does not exist");
	WRONG(EVTCHNOP_alloc_unbound, ((struct evtchn_alloc_unbound){ .dom = 1234 }), -XEN_ESRCH,
	      "alloc_unbound in a domain that does not exist gives -ESRCH");
	WRONG(EVTCHNOP_bind_interdomain, ((struct evtchn_bind_interdomain){ .remote_dom = 1234 }),
	      -XEN_ESRCH, "bind_interdomain to a domain that does not exist gives -ESRCH");
	WRONG(EVTCHNOP_bind_interdomain,
	      ((struct evtchn_bind_interdomain){ .remote_dom = own_domid(), .remote_port = ipi }),
	      -XEN_EINVAL, "bind_interdomain to a port that is not unbound gives -EINVAL");
	WRONG(EVTCHNOP_bind_interdomain,
	      ((struct evtchn_bind_interdomain){ .remote_dom = own_domid(), .remote_port = ~0u }),
	      -XEN_EINVAL, "bind_interdomain to port -1 gives -EINVAL");
	WRONG(EVTCHNOP_status, ((struct evtchn_status){ .dom = 1234, .port = ipi }), -XEN_ESRCH,
	      "status in a domain that does not exist gives -ESRCH");
	WRONG(EVTCHNOP_status, ((struct evtchn_status){ .dom = DOMID_SELF, .port = ~0u }),
	      -XEN_EINVAL, "status of port -1 gives -EINVAL");
	WRONG(99, ipi, -XEN_ENOSYS, "an unknown operation gives -ENOSYS");
	WRONG(EVTCHNOP_expand_array, ((struct evtchn_expand_array){ .array_gfn = 0 }), ANY_ERROR,
	      "expand_array before init_control");
	event_close(timer);
	event_close(ipi);
}

/* A port for some other domain cannot be bound by this one. */
static void check_foreign_port(void)
{
	uint32_t port = event_alloc_unbound(DOMID_SELF, own_domid() + 1u);

	WRONG(EVTCHNOP_bind_interdomain,
	      ((struct evtchn_bind_interdomain){ .remote_dom = own_domid(), .remote_port = port }),
	      -XEN_EINVAL, "a port that waits for another domain gives -EINVAL");
	event_close(port);
}

static void check_exhaustion(void)
{
	struct evtchn_bind_ipi op = { .vcpu = 0 };
	uint32_t count = 0;
	int64_t rc;

	while (!(rc = event_channel_op(EVTCHNOP_bind_ipi, &op)))
		count++;
	check_err(rc, -XEN_ENOSPC, "port number %u is one too many: -ENOSPC", count + 1);
	check(count > 1000 && count < 4096, "2-level events have below 4096 ports");
	for (uint32_t port = 1; port < 4096; port++)
		event_close(port);
	check_err(event_channel_op(EVTCHNOP_bind_ipi, &op), 0, "closing them gives them back");
	event_close(op.port);
}

static void check_control_blocks(void)
{
	struct evtchn_init_control op = { .control_gfn = gfn_of(page_alloc()) };

	op.vcpu = 999;
	WRONG(EVTCHNOP_init_control, op, ANY_ERROR, "init_control for a vCPU that does not exist");
	op.vcpu = 0;
	op.offset = PAGE_SIZE - 8;
	WRONG(EVTCHNOP_init_control, op, ANY_ERROR, "a control block across the end of its page");
	op.offset = 4;
	WRONG(EVTCHNOP_init_control, op, ANY_ERROR, "a control block that is not aligned");
	op.offset = 0;
	op.control_gfn = gfn_of(hole_alloc());
	WRONG(EVTCHNOP_init_control, op, ANY_ERROR, "a control block in a hole");
	op.control_gfn = 0xfee00;
	WRONG(EVTCHNOP_init_control, op, ANY_ERROR, "a control block in the local APIC");
	op.control_gfn = ~0ULL;
	WRONG(EVTCHNOP_init_control, op, ANY_ERROR, "a control block at gfn -1");
}

/* The guest writes nonsense into its own queues; the hypervisor may lose its events, no more. */
static void check_torn_queues(void)
{
	static const uint32_t nonsense[] = { 0xffffffff, 0x20000000, 0x2001ffff, 0x30000001,
					     0xa0000fff };
	uint32_t a, b;

	if (!event_fifo_init())
		test_fail("the hypervisor has no FIFO events");
	a = event_bind_ipi(0);
	b = event_bind_ipi(0);
	irq_disable();
	event_unmask(a);
	event_unmask(b);
	for (unsigned int i = 0; i < ARRAY_SIZE(nonsense); i++) {
		event_send(a);
		*event_fifo_word(a) = nonsense[i];
		*event_fifo_word(b) = 0;
		event_send(b);
		event_unmask(a);
		*event_fifo_word(a) = 0;
		event_send(a);
	}
	check(true, "sends return with any nonsense in the event words");
	WRONG(EVTCHNOP_set_priority, ((struct evtchn_set_priority){ .port = a, .priority = 16 }),
	      ANY_ERROR, "priority 16");
	WRONG(EVTCHNOP_set_priority, ((struct evtchn_set_priority){ .port = ~0u }), ANY_ERROR,
	      "set_priority of port -1");
	WRONG(EVTCHNOP_expand_array, ((struct evtchn_expand_array){ .array_gfn = ~0ULL }),
	      ANY_ERROR, "an event array page at gfn -1");
	WRONG(EVTCHNOP_expand_array,
	      ((struct evtchn_expand_array){ .array_gfn = gfn_of(hole_alloc()) }), ANY_ERROR,
	      "an event array page in a hole");
	*event_fifo_word(a) = *event_fifo_word(b) = 0;
}

void test_main(void)
{
	event_init(EVENT_PER_VCPU_VECTOR);
	irq_enable();
	check_ports();
	check_binds();
	check_foreign_port();
	check_exhaustion();
	check_control_blocks();
	check_torn_queues();
}
