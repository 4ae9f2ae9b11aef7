/* core/spinlock.c, with the checks of a debug build. */
#include "unit.h"

#include <string.h>

#include "arch-inline.h"
#include "fake-arch.h"
#include "lodge/spinlock.h"

static struct spinlock p2m = SPINLOCK(LOCK_RANK_P2M);
static struct spinlock other_p2m = SPINLOCK(LOCK_RANK_P2M);
static struct spinlock heap = SPINLOCK(LOCK_RANK_HEAP);

START_TEST(a_lock_is_held_from_lock_to_unlock)
{
	struct spinlock l;

	spinlock_init(&l, LOCK_RANK_GRANT);
	ck_assert(!spin_is_locked(&l));
	spin_lock(&l);
	ck_assert(spin_is_locked(&l));
	spin_unlock(&l);
	ck_assert(!spin_is_locked(&l));
}
END_TEST

START_TEST(tickets_wrap_around)
{
	for (unsigned i = 0; i < 70000; i++) {
		spin_lock(&heap);
		spin_unlock(&heap);
	}
	ck_assert(!spin_is_locked(&heap));
	ck_assert(spin_trylock(&heap));
	spin_unlock(&heap);
}
END_TEST

START_TEST(trylock_takes_a_free_lock_only)
{
	ck_assert(spin_trylock(&heap));
	fake_cpus(2);
	fake_run_on(1);
	ck_assert(!spin_trylock(&heap));
	fake_run_on(0);
	spin_unlock(&heap);
	fake_run_on(1);
	ck_assert(spin_trylock(&heap));
}
END_TEST

START_TEST(a_lock_held_elsewhere_is_waited_for)
{
	fake_cpus(2);
	spin_lock(&heap);
	fake_run_on(1);
	ck_assert_panics(spin_lock(&heap)); /* cpu_relax() of the fake gives up after a while */
	ck_assert_str_eq(fake_panic_text, "waits for ever");
}
END_TEST

START_TEST(locks_are_taken_in_the_order_of_their_ranks)
{
	spin_lock(&p2m);
	spin_lock(&heap);
	spin_unlock(&p2m); /* in any order */
	spin_unlock(&heap);
	spin_lock(&heap);
	ck_assert_panics(spin_lock(&p2m));
}
END_TEST

START_TEST(a_second_lock_of_a_rank_must_be_announced)
{
	spin_lock(&p2m);
	ck_assert_panics(spin_lock(&other_p2m));
	spin_lock_nested(&other_p2m);
	ck_assert(spin_is_locked(&other_p2m));
}
END_TEST

START_TEST(a_nested_lock_may_not_rank_before_the_first)
{
	spin_lock(&heap);
	ck_assert_panics(spin_lock_nested(&p2m));
}
END_TEST

START_TEST(taking_a_lock_twice_panics)
{
	spin_lock(&p2m);
	ck_assert_panics(spin_lock_nested(&p2m));
	ck_assert_ptr_nonnull(strstr(fake_panic_text, "twice"));
}
END_TEST

START_TEST(unlock_by_another_cpu_panics)
{
	fake_cpus(2);
	spin_lock(&p2m);
	fake_run_on(1);
	ck_assert_panics(spin_unlock(&p2m));
}
END_TEST

START_TEST(ranks_are_checked_for_each_cpu_alone)
{
	fake_cpus(2);
	spin_lock(&heap);
	fake_run_on(1);
	spin_lock(&p2m);
	ck_assert(spin_is_locked(&p2m));
}
END_TEST

START_TEST(a_cpu_that_takes_too_many_locks_panics)
{
	static struct spinlock many[32];

	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		spinlock_init(&many[i], LOCK_RANK_CONSOLE);
	for (unsigned i = 0; i < 16; i++)
		ck_assert(spin_trylock(&many[i]));
	ck_assert_panics((void)!spin_trylock(&many[16]));
}
END_TEST

START_TEST(nothing_is_checked_before_the_cpu_has_a_record)
{
	fake_this_cpu = NULL;
	spin_lock(&heap);
	spin_lock(&p2m);
	spin_unlock(&heap);
	spin_unlock(&p2m);
	ck_assert(!spin_is_locked(&p2m));
}
END_TEST

UNIT_MAIN("spinlock", fake_reset, NULL, a_lock_is_held_from_lock_to_unlock, tickets_wrap_around,
	  trylock_takes_a_free_lock_only, a_lock_held_elsewhere_is_waited_for,
	  locks_are_taken_in_the_order_of_their_ranks, a_second_lock_of_a_rank_must_be_announced,
	  a_nested_lock_may_not_rank_before_the_first, taking_a_lock_twice_panics,
	  unlock_by_another_cpu_panics, ranks_are_checked_for_each_cpu_alone,
	  a_cpu_that_takes_too_many_locks_panics, nothing_is_checked_before_the_cpu_has_a_record)
