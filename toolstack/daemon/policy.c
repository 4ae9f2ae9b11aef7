/* See policy.h. */
#include "daemon/policy.h"

#include "abi/sched.h"

static const char *const reason_names[] = {
	[END_POWEROFF] = "poweroff",         [END_REBOOT] = "reboot",
	[END_SUSPEND] = "suspend",           [END_CRASH] = "crash",
	[END_WATCHDOG] = "watchdog",         [END_GONE] = "destroyed",
	[END_DESTROYED] = "destroyed",       [END_HOST_SHUTDOWN] = "host-shutdown",
	[END_BUILD_FAILED] = "build-failed",
};

const char *end_reason_name(enum end_reason reason)
{
	return reason_names[reason];
}

enum end_reason end_reason_of_shutdown(uint32_t shutdown)
{
	switch (shutdown) {
	case SHUTDOWN_poweroff:
		return END_POWEROFF;
	case SHUTDOWN_reboot:
		return END_REBOOT;
	case SHUTDOWN_suspend:
		return END_SUSPEND;
	case SHUTDOWN_watchdog:
		return END_WATCHDOG;
	default:
		return END_CRASH;
	}
}

enum domain_action policy_action(const struct domain_description *d, enum end_reason reason)
{
	switch (reason) {
	case END_POWEROFF:
	case END_SUSPEND: /* nothing could wake it */
		return d->on_poweroff;
	case END_REBOOT:
		return d->on_reboot;
	case END_CRASH:
	case END_WATCHDOG:
		return d->on_crash;
	default:
		return DOMAIN_DESTROY;
	}
}

static const char *const action_names[] = {
	[DOMAIN_DESTROY] = "destroy",
	[DOMAIN_RESTART] = "restart",
	[DOMAIN_PRESERVE] = "preserve",
	[DOMAIN_RENAME_RESTART] = "rename-restart",
	[DOMAIN_COREDUMP_DESTROY] = "coredump-destroy",
	[DOMAIN_COREDUMP_RESTART] = "coredump-restart",
};

const char *policy_action_name(enum domain_action action)
{
	return action_names[action];
}

uint64_t policy_delay_ms(struct restart_history *h, uint64_t ran_ms)
{
	uint64_t delay_ms;

	if (ran_ms >= POLICY_SOON_MS) {
		h->nr_short = 0;
		return 0;
	}
	h->nr_short++;
	delay_ms = h->nr_short > 1 ? UINT64_C(1000) << MIN(h->nr_short - 2, 6U) : 0;
	return MIN(delay_ms, POLICY_LONGEST_MS);
}
