/* Small things every file uses: attributes, array and structure arithmetic, alignment. Knows no
 * hypervisor type and compiles on the host unchanged. */
#ifndef LODGE_LIB_UTIL_H
#define LODGE_LIB_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef static_assert /* without a C library there is no assert.h */
#define static_assert _Static_assert
#endif

#define must_check __attribute__((__warn_unused_result__))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Evaluates to 0; does not compile for a pointer. */
#define MUST_BE_ARRAY(a)                                                                        \
	(sizeof(char[1 -                                                                        \
		     2 * !!__builtin_types_compatible_p(__typeof__(a), __typeof__(&(a)[0]))]) - \
	 1)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]) + MUST_BE_ARRAY(a))

/* The structure whose member ptr points to. Does not compile for a pointer of another type. */
#define container_of(ptr, type, member) \
	((type *)((uintptr_t)(1 ? (ptr) : &((type *)0)->member) - offsetof(type, member)))

/* Evaluate an argument twice: no side effects in it. */
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#define BIT64(n) (UINT64_C(1) << (n))

static inline bool is_power_of_2(uint64_t x)
{
	return x && !(x & (x - 1));
}

/* align is a power of two; the sum must not overflow. */
static inline uint64_t align_up(uint64_t x, uint64_t align)
{
	return (x + align - 1) & ~(align - 1);
}

static inline uint64_t align_down(uint64_t x, uint64_t align)
{
	return x & ~(align - 1);
}

static inline bool is_aligned(uint64_t x, uint64_t align)
{
	return !(x & (align - 1));
}

static inline uint64_t div_round_up(uint64_t x, uint64_t divisor)
{
	return x / divisor + (x % divisor != 0);
}

/* The position of the highest set bit; x is not 0. */
static inline unsigned int log2_floor(uint64_t x)
{
	return 63 - (unsigned int)__builtin_clzll(x);
}

#endif
