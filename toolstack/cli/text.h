/* Text for people: how wide it is on a terminal, what of it may be shown, and sizes and times in words.
 * Text is UTF-8 whatever the locale, so that no locale has to be loaded. */
#ifndef LODGE_CLI_TEXT_H
#define LODGE_CLI_TEXT_H

#include "lib/err.h"

/* Columns on a terminal; a byte that is no UTF-8 counts as one. */
size_t text_width(const char *text);

/* How many bytes of text fit in so many columns. */
size_t text_fit(const char *text, size_t columns);

/* A copy, to be freed, in which control characters and bytes that are no UTF-8 are "?": names and output of
 * guests must not drive the terminal. keep: control characters that stay. NULL without memory. */
char *text_clean(const char *text, const char *keep);

/* The same for JSON, to be freed: escaped, so that readers get what it was but for bytes that are no UTF-8. NULL
 * without memory. */
char *text_escape(const char *json);

#define TEXT_WORDS_MAX 64 /* room for any of these, with its end */

/* "512 MiB", "1.5 GiB": at most one digit behind the point. */
void text_size(uint64_t bytes, char *ret_words);

/* "12.3 s", "5 min 12 s", "3 h 25 min", "2 d 4 h" */
void text_duration(uint64_t ns, char *ret_words);

/* "512M", "1 GiB": a number and its unit, as lib/size.h reads them. Without a unit -EINVAL, because xl and
 * virsh disagree on what it would be. */
must_check int text_parse_size(const char *text, uint64_t *ret_bytes, struct err *err);

/* "90", "90s", "5m" or "5min", "2h", "1d", up to ten years. */
must_check int text_parse_seconds(const char *text, uint64_t *ret_seconds, struct err *err);

/* A whole number from min to max. */
must_check int text_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number,
				 struct err *err);

#endif
