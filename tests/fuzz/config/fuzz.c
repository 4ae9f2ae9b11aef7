/* Whatever the bytes are: no fault, and a domain that is taken is the same when written and read again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/domain.h"
#include "config/report.h"
#include "lib/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "ERROR: %s\n", what);
		abort();
	}
}

static void write_and_read_again(const struct domain_description *d)
{
	cleanup_free char *written = domain_write(d), *again = NULL;
	struct domain_description *same = NULL;
	struct report report;

	expect(written, "written");
	report_init(&report, "again");
	expect(!domain_parse(written, strlen(written), NULL, &same, &report), "taken again");
	expect(report.nr_findings == 0, "without a warning");
	again = domain_write(same);
	expect(again && !strcmp(written, again), "the same again");
	domain_free(same);
	report_fini(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct domain_description *d = NULL;
	struct report report;

	report_init(&report, "fuzz");
	if (!domain_parse((const char *)data, size, NULL, &d, &report))
		write_and_read_again(d);
	else
		expect(report.nr_mistakes > 0, "a mistake is told");
	free(report_text(&report));
	domain_free(d);
	report_fini(&report);
	return 0;
}
