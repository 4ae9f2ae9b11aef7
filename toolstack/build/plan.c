/*
 * Makes a plan: opens the files, lays out the guest's memory, and writes what only the builder knows
 * (start info, ACPI tables).
 *
 * The kernel goes where its segments say. What it is told goes right behind it, and the initrd behind that;
 * when there is no room, between 1 MiB and the kernel.
 */
#include "build/build.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "build/acpi-tables.h"
#include "build/elf-image.h"
#include "build/unpack.h"

#define LOW_RAM_END  UINT64_C(0xa0000)  /* of what is told to be RAM below 1 MiB */
#define ISA_END      UINT64_C(0x100000) /* reserved, but there: kernels look for firmware in it */
#define MIN_MEMORY   (UINT64_C(2) << 20)
#define MAX_MEMORY   (UINT64_C(1) << 40)
#define INITRD_ALIGN 4u /* how Linux finds the next archive behind one */
#define PIECES_GROW  16u

#define CR0_PE         0x1u
#define EFLAGS_FIXED   0x2u
#define SEGMENT_CODE32 0xc9bu
#define SEGMENT_DATA32 0xc93u
#define SEGMENT_TSS    0x08bu /* busy */
#define TSS_LIMIT      0x67u

struct planner {
	const struct build_description *d;
	struct build_plan *plan;
	struct elf_image image;
	uint64_t low_end;   /* of RAM below 4 GiB */
	uint64_t next_free; /* behind the kernel and what was placed */
	uint64_t gap_free;  /* below the kernel: from here on */
	struct err *err;
};

static int no_memory(const struct planner *p)
{
	return err_set(p->err, -ENOMEM, "no memory to plan the guest");
}

static int check_description(const struct planner *p)
{
	const struct build_description *d = p->d;

	if (d->memory_bytes % BUILD_PAGE)
		return err_set(p->err, -EINVAL, "memory of %" PRIu64 " bytes is not whole pages",
			       d->memory_bytes);
	if (d->memory_bytes < MIN_MEMORY || d->memory_bytes > MAX_MEMORY)
		return err_set(p->err, -EINVAL,
			       "memory of %" PRIu64 " KiB: it must be from 2 MiB to 1 TiB",
			       d->memory_bytes >> 10);
	if (!d->nr_vcpus || d->nr_vcpus > BUILD_MAX_VCPUS)
		return err_set(p->err, -EINVAL, "%u vCPUs: there must be from 1 to %u", d->nr_vcpus,
			       BUILD_MAX_VCPUS);
	if (d->nr_initrds > BUILD_MAX_INITRDS)
		return err_set(p->err, -EINVAL, "%u initrds: there may be up to %u", d->nr_initrds,
			       BUILD_MAX_INITRDS);
	if (d->cmdline && strlen(d->cmdline) > BUILD_CMDLINE_MAX)
		return err_set(p->err, -EINVAL,
			       "the command line has %zu characters; a kernel takes up to %u",
			       strlen(d->cmdline), BUILD_CMDLINE_MAX);
	return 0;
}

/* A bzImage's kernel takes its place. */
static int unpack_kernel(const struct planner *p)
{
	struct source payload, kernel;
	uint64_t bytes;
	int ret = bzimage_find_payload(&p->plan->kernel, &payload, &bytes, p->err);

	if (ret)
		return ret;
	if (bytes > p->d->memory_bytes)
		return err_set(p->err, -E2BIG,
			       "%s: the kernel inside has %" PRIu64
			       " KiB, the guest's memory %" PRIu64 " KiB",
			       p->d->kernel, bytes >> 10, p->d->memory_bytes >> 10);
	ret = kernel_cache_unpack(&p->d->cache, &payload, bytes, &kernel, &p->plan->cache_problem,
				  p->err);
	if (ret)
		return ret;
	source_close(&p->plan->kernel);
	p->plan->kernel = kernel;
	return 0;
}

static int open_files(struct planner *p)
{
	struct build_plan *plan = p->plan;
	int ret = source_open(&plan->kernel, p->d->kernel, p->err);

	if (!ret && bzimage_is(&plan->kernel))
		ret = unpack_kernel(p);
	if (!ret)
		ret = elf_image_read(&plan->kernel, &p->image, p->err);
	for (unsigned i = 0; !ret && i < p->d->nr_initrds; i++) {
		ret = source_open(&plan->initrd[i], p->d->initrd[i], p->err);
		plan->nr_initrds += !ret;
	}
	return ret;
}

static void add_extent(struct build_plan *plan, uint64_t gpa, uint64_t bytes, unsigned order)
{
	uint64_t nr_blocks = bytes >> (BUILD_PAGE_SHIFT + order);

	if (!nr_blocks)
		return;
	plan->extent[plan->nr_extents++] = (struct build_extent){ .gfn = gpa >> BUILD_PAGE_SHIFT,
								  .nr_blocks = nr_blocks,
								  .order = order };
	plan->nr_pages += nr_blocks << order;
}

/* In pages of 2 MiB as far as they fit. gpa is aligned to that. */
static void add_ram(struct build_plan *plan, uint64_t gpa, uint64_t bytes)
{
	uint64_t large = align_down(bytes, BUILD_PAGE << BUILD_ORDER_2M);

	add_extent(plan, gpa, large, BUILD_ORDER_2M);
	add_extent(plan, gpa + large, bytes - large, 0);
}

static void add_memmap(struct build_plan *plan, uint64_t start, uint64_t end, uint32_t type)
{
	if (start < end)
		plan->memmap[plan->nr_memmap++] = (struct hvm_memmap_table_entry){
			.addr = start, .size = end - start, .type = type
		};
}

/* The entry of type ACPI makes Linux look for room for grant mappings below 4 GiB. */
static void lay_out_memory(struct planner *p)
{
	uint64_t high = p->d->memory_bytes - MIN(p->d->memory_bytes, BUILD_LOW_RAM_END);
	struct build_plan *plan = p->plan;

	p->low_end = p->d->memory_bytes - high;
	plan->store_gfn = BUILD_STORE_PAGE >> BUILD_PAGE_SHIFT;
	plan->console_gfn = BUILD_CONSOLE_PAGE >> BUILD_PAGE_SHIFT;
	add_ram(plan, 0, p->low_end);
	add_extent(plan, BUILD_ACPI, ACPI_TABLES_BYTES, 0);
	add_extent(plan, BUILD_STORE_PAGE, BUILD_PAGE, 0);
	add_extent(plan, BUILD_CONSOLE_PAGE, BUILD_PAGE, 0);
	add_ram(plan, BUILD_HIGH_RAM, high);
	add_memmap(plan, 0, LOW_RAM_END, XEN_HVM_MEMMAP_TYPE_RAM);
	add_memmap(plan, LOW_RAM_END, ISA_END, XEN_HVM_MEMMAP_TYPE_RESERVED);
	add_memmap(plan, ISA_END, p->low_end, XEN_HVM_MEMMAP_TYPE_RAM);
	add_memmap(plan, BUILD_ACPI, BUILD_ACPI + ACPI_TABLES_BYTES, XEN_HVM_MEMMAP_TYPE_ACPI);
	add_memmap(plan, BUILD_SPECIAL, BUILD_SPECIAL_END, XEN_HVM_MEMMAP_TYPE_RESERVED);
	add_memmap(plan, BUILD_HIGH_RAM, BUILD_HIGH_RAM + high, XEN_HVM_MEMMAP_TYPE_RAM);
}

static int check_segment(const struct planner *p, const struct elf_segment *s)
{
	uint64_t end = s->paddr + s->memory_bytes;

	if (end > p->low_end)
		return err_set(p->err, -E2BIG,
			       "%s: the kernel needs memory up to %" PRIu64
			       " KiB; the guest has %" PRIu64 " KiB below 4 GiB",
			       p->d->kernel, div_round_up(end, 1024), p->low_end >> 10);
	if (s->paddr < ISA_END && end > LOW_RAM_END)
		return err_set(p->err, -EINVAL,
			       "%s: the segment at %#" PRIx64 " reaches into 0xa0000 to 0xfffff,"
			       " where no RAM is",
			       p->d->kernel, s->paddr);
	return 0;
}

static int add_piece(const struct planner *p, uint64_t gpa, const struct source *source,
		     uint64_t offset, uint64_t bytes)
{
	struct build_plan *plan = p->plan;

	if (plan->nr_pieces % PIECES_GROW == 0) {
		struct build_piece *more =
			realloc(plan->piece, (plan->nr_pieces + PIECES_GROW) * sizeof(*more));

		if (!more)
			return no_memory(p);
		plan->piece = more;
	}
	plan->piece[plan->nr_pieces++] = (struct build_piece){
		.gpa = gpa, .source = source, .offset = offset, .bytes = bytes
	};
	return 0;
}

/* The guest's memory is zero: holes in the file need not be copied. */
static int add_data(const struct planner *p, uint64_t gpa, const struct source *source,
		    uint64_t offset, uint64_t bytes)
{
	uint64_t at = offset, end;
	int ret = 0;

	while (!ret && source_next_data(source, &at, offset + bytes, &end)) {
		ret = add_piece(p, gpa + (at - offset), source, at, end - at);
		at = end;
	}
	return ret;
}

static int place_kernel(struct planner *p)
{
	for (unsigned i = 0; i < p->image.nr_segments; i++) {
		const struct elf_segment *s = &p->image.segment[i];
		int ret = check_segment(p, s);

		if (!ret)
			ret = add_data(p, s->paddr, &p->plan->kernel, s->offset, s->file_bytes);
		if (ret)
			return ret;
	}
	p->next_free = MAX(align_up(p->image.end, BUILD_PAGE), ISA_END);
	p->gap_free = ISA_END;
	return 0;
}

/* Whole pages for something, behind what was placed so far or else below the kernel. */
static int reserve(struct planner *p, uint64_t bytes, const char *what, uint64_t *ret_gpa)
{
	uint64_t size = align_up(bytes, BUILD_PAGE), low_room, high_room;
	uint64_t gap_end = align_down(p->image.start, BUILD_PAGE);

	high_room = p->low_end - MIN(p->next_free, p->low_end);
	low_room = gap_end - MIN(p->gap_free, gap_end);
	if (size > high_room && size > low_room)
		return err_set(p->err, -E2BIG,
			       "%s: %" PRIu64 " KiB do not fit: beside the kernel %s, %" PRIu64
			       " KiB of the guest's memory are free in one piece",
			       what, size >> 10, p->d->kernel, MAX(high_room, low_room) >> 10);
	if (size <= high_room) {
		*ret_gpa = p->next_free;
		p->next_free += size;
	} else {
		*ret_gpa = p->gap_free;
		p->gap_free += size;
	}
	return 0;
}

static uint64_t initrd_bytes(const struct build_plan *plan)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < plan->nr_initrds; i++)
		bytes = align_up(bytes, INITRD_ALIGN) + plan->initrd[i].bytes;
	return bytes;
}

static int place_initrds(struct planner *p, struct hvm_modlist_entry *ret_module)
{
	uint64_t at, total = initrd_bytes(p->plan);
	int ret = reserve(p, total, p->plan->nr_initrds == 1 ? p->d->initrd[0] : "initrds",
			  &ret_module->paddr);

	at = ret_module->paddr;
	for (unsigned i = 0; !ret && i < p->plan->nr_initrds; i++) {
		const struct source *s = &p->plan->initrd[i];

		at = align_up(at, INITRD_ALIGN);
		ret = add_data(p, at, s, 0, s->bytes);
		at += s->bytes;
	}
	ret_module->size = total;
	return ret;
}

/* Memory of the plan's own, as a source. */
static uint8_t *new_block(struct source *s, const char *name, uint64_t bytes)
{
	uint8_t *data = calloc(1, bytes);

	*s = (struct source){
		.name = name, .fd = -1, .data = data, .bytes = bytes, .is_owner = true
	};
	return data;
}

/* The block that EBX points to, and in it, in this order: */
struct info_block {
	struct hvm_start_info start;
	struct hvm_modlist_entry module;
	struct hvm_memmap_table_entry memmap[BUILD_MAX_MEMMAP];
	char cmdline[];
};

static int place_info(struct planner *p)
{
	const char *cmdline = p->d->cmdline ? p->d->cmdline : "";
	uint64_t at = 0, bytes = sizeof(struct info_block) + strlen(cmdline) + 1;
	struct info_block *info = (struct info_block *)(uintptr_t)new_block(
		&p->plan->info, "the start information", bytes);
	int ret;

	if (!info)
		return no_memory(p);
	ret = reserve(p, bytes, "the start information", &at);
	if (!ret && p->plan->nr_initrds)
		ret = place_initrds(p, &info->module);
	if (ret)
		return ret;
	info->start = (struct hvm_start_info){
		.magic = XEN_HVM_START_MAGIC_VALUE,
		.version = XEN_HVM_START_VERSION,
		.nr_modules = p->plan->nr_initrds ? 1 : 0,
		.modlist_paddr = p->plan->nr_initrds ? at + offsetof(struct info_block, module) : 0,
		.cmdline_paddr = at + offsetof(struct info_block, cmdline),
		.rsdp_paddr = BUILD_ACPI,
		.memmap_paddr = at + offsetof(struct info_block, memmap),
		.memmap_entries = p->plan->nr_memmap,
	};
	memcpy(info->memmap, p->plan->memmap, p->plan->nr_memmap * sizeof(info->memmap[0]));
	memcpy(info->cmdline, cmdline, strlen(cmdline) + 1);
	p->plan->entry.cpu_regs.x86_32.ebx = (uint32_t)at;
	return add_piece(p, at, &p->plan->info, 0, bytes);
}

static int place_acpi(struct planner *p)
{
	uint8_t *page = new_block(&p->plan->acpi, "the ACPI tables", ACPI_TABLES_BYTES);

	if (!page)
		return no_memory(p);
	acpi_tables_write(page, (uint32_t)BUILD_ACPI, p->d->nr_vcpus);
	return add_piece(p, BUILD_ACPI, &p->plan->acpi, 0, ACPI_TABLES_BYTES);
}

/* Protected mode without paging, flat segments, interrupts off: the PVH entry, of 64-bit kernels too. */
static void set_entry(struct planner *p)
{
	struct vcpu_hvm_x86_32 *r = &p->plan->entry.cpu_regs.x86_32;

	p->plan->entry.mode = VCPU_HVM_MODE_32B;
	r->eip = p->image.entry;
	r->eflags = EFLAGS_FIXED;
	r->cr0 = CR0_PE;
	r->cs_limit = r->ds_limit = r->ss_limit = r->es_limit = UINT32_MAX;
	r->cs_ar = SEGMENT_CODE32;
	r->ds_ar = r->ss_ar = r->es_ar = SEGMENT_DATA32;
	r->tr_limit = TSS_LIMIT;
	r->tr_ar = SEGMENT_TSS;
}

static int make_plan(struct planner *p)
{
	int ret = check_description(p);

	if (!ret)
		ret = open_files(p);
	if (ret)
		return ret;
	p->plan->is_64_bit = p->image.is_64_bit;
	p->plan->nr_vcpus = p->d->nr_vcpus;
	lay_out_memory(p);
	set_entry(p);
	ret = place_kernel(p);
	if (!ret)
		ret = place_info(p);
	if (!ret)
		ret = place_acpi(p);
	return ret;
}

int build_plan_create(const struct build_description *d, struct build_plan **ret_plan,
		      struct err *err)
{
	struct planner p = { .d = d, .plan = calloc(1, sizeof(*p.plan)), .err = err };
	int ret;

	if (!p.plan)
		return no_memory(&p);
	ret = make_plan(&p);
	if (ret)
		build_plan_destroy(p.plan);
	else
		*ret_plan = p.plan;
	return ret;
}

void build_plan_destroy(struct build_plan *plan)
{
	if (!plan)
		return;
	source_close(&plan->kernel);
	for (unsigned i = 0; i < plan->nr_initrds; i++)
		source_close(&plan->initrd[i]);
	source_close(&plan->info);
	source_close(&plan->acpi);
	free(plan->piece);
	free(plan);
}
