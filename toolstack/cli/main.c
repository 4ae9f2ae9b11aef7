/* lodge: the command line. See lodge.1 and docs/lodge.md. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/call.h"
#include "cli/help.h"
#include "lib/cleanup.h"

/* Errors are told as is asked for, also when the option stands behind the mistake. */
static bool wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (!strcmp(argv[i], "--json"))
			return true;
	}
	return false;
}

static enum rpc_code check_args(const struct call *c)
{
	size_t min, max, nr = c->args.nr_words;

	verb_count_args(c->verb, &min, &max);
	if (nr >= min && nr <= max)
		return RPC_OK;
	if (!max)
		return call_usage(c, "takes no argument; \"%s\" is too much", c->args.words[0]);
	if (nr > max)
		return call_usage(c, "\"%s\" is too much; takes %s", c->args.words[max],
				  c->verb->args);
	return call_usage(c, "needs %s", c->verb->args);
}

static enum rpc_code run_verb(struct call *c)
{
	const char *host =
		args_has(&c->args, OPT_HOST) ? c->args.values[OPT_HOST] : getenv("LODGE_HOST");
	const char *socket = args_has(&c->args, OPT_SOCKET) ? c->args.values[OPT_SOCKET]
							    : getenv("LODGE_SOCKET");
	enum rpc_code code;
	struct err err;

	say.is_quiet = args_has(&c->args, OPT_QUIET);
	if (args_has(&c->args, OPT_HELP))
		return help_verb(c->verb);
	code = check_args(c);
	if (code)
		return code;
	if (client_init(&c->client, socket, host, &err))
		code = say_error(RPC_USAGE, "%s", err.text);
	else
		code = c->verb->run(c);
	client_fini(&c->client);
	return code;
}

/* What stands before the verb: options of all verbs. */
static enum rpc_code run(int argc, char **argv)
{
	struct call c = { .client.stream.fd = -1 };
	const char *near;
	struct err err;
	int word;

	say.is_json = wants_json(argc, argv);
	if (args_parse(&c.args, argc - 1, argv + 1, OPTIONS_OF_ALL | BIT64(OPT_VERSION), &word,
		       &err))
		return say_error(RPC_USAGE, "%s", err.text);
	argv += 1 + word;
	argc -= 1 + word;
	if (args_has(&c.args, OPT_VERSION))
		return help_version();
	if (!argc)
		return args_has(&c.args, OPT_HELP)
			       ? help_all()
			       : say_error(RPC_USAGE, "no verb; try lodge help");
	c.verb = verb_find(argv[0], &near);
	if (!c.verb && near)
		return say_error(RPC_USAGE, "no verb \"%s\"; did you mean %s?", argv[0], near);
	if (!c.verb)
		return say_error(RPC_USAGE, "no verb \"%s\"; try lodge help", argv[0]);
	if (args_parse(&c.args, argc - 1, argv + 1, OPTIONS_OF_ALL | c.verb->options, NULL, &err))
		return call_usage(&c, "%s", err.text);
	return run_verb(&c);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE,
	       SIG_DFL); /* who reads no more ends us quietly, even where our parent ignores it */
	return (int)say_end(run(argc, argv));
}
