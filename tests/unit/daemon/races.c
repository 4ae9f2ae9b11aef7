/* What happens to guests while something else happens to them. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "abi/sched.h"
#include "daemon/guest.h"
#include "lib/rpc.h"
#include "unit.h"
#include "world.h"

static void create(const char *name, const char *more)
{
	world_ok("{'verb':'create','xml':'%s'}", world_xml(name, more));
}

static void end(uint32_t domain, uint32_t reason)
{
	fake_shut_down(domain, reason);
	guests_look(&lodged);
}

/* Asks, and does not wait for the answer. */
static struct rpc_stream ask(const char *line)
{
	struct rpc_stream s;
	struct err err;

	ck_assert_int_eq(rpc_connect(world_path("run/lodged"), &s, &err), 0);
	ck_assert_int_eq(write(s.fd, line, strlen(line)), (ssize_t)strlen(line));
	ck_assert_int_eq(fcntl(s.fd, F_SETFL, O_NONBLOCK), 0);
	return s;
}

static enum rpc_code answer_to(struct rpc_stream *s)
{
	cJSON *line = NULL;
	enum rpc_code code;

	world_until(rpc_stream_receive(s) > 0 && rpc_stream_take(s, &line) == 1);
	code = rpc_reply_code(line);
	cJSON_Delete(line);
	return code;
}

static bool has_dump(void)
{
	char command[300];

	snprintf(command, sizeof(command), "ls %s | grep -q .", world_path("state/dump"));
	return !system(command);
}

START_TEST(a_guest_that_is_destroyed_while_its_memory_is_dumped_leaves_nothing)
{
	create("web", "<on_crash>coredump-restart</on_crash>");
	fake_slow_down(1);
	end(1, SHUTDOWN_crash);
	world_ok("{'verb':'destroy','guest':'web'}");
	ck_assert(list_is_empty(&lodged.guests));
	world_until(!has_dump());
	ck_assert_uint_eq(fake_nr_domains(), 0);
}
END_TEST

static const char *state_of(const char *name)
{
	const struct guest *g = guest_by_name(&lodged, name);

	return g ? guest_state_name(g) : "none";
}

START_TEST(lodged_ends_while_a_guest_starts_with_the_host)
{
	world_ok("{'verb':'define','xml':'%s'}",
		 world_xml("web", "<metadata><lodge:start xmlns:lodge=\\\"urn:lodge:domain:1\\\" "
				  "auto=\\\"yes\\\"/></metadata>"));
	unlink(world_path("run/autostart-done"));
	fake_slow_down(100);
	world_restart();
	world_until(!strcmp(state_of("web"), "building"));
	world_restart();
	ck_assert_str_eq(state_of("web"), "running");
}
END_TEST

START_TEST(a_guest_that_cannot_start_because_the_host_stops_is_not_kept)
{
	world_ok("{'verb':'host-stop','time_s':1}");
	ck_assert_str_eq(world_code("{'verb':'create','xml':'%s'}", world_xml("web", "")), "state");
	ck_assert(list_is_empty(&lodged.guests));
}
END_TEST

START_TEST(a_guest_that_waits_for_its_next_start_is_not_forgotten_by_a_failed_apply)
{
	create("web", "<on_crash>restart</on_crash>");
	end(1, SHUTDOWN_crash);
	world_until(fake_domain(2) && !strcmp(state_of("web"), "running"));
	end(2, SHUTDOWN_crash);
	world_until(!fake_domain(2) && !strcmp(state_of("web"), "shut-off"));
	ck_assert_str_eq(
		world_code("{'verb':'apply','xml':'%s'}", world_xml("web", "<title>x</title>")),
		"state");
	world_until(fake_domain(3));
}
END_TEST

START_TEST(who_waits_for_a_shutdown_hears_of_a_guest_that_is_kept_instead)
{
	struct rpc_stream s;

	create("web", "<on_crash>preserve</on_crash>");
	s = ask("{\"verb\":\"shutdown\",\"guest\":\"web\",\"wait_s\":600}\n");
	world_until(!strcmp(state_of("web"), "shutting-down"));
	end(1, SHUTDOWN_crash);
	ck_assert_int_eq(answer_to(&s), RPC_STATE);
	rpc_stream_fini(&s);
}
END_TEST

START_TEST(a_guest_that_is_set_aside_takes_its_past_with_it_and_no_more)
{
	static const char uuid[] = "11111111-2222-3333-4444-555555555555";
	char more[200], path[100];

	snprintf(more, sizeof(more), "<uuid>%s</uuid><on_crash>rename-restart</on_crash>", uuid);
	snprintf(path, sizeof(path), "/vm/%s/name", uuid);
	create("web", more);
	world_ok("{'verb':'shutdown','guest':'web'}");
	end(1, SHUTDOWN_crash);
	world_until(fake_domain(2) && strcmp(state_of("web"), "building") != 0);
	ck_assert_str_eq(state_of("web"), "running"); /* nobody has asked this one */
	world_ok("{'verb':'destroy','guest':'web-1'}");
	ck_assert_str_eq(node(path), "web");
	world_ok("{'verb':'destroy','guest':'web'}");
	ck_assert_str_eq(node(path), "");
}
END_TEST

START_TEST(a_guest_that_is_undefined_before_its_next_start_starts_all_the_same)
{
	world_ok("{'verb':'define','xml':'%s'}", world_xml("web", "<on_crash>restart</on_crash>"));
	world_ok("{'verb':'start','guest':'web'}");
	end(1, SHUTDOWN_crash);
	world_until(fake_domain(2) && !strcmp(state_of("web"), "running"));
	end(2, SHUTDOWN_crash);
	world_until(!fake_domain(2) && !strcmp(state_of("web"), "shut-off"));
	world_ok("{'verb':'undefine','guest':'web'}");
	world_restart();
	world_until(fake_domain(3) && !strcmp(state_of("web"), "running"));
}
END_TEST

UNIT_MAIN("daemon-races", world_setup, world_teardown,
	  a_guest_that_is_destroyed_while_its_memory_is_dumped_leaves_nothing,
	  lodged_ends_while_a_guest_starts_with_the_host,
	  a_guest_that_cannot_start_because_the_host_stops_is_not_kept,
	  a_guest_that_waits_for_its_next_start_is_not_forgotten_by_a_failed_apply,
	  who_waits_for_a_shutdown_hears_of_a_guest_that_is_kept_instead,
	  a_guest_that_is_set_aside_takes_its_past_with_it_and_no_more,
	  a_guest_that_is_undefined_before_its_next_start_starts_all_the_same)
