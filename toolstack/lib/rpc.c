/* See rpc.h. */
#include "lib/rpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RECEIVE_BYTES 4096u /* room for at least so many before each recv() */

static const char *const code_names[] = {
	[RPC_OK] = "ok",
	[RPC_FAILED] = "failed",
	[RPC_USAGE] = "usage",
	[RPC_INVALID] = "invalid",
	[RPC_NOT_FOUND] = "not-found",
	[RPC_EXISTS] = "exists",
	[RPC_STATE] = "state",
	[RPC_NO_MEMORY] = "no-memory",
	[RPC_BUSY] = "busy",
	[RPC_NO_DAEMON] = "no-daemon",
	[RPC_TIMEOUT] = "timeout",
	[RPC_DENIED] = "denied",
};

const char *rpc_code_name(enum rpc_code code)
{
	return (size_t)code < ARRAY_SIZE(code_names) ? code_names[code] : code_names[RPC_FAILED];
}

enum rpc_code rpc_code_find(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(code_names); i++) {
		if (!strcmp(name, code_names[i]))
			return (enum rpc_code)i;
	}
	return RPC_FAILED;
}

enum rpc_code rpc_reply_code(const cJSON *reply)
{
	enum rpc_code code;

	if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(reply, "ok")))
		return RPC_OK;
	code = rpc_code_find(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(reply, "code")));
	return code ? code : RPC_FAILED;
}

enum rpc_code rpc_code_of_errno(int code)
{
	switch (-code) {
	case 0:
		return RPC_OK;
	case EINVAL:
	case ERANGE:
		return RPC_INVALID;
	case EEXIST:
		return RPC_EXISTS;
	case ESTALE:
	case ESRCH:
		return RPC_STATE;
	case ENOMEM:
		return RPC_NO_MEMORY;
	case EBUSY:
		return RPC_BUSY;
	case ETIMEDOUT:
		return RPC_TIMEOUT;
	default:
		return RPC_FAILED;
	}
}

void rpc_stream_init(struct rpc_stream *s, int fd)
{
	*s = (struct rpc_stream){ .fd = fd };
}

void rpc_stream_fini(struct rpc_stream *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->in);
	free(s->out);
	rpc_stream_init(s, -1);
}

/* Room for `more` bytes behind nr; where it is, NULL without memory. */
static char *reserve(char **bytes, size_t nr, size_t *max, size_t more)
{
	size_t want = nr + more, size = *max ? *max : RECEIVE_BYTES;
	char *grown;

	if (*bytes && want <= *max)
		return *bytes + nr;
	while (size < want)
		size *= 2;
	grown = realloc(*bytes, size);
	if (!grown)
		return NULL;
	*bytes = grown;
	*max = size;
	return grown + nr;
}

static void drop_taken(struct rpc_stream *s)
{
	if (!s->taken)
		return;
	s->nr_in -= s->taken;
	memmove(s->in, s->in + s->taken, s->nr_in);
	s->taken = 0;
	s->scanned = 0;
}

int rpc_stream_receive(struct rpc_stream *s)
{
	char *room;
	ssize_t got;

	drop_taken(s);
	if (s->nr_in >= RPC_LINE_MAX)
		return -EMSGSIZE;
	room = reserve(&s->in, s->nr_in, &s->max_in, RECEIVE_BYTES);
	if (!room)
		return -ENOMEM;
	do
		got = recv(s->fd, room, s->max_in - s->nr_in, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	s->nr_in += (size_t)got;
	return (int)got;
}

int rpc_stream_take(struct rpc_stream *s, cJSON **ret_message)
{
	const char *from = s->in ? s->in + s->taken : "", *end, *rest;
	size_t skip = s->scanned, nr = s->nr_in - s->taken;
	cJSON *message;

	end = nr > skip ? memchr(from + skip, '\n', nr - skip) : NULL;
	if (!end) {
		s->scanned = nr;
		return 0;
	}
	nr = (size_t)(end - from);
	s->taken += nr + 1;
	s->scanned = 0;
	message = cJSON_ParseWithLengthOpts(from, nr, &rest, false);
	while (message && rest < end && (*rest == ' ' || *rest == '\r' || *rest == '\t'))
		rest++;
	if (!cJSON_IsObject(message) || rest != end) {
		cJSON_Delete(message);
		return -EINVAL;
	}
	*ret_message = message;
	return 1;
}

/* What was sent, so that memory is taken only for what a slow reader is behind. Not for a few bytes: the rest
 * has to be moved. */
static void drop_sent(struct rpc_stream *s)
{
	if (!s->sent || s->sent < s->nr_out - s->sent)
		return;
	s->nr_out -= s->sent;
	memmove(s->out, s->out + s->sent, s->nr_out);
	s->sent = 0;
}

int rpc_stream_put(struct rpc_stream *s, const cJSON *message)
{
	char *text = cJSON_PrintUnformatted(message);
	size_t bytes = text ? strlen(text) : 0;
	bool is_short = bytes < RPC_LINE_MAX;
	char *room;

	drop_sent(s);
	room = text && is_short ? reserve(&s->out, s->nr_out, &s->max_out, bytes + 1) : NULL;
	if (room) {
		memcpy(room, text, bytes + 1);
		room[bytes] = '\n'; /* in place of the zero */
		s->nr_out += bytes + 1;
	}
	cJSON_free(text);
	if (!is_short)
		return -EMSGSIZE;
	return room ? 0 : -ENOMEM;
}

int rpc_stream_send(struct rpc_stream *s)
{
	while (s->sent < s->nr_out) {
		ssize_t done = send(s->fd, s->out + s->sent, s->nr_out - s->sent, MSG_NOSIGNAL);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		s->sent += (size_t)done;
	}
	s->sent = 0;
	s->nr_out = 0;
	return 0;
}

int rpc_connect(const char *path, struct rpc_stream *ret_stream, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, ret;

	if (strlen(path) >= sizeof(address.sun_path))
		return err_set(err, -ENAMETOOLONG, "%s: too long for a socket", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(err, -errno, "socket");
	do
		ret = connect(fd, (const struct sockaddr *)&address, sizeof(address));
	while (ret && errno == EINTR);
	if (ret) {
		ret = err_errno(err, -errno, "%s", path);
		close(fd);
		return ret;
	}
	rpc_stream_init(ret_stream, fd);
	return 0;
}

/* Waits for one line. */
static int next_line(struct rpc_stream *s, cJSON **ret_line, struct err *err)
{
	for (;;) {
		int ret = rpc_stream_take(s, ret_line);

		if (ret > 0)
			return 0;
		if (ret < 0)
			return err_set(err, ret, "lodged sent something that is no JSON object");
		ret = rpc_stream_receive(s);
		if (ret == 0)
			return err_set(err, -ECONNRESET, "lodged closed the connection");
		if (ret < 0)
			return err_errno(err, ret, "receiving from lodged");
	}
}

int rpc_call(struct rpc_stream *s, const cJSON *request, rpc_news_fn news, void *argument,
	     cJSON **ret_reply, struct err *err)
{
	cJSON *line = NULL;
	int ret = rpc_stream_put(s, request);

	if (!ret)
		ret = rpc_stream_send(s);
	/* Who refuses at once has answered, and closed: what he said is still to be read. */
	if (ret && ret != -EPIPE)
		return err_errno(err, ret, "sending to lodged");
	for (;;) {
		ret = next_line(s, &line, err);
		if (ret)
			return ret;
		if (cJSON_HasObjectItem(line, "ok")) {
			*ret_reply = line;
			return 0;
		}
		ret = news ? news(argument, line) : 0;
		cJSON_Delete(line);
		if (ret)
			return ret;
	}
}
