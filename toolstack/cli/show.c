#include "cli/show.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"
#include "cli/text.h"
#include "lib/cleanup.h"
#include "lib/size.h"

#define EXACT 9007199254740992.0 /* 2^53: whole numbers up to here are */

static void frequency(uint64_t khz, char *ret_words)
{
	snprintf(ret_words, TEXT_WORDS_MAX, "%" PRIu64 " MHz", khz / 1000);
}

static const struct unit {
	const char *suffix;
	void (*words)(uint64_t value, char *ret_words);
	uint64_t scale;
} units[] = {
	{ "_kib", text_size, 1024 },         { "_bytes", text_size, 1 },
	{ "bytes", text_size, 1 },           { "_ns", text_duration, 1 },
	{ "_ms", text_duration, 1000000 },   { "_khz", frequency, 1 },
	{ "_s", text_duration, 1000000000 },
};

static const struct unit *unit_of(const char *key)
{
	size_t length = strlen(key);

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t end = strlen(units[i].suffix);

		if (length >= end && !strcmp(key + length - end, units[i].suffix))
			return &units[i];
	}
	return NULL;
}

/* "cpu_time_ns" is "cpu time", "bytes" alone is "size". */
static char *label_of(const char *key)
{
	const struct unit *unit = unit_of(key);
	char *label = say_memory(text_clean(strcmp(key, "bytes") ? key : "size", ""));

	if (unit && strlen(unit->suffix) < strlen(key))
		label[strlen(key) - strlen(unit->suffix)] = '\0';
	for (char *p = label; *p; p++)
		*p = *p == '_' ? ' ' : *p;
	return label;
}

static void number_words(const char *key, double number, char *ret_words)
{
	const struct unit *unit = unit_of(key);

	if (unit && number >= 0 && number < EXACT)
		unit->words((uint64_t)number * unit->scale, ret_words);
	else if (fabs(number) < EXACT && number == (double)(int64_t)number)
		snprintf(ret_words, TEXT_WORDS_MAX, "%" PRId64, (int64_t)number);
	else
		snprintf(ret_words, TEXT_WORDS_MAX, "%g", number);
}

/* The same as a heading. */
static char *title_of(const char *key)
{
	static const char *const capitals[] = { "vcpu", "cpu", "mac", "mtu", "uuid" };
	char *title = label_of(key);
	bool is_capital = false;

	for (size_t i = 0; i < ARRAY_SIZE(capitals); i++)
		is_capital |= !strcmp(title, capitals[i]);
	for (char *p = title; *p && (p == title || is_capital); p++)
		*p = (char)toupper((unsigned char)*p);
	return title;
}

static char *value_text(const char *key, const cJSON *value);

/* "one, two" */
static char *list_text(const char *key, const cJSON *list)
{
	char *text = list->child ? value_text(key, list->child) : say_memory(strdup(""));
	const cJSON *item = list->child ? list->child->next : NULL;

	for (; item; item = item->next) {
		cleanup_free char *before = text;
		cleanup_free char *part = value_text(key, item);

		text = say_format("%s, %s", before, part);
	}
	return text;
}

/* A value in one line, to be freed. */
static char *value_text(const char *key, const cJSON *value)
{
	char words[TEXT_WORDS_MAX] = "";

	if (cJSON_IsString(value))
		return say_memory(text_clean(value->valuestring, ""));
	if (cJSON_IsArray(value))
		return list_text(key, value);
	if (cJSON_IsBool(value))
		return say_memory(strdup(cJSON_IsTrue(value) ? "yes" : "no"));
	if (cJSON_IsNumber(value))
		number_words(key, value->valuedouble, words);
	return say_memory(strdup(words));
}

/* The text of a member. */
static char *member_text(const cJSON *object, const char *key)
{
	return value_text(key, cJSON_GetObjectItemCaseSensitive(object, key));
}

static bool is_nested(const cJSON *value)
{
	return cJSON_IsObject(value) || (cJSON_IsArray(value) && cJSON_IsObject(value->child));
}

/* "name:" and its value. */
static void add_row(struct table *rows, const char *label, const char *value)
{
	cleanup_free char *title = say_format("%s:", label);
	table_add(rows, title);
	table_add(rows, value);
}

static void rows_init(struct table *rows)
{
	static const struct column columns[] = { { "", false }, { "", false } };

	table_init(rows, columns, ARRAY_SIZE(columns));
}

static void add_rows(struct table *rows, const cJSON *object)
{
	const cJSON *value;

	cJSON_ArrayForEach(value, object)
	{
		cleanup_free char *label = label_of(value->string);
		cleanup_free char *text = NULL;

		if (is_nested(value))
			continue;
		text = value_text(value->string, value);
		if (*text)
			add_row(rows, label, text);
	}
}

static void show_nested(const cJSON *object, size_t indent)
{
	const cJSON *value;

	cJSON_ArrayForEach(value, object)
	{
		cleanup_free char *label = label_of(value->string);

		if (!is_nested(value) || !value->child)
			continue;
		printf("%*s%s:\n", (int)indent, "", label);
		if (cJSON_IsObject(value))
			show_object(value, indent + 2);
		else
			show_objects(value, indent + 2, true);
	}
}

void show_object(const cJSON *object, size_t indent)
{
	struct table rows;

	rows_init(&rows);
	add_rows(&rows, object);
	table_print(&rows, stdout, say_width(), indent, false);
	table_fini(&rows);
	show_nested(object, indent);
}

/* Columns of a list of objects: by the names of their members. */
struct members {
	const char *keys[TABLE_MAX_COLUMNS];
	char *titles[TABLE_MAX_COLUMNS];
	struct column columns[TABLE_MAX_COLUMNS];
	size_t nr;
};

static void members_add(struct members *m, const cJSON *item)
{
	size_t i = 0;

	if (!item->string || is_nested(item)) /* an element of a list, or a list */
		return;
	while (i < m->nr && strcmp(m->keys[i], item->string) != 0)
		i++;
	if (i == TABLE_MAX_COLUMNS)
		return;
	if (i == m->nr) {
		m->keys[i] = item->string;
		m->titles[i] = title_of(item->string);
		m->columns[i].title = m->titles[i];
		m->nr++;
	}
	m->columns[i].is_number |= cJSON_IsNumber(item);
}

static void members_swap(struct members *m, size_t a, size_t b)
{
	const char *key = m->keys[a];
	char *title = m->titles[a];
	struct column column = m->columns[a];

	m->keys[a] = m->keys[b];
	m->titles[a] = m->titles[b];
	m->columns[a] = m->columns[b];
	m->keys[b] = key;
	m->titles[b] = title;
	m->columns[b] = column;
}

/* What a row is about comes first, what is wrong with it last. */
static size_t rank(const char *key)
{
	static const char *const first[] = { "target", "mac", "source", "bridge" };

	for (size_t i = 0; i < ARRAY_SIZE(first); i++) {
		if (!strcmp(key, first[i]))
			return i;
	}
	return ARRAY_SIZE(first) + !strcmp(key, "error");
}

/* Others stay in the order in which they were found. */
static void members_sort(struct members *m)
{
	for (size_t end = m->nr; end > 1; end--) {
		for (size_t i = 1; i < end; i++) {
			if (rank(m->keys[i - 1]) > rank(m->keys[i]))
				members_swap(m, i - 1, i);
		}
	}
}

static void members_fini(struct members *m)
{
	for (size_t i = 0; i < m->nr; i++)
		free(m->titles[i]);
}

void show_objects(const cJSON *list, size_t indent, bool has_header)
{
	struct members m = { .nr = 0 };
	const cJSON *row, *item;
	struct table table;

	cJSON_ArrayForEach(row, list)
	{
		cJSON_ArrayForEach(item, row)
		{
			members_add(&m, item);
		}
	}
	members_sort(&m);
	table_init(&table, m.columns, m.nr);
	cJSON_ArrayForEach(row, list)
	{
		for (size_t i = 0; i < m.nr; i++) {
			cleanup_free char *text = member_text(row, m.keys[i]);

			table_add(&table, text);
		}
	}
	table_print(&table, stdout, say_width(), indent, has_header);
	table_fini(&table);
	members_fini(&m);
}

/* The guest as a row of the list. One that does not run has no memory, but will have. */
static void add_guest(struct table *table, const cJSON *guest)
{
	bool runs = cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(guest, "id"));
	const char *const keys[] = { "id",
				     "name",
				     "state",
				     runs ? "memory_kib" : "memory_max_kib",
				     runs ? "vcpus" : "vcpus_max",
				     "cpu_time_ns",
				     "addresses" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		cleanup_free char *text = NULL;
		char seconds[TEXT_WORDS_MAX];

		if (strcmp(keys[i], "cpu_time_ns") != 0) {
			text = member_text(guest, keys[i]);
			table_add(table, text);
			continue;
		}
		/* One unit for all, so that they can be compared. */
		snprintf(seconds, sizeof(seconds), "%.1f s", json_number(guest, keys[i]) / 1e9);
		table_add(table, runs ? seconds : "");
	}
}

void show_guests(const cJSON *guests, bool has_header)
{
	static const struct column columns[] = {
		{ "Id", true },    { "Name", false },    { "State", false },   { "Memory", true },
		{ "VCPUs", true }, { "CPU time", true }, { "Address", false },
	};
	const cJSON *guest;
	struct table table;

	table_init(&table, columns, ARRAY_SIZE(columns));
	cJSON_ArrayForEach(guest, guests)
	{
		add_guest(&table, guest);
	}
	table_print(&table, stdout, say_width(), 0, has_header);
	table_fini(&table);
}

/* "2 of 4"; one number where both are the same, or the guest does not run. */
static void add_pair(struct table *rows, cJSON *guest, bool runs, const char *key,
		     const char *max_key)
{
	cleanup_free char *now = member_text(guest, key);
	cleanup_free char *max = member_text(guest, max_key);
	cleanup_free char *both = say_format("%s of %s", now, max);
	cleanup_free char *label = label_of(key);

	if (!*max || (runs && !strcmp(now, max)))
		add_row(rows, label, now);
	else
		add_row(rows, label, runs ? both : max);
	cJSON_DeleteItemFromObjectCaseSensitive(guest, key);
	cJSON_DeleteItemFromObjectCaseSensitive(guest, max_key);
}

static void add_member(struct table *rows, cJSON *guest, const char *key)
{
	cJSON *value = cJSON_DetachItemFromObjectCaseSensitive(guest, key);
	cleanup_free char *text = value_text(key, value);
	cleanup_free char *label = label_of(key);

	if (value)
		add_row(rows, label, text);
	cJSON_Delete(value);
}

/* Why it stopped last, in a line. */
static void add_why(struct table *rows, cJSON *guest)
{
	cJSON *why = cJSON_DetachItemFromObjectCaseSensitive(guest, "why");
	const char *time = json_text(why, "time"), *reason = json_text(why, "reason");
	cleanup_free char *text = NULL;

	if (reason) {
		text = say_format("%s%s%s", reason, time ? ", " : "", time ? time : "");
		add_row(rows, "stopped last", text);
	}
	cJSON_Delete(why);
}

/* Members that are lists of devices stand on their own. */
static void lift_devices(cJSON *guest)
{
	cJSON *devices = cJSON_DetachItemFromObjectCaseSensitive(guest, "devices"), *list;

	while (devices && (list = devices->child)) {
		cJSON_DetachItemViaPointer(devices, list);
		cJSON_AddItemToObject(guest, list->string, list);
	}
	cJSON_Delete(devices);
}

void show_info(struct call *c, const cJSON *result)
{
	cJSON *guest = say_memory(cJSON_Duplicate(result, true));
	bool runs = cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(guest, "id"));
	const char *title = json_text(guest, "title");
	struct table rows;

	(void)c;
	rows_init(&rows);
	add_member(&rows, guest, "name");
	if (title && *title)
		add_member(&rows, guest, "title");
	cJSON_DeleteItemFromObjectCaseSensitive(guest, "title");
	add_member(&rows, guest, "uuid");
	add_member(&rows, guest, "id");
	add_member(&rows, guest, "state");
	add_pair(&rows, guest, runs, "vcpus", "vcpus_max");
	add_pair(&rows, guest, runs, "memory_kib", "memory_max_kib");
	add_member(&rows, guest, "cpu_time_ns");
	add_member(&rows, guest, "started");
	add_why(&rows, guest);
	add_member(&rows, guest, "addresses");
	lift_devices(guest);
	add_rows(&rows, guest);
	table_print(&rows, stdout, say_width(), 0, false);
	table_fini(&rows);
	show_nested(guest, 0);
	cJSON_Delete(guest);
}

static void show_console(const cJSON *lines)
{
	const cJSON *line;

	if (cJSON_GetArraySize(lines))
		printf("last lines of its console:\n");
	cJSON_ArrayForEach(line, lines)
	{
		const char *text = cJSON_GetStringValue(line);

		say_line("  | %s", text ? text : "");
	}
}

static void show_vcpu(const cJSON *vcpu, size_t number)
{
	static const char backtrace[] = "backtrace";
	const cJSON *value, *frame;

	printf("virtual CPU %zu:", number);
	cJSON_ArrayForEach(value, vcpu)
	{
		cleanup_free char *text = NULL, *key = NULL;

		if (cJSON_IsArray(value))
			continue;
		key = say_memory(text_clean(value->string, ""));
		text = value_text(value->string, value);
		printf(" %s %s", key, text);
	}
	putchar('\n');
	cJSON_ArrayForEach(value, vcpu)
	{
		if (!cJSON_IsArray(value) || !strstr(value->string, backtrace))
			continue;
		cJSON_ArrayForEach(frame, value)
		{
			cleanup_free char *text = value_text("", frame);

			printf("  %s\n", text);
		}
	}
}

void show_why(const char *name, const cJSON *why)
{
	static const char *const shown[] = { "time",    "reason", "text",
					     "console", "vcpus",  "warnings" };
	const char *time = json_text(why, "time"), *reason = json_text(why, "reason");
	const char *text = json_text(why, "text");
	cJSON *rest;
	const cJSON *vcpu;
	size_t number = 0;

	if (!reason) {
		printf("%s: never stopped that is known\n", name);
		return;
	}
	say_line("%s: %s%s%s", name, reason, time ? ", " : "", time ? time : "");
	if (text && *text)
		say_line("%s", text);
	rest = say_memory(cJSON_Duplicate(why, true));
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		cJSON_DeleteItemFromObjectCaseSensitive(rest, shown[i]);
	show_object(rest, 0);
	cJSON_Delete(rest);
	cJSON_ArrayForEach(vcpu, cJSON_GetObjectItemCaseSensitive(why, "vcpus"))
	{
		show_vcpu(vcpu, number++);
	}
	show_console(cJSON_GetObjectItemCaseSensitive(why, "console"));
}

/* Memory is told as XML has it, in KiB. */
static char *change_text(const cJSON *change, const char *key)
{
	const char *what = json_text(change, "what"), *value = json_text(change, key);
	char words[TEXT_WORDS_MAX];
	struct err err;
	uint64_t kib;

	if (value && !*value)
		return say_memory(strdup("there"));
	if (!what || !value || number_parse(value, &kib, &err) || kib > UINT64_MAX >> 10 ||
	    (strcmp(what, "memory") != 0 && strcmp(what, "currentMemory") != 0 &&
	     strcmp(what, "memtune/min_guarantee") != 0))
		return member_text(change, key);
	text_size(kib << 10, words);
	return say_memory(strdup(words));
}

void show_changes(const cJSON *changes)
{
	static const struct column columns[] = {
		{ "What", false }, { "From", false }, { "To", false }, { "Takes effect", false }
	};
	static const char *const keys[] = { "what", "from", "to", "takes" };
	const cJSON *change;
	struct table table;

	if (!cJSON_GetArraySize(changes)) {
		say_done("no change");
		return;
	}
	table_init(&table, columns, ARRAY_SIZE(columns));
	cJSON_ArrayForEach(change, changes)
	{
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			cleanup_free char *text = change_text(change, keys[i]);

			table_add(&table, text);
		}
	}
	table_print(&table, stdout, say_width(), 0, true);
	table_fini(&table);
}
