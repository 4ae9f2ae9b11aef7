/* Decoder of the instructions that access emulated memory, and the length of those that exit. Pure
 * functions of bytes and registers: no guest memory, no vCPU. */
#ifndef LODGE_X86_VM_DECODE_H
#define LODGE_X86_VM_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/util.h"
#include "x86/include/vm-regs.h"

#define INSN_MAX_BYTES 15u

enum insn_segment { INSN_ES, INSN_CS, INSN_SS, INSN_DS, INSN_FS, INSN_GS, INSN_NO_SEGMENT };

struct insn_prefixes {
	uint8_t len;           /* bytes of all prefixes, REX included */
	uint8_t rex;           /* 0: none */
	uint8_t operand_bytes; /* 2, 4 or 8 */
	uint8_t address_bits;  /* 16, 32 or 64 */
	uint8_t segment;       /* enum insn_segment: an override */
	bool rep, repne, lock;
};

/* code_bits is 16, 32 or 64. False: nothing but prefixes within nr bytes. */
must_check bool insn_parse_prefixes(const uint8_t *bytes, unsigned nr, unsigned code_bits,
				    struct insn_prefixes *ret_p);

enum insn_op {
	INSN_LOAD,        /* register = memory, zero-extended to reg_bytes */
	INSN_LOAD_SIGNED, /* register = memory, sign-extended */
	INSN_STORE,       /* memory = operand */
	INSN_ADD,         /* these change the destination and the flags */
	INSN_OR,
	INSN_AND,
	INSN_SUB,
	INSN_XOR,
	INSN_CMP, /* these two only the flags */
	INSN_TEST,
	INSN_XCHG,
	INSN_STOS, /* [es:rdi] = rax */
	INSN_MOVS, /* [es:rdi] = [segment:rsi] */
};

/* One instruction with one memory operand (MOVS: two). The other operand is a register or imm. */
struct insn {
	uint8_t len;
	uint8_t op;        /* enum insn_op */
	uint8_t mem_bytes; /* 1, 2, 4, 8 */
	uint8_t reg_bytes;
	uint8_t reg;    /* as encoded; valid without has_imm */
	bool high_byte; /* reg is AH, CH, DH or BH, as register 0 … 3 */
	bool has_imm;
	bool to_memory; /* memory is the destination (or the first operand of CMP, TEST) */
	bool rep;       /* STOS, MOVS */
	uint8_t address_bits;
	uint8_t segment; /* of MOVS's source, without override INSN_DS */
	uint64_t imm;    /* sign-extended to 64 bits */
};

/* 0; -XEN_EFAULT: the instruction is longer than nr; -XEN_EOPNOTSUPP: not one that we know. */
must_check int insn_decode(const uint8_t *bytes, unsigned nr, unsigned code_bits,
			   struct insn *ret_i);

/* Registers by number, whole. */
uint64_t *insn_reg(struct vm_regs *regs, unsigned nr);

/* The operand that is not in memory. */
uint64_t insn_operand(const struct insn *i, struct vm_regs *regs);
/* Puts what was loaded into the register: partial registers keep the rest, 32 bits clear it. */
void insn_set_operand(const struct insn *i, struct vm_regs *regs, uint64_t value);
/* The result of an INSN_ADD … INSN_TEST for `first op second`, and its flags in regs->rflags. */
uint64_t insn_alu(const struct insn *i, struct vm_regs *regs, uint64_t first, uint64_t second);

/* True when there is memory to read before the instruction can be carried out. */
static inline bool insn_reads_memory(const struct insn *i)
{
	return i->op != INSN_STORE && i->op != INSN_STOS;
}

#endif
