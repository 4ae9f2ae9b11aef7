/* Bitmaps: arrays of 64-bit words of the caller's. Nothing here is atomic: whoever owns the bitmap
 * guards it. Bits beyond nr_bits in the last word must stay zero; the functions here keep them so. */
#ifndef LODGE_LIB_BITMAP_H
#define LODGE_LIB_BITMAP_H

#include "lib/util.h"

typedef uint64_t bitmap_word_t;

#define BITMAP_WORD_BITS      64u
#define BITMAP_WORDS(nr_bits) (((nr_bits) + BITMAP_WORD_BITS - 1) / BITMAP_WORD_BITS)

static inline bool bitmap_test(const bitmap_word_t *map, size_t bit)
{
	return map[bit / BITMAP_WORD_BITS] >> (bit % BITMAP_WORD_BITS) & 1;
}

static inline void bitmap_set(bitmap_word_t *map, size_t bit)
{
	map[bit / BITMAP_WORD_BITS] |= BIT64(bit % BITMAP_WORD_BITS);
}

static inline void bitmap_clear(bitmap_word_t *map, size_t bit)
{
	map[bit / BITMAP_WORD_BITS] &= ~BIT64(bit % BITMAP_WORD_BITS);
}

void bitmap_fill(bitmap_word_t *map, size_t nr_bits);
void bitmap_copy(bitmap_word_t *to, const bitmap_word_t *from, size_t nr_bits);

/* Bits [start, start + count). */
void bitmap_set_range(bitmap_word_t *map, size_t start, size_t count);
void bitmap_clear_range(bitmap_word_t *map, size_t start, size_t count);

/* The first bit at or after start that is set (or clear); nr_bits when there is none. */
size_t bitmap_next_set(const bitmap_word_t *map, size_t nr_bits, size_t start);
size_t bitmap_next_clear(const bitmap_word_t *map, size_t nr_bits, size_t start);

#endif
