/* What every unit test shares: a main() that runs its tests, each in a process of its own, and prints one
 * line for each: the contract sentence that is the test's name. */
#ifndef LODGE_TESTS_UNIT_H
#define LODGE_TESTS_UNIT_H

#include <check.h>
#include <stdlib.h>

#include "lib/util.h"

/* setup and teardown (may be NULL) run before and after each test. The result is main's. */
int unit_run(const char *name, void (*setup)(void), void (*teardown)(void),
	     const TTest *const *tests, size_t nr_tests);

/* The whole main() of a test program: its name, setup, teardown, then the names of its tests. */
#define UNIT_MAIN(name, setup, teardown, ...)                                     \
	int main(void)                                                            \
	{                                                                         \
		const TTest *const tests[] = { __VA_ARGS__ };                     \
                                                                                  \
		return unit_run(name, setup, teardown, tests, ARRAY_SIZE(tests)); \
	}

#endif
