/* Names of nodes: see path.h. */
#include "path.h"

#include <ctype.h>
#include <string.h>

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("-_@", c));
}

bool path_is_valid(const char *path)
{
	if (path[0] != '/')
		return false;
	if (!path[1])
		return true;
	for (const char *p = path; *p; p++) {
		if (*p == '/' ? !is_name_char(p[1]) : !is_name_char(*p))
			return false;
	}
	return true;
}

bool path_is_special(const char *path)
{
	return path[0] == '@';
}

bool path_next(const char **cursor, struct path_part *ret_part)
{
	const char *name = *cursor + (**cursor == '/');

	if (!*name)
		return false;
	ret_part->name = name;
	ret_part->len = strcspn(name, "/");
	*cursor = name + ret_part->len;
	return true;
}

size_t path_parent_len(const char *path)
{
	size_t len = (size_t)(strrchr(path, '/') - path);

	return len ? len : 1;
}
