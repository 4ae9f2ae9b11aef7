/* Bitmaps, a word at a time. */
#include "lib/bitmap.h"

/* The bits of word w that are below nr_bits. */
static bitmap_word_t word_mask(size_t w, size_t nr_bits)
{
	size_t left = nr_bits - w * BITMAP_WORD_BITS;

	return left >= BITMAP_WORD_BITS ? UINT64_MAX : BIT64(left) - 1;
}

void bitmap_zero(bitmap_word_t *map, size_t nr_bits)
{
	for (size_t w = 0; w < BITMAP_WORDS(nr_bits); w++)
		map[w] = 0;
}

void bitmap_fill(bitmap_word_t *map, size_t nr_bits)
{
	for (size_t w = 0; w < BITMAP_WORDS(nr_bits); w++)
		map[w] = word_mask(w, nr_bits);
}

void bitmap_copy(bitmap_word_t *to, const bitmap_word_t *from, size_t nr_bits)
{
	for (size_t w = 0; w < BITMAP_WORDS(nr_bits); w++)
		to[w] = from[w];
}

/* The bits of word w that are in [start, end). */
static bitmap_word_t range_mask(size_t w, size_t start, size_t end)
{
	size_t first = w * BITMAP_WORD_BITS;
	bitmap_word_t mask = word_mask(w, end);

	return start > first ? mask & (UINT64_MAX << (start - first)) : mask;
}

void bitmap_set_range(bitmap_word_t *map, size_t start, size_t count)
{
	size_t end = start + count;

	for (size_t w = start / BITMAP_WORD_BITS; w < BITMAP_WORDS(end) && count; w++)
		map[w] |= range_mask(w, start, end);
}

void bitmap_clear_range(bitmap_word_t *map, size_t start, size_t count)
{
	size_t end = start + count;

	for (size_t w = start / BITMAP_WORD_BITS; w < BITMAP_WORDS(end) && count; w++)
		map[w] &= ~range_mask(w, start, end);
}

/* The first bit that differs from those of invert: 0 looks for set bits, all ones for clear ones. */
static size_t bitmap_next(const bitmap_word_t *map, size_t nr_bits, size_t start,
			  bitmap_word_t invert)
{
	size_t w = start / BITMAP_WORD_BITS;
	bitmap_word_t mask = UINT64_MAX << (start % BITMAP_WORD_BITS);

	if (start >= nr_bits)
		return nr_bits;
	for (; w < BITMAP_WORDS(nr_bits); w++) {
		bitmap_word_t word = (map[w] ^ invert) & mask;

		if (word)
			return MIN(w * BITMAP_WORD_BITS + (size_t)__builtin_ctzll(word), nr_bits);
		mask = UINT64_MAX;
	}
	return nr_bits;
}

size_t bitmap_next_set(const bitmap_word_t *map, size_t nr_bits, size_t start)
{
	return bitmap_next(map, nr_bits, start, 0);
}

size_t bitmap_next_clear(const bitmap_word_t *map, size_t nr_bits, size_t start)
{
	return bitmap_next(map, nr_bits, start, UINT64_MAX);
}

size_t bitmap_next_clear_range(const bitmap_word_t *map, size_t nr_bits, size_t start, size_t count)
{
	size_t first = bitmap_next_clear(map, nr_bits, start);

	while (first < nr_bits) {
		size_t end = bitmap_next_set(map, nr_bits, first);

		if (end - first >= count)
			return first;
		first = bitmap_next_clear(map, nr_bits, end);
	}
	return nr_bits;
}

/* In software: without POPCNT the compiler would call a function that is not there. */
static unsigned int word_weight(bitmap_word_t x)
{
	x -= x >> 1 & 0x5555555555555555;
	x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (unsigned int)(x * 0x0101010101010101 >> 56);
}

size_t bitmap_weight(const bitmap_word_t *map, size_t nr_bits)
{
	size_t weight = 0;

	for (size_t w = 0; w < BITMAP_WORDS(nr_bits); w++)
		weight += word_weight(map[w]);
	return weight;
}

bool bitmap_is_empty(const bitmap_word_t *map, size_t nr_bits)
{
	return bitmap_next_set(map, nr_bits, 0) == nr_bits;
}

bool bitmap_is_equal(const bitmap_word_t *a, const bitmap_word_t *b, size_t nr_bits)
{
	bitmap_word_t differ = 0;

	for (size_t w = 0; w < BITMAP_WORDS(nr_bits); w++)
		differ |= a[w] ^ b[w];
	return !differ;
}

bool bitmap_intersects(const bitmap_word_t *a, const bitmap_word_t *b, size_t nr_bits)
{
	bitmap_word_t common = 0;

	for (size_t w = 0; w < BITMAP_WORDS(nr_bits); w++)
		common |= a[w] & b[w];
	return common;
}

bool bitmap_is_subset(const bitmap_word_t *a, const bitmap_word_t *of, size_t nr_bits)
{
	bitmap_word_t outside = 0;

	for (size_t w = 0; w < BITMAP_WORDS(nr_bits); w++)
		outside |= a[w] & ~of[w];
	return !outside;
}

void bitmap_and(bitmap_word_t *to, const bitmap_word_t *a, const bitmap_word_t *b, size_t nr_bits)
{
	for (size_t w = 0; w < BITMAP_WORDS(nr_bits); w++)
		to[w] = a[w] & b[w];
}

void bitmap_or(bitmap_word_t *to, const bitmap_word_t *a, const bitmap_word_t *b, size_t nr_bits)
{
	for (size_t w = 0; w < BITMAP_WORDS(nr_bits); w++)
		to[w] = a[w] | b[w];
}

void bitmap_and_not(bitmap_word_t *to, const bitmap_word_t *a, const bitmap_word_t *b,
		    size_t nr_bits)
{
	for (size_t w = 0; w < BITMAP_WORDS(nr_bits); w++)
		to[w] = a[w] & ~b[w];
}
