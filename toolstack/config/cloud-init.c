/* See cloud-init.h. */
#include "config/cloud-init.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <yaml.h>

#define HOSTNAME_MAX 64u

static const char *const part_names[NR_CLOUD_INIT_PARTS] = {
	[CLOUD_INIT_META_DATA] = "meta-data",
	[CLOUD_INIT_NETWORK_CONFIG] = "network-config",
	[CLOUD_INIT_USER_DATA] = "user-data",
};

const char *cloud_init_part_name(enum cloud_init_part part)
{
	return part_names[part];
}

enum cloud_init_part cloud_init_part_find(const char *name)
{
	enum cloud_init_part part = 0;

	while (part < NR_CLOUD_INIT_PARTS && strcmp(part_names[part], name) != 0)
		part++;
	return part;
}

static int parse_error(const yaml_parser_t *parser, struct err *err)
{
	if (parser->error == YAML_MEMORY_ERROR)
		return err_set(err, -ENOMEM, "no memory");
	return err_set(err, -EINVAL, "line %zu, column %zu: %s", parser->problem_mark.line + 1,
		       parser->problem_mark.column + 1,
		       parser->problem ? parser->problem : "this is no YAML");
}

/* The event before the first content of a document. */
static int read_event(yaml_parser_t *parser, bool *is_first, yaml_event_type_t *ret_type,
		      struct err *err)
{
	yaml_event_t event;

	if (!yaml_parser_parse(parser, &event))
		return parse_error(parser, err);
	*ret_type = event.type;
	yaml_event_delete(&event);
	if (*is_first && *ret_type != YAML_MAPPING_START_EVENT)
		return err_set(err, -EINVAL,
			       "has to have names and values, such as \"name: value\"");
	*is_first = *ret_type == YAML_DOCUMENT_START_EVENT;
	return 0;
}

static int check_yaml(const char *text, struct err *err)
{
	yaml_event_type_t type = YAML_NO_EVENT;
	yaml_parser_t parser;
	bool is_first = false;
	int code = 0;

	if (!yaml_parser_initialize(&parser))
		return err_set(err, -ENOMEM, "no memory");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
	while (!code && type != YAML_STREAM_END_EVENT)
		code = read_event(&parser, &is_first, &type, err);
	yaml_parser_delete(&parser);
	return code;
}

static bool begins_with(const char *text, const char *begin)
{
	return !strncmp(text, begin, strlen(begin));
}

static int check_user_data(const char *text, struct err *err)
{
	static const char *const kinds[] = {
		"#!",
		"#include",
		"#cloud-boothook",
		"#cloud-config-archive",
		"#part-handler",
		"#cloud-config-jsonp",
		"## template: jinja",
		"Content-Type: multipart",
		"MIME-Version:",
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (begins_with(text, kinds[i]))
			return 0;
	if (begins_with(text, "#cloud-config") && strchr(" \t\r\n", text[strlen("#cloud-config")]))
		return check_yaml(text, err);
	return err_set(err, -EINVAL,
		       "the first line has to say what it is: \"#cloud-config\", or \"#!\" and a "
		       "program for a script");
}

int cloud_init_check(enum cloud_init_part part, const char *text, struct err *err)
{
	return part == CLOUD_INIT_USER_DATA ? check_user_data(text, err) : check_yaml(text, err);
}

bool cloud_init_is_hostname(const char *name)
{
	size_t length = strlen(name);

	if (!length || length > HOSTNAME_MAX || !isalnum((unsigned char)name[0]) ||
	    !isalnum((unsigned char)name[length - 1]))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '.')
			return false;
	return true;
}
