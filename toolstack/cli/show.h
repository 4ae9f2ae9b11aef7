/* Results for people. What lodged sends is shown as it is found: members that have no place of their own
 * appear too, by name, and the unit at the end of a name (_kib, _bytes, _ns, _s, _khz) says how. */
#ifndef LODGE_CLI_SHOW_H
#define LODGE_CLI_SHOW_H

#include "cli/call.h"

/* Rows "name: value", then what is nested, with headings, and lists of objects as tables. */
void show_object(const cJSON *object, size_t indent);

/* A list of objects; columns as its first one has them. */
void show_objects(const cJSON *list, size_t indent, bool has_header);

void show_guests(const cJSON *guests, bool has_header);
void show_info(struct call *c, const cJSON *guest);
void show_why(const char *name, const cJSON *why);
void show_changes(const cJSON *changes);

#endif
