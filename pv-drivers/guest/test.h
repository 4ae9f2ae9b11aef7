/*
 * A test: main.c defines test_title and test_main(). Each check() is one sentence of behaviour; its
 * outcome is printed, and the last line of the guest sums up:
 *   RESULT: SUCCESS   every sentence held
 *   RESULT: FAILURE   one did not, or a trap came that nobody expected: the hypervisor is wrong
 *   RESULT: SKIP      this machine cannot show it
 *   RESULT: ERROR     the test could not set up what it needs
 */
#ifndef GUEST_TEST_H
#define GUEST_TEST_H

#include <stdbool.h>
#include <stdint.h>

#define PRINTF_LIKE(text, args) __attribute__((format(printf, text, args)))
#define NORETURN                __attribute__((noreturn))

/* Given by the test. */
extern const char test_title[];
void test_main(void);

bool check(bool holds, const char *sentence, ...) PRINTF_LIKE(2, 3);
bool check_eq(uint64_t got, uint64_t want, const char *sentence, ...) PRINTF_LIKE(3, 4);
bool check_err(int64_t got, int64_t want, const char *sentence, ...) PRINTF_LIKE(3, 4);
bool check_fault(uint32_t got, uint32_t want, const char *sentence, ...) PRINTF_LIKE(3, 4);
void note(const char *format, ...) PRINTF_LIKE(1, 2);

NORETURN void test_skip(const char *reason, ...) PRINTF_LIKE(1, 2);
NORETURN void test_error(const char *reason, ...) PRINTF_LIKE(1, 2);
NORETURN void test_fail(const char *reason, ...) PRINTF_LIKE(1, 2);
NORETURN void test_finish(const char *result);

#endif
