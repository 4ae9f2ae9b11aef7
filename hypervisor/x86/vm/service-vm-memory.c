/*
 * The service VM's memory. Its map is the machine's, so that its firmware tables, its reserved regions
 * and its devices are where they are; the RAM beyond what it gets shows as unusable, so that neither
 * BARs nor scratch space go there. RAM is RAM of its own at another machine address; everything else is
 * mapped one to one, except registers that the hypervisor keeps (private-mmio.h).
 *
 * Without an IOMMU its RAM above the first MiB is one to one, too, for its devices know machine
 * addresses only: whole 2 MiB blocks that nobody else has, the lowest first.
 *
 * Locking: the p2m's own. Populating happens before the service VM runs.
 */
#include "x86/vm/service-vm-internal.h"

#include "abi/errno.h"
#include "lib/string.h"
#include "lodge/arch.h"
#include "lodge/iommu.h"
#include "lodge/log.h"
#include "lodge/p2m.h"
#include "lodge/page.h"
#include "x86/boot-info.h"
#include "x86/cpu.h"
#include "x86/private-mmio.h"
#include "x86/vm/vpci.h"

#define MIB         0x100000ull
#define FOUR_GIB    0x100000000ull
#define SCRATCH_MIN (256 * MIB)

#define DIRECT_BLOCK (PAGE_SIZE << ORDER_2M)

/* Reserved ranges that are longer are address space, not firmware: left to service_vm_map_device(). */
#define MAX_EAGER_BYTES (1024 * MIB)

/* Pages of usable RAM: in the first MiB, which is copied, even if only in part. Above it nobody uses a page
 * that is RAM in part: it belongs to whatever is in its other part, ACPI tables for example. */
static bool is_host_ram(uint64_t start, uint64_t bytes)
{
	for (unsigned i = 0; i < boot_info.nr_ranges; i++) {
		const struct memory_range *r = &boot_info.range[i];
		bool is_low = r->base < MIB;
		uint64_t first =
			is_low ? align_down(r->base, PAGE_SIZE) : align_up(r->base, PAGE_SIZE);
		uint64_t end = r->base + r->bytes;

		end = is_low ? align_up(end, PAGE_SIZE) : align_down(end, PAGE_SIZE);
		if (r->type == MEMORY_USABLE && start < end && first < start + bytes)
			return true;
	}
	return false;
}

/* Is RAM at that address mapped one to one? */
static bool is_direct(uint64_t addr)
{
	return !iommu_ops && addr >= MIB;
}

static void add_entry(struct service_vm_map *map, uint64_t addr, uint64_t bytes, uint32_t type)
{
	if (!bytes)
		return;
	if (map->nr == ARRAY_SIZE(map->entry))
		boot_fail("the machine's memory map has too many entries for the service VM (%zu)",
			  ARRAY_SIZE(map->entry));
	map->entry[map->nr++] =
		(struct hvm_memmap_table_entry){ .addr = addr, .size = bytes, .type = type };
}

/* As add_entry(), or makes the last entry longer. */
static void extend(struct service_vm_map *map, uint64_t addr, uint64_t bytes, uint32_t type)
{
	struct hvm_memmap_table_entry *last = map->nr ? &map->entry[map->nr - 1] : NULL;

	if (last && last->type == type && last->addr + last->size == addr && last->addr >= MIB)
		last->size += bytes;
	else
		add_entry(map, addr, bytes, type);
}

/* A range without an IOMMU: takes what is free of it, in blocks. */
static void add_direct_ram(struct domain *d, struct service_vm_map *map, uint64_t start,
			   uint64_t end, uint64_t *left)
{
	uint64_t next;

	for (uint64_t at = start; at < end; at = next) {
		next = MIN(align_down(at, DIRECT_BLOCK) + DIRECT_BLOCK, end);
		if (next - at == DIRECT_BLOCK && *left >= DIRECT_BLOCK &&
		    !page_claim_domain(d, MFN(at >> PAGE_SHIFT), ORDER_2M)) {
			*left -= DIRECT_BLOCK;
			extend(map, at, next - at, XEN_HVM_MEMMAP_TYPE_RAM);
		} else {
			extend(map, at, next - at, XEN_HVM_MEMMAP_TYPE_UNUSABLE);
		}
	}
}

/* The part of a range that is RAM for the service VM, in whole pages above the first MiB. */
static void add_ram(struct domain *d, struct service_vm_map *map, const struct memory_range *r,
		    uint64_t *left)
{
	uint64_t start = r->base, end = r->base + r->bytes, take;

	if (start >= MIB) {
		start = align_up(start, PAGE_SIZE);
		end = align_down(end, PAGE_SIZE);
	}
	if (start >= end)
		return;
	if (is_direct(start)) {
		add_direct_ram(d, map, start, end, left);
		return;
	}
	take = MIN(end - start, *left);
	if (take < end - start) /* the low range may have left a part of a page */
		take = align_down(take, PAGE_SIZE);
	*left -= take;
	add_entry(map, start, take, XEN_HVM_MEMMAP_TYPE_RAM);
	add_entry(map, start + take, end - start - take, XEN_HVM_MEMMAP_TYPE_UNUSABLE);
}

/* Cuts the ACPI tables' pages off the highest RAM below 4 GiB. */
static uint64_t plan_acpi(struct service_vm_map *map)
{
	struct hvm_memmap_table_entry *best = NULL;
	uint64_t at;

	for (unsigned i = 0; i < map->nr; i++) {
		struct hvm_memmap_table_entry *e = &map->entry[i];

		if (e->type == XEN_HVM_MEMMAP_TYPE_RAM && e->addr >= MIB && e->addr < FOUR_GIB &&
		    e->size > SERVICE_VM_ACPI_BYTES)
			best = e;
	}
	if (!best || best->addr + best->size > FOUR_GIB)
		boot_fail("the service VM has no memory below 4 GiB for its ACPI tables");
	best->size -= SERVICE_VM_ACPI_BYTES;
	at = best->addr + best->size;
	add_entry(map, at, SERVICE_VM_ACPI_BYTES, XEN_HVM_MEMMAP_TYPE_ACPI);
	return at;
}

/* The end of the address space from `start` that neither the map nor a BAR uses. */
static uint64_t hole_end(const struct service_vm_map *map, uint64_t start)
{
	uint64_t end = MIN(vpci_next_bar(start), FOUR_GIB - 64 * MIB);

	for (unsigned i = 0; i < map->nr; i++)
		if (map->entry[i].addr + map->entry[i].size > start)
			end = MIN(end, MAX(map->entry[i].addr, start));
	return align_down(end, PAGE_SIZE);
}

/* Linux puts the addresses at which it maps grants into the first free gap of the address space that is
 * large enough, but looks at reserved regions only afterwards, and then at the larger side of what
 * is left. With nothing in its way that is the side above 4 GiB, where devices with 32-bit DMA cannot
 * reach. A page that is marked at the end of a hole below 4 GiB ends the gap there. */
static void plan_scratch(struct service_vm_map *map)
{
	uint64_t best_start = 0, best_end = 0;

	for (unsigned i = 0; i < map->nr; i++) {
		uint64_t start = align_up(map->entry[i].addr + map->entry[i].size, PAGE_SIZE);
		uint64_t end = start < MIB || start >= FOUR_GIB ? start : hole_end(map, start);

		if (end > start && end - start > best_end - best_start &&
		    best_end - best_start < SCRATCH_MIN) {
			best_start = start;
			best_end = end;
		}
	}
	if (best_end - best_start > SCRATCH_MIN)
		add_entry(map, best_end - PAGE_SIZE, PAGE_SIZE, XEN_HVM_MEMMAP_TYPE_UNUSABLE);
}

static void sort(struct service_vm_map *map)
{
	for (unsigned i = 1; i < map->nr; i++) {
		struct hvm_memmap_table_entry e = map->entry[i];
		unsigned to = i;

		for (; to > 0 && map->entry[to - 1].addr > e.addr; to--)
			map->entry[to] = map->entry[to - 1];
		map->entry[to] = e;
	}
}

void service_vm_plan_memory(struct domain *d, uint64_t bytes, struct service_vm_map *ret_map,
			    uint64_t *ret_acpi)
{
	uint64_t left = align_down(bytes, PAGE_SIZE);

	ret_map->nr = 0;
	for (unsigned i = 0; i < boot_info.nr_ranges; i++) {
		const struct memory_range *r = &boot_info.range[i];

		if (r->type == MEMORY_USABLE)
			add_ram(d, ret_map, r, &left);
		else
			add_entry(ret_map, r->base, r->bytes, r->type);
	}
	*ret_acpi = plan_acpi(ret_map);
	plan_scratch(ret_map);
	sort(ret_map);
}

/* RAM. */

/* Not cleared: no guest has had this memory before. What firmware and boot loader left in it is the
 * administrator's own, and so is the service VM. */
static int try_populate(struct domain *d, uint64_t gfn, unsigned order)
{
	struct p2m_entry e = { .mfn = MFN(gfn),
			       .kind = P2M_RAM,
			       .order = (uint8_t)order,
			       .access = p2m_ram_access(d) };
	int err = 0;

	if (!is_direct(gfn << PAGE_SHIFT))
		err = page_alloc_domain(d, order, PAGE_ALLOC_DIRTY, &e.mfn);
	return err ? err : p2m_map(d, GFN(gfn), &e);
}

static unsigned largest_order(uint64_t frame, uint64_t end)
{
	if (cpu_has(CPU_1G_PAGES) && is_aligned(frame, BIT64(ORDER_1G)) &&
	    end - frame >= BIT64(ORDER_1G))
		return ORDER_1G;
	if (is_aligned(frame, BIT64(ORDER_2M)) && end - frame >= BIT64(ORDER_2M))
		return ORDER_2M;
	return ORDER_4K;
}

static unsigned smaller_order(unsigned order)
{
	return order == ORDER_1G ? ORDER_2M : ORDER_4K;
}

static void populate(struct domain *d, uint64_t gfn, uint64_t end)
{
	while (gfn < end) {
		unsigned order = largest_order(gfn, end);

		while (try_populate(d, gfn, order)) {
			if (order == ORDER_4K)
				boot_fail(
					"no memory left for the service VM: give it less by dom0_mem=");
			order = smaller_order(order);
		}
		gfn += BIT64(order);
	}
}

/* The machine's own first MiB: the BIOS left words there that the service VM's kernel looks at. */
static void copy_low_memory(struct domain *d, uint64_t start, uint64_t end)
{
	for (uint64_t a = start; a < end; a += PAGE_SIZE)
		service_vm_write(d, a, mpa_to_ptr(MPA(a)), PAGE_SIZE);
}

void service_vm_populate(struct domain *d, const struct service_vm_map *map)
{
	for (unsigned i = 0; i < map->nr; i++) {
		const struct hvm_memmap_table_entry *e = &map->entry[i];
		uint64_t start = align_down(e->addr, PAGE_SIZE);
		uint64_t end = align_up(e->addr + e->size, PAGE_SIZE);
		bool is_own =
			e->type == XEN_HVM_MEMMAP_TYPE_RAM ||
			(e->type == XEN_HVM_MEMMAP_TYPE_ACPI && is_host_ram(start, PAGE_SIZE));

		if (!is_own)
			continue;
		populate(d, start >> PAGE_SHIFT, end >> PAGE_SHIFT);
		if (start < MIB)
			copy_low_memory(d, start, end);
	}
	/* Second, because a page of which only a part is RAM is RAM. */
	for (unsigned i = 0; i < map->nr; i++) {
		const struct hvm_memmap_table_entry *e = &map->entry[i];

		if (e->type != XEN_HVM_MEMMAP_TYPE_RAM && e->type != XEN_HVM_MEMMAP_TYPE_UNUSABLE &&
		    e->size <= MAX_EAGER_BYTES && service_vm_map_identity(d, e->addr, e->size))
			boot_fail("no memory for the service VM's page tables");
	}
	/* Video memory and option ROMs are in no machine's map. */
	if (service_vm_map_identity(d, 0xa0000, MIB - 0xa0000))
		boot_fail("no memory for the service VM's page tables");
}

/* Our pointer to guest memory at gpa, and how much of [gpa, gpa + bytes) is contiguous there. */
static void *guest_chunk(struct domain *d, uint64_t gpa, uint64_t bytes, uint64_t *ret_chunk)
{
	struct p2m_entry e;

	p2m_lookup(d, GFN(gpa >> PAGE_SHIFT), &e);
	if (e.kind != P2M_RAM)
		panic("service VM: no RAM at %#" PRIx64, gpa);
	*ret_chunk = MIN(bytes, (PAGE_SIZE << e.order) - (gpa & ((PAGE_SIZE << e.order) - 1)));
	return (uint8_t *)mfn_to_ptr(e.mfn) + gpa % PAGE_SIZE;
}

void service_vm_write(struct domain *d, uint64_t gpa, const void *from, uint64_t bytes)
{
	const uint8_t *at = from;
	uint64_t chunk;

	for (; bytes; gpa += chunk, at += chunk, bytes -= chunk) {
		void *to = guest_chunk(d, gpa, bytes, &chunk);

		memcpy(to, at, chunk);
	}
}

void service_vm_clear(struct domain *d, uint64_t gpa, uint64_t bytes)
{
	uint64_t chunk;

	for (; bytes; gpa += chunk, bytes -= chunk) {
		void *to = guest_chunk(d, gpa, bytes, &chunk);

		memset(to, 0, chunk);
	}
}

/* Devices. */

bool service_vm_may_be_device(uint64_t start, uint64_t bytes)
{
	uint64_t end = BIT64(host_cpu.phys_bits);

	return start < end && bytes <= end - start && !is_host_ram(start, bytes) &&
	       !private_mmio_overlaps(MPA(start), bytes);
}

static int map_block(struct domain *d, uint64_t frame, unsigned order)
{
	struct p2m_entry e = { .mfn = MFN(frame),
			       .kind = P2M_MMIO,
			       .order = (uint8_t)order,
			       .access = P2M_WRITE | P2M_EXEC | P2M_DMA };

	if (!service_vm_may_be_device(frame << PAGE_SHIFT, PAGE_SIZE << order))
		return -XEN_EPERM;
	return p2m_map(d, GFN(frame), &e);
}

/* Maps one block at frame, as large as possible; its order. */
static int map_largest(struct domain *d, uint64_t frame, uint64_t end, unsigned *ret_order)
{
	unsigned order = largest_order(frame, end);
	int err = map_block(d, frame, order);

	while (err && order != ORDER_4K) {
		order = smaller_order(order);
		err = map_block(d, frame, order);
	}
	*ret_order = order;
	return err;
}

int service_vm_map_identity(struct domain *d, uint64_t start, uint64_t bytes)
{
	uint64_t frame = start >> PAGE_SHIFT;
	uint64_t end = align_up(start + bytes, PAGE_SIZE) >> PAGE_SHIFT;
	unsigned order;

	while (frame < end) {
		uint64_t next = private_mmio_skip(MPA(frame << PAGE_SHIFT)).a >> PAGE_SHIFT;

		if (next != frame) { /* it may be a large one, such as a window of MCFG */
			frame = next;
			continue;
		}
		if (map_largest(d, frame, end, &order) == -XEN_ENOMEM)
			return -XEN_ENOMEM;
		frame += BIT64(order);
	}
	return 0;
}

/* Takes the largest block at frame out of the physmap that is mapped as one; its order, also where nothing is. */
static int unmap_largest(struct p2m_batch *batch, uint64_t frame, uint64_t end, unsigned *ret_order)
{
	unsigned order = largest_order(frame, end);
	int err = p2m_batch_unmap(batch, GFN(frame), order, P2M_KIND(P2M_MMIO));

	while (err == -XEN_EINVAL && order != ORDER_4K) {
		order = smaller_order(order);
		err = p2m_batch_unmap(batch, GFN(frame), order, P2M_KIND(P2M_MMIO));
	}
	*ret_order = err ? ORDER_4K : order;
	return err;
}

void service_vm_unmap_identity(struct domain *d, uint64_t start, uint64_t bytes)
{
	uint64_t end = align_up(start + bytes, PAGE_SIZE) >> PAGE_SHIFT,
		 frame = start >> PAGE_SHIFT;
	struct p2m_batch batch;
	unsigned order;

	p2m_batch_init(&batch, d);
	for (; frame < end; frame += BIT64(order))
		if (unmap_largest(&batch, frame, end, &order) == -XEN_ENOMEM)
			break; /* what stays mapped is an address without a device */
	p2m_batch_finish(&batch);
}

bool service_vm_map_device(struct domain *d, gpa_t gpa)
{
	return d == service_vm && !map_block(d, gpa.a >> PAGE_SHIFT, ORDER_4K);
}
