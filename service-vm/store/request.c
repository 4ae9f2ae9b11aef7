/* Requests: see request.h. Handlers return 0 with the answer in place, or an error of the protocol. */
#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "journal.h"
#include "lib/log.h"
#include "path.h"
#include "store.h"
#include "txn.h"
#include "watch.h"

int request_strings(const struct request *r, size_t at, const char **strings, int max)
{
	int nr = 0;

	while (at < r->len && nr < max) {
		size_t len = strnlen(r->payload + at, r->len - at);

		if (at + len == r->len)
			return -EINVAL;
		strings[nr++] = r->payload + at;
		at += len + 1;
	}
	return nr;
}

int parse_number(const char *string, uint64_t max, uint64_t *ret_number)
{
	uint64_t number;
	char *end;

	if (*string < '0' || *string > '9')
		return -EINVAL;
	errno = 0;
	number = strtoull(string, &end, 10);
	if (errno || *end || number > max)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

static void reply_bytes(struct request *r, const void *data, size_t len)
{
	memcpy(r->reply, data, len);
	r->reply_len = len;
}

static void reply_string(struct request *r, const char *string)
{
	reply_bytes(r, string, strlen(string) + 1);
}

/* The path as the tree knows it, into r->path. */
static int take_path(struct request *r, const char *path, bool may_be_special)
{
	int len;

	r->relative_start = 0;
	if (path_is_special(path)) {
		if (!may_be_special || strlen(path) > XENSTORE_REL_PATH_MAX)
			return -EINVAL;
		memcpy(r->path, path, strlen(path) + 1);
		return 0;
	}
	if (*path == '/') {
		len = snprintf(r->path, sizeof(r->path), "%s", path);
	} else {
		if (strlen(path) > XENSTORE_REL_PATH_MAX)
			return -EINVAL;
		len = snprintf(r->path, sizeof(r->path), "/local/domain/%u/%s", r->conn->domid,
			       path);
		r->relative_start = (size_t)len - strlen(path);
	}
	return (size_t)len < sizeof(r->path) && path_is_valid(r->path) ? 0 : -EINVAL;
}

/* The payload is exactly nr strings, the first of them a path. */
static int take_strings(struct request *r, const char **strings, int nr)
{
	const char *all[8];

	if (request_strings(r, 0, all, ARRAY_SIZE(all)) != nr)
		return -EINVAL;
	memcpy(strings, all, (size_t)nr * sizeof(*strings));
	return 0;
}

static int see(struct request *r, unsigned int what, struct node **ret_node)
{
	int err = r->txn ? txn_see(r->txn, r->path, what) : 0;

	return err ? err
		   : op_find(r->store, r->conn, r->txn ? r->txn->update.root : r->store->root,
			     r->path, PERM_READ, ret_node);
}

static int see_only_path(struct request *r, unsigned int what, struct node **ret_node)
{
	const char *path;
	int err = take_strings(r, &path, 1);

	if (!err)
		err = take_path(r, path, false);
	return err ? err : see(r, what, ret_node);
}

static int do_read(struct request *r)
{
	struct node *n;
	int err = see_only_path(r, SEE_CONTENT, &n);

	if (!err && n->content->value_len > sizeof(r->reply))
		err = -E2BIG;
	if (!err)
		reply_bytes(r, content_value(n->content), n->content->value_len);
	return err;
}

/* The names of a node's children, each with its zero, from byte skip of them on. */
struct listing {
	struct request *r;
	size_t skip, max; /* max: where in the reply they must end */
	bool is_cut;      /* there are more */
};

static int list_child(struct node *child, void *arg)
{
	struct listing *l = arg;
	size_t size = child->name_len + 1;

	if (l->skip >= size) {
		l->skip -= size;
		return 0;
	}
	if (l->r->reply_len + size - l->skip > l->max) {
		l->is_cut = true;
		return 1;
	}
	memcpy(l->r->reply + l->r->reply_len, child->name + l->skip, size - l->skip);
	l->r->reply_len += size - l->skip;
	l->skip = 0;
	return 0;
}

static int do_directory(struct request *r)
{
	struct listing l = { .r = r, .max = sizeof(r->reply) };
	struct node *n;
	int err = see_only_path(r, SEE_CHILDREN, &n);

	if (err)
		return err;
	node_for_each_child(n, list_child, &l);
	return l.is_cut ? -E2BIG : 0;
}

static int do_directory_part(struct request *r)
{
	struct listing l = { .r = r, .max = sizeof(r->reply) - 1 };
	const char *strings[2];
	uint64_t offset;
	struct node *n;
	int err = take_strings(r, strings, 2);

	if (!err)
		err = take_path(r, strings[0], false);
	if (!err)
		err = parse_number(strings[1], UINT32_MAX, &offset);
	if (!err)
		err = see(r, SEE_CHILDREN, &n);
	if (err)
		return err;
	l.skip = offset;
	r->reply_len = (size_t)sprintf(r->reply, "%llu", (unsigned long long)n->children_gen) + 1;
	node_for_each_child(n, list_child, &l);
	if (!l.is_cut)
		r->reply[r->reply_len++] = '\0'; /* an empty name ends the list */
	return 0;
}

static const char perm_letters[] = "nrwb"; /* by PERM_… */

static int do_get_perms(struct request *r)
{
	struct perm perms[MAX_PERMS];
	const struct content *c;
	struct content **special;
	struct node *n;
	const char *path;
	size_t nr;
	int err = take_strings(r, &path, 1);

	if (!err)
		err = take_path(r, path, true);
	if (err)
		return err;
	special = store_special(r->store, r->path);
	if (!special && path_is_special(r->path))
		return -ENOENT;
	err = special ? 0 : see(r, SEE_CONTENT, &n);
	if (err)
		return err;
	c = special ? *special : n->content;
	nr = perms_current(r->store, c, perms);
	for (size_t i = 0; i < nr; i++)
		r->reply_len += (size_t)sprintf(r->reply + r->reply_len, "%c%u",
						perm_letters[perms[i].access], perms[i].domid) +
				1;
	return 0;
}

/* A change in the transaction, or at once. */
static int change(struct request *r, const void *data, size_t len)
{
	uint32_t type = r->header->type;
	int err;

	if (r->txn) {
		err = txn_apply(r->txn, type, r->path, data, len);
	} else {
		update_init_in_place(&r->update, r->store);
		err = op_apply(&r->update, r->conn, type, r->path, data, len);
		if (err)
			update_abort(&r->update);
		else
			update_commit(&r->update);
	}
	if (!err)
		reply_string(r, "OK");
	return err;
}

static int do_write(struct request *r)
{
	const char *path;
	size_t at;
	int err;

	if (request_strings(r, 0, &path, 1) != 1)
		return -EINVAL;
	err = take_path(r, path, false);
	at = strlen(path) + 1;
	return err ? err : change(r, r->payload + at, r->len - at);
}

static int do_path_change(struct request *r)
{
	const char *path;
	int err = take_strings(r, &path, 1);

	if (!err)
		err = take_path(r, path, false);
	return err ? err : change(r, NULL, 0);
}

static int parse_perm(const char *string, struct perm *ret_perm)
{
	const char *letter = *string ? strchr(perm_letters, *string) : NULL;
	uint64_t domid;

	if (!letter || parse_number(string + 1, UINT16_MAX - 1, &domid))
		return -EINVAL;
	*ret_perm = (struct perm){ (uint16_t)domid, (uint16_t)(letter - perm_letters) };
	return 0;
}

static int set_special_perms(struct request *r, struct content **special, const struct perm *perms,
			     size_t nr)
{
	struct content *c;

	if (!r->conn->is_privileged)
		return -EACCES;
	c = content_create(++r->store->gen, perms, nr, NULL, 0);
	if (!c)
		return -ENOMEM;
	content_put(*special);
	*special = c;
	journal_node(r->store->journal, r->path, c);
	reply_string(r, "OK");
	return 0;
}

static int do_set_perms(struct request *r)
{
	const char *strings[MAX_PERMS + 2]; /* one more, to see that there are too many */
	struct perm perms[MAX_PERMS];
	struct content **special;
	int nr = request_strings(r, 0, strings, ARRAY_SIZE(strings)), err;

	if (nr < 2)
		return -EINVAL;
	if (nr == ARRAY_SIZE(strings))
		return -ENOSPC;
	err = take_path(r, strings[0], true);
	for (int i = 1; i < nr && !err; i++)
		err = parse_perm(strings[i], &perms[i - 1]);
	if (err)
		return err;
	nr--;
	special = store_special(r->store, r->path);
	if (special)
		return set_special_perms(r, special, perms, (size_t)nr);
	return path_is_special(r->path) ? -ENOENT : change(r, perms, (size_t)nr * sizeof(perms[0]));
}

static int do_watch(struct request *r)
{
	const char *strings[3];
	uint64_t depth = DEPTH_ANY;
	int nr = request_strings(r, 0, strings, ARRAY_SIZE(strings)), err;

	if (nr < 2)
		return -EINVAL;
	err = take_path(r, strings[0], true);
	if (!err && nr == 3 && *strings[2])
		err = parse_number(strings[2], DEPTH_ANY, &depth);
	if (err)
		return err;
	if (conn_is_over(r->conn, QUOTA_WATCHES, r->conn->nr_watches + 1))
		return -E2BIG;
	if (conn_is_over(r->conn, QUOTA_PATH_LENGTH, strlen(r->path)))
		return -EINVAL;
	if (conn_is_over(r->conn, QUOTA_MEMORY, r->conn->bytes + watch_bytes(r->path, strings[1])))
		return -ENOSPC;
	err = watch_add(&r->store->watches, r->conn, r->path, r->relative_start, strings[1],
			(uint32_t)depth, &r->new_watch);
	if (err)
		return err;
	if (conn_is_kept(r->conn))
		journal_watch(r->store->journal, r->new_watch);
	reply_string(r, "OK");
	return 0;
}

static int do_unwatch(struct request *r)
{
	const char *strings[2];
	struct watch *w;
	int err = request_strings(r, 0, strings, 2) == 2 ? 0 : -EINVAL;

	if (!err)
		err = take_path(r, strings[0], true);
	if (err)
		return err;
	w = watch_find(r->conn, r->path, strings[1]);
	if (!w)
		return -ENOENT;
	if (conn_is_kept(r->conn))
		journal_unwatch(r->store->journal, w);
	watch_remove(&r->store->watches, w);
	reply_string(r, "OK");
	return 0;
}

static int do_reset_watches(struct request *r)
{
	if (conn_is_kept(r->conn))
		journal_plain(r->store->journal, RECORD_FORGET, r->conn);
	conn_forget(r->conn);
	r->txn = NULL;
	reply_string(r, "OK");
	return 0;
}

static int do_transaction_start(struct request *r)
{
	struct transaction *t;

	if (r->txn)
		return -EBUSY;
	if (conn_is_over(r->conn, QUOTA_TRANSACTIONS, r->conn->nr_transactions + 1))
		return -ENOSPC;
	t = txn_create(r->conn, 0);
	if (!t)
		return -ENOMEM;
	if (conn_is_kept(r->conn))
		journal_transaction(r->store->journal, r->conn, t->id, true);
	r->reply_len = (size_t)sprintf(r->reply, "%u", t->id) + 1;
	return 0;
}

static int do_transaction_end(struct request *r)
{
	struct transaction *t = r->txn;
	const char *how;
	int err = take_strings(r, &how, 1);

	if (err || (strcmp(how, "T") != 0 && strcmp(how, "F") != 0))
		return -EINVAL;
	if (!t)
		return -ENOENT;
	if (*how == 'T')
		err = txn_merge(t, &r->update);
	if (r->update.store)
		update_commit(&r->update);
	if (conn_is_kept(r->conn))
		journal_transaction(r->store->journal, r->conn, t->id, false);
	txn_destroy(t);
	r->txn = NULL;
	if (!err)
		reply_string(r, "OK");
	return err;
}

/* Strings that are numbers; the first is a domain's id. */
static int take_domain(struct request *r, int nr, uint64_t *numbers, struct domain **ret_domain)
{
	const char *strings[3];

	if (request_strings(r, 0, strings, nr) != nr)
		return -EINVAL;
	for (int i = 0; i < nr; i++) {
		if (parse_number(strings[i], i ? UINT64_MAX : NR_DOMIDS - 1, &numbers[i]))
			return -EINVAL;
	}
	*ret_domain = r->store->domains[numbers[0]];
	return 0;
}

static int do_introduce(struct request *r)
{
	uint64_t numbers[3];
	struct domain *d;
	int err = take_domain(r, 3, numbers, &d);

	if (err || !numbers[0] || numbers[2] > UINT32_MAX)
		return -EINVAL;
	d = store_domain(r->store, (uint32_t)numbers[0]);
	if (!d)
		return -ENOMEM;
	err = store_introduce(r->store, d, numbers[1], (uint32_t)numbers[2]);
	if (err)
		return err == -ENOMEM ? err : -EINVAL;
	r->domain_event = EVENT_INTRODUCE + 1;
	r->domid = d->id;
	reply_string(r, "OK");
	return 0;
}

static int do_release(struct request *r)
{
	struct domain *d;
	uint64_t domid;
	int err = take_domain(r, 1, &domid, &d);

	if (err || !domid)
		return -EINVAL;
	if (!d || !d->is_introduced)
		return -ENOENT;
	store_release(r->store, d);
	r->domain_event = EVENT_RELEASE + 1;
	r->domid = d->id;
	reply_string(r, "OK");
	return 0;
}

static int do_resume(struct request *r)
{
	struct domain *d;
	uint64_t domid;
	int err = take_domain(r, 1, &domid, &d);

	if (err)
		return err;
	if (!d || !d->is_introduced)
		return -ENOENT;
	d->is_shut_down = false;
	journal_domain(r->store->journal, d);
	reply_string(r, "OK");
	return 0;
}

static int do_set_target(struct request *r)
{
	uint64_t numbers[2];
	struct domain *d;
	int err = take_domain(r, 2, numbers, &d);

	if (err || numbers[1] >= NR_DOMIDS)
		return -EINVAL;
	if (!d || !d->is_introduced)
		return -ENOENT;
	d->target = (uint16_t)numbers[1];
	journal_domain(r->store->journal, d);
	reply_string(r, "OK");
	return 0;
}

static int do_is_introduced(struct request *r)
{
	struct domain *d;
	uint64_t domid;
	int err = take_domain(r, 1, &domid, &d);

	if (!err)
		reply_string(r, !domid || (d && d->is_introduced) ? "T" : "F");
	return err;
}

static int do_get_domain_path(struct request *r)
{
	const char *string;
	uint64_t domid;
	int err = request_strings(r, 0, &string, 1) == 1 ? 0 : -EINVAL;

	if (!err)
		err = parse_number(string, UINT16_MAX, &domid);
	if (!err)
		r->reply_len = (size_t)sprintf(r->reply, "/local/domain/%u", (unsigned)domid) + 1;
	return err;
}

#define FOR_PRIVILEGED 1u /* else -EACCES */
#define CHANGES        2u /* a read-only client gets -EROFS */

static const struct request_row {
	int (*fn)(struct request *r);
	const char *name;
	unsigned int flags;
} request_table[XS_TYPE_COUNT] = {
	[XS_CONTROL] = { control_handle, "control", FOR_PRIVILEGED | CHANGES },
	[XS_DIRECTORY] = { do_directory, "directory", 0 },
	[XS_READ] = { do_read, "read", 0 },
	[XS_GET_PERMS] = { do_get_perms, "get_perms", 0 },
	[XS_WATCH] = { do_watch, "watch", 0 },
	[XS_UNWATCH] = { do_unwatch, "unwatch", 0 },
	[XS_TRANSACTION_START] = { do_transaction_start, "transaction_start", 0 },
	[XS_TRANSACTION_END] = { do_transaction_end, "transaction_end", 0 },
	[XS_INTRODUCE] = { do_introduce, "introduce", FOR_PRIVILEGED | CHANGES },
	[XS_RELEASE] = { do_release, "release", FOR_PRIVILEGED | CHANGES },
	[XS_GET_DOMAIN_PATH] = { do_get_domain_path, "get_domain_path", 0 },
	[XS_WRITE] = { do_write, "write", CHANGES },
	[XS_MKDIR] = { do_path_change, "mkdir", CHANGES },
	[XS_RM] = { do_path_change, "rm", CHANGES },
	[XS_SET_PERMS] = { do_set_perms, "set_perms", CHANGES },
	[XS_IS_DOMAIN_INTRODUCED] = { do_is_introduced, "is_domain_introduced", 0 },
	[XS_RESUME] = { do_resume, "resume", FOR_PRIVILEGED | CHANGES },
	[XS_SET_TARGET] = { do_set_target, "set_target", FOR_PRIVILEGED | CHANGES },
	[XS_RESET_WATCHES] = { do_reset_watches, "reset_watches", 0 },
	[XS_DIRECTORY_PART] = { do_directory_part, "directory_part", 0 },
};

static int handle(struct request *r, const struct request_row *row)
{
	if (!row->fn)
		return -ENOSYS;
	if (r->conn->is_read_only && row->flags & CHANGES)
		return -EROFS;
	if (!r->conn->is_privileged && row->flags & FOR_PRIVILEGED)
		return -EACCES;
	if (r->header->tx_id) {
		r->txn = txn_find(r->conn, r->header->tx_id);
		if (!r->txn)
			return -ENOENT;
	}
	return row->fn(r);
}

static const char *error_name(int err)
{
	static const struct {
		int err;
		const char *name;
	} names[] = {
		{ EINVAL, "EINVAL" }, { EACCES, "EACCES" }, { EEXIST, "EEXIST" },
		{ ENOENT, "ENOENT" }, { ENOMEM, "ENOMEM" }, { ENOSPC, "ENOSPC" },
		{ ENOSYS, "ENOSYS" }, { EROFS, "EROFS" },   { EBUSY, "EBUSY" },
		{ EAGAIN, "EAGAIN" }, { E2BIG, "E2BIG" },   { EPERM, "EPERM" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].err == err)
			return names[i].name;
	}
	return "EIO";
}

static void send_events(struct request *r)
{
	if (r->new_watch)
		watch_send(r->new_watch, r->new_watch->path);
	if (r->update.store) {
		update_fire(&r->update);
		update_fini(&r->update);
	}
	if (r->domain_event)
		store_fire_domain_event(r->store, (unsigned)r->domain_event - 1, r->domid);
}

/* The first string, without what would drive a terminal. */
static void trace(const struct request *r, const struct request_row *row, int err)
{
	char text[101];
	size_t len = strnlen(r->payload, MIN(r->len, sizeof(text) - 1));

	for (size_t i = 0; i < len; i++)
		text[i] = r->payload[i] < ' ' || r->payload[i] > '~' ? '?' : r->payload[i];
	text[len] = '\0';
	log_line("domain %u: %s %s (transaction %u): %s", r->conn->domid,
		 row->name ? row->name : "unknown request", text, r->header->tx_id,
		 err ? error_name(-err) : "ok");
}

void request_handle(struct conn *conn)
{
	static const struct request_row none;
	const struct request_row *row = &none;
	struct request r;
	int err;

	memset(&r, 0, offsetof(struct request, path));
	memset(&r.relative_start, 0, sizeof(r.relative_start));
	memset(&r.reply_len, 0, sizeof(r) - offsetof(struct request, reply_len));
	r.conn = conn;
	r.store = conn->store;
	r.header = &conn->in.header;
	r.payload = conn->in.bytes + sizeof(*r.header);
	r.len = r.header->len;
	if (r.header->type < ARRAY_SIZE(request_table))
		row = &request_table[r.header->type];
	err = handle(&r, row);
	if (r.store->is_tracing)
		trace(&r, row, err);
	if (err)
		conn_send(conn, r.header, XS_ERROR, error_name(-err), strlen(error_name(-err)) + 1);
	else
		conn_send(conn, r.header, r.header->type, r.reply, r.reply_len);
	send_events(&r);
}
