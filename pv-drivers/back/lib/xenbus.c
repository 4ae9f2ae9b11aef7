/* See the table in xenbus.h. */
#include "back/lib/xenbus.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "back/lib/platform.h"
#include "lib/cleanup.h"
#include "lib/size.h"

#define PATH_BYTES 256
#define EVENTS_MAX 64 /* at one step: the guest must not keep us busy with its nodes */

static int path_of(const char *folder, const char *name, char ret_path[PATH_BYTES])
{
	return snprintf(ret_path, PATH_BYTES, "%s/%s", folder, name) < PATH_BYTES ? 0
										  : -ENAMETOOLONG;
}

static char *read_node(struct xenbus *x, const char *folder, const char *name)
{
	char path[PATH_BYTES];

	return path_of(folder, name, path) ? NULL : platform_read(x->platform, path);
}

char *xenbus_ask_text(struct xenbus *x, const char *name)
{
	return read_node(x, x->front, name);
}

char *xenbus_own(struct xenbus *x, const char *name)
{
	return read_node(x, x->back, name);
}

int xenbus_ask(struct xenbus *x, const char *name, uint64_t max, uint64_t *ret_number,
	       struct err *err)
{
	char *text cleanup_free = xenbus_ask_text(x, name);
	uint64_t number;

	if (!text)
		return err_set(err, -ENOENT, "the guest has no node %s", name);
	if (number_parse(text, &number, err) || number > max)
		return err_set(err, -EINVAL, "the guest's node %s is not a number up to %llu", name,
			       (unsigned long long)max);
	*ret_number = number;
	return 0;
}

int xenbus_ask_or(struct xenbus *x, const char *name, uint64_t max, uint64_t fallback,
		  uint64_t *ret_number, struct err *err)
{
	int code = xenbus_ask(x, name, max, ret_number, err);

	if (code != -ENOENT)
		return code;
	*ret_number = fallback;
	return 0;
}

static int write_node(struct xenbus *x, const char *name, const char *text)
{
	char path[PATH_BYTES];
	int code = path_of(x->back, name, path);

	return code ? code : platform_write(x->platform, path, text);
}

int xenbus_tell(struct xenbus *x, const char *name, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	/* The analyzer takes va_start() for nothing here. NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return write_node(x, name, text);
}

int xenbus_set_state(struct xenbus *x, enum xenbus_state state)
{
	int code = xenbus_tell(x, "state", "%d", (int)state);

	if (!code)
		x->state = state;
	return code;
}

/* Unknown when there is no such node or it is no state. */
static enum xenbus_state read_state(struct xenbus *x, const char *folder)
{
	char *text cleanup_free = read_node(x, folder, "state");
	struct err ignored;
	uint64_t state;

	if (!text || number_parse(text, &state, &ignored) || state > XenbusStateReconfigured)
		return XenbusStateUnknown;
	return (enum xenbus_state)state;
}

static bool is_online(struct xenbus *x)
{
	char *text cleanup_free = xenbus_own(x, "online");

	return !text || strcmp(text, "0") != 0;
}

static void disconnect(struct xenbus *x)
{
	if (x->is_connected)
		x->ops->disconnect(x);
	x->is_connected = false;
}

void xenbus_fail(struct xenbus *x, const struct err *err)
{
	disconnect(x);
	x->has_failed = true;
	if (write_node(x, "error", err->text) || xenbus_set_state(x, XenbusStateClosing))
		x->state = XenbusStateClosing; /* the store is gone; xenbus_step() will see it */
}

static int announce(struct xenbus *x, struct err *err)
{
	int code = x->ops->announce(x, err);

	if (code)
		return err_wrap(err, code, "telling what the device can do");
	code = xenbus_set_state(x, XenbusStateInitWait);
	return code ? err_errno(err, code, "xenstore") : 0;
}

static int connect_device(struct xenbus *x, struct err *err)
{
	struct err why;
	int code = x->ops->connect(x, x->is_takeover, &why);

	x->is_takeover = false;
	if (code) {
		xenbus_fail(x, &why);
		return 0;
	}
	x->is_connected = true;
	if (x->state == XenbusStateConnected)
		return 0;
	code = xenbus_set_state(x, XenbusStateConnected);
	return code ? err_errno(err, code, "xenstore") : 0;
}

static int close_to(struct xenbus *x, enum xenbus_state state, struct err *err)
{
	int code = 0;

	disconnect(x);
	x->is_takeover = false; /* what connects after this is new */
	if (x->state != state)
		code = xenbus_set_state(x, state);
	return code ? err_errno(err, code, "xenstore") : 0;
}

/* What the frontend's state asks for. */
static int follow(struct xenbus *x, enum xenbus_state peer, struct err *err)
{
	switch (peer) {
	case XenbusStateInitialising:
		if (x->state == XenbusStateClosed && !x->has_failed && is_online(x))
			return announce(x, err);
		return 0;
	case XenbusStateInitialised:
	case XenbusStateConnected:
		if (!x->is_connected && !x->has_failed &&
		    (x->state == XenbusStateInitWait || x->is_takeover))
			return connect_device(x, err);
		return 0;
	case XenbusStateClosing:
		return close_to(x, XenbusStateClosing, err);
	case XenbusStateClosed:
		x->is_over = !is_online(x);
		return close_to(x, XenbusStateClosed, err);
	case XenbusStateUnknown:
		x->is_over = true;
		return close_to(x, XenbusStateClosed, err);
	default:
		return 0;
	}
}

static int act(struct xenbus *x, struct err *err)
{
	enum xenbus_state peer = read_state(x, x->front);

	/* The frontend closes first: its pages are in use until it says so. */
	if (!is_online(x) && x->state != XenbusStateClosing && x->state != XenbusStateClosed &&
	    peer != XenbusStateUnknown && peer != XenbusStateClosed) {
		int code = xenbus_set_state(x, XenbusStateClosing);

		if (code)
			return err_errno(err, code, "xenstore");
		if (!x->is_connected) { /* nobody there to follow */
			x->is_over = true;
			return close_to(x, XenbusStateClosed, err);
		}
	}
	return follow(x, peer, err);
}

int xenbus_watch(struct xenbus *x, struct err *err)
{
	char path[PATH_BYTES];
	int code = path_of(x->front, "state", path);

	platform_confine(x->platform, x->back);
	if (!code)
		code = platform_watch(x->platform, path);
	if (!code)
		code = platform_watch(x->platform, x->back);
	return code ? err_errno(err, code, "xenstore") : 0;
}

int xenbus_start(struct xenbus *x, struct err *err)
{
	int code;

	x->state = read_state(x, x->back);
	x->is_takeover = x->state == XenbusStateConnected;
	code = x->state == XenbusStateUnknown || x->state == XenbusStateInitialising ||
			       x->state == XenbusStateInitWait
		       ? announce(x, err)
		       : 0;
	return code ? code : act(x, err);
}

int xenbus_step(struct xenbus *x, void (*changed)(struct xenbus *x, const char *path),
		struct err *err)
{
	size_t length = strlen(x->back);
	char path[PATH_BYTES];
	bool has_news = false;
	int code;

	for (int i = 0; i < EVENTS_MAX; i++) {
		code = platform_changed(x->platform, path, sizeof(path));
		if (code < 0)
			return err_errno(err, code, "xenstore");
		if (!code)
			break;
		has_news = true;
		if (changed && !strncmp(path, x->back, length) && path[length] == '/' &&
		    strcmp(path + length + 1, "state") != 0)
			changed(x, path + length + 1);
	}
	return has_news ? act(x, err) : 0;
}
