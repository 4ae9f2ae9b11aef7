/*
 * Without next-RIP saving, the length of an instruction that exited must be read from guest memory: some
 * 400 instructions of ours. Guests exit at few places again and again, so each vCPU remembers the last
 * of them by address, address space and kind of exit.
 *
 * Only the length that an instruction of that kind nearly always has is remembered: without prefixes that
 * do nothing. So whoever fills an entry, such as an earlier process of a guest that gave its CR3 to
 * another, decides nothing for an instruction that a compiler wrote. RDTSC and RDTSCP may be told as
 * one kind, have two lengths, and are read each time. The lengths of I/O instructions are always reported and
 * never needed.
 */
#include "x86/vm/insn-len.h"

#include "x86/vm/decode.h"
#include "x86/vm/guest-mem.h"

/* Opcodes after the prefixes, by kind. */
struct exiting_insn {
	uint8_t kind; /* enum exit_kind */
	uint8_t nr_bytes;
	uint8_t bytes[3];
};

static const struct exiting_insn exiting_insns[] = {
	{ EXIT_HYPERCALL, 3, { 0x0f, 0x01, 0xd9 } }, /* VMMCALL */
	{ EXIT_HYPERCALL, 3, { 0x0f, 0x01, 0xc1 } }, /* VMCALL */
	{ EXIT_CPUID, 2, { 0x0f, 0xa2 } },
	{ EXIT_HLT, 1, { 0xf4 } },
	{ EXIT_MSR_READ, 2, { 0x0f, 0x32 } },
	{ EXIT_MSR_WRITE, 2, { 0x0f, 0x30 } },
	{ EXIT_XSETBV, 3, { 0x0f, 0x01, 0xd1 } },
	{ EXIT_WBINVD, 2, { 0x0f, 0x09 } },
	{ EXIT_WBINVD, 2, { 0x0f, 0x08 } }, /* INVD */
	{ EXIT_RDTSC, 2, { 0x0f, 0x31 } },
	{ EXIT_RDTSC, 3, { 0x0f, 0x01, 0xf9 } }, /* RDTSCP: see exit_rdtsc() */
	{ EXIT_RDTSCP, 3, { 0x0f, 0x01, 0xf9 } },
	{ EXIT_CR8, 2, { 0x0f, 0x20 } }, /* and ModRM */
	{ EXIT_CR8, 2, { 0x0f, 0x22 } },
};

static uint32_t find_len(const uint8_t *bytes, unsigned nr, unsigned code_bits, uint32_t kind)
{
	struct insn_prefixes p;

	if (!insn_parse_prefixes(bytes, nr, code_bits, &p))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(exiting_insns); i++) {
		const struct exiting_insn *e = &exiting_insns[i];

		if (e->kind != kind || p.len + e->nr_bytes > nr)
			continue;
		if (!__builtin_memcmp(bytes + p.len, e->bytes, e->nr_bytes))
			return p.len + e->nr_bytes + (kind == EXIT_CR8 ? 1u : 0u);
	}
	return 0;
}

/* Is it the one length of instructions of that kind? MOV to and from CR8 has REX, opcode and ModRM. */
static bool is_usual(uint32_t kind, uint32_t len)
{
	if (kind == EXIT_CR8)
		return len == 4;
	for (size_t i = 0; i < ARRAY_SIZE(exiting_insns); i++)
		if (exiting_insns[i].kind == kind)
			return kind != EXIT_RDTSC && len == exiting_insns[i].nr_bytes;
	return false;
}

static uint32_t read_len(struct vcpu *v, uint32_t kind)
{
	uint8_t bytes[INSN_MAX_BYTES];
	unsigned nr = guest_fetch_at_rip(v, bytes, sizeof(bytes));

	return find_len(bytes, nr, vcpu_code_bits(v), kind);
}

uint32_t insn_len_fill(struct vcpu *v, const struct exit_info *x, struct insn_len_entry *e)
{
	uint32_t len = read_len(v, x->kind);

	if (is_usual(x->kind, len))
		*e = (struct insn_len_entry){
			.rip = v->arch.regs.rip, .cr3 = x->cr3, .kind = x->kind, .len = len
		};
	return len;
}
