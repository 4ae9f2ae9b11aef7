/* The virtual machine control block: what SVM loads at VMRUN and stores at the exit (APM 2, appendix
 * B), and the numbers in it (APM 2, appendix C and chapter 15). */
#ifndef LODGE_X86_SVM_VMCB_H
#define LODGE_X86_SVM_VMCB_H

#include "lodge/types.h"
#include "x86/vm/vm-ops.h"

struct vmcb {
	/* Control area. */
	uint16_t intercept_cr_read, intercept_cr_write;
	uint16_t intercept_dr_read, intercept_dr_write;
	uint32_t intercept_exceptions;
	uint32_t intercept1; /* SVM_INTERCEPT1_* */
	uint32_t intercept2; /* SVM_INTERCEPT2_* */
	uint32_t intercept3;
	uint8_t reserved1[0x03c - 0x018];
	uint16_t pause_threshold, pause_count;
	uint64_t io_bitmap_pa;
	uint64_t msr_bitmap_pa;
	uint64_t tsc_offset;
	uint32_t asid;
	uint8_t tlb_control; /* SVM_TLB_* */
	uint8_t reserved2[3];
	uint8_t v_tpr;
	uint8_t v_irq;     /* bit 0: V_IRQ */
	uint8_t v_control; /* SVM_V_* */
	uint8_t v_masking; /* bit 0: V_INTR_MASKING */
	uint8_t v_vector;
	uint8_t reserved3[3];
	uint64_t intr_shadow; /* bit 0 */
	uint64_t exit_code;   /* SVM_EXIT_* */
	uint64_t exit_info1, exit_info2;
	uint64_t exit_int_info; /* SVM_EVENT_* */
	uint64_t np_enable;
	uint8_t reserved4[0x0a8 - 0x098];
	uint64_t event_inject; /* SVM_EVENT_* */
	uint64_t nested_cr3;
	uint64_t lbr_enable;
	uint32_t clean; /* SVM_CLEAN_*: what the CPU may keep from the last run */
	uint32_t reserved5;
	uint64_t next_rip;
	uint8_t nr_insn_bytes;
	uint8_t insn_bytes[15];
	uint8_t reserved6[0x400 - 0x0e0];

	/* State save area. */
	struct vm_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved7[0x4cb - 0x4a0];
	uint8_t cpl;
	uint8_t reserved8[4];
	uint64_t efer;
	uint8_t reserved9[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved10[0x5d8 - 0x580];
	uint64_t rsp;
	uint8_t reserved11[0x5f8 - 0x5e0];
	uint64_t rax;
	uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t cr2;
	uint8_t reserved12[0x668 - 0x648];
	uint64_t pat;
	uint64_t debugctl;
	uint8_t reserved13[0x6e0 - 0x678];
	uint64_t spec_ctrl; /* valid with CPU_SVM_SPEC_CTRL */
	uint8_t reserved14[0x1000 - 0x6e8];
};

#define VMCB_OFFSET(member, offset) \
	static_assert(offsetof(struct vmcb, member) == (offset), #member)
VMCB_OFFSET(intercept_dr_read, 0x004);
VMCB_OFFSET(intercept_exceptions, 0x008);
VMCB_OFFSET(intercept1, 0x00c);
VMCB_OFFSET(intercept2, 0x010);
VMCB_OFFSET(pause_threshold, 0x03c);
VMCB_OFFSET(io_bitmap_pa, 0x040);
VMCB_OFFSET(msr_bitmap_pa, 0x048);
VMCB_OFFSET(tsc_offset, 0x050);
VMCB_OFFSET(asid, 0x058);
VMCB_OFFSET(tlb_control, 0x05c);
VMCB_OFFSET(v_tpr, 0x060);
VMCB_OFFSET(v_vector, 0x064);
VMCB_OFFSET(intr_shadow, 0x068);
VMCB_OFFSET(exit_code, 0x070);
VMCB_OFFSET(exit_info1, 0x078);
VMCB_OFFSET(exit_info2, 0x080);
VMCB_OFFSET(exit_int_info, 0x088);
VMCB_OFFSET(np_enable, 0x090);
VMCB_OFFSET(event_inject, 0x0a8);
VMCB_OFFSET(nested_cr3, 0x0b0);
VMCB_OFFSET(lbr_enable, 0x0b8);
VMCB_OFFSET(clean, 0x0c0);
VMCB_OFFSET(next_rip, 0x0c8);
VMCB_OFFSET(nr_insn_bytes, 0x0d0);
VMCB_OFFSET(es, 0x400);
VMCB_OFFSET(cs, 0x410);
VMCB_OFFSET(gdtr, 0x460);
VMCB_OFFSET(tr, 0x490);
VMCB_OFFSET(cpl, 0x4cb);
VMCB_OFFSET(efer, 0x4d0);
VMCB_OFFSET(cr4, 0x548);
VMCB_OFFSET(cr0, 0x558);
VMCB_OFFSET(rflags, 0x570);
VMCB_OFFSET(rip, 0x578);
VMCB_OFFSET(rsp, 0x5d8);
VMCB_OFFSET(rax, 0x5f8);
VMCB_OFFSET(star, 0x600);
VMCB_OFFSET(kernel_gs_base, 0x620);
VMCB_OFFSET(sysenter_cs, 0x628);
VMCB_OFFSET(cr2, 0x640);
VMCB_OFFSET(pat, 0x668);
VMCB_OFFSET(debugctl, 0x670);
VMCB_OFFSET(spec_ctrl, 0x6e0);
#undef VMCB_OFFSET
static_assert(sizeof(struct vmcb) == 4096, "one page");
static_assert(sizeof(struct vm_segment) == 16, "the VMCB's own format");

#define SVM_INTERCEPT1_INTR        (1u << 0)
#define SVM_INTERCEPT1_NMI         (1u << 1)
#define SVM_INTERCEPT1_SMI         (1u << 2)
#define SVM_INTERCEPT1_INIT        (1u << 3)
#define SVM_INTERCEPT1_VINTR       (1u << 4)
#define SVM_INTERCEPT1_RDTSC       (1u << 14)
#define SVM_INTERCEPT1_RDPMC       (1u << 15)
#define SVM_INTERCEPT1_CPUID       (1u << 18)
#define SVM_INTERCEPT1_IRET        (1u << 20)
#define SVM_INTERCEPT1_INVD        (1u << 22)
#define SVM_INTERCEPT1_HLT         (1u << 24)
#define SVM_INTERCEPT1_INVLPGA     (1u << 26)
#define SVM_INTERCEPT1_IO          (1u << 27)
#define SVM_INTERCEPT1_MSR         (1u << 28)
#define SVM_INTERCEPT1_TASK_SWITCH (1u << 29)
#define SVM_INTERCEPT1_SHUTDOWN    (1u << 31)

#define SVM_INTERCEPT2_VMRUN   (1u << 0)
#define SVM_INTERCEPT2_VMMCALL (1u << 1)
#define SVM_INTERCEPT2_VMLOAD  (1u << 2)
#define SVM_INTERCEPT2_VMSAVE  (1u << 3)
#define SVM_INTERCEPT2_STGI    (1u << 4)
#define SVM_INTERCEPT2_CLGI    (1u << 5)
#define SVM_INTERCEPT2_SKINIT  (1u << 6)
#define SVM_INTERCEPT2_RDTSCP  (1u << 7)
#define SVM_INTERCEPT2_WBINVD  (1u << 9)
#define SVM_INTERCEPT2_MONITOR (1u << 10)
#define SVM_INTERCEPT2_MWAIT   (1u << 11)
#define SVM_INTERCEPT2_XSETBV  (1u << 13)
#define SVM_INTERCEPT2_RDPRU   (1u << 14)

#define SVM_TLB_KEEP       0u
#define SVM_TLB_FLUSH_ALL  1u
#define SVM_TLB_FLUSH_ASID 3u

#define SVM_V_IGNORE_TPR 0x10u /* in v_control; bits 3-0 are the priority */

#define SVM_EVENT_VECTOR_MASK 0xffull
#define SVM_EVENT_TYPE_SHIFT  8
#define SVM_EVENT_INTERRUPT   0ull
#define SVM_EVENT_NMI         2ull
#define SVM_EVENT_EXCEPTION   3ull
#define SVM_EVENT_SOFTWARE    4ull
#define SVM_EVENT_HAS_ERROR   (1ull << 11)
#define SVM_EVENT_VALID       (1ull << 31)
#define SVM_EVENT_ERROR_SHIFT 32

#define SVM_CLEAN_INTERCEPTS (1u << 0) /* and TSC offset */
#define SVM_CLEAN_BITMAPS    (1u << 1)
#define SVM_CLEAN_ASID       (1u << 2)
#define SVM_CLEAN_TPR        (1u << 3) /* all of V_* */
#define SVM_CLEAN_NP         (1u << 4) /* nested_cr3, pat */
#define SVM_CLEAN_CR         (1u << 5) /* CR0, CR3, CR4, EFER */
#define SVM_CLEAN_DR         (1u << 6)
#define SVM_CLEAN_DT         (1u << 7)
#define SVM_CLEAN_SEG        (1u << 8) /* CS, DS, ES, SS, CPL */
#define SVM_CLEAN_CR2        (1u << 9)
#define SVM_CLEAN_ALL        0x3ffu

#define SVM_EXIT_CR_READ     0x000u /* + number */
#define SVM_EXIT_CR_WRITE    0x010u
#define SVM_EXIT_DR_READ     0x020u
#define SVM_EXIT_DR_WRITE    0x030u
#define SVM_EXIT_EXCEPTION   0x040u /* + vector */
#define SVM_EXIT_INTR        0x060u
#define SVM_EXIT_NMI         0x061u
#define SVM_EXIT_SMI         0x062u
#define SVM_EXIT_INIT        0x063u
#define SVM_EXIT_VINTR       0x064u
#define SVM_EXIT_RDTSC       0x06eu
#define SVM_EXIT_RDPMC       0x06fu
#define SVM_EXIT_CPUID       0x072u
#define SVM_EXIT_IRET        0x074u
#define SVM_EXIT_INVD        0x076u
#define SVM_EXIT_HLT         0x078u
#define SVM_EXIT_INVLPGA     0x07au
#define SVM_EXIT_IO          0x07bu
#define SVM_EXIT_MSR         0x07cu
#define SVM_EXIT_TASK_SWITCH 0x07du
#define SVM_EXIT_SHUTDOWN    0x07fu
#define SVM_EXIT_VMRUN       0x080u
#define SVM_EXIT_VMMCALL     0x081u
#define SVM_EXIT_VMLOAD      0x082u
#define SVM_EXIT_VMSAVE      0x083u
#define SVM_EXIT_STGI        0x084u
#define SVM_EXIT_CLGI        0x085u
#define SVM_EXIT_SKINIT      0x086u
#define SVM_EXIT_RDTSCP      0x087u
#define SVM_EXIT_WBINVD      0x089u
#define SVM_EXIT_MONITOR     0x08au
#define SVM_EXIT_MWAIT       0x08bu
#define SVM_EXIT_MWAIT_ARMED 0x08cu
#define SVM_EXIT_XSETBV      0x08du
#define SVM_EXIT_RDPRU       0x08eu
#define SVM_NR_LOW_EXITS     0x090u
#define SVM_EXIT_NPF         0x400u
#define SVM_EXIT_INVALID     UINT64_MAX

/* exit_info1 of SVM_EXIT_IO (APM 2, 15.10.2) */
#define SVM_IO_IN         (1u << 0)
#define SVM_IO_STRING     (1u << 2)
#define SVM_IO_REP        (1u << 3)
#define SVM_IO_SIZE_SHIFT 4 /* three bits, one of them set: 1, 2, 4 bytes */
#define SVM_IO_A16        (1u << 7)
#define SVM_IO_A32        (1u << 8)
#define SVM_IO_A64        (1u << 9)

/* exit_info1 of SVM_EXIT_NPF (APM 2, 15.25.6): a page fault's error code and where it came from */
#define SVM_NPF_PRESENT (1ull << 0)
#define SVM_NPF_WRITE   (1ull << 1)
#define SVM_NPF_FETCH   (1ull << 4)
#define SVM_NPF_TABLE   (1ull << 33) /* while the guest's own page tables were walked */

#endif
