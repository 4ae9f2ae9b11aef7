/* Pieces of the command line: text, tables, arguments, the table of verbs, and the address of a host. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/client.h"
#include "cli/say.h"
#include "cli/table.h"
#include "cli/text.h"
#include "unit.h"

START_TEST(text_counts_columns_not_bytes)
{
	ck_assert_uint_eq(text_width(""), 0);
	ck_assert_uint_eq(text_width("web"), 3);
	ck_assert_uint_eq(text_width("größe"), 5);
	ck_assert_uint_eq(text_width("日本"), 4);
	ck_assert_uint_eq(text_width("e\u0301"), 1); /* an accent of its own */
	ck_assert_uint_eq(text_width("😀"), 2);
	ck_assert_uint_eq(text_width("\xff\xc3"), 2);
	ck_assert_uint_eq(text_fit("日本", 3), strlen("日"));
	ck_assert_uint_eq(text_fit("abc", 9), 3);
}
END_TEST

START_TEST(text_that_could_drive_a_terminal_is_cleaned)
{
	static const char *const pairs[][2] = {
		{ "a\033[2Jb", "a?[2Jb" },      { "tab\there\n", "tab\there?" },
		{ "\xc2\x9bJ", "?J" },          { "größe 日本", "größe 日本" },
		{ "cut \xe6\x97", "cut ??" },   { "\xc0\xaf\xed\xa0\x80", "?????" },
		{ "x\u202ey", "x?y" },          { "\x7f", "?" },
		{ "\xf4\x90\x80\x80", "????" }, { "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		char *clean = text_clean(pairs[i][0], "\t");

		ck_assert_str_eq(clean, pairs[i][1]);
		free(clean);
	}
}
END_TEST

START_TEST(sizes_have_at_most_one_digit_behind_the_point)
{
	static const struct {
		uint64_t bytes;
		const char *words;
	} rows[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1 KiB" },
		{ 1536, "1.5 KiB" },
		{ 512ull << 20, "512 MiB" },
		{ (1ull << 30) + 1, "1 GiB" },
		{ 3ull << 29, "1.5 GiB" },
		{ (2ull << 30) - 1, "2 GiB" },
		{ (1ull << 30) - 1, "1 GiB" },
		{ (64ull << 20) - 4096, "64 MiB" },
		{ 1843ull << 20, "1.8 GiB" },
		{ UINT64_MAX, "16 EiB" },
	};
	char words[TEXT_WORDS_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		text_size(rows[i].bytes, words);
		ck_assert_str_eq(words, rows[i].words);
	}
}
END_TEST

START_TEST(durations_have_two_units)
{
	static const struct {
		uint64_t ns;
		const char *words;
	} rows[] = {
		{ 0, "0.0 s" },
		{ 999, "0 us" },
		{ 1500, "1 us" },
		{ 99999999, "99 ms" },
		{ 100000000, "0.1 s" },
		{ 59999999999, "59.9 s" },
		{ 60000000000, "1 min 0 s" },
		{ 3599000000000, "59 min 59 s" },
		{ 3600000000000, "1 h 0 min" },
		{ 86400000000000, "1 d 0 h" },
		{ UINT64_MAX, "213503 d 23 h" },
	};
	char words[TEXT_WORDS_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		text_duration(rows[i].ns, words);
		ck_assert_str_eq(words, rows[i].words);
	}
}
END_TEST

START_TEST(a_size_without_a_unit_is_refused)
{
	struct err err;
	uint64_t bytes = 7;

	ck_assert_int_eq(text_parse_size("512M", &bytes, &err), 0);
	ck_assert_uint_eq(bytes, 512u << 20);
	ck_assert_int_eq(text_parse_size("2 GiB", &bytes, &err), 0);
	ck_assert_uint_eq(bytes, 2ull << 30);
	ck_assert_int_eq(text_parse_size("1b", &bytes, &err), 0);
	ck_assert_int_eq(text_parse_size("512", &bytes, &err), -EINVAL);
	ck_assert_str_eq(err.text, "\"512\" has no unit; do you mean 512M?");
	ck_assert_int_eq(text_parse_size("", &bytes, &err), -EINVAL);
	ck_assert_int_eq(text_parse_size("-1M", &bytes, &err), -EINVAL);
	ck_assert_int_eq(text_parse_size("1.5G", &bytes, &err), -EINVAL);
	ck_assert_int_eq(text_parse_size("18446744073709551616b", &bytes, &err), -EINVAL);
	ck_assert_int_eq(text_parse_size("99999999999999999999999999999999999999999999999999999999"
					 "99999999999M",
					 &bytes, &err),
			 -EINVAL);
	ck_assert_uint_eq(bytes, 1);
}
END_TEST

START_TEST(times_have_units_up_to_ten_years)
{
	struct err err;
	uint64_t s = 0;

	ck_assert_int_eq(text_parse_seconds("90", &s, &err), 0);
	ck_assert_uint_eq(s, 90);
	ck_assert_int_eq(text_parse_seconds("5min", &s, &err), 0);
	ck_assert_uint_eq(s, 300);
	ck_assert_int_eq(text_parse_seconds("2h", &s, &err), 0);
	ck_assert_uint_eq(s, 7200);
	ck_assert_int_eq(text_parse_seconds("3650d", &s, &err), 0);
	ck_assert_uint_eq(s, 315360000);
	ck_assert_int_eq(text_parse_seconds("3651d", &s, &err), -EINVAL);
	ck_assert_int_eq(text_parse_seconds("", &s, &err), -EINVAL);
	ck_assert_int_eq(text_parse_seconds("s", &s, &err), -EINVAL);
	ck_assert_int_eq(text_parse_seconds("1x", &s, &err), -EINVAL);
	ck_assert_int_eq(text_parse_seconds("12345678901", &s, &err), -EINVAL);
}
END_TEST

/* What a table prints, to be freed. */
static char *printed(const struct table *t, size_t width, size_t indent, bool has_header)
{
	char *text = NULL;
	size_t length;
	FILE *to = open_memstream(&text, &length);

	table_print(t, to, width, indent, has_header);
	fclose(to);
	return text;
}

static void make_table(struct table *t)
{
	static const struct column columns[] = { { "Id", true },
						 { "Name", false },
						 { "Text", false } };

	table_init(t, columns, ARRAY_SIZE(columns));
	table_add(t, "3");
	table_add(t, "日本");
	table_add(t, "some longer text");
	table_add(t, "100");
	table_add(t, "a");
	table_add(t, "");
}

START_TEST(a_table_aligns_numbers_right_and_ends_lines_without_space)
{
	struct table t;
	char *text;

	make_table(&t);
	text = printed(&t, 0, 0, true);
	ck_assert_str_eq(text, " Id  Name  Text\n"
			       "  3  日本  some longer text\n"
			       "100  a     -\n");
	free(text);
	text = printed(&t, 0, 2, false);
	ck_assert_str_eq(text, "    3  日本  some longer text\n"
			       "  100  a     -\n");
	free(text);
	table_fini(&t);
}
END_TEST

START_TEST(on_a_terminal_the_last_column_ends_at_the_edge)
{
	struct table t;
	char *text;

	make_table(&t);
	text = printed(&t, 20, 0, false);
	ck_assert_str_eq(text, "  3  日本  some lon…\n"
			       "100  a     -\n");
	free(text);
	text = printed(&t, 3, 0, false);
	ck_assert_str_eq(text, "  3  日本  some lo…\n"
			       "100  a     -\n");
	free(text);
	table_fini(&t);
}
END_TEST

START_TEST(an_empty_table_is_its_header)
{
	static const struct column columns[] = { { "Id", true }, { "Name", false } };
	struct table t;
	char *text;

	table_init(&t, columns, ARRAY_SIZE(columns));
	text = printed(&t, 0, 0, true);
	ck_assert_str_eq(text, "Id  Name\n");
	free(text);
	table_fini(&t);
	text = printed(&t, 0, 0, true);
	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

#define ALLOWED (BIT64(OPT_ALL) | BIT64(OPT_LINES) | BIT64(OPT_NAMES) | BIT64(OPT_NO_HEADER))

static int parse(struct args *a, const char *line, struct err *err)
{
	static char text[256], *argv[16];
	int argc = 0;

	snprintf(text, sizeof(text), "%s", line);
	for (char *p = strtok(text, " "); p; p = strtok(NULL, " "))
		argv[argc++] = p;
	*a = (struct args){ 0 };
	return args_parse(a, argc, argv, ALLOWED, NULL, err);
}

START_TEST(options_may_stand_anywhere_and_be_cut_short)
{
	struct args a;
	struct err err;

	ck_assert_int_eq(parse(&a, "one --all two -n 5", &err), 0);
	ck_assert_uint_eq(a.nr_words, 2);
	ck_assert_str_eq(a.words[1], "two");
	ck_assert(args_has(&a, OPT_ALL));
	ck_assert_str_eq(a.values[OPT_LINES], "5");
	ck_assert_int_eq(parse(&a, "-an7 --no", &err), 0);
	ck_assert_str_eq(a.values[OPT_LINES], "7");
	ck_assert(args_has(&a, OPT_NO_HEADER));
	ck_assert_int_eq(parse(&a, "--lines=--all -", &err), 0);
	ck_assert_str_eq(a.values[OPT_LINES], "--all");
	ck_assert(!args_has(&a, OPT_ALL));
	ck_assert_str_eq(a.words[0], "-");
	ck_assert_int_eq(parse(&a, "-- --all -n", &err), 0);
	ck_assert_uint_eq(a.nr_words, 2);
	ck_assert_uint_eq(a.given, 0);
	ck_assert_int_eq(parse(&a, "", &err), 0);
}
END_TEST

START_TEST(a_wrong_option_is_told_with_the_nearest)
{
	static const char *const rows[][2] = {
		{ "--al=3", "--all has no value" },
		{ "--n", "--n may be --names or --no-header" },
		{ "--lines", "--lines needs LINES" },
		{ "-n", "-n needs LINES" },
		{ "-x", "no option -x" },
		{ "--lnies 3", "no option --lnies; did you mean --lines?" },
		{ "--follow", "no option --follow" },
		{ "--=1", "no option --" },
	};
	struct args a;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_int_eq(parse(&a, rows[i][0], &err), -EINVAL);
		ck_assert_str_eq(err.text, rows[i][1]);
	}
}
END_TEST

START_TEST(every_verb_is_complete_and_no_option_of_one_hides_another)
{
	const char *near = NULL;

	for (size_t i = 0; i < nr_verbs; i++) {
		const struct verb *v = &verbs[i];
		uint64_t options = v->options | OPTIONS_OF_ALL;
		size_t min, max;

		ck_assert_ptr_eq(verb_find(v->name, &near), v);
		ck_assert(v->run && *v->help);
		verb_count_args(v, &min, &max);
		ck_assert_uint_le(min, max);
		ck_assert(!(v->options & OPTIONS_OF_ALL));
		for (size_t a = 0; a < OPT_NR; a++) {
			for (size_t b = a + 1; b < OPT_NR; b++) {
				if (!(options & BIT64(a)) || !(options & BIT64(b)))
					continue;
				ck_assert_str_ne(option_rows[a].name, option_rows[b].name);
				ck_assert(!option_rows[a].letter ||
					  option_rows[a].letter != option_rows[b].letter);
			}
		}
	}
}
END_TEST

START_TEST(verbs_have_the_names_of_xl_and_virsh_too)
{
	const char *near = NULL;

	ck_assert_str_eq(verb_find("ls", &near)->name, "list");
	ck_assert_str_eq(verb_find("suspend", &near)->name, "pause");
	ck_assert_str_eq(verb_find("vcpu-pin", &near)->name, "pin");
	ck_assert_ptr_null(verb_find("shutdwon", &near));
	ck_assert_str_eq(near, "shutdown");
	ck_assert_ptr_null(verb_find("qqq", &near));
	ck_assert_ptr_null(near);
}
END_TEST

START_TEST(the_synopsis_shows_options_and_arguments)
{
	const char *near;
	char *text = verb_synopsis(verb_find("log", &near));
	size_t min, max;

	ck_assert_str_eq(text, "log [-f|--follow] [-n|--lines LINES] GUEST");
	free(text);
	verb_count_args(verb_find("create", &near), &min, &max);
	ck_assert_uint_eq(min, 1);
	ck_assert_uint_eq(max, SIZE_MAX);
	verb_count_args(verb_find("pin", &near), &min, &max);
	ck_assert_uint_eq(min, 3);
	ck_assert_uint_eq(max, 3);
	verb_count_args(verb_find("host", &near), &min, &max);
	ck_assert_uint_eq(max, 0);
}
END_TEST

START_TEST(a_host_is_a_name_or_an_ssh_url)
{
	static const struct {
		const char *text, *host, *port; /* no host: refused, or with "" this host */
	} rows[] = {
		{ "rack7", "rack7", NULL },
		{ "root@rack7", "root@rack7", NULL },
		{ "ssh://rack7", "rack7", NULL },
		{ "ssh://root@rack7:2222/", "root@rack7", "2222" },
		{ "ssh://root@[fe80::1]:22", "root@fe80::1", "22" },
		{ "ssh://[::1]", "::1", NULL },
		{ "", NULL, NULL },
		{ "ssh://", NULL, NULL },
		{ "ssh://:22", NULL, NULL },
		{ "ssh://a:", NULL, NULL },
		{ "ssh://a:2b", NULL, NULL },
		{ "ssh://a/b", NULL, NULL },
		{ "ssh://@a", NULL, NULL },
		{ "ssh://u@-a", NULL, NULL },
		{ "-a", NULL, NULL },
		{ "-u@a", NULL, NULL },
		{ "a b:c", NULL, NULL },
		{ "http://a", NULL, NULL },
		{ "]", NULL, NULL },
		{ "[", NULL, NULL },
		{ "ssh://[]", NULL, NULL },
		{ "ssh://[-x]", NULL, NULL },
	};
	struct client c;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int ret = client_init(&c, NULL, rows[i].text, &err);

		ck_assert_msg(!ret == (rows[i].host || !*rows[i].text), "%s: %d", rows[i].text,
			      ret);
		if (rows[i].host)
			ck_assert_str_eq(c.host, rows[i].host);
		if (rows[i].port)
			ck_assert_str_eq(c.port, rows[i].port);
		else
			ck_assert(ret || !c.port);
		client_fini(&c);
	}
}
END_TEST

UNIT_MAIN("cli", NULL, NULL, text_counts_columns_not_bytes,
	  text_that_could_drive_a_terminal_is_cleaned,
	  sizes_have_at_most_one_digit_behind_the_point, durations_have_two_units,
	  a_size_without_a_unit_is_refused, times_have_units_up_to_ten_years,
	  a_table_aligns_numbers_right_and_ends_lines_without_space,
	  on_a_terminal_the_last_column_ends_at_the_edge, an_empty_table_is_its_header,
	  options_may_stand_anywhere_and_be_cut_short, a_wrong_option_is_told_with_the_nearest,
	  every_verb_is_complete_and_no_option_of_one_hides_another,
	  verbs_have_the_names_of_xl_and_virsh_too, the_synopsis_shows_options_and_arguments,
	  a_host_is_a_name_or_an_ssh_url)
