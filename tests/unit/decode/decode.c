/* x86/vm/decode.h */
#include "x86/vm/decode.h"

#include <string.h>

#include "abi/errno.h"
#include "unit.h"

static struct vm_regs regs;

static void setup(void)
{
	regs = (struct vm_regs){ .rflags = 2 };
}

struct example {
	const char *name;
	unsigned code_bits;
	uint8_t bytes[15];
	struct insn insn;
};

#define REG(n, size) .reg = (n), .reg_bytes = (size)
#define MEM(size)    .mem_bytes = (size)
#define IMM(i, size) .has_imm = true, .imm = (i), .reg_bytes = (size), .to_memory = true
#define A64          .address_bits = 64, .segment = INSN_DS
#define A32          .address_bits = 32, .segment = INSN_DS
#define A16          .address_bits = 16, .segment = INSN_DS
#define TO_MEM       .to_memory = true
#define I(l, o, ...)                               \
	{                                          \
		.len = (l), .op = (o), __VA_ARGS__ \
	}

static const struct example examples[] = {
	/* MOV */
	{ "mov (%rax), %ecx", 64, { 0x8b, 0x08 }, I(2, INSN_LOAD, MEM(4), REG(1, 4), A64) },
	{ "mov (%rax), %rcx", 64, { 0x48, 0x8b, 0x08 }, I(3, INSN_LOAD, MEM(8), REG(1, 8), A64) },
	{ "mov (%rax), %r9w",
	  64,
	  { 0x66, 0x44, 0x8b, 0x08 },
	  I(4, INSN_LOAD, MEM(2), REG(9, 2), A64) },
	{ "mov (%rax), %ah",
	  64,
	  { 0x8a, 0x20 },
	  I(2, INSN_LOAD, MEM(1), REG(0, 1), .high_byte = true, A64) },
	{ "mov (%rax), %spl", 64, { 0x40, 0x8a, 0x20 }, I(3, INSN_LOAD, MEM(1), REG(4, 1), A64) },
	{ "mov %edx, 0x80(%rbp)",
	  64,
	  { 0x89, 0x95, 0x80, 0, 0, 0 },
	  I(6, INSN_STORE, MEM(4), REG(2, 4), TO_MEM, A64) },
	{ "mov %dl, 8(%rbp)",
	  64,
	  { 0x88, 0x55, 0x08 },
	  I(3, INSN_STORE, MEM(1), REG(2, 1), TO_MEM, A64) },
	{ "mov %eax, 0x1234(%rip)",
	  64,
	  { 0x89, 0x05, 0x34, 0x12, 0, 0 },
	  I(6, INSN_STORE, MEM(4), REG(0, 4), TO_MEM, A64) },
	{ "mov %eax, (%rsp,%rcx,4)",
	  64,
	  { 0x89, 0x04, 0x8c },
	  I(3, INSN_STORE, MEM(4), REG(0, 4), TO_MEM, A64) },
	{ "mov %eax, 0x11223344(,%rcx,4)",
	  64,
	  { 0x89, 0x04, 0x8d, 0x44, 0x33, 0x22, 0x11 },
	  I(7, INSN_STORE, MEM(4), REG(0, 4), TO_MEM, A64) },
	{ "mov %eax, 0x11(%r12)",
	  64,
	  { 0x41, 0x89, 0x44, 0x24, 0x11 },
	  I(5, INSN_STORE, MEM(4), REG(0, 4), TO_MEM, A64) },
	{ "movl $0xfffffffe, (%rdi)",
	  64,
	  { 0xc7, 0x07, 0xfe, 0xff, 0xff, 0xff },
	  I(6, INSN_STORE, MEM(4), IMM(UINT64_MAX - 1, 4), A64) },
	{ "movq $-2, (%rdi)",
	  64,
	  { 0x48, 0xc7, 0x07, 0xfe, 0xff, 0xff, 0xff },
	  I(7, INSN_STORE, MEM(8), IMM(UINT64_MAX - 1, 8), A64) },
	{ "movw $0x1234, (%rdi)",
	  64,
	  { 0x66, 0xc7, 0x07, 0x34, 0x12 },
	  I(5, INSN_STORE, MEM(2), IMM(0x1234, 2), A64) },
	{ "movb $1, (%rdi)", 64, { 0xc6, 0x07, 0x01 }, I(3, INSN_STORE, MEM(1), IMM(1, 1), A64) },
	{ "movabs 0x8877665544332211, %eax",
	  64,
	  { 0xa1, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88 },
	  I(9, INSN_LOAD, MEM(4), REG(0, 4), A64) },
	{ "movabs %rax, 0x8877665544332211",
	  64,
	  { 0x48, 0xa3, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88 },
	  I(10, INSN_STORE, MEM(8), REG(0, 8), TO_MEM, A64) },
	{ "movnti %ecx, (%rax)",
	  64,
	  { 0x0f, 0xc3, 0x08 },
	  I(3, INSN_STORE, MEM(4), REG(1, 4), TO_MEM, A64) },
	{ "mov %gs:(%rax), %ecx",
	  64,
	  { 0x65, 0x8b, 0x08 },
	  I(3, INSN_LOAD, MEM(4), REG(1, 4), .address_bits = 64, .segment = INSN_GS) },
	{ "mov (%eax), %ecx", 64, { 0x67, 0x8b, 0x08 }, I(3, INSN_LOAD, MEM(4), REG(1, 4), A32) },
	/* With extension */
	{ "movzbl (%rax), %ecx",
	  64,
	  { 0x0f, 0xb6, 0x08 },
	  I(3, INSN_LOAD, MEM(1), REG(1, 4), A64) },
	{ "movzwq (%rax), %r9",
	  64,
	  { 0x4c, 0x0f, 0xb7, 0x08 },
	  I(4, INSN_LOAD, MEM(2), REG(9, 8), A64) },
	{ "movsbw (%rax), %cx",
	  64,
	  { 0x66, 0x0f, 0xbe, 0x08 },
	  I(4, INSN_LOAD_SIGNED, MEM(1), REG(1, 2), A64) },
	{ "movswl (%rax), %ecx",
	  64,
	  { 0x0f, 0xbf, 0x08 },
	  I(3, INSN_LOAD_SIGNED, MEM(2), REG(1, 4), A64) },
	{ "movslq (%rax), %rcx",
	  64,
	  { 0x48, 0x63, 0x08 },
	  I(3, INSN_LOAD_SIGNED, MEM(4), REG(1, 8), A64) },
	/* Arithmetic */
	{ "add %ecx, (%rax)", 64, { 0x01, 0x08 }, I(2, INSN_ADD, MEM(4), REG(1, 4), TO_MEM, A64) },
	{ "add (%rax), %ecx", 64, { 0x03, 0x08 }, I(2, INSN_ADD, MEM(4), REG(1, 4), A64) },
	{ "lock or %ecx, (%rax)",
	  64,
	  { 0xf0, 0x09, 0x08 },
	  I(3, INSN_OR, MEM(4), REG(1, 4), TO_MEM, A64) },
	{ "and (%rax), %cl", 64, { 0x22, 0x08 }, I(2, INSN_AND, MEM(1), REG(1, 1), A64) },
	{ "sub (%rax), %rcx", 64, { 0x48, 0x2b, 0x08 }, I(3, INSN_SUB, MEM(8), REG(1, 8), A64) },
	{ "xor %ecx, (%rax)", 64, { 0x31, 0x08 }, I(2, INSN_XOR, MEM(4), REG(1, 4), TO_MEM, A64) },
	{ "cmp (%rax), %ecx", 64, { 0x3b, 0x08 }, I(2, INSN_CMP, MEM(4), REG(1, 4), A64) },
	{ "cmpl $-1, (%rax)",
	  64,
	  { 0x83, 0x38, 0xff },
	  I(3, INSN_CMP, MEM(4), .reg = 7, IMM(UINT64_MAX, 4), A64) },
	{ "andl $0x7fffffff, (%rax)",
	  64,
	  { 0x81, 0x20, 0xff, 0xff, 0xff, 0x7f },
	  I(6, INSN_AND, MEM(4), .reg = 4, IMM(0x7fffffff, 4), A64) },
	{ "orb $0x80, (%rax)",
	  64,
	  { 0x80, 0x08, 0x80 },
	  I(3, INSN_OR, MEM(1), .reg = 1, IMM((uint64_t)-0x80, 1), A64) },
	{ "test %ecx, (%rax)",
	  64,
	  { 0x85, 0x08 },
	  I(2, INSN_TEST, MEM(4), REG(1, 4), TO_MEM, A64) },
	{ "testb $1, (%rax)", 64, { 0xf6, 0x00, 0x01 }, I(3, INSN_TEST, MEM(1), IMM(1, 1), A64) },
	{ "testl $1, (%rax)",
	  64,
	  { 0xf7, 0x00, 0x01, 0, 0, 0 },
	  I(6, INSN_TEST, MEM(4), IMM(1, 4), A64) },
	{ "xchg %ecx, (%rax)",
	  64,
	  { 0x87, 0x08 },
	  I(2, INSN_XCHG, MEM(4), REG(1, 4), TO_MEM, A64) },
	/* Strings */
	{ "rep stosl",
	  64,
	  { 0xf3, 0xab },
	  I(2, INSN_STOS, MEM(4), .reg_bytes = 4, .rep = true, TO_MEM, A64) },
	{ "stosb", 64, { 0xaa }, I(1, INSN_STOS, MEM(1), .reg_bytes = 1, TO_MEM, A64) },
	{ "rep movsq",
	  64,
	  { 0xf3, 0x48, 0xa5 },
	  I(3, INSN_MOVS, MEM(8), .reg_bytes = 8, .rep = true, TO_MEM, A64) },
	/* Smaller modes */
	{ "mov (%eax), %ecx", 32, { 0x8b, 0x08 }, I(2, INSN_LOAD, MEM(4), REG(1, 4), A32) },
	{ "mov 0x12345678, %eax",
	  32,
	  { 0xa1, 0x78, 0x56, 0x34, 0x12 },
	  I(5, INSN_LOAD, MEM(4), REG(0, 4), A32) },
	{ "mov 0x1234(%esi), %ax",
	  32,
	  { 0x66, 0x8b, 0x86, 0x34, 0x12, 0, 0 },
	  I(7, INSN_LOAD, MEM(2), REG(0, 2), A32) },
	{ "mov (%bx,%si), %ax", 16, { 0x8b, 0x00 }, I(2, INSN_LOAD, MEM(2), REG(0, 2), A16) },
	{ "mov 0x1234, %cx",
	  16,
	  { 0x8b, 0x0e, 0x34, 0x12 },
	  I(4, INSN_LOAD, MEM(2), REG(1, 2), A16) },
	{ "mov 0x12(%bp), %ecx",
	  16,
	  { 0x66, 0x8b, 0x4e, 0x12 },
	  I(4, INSN_LOAD, MEM(4), REG(1, 4), A16) },
	{ "mov 0x1234(%di), %al",
	  16,
	  { 0x8a, 0x85, 0x34, 0x12 },
	  I(4, INSN_LOAD, MEM(1), REG(0, 1), A16) },
};

static void check_same(const struct example *e, const struct insn *i)
{
	const struct insn *want = &e->insn;

	ck_assert_msg(i->len == want->len && i->op == want->op, "%s: length %u, operation %u",
		      e->name, i->len, i->op);
	ck_assert_msg(i->mem_bytes == want->mem_bytes && i->reg_bytes == want->reg_bytes,
		      "%s: %u bytes of memory, %u of register", e->name, i->mem_bytes,
		      i->reg_bytes);
	ck_assert_msg(i->has_imm == want->has_imm && i->imm == want->imm, "%s: immediate %#lx",
		      e->name, (unsigned long)i->imm);
	ck_assert_msg(i->has_imm || (i->reg == want->reg && i->high_byte == want->high_byte),
		      "%s: register %u", e->name, i->reg);
	ck_assert_msg(i->to_memory == want->to_memory && i->rep == want->rep, "%s: direction",
		      e->name);
	ck_assert_msg(i->address_bits == want->address_bits && i->segment == want->segment,
		      "%s: address", e->name);
}

START_TEST(every_known_form_is_decoded)
{
	for (size_t n = 0; n < ARRAY_SIZE(examples); n++) {
		struct insn i;

		ck_assert_int_eq(insn_decode(examples[n].bytes, 15, examples[n].code_bits, &i), 0);
		check_same(&examples[n], &i);
	}
}
END_TEST

START_TEST(an_instruction_cut_short_is_not_read_beyond_its_end)
{
	for (size_t n = 0; n < ARRAY_SIZE(examples); n++) {
		for (unsigned len = 0; len < examples[n].insn.len; len++) {
			uint8_t *exact = malloc(len + !len); /* the sanitizer guards its end */
			struct insn i;

			memcpy(exact, examples[n].bytes, len);
			ck_assert_int_eq(insn_decode(exact, len, examples[n].code_bits, &i),
					 -XEN_EFAULT);
			free(exact);
		}
	}
}
END_TEST

START_TEST(what_is_not_known_is_refused)
{
	static const struct {
		unsigned code_bits;
		uint8_t bytes[15];
	} unknown[] = {
		{ 64, { 0x90 } },                   /* nop */
		{ 64, { 0x89, 0xc8 } },             /* mov between registers */
		{ 64, { 0x11, 0x08 } },             /* adc */
		{ 64, { 0x80, 0x18, 0x01 } },       /* sbb */
		{ 64, { 0xff, 0x30 } },             /* push (%rax) */
		{ 64, { 0xc7, 0x0f, 0, 0, 0, 0 } }, /* c7 /1 */
		{ 64, { 0xf7, 0x18 } },             /* neg (%rax) */
		{ 32, { 0x63, 0x08 } },             /* arpl */
		{ 64, { 0x0f, 0x0b } },             /* ud2 */
		{ 64, { 0x0f, 0x6f, 0x00 } },       /* movq (%rax), %mm0 */
	};

	for (size_t n = 0; n < ARRAY_SIZE(unknown); n++) {
		struct insn i;

		ck_assert_int_eq(insn_decode(unknown[n].bytes, 15, unknown[n].code_bits, &i),
				 -XEN_EOPNOTSUPP);
	}
}
END_TEST

START_TEST(more_than_fifteen_bytes_are_no_instruction)
{
	uint8_t bytes[32];
	struct insn i;

	memset(bytes, 0x66, sizeof(bytes));
	ck_assert_int_eq(insn_decode(bytes, sizeof(bytes), 64, &i), -XEN_EFAULT);
	bytes[13] = 0x8b;
	bytes[14] = 0x08;
	ck_assert_int_eq(insn_decode(bytes, sizeof(bytes), 64, &i), 0);
	ck_assert_uint_eq(i.len, 15);
	memset(bytes, 0x66, sizeof(bytes));
	bytes[14] = 0x8b;
	bytes[15] = 0x08;
	ck_assert_int_eq(insn_decode(bytes, sizeof(bytes), 64, &i), -XEN_EFAULT);
}
END_TEST

/* Reproducible noise. */
static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

START_TEST(random_bytes_are_decoded_or_refused_within_their_length)
{
	static const unsigned modes[] = { 16, 32, 64 };
	uint32_t state = 1;

	for (unsigned n = 0; n < 300000; n++) {
		unsigned len = 1 + next_random(&state) % 15;
		uint8_t bytes[15];
		struct insn i = { 0 };

		for (unsigned b = 0; b < len; b++)
			bytes[b] = (uint8_t)next_random(&state);
		if (insn_decode(bytes, len, modes[n % 3], &i))
			continue;
		ck_assert_uint_ge(i.len, 1);
		ck_assert_uint_le(i.len, len);
		ck_assert(i.mem_bytes == 1 || i.mem_bytes == 2 || i.mem_bytes == 4 ||
			  i.mem_bytes == 8);
		ck_assert_uint_lt(i.reg, 16);
		insn_set_operand(&i, &regs, insn_operand(&i, &regs));
	}
}
END_TEST

START_TEST(prefixes_set_sizes_and_segment)
{
	static const uint8_t bytes[] = { 0x64, 0x66, 0x67, 0xf3, 0x4c, 0xa5 };
	struct insn_prefixes p;

	ck_assert(insn_parse_prefixes(bytes, sizeof(bytes), 64, &p));
	ck_assert_uint_eq(p.len, 5);
	ck_assert_uint_eq(p.operand_bytes, 8); /* REX.W wins over 0x66 */
	ck_assert_uint_eq(p.address_bits, 32);
	ck_assert_uint_eq(p.segment, INSN_FS);
	ck_assert(p.rep);
	ck_assert_uint_eq(p.rex, 0x4c);
	ck_assert(insn_parse_prefixes(bytes, sizeof(bytes), 16, &p));
	ck_assert_uint_eq(p.len, 4); /* REX is INC or DEC here */
	ck_assert_uint_eq(p.operand_bytes, 4);
	ck_assert_uint_eq(p.address_bits, 32);
	ck_assert(insn_parse_prefixes(bytes, sizeof(bytes), 32, &p));
	ck_assert_uint_eq(p.operand_bytes, 2);
	ck_assert_uint_eq(p.address_bits, 16);
	ck_assert(!insn_parse_prefixes(bytes, 5, 64, &p));
}
END_TEST

START_TEST(rex_counts_only_right_before_the_opcode)
{
	static const uint8_t before[] = { 0x48, 0x66, 0x0f, 0xa2 }, twice[] = { 0x48, 0x41, 0xa5 };
	struct insn_prefixes p;

	ck_assert(insn_parse_prefixes(before, sizeof(before), 64, &p));
	ck_assert_uint_eq(p.len, 2);
	ck_assert_uint_eq(p.rex, 0);
	ck_assert_uint_eq(p.operand_bytes, 2);
	ck_assert(insn_parse_prefixes(twice, sizeof(twice), 64, &p));
	ck_assert_uint_eq(p.len, 2);
	ck_assert_uint_eq(p.rex, 0x41);
	ck_assert_uint_eq(p.operand_bytes, 4);
}
END_TEST

START_TEST(partial_registers_keep_the_rest_and_32_bits_clear_it)
{
	struct insn i = { .op = INSN_LOAD, .mem_bytes = 1, .reg_bytes = 1, .reg = 3 };

	regs.rbx = 0x1122334455667788;
	insn_set_operand(&i, &regs, 0xabcd);
	ck_assert_uint_eq(regs.rbx, 0x11223344556677cd);
	i.high_byte = true;
	insn_set_operand(&i, &regs, 0xee);
	ck_assert_uint_eq(regs.rbx, 0x112233445566eecd);
	ck_assert_uint_eq(insn_operand(&i, &regs), 0xee);
	i.high_byte = false;
	i.reg_bytes = 2;
	insn_set_operand(&i, &regs, 0x1234);
	ck_assert_uint_eq(regs.rbx, 0x1122334455661234);
	i.reg_bytes = 4;
	insn_set_operand(&i, &regs, 0xfedcba98);
	ck_assert_uint_eq(regs.rbx, 0xfedcba98);
	i.reg_bytes = 8;
	insn_set_operand(&i, &regs, UINT64_MAX);
	ck_assert_uint_eq(regs.rbx, UINT64_MAX);
}
END_TEST

START_TEST(signed_loads_extend_to_the_register_only)
{
	struct insn i = { .op = INSN_LOAD_SIGNED, .mem_bytes = 1, .reg_bytes = 2, .reg = 8 };

	regs.r8 = 0;
	insn_set_operand(&i, &regs, 0x80);
	ck_assert_uint_eq(regs.r8, 0xff80);
	i.reg_bytes = 4;
	insn_set_operand(&i, &regs, 0x80);
	ck_assert_uint_eq(regs.r8, 0xffffff80);
	i.reg_bytes = 8;
	insn_set_operand(&i, &regs, 0x80);
	ck_assert_uint_eq(regs.r8, 0xffffffffffffff80);
}
END_TEST

/* What this CPU makes of it. */
#define ORACLE(name, size, type)                                                            \
	static uint64_t name##_##size(uint64_t a, uint64_t b, uint64_t *ret_flags)          \
	{                                                                                   \
		type result = (type)a;                                                      \
                                                                                            \
		__asm__("sub $128, %%rsp; " #name " %2, %0; pushf; pop %1; add $128, %%rsp" \
			: "+r"(result), "=&r"(*ret_flags)                                   \
			: "r"((type)b)                                                      \
			: "cc");                                                            \
		return (type)result;                                                        \
	}
#define ORACLES(name)             \
	ORACLE(name, 1, uint8_t)  \
	ORACLE(name, 2, uint16_t) \
	ORACLE(name, 4, uint32_t) \
	ORACLE(name, 8, uint64_t)
ORACLES(add)
ORACLES(or)
ORACLES(and)
ORACLES(sub)
ORACLES(xor)
ORACLES(cmp)
ORACLES(test)

typedef uint64_t oracle_fn(uint64_t a, uint64_t b, uint64_t *ret_flags);
#define ORACLE_ROW(op, name)                                   \
	{                                                      \
		op,                                            \
		{                                              \
			name##_1, name##_2, name##_4, name##_8 \
		}                                              \
	}
static const struct {
	uint8_t op;
	oracle_fn *fn[4];
} oracles[] = {
	ORACLE_ROW(INSN_ADD, add),   ORACLE_ROW(INSN_OR, or),   ORACLE_ROW(INSN_AND, and),
	ORACLE_ROW(INSN_SUB, sub),   ORACLE_ROW(INSN_XOR, xor), ORACLE_ROW(INSN_CMP, cmp),
	ORACLE_ROW(INSN_TEST, test),
};

START_TEST(arithmetic_gives_the_result_and_the_flags_that_a_cpu_gives)
{
	static const uint64_t values[] = { 0,
					   1,
					   2,
					   0x7f,
					   0x80,
					   0xff,
					   0x0f,
					   0x10,
					   0x7fff,
					   0x8000,
					   0xffff,
					   0x7fffffff,
					   0x80000000,
					   0xffffffff,
					   0x7fffffffffffffff,
					   0x8000000000000000,
					   UINT64_MAX,
					   0x0123456789abcdef };
	const uint64_t all = 0x8d5; /* OF, SF, ZF, AF, PF, CF */

	for (size_t o = 0; o < ARRAY_SIZE(oracles); o++) {
		/* AF is undefined after logic. */
		uint64_t mask = oracles[o].op == INSN_ADD || oracles[o].op == INSN_SUB ||
						oracles[o].op == INSN_CMP
					? all
					: all & ~0x10ul;

		for (unsigned n = 0; n < 4 * ARRAY_SIZE(values) * ARRAY_SIZE(values); n++) {
			unsigned size = n % 4;
			uint64_t a = values[n / 4 % ARRAY_SIZE(values)];
			uint64_t b = values[n / 4 / ARRAY_SIZE(values)], flags;
			struct insn i = { .op = oracles[o].op, .mem_bytes = (uint8_t)(1u << size) };
			uint64_t want = oracles[o].fn[size](a, b, &flags);
			uint64_t result;

			regs.rflags = 0x202 | all;
			result = insn_alu(&i, &regs, a, b);
			ck_assert_uint_eq(regs.rflags & mask, flags & mask);
			ck_assert_uint_eq(regs.rflags & ~all, 0x202);
			if (i.op != INSN_CMP && i.op != INSN_TEST)
				ck_assert_uint_eq(result, want);
		}
	}
}
END_TEST

UNIT_MAIN("decode", setup, NULL, every_known_form_is_decoded,
	  an_instruction_cut_short_is_not_read_beyond_its_end, what_is_not_known_is_refused,
	  more_than_fifteen_bytes_are_no_instruction,
	  random_bytes_are_decoded_or_refused_within_their_length, prefixes_set_sizes_and_segment,
	  rex_counts_only_right_before_the_opcode,
	  partial_registers_keep_the_rest_and_32_bits_clear_it,
	  signed_loads_extend_to_the_register_only,
	  arithmetic_gives_the_result_and_the_flags_that_a_cpu_gives)
