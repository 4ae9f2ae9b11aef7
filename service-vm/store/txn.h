/* Transactions. One starts with a snapshot, and notes what it has seen and what it has changed. It commits
 * if everything it has seen is still as it was; then its changes are made once more, to the tree of the
 * day. So it fails for a change that matters to it, and for nothing else, and costs what it touched. */
#ifndef LODGE_STORE_TXN_H
#define LODGE_STORE_TXN_H

#include "lib/list.h"
#include "op.h"

struct conn;

/* What was seen of a path. */
#define SEE_CONTENT  1u /* value and permissions, or that there is none */
#define SEE_CHILDREN 2u /* which names are below */
#define SEE_PRESENCE 4u /* that it is there, or is not */

struct transaction {
	struct list_node node; /* in conn->transactions */
	struct conn *conn;
	uint32_t id;
	bool is_doomed;       /* was open when the store restarted: will have to be done again */
	struct node *base;    /* the snapshot */
	struct update update; /* the snapshot with its own changes */
	struct list steps;    /* its changes, to be made again */
	void *sights;         /* of tsearch(), by path */
	uint32_t nr_sights;
	size_t bytes;
};

/* id 0: a new one. NULL: out of memory. */
struct transaction *txn_create(struct conn *conn, uint32_t id);
void txn_destroy(struct transaction *t);
struct transaction *txn_find(const struct conn *conn, uint32_t id);

/* Fails with -ENOSPC where the domain's limits end. */
must_check int txn_see(struct transaction *t, const char *path, unsigned int what);

/* op_apply() within the transaction. */
must_check int txn_apply(struct transaction *t, uint32_t type, const char *path, const void *data,
			 size_t len);

/* Makes an update of all that it did, for the caller to commit and end. -EAGAIN: a conflict. */
must_check int txn_merge(struct transaction *t, struct update *u);

#endif
