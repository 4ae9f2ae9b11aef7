/* Domains, their limits and their rings: see store.h. */
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conn.h"
#include "journal.h"
#include "lib/log.h"
#include "op.h"
#include "platform.h"
#include "ring.h"

#define LOG_AGAIN_S 60

const char *const quota_names[QUOTA_NR] = {
	[QUOTA_NODES] = "nodes",
	[QUOTA_WATCHES] = "watches",
	[QUOTA_TRANSACTIONS] = "transactions",
	[QUOTA_OUTSTANDING] = "outstanding",
	[QUOTA_NODE_SIZE] = "node-size",
	[QUOTA_PATH_LENGTH] = "path-length",
	[QUOTA_PERMS] = "permissions",
	[QUOTA_ACCESSES] = "accesses",
	[QUOTA_MEMORY] = "memory",
};

static const uint32_t default_quota[QUOTA_NR] = {
	[QUOTA_NODES] = 1000,     [QUOTA_WATCHES] = 128,    [QUOTA_TRANSACTIONS] = 10,
	[QUOTA_OUTSTANDING] = 20, [QUOTA_NODE_SIZE] = 2048, [QUOTA_PATH_LENGTH] = 1024,
	[QUOTA_PERMS] = 5,        [QUOTA_ACCESSES] = 1024,  [QUOTA_MEMORY] = 1 << 20,
};

static const struct perm nobody = { 0, 0 }; /* domain 0 only */
static const char *const event_names[] = { "@introduceDomain", "@releaseDomain" };

struct store *store_create(struct platform *platform)
{
	struct store *s = calloc(1, sizeof(*s));
	struct content *c = content_create(1, &nobody, 1, NULL, 0);

	if (!s || !c) {
		content_put(c);
		free(s);
		return NULL;
	}
	s->gen = 1;
	s->platform = platform;
	memcpy(s->quota, default_quota, sizeof(s->quota));
	list_init(&s->conns);
	list_init(&s->ready);
	for (size_t i = 0; i < ARRAY_SIZE(s->special); i++)
		s->special[i] = content_get(c);
	s->root = tree_create(c);
	content_put(c);
	if (s->root && store_domain(s, 0)) {
		s->domains[0]->nr_nodes = 1;
		return s;
	}
	store_destroy(s);
	return NULL;
}

void store_destroy(struct store *s)
{
	struct conn *conn;

	list_for_each_entry_safe(conn, &s->conns, node)
		conn_destroy(conn);
	watch_index_fini(&s->watches);
	for (size_t i = 0; i < ARRAY_SIZE(s->special); i++)
		content_put(s->special[i]);
	for (size_t i = 0; i < NR_DOMIDS; i++)
		free(s->domains[i]);
	free(s->ports);
	node_put(s->root);
	free(s);
}

struct domain *store_domain(struct store *s, uint32_t domid)
{
	struct domain *d;

	if (domid >= NR_DOMIDS)
		return NULL;
	d = s->domains[domid];
	if (d)
		return d;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->id = (uint16_t)domid;
	d->target = DOMID_NONE;
	s->domains[domid] = d;
	return d;
}

uint32_t quota_of(const struct store *s, const struct domain *d, enum quota q)
{
	return d->quota[q] ? d->quota[q] : s->quota[q];
}

bool store_may_log(int64_t *last_s)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (*last_s && now.tv_sec - *last_s < LOG_AGAIN_S)
		return false;
	*last_s = now.tv_sec;
	return true;
}

void quota_log_hit(const struct store *s, struct domain *d, enum quota q)
{
	if (store_may_log(&d->hit_s[q]))
		log_line("domain %u: quota %s of %u is hit", d->id, quota_names[q],
			 quota_of(s, d, q));
}

struct content **store_special(struct store *s, const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(event_names); i++) {
		if (!strcmp(path, event_names[i]))
			return &s->special[i];
	}
	return NULL;
}

void store_fire_domain_event(struct store *s, unsigned int event, uint16_t domid)
{
	watch_fire_special(s, event_names[event], domid, s->special[event]);
}

int store_set_port(struct store *s, uint32_t local_port, struct conn *conn)
{
	uint32_t nr = (uint32_t)align_up(local_port + 1ull, 64);
	struct conn **ports;

	if (nr > s->nr_ports) {
		ports = reallocarray(s->ports, nr, sizeof(struct conn *));
		if (!ports)
			return -ENOMEM;
		memset(ports + s->nr_ports, 0, (nr - s->nr_ports) * sizeof(struct conn *));
		s->ports = ports;
		s->nr_ports = nr;
	}
	s->ports[local_port] = conn;
	return 0;
}

int store_introduce(struct store *s, struct domain *d, uint64_t gfn, uint32_t port)
{
	int err;

	if (d->conn)
		conn_destroy(d->conn);
	d->conn = conn_create(s, &ring_transport, d);
	err = d->conn ? ring_open(d->conn, gfn, port) : -ENOMEM;
	if (err && d->conn) {
		log_line("domain %u: its ring at frame %#llx and port %u cannot be opened: %s",
			 d->id, (unsigned long long)gfn, port, strerror(-err));
		conn_destroy(d->conn);
		d->conn = NULL;
	}
	d->is_introduced = !err;
	d->is_shut_down = false;
	d->gfn = gfn;
	d->port = port;
	journal_domain(s->journal, d);
	if (!err && d->id && platform_domain_state(s->platform, d->id) != DOMAIN_RUNS)
		s->has_looked_at_all = false; /* its change was told before */
	if (!err)
		journal_ring(s->journal, d->conn, d->conn->ring.req_cons, d->conn->ring.rsp_prod);
	return err;
}

void store_release(struct store *s, struct domain *d)
{
	if (d->conn)
		conn_destroy(d->conn);
	d->conn = NULL;
	d->is_introduced = false;
	d->is_shut_down = false;
	d->target = DOMID_NONE;
	d->first_gen = ++s->gen;
	d->nr_nodes = 0;
	memset(d->quota, 0, sizeof(d->quota));
	memset(d->hit_s, 0, sizeof(d->hit_s));
	d->failed_s = 0;
	for (uint32_t q = 0; q < QUOTA_NR; q++)
		journal_quota(s->journal, d->id, q, 0);
	journal_domain(s->journal, d);
}

static void take_state(struct store *s, struct domain *d, enum domain_state state)
{
	if (state == DOMAIN_RUNS || (state == DOMAIN_SHUT_DOWN && d->is_shut_down))
		return;
	if (state == DOMAIN_GONE) {
		store_release(s, d);
	} else {
		d->is_shut_down = true;
		journal_domain(s->journal, d);
	}
	store_fire_domain_event(s, EVENT_RELEASE, d->id);
}

static void look_at_all(struct store *s)
{
	for (uint32_t i = 1; i < NR_DOMIDS; i++) {
		struct domain *d = s->domains[i];

		if (d && d->is_introduced)
			take_state(s, d, platform_domain_state(s->platform, d->id));
	}
	s->has_looked_at_all = true;
}

void store_domains_changed(struct store *s)
{
	enum domain_state state;
	uint16_t domid;

	if (!s->has_looked_at_all)
		look_at_all(s);
	while (platform_next_change(s->platform, &domid, &state)) {
		struct domain *d = domid && domid < NR_DOMIDS ? s->domains[domid] : NULL;

		if (d && d->is_introduced)
			take_state(s, d, state);
	}
	journal_commit(s->journal);
}
