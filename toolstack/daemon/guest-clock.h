/* A description's <clock>: what the guest's wall clock and time stamp counter are to be. */
#ifndef LODGE_DAEMON_GUEST_CLOCK_H
#define LODGE_DAEMON_GUEST_CLOCK_H

#include <time.h>

#include "config/domain.h"

/* Seconds from UTC, by the rules of the zone as they are at `now`. -EINVAL: this host does not know the
 * description's zone. Uses the environment's TZ, so it belongs to the loop's thread. */
must_check int guest_clock_offset(const struct domain_description *d, time_t now,
				  int64_t *ret_offset_s, struct err *err);

/* The frequency of a counter that the hypervisor has to emulate; 0: the host's own will do. -EINVAL: the
 * description wants both the host's own and another frequency. */
must_check int guest_clock_tsc(const struct domain_description *d, uint64_t host_hz,
			       uint64_t *ret_hz, struct err *err);

#endif
