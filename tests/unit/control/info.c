/* core/control-info.c. */
#include "call.h"

#include "core/gnttab-internal.h"
#include "lodge/page.h"

static guest_ptr_t buffer;

static void setup(void)
{
	control_setup();
	buffer = fake_guest_space(64 * 1024);
}

static int64_t list(uint32_t what, uint32_t domain, uint32_t first, uint32_t max)
{
	memset(&op, 0, sizeof(op));
	op.u.list = (struct lodge_control_list){ .buffer = buffer.va, .first = first, .max = max };
	return control(what, domain);
}

static const struct lodge_domain_info *domain_at(unsigned i)
{
	return (const struct lodge_domain_info *)fake_guest_at(buffer) + i;
}

START_TEST(list_tells_of_all_domains_a_bufferful_at_a_time)
{
	ck_assert_int_eq(list(LODGE_CONTROL_list, 0, 0, 2), 0);
	ck_assert_uint_eq(op.u.list.nr, 2);
	ck_assert_uint_eq(op.u.list.next, 2);
	ck_assert_uint_eq(domain_at(0)->flags & ~LODGE_DOMAIN_RUNNING,
			  LODGE_DOMAIN_PRIVILEGED | LODGE_DOMAIN_PAUSED);
	ck_assert_uint_eq(domain_at(1)->domain, 1);
	ck_assert_int_eq(list(LODGE_CONTROL_list, 0, op.u.list.next, 2), 0);
	ck_assert_uint_eq(op.u.list.nr, 1);
	ck_assert_uint_eq(op.u.list.next, LODGE_LIST_END);
	ck_assert_uint_eq(domain_at(0)->domain, 2);
	ck_assert_int_eq(list(LODGE_CONTROL_list, 0, MAX_DOMAINS, 2), 0);
	ck_assert_uint_eq(op.u.list.nr, 0);
	ck_assert_uint_eq(op.u.list.next, LODGE_LIST_END);
}
END_TEST

START_TEST(a_domain_is_told_with_its_state_its_memory_and_its_limits)
{
	const struct lodge_domain_info *info = domain_at(0);

	(void)!world_ram(guest, 9);
	guest->vcpu[0]->runstate.time[RUNSTATE_running] = 5;
	guest->vcpu[1]->runstate.time[RUNSTATE_running] = 6;
	guest->vcpu[1]->runstate.state = RUNSTATE_runnable;
	guest->vcpu[1]->blocked_by = 0;
	domain_crash(guest, "because");
	ck_assert_int_eq(list(LODGE_CONTROL_list, 0, 1, 1), 0);
	ck_assert_uint_eq(info->flags, LODGE_DOMAIN_PAUSED | LODGE_DOMAIN_SHUT_DOWN |
					       LODGE_DOMAIN_WAITING | LODGE_DOMAIN_RUNNING);
	ck_assert_uint_eq(info->shutdown_reason, 3);
	ck_assert_str_eq(info->crash_reason, "because");
	ck_assert_uint_eq(info->nr_pages, 1);
	ck_assert_uint_eq(info->highest_gfn, 9);
	ck_assert_uint_eq(info->cpu_time_ns, 11);
	ck_assert_uint_eq(info->nr_vcpus, 2);
	ck_assert_uint_eq(info->nr_vcpus_up, 1);
	ck_assert_uint_eq(info->pause_count, 1);
	ck_assert_uint_eq(info->max_grant_frames, GRANT_FRAMES_DEFAULT);
	ck_assert_uint_eq(info->change, domain_change_of(1));
}
END_TEST

/* The fakes round nothing up, and hand out each page with a record. */
START_TEST(the_overhead_of_a_domain_is_what_its_existence_takes_from_the_hypervisor)
{
	const struct lodge_domain_info *info = domain_at(0);
	uint64_t nr_free = page_count_free(), before;

	ck_assert_int_eq(list(LODGE_CONTROL_list, 0, 1, 1), 0);
	before = info->overhead;
	ck_assert_uint_ge(before, sizeof(struct domain) + 2 * sizeof(struct vcpu) + 2 * PAGE_SIZE);
	ck_assert_int_eq(gnttab_grow(guest, 3), 0);
	ck_assert_int_eq(list(LODGE_CONTROL_list, 0, 1, 1), 0);
	ck_assert_uint_eq(page_count_free(), nr_free - 2);
	ck_assert_uint_eq(info->overhead, before + 2 * 3 * PAGE_SIZE);
	guest->cap.percent = 150;
	ck_assert_int_eq(list(LODGE_CONTROL_list, 0, 1, 1), 0);
	ck_assert_uint_eq(info->cap, 150);
}
END_TEST

START_TEST(list_tells_only_what_changed_and_what_is_gone)
{
	uint64_t since;

	ck_assert_int_eq(control_plain(LODGE_CONTROL_pause, 2), 0);
	ck_assert_int_eq(list(LODGE_CONTROL_list, 0, 0, 8), 0);
	since = op.u.list.change;
	ck_assert_uint_gt(since, 0);
	memset(&op, 0, sizeof(op));
	op.u.list = (struct lodge_control_list){ .buffer = buffer.va, .max = 8, .since = since };
	ck_assert_int_eq(control(LODGE_CONTROL_list, 0), 0);
	ck_assert_uint_eq(op.u.list.nr, 0);
	ck_assert_int_eq(control_plain(LODGE_CONTROL_pause, 2), 0);
	world_destroy(&guest);
	memset(&op, 0, sizeof(op));
	op.u.list = (struct lodge_control_list){ .buffer = buffer.va, .max = 8, .since = since };
	ck_assert_int_eq(control(LODGE_CONTROL_list, 0), 0);
	ck_assert_uint_eq(op.u.list.nr, 2);
	ck_assert_uint_eq(domain_at(0)->domain, 1);
	ck_assert_uint_eq(domain_at(0)->flags, LODGE_DOMAIN_GONE);
	ck_assert_uint_eq(domain_at(1)->domain, 2);
}
END_TEST

START_TEST(domains_far_apart_are_found_and_so_are_their_changes)
{
	static const domid_t ids[] = { 63, 64, 1000, MAX_DOMAINS - 1 };
	struct domain *d[ARRAY_SIZE(ids)];
	uint64_t since;

	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		d[i] = world_domain(ids[i], NULL);
	ck_assert_int_eq(list(LODGE_CONTROL_list, 0, 3, 8), 0);
	ck_assert_uint_eq(op.u.list.nr, ARRAY_SIZE(ids));
	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		ck_assert_uint_eq(domain_at(i)->domain, ids[i]);
	domain_changed(d[1]);
	since = domain_latest_change();
	domain_changed(d[3]);
	domain_changed(d[0]);
	memset(&op, 0, sizeof(op));
	op.u.list = (struct lodge_control_list){ .buffer = buffer.va, .max = 8, .since = since };
	ck_assert_int_eq(control(LODGE_CONTROL_list, 0), 0);
	ck_assert_uint_eq(op.u.list.nr, 2);
	ck_assert_uint_eq(domain_at(0)->domain, 63);
	ck_assert_uint_eq(domain_at(1)->domain, MAX_DOMAINS - 1);
	ck_assert_uint_eq(op.u.list.next, LODGE_LIST_END);
	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		world_destroy(&d[i]);
	ck_assert_uint_eq(domain_next(3, 0), MAX_DOMAINS);
	ck_assert_uint_eq(domain_next(UINT32_MAX, 0), MAX_DOMAINS);
	ck_assert_uint_eq(domain_next(UINT32_MAX, 1), MAX_DOMAINS);
}
END_TEST

START_TEST(every_change_of_state_is_told_by_VIRQ_DOM_EXC)
{
	uint64_t change = domain_latest_change();

	domain_shutdown(guest, 0);
	ck_assert_uint_eq(domain_latest_change(), change + 1);
	domain_shutdown(guest, 0); /* nothing new */
	ck_assert_uint_eq(domain_latest_change(), change + 1);
	domain_ref(third);
	ck_assert_int_eq(control_plain(LODGE_CONTROL_destroy, 2), 0);
	cpus[0]->pending = 0;
	change = domain_latest_change();
	domain_put(third); /* as the last mapping of its pages does */
	third = NULL;
	ck_assert_uint_eq(domain_latest_change(), change + 1);
	ck_assert_uint_eq(cpus[0]->pending, CPU_PENDING_GONE);
	world_destroy(&guest); /* its end, and that its id is free */
	ck_assert_uint_eq(domain_latest_change(), change + 3);
}
END_TEST

static const uint32_t lists[] = { LODGE_CONTROL_list,       LODGE_CONTROL_vcpu_list,
				  LODGE_CONTROL_host_info,  LODGE_CONTROL_cpu_list,
				  LODGE_CONTROL_exit_names, LODGE_CONTROL_cpuid_features };

START_TEST(lists_fail_with_EINVAL_unless_what_they_return_is_zero_before)
{
	for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
		memset(&op, 0, sizeof(op));
		op.u.list.nr = 1;
		ck_assert_int_eq(control(lists[i], 1), -XEN_EINVAL);
		memset(&op, 0, sizeof(op));
		op.u.list.next = 1;
		ck_assert_int_eq(control(lists[i], 1), -XEN_EINVAL);
		memset(&op, 0, sizeof(op));
		op.u.list.change = 1;
		ck_assert_int_eq(control(lists[i], 1), -XEN_EINVAL);
	}
}
END_TEST

START_TEST(lists_fail_with_EFAULT_where_the_buffer_or_the_argument_faults)
{
	for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
		fake_guest_fault_writes();
		ck_assert_int_eq(list(lists[i], 1, 0, 1), -XEN_EFAULT);
		fake_guest_fault_writes_after(1);
		ck_assert_int_eq(list(lists[i], 1, 0, 1), -XEN_EFAULT);
		fake_guest_fault_writes_after(-1);
	}
}
END_TEST

START_TEST(a_list_without_room_tells_where_to_go_on)
{
	for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
		ck_assert_int_eq(list(lists[i], 1, 0, 0), 0);
		ck_assert_uint_eq(op.u.list.nr, 0);
		ck_assert_uint_eq(op.u.list.next, 0);
	}
}
END_TEST

START_TEST(a_vcpu_is_told_with_its_state_its_times_and_its_exits)
{
	const struct lodge_vcpu_info *info = fake_guest_at(buffer);
	struct vcpu *v = guest->vcpu[1];

	v->blocked_by = VCPU_HALTED;
	v->cpu = 1;
	v->nr_exits[3] = 7;
	for (unsigned i = 0; i < RUNSTATE_NR; i++)
		v->runstate.time[i] = 10 + i;
	ck_assert_int_eq(list(LODGE_CONTROL_vcpu_list, 1, 0, 8), 0);
	ck_assert_uint_eq(op.u.list.nr, 2);
	ck_assert_uint_eq(op.u.list.next, LODGE_LIST_END);
	ck_assert_uint_eq(info[0].flags, LODGE_VCPU_PAUSED);
	ck_assert_uint_eq(info[1].vcpu, 1);
	ck_assert_uint_eq(info[1].flags, LODGE_VCPU_UP | LODGE_VCPU_BLOCKED);
	ck_assert_uint_eq(info[1].cpu, 1);
	ck_assert_uint_eq(info[1].running_ns, 10 + RUNSTATE_running);
	ck_assert_uint_eq(info[1].waiting_ns, 10 + RUNSTATE_runnable);
	ck_assert_uint_eq(info[1].blocked_ns, 10 + RUNSTATE_blocked);
	ck_assert_uint_eq(info[1].offline_ns, 10 + RUNSTATE_offline);
	ck_assert_uint_eq(info[1].exits[3], 7);
	v->blocked_by = VCPU_PARKED;
	v->sched.parked_ns = 5;
	ck_assert_int_eq(list(LODGE_CONTROL_vcpu_list, 1, 1, 1), 0);
	ck_assert_uint_eq(info[0].flags, LODGE_VCPU_UP | LODGE_VCPU_CAPPED);
	ck_assert_uint_eq(info[0].capped_ns, 5);
}
END_TEST

START_TEST(registers_are_read_while_the_vcpu_is_paused)
{
	const struct lodge_registers *r = fake_guest_at(buffer);
	uint32_t blocked_by = guest->vcpu[1]->blocked_by;

	memset(&op, 0, sizeof(op));
	op.u.vcpu = (struct lodge_control_vcpu){ .vcpu = 1, .buffer = buffer.va };
	ck_assert_int_eq(control(LODGE_CONTROL_registers, 1), 0);
	ck_assert_uint_eq(r->rip, 1);
	ck_assert_uint_eq(r->segment[7].base, 7);
	ck_assert_uint_eq(r->cr2, 8);
	ck_assert_uint_eq(r->kernel_gs_base, 9);
	ck_assert_uint_eq(guest->vcpu[1]->blocked_by, blocked_by);
	op.u.vcpu.vcpu = 2;
	ck_assert_int_eq(control(LODGE_CONTROL_registers, 1), -XEN_EINVAL);
	op.u.vcpu = (struct lodge_control_vcpu){ .vcpu = 1, .reserved = 1 };
	ck_assert_int_eq(control(LODGE_CONTROL_registers, 1), -XEN_EINVAL);
	op.u.vcpu = (struct lodge_control_vcpu){ .vcpu = 1 };
	ck_assert_int_eq(control(LODGE_CONTROL_registers, 1), -XEN_EFAULT);
	ck_assert_uint_eq(guest->vcpu[1]->blocked_by, blocked_by);
}
END_TEST

START_TEST(translate_tells_what_a_linear_address_means_to_a_vcpu)
{
	memset(&op, 0, sizeof(op));
	op.u.translate.linear = 0x1234;
	ck_assert_int_eq(control(LODGE_CONTROL_translate, 1), 0);
	ck_assert_uint_eq(op.u.translate.gpa, 0x1234);
	ck_assert_int_eq(control(LODGE_CONTROL_translate, 1), -XEN_EINVAL); /* not empty */
	op.u.translate = (struct lodge_control_translate){ .linear = UINT64_MAX };
	ck_assert_int_eq(control(LODGE_CONTROL_translate, 1), -XEN_ENOENT);
	op.u.translate = (struct lodge_control_translate){ .vcpu = 2 };
	ck_assert_int_eq(control(LODGE_CONTROL_translate, 1), -XEN_EINVAL);
	op.u.translate = (struct lodge_control_translate){ .reserved = 1 };
	ck_assert_int_eq(control(LODGE_CONTROL_translate, 1), -XEN_EINVAL);
}
END_TEST

START_TEST(the_host_is_told_with_its_memory)
{
	const struct lodge_host_info *h = fake_guest_at(buffer);
	uint64_t missing;

	ck_assert_int_eq(page_set_claim(guest, 10, &missing), 0);
	ck_assert_int_eq(list(LODGE_CONTROL_host_info, 0, 0, 1), 0);
	ck_assert_uint_eq(op.u.list.nr, 1);
	ck_assert_uint_eq(h->nr_cpus, 2);
	ck_assert_uint_eq(h->nr_domains, 3);
	ck_assert_uint_eq(h->max_domains, MAX_DOMAINS);
	ck_assert_uint_eq(h->nr_pages, page_count_total());
	ck_assert_uint_eq(h->nr_free, page_count_free());
	ck_assert_uint_eq(h->nr_claimed, 10);
	ck_assert_uint_eq(h->nr_dirty, page_count_dirty());
	ck_assert_uint_gt(h->nr_dirty, 0);
	ck_assert_uint_eq(h->nr_nodes, 1);
	ck_assert_uint_eq(h->node[0].nr_free, h->nr_free);
	ck_assert_uint_eq(h->features, LODGE_HOST_DEBUG);
	ck_assert_uint_eq(h->cpu_khz, 1000000);
	while (page_scrub_some(64))
		;
	ck_assert_int_eq(list(LODGE_CONTROL_host_info, 0, 0, 1), 0);
	ck_assert_uint_eq(h->nr_dirty, 0);
	ck_assert_uint_eq(h->nr_free, page_count_free());
}
END_TEST

START_TEST(physical_cpus_are_told_with_whom_they_run)
{
	const struct lodge_cpu_info *info = fake_guest_at(buffer);

	for (unsigned i = 0; i < 2; i++)
		spinlock_init(&cpus[i]->sched.lock, LOCK_RANK_SCHED);
	cpus[1]->current = guest->vcpu[1];
	cpus[1]->nr_exits = 9;
	ck_assert_int_eq(list(LODGE_CONTROL_cpu_list, 0, 0, 8), 0);
	ck_assert_uint_eq(op.u.list.nr, 2);
	ck_assert_uint_eq(info[0].domain, LODGE_DOMAIN_ANY);
	ck_assert_uint_eq(info[1].domain, 1);
	ck_assert_uint_eq(info[1].vcpu, 1);
	ck_assert_uint_eq(info[1].exits, 9);
	ck_assert_uint_eq(info[1].apic_id, 2);
	cpus[1]->current = NULL;
}
END_TEST

START_TEST(exits_have_names_where_they_occur)
{
	const struct lodge_exit_name *name = fake_guest_at(buffer);

	ck_assert_int_eq(list(LODGE_CONTROL_exit_names, 0, 0, 99), 0);
	ck_assert_uint_eq(op.u.list.nr, LODGE_EXIT_KINDS);
	ck_assert_str_eq(name[1].name, "fake");
	ck_assert_str_eq(name[2].name, "");
}
END_TEST

static int64_t read_console(uint64_t position, uint32_t bytes, uint32_t flags)
{
	memset(&op, 0, sizeof(op));
	op.u.console = (struct lodge_control_console){
		.position = position, .buffer = buffer.va, .bytes = bytes, .flags = flags
	};
	return control(LODGE_CONTROL_read_console, 0);
}

START_TEST(the_log_is_read_from_any_position_and_can_be_cleared)
{
	const char *text = fake_guest_at(buffer);

	ck_assert_int_eq(read_console(0, 300, 0), 0);
	ck_assert_uint_eq(op.u.console.done, 300);
	ck_assert_uint_eq(op.u.console.position, 300);
	ck_assert_int_eq(strncmp(text, "abcdef", 6), 0);
	ck_assert_int_eq(read_console(300, 1000, LODGE_CONSOLE_CLEAR), 0);
	ck_assert_uint_eq(op.u.console.done, 300);
	ck_assert_int_eq(text[0], 'a' + 300 % 26);
	ck_assert_int_eq(read_console(0, 1000, 0), 0);
	ck_assert_uint_eq(op.u.console.done, 0);
	ck_assert_int_eq(read_console(0, 1, 2), -XEN_EINVAL);
	op.u.console = (struct lodge_control_console){ .bytes = 1, .done = 2 };
	ck_assert_int_eq(control(LODGE_CONTROL_read_console, 0), -XEN_EINVAL);
	op.u.console = (struct lodge_control_console){ .bytes = 1, .reserved = 2 };
	ck_assert_int_eq(control(LODGE_CONTROL_read_console, 0), -XEN_EINVAL);
}
END_TEST

START_TEST(the_log_goes_on_where_it_was_stopped_and_loses_nothing_to_a_fault)
{
	unsigned nr_restarts;

	fake_guest_fault_writes();
	ck_assert_int_eq(read_console(0, 600, LODGE_CONSOLE_CLEAR), -XEN_EFAULT);
	fake_guest_fault_writes_after(-1);
	memset(&op, 0, sizeof(op));
	op.u.console = (struct lodge_control_console){ .buffer = buffer.va, .bytes = 600 };
	fake_should_stop = true;
	ck_assert_int_eq(control_to_end(LODGE_CONTROL_read_console, 0, &nr_restarts), 0);
	ck_assert_uint_eq(nr_restarts, 2);
	ck_assert_uint_eq(op.u.console.done, 600);
}
END_TEST

START_TEST(cpuid_features_tells_the_leaves_that_have_some_and_zeros_after_them)
{
	const struct lodge_cpuid_features *f = fake_guest_at(buffer);

	ck_assert_int_eq(list(LODGE_CONTROL_cpuid_features, 0, 0, 99), 0);
	ck_assert_uint_eq(op.u.list.nr, LODGE_CPUID_LEAVES);
	ck_assert_uint_eq(op.u.list.next, LODGE_LIST_END);
	ck_assert_uint_eq(f[0].leaf, 1);
	ck_assert_uint_eq(f[0].shown[2], UINT32_MAX);
	ck_assert_uint_eq(f[1].leaf, 0);
}
END_TEST

UNIT_MAIN("control-info", setup, world_teardown, list_tells_of_all_domains_a_bufferful_at_a_time,
	  a_domain_is_told_with_its_state_its_memory_and_its_limits,
	  domains_far_apart_are_found_and_so_are_their_changes,
	  the_overhead_of_a_domain_is_what_its_existence_takes_from_the_hypervisor,
	  list_tells_only_what_changed_and_what_is_gone,
	  every_change_of_state_is_told_by_VIRQ_DOM_EXC,
	  lists_fail_with_EINVAL_unless_what_they_return_is_zero_before,
	  lists_fail_with_EFAULT_where_the_buffer_or_the_argument_faults,
	  a_list_without_room_tells_where_to_go_on,
	  a_vcpu_is_told_with_its_state_its_times_and_its_exits,
	  registers_are_read_while_the_vcpu_is_paused,
	  translate_tells_what_a_linear_address_means_to_a_vcpu, the_host_is_told_with_its_memory,
	  physical_cpus_are_told_with_whom_they_run, exits_have_names_where_they_occur,
	  cpuid_features_tells_the_leaves_that_have_some_and_zeros_after_them,
	  the_log_is_read_from_any_position_and_can_be_cleared,
	  the_log_goes_on_where_it_was_stopped_and_loses_nothing_to_a_fault)
