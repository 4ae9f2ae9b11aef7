/*
 * ELF headers, segments and the note by which a kernel says that it starts the PVH way. Formats: System V
 * ABI (ELF-64 and ELF-32), and abi/start-info.h for the note. Both classes are read into one shape.
 */
#include "build/elf-image.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "abi/start-info.h"

#define NOTES_MAX_BYTES (1u << 20)

struct reader {
	const struct source *file;
	struct elf_image *image;
	Elf64_Ehdr header; /* of an ELF-32 file too */
	bool has_entry;
	struct err *err;
};

static int refuse(const struct reader *r, const char *problem)
{
	return err_set(r->err, -EINVAL, "%s: %s", r->file->name, problem);
}

static Elf64_Ehdr widen_header(const Elf32_Ehdr *h)
{
	Elf64_Ehdr wide = {
		.e_type = h->e_type,
		.e_machine = h->e_machine,
		.e_phoff = h->e_phoff,
		.e_phentsize = h->e_phentsize,
		.e_phnum = h->e_phnum,
	};

	memcpy(wide.e_ident, h->e_ident, EI_NIDENT);
	return wide;
}

static Elf64_Phdr widen_phdr(const Elf32_Phdr *p)
{
	return (Elf64_Phdr){
		.p_type = p->p_type,
		.p_offset = p->p_offset,
		.p_paddr = p->p_paddr,
		.p_filesz = p->p_filesz,
		.p_memsz = p->p_memsz,
		.p_align = p->p_align,
	};
}

static size_t phdr_bytes(const struct reader *r)
{
	return r->image->is_64_bit ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
}

static int read_header(struct reader *r)
{
	Elf32_Ehdr narrow;
	int ret;

	if (!source_has(r->file, 0, EI_NIDENT))
		return refuse(r, "no kernel: neither an ELF image nor a bzImage");
	ret = source_read(r->file, 0, r->header.e_ident, EI_NIDENT, r->err);
	if (ret)
		return ret;
	if (memcmp(r->header.e_ident, ELFMAG, SELFMAG) != 0)
		return refuse(r, "no kernel: neither an ELF image nor a bzImage");
	r->image->is_64_bit = r->header.e_ident[EI_CLASS] == ELFCLASS64;
	if (!source_has(r->file, 0, r->image->is_64_bit ? sizeof(r->header) : sizeof(narrow)))
		return refuse(r, "cut short in its ELF header");
	if (r->image->is_64_bit)
		return source_read(r->file, 0, &r->header, sizeof(r->header), r->err);
	ret = source_read(r->file, 0, &narrow, sizeof(narrow), r->err);
	r->header = widen_header(&narrow);
	return ret;
}

static int check_header(const struct reader *r)
{
	const Elf64_Ehdr *h = &r->header;
	unsigned machine = r->image->is_64_bit ? EM_X86_64 : EM_386;

	if (h->e_ident[EI_CLASS] != ELFCLASS64 && h->e_ident[EI_CLASS] != ELFCLASS32)
		return refuse(r, "an ELF image that is neither 64 nor 32 bits wide");
	if (h->e_ident[EI_DATA] != ELFDATA2LSB)
		return refuse(r, "an ELF image for a big-endian machine");
	if (h->e_machine != machine)
		return err_set(r->err, -EINVAL,
			       "%s: an ELF image for machine %u; a %d-bit x86 kernel has %u",
			       r->file->name, h->e_machine, r->image->is_64_bit ? 64 : 32, machine);
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return refuse(r, "an ELF file that is no executable image");
	if (!h->e_phnum)
		return refuse(r, "an ELF image without segments: nothing to load");
	if (h->e_phentsize != phdr_bytes(r))
		return refuse(r, "an ELF image with segment headers of the wrong size");
	if (!source_has(r->file, h->e_phoff, (uint64_t)h->e_phnum * phdr_bytes(r)))
		return refuse(r, "cut short in its ELF segment headers");
	return 0;
}

static int read_phdr(const struct reader *r, unsigned n, Elf64_Phdr *ret_p)
{
	uint64_t at = r->header.e_phoff + (uint64_t)n * phdr_bytes(r);
	Elf32_Phdr narrow;
	int ret;

	if (r->image->is_64_bit)
		return source_read(r->file, at, ret_p, sizeof(*ret_p), r->err);
	ret = source_read(r->file, at, &narrow, sizeof(narrow), r->err);
	if (!ret)
		*ret_p = widen_phdr(&narrow);
	return ret;
}

static int check_overlap(const struct reader *r, const Elf64_Phdr *p)
{
	for (unsigned i = 0; i < r->image->nr_segments; i++) {
		const struct elf_segment *s = &r->image->segment[i];

		if (p->p_paddr < s->paddr + s->memory_bytes && s->paddr < p->p_paddr + p->p_memsz)
			return err_set(r->err, -EINVAL,
				       "%s: segments overlap at %#" PRIx64 " and %#" PRIx64,
				       r->file->name, s->paddr, (uint64_t)p->p_paddr);
	}
	return 0;
}

static int add_segment(const struct reader *r, const Elf64_Phdr *p)
{
	struct elf_image *image = r->image;

	if (!p->p_memsz)
		return 0;
	if (p->p_filesz > p->p_memsz || p->p_paddr + p->p_memsz < p->p_paddr)
		return err_set(r->err, -EINVAL,
			       "%s: the segment at %#" PRIx64 " has an impossible size",
			       r->file->name, (uint64_t)p->p_paddr);
	if (!source_has(r->file, p->p_offset, p->p_filesz))
		return err_set(r->err, -EINVAL,
			       "%s: cut short: the segment at %#" PRIx64 " reaches beyond the end",
			       r->file->name, (uint64_t)p->p_paddr);
	if (image->nr_segments == ELF_MAX_SEGMENTS)
		return err_set(r->err, -EINVAL, "%s: more than %u segments", r->file->name,
			       ELF_MAX_SEGMENTS);
	if (check_overlap(r, p))
		return -EINVAL;
	image->segment[image->nr_segments++] = (struct elf_segment){
		.paddr = p->p_paddr,
		.memory_bytes = p->p_memsz,
		.offset = p->p_offset,
		.file_bytes = p->p_filesz,
	};
	if (p->p_paddr < image->start)
		image->start = p->p_paddr;
	if (p->p_paddr + p->p_memsz > image->end)
		image->end = p->p_paddr + p->p_memsz;
	return 0;
}

static int take_entry(struct reader *r, const uint8_t *desc, uint32_t bytes)
{
	uint64_t entry = 0;

	if (bytes != 4 && bytes != 8)
		return err_set(r->err, -EINVAL,
			       "%s: its PVH entry note has %u bytes; 4 or 8 are expected",
			       r->file->name, bytes);
	memcpy(&entry, desc, bytes);
	if (entry > UINT32_MAX)
		return err_set(r->err, -EINVAL, "%s: its PVH entry %#" PRIx64 " is above 4 GiB",
			       r->file->name, entry);
	r->image->entry = (uint32_t)entry;
	r->has_entry = true;
	return 0;
}

/* Notes that are damaged end the search: there may be others. */
static int search_notes(struct reader *r, const uint8_t *notes, uint64_t bytes, uint64_t align)
{
	for (uint64_t at = 0; bytes - at >= sizeof(Elf64_Nhdr) && !r->has_entry;) {
		Elf64_Nhdr n;
		uint64_t name = at + sizeof(n), desc;

		memcpy(&n, notes + at, sizeof(n));
		desc = align_up(name + n.n_namesz, align);
		at = align_up(desc + n.n_descsz, align);
		if (desc + n.n_descsz > bytes)
			return 0;
		if (n.n_type == XEN_ELFNOTE_PHYS32_ENTRY &&
		    n.n_namesz == sizeof(XEN_ELFNOTE_NAME) &&
		    memcmp(notes + name, XEN_ELFNOTE_NAME, sizeof(XEN_ELFNOTE_NAME)) == 0)
			return take_entry(r, notes + desc, n.n_descsz);
		if (at > bytes) /* the last one, without padding */
			return 0;
	}
	return 0;
}

static int read_notes(struct reader *r, const Elf64_Phdr *p)
{
	uint8_t *notes;
	int ret;

	if (!source_has(r->file, p->p_offset, p->p_filesz))
		return refuse(r, "cut short in its ELF notes");
	if (p->p_filesz > NOTES_MAX_BYTES)
		return refuse(r, "more than 1 MiB of ELF notes");
	notes = malloc(p->p_filesz + 1);
	if (!notes)
		return err_set(r->err, -ENOMEM, "%s: no memory to read it", r->file->name);
	ret = source_read(r->file, p->p_offset, notes, p->p_filesz, r->err);
	if (!ret)
		ret = search_notes(r, notes, p->p_filesz, p->p_align == 8 ? 8 : 4);
	free(notes);
	return ret;
}

static bool entry_is_loaded(const struct elf_image *image)
{
	for (unsigned i = 0; i < image->nr_segments; i++)
		if (image->entry >= image->segment[i].paddr &&
		    image->entry - image->segment[i].paddr < image->segment[i].memory_bytes)
			return true;
	return false;
}

static int read_segments(struct reader *r)
{
	for (unsigned i = 0; i < r->header.e_phnum; i++) {
		Elf64_Phdr p;
		int ret = read_phdr(r, i, &p);

		if (!ret && p.p_type == PT_LOAD)
			ret = add_segment(r, &p);
		else if (!ret && p.p_type == PT_NOTE && !r->has_entry)
			ret = read_notes(r, &p);
		if (ret)
			return ret;
	}
	return 0;
}

int elf_image_read(const struct source *s, struct elf_image *ret_image, struct err *err)
{
	struct elf_image image = { .start = UINT64_MAX };
	struct reader r = { .file = s, .image = &image, .err = err };
	int ret = read_header(&r);

	if (!ret)
		ret = check_header(&r);
	if (!ret)
		ret = read_segments(&r);
	if (ret)
		return ret;
	if (!image.nr_segments)
		return refuse(&r, "an ELF image with nothing to load");
	if (!r.has_entry)
		return refuse(&r, "this kernel has no PVH entry (CONFIG_PVH)");
	if (!entry_is_loaded(&image))
		return err_set(err, -EINVAL, "%s: its PVH entry %#x is outside of what it loads",
			       s->name, image.entry);
	*ret_image = image;
	return 0;
}
