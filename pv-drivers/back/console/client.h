/* A connection to the daemon's socket. Its first line says what it wants (docs/console.md); a viewer then gets the
 * guest's output as it is. What a client does not fetch in time is skipped, and it is told how much. */
#ifndef LODGE_CONSOLE_CLIENT_H
#define LODGE_CONSOLE_CLIENT_H

#include "lib/list.h"

#define CLIENT_BUFFER (64u << 10) /* output that waits for one client */
#define CLIENT_MAX    256u

struct console;
struct guest;

struct client {
	struct list_node node; /* console->clients */
	int fd;
	struct guest *guest; /* NULL: has not said what it wants, or only gets what is in out */
	bool is_silent;      /* it has shut down its side: only looks on */
	bool is_ending;      /* is closed as soon as out is empty */
	bool has_ended;      /* is closed at the end of the turn */
	size_t nr_command;
	size_t nr_out, sent;
	uint64_t skipped; /* bytes that did not fit into out */
	char command[128];
	char out[CLIENT_BUFFER];
};

/* Takes the connections that wait. */
void client_accept(struct console *c);
void client_destroy(struct console *c, struct client *client);

/* What to poll() for. */
short client_events(struct console *c, const struct client *client);

/* After poll(): reads, and sends. */
void client_serve(struct console *c, struct client *client, short events);

/* Output of its guest. */
void client_show(struct client *client, const char *data, size_t size);

/* Its guest is gone: what is in out is sent, then it ends. */
void client_leave(struct client *client);

#endif
