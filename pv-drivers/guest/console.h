/*
 * Text out: the domain's console ring, where there is one; else console_io, or port 0xe9 where the hypervisor
 * refuses the hypercall (a guest without privilege); until somebody else takes it (front/console.h). Also the
 * few string functions that the compiler expects. Any vCPU may print, to a ring one at a time.
 */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include <stdarg.h>
#include <stddef.h>

/* Looks what there is. Before it, text goes to the hypervisor. */
void console_start(void);

/* Takes all text from now on. */
void console_set_output(void (*write)(const char *text, size_t size));

void printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void vprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
int snprintf(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *out, size_t size, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
const char *strstr(const char *text, const char *part);

#endif
