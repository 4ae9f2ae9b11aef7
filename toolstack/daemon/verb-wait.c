/* Verbs that take as long as the world does: wait and events. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/device.h"
#include "daemon/guest-json.h"
#include "daemon/guest.h"
#include "daemon/verbs.h"

#define LOOK_MS    100u
#define MAX_WAIT_S 604800u
#define TEXT_MAX   1024u
#define CHUNK      4096u

/* --- wait --- */

struct wait {
	struct guest_waiter waiter;
	struct loop_timer timer, look;
	struct request *request;
	struct guest *guest;
	bool (*is_over)(struct wait *w);
	const char *text; /* in the request, of console:TEXT */
	char *log;
	uint64_t position; /* in the log, searched so far */
};

static void wait_end(struct wait *w)
{
	guest_unwait(&w->waiter);
	loop_timer_stop(&w->timer);
	loop_timer_stop(&w->look);
	free(w->log);
	w->log = NULL;
}

static bool is_running(struct wait *w)
{
	return w->guest && w->guest->state == GUEST_RUNNING;
}

static bool is_stopped(struct wait *w)
{
	return !w->guest || ((w->guest->state == GUEST_OFF || w->guest->state == GUEST_ENDED) &&
			     !w->guest->is_restarting);
}

static bool has_address(struct wait *w)
{
	cJSON *addresses = cJSON_CreateArray();
	const struct device *d;
	bool is_one;

	if (w->guest) {
		list_for_each_entry(d, &w->guest->devices, node) {
			if (d->class->addresses)
				d->class->addresses(d, addresses);
		}
	}
	is_one = cJSON_GetArraySize(addresses) > 0;
	cJSON_Delete(addresses);
	return is_one;
}

/* Searches what has come since; keeps back as much as may be the text's beginning. */
static bool has_said(struct wait *w)
{
	int fd = open(w->log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	size_t length = strlen(w->text);
	char chunk[CHUNK];
	bool is_found = false;
	struct stat st;
	ssize_t got = 0;

	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && (uint64_t)st.st_size < w->position)
		w->position = 0; /* a new file: the old one was full */
	do {
		got = pread(fd, chunk, sizeof(chunk), (off_t)w->position);
		if (got < (ssize_t)length)
			break;
		is_found = memmem(chunk, (size_t)got, w->text, length) != NULL;
		w->position += (uint64_t)got - length + 1;
	} while (!is_found);
	close(fd);
	return is_found;
}

static void answer(struct wait *w)
{
	struct request *r = w->request;
	struct guest *g = w->guest;

	wait_end(w);
	request_ok(r, g ? guest_record(g, NULL) : NULL);
}

static void guest_has_changed(struct guest_waiter *waiter, struct guest *g)
{
	struct wait *w = container_of(waiter, struct wait, waiter);

	w->guest = g;
	if (w->is_over(w)) {
		answer(w);
	} else if (!g) {
		struct request *r = w->request;

		wait_end(w);
		request_fail(r, RPC_STATE, "it has ended, and is forgotten");
	}
}

static void look(struct loop_timer *t)
{
	struct wait *w = container_of(t, struct wait, look);

	if (w->is_over(w))
		answer(w);
	else if (w->is_over == has_said || w->is_over == has_address) /* nobody tells of these */
		loop_timer_start(&w->request->lodged->loop, t, LOOK_MS);
}

static void expire(struct loop_timer *t)
{
	struct wait *w = container_of(t, struct wait, timer);
	struct request *r = w->request;

	wait_end(w);
	request_fail(r, RPC_TIMEOUT, "it has not come about in time");
}

static void give_up(struct request *r)
{
	wait_end(r->private);
	request_fail(r, RPC_FAILED, "nobody waits");
}

static bool understand(struct wait *w, const char *text)
{
	static const char console[] = "console:";

	if (!strcmp(text, "running"))
		w->is_over = is_running;
	else if (!strcmp(text, "stopped"))
		w->is_over = is_stopped;
	else if (!strcmp(text, "address"))
		w->is_over = has_address;
	else if (!strncmp(text, console, strlen(console)) && text[strlen(console)] &&
		 strlen(text) < TEXT_MAX) {
		w->is_over = has_said;
		w->text = text + strlen(console);
		w->log = guest_console_log(w->guest);
	}
	return w->is_over && (w->is_over != has_said || w->log);
}

void verb_wait(struct lodged *l, struct request *r)
{
	struct guest *g = request_guest(r);
	const char *text = g ? request_need(r, "for") : NULL;
	uint64_t timeout_s;
	struct wait *w;

	if (!text || !request_number(r, "timeout_s", 0, MAX_WAIT_S, &timeout_s))
		return;
	w = request_private(r, sizeof(*w));
	if (!w)
		return;
	w->request = r;
	w->guest = g;
	if (!understand(w, text)) {
		request_fail(r, RPC_INVALID,
			     "what to wait for is running, stopped, address or console:TEXT");
		return;
	}
	w->waiter.changed = guest_has_changed;
	w->timer.fire = expire;
	w->look.fire = look;
	r->gone = give_up;
	guest_wait(g, &w->waiter);
	if (timeout_s)
		loop_timer_start(&l->loop, &w->timer, timeout_s * 1000);
	look(&w->look);
}

/* --- events --- */

struct listening {
	struct events_listener listener;
	struct request *request;
};

static void heard(struct events_listener *e, const cJSON *event)
{
	request_event(container_of(e, struct listening, listener)->request, event);
}

static void stop_listening(struct request *r)
{
	struct listening *l = r->private;

	events_unlisten(&l->listener);
	request_fail(r, RPC_FAILED, "nobody listens");
}

void verb_events(struct lodged *l, struct request *r)
{
	struct listening *listening = request_private(r, sizeof(*listening));

	if (!listening)
		return;
	listening->request = r;
	listening->listener.heard = heard;
	r->gone = stop_listening;
	events_listen(&l->events, &listening->listener);
}
