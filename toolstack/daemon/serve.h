/*
 * lodged's clients. Each request becomes a struct request, which its verb answers exactly once, by
 * request_ok() or request_fail(), at once or later. The next request of that client waits for it.
 */
#ifndef LODGE_DAEMON_SERVE_H
#define LODGE_DAEMON_SERVE_H

#include <cjson/cJSON.h>

#include "daemon/nodes.h"
#include "lib/err.h"
#include "lib/rpc.h"

struct client;
struct guest;
struct lodged;
struct request;

typedef void (*verb_fn)(struct lodged *l, struct request *r);

struct verb {
	const char *name;
	verb_fn run;
	bool needs_store; /* it waits while xenstore is being restarted */
};

struct request {
	struct lodged *lodged;
	struct client *client; /* NULL: it is gone; whatever is said goes nowhere */
	cJSON *message;
	cJSON *warnings; /* NULL: none */
	void *private;   /* request_private() */
	const struct verb *verb;
	struct nodes_waiter store; /* of a verb that has not begun */
	/* The client has gone. Who waits only for the client's sake stops waiting, and ends the request
	 * by request_fail(). NULL: it goes on without. */
	void (*gone)(struct request *r);
};

/* Listens at run_dir/lodged. */
must_check int serve_open(struct lodged *l, struct err *err);
void serve_close(struct lodged *l);

/* --- answering --- */

void request_ok(struct request *r, cJSON *result); /* takes it over; NULL: nothing to tell */
void request_fail(struct request *r, enum rpc_code code, const char *format, ...)
	__attribute__((__format__(__printf__, 3, 4)));
void request_fail_details(struct request *r, enum rpc_code code, const char *text, cJSON *details);
void request_error(struct request *r, int ret, const struct err *err); /* a negative errno */
void request_warn(struct request *r, const char *text);
void request_progress(struct request *r, const char *text,
		      unsigned int percent);               /* 0: none known */
void request_event(struct request *r, const cJSON *event); /* stays the caller's */

/* --- asking --- */

const char *request_text(const struct request *r, const char *name); /* NULL: no such member */
bool request_flag(const struct request *r, const char *name);
/* A whole number up to max, or `missing`. False, and the request is answered, when it is none. */
bool request_number(struct request *r, const char *name, uint64_t missing, uint64_t max,
		    uint64_t *ret_number);
/* The member "guest". NULL: there is none such, and the request is answered. */
struct guest *request_guest(struct request *r);
/* A text that has to be there. NULL: it is not, and the request is answered. */
const char *request_need(struct request *r, const char *name);

/* Zeroed memory that goes with the request. NULL: none, and the request is answered. */
void *request_private(struct request *r, size_t bytes);

/* All verbs. */
extern const struct verb verbs[];
extern const size_t nr_verbs;

#endif
