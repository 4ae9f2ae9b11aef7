/* core/vcpu-op.c: VCPUOP_* and set_timer_op, as a guest's kernel calls them. vCPU 0 runs on CPU 0 and is the
 * caller; vCPU 1 runs on CPU 1; vCPU 2 is down and was never up. */
#include "abi/vcpu.h"

#include <string.h>

#include "common.h"
#include "lodge/page.h"
#include "threads.h"

#define MS   NS_PER_MS
#define AREA (FAKE_GUEST_BASE + 0x8000) /* where machine_ram() is, too */

static struct domain *d;
static mfn_t ram;

static void setup(void)
{
	machine_setup(2);
	d = machine_domain(1, false, 3);
	ram = machine_ram(d, 10);
	machine_run(d->vcpu[1], 1);
	machine_run(d->vcpu[0], 0);
}

static void teardown(void)
{
	fake_core_reset();
}

static struct vcpu *vcpu(unsigned id)
{
	return d->vcpu[id];
}

static int64_t op(uint64_t cmd, uint64_t id, guest_ptr_t arg)
{
	return call(do_vcpu_op, vcpu(0), cmd, id, arg.va);
}

static int64_t op_compat(uint64_t cmd, uint64_t id, guest_ptr_t arg)
{
	return call_compat(do_vcpu_op, vcpu(0), cmd, id, arg.va);
}

#define put(x) fake_guest_put(&(x), sizeof(x))

/* What is in the guest's RAM at AREA. */
static const void *area(void)
{
	return mfn_to_ptr(MFN(ram.n + 8));
}

START_TEST(fails_with_enoent_for_a_vcpu_that_does_not_exist)
{
	ck_assert_int_eq(op(VCPUOP_is_up, 3, GUEST_PTR(0)), -XEN_ENOENT);
	ck_assert_int_eq(op(VCPUOP_is_up, UINT32_MAX, GUEST_PTR(0)), -XEN_ENOENT);
}
END_TEST

START_TEST(fails_with_enosys_for_an_operation_that_does_not_exist)
{
	ck_assert_int_eq(op(14, 0, GUEST_PTR(0)), -XEN_ENOSYS);
	ck_assert_int_eq(op(UINT32_MAX, 0, GUEST_PTR(0)), -XEN_ENOSYS);
}
END_TEST

START_TEST(is_up_tells_whether_it_is)
{
	ck_assert_int_eq(op(VCPUOP_is_up, 0, GUEST_PTR(0)), 1);
	ck_assert_int_eq(op(VCPUOP_is_up, 2, GUEST_PTR(0)), 0);
}
END_TEST

START_TEST(up_fails_with_einval_before_there_is_a_start_state)
{
	ck_assert_int_eq(op(VCPUOP_up, 2, GUEST_PTR(0)), -XEN_EINVAL);
	ck_assert_int_eq(op(VCPUOP_is_up, 2, GUEST_PTR(0)), 0);
}
END_TEST

START_TEST(initialise_gives_a_start_state_once)
{
	uint32_t mode = 0;

	ck_assert_int_eq(op(VCPUOP_initialise, 2, put(mode)), 0);
	ck_assert_uint_eq(vcpu(2)->arch.nr_initialised, 1);
	ck_assert_int_eq(op(VCPUOP_initialise, 2, put(mode)), -XEN_EEXIST);
	ck_assert_int_eq(op(VCPUOP_up, 2, GUEST_PTR(0)), 0);
	ck_assert_int_eq(op(VCPUOP_is_up, 2, GUEST_PTR(0)), 1);
}
END_TEST

START_TEST(initialise_fails_for_one_that_runs)
{
	uint32_t mode = 0;

	ck_assert_int_eq(op(VCPUOP_initialise, 0, put(mode)), -XEN_EEXIST);
	ck_assert_int_eq(op(VCPUOP_initialise, 1, put(mode)), -XEN_EEXIST);
}
END_TEST

START_TEST(initialise_fails_when_copy_in_faults)
{
	ck_assert_int_eq(op(VCPUOP_initialise, 2, GUEST_PTR(8)), -XEN_EFAULT);
	ck_assert(!vcpu(2)->initialised);
}
END_TEST

START_TEST(initialise_needs_a_place_for_events)
{
	uint32_t mode = 0;

	vcpu(2)->info = &vcpu(2)->own_info; /* as vCPU 32 and up have it at first */
	ck_assert_int_eq(op(VCPUOP_initialise, 2, put(mode)), -XEN_EINVAL);
}
END_TEST

START_TEST(down_and_up_keep_the_state)
{
	ck_assert_int_eq(op(VCPUOP_down, 1, GUEST_PTR(0)), 0);
	machine_settle();
	ck_assert(!sched_is_running(vcpu(1)));
	ck_assert_int_eq(op(VCPUOP_is_up, 1, GUEST_PTR(0)), 0);
	ck_assert_int_eq(op(VCPUOP_up, 1, GUEST_PTR(0)), 0);
	machine_settle();
	ck_assert(sched_is_running(vcpu(1)));
	ck_assert_uint_eq(vcpu(1)->arch.nr_initialised, 0);
}
END_TEST

START_TEST(down_of_the_last_one_shuts_down_the_domain)
{
	ck_assert_int_eq(op(VCPUOP_down, 1, GUEST_PTR(0)), 0);
	ck_assert_int_eq(op(VCPUOP_down, 0, GUEST_PTR(0)), 0);
	ck_assert(d->is_shut_down);
}
END_TEST

START_TEST(get_runstate_info_counts_until_now)
{
	struct vcpu_runstate_info *r;
	guest_ptr_t arg = fake_guest_space(sizeof(*r));

	fake_now_ns += 7 * MS;
	ck_assert_int_eq(op(VCPUOP_get_runstate_info, 0, arg), 0);
	r = fake_guest_at(arg);
	ck_assert_int_eq(r->state, RUNSTATE_running);
	ck_assert_uint_eq(r->time[RUNSTATE_running], 7 * MS);
	ck_assert_int_eq(op(VCPUOP_get_runstate_info, 2, arg), 0);
	ck_assert_int_eq(r->state, RUNSTATE_offline);
}
END_TEST

START_TEST(get_runstate_info_knows_the_32_bit_layout)
{
	struct compat_vcpu_runstate_info *r;
	guest_ptr_t arg = fake_guest_space(sizeof(*r));

	fake_now_ns += 7 * MS;
	ck_assert_int_eq(op_compat(VCPUOP_get_runstate_info, 0, arg), 0);
	r = fake_guest_at(arg);
	ck_assert_uint_eq(r->time[RUNSTATE_running], 7 * MS);
	ck_assert_uint_eq(fake_guest_write[0].bytes, sizeof(*r));
}
END_TEST

START_TEST(get_runstate_info_fails_when_copy_out_faults)
{
	ck_assert_int_eq(op(VCPUOP_get_runstate_info, 0, GUEST_PTR(8)), -XEN_EFAULT);
}
END_TEST

START_TEST(register_runstate_shows_the_state_at_once)
{
	uint64_t at = AREA;
	const struct vcpu_runstate_info *r = area();

	fake_now_ns += MS;
	ck_assert_int_eq(op(VCPUOP_register_runstate_memory_area, 0, put(at)), 0);
	ck_assert_int_eq(r->state, RUNSTATE_running);
	ck_assert_uint_ne(r->state_entry_time, 0);
	at = 0;
	ck_assert_int_eq(op(VCPUOP_register_runstate_memory_area, 0, put(at)), 0);
	ck_assert_ptr_null(vcpu(0)->runstate_area.part[0]);
}
END_TEST

START_TEST(register_runstate_of_one_that_is_down_works)
{
	uint64_t at = AREA;
	const struct vcpu_runstate_info *r = area();

	ck_assert_int_eq(op(VCPUOP_register_runstate_memory_area, 2, put(at)), 0);
	ck_assert_int_eq(r->state, RUNSTATE_offline);
	ck_assert_uint_eq(vcpu(2)->blocked_by, VCPU_DOWN);
}
END_TEST

static void let_go(struct cpu *c)
{
	machine_pass(c->id);
	fake_run_on(0);
}

START_TEST(register_runstate_stops_one_that_runs_meanwhile)
{
	uint64_t at = AREA;

	fake_on_kick = let_go;
	ck_assert_int_eq(op(VCPUOP_register_runstate_memory_area, 1, put(at)), 0);
	ck_assert_ptr_eq(vcpu(1)->runstate_area.part[0], area());
	ck_assert_uint_eq(vcpu(1)->blocked_by, 0);
	machine_settle();
	ck_assert(sched_is_running(vcpu(1)));
}
END_TEST

START_TEST(register_starts_again_when_the_other_does_not_stop)
{
	uint64_t at = AREA;

	cpu_raise(cpus[0], CPU_PENDING_RESCHED);
	ck_assert(op(VCPUOP_register_runstate_memory_area, 1, put(at)) == HYPERCALL_RESTART);
	ck_assert(op(VCPUOP_register_vcpu_time_memory_area, 1, put(at)) == HYPERCALL_RESTART);
	ck_assert_uint_eq(vcpu(1)->blocked_by, 0);
	ck_assert_ptr_null(vcpu(1)->runstate_area.part[0]);
}
END_TEST

START_TEST(register_runstate_of_a_32_bit_caller_reads_a_32_bit_address)
{
	uint64_t at = AREA | 0xdeadull << 32; /* it writes only half of the union */
	const struct compat_vcpu_runstate_info *r = area();

	fake_now_ns += MS;
	ck_assert_int_eq(op_compat(VCPUOP_register_runstate_memory_area, 0, put(at)), 0);
	ck_assert_uint_eq(r->state_entry_time, vcpu(0)->runstate.state_entry_time);
	ck_assert(vcpu(0)->runstate_compat);
}
END_TEST

START_TEST(register_runstate_fails_when_copy_in_faults)
{
	ck_assert_int_eq(op(VCPUOP_register_runstate_memory_area, 0, GUEST_PTR(8)), -XEN_EFAULT);
}
END_TEST

START_TEST(register_runstate_fails_where_nothing_is_mapped)
{
	uint64_t at = 8;

	ck_assert_int_eq(op(VCPUOP_register_runstate_memory_area, 0, put(at)), -XEN_EFAULT);
	ck_assert_int_eq(op(VCPUOP_register_vcpu_time_memory_area, 0, put(at)), -XEN_EFAULT);
	ck_assert_ptr_null(vcpu(0)->runstate_area.part[0]);
}
END_TEST

START_TEST(register_time_area_fills_it)
{
	uint64_t at = AREA;
	const struct vcpu_time_info *t = area();

	ck_assert_int_eq(op(VCPUOP_register_vcpu_time_memory_area, 0, put(at)), 0);
	ck_assert_uint_ne(t->tsc_to_system_mul, 0);
	ck_assert_uint_eq(t->version % 2, 0);
}
END_TEST

START_TEST(register_time_area_fails_when_copy_in_faults)
{
	ck_assert_int_eq(op(VCPUOP_register_vcpu_time_memory_area, 0, GUEST_PTR(8)), -XEN_EFAULT);
}
END_TEST

START_TEST(periodic_timer_runs_until_it_is_stopped)
{
	struct vcpu_set_periodic_timer set = { 10 * MS };

	ck_assert_int_eq(op(VCPUOP_set_periodic_timer, 1, put(set)), 0);
	machine_advance(35 * MS);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_TIMER], 3);
	ck_assert_int_eq(op(VCPUOP_stop_periodic_timer, 1, GUEST_PTR(0)), 0);
	ck_assert(!vcpu(1)->periodic.queued);
	ck_assert_uint_eq(vcpu(1)->periodic_ns, 0); /* for one that is firing just now */
	machine_advance(35 * MS);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_TIMER], 3);
}
END_TEST

START_TEST(periodic_timer_faster_than_a_millisecond_is_refused)
{
	struct vcpu_set_periodic_timer set = { MS - 1 };

	ck_assert_int_eq(op(VCPUOP_set_periodic_timer, 0, put(set)), -XEN_EINVAL);
	set.period_ns = 0;
	ck_assert_int_eq(op(VCPUOP_set_periodic_timer, 0, put(set)), -XEN_EINVAL);
	set.period_ns = UINT64_MAX;
	ck_assert_int_eq(op(VCPUOP_set_periodic_timer, 0, put(set)), -XEN_EINVAL);
	ck_assert_int_eq(op(VCPUOP_set_periodic_timer, 0, GUEST_PTR(8)), -XEN_EFAULT);
}
END_TEST

START_TEST(stop_of_a_timer_that_is_off_succeeds)
{
	ck_assert_int_eq(op(VCPUOP_stop_periodic_timer, 0, GUEST_PTR(0)), 0);
	ck_assert_int_eq(op(VCPUOP_stop_singleshot_timer, 0, GUEST_PTR(0)), 0);
}
END_TEST

START_TEST(singleshot_fires_at_its_time_unless_stopped)
{
	struct vcpu_set_singleshot_timer set = { .timeout_abs_ns = fake_now_ns + 10 * MS };

	ck_assert_int_eq(op(VCPUOP_set_singleshot_timer, 0, put(set)), 0);
	machine_advance(11 * MS);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_TIMER], 1);
	set.timeout_abs_ns = fake_now_ns + 10 * MS;
	ck_assert_int_eq(op(VCPUOP_set_singleshot_timer, 0, put(set)), 0);
	ck_assert_int_eq(op(VCPUOP_stop_singleshot_timer, 0, GUEST_PTR(0)), 0);
	machine_advance(11 * MS);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_TIMER], 1);
}
END_TEST

START_TEST(singleshot_in_the_past_fires_at_once_and_succeeds)
{
	struct vcpu_set_singleshot_timer set = { .timeout_abs_ns = 1 };

	ck_assert_int_eq(op(VCPUOP_set_singleshot_timer, 0, put(set)), 0);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_TIMER], 1);
}
END_TEST

START_TEST(singleshot_in_the_past_fails_with_etime_when_the_guest_asks_so)
{
	struct vcpu_set_singleshot_timer set = { .timeout_abs_ns = 1,
						 .flags = VCPU_SSHOTTMR_future };

	ck_assert_int_eq(op(VCPUOP_set_singleshot_timer, 0, put(set)), -XEN_ETIME);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_TIMER], 0);
}
END_TEST

START_TEST(singleshot_of_another_vcpu_is_refused)
{
	struct vcpu_set_singleshot_timer set = { .timeout_abs_ns = 1 };

	ck_assert_int_eq(op(VCPUOP_set_singleshot_timer, 1, put(set)), -XEN_EINVAL);
	ck_assert_int_eq(op(VCPUOP_stop_singleshot_timer, 1, GUEST_PTR(0)), -XEN_EINVAL);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_TIMER], 0);
}
END_TEST

START_TEST(singleshot_fails_when_copy_in_faults)
{
	ck_assert_int_eq(op(VCPUOP_set_singleshot_timer, 0, GUEST_PTR(8)), -XEN_EFAULT);
}
END_TEST

START_TEST(singleshot_of_a_32_bit_caller_reads_12_bytes)
{
	struct compat_vcpu_set_singleshot_timer set = { .timeout_abs_ns = 1 };
	guest_ptr_t end = GUEST_PTR(FAKE_GUEST_BASE + FAKE_GUEST_SIZE - sizeof(set));

	memcpy(fake_guest_at(end), &set, sizeof(set));
	ck_assert_int_eq(op_compat(VCPUOP_set_singleshot_timer, 0, end), 0);
	ck_assert_int_eq(op(VCPUOP_set_singleshot_timer, 0, end), -XEN_EFAULT);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_TIMER], 1);
}
END_TEST

static struct vcpu_register_vcpu_info info_at(uint32_t offset)
{
	return (struct vcpu_register_vcpu_info){ .mfn = AREA >> PAGE_SHIFT, .offset = offset };
}

START_TEST(register_vcpu_info_moves_the_record_once)
{
	struct vcpu_register_vcpu_info reg = info_at(0x3c0);

	ck_assert_int_eq(op(VCPUOP_register_vcpu_info, 0, put(reg)), 0);
	ck_assert_ptr_eq(vcpu(0)->info, (const uint8_t *)area() + 0x3c0);
	ck_assert_uint_eq(vcpu(0)->info->evtchn_upcall_pending, 1);
	ck_assert_uint_ne(vcpu(0)->info->time.tsc_to_system_mul, 0);
	ck_assert_uint_eq(mfn_to_page(MFN(ram.n + 8))->count, 2);
	ck_assert_int_eq(op(VCPUOP_register_vcpu_info, 0, put(reg)), -XEN_EINVAL);
	ck_assert_uint_eq(mfn_to_page(MFN(ram.n + 8))->count, 2);
}
END_TEST

START_TEST(register_vcpu_info_must_not_cross_a_page)
{
	struct vcpu_register_vcpu_info reg = info_at(PAGE_SIZE - 56);

	ck_assert_int_eq(op(VCPUOP_register_vcpu_info, 0, put(reg)), -XEN_EINVAL);
	reg.offset = UINT32_MAX;
	ck_assert_int_eq(op(VCPUOP_register_vcpu_info, 0, put(reg)), -XEN_EINVAL);
	reg.offset = PAGE_SIZE - 64;
	ck_assert_int_eq(op(VCPUOP_register_vcpu_info, 0, put(reg)), 0);
}
END_TEST

START_TEST(register_vcpu_info_must_be_aligned)
{
	struct vcpu_register_vcpu_info reg = info_at(4);

	ck_assert_int_eq(op(VCPUOP_register_vcpu_info, 0, put(reg)), -XEN_EINVAL);
	d->compat = true; /* whose words are half as wide */
	ck_assert_int_eq(op(VCPUOP_register_vcpu_info, 0, put(reg)), 0);
}
END_TEST

START_TEST(register_vcpu_info_of_another_needs_it_down)
{
	struct vcpu_register_vcpu_info reg = info_at(0);

	ck_assert_int_eq(op(VCPUOP_register_vcpu_info, 1, put(reg)), -XEN_EINVAL);
	ck_assert_int_eq(op(VCPUOP_register_vcpu_info, 2, put(reg)), 0);
	ck_assert_ptr_eq(vcpu(2)->info, area());
}
END_TEST

START_TEST(register_vcpu_info_needs_ram)
{
	struct vcpu_register_vcpu_info reg = { .mfn = 0x12345 };

	ck_assert_int_eq(op(VCPUOP_register_vcpu_info, 0, put(reg)), -XEN_EINVAL);
	reg.mfn = UINT64_MAX;
	ck_assert_int_eq(op(VCPUOP_register_vcpu_info, 0, put(reg)), -XEN_EINVAL);
	ck_assert_ptr_eq(vcpu(0)->info, &d->shared_info->vcpu_info[0]);
}
END_TEST

START_TEST(register_vcpu_info_fails_when_copy_in_faults)
{
	ck_assert_int_eq(op(VCPUOP_register_vcpu_info, 0, GUEST_PTR(8)), -XEN_EFAULT);
}
END_TEST

START_TEST(send_nmi_reaches_any_vcpu_of_the_domain)
{
	ck_assert_int_eq(op(VCPUOP_send_nmi, 1, GUEST_PTR(0)), 0);
	ck_assert_uint_eq(vcpu(1)->arch.nr_nmis, 1);
}
END_TEST

START_TEST(get_physid_tells_nothing)
{
	ck_assert_int_eq(op(VCPUOP_get_physid, 0, fake_guest_space(8)), -XEN_EINVAL);
}
END_TEST

START_TEST(set_timer_op_sets_and_stops_the_singleshot_timer)
{
	ck_assert_int_eq(call(do_set_timer_op, vcpu(0), fake_now_ns + 10 * MS, 0, 0), 0);
	machine_advance(11 * MS);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_TIMER], 1);
	ck_assert_int_eq(call(do_set_timer_op, vcpu(0), fake_now_ns + 10 * MS, 0, 0), 0);
	ck_assert_int_eq(call(do_set_timer_op, vcpu(0), 0, 0, 0), 0);
	machine_advance(11 * MS);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_TIMER], 1);
	ck_assert_int_eq(call(do_set_timer_op, vcpu(0), 1, 0, 0), 0);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_TIMER], 2);
}
END_TEST

START_TEST(set_timer_op_of_a_32_bit_caller_has_two_halves)
{
	ck_assert_int_eq(call_compat(do_set_timer_op, vcpu(0), 0x10, 0x20, 0), 0);
	ck_assert_uint_eq(vcpu(0)->singleshot.deadline_ns, 0x2000000010);
}
END_TEST

#define MOVES 100000u

static guest_ptr_t area_arg[2];

static void move_areas_of_vcpu_2(unsigned cpu)
{
	for (unsigned i = 0; i < MOVES; i++)
		(void)call(do_vcpu_op, vcpu(cpu),
			   i % 2 ? VCPUOP_register_vcpu_time_memory_area
				 : VCPUOP_register_runstate_memory_area,
			   2, area_arg[(i / 2 + cpu) % 2].va);
}

/* Each area counts its page once; a count too few frees a page that the guest still has. */
START_TEST(areas_that_two_move_at_once_count_their_pages)
{
	static void (*const fn[])(unsigned cpu) = { move_areas_of_vcpu_2, move_areas_of_vcpu_2 };
	uint64_t at[2] = { AREA, AREA + PAGE_SIZE }, nowhere = 0;

	area_arg[0] = put(at[0]);
	area_arg[1] = put(at[1]);
	run_threads(ARRAY_SIZE(fn), fn);
	fake_run_on(0);
	ck_assert_int_eq(op(VCPUOP_register_runstate_memory_area, 2, put(nowhere)), 0);
	ck_assert_int_eq(op(VCPUOP_register_vcpu_time_memory_area, 2, put(nowhere)), 0);
	ck_assert_uint_eq(mfn_to_page(MFN(ram.n + 8))->count, 1);
	ck_assert_uint_eq(mfn_to_page(MFN(ram.n + 9))->count, 1);
}
END_TEST

UNIT_MAIN("vcpu-op", setup, teardown, fails_with_enoent_for_a_vcpu_that_does_not_exist,
	  fails_with_enosys_for_an_operation_that_does_not_exist, is_up_tells_whether_it_is,
	  up_fails_with_einval_before_there_is_a_start_state, initialise_gives_a_start_state_once,
	  initialise_fails_for_one_that_runs, initialise_fails_when_copy_in_faults,
	  initialise_needs_a_place_for_events, down_and_up_keep_the_state,
	  down_of_the_last_one_shuts_down_the_domain, get_runstate_info_counts_until_now,
	  get_runstate_info_knows_the_32_bit_layout, get_runstate_info_fails_when_copy_out_faults,
	  register_runstate_shows_the_state_at_once, register_runstate_of_one_that_is_down_works,
	  register_runstate_stops_one_that_runs_meanwhile,
	  register_starts_again_when_the_other_does_not_stop,
	  register_runstate_of_a_32_bit_caller_reads_a_32_bit_address,
	  register_runstate_fails_when_copy_in_faults,
	  register_runstate_fails_where_nothing_is_mapped, register_time_area_fills_it,
	  register_time_area_fails_when_copy_in_faults, periodic_timer_runs_until_it_is_stopped,
	  periodic_timer_faster_than_a_millisecond_is_refused, stop_of_a_timer_that_is_off_succeeds,
	  singleshot_fires_at_its_time_unless_stopped,
	  singleshot_in_the_past_fires_at_once_and_succeeds,
	  singleshot_in_the_past_fails_with_etime_when_the_guest_asks_so,
	  singleshot_of_another_vcpu_is_refused, singleshot_fails_when_copy_in_faults,
	  singleshot_of_a_32_bit_caller_reads_12_bytes, register_vcpu_info_moves_the_record_once,
	  register_vcpu_info_must_not_cross_a_page, register_vcpu_info_must_be_aligned,
	  register_vcpu_info_of_another_needs_it_down, register_vcpu_info_needs_ram,
	  register_vcpu_info_fails_when_copy_in_faults, send_nmi_reaches_any_vcpu_of_the_domain,
	  get_physid_tells_nothing, set_timer_op_sets_and_stops_the_singleshot_timer,
	  set_timer_op_of_a_32_bit_caller_has_two_halves,
	  areas_that_two_move_at_once_count_their_pages)
