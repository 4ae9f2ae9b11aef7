/* edit: a guest's XML in an editor, until it is correct or the user gives up. What was typed is never lost:
 * unless it took effect, the file stays, and its name is told. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/xml.h"
#include "lib/cleanup.h"

static const char *editor(void)
{
	const char *visual = getenv("VISUAL"), *plain = getenv("EDITOR");

	if (visual && *visual)
		return visual;
	return plain && *plain ? plain : "vi";
}

/* The guest's XML as it will be at its next start, to be freed; NULL: told. */
static char *fetch(struct call *c, const char *guest, enum rpc_code *ret_code)
{
	cJSON *request = call_request("dumpxml", guest), *result;
	char *text;

	call_put_true(request, "inactive");
	*ret_code = call_ask(c, request, &result);
	if (*ret_code)
		return NULL;
	text = say_memory(strdup(json_text(result, "xml") ? json_text(result, "xml") : ""));
	cJSON_Delete(result);
	return text;
}

static int write_all(int fd, const char *text)
{
	for (size_t left = strlen(text); left;) {
		ssize_t done = write(fd, text, left);

		if (done < 0 && errno != EINTR)
			return -errno;
		text += MAX(done, 0);
		left -= (size_t)MAX(done, 0);
	}
	return 0;
}

/* A file of the user's alone; its path is to be freed. NULL: told. */
static char *make_file(const char *text)
{
	static const char suffix[] = ".xml";
	const char *folder = getenv("TMPDIR");
	char *path = say_format("%s/lodge-XXXXXX%s", folder && *folder ? folder : "/tmp", suffix);
	int fd, err;

	fd = mkstemps(path, (int)strlen(suffix));
	err = fd < 0 ? -errno : write_all(fd, text);
	if (fd >= 0)
		close(fd);
	if (!err)
		return path;
	say_error(RPC_FAILED, "%s: %s", path, strerror(-err));
	if (fd >= 0)
		unlink(path);
	free(path);
	return NULL;
}

/* The editor's name may have options in it; the path is a word of its own. */
static enum rpc_code run_editor(const char *path)
{
	cleanup_free char *command = say_format("%s \"$1\"", editor());
	cleanup_free char *file = say_memory(strdup(path));
	char shell[] = "sh", option[] = "-c";
	char *argv[] = { shell, option, command, shell, file, NULL };
	int status = 0, err;
	pid_t child;

	err = posix_spawnp(&child, shell, NULL, NULL, argv, environ);
	if (!err && waitpid(child, &status, 0) < 0)
		err = errno;
	if (err)
		return say_error(RPC_FAILED, "sh: %s", strerror(err));
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return say_error(RPC_FAILED, "%s failed", editor());
	return RPC_OK;
}

/* Only a person can be asked; everybody else means no. */
static bool wants_again(void)
{
	char answer[16];

	if (!isatty(STDIN_FILENO) || say.is_json)
		return false;
	fputs("lodge: edit again? [y/n] ", stderr);
	return fgets(answer, sizeof(answer), stdin) && (*answer == 'y' || *answer == 'Y');
}

/* Replaces the guest's XML if it is still what was edited. */
static enum rpc_code define(struct call *c, const char *guest, const char *before,
			    const char *after)
{
	cleanup_free char *now = NULL;
	enum rpc_code code;
	cJSON *request, *result;

	now = fetch(c, guest, &code);
	if (!now)
		return code;
	if (strcmp(now, before) != 0)
		return say_error(RPC_BUSY, "%s was changed by somebody else meanwhile", guest);
	request = call_request("define", NULL);
	call_put_text(request, "xml", after);
	call_put_text(request, "file", guest);
	code = call_ask(c, request, &result);
	if (code)
		return code;
	if (say.is_json)
		say_json(result);
	else
		say_done("%s: changed", guest);
	cJSON_Delete(result);
	return RPC_OK;
}

/* One go at it. *ret_is_lost: nothing that is worth keeping was typed. */
static enum rpc_code edit_once(struct call *c, const char *path, const char *before,
			       bool *ret_is_lost)
{
	const char *guest = c->args.words[0], *name;
	cleanup_free char *after = NULL;
	enum rpc_code code = run_editor(path);

	if (code)
		return code;
	after = xml_read(path, &name);
	if (!after)
		return RPC_INVALID;
	*ret_is_lost = !strcmp(before, after);
	if (!*ret_is_lost)
		return define(c, guest, before, after);
	say_done("%s: no change", guest);
	return RPC_OK;
}

enum rpc_code run_edit(struct call *c)
{
	bool is_lost = false;
	enum rpc_code code;
	cleanup_free char *before = fetch(c, c->args.words[0], &code);
	cleanup_free char *path = NULL;

	if (!before)
		return code;
	path = make_file(before);
	if (!path)
		return RPC_FAILED;
	do
		code = edit_once(c, path, before, &is_lost);
	while (code && code != RPC_NO_DAEMON && wants_again());
	if (!code || is_lost)
		unlink(path);
	else if (!say.is_json)
		say_note("what was edited is in %s", path);
	return code;
}
