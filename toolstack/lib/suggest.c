#include "lib/suggest.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

#define MAX_WORD 31u

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment: row[i % 3][j] is the distance of the first i letters of a and j of b. */
unsigned int word_distance(const char *a, const char *b)
{
	unsigned int row[3][MAX_WORD + 1] = { { 0 } };
	size_t a_length = strlen(a), b_length = strlen(b);

	if (a_length > MAX_WORD || b_length > MAX_WORD)
		return UINT_MAX;
	for (unsigned int j = 0; j <= b_length; j++)
		row[0][j] = j;
	for (unsigned int i = 1; i <= a_length; i++) {
		unsigned int *now = row[i % 3];
		const unsigned int *before = row[(i + 2) % 3], *earlier = row[(i + 1) % 3];

		now[0] = i;
		for (unsigned int j = 1; j <= b_length; j++) {
			unsigned int change = before[j - 1] + !same(a[i - 1], b[j - 1]);

			now[j] = MIN(MIN(before[j], now[j - 1]) + 1, change);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
				now[j] = MIN(now[j], earlier[j - 2] + 1);
		}
	}
	return row[a_length % 3][b_length];
}

void suggestion_init(struct suggestion *s, const char *word)
{
	*s = (struct suggestion){ word, NULL, UINT_MAX };
}

/* A third of the letters may be wrong, and one even in a short word. */
void suggestion_offer(struct suggestion *s, const char *candidate)
{
	unsigned int distance = word_distance(s->word, candidate);
	size_t allowed = MAX(strlen(s->word) / 3, 1u);

	if (distance <= allowed && distance < strlen(candidate) && distance < s->distance) {
		s->best = candidate;
		s->distance = distance;
	}
}
