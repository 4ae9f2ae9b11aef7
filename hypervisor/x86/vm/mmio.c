/*
 * Nested page faults: accesses to emulated devices, which are decoded and carried out; accesses to
 * nothing, which read all ones and write nowhere; and races with a change of the physmap, which are
 * simply tried again. The decoder does the instructions, this file the memory.
 */
#include "x86/vm/io.h"

#include "abi/errno.h"
#include "lodge/arch.h"
#include "lodge/domain.h"
#include "lodge/log.h"
#include "lodge/p2m.h"
#include "x86/vm/decode.h"
#include "x86/vm/exit.h"
#include "x86/vm/guest-mem.h"
#include "x86/vm/service-vm.h"

#define STRING_BATCH 512u /* elements for each exit */

/* One access: size is 1, 2, 4 or 8. What lies partly outside of a device counts as outside. */
static uint64_t mmio_read(struct vcpu *v, gpa_t gpa, unsigned size)
{
	struct mmio_region r;

	if (!mmio_find(v->domain, gpa, &r) || gpa.a + size > r.end)
		return UINT64_MAX;
	return r.ops->read(v, r.ctx, gpa.a - r.start, size);
}

static void mmio_write(struct vcpu *v, gpa_t gpa, unsigned size, uint64_t value)
{
	struct mmio_region r;

	if (mmio_find(v->domain, gpa, &r) && gpa.a + size <= r.end)
		r.ops->write(v, r.ctx, gpa.a - r.start, size, value);
}

/* Registers as a string instruction counts them. */

static uint64_t mask_of(const struct insn *i)
{
	return i->address_bits == 64 ? UINT64_MAX : (1ull << i->address_bits) - 1;
}

static void advance(uint64_t *reg, const struct insn *i, uint64_t step)
{
	uint64_t mask = mask_of(i), value = *reg + step;

	*reg = i->address_bits == 32 ? value & mask : (*reg & ~mask) | (value & mask);
}

static uint64_t segment_base(struct vcpu *v, unsigned name)
{
	static const uint8_t names[] = { [INSN_ES] = VM_ES, [INSN_CS] = VM_CS, [INSN_SS] = VM_SS,
					 [INSN_DS] = VM_DS, [INSN_FS] = VM_FS, [INSN_GS] = VM_GS };
	struct vm_segment s;

	if (vcpu_code_bits(v) == 64 && name != INSN_FS && name != INSN_GS)
		return 0;
	vm_ops->get_segment(v, (enum vm_segment_name)names[name], &s);
	return s.base;
}

/* One element of MOVS, of which one side is at gpa and the other in RAM. */
static bool movs_element(struct vcpu *v, const struct insn *i, gpa_t gpa, bool is_write)
{
	struct vm_regs *r = &v->arch.regs;
	uint64_t value = 0, va, mask = mask_of(i);

	if (is_write) {
		va = segment_base(v, i->segment) + (r->rsi & mask);
		if (guest_read_operand(v, &value, va, i->mem_bytes)) {
			inject_page_fault(v, va, 0);
			return false;
		}
		mmio_write(v, gpa, i->mem_bytes, value);
		return true;
	}
	va = segment_base(v, INSN_ES) + (r->rdi & mask);
	value = mmio_read(v, gpa, i->mem_bytes);
	if (guest_write_operand(v, va, &value, i->mem_bytes)) {
		inject_page_fault(v, va, PF_WRITE);
		return false;
	}
	return true;
}

/* STOS and MOVS, up to the end of the page that was touched: the next page is another exit. */
static int emulate_string(struct vcpu *v, const struct insn *i, gpa_t gpa, bool is_write)
{
	struct vm_regs *r = &v->arch.regs;
	uint64_t step = r->rflags & RFLAGS_DF ? -(uint64_t)i->mem_bytes : i->mem_bytes;
	uint64_t page = gpa.a >> PAGE_SHIFT, left = i->rep ? r->rcx & mask_of(i) : 1;

	for (unsigned n = 0; left && n < STRING_BATCH && gpa.a >> PAGE_SHIFT == page; n++, left--) {
		if (i->op == INSN_STOS)
			mmio_write(v, gpa, i->mem_bytes, r->rax);
		else if (!movs_element(v, i, gpa, is_write))
			return EXIT_NO_SKIP;
		if (i->op == INSN_MOVS)
			advance(&r->rsi, i, step);
		advance(&r->rdi, i, step);
		if (i->rep)
			advance(&r->rcx, i, UINT64_MAX);
		gpa.a += step;
	}
	if (left)
		return EXIT_NO_SKIP;
	vcpu_set_next_rip(v, r->rip + i->len);
	return 0;
}

static void emulate_plain(struct vcpu *v, const struct insn *i, gpa_t gpa)
{
	struct vm_regs *r = &v->arch.regs;
	uint64_t memory = insn_reads_memory(i) ? mmio_read(v, gpa, i->mem_bytes) : 0, result;

	if (i->mem_bytes < 8)
		memory &= (1ull << (8 * i->mem_bytes)) - 1;
	switch (i->op) {
	case INSN_LOAD:
	case INSN_LOAD_SIGNED:
		insn_set_operand(i, r, memory);
		break;
	case INSN_STORE:
		mmio_write(v, gpa, i->mem_bytes, insn_operand(i, r));
		break;
	case INSN_XCHG:
		mmio_write(v, gpa, i->mem_bytes, insn_operand(i, r));
		insn_set_operand(i, r, memory);
		break;
	default:
		result = i->to_memory ? insn_alu(i, r, memory, insn_operand(i, r))
				      : insn_alu(i, r, insn_operand(i, r), memory);
		if (i->op == INSN_CMP || i->op == INSN_TEST)
			break;
		if (i->to_memory)
			mmio_write(v, gpa, i->mem_bytes, result);
		else
			insn_set_operand(i, r, result);
		break;
	}
	vcpu_set_next_rip(v, r->rip + i->len);
}

/* True when the physmap would let the access through by now: another vCPU has changed it since. */
static bool is_allowed_now(struct domain *d, const struct exit_info *x)
{
	struct p2m_entry e;

	p2m_lookup(d, gpa_to_gfn(x->fault.gpa), &e);
	if (e.kind == P2M_HOLE)
		return false;
	if (x->fault.is_write && !(e.access & P2M_WRITE))
		return false;
	return !x->fault.is_fetch || e.access & P2M_EXEC;
}

static int emulate(struct vcpu *v, const struct exit_info *x)
{
	uint8_t bytes[INSN_MAX_BYTES] = { 0 }; /* fewer may be read, and four are told */
	unsigned nr = guest_fetch_at_rip(v, bytes, sizeof(bytes));
	struct insn i;
	int err = insn_decode(bytes, nr, vcpu_code_bits(v), &i);

	if (err == -XEN_EFAULT && nr < sizeof(bytes))
		return EXIT_NO_SKIP; /* unreadable by now: the guest runs into its own fault */
	if (err) {
		guest_log(v->domain,
			  "access to %#" PRIx64 " at %#" PRIx64
			  " by an instruction that is not emulated: %02x %02x %02x %02x\n",
			  x->fault.gpa.a, v->arch.regs.rip, bytes[0], bytes[1], bytes[2], bytes[3]);
		inject_fault(v, VECTOR_UD, false, 0);
		return EXIT_NO_SKIP;
	}
	if (i.op == INSN_STOS || i.op == INSN_MOVS)
		return emulate_string(v, &i, x->fault.gpa, x->fault.is_write);
	emulate_plain(v, &i, x->fault.gpa);
	return 0;
}

/* What the access is for, when it is none that an instruction at rip makes. NULL: it is. */
static const char *other_access(const struct vcpu *v, const struct exit_info *x)
{
	if (x->fault.is_fetch)
		return "runs code";
	if (x->fault.is_table_walk)
		return "has page tables";
	return vm_ops->is_injecting(v) ? "takes an event" : NULL; /* queued again: not delivered */
}

int exit_npt_fault(struct vcpu *v, const struct exit_info *x)
{
	const char *other;
	struct mmio_region r;

	if (is_allowed_now(v->domain, x))
		return 0;
	if (!mmio_find(v->domain, x->fault.gpa, &r) && v->domain->privileged &&
	    service_vm_map_device(v->domain, x->fault.gpa))
		return 0;
	other = other_access(v, x);
	if (unlikely(other)) {
		vcpu_dump(v);
		domain_crash(v->domain, "vCPU %u: %s at %#" PRIx64 ", where there is no memory",
			     v->id, other, x->fault.gpa.a);
		return 0;
	}
	return emulate(v, x);
}
