/* One row for each size, offset or constant. No pointers: see CMakeLists.txt. */
#ifndef LODGE_TESTS_TABLE_H
#define LODGE_TESTS_TABLE_H

#include <stdint.h>

struct row { /* laid out alike by both compilers */
	char name[88];
	int64_t value __attribute__((aligned(8)));
};

#define ROW(name, value) { name, (int64_t)(value) },

/* Each ends with an empty name. The two tables of a pair come from the same list. */
extern const struct row ours_64[], theirs_64[], ours_32[], theirs_32[];

#endif
