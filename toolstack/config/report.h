/* What a parser found wrong in a text: a list of "file:line:col: message", in the order of the text. */
#ifndef LODGE_CONFIG_REPORT_H
#define LODGE_CONFIG_REPORT_H

#include <stdarg.h>

#include "lib/util.h"

#define REPORT_MAX 200u /* more are counted, not kept */

struct finding {
	bool is_warning;
	unsigned int line, column; /* from 1; 0: the file as a whole */
	char *text;
};

struct report {
	const char *file; /* caller's, as it shall be shown */
	struct finding *findings;
	size_t nr_findings;
	size_t nr_mistakes; /* findings that are not warnings */
	size_t nr_lost;
	bool no_memory;
};

/* From now on findings are counted only: finding words for them is wasted. */
static inline bool report_is_full(const struct report *r)
{
	return r->nr_findings == REPORT_MAX;
}

void report_init(struct report *r, const char *file);
void report_fini(struct report *r);

void report_add(struct report *r, bool is_warning, unsigned int line, unsigned int column,
		const char *format, ...) __attribute__((__format__(__printf__, 5, 6)));
void report_add_list(struct report *r, bool is_warning, unsigned int line, unsigned int column,
		     const char *format, va_list arguments)
	__attribute__((__format__(__printf__, 5, 0)));

/* Puts the findings in the order of the text. */
void report_sort(struct report *r);

/* All findings, one on each line, to be freed; NULL without memory. */
char *report_text(const struct report *r);

#endif
