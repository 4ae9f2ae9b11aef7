/* Changes to nodes: see op.h. */
#include "op.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/xs-wire.h"
#include "conn.h"
#include "journal.h"
#include "path.h"
#include "store.h"
#include "watch.h"

void update_init(struct update *u, struct store *s)
{
	*u = (struct update){ .store = s, .root = node_get(s->root) };
}

void update_init_in_place(struct update *u, struct store *s)
{
	*u = (struct update){ .store = s, .root = s->root, .is_in_place = true };
}

/* The first that was made is above all others, and its place is still this tree's own: nothing is copied. */
void update_abort(struct update *u)
{
	struct node *removed;

	if (u->nr_changes && !tree_remove(&u->root, u->changes[0].path, ++u->store->gen, &removed))
		node_put(removed);
	u->store->root = u->root;
	update_fini(u);
}

void update_fini(struct update *u)
{
	for (size_t i = 0; i < u->nr_changes; i++) {
		free(u->changes[i].path);
		content_put(u->changes[i].content);
		content_put(u->changes[i].old);
		node_put(u->changes[i].removed);
	}
	free(u->changes);
	free(u->balances);
	if (!u->is_in_place)
		node_put(u->root);
	*u = (struct update){ 0 };
}

static bool perm_is_current(const struct store *s, const struct content *c, const struct perm *p)
{
	const struct domain *d = p->domid < NR_DOMIDS ? s->domains[p->domid] : NULL;

	return !d || c->gen >= d->first_gen;
}

static uint16_t owner_of(const struct store *s, const struct content *c)
{
	return perm_is_current(s, c, &c->perms[0]) ? c->perms[0].domid : 0;
}

/* Room for everything a change may need to remember. */
static int update_reserve(struct update *u)
{
	if (u->nr_changes == u->max_changes) {
		size_t max = u->max_changes ? 2 * u->max_changes : 4;
		struct change *v = reallocarray(u->changes, max, sizeof(*v));

		if (!v)
			return -ENOMEM;
		u->changes = v;
		u->max_changes = max;
	}
	return 0;
}

/* What cannot be remembered is not counted: a domain then has a little more than its quota. */
static void balance(struct update *u, uint16_t domid, int32_t nr)
{
	for (size_t i = u->nr_balances; i-- > 0;) {
		if (u->balances[i].domid == domid) {
			u->balances[i].nr_nodes += nr;
			return;
		}
	}
	if (u->nr_balances == u->max_balances) {
		size_t max = u->max_balances ? 2 * u->max_balances : 4;
		struct balance *v = reallocarray(u->balances, max, sizeof(*v));

		if (!v)
			return;
		u->balances = v;
		u->max_balances = max;
	}
	u->balances[u->nr_balances++] = (struct balance){ domid, nr };
}

static int balance_removed(struct node *n, void *arg)
{
	struct update *u = arg;

	balance(u, owner_of(u->store, n->content), -1);
	return node_for_each_child(n, balance_removed, u);
}

/* Takes over path. */
static void remember(struct update *u, char *path, struct content *c, struct content *old,
		     struct node *removed)
{
	u->changes[u->nr_changes++] = (struct change){ path, c, old, removed };
	u->bytes += sizeof(struct change) + sizeof(struct node) + strlen(path) + 1;
	if (c)
		u->bytes += sizeof(*c) + c->nr_perms * sizeof(c->perms[0]) + c->value_len;
}

int update_set(struct update *u, const char *path, struct content *c)
{
	struct content *old;
	char *copy = strdup(path);
	int err = copy ? update_reserve(u) : -ENOMEM;

	if (!err)
		err = tree_set(&u->root, path, c, ++u->store->gen, &old);
	if (err) {
		free(copy);
		return err;
	}
	if (old)
		balance(u, owner_of(u->store, old), -1);
	balance(u, owner_of(u->store, c), 1);
	remember(u, copy, content_get(c), old, NULL);
	return 0;
}

int update_remove(struct update *u, const char *path)
{
	char *copy = strdup(path);
	struct node *removed;
	int err = copy ? update_reserve(u) : -ENOMEM;

	if (!err)
		err = tree_remove(&u->root, path, ++u->store->gen, &removed);
	if (err) {
		free(copy);
		return err;
	}
	(void)balance_removed(removed, u);
	remember(u, copy, NULL, content_get(removed->content), removed);
	return 0;
}

void update_commit(struct update *u)
{
	struct store *s = u->store;

	if (!u->is_in_place) {
		node_put(s->root);
		node_get(u->root);
	}
	s->root = u->root;
	for (size_t i = 0; i < u->nr_balances; i++) {
		struct domain *d = store_domain(s, u->balances[i].domid);
		int64_t nr = d ? (int64_t)d->nr_nodes + u->balances[i].nr_nodes : 0;

		if (d)
			d->nr_nodes = nr > 0 ? (uint32_t)nr : 0;
	}
	for (size_t i = 0; i < u->nr_changes; i++) {
		const struct change *c = &u->changes[i];

		if (c->content)
			journal_node(s->journal, c->path, c->content);
		else
			journal_remove(s->journal, c->path);
	}
}

void update_fire(struct update *u)
{
	for (size_t i = 0; i < u->nr_changes; i++) {
		const struct change *c = &u->changes[i];

		if (c->removed)
			watch_fire_removed(u->store, c->path, c->removed);
		watch_fire(u->store, c->path, c->content ? c->content : c->old);
	}
}

static bool is_acting_for(const struct conn *conn, uint16_t domid)
{
	return conn->domid == domid || (conn->domain && conn->domain->target == domid);
}

unsigned int access_of(const struct store *s, const struct conn *conn, const struct content *c)
{
	if (conn->is_privileged || is_acting_for(conn, owner_of(s, c)))
		return PERM_READ | PERM_WRITE;
	for (size_t i = 1; i < c->nr_perms; i++) {
		if (is_acting_for(conn, c->perms[i].domid) && perm_is_current(s, c, &c->perms[i]))
			return c->perms[i].access;
	}
	return perm_is_current(s, c, &c->perms[0]) ? c->perms[0].access : 0;
}

size_t perms_current(const struct store *s, const struct content *c, struct perm *ret_perms)
{
	size_t nr = 0;

	for (size_t i = 0; i < c->nr_perms; i++) {
		if (perm_is_current(s, c, &c->perms[i]))
			ret_perms[nr++] = c->perms[i];
		else if (i == 0)
			ret_perms[nr++] = (struct perm){ 0, 0 };
	}
	return nr;
}

int op_find(const struct store *s, const struct conn *conn, struct node *root, const char *path,
	    unsigned int access, struct node **ret_node)
{
	bool is_it;
	struct node *n = tree_nearest(root, path, &is_it);

	if (!conn_is_at_home(conn, path) && ((conn->home && access & PERM_WRITE) ||
					     (access_of(s, conn, n->content) & access) != access))
		return -EACCES;
	if (!is_it)
		return -ENOENT;
	*ret_node = n;
	return 0;
}

static int32_t balance_of(const struct update *u, uint16_t domid)
{
	for (size_t i = 0; i < u->nr_balances; i++) {
		if (u->balances[i].domid == domid)
			return u->balances[i].nr_nodes;
	}
	return 0;
}

/* A privileged client has no limits. */
static int check_quota(const struct update *u, const struct conn *conn, enum quota q,
		       uint64_t value)
{
	struct domain *d = conn->domain;

	if (conn->is_privileged || !d || value <= quota_of(u->store, d, q))
		return 0;
	quota_log_hit(u->store, d, q);
	return q == QUOTA_PATH_LENGTH ? -EINVAL : -ENOSPC;
}

static int set_content(struct update *u, const struct conn *conn, const char *path,
		       const struct perm *perms, size_t nr_perms, const void *value, size_t len)
{
	struct content *c;
	int err = check_quota(u, conn, QUOTA_NODE_SIZE, len);

	if (err)
		return err;
	c = content_create(++u->store->gen, perms, nr_perms, value, len);
	if (!c)
		return -ENOMEM;
	err = update_set(u, path, c);
	content_put(c);
	return err;
}

/* Whether the client may own as many more nodes as path and its missing parents. */
static int check_new_nodes(const struct update *u, const struct conn *conn, const char *path)
{
	const struct node *n = u->root;
	struct path_part part;
	int64_t owned = conn->domain ? conn->domain->nr_nodes : 0;

	if (conn->is_privileged)
		return 0;
	owned += balance_of(u, conn->domid);
	while (path_next(&path, &part)) {
		n = n ? node_child(n, part.name, part.len) : NULL;
		owned += !n;
	}
	return check_quota(u, conn, QUOTA_NODES, owned > 0 ? (uint64_t)owned : 0);
}

/* A new node has its parent's permissions, and belongs to the domain that made it; at home, to the parent's owner. */
static int create_node(struct update *u, const struct conn *conn, const char *path,
		       const struct node *parent, const void *value, size_t len)
{
	struct perm perms[MAX_PERMS];
	size_t nr = perms_current(u->store, parent->content, perms);

	if (!conn->is_privileged && !conn->home)
		perms[0].domid = conn->domid;
	return set_content(u, conn, path, perms, nr, value, len);
}

/* With all parents that are missing, which are empty. Limits are looked at first: all or nothing. */
static int create_path(struct update *u, const struct conn *conn, const char *path,
		       const void *value, size_t len)
{
	char prefix[XENSTORE_ABS_PATH_MAX + 1];
	const struct node *above = u->root;
	const char *cursor = path;
	struct path_part part;
	int err = check_new_nodes(u, conn, path);

	if (!err)
		err = check_quota(u, conn, QUOTA_NODE_SIZE, len);
	while (!err && path_next(&cursor, &part)) {
		const struct node *n = node_child(above, part.name, part.len);
		size_t prefix_len = (size_t)(cursor - path);

		if (n) {
			above = n;
			continue;
		}
		memcpy(prefix, path, prefix_len);
		prefix[prefix_len] = '\0';
		err = *cursor ? create_node(u, conn, prefix, above, NULL, 0)
			      : create_node(u, conn, prefix, above, value, len);
		if (!err && *cursor)
			above = tree_lookup(u->root, prefix);
	}
	return err;
}

static int op_write(struct update *u, struct conn *conn, const char *path, const void *value,
		    size_t len)
{
	struct perm perms[MAX_PERMS];
	struct node *n;
	size_t nr;
	int err = op_find(u->store, conn, u->root, path, PERM_WRITE, &n);

	if (err == -ENOENT)
		return create_path(u, conn, path, value, len);
	if (err)
		return err;
	nr = perms_current(u->store, n->content, perms);
	return set_content(u, conn, path, perms, nr, value, len);
}

static int op_mkdir(struct update *u, struct conn *conn, const char *path)
{
	struct node *n;
	int err = op_find(u->store, conn, u->root, path, PERM_WRITE, &n);

	return err == -ENOENT ? create_path(u, conn, path, NULL, 0) : err;
}

static int op_rm(struct update *u, struct conn *conn, const char *path)
{
	char parent[XENSTORE_ABS_PATH_MAX + 1];
	struct node *n;
	int err;

	if (!path[1])
		return -EINVAL;
	err = op_find(u->store, conn, u->root, path, PERM_WRITE, &n);
	if (!err)
		return update_remove(u, path);
	if (err != -ENOENT)
		return err;
	memcpy(parent, path, path_parent_len(path));
	parent[path_parent_len(path)] = '\0';
	return tree_lookup(u->root, parent) ? 0 : -ENOENT;
}

static int op_set_perms(struct update *u, struct conn *conn, const char *path,
			const struct perm *perms, size_t nr)
{
	struct node *n;
	int err = op_find(u->store, conn, u->root, path, PERM_WRITE, &n);

	if (err)
		return err;
	if (!conn->is_privileged) {
		uint16_t owner = owner_of(u->store, n->content);

		if (!is_acting_for(conn, owner))
			return -EACCES;
		if (perms[0].domid != owner)
			return -EPERM;
	}
	err = check_quota(u, conn, QUOTA_PERMS, nr);
	if (err)
		return err;
	return set_content(u, conn, path, perms, nr, content_value(n->content),
			   n->content->value_len);
}

int op_apply(struct update *u, struct conn *conn, uint32_t type, const char *path, const void *data,
	     size_t len)
{
	int err = check_quota(u, conn, QUOTA_PATH_LENGTH, strlen(path));

	if (err)
		return err;
	switch (type) {
	case XS_WRITE:
		return op_write(u, conn, path, data, len);
	case XS_MKDIR:
		return op_mkdir(u, conn, path);
	case XS_RM:
		return op_rm(u, conn, path);
	default:
		return op_set_perms(u, conn, path, data, len / sizeof(struct perm));
	}
}
