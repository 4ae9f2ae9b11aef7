/* A store and its clients: see world.h. */
#include "world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "fake-platform.h"
#include "journal.h"
#include "serve.h"
#include "state.h"

#define MAX_EVENTS 4096

struct store *store;
size_t world_answer_len;
static struct platform *platform;
static char journal_path[64];
static uint32_t next_id;
static struct {
	uint16_t domid;
	char text[128];
} events[MAX_EVENTS];
static size_t nr_events;
static struct message message;

static void start(void)
{
	store = store_create(platform);
	ck_assert_ptr_nonnull(store);
	if (*journal_path) {
		ck_assert_int_eq(journal_open(journal_path, &store->journal), 0);
		ck_assert_int_eq(state_load(store), 0);
	}
	if (!store->domains[0]->is_introduced)
		ck_assert_int_eq(store_introduce(store, store->domains[0], 0, 1), 0);
	journal_commit(store->journal);
}

void world_setup(void)
{
	fake_machine_init();
	ck_assert_int_eq(platform_open(&platform), 0);
	start();
	ck_assert_str_eq(ask(0, XS_INTRODUCE, 0, STR("1\0001000\0005")), "OK");
	ck_assert_str_eq(ask(0, XS_INTRODUCE, 0, STR("2\0001000\0005")), "OK");
}

void world_teardown(void)
{
	journal_close(store->journal);
	store->journal = NULL;
	store_destroy(store);
	platform_close(platform);
	fake_machine_fini();
	if (*journal_path)
		unlink(journal_path);
}

void world_keep(void)
{
	snprintf(journal_path, sizeof(journal_path), "/tmp/lodge-journal-%d", (int)getpid());
	unlink(journal_path);
	ck_assert_int_eq(journal_open(journal_path, &store->journal), 0);
	journal_checkpoint(store->journal, store, true);
}

void world_restart(void)
{
	journal_close(store->journal);
	store->journal = NULL;
	store_destroy(store);
	start();
}

struct xenstore_domain_interface *world_page(uint16_t domid)
{
	return &machine->pages[domid].interface;
}

unsigned int world_nr_notified(uint16_t domid)
{
	return machine->nr_notified[domid];
}

void world_fail_maps(bool fail)
{
	machine->fail_maps = fail;
}

void world_set_domain_state(uint16_t domid, enum domain_state state)
{
	machine->states[domid] = state;
	store_domains_changed(store);
}

void world_clear_page(uint16_t domid)
{
	memset(world_page(domid), 0, sizeof(struct xenstore_domain_interface));
}

void world_on_notify(void (*fn)(uint16_t domid))
{
	machine->on_notify = fn;
}

size_t world_put_quietly(uint16_t domid, const void *data, size_t len)
{
	struct xenstore_domain_interface *page = world_page(domid);
	size_t n = 0;

	while (n < len && page->req_prod - page->req_cons < XENSTORE_RING_SIZE)
		page->req[MASK_XENSTORE_IDX(page->req_prod++)] = ((const char *)data)[n++];
	return n;
}

size_t world_put(uint16_t domid, const void *data, size_t len)
{
	size_t n = world_put_quietly(domid, data, len);

	fake_machine_send_event(domid);
	return n;
}

bool world_get(uint16_t domid, struct message *m)
{
	struct xenstore_domain_interface *page = world_page(domid);
	char *to = (char *)&m->header;
	size_t want = sizeof(m->header);

	for (size_t n = 0; n < want; n++) {
		if (page->rsp_cons == page->rsp_prod) {
			fake_machine_send_event(domid);
			world_serve();
		}
		if (page->rsp_cons == page->rsp_prod) {
			ck_assert_uint_eq(n, 0); /* no half messages */
			return false;
		}
		to[n] = page->rsp[MASK_XENSTORE_IDX(page->rsp_cons++)];
		if (n + 1 == sizeof(m->header)) {
			ck_assert_uint_le(m->header.len, XENSTORE_PAYLOAD_MAX);
			want += m->header.len;
		}
	}
	m->data[m->header.len] = '\0';
	return true;
}

void world_serve(void)
{
	struct listener none = { -1, -1 };

	do
		ck_assert_int_eq(serve_turn(store, &none, -1, 0), 0);
	while (!list_is_empty(&store->ready));
}

void world_send(uint16_t domid, uint32_t type, uint32_t tx, const void *data, size_t len)
{
	struct xsd_sockmsg header = { type, ++next_id, tx, (uint32_t)len };
	const char *next = data;

	ck_assert_uint_eq(world_put(domid, &header, sizeof(header)), sizeof(header));
	while (len) {
		size_t n = world_put(domid, next, len);

		next += n;
		len -= n;
		if (len)
			world_serve();
	}
}

static void keep_event(uint16_t domid, const struct message *m)
{
	ck_assert_uint_lt(nr_events, MAX_EVENTS);
	events[nr_events].domid = domid;
	snprintf(events[nr_events].text, sizeof(events[0].text), "%.60s %.60s", m->data,
		 m->data + strlen(m->data) + 1);
	nr_events++;
}

const char *ask(uint16_t domid, uint32_t type, uint32_t tx, const void *data, size_t len)
{
	world_send(domid, type, tx, data, len);
	for (;;) {
		world_serve();
		ck_assert(world_get(domid, &message));
		if (message.header.type != XS_WATCH_EVENT)
			break;
		keep_event(domid, &message);
	}
	ck_assert_uint_eq(message.header.req_id, next_id);
	ck_assert_uint_eq(message.header.tx_id, tx);
	if (message.header.type != XS_ERROR)
		ck_assert_uint_eq(message.header.type, type);
	world_answer_len = message.header.len;
	return message.data;
}

const char *world_event(uint16_t domid)
{
	static char text[sizeof(events[0].text)];

	world_serve();
	while (world_get(domid, &message)) {
		ck_assert_uint_eq(message.header.type, XS_WATCH_EVENT);
		keep_event(domid, &message);
	}
	for (size_t i = 0; i < nr_events; i++) {
		if (events[i].domid != domid)
			continue;
		memcpy(text, events[i].text, sizeof(text));
		memmove(&events[i], &events[i + 1], (nr_events - i - 1) * sizeof(events[0]));
		nr_events--;
		return text;
	}
	return "none";
}

uint32_t begin(uint16_t domid)
{
	return (uint32_t)strtoul(ask(domid, XS_TRANSACTION_START, 0, STR("")), NULL, 10);
}

const char *end(uint16_t domid, uint32_t tx)
{
	return ask(domid, XS_TRANSACTION_END, tx, STR("T"));
}
