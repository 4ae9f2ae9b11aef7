/* Bitmaps, a word at a time. */
#include "lib/bitmap.h"

/* The bits of word w that are below nr_bits. */
static bitmap_word_t word_mask(size_t w, size_t nr_bits)
{
	size_t left = nr_bits - w * BITMAP_WORD_BITS;

	return left >= BITMAP_WORD_BITS ? UINT64_MAX : BIT64(left) - 1;
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
