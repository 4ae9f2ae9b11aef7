/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access to guest memory by linear address: a walk of the guest's page tables in software, then the
 * physmap, then the direct map. Nothing is cached between calls, so nothing can be stale.
 *
 * No lock is taken. A page cannot go away while it is accessed, although it is not pinned: accesses
 * run between section_begin() and section_end(), and arch_p2m_flush(), which everybody calls between
 * removing a translation and giving the page back, waits for sections of this domain that had begun
 * before. A section takes no lock and loops over at most a few pages, so the wait is short and
 * cannot deadlock. Tables of the physmap live as long as the domain.
 */
#include "x86/vm/guest-mem.h"

#include "abi/errno.h"
#include "arch-inline.h"
#include "lib/string.h"
#include "lodge/cpu.h"
#include "lodge/domain.h"
#include "lodge/vcpu.h"
#include "x86/cpu.h"
#include "x86/vm/vm.h"

#define PTE_PRESENT  (1ull << 0)
#define PTE_WRITE    (1ull << 1)
#define PTE_ACCESSED (1ull << 5)
#define PTE_DIRTY    (1ull << 6)
#define PTE_LARGE    (1ull << 7)
#define PTE_FRAME    0x000ffffffffff000ull
#define PDE_4M_HIGH  0x001fe000u /* 32-bit paging: address bits 39:32 of a 4M page (PSE-36) */

#define CR4_PSE  (1ull << 4)
#define CR4_LA57 (1ull << 12)

/* Longest stretch copied in one section: bounds how long a flush can wait. */
#define SECTION_BYTES (4 * PAGE_SIZE)

static void section_begin(struct cpu *c)
{
	/* Pairs with arch_p2m_flush(): either we see the physmap without what it removed, or it sees
	 * us. An exchange orders our store before our loads. */
	__atomic_exchange_n(&c->arch.in_guest, CPU_IN_COPY, __ATOMIC_SEQ_CST);
}

static void section_end(struct cpu *c)
{
	__atomic_store_n(&c->arch.in_guest, 0, __ATOMIC_RELEASE);
}

/* How the guest translates right now. */
struct walker {
	const struct domain *domain;
	struct vm_paging paging;
	bool write, check_write; /* check_write: pages without PTE_WRITE fault */
};

/* Sets accessed and dirty bits as the CPU would, and only in the entry that was read: the guest, or
 * another CPU's walk, may have changed it meanwhile. False: it has. */
static bool mark_entry(void *entry, unsigned entry_bytes, uint64_t old, uint64_t bits)
{
	uint32_t old32 = (uint32_t)old;

	if (entry_bytes == 4)
		return __atomic_compare_exchange_n((uint32_t *)entry, &old32,
						   old32 | (uint32_t)bits, false, __ATOMIC_SEQ_CST,
						   __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n((uint64_t *)entry, &old, old | bits, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* What a level of the guest's tables looks like. */
struct level {
	unsigned entry_bytes;
	bool is_last;
	bool may_be_large;
};

#define MAX_ENTRY_CHANGES 64 /* while we look at one entry; a guest that beats it gets -EFAULT */

/* Reads and marks the entry at gpa. */
static inline int read_entry(const struct walker *w, uint64_t gpa, struct level l,
			     uint64_t *ret_entry, bool *ret_is_leaf)
{
	uint8_t *page = vm_ops->p2m_pointer(w->domain, gpa_to_gfn(GPA(gpa)), false);
	void *p;

	if (unlikely(!page))
		return -XEN_EFAULT;
	p = page + (gpa & (PAGE_SIZE - 1));
	for (unsigned i = 0; i < MAX_ENTRY_CHANGES; i++) {
		uint64_t entry =
			l.entry_bytes == 4 ? READ_ONCE(*(uint32_t *)p) : READ_ONCE(*(uint64_t *)p);
		bool is_leaf = l.is_last || (l.may_be_large && entry & PTE_LARGE);
		uint64_t marks = w->write && is_leaf ? PTE_ACCESSED | PTE_DIRTY : PTE_ACCESSED;

		if (unlikely(!(entry & PTE_PRESENT) || (w->check_write && !(entry & PTE_WRITE))))
			break;
		*ret_entry = entry;
		*ret_is_leaf = is_leaf;
		if (likely((entry & marks) == marks))
			return 0;
		/* The table may lie in a page that the guest can only read. */
		if (!vm_ops->p2m_pointer(w->domain, gpa_to_gfn(GPA(gpa)), true))
			break;
		if (mark_entry(p, l.entry_bytes, entry, marks))
			return 0;
	}
	return -XEN_EFAULT;
}

/* Four or five levels of 512 entries; PAE has two below its own third. */
static int walk_512(const struct walker *w, uint64_t va, uint64_t table, unsigned levels,
		    gpa_t *ret_gpa)
{
	for (unsigned level = levels; level; level--) {
		unsigned shift = PAGE_SHIFT + 9 * (level - 1);
		uint64_t entry, offset_mask = (1ull << shift) - 1;
		bool is_leaf;
		struct level l = { .entry_bytes = 8,
				   .is_last = level == 1,
				   .may_be_large = level == 2 || level == 3 };
		int err = read_entry(w, (table & PTE_FRAME) + (va >> shift & 511) * 8, l, &entry,
				     &is_leaf);

		if (unlikely(err))
			return err;
		if (is_leaf) {
			*ret_gpa = GPA((entry & PTE_FRAME & ~offset_mask) | (va & offset_mask));
			return 0;
		}
		table = entry;
	}
	return -XEN_EFAULT;
}

static int walk_pae(const struct walker *w, uint64_t va, gpa_t *ret_gpa)
{
	uint64_t gpa = (w->paging.cr3 & 0xffffffe0u) + (va >> 30 & 3) * 8;
	uint8_t *page = vm_ops->p2m_pointer(w->domain, gpa_to_gfn(GPA(gpa)), false);
	uint64_t entry;

	if (!page)
		return -XEN_EFAULT;
	entry = READ_ONCE(*(uint64_t *)(page + (gpa & (PAGE_SIZE - 1))));
	if (!(entry & PTE_PRESENT))
		return -XEN_EFAULT;
	return walk_512(w, va, entry, 2, ret_gpa);
}

static int walk_32bit(const struct walker *w, uint64_t va, gpa_t *ret_gpa)
{
	const struct level directory = { .entry_bytes = 4,
					 .may_be_large = w->paging.cr4 & CR4_PSE };
	const struct level last = { .entry_bytes = 4, .is_last = true };
	uint64_t entry;
	bool is_leaf;
	int err;

	err = read_entry(w, (w->paging.cr3 & 0xfffff000u) + (va >> 22 & 1023) * 4, directory,
			 &entry, &is_leaf);
	if (err)
		return err;
	if (is_leaf) {
		uint64_t high = (entry & PDE_4M_HIGH) << (32 - 13);

		*ret_gpa = GPA(high | (entry & 0xffc00000u) | (va & 0x3fffffu));
		return 0;
	}
	err = read_entry(w, (entry & 0xfffff000u) + (va >> 12 & 1023) * 4, last, &entry, &is_leaf);
	if (!err)
		*ret_gpa = GPA((entry & 0xfffff000u) | (va & (PAGE_SIZE - 1)));
	return err;
}

static int translate(const struct walker *w, uint64_t va, gpa_t *ret_gpa)
{
	const struct vm_paging *p = &w->paging;

	if (likely(p->efer & EFER_LMA)) {
		unsigned levels = unlikely(p->cr4 & CR4_LA57) ? 5 : 4;
		unsigned unused = 64 - (PAGE_SHIFT + 9 * levels);

		if (unlikely((uint64_t)((int64_t)(va << unused) >> unused) != va))
			return -XEN_EFAULT; /* not canonical */
		return walk_512(w, va, p->cr3, levels, ret_gpa);
	}
	va = (uint32_t)va;
	if (!(p->cr0 & CR0_PG)) {
		*ret_gpa = GPA(va);
		return 0;
	}
	return p->cr4 & CR4_PAE ? walk_pae(w, va, ret_gpa) : walk_32bit(w, va, ret_gpa);
}

static void walker_init(struct walker *w, const struct vcpu *v, bool write)
{
	w->domain = v->domain;
	vm_ops->get_paging(v, &w->paging);
	w->write = write;
	w->check_write = write && w->paging.cr0 & CR0_WP;
}

/* Our pointer to the byte at va, valid until the section ends. */
static int guest_pointer(const struct walker *w, uint64_t va, void **ret_p)
{
	gpa_t gpa = GPA(0);
	uint8_t *page;
	int err = translate(w, va, &gpa);

	if (unlikely(err))
		return err;
	page = vm_ops->p2m_pointer(w->domain, gpa_to_gfn(gpa), w->write);
	if (unlikely(!page))
		return -XEN_EFAULT;
	*ret_p = page + (gpa.a & (PAGE_SIZE - 1));
	return 0;
}

/* Small copies are what hypercalls are made of: whole words first. */
static inline void copy_bytes(void *to, const void *from, size_t bytes)
{
	if (bytes > 64) {
		memcpy(to, from, bytes);
		return;
	}
	while (bytes >= 8) {
		__builtin_memcpy(to, from, 8);
		to = (uint8_t *)to + 8;
		from = (const uint8_t *)from + 8;
		bytes -= 8;
	}
	for (; bytes; bytes--) {
		*(uint8_t *)to = *(const uint8_t *)from;
		to = (uint8_t *)to + 1;
		from = (const uint8_t *)from + 1;
	}
}

static int copy_section(const struct walker *w, uint64_t va, uint8_t *ours, size_t bytes)
{
	while (bytes) {
		size_t here = MIN(bytes, PAGE_SIZE - (va & (PAGE_SIZE - 1)));
		void *p;
		int err = guest_pointer(w, va, &p);

		if (unlikely(err))
			return err;
		if (w->write)
			copy_bytes(p, ours, here);
		else
			copy_bytes(ours, p, here);
		va += here;
		ours += here;
		bytes -= here;
	}
	return 0;
}

static int copy(struct vcpu *v, uint64_t va, void *ours, size_t bytes, bool write)
{
	struct cpu *c = this_cpu();
	struct walker w;
	int err = 0;

	walker_init(&w, v, write);
	while (bytes && !err) {
		size_t here = MIN(bytes, SECTION_BYTES);

		section_begin(c);
		err = copy_section(&w, va, ours, here);
		section_end(c);
		va += here;
		ours = (uint8_t *)ours + here;
		bytes -= here;
	}
	return err;
}

int copy_from_guest(struct vcpu *v, void *to, guest_ptr_t from, size_t bytes)
{
	return copy(v, from.va, to, bytes, false);
}

int copy_to_guest(struct vcpu *v, guest_ptr_t to, const void *from, size_t bytes)
{
	/* copy() only reads it when it writes to the guest. */
	return copy(v, to.va, (void *)(uintptr_t)from, bytes, true);
}

unsigned guest_fetch_insn(struct vcpu *v, uint64_t from, uint8_t *ret_bytes, unsigned nr)
{
	unsigned in_page = (unsigned)MIN(nr, PAGE_SIZE - (from & (PAGE_SIZE - 1)));

	if (copy(v, from, ret_bytes, in_page, false))
		return 0;
	if (in_page < nr && copy(v, from + in_page, ret_bytes + in_page, nr - in_page, false))
		return in_page;
	return nr;
}

unsigned vcpu_code_bits(const struct vcpu *v)
{
	uint32_t mode = vm_ops->mode(v);

	return mode & VM_MODE_CODE64 ? 64 : mode & VM_MODE_CODE32 ? 32 : 16;
}

unsigned guest_fetch_at_rip(struct vcpu *v, uint8_t *ret_bytes, unsigned nr)
{
	uint64_t va = v->arch.regs.rip;

	if (!(vm_ops->mode(v) & VM_MODE_CODE64)) {
		struct vm_segment cs;

		vm_ops->get_segment(v, VM_CS, &cs);
		va = (uint32_t)(cs.base + va);
	}
	return guest_fetch_insn(v, va, ret_bytes, nr);
}

int guest_translate(struct vcpu *v, guest_ptr_t at, bool for_write, gfn_t *ret_gfn)
{
	struct cpu *c = this_cpu();
	gpa_t gpa = GPA(0);
	struct walker w;
	int err;

	walker_init(&w, v, for_write);
	section_begin(c);
	err = translate(&w, at.va, &gpa);
	section_end(c);
	if (!err)
		*ret_gfn = gpa_to_gfn(gpa);
	return err;
}
