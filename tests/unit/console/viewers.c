/* Viewers: replay, one writer, and viewers that are slow. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "world.h"

#define SAY(domid, text) guest_print(domid, text, strlen(text))

START_TEST(a_viewer_sees_the_last_lines_and_then_what_comes)
{
	int fd;

	SAY(1, "a\nb\nc\nd");
	fd = client_new("attach 1 lines 2\n");
	ck_assert_str_eq(client_text(fd), "ok writer one\nc\nd");
	SAY(1, "e\n");
	SAY(2, "not this\n");
	ck_assert_str_eq(client_text(fd), "e\n");
	client_close(fd);
}
END_TEST

START_TEST(a_viewer_may_want_nothing_of_earlier_guests_of_that_name)
{
	int fd;

	SAY(1, "old\n");
	fake_release(1);
	world_settle();
	fake_introduce(3, "one");
	world_settle();
	SAY(3, "new\n");
	fd = client_new("attach 3 lines 9\n");
	ck_assert_str_eq(client_text(fd), "ok writer one\nold\nnew\n");
	client_close(fd);
	fd = client_new("attach 3 own lines 9\n");
	ck_assert_str_eq(client_text(fd), "ok writer one\nnew\n");
	client_close(fd);
}
END_TEST

START_TEST(a_viewer_that_does_not_say_gets_twenty_lines)
{
	char line[16];
	int fd;

	for (int i = 0; i < 30; i++) {
		snprintf(line, sizeof(line), "%d\n", i);
		SAY(1, line);
	}
	fd = client_new("attach 1\n");
	ck_assert_str_eq(client_text(fd), "ok writer one\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n"
					  "20\n21\n22\n23\n24\n25\n26\n27\n28\n29\n");
	client_close(fd);
}
END_TEST

START_TEST(lines_are_replayed_from_the_rotated_file_too)
{
	char block[1000], line[1001];
	const char *text;
	int fd;

	for (int i = 0; i < 9; i++) {
		memset(block, 'a' + i, sizeof(block));
		block[sizeof(block) - 1] = '\n';
		ck_assert_uint_eq(guest_print(1, block, sizeof(block)), sizeof(block));
		world_wait_ms(1000);
	}
	ck_assert_uint_eq(strlen(log_text("one", 0)), sizeof(block));
	fd = client_new("tail 1 3\n");
	text = client_text(fd);
	ck_assert_uint_eq(strlen(text), strlen("ok tail one\n(closed)") + 3 * sizeof(block));
	memcpy(line, text + strlen("ok tail one\n"), sizeof(block));
	ck_assert_int_eq(line[0], 'g');
	close(fd);
}
END_TEST

START_TEST(tail_shows_the_last_lines_and_closes)
{
	int fd;

	SAY(1, "a\nb\nc\n");
	fd = client_new("tail 1 2\n");
	ck_assert_str_eq(client_text(fd), "ok tail one\nb\nc\n(closed)");
	close(fd);
}
END_TEST

START_TEST(the_first_writer_types_and_others_look_on)
{
	int first = client_new("attach 1\n"), second = client_new("attach 1\n");

	ck_assert_str_eq(client_text(first), "ok writer one\n");
	ck_assert_str_eq(client_text(second), "ok viewer one\n");
	client_type(second, "no");
	client_type(first, "yes");
	ck_assert_str_eq(guest_read(1), "yes");
	SAY(1, "seen");
	ck_assert_str_eq(client_text(first), "seen");
	ck_assert_str_eq(client_text(second), "seen");
	client_close(first);
	client_close(second);
}
END_TEST

START_TEST(the_pen_can_be_taken_over_and_is_free_when_its_owner_leaves)
{
	int first = client_new("attach 1\n"), second = client_new("attach 1 force lines 0\n"),
	    third;

	ck_assert_str_eq(client_text(second), "ok writer one\n");
	ck_assert_str_eq(client_text(first),
			 "ok writer one\n\r\n[lodge-console: somebody else types "
			 "now]\r\n");
	client_type(first, "no");
	client_type(second, "yes");
	ck_assert_str_eq(guest_read(1), "yes");
	client_close(second);
	third = client_new("attach 1\n");
	ck_assert_str_eq(client_text(third), "ok writer one\n");
	client_close(first);
	client_close(third);
}
END_TEST

START_TEST(a_read_only_viewer_does_not_take_the_pen)
{
	int first = client_new("attach 1 read-only\n"), second = client_new("attach 1\n");

	client_type(first, "no");
	ck_assert_str_eq(client_text(first), "ok viewer one\n");
	ck_assert_str_eq(client_text(second), "ok writer one\n");
	ck_assert_str_eq(guest_read(1), "");
	client_close(first);
	client_close(second);
}
END_TEST

START_TEST(what_is_typed_with_the_command_reaches_the_guest)
{
	int fd = client_new("attach 1\nls\n");

	world_settle();
	ck_assert_str_eq(guest_read(1), "ls\n");
	client_close(fd);
}
END_TEST

START_TEST(typing_waits_until_the_guest_reads)
{
	int fd = client_new("attach 1\n");
	char text[1501];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	client_type(fd, text);
	ck_assert_uint_eq(strlen(guest_read(1)), 1024);
	fake_send_event(1);
	world_settle();
	ck_assert_uint_eq(strlen(guest_read(1)), 1500 - 1024);
	client_close(fd);
}
END_TEST

START_TEST(a_slow_viewer_blocks_nobody_and_is_told_what_it_missed)
{
	int slow = client_new("attach 1\n"), quick = client_new("attach 1\n");
	int small = 4096;
	size_t printed = 0, seen = 0;
	const char *text;
	char block[2048];
	unsigned int skipped;

	setsockopt(slow, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	memset(block, '.', sizeof(block));
	client_text(quick);
	while (printed < 8 * CLIENT_BUFFER) {
		printed += guest_print(1, block, sizeof(block));
		world_wait_ms(1000);
		seen += strlen(client_text(quick));
	}
	ck_assert_uint_eq(seen, printed);
	text = client_text(slow);
	ck_assert_uint_lt(strlen(text), 8 * CLIENT_BUFFER);
	text = strstr(text, "[lodge-console: ");
	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(sscanf(text, "[lodge-console: %u bytes were skipped]", &skipped), 1);
	ck_assert_uint_gt(skipped, CLIENT_BUFFER);
	client_close(slow);
	client_close(quick);
}
END_TEST

START_TEST(viewers_of_a_guest_that_ends_get_its_last_words_and_are_closed)
{
	int fd = client_new("attach 1\n");

	SAY(1, "bye\n");
	fake_release(1);
	ck_assert_str_eq(client_text(fd), "ok writer one\nbye\n(closed)");
	close(fd);
}
END_TEST

START_TEST(a_viewer_that_sends_no_more_still_sees)
{
	int fd = client_new("attach 1\n");

	shutdown(fd, SHUT_WR);
	world_settle();
	SAY(1, "seen");
	ck_assert_str_eq(client_text(fd), "ok writer one\nseen");
	client_close(fd);
}
END_TEST

START_TEST(a_command_that_is_none_is_answered_with_what_there_is)
{
	static const char *const lines[] = {
		"\n",
		"attach\n",
		"attach x\n",
		"attach 1 2\n",
		"attach 70000\n",
		"tail 1\n",
		"tail 1 x\n",
		"tail 1 2 force\n",
		"attach 1 lines\n",
		"attach 1 lines -1\n",
		"attach 1 lines 9e\n",
		"detach 1\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		int fd = client_new(lines[i]);

		ck_assert_str_eq(client_text(fd),
				 "error attach DOMID [read-only|force] [own] [lines N], or "
				 "tail DOMID N\n(closed)");
		close(fd);
	}
}
END_TEST

START_TEST(a_line_without_end_is_refused)
{
	char text[300];
	int fd;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	fd = client_new(text);
	ck_assert_ptr_nonnull(strstr(client_text(fd), "error "));
	close(fd);
}
END_TEST

START_TEST(a_command_may_come_in_pieces)
{
	int fd = client_new("att");

	client_type(fd, "ach 1");
	client_type(fd, "\n");
	ck_assert_str_eq(client_text(fd), "ok writer one\n");
	client_close(fd);
}
END_TEST

START_TEST(a_guest_without_a_console_is_an_error)
{
	int fd = client_new("attach 9\n");

	ck_assert_str_eq(client_text(fd), "error domain 9 has no console\n(closed)");
	close(fd);
	fd = client_new("attach 0\n");
	ck_assert_str_eq(client_text(fd), "error domain 0 has no console\n(closed)");
	close(fd);
}
END_TEST

START_TEST(a_guest_that_nobody_has_told_of_yet_is_found)
{
	int fd;

	fake_introduce(3, "three");
	machine->introduced[3] = false;
	fd = client_new("attach 3\n");
	ck_assert_str_eq(client_text(fd), "ok writer three\n");
	client_close(fd);
}
END_TEST

START_TEST(more_clients_than_there_may_be_wait)
{
	int fds[CLIENT_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = client_new("attach 1\n");
	ck_assert_str_eq(client_text(fds[CLIENT_MAX]), "");
	client_close(fds[5]);
	ck_assert_str_eq(client_text(fds[CLIENT_MAX]), "ok viewer one\n");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (i != 5)
			close(fds[i]);
	}
}
END_TEST

UNIT_MAIN("console viewers", world_init, world_fini,
	  a_viewer_sees_the_last_lines_and_then_what_comes,
	  a_viewer_may_want_nothing_of_earlier_guests_of_that_name,
	  a_viewer_that_does_not_say_gets_twenty_lines,
	  lines_are_replayed_from_the_rotated_file_too, tail_shows_the_last_lines_and_closes,
	  the_first_writer_types_and_others_look_on,
	  the_pen_can_be_taken_over_and_is_free_when_its_owner_leaves,
	  a_read_only_viewer_does_not_take_the_pen,
	  what_is_typed_with_the_command_reaches_the_guest, typing_waits_until_the_guest_reads,
	  a_slow_viewer_blocks_nobody_and_is_told_what_it_missed,
	  viewers_of_a_guest_that_ends_get_its_last_words_and_are_closed,
	  a_viewer_that_sends_no_more_still_sees,
	  a_command_that_is_none_is_answered_with_what_there_is, a_line_without_end_is_refused,
	  a_command_may_come_in_pieces, a_guest_without_a_console_is_an_error,
	  a_guest_that_nobody_has_told_of_yet_is_found, more_clients_than_there_may_be_wait)
