/* console and log: a guest's console, by lodge-console's socket, and what lodged kept of it. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/flow.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "lib/cleanup.h"

#define ALL_LINES      9999u /* the most that lodge-console takes */
#define FOLLOWED_LINES 10u
#define CTRL_BRACKET   0x1d
#define NO_ESCAPE      (-1)
#define LINE_BYTES     8192u

struct console {
	const char *guest;
	bool is_read_only, forces;
	bool is_own;    /* nothing of what earlier guests of its name have said */
	bool has_lines; /* else lodge-console chooses how many of the last lines it sends */
	uint64_t lines;
	int escape; /* the key that leaves */
	uint64_t quiet_for_s;
	int fd;
};

/* Everything up to the end of line, which is not stored. */
static int read_line(int fd, char *ret_line, size_t size)
{
	size_t nr = 0;

	for (;;) {
		ssize_t got = read(fd, ret_line + nr, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -ECONNRESET;
		if (ret_line[nr] == '\n')
			break;
		if (++nr == size)
			return -EMSGSIZE;
	}
	ret_line[nr] = '\0';
	return 0;
}

/* Says to lodge-console which domain; its answer is "ok …" or "error …". */
static int introduce(struct console *con, int domain, char *ret_answer, size_t size,
		     struct err *err)
{
	char lines[32] = "", hello[128];
	size_t length;
	int ret;

	if (con->has_lines)
		snprintf(lines, sizeof(lines), " lines %u", (unsigned int)con->lines);
	length = (size_t)snprintf(hello, sizeof(hello), "attach %d%s%s%s%s\n", domain,
				  con->is_read_only ? " read-only" : "", con->is_own ? " own" : "",
				  lines, con->forces ? " force" : "");
	if (send(con->fd, hello, length, MSG_NOSIGNAL) != (ssize_t)length)
		return err_errno(err, -errno, "lodge-console");
	ret = read_line(con->fd, ret_answer, size);
	if (ret)
		return err_errno(err, ret, "lodge-console");
	if (strncmp(ret_answer, "ok", 2) != 0)
		return err_set(err, -EPROTO, "%s: %s", con->guest,
			       strncmp(ret_answer, "error ", 6) ? ret_answer : ret_answer + 6);
	return 0;
}

/* Connects, or shows with --json how it could be done: *ret_is_shown. */
static enum rpc_code attach(struct call *c, struct console *con)
{
	cJSON *result;
	enum rpc_code code = call_ask(c, call_request("console", con->guest), &result);
	cleanup_free char *path = NULL;
	char answer[256];
	struct err err;
	int domain, ret;

	if (code)
		return code;
	path = say_memory(strdup(json_text(result, "socket") ? json_text(result, "socket") : ""));
	domain = (int)json_number(result, "domain");
	cJSON_Delete(result);
	con->fd = client_open(&c->client, path, &err);
	if (con->fd < 0)
		return say_error(con->fd == -EACCES ? RPC_DENIED : RPC_NO_DAEMON,
				 "lodge-console does not answer: %s", err.text);
	ret = introduce(con, domain, answer, sizeof(answer), &err);
	if (ret)
		return say_error(ret == -EPROTO ? RPC_FAILED : RPC_NO_DAEMON, "%s", err.text);
	if (!strncmp(answer, "ok viewer", 9) && !con->is_read_only)
		say_note("somebody else has the keyboard; --force takes it");
	return RPC_OK;
}

/* Takes the key that leaves, and what follows, out of what was typed. */
static bool user_leaves(const struct console *con, struct flow *in)
{
	char *key = con->escape == NO_ESCAPE ? NULL : memchr(in->bytes, con->escape, in->nr);

	if (key)
		in->nr = (size_t)(key - in->bytes);
	return key;
}

/* While the guest takes no input: what is typed is lost, but for the key. */
static bool key_is_typed(const struct console *con)
{
	char bytes[256];
	ssize_t nr = read(STDIN_FILENO, bytes, sizeof(bytes));

	return nr > 0 && memchr(bytes, con->escape, (size_t)nr);
}

/* What was typed before the key, if it is taken at once. */
static void send_last(struct flow *in)
{
	struct pollfd polls[2];

	flow_prepare(in, polls);
	if (in->nr && poll(polls, ARRAY_SIZE(polls), 0) > 0)
		flow_write(in, polls);
}

/* Until the user leaves, input from a pipe has ended and the guest is silent, or the console ends (true). */
static bool carry(const struct console *con)
{
	struct flow in = { .from = STDIN_FILENO, .to = con->fd, .is_to_socket = true };
	struct flow out = { .from = con->fd, .to = STDOUT_FILENO };
	struct pollfd polls[4];
	bool leaves = false;

	while (!out.has_failed && !(out.has_ended && !out.nr) && !leaves) {
		bool waits = !in.has_ended || in.nr || out.nr, is_stuck;
		int nr;

		flow_prepare(&in, polls);
		flow_prepare(&out, polls + 2);
		is_stuck = in.nr && con->escape != NO_ESCAPE;
		if (is_stuck)
			polls[0].fd = STDIN_FILENO;
		nr = poll(polls, ARRAY_SIZE(polls), waits ? -1 : (int)(1000 * con->quiet_for_s));
		if (!nr)
			return false;
		if (nr < 0)
			continue;
		if (is_stuck)
			leaves = polls[0].revents && key_is_typed(con);
		else if (flow_read(&in, polls))
			leaves = user_leaves(con, &in);
		flow_write(&in, polls);
		flow_read(&out, polls + 2);
		flow_write(&out, polls + 2);
		if (in.has_failed)
			in.nr = 0; /* the other end is gone; what it sent before is still to be shown */
	}
	send_last(&in);
	return !leaves;
}

static enum rpc_code use(struct call *c, struct console *con)
{
	bool is_person = isatty(STDIN_FILENO), has_ended;
	enum rpc_code code = attach(c, con);

	if (code)
		return code;
	fflush(stdout);
	if (!is_person)
		con->escape = NO_ESCAPE;
	else if (con->escape == CTRL_BRACKET)
		say_note("console of %s; Ctrl-] leaves", con->guest);
	if (is_person && terminal_make_raw())
		return say_error(RPC_FAILED, "the terminal cannot be used: %s", strerror(errno));
	has_ended = carry(con);
	terminal_restore();
	close(con->fd);
	if (is_person)
		say_note(has_ended ? "the console has ended" : "left the console");
	return RPC_OK;
}

/* All that was printed since the guest was started is still there. */
enum rpc_code console_attach(struct call *c, const char *guest)
{
	struct console con = { .guest = guest,
			       .is_own = true,
			       .has_lines = true,
			       .lines = ALL_LINES,
			       .escape = CTRL_BRACKET,
			       .quiet_for_s = 1 };

	return say.is_json ? RPC_OK : use(c, &con);
}

/* "^]", or a character as it is. */
static int parse_key(const char *text)
{
	if (text[0] == '^' && text[1] >= '@' && text[1] <= '_' && !text[2])
		return text[1] & 0x1f;
	if (text[0] == '^' && text[1] >= 'a' && text[1] <= 'z' && !text[2])
		return text[1] & 0x1f;
	return text[0] && !text[1] ? (unsigned char)text[0] : NO_ESCAPE;
}

static void show_nothing(struct call *c, const cJSON *result)
{
	(void)c;
	(void)result;
}

enum rpc_code run_console(struct call *c)
{
	const struct args *a = &c->args;
	struct console con = {
		.guest = a->words[0],
		.is_read_only = args_has(a, OPT_READ_ONLY),
		.forces = args_has(a, OPT_FORCE),
		.has_lines = args_has(a, OPT_LINES),
		.escape = args_has(a, OPT_ESCAPE) ? parse_key(a->values[OPT_ESCAPE]) : CTRL_BRACKET,
	};
	enum rpc_code code = call_number(c, OPT_LINES, 0, ALL_LINES, 0, &con.lines);

	if (!code)
		code = call_seconds(c, OPT_QUIET_FOR, 1, &con.quiet_for_s);
	if (code)
		return code;
	if (con.escape == NO_ESCAPE)
		return call_usage(c, "\"%s\" is no key such as ^]", a->values[OPT_ESCAPE]);
	if (con.quiet_for_s > 86400)
		return call_usage(c, "--wait: at most a day");
	if (say.is_json) /* the socket, for programs that attach themselves */
		return call_show(c, call_request("console", con.guest), show_nothing);
	return use(c, &con);
}

/* A line without its end. On a terminal, a guest's output must not do more than be read. */
static void print_log_line(char *line)
{
	static bool is_terminal, is_known;
	size_t length = strlen(line);
	cleanup_free char *clean = NULL;

	if (!is_known)
		is_terminal = isatty(STDOUT_FILENO);
	is_known = true;
	while (length && line[length - 1] == '\r')
		line[--length] = '\0';
	if (is_terminal || say.is_json)
		clean = say_memory(text_clean(line, "\t"));
	if (say.is_json) {
		cJSON *object = say_memory(cJSON_CreateObject());

		call_put_text(object, "line", clean);
		say_json(object);
		cJSON_Delete(object);
	} else {
		puts(clean ? clean : line);
	}
}

/* Line by line, until the console ends. Long ones are broken: a guest need not end its lines. */
static void print_stream(int fd)
{
	FILE *from = say_memory(fdopen(fd, "r"));
	char line[LINE_BYTES];

	while (fgets(line, sizeof(line), from)) {
		line[strcspn(line, "\n")] = '\0';
		print_log_line(line);
		if (fflush(stdout))
			break;
	}
	fclose(from);
}

static enum rpc_code follow(struct call *c)
{
	struct console con = { .guest = c->args.words[0], .is_read_only = true, .has_lines = true };
	enum rpc_code code = call_number(c, OPT_LINES, 0, ALL_LINES, FOLLOWED_LINES, &con.lines);

	if (!code)
		code = attach(c, &con);
	if (!code)
		print_stream(con.fd);
	return code;
}

static void show_log(struct call *c, const cJSON *result)
{
	const cJSON *line;

	(void)c;
	cJSON_ArrayForEach(line, cJSON_GetObjectItemCaseSensitive(result, "lines"))
	{
		if (cJSON_IsString(line))
			print_log_line(line->valuestring);
	}
}

enum rpc_code run_log(struct call *c)
{
	uint64_t lines;
	enum rpc_code code;
	cJSON *request;

	if (args_has(&c->args, OPT_FOLLOW))
		return follow(c);
	code = call_number(c, OPT_LINES, 0, ALL_LINES, 0, &lines);
	if (code)
		return code;
	request = call_request("log", c->args.words[0]);
	if (args_has(&c->args, OPT_LINES))
		call_put_number(request, "lines", lines);
	return call_show(c, request, show_log);
}
