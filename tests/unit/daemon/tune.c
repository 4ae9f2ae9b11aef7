/* Verbs that change memory, vCPUs and CPU time: of what runs, of the definition, or of both. */
#include <stdio.h>
#include <string.h>

#include "abi/sched.h"
#include "daemon/guest.h"
#include "unit.h"
#include "world.h"

static const char more[] = "<vcpu current=\\\"1\\\">2</vcpu>";

static void define(void)
{
	world_ok("{'verb':'define','xml':'%s'}", world_xml("web", more));
}

static void define_and_start(void)
{
	define();
	world_ok("{'verb':'start','guest':'web'}");
}

/* The XML of what runs, or of the definition. */
static bool has(bool is_inactive, const char *words)
{
	const cJSON *result = world_ok("{'verb':'dumpxml','guest':'web','inactive':%s}",
				       is_inactive ? "true" : "false");

	return strstr(text_of(result, "xml"), words) != NULL;
}

START_TEST(what_runs_changes_and_the_definition_does_not)
{
	define_and_start();
	world_ok("{'verb':'set-memory','guest':'web','kib':32768}");
	world_ok("{'verb':'set-vcpus','guest':'web','count':2}");
	world_ok("{'verb':'sched','guest':'web','weight':9,'cap':50}");
	world_ok("{'verb':'pin','guest':'web','vcpu':1,'cpus':'1'}");
	ck_assert_str_eq(node("/local/domain/1/memory/target"), "32768");
	ck_assert_str_eq(node("/local/domain/1/cpu/1/availability"), "online");
	ck_assert_uint_eq(fake_domain(1)->weight, 9);
	ck_assert(has(false, "32768") && has(false, "<shares>9<") && has(false, "vcpupin"));
	ck_assert(!has(true, "32768") && !has(true, "<shares>9<") && !has(true, "vcpupin"));
	ck_assert(has(true, "current=\"1\""));
}
END_TEST

START_TEST(it_stays_so_for_the_next_lodged_and_when_the_guest_reboots)
{
	define_and_start();
	world_ok("{'verb':'set-vcpus','guest':'web','count':2}");
	world_ok("{'verb':'sched','guest':'web','weight':9}");
	world_restart();
	ck_assert(has(false, "<shares>9<") && has(true, "current=\"1\""));
	fake_shut_down(1, SHUTDOWN_reboot);
	guests_look(&lodged);
	world_until(fake_domain(2) &&
		    !strcmp(guest_state_name(guest_by_name(&lodged, "web")), "running"));
	ck_assert_uint_eq(fake_domain(2)->weight, 9);
	ck_assert_str_eq(node("/local/domain/2/cpu/1/availability"), "online");
}
END_TEST

START_TEST(a_transient_guest_stays_changed_for_the_next_lodged)
{
	world_ok("{'verb':'create','xml':'%s'}", world_xml("web", more));
	world_ok("{'verb':'sched','guest':'web','weight':9}");
	world_restart();
	ck_assert(has(false, "<shares>9<"));
}
END_TEST

START_TEST(config_changes_the_definition_and_not_what_runs)
{
	define_and_start();
	world_ok("{'verb':'set-memory','guest':'web','kib':32768,'config':true}");
	world_ok("{'verb':'set-vcpus','guest':'web','count':2,'config':true}");
	ck_assert_str_eq(node("/local/domain/1/memory/target"), "65536");
	ck_assert_str_eq(node("/local/domain/1/cpu/1/availability"), "offline");
	world_restart();
	ck_assert(has(true, "32768") && !has(false, "32768"));
	ck_assert(!has(true, "current=\"1\"") && has(false, "current=\"1\""));
}
END_TEST

START_TEST(both_can_be_changed_at_once)
{
	define_and_start();
	world_ok("{'verb':'sched','guest':'web','cap':50,'config':true,'live':true}");
	ck_assert(has(true, "<global_quota>50000<") && has(false, "<global_quota>50000<"));
	world_ok("{'verb':'pin','guest':'web','cpus':'1','config':true,'live':true}");
	ck_assert(has(true, "cpuset=\"1\"") && has(false, "cpuset=\"1\""));
	world_ok("{'verb':'pin','guest':'web','cpus':'0-255','config':true,'live':true}");
	world_ok("{'verb':'pin','guest':'web','vcpu':0,'cpus':'1','config':true,'live':true}");
	ck_assert(has(false, "vcpupin") && has(true, "vcpupin"));
	world_ok("{'verb':'pin','guest':'web','vcpu':0,'cpus':'0-255','config':true,'live':true}");
	ck_assert(!has(false, "vcpupin") && !has(true, "vcpupin"));
	ck_assert(!has(true, "cpuset") && !has(false, "cpuset"));
}
END_TEST

START_TEST(of_a_guest_that_is_off_the_definition_changes)
{
	define();
	world_ok("{'verb':'set-memory','guest':'web','kib':32768}");
	ck_assert_int_eq(number_of(world_ok("{'verb':'sched','guest':'web'}"), "weight"), 256);
	ck_assert_int_eq(number_of(world_ok("{'verb':'sched','guest':'web','weight':9}"), "weight"),
			 9);
	world_restart();
	ck_assert(has(true, "32768") && has(true, "<shares>9<"));
}
END_TEST

START_TEST(more_than_the_description_allows_is_refused)
{
	static const char *const wrong[] = {
		"'verb':'set-memory','kib':65540",
		"'verb':'set-memory','kib':0",
		"'verb':'set-vcpus','count':3",
		"'verb':'set-vcpus','count':0",
		"'verb':'pin','vcpu':2,'cpus':'1'",
		"'verb':'sched','weight':0",
		"'verb':'set-vcpus','count':3,'config':true",
	};
	char request[128];

	define_and_start();
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(request, sizeof(request), "%s", wrong[i]);
		for (char *c = request; *c; c++)
			*c = *c == '\'' ? '"' : *c;
		ck_assert_str_eq(world_code("{'guest':'web',%s}", request), "invalid");
	}
	world_ok("{'verb':'create','xml':'%s'}", world_xml("db", ""));
	ck_assert_str_eq(world_code("{'verb':'sched','guest':'db','weight':9,'config':true}"),
			 "state");
}
END_TEST

START_TEST(a_new_definition_leaves_what_runs_for_the_next_lodged)
{
	define_and_start();
	world_ok("{'verb':'define','xml':'%s'}",
		 world_xml("web", "<cputune><shares>9</shares></cputune>"));
	world_restart();
	ck_assert(has(true, "<shares>9<") && !has(false, "<shares>9<"));
	ck_assert(has(false, "current=\"1\""));
}
END_TEST

START_TEST(apply_changes_the_texts_of_what_runs)
{
	define_and_start();
	world_ok("{'verb':'apply','xml':'%s'}",
		 world_xml("web", "<title>new</title><vcpu current=\\\"1\\\">2</vcpu>"));
	ck_assert_str_eq(text_of(world_ok("{'verb':'info','guest':'web'}"), "title"), "new");
	world_restart();
	ck_assert_str_eq(text_of(world_ok("{'verb':'info','guest':'web'}"), "title"), "new");
}
END_TEST

UNIT_MAIN("daemon-tune", world_setup, world_teardown, what_runs_changes_and_the_definition_does_not,
	  it_stays_so_for_the_next_lodged_and_when_the_guest_reboots,
	  a_transient_guest_stays_changed_for_the_next_lodged,
	  config_changes_the_definition_and_not_what_runs, both_can_be_changed_at_once,
	  of_a_guest_that_is_off_the_definition_changes,
	  more_than_the_description_allows_is_refused,
	  a_new_definition_leaves_what_runs_for_the_next_lodged,
	  apply_changes_the_texts_of_what_runs)
