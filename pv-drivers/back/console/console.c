/* The guests: see console.h. */
#include "console.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/console.h"
#include "client.h"
#include "lib/log.h"

#define EVENT_COST 32 /* bytes of budget that an event costs */
#define MAX_EVENTS 64 /* that are taken in a turn */
#define MAX_NEWS   32 /* of the store, likewise */
#define SLICE_MS   20 /* how long a guest without budget waits at least */

#define DOMAIN_PATH_NAME "domain-%u"

enum { POLL_STOP, POLL_EVENTS, POLL_STORE, POLL_LISTEN, POLL_FIXED };

/* --- one guest ---------------------------------------------------------------------------------- */

static void make_ready(struct console *c, struct guest *g)
{
	if (!list_node_is_linked(&g->ready) && !g->has_failed)
		list_push_back(&c->ready, &g->ready);
}

/* The guest goes on without a console; its viewers see no more of it. Its port stays masked. */
static void guest_fail(struct guest *g)
{
	if (!g->has_failed)
		log_line("%s (domain %u) has written nonsense into its console ring, which is not "
			 "served any more",
			 g->name, g->domid);
	g->has_failed = true;
	if (list_node_is_linked(&g->ready))
		list_remove(&g->ready);
}

static void refill(struct console *c, struct guest *g)
{
	uint64_t now = platform_now_ns(c->platform), rate = (uint64_t)c->options->rate_kib << 10;
	uint64_t most = (uint64_t)c->options->burst_kib << 10;
	uint64_t elapsed_ms = (now - g->budget_time_ns) / 1000000;
	uint64_t earned = MIN(elapsed_ms, 3600 * 1000u) * rate / 1000;

	if (!earned)
		return;
	g->budget = MIN(g->budget + (int64_t)earned, (int64_t)most);
	g->budget_time_ns = now;
}

static void show(struct console *c, struct guest *g, const char *data, size_t size)
{
	struct client *client;

	log_file_append(&g->log, data, size);
	list_for_each_entry(client, &c->clients, node) {
		if (client->guest == g)
			client_show(client, data, size);
	}
}

/* Takes up to size bytes of output, and no more than a ringful. Their number; 0 also after a failure. */
static size_t guest_take(struct console *c, struct guest *g, size_t size)
{
	char buffer[sizeof(((struct xencons_interface *)0)->out)];
	int32_t n = stream_peek(&g->out, buffer, (uint32_t)MIN(size, sizeof(buffer)));

	if (n < 0) {
		guest_fail(g);
		return 0;
	}
	if (n) {
		show(c, g, buffer, (size_t)n);
		stream_consume(&g->out, (uint32_t)n);
		platform_notify(c->platform, g->port);
	}
	return (size_t)n;
}

/* A ready guest's turn: some output; when there is no more, it may have events again. Whether it waits for budget
 * is told. */
static bool guest_serve(struct console *c, struct guest *g)
{
	size_t taken;

	refill(c, g);
	if (g->budget <= 0)
		return true;
	taken = guest_take(c, g, (size_t)g->budget);
	g->budget -= (int64_t)taken;
	if (taken || g->has_failed)
		return false;
	list_remove(&g->ready);
	platform_unmask(c->platform, g->port); /* output since then comes with an event */
	return false;
}

void guest_flush(struct console *c, struct guest *g)
{
	if (!g->has_failed)
		(void)!guest_take(c, g, SIZE_MAX);
}

size_t guest_space(struct console *c, struct guest *g)
{
	int32_t n = g->has_failed ? 0 : stream_room(&g->in);

	(void)c;
	if (n < 0)
		guest_fail(g);
	return n > 0 ? (size_t)n : 0;
}

size_t guest_type(struct console *c, struct guest *g, const char *data, size_t size)
{
	int32_t n = g->has_failed ? 0 : stream_write(&g->in, data, (uint32_t)size);

	if (n < 0)
		guest_fail(g);
	if (n > 0)
		platform_notify(c->platform, g->port);
	return n > 0 ? (size_t)n : 0;
}

/* --- which guests there are ----------------------------------------------------------------------- */

static int table_set(struct guest_table *t, uint32_t number, struct guest *g)
{
	if (number >= t->nr) {
		size_t nr = MAX((size_t)number + 1, 2 * t->nr);
		struct guest **items = realloc(t->items, nr * sizeof(struct guest *));

		if (!items)
			return -ENOMEM;
		memset(items + t->nr, 0, (nr - t->nr) * sizeof(struct guest *));
		t->items = items;
		t->nr = nr;
	}
	t->items[number] = g;
	return 0;
}

static struct guest *table_get(const struct guest_table *t, uint32_t number)
{
	return number < t->nr ? t->items[number] : NULL;
}

/* A name becomes part of a path: it must stay in the folder. */
static void name_log(struct console *c, const struct guest_description *d, struct guest *g,
		     char *ret_path, size_t size)
{
	bool is_usable = *d->name && *d->name != '.' && !strchr(d->name, '/');

	snprintf(g->name, sizeof(g->name), DOMAIN_PATH_NAME, g->domid);
	if (is_usable)
		snprintf(g->name, sizeof(g->name), "%s", d->name);
	if (*d->log == '/')
		snprintf(ret_path, size, "%s", d->log);
	else
		snprintf(ret_path, size, "%s/%s.console", c->options->log_dir, g->name);
}

static void start_ring(struct guest *g)
{
	struct xencons_interface *page = g->page;

	stream_attach(&g->out, page->out, sizeof(page->out), &page->out_cons, &page->out_prod);
	stream_attach(&g->in, page->in, sizeof(page->in), &page->in_prod, &page->in_cons);
	if (stream_waiting(&g->out) < 0 || stream_room(&g->in) < 0)
		guest_fail(g);
}

static int guest_connect(struct console *c, struct guest *g, uint32_t port)
{
	int err = platform_map(c->platform, g->domid, &g->page);

	if (err)
		return err;
	err = platform_bind(c->platform, g->domid, port, &g->port);
	if (err)
		goto unmap;
	err = table_set(&c->by_port, g->port, g);
	if (err)
		goto unbind;
	err = table_set(&c->by_domid, g->domid, g);
	if (err)
		goto forget_port;
	start_ring(g);
	return 0;
forget_port:
	c->by_port.items[g->port] = NULL;
unbind:
	platform_unbind(c->platform, g->port);
unmap:
	platform_unmap(c->platform, g->domid, g->page);
	return err;
}

static void guest_add(struct console *c, uint16_t domid)
{
	struct guest_description d;
	struct guest *g;
	char path[512];
	int err = platform_describe(c->platform, domid, &d);

	if (err) /* the store tells when there is a console */
		return;
	g = calloc(1, sizeof(*g));
	if (!g) {
		log_line("domain %u: no memory for its console", domid);
		return;
	}
	g->domid = domid;
	g->budget = (int64_t)c->options->burst_kib << 10;
	g->budget_time_ns = platform_now_ns(c->platform);
	name_log(c, &d, g, path, sizeof(path));
	err = guest_connect(c, g, d.port);
	if (err) {
		log_line("%s (domain %u): its console cannot be reached: %s", g->name, domid,
			 strerror(-err));
		free(g);
		return;
	}
	log_file_open(&g->log, path, c->options->log_size);
	list_push_back(&c->guests, &g->node);
	make_ready(c, g); /* what it has written before we were here */
}

static void guest_remove(struct console *c, struct guest *g)
{
	struct client *client;

	guest_flush(c, g);
	list_for_each_entry(client, &c->clients, node) {
		if (client->guest == g)
			client_leave(client);
	}
	if (list_node_is_linked(&g->ready))
		list_remove(&g->ready);
	list_remove(&g->node);
	c->by_port.items[g->port] = NULL;
	c->by_domid.items[g->domid] = NULL;
	platform_unbind(c->platform, g->port);
	platform_unmap(c->platform, g->domid, g->page);
	log_file_close(&g->log);
	free(g);
}

struct guest *console_find(struct console *c, uint16_t domid)
{
	if (domid && !table_get(&c->by_domid, domid))
		guest_add(c, domid);
	return table_get(&c->by_domid, domid);
}

static void scan(struct console *c)
{
	uint16_t *domids;
	size_t nr;
	int err = platform_domains(c->platform, &domids, &nr);

	if (err) {
		log_line("the store does not list domains: %s", strerror(-err));
		return;
	}
	for (size_t i = 0; i < nr; i++)
		(void)console_find(c, domids[i]);
	free(domids);
}

/* --- everything --------------------------------------------------------------------------------- */

int console_create(struct platform *p, const struct console_options *o, int listen_fd, int stop_fd,
		   struct console **ret_console)
{
	struct console *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->platform = p;
	c->options = o;
	c->listen_fd = listen_fd;
	c->stop_fd = stop_fd;
	list_init(&c->guests);
	list_init(&c->ready);
	list_init(&c->clients);
	scan(c);
	*ret_console = c;
	return 0;
}

void console_destroy(struct console *c)
{
	struct guest *g;
	struct client *client;

	list_for_each_entry_safe(g, &c->guests, node)
		guest_remove(c, g);
	list_for_each_entry_safe(client, &c->clients, node)
		client_destroy(c, client);
	free(c->by_port.items);
	free(c->by_domid.items);
	free(c);
}

static void take_events(struct console *c)
{
	for (unsigned int i = 0; i < MAX_EVENTS; i++) {
		uint32_t port = platform_event(c->platform);
		struct guest *g = table_get(&c->by_port, port);

		if (!port)
			return;
		if (!g)
			continue;
		g->budget -= EVENT_COST;
		make_ready(c, g);
	}
}

static int take_news(struct console *c)
{
	bool must_scan = false;

	c->has_news = true;
	for (unsigned int i = 0; i < MAX_NEWS && c->has_news; i++) {
		uint16_t domid = 0;
		int news = platform_news(c->platform, &domid);
		struct guest *g = table_get(&c->by_domid, domid);

		if (news < 0)
			return news;
		c->has_news = news != NEWS_NONE;
		if (news == NEWS_INTRODUCED && domid)
			(void)console_find(c, domid);
		else if (news == NEWS_INTRODUCED)
			must_scan = true;
		else if (news == NEWS_RELEASED && g && !platform_is_introduced(c->platform, domid))
			guest_remove(c, g);
	}
	if (must_scan)
		scan(c);
	return 0;
}

/* Every ready guest's turn. Whether all of those that are left wait for budget. */
static bool serve_guests(struct console *c)
{
	struct guest *g;
	bool all_wait = true;

	list_for_each_entry_safe(g, &c->ready, ready)
		all_wait &= guest_serve(c, g);
	return all_wait;
}

static int time_to_wait(struct console *c, bool all_wait, int timeout_ms)
{
	if (c->has_news)
		return 0;
	if (list_is_empty(&c->ready))
		return timeout_ms;
	if (!all_wait)
		return 0;
	return timeout_ms < 0 ? SLICE_MS : MIN(timeout_ms, SLICE_MS);
}

static void serve_clients(struct console *c, const struct pollfd *polled)
{
	struct client *client;

	list_for_each_entry_safe(client, &c->clients, node) {
		client_serve(c, client, polled->revents);
		polled++;
		if (client->has_ended)
			client_destroy(c, client);
	}
}

int console_turn(struct console *c, int timeout_ms)
{
	struct pollfd polled[POLL_FIXED + CLIENT_MAX] = {
		[POLL_STOP] = { .fd = c->stop_fd, .events = POLLIN },
		[POLL_EVENTS] = { .fd = platform_event_fd(c->platform), .events = POLLIN },
		[POLL_STORE] = { .fd = platform_store_fd(c->platform), .events = POLLIN },
		[POLL_LISTEN] = { .fd = c->nr_clients < CLIENT_MAX ? c->listen_fd : -1,
				  .events = POLLIN },
	};
	bool all_wait = serve_guests(c);
	struct client *client;
	nfds_t nr = POLL_FIXED;
	int err = 0;

	list_for_each_entry(client, &c->clients, node) {
		polled[nr].fd = client->fd;
		polled[nr++].events = client_events(c, client);
	}
	if (poll(polled, nr, time_to_wait(c, all_wait, timeout_ms)) < 0)
		return errno == EINTR ? 0 : -errno;
	serve_clients(c, polled + POLL_FIXED); /* first: the list is as it was polled */
	if (polled[POLL_EVENTS].revents)
		take_events(c);
	if (polled[POLL_STORE].revents || c->has_news)
		err = take_news(c);
	if (polled[POLL_LISTEN].revents)
		client_accept(c);
	return err ? err : polled[POLL_STOP].revents ? 1 : 0;
}
