/* What a granter may do to its entry between our look and our swap, and what another vCPU of the mapper may
 * do between a batch and its undoing: gnttab.c and gnttab-op.c are compiled into this file. */
#include "calls.h"
#include "unit.h"

static void (*before_swap)(unsigned n, uint32_t *word);
static unsigned nr_swaps;

static bool swap_word(uint32_t *word, uint32_t *expected, uint32_t new)
{
	if (before_swap)
		before_swap(nr_swaps, word);
	nr_swaps++;
	return __atomic_compare_exchange_n(word, expected, new, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

#define __atomic_compare_exchange_n(p, e, new, weak, s, f) swap_word(p, e, new)
#include "core/gnttab.c"
#include "core/gnttab-op.c"
#undef __atomic_compare_exchange_n

#define GFN_A 0x10u
#define REF   8u

static uint8_t *ram;

static void setup(void)
{
	world_setup();
	ram = world_ram(guest, GFN_A);
	grant(guest, REF, 0, GFN_A, PERMIT);
	before_swap = NULL;
	nr_swaps = 0;
}

static int16_t try_map(void)
{
	grant_handle_t handle;

	return map(service, 1, REF, 0x900, HOST_MAP, &handle);
}

static void ck_unused(void)
{
	ck_assert_uint_eq(grant_entry(guest, REF)->flags & (GTF_reading | GTF_writing), 0);
	ck_assert_uint_eq(world_page_count(ram), 1);
}

static void revoke(unsigned n, uint32_t *word)
{
	(void)n;
	*word = 0;
}

START_TEST(a_grant_revoked_between_look_and_swap_is_refused)
{
	before_swap = revoke;
	ck_assert_int_eq(try_map(), GNTST_permission_denied);
	ck_assert_uint_eq(nr_swaps, 1);
	ck_unused();
}
END_TEST

static void give_away(unsigned n, uint32_t *word)
{
	(void)n;
	*word = PERMIT | 2u << 16;
}

START_TEST(a_grant_given_away_between_look_and_swap_is_refused)
{
	before_swap = give_away;
	ck_assert_int_eq(try_map(), GNTST_permission_denied);
	ck_unused();
}
END_TEST

static void make_readonly(unsigned n, uint32_t *word)
{
	(void)n;
	*word |= GTF_readonly;
}

START_TEST(a_grant_made_readonly_between_look_and_swap_is_refused_for_writing)
{
	before_swap = make_readonly;
	ck_assert_int_eq(try_map(), GNTST_permission_denied);
	ck_unused();
}
END_TEST

static void toggle(unsigned n, uint32_t *word)
{
	(void)n;
	*word ^= GTF_PWT;
}

START_TEST(an_entry_that_never_holds_still_costs_a_few_rounds_only)
{
	before_swap = toggle;
	ck_assert_int_eq(try_map(), GNTST_general_error);
	ck_assert_uint_eq(nr_swaps, 5);
	ck_unused();
}
END_TEST

static void toggle_twice(unsigned n, uint32_t *word)
{
	if (n < 2)
		*word ^= GTF_PWT;
}

START_TEST(an_entry_that_changes_a_little_is_mapped)
{
	before_swap = toggle_twice;
	ck_assert_int_eq(try_map(), GNTST_okay);
	ck_assert_uint_eq(nr_swaps, 3);
}
END_TEST

START_TEST(undo_goes_on_past_a_handle_that_somebody_else_unmapped)
{
	struct gnttab_map_grant_ref ops[3];

	for (unsigned i = 0; i < 3; i++) {
		ops[i] = (struct gnttab_map_grant_ref){ .host_addr = (0x900ull + i) * PAGE_SIZE,
							.flags = HOST_MAP,
							.ref = REF,
							.dom = 1 };
	}
	map_batch(service->vcpu[0], ops, 3);
	ck_assert_int_eq(unmap(service, ops[0].handle, 0), GNTST_okay);
	undo_map_batch(service->vcpu[0], ops, 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(at(service, 0x900 + i).kind, P2M_HOLE);
	ck_unused();
	ck_assert_uint_eq(guest->refcount, 2);
}
END_TEST

UNIT_MAIN("gnttab-races", setup, world_teardown, a_grant_revoked_between_look_and_swap_is_refused,
	  a_grant_given_away_between_look_and_swap_is_refused,
	  a_grant_made_readonly_between_look_and_swap_is_refused_for_writing,
	  an_entry_that_never_holds_still_costs_a_few_rounds_only,
	  an_entry_that_changes_a_little_is_mapped,
	  undo_goes_on_past_a_handle_that_somebody_else_unmapped)
