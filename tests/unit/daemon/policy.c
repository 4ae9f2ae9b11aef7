/* What happens to a guest that has ended. */
#include "daemon/policy.h"

#include "abi/sched.h"
#include "unit.h"

static const struct domain_description description = {
	.on_poweroff = DOMAIN_PRESERVE,
	.on_reboot = DOMAIN_RENAME_RESTART,
	.on_crash = DOMAIN_COREDUMP_RESTART,
};

START_TEST(each_way_to_end_has_its_action)
{
	ck_assert_int_eq(policy_action(&description, END_POWEROFF), DOMAIN_PRESERVE);
	ck_assert_int_eq(policy_action(&description, END_SUSPEND), DOMAIN_PRESERVE);
	ck_assert_int_eq(policy_action(&description, END_REBOOT), DOMAIN_RENAME_RESTART);
	ck_assert_int_eq(policy_action(&description, END_CRASH), DOMAIN_COREDUMP_RESTART);
	ck_assert_int_eq(policy_action(&description, END_WATCHDOG), DOMAIN_COREDUMP_RESTART);
	ck_assert_int_eq(policy_action(&description, END_GONE), DOMAIN_DESTROY);
	ck_assert_int_eq(policy_action(&description, END_DESTROYED), DOMAIN_DESTROY);
}
END_TEST

START_TEST(a_shutdown_reason_that_nobody_knows_is_a_crash)
{
	ck_assert_int_eq(end_reason_of_shutdown(SHUTDOWN_poweroff), END_POWEROFF);
	ck_assert_int_eq(end_reason_of_shutdown(SHUTDOWN_soft_reset), END_CRASH);
	ck_assert_int_eq(end_reason_of_shutdown(77), END_CRASH);
}
END_TEST

START_TEST(a_guest_that_keeps_ending_soon_waits_longer_and_longer)
{
	static const uint64_t want_s[] = { 0, 1, 2, 4, 8, 16, 32, 60, 60 };
	struct restart_history h = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(want_s); i++)
		ck_assert_uint_eq(policy_delay_ms(&h, 10), want_s[i] * 1000);
}
END_TEST

START_TEST(a_guest_that_ran_for_long_starts_at_once)
{
	struct restart_history h = { .nr_short = 5 };

	ck_assert_uint_eq(policy_delay_ms(&h, POLICY_SOON_MS), 0);
	ck_assert_uint_eq(policy_delay_ms(&h, 1), 0);
	ck_assert_uint_eq(policy_delay_ms(&h, 1), 1000);
}
END_TEST

UNIT_MAIN("daemon-policy", NULL, NULL, each_way_to_end_has_its_action,
	  a_shutdown_reason_that_nobody_knows_is_a_crash,
	  a_guest_that_keeps_ending_soon_waits_longer_and_longer,
	  a_guest_that_ran_for_long_starts_at_once)
