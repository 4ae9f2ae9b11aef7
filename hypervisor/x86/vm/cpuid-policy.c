/*
 * Which of the machine's features a guest can have, and what follows for those that depend on others.
 * Features that a guest could use but that we do not switch, emulate or confine are masked out.
 *
 * It knows no domain and touches no register, so that it can be tested with CPUs that are not there.
 */
#include "x86/vm/cpuid-policy.h"

#include "abi/control.h"
#include "abi/errno.h"
#include "lib/string.h"

#define BIT32(n) (1u << (n))
#define ALL      UINT32_MAX

#define MAX_EXTENDED (CPUID_EXTENDED + CPUID_NR_EXTENDED - 1)

typedef struct cpuid_regs read_fn(uint32_t leaf, uint32_t subleaf);

/* Leaf 1 ECX: SSE3, PCLMUL, SSSE3, FMA, CX16, PCID, SSE4.1, SSE4.2, MOVBE, POPCNT, AES, XSAVE, AVX,
 * F16C, RDRAND. Not: MONITOR, VMX, TSC deadline, performance counters. */
#define LEAF1_ECX                                                                            \
	(BIT32(0) | BIT32(1) | BIT32(9) | BIT32(12) | BIT32(13) | BIT32(17) | BIT32(19) |    \
	 BIT32(20) | BIT32(22) | BIT32(23) | BIT32(25) | BIT32(26) | BIT32(28) | BIT32(29) | \
	 BIT32(30))
#define LEAF1_ECX_X2APIC     BIT32(21)
#define LEAF1_ECX_HYPERVISOR BIT32(31)
#define LEAF1_ECX_AVX        BIT32(28)
#define LEAF1_ECX_OF_AVX     (BIT32(12) | BIT32(29)) /* FMA, F16C */
/* Leaf 1 EDX: all of the basics. Not: machine checks, thermal control, debug store, HTT. */
#define LEAF1_EDX                                                                                \
	(BIT32(0) | BIT32(1) | BIT32(2) | BIT32(3) | BIT32(4) | BIT32(5) | BIT32(6) | BIT32(8) | \
	 BIT32(9) | BIT32(11) | BIT32(12) | BIT32(13) | BIT32(15) | BIT32(16) | BIT32(17) |      \
	 BIT32(19) | BIT32(23) | BIT32(24) | BIT32(25) | BIT32(26))
#define LEAF1_EDX_TSC  BIT32(4)
#define LEAF1_EDX_MSR  BIT32(5)
#define LEAF1_EDX_APIC BIT32(9)
#define LEAF6_ARAT     BIT32(2) /* the local APIC's timer never stops */
/* Leaf 7 EBX: FSGSBASE, BMI1, AVX2, SMEP, BMI2, ERMS, INVPCID, AVX-512 (F, DQ, IFMA, CD, BW, VL), RDSEED,
 * ADX, SMAP, CLFLUSHOPT, CLWB, SHA. */
#define LEAF7_EBX                                                                                  \
	(BIT32(0) | BIT32(3) | BIT32(5) | BIT32(7) | BIT32(8) | BIT32(9) | BIT32(10) | BIT32(16) | \
	 BIT32(17) | BIT32(18) | BIT32(19) | BIT32(20) | BIT32(21) | BIT32(23) | BIT32(24) |       \
	 BIT32(28) | BIT32(29) | BIT32(30) | BIT32(31))
#define LEAF7_EBX_AVX2    BIT32(5)
#define LEAF7_EBX_AVX512F BIT32(16)
#define LEAF7_EBX_OF_AVX512 \
	(BIT32(17) | BIT32(21) | BIT32(28) | BIT32(30) | BIT32(31)) /* DQ, IFMA, CD, BW, VL */
/* Leaf 7 ECX: VBMI, UMIP, VBMI2, GFNI, VAES, VPCLMUL, VNNI, BITALG, VPOPCNT, RDPID. */
#define LEAF7_ECX                                                                       \
	(BIT32(1) | BIT32(2) | BIT32(6) | BIT32(8) | BIT32(9) | BIT32(10) | BIT32(11) | \
	 BIT32(12) | BIT32(14) | BIT32(22))
#define LEAF7_ECX_VAES      BIT32(9)
#define LEAF7_ECX_VPCLMUL   BIT32(10)
#define LEAF7_ECX_OF_AVX512 (BIT32(1) | BIT32(6) | BIT32(11) | BIT32(12) | BIT32(14))
#define LEAF7_ECX_RDPID     BIT32(22)
#define LEAF7_EDX           (BIT32(4) | BIT32(10)) /* FSRM, MD_CLEAR */
#define LEAFD1_EAX          7u                     /* XSAVEOPT, XSAVEC, XGETBV(1); not XSAVES */
/* 0x80000001 ECX: LAHF, CR8 by LOCK, LZCNT, SSE4A, misaligned SSE, PREFETCHW, XOP, FMA4, TBM. */
#define EXT1_ECX                                                                                   \
	(BIT32(0) | BIT32(4) | BIT32(5) | BIT32(6) | BIT32(7) | BIT32(8) | BIT32(11) | BIT32(16) | \
	 BIT32(21))
#define EXT1_ECX_OF_AVX (BIT32(11) | BIT32(16)) /* XOP, FMA4 */
/* 0x80000001 EDX: the copy of leaf 1's, SYSCALL, NX, MMX extensions, 1 GiB pages, RDTSCP, long mode,
 * 3DNow. Not: FFXSR. */
#define EXT1_EDX_COPY 0x0183f3ffu
#define EXT1_EDX                                                                                   \
	((LEAF1_EDX & EXT1_EDX_COPY) | BIT32(11) | BIT32(20) | BIT32(22) | BIT32(26) | BIT32(27) | \
	 BIT32(29) | BIT32(30) | BIT32(31))
#define EXT7_EDX BIT32(8) /* invariant TSC */
/* CLZERO, XSAVEERPTR, WBNOINVD, and what msr.c has registers for: IBPB, IBRS, STIBP, SSBD */
#define EXT8_EBX  (BIT32(0) | BIT32(2) | BIT32(9) | BIT32(12) | BIT32(14) | BIT32(15) | BIT32(24))
#define EXT21_EAX (BIT32(2) | BIT32(6)) /* LFENCE serialises, null selectors clear the base */

#define XCR0_BASE   0x03ull /* x87 and SSE */
#define XCR0_AVX    0x04ull
#define XCR0_AVX512 0xe0ull

struct cpuid_policy cpuid_default;

/* The registers that tell features. */
static const struct feature_row {
	uint32_t leaf, subleaf;
	uint8_t reg;
	uint8_t word;    /* enum cpuid_word; NR_CPUID_WORDS: nobody of ours asks for it */
	uint32_t passed; /* the machine's, as they are */
	uint32_t ours;   /* that every guest has, whatever the machine */
	uint32_t fixed;  /* that cannot be hidden: we could not do without */
} features[] = {
	/* A local APIC starts in its x2APIC mode. */
	{ 1, 0, CPUID_ECX, CPUID_1_ECX, LEAF1_ECX, LEAF1_ECX_X2APIC | LEAF1_ECX_HYPERVISOR,
	  LEAF1_ECX_X2APIC | LEAF1_ECX_HYPERVISOR },
	{ 1, 0, CPUID_EDX, CPUID_1_EDX, LEAF1_EDX, 0,
	  LEAF1_EDX_TSC | LEAF1_EDX_MSR | LEAF1_EDX_APIC },
	{ 6, 0, CPUID_EAX, NR_CPUID_WORDS, 0, LEAF6_ARAT, 0 },
	{ 7, 0, CPUID_EBX, CPUID_7_EBX, LEAF7_EBX, 0, 0 },
	{ 7, 0, CPUID_ECX, CPUID_7_ECX, LEAF7_ECX, 0, 0 },
	{ 7, 0, CPUID_EDX, CPUID_7_EDX, LEAF7_EDX, 0, 0 },
	{ CPUID_LEAF_XSAVE, 1, CPUID_EAX, CPUID_D1_EAX, LEAFD1_EAX, 0, 0 },
	{ 0x80000001, 0, CPUID_ECX, CPUID_80000001_ECX, EXT1_ECX, 0, 0 },
	{ 0x80000001, 0, CPUID_EDX, CPUID_80000001_EDX, EXT1_EDX, 0, 0 },
	{ 0x80000007, 0, CPUID_EDX, CPUID_80000007_EDX, EXT7_EDX, 0, 0 },
	{ 0x80000008, 0, CPUID_EBX, CPUID_80000008_EBX, EXT8_EBX, 0, 0 },
	{ 0x80000021, 0, CPUID_EAX, CPUID_80000021_EAX, EXT21_EAX, 0, 0 },
};

/* Other registers that are shown as the machine has them. */
static const struct plain_row {
	uint32_t leaf, eax, ebx, ecx, edx;
} plain[] = {
	{ 0x0, ALL, ALL, ALL, ALL },        { 0x1, ALL, 0xff00, 0, 0 },
	{ 0x2, ALL, ALL, ALL, ALL },        { 0x80000000, ALL, ALL, ALL, ALL },
	{ 0x80000001, ALL, 0, 0, 0 },       { 0x80000002, ALL, ALL, ALL, ALL }, /* the CPU's name */
	{ 0x80000003, ALL, ALL, ALL, ALL }, { 0x80000004, ALL, ALL, ALL, ALL },
	{ 0x80000005, ALL, ALL, ALL, ALL }, /* caches */
	{ 0x80000006, ALL, ALL, ALL, ALL }, { 0x80000008, 0xff, 0, 0, 0 },
	{ 0x80000019, ALL, ALL, 0, 0 }, /* TLBs of 1 GiB pages */
	{ 0x8000001a, ALL, 0, 0, 0 },
};

/* Features that go when another does. In an order in which one pass is enough. */
static const struct dependency {
	uint8_t on_word, word;
	uint32_t on_bit, bits;
} dependencies[] = {
	{ CPUID_1_ECX, CPUID_1_ECX, BIT32(CPU_XSAVE % 32), LEAF1_ECX_AVX },
	{ CPUID_1_ECX, CPUID_D1_EAX, BIT32(CPU_XSAVE % 32), LEAFD1_EAX },
	{ CPUID_1_ECX, CPUID_1_ECX, LEAF1_ECX_AVX, LEAF1_ECX_OF_AVX },
	{ CPUID_1_ECX, CPUID_7_EBX, LEAF1_ECX_AVX, LEAF7_EBX_AVX2 },
	{ CPUID_1_ECX, CPUID_7_ECX, LEAF1_ECX_AVX, LEAF7_ECX_VAES | LEAF7_ECX_VPCLMUL },
	{ CPUID_1_ECX, CPUID_80000001_ECX, LEAF1_ECX_AVX, EXT1_ECX_OF_AVX },
	{ CPUID_7_EBX, CPUID_7_EBX, LEAF7_EBX_AVX2, LEAF7_EBX_AVX512F },
	{ CPUID_7_EBX, CPUID_7_EBX, LEAF7_EBX_AVX512F, LEAF7_EBX_OF_AVX512 },
	{ CPUID_7_EBX, CPUID_7_ECX, LEAF7_EBX_AVX512F, LEAF7_ECX_OF_AVX512 },
	{ CPUID_1_ECX, CPUID_7_ECX, BIT32(25), LEAF7_ECX_VAES },   /* AES */
	{ CPUID_1_ECX, CPUID_7_ECX, BIT32(1), LEAF7_ECX_VPCLMUL }, /* PCLMUL */
	{ CPUID_80000001_EDX, CPUID_7_ECX, BIT32(CPU_RDTSCP % 32), LEAF7_ECX_RDPID },
};

/* Its place in cpuid_policy.leaf[]. The tables here have no leaf without one. */
static uint32_t place_of(uint32_t leaf, uint32_t subleaf)
{
	if (leaf == CPUID_LEAF_XSAVE)
		return CPUID_AT_XSAVE + subleaf;
	return leaf < CPUID_NR_BASIC ? leaf : CPUID_AT_EXTENDED + (leaf - CPUID_EXTENDED);
}

static uint32_t *feature_of(struct cpuid_policy *p, const struct feature_row *row)
{
	return &p->leaf[place_of(row->leaf, row->subleaf)][row->reg];
}

static void read_plain(struct cpuid_policy *p, read_fn *read, uint32_t max, uint32_t max_extended)
{
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		const struct plain_row *row = &plain[i];
		uint32_t *leaf = p->leaf[place_of(row->leaf, 0)];
		struct cpuid_regs r;

		if (row->leaf > (row->leaf < CPUID_EXTENDED ? max : max_extended))
			continue;
		r = read(row->leaf, 0);
		leaf[CPUID_EAX] = r.eax & row->eax;
		leaf[CPUID_EBX] = r.ebx & row->ebx;
		leaf[CPUID_ECX] = r.ecx & row->ecx;
		leaf[CPUID_EDX] = r.edx & row->edx;
	}
}

/* Numbers of leaves, and widths of addresses, as far as we go. */
static void limit_plain(struct cpuid_policy *p)
{
	uint32_t *sizes = &p->leaf[place_of(0x80000008, 0)][CPUID_EAX];

	p->leaf[0][CPUID_EAX] = MIN(p->leaf[0][CPUID_EAX], CPUID_NR_BASIC - 1);
	p->leaf[CPUID_AT_EXTENDED][CPUID_EAX] =
		MIN(p->leaf[CPUID_AT_EXTENDED][CPUID_EAX], MAX_EXTENDED);
	*sizes = MIN(*sizes, 48u) | 48u << 8;
	p->leaf[1][CPUID_EBX] |= 1u << 16; /* one CPU in each package, as far as this leaf tells */
}

static void read_features(struct cpuid_policy *p, read_fn *read, uint32_t max,
			  uint32_t max_extended)
{
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		const struct feature_row *row = &features[i];
		uint32_t bits = row->ours;

		if (row->leaf <= (row->leaf < CPUID_EXTENDED ? max : max_extended)) {
			struct cpuid_regs r = read(row->leaf, row->subleaf);
			const uint32_t regs[] = { r.eax, r.ebx, r.ecx, r.edx };

			bits |= regs[row->reg] & row->passed;
		}
		*feature_of(p, row) = bits;
	}
}

/* Sizes and places of the components are the machine's. */
static void limit_xsave(struct cpuid_policy *p)
{
	uint64_t mask = 0;
	uint32_t end = 576; /* the legacy region and the header */

	if (p->word[CPUID_1_ECX] & BIT32(CPU_XSAVE % 32)) {
		mask = XCR0_BASE;
		if (p->word[CPUID_1_ECX] & LEAF1_ECX_AVX)
			mask |= XCR0_AVX;
		if (p->word[CPUID_7_EBX] & LEAF7_EBX_AVX512F)
			mask |= XCR0_AVX512;
	}
	for (unsigned i = 2; i < CPUID_NR_XSAVE; i++) {
		uint32_t *part = p->leaf[CPUID_AT_XSAVE + i];

		if (mask >> i & 1)
			end = MAX(end, part[CPUID_EAX] + part[CPUID_EBX]);
		else
			memset(part, 0, sizeof(p->leaf[0]));
	}
	p->xcr0_mask = mask;
	p->leaf[CPUID_AT_XSAVE][CPUID_EAX] = (uint32_t)mask;
	p->leaf[CPUID_AT_XSAVE][CPUID_ECX] = mask ? end : 0;
}

/* What is shown follows from the features' registers: those that lost what they depend on go, too. */
static void settle(struct cpuid_policy *p)
{
	p->leaf[place_of(0x80000001, 0)][CPUID_EDX] &= p->leaf[1][CPUID_EDX] | ~EXT1_EDX_COPY;
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		if (features[i].word < NR_CPUID_WORDS)
			p->word[features[i].word] = *feature_of(p, &features[i]);
	for (size_t i = 0; i < ARRAY_SIZE(dependencies); i++) {
		const struct dependency *d = &dependencies[i];

		if (!(p->word[d->on_word] & d->on_bit))
			p->word[d->word] &= ~d->bits;
	}
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		if (features[i].word < NR_CPUID_WORDS)
			*feature_of(p, &features[i]) = p->word[features[i].word];
	limit_xsave(p);
}

void cpuid_policy_init(struct cpuid_policy *p, read_fn *read)
{
	uint32_t max = read(0, 0).eax, max_extended = read(CPUID_EXTENDED, 0).eax;

	memset(p, 0, sizeof(*p));
	read_plain(p, read, max, max_extended);
	limit_plain(p);
	for (uint32_t i = 2; i < CPUID_NR_XSAVE && max >= CPUID_LEAF_XSAVE; i++) {
		struct cpuid_regs r = read(CPUID_LEAF_XSAVE, i);
		uint32_t *part = p->leaf[CPUID_AT_XSAVE + i];

		part[CPUID_EAX] = r.eax;
		part[CPUID_EBX] = r.ebx;
		part[CPUID_ECX] = r.ecx;
	}
	read_features(p, read, max, max_extended);
	settle(p);
}

static const struct feature_row *find_row(const struct lodge_cpuid_change *c, unsigned reg)
{
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		if (features[i].leaf == c->leaf && features[i].subleaf == c->subleaf &&
		    features[i].reg == reg)
			return &features[i];
	return NULL;
}

static int hide(struct cpuid_policy *p, const struct lodge_cpuid_change *c)
{
	for (unsigned reg = CPUID_EAX; reg <= CPUID_EDX; reg++) {
		const struct feature_row *row = find_row(c, reg);

		if (!c->hide[reg])
			continue;
		if (!row || c->hide[reg] & row->fixed)
			return -XEN_EINVAL;
		*feature_of(p, row) &= ~c->hide[reg];
	}
	return 0;
}

static bool has_needed(struct cpuid_policy *p, const struct lodge_cpuid_change *c)
{
	for (unsigned reg = CPUID_EAX; reg <= CPUID_EDX; reg++) {
		const struct feature_row *row = find_row(c, reg);

		if (c->need[reg] & ~(row ? *feature_of(p, row) : 0))
			return false;
	}
	return true;
}

int cpuid_policy_change(struct cpuid_policy *p, const struct lodge_cpuid_change *changes,
			uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		int err = hide(p, &changes[i]);

		if (err)
			return err;
	}
	settle(p);
	for (uint32_t i = 0; i < nr; i++)
		if (!has_needed(p, &changes[i]))
			return -XEN_EOPNOTSUPP;
	return 0;
}

/* The rows of one leaf stand together. */
bool cpuid_policy_features(const struct cpuid_policy *p, uint32_t number,
			   struct lodge_cpuid_features *ret_features)
{
	uint32_t at = 0;
	bool found = false;

	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		const struct feature_row *row = &features[i];

		at += i && row->leaf != row[-1].leaf;
		if (at != number)
			continue;
		found = true;
		ret_features->leaf = row->leaf;
		ret_features->subleaf = row->subleaf;
		ret_features->shown[row->reg] =
			p->leaf[place_of(row->leaf, row->subleaf)][row->reg];
		ret_features->fixed[row->reg] = row->fixed;
	}
	return found;
}
