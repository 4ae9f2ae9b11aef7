/* What a domain's XML may hold, as tables. One table serves four: the checker and reader (parse.c), the
 * writer (write.c), the RELAX NG schema (relax-ng.c), and domain_free(). So they cannot disagree.
 *
 * An element works on an object: the structure that its attributes' and children's values go into. A child
 * works on its parent's object, or, when it is an item of a list, on an object of its own. */
#ifndef LODGE_CONFIG_SCHEMA_H
#define LODGE_CONFIG_SCHEMA_H

#include <libxml/tree.h>
#include <stdio.h>

#include "lib/err.h"

struct walk;

enum fate {
	USED,
	IGNORED, /* one warning, however often it comes */
	REFUSED, /* a mistake, and why */
};

struct choice {
	const char *name;
	enum fate fate; /* IGNORED: the whole element is, by its first attribute */
	const char *why;
};

struct value;

struct value_type {
	/* node is the element; -EINVAL and what is wrong with the text in err, or -ENOMEM. */
	int (*read)(const struct value *v, const xmlNode *node, const char *text, void *field,
		    struct err *err);
	/* *ret_text stays NULL when the field is as preset. -ENOMEM. */
	int (*write)(const struct value *v, const void *field, char **ret_text);
	void (*preset)(const struct value *v, void *field); /* NULL: zero bytes are the preset */
	void (*fini)(void *field);                          /* NULL: nothing to give back */
	void (*schema)(const struct value *v, FILE *stream);
};

#define NO_FIELD SIZE_MAX /* a value that is checked, and not kept */

struct value {
	const struct value_type *type;
	size_t offset; /* of the field in the object, or NO_FIELD */
	const struct choice *choices;
	size_t nr_choices;
	uint64_t min,
		max; /* of a number; of a string's length; max 0: none, and then min is 0 or 1 */
	uint64_t preset;
	bool always; /* written even when it is the preset */
};

/* Only for objects whose enum at offset kind is among those in the mask; mask 0: for all. */
struct when {
	unsigned int mask;
	size_t kind;
	const char *attribute; /* what decides the kind */
	const struct choice *choices;
	size_t nr_choices;
};

struct attribute_rule {
	const char *name;
	enum fate fate;
	const char *why;
	bool required;
	struct value value;
	struct when when;
};

/* An array that grows: its pointer and its length are in the object. */
struct list_place {
	size_t item_size; /* 0: no list */
	size_t array;
	size_t nr;
};

struct element_rule {
	const char *name; /* "lodge:..." stands for Lodge's namespace */
	enum fate fate;
	const char *why;
	bool required;
	bool keeps_foreign; /* elements of other namespaces are kept, in domain_description.metadata */
	struct value text; /* type NULL: no text */
	const struct attribute_rule *attributes;
	size_t nr_attributes;
	const struct element_rule *children;
	size_t nr_children;
	struct list_place list;
	struct when when;
	/* What holds between values; runs when the element has been read, mistakes or not. */
	void (*check)(struct walk *w, const xmlNode *node, void *object);
};

#define SCHEMA_MAX_CHILDREN 64u

extern const struct element_rule domain_rule;

/* Values' types; numbers are uint32_t or uint64_t. */
extern const struct value_type value_string;   /* char *; min 1: may not be empty */
extern const struct value_type value_word;     /* the same, without white space or "/" */
extern const struct value_type value_document; /* the same, lines kept, less their common indent */
extern const struct value_type value_path;     /* the same, from the root on */
extern const struct value_type value_target;   /* the same, xvda to xvdzz */
extern const struct value_type value_feature;  /* the same, a CPU feature */
extern const struct value_type value_zone;     /* the same, a time zone's name */
extern const struct value_type value_choice;   /* an enum; with NO_FIELD, always the preset */
extern const struct value_type value_flag;     /* bool; the choices are false, true */
extern const struct value_type value_presence; /* bool: the element is there */
extern const struct value_type value_u32;
extern const struct value_type value_u64;
extern const struct value_type value_quota;   /* uint64_t; negative is 0 */
extern const struct value_type value_seconds; /* int64_t, or "reset", which is 0 */
extern const struct value_type value_memory;  /* uint64_t of whole pages, by the attribute unit */
extern const struct value_type value_unit;    /* the attribute unit */
extern const struct value_type value_uuid;    /* uint8_t[16]; zeros: none */
extern const struct value_type value_mac;     /* uint8_t[6]; zeros: none */
extern const struct value_type value_cpu_set;

/* The choice that is text; NULL: none. */
const struct choice *choice_find(const struct choice *choices, size_t nr, const char *text);

/* "legal are ..." and perhaps "did you mean", in err->text, which is returned. */
const char *choice_explain(const struct choice *choices, size_t nr, const char *text,
			   struct err *err);

static inline void *object_field(void *object, size_t offset)
{
	return offset == NO_FIELD ? NULL : (char *)object + offset;
}

static inline const void *object_field_const(const void *object, size_t offset)
{
	return offset == NO_FIELD ? NULL : (const char *)object + offset;
}

/* Whether the object is of a kind that the condition asks for. */
bool when_holds(const struct when *when, const void *object);

/* The part of a rule's name behind "lodge:", and whether there is such a part. */
const char *rule_local_name(const struct element_rule *rule, bool *ret_is_lodge);

/* Presets and what to give back, of an object that rule's attributes and children make. */
void object_preset(const struct element_rule *rule, void *object);
void object_fini(const struct element_rule *rule, void *object);

/* Items of a list; append zeroes and presets the new one, and returns it, or NULL without memory. */
void *list_append(const struct element_rule *rule, void *object);
size_t list_length(const struct element_rule *rule, const void *object);
void *list_item(const struct element_rule *rule, const void *object, size_t nr);

#endif
