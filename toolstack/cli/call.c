#include "cli/call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/text.h"
#include "lib/cleanup.h"

cJSON *call_request(const char *verb, const char *guest)
{
	cJSON *request = say_memory(cJSON_CreateObject());

	call_put_text(request, "verb", verb);
	if (guest)
		call_put_text(request, "guest", guest);
	return request;
}

void call_put_text(cJSON *request, const char *key, const char *value)
{
	say_memory(cJSON_AddStringToObject(request, key, value));
}

void call_put_number(cJSON *request, const char *key, uint64_t value)
{
	say_memory(cJSON_AddNumberToObject(request, key, (double)value));
}

void call_put_true(cJSON *request, const char *key)
{
	say_memory(cJSON_AddTrueToObject(request, key));
}

const char *json_text(const cJSON *object, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

double json_number(const cJSON *object, const char *key)
{
	const cJSON *number = cJSON_GetObjectItemCaseSensitive(object, key);

	return cJSON_IsNumber(number) ? number->valuedouble : 0;
}

bool json_true(const cJSON *object, const char *key)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static bool has_text(const cJSON *list, const char *text)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
	{
		if (cJSON_IsString(item) && !strcmp(item->valuestring, text))
			return true;
	}
	return false;
}

/* A result may have warnings of its own, about the guest. Those about the request join them. */
static void merge_warnings(cJSON *result, const cJSON *warnings)
{
	cJSON *list = cJSON_GetObjectItemCaseSensitive(result, "warnings");
	const cJSON *item;

	if (!cJSON_IsArray(list)) {
		cJSON_DeleteItemFromObjectCaseSensitive(result, "warnings");
		list = say_memory(cJSON_AddArrayToObject(result, "warnings"));
	}
	cJSON_ArrayForEach(item, warnings)
	{
		if (cJSON_IsString(item) && !has_text(list, item->valuestring))
			cJSON_AddItemToArray(list,
					     say_memory(cJSON_CreateString(item->valuestring)));
	}
}

enum rpc_code call_ask(struct call *c, cJSON *request, cJSON **ret_result)
{
	cJSON *reply, *result;
	const cJSON *warnings;
	enum rpc_code code = client_call(&c->client, request, NULL, NULL, &reply);

	cJSON_Delete(request);
	if (code)
		return code;
	code = rpc_reply_code(reply);
	if (code) {
		say_failure(reply);
		cJSON_Delete(reply);
		return code;
	}
	result = cJSON_DetachItemFromObjectCaseSensitive(reply, "result");
	if (!cJSON_IsObject(result)) { /* null: nothing to tell */
		cJSON_Delete(result);
		result = say_memory(cJSON_CreateObject());
	}
	warnings = cJSON_GetObjectItemCaseSensitive(reply, "warnings");
	say_warnings(warnings);
	if (say.is_json && cJSON_GetArraySize(warnings))
		merge_warnings(result, warnings);
	cJSON_Delete(reply);
	*ret_result = result;
	return RPC_OK;
}

enum rpc_code call_show(struct call *c, cJSON *request, call_show_fn show)
{
	cJSON *result;
	enum rpc_code code = call_ask(c, request, &result);

	if (code)
		return code;
	if (say.is_json)
		say_json(result);
	else
		show(c, result);
	cJSON_Delete(result);
	return RPC_OK;
}

enum rpc_code call_usage(const struct call *c, const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = say_format_list(format, arguments);
	va_end(arguments);
	return say_error(RPC_USAGE, "%s: %s", c->verb->name, text);
}

enum rpc_code call_number(const struct call *c, enum verb_option option, uint64_t min, uint64_t max,
			  uint64_t otherwise, uint64_t *ret_number)
{
	struct err err;

	*ret_number = otherwise;
	if (!args_has(&c->args, option) ||
	    !text_parse_number(c->args.values[option], min, max, ret_number, &err))
		return RPC_OK;
	return call_usage(c, "--%s: %s", option_rows[option].name, err.text);
}

enum rpc_code call_seconds(const struct call *c, enum verb_option option, uint64_t otherwise,
			   uint64_t *ret_seconds)
{
	struct err err;

	*ret_seconds = otherwise;
	if (!args_has(&c->args, option) ||
	    !text_parse_seconds(c->args.values[option], ret_seconds, &err))
		return RPC_OK;
	return call_usage(c, "--%s: %s", option_rows[option].name, err.text);
}

enum rpc_code call_each(struct call *c, enum rpc_code (*run)(struct call *c, const char *word))
{
	enum rpc_code first = RPC_OK;

	for (size_t i = 0; i < c->args.nr_words; i++) {
		enum rpc_code code = run(c, c->args.words[i]);

		first = first ? first : code;
		if (code == RPC_NO_DAEMON || code == RPC_DENIED)
			break;
	}
	return first;
}

char *call_path(const struct call *c, const char *path)
{
	cleanup_free char *folder = NULL;

	if (*path == '/' || c->client.host)
		return say_memory(strdup(path));
	folder = getcwd(NULL, 0);
	if (!folder) /* lodged will say what is wrong with it */
		return say_memory(strdup(path));
	return say_format("%s/%s", folder, path);
}
