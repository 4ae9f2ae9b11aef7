#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(err->text, sizeof(err->text), format, arguments);
	va_end(arguments);
	return code;
}

/* "prefix: rest", cut off at the end. */
static void join(struct err *err, const char *prefix, const char *rest)
{
	struct err joined;
	int length = snprintf(joined.text, sizeof(joined.text), "%s: %s", prefix, rest);

	if (length >= 0)
		*err = joined;
}

int err_wrap(struct err *err, int code, const char *format, ...)
{
	char prefix[sizeof(err->text)];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(prefix, sizeof(prefix), format, arguments);
	va_end(arguments);
	join(err, prefix, err->text);
	return code;
}

int err_errno(struct err *err, int code, const char *format, ...)
{
	char prefix[sizeof(err->text)], words[64];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(prefix, sizeof(prefix), format, arguments);
	va_end(arguments);
	join(err, prefix, strerror_r(-code, words, sizeof(words)));
	return code;
}
