/* Verbs that take or give XML. It is read here, and understood by lodged alone. */
#include "cli/xml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/show.h"
#include "cli/text.h"
#include "lib/cleanup.h"

/* All that comes, up to what fits in a request. A negative errno, or the number of bytes. */
static ssize_t read_all(int fd, char *to, size_t max)
{
	size_t nr = 0;
	ssize_t got;

	do {
		got = read(fd, to + nr, max - nr);
		if (got < 0 && errno != EINTR)
			return -errno;
		nr += got > 0 ? (size_t)got : 0;
		if (nr == max)
			return -EFBIG;
	} while (got);
	return (ssize_t)nr;
}

char *xml_read(const char *path, const char **ret_name)
{
	bool is_stdin = !strcmp(path, "-");
	char *text = say_memory(malloc(RPC_LINE_MAX));
	cleanup_close int fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t nr = fd < 0 ? -errno : read_all(fd, text, RPC_LINE_MAX);

	*ret_name = is_stdin ? "stdin" : path;
	if (nr >= 0 && !memchr(text, '\0', (size_t)nr)) {
		text[nr] = '\0';
		return text;
	}
	if (nr >= 0)
		say_error(RPC_INVALID, "%s: not a text file", *ret_name);
	else
		say_error(RPC_INVALID, "%s: %s", *ret_name, strerror((int)-nr));
	free(text);
	return NULL;
}

cJSON *xml_request(const char *verb, const char *guest, const char *path)
{
	const char *name;
	cleanup_free char *text = xml_read(path, &name);
	cJSON *request;

	if (!text)
		return NULL;
	request = call_request(verb, guest);
	call_put_text(request, "xml", text);
	call_put_text(request, "file", name);
	return request;
}

static enum rpc_code create_one(struct call *c, const char *path)
{
	cJSON *request = xml_request("create", NULL, path), *result;
	enum rpc_code code = RPC_INVALID;
	cleanup_free char *uuid = NULL;
	const char *name;

	if (!request)
		return code;
	if (args_has(&c->args, OPT_PAUSED))
		call_put_true(request, "paused");
	code = call_ask(c, request, &result);
	if (code)
		return code;
	name = json_text(result, "name");
	say_warnings(cJSON_GetObjectItemCaseSensitive(result, "warnings"));
	if (say.is_json)
		say_json(result);
	else
		say_done("%s: %s, id %.0f", name ? name : path,
			 args_has(&c->args, OPT_PAUSED) ? "paused" : "running",
			 json_number(result, "id"));
	if (args_has(&c->args, OPT_CONSOLE) && json_text(result, "uuid"))
		uuid = say_memory(strdup(json_text(result, "uuid")));
	cJSON_Delete(result);
	return uuid ? console_attach(c, uuid) : RPC_OK;
}

enum rpc_code run_create(struct call *c)
{
	if (args_has(&c->args, OPT_CONSOLE) && c->args.nr_words > 1)
		return call_usage(c, "--console is for one guest");
	return call_each(c, create_one);
}

static enum rpc_code define_one(struct call *c, const char *path)
{
	cJSON *request = xml_request("define", NULL, path), *result;
	enum rpc_code code = request ? call_ask(c, request, &result) : RPC_INVALID;
	const char *name;

	if (code)
		return code;
	name = json_text(result, "name");
	if (say.is_json)
		say_json(result);
	else
		say_done("%s: defined", name ? name : path);
	cJSON_Delete(result);
	return RPC_OK;
}

enum rpc_code run_define(struct call *c)
{
	return call_each(c, define_one);
}

static enum rpc_code validate_one(struct call *c, const char *path)
{
	cJSON *request = xml_request("validate", NULL, path), *result;
	enum rpc_code code = request ? call_ask(c, request, &result) : RPC_INVALID;

	if (code)
		return code;
	if (say.is_json)
		say_json(result);
	else
		say_done("%s: correct", path);
	cJSON_Delete(result);
	return RPC_OK;
}

enum rpc_code run_validate(struct call *c)
{
	return call_each(c, validate_one);
}

static void show_changes_of(struct call *c, const cJSON *result)
{
	(void)c;
	show_changes(cJSON_GetObjectItemCaseSensitive(result, "changes"));
}

enum rpc_code run_plan(struct call *c)
{
	cJSON *request = xml_request("plan", NULL, c->args.words[0]);

	return request ? call_show(c, request, show_changes_of) : RPC_INVALID;
}

enum rpc_code run_apply(struct call *c)
{
	cJSON *request = xml_request("apply", NULL, c->args.words[0]);

	return request ? call_show(c, request, show_changes_of) : RPC_INVALID;
}

static void show_xml(struct call *c, const cJSON *result)
{
	const char *xml = json_text(result, "xml");
	size_t length = xml ? strlen(xml) : 0;
	cleanup_free char *clean = NULL;

	(void)c;
	if (!length)
		return;
	if (isatty(STDOUT_FILENO))
		clean = say_memory(text_clean(xml, "\n\t"));
	fputs(clean ? clean : xml, stdout);
	if (xml[length - 1] != '\n')
		putchar('\n');
}

enum rpc_code run_dumpxml(struct call *c)
{
	cJSON *request = call_request("dumpxml", c->args.words[0]);

	if (args_has(&c->args, OPT_INACTIVE))
		call_put_true(request, "inactive");
	return call_show(c, request, show_xml);
}
