/* Values' types: from text, to text, and as a schema says it. Texts arrive without white space around them
 * where they are an element's; an attribute's stays as it is. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "config/schema.h"
#include "lib/cleanup.h"
#include "lib/cpu-feature.h"
#include "lib/cpu-set.h"
#include "lib/size.h"

#define PAGE_SIZE  4096u
#define MEMORY_MAX (UINT64_C(1) << 46)
#define MEMORY_MIN (UINT64_C(1) << 20)

static void schema_pattern(FILE *stream, const char *pattern)
{
	fprintf(stream, "<data type=\"string\"><param name=\"pattern\">\\s*(%s)\\s*</param></data>",
		pattern);
}

/* Strings. */

static int keep_string(const char *text, void *field)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	if (!field) {
		free(copy);
		return 0;
	}
	free(*(char **)field);
	*(char **)field = copy;
	return 0;
}

static int read_string(const struct value *v, const xmlNode *node, const char *text, void *field,
		       struct err *err)
{
	(void)node;
	if (!*text)
		return v->min ? err_set(err, -EINVAL, "empty") : 0;
	if (v->max && strlen(text) > v->max)
		return err_set(err, -EINVAL, "longer than %u bytes", (unsigned int)v->max);
	return keep_string(text, field);
}

static int read_word(const struct value *v, const xmlNode *node, const char *text, void *field,
		     struct err *err)
{
	for (const char *p = text; *p; p++)
		if (isspace((unsigned char)*p) || iscntrl((unsigned char)*p) || *p == '/')
			return err_set(err, -EINVAL, "may not have white space or \"/\" in it");
	if (!strcmp(text, ".") || !strcmp(text, ".."))
		return err_set(err, -EINVAL, "cannot be a name");
	return read_string(v, node, text, field, err);
}

static int read_path(const struct value *v, const xmlNode *node, const char *text, void *field,
		     struct err *err)
{
	if (*text && *text != '/')
		return err_set(err, -EINVAL,
			       "not a path from the root on, such as \"/var/lib/%.40s\"", text);
	return read_string(v, node, text, field, err);
}

static bool is_blank(const char *line)
{
	line += strspn(line, " \t\r");
	return !*line || *line == '\n';
}

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : line + strlen(line);
}

/* Spaces that every line begins with. */
static size_t common_indent(const char *text)
{
	size_t indent = SIZE_MAX;

	for (; *text; text = next_line(text))
		if (!is_blank(text))
			indent = MIN(indent, strspn(text, " "));
	return indent;
}

/* Without blank lines around it. */
static void take_indent_off(char *text)
{
	const char *from = text;
	char *to = text;
	size_t indent;

	while (*from && is_blank(from))
		from = next_line(from);
	indent = common_indent(from);
	while (*from) {
		const char *next = next_line(from);

		from += MIN(strspn(from, " "), indent);
		while (from < next)
			*to++ = *from++;
	}
	while (to > text && strchr(" \t\r\n", to[-1]))
		to--;
	*to = '\0';
}

/* The element's text as it stands: white space around it is what its lines are indented by. */
static int read_document(const struct value *v, const xmlNode *node, const char *text, void *field,
			 struct err *err)
{
	xmlChar *whole = xmlNodeListGetString(node->doc, node->children, 1);
	int code;

	(void)text;
	if (!whole)
		return 0;
	take_indent_off((char *)whole);
	code = read_string(v, node, (const char *)whole, field, err);
	xmlFree(whole);
	return code;
}

/* xvd and one or two small letters */
static int read_target(const struct value *v, const xmlNode *node, const char *text, void *field,
		       struct err *err)
{
	size_t letters = strlen(text) > 3 ? strspn(text + 3, "abcdefghijklmnopqrstuvwxyz") : 0;

	if (strncmp(text, "xvd", 3) != 0 || letters < 1 || letters > 2 || text[3 + letters])
		return err_set(err, -EINVAL, "not a disk's name; they are \"xvda\" to \"xvdzz\"");
	return read_string(v, node, text, field, err);
}

static int read_feature(const struct value *v, const xmlNode *node, const char *text, void *field,
			struct err *err)
{
	const char *near = NULL;

	if (cpu_feature_find(text, &near))
		return read_string(v, node, text, field, err);
	if (near)
		return err_set(err, -EINVAL, "no such CPU feature; did you mean \"%s\"?", near);
	return err_set(err, -EINVAL, "no such CPU feature");
}

#define ZONE_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-"

/* A path below the folder of zones, and never out of it. */
static int read_zone(const struct value *v, const xmlNode *node, const char *text, void *field,
		     struct err *err)
{
	const char *p = text;
	size_t length = strspn(p, ZONE_LETTERS);

	while (length && p[length] == '/') {
		p += length + 1;
		length = strspn(p, ZONE_LETTERS);
	}
	if (!length || p[length])
		return err_set(err, -EINVAL, "not a time zone, such as \"Europe/Paris\"");
	return read_string(v, node, text, field, err);
}

static int write_string(const struct value *v, const void *field, char **ret_text)
{
	const char *text = field ? *(char *const *)field : NULL;

	(void)v;
	*ret_text = text ? strdup(text) : NULL;
	return text && !*ret_text ? -ENOMEM : 0;
}

static void fini_string(void *field)
{
	free(*(char **)field);
	*(char **)field = NULL;
}

static void schema_string(const struct value *v, FILE *stream)
{
	if (v->min)
		fputs("<data type=\"string\"><param name=\"minLength\">1</param></data>", stream);
	else
		fputs("<text/>", stream);
}

static void schema_word(const struct value *v, FILE *stream)
{
	(void)v;
	schema_pattern(stream, "[^\\s/]+");
}

static void schema_path(const struct value *v, FILE *stream)
{
	schema_pattern(stream, v->min ? "/(.|\\s)*" : "(/(.|\\s)*)?");
}

static void schema_target(const struct value *v, FILE *stream)
{
	(void)v;
	schema_pattern(stream, "xvd[a-z]{1,2}");
}

static void schema_zone(const struct value *v, FILE *stream)
{
	(void)v;
	schema_pattern(stream, "[A-Za-z0-9_+\\-]+(/[A-Za-z0-9_+\\-]+)*");
}

const struct value_type value_string = { read_string, write_string, NULL, fini_string,
					 schema_string };
const struct value_type value_word = { read_word, write_string, NULL, fini_string, schema_word };
const struct value_type value_document = { read_document, write_string, NULL, fini_string,
					   schema_string };
const struct value_type value_path = { read_path, write_string, NULL, fini_string, schema_path };
const struct value_type value_target = { read_target, write_string, NULL, fini_string,
					 schema_target };
const struct value_type value_feature = { read_feature, write_string, NULL, fini_string,
					  schema_word };
const struct value_type value_zone = { read_zone, write_string, NULL, fini_string, schema_zone };

/* Choices. */

static int read_index(const struct value *v, const char *text, unsigned int *ret_index,
		      struct err *err)
{
	const struct choice *choice = choice_find(v->choices, v->nr_choices, text);
	struct err legal = { "" };

	if (!choice) {
		choice_explain(v->choices, v->nr_choices, text, &legal);
		return err_set(err, -EINVAL, "no such value%s", legal.text);
	}
	if (choice->fate == REFUSED)
		return err_set(err, -EINVAL, "refused: %s", choice->why);
	*ret_index = (unsigned int)(choice - v->choices);
	return 0;
}

static int read_choice(const struct value *v, const xmlNode *node, const char *text, void *field,
		       struct err *err)
{
	unsigned int index = 0;
	int code = read_index(v, text, &index, err);

	(void)node;
	if (!code && field)
		memcpy(field, &index, sizeof(index));
	return code;
}

static int read_flag(const struct value *v, const xmlNode *node, const char *text, void *field,
		     struct err *err)
{
	unsigned int index = 0;
	int code = read_index(v, text, &index, err);

	(void)node;
	if (!code && field)
		*(bool *)field = index;
	return code;
}

static int write_index(const struct value *v, unsigned int index, char **ret_text)
{
	if (index == v->preset && !v->always)
		return 0;
	*ret_text = strdup(v->choices[index].name);
	return *ret_text ? 0 : -ENOMEM;
}

static int write_choice(const struct value *v, const void *field, char **ret_text)
{
	unsigned int index = (unsigned int)v->preset;

	if (field)
		memcpy(&index, field, sizeof(index));
	return write_index(v, index, ret_text);
}

static int write_flag(const struct value *v, const void *field, char **ret_text)
{
	return write_index(v, field ? *(const bool *)field : (unsigned int)v->preset, ret_text);
}

static void preset_choice(const struct value *v, void *field)
{
	unsigned int index = (unsigned int)v->preset;

	memcpy(field, &index, sizeof(index));
}

static void preset_flag(const struct value *v, void *field)
{
	*(bool *)field = v->preset;
}

static void schema_choice(const struct value *v, FILE *stream)
{
	fputs("<choice>", stream);
	for (size_t i = 0; i < v->nr_choices; i++)
		if (v->choices[i].fate == USED)
			fprintf(stream, "<value>%s</value>", v->choices[i].name);
	fputs("</choice>", stream);
}

const struct value_type value_choice = { read_choice, write_choice, preset_choice, NULL,
					 schema_choice };
const struct value_type value_flag = { read_flag, write_flag, preset_flag, NULL, schema_choice };

/* An element that says something by being there; parse.c sees to it that it has no text. */

static int read_presence(const struct value *v, const xmlNode *node, const char *text, void *field,
			 struct err *err)
{
	(void)v, (void)node, (void)text, (void)err;
	*(bool *)field = true;
	return 0;
}

static int write_presence(const struct value *v, const void *field, char **ret_text)
{
	(void)v;
	if (!*(const bool *)field)
		return 0;
	*ret_text = strdup("");
	return *ret_text ? 0 : -ENOMEM;
}

static void schema_presence(const struct value *v, FILE *stream)
{
	(void)v;
	fputs("<empty/>", stream);
}

const struct value_type value_presence = { read_presence, write_presence, NULL, NULL,
					   schema_presence };

/* Numbers. */

static int read_number(const struct value *v, const char *text, uint64_t *ret_number,
		       struct err *err)
{
	uint64_t number = 0;
	int code = number_parse(text, &number, err);

	if (code == -EINVAL)
		return code;
	if (code || number < v->min || (v->max && number > v->max)) {
		if (!v->max)
			return err_set(err, -EINVAL, "more than 64 bits hold");
		return err_set(err, -EINVAL, "not between %llu and %llu",
			       (unsigned long long)v->min, (unsigned long long)v->max);
	}
	*ret_number = number;
	return 0;
}

static int read_u32(const struct value *v, const xmlNode *node, const char *text, void *field,
		    struct err *err)
{
	uint64_t number = 0;
	int code = read_number(v, text, &number, err);

	(void)node;
	if (!code && field)
		*(uint32_t *)field = (uint32_t)number;
	return code;
}

static int read_u64(const struct value *v, const xmlNode *node, const char *text, void *field,
		    struct err *err)
{
	uint64_t number = 0;
	int code = read_number(v, text, &number, err);

	(void)node;
	if (!code && field)
		*(uint64_t *)field = number;
	return code;
}

static int read_quota(const struct value *v, const xmlNode *node, const char *text, void *field,
		      struct err *err)
{
	uint64_t negative;

	if (text[0] != '-')
		return read_u64(v, node, text, field, err);
	if (number_parse(text + 1, &negative, err))
		return -EINVAL;
	*(uint64_t *)field = 0;
	return 0;
}

static int read_seconds(const struct value *v, const xmlNode *node, const char *text, void *field,
			struct err *err)
{
	bool negative = text[0] == '-';
	uint64_t number = 0;

	(void)node;
	if (strcmp(text, "reset") != 0) {
		int code = read_number(v, text + (negative || text[0] == '+'), &number, err);

		if (code)
			return code;
	}
	*(int64_t *)field = negative ? -(int64_t)number : (int64_t)number;
	return 0;
}

static int write_number(const struct value *v, uint64_t number, char **ret_text)
{
	if (number == v->preset && !v->always)
		return 0;
	return asprintf(ret_text, "%llu", (unsigned long long)number) < 0 ? -ENOMEM : 0;
}

static int write_u32(const struct value *v, const void *field, char **ret_text)
{
	return field ? write_number(v, *(const uint32_t *)field, ret_text) : 0;
}

static int write_u64(const struct value *v, const void *field, char **ret_text)
{
	return field ? write_number(v, *(const uint64_t *)field, ret_text) : 0;
}

static int write_seconds(const struct value *v, const void *field, char **ret_text)
{
	long long seconds = *(const int64_t *)field;

	(void)v;
	return seconds && asprintf(ret_text, "%lld", seconds) < 0 ? -ENOMEM : 0;
}

static void preset_u32(const struct value *v, void *field)
{
	*(uint32_t *)field = (uint32_t)v->preset;
}

static void preset_u64(const struct value *v, void *field)
{
	*(uint64_t *)field = v->preset;
}

static void schema_number(const struct value *v, FILE *stream)
{
	fprintf(stream, "<data type=\"unsignedLong\"><param name=\"minInclusive\">%llu</param>",
		(unsigned long long)v->min);
	if (v->max)
		fprintf(stream, "<param name=\"maxInclusive\">%llu</param>",
			(unsigned long long)v->max);
	fputs("</data>", stream);
}

static void schema_quota(const struct value *v, FILE *stream)
{
	fputs("<choice>", stream);
	schema_number(v, stream);
	schema_pattern(stream, "-[0-9]+");
	fputs("</choice>", stream);
}

static void schema_seconds(const struct value *v, FILE *stream)
{
	(void)v;
	schema_pattern(stream, "reset|[\\-+]?[0-9]+");
}

const struct value_type value_u32 = { read_u32, write_u32, preset_u32, NULL, schema_number };
const struct value_type value_u64 = { read_u64, write_u64, preset_u64, NULL, schema_number };
const struct value_type value_quota = { read_quota, write_u64, NULL, NULL, schema_quota };
const struct value_type value_seconds = { read_seconds, write_seconds, NULL, NULL, schema_seconds };

/* Memory: KiB without a unit; whole pages, rounded up. */

static int read_memory(const struct value *v, const xmlNode *node, const char *text, void *field,
		       struct err *err)
{
	xmlChar *unit = xmlGetNoNsProp(node, (const xmlChar *)"unit");
	struct err ignored = { "" };
	uint64_t bytes = 0, unit_bytes;
	int code;

	(void)v;
	if (unit && size_unit((const char *)unit, &unit_bytes, &ignored)) {
		xmlFree(unit); /* the attribute's own check tells */
		return 0;
	}
	code = size_parse(text, unit ? (const char *)unit : "KiB", &bytes, err);
	xmlFree(unit);
	if (code == -EINVAL)
		return code;
	if (code || bytes > MEMORY_MAX)
		return err_set(err, -EINVAL, "more than 64 TiB");
	if (bytes < MEMORY_MIN)
		return err_set(err, -EINVAL,
			       "less than 1 MiB; without a unit, a number counts KiB");
	*(uint64_t *)field = align_up(bytes, PAGE_SIZE);
	return 0;
}

static int write_memory(const struct value *v, const void *field, char **ret_text)
{
	unsigned long long bytes = *(const uint64_t *)field;

	(void)v;
	return bytes && asprintf(ret_text, "%llu", bytes / 1024) < 0 ? -ENOMEM : 0;
}

static int read_unit(const struct value *v, const xmlNode *node, const char *text, void *field,
		     struct err *err)
{
	uint64_t bytes = 0;

	(void)v, (void)node, (void)field;
	return size_unit(text, &bytes, err);
}

static int write_unit(const struct value *v, const void *field, char **ret_text)
{
	(void)v, (void)field;
	*ret_text = strdup("KiB");
	return *ret_text ? 0 : -ENOMEM;
}

static void schema_memory(const struct value *v, FILE *stream)
{
	(void)v;
	schema_pattern(stream, "[0-9]+");
}

static void schema_unit(const struct value *v, FILE *stream)
{
	(void)v;
	schema_pattern(stream, "[bB]([yY][tT][eE][sS]?)?|[kKmMgGtTpPeE]([iI]?[bB])?");
}

const struct value_type value_memory = { read_memory, write_memory, NULL, NULL, schema_memory };
const struct value_type value_unit = { read_unit, write_unit, NULL, NULL, schema_unit };

/* Identities. */

static int put_uuid(void *field, const char *text)
{
	unsigned char uuid[16];

	if (uuid_parse(text, uuid) || uuid_is_null(uuid))
		return -EINVAL;
	memcpy(field, uuid, sizeof(uuid));
	return 0;
}

/* With or without dashes. */
static int read_uuid(const struct value *v, const xmlNode *node, const char *text, void *field,
		     struct err *err)
{
	char dashed[37];

	(void)v, (void)node;
	if (strlen(text) == 32 && strspn(text, "0123456789abcdefABCDEF") == 32) {
		snprintf(dashed, sizeof(dashed), "%.8s-%.4s-%.4s-%.4s-%.12s", text, text + 8,
			 text + 12, text + 16, text + 20);
		text = dashed;
	}
	if (put_uuid(field, text))
		return err_set(err, -EINVAL,
			       "not a uuid such as \"4dea22b3-1d52-d8f3-2516-782e98ab3fa0\"");
	return 0;
}

static int write_uuid(const struct value *v, const void *field, char **ret_text)
{
	char text[37];

	(void)v;
	if (uuid_is_null(field))
		return 0;
	uuid_unparse_lower(field, text);
	*ret_text = strdup(text);
	return *ret_text ? 0 : -ENOMEM;
}

static void schema_uuid(const struct value *v, FILE *stream)
{
	(void)v;
	schema_pattern(stream,
		       "[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}");
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return digit ? (int)(digit - digits) : -1;
}

static int read_mac(const struct value *v, const xmlNode *node, const char *text, void *field,
		    struct err *err)
{
	uint8_t mac[6], any = 0;

	(void)v, (void)node;
	for (size_t i = 0; i < sizeof(mac); i++, text += 2) {
		int high, low;

		if (i > 0 && *text++ != ':')
			return err_set(err, -EINVAL,
				       "not a MAC address such as \"00:16:3e:12:34:56\"");
		high = hex_digit(text[0]);
		low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return err_set(err, -EINVAL,
				       "not a MAC address such as \"00:16:3e:12:34:56\"");
		mac[i] = (uint8_t)(high << 4 | low);
		any |= mac[i];
	}
	if (*text)
		return err_set(err, -EINVAL, "not a MAC address such as \"00:16:3e:12:34:56\"");
	if (mac[0] & 1 || !any)
		return err_set(err, -EINVAL, "not the address of a single card");
	memcpy(field, mac, sizeof(mac));
	return 0;
}

static int write_mac(const struct value *v, const void *field, char **ret_text)
{
	static const uint8_t none[6];
	const uint8_t *mac = field;

	(void)v;
	if (!memcmp(mac, none, sizeof(none)))
		return 0;
	return asprintf(ret_text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
			mac[4], mac[5]) < 0
		       ? -ENOMEM
		       : 0;
}

static void schema_mac(const struct value *v, FILE *stream)
{
	(void)v;
	schema_pattern(stream, "[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}");
}

const struct value_type value_uuid = { read_uuid, write_uuid, NULL, NULL, schema_uuid };
const struct value_type value_mac = { read_mac, write_mac, NULL, NULL, schema_mac };

/* Host CPUs. */

static int read_cpu_set(const struct value *v, const xmlNode *node, const char *text, void *field,
			struct err *err)
{
	(void)v, (void)node;
	return cpu_set_parse(text, field, err);
}

static int write_cpu_set(const struct value *v, const void *field, char **ret_text)
{
	(void)v;
	if (cpu_set_is_empty(field))
		return 0;
	*ret_text = cpu_set_format(field);
	return *ret_text ? 0 : -ENOMEM;
}

static void schema_cpu_set(const struct value *v, FILE *stream)
{
	(void)v;
	schema_pattern(stream, "\\^?[0-9]+(-[0-9]+)?(\\s*,\\s*\\^?[0-9]+(-[0-9]+)?)*");
}

const struct value_type value_cpu_set = { read_cpu_set, write_cpu_set, NULL, NULL, schema_cpu_set };
