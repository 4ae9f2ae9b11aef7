#include "lib/size.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define WHITE " \t\r\n"

int size_unit(const char *unit, uint64_t *ret_bytes, struct err *err)
{
	static const char prefixes[] = "kmgtpe";
	const char *prefix = *unit ? strchr(prefixes, *unit | 0x20) : NULL;
	uint64_t base, bytes = 1;

	if (!strcasecmp(unit, "b") || !strcasecmp(unit, "byte") || !strcasecmp(unit, "bytes")) {
		*ret_bytes = 1;
		return 0;
	}
	if (prefix && (!unit[1] || !strcasecmp(unit + 1, "ib")))
		base = 1024;
	else if (prefix && !strcasecmp(unit + 1, "b"))
		base = 1000;
	else
		return err_set(err, -EINVAL,
			       "no such unit; legal are \"b\", \"KiB\", \"MiB\", \"GiB\", "
			       "\"TiB\", \"PiB\", \"EiB\", \"KB\", \"MB\", \"GB\", \"TB\"");
	for (const char *p = prefixes; p <= prefix; p++)
		bytes *= base;
	*ret_bytes = bytes;
	return 0;
}

int number_parse(const char *text, uint64_t *ret_number, struct err *err)
{
	size_t digits;
	uint64_t number = 0;

	text += strspn(text, WHITE);
	digits = strspn(text, "0123456789");
	if (!digits || text[digits + strspn(text + digits, WHITE)])
		return err_set(err, -EINVAL, "not a whole number");
	for (size_t i = 0; i < digits; i++) {
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number))
			return err_set(err, -ERANGE, "too large");
	}
	*ret_number = number;
	return 0;
}

int size_parse(const char *number, const char *unit, uint64_t *ret_bytes, struct err *err)
{
	uint64_t unit_bytes = 0, count = 0, bytes;
	int code = size_unit(unit, &unit_bytes, err);

	if (!code)
		code = number_parse(number, &count, err);
	if (code)
		return code;
	if (__builtin_mul_overflow(count, unit_bytes, &bytes))
		return err_set(err, -ERANGE, "too large");
	*ret_bytes = bytes;
	return 0;
}
