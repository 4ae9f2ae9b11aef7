/*
 * The ELF loader's reading half. The formats are in the System V ABI (ELF-64) and, for the note, in
 * abi/start-info.h. The file comes from the administrator, but may be cut short or be something else.
 */
#include "x86/vm/elf.h"

#include "abi/start-info.h"
#include "lib/string.h"

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
static_assert(sizeof(struct elf_header) == 64, "ELF-64, Figure 2");

struct elf_phdr {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
static_assert(sizeof(struct elf_phdr) == 56, "ELF-64, Figure 6");

struct elf_note {
	uint32_t name_bytes, desc_bytes, type;
};

#define ELF_CLASS_64       2
#define ELF_DATA_LITTLE    1
#define ELF_TYPE_EXEC      2
#define ELF_TYPE_DYN       3
#define ELF_MACHINE_X86_64 62
#define ELF_PT_LOAD        1u
#define ELF_PT_NOTE        4u

/* Linux boot protocol: where a bzImage tells that it is one. */
#define BZIMAGE_MAGIC_OFFSET 0x202u

struct elf_file {
	const uint8_t *data;
	uint64_t bytes;
};

static bool is_inside(const struct elf_file *f, uint64_t offset, uint64_t bytes)
{
	return offset <= f->bytes && bytes <= f->bytes - offset;
}

static const char *check_header(const struct elf_file *f, struct elf_header *ret_h)
{
	static const uint8_t magic[4] = { 0x7f, 'E', 'L', 'F' };

	if (is_inside(f, BZIMAGE_MAGIC_OFFSET, 4) &&
	    memcmp(f->data + BZIMAGE_MAGIC_OFFSET, "HdrS", 4) == 0)
		return "is a bzImage; give the ELF image inside it (vmlinux)";
	if (!is_inside(f, 0, sizeof(*ret_h)) || memcmp(f->data, magic, sizeof(magic)) != 0)
		return "is no ELF image";
	memcpy(ret_h, f->data, sizeof(*ret_h));
	if (ret_h->ident[4] != ELF_CLASS_64 || ret_h->ident[5] != ELF_DATA_LITTLE ||
	    ret_h->machine != ELF_MACHINE_X86_64)
		return "is no ELF image for x86-64";
	if (ret_h->type != ELF_TYPE_EXEC && ret_h->type != ELF_TYPE_DYN)
		return "is no executable ELF image";
	if (ret_h->phentsize != sizeof(struct elf_phdr) || !ret_h->phnum ||
	    !is_inside(f, ret_h->phoff, (uint64_t)ret_h->phnum * sizeof(struct elf_phdr)))
		return "has no complete table of segments: it is damaged or cut short";
	return NULL;
}

static const char *add_segment(const struct elf_file *f, const struct elf_phdr *p,
			       struct elf_image *image)
{
	struct elf_segment *s = &image->segment[image->nr_segments];

	if (!p->memsz)
		return NULL;
	if (p->filesz > p->memsz || p->paddr + p->memsz < p->paddr)
		return "has a segment with an impossible size";
	if (!is_inside(f, p->offset, p->filesz))
		return "has a segment that reaches beyond the file: it is cut short";
	if (image->nr_segments == ELF_MAX_SEGMENTS)
		return "has more than 16 segments";
	for (unsigned i = 0; i < image->nr_segments; i++)
		if (p->paddr < image->segment[i].paddr + image->segment[i].memory_bytes &&
		    image->segment[i].paddr < p->paddr + p->memsz)
			return "has segments that overlap";
	s->paddr = p->paddr;
	s->memory_bytes = p->memsz;
	s->data = f->data + p->offset;
	s->file_bytes = p->filesz;
	image->nr_segments++;
	image->start = MIN(image->start, p->paddr);
	image->end = MAX(image->end, p->paddr + p->memsz);
	return NULL;
}

/* Looks for the PVH entry in one segment of notes. Damaged notes end the search. */
static bool find_entry(const struct elf_file *f, const struct elf_phdr *p, uint64_t *ret_entry)
{
	uint64_t at = p->offset, end = p->offset + p->filesz;
	struct elf_note n;

	if (!is_inside(f, p->offset, p->filesz))
		return false;
	while (end - at >= sizeof(n)) {
		uint64_t name, desc;

		memcpy(&n, f->data + at, sizeof(n));
		name = at + sizeof(n);
		desc = name + align_up(n.name_bytes, 4);
		at = desc + align_up(n.desc_bytes, 4);
		if (at > end)
			return false;
		if (n.type != XEN_ELFNOTE_PHYS32_ENTRY ||
		    n.name_bytes != sizeof(XEN_ELFNOTE_NAME) ||
		    memcmp(f->data + name, XEN_ELFNOTE_NAME, sizeof(XEN_ELFNOTE_NAME)) != 0)
			continue;
		if (n.desc_bytes != 4 && n.desc_bytes != 8)
			return false;
		*ret_entry = 0;
		memcpy(ret_entry, f->data + desc, n.desc_bytes);
		return true;
	}
	return false;
}

const char *elf_parse(const void *file, uint64_t bytes, struct elf_image *ret_image)
{
	const struct elf_file f = { file, bytes };
	bool has_entry = false;
	struct elf_header h;
	const char *problem = check_header(&f, &h);

	if (problem)
		return problem;
	memset(ret_image, 0, sizeof(*ret_image));
	ret_image->start = UINT64_MAX;
	for (unsigned i = 0; i < h.phnum; i++) {
		struct elf_phdr p;

		memcpy(&p, f.data + h.phoff + i * sizeof(p), sizeof(p));
		if (p.type == ELF_PT_LOAD)
			problem = add_segment(&f, &p, ret_image);
		else if (p.type == ELF_PT_NOTE && !has_entry)
			has_entry = find_entry(&f, &p, &ret_image->entry);
		if (problem)
			return problem;
	}
	if (!ret_image->nr_segments)
		return "has nothing to load";
	if (!has_entry)
		return "has no PVH entry note (CONFIG_PVH)";
	if (ret_image->entry < ret_image->start || ret_image->entry >= ret_image->end ||
	    ret_image->entry > UINT32_MAX)
		return "has a PVH entry outside of what it loads";
	return NULL;
}
