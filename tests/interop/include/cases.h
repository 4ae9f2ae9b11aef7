/* One case of a hostile guest, by the word "case=" of its command line. */
#ifndef INTEROP_CASES_H
#define INTEROP_CASES_H

#include "options.h"

/* The index of the case in a table whose rows begin with their names. Without one of these names, it tells them all, so
 * that a runner knows them, and ends. After front_init(). */
static inline unsigned int chosen_case(const void *table, size_t nr_rows, size_t row_bytes)
{
	const char *wanted = option("case", "");

	for (unsigned int i = 0; i < nr_rows; i++) {
		if (!strcmp(*(const char *const *)((const char *)table + i * row_bytes), wanted))
			return i;
	}
	for (unsigned int i = 0; i < nr_rows; i++)
		note("case %s", *(const char *const *)((const char *)table + i * row_bytes));
	test_skip("case= names none of these");
}

#define CHOSEN_CASE(table) chosen_case(table, ARRAY_SIZE(table), sizeof((table)[0]))

#endif
