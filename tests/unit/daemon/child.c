/* Processes that are kept running. */
#include "daemon/child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/loop.h"
#include "unit.h"

static struct loop loop;
static struct child *child;
static unsigned int nr_ended, nr_stopped;
static char last_how[64];

static void setup(void)
{
	ck_assert_int_eq(loop_init(&loop), 0);
}

static void teardown(void)
{
	loop_fini(&loop);
}

static void ended(void *argument, const char *how)
{
	(void)argument;
	nr_ended++;
	snprintf(last_how, sizeof(last_how), "%s", how);
}

static void stopped(void *argument)
{
	(void)argument;
	nr_stopped++;
}

static void until(const unsigned int *counter, unsigned int value)
{
	for (int i = 0; *counter < value; i++) {
		ck_assert_int_lt(i, 2000);
		ck_assert_int_eq(loop_turn(&loop, 10), 0);
	}
}

static void start(const char *command, int fd)
{
	struct child_spec spec = { .arguments = { "/bin/sh", "-c", command },
				   .fds = { fd },
				   .nr_fds = fd >= 0,
				   .ended = ended };
	struct err err;

	ck_assert_int_eq(child_create(&loop, &spec, &child, &err), 0);
	ck_assert_int_eq(child_start(child, &err), 0);
}

static void stop(void)
{
	child_stop(child, stopped, NULL);
	until(&nr_stopped, 1);
}

START_TEST(one_that_ends_is_started_again_at_once_and_then_later)
{
	uint64_t begin = loop_now_ns();

	start("exit 3", -1);
	until(&nr_ended, 3);
	ck_assert_str_eq(last_how, "exit status 3");
	ck_assert_uint_ge(loop_now_ns() - begin, 100000000); /* 0, then 100 ms */
	ck_assert_uint_eq(child_nr_starts(child), 3);
	stop();
}
END_TEST

START_TEST(it_gets_its_descriptors_from_3_on_and_no_others)
{
	int pipe_fds[2];
	char text[8] = "";

	ck_assert_int_eq(pipe(pipe_fds), 0);
	start("echo hello >&3; [ -e /proc/self/fd/4 ] && echo more >&3; exec sleep 100",
	      pipe_fds[1]);
	ck_assert_int_eq(read(pipe_fds[0], text, sizeof(text)), 6);
	ck_assert_str_eq(text, "hello\n");
	stop();
	close(pipe_fds[1]);
	ck_assert_int_eq(read(pipe_fds[0], text, sizeof(text)), 0);
	close(pipe_fds[0]);
}
END_TEST

START_TEST(one_that_does_not_heed_sigterm_is_killed)
{
	start("trap '' TERM; while :; do sleep 0.1; done", -1);
	usleep(100000);
	stop();
	ck_assert_uint_eq(nr_ended, 0);
}
END_TEST

START_TEST(one_that_was_killed_says_so)
{
	start("exec sleep 100", -1);
	kill(child_pid(child), SIGKILL);
	until(&nr_ended, 1);
	ck_assert_str_eq(last_how, "killed by signal 9");
	stop();
}
END_TEST

START_TEST(one_that_outlived_its_keeper_is_adopted)
{
	struct child_spec spec = { .arguments = { "/bin/sh", "-c", "exec sleep 100" },
				   .ended = ended };
	struct child *other;
	struct err err;
	uint64_t time;
	pid_t pid;

	start("exec sleep 100", -1);
	pid = child_pid(child);
	time = child_start_time(child);
	ck_assert_uint_ne(time, 0);
	ck_assert_int_eq(child_create(&loop, &spec, &other, &err), 0);
	ck_assert_int_eq(child_adopt(other, pid, time, &err), 0);
	ck_assert_int_eq(child_pid(other), pid);
	child_forget(other);
	ck_assert_int_eq(kill(pid, 0), 0);
	stop();
}
END_TEST

START_TEST(another_process_of_that_id_is_not_adopted)
{
	struct child_spec spec = { .arguments = { "/bin/sleep", "100" } };
	struct err err;

	ck_assert_int_eq(child_create(&loop, &spec, &child, &err), 0);
	ck_assert_int_eq(child_adopt(child, getpid(), 1, &err), 0);
	ck_assert_int_ne(child_pid(child), getpid());
	ck_assert_uint_eq(child_nr_starts(child), 1);
	stop();
}
END_TEST

START_TEST(a_program_that_is_not_there_is_told_at_once)
{
	struct child_spec spec = { .arguments = { "/nonexistent/program" } };
	struct err err;

	ck_assert_int_lt(child_create(&loop, &spec, &child, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/program"));
}
END_TEST

static void restart_as(const char *command)
{
	struct child_spec spec = { .arguments = { "/bin/sh", "-c", command }, .ended = ended };
	struct err err;

	ck_assert_int_eq(child_change(child, &spec, &err), 0);
	child_restart(child);
}

START_TEST(one_that_is_restarted_ends_and_is_another_without_having_failed)
{
	pid_t pid;

	start("exec sleep 100", -1);
	pid = child_pid(child);
	restart_as("exit 4");
	ck_assert_int_eq(child_pid(child), pid);
	until(&nr_ended, 1);
	ck_assert_str_eq(last_how, "exit status 4");
	ck_assert_uint_ge(child_nr_starts(child), 2);
	stop();
}
END_TEST

START_TEST(one_that_does_not_heed_sigterm_is_restarted_all_the_same)
{
	start("trap '' TERM; while :; do sleep 0.1; done", -1);
	usleep(100000);
	restart_as("exit 4");
	until(&nr_ended, 1);
	ck_assert_str_eq(last_how, "exit status 4");
	stop();
}
END_TEST

START_TEST(one_that_waits_for_its_start_is_restarted_at_once)
{
	start("exit 3", -1);
	until(&nr_ended, 3);
	ck_assert_int_eq(child_pid(child), 0);
	restart_as("exit 4");
	until(&nr_ended, 4);
	ck_assert_str_eq(last_how, "exit status 4");
	stop();
}
END_TEST

UNIT_MAIN("daemon-child", setup, teardown, one_that_ends_is_started_again_at_once_and_then_later,
	  it_gets_its_descriptors_from_3_on_and_no_others, one_that_does_not_heed_sigterm_is_killed,
	  one_that_was_killed_says_so, one_that_outlived_its_keeper_is_adopted,
	  another_process_of_that_id_is_not_adopted, a_program_that_is_not_there_is_told_at_once,
	  one_that_is_restarted_ends_and_is_another_without_having_failed,
	  one_that_does_not_heed_sigterm_is_restarted_all_the_same,
	  one_that_waits_for_its_start_is_restarted_at_once)
