/* A table for people: columns as wide as their widest cell, numbers on the right. On a terminal the last
 * column ends at the edge; in a pipe nothing is ever cut. */
#ifndef LODGE_CLI_TABLE_H
#define LODGE_CLI_TABLE_H

#include <stdio.h>

#include "lib/util.h"

#define TABLE_MAX_COLUMNS 16u

struct column {
	const char *title;
	bool is_number; /* aligned on the right */
};

/* One that is all zero is empty, without columns. */
struct table {
	struct column columns[TABLE_MAX_COLUMNS];
	size_t nr_columns;
	char **cells; /* row by row */
	size_t nr_cells, max_cells;
};

/* Up to TABLE_MAX_COLUMNS; their titles must live as long as the table. */
void table_init(struct table *t, const struct column *columns, size_t nr_columns);
void table_fini(struct table *t);

/* The next cell, which is copied and cleaned; an empty one is shown as "-". */
void table_add(struct table *t, const char *text);

/* width: columns of the terminal, 0: none; indent: spaces before each line. */
void table_print(const struct table *t, FILE *to, size_t width, size_t indent, bool has_header);

#endif
