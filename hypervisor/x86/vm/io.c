/*
 * Port I/O of guests, and the register of what is emulated, ports and pages alike. A port is passed
 * through (no exit), emulated by whoever registered it, or absent: reads all ones, drops writes.
 * String instructions are carried out one element at a time, a batch at each exit.
 *
 * Locking: LOCK_RANK_REGIONS while the register is searched or changed; a handler runs without it.
 */
#include "x86/vm/io.h"

#include "abi/errno.h"
#include "lib/bitmap.h"
#include "lib/rangeset.h"
#include "lib/string.h"
#include "lodge/alloc.h"
#include "lodge/domain.h"
#include "lodge/log.h"
#include "lodge/page.h"
#include "x86/cpu.h"
#include "x86/vm/decode.h"
#include "x86/vm/exit.h"
#include "x86/vm/guest-mem.h"

#define MAX_REGIONS     128u
#define MAX_PORT_RANGES 64u
#define BITMAP_ORDER    2u   /* three pages are used: 65536 ports, and three bits beyond */
#define STRING_BATCH    256u /* elements for each exit */
#define CONSOLE_PORT    0xe9u
#define CONSOLE_LINE    120u

struct port_region {
	uint32_t first, last;
	const struct port_ops *ops;
	void *ctx;
};

struct io_regions {
	struct spinlock lock;
	unsigned nr_mmio, nr_ports;
	struct mmio_region mmio[MAX_REGIONS];
	struct port_region port[MAX_REGIONS];
	struct range allowed[MAX_PORT_RANGES];
	struct rangeset ports;
	char line[CONSOLE_LINE]; /* what came in by the console port; lock */
	unsigned line_len;
};

int io_domain_init(struct domain *d)
{
	struct io_regions *r = domain_mem_alloc(d, sizeof(*r));

	if (!r)
		return -XEN_ENOMEM;
	d->arch.regions = r;
	spinlock_init(&r->lock, LOCK_RANK_REGIONS);
	rangeset_init(&r->ports, r->allowed, MAX_PORT_RANGES);
	d->arch.ports = &r->ports;
	d->arch.io_bitmap = page_alloc(BITMAP_ORDER, NODE_ANY, 0);
	if (mfn_is_none(d->arch.io_bitmap)) {
		d->arch.io_bitmap = MFN(0);
		return -XEN_ENOMEM;
	}
	domain_count_overhead(d, PAGE_SIZE << BITMAP_ORDER);
	memset(mfn_to_ptr(d->arch.io_bitmap), 0xff, PAGE_SIZE << BITMAP_ORDER);
	return 0;
}

void io_domain_fini(struct domain *d)
{
	if (d->arch.io_bitmap.n) {
		page_free(d->arch.io_bitmap, BITMAP_ORDER);
		domain_count_overhead(d, -(int64_t)(PAGE_SIZE << BITMAP_ORDER));
	}
	d->arch.io_bitmap = MFN(0);
	domain_mem_free(d, d->arch.regions, sizeof(*d->arch.regions));
	d->arch.regions = NULL;
	d->arch.ports = NULL;
}

/* The register. */

int mmio_register(struct domain *d, gpa_t start, uint64_t bytes, const struct mmio_ops *ops,
		  void *ctx)
{
	struct io_regions *r = d->arch.regions;
	int err = 0;

	spin_lock(&r->lock);
	for (unsigned i = 0; i < r->nr_mmio; i++) {
		if (start.a < r->mmio[i].end && r->mmio[i].start < start.a + bytes)
			err = -XEN_EEXIST;
	}
	if (!err && r->nr_mmio == MAX_REGIONS)
		err = -XEN_ENOMEM;
	if (!err)
		r->mmio[r->nr_mmio++] = (struct mmio_region){ start.a, start.a + bytes, ops, ctx };
	spin_unlock(&r->lock);
	return err;
}

void mmio_unregister(struct domain *d, gpa_t start)
{
	struct io_regions *r = d->arch.regions;

	spin_lock(&r->lock);
	for (unsigned i = 0; i < r->nr_mmio; i++) {
		if (r->mmio[i].start == start.a) {
			r->mmio[i] = r->mmio[--r->nr_mmio];
			break;
		}
	}
	spin_unlock(&r->lock);
}

bool mmio_find(struct domain *d, gpa_t gpa, struct mmio_region *ret_r)
{
	struct io_regions *r = d->arch.regions;
	bool found = false;

	spin_lock(&r->lock);
	for (unsigned i = 0; i < r->nr_mmio && !found; i++) {
		found = gpa.a >= r->mmio[i].start && gpa.a < r->mmio[i].end;
		if (found)
			*ret_r = r->mmio[i];
	}
	spin_unlock(&r->lock);
	return found;
}

static void bitmap_change(struct domain *d, unsigned first, unsigned last, bool exits)
{
	bitmap_word_t *bitmap = mfn_to_ptr(d->arch.io_bitmap);

	if (exits)
		bitmap_set_range(bitmap, first, last - first + 1);
	else
		bitmap_clear_range(bitmap, first, last - first + 1);
}

int port_register(struct domain *d, uint16_t first, unsigned nr, const struct port_ops *ops,
		  void *ctx)
{
	struct io_regions *r = d->arch.regions;
	uint32_t last = first + nr - 1;
	int err = 0;

	spin_lock(&r->lock);
	for (unsigned i = 0; i < r->nr_ports; i++) {
		if (first <= r->port[i].last && r->port[i].first <= last)
			err = -XEN_EEXIST;
	}
	if (!err && r->nr_ports == MAX_REGIONS)
		err = -XEN_ENOMEM;
	if (!err) {
		r->port[r->nr_ports++] = (struct port_region){ first, last, ops, ctx };
		bitmap_change(d, first, last, true);
	}
	spin_unlock(&r->lock);
	return err;
}

int port_allow(struct domain *d, uint16_t first, uint16_t last)
{
	struct io_regions *r = d->arch.regions;
	int err = -XEN_ENOMEM;

	spin_lock(&r->lock);
	if (rangeset_add(&r->ports, first, last)) {
		bitmap_change(d, first, last, false);
		err = 0;
	}
	for (unsigned i = 0; i < r->nr_ports; i++)
		bitmap_change(d, r->port[i].first, r->port[i].last, true);
	spin_unlock(&r->lock);
	return err;
}

/* Access. */

static bool port_find(struct domain *d, uint16_t port, struct port_region *ret_p)
{
	struct io_regions *r = d->arch.regions;
	bool found = false;

	spin_lock(&r->lock);
	for (unsigned i = 0; i < r->nr_ports && !found; i++) {
		found = port >= r->port[i].first && port <= r->port[i].last;
		if (found)
			*ret_p = r->port[i];
	}
	spin_unlock(&r->lock);
	return found;
}

/* Kernels print by this port before they have a console. */
static void console_putc(struct domain *d, char c)
{
	struct io_regions *r = d->arch.regions;
	char line[CONSOLE_LINE + 1];
	unsigned len = 0;

	spin_lock(&r->lock);
	/* Nothing that a terminal would act upon. */
	if (((uint8_t)c >= ' ' && c != 0x7f) || c == '\t')
		r->line[r->line_len++] = c;
	if (c == '\n' || r->line_len == CONSOLE_LINE) {
		len = r->line_len;
		memcpy(line, r->line, len);
		r->line_len = 0;
	}
	spin_unlock(&r->lock);
	line[len] = '\0';
	if (len)
		guest_log(d, "%s\n", line);
}

/* Ports of chips that a PC has and a guest has not: Linux times its CPU against channel 2 of the
 * timer chip if that counts, and gives up at once if it reads zero. */
static uint32_t absent_port(uint16_t port)
{
	switch (port) {
	case 0x42:
		return 0;
	case 0x61:
		return 0x20; /* the count is over: whoever waits for that stops waiting */
	default:
		return UINT32_MAX;
	}
}

static uint32_t port_in(struct vcpu *v, uint16_t port, unsigned size)
{
	struct port_region r;

	if (port_find(v->domain, port, &r))
		return r.ops->read(v, r.ctx, port, size);
	return absent_port(port);
}

static void port_out(struct vcpu *v, uint16_t port, unsigned size, uint32_t value)
{
	struct port_region r;

	if (port_find(v->domain, port, &r))
		r.ops->write(v, r.ctx, port, size, value);
	else if (port == CONSOLE_PORT && size == 1)
		console_putc(v->domain, (char)value);
}

static uint64_t address_mask(unsigned address_bits)
{
	return address_bits == 64 ? UINT64_MAX : (1ull << address_bits) - 1;
}

static void change_reg(uint64_t *reg, uint64_t value, unsigned address_bits)
{
	uint64_t mask = address_mask(address_bits);

	*reg = address_bits == 32 ? value & mask : (*reg & ~mask) | (value & mask);
}

/* The memory operand of a string instruction. */
struct io_operand {
	uint64_t base; /* of its segment */
	unsigned address_bits;
};

static void find_operand(struct vcpu *v, const struct exit_info *x, struct io_operand *ret_o)
{
	static const uint8_t names[] = { [INSN_ES] = VM_ES, [INSN_CS] = VM_CS, [INSN_SS] = VM_SS,
					 [INSN_DS] = VM_DS, [INSN_FS] = VM_FS, [INSN_GS] = VM_GS };
	uint8_t bytes[INSN_MAX_BYTES], name = x->io.is_in ? INSN_ES : INSN_DS;
	unsigned code_bits = vcpu_code_bits(v);
	struct insn_prefixes p = { .address_bits = (uint8_t)code_bits, .segment = INSN_NO_SEGMENT };
	struct vm_segment s;

	/* INS has no override. Unreadable by now: as without prefixes. */
	if ((!x->io.is_in || !x->io.address_bits) &&
	    insn_parse_prefixes(bytes, guest_fetch_at_rip(v, bytes, sizeof(bytes)), code_bits,
				&p) &&
	    !x->io.is_in && p.segment != INSN_NO_SEGMENT)
		name = p.segment;
	*ret_o = (struct io_operand){ 0, x->io.address_bits ? x->io.address_bits : p.address_bits };
	if (code_bits == 64 && name != INSN_FS && name != INSN_GS)
		return;
	vm_ops->get_segment(v, (enum vm_segment_name)names[name], &s);
	ret_o->base = s.base;
}

/* One element. False: the guest's memory faulted, and it has got its page fault. */
static bool string_element(struct vcpu *v, const struct exit_info *x, uint64_t va)
{
	uint32_t value = 0;
	int err;

	if (x->io.is_in) {
		value = port_in(v, x->io.port, x->io.size);
		err = guest_write_operand(v, va, &value, x->io.size);
	} else {
		err = guest_read_operand(v, &value, va, x->io.size);
		if (!err)
			port_out(v, x->io.port, x->io.size, value);
	}
	if (err)
		inject_page_fault(v, va, x->io.is_in ? PF_WRITE : 0);
	return !err;
}

static int exit_string_io(struct vcpu *v, const struct exit_info *x)
{
	struct vm_regs *r = &v->arch.regs;
	uint64_t *index = x->io.is_in ? &r->rdi : &r->rsi;
	uint64_t step = r->rflags & RFLAGS_DF ? -(uint64_t)x->io.size : x->io.size;
	uint64_t mask, left;
	struct io_operand o;

	find_operand(v, x, &o);
	mask = address_mask(o.address_bits);
	left = x->io.is_rep ? r->rcx & mask : 1;

	for (unsigned i = 0; left && i < STRING_BATCH; i++, left--) {
		if (!string_element(v, x, o.base + (*index & mask)))
			return EXIT_NO_SKIP;
		change_reg(index, *index + step, o.address_bits);
		if (x->io.is_rep)
			change_reg(&r->rcx, left - 1, o.address_bits);
	}
	if (left)
		return EXIT_NO_SKIP; /* interrupts may come in between, as on a CPU */
	vcpu_set_next_rip(v, x->io.next_rip);
	return 0;
}

int exit_io(struct vcpu *v, const struct exit_info *x)
{
	struct vm_regs *r = &v->arch.regs;

	if (x->io.is_string)
		return exit_string_io(v, x);
	if (x->io.is_in) {
		uint32_t value = port_in(v, x->io.port, x->io.size);

		if (x->io.size == 4)
			r->rax = value;
		else if (x->io.size == 2)
			r->rax = (r->rax & ~0xffffull) | (uint16_t)value;
		else
			r->rax = (r->rax & ~0xffull) | (uint8_t)value;
	} else {
		port_out(v, x->io.port, x->io.size, (uint32_t)r->rax);
	}
	vcpu_set_next_rip(v, x->io.next_rip);
	return 0;
}
