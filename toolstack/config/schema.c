#include "config/schema.h"

#include <stdlib.h>
#include <string.h>

#include "lib/suggest.h"

#define FEW 10u /* legal values are listed up to this number */

const struct choice *choice_find(const struct choice *choices, size_t nr, const char *text)
{
	for (size_t i = 0; i < nr; i++)
		if (!strcmp(choices[i].name, text))
			return &choices[i];
	return NULL;
}

static void add_text(struct err *err, const char *before, const char *word, const char *after)
{
	size_t used = strlen(err->text);

	snprintf(err->text + used, sizeof(err->text) - used, "%s%s%s", before, word, after);
}

const char *choice_explain(const struct choice *choices, size_t nr, const char *text,
			   struct err *err)
{
	struct suggestion near;
	size_t nr_legal = 0;
	const char *before;

	suggestion_init(&near, text);
	for (size_t i = 0; i < nr; i++) {
		if (choices[i].fate == USED) {
			suggestion_offer(&near, choices[i].name);
			nr_legal++;
		}
	}
	err->text[0] = '\0';
	if (near.best)
		add_text(err, "; did you mean \"", near.best, "\"?");
	if (nr_legal == 0 || nr_legal > FEW)
		return err->text;
	add_text(err, near.best ? " " : "; ", nr_legal == 1 ? "legal is" : "legal are", "");
	before = " \"";
	for (size_t i = 0; i < nr; i++) {
		if (choices[i].fate == USED) {
			add_text(err, before, choices[i].name, "\"");
			before = ", \"";
		}
	}
	return err->text;
}

bool when_holds(const struct when *when, const void *object)
{
	unsigned int kind = 0;

	if (!when->mask)
		return true;
	memcpy(&kind, (const char *)object + when->kind, sizeof(kind));
	return when->mask >> kind & 1;
}

const char *rule_local_name(const struct element_rule *rule, bool *ret_is_lodge)
{
	static const char prefix[] = "lodge:";

	*ret_is_lodge = !strncmp(rule->name, prefix, strlen(prefix));
	return rule->name + (*ret_is_lodge ? strlen(prefix) : 0);
}

static void preset_value(const struct value *v, void *object)
{
	if (v->type && v->type->preset && v->offset != NO_FIELD)
		v->type->preset(v, object_field(object, v->offset));
}

static void fini_value(const struct value *v, void *object)
{
	if (v->type && v->type->fini && v->offset != NO_FIELD)
		v->type->fini(object_field(object, v->offset));
}

void object_preset(const struct element_rule *rule, void *object)
{
	preset_value(&rule->text, object);
	for (size_t i = 0; i < rule->nr_attributes; i++)
		preset_value(&rule->attributes[i].value, object);
	for (size_t i = 0; i < rule->nr_children; i++)
		if (!rule->children[i].list.item_size)
			object_preset(&rule->children[i], object);
}

static void list_fini(const struct element_rule *rule, void *object)
{
	for (size_t i = 0; i < list_length(rule, object); i++)
		object_fini(rule, list_item(rule, object, i));
	free(list_item(rule, object, 0));
}

void object_fini(const struct element_rule *rule, void *object)
{
	fini_value(&rule->text, object);
	for (size_t i = 0; i < rule->nr_attributes; i++)
		fini_value(&rule->attributes[i].value, object);
	for (size_t i = 0; i < rule->nr_children; i++) {
		if (rule->children[i].list.item_size)
			list_fini(&rule->children[i], object);
		else
			object_fini(&rule->children[i], object);
	}
}

size_t list_length(const struct element_rule *rule, const void *object)
{
	size_t nr;

	memcpy(&nr, (const char *)object + rule->list.nr, sizeof(nr));
	return nr;
}

void *list_item(const struct element_rule *rule, const void *object, size_t nr)
{
	char *array;

	memcpy(&array, (const char *)object + rule->list.array, sizeof(array));
	return array ? array + nr * rule->list.item_size : NULL;
}

void *list_append(const struct element_rule *rule, void *object)
{
	size_t nr = list_length(rule, object), size = rule->list.item_size;
	char *array = reallocarray(list_item(rule, object, 0), nr + 1, size), *item;

	if (!array)
		return NULL;
	item = array + nr * size;
	memset(item, 0, size);
	object_preset(rule, item);
	nr++;
	memcpy((char *)object + rule->list.array, &array, sizeof(array));
	memcpy((char *)object + rule->list.nr, &nr, sizeof(nr));
	return item;
}
