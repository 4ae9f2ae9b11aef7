/*
 * Access to guest memory by linear address: a walk of the guest's page tables in software, then the
 * physmap, then the direct map. The guest's own tables are read afresh each time, as only its TLB rules
 * would say what else is right; physmap lookups, of which a walk needs one for each level, are
 * remembered for each vCPU.
 *
 * No lock is taken. A page cannot go away while it is accessed, although it is not pinned: accesses
 * run between section_begin() and section_end(), and arch_p2m_flush(), which everybody calls between
 * removing a translation (or a right) and giving the page back, first makes what is remembered void
 * (arch_domain.p2m_generation) and then waits for sections of this domain that had begun before. A
 * section takes no lock and touches at most a few pages, so the wait is short and cannot
 * deadlock. Tables of the physmap live as long as the domain.
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
#define PTE_USER     (1ull << 2)
#define PTE_ACCESSED (1ull << 5)
#define PTE_DIRTY    (1ull << 6)
#define PTE_LARGE    (1ull << 7)
#define PTE_FRAME    0x000ffffffffff000ull
#define PDE_4M_HIGH  0x001fe000u /* 32-bit paging: address bits 39:32 of a 4M page (PSE-36) */

/* What an entry of a level maps, as a power of two. */
#define SHIFT_4K   12u
#define SHIFT_2M   21u
#define SHIFT_4M   22u
#define SHIFT_1G   30u
#define SHIFT_512G 39u
#define SHIFT_256T 48u

#define CR4_PSE  (1ull << 4)
#define CR4_LA57 (1ull << 12)

/* Longest stretch copied in one section: bounds how long a flush can wait. */
#define SECTION_BYTES (4 * PAGE_SIZE)

/* How the guest translates right now. */
struct walker {
	struct vcpu *v;
	struct vm_paging paging;
	uint64_t generation; /* of the physmap, since section_begin() */
	uint64_t want_table; /* bits that an entry must have to be followed without further ado */
	uint64_t want_leaf;
	bool write;
	unsigned changes; /* how often an entry changed while we looked at it */
};

static void section_begin(struct walker *w, struct cpu *c)
{
	/* Pairs with arch_p2m_flush(): either we see the new generation, and the physmap without what
	 * was removed, or it sees us. An exchange orders our store before our loads. */
	__atomic_exchange_n(&c->arch.in_guest, CPU_IN_COPY, __ATOMIC_SEQ_CST);
	w->generation = READ_ONCE(w->v->domain->arch.p2m_generation);
}

static void section_end(struct cpu *c)
{
	__atomic_store_n(&c->arch.in_guest, 0, __ATOMIC_RELEASE);
}

static __attribute__((noinline)) uint8_t *find_page(const struct walker *w, uint64_t gfn,
						    bool for_write, struct guest_page *cached)
{
	bool is_writable;
	uint8_t *page = vm_ops->p2m_pointer(w->v->domain, GFN(gfn), &is_writable);

	if (!page || (for_write && !is_writable))
		return NULL;
	*cached = (struct guest_page){ gfn, w->generation, page, is_writable };
	return page;
}

/* Our pointer to the guest's frame, valid until the section ends. NULL: no RAM, or not writable. */
static inline uint8_t *guest_page(const struct walker *w, uint64_t gfn, bool for_write)
{
	struct guest_page *e = &w->v->arch.guest_page[gfn % GUEST_PAGES];

	__asm__("" : "+r"(e)); /* else the compiler works out each member's address anew */
	if (likely(e->gfn == gfn && e->generation == w->generation &&
		   (!for_write || e->is_writable))) {
		if (!e->page)
			__builtin_unreachable(); /* find_page() remembers what there is */
		return e->page;
	}
	return find_page(w, gfn, for_write, e);
}

#define MAX_ENTRY_CHANGES 64 /* during one copy; a guest that beats it gets -EFAULT */

/* An entry lacks bits that are wanted. Those that the CPU sets by itself (accessed, dirty) are set, but
 * only in the entry that was read: the guest, or another CPU's walk, may have changed it meanwhile.
 * True: look at it again. */
static __attribute__((noinline)) bool mark_entry(struct walker *w, uint64_t gfn, void *p,
						 unsigned entry_bytes, uint64_t entry,
						 uint64_t want)
{
	const uint64_t marks = PTE_ACCESSED | PTE_DIRTY;
	const uint8_t *page;

	if (~entry & want & ~marks || w->changes++ == MAX_ENTRY_CHANGES)
		return false;
	/* The table may lie in a page that the guest can only read; and where another vCPU has put a page of
	 * another kind meanwhile, what may be written is not what was read. */
	page = guest_page(w, gfn, true);
	if (!page)
		return false;
	if ((uintptr_t)page != ((uintptr_t)p & PAGE_MASK))
		return true;
	if (entry_bytes == 4) {
		uint32_t old = (uint32_t)entry, new = old | (uint32_t)(want & marks);

		__atomic_compare_exchange_n((uint32_t *)p, &old, new, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED);
	} else {
		__atomic_compare_exchange_n((uint64_t *)p, &entry, entry | (want & marks), false,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	}
	return true;
}

/* Levels of 512 entries, the first of them indexed by va >> shift. */
static int walk_512(struct walker *w, uint64_t va, uint64_t table, unsigned shift, gpa_t *ret_gpa)
{
	for (;;) {
		uint64_t gfn = (table & PTE_FRAME) >> PAGE_SHIFT, entry, want, *p;
		uint64_t *page = (uint64_t *)(void *)guest_page(w, gfn, false);
		bool is_leaf;

		if (unlikely(!page))
			return -XEN_EFAULT;
		p = &page[va >> shift & 511];
		entry = READ_ONCE(*p);
		is_leaf = shift == PAGE_SHIFT || (entry & PTE_LARGE && shift <= SHIFT_1G);
		want = is_leaf ? w->want_leaf : w->want_table;
		if (unlikely((entry & want) != want)) {
			if (!mark_entry(w, gfn, p, 8, entry, want))
				return -XEN_EFAULT;
		} else if (is_leaf) {
			uint64_t offset_mask = (1ull << shift) - 1;

			*ret_gpa = GPA((entry & PTE_FRAME & ~offset_mask) | (va & offset_mask));
			return 0;
		} else {
			table = entry;
			shift -= 9;
		}
	}
}

static int walk_pae(struct walker *w, uint64_t va, gpa_t *ret_gpa)
{
	uint64_t gpa = (w->paging.cr3 & 0xffffffe0u) + (va >> 30 & 3) * 8;
	uint8_t *page = guest_page(w, gpa >> PAGE_SHIFT, false);
	uint64_t entry;

	if (!page)
		return -XEN_EFAULT;
	entry = READ_ONCE(*(uint64_t *)(void *)(page + (gpa & (PAGE_SIZE - 1))));
	if (!(entry & PTE_PRESENT))
		return -XEN_EFAULT;
	return walk_512(w, va, entry, SHIFT_2M, ret_gpa);
}

/* Two levels of 1024 entries of four bytes. */
static int walk_32bit(struct walker *w, uint64_t va, gpa_t *ret_gpa)
{
	uint64_t table = w->paging.cr3;
	bool is_last = false;

	for (;;) {
		uint64_t gfn = (uint32_t)table >> PAGE_SHIFT, want;
		unsigned index = va >> (is_last ? SHIFT_4K : SHIFT_4M) & 1023;
		uint32_t *page = (uint32_t *)(void *)guest_page(w, gfn, false);
		uint32_t entry, *p;
		bool is_large;

		if (!page)
			return -XEN_EFAULT;
		p = &page[index];
		entry = READ_ONCE(*p);
		is_large = !is_last && entry & PTE_LARGE && w->paging.cr4 & CR4_PSE;
		want = is_last || is_large ? w->want_leaf : w->want_table;
		if ((entry & want) != want) {
			if (!mark_entry(w, gfn, p, 4, entry, want))
				return -XEN_EFAULT;
		} else if (is_large) {
			uint64_t high = (uint64_t)(entry & PDE_4M_HIGH) << (32 - 13);

			*ret_gpa = GPA(high | (entry & 0xffc00000u) | (va & 0x3fffffu));
			return 0;
		} else if (is_last) {
			*ret_gpa = GPA((entry & 0xfffff000u) | (va & (PAGE_SIZE - 1)));
			return 0;
		} else {
			table = entry;
			is_last = true;
		}
	}
}

static bool is_canonical(uint64_t va, unsigned bits)
{
	return (uint64_t)((int64_t)(va << (64 - bits)) >> (64 - bits)) == va;
}

/* All but four levels: a function of its own, so that those do not pay for its registers. */
static __attribute__((noinline)) int translate_rarely(struct walker *w, uint64_t va, gpa_t *ret_gpa)
{
	const struct vm_paging *p = &w->paging;

	if (p->efer & EFER_LMA)
		return is_canonical(va, 57) ? walk_512(w, va, p->cr3, SHIFT_256T, ret_gpa)
					    : -XEN_EFAULT;
	va = (uint32_t)va;
	if (!(p->cr0 & CR0_PG)) {
		*ret_gpa = GPA(va);
		return 0;
	}
	return p->cr4 & CR4_PAE ? walk_pae(w, va, ret_gpa) : walk_32bit(w, va, ret_gpa);
}

static inline int translate(struct walker *w, uint64_t va, gpa_t *ret_gpa)
{
	const struct vm_paging *p = &w->paging;

	if (unlikely(!(p->efer & EFER_LMA) || p->cr4 & CR4_LA57))
		return translate_rarely(w, va, ret_gpa);
	if (unlikely(!is_canonical(va, 48)))
		return -XEN_EFAULT;
	return walk_512(w, va, p->cr3, SHIFT_512G, ret_gpa);
}

static inline void walker_init(struct walker *w, struct vcpu *v, bool write, bool as_user)
{
	w->v = v;
	vm_ops->get_paging(v, &w->paging);
	w->write = write;
	w->changes = 0;
	w->want_table = PTE_PRESENT | PTE_ACCESSED;
	if (write && w->paging.cr0 & CR0_WP)
		w->want_table |= PTE_WRITE;
	if (as_user)
		w->want_table |= PTE_USER | (write ? PTE_WRITE : 0);
	w->want_leaf = w->want_table | (write ? PTE_DIRTY : 0);
}

/* Our pointer to the byte at va, valid until the section ends. */
static inline int guest_pointer(struct walker *w, uint64_t va, void **ret_p)
{
	gpa_t gpa = GPA(0);
	uint8_t *page;
	int err = translate(w, va, &gpa);

	if (unlikely(err))
		return err;
	page = guest_page(w, gpa.a >> PAGE_SHIFT, w->write);
	if (unlikely(!page))
		return -XEN_EFAULT;
	*ret_p = page + (gpa.a & (PAGE_SIZE - 1));
	return 0;
}

/* Copies that many bytes and moves on: a few loads and stores. */
static inline void copy_few(uint8_t **to, const uint8_t **from, size_t bytes)
{
	__builtin_memcpy(*to, *from, bytes);
	*to += bytes;
	*from += bytes;
}

/* Small copies are what hypercalls are made of. */
static inline void copy_bytes(uint8_t *to, const uint8_t *from, size_t bytes)
{
	if (bytes >= 64) {
		memcpy(to, from, bytes);
		return;
	}
	if (bytes >= 8) {
		if (bytes & 32)
			copy_few(&to, &from, 32);
		if (bytes & 16)
			copy_few(&to, &from, 16);
		if (bytes & 8)
			copy_few(&to, &from, 8);
	}
	if (bytes & 4)
		copy_few(&to, &from, 4);
	if (bytes & 2)
		copy_few(&to, &from, 2);
	if (bytes & 1)
		copy_few(&to, &from, 1);
}

/* Within a page. */
static inline int copy_piece(struct walker *w, uint64_t va, uint8_t *ours, size_t bytes)
{
	void *p;
	int err = guest_pointer(w, va, &p);

	if (unlikely(err))
		return err;
	if (w->write)
		copy_bytes(p, ours, bytes);
	else
		copy_bytes(ours, p, bytes);
	return 0;
}

static __attribute__((noinline)) int copy_section(struct walker *w, uint64_t va, uint8_t *ours,
						  size_t bytes)
{
	while (bytes) {
		size_t here = MIN(bytes, PAGE_SIZE - (va & (PAGE_SIZE - 1)));
		int err = copy_piece(w, va, ours, here);

		if (unlikely(err))
			return err;
		va += here;
		ours += here;
		bytes -= here;
	}
	return 0;
}

static inline int copy_as(struct vcpu *v, uint64_t va, void *ours, size_t bytes, bool write,
			  bool as_user)
{
	struct cpu *c = this_cpu();
	struct walker w;
	int err = 0;

	walker_init(&w, v, write, as_user);
	if (likely(bytes - 1 < PAGE_SIZE - (va & (PAGE_SIZE - 1)))) {
		section_begin(&w, c);
		err = copy_piece(&w, va, ours, bytes);
		section_end(c);
		return err;
	}
	while (bytes && !err) {
		size_t here = MIN(bytes, SECTION_BYTES);

		section_begin(&w, c);
		err = copy_section(&w, va, ours, here);
		section_end(c);
		va += here;
		ours = (uint8_t *)ours + here;
		bytes -= here;
	}
	return err;
}

static int copy(struct vcpu *v, uint64_t va, void *ours, size_t bytes, bool write)
{
	return copy_as(v, va, ours, bytes, write, false);
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

static bool runs_user_code(const struct vcpu *v)
{
	return (vm_ops->mode(v) & VM_MODE_CPL) == 3;
}

int guest_read_operand(struct vcpu *v, void *to, uint64_t va, size_t bytes)
{
	return copy_as(v, va, to, bytes, false, runs_user_code(v));
}

int guest_write_operand(struct vcpu *v, uint64_t va, const void *from, size_t bytes)
{
	return copy_as(v, va, (void *)(uintptr_t)from, bytes, true, runs_user_code(v));
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

	walker_init(&w, v, for_write, false);
	section_begin(&w, c);
	err = translate(&w, at.va, &gpa);
	section_end(c);
	if (!err)
		*ret_gfn = gpa_to_gfn(gpa);
	return err;
}
