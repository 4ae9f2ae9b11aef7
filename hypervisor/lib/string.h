/* Memory and strings. In the hypervisor the C library's functions come from lib/libc.c; on the host
 * they are the host's own, so that the sanitizers see them. */
#ifndef LODGE_LIB_STRING_H
#define LODGE_LIB_STRING_H

#include "lib/util.h"

#if __STDC_HOSTED__
#include <string.h>
#else
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t size);
char *strchr(const char *s, int c);
#endif

/* Copies as much of from as fits, with its NUL (none if size is 0), and returns the length of from: the
 * copy is cut short if that is size or more. */
size_t str_copy(char *to, const char *from, size_t size);

bool str_starts_with(const char *s, const char *prefix);

/* Reads an unsigned number; base 0 takes "0x" for 16 and everything else for 10. *ret_end, if wanted,
 * is the first character after it, otherwise nothing may follow. False, and nothing written, if there
 * is no digit, if it does not fit, or if something follows that must not. No sign, no white space. */
must_check bool str_to_u64(const char *s, unsigned int base, uint64_t *ret_value,
			   const char **ret_end);

#endif
