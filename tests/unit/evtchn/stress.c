/* Three domains open, bind, send, close and reset at random, each on a CPU of its own, while a fourth comes
 * and goes. A lock taken in the wrong order, a lost count or a freed queue ends the test. */
#include "calls.h"
#include "threads.h"
#include "unit.h"

#include "lodge/evtchn.h"

#define ROUNDS      20000u
#define NR_PORTS    12u /* few, so that the threads meet */
#define VISITOR     7u
#define CONTROL_GFN 0x100u
#define ARRAY_GFN   0x200u

static struct domain *const *const domain_of_cpu[] = { &service, &guest, &third };
static uint32_t seeds[] = { 1, 2, 3, 4 };
static uint32_t done; /* how many of the first three */

static int64_t op(unsigned cpu, uint64_t cmd, const void *arg, size_t bytes)
{
	static guest_ptr_t place[3];
	struct vcpu *v = (*domain_of_cpu[cpu])->vcpu[0];
	struct hypercall_args a = { .arg = { cmd, 0 } };
	int64_t result;

	if (!place[cpu].va)
		place[cpu] = GUEST_PTR(FAKE_GUEST_BASE + cpu * 64);
	memcpy(fake_guest_at(place[cpu]), arg, bytes);
	a.arg[1] = place[cpu].va;
	do {
		result = do_event_channel_op(v, &a);
	} while (result == HYPERCALL_RESTART);
	return result;
}

#define OP(cpu, name, ...)                                                      \
	do {                                                                    \
		struct evtchn_##name arg_ = { __VA_ARGS__ };                    \
		int64_t err_ = op((cpu), EVTCHNOP_##name, &arg_, sizeof(arg_)); \
		ck_assert(err_ == 0 || (err_ < 0 && err_ > -200));              \
	} while (0)

static void switch_to_fifo(unsigned cpu)
{
	OP(cpu, init_control, .control_gfn = CONTROL_GFN, .vcpu = 0);
	OP(cpu, init_control, .control_gfn = CONTROL_GFN, .offset = 128, .vcpu = 1);
	OP(cpu, expand_array, ARRAY_GFN);
}

static void random_op(unsigned cpu)
{
	uint32_t *seed = &seeds[cpu];
	evtchn_port_t port = 1 + random_below(seed, NR_PORTS);
	domid_t peer = (domid_t)random_below(seed, 4);

	if (peer == 3)
		peer = VISITOR;
	switch (random_below(seed, 12)) {
	case 0:
	case 1:
		OP(cpu, alloc_unbound, .dom = DOMID_SELF, .remote_dom = peer);
		break;
	case 2:
	case 3:
		OP(cpu, bind_interdomain, .remote_dom = peer, .remote_port = port);
		break;
	case 4:
		OP(cpu, close, port);
		break;
	case 5:
		OP(cpu, unmask, port);
		break;
	case 6:
		OP(cpu, bind_vcpu, port, port % 2);
		break;
	case 7:
		evtchn_port_is_pending((*domain_of_cpu[cpu]), port);
		evtchn_send_virq((*domain_of_cpu[cpu])->vcpu[1], VIRQ_TIMER);
		OP(cpu, bind_virq, .virq = VIRQ_TIMER, .vcpu = 1);
		break;
	case 8:
		if (random_below(seed, 50) == 0)
			OP(cpu, reset, DOMID_SELF);
		else if (random_below(seed, 20) == 0)
			switch_to_fifo(cpu);
		break;
	default:
		OP(cpu, send, port);
		break;
	}
}

static void run_domain(unsigned cpu)
{
	for (unsigned i = 0; i < ROUNDS; i++)
		random_op(cpu);
	__atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
}

/* The service VM's other vCPU resets the guests and asks about everybody. */
static void run_visitor(unsigned cpu)
{
	uint32_t *seed = &seeds[cpu];

	while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) < 3) {
		struct domain *d = world_domain(VISITOR, NULL);
		evtchn_port_t port;

		for (unsigned i = 0; i < 10; i++)
			ck_assert_int_eq(evtchn_alloc_unbound(d, (domid_t)(i % 3), &port), 0);
		for (unsigned i = 0; i < random_below(seed, 50); i++)
			evtchn_send_global_virq(guest, VIRQ_CONSOLE);
		if (random_below(seed, 4) == 0)
			while (evtchn_reset(d) || evtchn_reset(guest))
				;
		world_destroy(&d);
	}
}

START_TEST(nothing_is_lost_or_held_when_all_happens_at_once)
{
	static void (*const fn[])(unsigned) = { run_domain, run_domain, run_domain, run_visitor };
	uint32_t refs[3];

	fake_cpus(4);
	for (unsigned i = 0; i < 3; i++) {
		world_ram(*domain_of_cpu[i], CONTROL_GFN);
		world_ram(*domain_of_cpu[i], ARRAY_GFN);
		refs[i] = (*domain_of_cpu[i])->refcount;
	}
	run_threads(4, fn);
	for (unsigned i = 0; i < 3; i++)
		while (evtchn_reset(*domain_of_cpu[i]))
			;
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq((*domain_of_cpu[i])->evtchn.nr_open, 0);
		ck_assert_uint_eq((*domain_of_cpu[i])->refcount, refs[i]);
	}
}
END_TEST

UNIT_MAIN("evtchn-stress", world_setup, world_teardown,
	  nothing_is_lost_or_held_when_all_happens_at_once)
