/* Words of the command line: "name=value", and random numbers that a seed repeats. */
#ifndef INTEROP_OPTIONS_H
#define INTEROP_OPTIONS_H

#include "front/front.h"

/* The text behind "name=" up to the next space, or the default. Valid until the next call. */
static inline const char *option(const char *name, const char *otherwise)
{
	static char value[64];
	size_t length = strlen(name), i = 0;

	for (const char *word = command_line(); *word; word++) {
		if (memcmp(word, name, length) || word[length] != '=')
			continue;
		if (word != command_line() && word[-1] != ' ')
			continue;
		for (word += length + 1; word[i] && word[i] != ' ' && i < sizeof(value) - 1; i++)
			value[i] = word[i];
		value[i] = '\0';
		return value;
	}
	return otherwise;
}

static inline uint64_t option_number(const char *name, uint64_t otherwise)
{
	uint64_t number = otherwise;

	(void)parse_number(option(name, ""), &number);
	return number;
}

/* xorshift; the state is never 0. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
