/* The machine's part of struct cpu, struct domain and struct vcpu. */
#ifndef LODGE_ARCH_TYPES_H
#define LODGE_ARCH_TYPES_H

#include "lib/rangeset.h"
#include "lodge/spinlock.h"
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

#define VLAPIC_REGS_BYTES 1024u

struct vlapic { /* x86/vm/vlapic.c; embedded because every upcall passes through it */
	struct spinlock lock;
	uint64_t base_msr;               /* MSR 0x1b */
	uint32_t regs[256];              /* register at offset n * 16 of the page */
	uint64_t irr[4], isr[4], tmr[4]; /* by vector; irr is set by other CPUs, atomically */
	bool nmi_pending, init_pending;
	uint8_t sipi_vector;
	bool wait_for_sipi;
	struct vlapic_timer *timer;
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
