/* What went wrong, in words. Functions return 0 or a negative errno and fill a struct err; callers add
 * what they were doing, programs print it at the end. Libraries never print. */
#ifndef LODGE_TOOLSTACK_ERR_H
#define LODGE_TOOLSTACK_ERR_H

#include "lib/util.h"

struct err {
	char text[512]; /* cut off at the end when longer; always terminated */
};

/* Sets the text and returns code, for `return err_set(err, -EINVAL, ...)`. */
int err_set(struct err *err, int code, const char *format, ...)
	__attribute__((__format__(__printf__, 3, 4)));

/* Puts "format: " in front of the text and returns code. */
int err_wrap(struct err *err, int code, const char *format, ...)
	__attribute__((__format__(__printf__, 3, 4)));

/* Sets the text to "format: " and the words for code, a negative errno; returns code. */
int err_errno(struct err *err, int code, const char *format, ...)
	__attribute__((__format__(__printf__, 3, 4)));

#endif
