/* One request, from its bytes to its answer. */
#ifndef LODGE_STORE_REQUEST_H
#define LODGE_STORE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/xs-wire.h"
#include "op.h"

struct request {
	struct conn *conn;
	struct store *store;
	const struct xsd_sockmsg *header;
	char *payload;
	size_t len;
	struct transaction *txn; /* NULL: none */

	char path[XENSTORE_ABS_PATH_MAX + 1]; /* in full */
	size_t relative_start;                /* where the client's spelling starts in it */

	char reply[XENSTORE_PAYLOAD_MAX];
	size_t reply_len;

	/* What happens behind the answer. */
	struct update update;    /* events for what it changed */
	struct watch *new_watch; /* its first event */
	int domain_event;        /* EVENT_… + 1, for domid */
	uint16_t domid;
};

/* Handles the complete message in conn->in and queues the answer. */
void request_handle(struct conn *conn);

/* Terminated strings of the payload from at on, at most max; how many. Negative if the last has no end. */
int request_strings(const struct request *r, size_t at, const char **strings, int max);

/* A whole decimal number up to max. */
must_check int parse_number(const char *string, uint64_t max, uint64_t *ret_number);

/* A CONTROL command: see control.c. */
must_check int control_handle(struct request *r);

#endif
