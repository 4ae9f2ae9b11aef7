/* The machine's part of struct cpu, struct domain and struct vcpu. */
#ifndef LODGE_ARCH_TYPES_H
#define LODGE_ARCH_TYPES_H

#include "lib/rangeset.h"
#include "lodge/spinlock.h"
#include "lodge/timer.h"
#include "lodge/types.h"

struct svm_cpu;  /* x86/svm */
struct svm_vcpu; /* x86/svm */
struct vcpu;
struct vioapic; /* x86/vm/vioapic.c */
struct vpci;    /* x86/vm/vpci.c */

struct arch_cpu {
	uint32_t apic_id;
	uint32_t acpi_id;
	uint32_t node;
	struct vcpu *
		loaded; /* whose FPU and VMLOAD state is in the registers: may outlast cpu->current */
	uint64_t
		in_guest; /* 1 between the last check before VM entry and the exit; read by other CPUs */
	uint64_t heartbeat; /* counts passes of the main loop, for the watchdog */
	struct svm_cpu *svm;
};

/* Guest general registers in the order in which instructions encode them. rax and rsp live in the
 * VMCB while the guest runs; vm_ops copies them in and out. */
struct vm_regs {
	uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
};

#define VLAPIC_NR_LVT 6u

/* The virtual local APIC, x86/vm/vlapic.c. Embedded because every upcall passes through it.
 * Only the vCPU itself changes what has no other remark; others post through irr, tmr and attention. */
struct vlapic {
	uint32_t attention; /* VLAPIC_ATT_*: atomic; zero: nothing to deliver */
	uint8_t tpr;
	bool enabled;           /* by APIC_BASE and by the spurious vector register */
	uint8_t nr_in_service;  /* ISR as a stack: what is accepted always outranks what is served */
	uint8_t in_service[16]; /* vectors, one for each priority class at most */
	bool wait_for_sipi;
	uint8_t sipi_vector;      /* valid with VLAPIC_ATT_SIPI */
	uint64_t irr[4], tmr[4];  /* by vector; atomic */
	uint64_t base_msr;        /* MSR 0x1b */
	uint32_t id;              /* constant while the domain runs */
	uint32_t ldr, dfr, spiv;  /* read by senders */
	uint32_t esr, esr_events; /* what a read shows; what has come since: atomic */
	uint64_t icr;
	uint32_t lvt[VLAPIC_NR_LVT];
	struct {
		struct spinlock lock;         /* all of this, and the timer queue's view of it */
		struct timer timer;           /* runs on any CPU */
		uint64_t start_ns, period_ns; /* of the current count; period 0: not counting */
		uint32_t initial_count, divide;
	} timer;
};

struct arch_vcpu {
	struct vm_regs regs;
	uint64_t rip_of_cached_len[4], cr3_of_cached_len[4]; /* x86/vm/insn-len.c: see there */
	uint8_t cached_len[4], cached_len_kind[4];
	uint8_t upcall_vector;    /* by HVMOP_set_evtchn_upcall_vector; 0: not set */
	bool upcall_via_callback; /* the domain's callback vector is to be injected when possible */
	uint64_t
		flush_seen; /* value of arch_domain.flush_wanted at the last flush of our TLB tag */
	void *fpu;          /* FXSAVE or XSAVE image, 64-byte aligned */
	uint64_t xcr0;
	uint64_t pat, tsc_aux;
	uint64_t mtrr_def_type;
	struct vlapic vlapic;
	struct svm_vcpu *svm;
};

struct arch_domain {
	mfn_t p2m_root;
	uint64_t flush_wanted;    /* bumped by arch_p2m_flush(), compared before each VM entry */
	uint8_t callback_vector;  /* HVM_PARAM_CALLBACK_IRQ, type 2; 0: none */
	struct rangeset *ports;   /* I/O ports that reach the machine */
	struct vioapic **vioapic; /* the service VM's; count in nr_vioapics */
	uint32_t nr_vioapics;
	struct vpci *vpci;
	mfn_t io_bitmap; /* 3 contiguous pages; shared by the domain's vCPUs */
	bool vmcall_is_vmmcall;
};

#endif
