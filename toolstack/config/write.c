/* Writes a domain: the tables of schema.h once more, from fields to elements. What is as preset is left
 * out, unless the table says otherwise; so is an element with nothing in it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/domain.h"
#include "config/foreign.h"
#include "config/schema.h"
#include "lib/cleanup.h"

#define XML(text) ((const xmlChar *)(text))

/* Creates the element as the last child of parent. */
static xmlNode *add_element(xmlNode *parent, const struct element_rule *rule)
{
	bool is_lodge;
	const char *name = rule_local_name(rule, &is_lodge);
	xmlNode *node = xmlNewDocNode(parent->doc, NULL, XML(name), NULL);
	xmlNs *ns;

	if (!node)
		return NULL;
	xmlAddChild(parent, node);
	if (is_lodge) {
		ns = xmlSearchNsByHref(parent->doc, node, XML(DOMAIN_LODGE_NAMESPACE));
		if (!ns)
			ns = xmlNewNs(node, XML(DOMAIN_LODGE_NAMESPACE), XML("lodge"));
		xmlSetNs(node, ns);
	}
	return node;
}

/* Tells whether there was something that the guest has of its own, not a constant of the format. */
static int write_attributes(xmlNode *node, const struct element_rule *rule, const void *object,
			    bool *written)
{
	for (size_t i = 0; i < rule->nr_attributes; i++) {
		const struct attribute_rule *a = &rule->attributes[i];
		cleanup_free char *text = NULL;
		int err;

		if (a->fate != USED || !when_holds(&a->when, object))
			continue;
		err = a->value.type->write(&a->value, object_field_const(object, a->value.offset),
					   &text);
		if (err)
			return err;
		if (!text)
			continue;
		if (!xmlNewProp(node, XML(a->name), XML(text)))
			return -ENOMEM;
		*written = *written || a->value.offset != NO_FIELD;
	}
	return 0;
}

static int write_text(xmlNode *node, const struct element_rule *rule, const void *object,
		      bool *written)
{
	cleanup_free char *text = NULL;
	int err = rule->text.type->write(&rule->text, object_field_const(object, rule->text.offset),
					 &text);

	if (err || !text)
		return err;
	if (*text)
		xmlNodeAddContent(node, XML(text));
	*written = true;
	return 0;
}

static int write_element(xmlNode *parent, const struct element_rule *rule, const void *object);

static int write_children(xmlNode *node, const struct element_rule *rule, const void *object)
{
	int err = 0;

	for (size_t i = 0; i < rule->nr_children && !err; i++) {
		const struct element_rule *child = &rule->children[i];

		if (child->fate != USED || !when_holds(&child->when, object))
			continue;
		if (!child->list.item_size)
			err = write_element(node, child, object);
		for (size_t nr = 0;
		     child->list.item_size && nr < list_length(child, object) && !err; nr++)
			err = write_element(node, child, list_item(child, object, nr));
	}
	return err;
}

static int write_foreign(xmlNode *node, const struct domain_description *d)
{
	int err = 0;

	for (size_t i = 0; i < d->nr_metadata && !err; i++)
		err = foreign_add(node, d->metadata[i]);
	return err;
}

static int fill_element(xmlNode *node, const struct element_rule *rule, const void *object,
			bool *written)
{
	int err = 0;

	if (rule->text.type) {
		err = write_text(node, rule, object, written);
		if (err)
			return err;
	}
	err = write_attributes(node, rule, object, written);
	if (!err)
		err = write_children(node, rule, object);
	if (!err && rule->keeps_foreign)
		err = write_foreign(node, object);
	*written = *written || node->children || rule->list.item_size;
	return err;
}

/* Recurses as deep as the tables. */
static int write_element(xmlNode *parent, const struct element_rule *rule, const void *object)
{
	xmlNode *node = add_element(parent, rule);
	bool written = false;
	int err;

	if (!node)
		return -ENOMEM;
	err = fill_element(node, rule, object, &written);
	if (!written) {
		xmlUnlinkNode(node);
		xmlFreeNode(node);
	}
	return err;
}

static char *document_text(xmlDoc *doc)
{
	xmlBuffer *buffer = xmlBufferCreate();
	char *text = NULL;

	if (buffer && xmlNodeDump(buffer, doc, xmlDocGetRootElement(doc), 0, 1) >= 0 &&
	    asprintf(&text, "%s\n", (const char *)xmlBufferContent(buffer)) < 0)
		text = NULL;
	xmlBufferFree(buffer);
	return text;
}

char *domain_write(const struct domain_description *d)
{
	xmlDoc *doc = xmlNewDoc(XML("1.0"));
	xmlNode *root = doc ? xmlNewDocNode(doc, NULL, XML(domain_rule.name), NULL) : NULL;
	bool written = false;
	char *text = NULL;

	if (root) {
		xmlDocSetRootElement(doc, root);
		if (!fill_element(root, &domain_rule, d, &written))
			text = document_text(doc);
	}
	xmlFreeDoc(doc);
	return text;
}
