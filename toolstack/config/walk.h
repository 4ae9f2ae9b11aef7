/* One reading of a document against the rules, and how its mistakes are told. */
#ifndef LODGE_CONFIG_WALK_H
#define LODGE_CONFIG_WALK_H

#include "config/domain.h"
#include "config/schema.h"
#include "config/source.h"

#define WALK_MAX_WARNED 256u

struct walk {
	const struct source *source;
	struct report *report;
	const char *host;
	struct domain_description *domain;
	const void *warned[WALK_MAX_WARNED]; /* rules and choices that had their warning */
	size_t nr_warned;
	int err; /* -ENOMEM, once memory ran out */
};

/* Each tells: PLACE: <element>: format..., or <element attribute="value">: ..., or
 * <element>text</element>: ... */
void walk_mistake(struct walk *w, const xmlNode *node, const char *format, ...)
	__attribute__((__format__(__printf__, 3, 4)));
void walk_mistake_attribute(struct walk *w, const xmlAttr *attribute, const char *format, ...)
	__attribute__((__format__(__printf__, 3, 4)));
void walk_mistake_value(struct walk *w, const xmlAttr *attribute, const char *format, ...)
	__attribute__((__format__(__printf__, 3, 4)));
void walk_mistake_text(struct walk *w, const xmlNode *node, const char *format, ...)
	__attribute__((__format__(__printf__, 3, 4)));

/* One warning for each thing, which is a rule or a choice. */
void walk_warn(struct walk *w, const void *thing, const xmlNode *node, const xmlAttr *attribute,
	       const char *format, ...) __attribute__((__format__(__printf__, 5, 6)));

/* Mistakes of a value that only a check finds: the attribute, or the element if it has none such. */
void walk_mistake_named(struct walk *w, const xmlNode *node, const char *attribute,
			const char *format, ...) __attribute__((__format__(__printf__, 4, 5)));

/* A child or attribute by name, without a namespace; NULL: none. */
const xmlNode *walk_child(const xmlNode *node, const char *name);
const xmlNode *walk_next(const xmlNode *node, const char *name); /* behind node */
const xmlAttr *walk_attribute(const xmlNode *node, const char *name);

/* The text of an element, comments left out, without white space around it; to be freed. NULL: no memory. */
char *walk_text(const xmlNode *node);

unsigned int walk_line(const struct walk *w, const xmlNode *node);

#endif
