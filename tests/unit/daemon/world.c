/* See world.h. */
#include "world.h"

#include <check.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../build/images.h"
#include "daemon/device.h"
#include "lib/rpc.h"

struct lodged lodged;

static pid_t store_pid;
static char paths[5][256];
static cJSON *last_result;

const char *world_path(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s", folder_path(name));
	return path;
}

static void start_store(const char *socket)
{
	store_pid = fork();
	if (!store_pid) {
		execl(FAKE_STORE, "fake-store", socket, (char *)NULL);
		_exit(127);
	}
	ck_assert_int_gt(store_pid, 0);
}

void world_start_store(void)
{
	start_store(folder_path("socket"));
}

void world_kill_store(void)
{
	kill(store_pid, SIGKILL);
	waitpid(store_pid, NULL, 0);
	unlink(folder_path("socket"));
}

void world_hang_store(bool is_hanging)
{
	/* One that does not listen yet would not be connected to, rather than hang. */
	while (is_hanging && access(folder_path("socket"), F_OK))
		usleep(1000);
	kill(store_pid, is_hanging ? SIGSTOP : SIGCONT);
}

void world_start(void)
{
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		static const char *const names[] = { "run", "state", "log", "socket", "grub" };

		snprintf(paths[i], sizeof(paths[i]), "%s", folder_path(names[i]));
	}
	lodged = (struct lodged){ .options = { .run_dir = paths[0],
					       .user_base = 5000,
					       .state_dir = paths[1],
					       .log_dir = paths[2],
					       .libexec_dir = paths[0],
					       .grub = paths[4],
					       .store_socket = paths[3],
					       .stop_s = 1 } };
	if (lodged_open(&lodged, fake_hypervisor_open, NULL, &err))
		ck_abort_msg("%s", err.text);
}

void world_setup(void)
{
	struct image kernel = make_elf(true);

	folder_make();
	folder_write("kernel", &kernel);
	fake_hypervisor_reset();
	world_start_store();
	world_start();
}

void world_stop(void)
{
	lodged_close(&lodged);
}

void world_restart(void)
{
	world_stop();
	world_start();
}

void world_teardown(void)
{
	cJSON_Delete(last_result);
	last_result = NULL;
	world_stop();
	world_kill_store();
	folder_remove();
}

void world_turn(void)
{
	ck_assert_int_eq(loop_turn(&lodged.loop, 10), 0);
}

/*
 * With " for '. Only in the format, before it is filled in: what is filled in may hold apostrophes. The format is
 * thus no literal here, but callers' are checked against their arguments (world.h).
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static cJSON *parse_request(const char *format, va_list arguments)
{
	static char text[16384];
	char quoted[1024];
	cJSON *request;

	snprintf(quoted, sizeof(quoted), "%s", format);
	for (char *c = quoted; *c; c++) {
		if (*c == '\'')
			*c = '"';
	}
	vsnprintf(text, sizeof(text), quoted, arguments);
	request = cJSON_Parse(text);
	ck_assert_msg(request, "%s", text);
	return request;
}
#pragma GCC diagnostic pop

static cJSON *call(const char *format, va_list arguments)
{
	cJSON *request = parse_request(format, arguments), *line = NULL;
	struct rpc_stream s;
	struct err err;

	ck_assert_int_eq(rpc_connect(world_path("run/lodged"), &s, &err), 0);
	ck_assert_int_eq(rpc_stream_put(&s, request), 0);
	ck_assert_int_eq(rpc_stream_send(&s), 0);
	cJSON_Delete(request);
	for (int i = 0; i < 1000; i++) {
		struct timeval soon = { .tv_usec = 1000 };

		world_turn();
		setsockopt(s.fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
		if (rpc_stream_receive(&s) <= 0)
			continue;
		while (rpc_stream_take(&s, &line) == 1 && !cJSON_HasObjectItem(line, "ok")) {
			cJSON_Delete(line);
			line = NULL;
		}
		if (line)
			break;
	}
	ck_assert_ptr_nonnull(line);
	rpc_stream_fini(&s);
	return line;
}

cJSON *world_call(const char *format, ...)
{
	va_list arguments;
	cJSON *line;

	va_start(arguments, format);
	line = call(format, arguments);
	va_end(arguments);
	return line;
}

const cJSON *world_ok(const char *format, ...)
{
	va_list arguments;

	cJSON_Delete(last_result);
	va_start(arguments, format);
	last_result = call(format, arguments);
	va_end(arguments);
	ck_assert_msg(rpc_reply_code(last_result) == RPC_OK, "%s", text_of(last_result, "error"));
	return cJSON_GetObjectItemCaseSensitive(last_result, "result");
}

const char *world_code(const char *format, ...)
{
	va_list arguments;
	cJSON *line;
	enum rpc_code code;

	va_start(arguments, format);
	line = call(format, arguments);
	va_end(arguments);
	code = rpc_reply_code(line);
	cJSON_Delete(line);
	return rpc_code_name(code);
}

const char *world_xml(const char *name, const char *more)
{
	static char xml[4096];
	char kernel[256];

	snprintf(kernel, sizeof(kernel), "%s", folder_path("kernel"));
	snprintf(xml, sizeof(xml),
		 "<domain type=\\\"xen\\\"><name>%s</name><memory unit=\\\"MiB\\\">64</memory>"
		 "<os><type>xenpvh</type><kernel>%s</kernel></os>%s</domain>",
		 name, kernel, more);
	return xml;
}

const char *text_of(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return text ? text : "";
}

int number_of(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsNumber(item) ? item->valueint : -1;
}

const char *node(const char *path)
{
	static char value[256];
	char *text = nodes_read(lodged.nodes, "%s", path);

	snprintf(value, sizeof(value), "%s", text ? text : "");
	free(text);
	return value;
}
