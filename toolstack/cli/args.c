#include "cli/args.h"

#include <errno.h>
#include <string.h>

#include "lib/suggest.h"

#define NONE OPT_NR

static bool is_allowed(uint64_t allowed, size_t option)
{
	return allowed & BIT64(option);
}

/* One that has this name, or the only one that begins so. */
static int find_name(const char *name, size_t length, uint64_t allowed, size_t *ret_option,
		     struct err *err)
{
	size_t found = NONE;

	if (!length)
		return -ENOENT;
	for (size_t i = 0; i < OPT_NR; i++) {
		if (!is_allowed(allowed, i) || strncmp(option_rows[i].name, name, length) != 0)
			continue;
		if (!option_rows[i].name[length]) {
			*ret_option = i;
			return 0;
		}
		if (found != NONE)
			return err_set(err, -EINVAL, "--%.*s may be --%s or --%s", (int)length,
				       name, option_rows[found].name, option_rows[i].name);
		found = i;
	}
	if (found == NONE)
		return -ENOENT;
	*ret_option = found;
	return 0;
}

static int no_such_option(const char *name, size_t length, uint64_t allowed, struct err *err)
{
	char word[32] = "";
	struct suggestion near;

	strncat(word, name, MIN(length, sizeof(word) - 1));
	suggestion_init(&near, word);
	for (size_t i = 0; i < OPT_NR; i++) {
		if (is_allowed(allowed, i))
			suggestion_offer(&near, option_rows[i].name);
	}
	if (near.best)
		return err_set(err, -EINVAL, "no option --%s; did you mean --%s?", word, near.best);
	return err_set(err, -EINVAL, "no option --%s", word);
}

static void give(struct args *a, size_t option, const char *value)
{
	a->given |= BIT64(option);
	a->values[option] = value;
}

/* At argv[*at]: "--name", "--name=value" or "--name" "value". */
static int parse_long(struct args *a, int argc, char **argv, int *at, uint64_t allowed,
		      struct err *err)
{
	const char *name = argv[*at] + 2;
	size_t length = strcspn(name, "="), option = NONE;
	const char *value = name[length] ? name + length + 1 : NULL;
	int ret = find_name(name, length, allowed, &option, err);

	if (ret == -ENOENT)
		return no_such_option(name, length, allowed, err);
	if (ret)
		return ret;
	if (value && !option_rows[option].value)
		return err_set(err, -EINVAL, "--%s has no value", option_rows[option].name);
	if (!value && option_rows[option].value) {
		if (*at + 1 == argc)
			return err_set(err, -EINVAL, "--%s needs %s", option_rows[option].name,
				       option_rows[option].value);
		value = argv[++*at];
	}
	give(a, option, value);
	return 0;
}

/* At argv[*at]: "-abc", where the last may be followed by its value, in the same word or the next. */
static int parse_letters(struct args *a, int argc, char **argv, int *at, uint64_t allowed,
			 struct err *err)
{
	for (const char *p = argv[*at] + 1; *p; p++) {
		size_t option = 0;

		while (option < OPT_NR &&
		       !(is_allowed(allowed, option) && option_rows[option].letter == *p))
			option++;
		if (option == OPT_NR)
			return err_set(err, -EINVAL, "no option -%c", *p);
		if (!option_rows[option].value) {
			give(a, option, NULL);
			continue;
		}
		if (!p[1] && *at + 1 == argc)
			return err_set(err, -EINVAL, "-%c needs %s", *p, option_rows[option].value);
		give(a, option, p[1] ? p + 1 : argv[++*at]);
		break;
	}
	return 0;
}

int args_parse(struct args *a, int argc, char **argv, uint64_t allowed, int *ret_word,
	       struct err *err)
{
	bool words_only = false;
	int i, ret = 0;

	a->words = argv;
	a->nr_words = 0;
	for (i = 0; i < argc && !ret; i++) {
		if (words_only || argv[i][0] != '-' || !argv[i][1]) {
			if (ret_word)
				break;
			a->words[a->nr_words++] = argv[i];
		} else if (!strcmp(argv[i], "--")) {
			words_only = true;
		} else if (argv[i][1] == '-') {
			ret = parse_long(a, argc, argv, &i, allowed, err);
		} else {
			ret = parse_letters(a, argc, argv, &i, allowed, err);
		}
	}
	if (ret_word)
		*ret_word = i;
	return ret;
}
