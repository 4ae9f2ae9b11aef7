/* One turn of the store: waits, then looks at each client that has something, for a bounded time each. */
#ifndef LODGE_STORE_SERVE_H
#define LODGE_STORE_SERVE_H

#include "lib/util.h"

struct store;

struct listener {
	int fd; /* -1: none */
	int read_only_fd;
};

/* Everything that can be done without waiting for the clients that are ready. */
void serve_ready(struct store *s);

/* Waits up to timeout_ms (-1: for ever) and serves. signal_fd ends the wait, too; 1 when it has. */
must_check int serve_turn(struct store *s, const struct listener *l, int signal_fd, int timeout_ms);

#endif
