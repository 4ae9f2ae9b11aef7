/* printf for a buffer. Understands d i u x X c s p %, the lengths hh h l ll j z t, width and precision
 * (also *), and the flags - 0 + space #. No floating point, no %n; what it does not understand it prints
 * as it stands. Also the length macros for 64-bit integers, which a compiler's own headers lack. */
#ifndef LODGE_LIB_FORMAT_H
#define LODGE_LIB_FORMAT_H

#include <stdarg.h>

#include "lib/util.h"

#if __STDC_HOSTED__
#include <inttypes.h>
#else
#define PRId64 "ld"
#define PRIu64 "lu"
#define PRIx64 "lx"
#define PRIX64 "lX"
#endif

/* Write at most size bytes, the last of them NUL (none if size is 0). The result is the length that the
 * whole text has: it is cut short if that is size or more. */
size_t format(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
size_t vformat(char *buf, size_t size, const char *fmt, va_list args)
	__attribute__((format(printf, 3, 0)));

#endif
