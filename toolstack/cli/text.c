#include "cli/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/size.h"

#define NS_PER_MS    1000000u
#define NS_PER_S     1000000000u
#define BAD_SEQUENCE UINT32_MAX

struct range {
	uint32_t first, last;
};

/* Marks that stand on the letter before them, and what has no shape at all. */
static const struct range no_columns[] = {
	{ 0x0300, 0x036f }, { 0x0483, 0x0489 }, { 0x0591, 0x05bd }, { 0x0610, 0x061a },
	{ 0x064b, 0x065f }, { 0x0e34, 0x0e3a }, { 0x0e47, 0x0e4e }, { 0x1ab0, 0x1aff },
	{ 0x1dc0, 0x1dff }, { 0x200b, 0x200f }, { 0x202a, 0x202e }, { 0x2060, 0x2064 },
	{ 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff },
};

/* East Asian letters, and pictures. */
static const struct range two_columns[] = {
	{ 0x1100, 0x115f },   { 0x2e80, 0x303e },   { 0x3041, 0x33ff },   { 0x3400, 0x4dbf },
	{ 0x4e00, 0xa4cf },   { 0xa960, 0xa97c },   { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },
	{ 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },   { 0xffe0, 0xffe6 },   { 0x1f300, 0x1f64f },
	{ 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd },
};

static bool is_in(uint32_t c, const struct range *ranges, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	}
	return false;
}

/* The character at text, and how many bytes it takes: 1 and BAD_SEQUENCE where it is none. */
static uint32_t decode(const char *text, size_t *ret_bytes)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)text;
	unsigned int more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
	uint32_t c = more ? *p & (0x3fu >> more) : *p;

	*ret_bytes = 1;
	if (*p >= 0x80 && (*p < 0xc2 || *p > 0xf4))
		return BAD_SEQUENCE;
	for (unsigned int i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return BAD_SEQUENCE;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return BAD_SEQUENCE;
	*ret_bytes = more + 1;
	return c;
}

static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

static size_t columns_of(uint32_t c)
{
	if (c < 0x300)
		return 1;
	if (is_in(c, no_columns, ARRAY_SIZE(no_columns)))
		return 0;
	return is_in(c, two_columns, ARRAY_SIZE(two_columns)) ? 2 : 1;
}

size_t text_width(const char *text)
{
	size_t width = 0, bytes;

	for (; *text; text += bytes)
		width += columns_of(decode(text, &bytes));
	return width;
}

size_t text_fit(const char *text, size_t columns)
{
	const char *p = text;
	size_t bytes;

	for (; *p; p += bytes) {
		size_t width = columns_of(decode(p, &bytes));

		if (width > columns)
			break;
		columns -= width;
	}
	return (size_t)(p - text);
}

char *text_clean(const char *text, const char *keep)
{
	char *copy = malloc(strlen(text) + 1), *to = copy;
	size_t bytes;

	if (!copy)
		return NULL;
	for (; *text; text += bytes) {
		uint32_t c = decode(text, &bytes);

		if (c == BAD_SEQUENCE || (is_control(c) && (c >= 0x80 || !strchr(keep, (int)c)))) {
			*to++ = '?';
		} else {
			memcpy(to, text, bytes);
			to += bytes;
		}
	}
	*to = '\0';
	return copy;
}

char *text_escape(const char *json)
{
	static const size_t longest = sizeof("\\u009b") - 1;
	char *copy = malloc(longest * strlen(json) + 1), *to = copy;
	size_t bytes;

	if (!copy)
		return NULL;
	for (; *json; json += bytes) {
		uint32_t c = decode(json, &bytes);

		if (c != BAD_SEQUENCE && !is_control(c)) {
			memcpy(to, json, bytes);
			to += bytes;
		} else {
			to += sprintf(to, "\\u%04" PRIx32, c == BAD_SEQUENCE ? 0xfffd : c);
		}
	}
	*to = '\0';
	return copy;
}

/* Rounded to a tenth, so that what is a page short of 64 MiB is 64 MiB to people. */
void text_size(uint64_t bytes, char *ret_words)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	uint64_t tenths = bytes;
	size_t unit = 0;

	if (bytes >= 1024) {
		unsigned int shift = log2_floor(bytes) / 10 * 10;
		uint64_t whole = bytes >> shift, rest = bytes - (whole << shift);

		unit = shift / 10;
		tenths = whole * 10 + (((rest >> (shift - 10)) * 10 + 512) >> 10);
	} else {
		tenths *= 10;
	}
	if (tenths >= 10240 && unit + 1 < ARRAY_SIZE(units)) {
		tenths = 10;
		unit++;
	}
	if (tenths % 10)
		snprintf(ret_words, TEXT_WORDS_MAX, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10,
			 tenths % 10, units[unit]);
	else
		snprintf(ret_words, TEXT_WORDS_MAX, "%" PRIu64 " %s", tenths / 10, units[unit]);
}

void text_duration(uint64_t ns, char *ret_words)
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	uint64_t s = ns / NS_PER_S;
	size_t i = 0;

	if (s < 60) {
		uint64_t tenths = ns % NS_PER_S / (100 * NS_PER_MS);

		if (!s && ns && ns < 100 * NS_PER_MS)
			snprintf(ret_words, TEXT_WORDS_MAX, "%" PRIu64 " %s",
				 ns < NS_PER_MS ? ns / 1000 : ns / NS_PER_MS,
				 ns < NS_PER_MS ? "us" : "ms");
		else
			snprintf(ret_words, TEXT_WORDS_MAX, "%" PRIu64 ".%" PRIu64 " s", s, tenths);
		return;
	}
	while (s < units[i].seconds)
		i++;
	snprintf(ret_words, TEXT_WORDS_MAX, "%" PRIu64 " %s %" PRIu64 " %s", s / units[i].seconds,
		 units[i].name, s % units[i].seconds / units[i + 1].seconds, units[i + 1].name);
}

int text_parse_size(const char *text, uint64_t *ret_bytes, struct err *err)
{
	size_t digits = strspn(text, "0123456789"), space = strspn(text + digits, " ");
	const char *unit = text + digits + space;
	char number[TEXT_WORDS_MAX];

	if (!digits || digits >= sizeof(number))
		return err_set(err, -EINVAL, "\"%s\" is no size such as 512M or 2GiB", text);
	if (!*unit)
		return err_set(err, -EINVAL, "\"%s\" has no unit; do you mean %.*sM?", text,
			       (int)digits, text);
	memcpy(number, text, digits);
	number[digits] = '\0';
	if (size_parse(number, unit, ret_bytes, err))
		return err_wrap(err, -EINVAL, "\"%s\"", text);
	return 0;
}

int text_parse_seconds(const char *text, uint64_t *ret_seconds, struct err *err)
{
	static const struct {
		const char *name;
		uint32_t seconds;
	} units[] = { { "", 1 },     { "s", 1 },    { "sec", 1 },  { "m", 60 },
		      { "min", 60 }, { "h", 3600 }, { "d", 86400 } };
	size_t digits = strspn(text, "0123456789");
	uint64_t number = 0;

	for (size_t i = 0; digits && digits < 10 && i < ARRAY_SIZE(units); i++) {
		if (strcmp(text + digits, units[i].name) != 0)
			continue;
		for (size_t d = 0; d < digits; d++)
			number = number * 10 + (uint64_t)(text[d] - '0');
		number *= units[i].seconds;
		if (number > UINT64_C(315360000))
			break;
		*ret_seconds = number;
		return 0;
	}
	return err_set(err, -EINVAL, "\"%s\" is no time such as 90, 90s, 5min or 2h", text);
}

int text_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number,
		      struct err *err)
{
	uint64_t number = 0;

	if (number_parse(text, &number, err) || number < min || number > max)
		return err_set(err, -EINVAL,
			       "\"%s\" is not a whole number from %" PRIu64 " to %" PRIu64, text,
			       min, max);
	*ret_number = number;
	return 0;
}
