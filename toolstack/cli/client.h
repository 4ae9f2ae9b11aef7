/* The way to lodged's socket, or to another socket beside it: here, or on another host by ssh, where
 * `lodge proxy` carries it. Connects when something is to be asked, and stays connected. */
#ifndef LODGE_CLI_CLIENT_H
#define LODGE_CLI_CLIENT_H

#include "lib/rpc.h"

struct client {
	const char *socket; /* NULL: RPC_SOCKET */
	const char *host;   /* NULL: this one; else what ssh takes, perhaps with a user */
	const char *port;   /* of ssh; NULL: its own choice */
	char *url;          /* what host and port point into */
	bool is_connected;
	struct rpc_stream stream;
};

/* -EINVAL with a text where host is no ssh://[user@]host[:port]. NULL and "" are this host. */
must_check int client_init(struct client *c, const char *socket, const char *host, struct err *err);
void client_fini(struct client *c);

/* Sends a request and waits for its last line, which *ret_reply becomes, to be deleted. Not RPC_OK when
 * there is none; it was told then. news as for rpc_call(); NULL shows progress. */
must_check enum rpc_code client_call(struct client *c, const cJSON *request, rpc_news_fn news,
				     void *argument, cJSON **ret_reply);

/* A connection to a socket on lodged's host. A negative errno and a text, or the descriptor. */
must_check int client_open(const struct client *c, const char *path, struct err *err);

#endif
