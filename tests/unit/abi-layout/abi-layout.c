/* hypervisor/abi against the public headers of libxen-dev: see CMakeLists.txt */
#include <stdio.h>
#include <string.h>

#include "abi/console.h"
#include "abi/event-channel.h"
#include "abi/memory.h"
#include "table.h"
#include "unit.h"

/* Compares row by row and names each that differs. */
static void compare(const struct row *ours, const struct row *theirs, size_t least)
{
	size_t nr = 0, nr_bad = 0;

	for (; ours[nr].name[0]; nr++) {
		ck_assert_str_eq(ours[nr].name, theirs[nr].name);
		if (ours[nr].value == theirs[nr].value)
			continue;
		nr_bad++;
		printf("%s: ours %lld, public %lld\n", ours[nr].name, (long long)ours[nr].value,
		       (long long)theirs[nr].value);
	}
	fflush(stdout); /* a test that fails ends without */
	ck_assert_str_eq(theirs[nr].name, "");
	ck_assert_uint_ge(nr, least); /* the list was not lost on the way */
	ck_assert_uint_eq(nr_bad, 0);
}

START_TEST(sizes_offsets_and_constants_are_those_of_the_public_headers)
{
	compare(ours_64, theirs_64, 600);
}
END_TEST

START_TEST(sizes_and_offsets_for_32_bit_guests_are_those_of_the_public_headers)
{
	compare(ours_32, theirs_32, 200);
}
END_TEST

START_TEST(ring_indices_are_masked_by_the_size_of_their_buffer)
{
	struct xencons_interface ring;

	ck_assert_uint_eq(MASK_XENCONS_IDX(1024u, ring.in), 0);
	ck_assert_uint_eq(MASK_XENCONS_IDX(2049u, ring.out), 1);
}
END_TEST

START_TEST(what_the_public_headers_do_not_name_agrees_with_what_they_do)
{
	ck_assert_uint_eq(sizeof(struct xen_e820_entry), 20);
	ck_assert_uint_eq(COMPAT_EVTCHN_2L_NR_CHANNELS,
			  8 * sizeof(((struct compat_shared_info *)0)->evtchn_pending));
	ck_assert_uint_eq(EVTCHN_2L_NR_CHANNELS,
			  8 * sizeof(((struct shared_info *)0)->evtchn_pending));
	ck_assert_uint_eq(XENMEMF_get_node(XENMEMF_node(3)), 3);
	ck_assert_uint_eq(XENMEMF_get_address_bits(XENMEMF_node(3) | 40), 40);
}
END_TEST

UNIT_MAIN("abi", NULL, NULL, sizes_offsets_and_constants_are_those_of_the_public_headers,
	  sizes_and_offsets_for_32_bit_guests_are_those_of_the_public_headers,
	  ring_indices_are_masked_by_the_size_of_their_buffer,
	  what_the_public_headers_do_not_name_agrees_with_what_they_do)
