/*
 * What lodged and its clients say to each other: JSON objects, one on each line, on a UNIX socket.
 *
 * A request has the member "verb". Any number of lines may come back before the last one: {"progress":
 * "text", "percent": n} and {"event": {...}}. The last is {"ok": true, "result": {...}, "warnings": [...]}
 * or {"ok": false, "code": "not-found", "error": "text", "details": [...]}. Requests may follow each other
 * on a connection; each is answered before the next is looked at. docs/lodged.md lists verbs and results.
 */
#ifndef LODGE_TOOLSTACK_RPC_H
#define LODGE_TOOLSTACK_RPC_H

#include <cjson/cJSON.h>

#include "lib/err.h"

#define RPC_SOCKET   "/run/lodge/lodged"
#define RPC_LINE_MAX (1u << 20) /* bytes, with the end of line */

/* How a request ended; as a number, the exit status of `lodge`. */
enum rpc_code {
	RPC_OK = 0,
	RPC_FAILED = 1, /* everything that has no code of its own */
	RPC_USAGE = 2,
	RPC_INVALID = 3, /* an argument or the XML is wrong */
	RPC_NOT_FOUND = 4,
	RPC_EXISTS = 5,
	RPC_STATE = 6, /* the guest is not in a state in which this is possible */
	RPC_NO_MEMORY = 7,
	RPC_BUSY = 8,
	RPC_NO_DAEMON = 9, /* lodged does not answer; never on the wire */
	RPC_TIMEOUT = 10,
	RPC_DENIED = 11,
};

const char *rpc_code_name(enum rpc_code code);    /* "not-found" */
enum rpc_code rpc_code_find(const char *name);    /* RPC_FAILED for a name that is none, or NULL */
enum rpc_code rpc_reply_code(const cJSON *reply); /* of a last line */

/* Of a negative errno. -ESTALE: not in this state; -ESRCH: the domain is gone. */
enum rpc_code rpc_code_of_errno(int code);

/* One end of a connection. Owns its descriptor. */
struct rpc_stream {
	int fd;
	char *in; /* bytes received and not taken yet */
	size_t nr_in, max_in;
	size_t taken;   /* of those, lines that were taken */
	size_t scanned; /* of those, without an end of line */
	char *out;      /* bytes to send */
	size_t nr_out, max_out;
	size_t sent; /* of those */
};

void rpc_stream_init(struct rpc_stream *s, int fd);
void rpc_stream_fini(struct rpc_stream *s); /* accepts one that is all zero but fd -1 */

/* Receives once. The number of bytes, 0 at the end, -EAGAIN, -ENOMEM, -EMSGSIZE for a line that is too
 * long, or another negative errno. */
must_check int rpc_stream_receive(struct rpc_stream *s);

/* The next line that has come whole: 1 and an object, to be deleted; 0: none. -EINVAL: not a JSON object. */
must_check int rpc_stream_take(struct rpc_stream *s, cJSON **ret_message);

/* Adds a line to what is to be sent. -ENOMEM, or -EMSGSIZE beyond RPC_LINE_MAX. */
must_check int rpc_stream_put(struct rpc_stream *s, const cJSON *message);

/* Sends what it can. 0: nothing is left, -EAGAIN: something is, or another negative errno. */
must_check int rpc_stream_send(struct rpc_stream *s);

/* A client's end; blocking. The error has a text. */
must_check int rpc_connect(const char *path, struct rpc_stream *ret_stream, struct err *err);

/* What to do with a line before the last one. Not 0: leave; rpc_call() returns that. */
typedef int (*rpc_news_fn)(void *argument, const cJSON *news);

/* Sends a request and waits for its last line, which is to be deleted. Returns 0 also when that line tells
 * of a failure; else a negative errno (lodged is gone, or speaks nonsense), or what news returned. news
 * may be NULL. */
must_check int rpc_call(struct rpc_stream *s, const cJSON *request, rpc_news_fn news,
			void *argument, cJSON **ret_reply, struct err *err);

#endif
