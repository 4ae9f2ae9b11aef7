/* Guests from their making to their end, by lodged's own protocol. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/sched.h"
#include "daemon/guest.h"
#include "lib/rpc.h"
#include "unit.h"
#include "world.h"

static const cJSON *create(const char *name, const char *more)
{
	return world_ok("{'verb':'create','xml':'%s'}", world_xml(name, more));
}

static void define(const char *name, const char *more)
{
	world_ok("{'verb':'define','xml':'%s'}", world_xml(name, more));
}

static const char *state_of(const char *name)
{
	const struct guest *g = guest_by_name(&lodged, name);

	return g ? guest_state_name(g) : "none";
}

static bool has_records(void)
{
	char command[300];

	snprintf(command, sizeof(command), "ls %s | grep -q .", world_path("state/state"));
	return !system(command);
}

/* No page, no node, no domain, no record. */
static void check_nothing_is_left(void)
{
	ck_assert_uint_eq(fake_nr_domains(), 0);
	ck_assert_uint_eq(fake_free_pages(), FAKE_PAGES);
	ck_assert_str_eq(node("/local/domain/1/name"), "");
	ck_assert_str_eq(node("/lodge/1/name"), "");
	ck_assert(list_is_empty(&lodged.guests));
	ck_assert(!has_records());
}

START_TEST(a_created_guest_runs_and_is_in_xenstore)
{
	const cJSON *record = create("web", "");

	ck_assert_str_eq(text_of(record, "state"), "running");
	ck_assert_int_eq(number_of(record, "id"), 1);
	ck_assert_uint_eq(fake_domain(1)->info.pause_count, 0);
	ck_assert_str_eq(node("/local/domain/1/name"), "web");
	ck_assert_str_eq(node("/local/domain/1/memory/target"), "65536");
	ck_assert_str_eq(node("/local/domain/1/cpu/0/availability"), "online");
	ck_assert_str_eq(node("/local/domain/1/store/port"), "1");
	ck_assert_str_eq(node("/local/domain/1/console/port"), "2");
	ck_assert_str_eq(node("/lodge/1/name"), "web");
}
END_TEST

START_TEST(a_destroyed_guest_leaves_nothing)
{
	create("web", "");
	world_ok("{'verb':'destroy','guest':'web'}");
	check_nothing_is_left();
}
END_TEST

START_TEST(the_end_of_a_forgotten_guest_can_be_asked_for)
{
	create("web", "");
	world_ok("{'verb':'destroy','guest':'web'}");
	ck_assert_str_eq(text_of(world_ok("{'verb':'why','guest':'web'}"), "reason"), "destroyed");
}
END_TEST

START_TEST(a_guest_that_is_created_paused_waits)
{
	world_ok("{'verb':'create','paused':true,'xml':'%s'}", world_xml("web", ""));
	ck_assert_uint_eq(fake_domain(1)->info.pause_count, 1);
	ck_assert_str_eq(state_of("web"), "paused");
	ck_assert_str_eq(world_code("{'verb':'pause','guest':'web'}"), "state");
	world_ok("{'verb':'resume','guest':'web'}");
	ck_assert_uint_eq(fake_domain(1)->info.pause_count, 0);
	ck_assert_str_eq(world_code("{'verb':'resume','guest':'web'}"), "state");
}
END_TEST

START_TEST(a_build_that_fails_anywhere_leaves_nothing)
{
	static const uint32_t ops[] = { LODGE_CONTROL_create, LODGE_CONTROL_NR,
					LODGE_CONTROL_unpause };

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		fake_fail(ops[i], -EIO);
		ck_assert_str_eq(world_code("{'verb':'create','xml':'%s'}", world_xml("web", "")),
				 "failed");
		check_nothing_is_left();
	}
	fake_fail(LODGE_CONTROL_set_scheduling, -EIO);
	ck_assert_str_eq(world_code("{'verb':'create','xml':'%s'}",
				    world_xml("web", "<cputune><shares>9</shares></cputune>")),
			 "failed");
	check_nothing_is_left();
}
END_TEST

START_TEST(a_guest_that_does_not_fit_is_refused)
{
	ck_assert_str_eq(world_code("{'verb':'create','xml':'%s'}",
				    world_xml("web", "<currentMemory unit=\\\"MiB\\\">64"
						     "</currentMemory>")),
			 "ok");
	fake_fail(LODGE_CONTROL_NR, -ENOMEM);
	ck_assert_str_eq(world_code("{'verb':'create','xml':'%s'}", world_xml("b", "")),
			 "no-memory");
	ck_assert_uint_eq(fake_nr_domains(), 1);
}
END_TEST

START_TEST(a_record_that_cannot_be_written_fails_the_build)
{
	char away[300];

	snprintf(away, sizeof(away), "%s", world_path("away"));
	ck_assert_int_eq(rename(world_path("state/state"), away), 0);
	ck_assert_str_eq(world_code("{'verb':'create','xml':'%s'}", world_xml("web", "")),
			 "failed");
	ck_assert_int_eq(rename(away, world_path("state/state")), 0);
	check_nothing_is_left();
}
END_TEST

START_TEST(a_kernel_that_is_missing_is_named)
{
	cJSON *reply;

	unlink(world_path("kernel"));
	reply = world_call("{'verb':'create','xml':'%s'}", world_xml("web", ""));
	ck_assert_str_eq(text_of(reply, "code"), "failed");
	ck_assert_ptr_nonnull(strstr(text_of(reply, "error"), world_path("kernel")));
	cJSON_Delete(reply);
	check_nothing_is_left();
}
END_TEST

START_TEST(a_name_or_a_uuid_in_use_is_refused)
{
	static const char uuid[] = "<uuid>11111111-2222-3333-4444-555555555555</uuid>";

	create("web", uuid);
	ck_assert_str_eq(world_code("{'verb':'create','xml':'%s'}", world_xml("web", "")),
			 "exists");
	ck_assert_str_eq(world_code("{'verb':'create','xml':'%s'}", world_xml("db", uuid)),
			 "exists");
	ck_assert_uint_eq(fake_nr_domains(), 1);
}
END_TEST

START_TEST(mistakes_in_the_xml_are_told_with_their_places)
{
	cJSON *reply =
		world_call("{'verb':'create','file':'a.xml','xml':'<domain><bad/></domain>'}");
	const cJSON *details = cJSON_GetObjectItem(reply, "details");

	ck_assert_str_eq(text_of(reply, "code"), "invalid");
	ck_assert_int_gt(cJSON_GetArraySize(details), 0);
	ck_assert_ptr_nonnull(strstr(cJSON_GetArrayItem(details, 0)->valuestring, "a.xml:1:"));
	cJSON_Delete(reply);
}
END_TEST

START_TEST(a_guest_that_is_destroyed_while_it_is_built_leaves_nothing)
{
	const struct guest *g;
	struct err err;

	fake_slow_down(50);
	define("web", "");
	g = guest_by_name(&lodged, "web");
	ck_assert_int_eq(guest_start(guest_by_name(&lodged, "web"),
				     &(struct start_request){ .config = g->defined }, &err),
			 0);
	ck_assert_str_eq(state_of("web"), "building");
	world_ok("{'verb':'destroy','guest':'web'}");
	ck_assert_str_eq(state_of("web"), "shut-off");
	ck_assert_uint_eq(fake_nr_domains(), 0);
}
END_TEST

static void end(uint32_t domain, uint32_t reason)
{
	fake_shut_down(domain, reason);
	guests_look(&lodged);
}

START_TEST(a_guest_that_powers_off_is_forgotten_or_shut_off)
{
	create("web", "");
	define("db", "");
	world_ok("{'verb':'start','guest':'db'}");
	end(1, SHUTDOWN_poweroff);
	end(2, SHUTDOWN_poweroff);
	world_until(!strcmp(state_of("db"), "shut-off") && !guest_by_name(&lodged, "web"));
	ck_assert_uint_eq(fake_nr_domains(), 0);
	ck_assert_str_eq(text_of(world_ok("{'verb':'why','guest':'db'}"), "reason"), "poweroff");
}
END_TEST

START_TEST(a_guest_that_reboots_runs_again_as_another_domain)
{
	create("web", "");
	end(1, SHUTDOWN_reboot);
	world_until(fake_domain(2) && !strcmp(state_of("web"), "running"));
	ck_assert_ptr_null(fake_domain(1));
	ck_assert_str_eq(node("/local/domain/1/name"), "");
	ck_assert_str_eq(node("/local/domain/2/name"), "web");
}
END_TEST

START_TEST(a_guest_whose_next_start_fails_is_tried_again)
{
	create("web", "");
	fake_fail(LODGE_CONTROL_NR, -ENOMEM);
	end(1, SHUTDOWN_reboot);
	world_until(fake_domain(3) && !strcmp(state_of("web"), "running"));
	ck_assert_uint_eq(fake_nr_domains(), 1);
}
END_TEST

START_TEST(a_guest_that_crashes_at_once_is_not_restarted_at_once_for_ever)
{
	create("web", "<on_crash>restart</on_crash>");
	end(1, SHUTDOWN_crash);
	world_until(fake_domain(2) && !strcmp(state_of("web"), "running"));
	end(2, SHUTDOWN_crash);
	world_until(!fake_domain(2) && !strcmp(state_of("web"), "shut-off"));
	for (int i = 0; i < 30; i++)
		world_turn();
	ck_assert_ptr_null(fake_domain(3));
	world_until(fake_domain(3));
}
END_TEST

START_TEST(a_crash_is_described_with_its_vcpus)
{
	const cJSON *why;

	create("web", "<on_crash>preserve</on_crash>");
	strcpy(fake_domain(1)->info.crash_reason, "triple fault");
	end(1, SHUTDOWN_crash);
	ck_assert_str_eq(state_of("web"), "crashed");
	why = world_ok("{'verb':'why','guest':'web'}");
	ck_assert_str_eq(text_of(why, "reason"), "crash");
	ck_assert_str_eq(text_of(why, "action"), "preserve");
	ck_assert_ptr_nonnull(strstr(text_of(why, "text"), "triple fault"));
	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(why, "vcpus")), 1);
	ck_assert_ptr_nonnull(fake_domain(1));
	ck_assert_str_eq(world_code("{'verb':'start','guest':'web'}"), "state");
	world_ok("{'verb':'destroy','guest':'web'}");
	ck_assert_str_eq(text_of(world_ok("{'verb':'why','guest':'web'}"), "reason"), "crash");
	check_nothing_is_left();
}
END_TEST

START_TEST(rename_restart_keeps_the_old_one_beside_the_new)
{
	create("web", "<on_crash>rename-restart</on_crash>");
	end(1, SHUTDOWN_crash);
	world_until(fake_domain(2) && !strcmp(state_of("web"), "running"));
	ck_assert_str_eq(state_of("web-1"), "crashed");
	ck_assert_ptr_nonnull(fake_domain(1));
	world_ok("{'verb':'destroy','guest':'web-1'}");
	ck_assert_ptr_null(fake_domain(1));
	ck_assert_str_eq(state_of("web"), "running");
}
END_TEST

START_TEST(coredump_destroy_leaves_a_file_and_no_domain)
{
	char command[300];

	create("web", "<on_crash>coredump-destroy</on_crash>");
	end(1, SHUTDOWN_crash);
	world_until(!fake_domain(1) && !guest_by_name(&lodged, "web"));
	snprintf(command, sizeof(command), "ls %s | grep -q '^web-.*core$'",
		 world_path("state/dump"));
	ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(a_guest_that_crashes_again_and_again_leaves_few_dumps)
{
	char command[600];

	snprintf(command, sizeof(command),
		 "cd %s && touch web-2026-01-01T00:00:00Z.core web-2026-01-02T00:00:00Z.core "
		 "web-2026-01-03T00:00:00Z.core web-1-2026-01-04T00:00:00Z.core",
		 world_path("state/dump"));
	ck_assert_int_eq(system(command), 0);
	for (uint32_t domain = 1; domain < 4; domain++) {
		create("web", "<on_crash>coredump-destroy</on_crash>");
		end(domain, SHUTDOWN_crash);
		world_until(!fake_domain(domain) && !guest_by_name(&lodged, "web"));
		snprintf(command, sizeof(command), "[ $(ls %s | grep -c '^web-2') = 4 ]",
			 world_path("state/dump"));
		ck_assert_int_eq(system(command), 0);
	}
}
END_TEST

/* In a folder where everybody makes files, as /tmp. */
START_TEST(a_dump_goes_into_no_file_that_is_there)
{
	int fd = open(world_path("web.core.new"), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	struct stat s;

	ck_assert_int_ge(fd, 0);
	create("web", "");
	world_ok("{'verb':'dump-core','guest':'web','path':'%s'}", world_path("web.core"));
	ck_assert_int_eq(stat(world_path("web.core"), &s), 0);
	ck_assert_int_gt(s.st_size, 0);
	ck_assert_int_eq(fstat(fd, &s), 0);
	ck_assert_int_eq(s.st_size, 0);
	close(fd);
}
END_TEST

START_TEST(shutdown_asks_and_waits)
{
	create("web", "");
	world_ok("{'verb':'shutdown','guest':'web'}");
	ck_assert_str_eq(node("/local/domain/1/control/shutdown"), "poweroff");
	ck_assert_str_eq(state_of("web"), "shutting-down");
	ck_assert_str_eq(world_code("{'verb':'shutdown','guest':'web','wait_s':1}"), "timeout");
	ck_assert_str_eq(world_code("{'verb':'shutdown','guest':'web','mode':'suspend'}"),
			 "invalid");
}
END_TEST

START_TEST(an_order_to_power_off_beats_on_poweroff_restart)
{
	create("web", "<on_poweroff>restart</on_poweroff>");
	world_ok("{'verb':'shutdown','guest':'web'}");
	end(1, SHUTDOWN_poweroff);
	world_until(!guest_by_name(&lodged, "web"));
	check_nothing_is_left();
}
END_TEST

START_TEST(what_is_not_running_cannot_be_changed)
{
	static const char *const verbs[] = { "pause", "resume", "shutdown", "destroy", "sysrq" };

	define("web", "");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		ck_assert_str_eq(world_code("{'verb':'%s','guest':'web','key':'h'}", verbs[i]),
				 "state");
	ck_assert_str_eq(world_code("{'verb':'set-memory','guest':'web','kib':4096,'live':true}"),
			 "state");
}
END_TEST

START_TEST(wrong_requests_are_refused)
{
	ck_assert_str_eq(world_code("{'verb':'fly'}"), "usage");
	ck_assert_str_eq(world_code("{}"), "usage");
	ck_assert_str_eq(world_code("{'verb':'info'}"), "invalid");
	ck_assert_str_eq(world_code("{'verb':'info','guest':'web'}"), "not-found");
	ck_assert_str_eq(world_code("{'verb':'create'}"), "invalid");
	create("web", "");
	ck_assert_str_eq(world_code("{'verb':'set-memory','guest':'web','kib':-1}"), "invalid");
	ck_assert_str_eq(world_code("{'verb':'set-memory','guest':'web'}"), "invalid");
	ck_assert_str_eq(world_code("{'verb':'set-vcpus','guest':'web','count':2}"), "invalid");
	ck_assert_str_eq(world_code("{'verb':'pin','guest':'web','cpus':'x'}"), "invalid");
	ck_assert_str_eq(world_code("{'verb':'sysrq','guest':'web','key':'ab'}"), "invalid");
	ck_assert_str_eq(world_code("{'verb':'wait','guest':'web','for':'rain'}"), "invalid");
	ck_assert_str_eq(world_code("{'verb':'rename','guest':'web','to':'a/b'}"), "state");
}
END_TEST

START_TEST(names_that_would_be_misunderstood_are_refused)
{
	static const char *const names[] = { "a\xc2\x9bj",
					     "a\xff",
					     "a\xc3",
					     "",
					     "a/b",
					     "7",
					     "a b",
					     " ",
					     ".hidden",
					     "a\tb",
					     "11111111-2222-3333-4444-555555555555" };
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		ck_assert_int_eq(guest_check_name(names[i], &err), -EINVAL);
	ck_assert_int_eq(guest_check_name("web-1.example", &err), 0);
	ck_assert_int_eq(guest_check_name("b\xc3\xbc"
					  "cher",
					  &err),
			 0);
}
END_TEST

START_TEST(a_guest_is_found_by_name_uuid_and_domain)
{
	char uuid[40];

	snprintf(uuid, sizeof(uuid), "%s", text_of(create("web", ""), "uuid"));
	ck_assert_int_eq(number_of(world_ok("{'verb':'info','guest':'%s'}", uuid), "id"), 1);
	ck_assert_int_eq(number_of(world_ok("{'verb':'info','guest':'1'}"), "id"), 1);
	ck_assert_int_eq(number_of(world_ok("{'verb':'info','guest':1}"), "id"), 1);
}
END_TEST

START_TEST(memory_vcpus_weight_and_pins_reach_the_hypervisor)
{
	create("web", "<vcpu>2</vcpu>");
	world_ok("{'verb':'set-memory','guest':'web','kib':32768}");
	ck_assert_str_eq(node("/local/domain/1/memory/target"), "32768");
	world_ok("{'verb':'set-vcpus','guest':'web','count':1}");
	ck_assert_str_eq(node("/local/domain/1/cpu/1/availability"), "offline");
	world_ok("{'verb':'sched','guest':'web','weight':512,'cap':50}");
	ck_assert_uint_eq(fake_domain(1)->weight, 512);
	ck_assert_uint_eq(fake_domain(1)->cap, 50);
	world_ok("{'verb':'pin','guest':'web','vcpu':null,'cpus':'1'}");
	ck_assert_uint_eq(fake_domain(1)->affinity[0], 2);
	ck_assert_str_eq(text_of(world_ok("{'verb':'info','guest':'web'}"), "affinity"), "1");
}
END_TEST

START_TEST(a_definition_is_kept_renamed_and_undefined)
{
	define("web", "");
	ck_assert_str_eq(world_code("{'verb':'rename','guest':'web','to':'shop'}"), "ok");
	ck_assert_str_eq(state_of("web"), "none");
	world_ok("{'verb':'autostart','guest':'shop','on':true}");
	ck_assert_ptr_nonnull(strstr(text_of(world_ok("{'verb':'dumpxml','guest':'shop'}"), "xml"),
				     "auto=\"yes\""));
	world_ok("{'verb':'undefine','guest':'shop'}");
	check_nothing_is_left();
}
END_TEST

START_TEST(a_running_guest_that_is_undefined_becomes_transient)
{
	define("web", "");
	world_ok("{'verb':'start','guest':'web'}");
	world_ok("{'verb':'undefine','guest':'web'}");
	ck_assert_str_eq(state_of("web"), "running");
	world_ok("{'verb':'destroy','guest':'web'}");
	check_nothing_is_left();
}
END_TEST

START_TEST(the_host_s_end_ends_guests_and_starts_no_more)
{
	create("web", "<on_poweroff>restart</on_poweroff>");
	create("db", "");
	world_ok("{'verb':'host-stop','time_s':1}"); /* nobody heeds; so they are destroyed */
	check_nothing_is_left();
	ck_assert_str_eq(world_code("{'verb':'create','xml':'%s'}", world_xml("web", "")), "state");
}
END_TEST

/* A console's log with the text so often. */
static void write_log(const char *text, int nr)
{
	FILE *f = fopen(world_path("log/web.console"), "w");

	for (int i = 0; i < nr; i++)
		fputs(text, f);
	fclose(f);
}

START_TEST(the_end_of_a_log_is_told_quickly_however_long_it_is)
{
	const cJSON *lines;

	define("web", "");
	write_log("\"\n", 1 << 20);
	lines = cJSON_GetObjectItem(world_ok("{'verb':'log','guest':'web','lines':10000}"),
				    "lines");
	ck_assert_int_eq(cJSON_GetArraySize(lines), 10000);
	write_log(
		"\"--------------------------------------------------------------------------------"
		"--------------------------------------------------------------------------------\n",
		10000);
	lines = cJSON_GetObjectItem(world_ok("{'verb':'log','guest':'web','lines':10000}"),
				    "lines");
	ck_assert_int_gt(cJSON_GetArraySize(lines), 1000);
	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(
				 world_ok("{'verb':'log','guest':'web','lines':2}"), "lines")),
			 2);
}
END_TEST

START_TEST(a_list_tells_in_short_why_guests_ended)
{
	const cJSON *why;

	create("web", "<on_crash>preserve</on_crash>");
	end(1, SHUTDOWN_crash);
	why = cJSON_GetArrayItem(cJSON_GetObjectItem(world_ok("{'verb':'list'}"), "guests"), 0);
	why = cJSON_GetObjectItem(why, "why");
	ck_assert_str_eq(text_of(why, "reason"), "crash");
	ck_assert(!cJSON_HasObjectItem(why, "console") && !cJSON_HasObjectItem(why, "vcpus"));
	why = cJSON_GetObjectItem(world_ok("{'verb':'info','guest':'web'}"), "why");
	ck_assert(cJSON_HasObjectItem(why, "console") && cJSON_HasObjectItem(why, "vcpus"));
}
END_TEST

START_TEST(an_answer_that_is_too_long_is_an_error_and_not_the_end)
{
	char *text = malloc(RPC_LINE_MAX);

	create("web", "<on_crash>preserve</on_crash>");
	end(1, SHUTDOWN_crash);
	memset(text, 'x', RPC_LINE_MAX);
	text[RPC_LINE_MAX - 1] = '\0';
	cJSON_AddStringToObject(guest_by_name(&lodged, "web")->why, "more", text);
	free(text);
	ck_assert_str_eq(world_code("{'verb':'why','guest':'web'}"), "failed");
}
END_TEST

START_TEST(numbers_that_are_not_whole_or_too_large_are_refused)
{
	static const char *const numbers[] = { "1.5", "1.0000001", "-1", "1e300", "4294967297" };

	create("web", "");
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		ck_assert_str_eq(world_code("{'verb':'info','guest':%s}", numbers[i]), "invalid");
		ck_assert_str_eq(
			world_code("{'verb':'set-vcpus','guest':'web','count':%s}", numbers[i]),
			"invalid");
	}
	ck_assert_str_eq(world_code("{'verb':'set-memory','guest':'web','kib':32768.5}"),
			 "invalid");
	ck_assert_str_eq(world_code("{'verb':'set-memory','guest':'web','kib':null}"), "invalid");
	ck_assert_str_eq(world_code("{'verb':'log','guest':'web','lines':'7'}"), "invalid");
	ck_assert_str_eq(world_code("{'verb':'info','guest':1}"), "ok");
}
END_TEST

static void check_members(const cJSON *object)
{
	const cJSON *item, *other;

	cJSON_ArrayForEach(item, object)
	{
		for (other = item->next; item->string && other; other = other->next)
			ck_assert_str_ne(item->string, other->string);
		check_members(item);
	}
}

START_TEST(no_object_in_an_answer_has_a_member_twice)
{
	create("web", "<vcpu>2</vcpu>");
	check_members(world_ok("{'verb':'info','guest':'web'}"));
	check_members(world_ok("{'verb':'list'}"));
	check_members(world_ok("{'verb':'host'}"));
	check_members(world_ok("{'verb':'version'}"));
}
END_TEST

START_TEST(a_guest_that_cannot_be_renamed_keeps_its_name)
{
	char away[300], from[300];

	define("web", "");
	define("zoo", "");
	snprintf(away, sizeof(away), "%s", world_path("away"));
	snprintf(from, sizeof(from), "%s", world_path("state/domains"));
	ck_assert_int_eq(rename(from, away), 0);
	ck_assert_str_eq(world_code("{'verb':'rename','guest':'web','to':'shop'}"), "failed");
	ck_assert_int_eq(rename(away, from), 0);
	ck_assert_str_eq(state_of("shop"), "none");
	ck_assert_str_eq(state_of("web"), "shut-off");
	snprintf(from, sizeof(from), "%s", world_path("state/state"));
	ck_assert_int_eq(rename(from, away), 0);
	ck_assert_str_eq(world_code("{'verb':'rename','guest':'web','to':'shop'}"), "failed");
	ck_assert_int_eq(rename(away, from), 0);
	world_restart();
	ck_assert_str_eq(state_of("shop"), "none");
	ck_assert_str_eq(state_of("web"), "shut-off");
	world_ok("{'verb':'rename','guest':'web','to':'zzz'}");
	ck_assert_ptr_eq(list_last(&lodged.guests), &guest_by_name(&lodged, "zzz")->node);
}
END_TEST

START_TEST(a_guest_whose_pause_cannot_be_written_down_goes_on)
{
	char away[300], from[300];

	create("web", "");
	snprintf(away, sizeof(away), "%s", world_path("away"));
	snprintf(from, sizeof(from), "%s", world_path("state/state"));
	ck_assert_int_eq(rename(from, away), 0);
	ck_assert_str_eq(world_code("{'verb':'pause','guest':'web'}"), "failed");
	ck_assert_int_eq(rename(away, from), 0);
	ck_assert_uint_eq(fake_domain(1)->info.pause_count, 0);
	ck_assert_str_eq(state_of("web"), "running");
	world_ok("{'verb':'pause','guest':'web'}");
}
END_TEST

START_TEST(autostart_wants_to_be_told_which)
{
	define("web", "");
	world_ok("{'verb':'autostart','guest':'web','on':true}");
	ck_assert_str_eq(world_code("{'verb':'autostart','guest':'web'}"), "invalid");
	ck_assert_str_eq(world_code("{'verb':'autostart','guest':'web','on':'off'}"), "invalid");
	ck_assert(guest_by_name(&lodged, "web")->defined->d->autostart);
}
END_TEST

static void append_to_log(const char *text)
{
	FILE *f = fopen(world_path("log/web.console"), "ae");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static int nr_last_lines(void)
{
	const cJSON *why = world_ok("{'verb':'why','guest':'web'}");

	return cJSON_GetArraySize(cJSON_GetObjectItem(why, "console"));
}

START_TEST(why_a_guest_ended_has_no_lines_of_its_earlier_runs)
{
	append_to_log("of a run before\n");
	create("web", "");
	append_to_log("one\ntwo\n");
	world_restart();
	world_ok("{'verb':'destroy','guest':'web'}");
	ck_assert_int_eq(nr_last_lines(), 2);
	create("web", "");
	ck_assert_int_eq(unlink(world_path("log/web.console")), 0); /* rotated */
	append_to_log("three\n");
	world_ok("{'verb':'destroy','guest':'web'}");
	ck_assert_int_eq(nr_last_lines(), 1);
}
END_TEST

/* As long as a description may say. */
static void set_long_title(const char *name)
{
	struct domain_description *d = guest_by_name(&lodged, name)->defined->d;

	free(d->title);
	d->title = malloc(300001);
	ck_assert_ptr_nonnull(d->title);
	memset(d->title, 'x', 300000);
	d->title[300000] = '\0';
}

START_TEST(more_guests_than_an_answer_holds_are_listed_in_parts)
{
	const cJSON *result;

	for (char name[] = "a"; *name < 'e'; ++*name) {
		define(name, "");
		set_long_title(name);
	}
	result = world_ok("{'verb':'list','all':true}");
	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(result, "guests")), 2);
	ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(result, "more")));
	result = world_ok("{'verb':'list','all':true,'after':'b'}");
	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(result, "guests")), 2);
	ck_assert(!cJSON_HasObjectItem(result, "more"));
	ck_assert_str_eq(
		text_of(cJSON_GetArrayItem(cJSON_GetObjectItem(result, "guests"), 1), "name"), "d");
	result = world_ok("{'verb':'list','all':true,'after':'d'}");
	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(result, "guests")), 0);
}
END_TEST

UNIT_MAIN("daemon-life", world_setup, world_teardown, a_created_guest_runs_and_is_in_xenstore,
	  a_destroyed_guest_leaves_nothing, the_end_of_a_forgotten_guest_can_be_asked_for,
	  a_guest_that_is_created_paused_waits, a_build_that_fails_anywhere_leaves_nothing,
	  a_guest_that_does_not_fit_is_refused, a_record_that_cannot_be_written_fails_the_build,
	  a_kernel_that_is_missing_is_named, a_name_or_a_uuid_in_use_is_refused,
	  mistakes_in_the_xml_are_told_with_their_places,
	  a_guest_that_is_destroyed_while_it_is_built_leaves_nothing,
	  a_guest_that_powers_off_is_forgotten_or_shut_off,
	  a_guest_that_reboots_runs_again_as_another_domain,
	  a_guest_whose_next_start_fails_is_tried_again,
	  a_guest_that_crashes_at_once_is_not_restarted_at_once_for_ever,
	  a_crash_is_described_with_its_vcpus, rename_restart_keeps_the_old_one_beside_the_new,
	  coredump_destroy_leaves_a_file_and_no_domain, a_dump_goes_into_no_file_that_is_there,
	  a_guest_that_crashes_again_and_again_leaves_few_dumps, shutdown_asks_and_waits,
	  an_order_to_power_off_beats_on_poweroff_restart, what_is_not_running_cannot_be_changed,
	  wrong_requests_are_refused, names_that_would_be_misunderstood_are_refused,
	  a_guest_is_found_by_name_uuid_and_domain,
	  memory_vcpus_weight_and_pins_reach_the_hypervisor,
	  a_definition_is_kept_renamed_and_undefined,
	  a_running_guest_that_is_undefined_becomes_transient,
	  the_host_s_end_ends_guests_and_starts_no_more,
	  the_end_of_a_log_is_told_quickly_however_long_it_is,
	  a_list_tells_in_short_why_guests_ended,
	  an_answer_that_is_too_long_is_an_error_and_not_the_end,
	  numbers_that_are_not_whole_or_too_large_are_refused,
	  no_object_in_an_answer_has_a_member_twice, a_guest_that_cannot_be_renamed_keeps_its_name,
	  a_guest_whose_pause_cannot_be_written_down_goes_on, autostart_wants_to_be_told_which,
	  more_guests_than_an_answer_holds_are_listed_in_parts,
	  why_a_guest_ended_has_no_lines_of_its_earlier_runs)
