/* core/control.c: dispatch, life, vCPUs. */
#include "call.h"

#include "abi/sched.h"

START_TEST(only_the_service_vm_may_call)
{
	struct hypercall_args a = { .arg = { fake_guest_space(sizeof(op)).va } };

	ck_assert_int_eq(do_control(guest->vcpu[0], &a), -XEN_EPERM);
	a.compat = true;
	ck_assert_int_eq(do_control(guest->vcpu[0], &a), -XEN_EPERM);
}
END_TEST

START_TEST(fails_with_ENOSYS_for_32_bit_callers)
{
	struct hypercall_args a = { .arg = { fake_guest_space(sizeof(op)).va }, .compat = true };

	ck_assert_int_eq(do_control(service->vcpu[0], &a), -XEN_ENOSYS);
}
END_TEST

START_TEST(fails_with_EFAULT_when_copy_in_faults)
{
	for (uint32_t i = 0; i < LODGE_CONTROL_NR; i++) {
		fake_guest_fault_reads();
		ck_assert_int_eq(control_plain(i, 1), -XEN_EFAULT);
	}
	fake_guest_fault_reads_after(-1);
}
END_TEST

START_TEST(fails_with_EINVAL_for_another_version_but_tells_the_version_to_everyone)
{
	struct lodge_control c = { .version = 7, .op = LODGE_CONTROL_pause, .domain = 1 };
	struct hypercall_args a = { .arg = { fake_guest_put(&c, sizeof(c)).va } };
	struct lodge_control *there = fake_guest_at(GUEST_PTR(a.arg[0]));

	ck_assert_int_eq(do_control(service->vcpu[0], &a), -XEN_EINVAL);
	ck_assert_uint_eq(guest->pause_count, 1);
	there->op = LODGE_CONTROL_version;
	ck_assert_int_eq(do_control(service->vcpu[0], &a), 0);
	ck_assert_uint_eq(there->u.version.version, LODGE_CONTROL_VERSION);
	ck_assert_uint_eq(there->u.version.nr_ops, LODGE_CONTROL_NR);
}
END_TEST

START_TEST(fails_with_ENOSYS_for_an_unknown_operation)
{
	ck_assert_int_eq(control_plain(LODGE_CONTROL_NR, 1), -XEN_ENOSYS);
	ck_assert_int_eq(control_plain(UINT32_MAX, 1), -XEN_ENOSYS);
}
END_TEST

START_TEST(fails_with_EINVAL_unless_all_that_an_operation_does_not_use_is_zero)
{
	memset(&op, 0, sizeof(op));
	op.reserved = 1;
	ck_assert_int_eq(control(LODGE_CONTROL_pause, 1), -XEN_EINVAL);
	for (uint32_t i = 0; i < LODGE_CONTROL_NR; i++) {
		memset(&op, 0, sizeof(op));
		op.u.words[7] = 1ull << 63;
		ck_assert_int_eq(control(i, 1), -XEN_EINVAL);
	}
	ck_assert_uint_eq(guest->pause_count, 1);
}
END_TEST

static const uint32_t of_domains[] = {
	LODGE_CONTROL_destroy,        LODGE_CONTROL_pause,          LODGE_CONTROL_unpause,
	LODGE_CONTROL_vcpu_list,      LODGE_CONTROL_set_memory,     LODGE_CONTROL_claim,
	LODGE_CONTROL_populate,       LODGE_CONTROL_copy_in,        LODGE_CONTROL_copy_out,
	LODGE_CONTROL_set_memory_map, LODGE_CONTROL_start_vcpu,     LODGE_CONTROL_seed_grant,
	LODGE_CONTROL_set_scheduling, LODGE_CONTROL_get_scheduling, LODGE_CONTROL_set_affinity,
	LODGE_CONTROL_get_affinity,   LODGE_CONTROL_shutdown,       LODGE_CONTROL_registers,
	LODGE_CONTROL_translate,      LODGE_CONTROL_set_cpuid,      LODGE_CONTROL_set_clock,
	LODGE_CONTROL_set_tsc,
};

START_TEST(fails_with_ESRCH_for_a_domain_that_does_not_exist)
{
	for (unsigned i = 0; i < ARRAY_SIZE(of_domains); i++) {
		ck_assert_int_eq(control_plain(of_domains[i], 99), -XEN_ESRCH);
		ck_assert_int_eq(control_plain(of_domains[i], DOMID_SELF), -XEN_ESRCH);
		ck_assert_int_eq(control_plain(of_domains[i], 0x10001), -XEN_ESRCH);
	}
}
END_TEST

START_TEST(the_service_vm_cannot_do_to_itself_what_would_stop_it)
{
	static const uint32_t ops[] = { LODGE_CONTROL_destroy,   LODGE_CONTROL_pause,
					LODGE_CONTROL_unpause,   LODGE_CONTROL_start_vcpu,
					LODGE_CONTROL_shutdown,  LODGE_CONTROL_registers,
					LODGE_CONTROL_translate, LODGE_CONTROL_set_cpuid,
					LODGE_CONTROL_set_clock, LODGE_CONTROL_set_tsc };

	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
		ck_assert_int_eq(control_plain(ops[i], 0), -XEN_EINVAL);
}
END_TEST

START_TEST(an_operation_starts_again_while_another_has_the_domain)
{
	ck_assert_int_eq(domain_control_begin(guest), 0);
	ck_assert_int_eq(control_plain(LODGE_CONTROL_pause, 1), HYPERCALL_RESTART);
	ck_assert_int_eq(control_plain(LODGE_CONTROL_destroy, 1), HYPERCALL_RESTART);
	domain_control_end(guest);
	ck_assert_int_eq(control_plain(LODGE_CONTROL_pause, 1), -XEN_ESRCH);
}
END_TEST

static int64_t create(uint32_t id)
{
	memset(&op, 0, sizeof(op));
	memcpy(op.u.create.uuid, "0123456789abcdef", 16);
	op.u.create.nr_vcpus = 2;
	op.u.create.max_pages = 100;
	return control(LODGE_CONTROL_create, id);
}

START_TEST(create_makes_a_paused_domain_with_the_limits_that_were_asked_for)
{
	struct domain *d;

	memset(&op, 0, sizeof(op));
	op.u.create = (struct lodge_control_create){ .uuid = "0123456789abcde",
						     .nr_vcpus = 3,
						     .max_pages = 77,
						     .max_grant_frames = 5,
						     .max_maptrack_frames = 6,
						     .max_ports = 99 };
	ck_assert_int_eq(control(LODGE_CONTROL_create, 9), 0);
	ck_assert_uint_eq(op.domain, 9);
	d = domain_lookup(9);
	ck_assert_ptr_nonnull(d);
	ck_assert_uint_eq(d->nr_vcpus, 3);
	ck_assert_uint_eq(d->max_pages, 77);
	ck_assert_uint_eq(d->grant.max_frames, 5);
	ck_assert_uint_eq(d->grant.max_maptrack_frames, 6);
	ck_assert_uint_eq(d->evtchn.max_port, 99);
	ck_assert_uint_eq(d->pause_count, 1);
	ck_assert(!d->privileged);
	ck_assert_int_eq(memcmp(d->handle, "0123456789abcde", 16), 0);
	domain_put(d);
	ck_assert_int_eq(control_plain(LODGE_CONTROL_destroy, 9), 0);
}
END_TEST

START_TEST(create_fails_with_EEXIST_for_an_id_in_use)
{
	ck_assert_int_eq(create(0), -XEN_EEXIST);
	ck_assert_int_eq(create(1), -XEN_EEXIST);
}
END_TEST

START_TEST(create_fails_with_EINVAL_for_what_cannot_be)
{
	ck_assert_int_eq(create(MAX_DOMAINS), -XEN_EINVAL);
	ck_assert_int_eq(create(0x10001), -XEN_EINVAL);
	for (unsigned i = 0; i < 5; i++) {
		memset(&op, 0, sizeof(op));
		op.u.create.nr_vcpus = i == 0 ? 0 : i == 1 ? MAX_VCPUS + 1 : 1;
		op.u.create.max_grant_frames = i == 2 ? UINT32_MAX : 0;
		op.u.create.max_ports = i == 3 ? EVTCHN_FIFO_NR_CHANNELS : 0;
		op.u.create.reserved[1] = i == 4;
		ck_assert_int_eq(control(LODGE_CONTROL_create, 9), -XEN_EINVAL);
	}
	ck_assert_ptr_null(domain_lookup(9));
}
END_TEST

START_TEST(an_id_that_was_in_use_is_not_chosen_again_at_once)
{
	uint32_t last = 0;

	for (unsigned i = 0; i < 5000; i++) {
		ck_assert_int_eq(create(LODGE_DOMAIN_ANY), 0);
		ck_assert_uint_ne(op.domain, last);
		ck_assert_uint_gt(op.domain, 2); /* those are in use */
		ck_assert_uint_lt(op.domain, MAX_DOMAINS);
		last = op.domain;
		ck_assert_int_eq(control_plain(LODGE_CONTROL_destroy, last), 0);
	}
}
END_TEST

START_TEST(create_is_undone_when_copy_out_faults)
{
	uint64_t nr_free = page_count_free();

	fake_guest_fault_writes();
	ck_assert_int_eq(create(9), -XEN_EFAULT);
	fake_guest_fault_writes_after(-1);
	ck_assert_ptr_null(domain_lookup(9));
	ck_assert_uint_eq(page_count_free(), nr_free);
}
END_TEST

START_TEST(create_fails_with_ENOMEM_and_leaves_nothing_behind_wherever_memory_ends)
{
	long nr_allocs = fake_nr_allocs;
	int64_t err = -XEN_ENOMEM;

	for (long n = 0; err; n++) {
		fake_alloc_budget = n;
		err = create(9);
		fake_alloc_budget = -1;
		if (err) {
			ck_assert_int_eq(err, -XEN_ENOMEM);
			ck_assert_int_eq(fake_nr_allocs, nr_allocs);
		}
	}
	ck_assert_int_eq(control_plain(LODGE_CONTROL_destroy, 9), 0);
	ck_assert_int_eq(fake_nr_allocs, nr_allocs);
}
END_TEST

START_TEST(destroy_gives_everything_back_and_goes_on_where_it_was_stopped)
{
	uint64_t nr_free = page_count_free();
	unsigned nr_restarts;
	uint64_t change;

	ck_assert_int_eq(create(9), 0);
	memset(&op, 0, sizeof(op));
	op.u.populate.nr_pages = 90;
	ck_assert_int_eq(control(LODGE_CONTROL_populate, 9), 0);
	change = domain_change_of(9);
	fake_should_stop = true;
	memset(&op, 0, sizeof(op));
	ck_assert_int_eq(control_to_end(LODGE_CONTROL_destroy, 9, &nr_restarts), 0);
	fake_should_stop = false;
	ck_assert_uint_gt(nr_restarts, 0);
	ck_assert_uint_eq(page_count_free(), nr_free);
	ck_assert_uint_gt(domain_change_of(9), change);
	ck_assert_int_eq(control_plain(LODGE_CONTROL_destroy, 9), -XEN_ESRCH);
}
END_TEST

START_TEST(pause_and_unpause_count_and_are_changes)
{
	uint64_t change = domain_latest_change();

	ck_assert_int_eq(control_plain(LODGE_CONTROL_pause, 1), 0);
	ck_assert_uint_eq(guest->pause_count, 2);
	ck_assert_int_eq(control_plain(LODGE_CONTROL_unpause, 1), 0);
	ck_assert_int_eq(control_plain(LODGE_CONTROL_unpause, 1), 0);
	ck_assert_uint_eq(guest->pause_count, 0);
	ck_assert_int_eq(control_plain(LODGE_CONTROL_unpause, 1), -XEN_EINVAL);
	ck_assert_uint_eq(domain_latest_change(), change + 3);
	ck_assert_uint_eq(domain_change_of(1), change + 3);
}
END_TEST

START_TEST(pause_does_not_count_for_ever)
{
	for (unsigned i = 1; i < 1000; i++)
		ck_assert_int_eq(control_plain(LODGE_CONTROL_pause, 1), 0);
	ck_assert_int_eq(control_plain(LODGE_CONTROL_pause, 1), -XEN_EINVAL);
}
END_TEST

START_TEST(shutdown_ends_a_domain_for_the_reason_that_is_given)
{
	memset(&op, 0, sizeof(op));
	op.u.shutdown.reason = SHUTDOWN_MAX + 1;
	ck_assert_int_eq(control(LODGE_CONTROL_shutdown, 1), -XEN_EINVAL);
	op.u.shutdown = (struct lodge_control_shutdown){ SHUTDOWN_reboot, 1 };
	ck_assert_int_eq(control(LODGE_CONTROL_shutdown, 1), -XEN_EINVAL);
	ck_assert(!guest->is_shut_down);
	op.u.shutdown.reserved = 0;
	ck_assert_int_eq(control(LODGE_CONTROL_shutdown, 1), 0);
	ck_assert(guest->is_shut_down);
	ck_assert_uint_eq(guest->shutdown_reason, SHUTDOWN_reboot);
	op.u.shutdown.reason = SHUTDOWN_crash;
	ck_assert_int_eq(control(LODGE_CONTROL_shutdown, 2), 0);
	ck_assert_uint_eq(third->shutdown_reason, SHUTDOWN_crash);
	ck_assert_str_ne(third->crash_reason, "");
}
END_TEST

static int64_t seed(uint32_t ref, uint32_t peer, uint64_t gfn)
{
	memset(&op, 0, sizeof(op));
	op.u.seed_grant = (struct lodge_control_seed_grant){ ref, peer, gfn };
	return control(LODGE_CONTROL_seed_grant, 1);
}

START_TEST(seed_grant_writes_an_entry_that_is_empty)
{
	const struct grant_entry_v1 *e = &guest->grant.frame[0][1];

	ck_assert_int_eq(seed(1, 0, 0x55), 0);
	ck_assert_uint_eq(e->flags, GTF_permit_access);
	ck_assert_uint_eq(e->domid, 0);
	ck_assert_uint_eq(e->frame, 0x55);
	ck_assert_int_eq(seed(1, 0, 0x66), -XEN_EBUSY);
	ck_assert_uint_eq(e->frame, 0x55);
	ck_assert_int_eq(seed(LODGE_SEED_GRANTS, 0, 1), -XEN_EINVAL);
	ck_assert_int_eq(seed(2, MAX_DOMAINS, 1), -XEN_EINVAL);
	ck_assert_int_eq(seed(2, 0, 1ull << 32), -XEN_EINVAL);
}
END_TEST

static int64_t vcpu_call(uint32_t what, uint32_t vcpu, guest_ptr_t buffer)
{
	memset(&op, 0, sizeof(op));
	op.u.vcpu = (struct lodge_control_vcpu){ .vcpu = vcpu, .buffer = buffer.va };
	return control(what, 1);
}

START_TEST(start_vcpu_starts_one_that_is_down_and_leaves_it_paused)
{
	guest_ptr_t context = fake_guest_space(128);
	struct vcpu *v = guest->vcpu[1];

	ck_assert_int_eq(vcpu_call(LODGE_CONTROL_start_vcpu, 2, context), -XEN_EINVAL);
	ck_assert_int_eq(vcpu_call(LODGE_CONTROL_start_vcpu, 1, GUEST_PTR(0)), -XEN_EFAULT);
	ck_assert(v->blocked_by & VCPU_DOWN);
	ck_assert_int_eq(vcpu_call(LODGE_CONTROL_start_vcpu, 1, context), 0);
	ck_assert_uint_eq(v->arch.nr_initialised, 1);
	ck_assert_uint_eq(v->blocked_by, VCPU_PAUSE_ONE);
	ck_assert_int_eq(vcpu_call(LODGE_CONTROL_start_vcpu, 1, context), -XEN_EBUSY);
	ck_assert_uint_eq(v->arch.nr_initialised, 1);
	op.u.vcpu.reserved = 1;
	ck_assert_int_eq(control(LODGE_CONTROL_start_vcpu, 1), -XEN_EINVAL);
}
END_TEST

static int64_t set_weight(uint32_t vcpu, uint32_t weight, uint32_t cap)
{
	memset(&op, 0, sizeof(op));
	op.u.scheduling =
		(struct lodge_control_scheduling){ .vcpu = vcpu, .weight = weight, .cap = cap };
	return control(LODGE_CONTROL_set_scheduling, 1);
}

START_TEST(scheduling_is_set_for_one_vcpu_or_all_and_told)
{
	ck_assert_int_eq(set_weight(LODGE_VCPU_ALL, 512, 0), 0);
	ck_assert_int_eq(set_weight(1, 100, 0), 0);
	ck_assert_int_eq(set_weight(2, 100, 0), -XEN_EINVAL);
	ck_assert_int_eq(set_weight(0, 65536, 0), -XEN_EINVAL);
	ck_assert_int_eq(set_weight(2, 0, 50), -XEN_EINVAL);
	memset(&op, 0, sizeof(op));
	ck_assert_int_eq(control(LODGE_CONTROL_get_scheduling, 1), 0);
	ck_assert_uint_eq(op.u.scheduling.weight, 512);
	memset(&op, 0, sizeof(op));
	op.u.scheduling.vcpu = 1;
	ck_assert_int_eq(control(LODGE_CONTROL_get_scheduling, 1), 0);
	ck_assert_uint_eq(op.u.scheduling.weight, 100);
	ck_assert_int_eq(control(LODGE_CONTROL_get_scheduling, 1), -XEN_EINVAL); /* not empty */
	memset(&op, 0, sizeof(op));
	op.u.scheduling.vcpu = LODGE_VCPU_ALL;
	ck_assert_int_eq(control(LODGE_CONTROL_get_scheduling, 1), -XEN_EINVAL);
	memset(&op, 0, sizeof(op));
	fake_guest_fault_writes();
	ck_assert_int_eq(control(LODGE_CONTROL_get_scheduling, 1), -XEN_EFAULT);
	fake_guest_fault_writes_after(-1);
}
END_TEST

START_TEST(the_cap_is_the_domains_and_each_setting_can_be_left_as_it_is)
{
	ck_assert_int_eq(set_weight(0, 100, 150), 0);
	ck_assert_int_eq(set_weight(1, 0, LODGE_CAP_SAME), 0);
	ck_assert_int_eq(set_weight(1, 200, LODGE_CAP_SAME), 0);
	for (uint32_t vcpu = 0; vcpu < 2; vcpu++) {
		memset(&op, 0, sizeof(op));
		op.u.scheduling.vcpu = vcpu;
		ck_assert_int_eq(control(LODGE_CONTROL_get_scheduling, 1), 0);
		ck_assert_uint_eq(op.u.scheduling.weight, vcpu ? 200 : 100);
		ck_assert_uint_eq(op.u.scheduling.cap, 150);
	}
	ck_assert_int_eq(set_weight(1, 0, 0), 0);
	ck_assert_uint_eq(guest->cap.percent, 0);
	ck_assert_uint_eq(guest->vcpu[1]->sched.weight, 200);
}
END_TEST

START_TEST(inject_nmi_names_a_vcpu_and_nothing_else)
{
	ck_assert_int_eq(vcpu_call(LODGE_CONTROL_inject_nmi, 1, GUEST_PTR(0)), 0);
	ck_assert_uint_eq(guest->vcpu[1]->arch.nr_nmis, 1);
	ck_assert_int_eq(vcpu_call(LODGE_CONTROL_inject_nmi, 2, GUEST_PTR(0)), -XEN_EINVAL);
	ck_assert_int_eq(vcpu_call(LODGE_CONTROL_inject_nmi, 1, GUEST_PTR(1)), -XEN_EINVAL);
	ck_assert_uint_eq(guest->vcpu[0]->arch.nr_nmis, 0);
	ck_assert_uint_eq(guest->vcpu[1]->arch.nr_nmis, 1);
}
END_TEST

START_TEST(affinity_is_set_for_one_vcpu_or_all_and_told)
{
	uint64_t mask[LODGE_CPU_MASK_BYTES / 8] = { 2 };
	guest_ptr_t at = fake_guest_put(mask, sizeof(mask)), back = fake_guest_space(sizeof(mask));

	ck_assert_int_eq(vcpu_call(LODGE_CONTROL_set_affinity, LODGE_VCPU_ALL, at), 0);
	ck_assert_int_eq(vcpu_call(LODGE_CONTROL_get_affinity, 1, back), 0);
	ck_assert_int_eq(memcmp(fake_guest_at(back), mask, sizeof(mask)), 0);
	ck_assert_int_eq(vcpu_call(LODGE_CONTROL_set_affinity, 2, at), -XEN_EINVAL);
	ck_assert_int_eq(vcpu_call(LODGE_CONTROL_get_affinity, 2, at), -XEN_EINVAL);
	ck_assert_int_eq(vcpu_call(LODGE_CONTROL_get_affinity, LODGE_VCPU_ALL, at), -XEN_EINVAL);
	*(uint64_t *)fake_guest_at(at) = 4; /* there are two CPUs */
	ck_assert_int_eq(vcpu_call(LODGE_CONTROL_set_affinity, 0, at), -XEN_EINVAL);
	ck_assert_int_eq(vcpu_call(LODGE_CONTROL_set_affinity, 0, GUEST_PTR(0)), -XEN_EFAULT);
	ck_assert_int_eq(vcpu_call(LODGE_CONTROL_get_affinity, 0, GUEST_PTR(0)), -XEN_EFAULT);
}
END_TEST

static int64_t set_cpuid(uint32_t nr, guest_ptr_t buffer)
{
	memset(&op, 0, sizeof(op));
	op.u.list.buffer = buffer.va;
	op.u.list.nr = nr;
	return control(LODGE_CONTROL_set_cpuid, 1);
}

START_TEST(cpuid_is_set_until_the_domain_has_run)
{
	struct lodge_cpuid_change changes[LODGE_CPUID_LEAVES] = { { .leaf = 1 }, { .leaf = 1 } };
	guest_ptr_t at = fake_guest_put(changes, sizeof(changes));

	ck_assert_int_eq(set_cpuid(2, at), 0);
	ck_assert_uint_eq(guest->arch.nr_cpuid_changes, 2);
	ck_assert_int_eq(set_cpuid(3, at), -XEN_EINVAL); /* what the machine says */
	ck_assert_int_eq(set_cpuid(LODGE_CPUID_LEAVES + 1, at), -XEN_EINVAL);
	ck_assert_int_eq(set_cpuid(1, GUEST_PTR(0)), -XEN_EFAULT);
	op.u.list.max = 1;
	ck_assert_int_eq(control(LODGE_CONTROL_set_cpuid, 1), -XEN_EINVAL);
	ck_assert_uint_eq(guest->arch.nr_cpuid_changes, 2);
	ck_assert_int_eq(control_plain(LODGE_CONTROL_pause, 1), 0);
	ck_assert_int_eq(control_plain(LODGE_CONTROL_unpause, 1), 0);
	ck_assert_int_eq(set_cpuid(1, at), 0);
	ck_assert_int_eq(control_plain(LODGE_CONTROL_unpause, 1), 0);
	ck_assert_int_eq(control_plain(LODGE_CONTROL_pause, 1), 0);
	ck_assert_int_eq(set_cpuid(1, at), -XEN_EBUSY);
	ck_assert_uint_eq(guest->arch.nr_cpuid_changes, 1);
}
END_TEST

static int64_t set_clock(int64_t offset_s)
{
	memset(&op, 0, sizeof(op));
	op.u.clock.offset_s = offset_s;
	return control(LODGE_CONTROL_set_clock, 1);
}

START_TEST(a_wall_clock_differs_by_its_offset_and_never_shows_a_time_before_1970)
{
	uint32_t version = guest->shared_info->wc_version;

	fake_wall_clock_ns = 1000 * NS_PER_SEC + 5;
	ck_assert_int_eq(set_clock(-400), 0);
	ck_assert_uint_eq(guest->shared_info->wc_sec, 600);
	ck_assert_uint_eq(guest->shared_info->wc_nsec, 5);
	ck_assert_uint_eq(guest->shared_info->wc_version, version + 2);
	ck_assert_int_eq(set_clock(INT64_C(1) << 33), 0);
	ck_assert_uint_eq(guest->shared_info->wc_sec, 1000);
	ck_assert_uint_eq(guest->shared_info->wc_sec_hi, 2);
	fake_wall_clock_ns = 3000 * NS_PER_SEC; /* the machine's clock is set */
	domain_update_all_wallclocks();
	ck_assert_uint_eq(guest->shared_info->wc_sec, 3000);
	ck_assert_uint_eq(guest->shared_info->wc_sec_hi, 2);
	ck_assert_uint_eq(service->shared_info->wc_sec, 3000);
	ck_assert_uint_eq(service->shared_info->wc_sec_hi, 0);
	ck_assert_int_eq(set_clock(-3001), 0);
	ck_assert_uint_eq(guest->shared_info->wc_sec, 0);
	ck_assert_int_eq(set_clock(LODGE_CLOCK_MAX_S + 1), -XEN_EINVAL);
	ck_assert_int_eq(set_clock(-LODGE_CLOCK_MAX_S - 1), -XEN_EINVAL);
	ck_assert_int_eq(set_clock(INT64_MIN), -XEN_EINVAL);
	ck_assert_uint_eq(guest->shared_info->wc_sec, 0);
}
END_TEST

static int64_t set_tsc(uint64_t hz)
{
	memset(&op, 0, sizeof(op));
	op.u.tsc.hz = hz;
	return control(LODGE_CONTROL_set_tsc, 1);
}

START_TEST(a_tsc_has_a_frequency_until_the_domain_has_run)
{
	ck_assert_int_eq(set_tsc(LODGE_TSC_MIN_HZ - 1), -XEN_EINVAL);
	ck_assert_int_eq(set_tsc(LODGE_TSC_MAX_HZ + 1), -XEN_EINVAL);
	ck_assert_uint_eq(guest->arch.tsc_hz, 0);
	ck_assert_int_eq(set_tsc(LODGE_TSC_MAX_HZ), 0);
	ck_assert_uint_eq(guest->arch.tsc_hz, LODGE_TSC_MAX_HZ);
	ck_assert_int_eq(set_tsc(0), 0);
	ck_assert_uint_eq(guest->arch.tsc_hz, 0);
	ck_assert_int_eq(control_plain(LODGE_CONTROL_unpause, 1), 0);
	ck_assert_int_eq(set_tsc(LODGE_TSC_MIN_HZ), -XEN_EBUSY);
}
END_TEST

UNIT_MAIN("control-calls", control_setup, world_teardown, only_the_service_vm_may_call,
	  fails_with_ENOSYS_for_32_bit_callers, fails_with_EFAULT_when_copy_in_faults,
	  fails_with_EINVAL_for_another_version_but_tells_the_version_to_everyone,
	  fails_with_ENOSYS_for_an_unknown_operation,
	  fails_with_EINVAL_unless_all_that_an_operation_does_not_use_is_zero,
	  fails_with_ESRCH_for_a_domain_that_does_not_exist,
	  the_service_vm_cannot_do_to_itself_what_would_stop_it,
	  an_operation_starts_again_while_another_has_the_domain,
	  create_makes_a_paused_domain_with_the_limits_that_were_asked_for,
	  create_fails_with_EEXIST_for_an_id_in_use, create_fails_with_EINVAL_for_what_cannot_be,
	  an_id_that_was_in_use_is_not_chosen_again_at_once, create_is_undone_when_copy_out_faults,
	  create_fails_with_ENOMEM_and_leaves_nothing_behind_wherever_memory_ends,
	  destroy_gives_everything_back_and_goes_on_where_it_was_stopped,
	  pause_and_unpause_count_and_are_changes, pause_does_not_count_for_ever,
	  shutdown_ends_a_domain_for_the_reason_that_is_given,
	  seed_grant_writes_an_entry_that_is_empty,
	  start_vcpu_starts_one_that_is_down_and_leaves_it_paused,
	  scheduling_is_set_for_one_vcpu_or_all_and_told,
	  affinity_is_set_for_one_vcpu_or_all_and_told,
	  the_cap_is_the_domains_and_each_setting_can_be_left_as_it_is,
	  inject_nmi_names_a_vcpu_and_nothing_else, cpuid_is_set_until_the_domain_has_run,
	  a_wall_clock_differs_by_its_offset_and_never_shows_a_time_before_1970,
	  a_tsc_has_a_frequency_until_the_domain_has_run)
