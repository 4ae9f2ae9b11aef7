/* The client of xenstore. See store.h. Only one vCPU may use it, one request is under way at a time. */
#include "front/store.h"

#include <stdarg.h>

#include "front/console.h"
#include "guest/console.h"
#include "guest/event.h"
#include "guest/hypercall.h"
#include "ring/stream.h"

#define STORE_TIMEOUT (30 * SEC)
#define MAX_EVENTS    32 /* that wait to be fetched; more are lost */

struct xenstore_domain_interface *store_ring;
uint32_t store_port;

static struct stream requests, replies;
static uint32_t last_id;
static struct store_event events[MAX_EVENTS];
static unsigned int first_event, nr_events;

static const struct {
	const char *name;
	int err;
} errors[] = {
	{ "EINVAL", XEN_EINVAL }, { "EACCES", XEN_EACCES }, { "EEXIST", XEN_EEXIST },
	{ "EISDIR", XEN_EINVAL }, { "ENOENT", XEN_ENOENT }, { "ENOMEM", XEN_ENOMEM },
	{ "ENOSPC", XEN_ENOSPC }, { "EIO", XEN_EIO },       { "ENOTEMPTY", XEN_ENOTEMPTY },
	{ "ENOSYS", XEN_ENOSYS }, { "EROFS", XEN_EROFS },   { "EBUSY", XEN_EBUSY },
	{ "EAGAIN", XEN_EAGAIN }, { "EPERM", XEN_EPERM },   { "E2BIG", XEN_E2BIG },
};

static int error_of(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++) {
		if (!strcmp(errors[i].name, name))
			return -errors[i].err;
	}
	return -XEN_EIO;
}

static int send(const void *data, size_t size)
{
	const char *from = data;

	while (size) {
		int32_t count = stream_write(&requests, from, (uint32_t)size);

		if (count < 0)
			return -XEN_EIO;
		if (!count && !HALT_UNTIL(stream_room(&requests), STORE_TIMEOUT))
			return -XEN_ETIMEDOUT;
		if (!count)
			continue;
		event_send(store_port);
		from += count;
		size -= (size_t)count;
	}
	return 0;
}

/* The next bytes, of which those beyond `kept` are passed over. */
static int receive(void *data, size_t size, size_t kept)
{
	char *to = data, passed[64] = "";

	for (size_t done = 0; done < size;) {
		size_t wanted = done < kept ? kept - done : MIN(size - done, sizeof(passed));
		int32_t count =
			stream_read(&replies, done < kept ? to + done : passed, (uint32_t)wanted);

		if (count < 0)
			return -XEN_EIO;
		if (!count && !HALT_UNTIL(stream_waiting(&replies), STORE_TIMEOUT))
			return -XEN_ETIMEDOUT;
		if (count)
			event_send(store_port);
		done += (size_t)count;
	}
	return 0;
}

/* --- messages --- */

static int keep_event(const struct xsd_sockmsg *message)
{
	static char text[XENSTORE_PAYLOAD_MAX + 1];
	struct store_event *event = &events[(first_event + nr_events) % MAX_EVENTS];
	size_t kept = MIN(message->len, (size_t)XENSTORE_PAYLOAD_MAX), path;
	int err = receive(text, message->len, kept);

	if (err || nr_events == MAX_EVENTS)
		return err;
	text[kept] = '\0';
	path = strlen(text);
	snprintf(event->path, sizeof(event->path), "%s", text);
	snprintf(event->token, sizeof(event->token), "%s", path < kept ? text + path + 1 : "");
	nr_events++;
	return 0;
}

static int receive_reply(uint32_t id, char *reply, size_t size)
{
	struct xsd_sockmsg message = { 0 };
	size_t kept;
	int err;

	for (;;) {
		err = receive(&message, sizeof(message), sizeof(message));
		if (err)
			return err;
		if (message.type != XS_WATCH_EVENT)
			break;
		err = keep_event(&message);
		if (err)
			return err;
	}
	kept = MIN(message.len, size - 1);
	err = receive(reply, message.len, kept);
	if (err)
		return err;
	reply[kept] = '\0';
	if (message.req_id != id)
		return -XEN_EIO;
	return message.type == XS_ERROR ? error_of(reply) : (int)message.len;
}

int store_request(uint32_t type, uint32_t tx, const struct store_part *parts, unsigned int count,
		  char *reply, size_t size)
{
	struct xsd_sockmsg message = { .type = type, .req_id = ++last_id, .tx_id = tx };
	int err;

	for (unsigned int i = 0; i < count; i++)
		message.len += (uint32_t)parts[i].size;
	err = send(&message, sizeof(message));
	for (unsigned int i = 0; i < count && !err; i++)
		err = send(parts[i].data, parts[i].size);
	return err ? err : receive_reply(message.req_id, reply, size);
}

/* A request whose argument is one or two strings, each with its end, and whose answer is "OK". */
static int order(uint32_t type, uint32_t tx, const char *first, const char *second)
{
	struct store_part parts[] = {
		{ first, strlen(first) + 1 },
		{ second, second ? strlen(second) + 1 : 0 },
	};
	char reply[32];
	int ret = store_request(type, tx, parts, second ? 2 : 1, reply, sizeof(reply));

	return ret < 0 ? ret : 0;
}

static int fetch(uint32_t type, uint32_t tx, const char *path, char *ret_value, size_t size)
{
	struct store_part part = { path, strlen(path) + 1 };
	int ret = store_request(type, tx, &part, 1, ret_value, size);

	return ret >= (int)size ? -XEN_E2BIG : ret;
}

/* --- what users call --- */

int store_read(uint32_t tx, const char *path, char *ret_value, size_t size)
{
	return fetch(XS_READ, tx, path, ret_value, size);
}

int store_list(uint32_t tx, const char *path, char *ret_names, size_t size)
{
	return fetch(XS_DIRECTORY, tx, path, ret_names, size);
}

bool parse_number(const char *text, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		number = number * 10 + (uint64_t)(*text - '0');
	}
	*ret_number = number;
	return true;
}

int store_read_number(uint32_t tx, const char *path, uint64_t *ret_number)
{
	char text[STORE_VALUE_MAX] = "";
	int ret = store_read(tx, path, text, sizeof(text));

	if (ret < 0)
		return ret;
	return parse_number(text, ret_number) ? 0 : -XEN_EINVAL;
}

int store_write(uint32_t tx, const char *path, const char *format, ...)
{
	char value[STORE_VALUE_MAX], reply[32];
	struct store_part parts[] = { { path, strlen(path) + 1 }, { value, 0 } };
	va_list args;
	int ret;

	va_start(args, format);
	ret = vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	if (ret >= (int)sizeof(value))
		return -XEN_E2BIG;
	parts[1].size = (size_t)ret;
	ret = store_request(XS_WRITE, tx, parts, 2, reply, sizeof(reply));
	return ret < 0 ? ret : 0;
}

int store_remove(uint32_t tx, const char *path)
{
	return order(XS_RM, tx, path, NULL);
}

int store_begin(uint32_t *ret_tx)
{
	char text[16] = "";
	uint64_t tx = 0;
	int ret = fetch(XS_TRANSACTION_START, STORE_NO_TX, "", text, sizeof(text));

	if (ret < 0)
		return ret;
	if (!parse_number(text, &tx))
		return -XEN_EIO;
	*ret_tx = (uint32_t)tx;
	return 0;
}

int store_end(uint32_t tx, bool commit)
{
	return order(XS_TRANSACTION_END, tx, commit ? "T" : "F", NULL);
}

int store_watch(const char *path, const char *token)
{
	return order(XS_WATCH, STORE_NO_TX, path, token);
}

int store_unwatch(const char *path, const char *token)
{
	return order(XS_UNWATCH, STORE_NO_TX, path, token);
}

bool store_has_event(void)
{
	return nr_events || stream_waiting(&replies) > 0;
}

bool store_next_event(struct store_event *ret_event)
{
	struct xsd_sockmsg message = { 0 };

	/* No request is under way: what there is must be events. */
	while (stream_waiting(&replies) > 0) {
		if (receive(&message, sizeof(message), sizeof(message)) || keep_event(&message))
			break;
	}
	if (!nr_events)
		return false;
	*ret_event = events[first_event];
	first_event = (first_event + 1) % MAX_EVENTS;
	nr_events--;
	return true;
}

int store_init(void)
{
	uint64_t gfn = domain_param(HVM_PARAM_STORE_PFN);

	store_port = (uint32_t)domain_param(HVM_PARAM_STORE_EVTCHN);
	if (!gfn || !store_port)
		return -XEN_ENODEV;
	store_ring = (struct xenstore_domain_interface *)(gfn << PAGE_SHIFT);
	stream_attach(&requests, store_ring->req, sizeof(store_ring->req), &store_ring->req_prod,
		      &store_ring->req_cons);
	stream_attach(&replies, store_ring->rsp, sizeof(store_ring->rsp), &store_ring->rsp_cons,
		      &store_ring->rsp_prod);
	event_unmask(store_port);
	return 0;
}
