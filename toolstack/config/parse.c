/* Reads a domain: walks the document beside the tables of schema.h, tells every mistake, and fills in the
 * description. A mistake never ends the walk; memory that runs out does. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/foreign.h"
#include "config/report.h"
#include "config/walk.h"
#include "lib/cleanup.h"
#include "lib/suggest.h"

#define FEW       8u    /* legal names are listed up to this number */
#define MAX_ITEMS 1024u /* of a list */

static bool is_element(const xmlNode *node)
{
	return node->type == XML_ELEMENT_NODE;
}

static bool is_in_lodge(const xmlNode *node)
{
	return node->ns && node->ns->href &&
	       !strcmp((const char *)node->ns->href, DOMAIN_LODGE_NAMESPACE);
}

static bool rule_matches(const struct element_rule *rule, const xmlNode *node)
{
	bool is_lodge;
	const char *name = rule_local_name(rule, &is_lodge);

	return is_lodge == is_in_lodge(node) && (is_lodge || !node->ns) &&
	       !strcmp(name, (const char *)node->name);
}

static const struct element_rule *find_child_rule(const struct element_rule *rule,
						  const xmlNode *node)
{
	for (size_t i = 0; i < rule->nr_children; i++)
		if (rule_matches(&rule->children[i], node))
			return &rule->children[i];
	return NULL;
}

static const struct attribute_rule *find_attribute_rule(const struct element_rule *rule,
							const xmlAttr *attribute)
{
	for (size_t i = 0; i < rule->nr_attributes && !attribute->ns; i++)
		if (!strcmp(rule->attributes[i].name, (const char *)attribute->name))
			return &rule->attributes[i];
	return NULL;
}

/* Names as choices, so that they are explained as values are. */
#define MAX_NAMES SCHEMA_MAX_CHILDREN

static void tell_unknown_attribute(struct walk *w, const struct element_rule *rule,
				   const xmlAttr *attribute)
{
	const char *name = (const char *)attribute->name;
	struct choice names[MAX_NAMES];
	struct suggestion near;
	struct err legal = { "" };
	size_t nr = 0;

	suggestion_init(&near, name);
	for (size_t i = 0; i < rule->nr_attributes && !report_is_full(w->report); i++) {
		suggestion_offer(&near, rule->attributes[i].name);
		if (rule->attributes[i].fate == USED)
			names[nr++] = (struct choice){ .name = rule->attributes[i].name };
	}
	if (near.best)
		err_set(&legal, 0, "; did you mean \"%s\"?", near.best);
	else if (nr && nr <= FEW)
		choice_explain(names, nr, name, &legal);
	walk_mistake_attribute(w, attribute, "no such attribute%s", legal.text);
}

/* NULL behind the last. */
static const struct element_rule *nth_child(const struct element_rule *rule, size_t nr)
{
	return nr < rule->nr_children ? &rule->children[nr] : NULL;
}

/* "; legal are <a>, <b>", when there are few. */
static void explain_children(const struct element_rule *parent, struct err *legal)
{
	const struct element_rule *child;
	size_t nr = 0, used = 0;

	for (size_t i = 0; (child = nth_child(parent, i)); i++)
		nr += child->fate == USED;
	if (nr > FEW)
		return;
	for (size_t i = 0; (child = nth_child(parent, i)); i++) {
		if (child->fate != USED)
			continue;
		snprintf(legal->text + used, sizeof(legal->text) - used, "%s<%s>",
			 used     ? ", "
			 : nr > 1 ? "; legal are "
				  : "; legal is ",
			 child->name);
		used = strlen(legal->text);
	}
}

static void tell_unknown_element(struct walk *w, const struct element_rule *parent,
				 const xmlNode *node)
{
	const struct element_rule *child;
	struct suggestion near;
	struct err legal = { "" };

	suggestion_init(&near, (const char *)node->name);
	for (size_t i = 0; (child = nth_child(parent, i)) && !report_is_full(w->report); i++) {
		bool is_lodge;
		const char *name = rule_local_name(child, &is_lodge);

		if (is_lodge == is_in_lodge(node))
			suggestion_offer(&near, name);
	}
	if (near.best)
		err_set(&legal, 0, "; did you mean <%s%s>?", is_in_lodge(node) ? "lodge:" : "",
			near.best);
	else
		explain_children(parent, &legal);
	walk_mistake(w, node, "no such element in <%s>%s", parent->name, legal.text);
}

/* A value's text into its field; mistakes are told by tell. */
static int read_value(struct walk *w, const struct value *v, const xmlNode *node, const char *text,
		      void *object, struct err *err)
{
	int code = v->type->read(v, node, text, object_field(object, v->offset), err);

	if (code == -ENOMEM)
		w->err = code;
	return code == -EINVAL ? code : 0;
}

/* The values of the enum that the attribute asks for, as in: type="file". */
static void tell_wrong_kind(struct walk *w, const xmlAttr *attribute, const struct when *when)
{
	struct err kinds = { "" };

	for (size_t i = 0; i < when->nr_choices; i++) {
		size_t used = strlen(kinds.text);

		if (when->mask >> i & 1)
			snprintf(kinds.text + used, sizeof(kinds.text) - used, "%s\"%s\"",
				 used ? " or " : "", when->choices[i].name);
	}
	walk_mistake_attribute(w, attribute, "goes with %s=%s only", when->attribute, kinds.text);
}

static void read_attribute(struct walk *w, const struct element_rule *rule,
			   const xmlAttr *attribute, void *object)
{
	const struct attribute_rule *a = find_attribute_rule(rule, attribute);
	const xmlNode *node = attribute->parent;
	xmlChar *text;
	struct err err = { "" };

	if (attribute->ns) {
		walk_warn(w, attribute->ns, node, attribute,
			  "ignored: another program's attribute");
	} else if (!a) {
		tell_unknown_attribute(w, rule, attribute);
	} else if (a->fate == IGNORED) {
		walk_warn(w, a, node, attribute, "ignored: %s", a->why);
	} else if (a->fate == REFUSED) {
		walk_mistake_attribute(w, attribute, "refused: %s", a->why);
	} else if (!when_holds(&a->when, object)) {
		tell_wrong_kind(w, attribute, &a->when);
	} else {
		text = xmlNodeListGetString(node->doc, attribute->children, 1);
		if (read_value(w, &a->value, node, text ? (const char *)text : "", object, &err))
			walk_mistake_value(w, attribute, "%s", err.text);
		xmlFree(text);
	}
}

/* In the order of the table, for the first ones say what the others may be. */
static void read_attributes(struct walk *w, const struct element_rule *rule, const xmlNode *node,
			    void *object)
{
	for (size_t i = 0; i < rule->nr_attributes; i++) {
		const struct attribute_rule *a = &rule->attributes[i];
		const xmlAttr *attribute = walk_attribute(node, a->name);

		if (attribute)
			read_attribute(w, rule, attribute, object);
		else if (a->required && when_holds(&a->when, object))
			walk_mistake(w, node, "the attribute \"%s\" is missing", a->name);
	}
	for (const xmlAttr *attribute = node->properties; attribute; attribute = attribute->next)
		if (!find_attribute_rule(rule, attribute))
			read_attribute(w, rule, attribute, object);
}

static void read_text(struct walk *w, const struct element_rule *rule, const xmlNode *node,
		      void *object)
{
	bool may_have_text = rule->text.type && rule->text.type != &value_presence;
	cleanup_free char *text = walk_text(node);
	struct err err = { "" };

	if (!text)
		w->err = -ENOMEM;
	else if (*text && !may_have_text)
		walk_mistake_text(w, node, "has no text");
	else if (rule->text.type && read_value(w, &rule->text, node, text, object, &err))
		walk_mistake_text(w, node, "%s", err.text);
}

/* Ignored and refused elements are not looked into; so are those whose first attribute says so. */
static bool is_dropped(struct walk *w, const struct element_rule *rule, const xmlNode *node)
{
	const struct attribute_rule *first = rule->nr_attributes ? rule->attributes : NULL;
	const xmlAttr *attribute = first ? walk_attribute(node, first->name) : NULL;
	const struct choice *choice = NULL;
	xmlChar *text;

	if (rule->fate == IGNORED)
		walk_warn(w, rule, node, NULL, "ignored: %s", rule->why);
	if (rule->fate == REFUSED)
		walk_mistake(w, node, "refused: %s", rule->why);
	if (rule->fate != USED || !attribute || !first->value.choices)
		return rule->fate != USED;
	text = xmlNodeListGetString(node->doc, attribute->children, 1);
	if (text)
		choice = choice_find(first->value.choices, first->value.nr_choices,
				     (const char *)text);
	xmlFree(text);
	if (!choice || choice->fate != IGNORED)
		return false;
	walk_warn(w, choice, node, attribute, "ignored: %s", choice->why);
	return true;
}

static void keep_foreign(struct walk *w, const xmlNode *node)
{
	struct domain_description *d = w->domain;
	char **grown;

	if (d->nr_metadata == MAX_ITEMS) {
		walk_mistake(w, node, "more than %u of other programs' elements", MAX_ITEMS);
		return;
	}
	grown = reallocarray(d->metadata, d->nr_metadata + 1, sizeof(*grown));
	if (!grown) {
		w->err = -ENOMEM;
		return;
	}
	d->metadata = grown;
	d->metadata[d->nr_metadata] = foreign_text(node);
	if (d->metadata[d->nr_metadata])
		d->nr_metadata++;
	else
		w->err = -ENOMEM;
}

static void read_element(struct walk *w, const struct element_rule *rule, const xmlNode *node,
			 void *object);

static void read_known_child(struct walk *w, const struct element_rule *rule, const xmlNode *node,
			     const xmlNode **first, void *object)
{
	if (is_dropped(w, rule, node))
		return;
	if (!when_holds(&rule->when, object)) {
		walk_mistake(w, node, "does not go with this kind of <%s>",
			     (const char *)node->parent->name);
		return;
	}
	if (*first && !rule->list.item_size)
		walk_mistake(w, node, "given twice; first in line %u", walk_line(w, *first));
	if (!*first)
		*first = node;
	if (rule->list.item_size && list_length(rule, object) == MAX_ITEMS) {
		walk_mistake(w, node, "more than %u of them", MAX_ITEMS);
		return;
	}
	if (rule->list.item_size)
		object = list_append(rule, object);
	if (object)
		read_element(w, rule, node, object);
	else
		w->err = -ENOMEM;
}

/* An element of which no rule knows. */
static void read_other_child(struct walk *w, const struct element_rule *parent, const xmlNode *node)
{
	if (!node->ns || is_in_lodge(node))
		tell_unknown_element(w, parent, node);
	else if (parent->keeps_foreign)
		keep_foreign(w, node);
	else
		walk_warn(w, node->ns, node, NULL,
			  "ignored: another program's element; those belong in <metadata>");
}

static void read_children(struct walk *w, const struct element_rule *rule, const xmlNode *node,
			  void *object)
{
	const xmlNode *first[SCHEMA_MAX_CHILDREN] = { NULL };

	for (const xmlNode *child = node->children; child && !w->err; child = child->next) {
		const struct element_rule *known;

		if (!is_element(child))
			continue;
		known = find_child_rule(rule, child);
		if (known)
			read_known_child(w, known, child, &first[known - rule->children], object);
		else
			read_other_child(w, rule, child);
	}
	for (size_t i = 0; i < rule->nr_children; i++)
		if (rule->children[i].required && !first[i] &&
		    !walk_child(node, rule->children[i].name))
			walk_mistake(w, node, "the element <%s> is missing",
				     rule->children[i].name);
}

/* Recurses as deep as the tables, not as the document. */
static void read_element(struct walk *w, const struct element_rule *rule, const xmlNode *node,
			 void *object)
{
	read_attributes(w, rule, node, object);
	read_text(w, rule, node, object);
	read_children(w, rule, node, object);
	if (rule->check && !w->err)
		rule->check(w, node, object);
}

static int walk_document(struct walk *w)
{
	const xmlNode *root = xmlDocGetRootElement(w->source->doc);

	if (root->ns)
		walk_mistake(w, root, "the first element must be <domain> without a namespace");
	else if (strcmp((const char *)root->name, domain_rule.name) != 0)
		walk_mistake(w, root, "not a domain; the first element must be <domain>");
	else
		read_element(w, &domain_rule, root, w->domain);
	return w->err;
}

/* What is kept must be taken again, so its text may not be too long either. */
static int check_length(const struct domain_description *d, struct report *report)
{
	char *text = domain_write(d);

	if (!text)
		return -ENOMEM;
	if (strlen(text) > DOMAIN_XML_MAX)
		report_add(report, false, 0, 0, "longer than 256 KiB when all is written out");
	free(text);
	return 0;
}

static int parse(const char *text, size_t length, const char *host,
		 struct domain_description **ret_domain, struct report *report)
{
	struct domain_description *d = calloc(1, sizeof(*d));
	struct source source;
	struct walk walk = { .source = &source, .report = report, .host = host, .domain = d };
	int err;

	if (!d)
		return -ENOMEM;
	object_preset(&domain_rule, d);
	err = source_init(&source, text, length, report);
	if (!err)
		err = walk_document(&walk);
	source_fini(&source);
	report_sort(report);
	if (!err && !report->nr_mistakes)
		err = check_length(d, report);
	if (!err && report->no_memory)
		err = -ENOMEM;
	if (!err && report->nr_mistakes)
		err = -EINVAL;
	if (err)
		domain_free(d);
	else
		*ret_domain = d;
	return err;
}

int domain_parse(const char *text, size_t length, const char *host,
		 struct domain_description **ret_domain, struct report *report)
{
	char *copy;
	int err;

	if (length > DOMAIN_XML_MAX) {
		report_add(report, false, 0, 0, "longer than 256 KiB");
		return -EINVAL;
	}
	copy = malloc(length + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, length);
	copy[length] = '\0';
	err = parse(copy, length, host, ret_domain, report);
	free(copy);
	return err;
}

/* Up to DOMAIN_XML_MAX + 1 bytes of a file. */
static int read_all(int fd, char *text, size_t *ret_length)
{
	size_t length = 0;

	while (length <= DOMAIN_XML_MAX) {
		ssize_t nr = read(fd, text + length, DOMAIN_XML_MAX + 1 - length);

		if (nr < 0 && errno == EINTR)
			continue;
		if (nr < 0)
			return -errno;
		if (nr == 0)
			break;
		length += (size_t)nr;
	}
	*ret_length = length;
	return 0;
}

static int read_and_parse(int fd, const char *host, struct domain_description **ret_domain,
			  struct report *report)
{
	char *text = malloc(DOMAIN_XML_MAX + 1), words[64];
	size_t length = 0;
	int err;

	if (!text)
		return -ENOMEM;
	err = read_all(fd, text, &length);
	if (err)
		report_add(report, false, 0, 0, "cannot be read: %s",
			   strerror_r(-err, words, sizeof(words)));
	else
		err = domain_parse(text, length, host, ret_domain, report);
	free(text);
	return err;
}

int domain_read(const char *path, const char *host, struct domain_description **ret_domain,
		struct report *report)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char words[64];
	int err = -errno;

	if (fd >= 0)
		return read_and_parse(fd, host, ret_domain, report);
	report_add(report, false, 0, 0, "cannot be read: %s",
		   strerror_r(-err, words, sizeof(words)));
	return err;
}

void domain_free(struct domain_description *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->nr_metadata; i++)
		free(d->metadata[i]);
	free(d->metadata);
	object_fini(&domain_rule, d);
	free(d);
}
