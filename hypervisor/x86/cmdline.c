/* The command line: finds the declared option for each word and sets its variable. Runs before the
 * console knows where to print, so complaints wait for cmdline_report(). */
#include "x86/cmdline.h"
#include "lib/string.h"
#include "lodge/log.h"

#define LINE_BYTES 2048u

extern const struct option options_start[], options_end[]; /* lodge.lds */

static char line[LINE_BYTES];       /* cut into words; string options point into it */
static char unknown[256], bad[256]; /* words, each with a space in front */

static void complain(char *list, size_t size, const char *word)
{
	size_t used = strlen(list);

	if (used + 1 < size) {
		list[used] = ' ';
		list[used + 1] = '\0';
		str_copy(list + used + 1, word, size - used - 1);
	}
}

bool parse_word(const char **s, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*s, word, n) != 0)
		return false;
	if ((*s)[n] && !strchr(",:=", (*s)[n]))
		return false;
	*s += n;
	return true;
}

bool parse_uint(const char **s, uint64_t *ret_value)
{
	const char *end;

	if (!str_to_u64(*s, 0, ret_value, &end))
		return false;
	*s = end;
	return true;
}

bool parse_size(const char **s, uint64_t *ret_bytes)
{
	static const char units[] = "bkmgt";
	const char *at = *s, *unit;
	uint64_t value;
	unsigned shift = 10;

	if (!parse_uint(&at, &value))
		return false;
	unit = *at ? strchr(units, *at | 0x20) : NULL;
	if (unit) {
		shift = 10 * (unsigned)(unit - units);
		at++;
	}
	if (value << shift >> shift != value)
		return false;
	*ret_bytes = value << shift;
	*s = at;
	return true;
}

bool parse_bool(const char *s, bool *ret_value)
{
	static const char *const yes[] = { "", "1", "yes", "on", "true", "enable" };
	static const char *const no[] = { "0", "no", "off", "false", "disable" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcmp(s, yes[i]) == 0) {
			*ret_value = true;
			return true;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
		if (strcmp(s, no[i]) == 0) {
			*ret_value = false;
			return true;
		}
	}
	return false;
}

static bool set_option(const struct option *o, const char *value)
{
	uint64_t number;
	bool ok = false;

	switch (o->kind) {
	case OPTION_KIND_BOOL:
		return parse_bool(value, o->variable);
	case OPTION_KIND_UINT:
		ok = parse_uint(&value, &number) && *value == '\0' && number <= UINT32_MAX;
		if (ok)
			*(unsigned *)o->variable = (unsigned)number;
		break;
	case OPTION_KIND_STRING:
		*(const char **)o->variable = value;
		ok = true;
		break;
	case OPTION_KIND_PARSE:
		ok = o->parse(value);
		break;
	}
	return ok;
}

/* name is not terminated: n characters. */
static const struct option *find_option(const char *name, size_t n)
{
	for (const struct option *o = options_start; o < options_end; o++)
		if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
			return o;
	return NULL;
}

static void parse_option(const char *word)
{
	const char *equals = strchr(word, '=');
	size_t n = equals ? (size_t)(equals - word) : strlen(word);
	const struct option *o = find_option(word, n);
	const char *value = equals ? equals + 1 : "";

	if (!o && !equals && str_starts_with(word, "no-")) {
		o = find_option(word + 3, n - 3);
		value = "no";
	}
	if (!o)
		complain(unknown, sizeof(unknown), word);
	else if (!set_option(o, value))
		complain(bad, sizeof(bad), word);
}

void cmdline_parse(const char *from)
{
	char *at = line;

	str_copy(line, from, sizeof(line));
	while (*at) {
		char *word;

		while (*at == ' ')
			at++;
		word = at;
		while (*at && *at != ' ')
			at++;
		if (*at)
			*at++ = '\0';
		if (*word)
			parse_option(word);
	}
}

void cmdline_report(void)
{
	if (unknown[0])
		log_warn("unknown options ignored:%s\n", unknown);
	if (bad[0])
		log_warn("options with a value that makes no sense, ignored:%s\n", bad);
}
