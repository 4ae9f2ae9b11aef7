/* String functions that the C library does not have, or not in this way. */
#include "lib/string.h"

size_t str_copy(char *to, const char *from, size_t size)
{
	size_t len = strlen(from);

	if (size) {
		size_t n = MIN(len, size - 1);

		memcpy(to, from, n);
		to[n] = '\0';
	}
	return len;
}

bool str_starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* A digit's value, 36 or more for what is none. */
static unsigned int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'z')
		return (unsigned int)(c - 'a') + 10;
	if (c >= 'A' && c <= 'Z')
		return (unsigned int)(c - 'A') + 10;
	return 36;
}

bool str_to_u64(const char *s, unsigned int base, uint64_t *ret_value, const char **ret_end)
{
	uint64_t value = 0;
	const char *first;

	if ((base == 0 || base == 16) && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') &&
	    digit_value(s[2]) < 16) {
		s += 2;
		base = 16;
	} else if (base == 0) {
		base = 10;
	}
	for (first = s; digit_value(*s) < base; s++) {
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit_value(*s), &value))
			return false;
	}
	if (s == first || (!ret_end && *s))
		return false;
	*ret_value = value;
	if (ret_end)
		*ret_end = s;
	return true;
}
