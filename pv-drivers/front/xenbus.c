/* Devices in xenstore. See xenbus.h. */
#include "front/xenbus.h"

#include <stdarg.h>

#include "guest/console.h"
#include "guest/event.h"
#include "guest/hypercall.h"

#define PATH_MAX      192
#define MAX_ATTEMPTS  20
#define CLOSE_TIMEOUT (30 * SEC)
#define WATCH_TOKEN   "backend"

static int read_ends(struct xenbus_device *d)
{
	char path[PATH_MAX];
	uint64_t domid;
	int ret;

	snprintf(path, sizeof(path), "%s/backend", d->path);
	ret = store_read(STORE_NO_TX, path, d->backend, sizeof(d->backend));
	if (ret < 0)
		return ret;
	snprintf(path, sizeof(path), "%s/backend-id", d->path);
	ret = store_read_number(STORE_NO_TX, path, &domid);
	if (!ret)
		d->backend_domid = (uint16_t)domid;
	return ret;
}

int xenbus_find(const char *type, unsigned int index, struct xenbus_device *ret_device)
{
	char folder[32], names[1024];
	const char *name = names;
	int size;

	snprintf(folder, sizeof(folder), "device/%s", type);
	size = store_list(STORE_NO_TX, folder, names, sizeof(names));
	if (size < 0)
		return size;
	for (; name < names + size && index; index--)
		name += strlen(name) + 1;
	if (name >= names + size)
		return -XEN_ENOENT;
	snprintf(ret_device->path, sizeof(ret_device->path), "%s/%s", folder, name);
	return read_ends(ret_device);
}

int xenbus_write(const struct xenbus_device *d, uint32_t tx, const char *node, const char *format,
		 ...)
{
	char path[PATH_MAX], value[STORE_VALUE_MAX];
	va_list args;

	snprintf(path, sizeof(path), "%s/%s", d->path, node);
	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	return store_write(tx, path, "%s", value);
}

int xenbus_backend_text(const struct xenbus_device *d, const char *node, char *ret_text,
			size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", d->backend, node);
	return store_read(STORE_NO_TX, path, ret_text, size);
}

uint64_t xenbus_backend_number(const struct xenbus_device *d, const char *node)
{
	char text[STORE_VALUE_MAX];
	uint64_t number;

	if (xenbus_backend_text(d, node, text, sizeof(text)) < 0 || !parse_number(text, &number))
		return 0;
	return number;
}

int xenbus_switch_state(const struct xenbus_device *d, enum xenbus_state state)
{
	return xenbus_write(d, STORE_NO_TX, "state", "%u", state);
}

enum xenbus_state xenbus_backend_state(const struct xenbus_device *d)
{
	return (enum xenbus_state)xenbus_backend_number(d, "state");
}

/* Any event is a reason to look: what it says is not needed, because one watch is set. */
static void wait_for_event(uint64_t timeout_ns)
{
	struct store_event event;

	if (HALT_UNTIL(store_has_event(), timeout_ns))
		store_next_event(&event);
}

bool xenbus_wait_backend(const struct xenbus_device *d, unsigned int states, uint64_t timeout_ns)
{
	uint64_t end = clock_ns() + timeout_ns;
	char path[PATH_MAX];
	bool is_there = false;

	snprintf(path, sizeof(path), "%s/state", d->backend);
	if (store_watch(path, WATCH_TOKEN))
		return false;
	for (;;) {
		uint64_t now = clock_ns();

		is_there = XENBUS_IS(xenbus_backend_state(d)) & states;
		if (is_there || now >= end)
			break;
		wait_for_event(end - now);
	}
	store_unwatch(path, WATCH_TOKEN);
	return is_there;
}

bool xenbus_close(const struct xenbus_device *d)
{
	unsigned int closed = XENBUS_IS(XenbusStateClosed) | XENBUS_IS(XenbusStateUnknown);
	bool has_followed;

	if (xenbus_switch_state(d, XenbusStateClosing))
		return false;
	has_followed =
		xenbus_wait_backend(d, closed | XENBUS_IS(XenbusStateClosing), CLOSE_TIMEOUT);
	if (xenbus_switch_state(d, XenbusStateClosed))
		return false;
	closed |= XENBUS_IS(XenbusStateInitWait); /* ready for the next start */
	return has_followed && xenbus_wait_backend(d, closed, CLOSE_TIMEOUT);
}

int xenbus_publish(int (*fill)(uint32_t tx, void *context), void *context)
{
	int err = 0;

	for (unsigned int i = 0; i < MAX_ATTEMPTS; i++) {
		uint32_t tx;

		err = store_begin(&tx);
		if (err)
			break;
		err = fill(tx, context);
		if (err) {
			store_end(tx, false);
			break;
		}
		err = store_end(tx, true);
		if (err != -XEN_EAGAIN)
			break;
	}
	return err;
}
