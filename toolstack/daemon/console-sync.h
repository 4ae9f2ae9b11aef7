/* Before a guest's last lines are read from its log: lodge-console is asked to write what it has not yet. */
#ifndef LODGE_DAEMON_CONSOLE_SYNC_H
#define LODGE_DAEMON_CONSOLE_SYNC_H

#include <stdint.h>

#include "lib/util.h"

struct console_sync;
struct lodged;

/* done is called later by the loop, once: when all that the domain has printed so far is in its log, or when that
 * cannot be had soon. The domain is introduced to xenstore. NULL without memory: done is not called. */
must_check struct console_sync *console_sync_begin(struct lodged *l, uint32_t domain,
						   void (*done)(void *argument), void *argument);
/* done is not called. NULL is fine. */
void console_sync_cancel(struct console_sync *s);

#endif
