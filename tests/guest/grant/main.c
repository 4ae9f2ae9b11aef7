/* Grant tables, from both sides: this domain grants to itself, then maps, copies, and lies. */
#include "guest/guest.h"

const char test_title[] = "grants give exactly the access they say";

#define REF        20
#define BAD_HANDLE 0x7fffffff
#define NO_DOMAIN  1234

static uint8_t *page;   /* what is granted */
static uint8_t *window; /* where it gets mapped: a hole */
static uint16_t self;

static int16_t map(uint32_t ref, uint16_t dom, uint64_t at, uint32_t flags, uint32_t *handle)
{
	struct gnttab_map_grant_ref op = {
		.host_addr = at, .flags = GNTMAP_host_map | flags, .ref = ref, .dom = dom
	};

	if (grant_table_op(GNTTABOP_map_grant_ref, &op, 1))
		return -100;
	if (op.status == GNTST_okay && handle)
		*handle = op.handle;
	return op.status;
}

static int16_t unmap(uint64_t at, uint32_t handle)
{
	struct gnttab_unmap_grant_ref op = { .host_addr = at, .handle = handle };

	if (grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1))
		return -100;
	return op.status;
}

static void check_setup(void)
{
	struct gnttab_query_size size = { .dom = DOMID_SELF };
	struct gnttab_get_version version = { .dom = DOMID_SELF };
	uint64_t frames[2] = { 0, 0 };
	struct gnttab_setup_table setup = { .dom = DOMID_SELF,
					    .nr_frames = 2,
					    .frame_list = (uintptr_t)frames };

	check_err(grant_table_op(GNTTABOP_query_size, &size, 1), 0,
		  "the table's size can be asked");
	check(size.status == GNTST_okay && size.max_nr_frames >= 32 &&
		      size.nr_frames <= size.max_nr_frames,
	      "it has %u of %u frames", size.nr_frames, size.max_nr_frames);
	grant_init(2);
	grant_table_op(GNTTABOP_query_size, &size, 1);
	check(size.nr_frames >= 2, "mapping frame 1 made the table grow");
	check_err(grant_table_op(GNTTABOP_get_version, &version, 1), 0, "its version can be asked");
	check_eq(version.version, 1, "it is 1");
	check_err(grant_table_op(GNTTABOP_setup_table, &setup, 1), 0, "setup_table is understood");
	check_eq((uint16_t)setup.status, GNTST_okay, "and succeeds");
	check(!memcmp(grant_table, page_alloc(), 64), "a new table is empty");
	check_err(grant_table_op(GNTTABOP_map_grant_ref, NULL, 0), 0,
		  "no operations: nothing to do");
	check(grant_table_op(99, NULL, 1) < 0, "an unknown operation is refused");
	size = (struct gnttab_query_size){ .dom = NO_DOMAIN };
	grant_table_op(GNTTABOP_query_size, &size, 1);
	check_err(size.status, GNTST_bad_domain, "no domain, no size");
}

/* Xen takes a page from its old place when its owner maps a grant of it: that ends this part there. */
static bool check_map(void)
{
	uint32_t handle = 0, second = 0;
	uint16_t flags;

	memset(page, 0x11, PAGE_SIZE);
	grant_allow(REF, self, page, 0);
	check_err(map(REF, self, (uintptr_t)window, 0, &handle), GNTST_okay,
		  "a grant can be mapped");
	check_eq(window[100], 0x11, "the window shows the page");
	window[200] = 0x22;
	if (!check_eq(page[200], 0x22, "a write in the window is seen in the page")) {
		unmap((uintptr_t)window, handle);
		return false;
	}
	flags = *(volatile uint16_t *)&grant_table[REF].flags;
	check_eq(flags & (GTF_reading | GTF_writing), GTF_reading | GTF_writing,
		 "the entry tells that it is in use");
	check_err(map(REF, self, (uintptr_t)hole_alloc(), 0, &second), GNTST_okay,
		  "a grant can be mapped twice");
	check_err(unmap((uintptr_t)window, handle), GNTST_okay, "a mapping can be undone");
	check_eq(mmio_read32((uintptr_t)window), 0xffffffff, "the window is empty then");
	flags = *(volatile uint16_t *)&grant_table[REF].flags;
	check(flags & GTF_writing, "the entry is in use until the last mapping is gone");
	check_err(unmap((uintptr_t)window, handle), GNTST_bad_handle, "it cannot be undone twice");
	check_err(unmap(0, second), GNTST_okay, "the second mapping can be undone by its handle");
	flags = *(volatile uint16_t *)&grant_table[REF].flags;
	check_eq(flags & (GTF_reading | GTF_writing), 0, "the entry is then free");
	return true;
}

static void check_readonly(void)
{
	uint32_t handle = 0;
	uint32_t byte = 0;

	grant_allow(REF, self, page, GTF_readonly);
	check(map(REF, self, (uintptr_t)window, 0, NULL) < 0,
	      "a read-only grant cannot be mapped for writing");
	check_err(map(REF, self, (uintptr_t)window, GNTMAP_readonly, &handle), GNTST_okay,
		  "but for reading");
	check_eq(*(volatile uint16_t *)&grant_table[REF].flags & (GTF_reading | GTF_writing),
		 GTF_reading, "the entry tells a reader only");
	check_eq(window[100], 0x11, "the page can be read");
	page[100] = 0x33;
	byte = TRY("movb $0x44, (%0)", : : "r"(window + 100) : "memory");
	check(page[100] == 0x33, "a write through a read-only mapping changes nothing (%s)",
	      fault_name(byte));
	check_err(unmap((uintptr_t)window, handle), GNTST_okay, "the mapping can be undone");
}

static void check_map_refusals(void)
{
	uint32_t handle = 0;
	struct gnttab_map_grant_ref op = { .host_addr = (uintptr_t)window,
					   .ref = REF,
					   .dom = self };

	grant_revoke(REF);
	check(map(REF, self, (uintptr_t)window, 0, NULL) < 0, "an entry that grants nothing");
	check_err(map(0xffffffff, self, (uintptr_t)window, 0, NULL), GNTST_bad_gntref,
		  "a reference beyond the table gives bad_gntref");
	check(map(1024, self, (uintptr_t)window, 0, NULL) < 0, "the first reference beyond it too");
	check_err(map(REF, NO_DOMAIN, (uintptr_t)window, 0, NULL), GNTST_bad_domain,
		  "a domain that does not exist gives bad_domain");
	grant_allow(REF, (uint16_t)(self + 1), page, 0);
	check(map(REF, self, (uintptr_t)window, 0, NULL) < 0, "a grant for another domain");
	grant_allow(REF, self, hole_alloc(), 0);
	check(map(REF, self, (uintptr_t)window, 0, NULL) < 0, "a grant of a hole");
	grant_allow(REF, self, page, 0);
	grant_table[REF].frame = 0xffffffff;
	check(map(REF, self, (uintptr_t)window, 0, NULL) < 0, "a grant of a frame out of reach");
	grant_allow(REF, self, page, 0);
	grant_table[REF].frame = 0xfee00;
	check(map(REF, self, (uintptr_t)window, 0, NULL) < 0, "a grant of the local APIC");
	grant_table[REF] = (struct grant_entry_v1){ .flags = GTF_transitive, .domid = self };
	check(map(REF, self, (uintptr_t)window, 0, NULL) < 0, "a transitive grant in version 1");
	grant_table[REF] = (struct grant_entry_v1){ .flags = GTF_accept_transfer, .domid = self };
	check(map(REF, self, (uintptr_t)window, 0, NULL) < 0, "an entry that accepts a transfer");
	grant_allow(REF, self, page, 0);
	check(map(REF, self, ~0ULL << 12, 0, NULL) < 0, "a window at the end of all addresses");
	check(map(REF, self, (uintptr_t)window + 1, 0, &handle) < 0 ||
		      unmap((uintptr_t)window + 1, handle) == GNTST_okay ||
		      unmap((uintptr_t)window, handle) == GNTST_okay,
	      "a window that is not aligned is refused or can be undone");
	grant_table_op(GNTTABOP_map_grant_ref, &op, 1);
	check(op.status < 0, "a mapping that is neither for the host nor for devices");
	check_err(unmap((uintptr_t)window, BAD_HANDLE), GNTST_bad_handle,
		  "a handle out of nowhere gives bad_handle");
	check_err(map(REF, self, (uintptr_t)window, 0, &handle), GNTST_okay,
		  "after all that it maps");
	check(unmap((uintptr_t)page, handle) < 0, "a handle with another address is refused");
	check_err(unmap((uintptr_t)window, handle), GNTST_okay, "with its own it works");
}

static int16_t copy(struct gnttab_copy op)
{
	if (grant_table_op(GNTTABOP_copy, &op, 1))
		return -100;
	return op.status;
}

/* From a grant of our own into our page, in the way a backend takes a request's data. */
static struct gnttab_copy from_grant(uint8_t *to, uint16_t offset, uint16_t length)
{
	return (struct gnttab_copy){
		.source = { .u.ref = REF, .domid = self, .offset = offset },
		.dest = { .u.gmfn = gfn_of(to), .domid = DOMID_SELF, .offset = offset },
		.len = length,
		.flags = GNTCOPY_source_gref,
	};
}

static struct gnttab_copy to_grant(uint8_t *from, uint16_t offset, uint16_t length)
{
	return (struct gnttab_copy){
		.source = { .u.gmfn = gfn_of(from), .domid = DOMID_SELF, .offset = offset },
		.dest = { .u.ref = REF, .domid = self, .offset = offset },
		.len = length,
		.flags = GNTCOPY_dest_gref,
	};
}

static void check_copy(void)
{
	uint8_t *mine = page_alloc();
	struct gnttab_copy op;

	memset(page, 0x77, PAGE_SIZE);
	grant_allow(REF, self, page, 0);
	check_err(copy(from_grant(mine, 0, 4096)), GNTST_okay,
		  "a whole page is copied from a grant");
	check(!memcmp(mine, page, PAGE_SIZE), "byte by byte");
	memset(mine, 0x88, PAGE_SIZE);
	check_err(copy(to_grant(mine, 10, 20)), GNTST_okay, "20 bytes are copied into a grant");
	check(page[9] == 0x77 && page[10] == 0x88 && page[29] == 0x88 && page[30] == 0x77,
	      "those and no others");
	check_err(copy(from_grant(mine, 4095, 1)), GNTST_okay, "the last byte of a page");
	check_err(copy(from_grant(mine, 4090, 7)), GNTST_bad_copy_arg,
		  "one byte beyond a page gives bad_copy_arg");
	check_err(copy(from_grant(mine, 65535, 65535)), GNTST_bad_copy_arg,
		  "a sum that overflows 16 bits gives bad_copy_arg");
	check_eq(*(volatile uint16_t *)&grant_table[REF].flags & (GTF_reading | GTF_writing), 0,
		 "no use of the grant is left behind");
	grant_allow(REF, self, page, GTF_readonly);
	check(copy(to_grant(mine, 0, 1)) < 0, "nothing is copied into a read-only grant");
	grant_revoke(REF);
	check(copy(from_grant(mine, 0, 1)) < 0, "nothing from a grant that was revoked");
	grant_allow(REF, (uint16_t)(self + 1), page, 0);
	check(copy(from_grant(mine, 0, 1)) < 0, "nothing from a grant for another domain");
	grant_allow(REF, self, page, 0);
	op = from_grant(mine, 0, 1);
	op.source.domid = NO_DOMAIN;
	check_err(copy(op), GNTST_bad_domain, "nothing from a domain that does not exist");
	op = from_grant(mine, 0, 1);
	op.dest.u.gmfn = gfn_of(hole_alloc());
	check(copy(op) < 0, "nothing into a hole");
	op = from_grant(mine, 0, 1);
	op.source.u.ref = 0xffffffff;
	check_err(copy(op), GNTST_bad_gntref, "nothing from a reference beyond the table");
	op = from_grant(mine, 0, 1);
	op.flags = 0;
	op.source = (struct gnttab_copy_ptr){ .u.gmfn = gfn_of(page), .domid = DOMID_SELF };
	check_err(copy(op), GNTST_okay, "between two frames of one's own no grant is needed");
}

/* Many operations in one call; a bad one does not spoil its neighbours. */
static void check_batch(void)
{
	static struct gnttab_copy ops[64];
	uint8_t *mine = page_alloc();
	unsigned int good = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
		ops[i] = from_grant(mine, (uint16_t)i, 1);
		ops[i].status = 77;
	}
	ops[30].source.u.ref = 0xffffffff;
	check_err(grant_table_op(GNTTABOP_copy, ops, ARRAY_SIZE(ops)), 0, "64 copies in one call");
	for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++)
		good += ops[i].status == GNTST_okay;
	check_eq(good, 63, "a bad one among them fails alone");
	check(ops[30].status < 0, "and says so");
	check(grant_table_op(GNTTABOP_copy, ops, ~0u) < 0, "2^32 - 1 operations are refused");
}

void test_main(void)
{
	self = own_domid();
	page = page_alloc();
	window = hole_alloc();
	check_setup();
	if (check_map()) {
		check_readonly();
		check_map_refusals();
	}
	page = page_alloc();
	check_copy();
	check_batch();
}
