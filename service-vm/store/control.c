/* What CONTROL can do: xenstore-control(1) sends it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "journal.h"
#include "lib/log.h"
#include "path.h"
#include "request.h"
#include "store.h"

#define MAX_ARGUMENTS 6

/* Of open_memstream(): what was printed, as much as fits. */
static int reply_text(struct request *r, FILE *f, char **text, const size_t *len)
{
	bool is_whole = !ferror(f);

	is_whole = !fclose(f) && is_whole; /* text is there from here on */

	if (is_whole) {
		r->reply_len = MIN(*len + 1, sizeof(r->reply));
		memcpy(r->reply, *text, r->reply_len);
		r->reply[r->reply_len - 1] = '\0';
	}
	free(*text);
	return is_whole ? 0 : -ENOMEM;
}

static int reply_ok(struct request *r)
{
	memcpy(r->reply, "OK", 3);
	r->reply_len = 3;
	return 0;
}

static int control_print(struct request *r, int nr, const char **arguments)
{
	if (nr != 1)
		return -EINVAL;
	log_line("%.400s", arguments[0]);
	return reply_ok(r);
}

static int control_log(struct request *r, int nr, const char **arguments)
{
	if (nr != 1 || (strcmp(arguments[0], "on") != 0 && strcmp(arguments[0], "off") != 0))
		return -EINVAL;
	r->store->is_tracing = !strcmp(arguments[0], "on");
	return reply_ok(r);
}

static int count_node(struct node *n, void *arg)
{
	++*(size_t *)arg;
	return node_for_each_child(n, count_node, arg);
}

/* Nodes counted one by one, and what the domains' counts say. */
static int control_check(struct request *r, int nr, const char **arguments)
{
	size_t counted = 0, owned = 0, len = 0;
	char *text = NULL;
	FILE *f;

	(void)arguments;
	if (nr)
		return -EINVAL;
	count_node(r->store->root, &counted);
	for (size_t i = 0; i < NR_DOMIDS; i++)
		owned += r->store->domains[i] ? r->store->domains[i]->nr_nodes : 0;
	f = open_memstream(&text, &len);
	if (!f)
		return -ENOMEM;
	fprintf(f, "%zu nodes, %zu of them counted for domains\n", counted, owned);
	return reply_text(r, f, &text, &len);
}

/* A domain's limits and what it uses of them; or the defaults. */
static void print_quotas(FILE *f, const struct store *s, const struct domain *d)
{
	const struct conn *conn = d ? d->conn : NULL;
	const uint64_t used[QUOTA_NR] = {
		[QUOTA_NODES] = d ? d->nr_nodes : 0,
		[QUOTA_WATCHES] = conn ? conn->nr_watches : 0,
		[QUOTA_TRANSACTIONS] = conn ? conn->nr_transactions : 0,
		[QUOTA_OUTSTANDING] = conn ? conn->nr_outstanding : 0,
		[QUOTA_MEMORY] = conn ? conn->bytes : 0,
	};

	for (unsigned int q = 0; q < QUOTA_NR; q++) {
		fprintf(f, "%-13s %8u", quota_names[q], d ? quota_of(s, d, q) : s->quota[q]);
		if (d && q != QUOTA_NODE_SIZE && q != QUOTA_PATH_LENGTH && q != QUOTA_PERMS &&
		    q != QUOTA_ACCESSES)
			fprintf(f, "  used %8llu", (unsigned long long)used[q]);
		fputc('\n', f);
	}
}

static int find_quota(const char *name, unsigned int *ret_quota)
{
	for (unsigned int q = 0; q < QUOTA_NR; q++) {
		if (!strcmp(name, quota_names[q])) {
			*ret_quota = q;
			return 0;
		}
	}
	return -EINVAL;
}

/* NAME VALUE [DOMID] */
static int set_quota(struct request *r, int nr, const char **arguments)
{
	struct store *s = r->store;
	struct domain *d = NULL;
	uint64_t value, domid = DOMID_NONE;
	unsigned int q;

	if (nr < 2 || nr > 3 || find_quota(arguments[0], &q) ||
	    parse_number(arguments[1], INT32_MAX, &value) ||
	    (nr == 3 && parse_number(arguments[2], NR_DOMIDS - 1, &domid)))
		return -EINVAL;
	if (nr == 3) {
		d = store_domain(s, (uint32_t)domid);
		if (!d)
			return -ENOMEM;
		d->quota[q] = (uint32_t)value;
	} else {
		if (!value)
			return -EINVAL;
		s->quota[q] = (uint32_t)value;
	}
	journal_quota(s->journal, (uint16_t)domid, q, (uint32_t)value);
	return reply_ok(r);
}

/* [DOMID] | set NAME VALUE [DOMID] */
static int control_quota(struct request *r, int nr, const char **arguments)
{
	const struct domain *d = NULL;
	uint64_t domid;
	char *text = NULL;
	size_t len = 0;
	FILE *f;

	if (nr && !strcmp(arguments[0], "set"))
		return set_quota(r, nr - 1, arguments + 1);
	if (nr > 1 || (nr && parse_number(arguments[0], NR_DOMIDS - 1, &domid)))
		return -EINVAL;
	if (nr) {
		d = r->store->domains[domid];
		if (!d)
			return -ENOENT;
	}
	f = open_memstream(&text, &len);
	if (!f)
		return -ENOMEM;
	print_quotas(f, r->store, d);
	return reply_text(r, f, &text, &len);
}

/* [DOMID PATH]: the client gives up its rights but those that it needs, before it looks at what a guest says. Without
 * arguments it can change nothing any more. */
static int control_confine(struct request *r, int nr, const char **arguments)
{
	struct conn *conn = r->conn;
	uint64_t domid;
	int err;

	if (conn->domain || (nr && nr != 2))
		return -EINVAL;
	if (!nr) {
		conn->is_read_only = true;
		return reply_ok(r);
	}
	if (parse_number(arguments[0], NR_DOMIDS - 1, &domid) || !domid ||
	    !path_is_valid(arguments[1]) || !arguments[1][1])
		return -EINVAL;
	conn_forget(conn); /* what it has set up with more rights */
	r->txn = NULL;
	err = conn_confine(conn, (uint16_t)domid, arguments[1]);
	return err ? err : reply_ok(r);
}

/* The program is started anew, from its file as it is now, with all that the journal keeps. */
static int control_live_update(struct request *r, int nr, const char **arguments)
{
	(void)arguments;
	if (nr)
		return -EINVAL;
	if (!r->store->journal)
		return -ENOSYS;
	r->store->wants_handover = true;
	return reply_ok(r);
}

static int control_help(struct request *r, int nr, const char **arguments);

static const struct control_row {
	const char *name;
	int (*fn)(struct request *r, int nr, const char **arguments);
	const char *help;
} control_table[] = {
	{ "check", control_check, "" },
	{ "confine", control_confine, "[DOMID PATH]" },
	{ "help", control_help, "" },
	{ "live-update", control_live_update, "" },
	{ "log", control_log, "on|off" },
	{ "print", control_print, "TEXT" },
	{ "quota", control_quota, "[DOMID] | set NAME VALUE [DOMID]" },
};

static int control_help(struct request *r, int nr, const char **arguments)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	(void)nr;
	(void)arguments;
	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(control_table); i++)
		fprintf(f, "%s %s\n", control_table[i].name, control_table[i].help);
	return reply_text(r, f, &text, &len);
}

int control_handle(struct request *r)
{
	const char *strings[MAX_ARGUMENTS];
	int nr = request_strings(r, 0, strings, MAX_ARGUMENTS);

	if (nr < 1)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(control_table); i++) {
		if (!strcmp(strings[0], control_table[i].name))
			return control_table[i].fn(r, nr - 1, strings + 1);
	}
	return -EINVAL;
}
