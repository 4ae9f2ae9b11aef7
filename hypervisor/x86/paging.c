/* The hypervisor's page tables, and memory before the page allocator has it.
 *
 * What boot code takes for good is recorded in `taken`: the first MiB, the image, the modules, the
 * blocks of boot_alloc() and the page records. memory_init() gives the rest to the allocator. */
#include "x86/paging.h"
#include "lib/string.h"
#include "lodge/log.h"
#include "lodge/page.h"
#include "lodge/spinlock.h"
#include "x86/acpi.h"
#include "x86/boot-info.h"
#include "x86/cpu.h"

#define PTE_PRESENT       (1ull << 0)
#define PTE_WRITE         (1ull << 1)
#define PTE_WRITE_THROUGH (1ull << 3)
#define PTE_NO_CACHE      (1ull << 4)
#define PTE_LARGE         (1ull << 7)
#define PTE_NX            (1ull << 63)
#define PTE_ADDRESS       0x000ffffffffff000ull

#define MAP_TEXT  PTE_PRESENT
#define MAP_CONST (PTE_PRESENT | PTE_NX)
#define MAP_DATA  (PTE_PRESENT | PTE_WRITE | PTE_NX)
#define MAP_MMIO  (MAP_DATA | PTE_NO_CACHE | PTE_WRITE_THROUGH)

#define LOW_MEMORY_END   0x100000ull
#define BOOT_CHUNK_BYTES 0x200000ull
#define MIN_MEMORY_MIB   128u
#define NR_TAKEN         64u

mpa_t image_base;

static uint64_t *root;
static uint64_t mmio_next = MMIO_MAP_BASE;
static bool has_allocator; /* memory_init() is over */

static struct taken {
	uint64_t start, end;
	bool is_module;
} taken[NR_TAKEN]; /* in no order */
static unsigned nr_taken;
static struct taken *boot_chunk; /* boot_alloc() takes from its end downwards */
static uint64_t boot_chunk_used;

/* ---- Memory before the allocator ---- */

static struct taken *take(uint64_t start, uint64_t end, bool is_module)
{
	if (nr_taken == NR_TAKEN)
		boot_fail("memory is in too many pieces\n");
	taken[nr_taken] = (struct taken){ start, end, is_module };
	return &taken[nr_taken++];
}

/* The part of [start, end) before the first taken range in it; its start moves behind one that
 * covers it. *ret_next is where to look on. */
static bool free_piece(uint64_t *start, uint64_t end, uint64_t *ret_end)
{
	bool moved;

	do {
		moved = false;
		*ret_end = end;
		for (unsigned i = 0; i < nr_taken; i++) {
			const struct taken *t = &taken[i];

			if (t->start <= *start && t->end > *start) {
				*start = t->end;
				moved = true;
			} else if (t->start > *start && t->start < *ret_end) {
				*ret_end = t->start;
			}
		}
	} while (moved);
	return *start < end;
}

/* Takes `bytes` from the end of the largest free piece below `limit`. */
static struct taken *take_block(uint64_t bytes, uint64_t limit)
{
	uint64_t best_start = 0, best_end = 0;

	for (unsigned i = 0; i < boot_info.nr_ranges; i++) {
		const struct memory_range *r = &boot_info.range[i];
		uint64_t at = align_up(r->base, PAGE_SIZE);
		uint64_t end = MIN(align_down(r->base + r->bytes, PAGE_SIZE), limit);
		uint64_t piece_end;

		if (r->type != MEMORY_USABLE)
			continue;
		for (; at < end && free_piece(&at, end, &piece_end); at = piece_end) {
			if (piece_end - at > best_end - best_start) {
				best_start = at;
				best_end = piece_end;
			}
		}
	}
	if (best_end - best_start < bytes)
		boot_fail(
			"not enough memory: Lodge needs %u MiB at least, and its service VM more\n",
			MIN_MEMORY_MIB);
	return take(best_end - bytes, best_end, false);
}

void *boot_alloc(uint64_t nr_pages)
{
	uint64_t bytes = nr_pages << PAGE_SHIFT;
	void *p;

	BUG_ON(has_allocator);
	if (!boot_chunk || boot_chunk_used + bytes > boot_chunk->end - boot_chunk->start) {
		if (boot_chunk)
			boot_chunk->start =
				boot_chunk->end - boot_chunk_used; /* give back the rest */
		boot_chunk = take_block(MAX(bytes, BOOT_CHUNK_BYTES), 1ull << 32);
		boot_chunk_used = 0;
	}
	boot_chunk_used += bytes;
	p = mpa_to_ptr(MPA(boot_chunk->end - boot_chunk_used));
	memset(p, 0, bytes);
	return p;
}

static void add_piece(uint64_t start, uint64_t end)
{
	while (start < end) {
		mpa_t node_end;
		unsigned node = acpi_memory_node(MPA(start), &node_end);
		uint64_t part_end = MIN(end, align_up(node_end.a, PAGE_SIZE));

		page_add_range(mpa_to_mfn(MPA(start)), (part_end - start) >> PAGE_SHIFT, node);
		start = part_end;
	}
}

static uint64_t usable_end(void)
{
	uint64_t end = 0;

	for (unsigned i = 0; i < boot_info.nr_ranges; i++)
		if (boot_info.range[i].type == MEMORY_USABLE)
			end = boot_info.range[i].base + boot_info.range[i].bytes;
	return align_down(end, PAGE_SIZE);
}

void memory_init(void)
{
	uint64_t nr_records = usable_end() >> PAGE_SHIFT;
	uint64_t bytes = align_up(nr_records * sizeof(struct page), PAGE_SIZE);
	struct taken *records = take_block(bytes, UINT64_MAX);

	if (boot_chunk)
		boot_chunk->start = boot_chunk->end - boot_chunk_used;
	has_allocator = true;
	page_init(mpa_to_ptr(MPA(records->start)), nr_records);
	for (unsigned i = 0; i < boot_info.nr_ranges; i++) {
		const struct memory_range *r = &boot_info.range[i];
		uint64_t at = align_up(r->base, PAGE_SIZE), piece_end;
		uint64_t end = align_down(r->base + r->bytes, PAGE_SIZE);

		if (r->type != MEMORY_USABLE)
			continue;
		for (; at < end && free_piece(&at, end, &piece_end); at = piece_end)
			add_piece(at, piece_end);
	}
}

void memory_free_modules(void)
{
	for (unsigned i = 0; i < nr_taken; i++) {
		if (taken[i].is_module) {
			taken[i].is_module = false;
			add_piece(taken[i].start, taken[i].end);
		}
	}
}

static void take_what_is_used(void)
{
	uint64_t image_bytes = (uint64_t)(image_end - image_start);

	take(0, LOW_MEMORY_END, false);
	take(image_base.a, image_base.a + image_bytes, false);
	for (unsigned i = 0; i < boot_info.nr_modules; i++) {
		const struct boot_module *m = &boot_info.module[i];

		take(align_down(m->base.a, PAGE_SIZE), align_up(m->base.a + m->bytes, PAGE_SIZE),
		     true);
	}
}

/* ---- Tables ---- */

static uint64_t *table_alloc(void)
{
	mfn_t mfn;

	if (!has_allocator)
		return boot_alloc(1);
	mfn = page_alloc(ORDER_4K, NODE_ANY, PAGE_ALLOC_ZERO);
	return mfn_is_none(mfn) ? NULL : mfn_to_ptr(mfn);
}

/* The entry for va at a level (0: 4 KiB, 1: 2 MiB, 2: 1 GiB), making the tables above it. NULL without
 * memory for one; not before the page allocator works. */
static uint64_t *entry_for(uint64_t va, unsigned level)
{
	uint64_t *table = root;

	for (unsigned l = 3; l > level; l--) {
		uint64_t *e = &table[va >> (PAGE_SHIFT + 9 * l) & 511];

		if (!(*e & PTE_PRESENT)) {
			uint64_t *new_table = table_alloc();

			if (!new_table)
				return NULL;
			*e = ptr_to_mfn(new_table).n << PAGE_SHIFT | PTE_PRESENT | PTE_WRITE;
		}
		BUG_ON(*e & PTE_LARGE);
		table = mfn_to_ptr(mpa_to_mfn(MPA(*e & PTE_ADDRESS)));
	}
	return &table[va >> (PAGE_SHIFT + 9 * level) & 511];
}

static void map_range(uint64_t va, uint64_t pa, uint64_t end, uint64_t flags)
{
	while (pa < end) {
		unsigned level = cpu_has(CPU_1G_PAGES) ? 2 : 1;
		uint64_t size;

		for (;; level--) {
			size = PAGE_SIZE << (9 * level);
			if (level == 0 || (is_aligned(va | pa, size) && end - pa >= size))
				break;
		}
		*entry_for(va, level) = pa | flags | (level ? PTE_LARGE : 0);
		va += size;
		pa += size;
	}
}

static void map_image(void)
{
	const struct {
		const char *start, *end;
		uint64_t flags;
	} parts[] = {
		{ image_start, image_text_end, MAP_TEXT },
		{ image_text_end, image_rodata_end, MAP_CONST },
		{ image_rodata_end, image_end, MAP_DATA },
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		map_range((uintptr_t)parts[i].start, image_to_mpa(parts[i].start).a,
			  image_to_mpa(parts[i].end).a, parts[i].flags);
}

/* RAM of [start, end), leaving the image's text and constants read-only. */
static void map_ram(uint64_t start, uint64_t end)
{
	uint64_t ro_start = image_base.a, ro_end = image_to_mpa(image_rodata_end).a;

	if (ro_start < end && ro_end > start) {
		map_range(DIRECT_MAP_BASE + start, start, ro_start, MAP_DATA);
		map_range(DIRECT_MAP_BASE + ro_start, ro_start, ro_end, MAP_CONST);
		start = ro_end;
	}
	if (start < end)
		map_range(DIRECT_MAP_BASE + start, start, end, MAP_DATA);
}

static bool is_ram(uint32_t type)
{
	return type == MEMORY_USABLE || type == MEMORY_ACPI || type == MEMORY_NVS;
}

static void map_direct(void)
{
	uint64_t done = LOW_MEMORY_END; /* a page that two ranges share is mapped once */

	map_range(DIRECT_MAP_BASE, 0, LOW_MEMORY_END, MAP_DATA);
	for (unsigned i = 0; i < boot_info.nr_ranges; i++) {
		const struct memory_range *r = &boot_info.range[i];
		uint64_t end = align_up(r->base + r->bytes, PAGE_SIZE);

		if (!is_ram(r->type))
			continue;
		map_ram(MAX(align_down(r->base, PAGE_SIZE), done), end);
		done = MAX(done, end);
	}
}

void paging_init(void)
{
	if (boot_info_nr_usable_pages() < (uint64_t)MIN_MEMORY_MIB << (20 - PAGE_SHIFT))
		boot_fail(
			"%u MiB of memory are too few: Lodge needs %u MiB at least, and its service VM more\n",
			(unsigned)(boot_info_nr_usable_pages() >> (20 - PAGE_SHIFT)),
			MIN_MEMORY_MIB);
	take_what_is_used();
	root = boot_alloc(1);
	map_direct();
	map_image();
	paging_cpu_init();
}

mpa_t paging_root(void)
{
	return mfn_to_mpa(ptr_to_mfn(root));
}

void paging_cpu_init(void)
{
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	write_cr3(paging_root().a);
}

/* ---- Additions ---- */

/* What map_mmio() and map_firmware() have mapped: who asks again gets the same, so that a guest that moves a
 * device about cannot make the tables grow without end. */
#define NR_MAPPINGS 1024u

static struct mapping {
	uint64_t base, bytes, flags; /* whole pages */
	uint64_t va;
} mappings[NR_MAPPINGS];
static unsigned nr_mappings;
static struct spinlock mappings_lock = SPINLOCK(LOCK_RANK_PAGING);

static uint64_t find_mapping(uint64_t base, uint64_t bytes, uint64_t flags)
{
	for (unsigned i = 0; i < nr_mappings; i++) {
		const struct mapping *m = &mappings[i];

		if (m->base == base && m->bytes == bytes && m->flags == flags)
			return m->va;
	}
	return 0;
}

static uint64_t add_mapping(uint64_t base, uint64_t bytes, uint64_t flags)
{
	uint64_t va = mmio_next;

	if (nr_mappings == NR_MAPPINGS)
		return 0;
	for (uint64_t at = 0; at < bytes; at += PAGE_SIZE) {
		uint64_t *e = entry_for(va + at, 0);

		if (!e)
			return 0; /* what is mapped so far is mapped over the next time */
		*e = (base + at) | flags;
	}
	mmio_next += bytes + PAGE_SIZE; /* what runs over the end faults */
	mappings[nr_mappings++] = (struct mapping){ base, bytes, flags, va };
	return va;
}

static uint8_t *map_next(mpa_t a, uint64_t bytes, uint64_t flags)
{
	uint64_t offset = a.a & ~PAGE_MASK;
	uint64_t size = align_up(offset + bytes, PAGE_SIZE);
	uint64_t va;

	spin_lock(&mappings_lock);
	va = find_mapping(a.a - offset, size, flags);
	if (!va)
		va = add_mapping(a.a - offset, size, flags);
	spin_unlock(&mappings_lock);
	if (!va && !has_allocator)
		boot_fail("no memory for page tables\n");
	return va ? (uint8_t *)va + offset : NULL;
}

void *map_mmio(mpa_t a, uint64_t bytes)
{
	return map_next(a, bytes, MAP_MMIO);
}

const void *map_firmware(mpa_t a, uint64_t bytes)
{
	return map_next(a, bytes, MAP_CONST);
}

void *stack_create(uint32_t id)
{
	uint64_t base = STACK_MAP_BASE + 2 * CPU_STACK_SIZE * id + CPU_STACK_SIZE;

	for (uint64_t va = base; va < base + CPU_STACK_SIZE; va += PAGE_SIZE) {
		mfn_t mfn = page_alloc(ORDER_4K, NODE_ANY, 0);
		uint64_t *e = entry_for(va, 0);

		if (mfn_is_none(mfn) || !e)
			return NULL;
		*e = mfn.n << PAGE_SHIFT | MAP_DATA;
	}
	return (void *)(base + CPU_STACK_SIZE);
}

void paging_map_trampoline(mpa_t page)
{
	uint64_t *e = entry_for(page.a, 0);

	if (!e)
		boot_fail("no memory for page tables\n");
	*e = page.a | MAP_TEXT;
}

void paging_unmap_trampoline(void)
{
	root[0] = 0;
	write_cr3(paging_root().a);
}
