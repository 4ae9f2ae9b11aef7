/* The machine's part of struct cpu, struct domain and struct vcpu. */
#ifndef LODGE_ARCH_TYPES_H
#define LODGE_ARCH_TYPES_H

#include "lib/rangeset.h"
#include "lodge/spinlock.h"
#include "lodge/timer.h"
#include "lodge/types.h"
#include "x86/include/tsc-scale.h"
#include "x86/include/vm-regs.h"

struct cpuid_policy; /* x86/vm/cpuid-policy.c */
struct svm_cpu;      /* x86/svm */
struct svm_vcpu;     /* x86/svm */
struct vcpu;
struct vioapic; /* x86/vm/vioapic.c */
struct vpci;    /* x86/vm/vpci.c */

struct arch_cpu {
	uint32_t apic_id;
	uint32_t acpi_id;
	uint32_t node;
	/* Whose FPU and VMLOAD state is in the registers: may outlast cpu->current. Compared only. */
	struct vcpu *loaded;
	/* CPU_IN_GUEST between the last check before VM entry and the exit, CPU_IN_COPY while guest
	 * memory is accessed by address; else 0. Read by other CPUs, see arch_p2m_flush(). */
	uint64_t in_guest;
	uint64_t heartbeat;        /* passes of the main loop without an exit, for the watchdog */
	struct cpu_tables *tables; /* GDT, TSS, IDT */
	uint32_t nmi_reasons;      /* x86/panic.c: what an NMI sent to this CPU is for; atomic */
	struct svm_cpu *svm;
};

#define CPU_IN_GUEST 1u
#define CPU_IN_COPY  2u

#define INSN_LEN_ORDER   6u
#define INSN_LEN_ENTRIES (1u << INSN_LEN_ORDER)

struct insn_len_entry { /* x86/vm/insn-len.c */
	uint64_t rip, cr3;
	uint32_t kind, len;
	uint64_t pad; /* a power of two is quicker to find */
};

/* A lookup in the physmap that is remembered: x86/vm/guest-mem.c. */
#define GUEST_PAGES 32u

struct guest_page {
	uint64_t gfn;
	uint64_t generation; /* arch_domain.p2m_generation when it was made; 0: never */
	uint8_t *page;
	bool is_writable;
};

#define VLAPIC_NR_LVT 6u

/* The virtual local APIC, x86/vm/vlapic.c. Embedded because every upcall passes through it.
 * Only the vCPU itself changes what has no other remark; others post through irr, tmr and attention. */
struct vlapic {
	uint32_t attention; /* VLAPIC_ATT_*: atomic */
	uint8_t tpr;
	bool enabled;          /* by APIC_BASE and by the spurious vector register */
	uint8_t nr_in_service; /* ISR as a stack: what is accepted always outranks what is served */
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
		uint64_t tsc_deadline;        /* guest TSC; 0: not armed */
		uint32_t initial_count;
		uint8_t divide_config, divide;
	} timer;
};

struct arch_vcpu {
	struct vm_regs regs;
	/* VM_WORK_* (x86/vm/vm.h): what to do before the next VM entry. Set by anyone, atomically;
	 * cleared by the CPU that runs the vCPU. One word, so that an entry has one thing to check. */
	uint32_t work;
	bool intr_shadow; /* the next instruction is protected (STI, MOV SS) */
	bool intr_window; /* an exit was asked for when the guest takes interrupts */
	bool uses_debug;  /* has touched DR0-DR3: they are switched, and no longer intercepted */
	bool nmi_blocked; /* an NMI was injected and its IRET is not done */
	uint8_t nmi_step; /* NMI_* (x86/vm/run.c): of the stay in the guest that comes next */
	uint64_t nmi_iret_rip;    /* with NMI_AT_IRET: where that IRET is */
	bool upcall_via_callback; /* the domain's callback vector is to be injected when possible;
				   * set by any CPU before VM_WORK_EVENT */
	uint8_t upcall_vector;    /* by HVMOP_set_evtchn_upcall_vector; 0: not set */
	uint32_t
		fresh_on; /* CPU whose registers still hold our FPU and VMLOAD state, or CPU_NONE */
	struct insn_len_entry insn_len[INSN_LEN_ENTRIES];
	struct guest_page guest_page[GUEST_PAGES];
	void *fpu; /* FXSAVE or XSAVE image, 64-byte aligned */
	uint64_t xcr0;
	uint64_t tsc_aux;
	uint64_t spec_ctrl;
	uint64_t debug[4]; /* DR0-DR3 while not loaded */
	uint64_t hypercall_msr;
	uint64_t mtrr_def_type;
	struct vlapic vlapic;
	struct svm_vcpu *svm;
};

#define CPU_NONE UINT32_MAX

struct arch_domain {
	const struct cpuid_policy *cpuid; /* from before it runs: own_cpuid or &cpuid_default */
	struct cpuid_policy *own_cpuid;   /* NULL: none */
	mfn_t p2m_root;
	uint64_t p2m_generation; /* from 1; bumped by arch_p2m_flush() */
	uint32_t nr_flushing;    /* CPUs in arch_p2m_flush(), which look at all vCPUs; atomic */
	/* The guest's TSC, the same for all vCPUs; from before it runs. Emulated, it follows from system time. */
	bool tsc_is_emulated;
	struct tsc_scale tsc_scale;
	uint64_t tsc_khz;
	uint64_t tsc_offset;      /* guest TSC - host TSC, unless it is emulated */
	uint8_t callback_vector;  /* HVM_PARAM_CALLBACK_IRQ, type 2; 0: none */
	struct rangeset *ports;   /* I/O ports that reach the machine */
	struct vioapic **vioapic; /* the service VM's; count in nr_vioapics */
	uint32_t nr_vioapics;
	struct vpci *vpci;
	mfn_t io_bitmap;            /* 3 contiguous pages (of 4); shared by the domain's vCPUs */
	struct io_regions *regions; /* emulated ports and pages: x86/vm/io.c */
};

#endif
