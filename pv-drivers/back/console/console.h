/*
 * All consoles: the guests whose rings are served, and the clients that look at them. One thread.
 *
 * A guest that has had an event is ready: its port stays masked, and every turn takes at most a ringful of its
 * output, until nothing is left. Output and events cost the guest from its budget, which fills up with time. A
 * guest without budget is left alone until there is some: its ring fills up, and it waits. So one guest costs the
 * others no more than a ringful a turn, whatever it does.
 *
 * Output is consumed after it has been written to the log. A daemon that is killed in between writes that piece
 * again when it is back: nothing is lost.
 */
#ifndef LODGE_CONSOLE_CONSOLE_H
#define LODGE_CONSOLE_CONSOLE_H

#include <sys/types.h>

#include "lib/list.h"
#include "log-file.h"
#include "platform.h"
#include "ring/stream.h"

struct client;

struct guest {
	struct list_node node;  /* console->guests */
	struct list_node ready; /* console->ready */
	uint16_t domid;
	uint32_t port; /* local */
	struct xencons_interface *page;
	struct stream out,
		in; /* of the page; our indices in it say where a daemon that is started anew goes on */
	bool has_failed; /* its ring made no sense: it is not looked at any more */
	int64_t budget;  /* bytes; below 0 after an event too many */
	uint64_t budget_time_ns;
	struct log_file log;
	struct client *writer; /* NULL: nobody types */
	char name[64];
};

struct console_options {
	const char *log_dir;
	off_t log_size;         /* of each file of a log */
	unsigned int rate_kib;  /* of output that a guest may write in a second, for longer times */
	unsigned int burst_kib; /* and at once */
};

/* Guests by a small number. */
struct guest_table {
	struct guest **items;
	size_t nr; /* numbers that there is room for */
};

struct console {
	struct platform *platform;
	const struct console_options *options;
	struct list guests, ready, clients;
	struct guest_table by_port, by_domid;
	unsigned int nr_clients;
	bool has_news; /* perhaps, of the store, that no descriptor tells of any more */
	int listen_fd;
	int stop_fd; /* readable: an end is asked for */
};

/* Finds the guests that are there. listen_fd and stop_fd may be -1. */
must_check int console_create(struct platform *p, const struct console_options *o, int listen_fd,
			      int stop_fd, struct console **ret_console);
void console_destroy(struct console *c); /* takes what the rings still hold */

/* Waits for something to do, until the time, -1 for ever, and does some of it. 1: an end is asked for. -EIO: the
 * store is gone. */
must_check int console_turn(struct console *c, int timeout_ms);

/* NULL: no guest, or one without a console. Looks also at the store, in case it is new. */
struct guest *console_find(struct console *c, uint16_t domid);

/* All that its ring holds now goes to its log and its viewers, whatever its budget. */
void guest_flush(struct console *c, struct guest *g);

/* Input for a guest. How much of it was taken; the rest has to wait. */
size_t guest_type(struct console *c, struct guest *g, const char *data, size_t size);
size_t guest_space(struct console *c, struct guest *g);

#endif
