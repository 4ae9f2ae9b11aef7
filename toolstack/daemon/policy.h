/* What to do when a guest has ended, and when to start it again. Pure: no state but its arguments. */
#ifndef LODGE_DAEMON_POLICY_H
#define LODGE_DAEMON_POLICY_H

#include "config/domain.h"

/* Why a domain has ended. */
enum end_reason {
	END_POWEROFF,
	END_REBOOT,
	END_SUSPEND,
	END_CRASH,
	END_WATCHDOG,
	END_GONE, /* somebody else destroyed it */
	END_DESTROYED,
	END_HOST_SHUTDOWN,
	END_BUILD_FAILED,
};

const char *end_reason_name(enum end_reason reason);       /* "poweroff" */
enum end_reason end_reason_of_shutdown(uint32_t shutdown); /* SHUTDOWN_* */

enum domain_action policy_action(const struct domain_description *d, enum end_reason reason);
const char *policy_action_name(enum domain_action action); /* "restart" */

struct restart_history {
	unsigned int nr_short; /* starts in a row that ended soon */
};

#define POLICY_SOON_MS    10000u
#define POLICY_LONGEST_MS 60000u

/* A guest has ended after ran_ms and is to be started again: after how many milliseconds. One that ran for
 * long, at once; one that keeps ending soon, after 0, 1, 2, 4, … up to 60 s. */
uint64_t policy_delay_ms(struct restart_history *h, uint64_t ran_ms);

#endif
