/* Viewers: see client.h. */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "console.h"
#include "lib/log.h"

#define LINES_SHOWN 20u      /* of the log, to a viewer that does not say how many */
#define LINES_MAX   1000000u /* and at most; CLIENT_BUFFER limits them, too */
#define NOTICE_ROOM 64u      /* in the buffer, for our own lines */

static bool client_is_writer(const struct client *client)
{
	return client->guest && client->guest->writer == client;
}

static void put(struct client *client, const char *data, size_t size)
{
	memcpy(client->out + client->nr_out, data, size);
	client->nr_out += size;
}

/* A line of ours. It fits: there was room, or the client is not a viewer yet. */
__attribute__((format(printf, 2, 3))) static void say(struct client *client, const char *format,
						      ...)
{
	char line[256];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	put(client, line,
	    MIN(MIN((size_t)n, sizeof(line) - 1), sizeof(client->out) - client->nr_out));
}

void client_show(struct client *client, const char *data, size_t size)
{
	size_t room = sizeof(client->out) - NOTICE_ROOM;
	size_t fits =
		client->skipped || client->nr_out > room ? 0 : MIN(size, room - client->nr_out);

	put(client, data, fits);
	client->skipped += size - fits;
}

void client_leave(struct client *client)
{
	if (client_is_writer(client))
		client->guest->writer = NULL;
	client->guest = NULL;
	client->is_ending = true;
}

void client_accept(struct console *c)
{
	struct client *client;
	int fd = accept4(c->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	client = malloc(sizeof(*client));
	if (!client) {
		log_line("no memory for another client");
		close(fd);
		return;
	}
	memset(client, 0, offsetof(struct client, out));
	client->fd = fd;
	list_push_back(&c->clients, &client->node);
	c->nr_clients++;
}

void client_destroy(struct console *c, struct client *client)
{
	client_leave(client);
	close(client->fd);
	list_remove(&client->node);
	c->nr_clients--;
	free(client);
}

short client_events(struct console *c, const struct client *client)
{
	short events = client->nr_out || client->is_ending ? POLLOUT : 0;

	/* What a writer types waits in its socket until the guest has room. */
	if (!client->is_ending && !client->is_silent &&
	    (!client_is_writer(client) || guest_space(c, client->guest)))
		events |= POLLIN;
	return events;
}

/* --- the first line ----------------------------------------------------------------------------- */

struct command {
	bool is_tail, is_read_only, is_force, is_own;
	unsigned int domid, lines;
};

static bool parse_number(const char *word, unsigned int max, unsigned int *ret_number)
{
	unsigned long n;
	char *end;

	if (!word || *word < '0' || *word > '9')
		return false;
	n = strtoul(word, &end, 10);
	if (*end || n > max)
		return false;
	*ret_number = (unsigned int)n;
	return true;
}

/* attach DOMID [read-only|force] [own] [lines N], or tail DOMID N */
static bool parse_command(char *line, struct command *ret_command)
{
	struct command k = { .lines = LINES_SHOWN };
	char *rest, *word = strtok_r(line, " \r", &rest);

	if (!word || (strcmp(word, "attach") != 0 && strcmp(word, "tail") != 0))
		return false;
	k.is_tail = !strcmp(word, "tail");
	if (!parse_number(strtok_r(NULL, " \r", &rest), UINT16_MAX, &k.domid))
		return false;
	if (k.is_tail && !parse_number(strtok_r(NULL, " \r", &rest), LINES_MAX, &k.lines))
		return false;
	while ((word = strtok_r(NULL, " \r", &rest))) {
		bool is_known = !k.is_tail;

		if (!strcmp(word, "read-only"))
			k.is_read_only = true;
		else if (!strcmp(word, "force"))
			k.is_force = true;
		else if (!strcmp(word, "own"))
			k.is_own = true;
		else
			is_known &= !strcmp(word, "lines") &&
				    parse_number(strtok_r(NULL, " \r", &rest), LINES_MAX, &k.lines);
		if (!is_known)
			return false;
	}
	*ret_command = k;
	return true;
}

/* Of the guest's own: not what guests of its name have said before it. */
static void show_log(struct client *client, const struct guest *g, const struct command *k)
{
	size_t room = sizeof(client->out) - NOTICE_ROOM - client->nr_out;

	if (k->is_own)
		room = MIN(room, g->log.written);
	client->nr_out += log_file_tail(&g->log, k->lines, client->out + client->nr_out, room);
}

static void attach(struct client *client, struct guest *g, const struct command *k)
{
	struct client *former = g->writer;
	bool is_writer = !k->is_read_only && (!former || k->is_force);

	if (is_writer && former)
		say(former, "\r\n[lodge-console: somebody else types now]\r\n");
	if (is_writer)
		g->writer = client;
	client->guest = g;
	say(client, "ok %s %s\n", is_writer ? "writer" : "viewer", g->name);
}

static void run_command(struct console *c, struct client *client)
{
	struct command k;
	struct guest *g;

	client->is_ending = true;
	if (!parse_command(client->command, &k)) {
		say(client,
		    "error attach DOMID [read-only|force] [own] [lines N], or tail DOMID N\n");
		return;
	}
	g = console_find(c, (uint16_t)k.domid);
	if (!g) {
		say(client, "error domain %u has no console\n", k.domid);
		return;
	}
	if (k.is_tail) {
		guest_flush(c, g);
		say(client, "ok tail %s\n", g->name);
	} else {
		client->is_ending = false;
		attach(client, g, &k);
	}
	show_log(client, g, &k);
}

/* --- input and output --------------------------------------------------------------------------- */

/* Reads no further than the end of the line: what follows is for the guest, in its time. */
static void read_command(struct console *c, struct client *client)
{
	char *at = client->command + client->nr_command, *end;
	size_t room = sizeof(client->command) - 1 - client->nr_command;
	ssize_t n = recv(client->fd, at, room, MSG_PEEK);
	size_t length;

	if (n <= 0) {
		client->has_ended |= !n || (errno != EAGAIN && errno != EINTR);
		return;
	}
	end = memchr(at, '\n', (size_t)n);
	length = end ? (size_t)(end - at) + 1 : (size_t)n;
	if (recv(client->fd, at, length, 0) != (ssize_t)length) {
		client->has_ended = true;
		return;
	}
	client->nr_command += length;
	if (!end && client->nr_command < sizeof(client->command) - 1)
		return;
	client->command[client->nr_command - (end ? 1 : 0)] = '\0';
	run_command(c, client);
}

static void read_input(struct console *c, struct client *client)
{
	char buffer[1024];
	size_t room = sizeof(buffer);
	ssize_t n;

	if (client_is_writer(client))
		room = MIN(room, guest_space(c, client->guest));
	if (!room)
		return;
	n = recv(client->fd, buffer, room, 0);
	if (n > 0 && client_is_writer(client))
		(void)!guest_type(c, client->guest, buffer, (size_t)n);
	client->is_silent |= !n;
	client->has_ended |= n < 0 && errno != EAGAIN && errno != EINTR;
}

static void send_output(struct client *client)
{
	ssize_t n = send(client->fd, client->out + client->sent, client->nr_out - client->sent,
			 MSG_NOSIGNAL);

	if (n < 0) {
		client->has_ended |= errno != EAGAIN && errno != EINTR;
		return;
	}
	client->sent += (size_t)n;
	if (client->sent < client->nr_out)
		return;
	client->sent = 0;
	client->nr_out = 0;
	if (client->skipped)
		say(client, "\r\n[lodge-console: %llu bytes were skipped]\r\n",
		    (unsigned long long)client->skipped);
	client->skipped = 0;
}

void client_serve(struct console *c, struct client *client, short events)
{
	if (events & (POLLERR | POLLHUP) && !(events & POLLIN))
		client->has_ended = true;
	if (events & POLLIN && !client->is_ending)
		(client->guest ? read_input : read_command)(c, client);
	if (client->nr_out && !client->has_ended)
		send_output(client);
	client->has_ended |= client->is_ending && !client->nr_out;
}
