/* What the program says: results on standard output, for people or as JSON; all else on standard error, each
 * message one line that begins with "lodge: ". With --json an error is an object on standard output, so that
 * a program has to look in one place only. */
#ifndef LODGE_CLI_SAY_H
#define LODGE_CLI_SAY_H

#include <cjson/cJSON.h>
#include <stdarg.h>

#include "lib/rpc.h"

struct say_options {
	bool is_json;
	bool is_quiet; /* no warnings, no progress, nothing about what went well */
};

extern struct say_options say;

/* Ends the program for want of memory when pointer is NULL, else returns it. */
void *say_memory(void *pointer) __attribute__((__returns_nonnull__));

/* A text to be freed; never NULL. */
char *say_format(const char *format, ...)
	__attribute__((__format__(__printf__, 1, 2), __returns_nonnull__));
char *say_format_list(const char *format, va_list arguments)
	__attribute__((__format__(__printf__, 1, 0), __returns_nonnull__));

/* Tells of a failure and returns code, which is to be the exit status. */
enum rpc_code say_error(enum rpc_code code, const char *format, ...)
	__attribute__((__format__(__printf__, 2, 3)));

/* The same from a last line of lodged's that is not ok. */
enum rpc_code say_failure(const cJSON *reply);

void say_warning(const char *text);
void say_warnings(const cJSON *list); /* an array of texts; NULL: none */

/* A message for people that is no result, for standard error. Nothing with --quiet or --json. */
void say_note(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* What was done, on standard output. Nothing with --quiet or --json. */
void say_done(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* A line of a result, in which nothing drives the terminal. */
void say_line(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* One line of standard output, there at once. */
void say_json(const cJSON *object);

/* How far a slow step is, on a terminal only. percent < 0: not known. NULL ends it. */
void say_progress(const char *text, int percent);

size_t say_width(void); /* of the terminal that standard output is, or 0 */

/* Flushes standard output; RPC_FAILED, with a message, where that is impossible, else code. */
enum rpc_code say_end(enum rpc_code code);

#endif
