/* What a guest's CPUs and clocks are like, and what memory it is left with. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/domain.h"
#include "daemon/guest-clock.h"
#include "unit.h"
#include "world.h"

#define AES    BIT(25)
#define AVX    BIT(28)
#define BIT(n) (1u << (n))

#define FEATURE(policy, name) "<feature policy=\\\"" policy "\\\" name=\\\"" name "\\\"/>"

static const char *create(const char *more)
{
	return world_code("{'verb':'create','xml':'%s'}", world_xml("web", more));
}

/* Refused before anything is made: the next domain is the first. */
static void check_refused(const char *more)
{
	ck_assert_str_eq(create(more), "invalid");
	ck_assert_uint_eq(fake_nr_domains(), 0);
	ck_assert_str_eq(world_code("{'verb':'info','guest':'web'}"), "not-found");
}

START_TEST(features_are_hidden_and_required_by_their_policy)
{
	const struct fake_domain *d;

	ck_assert_str_eq(create("<cpu>" FEATURE("disable", "aes") FEATURE("require", "avx")
					FEATURE("force", "pni") FEATURE("optional", "rdrand")
						FEATURE("forbid", "sha-ni")
							FEATURE("disable", "svm") "</cpu>"),
			 "ok");
	d = fake_domain(1);
	ck_assert_uint_eq(d->nr_changes, 1);
	ck_assert_uint_eq(d->changes[0].leaf, 1);
	ck_assert_uint_eq(d->changes[0].hide[2], AES);
	ck_assert_uint_eq(d->changes[0].need[2], AVX | BIT(0));
	ck_assert_uint_eq(d->changes[0].hide[3] | d->changes[0].need[3], 0);
}
END_TEST

START_TEST(each_leaf_is_changed_once)
{
	const struct fake_domain *d;

	ck_assert_str_eq(create("<cpu>" FEATURE("disable", "aes") FEATURE("disable", "avx2")
					FEATURE("disable", "pni") "</cpu>"),
			 "ok");
	d = fake_domain(1);
	ck_assert_uint_eq(d->nr_changes, 2);
	ck_assert_uint_eq(d->changes[0].hide[2], AES | BIT(0));
	ck_assert_uint_eq(d->changes[1].leaf, 7);
	ck_assert_uint_eq(d->changes[1].hide[1], BIT(5));
}
END_TEST

START_TEST(a_guest_that_names_no_feature_is_left_as_it_is)
{
	ck_assert_str_eq(create("<cpu mode=\\\"host-passthrough\\\"/>"), "ok");
	ck_assert_uint_eq(fake_domain(1)->nr_changes, 0);
	ck_assert_uint_eq(fake_domain(1)->tsc_hz, 0);
	ck_assert_int_eq(fake_domain(1)->clock_offset_s, 0);
}
END_TEST

START_TEST(what_the_host_cannot_do_is_refused_before_anything_is_made)
{
	check_refused("<cpu>" FEATURE("require", "rdrand") "</cpu>");
	check_refused("<cpu>" FEATURE("force", "svm") "</cpu>");
	check_refused("<cpu>" FEATURE("require", "avx-vnni") "</cpu>");
	check_refused("<cpu>" FEATURE("forbid", "aes") "</cpu>");
	check_refused("<cpu>" FEATURE("disable", "x2apic") "</cpu>");
	check_refused("<clock><timer name=\\\"tsc\\\" mode=\\\"native\\\" "
		      "frequency=\\\"1000000000\\\"/></clock>");
	check_refused("<clock offset=\\\"timezone\\\" timezone=\\\"Nowhere/Never\\\"/>");
	ck_assert_str_eq(create(""), "ok");
	ck_assert_ptr_nonnull(fake_domain(1));
}
END_TEST

START_TEST(features_that_contradict_each_other_leave_nothing)
{
	fake_fail(LODGE_CONTROL_set_cpuid, -EOPNOTSUPP);
	check_refused("<cpu>" FEATURE("require", "avx") FEATURE("disable", "xsave") "</cpu>");
}
END_TEST

START_TEST(the_host_tells_its_guests_features_by_name)
{
	const cJSON *names = cJSON_GetObjectItem(world_ok("{'verb':'host'}"), "features");

	ck_assert_int_eq(cJSON_GetArraySize(names), 6);
	ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetArrayItem(names, 0)), "pni");
	ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetArrayItem(names, 5)), "avx2");
}
END_TEST

START_TEST(a_counter_is_emulated_only_where_the_hosts_will_not_do)
{
	static const struct {
		enum tsc_mode mode;
		uint64_t hz, emulated; /* UINT64_MAX: refused */
	} cases[] = {
		{ TSC_AUTO, 0, 0 },
		{ TSC_AUTO, 2000100000, 0 }, /* near enough */
		{ TSC_AUTO, 2000300000, 2000300000 },
		{ TSC_AUTO, 1000000, 1000000 },
		{ TSC_NATIVE, 0, 0 },
		{ TSC_NATIVE, 1999999999, 0 },
		{ TSC_NATIVE, 1900000000, UINT64_MAX },
		{ TSC_PARAVIRT, 2000000000, 0 },
		{ TSC_PARAVIRT, 1900000000, UINT64_MAX },
		{ TSC_EMULATE, 0, 2000000000 },
		{ TSC_EMULATE, 2000000001, 2000000001 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct domain_description d = { .tsc_mode = cases[i].mode, .tsc_hz = cases[i].hz };
		uint64_t hz = UINT64_MAX;
		struct err err;
		int ret = guest_clock_tsc(&d, 2000000000, &hz, &err);

		ck_assert_int_eq(ret, cases[i].emulated == UINT64_MAX ? -EINVAL : 0);
		ck_assert_uint_eq(hz, cases[i].emulated);
	}
	ck_assert_str_eq(create("<clock><timer name=\\\"tsc\\\" frequency=\\\"1000000000\\\"/>"
				"</clock>"),
			 "ok");
	ck_assert_uint_eq(fake_domain(1)->tsc_hz, 1000000000);
}
END_TEST

static int64_t offset(enum clock_offset clock, enum clock_basis basis, int64_t adjustment_s)
{
	char zone[] = "Etc/GMT-3"; /* three hours east */
	struct domain_description d = {
		.clock = clock,
		.clock_basis = basis,
		.clock_adjustment_s = adjustment_s,
		.clock_zone = zone,
	};
	int64_t offset_s = INT64_MIN;
	struct err err;

	ck_assert_int_eq(guest_clock_offset(&d, 1000000000, &offset_s, &err), 0);
	return offset_s;
}

START_TEST(a_clock_differs_from_utc_as_its_description_says)
{
	setenv("TZ", "XYZ5", 1); /* five hours west */
	ck_assert_int_eq(offset(CLOCK_UTC, CLOCK_BASIS_UTC, 0), 0);
	ck_assert_int_eq(offset(CLOCK_LOCALTIME, CLOCK_BASIS_UTC, 0), -18000);
	ck_assert_int_eq(offset(CLOCK_VARIABLE, CLOCK_BASIS_UTC, -90), -90);
	ck_assert_int_eq(offset(CLOCK_VARIABLE, CLOCK_BASIS_LOCALTIME, 90), -17910);
	ck_assert_int_eq(offset(CLOCK_TIMEZONE, CLOCK_BASIS_UTC, 0), 10800);
	ck_assert_str_eq(getenv("TZ"), "XYZ5"); /* and our own zone is as it was */
	ck_assert_int_eq(offset(CLOCK_LOCALTIME, CLOCK_BASIS_UTC, 0), -18000);
	ck_assert_str_eq(create("<clock offset=\\\"variable\\\" adjustment=\\\"-3600\\\"/>"), "ok");
	ck_assert_int_eq(fake_domain(1)->clock_offset_s, -3600);
}
END_TEST

START_TEST(a_balloon_is_never_asked_to_go_below_what_was_guaranteed)
{
	ck_assert_str_eq(create("<memtune><min_guarantee unit=\\\"MiB\\\">48</min_guarantee>"
				"</memtune>"),
			 "ok");
	ck_assert_str_eq(world_code("{'verb':'set-memory','guest':'web','kib':49151}"), "invalid");
	ck_assert_str_eq(node("/local/domain/1/memory/target"), "65536");
	world_ok("{'verb':'set-memory','guest':'web','kib':49152}");
	ck_assert_str_eq(node("/local/domain/1/memory/target"), "49152");
}
END_TEST

UNIT_MAIN("daemon-guest-kind", world_setup, world_teardown,
	  features_are_hidden_and_required_by_their_policy, each_leaf_is_changed_once,
	  a_guest_that_names_no_feature_is_left_as_it_is,
	  what_the_host_cannot_do_is_refused_before_anything_is_made,
	  features_that_contradict_each_other_leave_nothing,
	  the_host_tells_its_guests_features_by_name,
	  a_counter_is_emulated_only_where_the_hosts_will_not_do,
	  a_clock_differs_from_utc_as_its_description_says,
	  a_balloon_is_never_asked_to_go_below_what_was_guaranteed)
