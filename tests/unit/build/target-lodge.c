/* A plan carried out by hypercalls, on an imagined hypervisor. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "build/target-lodge.h"
#include "fake-xencall.h"
#include "images.h"

static struct build_description d;
static struct build_plan *plan;
static struct guest_memory guest;
static struct xencall_handle calls;
static struct lodge_target target;
static struct err err;

static void setup(void)
{
	struct image kernel = make_elf(true);

	folder_make();
	guest_memory_init(&guest);
	d = (struct build_description){ .kernel = folder_write("vmlinux", &kernel),
					.cmdline = "console=hvc0",
					.memory_bytes = 64u << 20,
					.nr_vcpus = 2 };
	d.initrd[0] = d.kernel;
	d.nr_initrds = 1;
	calls = (struct xencall_handle){ .guest = &guest, .nr_free = 100000 };
	ck_assert_msg(!build_plan_create(&d, &plan, &err), "%s", err.text);
	ck_assert_int_eq(lodge_target_init(&target, &calls, FAKE_DOMAIN, &err), 0);
}

static void teardown(void)
{
	lodge_target_fini(&target);
	ck_assert_int_eq(calls.nr_buffers, 0);
	build_plan_destroy(plan);
	guest_memory_fini(&guest);
	folder_remove();
}

static int execute(void)
{
	return build_plan_execute(plan, &target.target, &err);
}

START_TEST(a_domain_gets_the_memory_that_the_plan_says)
{
	struct guest_view view;

	ck_assert_msg(!execute(), "%s", err.text);
	ck_assert_uint_eq(guest.nr_populated, plan->nr_pages);
	ck_assert_uint_eq(guest.nr_claimed, plan->nr_pages);
	view = guest_read_start_info(&guest, calls.entry.cpu_regs.x86_32.ebx);
	ck_assert_str_eq(view.cmdline, "console=hvc0");
	ck_assert_uint_eq(view.module_bytes, IMAGE_BYTES);
	ck_assert_uint_eq(guest_check_map(&guest, &view), (64u << 20) - 0x60000);
	guest_find_table(&guest, &view, "APIC");
	ck_assert_int_eq(memcmp(&calls.entry, &plan->entry, sizeof(plan->entry)), 0);
	ck_assert_uint_eq(calls.nr_map, view.nr_map);
	for (unsigned i = 0; i < view.nr_map; i++)
		ck_assert(calls.map[i].addr == view.map[i].start &&
			  calls.map[i].size == view.map[i].bytes &&
			  calls.map[i].type == view.map[i].type);
}
END_TEST

START_TEST(store_and_console_have_ports_parameters_and_grants)
{
	ck_assert_int_eq(execute(), 0);
	ck_assert_uint_eq(calls.nr_ports, 2);
	ck_assert_uint_ne(target.store_port, target.console_port);
	ck_assert_uint_eq(calls.params[HVM_PARAM_STORE_PFN], plan->store_gfn);
	ck_assert_uint_eq(calls.params[HVM_PARAM_STORE_EVTCHN], target.store_port);
	ck_assert_uint_eq(calls.params[HVM_PARAM_CONSOLE_PFN], plan->console_gfn);
	ck_assert_uint_eq(calls.params[HVM_PARAM_CONSOLE_EVTCHN], target.console_port);
	ck_assert_uint_eq(calls.grants[0], plan->console_gfn);
	ck_assert_uint_eq(calls.grants[1], plan->store_gfn);
}
END_TEST

START_TEST(too_little_memory_is_refused_at_once_with_what_is_missing)
{
	calls.nr_free = plan->nr_pages - 256;
	ck_assert_int_eq(execute(), -ENOMEM);
	ck_assert_str_eq(err.text, "not enough free memory: the guest takes 65548 KiB, of which "
				   "1024 KiB are missing");
	ck_assert_uint_eq(calls.nr_calls, 1);
	ck_assert_uint_eq(guest.nr_populated, 0);
}
END_TEST

START_TEST(every_hypercall_that_fails_ends_the_build_and_says_at_what)
{
	unsigned nr_calls;

	ck_assert_int_eq(execute(), 0);
	nr_calls = calls.nr_calls;
	ck_assert_uint_ge(nr_calls, 20);
	for (unsigned n = 1; n <= nr_calls; n++) {
		calls = (struct xencall_handle){
			.guest = &guest, .nr_free = 100000, .nr_buffers = 3, .fail_at = n
		};
		ck_assert_int_eq(execute(), -EIO);
		ck_assert_uint_eq(calls.nr_calls, n);
		ck_assert_msg(strstr(err.text, "domain 7") && strstr(err.text, "error"), "%s",
			      err.text);
	}
}
END_TEST

START_TEST(without_memory_for_buffers_nothing_stays)
{
	struct lodge_target other;

	for (int n = 1; n <= 3; n++) {
		struct xencall_handle poor = { .buffers_fail_at = n };

		ck_assert_int_eq(lodge_target_init(&other, &poor, FAKE_DOMAIN, &err), -ENOMEM);
		ck_assert_int_eq(poor.nr_buffers, 0);
	}
}
END_TEST

UNIT_MAIN("build-target-lodge", setup, teardown, a_domain_gets_the_memory_that_the_plan_says,
	  store_and_console_have_ports_parameters_and_grants,
	  too_little_memory_is_refused_at_once_with_what_is_missing,
	  every_hypercall_that_fails_ends_the_build_and_says_at_what,
	  without_memory_for_buffers_nothing_stays)
