/* Verbs about guests that lodged knows: their life, what they are, and what they may use. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/text.h"
#include "lib/cleanup.h"

#define ALL_CPUS        "0-255" /* as many as the hypervisor can have */
#define DEFAULT_WAIT_S  300u
#define MAX_LOCAL_CALLS 64u /* at the same time, where each waits for its guest */
#define MAX_SSH_CALLS   8u  /* sshd takes only so many at once that have not logged in */

/* "web: running, id 3" */
static void show_state(const cJSON *guest, const char *word)
{
	const char *name = json_text(guest, "name"), *state = json_text(guest, "state");
	const cJSON *id = cJSON_GetObjectItemCaseSensitive(guest, "id");

	if (cJSON_IsNumber(id))
		say_done("%s: %s, id %d", name ? name : word, state ? state : "running",
			 id->valueint);
	else
		say_done("%s: %s", name ? name : word, state ? state : "shut-off");
}

/* Sends the request; tells that it is done, or the guest's new state. */
static enum rpc_code act(struct call *c, cJSON *request, const char *word, const char *done)
{
	cJSON *result;
	enum rpc_code code = call_ask(c, request, &result);
	const char *name;

	if (code)
		return code;
	name = json_text(result, "name");
	if (say.is_json) {
		say_json(result);
	} else if (done) {
		say_done("%s: %s", name ? name : word, done);
	} else {
		say_warnings(cJSON_GetObjectItemCaseSensitive(result, "warnings"));
		show_state(result, word);
	}
	cJSON_Delete(result);
	return RPC_OK;
}

static enum rpc_code start_one(struct call *c, const char *word)
{
	cJSON *request = call_request("start", word);
	enum rpc_code code;

	if (args_has(&c->args, OPT_PAUSED))
		call_put_true(request, "paused");
	code = act(c, request, word, NULL);
	return code || !args_has(&c->args, OPT_CONSOLE) ? code : console_attach(c, word);
}

enum rpc_code run_start(struct call *c)
{
	if (args_has(&c->args, OPT_CONSOLE) && c->args.nr_words > 1)
		return call_usage(c, "--console is for one guest");
	return call_each(c, start_one);
}

static enum rpc_code undefine_one(struct call *c, const char *word)
{
	return act(c, call_request("undefine", word), word, "undefined");
}

enum rpc_code run_undefine(struct call *c)
{
	return call_each(c, undefine_one);
}

static enum rpc_code destroy_one(struct call *c, const char *word)
{
	return act(c, call_request("destroy", word), word, "destroyed");
}

enum rpc_code run_destroy(struct call *c)
{
	return call_each(c, destroy_one);
}

static enum rpc_code pause_one(struct call *c, const char *word)
{
	return act(c, call_request("pause", word), word, "paused");
}

enum rpc_code run_pause(struct call *c)
{
	return call_each(c, pause_one);
}

static enum rpc_code resume_one(struct call *c, const char *word)
{
	return act(c, call_request("resume", word), word, "resumed");
}

enum rpc_code run_resume(struct call *c)
{
	return call_each(c, resume_one);
}

/* What a guest can be asked to end in. */
static const struct mode {
	const char *name, *asked, *done;
} modes[] = {
	{ "poweroff", "is asked to shut down", "shut down" },
	{ "reboot", "is asked to reboot", "rebooted" },
	{ "suspend", "is asked to suspend", "suspended" },
};

struct ending {
	const struct mode *mode;
	bool waits;
	uint64_t wait_s;
};

static enum rpc_code end_one(struct call *c, const char *word, const struct ending *e)
{
	cJSON *request = call_request("shutdown", word);

	call_put_text(request, "mode", e->mode->name);
	if (e->waits)
		call_put_number(request, "wait_s", e->wait_s);
	return act(c, request, word, e->waits ? e->mode->done : e->mode->asked);
}

/* The exit status of one child more. */
static enum rpc_code reap(enum rpc_code first)
{
	int status = 0;

	if (wait(&status) < 0)
		return first;
	if (first)
		return first;
	return WIFEXITED(status) ? (enum rpc_code)WEXITSTATUS(status) : RPC_FAILED;
}

/* All at the same time, a process and a connection for each. */
static enum rpc_code end_together(struct call *c, char *const *words, size_t nr,
				  const struct ending *e)
{
	size_t running = 0, max = c->client.host ? MAX_SSH_CALLS : MAX_LOCAL_CALLS;
	enum rpc_code first = RPC_OK;

	fflush(stdout);
	rpc_stream_fini(&c->client.stream);
	c->client.is_connected = false;
	for (size_t i = 0; i < nr; i++) {
		pid_t child;

		for (; running == max; running--)
			first = reap(first);
		child = fork();
		if (!child)
			_exit((int)say_end(end_one(c, words[i], e)));
		if (child > 0)
			running++;
		else
			first = say_error(RPC_FAILED, "%s: no process to wait for it", words[i]);
	}
	for (; running; running--)
		first = reap(first);
	return first;
}

static enum rpc_code end_words(struct call *c, char *const *words, size_t nr,
			       const struct ending *e)
{
	enum rpc_code first = RPC_OK;

	if (e->waits && nr > 1)
		return end_together(c, words, nr, e);
	for (size_t i = 0; i < nr; i++) {
		enum rpc_code code = end_one(c, words[i], e);

		first = first ? first : code;
	}
	return first;
}

/* One answer of lodged's about guests: those behind a name (NULL: all), as many as it holds. */
static enum rpc_code ask_page(struct call *c, bool is_all, const char *after, cJSON **ret_result)
{
	cJSON *request = call_request("list", NULL);

	if (is_all)
		call_put_true(request, "all");
	if (after)
		call_put_text(request, "after", after);
	return call_ask(c, request, ret_result);
}

/* A copy of the last guest's name, which is behind those of the page before. NULL: there is no more to ask for. */
static char *take_last(const cJSON *page, const char *before)
{
	const cJSON *guests = cJSON_GetObjectItemCaseSensitive(page, "guests");
	int nr = cJSON_GetArraySize(guests);
	const char *name = nr ? json_text(cJSON_GetArrayItem(guests, nr - 1), "name") : NULL;

	if (!name || !json_true(page, "more") || strcmp(name, before) <= 0)
		return NULL;
	return say_memory(strdup(name));
}

/* All of a page's guests go to the others. */
static void move_guests(cJSON *to, cJSON *page)
{
	cJSON *from = cJSON_GetObjectItemCaseSensitive(page, "guests"), *guest;

	while ((guest = cJSON_DetachItemFromArray(from, 0)))
		cJSON_AddItemToArray(to, guest);
	cJSON_Delete(page);
}

/* Guests, as many answers as lodged needs for them. */
static enum rpc_code ask_guests(struct call *c, bool is_all, cJSON **ret_result)
{
	cJSON *result, *page;
	enum rpc_code code = ask_page(c, is_all, NULL, &result);
	char *last = code ? NULL : take_last(result, "");

	while (last) {
		cleanup_free char *before = last;

		code = ask_page(c, is_all, before, &page);
		last = code ? NULL : take_last(page, before);
		if (!code)
			move_guests(cJSON_GetObjectItemCaseSensitive(result, "guests"), page);
		else
			cJSON_Delete(result);
	}
	if (code)
		return code;
	cJSON_DeleteItemFromObjectCaseSensitive(result, "more");
	*ret_result = result;
	return RPC_OK;
}

/* Every guest that runs. */
static enum rpc_code end_all(struct call *c, const struct ending *e)
{
	const cJSON *list, *guest;
	cJSON *result;
	char **words;
	size_t nr = 0;
	enum rpc_code code = ask_guests(c, false, &result);

	if (code)
		return code;
	list = cJSON_GetObjectItemCaseSensitive(result, "guests");
	words = say_memory(calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*words)));
	cJSON_ArrayForEach(guest, list)
	{
		char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(guest, "name"));

		if (name)
			words[nr++] = name;
	}
	code = end_words(c, words, nr, e);
	free(words);
	cJSON_Delete(result);
	return code;
}

static enum rpc_code end(struct call *c, const char *mode)
{
	struct ending e = { .waits = c->args.given & (BIT64(OPT_WAIT) | BIT64(OPT_TIMEOUT)) };
	enum rpc_code code = call_seconds(c, OPT_TIMEOUT, DEFAULT_WAIT_S, &e.wait_s);

	if (code)
		return code;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!strcmp(mode, modes[i].name))
			e.mode = &modes[i];
	}
	if (!e.mode)
		return call_usage(c, "--mode is %s", option_rows[OPT_MODE].value);
	if (args_has(&c->args, OPT_ALL) == !!c->args.nr_words)
		return call_usage(c, "needs GUEST... or --all");
	return c->args.nr_words ? end_words(c, c->args.words, c->args.nr_words, &e)
				: end_all(c, &e);
}

enum rpc_code run_shutdown(struct call *c)
{
	return end(c, args_has(&c->args, OPT_MODE) ? c->args.values[OPT_MODE] : "poweroff");
}

enum rpc_code run_reboot(struct call *c)
{
	return end(c, "reboot");
}

enum rpc_code run_rename(struct call *c)
{
	cJSON *request = call_request("rename", c->args.words[0]);
	cleanup_free char *done = say_format("was %s", c->args.words[0]);

	call_put_text(request, "to", c->args.words[1]);
	return act(c, request, c->args.words[1], done);
}

enum rpc_code run_autostart(struct call *c)
{
	const char *word = c->args.nr_words > 1 ? c->args.words[1] : "on";
	bool is_on = !strcmp(word, "on") && !args_has(&c->args, OPT_DISABLE);
	cJSON *request;

	if (strcmp(word, "on") != 0 && strcmp(word, "off") != 0)
		return call_usage(c, "\"%s\" is neither on nor off", word);
	request = call_request("autostart", c->args.words[0]);
	say_memory(cJSON_AddBoolToObject(request, "on", is_on));
	return act(c, request, c->args.words[0],
		   is_on ? "starts with the host" : "does not start with the host");
}

static bool is_called(const cJSON *guest, const char *word)
{
	const cJSON *id = cJSON_GetObjectItemCaseSensitive(guest, "id");
	const char *name = json_text(guest, "name"), *uuid = json_text(guest, "uuid");
	char digits[TEXT_WORDS_MAX] = "";

	if (cJSON_IsNumber(id))
		snprintf(digits, sizeof(digits), "%d", id->valueint);
	return (name && !strcmp(name, word)) || (uuid && !strcasecmp(uuid, word)) ||
	       (*digits && !strcmp(digits, word));
}

/* Leaves only the guests that were asked for. */
static enum rpc_code select_guests(const struct call *c, cJSON *result)
{
	cJSON *from = cJSON_DetachItemFromObjectCaseSensitive(result, "guests"), *guest;
	cJSON *to = say_memory(cJSON_AddArrayToObject(result, "guests"));
	enum rpc_code code = RPC_OK;

	for (size_t i = 0; i < c->args.nr_words; i++) {
		const char *word = c->args.words[i];

		cJSON_ArrayForEach(guest, from)
		{
			if (is_called(guest, word))
				break;
		}
		if (guest)
			cJSON_AddItemToArray(to, cJSON_DetachItemViaPointer(from, guest));
		else
			code = say_error(RPC_NOT_FOUND, "no guest is called \"%s\"", word);
	}
	cJSON_Delete(from);
	return code;
}

static void print_names(const cJSON *guests)
{
	const cJSON *guest;

	cJSON_ArrayForEach(guest, guests)
	{
		const char *name = json_text(guest, "name");

		if (name)
			say_line("%s", name);
	}
}

enum rpc_code run_list(struct call *c)
{
	cJSON *result;
	const cJSON *guests;
	enum rpc_code code =
		ask_guests(c, args_has(&c->args, OPT_ALL) || c->args.nr_words, &result);

	if (code)
		return code;
	if (c->args.nr_words)
		code = select_guests(c, result);
	guests = cJSON_GetObjectItemCaseSensitive(result, "guests");
	if (say.is_json && !code)
		say_json(result);
	else if (!say.is_json && args_has(&c->args, OPT_NAMES))
		print_names(guests);
	else if (!say.is_json)
		show_guests(guests, !args_has(&c->args, OPT_NO_HEADER));
	cJSON_Delete(result);
	return code;
}

static enum rpc_code info_one(struct call *c, const char *word)
{
	if (word != c->args.words[0] && !say.is_json)
		putchar('\n');
	return call_show(c, call_request("info", word), show_info);
}

enum rpc_code run_info(struct call *c)
{
	return call_each(c, info_one);
}

static enum rpc_code why_one(struct call *c, const char *word)
{
	cJSON *result;
	enum rpc_code code = call_ask(c, call_request("why", word), &result);

	if (code)
		return code;
	if (say.is_json)
		say_json(result);
	else
		show_why(word, result);
	cJSON_Delete(result);
	return RPC_OK;
}

enum rpc_code run_why(struct call *c)
{
	return call_each(c, why_one);
}

enum rpc_code run_wait(struct call *c)
{
	const char *what = args_has(&c->args, OPT_FOR) ? c->args.values[OPT_FOR] : "stopped";
	uint64_t timeout_s;
	enum rpc_code code = call_seconds(c, OPT_TIMEOUT, 0, &timeout_s);
	cJSON *request;

	if (code)
		return code;
	if (strcmp(what, "running") != 0 && strcmp(what, "stopped") != 0 &&
	    strcmp(what, "address") != 0 && strncmp(what, "console:", 8) != 0)
		return call_usage(c, "--for is %s", option_rows[OPT_FOR].value);
	request = call_request("wait", c->args.words[0]);
	call_put_text(request, "for", what);
	if (args_has(&c->args, OPT_TIMEOUT))
		call_put_number(request, "timeout_s", timeout_s);
	return act(c, request, c->args.words[0], what);
}

/* What it is that changes, if the command line says. */
static void put_scope(const struct call *c, cJSON *request)
{
	if (args_has(&c->args, OPT_LIVE))
		call_put_true(request, "live");
	if (args_has(&c->args, OPT_CONFIG))
		call_put_true(request, "config");
}

enum rpc_code run_set_memory(struct call *c)
{
	char words[TEXT_WORDS_MAX];
	uint64_t bytes;
	struct err err;
	cJSON *request;

	if (text_parse_size(c->args.words[1], &bytes, &err))
		return call_usage(c, "%s", err.text);
	request = call_request("set-memory", c->args.words[0]);
	call_put_number(request, "kib", div_round_up(bytes, 1024));
	put_scope(c, request);
	text_size(bytes, words);
	return act(c, request, c->args.words[0], words);
}

enum rpc_code run_set_vcpus(struct call *c)
{
	cleanup_free char *done = NULL;
	uint64_t count;
	struct err err;
	cJSON *request;

	if (text_parse_number(c->args.words[1], 1, 4096, &count, &err))
		return call_usage(c, "%s", err.text);
	request = call_request("set-vcpus", c->args.words[0]);
	call_put_number(request, "count", count);
	put_scope(c, request);
	done = say_format("%u virtual CPU%s", (unsigned int)count, count == 1 ? "" : "s");
	return act(c, request, c->args.words[0], done);
}

static void show_vcpus(struct call *c, const cJSON *result)
{
	show_objects(cJSON_GetObjectItemCaseSensitive(result, "vcpus"), 0,
		     !args_has(&c->args, OPT_NO_HEADER));
}

static enum rpc_code vcpu_list_one(struct call *c, const char *word)
{
	if (c->args.nr_words > 1 && !say.is_json)
		printf("%s:\n", word);
	return call_show(c, call_request("vcpu-list", word), show_vcpus);
}

enum rpc_code run_vcpu_list(struct call *c)
{
	return call_each(c, vcpu_list_one);
}

enum rpc_code run_pin(struct call *c)
{
	const char *which = c->args.words[1];
	bool is_all = !strcmp(which, "all");
	cleanup_free char *done = NULL;
	uint64_t vcpu = 0;
	struct err err;
	cJSON *request;

	if (!is_all && text_parse_number(which, 0, 4095, &vcpu, &err))
		return call_usage(c, "%s, nor all", err.text);
	request = call_request("pin", c->args.words[0]);
	if (is_all)
		say_memory(cJSON_AddNullToObject(request, "vcpu"));
	else
		call_put_number(request, "vcpu", vcpu);
	call_put_text(request, "cpus",
		      strcmp(c->args.words[2], "all") ? c->args.words[2] : ALL_CPUS);
	put_scope(c, request);
	done = say_format("%s%s on %s", is_all ? "" : "virtual CPU ",
			  is_all ? "all virtual CPUs" : which, c->args.words[2]);
	return act(c, request, c->args.words[0], done);
}

static void show_sched(struct call *c, const cJSON *result)
{
	(void)c;
	show_object(result, 0);
}

enum rpc_code run_sched(struct call *c)
{
	uint64_t weight, cap;
	enum rpc_code code = call_number(c, OPT_WEIGHT, 1, 65535, 0, &weight);
	cJSON *request;

	if (!code)
		code = call_number(c, OPT_CAP, 0, 409600, 0, &cap);
	if (code)
		return code;
	request = call_request("sched", c->args.words[0]);
	if (args_has(&c->args, OPT_WEIGHT))
		call_put_number(request, "weight", weight);
	if (args_has(&c->args, OPT_CAP))
		call_put_number(request, "cap", cap);
	put_scope(c, request);
	return call_show(c, request, show_sched);
}
