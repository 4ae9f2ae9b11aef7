/* Sizes with units, as libvirt reads them: b or bytes; K or KiB, M, G, T, P, E (powers of 1024); KB, MB
 * and so on (powers of 1000); in any case of letters. */
#ifndef LODGE_TOOLSTACK_SIZE_H
#define LODGE_TOOLSTACK_SIZE_H

#include "lib/err.h"

/* 0, or -EINVAL when there is no such unit. */
must_check int size_unit(const char *unit, uint64_t *ret_bytes, struct err *err);

/* A whole number of units; white space around it is allowed. -EINVAL, or -ERANGE beyond 64 bits. */
must_check int size_parse(const char *number, const char *unit, uint64_t *ret_bytes,
			  struct err *err);

/* The digits of text, and nothing but white space around them. -EINVAL, or -ERANGE beyond 64 bits. */
must_check int number_parse(const char *text, uint64_t *ret_number, struct err *err);

#endif
