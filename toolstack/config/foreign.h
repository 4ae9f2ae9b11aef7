/* Other programs' elements in <metadata>: kept as texts that stand alone. */
#ifndef LODGE_CONFIG_FOREIGN_H
#define LODGE_CONFIG_FOREIGN_H

#include <libxml/tree.h>

#include "lib/util.h"

/* The element as XML of its own, with the namespaces it needs and without indentation, to be freed; NULL
 * without memory. */
char *foreign_text(const xmlNode *node);

/* The reverse: adds the element to parent. -EINVAL for text that foreign_text() did not make, -ENOMEM. */
must_check int foreign_add(xmlNode *parent, const char *text);

#endif
