#include "config/foreign.h"

#include <errno.h>
#include <libxml/parser.h>
#include <string.h>

static bool is_blank(const xmlNode *node)
{
	return node->type == XML_TEXT_NODE && xmlIsBlankNode(node);
}

/* Indentation is white space between elements where there is no other text. */
static bool is_indented(const xmlNode *node)
{
	bool other = false;

	for (const xmlNode *child = node->children; child; child = child->next) {
		if (!is_blank(child) &&
		    (child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE))
			return false;
		other = other || !is_blank(child);
	}
	return other;
}

static void remove_blanks(xmlNode *node)
{
	xmlNode *next;

	for (xmlNode *child = node->children; child; child = next) {
		next = child->next;
		if (!is_blank(child))
			continue;
		xmlUnlinkNode(child);
		xmlFreeNode(child);
	}
}

static xmlNode *next_in_tree(xmlNode *node, const xmlNode *root)
{
	if (node->type == XML_ELEMENT_NODE && node->children)
		return node->children;
	while (node != root && !node->next)
		node = node->parent;
	return node == root ? NULL : node->next;
}

static void remove_indentation(xmlNode *root)
{
	for (xmlNode *node = root; node; node = next_in_tree(node, root))
		if (node->type == XML_ELEMENT_NODE && is_indented(node))
			remove_blanks(node);
}

static char *node_text(xmlDoc *doc, xmlNode *node)
{
	xmlBuffer *buffer = xmlBufferCreate();
	char *text = NULL;

	if (buffer && xmlNodeDump(buffer, doc, node, 0, 0) >= 0)
		text = strdup((const char *)xmlBufferContent(buffer));
	xmlBufferFree(buffer);
	return text;
}

char *foreign_text(const xmlNode *node)
{
	xmlDoc *doc = xmlNewDoc((const xmlChar *)"1.0");
	xmlNode *copy;
	char *text = NULL;

	if (!doc)
		return NULL;
	copy = xmlDocCopyNode((xmlNode *)(uintptr_t)node, doc, 1);
	if (copy) {
		xmlDocSetRootElement(doc, copy);
		remove_indentation(copy);
		text = node_text(doc, copy);
	}
	xmlFreeDoc(doc);
	return text;
}

int foreign_add(xmlNode *parent, const char *text)
{
	xmlDoc *doc = xmlReadMemory(text, (int)strlen(text), NULL, "UTF-8",
				    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	xmlNode *copy = NULL;

	if (!doc)
		return -EINVAL;
	copy = xmlDocCopyNode(xmlDocGetRootElement(doc), parent->doc, 1);
	xmlFreeDoc(doc);
	if (!copy)
		return -ENOMEM;
	xmlAddChild(parent, copy);
	return 0;
}
