/* Checks and the end of a guest. See test.h; which main runs is decided in test-main.c. */
#include "guest/test.h"

#include <stdarg.h>

#include "guest/console.h"
#include "guest/hypercall.h"
#include "guest/trap.h"

static unsigned int nr_failed, nr_held;

#define SENTENCE_MAX 256

PRINTF_LIKE(2, 0)
static void report(bool holds, const char *sentence, va_list args, const char *detail)
{
	char text[SENTENCE_MAX];

	vsnprintf(text, sizeof(text), sentence, args);
	if (holds)
		nr_held++;
	else
		nr_failed++;
	printf("%s %s%s\n", holds ? "  ok  " : "  FAIL", text, holds ? "" : detail);
}

bool check(bool holds, const char *sentence, ...)
{
	va_list args;

	va_start(args, sentence);
	report(holds, sentence, args, "");
	va_end(args);
	return holds;
}

bool check_eq(uint64_t got, uint64_t want, const char *sentence, ...)
{
	char detail[64];
	va_list args;

	snprintf(detail, sizeof(detail), ": got %#lx, want %#lx", got, want);
	va_start(args, sentence);
	report(got == want, sentence, args, detail);
	va_end(args);
	return got == want;
}

bool check_err(int64_t got, int64_t want, const char *sentence, ...)
{
	char detail[64];
	va_list args;

	snprintf(detail, sizeof(detail), ": got %ld, want %ld", got, want);
	va_start(args, sentence);
	report(got == want, sentence, args, detail);
	va_end(args);
	return got == want;
}

bool check_fault(uint32_t got, uint32_t want, const char *sentence, ...)
{
	char detail[64], wanted[16];
	va_list args;

	snprintf(wanted, sizeof(wanted), "%s", fault_name(want));
	snprintf(detail, sizeof(detail), ": got %s, want %s", fault_name(got), wanted);
	va_start(args, sentence);
	report(got == want, sentence, args, detail);
	va_end(args);
	return got == want;
}

PRINTF_LIKE(1, 0)
static void vnote(const char *text, va_list args)
{
	char line[SENTENCE_MAX];

	vsnprintf(line, sizeof(line), text, args);
	printf("  note  %s\n", line);
}

void note(const char *text, ...)
{
	va_list args;

	va_start(args, text);
	vnote(text, args);
	va_end(args);
}

void test_skip(const char *reason, ...)
{
	va_list args;

	va_start(args, reason);
	vnote(reason, args);
	va_end(args);
	test_finish("SKIP");
}

void test_error(const char *reason, ...)
{
	va_list args;

	va_start(args, reason);
	vnote(reason, args);
	va_end(args);
	test_finish("ERROR");
}

void test_fail(const char *reason, ...)
{
	va_list args;

	va_start(args, reason);
	vnote(reason, args);
	va_end(args);
	test_finish("FAILURE");
}

void test_finish(const char *result)
{
	if (!result)
		result = nr_failed ? "FAILURE" : nr_held ? "SUCCESS" : "ERROR";
	printf("%u of %u hold\nRESULT: %s\n", nr_held, nr_held + nr_failed, result);
	guest_shutdown(SHUTDOWN_poweroff);
}
