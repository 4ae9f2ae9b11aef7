/* x86/vm/cpuid-policy.h, on CPUs that are made up. */
#include "x86/vm/cpuid-policy.h"

#include <string.h>

#include "abi/control.h"
#include "abi/errno.h"
#include "unit.h"

#define BIT(n) (1u << (n))

#define SSE3     BIT(0)
#define FMA      BIT(12)
#define X2APIC   BIT(21)
#define AES      BIT(25)
#define XSAVE    BIT(26)
#define AVX      BIT(28)
#define HYPER    BIT(31)
#define AVX2     BIT(5)
#define AVX512F  BIT(16)
#define AVX512DQ BIT(17)
#define VAES     BIT(9)
#define XOP      BIT(11)

static uint32_t max_basic, max_extended, leaf1_ecx;
static struct cpuid_policy p;

/* A CPU that has everything there is a bit for, but for what the test says of leaf 1. AVX's part of the XSAVE
 * area is from 576 to 832, each of AVX-512's parts ends 256 bytes after the one before it. */
static struct cpuid_regs read_cpu(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs all = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX };

	if (leaf == 0)
		all.eax = max_basic;
	else if (leaf == 1)
		all.ecx = leaf1_ecx;
	else if (leaf == CPUID_EXTENDED)
		all.eax = max_extended;
	else if (leaf == CPUID_LEAF_XSAVE && subleaf > 1)
		return (struct cpuid_regs){ 256, 576 + 256 * (subleaf - 2), 0, 0 };
	return all;
}

static void setup(void)
{
	max_basic = 0x20;
	max_extended = 0x80000028;
	leaf1_ecx = UINT32_MAX;
	cpuid_policy_init(&p, read_cpu);
}

static uint32_t shown(uint32_t leaf, unsigned reg)
{
	return p.leaf[leaf < CPUID_EXTENDED ? leaf : CPUID_AT_EXTENDED + leaf - CPUID_EXTENDED]
		     [reg];
}

static int change_one(uint32_t leaf, unsigned reg, uint32_t hide, uint32_t need)
{
	struct lodge_cpuid_change c = { .leaf = leaf };

	c.hide[reg] = hide;
	c.need[reg] = need;
	return cpuid_policy_change(&p, &c, 1);
}

START_TEST(a_guest_gets_of_the_machines_features_those_that_are_handled)
{
	ck_assert_uint_eq(shown(0, CPUID_EAX), 0xd);
	ck_assert_uint_eq(shown(CPUID_EXTENDED, CPUID_EAX), 0x80000021);
	ck_assert_uint_eq(shown(1, CPUID_ECX) & (BIT(3) | BIT(5) | BIT(24) | BIT(27)), 0);
	ck_assert_uint_eq(shown(1, CPUID_ECX) & (SSE3 | AES | AVX), SSE3 | AES | AVX);
	ck_assert_uint_eq(shown(0x80000001, CPUID_ECX) & BIT(2), 0); /* SVM */
	ck_assert_uint_eq(shown(6, CPUID_EAX), BIT(2));
	ck_assert_uint_eq(shown(5, CPUID_EAX) | shown(0xa, CPUID_EAX), 0);
	ck_assert_uint_eq(shown(0x80000008, CPUID_EAX), 48u << 8 | 48);
	ck_assert_uint_eq(p.xcr0_mask, 0xe7);
	ck_assert_uint_eq(p.leaf[CPUID_AT_XSAVE][CPUID_ECX], 576 + 256 * 6);
}
END_TEST

START_TEST(leaves_that_the_machine_has_not_are_empty)
{
	max_basic = 4;
	max_extended = 0x80000001;
	cpuid_policy_init(&p, read_cpu);
	ck_assert_uint_eq(shown(0, CPUID_EAX), 4);
	ck_assert_uint_eq(shown(7, CPUID_EBX) | shown(0x80000005, CPUID_EAX), 0);
	ck_assert_uint_eq(shown(0x80000008, CPUID_EBX), 0);
	ck_assert_uint_eq(p.word[CPUID_80000008_EBX], 0);
	ck_assert_uint_eq(shown(1, CPUID_ECX) & X2APIC, X2APIC); /* ours */
}
END_TEST

START_TEST(without_xsave_its_registers_features_are_not_there)
{
	leaf1_ecx = UINT32_MAX & ~XSAVE;
	cpuid_policy_init(&p, read_cpu);
	ck_assert_uint_eq(shown(1, CPUID_ECX) & (AVX | FMA), 0);
	ck_assert_uint_eq(shown(7, CPUID_EBX) & (AVX2 | AVX512F | AVX512DQ), 0);
	ck_assert_uint_eq(shown(7, CPUID_ECX) & VAES, 0);
	ck_assert_uint_eq(shown(0x80000001, CPUID_ECX) & XOP, 0);
	ck_assert_uint_eq(p.leaf[CPUID_AT_XSAVE + 1][CPUID_EAX], 0);
	ck_assert_uint_eq(p.xcr0_mask, 0);
	ck_assert_uint_eq(p.leaf[CPUID_AT_XSAVE][CPUID_ECX], 0);
}
END_TEST

START_TEST(what_depends_on_a_hidden_feature_is_hidden_with_it)
{
	ck_assert_int_eq(change_one(7, CPUID_EBX, AVX512F, 0), 0);
	ck_assert_uint_eq(shown(7, CPUID_EBX) & (AVX2 | AVX512F | AVX512DQ), AVX2);
	ck_assert_uint_eq(p.xcr0_mask, 7);
	ck_assert_uint_eq(p.leaf[CPUID_AT_XSAVE][CPUID_ECX], 832);
	ck_assert_uint_eq(p.leaf[CPUID_AT_XSAVE + 5][CPUID_EAX], 0);
	ck_assert_int_eq(change_one(1, CPUID_ECX, AVX, 0), 0);
	ck_assert_uint_eq(shown(7, CPUID_EBX) & AVX2, 0);
	ck_assert_uint_eq(shown(1, CPUID_ECX) & (FMA | XSAVE), XSAVE);
	ck_assert_uint_eq(p.xcr0_mask, 3);
	ck_assert_uint_eq(p.leaf[CPUID_AT_XSAVE][CPUID_ECX], 576);
	ck_assert_int_eq(change_one(1, CPUID_EDX, BIT(23), 0), 0); /* MMX, which is told twice */
	ck_assert_uint_eq(shown(0x80000001, CPUID_EDX) & BIT(23), 0);
	ck_assert_uint_ne(shown(0x80000001, CPUID_EDX) & BIT(29), 0);
}
END_TEST

START_TEST(words_say_what_the_leaves_say)
{
	ck_assert_int_eq(change_one(0x80000001, CPUID_EDX, BIT(27), 0), 0);
	ck_assert_uint_eq(p.word[CPU_RDTSCP / 32] & BIT(CPU_RDTSCP % 32), 0);
	ck_assert_uint_eq(p.word[CPUID_80000001_EDX], shown(0x80000001, CPUID_EDX));
	ck_assert_uint_eq(p.word[CPUID_7_ECX] & BIT(22), 0); /* RDPID reads the same register */
	ck_assert_int_eq(change_one(0x80000008, CPUID_EBX, BIT(12), 0), 0);
	ck_assert_uint_eq(p.word[CPU_IBPB / 32] & BIT(CPU_IBPB % 32), 0);
	ck_assert_uint_ne(p.word[CPU_IBRS / 32] & BIT(CPU_IBRS % 32), 0);
}
END_TEST

START_TEST(fails_with_EINVAL_for_hiding_what_is_no_feature_or_always_there)
{
	ck_assert_int_eq(change_one(0, CPUID_EAX, 1, 0), -XEN_EINVAL);
	ck_assert_int_eq(change_one(1, CPUID_EBX, 1, 0), -XEN_EINVAL);
	ck_assert_int_eq(change_one(0x40000000, CPUID_EBX, 1, 0), -XEN_EINVAL);
	ck_assert_int_eq(change_one(UINT32_MAX, CPUID_EBX, 1, 0), -XEN_EINVAL);
	ck_assert_int_eq(change_one(1, CPUID_ECX, X2APIC, 0), -XEN_EINVAL);
	ck_assert_int_eq(change_one(1, CPUID_ECX, HYPER, 0), -XEN_EINVAL);
	ck_assert_int_eq(change_one(1, CPUID_EDX, BIT(4), 0), -XEN_EINVAL); /* TSC */
	ck_assert_int_eq(change_one(0xd, CPUID_EAX, 4, 0), -XEN_EINVAL);
}
END_TEST

START_TEST(fails_with_EOPNOTSUPP_for_needing_what_would_not_be_there)
{
	struct lodge_cpuid_change both[] = {
		{ .leaf = 1, .hide = { 0, 0, XSAVE, 0 } },
		{ .leaf = 7, .need = { 0, AVX2, 0, 0 } },
	};

	ck_assert_int_eq(change_one(1, CPUID_ECX, 0, AES), 0);
	ck_assert_int_eq(change_one(1, CPUID_ECX, 0, BIT(3)), -XEN_EOPNOTSUPP);
	ck_assert_int_eq(change_one(1, CPUID_ECX, AES, AES), -XEN_EOPNOTSUPP);
	ck_assert_int_eq(change_one(0x12345678, CPUID_EAX, 0, 1), -XEN_EOPNOTSUPP);
	ck_assert_int_eq(cpuid_policy_change(&p, both, 2), -XEN_EOPNOTSUPP);
}
END_TEST

START_TEST(each_leaf_with_features_is_told_once_with_what_is_fixed)
{
	struct lodge_cpuid_features f;
	uint32_t last = 0, nr = 0;

	for (;; nr++) {
		memset(&f, 0, sizeof(f));
		if (!cpuid_policy_features(&p, nr, &f))
			break;
		ck_assert_uint_gt(f.leaf, last);
		last = f.leaf;
		if (f.leaf == 1) {
			ck_assert_uint_eq(f.shown[CPUID_ECX], shown(1, CPUID_ECX));
			ck_assert_uint_eq(f.shown[CPUID_EDX], shown(1, CPUID_EDX));
			ck_assert_uint_eq(f.fixed[CPUID_ECX], X2APIC | HYPER);
		}
		if (f.leaf == 0xd)
			ck_assert_uint_eq(f.subleaf, 1);
	}
	ck_assert_uint_eq(nr, 8);
	ck_assert_uint_le(nr, LODGE_CPUID_LEAVES);
}
END_TEST

UNIT_MAIN("cpuid-policy", setup, NULL, a_guest_gets_of_the_machines_features_those_that_are_handled,
	  leaves_that_the_machine_has_not_are_empty,
	  without_xsave_its_registers_features_are_not_there,
	  what_depends_on_a_hidden_feature_is_hidden_with_it, words_say_what_the_leaves_say,
	  fails_with_EINVAL_for_hiding_what_is_no_feature_or_always_there,
	  fails_with_EOPNOTSUPP_for_needing_what_would_not_be_there,
	  each_leaf_with_features_is_told_once_with_what_is_fixed)
