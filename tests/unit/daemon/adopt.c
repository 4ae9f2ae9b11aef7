/* What a new lodged finds of an earlier one. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "abi/sched.h"
#include "daemon/guest.h"
#include "daemon/record.h"
#include "unit.h"
#include "world.h"

static void create(const char *name, const char *more)
{
	world_ok("{'verb':'create','xml':'%s'}", world_xml(name, more));
}

static const char *state_of(const char *name)
{
	const struct guest *g = guest_by_name(&lodged, name);

	return g ? guest_state_name(g) : "none";
}

START_TEST(running_guests_are_found_again)
{
	char uuid[40];

	create("web", "");
	world_ok("{'verb':'create','paused':true,'xml':'%s'}", world_xml("db", ""));
	snprintf(uuid, sizeof(uuid), "%s",
		 text_of(world_ok("{'verb':'info','guest':'web'}"), "uuid"));
	world_restart();
	ck_assert_str_eq(state_of("web"), "running");
	ck_assert_str_eq(state_of("db"), "paused");
	ck_assert_str_eq(text_of(world_ok("{'verb':'info','guest':'1'}"), "uuid"), uuid);
	ck_assert_uint_eq(fake_domain(1)->info.pause_count, 0);
	ck_assert_uint_eq(fake_domain(2)->info.pause_count, 1);
	world_ok("{'verb':'destroy','guest':'web'}");
	world_ok("{'verb':'destroy','guest':'db'}");
	ck_assert_uint_eq(fake_nr_domains(), 0);
}
END_TEST

START_TEST(definitions_survive_with_everything_in_them)
{
	char *before;

	world_ok("{'verb':'define','xml':'%s'}",
		 world_xml("web", "<vcpu>3</vcpu><on_crash>restart</on_crash>"));
	before = strdup(text_of(world_ok("{'verb':'dumpxml','guest':'web'}"), "xml"));
	world_restart();
	ck_assert_str_eq(text_of(world_ok("{'verb':'dumpxml','guest':'web'}"), "xml"), before);
	ck_assert_str_eq(state_of("web"), "shut-off");
	free(before);
}
END_TEST

START_TEST(a_guest_that_ended_meanwhile_is_dealt_with)
{
	create("web", "<on_crash>preserve</on_crash>");
	create("db", "");
	world_stop();
	fake_shut_down(1, SHUTDOWN_crash);
	fake_shut_down(2, SHUTDOWN_reboot);
	world_start();
	world_until(fake_domain(3) && !strcmp(state_of("db"), "running"));
	ck_assert_str_eq(state_of("web"), "crashed");
}
END_TEST

START_TEST(a_preserved_guest_stays_preserved)
{
	create("web", "<on_poweroff>preserve</on_poweroff>");
	fake_shut_down(1, SHUTDOWN_poweroff);
	guests_look(&lodged);
	world_restart();
	ck_assert_str_eq(state_of("web"), "shut-off");
	ck_assert_int_eq(number_of(world_ok("{'verb':'info','guest':'web'}"), "id"), 1);
	world_ok("{'verb':'destroy','guest':'web'}");
	ck_assert_uint_eq(fake_nr_domains(), 0);
}
END_TEST

START_TEST(a_guest_whose_domain_is_gone_is_off_and_says_so)
{
	world_ok("{'verb':'define','xml':'%s'}", world_xml("web", ""));
	world_ok("{'verb':'start','guest':'web'}");
	create("db", "");
	world_stop();
	fake_hypervisor_reset(); /* as after a restart of the host */
	world_start();
	ck_assert_str_eq(state_of("web"), "shut-off");
	ck_assert_str_eq(state_of("db"), "none");
	ck_assert_str_eq(text_of(world_ok("{'verb':'why','guest':'web'}"), "reason"), "destroyed");
	ck_assert_str_eq(node("/local/domain/1/name"), "");
}
END_TEST

START_TEST(another_domain_of_that_id_is_not_taken_for_the_guest)
{
	create("web", "");
	world_stop();
	fake_domain(1)->info.uuid[0] ^= 1;
	fake_domain(1)->info.cpu_time_ns = 1;
	world_start();
	ck_assert_str_eq(state_of("web"), "none");
	ck_assert_ptr_nonnull(fake_domain(1)); /* it runs, and is somebody's */
}
END_TEST

START_TEST(half_built_domains_are_destroyed)
{
	struct hypervisor *hv = fake_hypervisor_open(NULL);
	struct domain_limits limits = { .uuid = { 7 }, .max_pages = 5, .nr_vcpus = 1 };
	uint32_t domain;

	world_stop();
	ck_assert_int_eq(hypervisor_create(hv, &limits, &domain), 0);
	hypervisor_close(hv);
	world_start();
	ck_assert_uint_eq(fake_nr_domains(), 0);
}
END_TEST

static void write_vm(const char *uuid)
{
	struct batch b;
	struct err err;

	batch_init(&b);
	batch_at(&b, "/vm/%s", uuid);
	batch_write(&b, "name", "x");
	ck_assert_int_eq(nodes_run(lodged.nodes, &b, false, &err), 0);
	batch_fini(&b);
}

static void touch(const char *name)
{
	FILE *f = fopen(world_path(name), "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(what_a_lodged_that_was_killed_has_left_is_removed)
{
	char uuid[37], path[64];

	create("web", "");
	guest_uuid_text(guest_by_name(&lodged, "web")->uuid, uuid);
	write_vm("11111111-2222-3333-4444-555555555555");
	write_vm("kept");
	touch("run/block-1-51712");
	touch("run/block-7-51712");
	touch("run/block-7-x");
	world_restart();
	snprintf(path, sizeof(path), "/vm/%s/name", uuid);
	ck_assert_str_eq(node(path), "web");
	ck_assert_str_eq(node("/vm/kept/name"), "x");
	ck_assert_str_eq(node("/vm/11111111-2222-3333-4444-555555555555/name"), "");
	ck_assert_int_eq(access(world_path("run/block-1-51712"), F_OK), 0);
	ck_assert_int_eq(access(world_path("run/block-7-x"), F_OK), 0);
	ck_assert_int_ne(access(world_path("run/block-7-51712"), F_OK), 0);
}
END_TEST

START_TEST(a_guest_that_was_not_let_run_yet_is_let_run)
{
	create("web", "");
	world_stop();
	fake_domain(1)->info.pause_count = 1;
	world_start();
	ck_assert_uint_eq(fake_domain(1)->info.pause_count, 0);
}
END_TEST

START_TEST(a_restart_that_was_due_is_made_up_for)
{
	create("web", "");
	guest_by_name(&lodged, "web")->is_restarting = true;
	ck_assert_int_eq(record_save(guest_by_name(&lodged, "web"), &(struct err){ "" }), 0);
	world_stop();
	fake_hypervisor_reset();
	world_start();
	world_until(!strcmp(state_of("web"), "running"));
}
END_TEST

START_TEST(files_that_are_no_records_are_left_alone)
{
	FILE *f = fopen(world_path("state/state/x.json"), "w");

	fputs("{\"uuid\":", f);
	fclose(f);
	f = fopen(world_path("state/domains/x.xml"), "w");
	fputs("<domain>", f);
	fclose(f);
	world_restart();
	ck_assert(list_is_empty(&lodged.guests));
	ck_assert_int_eq(access(world_path("state/state/x.json"), F_OK), 0);
	ck_assert_int_eq(access(world_path("state/domains/x.xml"), F_OK), 0);
}
END_TEST

START_TEST(a_second_lodged_is_refused)
{
	struct lodged second = { .options = lodged.options };
	struct err err;

	ck_assert_int_lt(lodged_open(&second, fake_hypervisor_open, NULL, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "another lodged"));
}
END_TEST

#define START_META(auto_, order, after)                                                 \
	"<metadata><lodge:start xmlns:lodge=\\\"urn:lodge:domain:1\\\" auto=\\\"" auto_ \
	"\\\" order=\\\"" order "\\\">" after "</lodge:start></metadata>"

START_TEST(guests_start_with_the_host_in_their_order_and_only_once)
{
	world_ok("{'verb':'define','xml':'%s'}",
		 world_xml("web", START_META("yes", "1", "<lodge:after>db</lodge:after>")));
	world_ok("{'verb':'define','xml':'%s'}", world_xml("db", START_META("yes", "9", "")));
	world_ok("{'verb':'define','xml':'%s'}", world_xml("no", START_META("no", "1", "")));
	unlink(world_path("run/autostart-done"));
	world_restart();
	world_until(!strcmp(state_of("web"), "running"));
	ck_assert_int_eq(number_of(world_ok("{'verb':'info','guest':'db'}"), "id"), 1);
	ck_assert_str_eq(state_of("no"), "shut-off");
	world_ok("{'verb':'destroy','guest':'web'}");
	world_restart();
	for (int i = 0; i < 20; i++)
		world_turn();
	ck_assert_str_eq(state_of("web"), "shut-off");
}
END_TEST

UNIT_MAIN("daemon-adopt", world_setup, world_teardown, running_guests_are_found_again,
	  definitions_survive_with_everything_in_them, a_guest_that_ended_meanwhile_is_dealt_with,
	  a_preserved_guest_stays_preserved, a_guest_whose_domain_is_gone_is_off_and_says_so,
	  another_domain_of_that_id_is_not_taken_for_the_guest, half_built_domains_are_destroyed,
	  what_a_lodged_that_was_killed_has_left_is_removed,
	  a_guest_that_was_not_let_run_yet_is_let_run, a_restart_that_was_due_is_made_up_for,
	  files_that_are_no_records_are_left_alone, a_second_lodged_is_refused,
	  guests_start_with_the_host_in_their_order_and_only_once)
