/*
 * The connection to xenstore, below nodes.h: messages out and in. What the messages are about is its owner's.
 *
 * A connection that breaks is made anew by the loop. It begins with messages of the owner's, the greeting, which
 * are sent and answered without waiting: a store that hangs holds up nobody. When they are answered the
 * connection is up, and may be asked.
 */
#ifndef LODGE_DAEMON_WIRE_H
#define LODGE_DAEMON_WIRE_H

#include <sys/un.h>

#include "abi/xs-wire.h"
#include "daemon/loop.h"

struct batch;

struct wire {
	/* The owner's. begin: a connection is there, and wants its greeting. up: all of it is answered. event: takes
	 * over data, path and token; called from inside of any function here, and must not ask anything. */
	int (*begin)(struct wire *w);
	void (*up)(struct wire *w);
	void (*event)(struct wire *w, char *data, size_t bytes);

	struct loop *loop;
	struct loop_fd fd; /* of a connection that may not be up yet; -1: none */
	struct loop_timer reconnect;
	struct loop_task rest; /* what came behind an answer */
	char socket_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char in[2u * (XENSTORE_PAYLOAD_MAX + 16u)];
	size_t nr_in;

	bool is_up;
	/* Until it is: what it begins with, and how many answers are due. */
	char *greeting;
	size_t nr_greeting, max_greeting, sent, nr_due;
};

/* Memory of the caller's, zeroed but for its functions. Makes no connection yet. */
must_check int wire_init(struct wire *w, struct loop *l, const char *socket_path);
void wire_fini(struct wire *w); /* also after a failure of that */

/* Makes the connection, or waits for a store that is being restarted; nothing else is done meanwhile. */
must_check int wire_wait_until_up(struct wire *w, unsigned int timeout_ms);

/* Gives up the connection that there may be; the loop makes another. */
void wire_break(struct wire *w);

/* One more message of the greeting, then as much of all as the store takes. There is a connection. */
must_check int wire_greet(struct wire *w, uint32_t type, const char *data, size_t bytes);
must_check int wire_send_greeting(struct wire *w);

/* One request and its answer, which is the caller's, or freed (ret_data NULL). It is up. The error is the
 * store's, or one that wire_is_lost(). */
must_check int wire_ask(struct wire *w, uint32_t type, uint32_t tx_id, const char *data,
			size_t bytes, char **ret_data);

/* Whether the connection failed, which is the caller's to break, not the store refused. */
bool wire_is_lost(int error);

/* All of a batch; the errors are the connection's, those of requests are in their answers. */
must_check int wire_exchange(struct wire *w, struct batch *b);

#endif
