/*
 * The kernel inside of a bzImage, by the Linux boot protocol's header, and its unpacking by the libraries
 * that know the formats.
 */
#ifndef LODGE_TOOLSTACK_UNPACK_H
#define LODGE_TOOLSTACK_UNPACK_H

#include "build/source.h"

/* Tells whether it is a bzImage; a file that cannot be read is none. */
bool bzimage_is(const struct source *s);

/* The packed kernel of a bzImage, and how long it is when unpacked, as its last four bytes say. */
int bzimage_find_payload(const struct source *s, struct source *ret_payload,
			 uint64_t *ret_unpacked_bytes, struct err *err);

/* Unpacks it to exactly that many bytes, in memory that *ret_kernel owns. */
int payload_unpack(const struct source *payload, uint64_t unpacked_bytes, struct source *ret_kernel,
		   struct err *err);

#endif
