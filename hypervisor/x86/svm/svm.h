/* What the files of x86/svm share. */
#ifndef LODGE_X86_SVM_H
#define LODGE_X86_SVM_H

#include "x86/svm/vmcb.h"

struct vm_regs;

struct svm_cpu {
	uint64_t
		generation; /* CPU number in bits 63:48; a vCPU with another one needs a new ASID */
	uint32_t next_asid;
	mpa_t host_save; /* page where VMRUN keeps our state */
};

struct svm_vcpu {
	struct vmcb *vmcb;
	mpa_t vmcb_pa;
	uint64_t generation; /* svm_cpu's when our ASID was given out; 0: we have none */
};

/* vmrun.S. Enters the guest and returns at its exit; interrupts of ours stay pending until the caller
 * opens a window. The guarded variant also takes from the return stack buffer what the guest left. */
void svm_enter(struct vm_regs *regs, mpa_t vmcb);
void svm_enter_guarded(struct vm_regs *regs, mpa_t vmcb);

/* npt.c: the table's last five members. */
must_check int npt_init(struct domain *d);
must_check int npt_fini(struct domain *d);
must_check int npt_set(struct domain *d, gfn_t gfn, const struct p2m_entry *e);
void npt_get(struct domain *d, gfn_t gfn, struct p2m_entry *ret_e);
mfn_t npt_frame(const struct domain *d, gfn_t gfn, bool for_write);
uint64_t npt_next(const struct domain *d, uint64_t gfn);
void *npt_pointer(const struct domain *d, gfn_t gfn, bool *ret_is_writable);

#endif
