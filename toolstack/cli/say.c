#include "cli/say.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/text.h"
#include "lib/cleanup.h"

struct say_options say;

static size_t progress_width; /* of the line that is shown; 0: none */

void *say_memory(void *pointer)
{
	if (!pointer) {
		fputs("lodge: no memory\n", stderr);
		exit(RPC_NO_MEMORY);
	}
	return pointer;
}

char *say_format_list(const char *format, va_list arguments)
{
	char *text;

	return say_memory(vasprintf(&text, format, arguments) < 0 ? NULL : text);
}

char *say_format(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = say_format_list(format, arguments);
	va_end(arguments);
	return text;
}

void say_line(const char *format, ...)
{
	cleanup_free char *text = NULL, *clean = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = say_format_list(format, arguments);
	va_end(arguments);
	clean = say_memory(text_clean(text, "\t"));
	puts(clean);
}

/* "lodge: kind: text" on one line whatever is in the text. */
static void print_line(FILE *to, const char *before, const char *text)
{
	cleanup_free char *clean = say_memory(text_clean(text, ""));

	say_progress(NULL, 0);
	fprintf(to, "%s%s\n", before, clean);
}

/* {"error": …, "code": …, "details": …} */
static void say_json_error(enum rpc_code code, const char *text, const cJSON *details)
{
	cJSON *object = say_memory(cJSON_CreateObject());

	say_memory(cJSON_AddStringToObject(object, "error", text));
	say_memory(cJSON_AddStringToObject(object, "code", rpc_code_name(code)));
	if (details)
		cJSON_AddItemToObject(object, "details",
				      say_memory(cJSON_Duplicate(details, true)));
	say_json(object);
	cJSON_Delete(object);
}

enum rpc_code say_error(enum rpc_code code, const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = say_format_list(format, arguments);
	va_end(arguments);
	if (say.is_json) {
		say_json_error(code, text, NULL);
	} else {
		fflush(stdout);
		print_line(stderr, "lodge: ", text);
	}
	return code;
}

enum rpc_code say_failure(const cJSON *reply)
{
	enum rpc_code code = rpc_reply_code(reply);
	const char *sent = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(reply, "error"));
	const char *text = sent && *sent ? sent : rpc_code_name(code);
	const cJSON *details = cJSON_GetObjectItemCaseSensitive(reply, "details"), *line;

	if (say.is_json) {
		say_json_error(code, text, details);
		return code;
	}
	fflush(stdout);
	cJSON_ArrayForEach(line, details)
	{
		if (cJSON_IsString(line))
			print_line(stderr, "", line->valuestring);
	}
	return say_error(code, "%s", text);
}

/* Warnings about a file tell where themselves, as compilers do. */
void say_warning(const char *text)
{
	if (!say.is_quiet && !say.is_json)
		print_line(stderr, strstr(text, ": warning: ") ? "" : "lodge: warning: ", text);
}

void say_warnings(const cJSON *list)
{
	const cJSON *line;

	cJSON_ArrayForEach(line, list)
	{
		if (cJSON_IsString(line))
			say_warning(line->valuestring);
	}
}

void say_note(const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list arguments;

	if (say.is_quiet || say.is_json)
		return;
	va_start(arguments, format);
	text = say_format_list(format, arguments);
	va_end(arguments);
	print_line(stderr, "lodge: ", text);
}

void say_done(const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list arguments;

	if (say.is_quiet || say.is_json)
		return;
	va_start(arguments, format);
	text = say_format_list(format, arguments);
	va_end(arguments);
	print_line(stdout, "", text);
}

void say_json(const cJSON *object)
{
	char *text = say_memory(cJSON_PrintUnformatted(object));
	cleanup_free char *escaped = say_memory(text_escape(text));

	cJSON_free(text);
	say_progress(NULL, 0);
	puts(escaped);
	fflush(stdout);
}

static bool progress_is_wanted(void)
{
	static enum { UNKNOWN, NO, YES } is_wanted;

	if (!is_wanted)
		is_wanted = !say.is_quiet && !say.is_json && isatty(STDERR_FILENO) ? YES : NO;
	return is_wanted == YES;
}

void say_progress(const char *text, int percent)
{
	cleanup_free char *line = NULL, *clean = NULL;
	size_t width;

	if (text ? !progress_is_wanted() : !progress_width)
		return;
	if (!text) {
		fprintf(stderr, "\r%*s\r", (int)progress_width, "");
		progress_width = 0;
		return;
	}
	clean = say_memory(text_clean(text, ""));
	line = percent < 0 ? say_format("lodge: %s", clean)
			   : say_format("lodge: %s, %d %%", clean, percent);
	width = text_width(line);
	fprintf(stderr, "\r%s%*s", line, (int)(progress_width > width ? progress_width - width : 0),
		"");
	progress_width = MAX(progress_width, width);
}

size_t say_width(void)
{
	struct winsize size = { 0 };

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ? 0 : size.ws_col;
}

enum rpc_code say_end(enum rpc_code code)
{
	say_progress(NULL, 0);
	if (!fflush(stdout) && !ferror(stdout))
		return code;
	fprintf(stderr, "lodge: standard output: %s\n", strerror(errno));
	return code ? code : RPC_FAILED;
}
