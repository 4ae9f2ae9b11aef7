#include "config/walk.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/report.h"
#include "lib/cleanup.h"

#define WHITE     " \t\r\n"
#define SHOWN_MAX 60u /* bytes of a value in a message */

/* A value as a message shows it: on one line, and not at length. */
static void show(FILE *stream, const char *text)
{
	size_t length = strlen(text);
	bool cut = length > SHOWN_MAX;

	if (cut)
		for (length = SHOWN_MAX; (text[length] & 0xc0) == 0x80; length--)
			;
	for (size_t i = 0; i < length; i++)
		fputc(iscntrl((unsigned char)text[i]) ? '?' : text[i], stream);
	if (cut)
		fputs("...", stream);
}

static void show_name(FILE *stream, const xmlNs *ns, const xmlChar *name)
{
	if (ns && ns->prefix)
		fprintf(stream, "%s:", (const char *)ns->prefix);
	fputs((const char *)name, stream);
}

/* <element>, or <element attribute="value">, or <element>text</element> */
static char *describe(const xmlNode *node, const xmlAttr *attribute, const char *text)
{
	char *description = NULL;
	size_t size;
	FILE *stream = open_memstream(&description, &size);

	if (!stream)
		return NULL;
	fputc('<', stream);
	show_name(stream, node->ns, node->name);
	if (attribute) {
		xmlChar *value = xmlNodeListGetString(node->doc, attribute->children, 1);

		fputc(' ', stream);
		show_name(stream, attribute->ns, attribute->name);
		fputs("=\"", stream);
		show(stream, value ? (const char *)value : "");
		fputc('"', stream);
		xmlFree(value);
	}
	fputc('>', stream);
	if (text && *text) {
		show(stream, text);
		fputs("</", stream);
		show_name(stream, node->ns, node->name);
		fputc('>', stream);
	}
	if (fclose(stream)) {
		free(description);
		return NULL;
	}
	return description;
}

struct message {
	bool is_warning;
	size_t offset;
	const xmlNode *node;
	const xmlAttr *attribute;
	const char *text;
};

__attribute__((__format__(__printf__, 3, 0))) static void tell(struct walk *w,
							       const struct message *m,
							       const char *format,
							       va_list arguments)
{
	cleanup_free char *description = NULL, *words = NULL;
	unsigned int line, column;

	if (report_is_full(w->report)) {
		report_add(w->report, m->is_warning, 0, 0, "%s", format);
		return;
	}
	description = describe(m->node, m->attribute, m->text);
	if (!description || vasprintf(&words, format, arguments) < 0) {
		words = NULL;
		w->err = -ENOMEM;
		return;
	}
	source_line_column(w->source, m->offset, &line, &column);
	report_add(w->report, m->is_warning, line, column, "%s: %s", description, words);
}

void walk_mistake(struct walk *w, const xmlNode *node, const char *format, ...)
{
	struct message m = { .offset = source_element(w->source, node), .node = node };
	va_list arguments;

	va_start(arguments, format);
	tell(w, &m, format, arguments);
	va_end(arguments);
}

void walk_mistake_attribute(struct walk *w, const xmlAttr *attribute, const char *format, ...)
{
	struct message m = {
		.offset = source_attribute(w->source, attribute),
		.node = attribute->parent,
		.attribute = attribute,
	};
	va_list arguments;

	va_start(arguments, format);
	tell(w, &m, format, arguments);
	va_end(arguments);
}

void walk_mistake_value(struct walk *w, const xmlAttr *attribute, const char *format, ...)
{
	struct message m = {
		.offset = source_value(w->source, attribute),
		.node = attribute->parent,
		.attribute = attribute,
	};
	va_list arguments;

	va_start(arguments, format);
	tell(w, &m, format, arguments);
	va_end(arguments);
}

void walk_mistake_text(struct walk *w, const xmlNode *node, const char *format, ...)
{
	cleanup_free char *text = walk_text(node);
	struct message m = {
		.offset = source_text(w->source, node, text ? text : ""),
		.node = node,
		.text = text,
	};
	va_list arguments;

	va_start(arguments, format);
	tell(w, &m, format, arguments);
	va_end(arguments);
}

void walk_mistake_named(struct walk *w, const xmlNode *node, const char *attribute,
			const char *format, ...)
{
	const xmlAttr *found = walk_attribute(node, attribute);
	struct message m = {
		.offset = found ? source_value(w->source, found) : source_element(w->source, node),
		.node = node,
		.attribute = found,
	};
	va_list arguments;

	va_start(arguments, format);
	tell(w, &m, format, arguments);
	va_end(arguments);
}

void walk_warn(struct walk *w, const void *thing, const xmlNode *node, const xmlAttr *attribute,
	       const char *format, ...)
{
	struct message m = {
		.is_warning = true,
		.offset = attribute ? source_attribute(w->source, attribute)
				    : source_element(w->source, node),
		.node = node,
		.attribute = attribute,
	};
	va_list arguments;

	for (size_t i = 0; i < w->nr_warned; i++)
		if (w->warned[i] == thing)
			return;
	if (w->nr_warned < WALK_MAX_WARNED)
		w->warned[w->nr_warned++] = thing;
	va_start(arguments, format);
	tell(w, &m, format, arguments);
	va_end(arguments);
}

static const xmlNode *first_of(const xmlNode *node, const char *name)
{
	for (; node; node = node->next)
		if (node->type == XML_ELEMENT_NODE && !node->ns &&
		    !strcmp((const char *)node->name, name))
			break;
	return node;
}

const xmlNode *walk_child(const xmlNode *node, const char *name)
{
	return node ? first_of(node->children, name) : NULL;
}

const xmlNode *walk_next(const xmlNode *node, const char *name)
{
	return first_of(node->next, name);
}

const xmlAttr *walk_attribute(const xmlNode *node, const char *name)
{
	for (const xmlAttr *attribute = node->properties; attribute; attribute = attribute->next)
		if (!attribute->ns && !strcmp((const char *)attribute->name, name))
			return attribute;
	return NULL;
}

char *walk_text(const xmlNode *node)
{
	char *text = NULL;
	size_t size, length, white;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return NULL;
	for (const xmlNode *child = node->children; child; child = child->next)
		if ((child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE) &&
		    child->content)
			fputs((const char *)child->content, stream);
	if (fclose(stream)) {
		free(text);
		return NULL;
	}
	white = strspn(text, WHITE);
	length = strlen(text) - white;
	memmove(text, text + white, length + 1);
	while (length > 0 && strchr(WHITE, text[length - 1]))
		text[--length] = '\0';
	return text;
}

unsigned int walk_line(const struct walk *w, const xmlNode *node)
{
	unsigned int line, column;

	source_line_column(w->source, source_element(w->source, node), &line, &column);
	return line;
}
