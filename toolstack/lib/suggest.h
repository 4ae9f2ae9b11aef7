/* "Did you mean": the candidate nearest to a word that was not understood. */
#ifndef LODGE_TOOLSTACK_SUGGEST_H
#define LODGE_TOOLSTACK_SUGGEST_H

#include "lib/util.h"

struct suggestion {
	const char *word;
	const char *best; /* NULL: no candidate is near enough */
	unsigned int distance;
};

/* The number of letters to add, remove, change or swap with their neighbour to make b of a, not looking at
 * case; words over 31 letters are infinitely far (UINT_MAX). */
unsigned int word_distance(const char *a, const char *b);

void suggestion_init(struct suggestion *s, const char *word);
void suggestion_offer(struct suggestion *s, const char *candidate);

#endif
