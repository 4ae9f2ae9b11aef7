/*
 * Compile-time checks of the layouts in this folder, and the integer types whose alignment differs
 * between 64-bit and 32-bit guests.
 *
 * Every structure here is read by a peer compiled elsewhere, so each one is followed by its size
 * and by the offset of each member. Padding is always spelled out.
 */
#ifndef LODGE_ABI_LAYOUT_H
#define LODGE_ABI_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define ABI_SIZE(type, size) \
	_Static_assert(sizeof(type) == (size), "ABI: size of " #type " is " #size)
#define ABI_OFFSET(type, member, offset)                   \
	_Static_assert(offsetof(type, member) == (offset), \
		       "ABI: offset of " #member " in " #type " is " #offset)

/* i386 aligns 64-bit integers to 4 bytes; members of compat structures that are 64 bits wide use
 * this type so that they land where a 32-bit guest's compiler puts them. */
typedef uint64_t compat_uint64_t __attribute__((aligned(4)));

#endif /* LODGE_ABI_LAYOUT_H */
