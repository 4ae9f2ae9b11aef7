/* Requests that carry the XML of a file. */
#ifndef LODGE_CLI_XML_H
#define LODGE_CLI_XML_H

#include "cli/call.h"

/* The text of a file, "-" being standard input, to be freed; NULL when it cannot be read, which was told.
 * *ret_name is what messages call it. */
char *xml_read(const char *path, const char **ret_name);

/* A request with the XML of a file, or NULL, which was told. */
cJSON *xml_request(const char *verb, const char *guest, const char *path);

#endif
