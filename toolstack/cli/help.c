#include "cli/help.h"

#include <stdio.h>
#include <string.h>

#include "cli/call.h"
#include "cli/table.h"
#include "cli/text.h"
#include "lib/cleanup.h"

static void print_option(size_t option)
{
	const struct option_row *o = &option_rows[option];
	int width = printf("  %c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
			   o->letter ? "," : " ", o->name, o->value ? " " : "",
			   o->value ? o->value : "");

	if (width > 25)
		printf("\n%27s%s\n", "", o->help);
	else
		printf("%*s%s\n", 27 - width, "", o->help);
}

static void print_options(const char *title, uint64_t options)
{
	printf("\n%s:\n", title);
	for (size_t i = 0; i < OPT_NR; i++) {
		if (options & BIT64(i))
			print_option(i);
	}
}

static cJSON *verb_json(const struct verb *v)
{
	cleanup_free char *synopsis = verb_synopsis(v);
	cJSON *row = say_memory(cJSON_CreateObject()), *options;

	call_put_text(row, "verb", v->name);
	call_put_text(row, "synopsis", synopsis);
	call_put_text(row, "help", v->help);
	options = say_memory(cJSON_AddArrayToObject(row, "options"));
	for (size_t i = 0; i < OPT_NR; i++) {
		if (v->options & BIT64(i))
			cJSON_AddItemToArray(options,
					     say_memory(cJSON_CreateString(option_rows[i].name)));
	}
	return row;
}

static enum rpc_code all_as_json(void)
{
	cJSON *all = say_memory(cJSON_CreateObject());
	cJSON *list = say_memory(cJSON_AddArrayToObject(all, "verbs"));

	for (size_t i = 0; i < nr_verbs; i++)
		cJSON_AddItemToArray(list, verb_json(&verbs[i]));
	say_json(all);
	cJSON_Delete(all);
	return RPC_OK;
}

enum rpc_code help_all(void)
{
	if (say.is_json)
		return all_as_json();
	printf("usage: lodge [OPTION...] VERB [ARGUMENT...]\n");
	for (size_t i = 0; i < nr_verbs; i++) {
		if (verbs[i].group)
			printf("\n%s:\n", verbs[i].group);
		printf("  %-12s  %s\n", verbs[i].name, verbs[i].help);
	}
	print_options("options of every verb", OPTIONS_OF_ALL);
	printf("\nGUEST is a name, a uuid or a domain id. lodge help VERB tells more; man lodge tells all.\n");
	return RPC_OK;
}

enum rpc_code help_verb(const struct verb *v)
{
	cleanup_free char *synopsis = verb_synopsis(v);

	if (say.is_json) {
		cJSON *row = verb_json(v);

		say_json(row);
		cJSON_Delete(row);
		return RPC_OK;
	}
	printf("usage: lodge %s\n%s\n", synopsis, v->help);
	if (v->more)
		printf("%s\n", v->more);
	if (v->options)
		print_options("options", v->options);
	print_options("options of every verb", OPTIONS_OF_ALL);
	return RPC_OK;
}

enum rpc_code help_version(void)
{
	printf("lodge %s\n", LODGE_VERSION);
	return RPC_OK;
}

static void print_table_option(const struct option_row *o)
{
	const char *equals = o->value ? "=" : "", *value = o->value ? o->value : "";

	if (o->letter)
		printf("-%c%s%s ", o->letter, equals, value);
	printf("--%s%s%s ", o->name, equals, value);
}

/* A line: name, arguments, and options, each with its value behind "=". */
static void print_table_row(const char *name, const char *args, uint64_t options)
{
	printf("%s\t%s\t", name, args);
	for (size_t i = 0; i < OPT_NR; i++) {
		if (options & BIT64(i))
			print_table_option(&option_rows[i]);
	}
	putchar('\n');
}

/* The first line has the options of every verb. */
static void print_table(void)
{
	print_table_row("", "", OPTIONS_OF_ALL);
	for (size_t i = 0; i < nr_verbs; i++)
		print_table_row(verbs[i].name, verbs[i].args, verbs[i].options);
}

enum rpc_code run_help(struct call *c)
{
	const char *near = NULL;
	const struct verb *v;

	if (args_has(&c->args, OPT_TABLE)) {
		print_table();
		return RPC_OK;
	}
	if (!c->args.nr_words)
		return help_all();
	v = verb_find(c->args.words[0], &near);
	if (v)
		return help_verb(v);
	if (near)
		return call_usage(c, "no verb \"%s\"; did you mean %s?", c->args.words[0], near);
	return call_usage(c, "no verb \"%s\"", c->args.words[0]);
}
