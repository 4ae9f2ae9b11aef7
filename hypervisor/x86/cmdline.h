/* Command line options. A module declares its own beside the variable that it sets; the linker
 * collects the declarations. Names are Xen's where Xen has the option; docs/command-line.md has
 * them all. Values are set before anything but the console runs, and never change afterwards.
 *
 *	static bool opt_verbose;
 *	OPTION_BOOL("verbose", opt_verbose);
 */
#ifndef LODGE_CMDLINE_H
#define LODGE_CMDLINE_H

#include "lodge/types.h"

enum option_kind {
	OPTION_KIND_BOOL,   /* bool: "x", "no-x", "x=yes|no|on|off|true|false|1|0|enable|disable" */
	OPTION_KIND_UINT,   /* unsigned: decimal or 0x… */
	OPTION_KIND_STRING, /* const char *, kept for good */
	OPTION_KIND_PARSE,  /* a function of its own; false: the value makes no sense */
};

struct option {
	const char *name;
	enum option_kind kind;
	void *variable;
	bool (*parse)(const char *value); /* value is "" for a bare name */
};

#define OPTION_DECLARE(id, opt_name, opt_kind, opt_variable, opt_parse)                            \
	static const struct option option_##id __attribute__((                                     \
		used, aligned(8), section(".init.options"))) = { opt_name, opt_kind, opt_variable, \
								 opt_parse }
#define OPTION_BOOL(name, variable) \
	OPTION_DECLARE(variable, name, OPTION_KIND_BOOL, &variable, NULL)
#define OPTION_UINT(name, variable) \
	OPTION_DECLARE(variable, name, OPTION_KIND_UINT, &variable, NULL)
#define OPTION_STRING(name, variable) \
	OPTION_DECLARE(variable, name, OPTION_KIND_STRING, &variable, NULL)
#define OPTION_PARSE(name, function) \
	OPTION_DECLARE(function, name, OPTION_KIND_PARSE, NULL, function)

/* Sets all options from (a copy of) the line, keeping problems for cmdline_report(). */
void cmdline_parse(const char *line);
/* One line for all unknown options, one for each value that makes no sense. */
void cmdline_report(void);

/* For OPTION_PARSE functions: advance *s past what was read; false when there is nothing sensible. A size is in bytes: a
 * number and B, K, M, G or T, and K when there is none. */
must_check bool parse_size(const char **s, uint64_t *ret_bytes);
must_check bool parse_uint(const char **s, uint64_t *ret_value);
must_check bool parse_bool(const char *s, bool *ret_value);
/* True, and *s behind it, when *s starts with `word` and the word ends there or at one of ",:=". */
bool parse_word(const char **s, const char *word);

#endif
