/* core/domain.c over core/p2m.c and core/page.c; vCPUs, ports and grants are fakes. */
#include "unit.h"

#include <string.h>

#include "abi/errno.h"
#include "abi/memory.h"
#include "abi/sched.h"
#include "fake-arch.h"
#include "lodge/hypercall.h"
#include "lodge/p2m.h"
#include "lodge/page.h"

static const struct domain_config two_vcpus = { .nr_vcpus = 2, .max_pages = 2000 };
static const struct domain_config privileged = { .nr_vcpus = 1,
						 .max_pages = 2000,
						 .privileged = true };

static struct domain *svc;

static void setup(void)
{
	fake_reset();
	ck_assert_int_eq(domain_create(0, &privileged, &svc), 0);
}

static struct domain *create(domid_t id)
{
	struct domain *d;

	ck_assert_int_eq(domain_create(id, &two_vcpus, &d), 0);
	return d;
}

static void add_ram(struct domain *d, uint64_t gfn, unsigned order)
{
	struct p2m_entry e = { .kind = P2M_RAM, .order = (uint8_t)order, .access = P2M_WRITE };

	ck_assert_int_eq(page_alloc_domain(d, order, 0, &e.mfn), 0);
	ck_assert_int_eq(p2m_map(d, GFN(gfn), &e), 0);
}

/* As a control operation does: with a count of its own. */
static int destroy(domid_t id)
{
	struct domain *d = domain_lookup(id);
	int err;

	ck_assert_ptr_nonnull(d);
	err = domain_destroy(d);
	domain_put(d);
	return err;
}

START_TEST(a_new_domain_is_paused_and_without_memory)
{
	struct domain_config cfg = two_vcpus;
	struct domain *d;

	memcpy(cfg.handle, "0123456789abcdef", 16);
	ck_assert_int_eq(domain_create(9, &cfg, &d), 0);
	ck_assert_uint_eq(d->id, 9);
	ck_assert_uint_eq(d->nr_pages, 0);
	ck_assert_uint_eq(d->max_pages, 2000);
	ck_assert_uint_eq(d->pause_count, 1);
	ck_assert_int_eq(memcmp(d->handle, cfg.handle, 16), 0);
	ck_assert_uint_eq(d->shared_info_gfn.n, GFN_NONE.n);
	ck_assert_uint_ne(d->shared_info->wc_version, 0);
	for (unsigned i = 0; i < 2; i++)
		ck_assert(d->vcpu[i]->blocked_by & VCPU_PAUSED);
	ck_assert(!d->privileged);
	ck_assert_int_eq(destroy(9), 0);
}
END_TEST

START_TEST(the_first_privileged_domain_is_the_service_vm)
{
	struct domain *d;

	ck_assert_ptr_eq(service_vm, svc);
	ck_assert_int_eq(domain_create(9, &privileged, &d), 0);
	ck_assert_ptr_eq(service_vm, svc);
	ck_assert_int_eq(destroy(9), 0);
}
END_TEST

START_TEST(create_fails_with_EINVAL_for_what_cannot_be)
{
	struct domain_config cfg = two_vcpus;
	struct domain *d = NULL;

	ck_assert_int_eq(domain_create(MAX_DOMAINS, &cfg, &d), -XEN_EINVAL);
	ck_assert_int_eq(domain_create(UINT16_MAX, &cfg, &d), -XEN_EINVAL);
	cfg.nr_vcpus = 0;
	ck_assert_int_eq(domain_create(1, &cfg, &d), -XEN_EINVAL);
	cfg.nr_vcpus = MAX_VCPUS + 1;
	ck_assert_int_eq(domain_create(1, &cfg, &d), -XEN_EINVAL);
	ck_assert_ptr_null(d);
}
END_TEST

START_TEST(create_fails_with_EEXIST_for_an_id_in_use)
{
	struct domain *d = create(3), *second = NULL;

	add_ram(d, 0, 0);
	ck_assert_int_eq(domain_create(3, &two_vcpus, &second), -XEN_EEXIST);
	ck_assert_ptr_null(second);
	ck_assert_ptr_eq(domain_of_page(3), d);
	ck_assert_int_eq(destroy(3), 0);
}
END_TEST

START_TEST(create_leaves_nothing_behind_wherever_memory_ends)
{
	uint64_t nr_free = page_count_free();
	long nr_allocs = fake_nr_allocs;
	struct domain *d = NULL;
	int err = -XEN_ENOMEM;
	long n;

	for (n = 0; err; n++) {
		fake_alloc_budget = n;
		err = domain_create(4, &two_vcpus, &d);
		if (!err)
			break;
		ck_assert_int_eq(err, -XEN_ENOMEM);
		ck_assert_int_eq(fake_nr_allocs, nr_allocs);
		ck_assert_uint_eq(page_count_free(), nr_free);
		ck_assert_ptr_null(domain_of_page(4));
	}
	ck_assert_int_ge(n, 4); /* the structure, the array, two vCPUs */
	fake_alloc_budget = -1;
	ck_assert_int_eq(destroy(4), 0);
}
END_TEST

START_TEST(create_fails_with_ENOMEM_without_a_page_or_a_table)
{
	struct domain *d;

	fake_p2m_fail_after(0);
	ck_assert_int_eq(domain_create(4, &two_vcpus, &d), -XEN_ENOMEM);
	fake_p2m_fail_after(-1);
	while (!mfn_is_none(page_alloc(0, NODE_ANY, 0)))
		;
	ck_assert_int_eq(domain_create(4, &two_vcpus, &d), -XEN_ENOMEM);
	ck_assert_int_eq(fake_nr_allocs, 3); /* the service VM's */
}
END_TEST

START_TEST(create_is_undone_when_a_vcpu_cannot_be_made)
{
	struct domain *d;

	fake_vcpu_create_fails_at = 1;
	ck_assert_int_eq(domain_create(4, &two_vcpus, &d), -XEN_ENOMEM);
	ck_assert_int_eq(fake_nr_allocs, 3);
	ck_assert_ptr_null(domain_of_page(4));
}
END_TEST

START_TEST(create_is_undone_to_the_end_even_when_asked_to_stop)
{
	struct domain *d;

	fake_vcpu_create_fails_at = 1;
	fake_should_stop = true;
	fake_teardown_again = 5;
	ck_assert_int_eq(domain_create(4, &two_vcpus, &d), -XEN_ENOMEM);
	ck_assert_int_eq(fake_nr_allocs, 3);
}
END_TEST

START_TEST(lookup_counts_and_finds_only_what_exists)
{
	struct domain *d = create(3);

	ck_assert_ptr_eq(domain_lookup(3), d);
	ck_assert_uint_eq(d->refcount, 2);
	domain_put(d);
	ck_assert_ptr_null(domain_lookup(4));
	ck_assert_ptr_null(domain_lookup(MAX_DOMAINS));
	ck_assert_ptr_null(domain_lookup(DOMID_SELF));
	ck_assert_ptr_null(domain_lookup(UINT16_MAX));
	ck_assert_int_eq(destroy(3), 0);
}
END_TEST

START_TEST(domain_get_resolves_self_and_lets_only_the_privileged_name_others)
{
	struct domain *d = create(3), *got = NULL;
	struct vcpu *v = d->vcpu[0];

	ck_assert_int_eq(domain_get(v, DOMID_SELF, &got), 0);
	ck_assert_ptr_eq(got, d);
	ck_assert_int_eq(domain_get(v, 3, &got), 0);
	ck_assert_uint_eq(d->refcount, 3);
	got = NULL;
	ck_assert_int_eq(domain_get(v, 0, &got), -XEN_EPERM);
	ck_assert_int_eq(domain_get(v, 77, &got), -XEN_EPERM); /* not even whether it exists */
	ck_assert_int_eq(domain_get(svc->vcpu[0], 77, &got), -XEN_ESRCH);
	ck_assert_ptr_null(got);
	ck_assert_int_eq(domain_get(svc->vcpu[0], 3, &got), 0);
	ck_assert_ptr_eq(got, d);
	ck_assert_int_eq(domain_get_peer(v, 0, &got), 0);
	ck_assert_ptr_eq(got, svc);
	ck_assert_int_eq(domain_get_peer(v, DOMID_INVALID, &got), -XEN_ESRCH);
}
END_TEST

START_TEST(vcpus_out_of_range_are_null)
{
	struct domain *d = create(3);

	ck_assert_ptr_eq(domain_vcpu(d, 1), d->vcpu[1]);
	ck_assert_ptr_null(domain_vcpu(d, 2));
	ck_assert_ptr_null(domain_vcpu(d, UINT32_MAX));
	ck_assert_int_eq(destroy(3), 0);
}
END_TEST

START_TEST(pauses_count)
{
	struct domain *d = create(3);

	domain_pause(d);
	domain_unpause(d);
	ck_assert(d->vcpu[1]->blocked_by & VCPU_PAUSED);
	domain_unpause(d);
	ck_assert(!(d->vcpu[1]->blocked_by & VCPU_PAUSED));
	domain_unpause(d); /* one too many */
	ck_assert_uint_eq(d->pause_count, 0);
	ck_assert(!(d->vcpu[1]->blocked_by & VCPU_PAUSED));
	ck_assert_int_eq(destroy(3), 0);
}
END_TEST

START_TEST(shutdown_stops_all_vcpus_and_tells_the_service_vm)
{
	struct domain *d = create(3);

	domain_shutdown(d, SHUTDOWN_reboot);
	ck_assert(d->is_shut_down);
	ck_assert_uint_eq(d->shutdown_reason, SHUTDOWN_reboot);
	for (unsigned i = 0; i < 2; i++)
		ck_assert(d->vcpu[i]->blocked_by & VCPU_DEAD);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_DOM_EXC], 1);
	ck_assert_ptr_eq(fake_virq_domain[VIRQ_DOM_EXC], svc);
	domain_shutdown(d, SHUTDOWN_crash); /* the first reason counts */
	ck_assert_uint_eq(d->shutdown_reason, SHUTDOWN_reboot);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_DOM_EXC], 1);
	ck_assert_int_eq(destroy(3), 0);
}
END_TEST

START_TEST(a_crash_keeps_and_prints_its_reason)
{
	struct domain *d = create(3);

	domain_crash(d, "bad thing %d", 42);
	ck_assert_uint_eq(d->shutdown_reason, SHUTDOWN_crash);
	ck_assert_str_eq(d->crash_reason, "bad thing 42");
	ck_assert_ptr_nonnull(strstr(fake_log, "dom3 crashed: bad thing 42"));
	domain_crash(d, "another");
	ck_assert_str_eq(d->crash_reason, "bad thing 42");
	ck_assert_ptr_null(strstr(fake_log, "another"));
	ck_assert_int_eq(destroy(3), 0);
}
END_TEST

START_TEST(the_service_vms_end_is_the_machines)
{
	ck_assert_int_eq(fake_end_of(domain_shutdown(svc, SHUTDOWN_poweroff)), FAKE_POWERED_OFF);
	ck_assert_int_eq(fake_end_of(domain_shutdown(svc, SHUTDOWN_reboot)), FAKE_RESTARTED);
	ck_assert_int_eq(fake_end_of(domain_shutdown(svc, 200)), FAKE_RESTARTED);
	ck_assert_int_eq(fake_end_of(domain_crash(svc, "why")), FAKE_RESTARTED);
	ck_assert_ptr_nonnull(strstr(fake_log, "why"));
}
END_TEST

START_TEST(destroy_gives_back_all_and_tells_the_service_vm)
{
	uint64_t nr_free = page_count_free();
	long nr_allocs = fake_nr_allocs;
	struct domain *d = create(3);

	add_ram(d, 512, 9);
	add_ram(d, 3, 0);
	ck_assert_int_eq(destroy(3), 0);
	ck_assert_ptr_null(domain_lookup(3));
	ck_assert_uint_eq(page_count_free(), nr_free);
	ck_assert_int_eq(fake_nr_allocs, nr_allocs);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_DOM_EXC], 1);
	create(3); /* the id is free again */
}
END_TEST

START_TEST(destroy_fails_with_EPERM_for_the_service_vm)
{
	ck_assert_int_eq(destroy(0), -XEN_EPERM);
	ck_assert(!svc->dying);
}
END_TEST

START_TEST(destroy_is_preemptible)
{
	struct domain *d = create(3);
	unsigned rounds = 1;

	add_ram(d, 0, 9);
	add_ram(d, 512, 9);
	fake_should_stop = true;
	fake_teardown_again = 3;
	while (destroy(3) == -XEN_EAGAIN)
		rounds++;
	ck_assert_uint_ge(rounds, 3 + 2 + 2); /* ports, vCPUs, memory */
	ck_assert_ptr_null(domain_lookup(3));
}
END_TEST

START_TEST(one_cpu_at_a_time_destroys)
{
	struct domain *d = create(3);

	d->control_busy = true;
	ck_assert_int_eq(destroy(3), -XEN_EAGAIN);
	ck_assert(d->dying);
	d->control_busy = false;
	ck_assert_int_eq(destroy(3), 0);
}
END_TEST

START_TEST(destroying_again_is_no_error_and_drops_no_count)
{
	struct domain *d = create(3);

	domain_ref(d);
	ck_assert_int_eq(domain_destroy(d), 0);
	ck_assert_uint_eq(d->refcount, 1);
	ck_assert_int_eq(domain_destroy(d), 0);
	ck_assert_uint_eq(d->refcount, 1);
	ck_assert_uint_eq(fake_nr_virqs[VIRQ_DOM_EXC], 1);
	domain_unpause(d); /* its vCPUs are gone */
	domain_shutdown(d, SHUTDOWN_crash);
	domain_put(d);
}
END_TEST

START_TEST(a_page_that_others_use_keeps_the_structure_and_the_id)
{
	uint64_t nr_free = page_count_free();
	struct domain *d = create(3), *second;
	mfn_t mfn;

	add_ram(d, 3, 0);
	add_ram(d, 4, 0);
	ck_assert_int_eq(p2m_pin(d, GFN(3), false, &mfn), 0);
	ck_assert_int_eq(destroy(3), 0);
	ck_assert_ptr_eq(domain_of_page(3), d);
	ck_assert_uint_eq(d->nr_pages, 1);
	ck_assert_ptr_nonnull(strstr(fake_log, "1 pages are still in use"));
	ck_assert_int_eq(domain_create(3, &two_vcpus, &second), -XEN_EEXIST);
	page_put(mfn);
	ck_assert_ptr_null(domain_of_page(3));
	ck_assert_uint_eq(page_count_free(), nr_free);
}
END_TEST

START_TEST(a_put_without_a_count_panics)
{
	struct domain d = { .refcount = 0 };

	ck_assert_panics(domain_put(&d));
}
END_TEST

START_TEST(the_audit_finds_pages_that_nobody_accounts_for)
{
	struct domain *d = create(3);

	add_ram(d, 3, 0);
	mfn_to_page(page_alloc(0, NODE_ANY, 0))->owner = 3; /* a bug of ours */
	ck_assert_panics((void)!destroy(3));
}
END_TEST

START_TEST(the_memory_map_is_kept_and_replaced)
{
	const struct xen_e820_entry map[2] = { { 0, 4096, 1 }, { 8192, 4096, 2 } };
	struct domain *d = create(3);

	ck_assert_int_eq(domain_set_memory_map(d, map, 2), 0);
	ck_assert_uint_eq(d->nr_e820, 2);
	ck_assert_uint_eq(d->e820[1].addr, 8192);
	ck_assert_int_eq(domain_set_memory_map(d, map, 1), 0);
	ck_assert_uint_eq(d->nr_e820, 1);
	ck_assert_int_eq(domain_set_memory_map(d, map, MAX_E820_ENTRIES + 1), -XEN_E2BIG);
	fake_alloc_budget = 0;
	ck_assert_int_eq(domain_set_memory_map(d, map, 2), -XEN_ENOMEM);
	ck_assert_uint_eq(d->nr_e820, 1);
	ck_assert_int_eq(destroy(3), 0);
	ck_assert_int_eq(fake_nr_allocs, 3);
}
END_TEST

START_TEST(the_layout_follows_the_kernels_width)
{
	struct domain *d = create(3);
	struct shared_info *s = d->shared_info;
	struct compat_shared_info *c = (struct compat_shared_info *)(void *)s;

	s->evtchn_pending[0] = 0x10;
	s->evtchn_mask[0] = 0x123456789abcdef0;
	s->vcpu_info[1].evtchn_pending_sel = 1;
	domain_set_layout(d, false); /* as it is */
	ck_assert_uint_eq(s->vcpu_info[1].evtchn_pending_sel, 1);
	domain_set_layout(d, true);
	ck_assert(d->compat);
	ck_assert_uint_eq(c->evtchn_pending[0], 0x10);
	ck_assert_uint_eq(c->evtchn_mask[0], 0x9abcdef0);
	ck_assert_uint_eq(c->evtchn_mask[1], 0x12345678);
	ck_assert_uint_eq(c->vcpu_info[1].evtchn_pending_sel, UINT32_MAX);
	ck_assert_uint_eq(c->vcpu_info[1].arch.cr2, 0);
	domain_set_layout(d, false);
	ck_assert_uint_eq(s->evtchn_mask[0], 0x123456789abcdef0);
	ck_assert_uint_eq(s->evtchn_pending[0], 0x10);
	ck_assert_uint_eq(s->evtchn_pending[16], 0);
	ck_assert_uint_eq(s->vcpu_info[1].evtchn_pending_sel, UINT64_MAX);
	ck_assert_int_eq(destroy(3), 0);
}
END_TEST

UNIT_MAIN("domain", setup, NULL, a_new_domain_is_paused_and_without_memory,
	  the_first_privileged_domain_is_the_service_vm,
	  create_fails_with_EINVAL_for_what_cannot_be, create_fails_with_EEXIST_for_an_id_in_use,
	  create_leaves_nothing_behind_wherever_memory_ends,
	  create_fails_with_ENOMEM_without_a_page_or_a_table,
	  create_is_undone_when_a_vcpu_cannot_be_made,
	  create_is_undone_to_the_end_even_when_asked_to_stop,
	  lookup_counts_and_finds_only_what_exists,
	  domain_get_resolves_self_and_lets_only_the_privileged_name_others,
	  vcpus_out_of_range_are_null, pauses_count,
	  shutdown_stops_all_vcpus_and_tells_the_service_vm, a_crash_keeps_and_prints_its_reason,
	  the_service_vms_end_is_the_machines, destroy_gives_back_all_and_tells_the_service_vm,
	  destroy_fails_with_EPERM_for_the_service_vm, destroy_is_preemptible,
	  one_cpu_at_a_time_destroys, destroying_again_is_no_error_and_drops_no_count,
	  a_page_that_others_use_keeps_the_structure_and_the_id, a_put_without_a_count_panics,
	  the_audit_finds_pages_that_nobody_accounts_for, the_memory_map_is_kept_and_replaced,
	  the_layout_follows_the_kernels_width)
