/* Framing and codes of the protocol between lodged and its clients. */
#include "lib/rpc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

static struct rpc_stream near, far;

static void setup(void)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	rpc_stream_init(&near, fds[0]);
	rpc_stream_init(&far, fds[1]);
}

static void teardown(void)
{
	rpc_stream_fini(&near);
	rpc_stream_fini(&far);
}

static void put_raw(const char *text, size_t bytes)
{
	ck_assert_int_eq(write(far.fd, text, bytes), (ssize_t)bytes);
}

static cJSON *take(void)
{
	cJSON *message = NULL;

	ck_assert_int_eq(rpc_stream_take(&near, &message), 1);
	return message;
}

START_TEST(lines_come_out_as_they_went_in_whatever_the_pieces)
{
	static const char text[] = "{\"verb\":\"a\"}\n{\"verb\":\"b\"}\n";
	cJSON *message;

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		put_raw(text + i, 1);
		ck_assert_int_eq(rpc_stream_receive(&near), 1);
		if (text[i] != '\n') {
			ck_assert_int_eq(rpc_stream_take(&near, &message), 0);
			continue;
		}
		message = take();
		ck_assert(cJSON_HasObjectItem(message, "verb"));
		cJSON_Delete(message);
	}
}
END_TEST

START_TEST(several_lines_in_one_piece_are_taken_one_by_one)
{
	cJSON *message;

	put_raw("{\"a\":1}\n{\"a\":2}\n{\"a\":", 21);
	ck_assert_int_gt(rpc_stream_receive(&near), 0);
	cJSON_Delete(take());
	message = take();
	ck_assert_int_eq(cJSON_GetObjectItem(message, "a")->valueint, 2);
	cJSON_Delete(message);
	ck_assert_int_eq(rpc_stream_take(&near, &message), 0);
	put_raw("3}\n", 3);
	ck_assert_int_gt(rpc_stream_receive(&near), 0);
	cJSON_Delete(take());
}
END_TEST

START_TEST(what_is_no_object_is_an_error_and_the_next_line_is_not)
{
	static const char *const bad[] = { "\n", "[]\n", "{\"a\":}\n", "{} x\n", "7\n" };
	cJSON *message;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put_raw(bad[i], strlen(bad[i]));
		put_raw("{}\n", 3);
		ck_assert_int_gt(rpc_stream_receive(&near), 0);
		ck_assert_int_eq(rpc_stream_take(&near, &message), -EINVAL);
		cJSON_Delete(take());
	}
}
END_TEST

START_TEST(a_line_that_is_too_long_ends_the_connection)
{
	char chunk[4096];
	int ret = 1;

	memset(chunk, 'x', sizeof(chunk));
	for (size_t i = 0; ret > 0 && i < 2 * RPC_LINE_MAX / sizeof(chunk); i++) {
		put_raw(chunk, sizeof(chunk));
		ret = rpc_stream_receive(&near);
	}
	ck_assert_int_eq(ret, -EMSGSIZE);
}
END_TEST

START_TEST(an_answer_beyond_the_limit_is_not_sent)
{
	char *text = malloc(RPC_LINE_MAX + 1);
	cJSON *object = cJSON_CreateObject();

	memset(text, 'x', RPC_LINE_MAX);
	text[RPC_LINE_MAX] = '\0';
	cJSON_AddStringToObject(object, "text", text);
	ck_assert_int_eq(rpc_stream_put(&near, object), -EMSGSIZE);
	ck_assert_uint_eq(near.nr_out, 0);
	cJSON_Delete(object);
	free(text);
}
END_TEST

START_TEST(every_code_has_a_name_that_leads_back)
{
	for (int i = RPC_OK; i <= RPC_DENIED; i++)
		ck_assert_int_eq(rpc_code_find(rpc_code_name((enum rpc_code)i)), i);
	ck_assert_int_eq(rpc_code_find("nonsense"), RPC_FAILED);
	ck_assert_int_eq(rpc_code_find(NULL), RPC_FAILED);
}
END_TEST

START_TEST(a_call_hears_what_comes_before_the_last_line)
{
	static const char answer[] = "{\"progress\":\"x\"}\n{\"ok\":false,\"code\":\"busy\"}\n";
	cJSON *request = cJSON_CreateObject(), *reply;
	struct err err;

	put_raw(answer, sizeof(answer) - 1);
	ck_assert_int_eq(rpc_call(&near, request, NULL, NULL, &reply, &err), 0);
	ck_assert_int_eq(rpc_reply_code(reply), RPC_BUSY);
	cJSON_Delete(reply);
	cJSON_Delete(request);
}
END_TEST

START_TEST(a_call_hears_what_was_said_before_the_other_end_went_away)
{
	static const char answer[] = "{\"ok\":false,\"code\":\"denied\"}\n";
	cJSON *request = cJSON_CreateObject(), *reply;
	struct err err;

	put_raw(answer, sizeof(answer) - 1);
	shutdown(far.fd, SHUT_RDWR);
	ck_assert_int_eq(rpc_call(&near, request, NULL, NULL, &reply, &err), 0);
	ck_assert_int_eq(rpc_reply_code(reply), RPC_DENIED);
	cJSON_Delete(reply);
	cJSON_Delete(request);
}
END_TEST

START_TEST(a_call_to_one_that_goes_away_fails)
{
	cJSON *request = cJSON_CreateObject(), *reply;
	struct err err;

	put_raw("{\"progress\"", 11);
	shutdown(far.fd, SHUT_WR);
	ck_assert_int_eq(rpc_call(&near, request, NULL, NULL, &reply, &err), -ECONNRESET);
	cJSON_Delete(request);
}
END_TEST

START_TEST(one_that_reads_slowly_for_ever_costs_bounded_memory)
{
	char *text = malloc(60001), *sink = malloc(60000);
	cJSON *object = cJSON_CreateObject();

	memset(text, 'x', 60000);
	text[60000] = '\0';
	cJSON_AddStringToObject(object, "text", text);
	ck_assert_int_eq(fcntl(near.fd, F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; i < 20; i++) /* what it is behind */
		ck_assert_int_eq(rpc_stream_put(&near, object), 0);
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(rpc_stream_put(&near, object), 0);
		ck_assert_int_eq(rpc_stream_send(&near), -EAGAIN);
		ck_assert_int_gt(read(far.fd, sink, 60000), 0);
	}
	ck_assert_uint_lt(near.max_out, 8 << 20);
	cJSON_Delete(object);
	free(text);
	free(sink);
}
END_TEST

UNIT_MAIN("daemon-rpc", setup, teardown, lines_come_out_as_they_went_in_whatever_the_pieces,
	  several_lines_in_one_piece_are_taken_one_by_one,
	  what_is_no_object_is_an_error_and_the_next_line_is_not,
	  a_line_that_is_too_long_ends_the_connection, an_answer_beyond_the_limit_is_not_sent,
	  every_code_has_a_name_that_leads_back, a_call_hears_what_comes_before_the_last_line,
	  a_call_hears_what_was_said_before_the_other_end_went_away,
	  a_call_to_one_that_goes_away_fails, one_that_reads_slowly_for_ever_costs_bounded_memory)
