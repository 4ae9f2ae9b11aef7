/* What CPUID shows a domain, computed before it runs: the machine's features as far as a guest may have
 * them, without those that the domain is not to see. All domains share one policy, but for those with
 * wishes of their own. A policy does not change while its domain runs, so it needs no lock. */
#ifndef LODGE_X86_VM_CPUID_POLICY_H
#define LODGE_X86_VM_CPUID_POLICY_H

#include "x86/cpu.h"

struct lodge_cpuid_change;
struct lodge_cpuid_features;

#define CPUID_EAX 0
#define CPUID_EBX 1
#define CPUID_ECX 2
#define CPUID_EDX 3

/* Where leaves are in cpuid_policy.leaf[]: the basic ones, the extended ones, the sub-leaves of leaf 0xd. */
#define CPUID_NR_BASIC    0xeu
#define CPUID_EXTENDED    0x80000000u
#define CPUID_NR_EXTENDED 0x22u
#define CPUID_LEAF_XSAVE  0xdu
#define CPUID_NR_XSAVE    8u
#define CPUID_AT_EXTENDED CPUID_NR_BASIC
#define CPUID_AT_XSAVE    (CPUID_AT_EXTENDED + CPUID_NR_EXTENDED)
#define CPUID_NR_LEAVES   (CPUID_AT_XSAVE + CPUID_NR_XSAVE)

/* Registers as they are shown, but for what depends on the moment (cpuid.c). */
struct cpuid_policy {
	uint32_t leaf[CPUID_NR_LEAVES][4];
	uint32_t word[NR_CPUID_WORDS]; /* the features once more, as in host_cpu */
	uint64_t xcr0_mask;            /* what the domain may write there; 0 without XSAVE */
};

extern struct cpuid_policy cpuid_default; /* constant after cpuid_policy_init() */

/* The most that a guest can have on a CPU of which read() tells. */
void cpuid_policy_init(struct cpuid_policy *p,
		       struct cpuid_regs (*read)(uint32_t leaf, uint32_t subleaf));

/* Takes features away. -EINVAL: a change hides what is no feature, or what a guest always has; -EOPNOTSUPP: it
 * needs what p has not, or what goes with something hidden. What p says is undefined then. */
must_check int cpuid_policy_change(struct cpuid_policy *p, const struct lodge_cpuid_change *changes,
				   uint32_t nr);

/* The features of the number-th leaf that has some. False: there are no more. */
bool cpuid_policy_features(const struct cpuid_policy *p, uint32_t number,
			   struct lodge_cpuid_features *ret_features);

#endif
