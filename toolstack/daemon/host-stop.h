/* Shuts all guests down because the host goes: in the reverse of the order in which they start. */
#ifndef LODGE_DAEMON_HOST_STOP_H
#define LODGE_DAEMON_HOST_STOP_H

#include <stdint.h>

#include "lib/err.h"

struct lodged;

/* From now on nothing is started. Guests that do not end within their part of time_s are destroyed. done is
 * called when none is left, perhaps at once. -EBUSY: it is going on already. */
must_check int host_stop_begin(struct lodged *l, uint32_t time_s, void (*done)(void *argument),
			       void *argument, struct err *err);

/* lodged leaves. */
void host_stop_end(struct lodged *l);

#endif
