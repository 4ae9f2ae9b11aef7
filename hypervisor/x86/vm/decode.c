/*
 * The decoder. Only what guests use on device registers is known (MOV and its kin, logic, compare,
 * STOS, MOVS); everything else is refused. The effective address is not computed: the CPU reports
 * the guest physical address of the access.
 */
#include "x86/vm/decode.h"

#include "abi/errno.h"

#define REX_W 8u
#define REX_R 4u

#define RFLAGS_CF  0x001ull
#define RFLAGS_PF  0x004ull
#define RFLAGS_AF  0x010ull
#define RFLAGS_ZF  0x040ull
#define RFLAGS_SF  0x080ull
#define RFLAGS_OF  0x800ull
#define RFLAGS_ALU (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static bool parse_prefix(uint8_t byte, unsigned code_bits, struct insn_prefixes *p)
{
	switch (byte) {
	case 0x26:
		p->segment = INSN_ES;
		return true;
	case 0x2e:
		p->segment = INSN_CS;
		return true;
	case 0x36:
		p->segment = INSN_SS;
		return true;
	case 0x3e:
		p->segment = INSN_DS;
		return true;
	case 0x64:
		p->segment = INSN_FS;
		return true;
	case 0x65:
		p->segment = INSN_GS;
		return true;
	case 0x66:
		p->operand_bytes = code_bits == 16 ? 4 : 2;
		return true;
	case 0x67:
		p->address_bits = code_bits == 32 ? 16 : 32;
		return true;
	case 0xf0:
		p->lock = true;
		return true;
	case 0xf2:
		p->repne = true;
		return true;
	case 0xf3:
		p->rep = true;
		return true;
	default:
		return false;
	}
}

bool insn_parse_prefixes(const uint8_t *bytes, unsigned nr, unsigned code_bits,
			 struct insn_prefixes *ret_p)
{
	struct insn_prefixes p = { .operand_bytes = code_bits == 16 ? 2 : 4,
				   .address_bits = (uint8_t)code_bits,
				   .segment = INSN_NO_SEGMENT };
	unsigned i;

	for (i = 0; i < nr; i++) {
		if (code_bits == 64 && (bytes[i] & 0xf0) == 0x40)
			p.rex = bytes[i];
		else if (parse_prefix(bytes[i], code_bits, &p))
			p.rex = 0; /* it counts only right before the opcode */
		else
			break;
	}
	if (p.rex & REX_W)
		p.operand_bytes = 8;
	if (i >= nr)
		return false;
	p.len = (uint8_t)i;
	*ret_p = p;
	return true;
}

/* How an opcode is written. */
enum form {
	FORM_NONE,
	FORM_MR,          /* ModRM, memory is the destination */
	FORM_RM,          /* ModRM, memory is the source */
	FORM_MI8,         /* ModRM and one byte of immediate, sign-extended */
	FORM_MIZ,         /* ModRM and an immediate of the operand's size, at most 4 bytes */
	FORM_OFFSET_LOAD, /* rAX and an address in the instruction */
	FORM_OFFSET_STORE,
	FORM_STRING,
};

struct opcode {
	uint8_t form;  /* enum form */
	uint8_t op;    /* enum insn_op; OP_GROUP1: see alu_ops[] */
	bool is_byte;  /* memory operand of one byte */
	bool is_word;  /* of two, whatever the prefixes say (MOVZX and the like) */
	bool is_dword; /* of four (MOVSXD) */
	uint8_t digits; /* immediate forms: which ModRM.reg are meant, as a mask; 0xff: see OP_GROUP1 */
};

#define OP_GROUP1 0xffu

/* By ModRM.reg, or by bits 5-3 of the opcode; ADC and SBB are not done. */
#define ALU_NONE 0xffu
static const uint8_t alu_ops[8] = { INSN_ADD, INSN_OR,  ALU_NONE, ALU_NONE,
				    INSN_AND, INSN_SUB, INSN_XOR, INSN_CMP };

static const struct opcode one_byte[256] = {
	[0x63] = { .form = FORM_RM, .op = INSN_LOAD_SIGNED, .is_dword = true },
	[0x80] = { .form = FORM_MI8, .op = OP_GROUP1, .is_byte = true, .digits = 0xff },
	[0x81] = { .form = FORM_MIZ, .op = OP_GROUP1, .digits = 0xff },
	[0x83] = { .form = FORM_MI8, .op = OP_GROUP1, .digits = 0xff },
	[0x84] = { .form = FORM_MR, .op = INSN_TEST, .is_byte = true },
	[0x85] = { .form = FORM_MR, .op = INSN_TEST },
	[0x86] = { .form = FORM_MR, .op = INSN_XCHG, .is_byte = true },
	[0x87] = { .form = FORM_MR, .op = INSN_XCHG },
	[0x88] = { .form = FORM_MR, .op = INSN_STORE, .is_byte = true },
	[0x89] = { .form = FORM_MR, .op = INSN_STORE },
	[0x8a] = { .form = FORM_RM, .op = INSN_LOAD, .is_byte = true },
	[0x8b] = { .form = FORM_RM, .op = INSN_LOAD },
	[0xa0] = { .form = FORM_OFFSET_LOAD, .op = INSN_LOAD, .is_byte = true },
	[0xa1] = { .form = FORM_OFFSET_LOAD, .op = INSN_LOAD },
	[0xa2] = { .form = FORM_OFFSET_STORE, .op = INSN_STORE, .is_byte = true },
	[0xa3] = { .form = FORM_OFFSET_STORE, .op = INSN_STORE },
	[0xa4] = { .form = FORM_STRING, .op = INSN_MOVS, .is_byte = true },
	[0xa5] = { .form = FORM_STRING, .op = INSN_MOVS },
	[0xaa] = { .form = FORM_STRING, .op = INSN_STOS, .is_byte = true },
	[0xab] = { .form = FORM_STRING, .op = INSN_STOS },
	[0xc6] = { .form = FORM_MI8, .op = INSN_STORE, .is_byte = true, .digits = 0x01 },
	[0xc7] = { .form = FORM_MIZ, .op = INSN_STORE, .digits = 0x01 },
	[0xf6] = { .form = FORM_MI8, .op = INSN_TEST, .is_byte = true, .digits = 0x03 },
	[0xf7] = { .form = FORM_MIZ, .op = INSN_TEST, .digits = 0x03 },
};

static const struct opcode two_bytes[256] = {
	[0xb6] = { .form = FORM_RM, .op = INSN_LOAD, .is_byte = true },
	[0xb7] = { .form = FORM_RM, .op = INSN_LOAD, .is_word = true },
	[0xbe] = { .form = FORM_RM, .op = INSN_LOAD_SIGNED, .is_byte = true },
	[0xbf] = { .form = FORM_RM, .op = INSN_LOAD_SIGNED, .is_word = true },
	[0xc3] = { .form = FORM_MR, .op = INSN_STORE },
};

/* 00 … 3b: eight operations in the same four forms. */
static bool find_alu(uint8_t opcode, struct opcode *ret_o)
{
	uint8_t op = alu_ops[opcode >> 3 & 7];

	if (opcode >= 0x40 || (opcode & 7) > 3 || op == ALU_NONE)
		return false;
	*ret_o = (struct opcode){ .form = opcode & 2 ? FORM_RM : FORM_MR,
				  .op = op,
				  .is_byte = !(opcode & 1) };
	return true;
}

/* A cursor over the instruction's bytes. */
struct cursor {
	const uint8_t *bytes;
	unsigned nr, at;
};

static bool take(struct cursor *c, unsigned nr, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (nr > c->nr - c->at)
		return false;
	for (unsigned i = 0; i < nr; i++)
		value |= (uint64_t)c->bytes[c->at + i] << (8 * i);
	c->at += nr;
	*ret_value = value;
	return true;
}

static uint64_t sign_extend(uint64_t value, unsigned bytes)
{
	unsigned unused = 64 - 8 * bytes;

	return (uint64_t)((int64_t)(value << unused) >> unused);
}

static uint64_t truncate(uint64_t value, unsigned bytes)
{
	return bytes == 8 ? value : value & ((1ull << (8 * bytes)) - 1);
}

/* Bytes of displacement that follow ModRM (and SIB, which is taken). False: out of bytes. */
static bool take_address(struct cursor *c, uint8_t modrm, unsigned address_bits)
{
	unsigned mod = modrm >> 6, rm = modrm & 7, displacement = 0;
	uint64_t unused;

	if (address_bits == 16) {
		displacement = mod == 1 ? 1 : mod == 2 || (mod == 0 && rm == 6) ? 2 : 0;
		return take(c, displacement, &unused);
	}
	if (mod == 1)
		displacement = 1;
	else if (mod == 2 || rm == 5)
		displacement = 4;
	if (rm == 4) {
		uint64_t sib;

		if (!take(c, 1, &sib))
			return false;
		if (mod == 0 && (sib & 7) == 5)
			displacement = 4;
	}
	return take(c, displacement, &unused);
}

static int decode_modrm(struct cursor *c, const struct opcode *o, const struct insn_prefixes *p,
			struct insn *i)
{
	uint64_t modrm;

	if (!take(c, 1, &modrm))
		return -XEN_EFAULT;
	if (modrm >> 6 == 3)
		return -XEN_EOPNOTSUPP; /* a register: no memory in it */
	if (!take_address(c, (uint8_t)modrm, p->address_bits))
		return -XEN_EFAULT;
	i->reg = (uint8_t)(modrm >> 3 & 7);
	if (o->form == FORM_MI8 || o->form == FORM_MIZ) {
		unsigned imm_bytes = o->form == FORM_MI8 ? 1 : MIN(i->mem_bytes, 4u);

		if (!(o->digits >> i->reg & 1))
			return -XEN_EOPNOTSUPP;
		if (!take(c, imm_bytes, &i->imm))
			return -XEN_EFAULT;
		i->imm = sign_extend(i->imm, imm_bytes);
		i->has_imm = true;
		i->to_memory = true;
		if (o->op == OP_GROUP1)
			i->op = alu_ops[i->reg];
		return i->op == ALU_NONE ? -XEN_EOPNOTSUPP : 0;
	}
	i->to_memory = o->form == FORM_MR;
	/* Without REX, byte registers 4 to 7 are the high halves of the first four. */
	i->high_byte = i->reg_bytes == 1 && !p->rex && i->reg >= 4;
	if (i->high_byte)
		i->reg = i->reg & 3;
	if (p->rex & REX_R)
		i->reg |= 8;
	return 0;
}

static int decode_operands(struct cursor *c, const struct opcode *o, const struct insn_prefixes *p,
			   struct insn *i)
{
	uint64_t unused;

	switch (o->form) {
	case FORM_STRING:
		i->rep = p->rep || p->repne;
		i->to_memory = true;
		return 0;
	case FORM_OFFSET_LOAD:
	case FORM_OFFSET_STORE:
		i->to_memory = o->form == FORM_OFFSET_STORE;
		return take(c, p->address_bits / 8, &unused) ? 0 : -XEN_EFAULT;
	default:
		return decode_modrm(c, o, p, i);
	}
}

static int find_opcode(struct cursor *c, unsigned code_bits, struct opcode *ret_o)
{
	uint64_t byte;

	if (!take(c, 1, &byte))
		return -XEN_EFAULT;
	if (byte == 0x0f) {
		if (!take(c, 1, &byte))
			return -XEN_EFAULT;
		*ret_o = two_bytes[byte];
	} else if (!find_alu((uint8_t)byte, ret_o)) {
		*ret_o = one_byte[byte];
		if (byte == 0x63 && code_bits != 64)
			return -XEN_EOPNOTSUPP; /* ARPL */
	}
	return ret_o->form == FORM_NONE ? -XEN_EOPNOTSUPP : 0;
}

int insn_decode(const uint8_t *bytes, unsigned nr, unsigned code_bits, struct insn *ret_i)
{
	struct insn_prefixes p;
	struct cursor c = { .bytes = bytes, .nr = MIN(nr, INSN_MAX_BYTES) };
	struct insn i = { 0 };
	struct opcode o;
	int err;

	if (!insn_parse_prefixes(bytes, c.nr, code_bits, &p))
		return -XEN_EFAULT;
	c.at = p.len;
	err = find_opcode(&c, code_bits, &o);
	if (err)
		return err;
	i.op = o.op;
	i.address_bits = p.address_bits;
	i.segment = p.segment == INSN_NO_SEGMENT ? INSN_DS : p.segment;
	i.mem_bytes = o.is_byte ? 1 : o.is_word ? 2 : o.is_dword ? 4 : p.operand_bytes;
	/* MOVZX, MOVSX, MOVSXD: the register is larger than the memory operand. */
	i.reg_bytes = o.op == INSN_LOAD_SIGNED || (o.op == INSN_LOAD && o.is_word) ? p.operand_bytes
										   : i.mem_bytes;
	if (o.op == INSN_LOAD && o.is_byte && bytes[p.len] == 0x0f)
		i.reg_bytes = p.operand_bytes;
	err = decode_operands(&c, &o, &p, &i);
	if (err)
		return err;
	i.len = (uint8_t)c.at;
	*ret_i = i;
	return 0;
}

uint64_t *insn_reg(struct vm_regs *regs, unsigned nr)
{
	return &regs->rax + (nr & 15);
}

uint64_t insn_operand(const struct insn *i, struct vm_regs *regs)
{
	uint64_t value = i->has_imm ? i->imm : *insn_reg(regs, i->reg);

	if (!i->has_imm && i->high_byte)
		value >>= 8;
	return truncate(value, i->has_imm ? i->mem_bytes : i->reg_bytes);
}

void insn_set_operand(const struct insn *i, struct vm_regs *regs, uint64_t value)
{
	uint64_t *reg = insn_reg(regs, i->reg);
	unsigned shift = i->high_byte ? 8 : 0;
	uint64_t mask = i->reg_bytes == 1 ? 0xffull << shift : 0xffffull;

	if (i->op == INSN_LOAD_SIGNED)
		value = sign_extend(value, i->mem_bytes);
	if (i->reg_bytes >= 4) /* writing 32 bits clears the upper half */
		*reg = truncate(value, i->reg_bytes);
	else
		*reg = (*reg & ~mask) | (value << shift & mask);
}

static uint64_t alu_result(unsigned op, uint64_t a, uint64_t b)
{
	switch (op) {
	case INSN_ADD:
		return a + b;
	case INSN_OR:
		return a | b;
	case INSN_XOR:
		return a ^ b;
	case INSN_SUB:
	case INSN_CMP:
		return a - b;
	default: /* AND, TEST */
		return a & b;
	}
}

uint64_t insn_alu(const struct insn *i, struct vm_regs *regs, uint64_t first, uint64_t second)
{
	unsigned bytes = i->mem_bytes;
	uint64_t a = truncate(first, bytes), b = truncate(second, bytes);
	uint64_t result = truncate(alu_result(i->op, a, b), bytes), sign = 1ull << (8 * bytes - 1);
	bool is_sub = i->op == INSN_SUB || i->op == INSN_CMP, is_add = i->op == INSN_ADD;
	uint64_t flags = 0;

	if (!result)
		flags |= RFLAGS_ZF;
	if (result & sign)
		flags |= RFLAGS_SF;
	if (!__builtin_parityll(result & 0xff))
		flags |= RFLAGS_PF;
	if ((is_add && result < a) || (is_sub && a < b))
		flags |= RFLAGS_CF;
	if ((is_add && (~(a ^ b) & (a ^ result) & sign)) ||
	    (is_sub && ((a ^ b) & (a ^ result) & sign)))
		flags |= RFLAGS_OF;
	if ((is_add || is_sub) && ((a ^ b ^ result) & 0x10))
		flags |= RFLAGS_AF;
	regs->rflags = (regs->rflags & ~RFLAGS_ALU) | flags;
	return result;
}
