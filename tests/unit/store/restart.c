/* The store dies and comes back: in one process at chosen places, and as a child that is killed while
 * domains are at work. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fake-platform.h"
#include "journal.h"
#include "serve.h"
#include "state.h"
#include "unit.h"
#include "world.h"

static void setup(void)
{
	world_setup();
	world_keep();
}

START_TEST(nodes_and_permissions_survive)
{
	ask(0, XS_WRITE, 0, BYTES("/a/b\0va\0lue"));
	ask(0, XS_SET_PERMS, 0, STR("/a/b\0n1\0r2"));
	ask(0, XS_WRITE, 0, BYTES("/c/d\0x"));
	ask(0, XS_RM, 0, STR("/c"));
	ask(0, XS_SET_PERMS, 0, STR("@releaseDomain\0r0"));
	world_restart();
	ck_assert_mem_eq(ask(0, XS_READ, 0, STR("/a/b")), "va\0lue", 6);
	ck_assert_mem_eq(ask(0, XS_GET_PERMS, 0, STR("/a/b")), "n1\0r2", 6);
	ck_assert_str_eq(ask(0, XS_READ, 0, STR("/c")), "ENOENT");
	ck_assert_str_eq(ask(0, XS_GET_PERMS, 0, STR("@releaseDomain")), "r0");
	ck_assert_str_eq(ask(0, XS_CONTROL, 0, STR("check")),
			 "3 nodes, 3 of them counted for domains\n");
}
END_TEST

START_TEST(watches_domains_quotas_and_targets_survive)
{
	ask(0, XS_WATCH, 0, STR("/a\0t\0001"));
	ask(0, XS_WATCH, 0, STR("/b\0t"));
	ask(0, XS_UNWATCH, 0, STR("/b\0t"));
	ask(0, XS_CONTROL, 0, STR("quota\0set\0nodes\0007\0002"));
	ask(0, XS_SET_TARGET, 0, STR("2\0001"));
	ask(0, XS_RELEASE, 0, STR("1"));
	while (strcmp(world_event(0), "none"))
		;
	world_restart();
	ask(0, XS_MKDIR, 0, STR("/a/b"));
	ask(0, XS_MKDIR, 0, STR("/a/b/c"));
	ask(0, XS_MKDIR, 0, STR("/b"));
	ck_assert_str_eq(world_event(0), "/a t");
	ck_assert_str_eq(world_event(0), "/a/b t");
	ck_assert_str_eq(world_event(0), "none");
	ck_assert_str_eq(ask(0, XS_IS_DOMAIN_INTRODUCED, 0, STR("1")), "F");
	ck_assert_str_eq(ask(0, XS_IS_DOMAIN_INTRODUCED, 0, STR("2")), "T");
	ck_assert_uint_eq(store->domains[2]->target, 1);
	ck_assert_uint_eq(quota_of(store, store->domains[2], QUOTA_NODES), 7);
}
END_TEST

START_TEST(an_open_transaction_is_to_be_done_again)
{
	uint32_t tx = begin(1);

	ask(1, XS_READ, tx, STR("x"));
	world_restart();
	ck_assert_str_eq(ask(1, XS_GET_DOMAIN_PATH, tx, STR("1")), "/local/domain/1");
	ck_assert_str_eq(end(1, tx), "EAGAIN");
	ck_assert_str_eq(end(1, tx), "ENOENT");
	ck_assert_uint_ne(begin(1), tx);
}
END_TEST

START_TEST(half_a_request_survives)
{
	char request[sizeof(struct xsd_sockmsg) + 3000] = { 0 };
	struct xsd_sockmsg header = { XS_WRITE, 77, 0, 3000 };
	struct message m;
	size_t sent = 0;

	memcpy(request, &header, sizeof(header));
	strcpy(request + sizeof(header), "/big");
	while (sent < sizeof(request)) {
		sent += world_put(0, request + sent, MIN(sizeof(request) - sent, 700u));
		world_restart();
		world_serve();
		world_restart();
	}
	ck_assert(world_get(0, &m));
	ck_assert_uint_eq(m.header.req_id, 77);
	ck_assert_str_eq(m.data, "OK");
	ask(0, XS_READ, 0, STR("/big"));
	ck_assert_uint_eq(world_answer_len, 3000 - 5);
}
END_TEST

START_TEST(what_waits_to_be_fetched_survives_once)
{
	char value[4000] = "/big";
	struct message m;

	memset(value + 5, 'x', sizeof(value) - 5);
	ask(0, XS_WRITE, 0, value, sizeof(value));
	world_send(0, XS_READ, 0, STR("/big"));
	world_serve(); /* a quarter of the answer is in the ring */
	world_restart();
	journal_checkpoint(store->journal, store, true);
	world_restart();
	ck_assert(world_get(0, &m));
	ck_assert_uint_eq(m.header.len, sizeof(value) - 5);
	ck_assert_mem_eq(m.data, value + 5, sizeof(value) - 5);
	ck_assert(!world_get(0, &m));
}
END_TEST

START_TEST(a_ring_that_went_on_without_the_store_is_disconnected)
{
	world_page(1)->rsp_prod += 100;
	world_restart();
	world_serve();
	ck_assert_uint_eq(world_page(1)->error, XENSTORE_ERROR_RINGIDX);
	ck_assert_str_eq(ask(2, XS_GET_DOMAIN_PATH, 0, STR("2")), "/local/domain/2");
}
END_TEST

START_TEST(a_failed_ring_stays_so_until_its_domain_starts_anew)
{
	world_page(1)->req_prod += 5000;
	world_put(1, "", 0);
	world_serve();
	world_restart();
	world_serve();
	world_page(1)->connection = XENSTORE_RECONNECT;
	world_put(1, "", 0);
	world_restart();
	world_serve();
	ck_assert_str_eq(ask(1, XS_GET_DOMAIN_PATH, 0, STR("1")), "/local/domain/1");
}
END_TEST

START_TEST(a_domain_whose_ring_is_gone_is_released)
{
	world_fail_maps(true);
	journal_close(store->journal);
	store->journal = NULL;
	world_fail_maps(false);
	world_keep();
	world_restart();
	ck_assert_str_eq(ask(0, XS_IS_DOMAIN_INTRODUCED, 0, STR("1")), "T");
}
END_TEST

START_TEST(a_domain_that_ends_while_no_store_is_there_is_released)
{
	/* Who asks for changes from the beginning on hears of those that exist. */
	machine->states[1] = machine->told[1] = DOMAIN_GONE;
	world_restart();
	ck_assert_str_eq(ask(0, XS_IS_DOMAIN_INTRODUCED, 0, STR("1")), "T");
	store_domains_changed(store);
	ck_assert_str_eq(ask(0, XS_IS_DOMAIN_INTRODUCED, 0, STR("1")), "F");
	ck_assert_str_eq(ask(0, XS_IS_DOMAIN_INTRODUCED, 0, STR("2")), "T");
}
END_TEST

START_TEST(checkpoints_keep_what_changes_while_they_are_written)
{
	char path[64];

	for (int i = 0; i < 5000; i++) {
		int len = snprintf(path, sizeof(path), "/n/%d", i);

		ask(0, XS_MKDIR, 0, path, (size_t)len + 1);
	}
	for (int i = 0; i < 40000; i++) { /* enough for several */
		int len = snprintf(path, sizeof(path), "/n/%d%c%d", i % 5000, 0, i);

		ask(0, XS_WRITE, 0, path, (size_t)len);
	}
	world_restart();
	ck_assert_str_eq(ask(0, XS_READ, 0, STR("/n/17")), "35017");
	ck_assert_str_eq(ask(0, XS_CONTROL, 0, STR("check")),
			 "5002 nodes, 5002 of them counted for domains\n");
}
END_TEST

/* --- killed while at work ---------------------------------------------------------------------- */

#define WORKERS   4
#define KILLS     120
#define KILL_US   20000
#define LAST_STEP 4

static char path_of_journal[64];

static pid_t start_server(void)
{
	struct listener none = { -1, -1 };
	struct platform *platform;
	pid_t child = fork();

	if (child)
		return child;
	journal_close(store->journal);
	store->journal = NULL;
	store_destroy(store);
	if (platform_open(&platform))
		_exit(1);
	store = store_create(platform);
	if (!store || journal_open(path_of_journal, &store->journal) || state_load(store))
		_exit(1);
	while (!serve_turn(store, &none, -1, -1))
		;
	_exit(2);
}

/* One domain at its ring: bytes go in as they fit, and a whole answer comes out. */
struct worker {
	uint16_t domid;
	uint32_t id, tx;
	int step;
	unsigned long rounds;
	size_t sent, got;
	struct message out, in;
};

static void request(struct worker *w, uint32_t type, const char *data, size_t len)
{
	w->out.header = (struct xsd_sockmsg){ type, ++w->id, w->tx, (uint32_t)len };
	memcpy(w->out.data, data, len);
	w->sent = 0;
}

/* A round: create, increment in a transaction, read back, remove. Each answer has one right value only. */
static void next_request(struct worker *w)
{
	char text[64];
	int len;

	switch (w->step) {
	case 0:
		len = snprintf(text, sizeof(text), "temporary%c%lu", 0, w->rounds);
		request(w, XS_WRITE, text, (size_t)len);
		break;
	case 1:
		request(w, XS_TRANSACTION_START, "", 1);
		break;
	case 2:
		len = snprintf(text, sizeof(text), "counter%c%lu", 0, w->rounds + 1);
		request(w, XS_WRITE, text, (size_t)len);
		break;
	case 3:
		request(w, XS_TRANSACTION_END, "T", 2);
		break;
	default:
		request(w, XS_READ, "counter", 8);
	}
}

static void check_answer(struct worker *w)
{
	const char *data = w->in.data;
	bool is_again = w->step == 3 && !strcmp(data, "EAGAIN");

	ck_assert_uint_eq(w->in.header.req_id, w->id); /* none is lost, none comes twice */
	switch (w->step) {
	case 1:
		w->tx = (uint32_t)strtoul(data, NULL, 10);
		ck_assert_uint_ne(w->tx, 0);
		break;
	case LAST_STEP:
		ck_assert_uint_eq(strtoul(data, NULL, 10), ++w->rounds);
		break;
	default:
		if (!is_again)
			ck_assert_str_eq(data, "OK");
	}
	if (w->step == 3)
		w->tx = 0;
	w->step = is_again ? 1 : w->step == LAST_STEP ? 0 : w->step + 1;
	next_request(w);
}

static bool push(struct worker *w)
{
	struct xenstore_domain_interface *page = world_page(w->domid);
	uint32_t cons = __atomic_load_n(&page->req_cons, __ATOMIC_ACQUIRE), prod = page->req_prod;
	size_t size = sizeof(w->out.header) + w->out.header.len;
	bool moved = false;

	ck_assert_uint_le(prod - cons, XENSTORE_RING_SIZE);
	for (; w->sent < size && prod - cons < XENSTORE_RING_SIZE; prod++) {
		page->req[MASK_XENSTORE_IDX(prod)] = ((char *)&w->out)[w->sent++];
		moved = true;
	}
	__atomic_store_n(&page->req_prod, prod, __ATOMIC_RELEASE);
	return moved;
}

static bool pull(struct worker *w)
{
	struct xenstore_domain_interface *page = world_page(w->domid);
	uint32_t prod = __atomic_load_n(&page->rsp_prod, __ATOMIC_ACQUIRE);
	bool moved = page->rsp_cons != prod;

	while (page->rsp_cons != prod) {
		((char *)&w->in)[w->got++] = page->rsp[MASK_XENSTORE_IDX(page->rsp_cons)];
		__atomic_store_n(&page->rsp_cons, page->rsp_cons + 1, __ATOMIC_RELEASE);
		if (w->got < sizeof(w->in.header) ||
		    w->got < sizeof(w->in.header) + w->in.header.len)
			continue;
		w->in.data[w->in.header.len] = '\0';
		w->got = 0;
		if (w->in.header.type == XS_WATCH_EVENT)
			ck_assert_mem_eq(w->in.data, "counter", 8);
		else
			check_answer(w);
	}
	return moved;
}

static void work_for_us(struct worker *workers, long us)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		bool moved = false;

		for (int i = 0; i < WORKERS; i++) {
			bool pushed = push(&workers[i]), pulled = pull(&workers[i]);

			if (!pushed && !pulled)
				continue;
			moved = true;
			fake_machine_send_event(workers[i].domid);
		}
		if (!moved)
			usleep(50);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000000 + (now.tv_nsec - start.tv_nsec) / 1000 < us);
}

static void prepare(struct worker *w, uint16_t domid)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%u%c1%c1", domid, 0, 0);

	ask(0, XS_INTRODUCE, 0, text, (size_t)len + 1);
	len = snprintf(text, sizeof(text), "/local/domain/%u", domid);
	ask(0, XS_MKDIR, 0, text, (size_t)len + 1);
	len = snprintf(text, sizeof(text), "/local/domain/%u%cn%u", domid, 0, domid);
	ask(0, XS_SET_PERMS, 0, text, (size_t)len + 1);
	ck_assert_str_eq(ask(domid, XS_WATCH, 0, STR("counter\0t")), "OK");
	ck_assert_str_eq(world_event(domid), "counter t");
	w->domid = domid;
	next_request(w);
}

/* What the next store makes of a journal with one record more. */
static int load_with(enum record_type type, uint16_t domid, const void *data, size_t len)
{
	struct iovec part = { (void *)(uintptr_t)data, len };
	struct store *next = store_create(NULL);
	int err;

	ck_assert_ptr_nonnull(next);
	journal_put(store->journal, type, domid, &part, 1);
	journal_commit(store->journal);
	next->journal = store->journal;
	err = state_load(next);
	next->journal = NULL;
	store_destroy(next);
	journal_checkpoint(store->journal, store, true); /* without it again */
	return err;
}

/* It has been root, and served guests, until a moment ago. */
START_TEST(nothing_in_a_journal_is_trusted)
{
	struct {
		struct record_node r;
		struct perm perm;
		char path[8];
	} node = { .r = { .nr_perms = 1 }, .path = "/a" };
	struct {
		uint32_t position;
		struct xsd_sockmsg header;
		char more[4];
	} in = { .header = { .type = XS_WRITE, .len = 3 } };

	ck_assert_int_eq(load_with(RECORD_NODE, 0, &node, sizeof(node)), 0);
	node.perm.access = 4;
	ck_assert_int_eq(load_with(RECORD_NODE, 0, &node, sizeof(node)), -EIO);
	node.perm.access = 0;
	memcpy(node.path, "", 1);
	ck_assert_int_eq(load_with(RECORD_NODE, 0, &node, sizeof(node)), -EIO);
	memcpy(node.path, "@none", 6);
	ck_assert_int_eq(load_with(RECORD_NODE, 0, &node, sizeof(node)), -EIO);
	ck_assert_int_eq(load_with(RECORD_REMOVE, 0, STR("a/b")), -EIO);
	ck_assert_int_eq(load_with(RECORD_IN, 1, &in, sizeof(in)), -EIO); /* more than its length */
	in.header.len = UINT32_MAX;
	ck_assert_int_eq(load_with(RECORD_IN, 1, &in, sizeof(in)), -EIO);
	ck_assert_int_eq(load_with(RECORD_IN, UINT16_MAX, &in, sizeof(in)), -EIO);
}
END_TEST

START_TEST(no_domain_notices_when_the_store_is_killed_again_and_again)
{
	static struct worker workers[WORKERS];
	unsigned long rounds = 0;

	snprintf(path_of_journal, sizeof(path_of_journal), "/tmp/lodge-journal-%d", (int)getpid());
	for (uint16_t i = 0; i < WORKERS; i++)
		prepare(&workers[i], (uint16_t)(i + 10));
	srand(1);
	for (int i = 0; i < KILLS; i++) {
		pid_t server = start_server();
		int status;

		work_for_us(workers, KILL_US + rand() % KILL_US);
		kill(server, SIGKILL);
		ck_assert_int_eq(waitpid(server, &status, 0), server);
		ck_assert(WIFSIGNALED(status));
	}
	for (int i = 0; i < WORKERS; i++) {
		ck_assert_uint_gt(workers[i].rounds, KILLS / 10);
		ck_assert_uint_eq(world_page(workers[i].domid)->error, XENSTORE_ERROR_NONE);
		rounds += workers[i].rounds;
	}
	printf("%lu rounds of 5 requests through %d kills\n", rounds, KILLS);
	fflush(stdout);
}
END_TEST

UNIT_MAIN("store-restart", setup, world_teardown, nodes_and_permissions_survive,
	  watches_domains_quotas_and_targets_survive, an_open_transaction_is_to_be_done_again,
	  half_a_request_survives, what_waits_to_be_fetched_survives_once,
	  a_ring_that_went_on_without_the_store_is_disconnected,
	  a_failed_ring_stays_so_until_its_domain_starts_anew,
	  a_domain_whose_ring_is_gone_is_released,
	  a_domain_that_ends_while_no_store_is_there_is_released,
	  checkpoints_keep_what_changes_while_they_are_written, nothing_in_a_journal_is_trusted,
	  no_domain_notices_when_the_store_is_killed_again_and_again)
