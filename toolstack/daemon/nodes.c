/*
 * Xenstore for lodged: see nodes.h. The connection is wire.c; here is what it is for: batches, watches and
 * their events, which are kept until the loop has time, and what is owed to a store that is away.
 */
#include "daemon/nodes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/batch.h"
#include "daemon/index.h"
#include "daemon/lodged.h"
#include "daemon/loop.h"
#include "daemon/wire.h"

#define RECONNECT_MS 1000u /* for a store that was killed while it was asked, to be there again */
#define TRANSACTIONS 20    /* tries */

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
	struct wire wire;
	struct loop *loop;
	struct loop_task deliver, wake;
	struct list watches, events, debts, waiters;
	struct index by_number; /* the watches */
	uint64_t nr_tokens;
};

bool nodes_is_up(const struct nodes *n)
{
	return n->wire.is_up;
}

/* --- running a batch --- */

static void name_transaction(struct batch *b, uint32_t tx_id)
{
	for (size_t i = 0; i < b->nr_requests; i++)
		memcpy(b->bytes + b->answers[i].offset + offsetof(struct xsd_sockmsg, tx_id),
		       &tx_id, sizeof(tx_id));
}

/* As one transaction. -EAGAIN: somebody else was faster; the batch's own errors are in its answers. */
static int exchange_whole(struct nodes *n, struct batch *b)
{
	char *id;
	struct err ignored;
	int ret = wire_ask(&n->wire, XS_TRANSACTION_START, 0, "", 1, &id);
	uint32_t tx_id;
	bool is_fine;

	if (ret)
		return ret;
	tx_id = (uint32_t)strtoul(id, NULL, 10);
	free(id);
	name_transaction(b, tx_id);
	ret = wire_exchange(&n->wire, b);
	if (ret)
		return ret;
	is_fine = !batch_result(b, &ignored);
	ret = wire_ask(&n->wire, XS_TRANSACTION_END, tx_id, is_fine ? "T" : "F", 2, NULL);
	return is_fine ? ret : 0;
}

int nodes_run(struct nodes *n, struct batch *b, bool is_whole, struct err *err)
{
	bool was_broken = false;
	int ret = b->err;

	if (ret)
		return err_errno(err, ret, "xenstore: a request cannot be made");
	for (int tries = 0; tries < TRANSACTIONS && b->nr_requests; tries++) {
		if (!n->wire.is_up)
			return err_set(err, -ENOTCONN,
				       "xenstore does not answer: lodge-store is not running");
		ret = is_whole ? exchange_whole(n, b) : wire_exchange(&n->wire, b);
		if (!ret)
			return batch_result(b, err);
		if (ret == -EAGAIN)
			continue;
		wire_break(&n->wire);
		if (was_broken || ret == -ETIMEDOUT || wire_wait_until_up(&n->wire, RECONNECT_MS))
			break;
		was_broken = true;
	}
	return ret ? err_set(err, -EIO, "xenstore does not answer: %s",
			     ret == -ETIMEDOUT ? "lodge-store hangs" : "lodge-store has ended")
		   : 0;
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

	while (n->wire.is_up && (node = list_first(&n->debts))) {
		struct nodes_debt *d = list_entry(node, struct nodes_debt, node);

		if (wire_exchange(&n->wire, &d->batch)) {
			wire_break(&n->wire);
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

/* --- who waits for it --- */

static void wake(struct loop_task *t)
{
	struct nodes *n = container_of(t, struct nodes, wake);
	struct list_node *node;

	while (n->wire.is_up && (node = list_pop_front(&n->waiters))) {
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
	if (n->wire.is_up)
		loop_soon(n->loop, &n->wake);
}

void nodes_unwait(struct nodes_waiter *w)
{
	if (!list_node_is_linked(&w->node))
		return;
	list_remove(&w->node);
	loop_timer_stop(&w->timer);
}

/* --- watches --- */

/* Path and token, each with a zero byte. */
static size_t name_watch(const struct nodes_watch *w,
			 char ret_data[sizeof(w->path) + sizeof(w->token)])
{
	int length = snprintf(ret_data, sizeof(w->path) + sizeof(w->token), "%s%c%s", w->path, 0,
			      w->token);

	return (size_t)length + 1;
}

/* Asks for it, or leaves that to the connection that comes. */
static int tell_store(struct nodes *n, uint32_t type, const struct nodes_watch *w)
{
	char data[sizeof(w->path) + sizeof(w->token)];
	size_t bytes = name_watch(w, data);
	bool is_broken = false;
	int ret = 0;

	if (n->wire.is_up) {
		ret = wire_ask(&n->wire, type, 0, data, bytes, NULL);
		is_broken = wire_is_lost(ret);
	} else if (n->wire.fd.fd >= 0) {
		is_broken = wire_greet(&n->wire, type, data, bytes) || wire_send_greeting(&n->wire);
	}
	if (!is_broken)
		return ret;
	wire_break(&n->wire);
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
	w->number = ++n->nr_tokens;
	snprintf(w->token, sizeof(w->token), "%" PRIu64, w->number);
	ret = index_reserve(&n->by_number, n->by_number.nr + 1);
	if (!ret)
		ret = tell_store(n, XS_WATCH, w);
	if (ret)
		return err_errno(err, ret, "xenstore: watching %s", w->path);
	list_push_back(&n->watches, &w->node);
	index_add(&n->by_number, &w->number, w);
	return 0;
}

void nodes_unwatch(struct nodes *n, struct nodes_watch *w)
{
	if (!list_node_is_linked(&w->node))
		return;
	list_remove(&w->node);
	index_remove(&n->by_number, &w->number, w);
	(void)!tell_store(n, XS_UNWATCH, w); /* that it knows of none is as good */
}

/* The connection's: an event that cannot be kept is lost like one of a store that was restarted. */
static void keep_event(struct wire *wire, char *data, size_t bytes)
{
	struct nodes *n = container_of(wire, struct nodes, wire);
	struct nodes_event *e = malloc(sizeof(*e));

	if (!e || strlen(data) + 1 >= bytes) {
		free(e);
		free(data);
		return;
	}
	*e = (struct nodes_event){ .path = data };
	list_push_back(&n->events, &e->node);
	loop_soon(n->loop, &n->deliver);
}

static int compare_number(const void *key, const void *item)
{
	const struct nodes_watch *w = item;
	uint64_t number = *(const uint64_t *)key;

	return (number > w->number) - (number < w->number);
}

static struct nodes_watch *find_watch(const struct nodes *n, const char *token)
{
	uint64_t number = strtoull(token, NULL, 10);

	return index_find(&n->by_number, &number);
}

static void deliver(struct loop_task *t)
{
	struct nodes *n = container_of(t, struct nodes, deliver);
	struct list_node *node;

	while ((node = list_pop_front(&n->events))) {
		struct nodes_event *e = list_entry(node, struct nodes_event, node);
		struct nodes_watch *w = find_watch(n, e->path + strlen(e->path) + 1);

		if (w)
			w->changed(w, e->path);
		free(e->path);
		free(e);
	}
}

/* --- the connection --- */

static int greet_store(struct wire *wire)
{
	struct nodes *n = container_of(wire, struct nodes, wire);
	const struct nodes_watch *w;
	int ret = 0;

	list_for_each_entry(w, &n->watches, node) {
		char data[sizeof(w->path) + sizeof(w->token)];

		if (!ret)
			ret = wire_greet(wire, XS_WATCH, data, name_watch(w, data));
	}
	return ret;
}

/* What may have happened while there was no connection. */
static void pretend_event(struct nodes *n, const struct nodes_watch *w)
{
	char *data = malloc(sizeof(w->path) + sizeof(w->token));

	if (data)
		keep_event(&n->wire, data, name_watch(w, data));
}

static void store_is_up(struct wire *wire)
{
	struct nodes *n = container_of(wire, struct nodes, wire);
	const struct nodes_watch *w;

	list_for_each_entry(w, &n->watches, node) {
		pretend_event(n, w);
	}
	pay_debts(n);
	if (n->wire.is_up)
		loop_soon(n->loop, &n->wake);
}

int nodes_open(struct loop *l, const char *socket_path, unsigned int timeout_ms,
	       struct nodes **ret_nodes, struct err *err)
{
	struct nodes *n;
	int ret;

	n = calloc(1, sizeof(*n));
	if (!n)
		return err_set(err, -ENOMEM, "no memory");
	n->loop = l;
	n->wire.begin = greet_store;
	n->wire.up = store_is_up;
	n->wire.event = keep_event;
	n->deliver.run = deliver;
	n->wake.run = wake;
	list_init(&n->watches);
	n->by_number = (struct index){ .compare = compare_number };
	list_init(&n->events);
	list_init(&n->debts);
	list_init(&n->waiters);
	ret = wire_init(&n->wire, l, socket_path);
	if (!ret)
		ret = wire_wait_until_up(&n->wire, timeout_ms);
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
	wire_fini(&n->wire);
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
	index_fini(&n->by_number);
	free(n);
}

/* --- shorthands --- */

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
