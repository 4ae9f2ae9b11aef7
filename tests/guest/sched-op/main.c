/* sched_op: yield, poll, block. Reasons of shutdown are each a run of their own: "reason=N" on the
 * command line. */
#include "guest/guest.h"

const char test_title[] = "sched_op yields, polls and blocks";

#define BAD_POINTER ((void *)TEST_VA)

static int64_t poll(uint32_t *ports, uint32_t count, uint64_t timeout)
{
	struct sched_poll op = { .ports = (uintptr_t)ports, .nr_ports = count, .timeout = timeout };

	return sched_op(SCHEDOP_poll, &op);
}

static void check_poll(uint32_t port)
{
	static uint32_t many[256];
	uint64_t start = clock_ns();
	uint32_t bad = ~0u;

	check_err(poll(&port, 1, start + 10 * MS), 0, "poll returns 0 when its time is over");
	check(clock_ns() - start >= 10 * MS, "not before: %lu us", (clock_ns() - start) / US);
	start = clock_ns();
	check_err(poll(&port, 0, start + 5 * MS), 0, "poll of no port is a sleep");
	check(clock_ns() - start >= 5 * MS, "of the right length");
	start = clock_ns();
	check_err(poll(&port, 1, 1), 0, "poll until a time that is past returns");
	event_send(port);
	check_err(poll(&port, 1, 0), 0, "poll of a pending port returns at once, masked or not");
	event_clear(port);
	check_err(poll(&bad, 1, start + SEC), -XEN_EINVAL, "poll of port -1 gives -EINVAL");
	check_err(poll(BAD_POINTER, 1, start + SEC), -XEN_EFAULT, "unmapped ports give -EFAULT");
	check_err(poll(many, 256, start + SEC), -XEN_EINVAL, "poll of 256 ports gives -EINVAL");
	check_err(sched_op(SCHEDOP_poll, BAD_POINTER), -XEN_EFAULT,
		  "an unmapped argument gives -EFAULT");
}

static void send_later(void *arg)
{
	delay_ns(10 * MS);
	event_send(*(uint32_t *)arg);
}

static void check_poll_wakes(uint32_t port)
{
	uint64_t start = clock_ns();

	cpu_start(1, send_later, &port);
	check_err(poll(&port, 1, start + 5 * SEC), 0, "poll returns");
	check(clock_ns() - start < 4 * SEC && event_is_pending(port),
	      "when another vCPU sends to the masked port");
	cpu_wait_down(1);
	event_clear(port);
}

/* The time is long, because an event that came before the call would be taken before it. */
static void check_block(uint32_t timer_port)
{
	uint64_t start;
	struct vcpu_set_singleshot_timer timer;

	event_unmask(timer_port);
	start = clock_ns();
	timer = (struct vcpu_set_singleshot_timer){ .timeout_abs_ns = start + 300 * MS };
	vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer);
	check_err(sched_op(SCHEDOP_block, NULL), 0, "block returns");
	check(clock_ns() - start >= 300 * MS, "when an event has come");
}

static void shut_down(const char *reason)
{
	struct sched_shutdown op = { .reason = (uint32_t)(reason[0] - '0') };

	printf("shutting down with reason %u\n", op.reason);
	sched_op(SCHEDOP_shutdown, &op);
	test_fail("shutdown returned");
}

void test_main(void)
{
	const char *reason = strstr(command_line(), "reason=");
	struct sched_remote_shutdown remote = { .domain_id = 1234 };
	uint32_t port, timer_port;

	if (reason)
		shut_down(reason + strlen("reason="));
	event_init(EVENT_PER_VCPU_VECTOR);
	port = event_bind_ipi(0);
	timer_port = event_bind_virq(VIRQ_TIMER, 0);
	check_err(sched_op(SCHEDOP_yield, NULL), 0, "yield returns 0");
	check_poll(port);
	check_poll_wakes(port);
	irq_enable();
	check_block(timer_port);
	check_err(sched_op(SCHEDOP_shutdown, BAD_POINTER), -XEN_EFAULT,
		  "shutdown with an unmapped reason gives -EFAULT");
	check_err(sched_op(SCHEDOP_remote_shutdown, &remote), -XEN_ESRCH,
		  "shutdown of a domain that does not exist gives -ESRCH");
	check_err(sched_op(99, NULL), -XEN_ENOSYS, "an unknown operation gives -ENOSYS");
}
