/* vcpu_op: state of vCPUs, timers, and the areas a vCPU shares with the hypervisor. */
#include "guest/guest.h"

const char test_title[] = "vcpu_op controls vCPUs, their timers and shared areas";

#define BAD_POINTER ((void *)TEST_VA)
#define SOON        (2000 * MS)

static void check_vcpu_info(void)
{
	struct vcpu_info *info = page_alloc();
	struct vcpu_register_vcpu_info op = { .mfn = gfn_of(info), .offset = PAGE_SIZE - 32 };
	volatile struct vcpu_info *new = (void *)((uintptr_t)info + 0x3c0);

	check(vcpu_op(VCPUOP_register_vcpu_info, 0, &op) < 0,
	      "a vcpu_info across the end of its page is refused");
	op.offset = ~0u;
	check(vcpu_op(VCPUOP_register_vcpu_info, 0, &op) < 0, "so is an offset beyond the page");
	op = (struct vcpu_register_vcpu_info){ .mfn = gfn_of(hole_alloc()) };
	check(vcpu_op(VCPUOP_register_vcpu_info, 0, &op) < 0, "a vcpu_info in a hole is refused");
	op.mfn = ~0ULL;
	check(vcpu_op(VCPUOP_register_vcpu_info, 0, &op) < 0, "a vcpu_info at gfn -1 is refused");
	check_err(vcpu_op(VCPUOP_register_vcpu_info, 0, BAD_POINTER), -XEN_EFAULT,
		  "an unmapped argument gives -EFAULT");
	op = (struct vcpu_register_vcpu_info){ .mfn = gfn_of(info), .offset = 0x3c0 };
	check_err(vcpu_op(VCPUOP_register_vcpu_info, 0, &op), 0, "vcpu_info can be moved");
	check_eq(new->evtchn_upcall_pending, 1, "the new place starts with an upcall pending");
	check_eq(new->evtchn_pending_sel, ~0ULL, "for every word of events");
	check(new->time.tsc_to_system_mul != 0, "and with a valid clock");
	event_set_vcpu_info(0, new);
	check(clock_ns() != 0, "that can be read");
	check_err(vcpu_op(VCPUOP_register_vcpu_info, 0, &op), -XEN_EINVAL,
		  "it can be moved once only: -EINVAL");
	op.mfn = gfn_of(page_alloc());
	check_err(vcpu_op(VCPUOP_register_vcpu_info, 1, &op), 0,
		  "that of a vCPU which is not up can be moved by another");
	event_set_vcpu_info(1, (void *)(op.mfn << PAGE_SHIFT | 0x3c0));
	check(event_vcpu_info(1)->time.tsc_to_system_mul != 0,
	      "its clock is valid before it has ever run");
}

static void check_runstate(void)
{
	static struct vcpu_runstate_info state __attribute__((aligned(64)));
	volatile struct vcpu_runstate_info *now = &state;
	struct vcpu_register_runstate_memory_area op = { .addr.p = (uintptr_t)&state };
	uint64_t running;

	state.state = 99;
	check_err(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &op), 0,
		  "a runstate area can be registered");
	check_eq((uint64_t)now->state, RUNSTATE_running, "this vCPU is running");
	check(now->time[RUNSTATE_running] + now->time[RUNSTATE_runnable] > 0, "and has been");
	running = now->time[RUNSTATE_blocked];
	check(event_wait(event_bind_virq(VIRQ_DEBUG, 0), 1, 20 * MS) == false, "it sleeps 20 ms");
	check(now->time[RUNSTATE_blocked] - running > 10 * MS,
	      "which are counted as blocked: %lu us", (now->time[RUNSTATE_blocked] - running) / US);
	op.addr.p = TEST_VA;
	vcpu_op(VCPUOP_register_runstate_memory_area, 0, &op);
	sched_op(SCHEDOP_yield, NULL);
	check(true, "an area that is not mapped harms nobody");
	op.addr.p = (uintptr_t)&state;
	check_err(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &op), 0,
		  "the area can be changed");
}

static void check_timers(uint32_t port)
{
	struct vcpu_set_periodic_timer period = { .period_ns = 2 * MS };
	struct vcpu_set_singleshot_timer timer = { .timeout_abs_ns = 1,
						   .flags = VCPU_SSHOTTMR_future };
	uint32_t count;

	/* Xen 4.17 takes it and fires at once. */
	check_err(vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer), -XEN_ETIME,
		  "a time that is past gives -ETIME where the flag asks for it");
	check_err(vcpu_op(VCPUOP_set_singleshot_timer, 1, &timer), -XEN_EINVAL,
		  "another vCPU's timer gives -EINVAL");
	check_err(vcpu_op(VCPUOP_set_singleshot_timer, 0, BAD_POINTER), -XEN_EFAULT,
		  "an unmapped argument gives -EFAULT");
	timer = (struct vcpu_set_singleshot_timer){ .timeout_abs_ns = ~0ULL };
	check_err(vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer), 0,
		  "a time in 500 years is taken");
	check_err(vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0, "and can be stopped");
	count = event_count[port];
	check_err(vcpu_op(VCPUOP_set_periodic_timer, 0, &period), 0, "a periodic timer can be set");
	check(WAIT_UNTIL(event_count[port] >= count + 5, SOON),
	      "it raises the event again and again");
	check_err(vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0, "it can be stopped");
	count = event_count[port];
	delay_ns(10 * MS);
	check(event_count[port] <= count + 1, "and is then silent");
	period.period_ns = 1;
	check(vcpu_op(VCPUOP_set_periodic_timer, 0, &period) < 0,
	      "a period of 1 ns is refused: it would take the machine");
}

/* The older form of the timer, without a vCPU to name. */
static void check_set_timer_op(uint32_t port)
{
	uint64_t start = clock_ns();
	uint32_t count = event_count[port];

	check_err(hypercall2(__HYPERVISOR_set_timer_op, start + 5 * MS, 0), 0,
		  "set_timer_op takes a time");
	check(WAIT_UNTIL(event_count[port] == count + 1, SOON), "and raises the event");
	check(clock_ns() >= start + 5 * MS, "not before it");
	hypercall2(__HYPERVISOR_set_timer_op, clock_ns() + 20 * MS, 0);
	check_err(hypercall2(__HYPERVISOR_set_timer_op, 0, 0), 0, "time 0 stops it");
	delay_ns(40 * MS);
	check_eq(event_count[port], count + 1, "and it is silent");
}

static void check_vm_assist(void)
{
	check_err(hypercall2(__HYPERVISOR_vm_assist, VMASST_CMD_enable,
			     VMASST_TYPE_runstate_update_flag),
		  0, "vm_assist lets runstate updates be flagged");
	check(hypercall2(__HYPERVISOR_vm_assist, VMASST_CMD_enable, 63) < 0,
	      "a type that does not exist is refused");
	check(hypercall2(__HYPERVISOR_vm_assist, 99, VMASST_TYPE_runstate_update_flag) < 0,
	      "so is an unknown command");
}

static volatile uint64_t counter;
static volatile bool stop;

static void count_up(void *arg)
{
	(void)arg;
	while (!stop)
		counter++;
}

static void check_down_up(void)
{
	uint64_t at;

	check_err(vcpu_op(VCPUOP_is_up, 0, NULL), 1, "this vCPU is up");
	check_err(vcpu_op(VCPUOP_is_up, 1, NULL), 0, "vCPU 1 is not");
	check_err(vcpu_op(VCPUOP_is_up, 999, NULL), -XEN_ENOENT,
		  "a vCPU that does not exist gives -ENOENT");
	cpu_start(1, count_up, NULL);
	check_err(vcpu_op(VCPUOP_is_up, 1, NULL), 1, "it is up once started");
	check(WAIT_UNTIL(counter > 1000, SOON), "and runs");
	check_err(vcpu_op(VCPUOP_down, 1, NULL), 0, "it can be taken down from outside");
	check_err(vcpu_op(VCPUOP_is_up, 1, NULL), 0, "it is then not up");
	delay_ns(5 * MS);
	at = counter;
	delay_ns(5 * MS);
	check_eq(counter, at, "and stands still");
	check_err(vcpu_op(VCPUOP_up, 1, NULL), 0, "it can be brought up again");
	check(WAIT_UNTIL(counter > at, SOON), "and goes on where it was");
	stop = true;
	cpu_wait_down(1);
	check(WAIT_UNTIL(vcpu_op(VCPUOP_is_up, 1, NULL) == 0, SOON),
	      "a vCPU that halts with interrupts off is down");
	check(vcpu_op(VCPUOP_initialise, 0, BAD_POINTER) < 0,
	      "a running vCPU cannot be initialised");
	check_err(vcpu_op(99, 0, NULL), -XEN_ENOSYS, "an unknown operation gives -ENOSYS");
}

void test_main(void)
{
	uint32_t port;

	event_init(EVENT_PER_VCPU_VECTOR);
	check_vcpu_info();
	port = event_bind_virq(VIRQ_TIMER, 0);
	event_unmask(port);
	irq_enable();
	check_runstate();
	check_timers(port);
	check_set_timer_op(port);
	check_vm_assist();
	check_down_up();
}
