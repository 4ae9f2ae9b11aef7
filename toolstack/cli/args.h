/* What stands on the command line: words, and options with their values. An option may stand before or
 * behind words, with its value as "--name=value", "--name value", "-n value" or "-nvalue"; its name may be cut
 * short where that names one option only; behind "--" all are words. */
#ifndef LODGE_CLI_ARGS_H
#define LODGE_CLI_ARGS_H

#include "cli/verb.h"
#include "lib/err.h"

struct args {
	char **words;
	size_t nr_words;
	uint64_t given;             /* bits of enum verb_option */
	const char *values[OPT_NR]; /* of those given that have one */
};

/* Adds the options to a. The words are gathered at the start of argv, which is changed for it; with
 * ret_word they are not: the first ends the reading, and is argv[*ret_word] (or argc). -EINVAL with a text. */
must_check int args_parse(struct args *a, int argc, char **argv, uint64_t allowed, int *ret_word,
			  struct err *err);

static inline bool args_has(const struct args *a, enum verb_option option)
{
	return a->given & BIT64(option);
}

#endif
