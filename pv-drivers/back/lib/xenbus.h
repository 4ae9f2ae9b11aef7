/* The backend's half of a device's life in the store: it tells what it can do, waits for the frontend, connects,
 * and follows the frontend when that closes. What a device is, the caller's functions know.
 *
 *	ours			the frontend's		what happens
 *	(new) Initialising	any			announce(), InitWait
 *	InitWait		Initialised, Connected	connect(), Connected
 *	Connected		Closing			disconnect(), Closing
 *	any			Closed			disconnect(), Closed; with "online" 0 that is the end
 *	any			gone			disconnect(), Closed, the end
 *	Closed			Initialising		announce(), InitWait: the guest starts anew
 *	any, "online" 0					Closing: lodged unplugs the device; the frontend follows
 *
 * A process that finds its own state Connected takes the place of one that has died: it does not announce, and
 * connect() is told to take over. The guest notices nothing.
 *
 * The paths are lodged's, the values in the frontend's folder are the guest's: they are read by the functions here,
 * which refuse what is not a number in range. */
#ifndef LODGE_BACK_XENBUS_H
#define LODGE_BACK_XENBUS_H

#include "abi/xenbus.h"
#include "lib/err.h"

struct platform;
struct xenbus;

struct xenbus_ops {
	/* Writes what the backend can do, by xenbus_tell(). */
	int (*announce)(struct xenbus *x, struct err *err);
	/* Reads the frontend's nodes and takes the rings; undoes all of it when it fails. */
	int (*connect)(struct xenbus *x, bool is_takeover, struct err *err);
	/* Gives everything of the guest's back. Called only after connect() was right. */
	void (*disconnect)(struct xenbus *x);
};

struct xenbus {
	struct platform *platform;
	const struct xenbus_ops *ops;
	const char *front; /* path of the frontend's folder, and of ours */
	const char *back;
	enum xenbus_state state;
	bool is_connected;
	bool is_takeover; /* at the start: another process was Connected */
	bool has_failed;  /* stays closed until the process is started anew */
	bool is_over;     /* nothing is left to do: the process ends */
};

/* Gives up the rights to all nodes but the device's, and asks the store to tell of changes. The store's library starts a thread for that, so it comes before a process
 * shuts itself in, and the rest after. Zero x before, but for platform, ops, front and back. */
must_check int xenbus_watch(struct xenbus *x, struct err *err);

/* Looks at the states and does what there is to do. */
must_check int xenbus_start(struct xenbus *x, struct err *err);

/* To be called when the store's descriptor is readable. -EIO: the store is gone; the process should end, to be
 * started anew: rings go on meanwhile. changed, if not NULL, hears of nodes of the device that are neither state. */
must_check int xenbus_step(struct xenbus *x, void (*changed)(struct xenbus *x, const char *path),
			   struct err *err);

/* The device cannot go on, for the reason in err: it is written to the node "error", for lodged to show, and the
 * device is closed. */
void xenbus_fail(struct xenbus *x, const struct err *err);

/* Writes the node name of ours. */
must_check int xenbus_tell(struct xenbus *x, const char *name, const char *format, ...)
	__attribute__((__format__(__printf__, 3, 4)));

/* Writes our state; a frontend that is told Connected once more reads the device's properties again. */
must_check int xenbus_set_state(struct xenbus *x, enum xenbus_state state);

/* The frontend's node name as a number up to max. -ENOENT when there is none, -EINVAL. */
must_check int xenbus_ask(struct xenbus *x, const char *name, uint64_t max, uint64_t *ret_number,
			  struct err *err);
/* The same, or fallback when there is no such node. */
must_check int xenbus_ask_or(struct xenbus *x, const char *name, uint64_t max, uint64_t fallback,
			     uint64_t *ret_number, struct err *err);
/* The text, to be freed, or NULL. */
char *xenbus_ask_text(struct xenbus *x, const char *name);

/* Our own node name, to be freed, or NULL. */
char *xenbus_own(struct xenbus *x, const char *name);

#endif
