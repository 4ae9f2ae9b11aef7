/* The text of a document, and where in it each element and attribute stands. libxml2 says whether the text
 * is well-formed, and a second, simple scan remembers the places, in document order: what libxml2 itself
 * remembers is an element's line only. */
#ifndef LODGE_CONFIG_SOURCE_H
#define LODGE_CONFIG_SOURCE_H

#include <libxml/tree.h>

#include "lib/util.h"

struct report;

/* Offsets in the text. */
struct attribute_place {
	size_t name;
	size_t value;
};

struct element_place {
	size_t start; /* of "<" */
	size_t text;  /* first character behind the start tag that is not white space */
	size_t first_attribute;
	size_t nr_attributes; /* namespace declarations are none */
};

struct source {
	const char *text;
	size_t length;
	xmlDoc *doc;
	size_t doctype; /* SIZE_MAX: there is none */
	struct element_place *elements;
	size_t nr_elements, max_elements;
	struct attribute_place *attributes;
	size_t nr_attributes, max_attributes;
};

/* Parses a text, which must outlive the source. Without network, entities or DTD. 0, -EINVAL when it is not
 * well-formed (one mistake in the report), -ENOMEM. source_fini() afterwards in each case. */
must_check int source_init(struct source *s, const char *text, size_t length,
			   struct report *report);
void source_fini(struct source *s);

/* Lines and columns count from 1, columns in characters. */
void source_line_column(const struct source *s, size_t offset, unsigned int *ret_line,
			unsigned int *ret_column);

size_t source_element(const struct source *s, const xmlNode *node);
/* Where text begins among the element's content; the element itself when it is empty. */
size_t source_text(const struct source *s, const xmlNode *node, const char *text);
size_t source_attribute(const struct source *s, const xmlAttr *attribute);
size_t source_value(const struct source *s, const xmlAttr *attribute);

#endif
