/*
 * A device is told to read and write memory (QEMU's "edu" device, which copies on command). It sees the
 * guest's own memory at guest physical addresses, and nothing else: not the hypervisor, which lies at
 * machine address 2 MiB, and not what the guest has given back.
 */
#include "guest/guest.h"
#include "edu.h"

const char test_title[] = "DMA reaches the guest's own memory and nothing else";

#define HYPERVISOR 0x200000UL /* machine address */

static struct edu edu;

static bool is_all(const volatile uint8_t *page, uint8_t value)
{
	for (unsigned int i = 0; i < EDU_LENGTH; i++) {
		if (page[i] != value)
			return false;
	}
	return true;
}

static void check_own_memory(uint8_t *from, uint8_t *to)
{
	memset(from, 0x5a, PAGE_SIZE);
	check(edu_reads(&edu, (uintptr_t)from), "the device reads a page of the guest");
	check(edu_writes(&edu, (uintptr_t)to), "and writes it to another");
	check(is_all(to, 0x5a), "which then has the contents");
}

/* What lies at 2 MiB for the guest and for its devices is the guest's page, not the hypervisor. */
static void check_same_address(uint8_t *to)
{
	uint8_t *own = (uint8_t *)HYPERVISOR;

	memset(own, 0x3c, PAGE_SIZE);
	edu_reads(&edu, HYPERVISOR);
	edu_writes(&edu, (uintptr_t)to);
	check(is_all(to, 0x3c), "DMA from address 2 MiB reads the guest's page there");
	memset(to, 0x66, PAGE_SIZE);
	edu_reads(&edu, (uintptr_t)to);
	edu_writes(&edu, HYPERVISOR);
	check(is_all(own, 0x66), "DMA to address 2 MiB writes the guest's page there");
}

static bool give_back(uint64_t gfn, unsigned int cmd)
{
	struct xen_memory_reservation r = { .extent_start = (uintptr_t)&gfn,
					    .nr_extents = 1,
					    .domid = DOMID_SELF };

	return memory_op(cmd, &r) == 1;
}

/* The page at 2 MiB is given back: now the address means nothing to guest and devices. */
static void check_nothing(uint8_t *to)
{
	uint8_t *own = (uint8_t *)HYPERVISOR;
	uint8_t seen;

	if (!give_back(gfn_of(own), XENMEM_decrease_reservation))
		test_error("cannot give back the page at 2 MiB");
	memset(to, 0x77, PAGE_SIZE);
	edu_reads(&edu, (uintptr_t)to);
	edu_reads(&edu, HYPERVISOR);
	edu_writes(&edu, (uintptr_t)to);
	seen = *to;
	check(is_all(to, seen) && (seen == 0x77 || seen == 0 || seen == 0xff),
	      "DMA from where nothing is brings nothing (%#x)", seen);
	memset(to, 0x99, PAGE_SIZE);
	edu_reads(&edu, (uintptr_t)to);
	edu_writes(&edu, HYPERVISOR);
	check(give_back(gfn_of(own), XENMEM_populate_physmap), "the page can be taken again");
	check(!is_all(own, 0x99), "DMA to where nothing was has gone nowhere");
	edu_writes(&edu, 0xfffff000);
	check(true, "nor has DMA to the end of the 32-bit space");
}

/* A page granted for reading can be read by devices, too, and not written. */
static void check_readonly_grant(uint8_t *page, uint8_t *to)
{
	struct gnttab_map_grant_ref op = { .host_addr = (uintptr_t)hole_alloc(),
					   .flags = GNTMAP_host_map | GNTMAP_readonly,
					   .ref = 20,
					   .dom = own_domid() };

	memset(page, 0x21, PAGE_SIZE);
	grant_init(1);
	grant_allow(op.ref, op.dom, page, GTF_readonly);
	grant_table_op(GNTTABOP_map_grant_ref, &op, 1);
	check_err(op.status, GNTST_okay, "a read-only grant is mapped");
	memset(to, 0x43, PAGE_SIZE);
	edu_reads(&edu, (uintptr_t)to);
	edu_writes(&edu, op.host_addr);
	check(is_all((uint8_t *)op.host_addr, 0x21), "the device cannot write it");
	edu_reads(&edu, op.host_addr);
	edu_writes(&edu, (uintptr_t)to);
	check(is_all(to, 0x21), "but read it");
}

void test_main(void)
{
	uint8_t *from = page_alloc(), *to = page_alloc();

	event_init(EVENT_PER_VCPU_VECTOR);
	edu = edu_find();
	check_own_memory(from, to);
	check_same_address(to);
	check_nothing(to);
	check_own_memory(from, to);
	check_readonly_grant(page_alloc(), to);
}
