/*
 * The start state of a vCPU that VCPUOP_initialise brings up.
 *
 * The same for 64-bit and 32-bit guests. Segment attributes are those of a descriptor without the
 * limit's bits: type 3-0, S 4, DPL 6-5, P 7, AVL 8, L 9, D/B 10, G 11.
 */
#ifndef LODGE_ABI_HVM_VCPU_H
#define LODGE_ABI_HVM_VCPU_H

#include "layout.h"

#define VCPU_HVM_MODE_32B 0 /* 32-bit code, with or without paging: vcpu_hvm_x86_32 */
#define VCPU_HVM_MODE_64B 1 /* 64-bit code, flat segments: vcpu_hvm_x86_64 */

struct vcpu_hvm_x86_32 {
	uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t eip;
	uint32_t eflags;
	uint32_t cr0;
	uint32_t cr3;
	uint32_t cr4;
	uint32_t pad1; /* 0 */
	uint64_t efer;
	uint32_t cs_base, ds_base, ss_base, es_base, tr_base;
	uint32_t cs_limit, ds_limit, ss_limit, es_limit, tr_limit;
	uint16_t cs_ar, ds_ar, ss_ar, es_ar, tr_ar;
	uint16_t pad2[3]; /* 0 */
};

ABI_SIZE(struct vcpu_hvm_x86_32, 120);
ABI_OFFSET(struct vcpu_hvm_x86_32, eax, 0);
ABI_OFFSET(struct vcpu_hvm_x86_32, ecx, 4);
ABI_OFFSET(struct vcpu_hvm_x86_32, edx, 8);
ABI_OFFSET(struct vcpu_hvm_x86_32, ebx, 12);
ABI_OFFSET(struct vcpu_hvm_x86_32, esp, 16);
ABI_OFFSET(struct vcpu_hvm_x86_32, ebp, 20);
ABI_OFFSET(struct vcpu_hvm_x86_32, esi, 24);
ABI_OFFSET(struct vcpu_hvm_x86_32, edi, 28);
ABI_OFFSET(struct vcpu_hvm_x86_32, eip, 32);
ABI_OFFSET(struct vcpu_hvm_x86_32, eflags, 36);
ABI_OFFSET(struct vcpu_hvm_x86_32, cr0, 40);
ABI_OFFSET(struct vcpu_hvm_x86_32, cr3, 44);
ABI_OFFSET(struct vcpu_hvm_x86_32, cr4, 48);
ABI_OFFSET(struct vcpu_hvm_x86_32, pad1, 52);
ABI_OFFSET(struct vcpu_hvm_x86_32, efer, 56);
ABI_OFFSET(struct vcpu_hvm_x86_32, cs_base, 64);
ABI_OFFSET(struct vcpu_hvm_x86_32, ds_base, 68);
ABI_OFFSET(struct vcpu_hvm_x86_32, ss_base, 72);
ABI_OFFSET(struct vcpu_hvm_x86_32, es_base, 76);
ABI_OFFSET(struct vcpu_hvm_x86_32, tr_base, 80);
ABI_OFFSET(struct vcpu_hvm_x86_32, cs_limit, 84);
ABI_OFFSET(struct vcpu_hvm_x86_32, ds_limit, 88);
ABI_OFFSET(struct vcpu_hvm_x86_32, ss_limit, 92);
ABI_OFFSET(struct vcpu_hvm_x86_32, es_limit, 96);
ABI_OFFSET(struct vcpu_hvm_x86_32, tr_limit, 100);
ABI_OFFSET(struct vcpu_hvm_x86_32, cs_ar, 104);
ABI_OFFSET(struct vcpu_hvm_x86_32, ds_ar, 106);
ABI_OFFSET(struct vcpu_hvm_x86_32, ss_ar, 108);
ABI_OFFSET(struct vcpu_hvm_x86_32, es_ar, 110);
ABI_OFFSET(struct vcpu_hvm_x86_32, tr_ar, 112);
ABI_OFFSET(struct vcpu_hvm_x86_32, pad2, 114);

struct vcpu_hvm_x86_64 {
	uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
	uint64_t rip;
	uint64_t rflags;
	uint64_t cr0;
	uint64_t cr3;
	uint64_t cr4;
	uint64_t efer;
};

ABI_SIZE(struct vcpu_hvm_x86_64, 112);
ABI_OFFSET(struct vcpu_hvm_x86_64, rax, 0);
ABI_OFFSET(struct vcpu_hvm_x86_64, rcx, 8);
ABI_OFFSET(struct vcpu_hvm_x86_64, rdx, 16);
ABI_OFFSET(struct vcpu_hvm_x86_64, rbx, 24);
ABI_OFFSET(struct vcpu_hvm_x86_64, rsp, 32);
ABI_OFFSET(struct vcpu_hvm_x86_64, rbp, 40);
ABI_OFFSET(struct vcpu_hvm_x86_64, rsi, 48);
ABI_OFFSET(struct vcpu_hvm_x86_64, rdi, 56);
ABI_OFFSET(struct vcpu_hvm_x86_64, rip, 64);
ABI_OFFSET(struct vcpu_hvm_x86_64, rflags, 72);
ABI_OFFSET(struct vcpu_hvm_x86_64, cr0, 80);
ABI_OFFSET(struct vcpu_hvm_x86_64, cr3, 88);
ABI_OFFSET(struct vcpu_hvm_x86_64, cr4, 96);
ABI_OFFSET(struct vcpu_hvm_x86_64, efer, 104);

struct vcpu_hvm_context {
	uint32_t mode; /* VCPU_HVM_MODE_* */
	uint32_t pad;  /* 0 */
	union {
		struct vcpu_hvm_x86_32 x86_32;
		struct vcpu_hvm_x86_64 x86_64;
	} cpu_regs;
};

ABI_SIZE(struct vcpu_hvm_context, 128);
ABI_OFFSET(struct vcpu_hvm_context, mode, 0);
ABI_OFFSET(struct vcpu_hvm_context, pad, 4);
ABI_OFFSET(struct vcpu_hvm_context, cpu_regs, 8);

#endif /* LODGE_ABI_HVM_VCPU_H */
