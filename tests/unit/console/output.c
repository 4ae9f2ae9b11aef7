/* Logs: what a guest writes is kept, in files of bounded size, whatever happens to the daemon or to the disk. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "world.h"

#define SAY(domid, text) guest_print(domid, text, strlen(text))

static void log_path(char *ret_path, size_t size, const char *name)
{
	snprintf(ret_path, size, "%s/%s", world_folder, name);
}

START_TEST(output_is_logged_from_the_first_byte_with_nobody_attached)
{
	SAY(1, "Linux version 6.1\n");
	SAY(2, "other\n");
	world_settle();
	ck_assert_str_eq(log_text("one", 0), "Linux version 6.1\n");
	ck_assert_str_eq(log_text("two", 0), "other\n");
	ck_assert_uint_eq(machine->domains[1].nr_notified, 1);
}
END_TEST

START_TEST(output_from_before_a_guest_was_introduced_is_logged)
{
	guest_print(3, "early\n", 6);
	fake_introduce(3, "three");
	world_settle();
	ck_assert_str_eq(log_text("three", 0), "early\n");
}
END_TEST

START_TEST(a_log_is_appended_to_by_the_next_domain_of_the_same_name)
{
	SAY(1, "first\n");
	world_settle();
	fake_release(1);
	world_settle();
	fake_introduce(4, "one");
	SAY(4, "second\n");
	world_settle();
	ck_assert_str_eq(log_text("one", 0), "first\nsecond\n");
}
END_TEST

START_TEST(the_last_words_of_a_guest_are_logged)
{
	world_settle();
	SAY(1, "panic\n");
	fake_release(1);
	world_settle();
	ck_assert_str_eq(log_text("one", 0), "panic\n");
	ck_assert(!machine->domains[1].is_mapped);
	ck_assert(!machine->domains[1].is_bound);
}
END_TEST

START_TEST(a_guest_whose_store_node_says_so_has_its_log_elsewhere)
{
	log_path(machine->domains[3].log, sizeof(machine->domains[3].log), "elsewhere.console");
	fake_introduce(3, "three");
	SAY(3, "x");
	world_settle();
	ck_assert_str_eq(log_text("elsewhere", 0), "x");
}
END_TEST

START_TEST(a_name_cannot_leave_the_folder)
{
	fake_introduce(3, "../three");
	fake_introduce(4, ".");
	SAY(3, "x");
	SAY(4, "y");
	world_settle();
	ck_assert_str_eq(log_text("domain-3", 0), "x");
	ck_assert_str_eq(log_text("domain-4", 0), "y");
}
END_TEST

START_TEST(a_log_is_rotated_by_size_and_four_files_are_kept)
{
	char block[1024];
	off_t total = 0;

	for (int i = 0; i < 60; i++) {
		memset(block, 'a' + i % 26, sizeof(block));
		ck_assert_uint_eq(guest_print(1, block, sizeof(block)), sizeof(block));
		world_wait_ms(1000);
	}
	for (unsigned int i = 0; i < LOG_FILE_KEPT; i++) {
		ck_assert_uint_le(strlen(log_text("one", i)), LOG_SIZE);
		total += (off_t)strlen(log_text("one", i));
	}
	ck_assert_int_gt(total, (LOG_FILE_KEPT - 1) * LOG_SIZE);
	ck_assert_str_eq(log_text("one", LOG_FILE_KEPT), "(no file)");
	ck_assert_int_eq(*log_text("one", 0), 'a' + 56 % 26); /* the first of the newest eight */
}
END_TEST

START_TEST(a_link_in_the_place_of_a_log_is_not_followed)
{
	char path[128], target[128];

	log_path(path, sizeof(path), "three.console");
	log_path(target, sizeof(target), "target");
	ck_assert_int_eq(symlink(target, path), 0);
	fake_introduce(3, "three");
	SAY(3, "x");
	world_settle();
	ck_assert_int_ne(access(target, F_OK), 0);
	ck_assert_int_eq(unlink(path), 0);
	SAY(3, "y"); /* and goes on when the link is gone */
	world_settle();
	ck_assert_str_eq(log_text("three", 0), "y");
}
END_TEST

START_TEST(a_pipe_in_the_place_of_a_log_stops_nothing)
{
	char path[128];

	log_path(path, sizeof(path), "three.console");
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	fake_introduce(3, "three");
	SAY(3, "x");
	SAY(1, "y");
	world_settle();
	ck_assert_str_eq(log_text("one", 0), "y");
	ck_assert_uint_eq(world_ring(3)->out_cons, 1);
}
END_TEST

START_TEST(a_log_is_not_for_everybody)
{
	struct stat info;
	char path[128];

	log_path(path, sizeof(path), "one.console");
	ck_assert_int_eq(stat(path, &info), 0);
	ck_assert_uint_eq(info.st_mode & 07, 0);
}
END_TEST

START_TEST(a_full_disk_costs_output_and_nothing_else)
{
	struct rlimit limit = { 5, RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	SAY(1, "123456789");
	world_settle();
	ck_assert_uint_eq(world_ring(1)->out_cons, 9);
	limit.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	SAY(1, "more");
	world_settle();
	ck_assert_str_eq(log_text("one", 0), "12345more");
}
END_TEST

START_TEST(nothing_is_lost_when_the_daemon_is_killed_and_started_again)
{
	char expected[128] = "", line[32];

	world_stop();
	for (int round = 0; round < 8; round++) {
		pid_t child;

		snprintf(line, sizeof(line), "line %d\n", round);
		strcat(expected, line);
		SAY(1, line);
		child = fork();
		ck_assert_int_ge(child, 0);
		if (!child) {
			world_start();
			kill(getpid(), SIGKILL);
		}
		ck_assert_int_eq(waitpid(child, NULL, 0), child);
	}
	SAY(1, "last\n");
	strcat(expected, "last\n");
	world_start();
	ck_assert_str_eq(log_text("one", 0), expected);
}
END_TEST

START_TEST(of_many_guests_that_come_at_once_none_is_forgotten)
{
	for (uint16_t i = 10; i < FAKE_DOMAINS; i++)
		fake_introduce(i, "many");
	world_settle();
	for (uint16_t i = 10; i < FAKE_DOMAINS; i++)
		ck_assert(machine->domains[i].is_mapped);
}
END_TEST

START_TEST(a_guest_that_cannot_be_reached_is_left_alone)
{
	machine->fails_to_bind = true;
	fake_introduce(3, "three");
	world_settle();
	ck_assert(!machine->domains[3].is_mapped);
	machine->fails_to_bind = false;
	machine->fails_to_map = true;
	fake_introduce(4, "four");
	world_settle();
	ck_assert(!machine->domains[4].is_mapped);
	SAY(1, "x");
	world_settle();
	ck_assert_str_eq(log_text("one", 0), "x");
}
END_TEST

START_TEST(without_the_store_the_daemon_ends_to_be_started_again)
{
	machine->store_is_gone = true;
	fake_introduce(3, "three");
	ck_assert_int_eq(console_turn(world_console, 0), -EIO);
}
END_TEST

UNIT_MAIN("console output", world_init, world_fini,
	  output_is_logged_from_the_first_byte_with_nobody_attached,
	  output_from_before_a_guest_was_introduced_is_logged,
	  a_log_is_appended_to_by_the_next_domain_of_the_same_name,
	  the_last_words_of_a_guest_are_logged,
	  a_guest_whose_store_node_says_so_has_its_log_elsewhere, a_name_cannot_leave_the_folder,
	  a_log_is_rotated_by_size_and_four_files_are_kept,
	  a_link_in_the_place_of_a_log_is_not_followed, a_pipe_in_the_place_of_a_log_stops_nothing,
	  a_log_is_not_for_everybody, a_full_disk_costs_output_and_nothing_else,
	  nothing_is_lost_when_the_daemon_is_killed_and_started_again,
	  of_many_guests_that_come_at_once_none_is_forgotten,
	  a_guest_that_cannot_be_reached_is_left_alone,
	  without_the_store_the_daemon_ends_to_be_started_again)
