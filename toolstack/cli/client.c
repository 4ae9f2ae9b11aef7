#include "cli/client.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/say.h"
#include "lib/cleanup.h"

#define SCHEME "ssh://"

#define HOST_LETTERS                                                     \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" \
	"._-%~"

/* "host" or "[an:IPv6:address]", the latter without its brackets then. What follows, or NULL. */
static char *take_host(char *host)
{
	size_t length;

	if (host[*host == '['] == '-') /* would be an option of ssh's */
		return NULL;
	if (*host != '[') {
		length = strspn(host, HOST_LETTERS);
		return length ? host + length : NULL;
	}
	length = strspn(host + 1, HOST_LETTERS ":");
	if (!length || host[1 + length] != ']')
		return NULL;
	memmove(host, host + 1, length);
	host[length] = '\0';
	return host + length + 2;
}

/* [user@]host, or as an URL ssh://[user@]host[:port]. */
static int parse_host(struct client *c, const char *text)
{
	bool is_url = !strncmp(text, SCHEME, strlen(SCHEME));
	char *at, *rest;

	c->url = say_memory(strdup(is_url ? text + strlen(SCHEME) : text));
	at = strrchr(c->url, '@');
	rest = take_host(at ? at + 1 : c->url);
	if (!rest || *c->url == '-' || at == c->url)
		return -EINVAL;
	if (is_url && *rest == ':') {
		*rest++ = '\0';
		c->port = rest;
		rest += strspn(rest, "0123456789");
		if (rest == c->port)
			return -EINVAL;
	}
	if (is_url && !strcmp(rest, "/"))
		*rest = '\0';
	if (*rest)
		return -EINVAL;
	c->host = c->url;
	return 0;
}

int client_init(struct client *c, const char *socket, const char *host, struct err *err)
{
	*c = (struct client){ .socket = socket, .stream = { .fd = -1 } };
	if (!host || !*host || !parse_host(c, host))
		return 0;
	return err_set(err, -EINVAL, "\"%s\" is no host such as ssh://user@host:22", host);
}

void client_fini(struct client *c)
{
	rpc_stream_fini(&c->stream);
	free(c->url);
}

/* As one word of a shell's. */
static char *quote(const char *text)
{
	char *quoted = say_memory(malloc(4 * strlen(text) + 3)), *to = quoted;

	*to++ = '\'';
	for (; *text; text++) {
		if (*text == '\'')
			to = stpcpy(to, "'\\''");
		else
			*to++ = *text;
	}
	*to++ = '\'';
	*to = '\0';
	return quoted;
}

/* ssh with one end of a pair of sockets as its input and output. It ends when the other end is closed. */
static int spawn_ssh(const struct client *c, const char *path, int theirs, struct err *err)
{
	char ssh[] = "ssh", no_terminal[] = "-T", port_option[] = "-p", rest[] = "--";
	char lodge[] = "lodge", proxy[] = "proxy";
	cleanup_free char *socket = path ? quote(path) : NULL;
	cleanup_free char *host = say_memory(strdup(c->host));
	cleanup_free char *port = c->port ? say_memory(strdup(c->port)) : NULL;
	char *argv[10];
	size_t nr = 0;
	posix_spawn_file_actions_t actions;
	int ret;

	argv[nr++] = ssh;
	argv[nr++] = no_terminal;
	if (port) {
		argv[nr++] = port_option;
		argv[nr++] = port;
	}
	argv[nr++] = rest;
	argv[nr++] = host;
	argv[nr++] = lodge;
	argv[nr++] = proxy;
	argv[nr++] = socket;
	argv[socket ? nr : nr - 1] = NULL;
	ret = posix_spawn_file_actions_init(&actions);
	if (ret)
		return err_errno(err, -ret, "ssh");
	ret = posix_spawn_file_actions_adddup2(&actions, theirs, STDIN_FILENO);
	if (!ret)
		ret = posix_spawn_file_actions_adddup2(&actions, theirs, STDOUT_FILENO);
	if (!ret)
		ret = posix_spawnp(&(pid_t){ 0 }, ssh, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return ret ? err_errno(err, -ret, "ssh") : 0;
}

static int open_remote(const struct client *c, const char *path, struct err *err)
{
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return err_errno(err, -errno, "socketpair");
	ret = spawn_ssh(c, path, pair[1], err);
	close(pair[1]);
	if (!ret)
		return pair[0];
	close(pair[0]);
	return ret;
}

int client_open(const struct client *c, const char *path, struct err *err)
{
	struct rpc_stream s;
	int ret;

	if (c->host)
		return open_remote(c, path, err);
	ret = rpc_connect(path ? path : RPC_SOCKET, &s, err);
	return ret ? ret : s.fd;
}

static enum rpc_code connect_or_say(struct client *c)
{
	struct err err;
	int fd;

	if (c->is_connected)
		return RPC_OK;
	fd = client_open(c, c->socket, &err);
	if (fd >= 0) {
		rpc_stream_init(&c->stream, fd);
		c->is_connected = true;
		return RPC_OK;
	}
	if (fd == -EACCES)
		return say_error(RPC_DENIED, "%s; members of the group lodge and root may",
				 err.text);
	return say_error(RPC_NO_DAEMON, "lodged does not answer: %s%s", err.text,
			 c->host ? "" : "; is it running?");
}

static int show_progress(void *argument, const cJSON *news)
{
	const cJSON *percent = cJSON_GetObjectItemCaseSensitive(news, "percent");
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(news, "progress"));

	(void)argument;
	if (text)
		say_progress(text, cJSON_IsNumber(percent) ? percent->valueint : -1);
	return 0;
}

enum rpc_code client_call(struct client *c, const cJSON *request, rpc_news_fn news, void *argument,
			  cJSON **ret_reply)
{
	enum rpc_code code = connect_or_say(c);
	struct err err;
	int ret;

	if (code)
		return code;
	ret = rpc_call(&c->stream, request, news ? news : show_progress, argument, ret_reply, &err);
	say_progress(NULL, 0);
	if (!ret)
		return RPC_OK;
	rpc_stream_fini(&c->stream);
	c->is_connected = false;
	if (ret == -EMSGSIZE)
		return say_error(RPC_INVALID, "more than lodged takes in one request");
	return say_error(RPC_NO_DAEMON, "%s%s%s", c->host ? c->host : "", c->host ? ": " : "",
			 ret == -ECONNRESET || ret == -EPIPE ? "lodged closed the connection"
							     : err.text);
}
