#include "config/source.h"

#include <errno.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <stdlib.h>
#include <string.h>

#include "config/report.h"

#define WHITE " \t\r\n"

/* What libxml2 calls back with. */
struct parsing {
	const struct source *source;
	struct report *report;
};

/* The places, without an opinion on whether the text is well-formed. A zero byte ends the text (source_init()
 * refuses others), so that looking one character ahead is always allowed. */

/* The array with room for one more; NULL without memory, and the array is still there. */
static void *grow(void *array, size_t nr, size_t *max, size_t size)
{
	size_t more = *max ? *max * 2 : 64;
	void *grown = array;

	if (nr == *max) {
		grown = reallocarray(array, more, size);
		if (grown)
			*max = more;
	}
	return grown;
}

static int add_attribute(struct source *s, struct attribute_place place)
{
	struct attribute_place *grown =
		grow(s->attributes, s->nr_attributes, &s->max_attributes, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	s->attributes = grown;
	s->attributes[s->nr_attributes++] = place;
	return 0;
}

static int add_element(struct source *s, struct element_place place)
{
	struct element_place *grown =
		grow(s->elements, s->nr_elements, &s->max_elements, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	s->elements = grown;
	s->elements[s->nr_elements++] = place;
	return 0;
}

static size_t find(const struct source *s, size_t from, const char *what)
{
	const char *found = memmem(s->text + from, s->length - from, what, strlen(what));

	return found ? (size_t)(found - s->text) + strlen(what) : s->length;
}

static size_t skip(const struct source *s, size_t at, const char *characters)
{
	while (at < s->length && strchr(characters, s->text[at]))
		at++;
	return at;
}

static size_t skip_until(const struct source *s, size_t at, const char *characters)
{
	while (at < s->length && !strchr(characters, s->text[at]))
		at++;
	return at;
}

static bool begins(const struct source *s, size_t at, const char *what)
{
	return s->length - at >= strlen(what) && !memcmp(s->text + at, what, strlen(what));
}

/* xmlns="..." or xmlns:prefix="..." */
static bool is_namespace(const struct source *s, size_t name, size_t name_end)
{
	return begins(s, name, "xmlns") && (name_end == name + 5 || s->text[name + 5] == ':');
}

/* One attribute at *at, past which *at then is. */
static int scan_attribute(struct source *s, size_t *at)
{
	size_t name = *at, name_end = skip_until(s, name, WHITE "=/>"), value;
	char quote[2] = "";

	value = skip(s, name_end, WHITE "=");
	if (value == s->length) {
		*at = value;
		return 0;
	}
	quote[0] = s->text[value++];
	*at = find(s, value, quote);
	if (is_namespace(s, name, name_end))
		return 0;
	return add_attribute(s, (struct attribute_place){ name, value });
}

/* A start tag at *at, past which *at then is. */
static int scan_element(struct source *s, size_t *at)
{
	size_t start = *at, first = s->nr_attributes, place = skip_until(s, start, WHITE "/>");
	int err = 0;

	for (;;) {
		place = skip(s, place, WHITE "/");
		if (place == s->length || s->text[place] == '>' || err)
			break;
		err = scan_attribute(s, &place);
	}
	if (err)
		return err;
	*at = MIN(place + 1, s->length);
	return add_element(s, (struct element_place){ start, skip(s, *at, WHITE), first,
						      s->nr_attributes - first });
}

static int scan(struct source *s)
{
	int err = 0;

	for (size_t at = skip_until(s, 0, "<"); at < s->length && !err;
	     at = skip_until(s, at, "<")) {
		if (begins(s, at, "<!--"))
			at = find(s, MIN(at + 4, s->length), "-->");
		else if (begins(s, at, "<?"))
			at = find(s, at, "?>");
		else if (begins(s, at, "<![CDATA["))
			at = find(s, at, "]]>");
		else if (begins(s, at, "</"))
			at++;
		else if (begins(s, at, "<!")) {
			s->doctype = MIN(s->doctype, at);
			at++;
		} else {
			err = scan_element(s, &at);
		}
	}
	return err;
}

static const xmlNode *next_in_document(const xmlNode *node, const xmlNode *root)
{
	if (node->children && node->type == XML_ELEMENT_NODE)
		return node->children;
	while (node != root && !node->next)
		node = node->parent;
	return node == root ? NULL : node->next;
}

/* Each element's _private is its place. False: the scan and libxml2 saw different elements. */
static bool attach_places(struct source *s)
{
	xmlNode *root = xmlDocGetRootElement(s->doc);
	size_t nr = 0;

	for (const xmlNode *node = root; node; node = next_in_document(node, root)) {
		size_t nr_attributes = 0;

		if (node->type != XML_ELEMENT_NODE)
			continue;
		for (const xmlAttr *a = node->properties; a; a = a->next)
			nr_attributes++;
		if (nr == s->nr_elements || s->elements[nr].nr_attributes != nr_attributes)
			return false;
		((xmlNode *)(uintptr_t)node)->_private = &s->elements[nr++];
	}
	return nr == s->nr_elements;
}

static void mistake_at(const struct parsing *p, size_t offset, const char *text)
{
	unsigned int line, column;

	source_line_column(p->source, offset, &line, &column);
	report_add(p->report, false, line, column, "%s", text);
}

/* libxml2's callback for a document type: it defines entities, of which we want none. */
static void refuse_doctype(void *context, const xmlChar *name, const xmlChar *external,
			   const xmlChar *system)
{
	xmlParserCtxt *parser = context;
	struct parsing *p = parser->_private;

	(void)name, (void)external, (void)system;
	if (!p->report->nr_mistakes)
		mistake_at(p, MIN(p->source->doctype, p->source->length),
			   "<!DOCTYPE>: refused: a domain needs no document type and no entities");
	xmlStopParser(parser);
}

/* libxml2's callback for an error; what follows the first is mostly its consequence. */
static void take_error(void *context, xmlError *error)
{
	const xmlParserCtxt *parser = context;
	struct parsing *p = parser->_private;
	size_t length = error->message ? strcspn(error->message, "\n") : 0;

	if (p->report->nr_mistakes || error->level < XML_ERR_ERROR)
		return;
	report_add(p->report, false, error->line > 0 ? (unsigned int)error->line : 1,
		   error->int2 > 0 ? (unsigned int)error->int2 : 1, "not well-formed: %.*s",
		   (int)length, error->message ? error->message : "");
}

static int parse(struct source *s, struct report *report)
{
	struct parsing parsing = { s, report };
	xmlParserCtxt *parser = xmlNewParserCtxt();
	bool good;

	if (!parser)
		return -ENOMEM;
	parser->_private = &parsing;
	parser->sax->internalSubset = refuse_doctype;
	parser->sax->serror = take_error;
	s->doc = xmlCtxtReadMemory(parser, s->text, (int)s->length, NULL, NULL,
				   XML_PARSE_NONET | XML_PARSE_NOCDATA);
	good = s->doc && parser->wellFormed;
	xmlFreeParserCtxt(parser);
	if (good && !report->nr_mistakes)
		return 0;
	if (!report->nr_mistakes)
		report_add(report, false, 0, 0, "not well-formed XML");
	return -EINVAL;
}

static bool is_utf8(const struct source *s)
{
	return !memchr(s->text, 0, s->length) && xmlCheckUTF8((const xmlChar *)s->text);
}

/* A declared encoding that the scan would misread. */
static bool encoding_is_odd(const xmlDoc *doc)
{
	const char *encoding = (const char *)doc->encoding;

	return encoding && strcasecmp(encoding, "UTF-8") != 0 &&
	       strcasecmp(encoding, "US-ASCII") != 0 && strcasecmp(encoding, "ASCII") != 0;
}

int source_init(struct source *s, const char *text, size_t length, struct report *report)
{
	int err;

	*s = (struct source){ .text = text, .length = length, .doctype = SIZE_MAX };
	if (!is_utf8(s)) {
		report_add(report, false, 0, 0, "not text in UTF-8");
		return -EINVAL;
	}
	err = scan(s);
	if (!err)
		err = parse(s, report);
	if (err)
		return err;
	if (encoding_is_odd(s->doc)) {
		report_add(report, false, 1, 1, "encoding \"%s\": only UTF-8 is read",
			   (const char *)s->doc->encoding);
		return -EINVAL;
	}
	if (!attach_places(s)) {
		report_add(report, false, 0, 0, "its elements cannot be located");
		return -EINVAL;
	}
	return 0;
}

void source_fini(struct source *s)
{
	xmlFreeDoc(s->doc);
	free(s->elements);
	free(s->attributes);
	*s = (struct source){ 0 };
}

void source_line_column(const struct source *s, size_t offset, unsigned int *ret_line,
			unsigned int *ret_column)
{
	unsigned int line = 1, column = 1;

	for (size_t i = begins(s, 0, "\xef\xbb\xbf") ? 3 : 0; i < offset && i < s->length; i++) {
		if (s->text[i] == '\n') {
			line++;
			column = 1;
		} else if ((s->text[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	*ret_line = line;
	*ret_column = column;
}

static const struct element_place *place_of(const xmlNode *node)
{
	return node->_private;
}

size_t source_element(const struct source *s, const xmlNode *node)
{
	(void)s;
	return place_of(node)->start;
}

size_t source_text(const struct source *s, const xmlNode *node, const char *text)
{
	size_t from = place_of(node)->text, word = strcspn(text, WHITE "<>&\"");
	const char *found = word ? memmem(s->text + from, s->length - from, text, word) : NULL;

	if (found)
		return (size_t)(found - s->text);
	return *text ? from : place_of(node)->start;
}

static const struct attribute_place *attribute_place(const struct source *s,
						     const xmlAttr *attribute)
{
	const struct element_place *place = place_of(attribute->parent);
	size_t nr = 0;

	while (attribute->prev) {
		attribute = attribute->prev;
		nr++;
	}
	return &s->attributes[place->first_attribute + nr];
}

size_t source_attribute(const struct source *s, const xmlAttr *attribute)
{
	return attribute_place(s, attribute)->name;
}

size_t source_value(const struct source *s, const xmlAttr *attribute)
{
	return attribute_place(s, attribute)->value;
}
