/* The tables of schema.h as a RELAX NG schema, for editors. It knows everything but what holds between
 * values; it takes ignored elements with any content, and refused ones not at all. */
#include <stdlib.h>
#include <string.h>

#include "config/domain.h"
#include "config/schema.h"

static void line(FILE *out, unsigned int depth, const char *text)
{
	fprintf(out, "%*s%s\n", (int)(depth * 2), "", text);
}

static void write_value(FILE *out, unsigned int depth, const struct value *v)
{
	fprintf(out, "%*s", (int)(depth * 2), "");
	v->type->schema(v, out);
	fputc('\n', out);
}

static void write_attribute(FILE *out, unsigned int depth, const struct attribute_rule *a)
{
	bool optional = !a->required || a->when.mask;

	if (a->fate == REFUSED)
		return;
	if (optional)
		line(out, depth++, "<optional>");
	fprintf(out, "%*s<attribute name=\"%s\">\n", (int)(depth * 2), "", a->name);
	if (a->fate == IGNORED)
		line(out, depth + 1, "<text/>");
	else
		write_value(out, depth + 1, &a->value);
	line(out, depth, "</attribute>");
	if (optional)
		line(out, depth - 1, "</optional>");
}

static bool first_attribute_drops(const struct element_rule *rule)
{
	const struct value *v = rule->nr_attributes ? &rule->attributes[0].value : NULL;

	for (size_t i = 0; v && i < v->nr_choices; i++)
		if (v->choices[i].fate == IGNORED)
			return true;
	return false;
}

/* <timer name="pit">, with any content */
static void write_dropped(FILE *out, unsigned int depth, const struct element_rule *rule)
{
	const struct attribute_rule *a = &rule->attributes[0];

	line(out, depth, "<group>");
	fprintf(out, "%*s<attribute name=\"%s\">\n", (int)(depth * 2 + 2), "", a->name);
	line(out, depth + 2, "<choice>");
	for (size_t i = 0; i < a->value.nr_choices; i++)
		if (a->value.choices[i].fate == IGNORED)
			fprintf(out, "%*s<value>%s</value>\n", (int)(depth * 2 + 6), "",
				a->value.choices[i].name);
	line(out, depth + 2, "</choice>");
	line(out, depth + 1, "</attribute>");
	line(out, depth + 1, "<zeroOrMore>");
	fprintf(out,
		"%*s<attribute><anyName><except><name>%s</name></except></anyName></attribute>\n",
		(int)(depth * 2 + 4), "", a->name);
	line(out, depth + 1, "</zeroOrMore>");
	line(out, depth + 1,
	     "<zeroOrMore><choice><text/><ref name=\"any\"/></choice></zeroOrMore>");
	line(out, depth, "</group>");
}

static void write_element(FILE *out, unsigned int depth, const struct element_rule *rule);

static void write_children(FILE *out, unsigned int depth, const struct element_rule *rule)
{
	line(out, depth, "<interleave>");
	for (size_t i = 0; i < rule->nr_children; i++) {
		const struct element_rule *child = &rule->children[i];
		bool many = child->list.item_size || child->fate == IGNORED ||
			    first_attribute_drops(child);
		const char *count =
			many ? child->required ? "oneOrMore" : "zeroOrMore" : "optional";

		if (child->fate == REFUSED)
			continue;
		if (!many && child->required) {
			write_element(out, depth + 1, child);
			continue;
		}
		fprintf(out, "%*s<%s>\n", (int)(depth * 2 + 2), "", count);
		write_element(out, depth + 2, child);
		fprintf(out, "%*s</%s>\n", (int)(depth * 2 + 2), "", count);
	}
	if (rule->nr_children)
		line(out, depth + 1, "<zeroOrMore><ref name=\"foreign\"/></zeroOrMore>");
	line(out, depth, "</interleave>");
}

static void write_content(FILE *out, unsigned int depth, const struct element_rule *rule)
{
	for (size_t i = 0; i < rule->nr_attributes; i++)
		write_attribute(out, depth, &rule->attributes[i]);
	line(out, depth, "<ref name=\"foreign-attributes\"/>");
	if (rule->nr_children)
		write_children(out, depth, rule);
	else if (rule->text.type)
		write_value(out, depth, &rule->text);
	else
		line(out, depth, "<empty/>");
}

/* Recurses as deep as the tables. */
static void write_element(FILE *out, unsigned int depth, const struct element_rule *rule)
{
	bool is_lodge, drops = first_attribute_drops(rule);
	const char *name = rule_local_name(rule, &is_lodge);

	fprintf(out, "%*s<element name=\"%s\" ns=\"%s\">\n", (int)(depth * 2), "", name,
		is_lodge ? DOMAIN_LODGE_NAMESPACE : "");
	if (rule->fate == IGNORED) {
		line(out, depth + 1, "<ref name=\"anything\"/>");
	} else if (drops) {
		line(out, depth + 1, "<choice>");
		line(out, depth + 2, "<group>");
		write_content(out, depth + 3, rule);
		line(out, depth + 2, "</group>");
		write_dropped(out, depth + 2, rule);
		line(out, depth + 1, "</choice>");
	} else {
		write_content(out, depth + 1, rule);
	}
	line(out, depth, "</element>");
}

static const char foreign_name[] =
	"      <anyName><except><nsName ns=\"\"/><nsName ns=\"" DOMAIN_LODGE_NAMESPACE
	"\"/></except></anyName>";

static const char *const head[] = {
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
	"<!-- A domain as Lodge reads it. Written by domain_schema() from the tables that the checker uses:",
	"     tests/unit/config compares; see docs/domain-xml.md for what each element means. -->",
	"<grammar xmlns=\"http://relaxng.org/ns/structure/1.0\"",
	"         datatypeLibrary=\"http://www.w3.org/2001/XMLSchema-datatypes\">",
	"  <define name=\"anything\">",
	"    <zeroOrMore>",
	"      <choice>",
	"        <attribute><anyName/></attribute>",
	"        <text/>",
	"        <ref name=\"any\"/>",
	"      </choice>",
	"    </zeroOrMore>",
	"  </define>",
	"  <define name=\"any\">",
	"    <element><anyName/><ref name=\"anything\"/></element>",
	"  </define>",
	"  <define name=\"foreign\">",
	"    <element>",
	foreign_name,
	"      <ref name=\"anything\"/>",
	"    </element>",
	"  </define>",
	"  <define name=\"foreign-attributes\">",
	"    <zeroOrMore>",
	"      <attribute><anyName><except><nsName ns=\"\"/></except></anyName></attribute>",
	"    </zeroOrMore>",
	"  </define>",
	"  <start>",
};

char *domain_schema(void)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(head); i++)
		line(out, 0, head[i]);
	write_element(out, 2, &domain_rule);
	line(out, 1, "</start>");
	line(out, 0, "</grammar>");
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
