/* The states through which a frontend and its backend follow each other: a number in the node
 * "state" of each. */
#ifndef LODGE_ABI_XENBUS_H
#define LODGE_ABI_XENBUS_H

enum xenbus_state {
	XenbusStateUnknown = 0, /* also: no such node */
	XenbusStateInitialising = 1,
	XenbusStateInitWait = 2, /* the backend has told what it can do */
	XenbusStateInitialised = 3,
	XenbusStateConnected = 4,
	XenbusStateClosing = 5,
	XenbusStateClosed = 6,
	XenbusStateReconfiguring = 7,
	XenbusStateReconfigured = 8,
};

#endif /* LODGE_ABI_XENBUS_H */
