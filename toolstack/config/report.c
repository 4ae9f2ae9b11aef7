#include "config/report.h"

#include <stdio.h>
#include <stdlib.h>

void report_init(struct report *r, const char *file)
{
	*r = (struct report){ .file = file };
}

void report_fini(struct report *r)
{
	for (size_t i = 0; i < r->nr_findings; i++)
		free(r->findings[i].text);
	free(r->findings);
	report_init(r, r->file);
}

void report_add(struct report *r, bool is_warning, unsigned int line, unsigned int column,
		const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	report_add_list(r, is_warning, line, column, format, arguments);
	va_end(arguments);
}

void report_add_list(struct report *r, bool is_warning, unsigned int line, unsigned int column,
		     const char *format, va_list arguments)
{
	char *text;

	r->nr_mistakes += !is_warning;
	if (report_is_full(r)) {
		r->nr_lost++;
		return;
	}
	if (!r->findings)
		r->findings = calloc(REPORT_MAX, sizeof(*r->findings));
	if (!r->findings || vasprintf(&text, format, arguments) < 0) {
		r->no_memory = true;
		return;
	}
	r->findings[r->nr_findings++] = (struct finding){ is_warning, line, column, text };
}

static bool is_before(const struct finding *a, const struct finding *b)
{
	return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* By insertion: what stands at the same place keeps its order, and the list is short. */
void report_sort(struct report *r)
{
	for (size_t i = 1; i < r->nr_findings; i++) {
		struct finding one = r->findings[i];
		size_t at = i;

		for (; at > 0 && is_before(&one, &r->findings[at - 1]); at--)
			r->findings[at] = r->findings[at - 1];
		r->findings[at] = one;
	}
}

char *report_text(const struct report *r)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return NULL;
	for (size_t i = 0; i < r->nr_findings; i++) {
		const struct finding *f = &r->findings[i];

		if (f->line)
			fprintf(stream, "%s:%u:%u: ", r->file, f->line, f->column);
		else
			fprintf(stream, "%s: ", r->file);
		fprintf(stream, "%s%s\n", f->is_warning ? "warning: " : "", f->text);
	}
	if (r->nr_lost)
		fprintf(stream, "%s: %zu more are not shown\n", r->file, r->nr_lost);
	if (fclose(stream)) {
		free(text);
		return NULL;
	}
	return text;
}
