/* See config-xml.h. */
#include "daemon/config-xml.h"

#include <errno.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#define PATH_MAX_BYTES 512u

/* Of what are lists, and by which child's attribute, or by which of its own, an item is known. */
static const struct {
	const char *element, *child, *attribute;
	bool is_device;
} keys[] = {
	{ "disk", "target", "dev", true },  { "interface", "mac", "address", true },
	{ "vcpupin", NULL, "vcpu", false }, { "feature", NULL, "name", false },
	{ "tag", NULL, "id", false },
};

struct leaf {
	char *path, *value;
	bool is_device; /* a whole device, whose parts follow */
	bool is_seen;
};

struct leaves {
	struct leaf *items;
	struct leaf **sorted; /* the same, to be found by their paths */
	size_t nr, max;
	bool no_memory;
};

static bool is_named(const xmlNode *n, const char *name)
{
	return n->type == XML_ELEMENT_NODE && !strcmp((const char *)n->name, name);
}

static const xmlNode *child_of(const xmlNode *n, const char *name)
{
	const xmlNode *c = n->children;

	while (c && !is_named(c, name))
		c = c->next;
	return c;
}

static char *attribute_of(const xmlNode *n, const char *name)
{
	return n ? (char *)xmlGetNoNsProp(n, (const xmlChar *)name) : NULL;
}

/* Which of its kind n is, from 0: known by the one before, which was asked before. */
static unsigned int index_of(const xmlNode *n)
{
	return (unsigned int)(uintptr_t)n->_private;
}

static void number_node(xmlNode *n)
{
	const xmlNode *p = n->prev;

	while (p && !is_named(p, (const char *)n->name))
		p = p->prev;
	n->_private = p ? (void *)(uintptr_t)(index_of(p) + 1) : NULL;
}

static bool has_twin(const xmlNode *n)
{
	const xmlNode *p = n->next;

	while (p && !is_named(p, (const char *)n->name))
		p = p->next;
	return p || index_of(n);
}

/* To be given to xmlFree(); NULL: it has none. */
static char *key_of(const xmlNode *n, bool *ret_is_device)
{
	*ret_is_device = false;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!is_named(n, keys[i].element))
			continue;
		*ret_is_device = keys[i].is_device;
		return attribute_of(keys[i].child ? child_of(n, keys[i].child) : n,
				    keys[i].attribute);
	}
	return NULL;
}

static void add_leaf(struct leaves *l, const char *path, const char *value, bool is_device)
{
	struct leaf leaf = { strdup(path), strdup(value), is_device, false };

	if (l->nr == l->max) {
		size_t max = l->max ? 2 * l->max : 64;
		struct leaf *grown = reallocarray(l->items, max, sizeof(*grown));

		if (grown) {
			l->items = grown;
			l->max = max;
		}
	}
	if (l->nr == l->max || !leaf.path || !leaf.value) {
		l->no_memory = true;
		free(leaf.path);
		free(leaf.value);
		return;
	}
	l->items[l->nr++] = leaf;
}

static void free_leaves(struct leaves *l)
{
	for (size_t i = 0; i < l->nr; i++) {
		free(l->items[i].path);
		free(l->items[i].value);
	}
	free(l->items);
	free(l->sorted);
}

static bool has_elements(const xmlNode *n)
{
	return xmlChildElementCount((xmlNode *)(uintptr_t)n) > 0;
}

static void add_attributes(struct leaves *l, const xmlNode *n, const char *path)
{
	char name[PATH_MAX_BYTES];

	for (const xmlAttr *a = n->properties; a; a = a->next) {
		char *value = attribute_of(n, (const char *)a->name);

		snprintf(name, sizeof(name), "%.400s/%.100s", path, (const char *)a->name);
		add_leaf(l, name, value ? value : "", false);
		xmlFree(value);
	}
}

static void put_path(char ret_path[PATH_MAX_BYTES], const char *above, const xmlNode *n,
		     bool *ret_is_device)
{
	char *key = key_of(n, ret_is_device);
	const char *slash = *above ? "/" : "";

	if (key)
		snprintf(ret_path, PATH_MAX_BYTES, "%s%s%s[%s]", above, slash,
			 (const char *)n->name, key);
	else if (has_twin(n))
		snprintf(ret_path, PATH_MAX_BYTES, "%s%s%s[%u]", above, slash,
			 (const char *)n->name, index_of(n));
	else
		snprintf(ret_path, PATH_MAX_BYTES, "%s%s%s", above, slash, (const char *)n->name);
	xmlFree(key);
}

/* What n and everything in it says. The depth is that of a description, which is small. */
static void flatten(struct leaves *l, xmlNode *n, const char *above)
{
	char path[PATH_MAX_BYTES];
	bool is_device;

	number_node(n);
	put_path(path, above, n, &is_device);
	if (is_device)
		add_leaf(l, path, "", true);
	add_attributes(l, n, path);
	if (!has_elements(n)) {
		char *text = (char *)xmlNodeGetContent(n);
		bool is_empty = !text || !*text;

		if (!is_empty || !n->properties) /* else it says what its attributes say */
			add_leaf(l, path, is_empty ? "" : text, false);
		xmlFree(text);
		return;
	}
	for (xmlNode *c = n->children; c; c = c->next) {
		if (c->type == XML_ELEMENT_NODE)
			flatten(l, c, path);
	}
}

static xmlDoc *read_xml(const char *text)
{
	return xmlReadMemory(text, (int)strlen(text), NULL, NULL,
			     XML_PARSE_NONET | XML_PARSE_NOBLANKS | XML_PARSE_NOERROR |
				     XML_PARSE_NOWARNING);
}

static int compare_leaves(const struct leaf *a, const struct leaf *b)
{
	int order = strcmp(a->path, b->path);

	return order ? order : (int)a->is_device - (int)b->is_device;
}

/* Those that are alike stay in their order. */
static int compare_sorted(const void *a, const void *b)
{
	const struct leaf *x = *(struct leaf *const *)a, *y = *(struct leaf *const *)b;
	int order = compare_leaves(x, y);

	return order ? order : (x > y) - (x < y);
}

static void sort(struct leaves *l)
{
	l->sorted = calloc(l->nr + 1, sizeof(struct leaf *));
	if (!l->sorted) {
		l->no_memory = true;
		return;
	}
	for (size_t i = 0; i < l->nr; i++)
		l->sorted[i] = &l->items[i];
	qsort(l->sorted, l->nr, sizeof(struct leaf *), compare_sorted);
}

static int read_leaves(struct leaves *l, const char *text)
{
	xmlDoc *doc = read_xml(text);
	xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;

	for (xmlNode *c = root ? root->children : NULL; c; c = c->next) {
		if (c->type == XML_ELEMENT_NODE)
			flatten(l, c, "");
	}
	if (root && !l->no_memory)
		sort(l);
	xmlFreeDoc(doc);
	return !root || l->no_memory ? -ENOMEM : 0;
}

/* The first that is like it. */
static struct leaf *find_leaf(const struct leaves *l, const struct leaf *like)
{
	size_t from = 0, to = l->nr;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (compare_leaves(l->sorted[middle], like) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from < l->nr && !compare_leaves(l->sorted[from], like) ? l->sorted[from] : NULL;
}

/* Part of a device that one side does not have at all. */
static bool is_inside(const struct leaf *device, const struct leaf *leaf)
{
	return device && !strncmp(leaf->path, device->path, strlen(device->path));
}

static void tell_changed(struct leaves *from, struct leaves *to, config_difference_fn tell,
			 void *argument)
{
	const struct leaf *gone = NULL;

	for (size_t i = 0; i < from->nr; i++) {
		const struct leaf *was = &from->items[i];
		struct leaf *is = find_leaf(to, was);

		if (is)
			is->is_seen = true;
		if (is_inside(gone, was))
			continue;
		if (!is && was->is_device)
			gone = was;
		if (!is || strcmp(is->value, was->value) != 0)
			tell(argument, was->path, was->value, is ? is->value : NULL);
	}
}

static void tell_new(const struct leaves *to, config_difference_fn tell, void *argument)
{
	const struct leaf *new = NULL;

	for (size_t i = 0; i < to->nr; i++) {
		const struct leaf *is = &to->items[i];

		if (is->is_seen || is_inside(new, is))
			continue;
		if (is->is_device)
			new = is;
		tell(argument, is->path, NULL, is->value);
	}
}

int config_compare(const char *from, const char *to, config_difference_fn tell, void *argument)
{
	struct leaves a = { .nr = 0 }, b = { .nr = 0 };
	int ret = read_leaves(&a, from);

	if (!ret)
		ret = read_leaves(&b, to);
	if (!ret) {
		tell_changed(&a, &b, tell, argument);
		tell_new(&b, tell, argument);
	}
	free_leaves(&a);
	free_leaves(&b);
	return ret;
}

/* --- one device --- */

static xmlNode *devices_of(xmlDoc *doc)
{
	const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;

	return root ? (xmlNode *)(uintptr_t)child_of(root, "devices") : NULL;
}

static xmlNode *find_device(xmlDoc *doc, const char *element, const char *key)
{
	xmlNode *devices = devices_of(doc);
	bool is_device;

	for (xmlNode *n = devices ? devices->children : NULL; n; n = n->next) {
		char *have = is_named(n, element) ? key_of(n, &is_device) : NULL;
		bool is_it = have && !strcasecmp(have, key);

		xmlFree(have);
		if (is_it)
			return n;
	}
	return NULL;
}

static char *node_text(xmlDoc *doc, xmlNode *n)
{
	xmlBuffer *buffer = xmlBufferCreate();
	char *text = NULL;

	if (buffer && xmlNodeDump(buffer, doc, n, 0, 0) >= 0)
		text = strdup((const char *)xmlBufferContent(buffer));
	if (buffer)
		xmlBufferFree(buffer);
	return text;
}

char *config_device(const char *text, const char *element, const char *key)
{
	xmlDoc *doc = read_xml(text);
	xmlNode *n = find_device(doc, element, key);
	char *found = n ? node_text(doc, n) : NULL;

	xmlFreeDoc(doc);
	return found;
}

char *config_around_device(const char *name, const char *xml)
{
	char *text;

	return asprintf(&text,
			"<domain type='xen'><name>%s</name><memory>4096</memory><os>"
			"<type>xenpvh</type><kernel>/x</kernel></os><devices>%s</devices></domain>",
			name, xml) < 0
		       ? NULL
		       : text;
}
