/* Requests about nodes, domains and limits. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "socket.h"
#include "unit.h"
#include "world.h"

START_TEST(a_value_is_read_as_it_was_written_with_any_bytes)
{
	ck_assert_str_eq(ask(0, XS_WRITE, 0, BYTES("/a/b\0va\0lue")), "OK");
	ck_assert_mem_eq(ask(0, XS_READ, 0, STR("/a/b")), "va\0lue", 6);
	ck_assert_uint_eq(world_answer_len, 6);
}
END_TEST

START_TEST(missing_parents_are_made_empty)
{
	ask(0, XS_WRITE, 0, BYTES("/a/b/c\0x"));
	ask(0, XS_READ, 0, STR("/a/b"));
	ck_assert_uint_eq(world_answer_len, 0);
	ck_assert_str_eq(ask(0, XS_DIRECTORY, 0, STR("/a")), "b");
}
END_TEST

START_TEST(mkdir_leaves_an_existing_value_alone)
{
	ask(0, XS_WRITE, 0, BYTES("/a\0x"));
	ck_assert_str_eq(ask(0, XS_MKDIR, 0, STR("/a")), "OK");
	ck_assert_str_eq(ask(0, XS_READ, 0, STR("/a")), "x");
}
END_TEST

START_TEST(rm_takes_all_below_and_needs_only_the_parent)
{
	ask(0, XS_WRITE, 0, BYTES("/a/b/c\0x"));
	ck_assert_str_eq(ask(0, XS_RM, 0, STR("/a/b")), "OK");
	ck_assert_str_eq(ask(0, XS_READ, 0, STR("/a/b/c")), "ENOENT");
	ck_assert_str_eq(ask(0, XS_RM, 0, STR("/a/b")), "OK");
	ck_assert_str_eq(ask(0, XS_RM, 0, STR("/no/b")), "ENOENT");
	ck_assert_str_eq(ask(0, XS_RM, 0, STR("/")), "EINVAL");
}
END_TEST

START_TEST(malformed_paths_are_refused)
{
	static const char *const paths[] = { "",     "//",   "/a/",  "/a//b", "/a b",
					     "/a.b", "/a/~", "@foo", "/a\xff" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		ck_assert_str_eq(ask(0, XS_READ, 0, paths[i], strlen(paths[i]) + 1), "EINVAL");
}
END_TEST

START_TEST(malformed_payloads_are_refused)
{
	ck_assert_str_eq(ask(0, XS_READ, 0, BYTES("/a")), "EINVAL");
	ck_assert_str_eq(ask(0, XS_READ, 0, "", 0), "EINVAL");
	ck_assert_str_eq(ask(0, XS_READ, 0, STR("/a\0/b")), "EINVAL");
	ck_assert_str_eq(ask(0, XS_WRITE, 0, BYTES("/a")), "EINVAL");
	ck_assert_str_eq(ask(0, XS_WATCH, 0, STR("/a")), "EINVAL");
	ck_assert_str_eq(ask(0, XS_WATCH, 0, STR("/a\0t\0deep")), "EINVAL");
	ck_assert_str_eq(ask(0, XS_SET_PERMS, 0, STR("/a")), "EINVAL");
	ck_assert_str_eq(ask(0, XS_SET_PERMS, 0, STR("/\0x1")), "EINVAL");
	ck_assert_str_eq(ask(0, XS_TRANSACTION_END, 0, STR("X")), "EINVAL");
	ck_assert_str_eq(ask(0, XS_INTRODUCE, 0, STR("3\0001")), "EINVAL");
	ck_assert_str_eq(ask(0, XS_INTRODUCE, 0, STR("40000\0001\0001")), "EINVAL");
	ck_assert_str_eq(ask(0, XS_GET_DOMAIN_PATH, 0, STR("x")), "EINVAL");
	ck_assert_str_eq(ask(0, XS_WATCH_EVENT, 0, STR("/a")), "ENOSYS");
	ck_assert_str_eq(ask(0, 20, 0, STR("/a")), "ENOSYS");
	ck_assert_str_eq(ask(0, 1u << 31, 0, STR("/a")), "ENOSYS");
}
END_TEST

START_TEST(a_relative_path_lies_in_the_domains_own_folder)
{
	ask(0, XS_WRITE, 0, BYTES("/local/domain/1/name\0one"));
	ask(0, XS_SET_PERMS, 0, STR("/local/domain/1/name\0n1"));
	ck_assert_str_eq(ask(1, XS_READ, 0, STR("name")), "one");
	ck_assert_str_eq(ask(1, XS_GET_DOMAIN_PATH, 0, STR("7")), "/local/domain/7");
}
END_TEST

START_TEST(permissions_decide_who_reads_and_writes)
{
	ask(0, XS_WRITE, 0, BYTES("/a\0x"));
	ck_assert_str_eq(ask(1, XS_READ, 0, STR("/a")), "EACCES");
	ck_assert_str_eq(ask(0, XS_SET_PERMS, 0, STR("/a\0n0\0r1\0w2")), "OK");
	ck_assert_str_eq(ask(1, XS_READ, 0, STR("/a")), "x");
	ck_assert_str_eq(ask(1, XS_WRITE, 0, BYTES("/a\0y")), "EACCES");
	ck_assert_str_eq(ask(2, XS_READ, 0, STR("/a")), "EACCES");
	ck_assert_str_eq(ask(2, XS_WRITE, 0, BYTES("/a\0y")), "OK");
	ck_assert_mem_eq(ask(0, XS_GET_PERMS, 0, STR("/a")), "n0\0r1\0w2", 9);
	ck_assert_uint_eq(world_answer_len, 9);
}
END_TEST

START_TEST(a_new_node_has_its_parents_permissions_and_its_makers_ownership)
{
	ask(0, XS_MKDIR, 0, STR("/a"));
	ask(0, XS_SET_PERMS, 0, STR("/a\0b0\0r2"));
	ck_assert_str_eq(ask(1, XS_WRITE, 0, BYTES("/a/b/c\0x")), "OK");
	ck_assert_mem_eq(ask(0, XS_GET_PERMS, 0, STR("/a/b/c")), "b1\0r2", 6);
}
END_TEST

START_TEST(only_the_owner_sets_permissions_and_keeps_the_ownership)
{
	ask(0, XS_MKDIR, 0, STR("/a"));
	ask(0, XS_SET_PERMS, 0, STR("/a\0n1\0b2"));
	ck_assert_str_eq(ask(2, XS_SET_PERMS, 0, STR("/a\0n2")), "EACCES");
	ck_assert_str_eq(ask(1, XS_SET_PERMS, 0, STR("/a\0n2")), "EPERM");
	ck_assert_str_eq(ask(1, XS_SET_PERMS, 0, STR("/a\0r1")), "OK");
}
END_TEST

START_TEST(what_is_missing_is_told_only_to_who_may_look)
{
	ask(0, XS_MKDIR, 0, STR("/a"));
	ck_assert_str_eq(ask(1, XS_READ, 0, STR("/a/b")), "EACCES");
	ask(0, XS_SET_PERMS, 0, STR("/a\0r0"));
	ck_assert_str_eq(ask(1, XS_READ, 0, STR("/a/b")), "ENOENT");
}
END_TEST

START_TEST(a_target_gives_its_rights_to_who_acts_for_it)
{
	ask(0, XS_WRITE, 0, BYTES("/a\0x"));
	ask(0, XS_SET_PERMS, 0, STR("/a\0n1"));
	ck_assert_str_eq(ask(2, XS_READ, 0, STR("/a")), "EACCES");
	ck_assert_str_eq(ask(0, XS_SET_TARGET, 0, STR("2\0001")), "OK");
	ck_assert_str_eq(ask(2, XS_READ, 0, STR("/a")), "x");
}
END_TEST

START_TEST(a_released_domains_rights_do_not_pass_to_the_next_of_its_id)
{
	ask(0, XS_WRITE, 0, BYTES("/a\0x"));
	ask(0, XS_SET_PERMS, 0, STR("/a\0n1\0r2"));
	ck_assert_str_eq(ask(0, XS_RELEASE, 0, STR("1")), "OK");
	world_clear_page(1);
	ck_assert_str_eq(ask(0, XS_INTRODUCE, 0, STR("1\0001\0001")), "OK");
	ck_assert_str_eq(ask(1, XS_READ, 0, STR("/a")), "EACCES");
	ck_assert_mem_eq(ask(0, XS_GET_PERMS, 0, STR("/a")), "n0\0r2", 6);
	ask(0, XS_WRITE, 0, BYTES("/a\0y"));
	ck_assert_str_eq(ask(1, XS_READ, 0, STR("/a")), "EACCES");
	ck_assert_str_eq(ask(2, XS_READ, 0, STR("/a")), "y");
}
END_TEST

START_TEST(a_long_directory_comes_in_parts)
{
	char path[64];
	size_t total = 0;

	for (int i = 0; i < 300; i++) {
		int len = snprintf(path, sizeof(path), "/a/a-rather-long-name-%d", i);

		ask(0, XS_MKDIR, 0, path, (size_t)len + 1);
	}
	ck_assert_str_eq(ask(0, XS_DIRECTORY, 0, STR("/a")), "E2BIG");
	for (;;) {
		const char *part;
		size_t gen;
		int len = snprintf(path, sizeof(path), "/a%c%zu", 0, total);

		part = ask(0, XS_DIRECTORY_PART, 0, path, (size_t)len + 1);
		gen = strlen(part) + 1;
		ck_assert_uint_gt(world_answer_len, gen);
		total += world_answer_len - gen;
		if (!part[world_answer_len - 2])
			break;
	}
	ck_assert_uint_eq(total, 10 * 21 + 90 * 22 + 200 * 23 + 1);
}
END_TEST

START_TEST(the_generation_of_a_directory_changes_with_its_list)
{
	char before[32];

	ask(0, XS_MKDIR, 0, STR("/a/b"));
	strcpy(before, ask(0, XS_DIRECTORY_PART, 0, STR("/a\0000")));
	ask(0, XS_WRITE, 0, BYTES("/a/b/c\0x"));
	ck_assert_str_eq(ask(0, XS_DIRECTORY_PART, 0, STR("/a\0000")), before);
	ask(0, XS_MKDIR, 0, STR("/a/c"));
	ck_assert_str_ne(ask(0, XS_DIRECTORY_PART, 0, STR("/a\0000")), before);
}
END_TEST

START_TEST(domains_are_introduced_and_released_by_the_privileged_only)
{
	ck_assert_str_eq(ask(1, XS_INTRODUCE, 0, STR("3\0001\0001")), "EACCES");
	ck_assert_str_eq(ask(1, XS_RELEASE, 0, STR("2")), "EACCES");
	ck_assert_str_eq(ask(1, XS_SET_TARGET, 0, STR("1\0002")), "EACCES");
	ck_assert_str_eq(ask(1, XS_CONTROL, 0, STR("help")), "EACCES");
	ck_assert_str_eq(ask(0, XS_IS_DOMAIN_INTRODUCED, 0, STR("3")), "F");
	ck_assert_str_eq(ask(0, XS_INTRODUCE, 0, STR("3\0001\0001")), "OK");
	ck_assert_str_eq(ask(0, XS_IS_DOMAIN_INTRODUCED, 0, STR("3")), "T");
	ck_assert_str_eq(ask(0, XS_RESUME, 0, STR("3")), "OK");
	ck_assert_str_eq(ask(0, XS_RELEASE, 0, STR("3")), "OK");
	ck_assert_str_eq(ask(0, XS_RELEASE, 0, STR("3")), "ENOENT");
	ck_assert_str_eq(ask(0, XS_RESUME, 0, STR("3")), "ENOENT");
	world_fail_maps(true);
	ck_assert_str_eq(ask(0, XS_INTRODUCE, 0, STR("3\0001\0001")), "EINVAL");
	ck_assert_str_eq(ask(0, XS_IS_DOMAIN_INTRODUCED, 0, STR("3")), "F");
}
END_TEST

static void own_folder(void)
{
	ask(0, XS_MKDIR, 0, STR("/local/domain/1"));
	ask(0, XS_SET_PERMS, 0, STR("/local/domain/1\0n1"));
}

START_TEST(a_domain_makes_no_more_nodes_than_its_quota)
{
	own_folder();
	ck_assert_str_eq(ask(0, XS_CONTROL, 0, STR("quota\0set\0nodes\0003\0001")), "OK");
	ck_assert_str_eq(ask(1, XS_MKDIR, 0, STR("a/b/c")), "ENOSPC");
	ck_assert_str_eq(ask(1, XS_READ, 0, STR("a")), "ENOENT"); /* all or nothing */
	ck_assert_str_eq(ask(1, XS_MKDIR, 0, STR("a/b")), "OK");
	ck_assert_str_eq(ask(1, XS_MKDIR, 0, STR("c")), "ENOSPC");
	ck_assert_str_eq(ask(1, XS_RM, 0, STR("a/b")), "OK");
	ck_assert_str_eq(ask(1, XS_MKDIR, 0, STR("c")), "OK");
	ck_assert_str_eq(ask(2, XS_GET_DOMAIN_PATH, 0, STR("1")), "/local/domain/1");
}
END_TEST

START_TEST(the_other_quotas_hold_too)
{
	char value[2100] = "a";

	own_folder();
	ck_assert_str_eq(ask(1, XS_WRITE, 0, value, sizeof(value)), "ENOSPC");
	ck_assert_str_eq(ask(0, XS_CONTROL, 0, STR("quota\0set\0watches\0001\0001")), "OK");
	ck_assert_str_eq(ask(1, XS_WATCH, 0, STR("a\0t")), "OK");
	ck_assert_str_eq(ask(1, XS_WATCH, 0, STR("a\0u")), "E2BIG");
	ck_assert_str_eq(ask(0, XS_CONTROL, 0, STR("quota\0set\0transactions\0001\0001")), "OK");
	ck_assert_uint_ne(begin(1), 0);
	ck_assert_str_eq(ask(1, XS_TRANSACTION_START, 0, STR("")), "ENOSPC");
	ck_assert_str_eq(ask(0, XS_CONTROL, 0, STR("quota\0set\0path-length\00020\0001")), "OK");
	ck_assert_str_eq(ask(1, XS_MKDIR, 0, STR("a/bc/de")), "EINVAL");
	ck_assert_str_eq(ask(1, XS_SET_PERMS, 0, STR("/local/domain/1\0n1\0r2\0r3\0r4\0r5\0r6")),
			 "ENOSPC");
	ck_assert_str_eq(ask(0, XS_CONTROL, 0, STR("quota\0set\0nonsense\0001")), "EINVAL");
	ck_assert_ptr_nonnull(strstr(ask(0, XS_CONTROL, 0, STR("quota\0001")), "watches"));
}
END_TEST

/* Each part of a watched path is remembered by itself. */
START_TEST(watches_on_long_paths_are_counted_with_all_that_they_take)
{
	char watch[1024] = "/a";
	const char *answer;
	unsigned int nr = 0;
	size_t length;

	for (size_t i = 2; i + 2 < 1000; i += 2)
		memcpy(watch + i, "/x", 3);
	length = strlen(watch) + 1;
	do {
		watch[length] = (char)('0' + nr % 64);
		watch[length + 1] = '\0';
		answer = ask(1, XS_WATCH, 0, watch, length + 2);
	} while (!strcmp(answer, "OK") && ++nr < 128);
	ck_assert_str_eq(answer, "ENOSPC");
	ck_assert_uint_gt(nr, 4);
	ck_assert_uint_lt(nr, 60);
	ck_assert_str_eq(ask(1, XS_RESET_WATCHES, 0, STR("")), "OK");
	ck_assert_str_eq(ask(1, XS_WATCH, 0, watch, length + 2), "OK");
}
END_TEST

START_TEST(control_commands_answer)
{
	ck_assert_ptr_nonnull(strstr(ask(0, XS_CONTROL, 0, STR("help")), "live-update"));
	ck_assert_str_eq(ask(0, XS_CONTROL, 0, STR("print\0hello")), "OK");
	ck_assert_str_eq(ask(0, XS_CONTROL, 0, STR("log\0on")), "OK");
	ck_assert_str_eq(ask(0, XS_CONTROL, 0, STR("log\0off")), "OK");
	ck_assert_str_eq(ask(0, XS_CONTROL, 0, STR("check")),
			 "1 nodes, 1 of them counted for domains\n");
	ck_assert_str_eq(ask(0, XS_CONTROL, 0, STR("nonsense")), "EINVAL");
}
END_TEST

static int process; /* the other end of a socket of the store's */

static const char *ask_by_socket(uint32_t type, const void *data, size_t len)
{
	static struct message m;
	struct xsd_sockmsg header = { .type = type, .len = (uint32_t)len };

	ck_assert_int_eq(write(process, &header, sizeof(header)), sizeof(header));
	ck_assert_int_eq(write(process, data, len), (ssize_t)len);
	world_serve();
	ck_assert_int_ge(recv(process, &m, sizeof(m) - 1, MSG_DONTWAIT), (int)sizeof(header));
	m.data[m.header.len] = '\0';
	return m.data;
}

static void connect_process(void)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert_int_eq(socket_serve(store, ends[0], false), 0);
	process = ends[1];
}

START_TEST(a_confined_process_changes_what_is_below_its_path_only)
{
	own_folder();
	ask(0, XS_WRITE, 0, BYTES("/backend/1/2/mac\0x"));
	ask(0, XS_SET_PERMS, 0, STR("/backend/1/2\0n0\0r1"));
	ask(0, XS_WRITE, 0, BYTES("/backend/1/22\0x"));
	ask(0, XS_WRITE, 0, BYTES("/other\0x"));
	connect_process();
	ck_assert_str_eq(ask_by_socket(XS_CONTROL, STR("confine\0001\0nonsense")), "EINVAL");
	ck_assert_str_eq(ask_by_socket(XS_CONTROL, STR("confine\0000\0/backend")), "EINVAL");
	ck_assert_str_eq(ask_by_socket(XS_CONTROL, STR("confine\0001\0/")), "EINVAL");
	ck_assert_str_eq(ask_by_socket(XS_CONTROL, STR("confine\0001\0/backend/1/2")), "OK");
	ck_assert_str_eq(ask_by_socket(XS_READ, STR("/backend/1/2/mac")), "x");
	ck_assert_str_eq(ask_by_socket(XS_WRITE, BYTES("/backend/1/2/state\0004")), "OK");
	ck_assert_str_eq(ask(1, XS_READ, 0, STR("/backend/1/2/state")), "4");
	ck_assert_str_eq(ask(1, XS_WRITE, 0, BYTES("/backend/1/2/state\0005")), "EACCES");
	ck_assert_str_eq(ask_by_socket(XS_READ, STR("/local/domain/1")), "");
	ck_assert_str_eq(ask_by_socket(XS_WRITE, BYTES("/local/domain/1\0x")), "EACCES");
	ck_assert_str_eq(ask_by_socket(XS_WRITE, BYTES("/backend/1/22\0y")), "EACCES");
	ck_assert_str_eq(ask_by_socket(XS_READ, STR("/other")), "EACCES");
	ck_assert_str_eq(ask_by_socket(XS_RELEASE, STR("2")), "EACCES");
	ck_assert_str_eq(ask_by_socket(XS_CONTROL, STR("confine\0002\0/local")), "EACCES");
	close(process);
}
END_TEST

START_TEST(a_process_may_give_up_all_changes)
{
	connect_process();
	ask(0, XS_WRITE, 0, BYTES("/a\0x"));
	ck_assert_str_eq(ask_by_socket(XS_CONTROL, STR("confine")), "OK");
	ck_assert_str_eq(ask_by_socket(XS_READ, STR("/a")), "x");
	ck_assert_str_eq(ask_by_socket(XS_WRITE, BYTES("/a\0y")), "EROFS");
	ck_assert_str_eq(ask(0, XS_CONTROL, 0, STR("confine")), "EINVAL"); /* a domain */
	close(process);
}
END_TEST

START_TEST(nodes_are_counted_for_their_owners_through_all_changes)
{
	uint32_t tx;

	own_folder();
	ask(1, XS_WRITE, 0, BYTES("a/b\0x"));
	tx = begin(1);
	ask(1, XS_WRITE, tx, BYTES("a/c\0x"));
	ask(1, XS_RM, tx, STR("a/b"));
	ck_assert_str_eq(end(1, tx), "OK");
	ask(0, XS_SET_PERMS, 0, STR("/local/domain/1/a/c\0n2"));
	ck_assert_str_eq(ask(0, XS_CONTROL, 0, STR("check")),
			 "6 nodes, 6 of them counted for domains\n");
	ck_assert_uint_eq(store->domains[1]->nr_nodes, 2);
	ck_assert_uint_eq(store->domains[2]->nr_nodes, 1);
}
END_TEST

UNIT_MAIN("store-protocol", world_setup, world_teardown,
	  a_value_is_read_as_it_was_written_with_any_bytes, missing_parents_are_made_empty,
	  mkdir_leaves_an_existing_value_alone, rm_takes_all_below_and_needs_only_the_parent,
	  malformed_paths_are_refused, malformed_payloads_are_refused,
	  a_relative_path_lies_in_the_domains_own_folder, permissions_decide_who_reads_and_writes,
	  a_new_node_has_its_parents_permissions_and_its_makers_ownership,
	  only_the_owner_sets_permissions_and_keeps_the_ownership,
	  what_is_missing_is_told_only_to_who_may_look,
	  a_target_gives_its_rights_to_who_acts_for_it,
	  a_released_domains_rights_do_not_pass_to_the_next_of_its_id,
	  a_long_directory_comes_in_parts, the_generation_of_a_directory_changes_with_its_list,
	  domains_are_introduced_and_released_by_the_privileged_only,
	  a_domain_makes_no_more_nodes_than_its_quota, the_other_quotas_hold_too,
	  watches_on_long_paths_are_counted_with_all_that_they_take, control_commands_answer,
	  a_confined_process_changes_what_is_below_its_path_only, a_process_may_give_up_all_changes,
	  nodes_are_counted_for_their_owners_through_all_changes)
