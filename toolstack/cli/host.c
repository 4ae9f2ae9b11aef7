/* Verbs about the host, and what happens on it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/show.h"
#include "cli/table.h"
#include "cli/text.h"
#include "lib/cleanup.h"

#define DMESG_PERIOD_US 500000u
#define DUMP_FOLDER     "/var/lib/lodge/dump"

static void show_plain(struct call *c, const cJSON *result)
{
	(void)c;
	show_object(result, 0);
}

enum rpc_code run_host(struct call *c)
{
	return call_show(c, call_request("host", NULL), show_plain);
}

enum rpc_code run_host_stop(struct call *c)
{
	cJSON *request = call_request("host-stop", NULL), *result;
	uint64_t timeout_s;
	enum rpc_code code = call_seconds(c, OPT_TIMEOUT, 0, &timeout_s);

	if (code) {
		cJSON_Delete(request);
		return code;
	}
	if (args_has(&c->args, OPT_TIMEOUT))
		call_put_number(request, "time_s", timeout_s);
	code = call_ask(c, request, &result);
	if (code)
		return code;
	if (say.is_json)
		say_json(result);
	else
		say_done("all guests have ended");
	cJSON_Delete(result);
	return RPC_OK;
}

enum rpc_code run_version(struct call *c)
{
	cJSON *versions = say_memory(cJSON_CreateObject()), *result, *version;
	enum rpc_code code;

	call_put_text(versions, "lodge", LODGE_VERSION);
	code = call_ask(c, call_request("version", NULL), &result);
	while (!code && (version = result->child)) {
		cJSON_DetachItemViaPointer(result, version);
		cJSON_AddItemToObject(versions, version->string, version);
	}
	if (!say.is_json)
		show_object(versions, 0);
	else if (!code)
		say_json(versions);
	if (!code)
		cJSON_Delete(result);
	cJSON_Delete(versions);
	return code;
}

static void add_check(cJSON *checks, const char *name, bool is_ok, const char *text,
		      const char *fix)
{
	cJSON *check = say_memory(cJSON_CreateObject());

	call_put_text(check, "name", name);
	say_memory(cJSON_AddBoolToObject(check, "ok", is_ok));
	call_put_text(check, "text", text);
	call_put_text(check, "fix", is_ok ? "" : fix);
	cJSON_AddItemToArray(checks, check);
}

static bool file_has(const char *path, const char *word)
{
	cleanup_fclose FILE *file = fopen(path, "re");
	char text[128];

	return file && fgets(text, sizeof(text), file) && strstr(text, word);
}

/* What can be found out without lodged. */
static cJSON *check_without_lodged(const struct err *err, int code)
{
	cJSON *result = say_memory(cJSON_CreateObject());
	cJSON *checks = say_memory(cJSON_AddArrayToObject(result, "checks"));
	bool is_guest = file_has("/sys/hypervisor/type", "xen");

	add_check(checks, "hypervisor", is_guest,
		  is_guest ? "this is a domain" : "no hypervisor below this machine",
		  "boot the machine with Lodge");
	if (is_guest) {
		bool is_service_vm = file_has("/proc/xen/capabilities", "control_d");

		add_check(checks, "service VM", is_service_vm,
			  is_service_vm ? "this is the service VM"
					: "this is a guest, or xenfs is not mounted",
			  "mount -t xenfs xenfs /proc/xen");
	}
	add_check(checks, "store", !access("/run/xenstored/socket", F_OK), "/run/xenstored/socket",
		  "start lodge-store as root");
	add_check(checks, "lodged", false, err->text,
		  code == -EACCES ? "be root, or a member of the group lodge"
				  : "start lodged as root; its log is in /var/log/lodge");
	return result;
}

static enum rpc_code show_checks(const cJSON *result)
{
	const cJSON *checks = cJSON_GetObjectItemCaseSensitive(result, "checks"), *check;
	static const struct column columns[] = { { "", false }, { "", false }, { "", false } };
	enum rpc_code code = RPC_OK;
	struct table table;

	table_init(&table, columns, ARRAY_SIZE(columns));
	cJSON_ArrayForEach(check, checks)
	{
		const char *name = json_text(check, "name"), *text = json_text(check, "text");
		const char *fix = json_text(check, "fix");
		bool is_ok = json_true(check, "ok");

		table_add(&table, is_ok ? "ok" : "PROBLEM");
		table_add(&table, name ? name : "");
		table_add(&table, text ? text : "");
		if (is_ok)
			continue;
		code = RPC_FAILED;
		if (!fix || !*fix)
			continue;
		table_add(&table, "  do");
		table_add(&table, name ? name : "");
		table_add(&table, fix);
	}
	if (say.is_json)
		say_json(result);
	else
		table_print(&table, stdout, 0, 0, false);
	table_fini(&table);
	return code;
}

enum rpc_code run_doctor(struct call *c)
{
	cJSON *result;
	enum rpc_code code;
	struct err err;
	int fd = client_open(&c->client, c->client.socket, &err);

	if (fd >= 0) {
		close(fd);
		code = call_ask(c, call_request("doctor", NULL), &result);
		if (code)
			return code;
	} else {
		result = check_without_lodged(&err, fd);
	}
	code = show_checks(result);
	cJSON_Delete(result);
	return code;
}

/* Guests have a part in what the hypervisor says. */
static void print_messages(const char *text)
{
	cleanup_free char *clean = NULL;

	if (isatty(STDOUT_FILENO))
		clean = say_memory(text_clean(text, "\n\t"));
	fputs(clean ? clean : text, stdout);
}

/* One request; *position is where the next goes on. */
static enum rpc_code dmesg_once(struct call *c, double *position)
{
	cJSON *request = call_request("dmesg", NULL), *result;
	enum rpc_code code;
	const char *text;

	say_memory(cJSON_AddNumberToObject(request, "position", *position));
	if (args_has(&c->args, OPT_CLEAR))
		call_put_true(request, "clear");
	code = call_ask(c, request, &result);
	if (code)
		return code;
	text = json_text(result, "text");
	if (say.is_json && (*position == 0 || (text && *text)))
		say_json(result);
	else if (!say.is_json && text)
		print_messages(text);
	*position = json_number(result, "position");
	cJSON_Delete(result);
	return RPC_OK;
}

enum rpc_code run_dmesg(struct call *c)
{
	double position = 0;
	enum rpc_code code = dmesg_once(c, &position);

	while (!code && args_has(&c->args, OPT_FOLLOW)) {
		if (fflush(stdout))
			break;
		usleep(DMESG_PERIOD_US);
		code = dmesg_once(c, &position);
	}
	return code;
}

/* Of the guests that were named, or of all. */
static bool is_wanted(const struct call *c, const cJSON *event)
{
	static const char *const keys[] = { "guest", "uuid", "name" };
	const cJSON *id = cJSON_GetObjectItemCaseSensitive(event, "id");
	char digits[16] = "";

	if (cJSON_IsNumber(id))
		snprintf(digits, sizeof(digits), "%d", id->valueint);
	for (size_t i = 0; i < c->args.nr_words; i++) {
		if (!strcmp(c->args.words[i], digits))
			return true;
		for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
			const char *text = json_text(event, keys[k]);

			if (text && !strcasecmp(text, c->args.words[i]))
				return true;
		}
	}
	return !c->args.nr_words;
}

/* Why, in a few words: an object as in `why`, or a text. */
static const char *reason(const cJSON *event)
{
	const cJSON *why = cJSON_GetObjectItemCaseSensitive(event, "why");
	const char *text = cJSON_IsObject(why) ? json_text(why, "text") : cJSON_GetStringValue(why);

	if (!text || !*text)
		text = json_text(why, "reason");
	return text ? text : "";
}

static int show_event(void *argument, const cJSON *news)
{
	const cJSON *event = cJSON_GetObjectItemCaseSensitive(news, "event");
	const char *time = json_text(event, "time"), *what = json_text(event, "event");
	const char *guest = json_text(event, "guest"), *why = reason(event);
	const cJSON *id = cJSON_GetObjectItemCaseSensitive(event, "id");
	char digits[24] = "";

	if (!event || !is_wanted(argument, event))
		return 0;
	if (say.is_json) {
		say_json(event);
		return ferror(stdout) ? -EPIPE : 0;
	}
	if (cJSON_IsNumber(id))
		snprintf(digits, sizeof(digits), " (%d)", id->valueint);
	say_line("%s  %-18s  %s%s%s%s", time ? time : "-", what ? what : "-", guest ? guest : "-",
		 digits, *why ? ": " : "", why);
	return fflush(stdout) ? -EPIPE : 0;
}

enum rpc_code run_events(struct call *c)
{
	cJSON *request = call_request("events", NULL), *reply;
	enum rpc_code code = client_call(&c->client, request, show_event, c, &reply);

	cJSON_Delete(request);
	if (code)
		return code;
	code = rpc_reply_code(reply);
	if (code)
		say_failure(reply);
	cJSON_Delete(reply);
	return code;
}

/* Tells that it is done, unless --json wants the result. */
static enum rpc_code act(struct call *c, cJSON *request, const char *done)
{
	cJSON *result;
	enum rpc_code code = call_ask(c, request, &result);
	const char *path;

	if (code)
		return code;
	path = json_text(result, "path");
	if (say.is_json)
		say_json(result);
	else
		say_done("%s: %s%s%s", c->args.words[0], done, path ? " in " : "",
			 path ? path : "");
	cJSON_Delete(result);
	return RPC_OK;
}

enum rpc_code run_sysrq(struct call *c)
{
	cJSON *request;

	if (strlen(c->args.words[1]) != 1)
		return call_usage(c, "\"%s\" is not one key", c->args.words[1]);
	request = call_request("sysrq", c->args.words[0]);
	call_put_text(request, "key", c->args.words[1]);
	return act(c, request, "key sent");
}

enum rpc_code run_dump_core(struct call *c)
{
	cJSON *request = call_request("dump-core", c->args.words[0]);
	cleanup_free char *path = c->args.nr_words > 1
					  ? call_path(c, c->args.words[1])
					  : say_format("%s/%s.core", DUMP_FOLDER, c->args.words[0]);

	call_put_text(request, "path", path);
	return act(c, request, "memory");
}
