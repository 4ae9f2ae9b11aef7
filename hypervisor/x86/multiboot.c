/* The boot loader's information, Multiboot 1 and 2, into struct boot_info. Runs on the boot tables,
 * which map the first 4 GiB: that is where a 32-bit loader puts everything. Every length that the
 * loader states is checked against the structure that holds it. */
#include "lib/string.h"
#include "arch-inline.h"
#include "lodge/log.h"
#include "x86/boot-info.h"

struct boot_info boot_info;

#define MB1_MAGIC 0x2badb002u
#define MB2_MAGIC 0x36d76289u

#define TEXT_BYTES 4096u
static char text[TEXT_BYTES]; /* all strings */
static size_t text_used;

static const void *low(uint32_t a)
{
	return mpa_to_ptr(MPA(a));
}

/* Strings come from outside: cut at `max` bytes and at the end of our room. */
static const char *keep_text(const char *s, size_t max)
{
	char *to = &text[text_used];
	size_t room = TEXT_BYTES - text_used;
	size_t n = 0;

	while (n < max && s[n])
		n++;
	if (n + 1 > room)
		boot_fail("command lines are longer than %u bytes together: shorten them\n",
			  TEXT_BYTES);
	memcpy(to, s, n);
	to[n] = '\0';
	text_used += n + 1;
	return to;
}

/* GRUB 2 gives arguments only; others put the file's name in front. */
static const char *skip_name(const char *s)
{
	if (str_starts_with(boot_info.loader, "GRUB") &&
	    !str_starts_with(boot_info.loader, "GRUB 0."))
		return s;
	while (*s && *s != ' ')
		s++;
	while (*s == ' ')
		s++;
	return s;
}

static void add_range(uint64_t base, uint64_t bytes, uint32_t type)
{
	struct memory_range *last =
		boot_info.nr_ranges ? &boot_info.range[boot_info.nr_ranges - 1] : NULL;

	if (bytes == 0 || base + bytes < base)
		return;
	/* EFI has hundreds of them that are one to us. */
	if (last && last->type == type && last->base + last->bytes == base) {
		last->bytes += bytes;
		return;
	}
	if (boot_info.nr_ranges == BOOT_MAX_RANGES)
		boot_fail("the firmware's memory map has more than %u entries\n", BOOT_MAX_RANGES);
	boot_info.range[boot_info.nr_ranges++] =
		(struct memory_range){ .base = base, .bytes = bytes, .type = type };
}

static void add_module(uint32_t start, uint32_t end, const char *cmdline)
{
	if (end <= start)
		return;
	if (boot_info.nr_modules == BOOT_MAX_MODULES)
		boot_fail("more than %u modules\n", BOOT_MAX_MODULES);
	boot_info.module[boot_info.nr_modules++] = (struct boot_module){ .base = MPA(start),
									 .bytes = end - start,
									 .cmdline = cmdline };
}

static void set_framebuffer(uint64_t base, uint32_t pitch, uint32_t width, uint32_t height,
			    uint8_t bpp, uint8_t type)
{
	/* 0: palette, 2: text */
	if (type == 1 && bpp >= 16 && bpp <= 32 && pitch >= (uint64_t)width * (bpp / 8))
		boot_info.framebuffer =
			(struct boot_framebuffer){ MPA(base), pitch, width, height, bpp };
}

/* ---- Multiboot 1 ---- */

#define MB1_HAS_MEMORY      (1u << 0)
#define MB1_HAS_CMDLINE     (1u << 2)
#define MB1_HAS_MODULES     (1u << 3)
#define MB1_HAS_MAP         (1u << 6)
#define MB1_HAS_LOADER      (1u << 9)
#define MB1_HAS_FRAMEBUFFER (1u << 12)

struct mb1_info {
	uint32_t flags, mem_lower_kib, mem_upper_kib, boot_device, cmdline;
	uint32_t nr_modules, modules, symbols[4], map_bytes, map;
	uint32_t drives_bytes, drives, config_table, loader, apm_table;
	uint32_t vbe[4];
	uint64_t fb_base;
	uint32_t fb_pitch, fb_width, fb_height;
	uint8_t fb_bpp, fb_type;
} __attribute__((packed));
static_assert(offsetof(struct mb1_info, fb_base) == 88, "Multiboot 0.6.96, 3.3");

struct mb1_module {
	uint32_t start, end, cmdline, reserved;
};

struct mb1_range {
	uint32_t size; /* of what follows */
	uint64_t base, bytes;
	uint32_t type;
} __attribute__((packed));

static void parse_mb1(const struct mb1_info *mb)
{
	const struct mb1_module *m = low(mb->modules);
	uint32_t at = 0;

	boot_info.loader =
		mb->flags & MB1_HAS_LOADER ? keep_text(low(mb->loader), 64) : "unknown loader";
	if (mb->flags & MB1_HAS_CMDLINE)
		boot_info.cmdline = skip_name(keep_text(low(mb->cmdline), TEXT_BYTES));
	if (mb->flags & MB1_HAS_MODULES) {
		for (uint32_t i = 0; i < mb->nr_modules; i++)
			add_module(m[i].start, m[i].end,
				   m[i].cmdline
					   ? skip_name(keep_text(low(m[i].cmdline), TEXT_BYTES))
					   : "");
	}
	if (mb->flags & MB1_HAS_MAP) {
		while (at + sizeof(struct mb1_range) <= mb->map_bytes) {
			const struct mb1_range *r = low(mb->map + at);

			if (r->size < sizeof(*r) - sizeof(r->size) || r->size > mb->map_bytes)
				break;
			add_range(r->base, r->bytes, r->type);
			at += r->size + (uint32_t)sizeof(r->size);
		}
	} else if (mb->flags & MB1_HAS_MEMORY) {
		add_range(0, (uint64_t)mb->mem_lower_kib << 10, MEMORY_USABLE);
		add_range(0x100000, (uint64_t)mb->mem_upper_kib << 10, MEMORY_USABLE);
	}
	if (mb->flags & MB1_HAS_FRAMEBUFFER)
		set_framebuffer(mb->fb_base, mb->fb_pitch, mb->fb_width, mb->fb_height, mb->fb_bpp,
				mb->fb_type);
}

/* ---- Multiboot 2 ---- */

enum mb2_tag_type {
	MB2_END = 0,
	MB2_CMDLINE = 1,
	MB2_LOADER = 2,
	MB2_MODULE = 3,
	MB2_MAP = 6,
	MB2_FRAMEBUFFER = 8,
	MB2_EFI64 = 12,
	MB2_RSDP_V1 = 14,
	MB2_RSDP_V2 = 15,
	MB2_EFI_MAP = 17,
};

struct mb2_tag {
	uint32_t type, size;
	union {
		char string[1];
		struct {
			uint32_t start, end;
			char cmdline[1];
		} module;
		struct {
			uint32_t entry_size, version;
			uint8_t entries[1];
		} map; /* also the EFI map: descriptor size, version, descriptors */
		struct {
			uint64_t base;
			uint32_t pitch, width, height;
			uint8_t bpp, type;
		} framebuffer;
		uint64_t pointer;
		uint8_t bytes[1];
	};
};

struct mb2_range {
	uint64_t base, bytes;
	uint32_t type, reserved;
};

struct efi_memory_descriptor {
	uint32_t type, padding;
	uint64_t base, virtual_base, nr_pages, attributes;
};

/* EFI memory types that are free once boot services are over: loader and boot services, conventional. */
#define EFI_FREE_TYPES ((0xfu << 1) | (1u << 7))

static uint32_t efi_memory_type(uint32_t type)
{
	if (type < 32 && (EFI_FREE_TYPES & (1u << type)))
		return MEMORY_USABLE;
	switch (type) {
	case 8:
		return MEMORY_BAD;
	case 9:
		return MEMORY_ACPI;
	case 10:
		return MEMORY_NVS;
	default:
		return MEMORY_RESERVED;
	}
}

/* Bytes of entries in a map tag. */
static uint32_t map_bytes(const struct mb2_tag *t)
{
	uint32_t head = (uint32_t)offsetof(struct mb2_tag, map.entries);

	return t->size > head ? t->size - head : 0;
}

static void parse_map(const struct mb2_tag *t)
{
	for (uint32_t at = 0; t->map.entry_size >= sizeof(struct mb2_range) &&
			      at + t->map.entry_size <= map_bytes(t);
	     at += t->map.entry_size) {
		struct mb2_range r;

		memcpy(&r, &t->map.entries[at], sizeof(r));
		add_range(r.base, r.bytes, r.type);
	}
}

static void parse_efi_map(const struct mb2_tag *t)
{
	for (uint32_t at = 0; t->map.entry_size >= sizeof(struct efi_memory_descriptor) &&
			      at + t->map.entry_size <= map_bytes(t);
	     at += t->map.entry_size) {
		struct efi_memory_descriptor d;

		memcpy(&d, &t->map.entries[at], sizeof(d));
		add_range(d.base, d.nr_pages << PAGE_SHIFT, efi_memory_type(d.type));
	}
}

static void parse_mb2_tag(const struct mb2_tag *t, bool use_efi_map)
{
	size_t payload = t->size - offsetof(struct mb2_tag, string);

	switch (t->type) {
	case MB2_CMDLINE:
		boot_info.cmdline = skip_name(keep_text(t->string, payload));
		break;
	case MB2_MODULE:
		if (payload <= 8)
			break;
		add_module(t->module.start, t->module.end,
			   skip_name(keep_text(t->module.cmdline, payload - 8)));
		break;
	case MB2_MAP:
		if (!use_efi_map)
			parse_map(t);
		break;
	case MB2_EFI_MAP:
		if (use_efi_map)
			parse_efi_map(t);
		break;
	case MB2_FRAMEBUFFER:
		set_framebuffer(t->framebuffer.base, t->framebuffer.pitch, t->framebuffer.width,
				t->framebuffer.height, t->framebuffer.bpp, t->framebuffer.type);
		break;
	case MB2_EFI64:
		boot_info.efi = true;
		boot_info.efi_system_table = MPA(t->pointer);
		break;
	case MB2_RSDP_V1:
	case MB2_RSDP_V2:
		if (t->type == MB2_RSDP_V2 || boot_info.rsdp[0] == 0)
			memcpy(boot_info.rsdp, t->bytes, MIN(payload, sizeof(boot_info.rsdp)));
		break;
	default: /* what we did not ask for */
		break;
	}
}

/* The tag at `at`; NULL at the end or where the list is broken. */
static const struct mb2_tag *tag_at(const uint8_t *at, const uint8_t *end)
{
	const struct mb2_tag *t = (const struct mb2_tag *)at;

	if (at + 8 > end || t->type == MB2_END || t->size < 8 || at + t->size > end)
		return NULL;
	return t;
}

static const struct mb2_tag *next_tag(const struct mb2_tag *t, const uint8_t *end)
{
	return tag_at((const uint8_t *)t + align_up(t->size, 8), end);
}

static void parse_mb2(const uint8_t *info)
{
	uint32_t bytes;
	const struct mb2_tag *first, *t;
	bool has_efi_map = false;

	memcpy(&bytes, info, sizeof(bytes));
	first = tag_at(info + 8, info + bytes);
	if (!first)
		boot_fail("the boot loader's information is empty\n");
	boot_info.loader = "unknown loader";
	for (t = first; t; t = next_tag(t, info + bytes)) {
		if (t->type == MB2_LOADER)
			boot_info.loader = keep_text(t->string, 64);
		has_efi_map = has_efi_map || t->type == MB2_EFI_MAP;
	}
	for (t = first; t; t = next_tag(t, info + bytes))
		parse_mb2_tag(t, has_efi_map);
	boot_info.efi = boot_info.efi || has_efi_map;
}

/* ---- The map ---- */

/* Cuts [base, end) out of every usable range: what the firmware claims twice is not usable. */
static void carve_usable(uint64_t base, uint64_t end)
{
	for (unsigned i = 0; i < boot_info.nr_ranges; i++) {
		struct memory_range *r = &boot_info.range[i];
		uint64_t r_end = r->base + r->bytes;

		if (r->type != MEMORY_USABLE || base >= r_end || end <= r->base)
			continue;
		if (end < r_end)
			add_range(end, r_end - end, MEMORY_USABLE);
		r->bytes = base > r->base ? base - r->base : 0;
	}
}

static void sort_ranges(void)
{
	struct memory_range *range = boot_info.range;

	for (unsigned i = 1; i < boot_info.nr_ranges; i++) {
		struct memory_range r = range[i];
		unsigned j = i;

		for (; j > 0 && range[j - 1].base > r.base; j--)
			range[j] = range[j - 1];
		range[j] = r;
	}
}

/* Drops empty ranges, joins neighbours of one type, cuts overlaps. */
static void merge_ranges(void)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < boot_info.nr_ranges; i++) {
		struct memory_range r = boot_info.range[i];
		struct memory_range *last = kept ? &boot_info.range[kept - 1] : NULL;
		uint64_t last_end = last ? last->base + last->bytes : 0;

		if (last && r.base < last_end) {
			uint64_t cut = MIN(last_end - r.base, r.bytes);

			r.base += cut;
			r.bytes -= cut;
		}
		if (r.bytes == 0)
			continue;
		if (last && last->type == r.type && last_end == r.base)
			last->bytes += r.bytes;
		else
			boot_info.range[kept++] = r;
	}
	boot_info.nr_ranges = kept;
}

static void normalise_map(void)
{
	unsigned nr = boot_info.nr_ranges;

	for (unsigned i = 0; i < nr; i++) {
		const struct memory_range *r = &boot_info.range[i];

		if (r->type != MEMORY_USABLE)
			carve_usable(r->base, r->base + r->bytes);
	}
	sort_ranges();
	merge_ranges();
}

void boot_info_init(uint32_t magic, uint32_t info)
{
	boot_info.cmdline = "";
	if (magic == MB1_MAGIC)
		parse_mb1(low(info));
	else if (magic == MB2_MAGIC)
		parse_mb2(low(info));
	else
		boot_fail("not started by a Multiboot loader (magic %#x): use GRUB's multiboot2\n",
			  magic);
	if (boot_info.nr_ranges == 0)
		boot_fail("the boot loader gave no memory map\n");
	normalise_map();
}

uint64_t boot_info_nr_usable_pages(void)
{
	uint64_t nr_pages = 0;

	for (unsigned i = 0; i < boot_info.nr_ranges; i++)
		if (boot_info.range[i].type == MEMORY_USABLE)
			nr_pages += boot_info.range[i].bytes >> PAGE_SHIFT;
	return nr_pages;
}
