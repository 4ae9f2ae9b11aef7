#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

#include "cli/say.h"
#include "cli/text.h"

#define GAP 2u /* spaces between columns */

void table_init(struct table *t, const struct column *columns, size_t nr_columns)
{
	*t = (struct table){ .nr_columns = MIN(nr_columns, (size_t)TABLE_MAX_COLUMNS) };
	memcpy(t->columns, columns, t->nr_columns * sizeof(*columns));
}

void table_fini(struct table *t)
{
	for (size_t i = 0; i < t->nr_cells; i++)
		free(t->cells[i]);
	free(t->cells);
	*t = (struct table){ 0 };
}

void table_add(struct table *t, const char *text)
{
	if (t->nr_cells == t->max_cells) {
		t->max_cells = t->max_cells ? 2 * t->max_cells : 64;
		t->cells = say_memory(realloc(t->cells, t->max_cells * sizeof(*t->cells)));
	}
	t->cells[t->nr_cells++] = say_memory(text_clean(*text ? text : "-", ""));
}

static void spaces(FILE *to, size_t nr)
{
	static const char blank[] = "                                ";

	for (; nr; nr -= MIN(nr, sizeof(blank) - 1))
		fwrite(blank, 1, MIN(nr, sizeof(blank) - 1), to);
}

/* The last column may have to end early: with "…" as its last character. */
static void print_last(FILE *to, const char *text, size_t room)
{
	if (text_width(text) <= room)
		fputs(text, to);
	else
		fprintf(to, "%.*s…", (int)text_fit(text, room - 1), text);
}

static void print_row(const struct table *t, FILE *to, const char *const *row, const size_t *widths,
		      size_t room)
{
	size_t last = t->nr_columns - 1;

	for (size_t i = 0; i <= last; i++) {
		size_t pad = widths[i] - MIN(widths[i], text_width(row[i]));

		if (i)
			spaces(to, GAP);
		if (t->columns[i].is_number)
			spaces(to, pad);
		if (i == last)
			print_last(to, row[i], room);
		else
			fputs(row[i], to);
		if (!t->columns[i].is_number && i < last)
			spaces(to, pad);
	}
	putc('\n', to);
}

void table_print(const struct table *t, FILE *to, size_t width, size_t indent, bool has_header)
{
	size_t widths[TABLE_MAX_COLUMNS] = { 0 }, used = indent, nr = t->nr_columns,
	       room = SIZE_MAX;
	const char *titles[TABLE_MAX_COLUMNS] = { NULL };

	if (!nr)
		return;
	for (size_t i = 0; i < nr; i++) {
		titles[i] = t->columns[i].title;
		widths[i] = has_header ? text_width(titles[i]) : 0;
	}
	for (size_t i = 0; i < t->nr_cells; i++)
		widths[i % nr] = MAX(widths[i % nr], text_width(t->cells[i]));
	for (size_t i = 0; i + 1 < nr; i++)
		used += widths[i] + GAP;
	if (width) /* a word must remain readable, even if the line then wraps */
		room = MAX(width > used ? width - used : 0, (size_t)8);
	if (!t->columns[nr - 1].is_number)
		widths[nr - 1] = 0;
	if (has_header) {
		spaces(to, indent);
		print_row(t, to, titles, widths, room);
	}
	for (size_t i = 0; i + nr <= t->nr_cells; i += nr) {
		spaces(to, indent);
		print_row(t, to, (const char *const *)t->cells + i, widths, room);
	}
}
