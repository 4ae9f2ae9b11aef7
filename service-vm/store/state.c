/* Saving and loading: see state.h. The file is private to the store, but a store that a guest had taken over would have
 * written it, and the next one still is root when it reads it: nothing in it is trusted. */
#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "journal.h"
#include "lib/log.h"
#include "op.h"
#include "path.h"
#include "ring.h"
#include "txn.h"
#include "watch.h"

static void save_waiting(struct journal *to, const struct conn *conn)
{
	const struct ring *r = &conn->ring;
	size_t skip = conn->out_sent; /* of the first message */
	const struct msg *m;
	/* Of a request that is partly here, the bytes not consumed are still in the ring. */
	uint32_t in_ring = r->req_seen - r->req_cons;
	size_t partial = conn->in_len - in_ring;
	uint32_t position = r->req_cons;
	struct iovec parts[] = { { &position, sizeof(position) },
				 { (void *)(uintptr_t)conn->in.bytes, partial } };

	journal_ring(to, conn, position, r->rsp_prod);
	journal_put(to, RECORD_IN, conn->domid, parts, ARRAY_SIZE(parts));
	list_for_each_entry(m, &conn->out, node) {
		journal_out(to, conn, m->data + skip, m->len - skip);
		skip = 0;
	}
}

static void save_conn(struct journal *to, const struct conn *conn)
{
	const struct transaction *t;
	const struct watch *w;

	if (conn->failure) {
		journal_plain(to, RECORD_FAILED, conn);
		return;
	}
	save_waiting(to, conn);
	list_for_each_entry(w, &conn->watches, conn_node)
		journal_watch(to, w);
	list_for_each_entry(t, &conn->transactions, node)
		journal_transaction(to, conn, t->id, true);
}

static void save_domain(struct journal *to, const struct domain *d)
{
	journal_domain(to, d);
	for (uint32_t q = 0; q < QUOTA_NR; q++) {
		if (d->quota[q])
			journal_quota(to, d->id, q, d->quota[q]);
	}
	if (d->conn)
		save_conn(to, d->conn);
}

static const char *const special_names[] = { "@introduceDomain", "@releaseDomain" };

void state_save(struct journal *to, struct store *s)
{
	for (uint32_t q = 0; q < QUOTA_NR; q++)
		journal_quota(to, DOMID_NONE, q, s->quota[q]);
	for (size_t i = 0; i < ARRAY_SIZE(special_names); i++)
		journal_node(to, special_names[i], s->special[i]);
	for (size_t i = 0; i < NR_DOMIDS; i++) {
		if (s->domains[i])
			save_domain(to, s->domains[i]);
	}
}

/* Depth first, with a stack of nodes whose paths are known. */
struct walk_item {
	struct node *node;
	char *path;
};

struct state_walk {
	struct node *root; /* the snapshot */
	struct walk_item *stack;
	size_t nr, max;
	const char *parent; /* of what is pushed */
	bool has_failed;
};

static int push(struct node *n, void *arg)
{
	struct state_walk *w = arg;
	struct walk_item item = { n, NULL };

	if (w->nr == w->max) {
		size_t max = w->max ? 2 * w->max : 256;
		struct walk_item *stack = reallocarray(w->stack, max, sizeof(*stack));

		if (!stack)
			return -ENOMEM;
		w->stack = stack;
		w->max = max;
	}
	if (asprintf(&item.path, "%s/%s", w->parent, n->name) < 0)
		return -ENOMEM;
	w->stack[w->nr++] = item;
	return 0;
}

struct state_walk *state_walk_create(struct store *s)
{
	struct state_walk *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->root = node_get(s->root);
	w->parent = "";
	w->has_failed = push(w->root, w) != 0;
	return w;
}

void state_walk_destroy(struct state_walk *w)
{
	if (!w)
		return;
	while (w->nr)
		free(w->stack[--w->nr].path);
	free(w->stack);
	node_put(w->root);
	free(w);
}

bool state_walk(struct state_walk *w, struct journal *to, size_t max_nodes)
{
	while (w->nr && max_nodes-- && !w->has_failed) {
		struct walk_item item = w->stack[--w->nr];

		journal_node(to, item.path, item.node->content);
		w->parent = item.path[1] ? item.path : "";
		w->has_failed = node_for_each_child(item.node, push, w) != 0;
		free(item.path);
	}
	return w->nr && !w->has_failed;
}

/* --- and back ---------------------------------------------------------------------------------- */

struct load {
	struct store *s;
	struct record record;
	const char *data;
	struct { /* where a ring's streams were */
		uint32_t in, out;
	} rings[NR_DOMIDS];
};

/* The fixed part of a record; false if it is shorter. */
static bool take(struct load *l, void *to, size_t size)
{
	if (l->record.len < size)
		return false;
	memcpy(to, l->data, size);
	l->data += size;
	l->record.len -= (uint32_t)size;
	return true;
}

/* The terminated string at the start of what is left. */
static const char *take_string(struct load *l)
{
	const char *string = l->data;
	size_t len = strnlen(string, l->record.len);

	if (len == l->record.len)
		return NULL;
	l->data += len + 1;
	l->record.len -= (uint32_t)len + 1;
	return string;
}

/* Of a node; with_special: or of an event. */
static const char *take_path(struct load *l, bool with_special)
{
	const char *path = take_string(l);
	bool is_good = path && strlen(path) <= XENSTORE_ABS_PATH_MAX &&
		       (path_is_special(path) ? with_special : path_is_valid(path));

	return is_good ? path : NULL;
}

static int set_node(struct store *s, const char *path, struct content *c)
{
	struct content **special = store_special(s, path);
	struct update u;
	int err;

	if (special) {
		content_put(*special);
		*special = content_get(c);
		return 0;
	}
	update_init(&u, s);
	err = update_set(&u, path, c);
	if (!err)
		update_commit(&u);
	update_fini(&u);
	return err;
}

static int load_node(struct load *l)
{
	struct perm perms[MAX_PERMS];
	struct record_node r;
	struct content *c;
	const char *path;
	int err;

	if (!take(l, &r, sizeof(r)) || !r.nr_perms || r.nr_perms > MAX_PERMS ||
	    !take(l, perms, r.nr_perms * sizeof(perms[0])))
		return -EIO;
	for (uint32_t i = 0; i < r.nr_perms; i++) {
		if (perms[i].access > (PERM_READ | PERM_WRITE))
			return -EIO;
	}
	path = take_path(l, true);
	if (!path || l->record.len > XENSTORE_PAYLOAD_MAX ||
	    (path_is_special(path) && !store_special(l->s, path)))
		return -EIO;
	c = content_create(r.gen, perms, r.nr_perms, l->data, l->record.len);
	if (!c)
		return -ENOMEM;
	l->s->gen = MAX(l->s->gen, r.gen);
	err = set_node(l->s, path, c);
	content_put(c);
	return err;
}

static int load_remove(struct load *l)
{
	const char *path = take_path(l, false);
	struct update u;
	int err;

	if (!path)
		return -EIO;
	update_init(&u, l->s);
	err = update_remove(&u, path);
	if (!err)
		update_commit(&u);
	update_fini(&u);
	return err;
}

static int load_domain(struct load *l)
{
	struct domain *d = store_domain(l->s, l->record.domid);
	struct record_domain r;

	if (!d || !take(l, &r, sizeof(r)))
		return -EIO;
	if (r.first_gen > d->first_gen)
		d->nr_nodes = 0;
	d->gfn = r.gfn;
	d->first_gen = r.first_gen;
	d->port = r.port;
	d->target = r.target;
	d->is_introduced = r.is_introduced;
	d->is_shut_down = r.is_shut_down;
	l->s->gen = MAX(l->s->gen, r.first_gen);
	if (d->conn && !d->is_introduced) {
		conn_destroy(d->conn);
		d->conn = NULL;
	} else if (!d->conn && d->is_introduced) {
		d->conn = conn_create(l->s, &ring_transport, d);
	}
	return !d->conn == !d->is_introduced ? 0 : -ENOMEM;
}

static int load_quota(struct load *l)
{
	struct domain *d = store_domain(l->s, l->record.domid);
	struct record_quota r;

	if (!take(l, &r, sizeof(r)) || r.quota >= QUOTA_NR)
		return -EIO;
	if (l->record.domid == DOMID_NONE)
		l->s->quota[r.quota] = r.value;
	else if (d)
		d->quota[r.quota] = r.value;
	return 0;
}

static int load_ring(struct load *l, struct conn *conn)
{
	struct record_ring r;

	if (!take(l, &r, sizeof(r)))
		return -EIO;
	conn_reset(conn);
	conn->failure = 0;
	l->rings[conn->domid].in = r.in;
	l->rings[conn->domid].out = r.out;
	return 0;
}

static int load_watch(struct load *l, struct conn *conn)
{
	struct record_watch r;
	struct watch *w;
	const char *path, *token;

	if (!take(l, &r, sizeof(r)))
		return -EIO;
	path = take_path(l, true);
	token = path ? take_string(l) : NULL;
	if (!token || r.relative_start > strlen(path))
		return -EIO;
	return watch_add(&l->s->watches, conn, path, r.relative_start, token, r.depth, &w);
}

static int load_unwatch(struct load *l, struct conn *conn)
{
	const char *path = take_path(l, true), *token = path ? take_string(l) : NULL;
	struct watch *w = token ? watch_find(conn, path, token) : NULL;

	if (!w)
		return -EIO;
	watch_remove(&l->s->watches, w);
	return 0;
}

static int load_transaction(struct load *l, struct conn *conn)
{
	struct transaction *t;
	uint32_t id;

	if (!take(l, &id, sizeof(id)) || !id)
		return -EIO;
	t = txn_find(conn, id);
	if (l->record.type == RECORD_END) {
		if (t)
			txn_destroy(t);
		return 0;
	}
	t = t ? t : txn_create(conn, id);
	if (!t)
		return -ENOMEM;
	conn->last_txn_id = MAX(conn->last_txn_id, id);
	t->is_doomed = true;
	return 0;
}

static int load_in(struct load *l, struct conn *conn)
{
	if (!take(l, &l->rings[conn->domid].in, sizeof(uint32_t)) ||
	    l->record.len > sizeof(conn->in.bytes))
		return -EIO;
	conn->in_len = l->record.len;
	memcpy(conn->in.bytes, l->data, conn->in_len);
	if (conn->in_len >= sizeof(conn->in.header) &&
	    (conn->in.header.len > XENSTORE_PAYLOAD_MAX ||
	     conn->in_len > sizeof(conn->in.header) + conn->in.header.len))
		return -EIO;
	return 0;
}

static int load_conn_record(struct load *l, struct conn *conn)
{
	switch (l->record.type) {
	case RECORD_RING:
		return load_ring(l, conn);
	case RECORD_FORGET:
		conn_forget(conn);
		return 0;
	case RECORD_FAILED:
		conn_reset(conn);
		conn->failure = -ECONNRESET;
		return 0;
	case RECORD_WATCH:
		return load_watch(l, conn);
	case RECORD_UNWATCH:
		return load_unwatch(l, conn);
	case RECORD_BEGIN:
	case RECORD_END:
		return load_transaction(l, conn);
	case RECORD_IN:
		return load_in(l, conn);
	case RECORD_OUT:
		return conn_requeue(conn, l->data, l->record.len);
	default:
		return -EIO;
	}
}

static int load_record(struct load *l)
{
	const struct domain *d;

	switch (l->record.type) {
	case RECORD_NODE:
		return load_node(l);
	case RECORD_REMOVE:
		return load_remove(l);
	case RECORD_DOMAIN:
		return load_domain(l);
	case RECORD_QUOTA:
		return load_quota(l);
	default:
		d = l->record.domid < NR_DOMIDS ? l->s->domains[l->record.domid] : NULL;
		return d && d->conn ? load_conn_record(l, d->conn) : -EIO;
	}
}

/* Transactions that were open see the tree as it is now; what they did is lost, so they must be done again. */
static void refresh_transactions(struct conn *conn)
{
	struct transaction *t;

	list_for_each_entry(t, &conn->transactions, node) {
		update_fini(&t->update);
		update_init(&t->update, conn->store);
		node_put(t->base);
		t->base = node_get(conn->store->root);
	}
}

static void resume_domain(struct load *l, struct domain *d)
{
	struct conn *conn = d->conn;
	int failure = conn->failure, err = ring_open(conn, d->gfn, d->port);

	if (err) {
		log_line("domain %u: its ring is gone: %s", d->id, strerror(-err));
		store_release(l->s, d);
		return;
	}
	refresh_transactions(conn);
	if (failure)
		return;
	if (!ring_wants_reconnect(conn))
		err = ring_resume(conn, l->rings[d->id].in, l->rings[d->id].out);
	if (err)
		conn_fail(conn, err);
}

int state_load(struct store *s)
{
	struct journal *j = s->journal;
	struct load *l = calloc(1, sizeof(*l));
	size_t cursor = 0;
	int err = l ? 0 : -ENOMEM;

	s->journal = NULL; /* what it says is not written again */
	while (!err && journal_next(j, &cursor, &l->record, &l->data)) {
		l->s = s;
		err = load_record(l);
		if (err)
			log_line("journal: record %u before byte %zu: %s", l->record.type, cursor,
				 strerror(-err));
	}
	s->journal = j;
	for (size_t i = 0; i < NR_DOMIDS && !err; i++) {
		if (s->domains[i] && s->domains[i]->conn)
			resume_domain(l, s->domains[i]);
	}
	journal_commit(j);
	free(l);
	return err;
}
