/* The host's twin of hypervisor/x86/include/arch-types.h: what the fake machine records. */
#ifndef LODGE_ARCH_TYPES_H
#define LODGE_ARCH_TYPES_H

#include "lodge/types.h"
#include "x86/include/vm-regs.h"

struct fake_leaf;

struct arch_cpu {
	uint64_t timer_deadline_ns; /* last arch_timer_program(); TIME_NEVER: off */
	unsigned nr_timer_programs;
	unsigned nr_kicks;
};

#define INSN_LEN_ORDER   1u
#define INSN_LEN_ENTRIES (1u << INSN_LEN_ORDER)

struct insn_len_entry { /* as the real one */
	uint64_t rip, cr3;
	uint32_t kind, len;
};

struct arch_vcpu {
	unsigned nr_upcalls;                      /* arch_vcpu_upcall() */
	unsigned nr_switched_in, nr_switched_out; /* arch_vcpu_switch() */
	unsigned nr_nmis;
	unsigned nr_initialised;
	bool has_interrupt; /* set by the test: arch_vcpu_has_interrupt() */
	bool is_init;       /* between arch_vcpu_init() and _fini() */
	uint8_t upcall_vector;
	struct vm_regs regs;
	struct insn_len_entry insn_len[INSN_LEN_ENTRIES];
};

struct arch_domain {
	struct fake_leaf *leaf; /* sorted by gfn */
	size_t nr_leaves, max_leaves;
	unsigned nr_flushes;       /* arch_p2m_flush() */
	uint64_t callback;         /* arch_domain_set_callback() */
	unsigned nr_cpuid_changes; /* arch_domain_set_cpuid() */
	uint64_t tsc_hz;           /* arch_domain_set_tsc() */
	bool is_init, p2m_is_init;
	bool p2m_fini_stopped; /* arch_p2m_fini() was preempted once */
};

#endif
