/*
 * The connection to xenstore: see nodes.h. Answers come in the order of the requests; events of watches
 * come between them and are kept until the loop has time.
 *
 * A new connection begins with all watches, which are sent and answered by the loop, without waiting: a store
 * that hangs holds up nobody. When they are answered the connection is up, and requests may be made.
 */
#include "daemon/nodes.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/batch.h"
#include "daemon/lodged.h"
#include "daemon/loop.h"

#define ANSWER_MS      5000  /* a store that has not answered by then hangs */
#define RECONNECT_MS   1000u /* for one that was killed while it was asked, to be there again */
#define RETRY_MS       20
#define TRANSACTIONS   20 /* tries */
#define IN_BYTES       (2u * (XENSTORE_PAYLOAD_MAX + 16u))
#define CONTROL_NUMBER UINT32_MAX /* request id of what is no part of a batch */

static void ready(struct loop_fd *f, uint32_t events);

struct nodes_event {
	struct list_node node;
	char *path; /* the token is behind it */
};

/* What has to be done once there is a store. */
struct nodes_debt {
	struct list_node node;
	struct batch batch;
};

struct nodes {
	struct loop *loop;
	struct loop_fd fd; /* of a connection that may not be up yet; -1: none */
	struct loop_timer reconnect;
	struct loop_task deliver, wake;
	char socket_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct list watches, events, debts, waiters;
	uint64_t nr_tokens;
	char in[IN_BYTES];
	size_t nr_in;

	bool is_up;
	/* Until it is: what it begins with, and how many answers are due. */
	char *greeting;
	size_t nr_greeting, max_greeting, sent, nr_due;
};

static void disconnect(struct nodes *n)
{
	if (n->fd.fd < 0)
		return;
	loop_remove(&n->fd);
	close(n->fd.fd);
	n->fd.fd = -1;
	n->nr_in = 0;
	n->is_up = false;
	loop_timer_start(n->loop, &n->reconnect, RETRY_MS);
}

bool nodes_is_up(const struct nodes *n)
{
	return n->is_up;
}

/* --- messages --- */

static int wait_for(const struct nodes *n, short events)
{
	struct pollfd p = { .fd = n->fd.fd, .events = events };
	int ret;

	do
		ret = poll(&p, 1, ANSWER_MS);
	while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return -errno;
	return ret ? 0 : -ETIMEDOUT;
}

/* What has come. -EAGAIN: nothing. */
static int receive(struct nodes *n)
{
	ssize_t got;

	do
		got = recv(n->fd.fd, n->in + n->nr_in, sizeof(n->in) - n->nr_in, MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	n->nr_in += (size_t)got;
	return got ? 0 : -ECONNRESET;
}

/* 1: a whole message, its data to be freed, with a zero byte behind it; 0: none; -EIO for nonsense. */
static int take_message(struct nodes *n, struct xsd_sockmsg *ret_header, char **ret_data)
{
	size_t bytes;
	char *data;

	if (n->nr_in < sizeof(*ret_header))
		return 0;
	memcpy(ret_header, n->in, sizeof(*ret_header));
	if (ret_header->len > XENSTORE_PAYLOAD_MAX)
		return -EIO;
	bytes = sizeof(*ret_header) + ret_header->len;
	if (n->nr_in < bytes)
		return 0;
	data = malloc(ret_header->len + 1);
	if (!data)
		return -ENOMEM;
	memcpy(data, n->in + sizeof(*ret_header), ret_header->len);
	data[ret_header->len] = '\0';
	n->nr_in -= bytes;
	memmove(n->in, n->in + bytes, n->nr_in);
	*ret_data = data;
	return 1;
}

/* Takes over data. An event that cannot be kept is lost like one of a store that was restarted. */
static void keep_event(struct nodes *n, const struct xsd_sockmsg *header, char *data)
{
	struct nodes_event *e = malloc(sizeof(*e));

	if (!e || strlen(data) + 1 >= header->len) {
		free(e);
		free(data);
		return;
	}
	*e = (struct nodes_event){ .path = data };
	list_push_back(&n->events, &e->node);
	loop_soon(n->loop, &n->deliver);
}

/* The next answer. Events before it are kept. */
static int next_answer(struct nodes *n, struct xsd_sockmsg *ret_header, char **ret_data)
{
	for (;;) {
		int ret = take_message(n, ret_header, ret_data);

		if (ret < 0)
			return ret;
		if (ret && ret_header->type == XS_WATCH_EVENT) {
			keep_event(n, ret_header, *ret_data);
			continue;
		}
		if (ret) {
			if (n->nr_in) /* perhaps an event, which nothing else would look for */
				loop_soon(n->loop, &n->deliver);
			return 0;
		}
		ret = receive(n);
		if (ret == -EAGAIN)
			ret = wait_for(n, POLLIN);
		if (ret)
			return ret;
	}
}

/* Sends all; the store may answer meanwhile, and stop reading until that is fetched. */
static int send_all(struct nodes *n, const char *bytes, size_t nr_bytes, size_t *at)
{
	while (*at < nr_bytes) {
		ssize_t done =
			send(n->fd.fd, bytes + *at, nr_bytes - *at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		*at += (size_t)done;
	}
	return 0;
}

/* Whether ask() failed for the connection's sake, not for the store's answer. */
static bool is_lost(int ret)
{
	return ret == -ECOMM || ret == -ETIMEDOUT;
}

/* One request and its answer, which is freed; the error that the store gives, or one that is_lost(). */
static int ask(struct nodes *n, uint32_t type, uint32_t tx_id, const char *data, size_t bytes,
	       char **ret_data)
{
	char message[sizeof(struct xsd_sockmsg) + 512];
	struct xsd_sockmsg header = { type, CONTROL_NUMBER, tx_id, (uint32_t)bytes };
	char *answer;
	size_t at = 0;
	int ret;

	if (bytes > 512)
		return -E2BIG;
	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), data, bytes);
	ret = send_all(n, message, sizeof(header) + bytes, &at);
	if (!ret)
		ret = next_answer(n, &header, &answer);
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

/* --- running a batch --- */

static void name_transaction(struct batch *b, uint32_t tx_id)
{
	for (size_t i = 0; i < b->nr_requests; i++)
		memcpy(b->bytes + b->answers[i].offset + offsetof(struct xsd_sockmsg, tx_id),
		       &tx_id, sizeof(tx_id));
}

/* Sends and collects; its own errors are of the connection. */
static int exchange(struct nodes *n, struct batch *b)
{
	size_t at = 0, nr_answers = 0;
	struct xsd_sockmsg header;
	char *data;
	int ret = 0;

	batch_forget_answers(b);
	while (!ret && nr_answers < b->nr_requests) {
		ret = send_all(n, b->bytes, b->nr_bytes, &at);
		if (ret && ret != -EAGAIN)
			break;
		ret = next_answer(n, &header, &data);
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

/* --- what is owed --- */

static void debt_free(struct nodes_debt *d)
{
	list_remove(&d->node);
	batch_fini(&d->batch);
	free(d);
}

/* In the order in which they came; the rest stays when the store goes again. */
static void pay_debts(struct nodes *n)
{
	struct list_node *node;
	struct err err;

	while (n->is_up && (node = list_first(&n->debts))) {
		struct nodes_debt *d = list_entry(node, struct nodes_debt, node);

		if (exchange(n, &d->batch)) {
			disconnect(n);
			return;
		}
		if (batch_result(&d->batch, &err))
			log_line("%s", err.text);
		debt_free(d);
	}
}

void nodes_post(struct nodes *n, struct batch *b)
{
	struct nodes_debt *d = b->err ? NULL : malloc(sizeof(*d));

	if (!d) {
		log_line("xenstore: no memory; some nodes may be left");
		batch_fini(b);
		return;
	}
	*d = (struct nodes_debt){ .batch = *b };
	batch_init(b);
	list_push_back(&n->debts, &d->node);
	pay_debts(n);
}

/* --- connecting --- */

/* Path and token, each with a zero byte. */
static size_t name_watch(const struct nodes_watch *w,
			 char ret_data[sizeof(w->path) + sizeof(w->token)])
{
	int length = snprintf(ret_data, sizeof(w->path) + sizeof(w->token), "%s%c%s", w->path, 0,
			      w->token);

	return (size_t)length + 1;
}

/* One more request that the connection begins with. */
static int greet(struct nodes *n, uint32_t type, const struct nodes_watch *w)
{
	char data[sizeof(w->path) + sizeof(w->token)];
	size_t bytes = name_watch(w, data);
	struct xsd_sockmsg header = { type, CONTROL_NUMBER, 0, (uint32_t)bytes };
	size_t size = sizeof(header) + bytes;

	if (n->nr_greeting + size > n->max_greeting) {
		size_t max = MAX(2 * n->max_greeting, n->nr_greeting + size + 1024);
		char *grown = realloc(n->greeting, max);

		if (!grown)
			return -ENOMEM;
		n->greeting = grown;
		n->max_greeting = max;
	}
	memcpy(n->greeting + n->nr_greeting, &header, sizeof(header));
	memcpy(n->greeting + n->nr_greeting + sizeof(header), data, bytes);
	n->nr_greeting += size;
	n->nr_due++;
	return 0;
}

/* As much as the store takes. */
static int send_greeting(struct nodes *n)
{
	int ret = send_all(n, n->greeting, n->nr_greeting, &n->sent);

	loop_change(&n->fd, ret == -EAGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN);
	return ret == -EAGAIN ? 0 : ret;
}

/* What may have happened while there was no connection. */
static void pretend_event(struct nodes *n, const struct nodes_watch *w)
{
	struct xsd_sockmsg header = { .len = (uint32_t)(strlen(w->path) + strlen(w->token) + 2) };
	char *data = malloc(header.len);

	if (!data)
		return;
	memcpy(data, w->path, strlen(w->path) + 1);
	memcpy(data + strlen(w->path) + 1, w->token, strlen(w->token) + 1);
	keep_event(n, &header, data);
}

/* Everything that it began with is answered. */
static void come_up(struct nodes *n)
{
	const struct nodes_watch *w;

	n->is_up = true;
	free(n->greeting);
	n->greeting = NULL;
	n->nr_greeting = 0;
	n->max_greeting = 0;
	n->sent = 0;
	loop_timer_stop(&n->reconnect);
	list_for_each_entry(w, &n->watches, node) {
		pretend_event(n, w);
	}
	pay_debts(n);
	if (n->is_up)
		loop_soon(n->loop, &n->wake);
}

/* When this succeeds the connection comes up later, unless there is nothing to begin with. */
static int connect_once(struct nodes *n)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct nodes_watch *w;
	int ret;

	memcpy(address.sun_path, n->socket_path, sizeof(address.sun_path));
	n->fd.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (n->fd.fd < 0)
		return -errno;
	n->nr_greeting = 0;
	n->sent = 0;
	n->nr_due = 0;
	ret = connect(n->fd.fd, (const struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	if (!ret)
		ret = loop_add(n->loop, &n->fd, EPOLLIN);
	list_for_each_entry(w, &n->watches, node) {
		if (!ret)
			ret = greet(n, XS_WATCH, w);
	}
	if (!ret)
		ret = send_greeting(n);
	if (ret)
		disconnect(n);
	else if (!n->nr_due)
		come_up(n);
	return ret;
}

/* Waits for a store that is being restarted; nothing else is done meanwhile. */
static int wait_until_up(struct nodes *n, unsigned int timeout_ms)
{
	uint64_t end = loop_now_ns() + timeout_ms * UINT64_C(1000000);
	int ret = -ETIMEDOUT;

	while (!n->is_up) {
		uint64_t now = loop_now_ns();
		struct pollfd p = { .fd = n->fd.fd, .events = POLLIN };

		if (now >= end)
			return ret;
		if (n->sent < n->nr_greeting)
			p.events |= POLLOUT;
		if (n->fd.fd < 0) {
			ret = connect_once(n);
			if (ret)
				usleep(RETRY_MS * 1000);
		} else if (poll(&p, 1, (int)((end - now) / 1000000) + 1) > 0) {
			ready(&n->fd, (uint32_t)p.revents); /* POLL* and EPOLL* are the same */
		}
	}
	return 0;
}

static void try_again(struct loop_timer *t)
{
	struct nodes *n = container_of(t, struct nodes, reconnect);

	if (n->fd.fd < 0)
		(void)!connect_once(n); /* which starts the timer anew if need be */
}

/* --- who waits for it --- */

static void wake(struct loop_task *t)
{
	struct nodes *n = container_of(t, struct nodes, wake);
	struct list_node *node;

	while (n->is_up && (node = list_pop_front(&n->waiters))) {
		struct nodes_waiter *w = list_entry(node, struct nodes_waiter, node);

		loop_timer_stop(&w->timer);
		w->done(w, 0);
	}
}

static void expire(struct loop_timer *t)
{
	struct nodes_waiter *w = container_of(t, struct nodes_waiter, timer);

	list_remove(&w->node);
	w->done(w, -ETIMEDOUT);
}

void nodes_wait(struct nodes *n, struct nodes_waiter *w, unsigned int timeout_ms)
{
	list_push_back(&n->waiters, &w->node);
	w->timer.fire = expire;
	loop_timer_start(n->loop, &w->timer, timeout_ms);
	if (n->is_up)
		loop_soon(n->loop, &n->wake);
}

void nodes_unwait(struct nodes_waiter *w)
{
	if (!list_node_is_linked(&w->node))
		return;
	list_remove(&w->node);
	loop_timer_stop(&w->timer);
}

/* --- events --- */

/* An answer that no nodes_run() has waited for: to what the connection began with, or to a question that was
 * given up. */
static int take_answer(struct nodes *n, const struct xsd_sockmsg *header)
{
	if (n->is_up)
		return 0;
	if (header->type == XS_ERROR)
		return -EIO;
	if (!--n->nr_due)
		come_up(n);
	return 0;
}

/* Everything that has come. */
static void take_all(struct nodes *n)
{
	struct xsd_sockmsg header;
	char *data;
	int ret;

	while ((ret = take_message(n, &header, &data)) > 0) {
		if (header.type == XS_WATCH_EVENT) {
			keep_event(n, &header, data);
			continue;
		}
		ret = take_answer(n, &header);
		free(data);
		if (ret)
			break;
	}
	if (ret)
		disconnect(n);
}

static void ready(struct loop_fd *f, uint32_t events)
{
	struct nodes *n = container_of(f, struct nodes, fd);
	int ret = events & EPOLLOUT && !n->is_up ? send_greeting(n) : 0;

	if (!ret)
		ret = receive(n);
	if (!ret)
		take_all(n);
	else if (ret != -EAGAIN)
		disconnect(n);
}

static struct nodes_watch *find_watch(const struct nodes *n, const char *token)
{
	struct nodes_watch *w;

	list_for_each_entry(w, &n->watches, node) {
		if (!strcmp(w->token, token))
			return w;
	}
	return NULL;
}

static void deliver(struct loop_task *t)
{
	struct nodes *n = container_of(t, struct nodes, deliver);
	struct list_node *node;

	take_all(n);
	while ((node = list_pop_front(&n->events))) {
		struct nodes_event *e = list_entry(node, struct nodes_event, node);
		struct nodes_watch *w = find_watch(n, e->path + strlen(e->path) + 1);

		if (w)
			w->changed(w, e->path);
		free(e->path);
		free(e);
	}
}

/* --- life --- */

int nodes_open(struct loop *l, const char *socket_path, unsigned int timeout_ms,
	       struct nodes **ret_nodes, struct err *err)
{
	struct nodes *n;
	int ret;

	if (strlen(socket_path) >= sizeof(n->socket_path))
		return err_set(err, -ENAMETOOLONG, "%s: too long for a socket", socket_path);
	n = calloc(1, sizeof(*n));
	if (!n)
		return err_set(err, -ENOMEM, "no memory");
	n->loop = l;
	n->fd.fd = -1;
	n->fd.ready = ready;
	n->reconnect.fire = try_again;
	n->deliver.run = deliver;
	n->wake.run = wake;
	list_init(&n->watches);
	list_init(&n->events);
	list_init(&n->debts);
	list_init(&n->waiters);
	memcpy(n->socket_path, socket_path, strlen(socket_path) + 1);
	ret = wait_until_up(n, timeout_ms);
	if (ret) {
		nodes_close(n);
		return err_errno(err, ret, "xenstore, %s", socket_path);
	}
	*ret_nodes = n;
	return 0;
}

void nodes_close(struct nodes *n)
{
	struct list_node *node;

	if (!n)
		return;
	disconnect(n);
	loop_timer_stop(&n->reconnect);
	loop_task_cancel(&n->deliver);
	loop_task_cancel(&n->wake);
	while (!list_is_empty(&n->watches))
		list_pop_front(&n->watches);
	while ((node = list_first(&n->waiters)))
		nodes_unwait(list_entry(node, struct nodes_waiter, node));
	while ((node = list_pop_front(&n->events))) {
		free(list_entry(node, struct nodes_event, node)->path);
		free(list_entry(node, struct nodes_event, node));
	}
	while ((node = list_first(&n->debts))) /* the next lodged finds what is left of guests */
		debt_free(list_entry(node, struct nodes_debt, node));
	free(n->greeting);
	free(n);
}

/* As one transaction. -EAGAIN: somebody else was faster; the batch's own errors are in its answers. */
static int exchange_whole(struct nodes *n, struct batch *b)
{
	char *id;
	struct err ignored;
	int ret = ask(n, XS_TRANSACTION_START, 0, "", 1, &id);
	uint32_t tx_id;
	bool is_fine;

	if (ret)
		return ret;
	tx_id = (uint32_t)strtoul(id, NULL, 10);
	free(id);
	name_transaction(b, tx_id);
	ret = exchange(n, b);
	if (ret)
		return ret;
	is_fine = !batch_result(b, &ignored);
	ret = ask(n, XS_TRANSACTION_END, tx_id, is_fine ? "T" : "F", 2, NULL);
	return is_fine ? ret : 0;
}

int nodes_run(struct nodes *n, struct batch *b, bool is_whole, struct err *err)
{
	bool was_broken = false;
	int ret = b->err;

	if (ret)
		return err_errno(err, ret, "xenstore: a request cannot be made");
	for (int tries = 0; tries < TRANSACTIONS && b->nr_requests; tries++) {
		if (!n->is_up)
			return err_set(err, -ENOTCONN,
				       "xenstore does not answer: lodge-store is not running");
		ret = is_whole ? exchange_whole(n, b) : exchange(n, b);
		if (!ret)
			return batch_result(b, err);
		if (ret == -EAGAIN)
			continue;
		disconnect(n);
		if (was_broken || ret == -ETIMEDOUT || wait_until_up(n, RECONNECT_MS))
			break;
		was_broken = true;
	}
	return ret ? err_set(err, -EIO, "xenstore does not answer: %s",
			     ret == -ETIMEDOUT ? "lodge-store hangs" : "lodge-store has ended")
		   : 0;
}

/* --- watches --- */

/* Asks for it, or leaves that to the connection that comes. */
static int set_watch(struct nodes *n, const struct nodes_watch *w)
{
	char data[sizeof(w->path) + sizeof(w->token)];
	size_t bytes = name_watch(w, data);
	int ret;

	if (n->is_up) {
		ret = ask(n, XS_WATCH, 0, data, bytes, NULL);
		if (!is_lost(ret))
			return ret;
		disconnect(n);
		return 0;
	}
	if (n->fd.fd >= 0 && (greet(n, XS_WATCH, w) || send_greeting(n)))
		disconnect(n);
	return 0;
}

int nodes_watch(struct nodes *n, struct nodes_watch *w, struct err *err, const char *format, ...)
{
	va_list arguments;
	int length, ret;

	va_start(arguments, format);
	length = vsnprintf(w->path, sizeof(w->path), format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(w->path))
		return err_set(err, -ENAMETOOLONG, "xenstore: the path is too long to watch");
	snprintf(w->token, sizeof(w->token), "%llu", (unsigned long long)++n->nr_tokens);
	ret = set_watch(n, w);
	if (ret)
		return err_errno(err, ret, "xenstore: watching %s", w->path);
	list_push_back(&n->watches, &w->node);
	return 0;
}

void nodes_unwatch(struct nodes *n, struct nodes_watch *w)
{
	char data[sizeof(w->path) + sizeof(w->token)];
	size_t bytes;
	bool is_broken = false;

	if (!list_node_is_linked(&w->node))
		return;
	list_remove(&w->node);
	bytes = name_watch(w, data);
	if (n->is_up)
		is_broken = is_lost(ask(n, XS_UNWATCH, 0, data, bytes, NULL));
	else if (n->fd.fd >= 0)
		is_broken = greet(n, XS_UNWATCH, w) || send_greeting(n);
	if (is_broken)
		disconnect(n);
}

char *nodes_read(struct nodes *n, const char *format, ...)
{
	struct batch b;
	struct err err;
	const char *value = NULL;
	char *copy = NULL;
	char path[256];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(path))
		return NULL;
	batch_init(&b);
	batch_read(&b, path);
	if (!nodes_run(n, &b, false, &err))
		value = batch_answer(&b, 0, NULL);
	if (value)
		copy = strdup(value);
	batch_fini(&b);
	return copy;
}
