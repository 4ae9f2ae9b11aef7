/* What a vendor's virtualisation must do for x86/vm: one table of functions, chosen once at boot.
 * Everything that depends on SVM or VMX is behind it; everything that both share is not.
 * All functions run on the CPU that runs the vCPU (or while the vCPU runs nowhere), interrupts off,
 * unless a line says otherwise. */
#ifndef LODGE_X86_VM_OPS_H
#define LODGE_X86_VM_OPS_H

#include "lodge/types.h"

struct cpu;
struct domain;
struct p2m_entry;
struct vcpu;
struct vm_regs;
struct vm_start_state;

enum exit_kind {
	EXIT_INTR,       /* an interrupt for us */
	EXIT_NMI,        /* an NMI for us */
	EXIT_WINDOW,     /* the guest can take an interrupt now, as asked by set_intr_window() */
	EXIT_NMI_WINDOW, /* the guest's NMI handler is about to return */
	EXIT_HYPERCALL,
	EXIT_CPUID,
	EXIT_HLT,
	EXIT_XSETBV,
	EXIT_WBINVD,
	EXIT_RDTSC, /* as asked by intercept_tsc() */
	EXIT_RDTSCP,
	EXIT_UD,        /* an instruction that a guest does not have */
	EXIT_GP,        /* an instruction that a guest may not use */
	EXIT_CR8,       /* MOV to or from CR8 */
	EXIT_DEBUG_REG, /* first use of a debug register */
	EXIT_MACHINE_CHECK,
	EXIT_INIT,     /* INIT arrived at the CPU: ours, not the guest's */
	EXIT_SHUTDOWN, /* triple fault */
	/* From here on struct exit_info holds more than the kind. */
	EXIT_MSR_READ,
	EXIT_MSR_WRITE,
	EXIT_IO,
	EXIT_NPT_FAULT,
	EXIT_EXCEPTION, /* one that must not be left to the guest alone: the guest gets it from us */
	EXIT_TASK_SWITCH,
	EXIT_INVALID, /* the CPU refused the state that it was to enter */
	EXIT_UNKNOWN, /* raw_code says what */
	EXIT_NR,
	EXIT_FIRST_DETAILED = EXIT_MSR_READ,
};

/* Why the guest stopped. Members below `insn_len` are valid for the kinds that their comment names. */
struct exit_info {
	uint32_t kind;     /* enum exit_kind */
	uint32_t insn_len; /* of the instruction that exited; 0: the CPU does not tell */
	uint64_t cr3;      /* the guest's */
	uint64_t raw_code; /* the vendor's number, for messages */
	union {
		struct { /* EXIT_NPT_FAULT */
			gpa_t gpa;
			bool is_write, is_fetch, is_present;
			bool is_table_walk; /* of the guest's own page tables */
		} fault;
		struct {                   /* EXIT_IO */
			uint64_t next_rip; /* always known */
			uint16_t port;
			uint8_t size; /* 1, 2, 4 */
			bool is_in, is_string, is_rep;
			uint8_t address_bits; /* string: 16, 32, 64; 0: not told (QEMU 7.2) */
		} io;
		struct { /* EXIT_EXCEPTION */
			uint8_t vector;
			bool has_error;
			uint32_t error;
		} exception;
		uint64_t detail[2]; /* EXIT_TASK_SWITCH, EXIT_INVALID, EXIT_UNKNOWN */
	};
};

enum vm_segment_name { VM_ES, VM_CS, VM_SS, VM_DS, VM_FS, VM_GS, VM_LDTR, VM_TR, VM_NR_SEGMENTS };

struct vm_segment {
	uint16_t selector;
	uint16_t attr; /* type 3-0, S 4, DPL 6-5, P 7, AVL 8, L 9, D/B 10, G 11 */
	uint32_t limit;
	uint64_t base;
};

#define VM_SEG_L  0x200u
#define VM_SEG_DB 0x400u

/* What translates a linear address. */
struct vm_paging {
	uint64_t cr0, cr3, cr4, efer;
};

/* Result of vm_ops->mode(): how the current code runs. */
#define VM_MODE_CPL       0x3u
#define VM_MODE_LONG      0x4u  /* EFER.LMA */
#define VM_MODE_CODE64    0x8u  /* LMA and CS.L */
#define VM_MODE_CODE32    0x10u /* CS.D, when not CODE64 */
#define VM_MODE_PROTECTED 0x20u /* CR0.PE and not virtual 8086 */

enum vm_event { VM_EVENT_INTERRUPT, VM_EVENT_NMI, VM_EVENT_EXCEPTION };

/* Prints a line somewhere: into the log, or past all locks in a panic. */
typedef void vm_print_fn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

struct vm_ops {
	const char *name;

	/* Boot. cpu_init turns virtualisation on for the calling CPU. */
	must_check int (*cpu_init)(struct cpu *c);

	must_check int (*vcpu_init)(struct vcpu *v);
	void (*vcpu_fini)(struct vcpu *v);
	/* Sets the whole architectural state that is not in arch_vcpu.regs. v runs nowhere. */
	void (*reset)(struct vcpu *v, const struct vm_start_state *s);

	/* The state that stays in the CPU across exits: FS, GS, TR, LDTR and the system call MSRs. */
	void (*load)(struct vcpu *v);
	void (*save)(struct vcpu *v);

	/* Runs the guest on c, this CPU, until its next exit: regs, intr_shadow in and out. An event whose
	 * delivery the exit interrupted is queued again. */
	void (*run)(struct cpu *c, struct vcpu *v, struct exit_info *ret_x);

	/* Events. inject: replaces nothing, the caller asked can_inject() before; an exception on top
	 * of a queued exception becomes a double fault, or a triple fault, as in hardware. */
	bool (*can_inject)(const struct vcpu *v, enum vm_event type);
	void (*inject)(struct vcpu *v, enum vm_event type, uint8_t vector, bool has_error,
		       uint32_t error);
	bool (*is_injecting)(const struct vcpu *v); /* an event is queued for the next run() */
	void (*set_intr_window)(struct vcpu *v, bool on);
	void (*set_nmi_window)(struct vcpu *v, bool on);

	/* State of the guest. */
	uint32_t (*mode)(const struct vcpu *v);
	void (*get_paging)(const struct vcpu *v, struct vm_paging *ret_p);
	void (*get_segment)(struct vcpu *v, enum vm_segment_name n, struct vm_segment *ret_s);
	void (*set_efer)(struct vcpu *v,
			 uint64_t efer); /* already validated, without vendor bits */
	uint64_t (*get_pat)(const struct vcpu *v);
	void (*set_pat)(struct vcpu *v, uint64_t pat);
	uint64_t (*get_cr2)(const struct vcpu *v);
	uint64_t (*get_kernel_gs_base)(const struct vcpu *v); /* as of when v was last saved */
	void (*set_cr2)(struct vcpu *v, uint64_t cr2);
	void (*set_dr6_bits)(struct vcpu *v, uint64_t bits);
	/* A #DB that exited came from a single step that the guest knows nothing of; true: from nothing else. */
	bool (*forget_step)(struct vcpu *v);
	void (*set_tsc_offset)(struct vcpu *v, uint64_t offset);
	void (*intercept_tsc)(struct vcpu *v, bool on);
	void (*allow_debug_regs)(struct vcpu *v);               /* no more EXIT_DEBUG_REG */
	void (*dump)(const struct vcpu *v, vm_print_fn *print); /* lines, for a crash */
	const char *(*invalid_reason)(const struct vcpu *v);    /* after EXIT_INVALID; never NULL */

	/* The next run() uses no translation that is cached for v. */
	void (*flush_tlb)(struct vcpu *v);

	/* Nested page tables: arch_p2m_* of lodge/arch.h, same contracts. */
	must_check int (*p2m_init)(struct domain *d);
	must_check int (*p2m_fini)(struct domain *d);
	must_check int (*p2m_set)(struct domain *d, gfn_t gfn, const struct p2m_entry *e);
	void (*p2m_get)(struct domain *d, gfn_t gfn, struct p2m_entry *ret_e);
	mfn_t (*p2m_frame)(const struct domain *d, gfn_t gfn, bool for_write);
	uint64_t (*p2m_next)(const struct domain *d, uint64_t gfn);
	/* Our pointer to the page of RAM at gfn, or NULL for a hole or MMIO. No lock: see guest-mem.c
	 * for why it may be used. */
	void *(*p2m_pointer)(const struct domain *d, gfn_t gfn, bool *ret_is_writable);
};

extern const struct vm_ops *vm_ops; /* set by vm_init(), constant from then on */

/* The vendors. Each returns its table, or NULL with *ret_why when this CPU cannot. */
must_check const struct vm_ops *svm_probe(const char **ret_why);

#endif
