/*
 * The connection to xenstore: see wire.h. Answers come in the order of the requests; events of watches come
 * between them.
 */
#include "daemon/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/batch.h"

#define ANSWER_MS      5000 /* a store that has not answered by then hangs */
#define RETRY_MS       20
#define ASK_BYTES      512
#define CONTROL_NUMBER UINT32_MAX /* request id of what is no part of a batch */

static void ready(struct loop_fd *f, uint32_t events);

void wire_break(struct wire *w)
{
	if (w->fd.fd < 0)
		return;
	loop_remove(&w->fd);
	close(w->fd.fd);
	w->fd.fd = -1;
	w->nr_in = 0;
	w->is_up = false;
	loop_timer_start(w->loop, &w->reconnect, RETRY_MS);
}

/* --- messages --- */

static int wait_for(const struct wire *w, short events)
{
	struct pollfd p = { .fd = w->fd.fd, .events = events };
	int ret;

	do
		ret = poll(&p, 1, ANSWER_MS);
	while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return -errno;
	return ret ? 0 : -ETIMEDOUT;
}

/* What has come. -EAGAIN: nothing. */
static int receive(struct wire *w)
{
	ssize_t got;

	do
		got = recv(w->fd.fd, w->in + w->nr_in, sizeof(w->in) - w->nr_in, MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	w->nr_in += (size_t)got;
	return got ? 0 : -ECONNRESET;
}

/* 1: a whole message, its data to be freed, with a zero byte behind it; 0: none; -EIO for nonsense. */
static int take_message(struct wire *w, struct xsd_sockmsg *ret_header, char **ret_data)
{
	size_t bytes;
	char *data;

	if (w->nr_in < sizeof(*ret_header))
		return 0;
	memcpy(ret_header, w->in, sizeof(*ret_header));
	if (ret_header->len > XENSTORE_PAYLOAD_MAX)
		return -EIO;
	bytes = sizeof(*ret_header) + ret_header->len;
	if (w->nr_in < bytes)
		return 0;
	data = malloc(ret_header->len + 1);
	if (!data)
		return -ENOMEM;
	memcpy(data, w->in + sizeof(*ret_header), ret_header->len);
	data[ret_header->len] = '\0';
	w->nr_in -= bytes;
	memmove(w->in, w->in + bytes, w->nr_in);
	*ret_data = data;
	return 1;
}

/* The next answer. Events before it are kept. */
static int next_answer(struct wire *w, struct xsd_sockmsg *ret_header, char **ret_data)
{
	for (;;) {
		int ret = take_message(w, ret_header, ret_data);

		if (ret < 0)
			return ret;
		if (ret && ret_header->type == XS_WATCH_EVENT) {
			w->event(w, *ret_data, ret_header->len);
			continue;
		}
		if (ret) {
			if (w->nr_in) /* perhaps an event, which nothing else would look for */
				loop_soon(w->loop, &w->rest);
			return 0;
		}
		ret = receive(w);
		if (ret == -EAGAIN)
			ret = wait_for(w, POLLIN);
		if (ret)
			return ret;
	}
}

/* Sends all; the store may answer meanwhile, and stop reading until that is fetched. */
static int send_all(struct wire *w, const char *bytes, size_t nr_bytes, size_t *at)
{
	while (*at < nr_bytes) {
		ssize_t done =
			send(w->fd.fd, bytes + *at, nr_bytes - *at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		*at += (size_t)done;
	}
	return 0;
}

bool wire_is_lost(int error)
{
	return error == -ECOMM || error == -ETIMEDOUT;
}

int wire_ask(struct wire *w, uint32_t type, uint32_t tx_id, const char *data, size_t bytes,
	     char **ret_data)
{
	char message[sizeof(struct xsd_sockmsg) + ASK_BYTES];
	struct xsd_sockmsg header = { type, CONTROL_NUMBER, tx_id, (uint32_t)bytes };
	char *answer;
	size_t at = 0;
	int ret;

	if (bytes > ASK_BYTES)
		return -E2BIG;
	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), data, bytes);
	ret = send_all(w, message, sizeof(header) + bytes, &at);
	if (!ret)
		ret = next_answer(w, &header, &answer);
	if (ret)
		return ret == -ETIMEDOUT ? ret : -ECOMM;
	if (header.type == XS_ERROR)
		ret = batch_error_code(answer);
	if (!ret && ret_data)
		*ret_data = answer;
	else
		free(answer);
	return ret;
}

int wire_exchange(struct wire *w, struct batch *b)
{
	size_t at = 0, nr_answers = 0;
	struct xsd_sockmsg header;
	char *data;
	int ret = 0;

	batch_forget_answers(b);
	while (!ret && nr_answers < b->nr_requests) {
		ret = send_all(w, b->bytes, b->nr_bytes, &at);
		if (ret && ret != -EAGAIN)
			break;
		ret = next_answer(w, &header, &data);
		if (ret)
			break;
		if (header.req_id >= b->nr_requests) { /* to a question that was given up */
			free(data);
			continue;
		}
		batch_take_answer(b, &header, data);
		nr_answers++;
	}
	return ret;
}

/* --- connecting --- */

int wire_greet(struct wire *w, uint32_t type, const char *data, size_t bytes)
{
	struct xsd_sockmsg header = { type, CONTROL_NUMBER, 0, (uint32_t)bytes };
	size_t size = sizeof(header) + bytes;

	if (w->nr_greeting + size > w->max_greeting) {
		size_t max = MAX(2 * w->max_greeting, w->nr_greeting + size + 1024);
		char *grown = realloc(w->greeting, max);

		if (!grown)
			return -ENOMEM;
		w->greeting = grown;
		w->max_greeting = max;
	}
	memcpy(w->greeting + w->nr_greeting, &header, sizeof(header));
	memcpy(w->greeting + w->nr_greeting + sizeof(header), data, bytes);
	w->nr_greeting += size;
	w->nr_due++;
	return 0;
}

int wire_send_greeting(struct wire *w)
{
	int ret = send_all(w, w->greeting, w->nr_greeting, &w->sent);

	loop_change(&w->fd, ret == -EAGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN);
	return ret == -EAGAIN ? 0 : ret;
}

/* Everything that it began with is answered. */
static void come_up(struct wire *w)
{
	w->is_up = true;
	free(w->greeting);
	w->greeting = NULL;
	w->nr_greeting = 0;
	w->max_greeting = 0;
	w->sent = 0;
	loop_timer_stop(&w->reconnect);
	w->up(w);
}

/* When this succeeds the connection comes up later, unless there is nothing to begin with. */
static int connect_once(struct wire *w)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int ret;

	memcpy(address.sun_path, w->socket_path, sizeof(address.sun_path));
	w->fd.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (w->fd.fd < 0)
		return -errno;
	w->nr_greeting = 0;
	w->sent = 0;
	w->nr_due = 0;
	ret = connect(w->fd.fd, (const struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	if (!ret)
		ret = loop_add(w->loop, &w->fd, EPOLLIN);
	if (!ret)
		ret = w->begin(w);
	if (!ret)
		ret = wire_send_greeting(w);
	if (ret)
		wire_break(w);
	else if (!w->nr_due)
		come_up(w);
	return ret;
}

int wire_wait_until_up(struct wire *w, unsigned int timeout_ms)
{
	uint64_t end = loop_now_ns() + timeout_ms * UINT64_C(1000000);
	int ret = -ETIMEDOUT;

	while (!w->is_up) {
		uint64_t now = loop_now_ns();
		struct pollfd p = { .fd = w->fd.fd, .events = POLLIN };

		if (now >= end)
			return ret;
		if (w->sent < w->nr_greeting)
			p.events |= POLLOUT;
		if (w->fd.fd < 0) {
			ret = connect_once(w);
			if (ret)
				usleep(RETRY_MS * 1000);
		} else if (poll(&p, 1, (int)((end - now) / 1000000) + 1) > 0) {
			ready(&w->fd, (uint32_t)p.revents); /* POLL* and EPOLL* are the same */
		}
	}
	return 0;
}

static void try_again(struct loop_timer *t)
{
	struct wire *w = container_of(t, struct wire, reconnect);

	if (w->fd.fd < 0)
		(void)!connect_once(w); /* which starts the timer anew if need be */
}

/* --- what comes --- */

/* An answer that nobody has waited for: to what the connection began with, or to a question that was
 * given up. */
static int take_answer(struct wire *w, const struct xsd_sockmsg *header)
{
	if (w->is_up)
		return 0;
	if (header->type == XS_ERROR)
		return -EIO;
	if (!--w->nr_due)
		come_up(w);
	return 0;
}

/* Everything that has come. */
static void take_all(struct wire *w)
{
	struct xsd_sockmsg header;
	char *data;
	int ret;

	while ((ret = take_message(w, &header, &data)) > 0) {
		if (header.type == XS_WATCH_EVENT) {
			w->event(w, data, header.len);
			continue;
		}
		ret = take_answer(w, &header);
		free(data);
		if (ret)
			break;
	}
	if (ret)
		wire_break(w);
}

static void ready(struct loop_fd *f, uint32_t events)
{
	struct wire *w = container_of(f, struct wire, fd);
	int ret = events & EPOLLOUT && !w->is_up ? wire_send_greeting(w) : 0;

	if (!ret)
		ret = receive(w);
	if (!ret)
		take_all(w);
	else if (ret != -EAGAIN)
		wire_break(w);
}

static void take_rest(struct loop_task *t)
{
	take_all(container_of(t, struct wire, rest));
}

/* --- life --- */

int wire_init(struct wire *w, struct loop *l, const char *socket_path)
{
	w->loop = l;
	w->fd.fd = -1;
	w->fd.ready = ready;
	w->reconnect.fire = try_again;
	w->rest.run = take_rest;
	if (strlen(socket_path) >= sizeof(w->socket_path))
		return -ENAMETOOLONG;
	memcpy(w->socket_path, socket_path, strlen(socket_path) + 1);
	return 0;
}

void wire_fini(struct wire *w)
{
	wire_break(w);
	loop_timer_stop(&w->reconnect);
	loop_task_cancel(&w->rest);
	free(w->greeting);
}
