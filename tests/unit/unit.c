/* Runs a list of tests under Check and prints what each one proves. */
#include "unit.h"

#include <stdio.h>

/* alloc_fails_when_empty reads as "alloc fails when empty". */
static void print_sentence(const char *name)
{
	for (; *name; name++)
		putchar(*name == '_' ? ' ' : *name);
}

static int report(SRunner *runner, const char *name)
{
	int nr = srunner_ntests_run(runner), failed = srunner_ntests_failed(runner);
	TestResult **results = srunner_results(runner);

	for (int i = 0; i < nr; i++) {
		bool pass = tr_rtype(results[i]) == CK_PASS;

		printf("%s  %s: ", pass ? "pass" : "FAIL", name);
		print_sentence(tr_tcname(results[i]));
		putchar('\n');
		if (!pass)
			printf("      %s:%d: %s\n", tr_lfile(results[i]), tr_lno(results[i]),
			       tr_msg(results[i]));
	}
	printf("%s: %d of %d passed\n", name, nr - failed, nr);
	free(results);
	return nr == 0 || failed;
}

int unit_run(const char *name, void (*setup)(void), void (*teardown)(void),
	     const TTest *const *tests, size_t nr_tests)
{
	Suite *suite = suite_create(name);
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < nr_tests; i++) { /* a case for each: only cases' names come back */
		TCase *test_case = tcase_create(tests[i]->name);

		if (setup || teardown)
			tcase_add_checked_fixture(test_case, setup, teardown);
		tcase_set_timeout(test_case, 60);
		tcase_add_test(test_case, tests[i]);
		suite_add_tcase(suite, test_case);
	}
	runner = srunner_create(suite);
	fflush(stdout);
	srunner_run_all(runner, CK_SILENT);
	failed = report(runner, name);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
