/* SPDX-License-Identifier: BSD-2-Clause */
/* The length of the instruction that exited, on CPUs that do not tell. */
#ifndef LODGE_X86_VM_INSN_LEN_H
#define LODGE_X86_VM_INSN_LEN_H

#include "lodge/types.h"
#include "x86/vm/vm-ops.h"

struct vcpu;

/* 0 when the instruction at rip cannot be read or is not one that exits so: the guest changed its
 * code under us, and runs it again. */
uint32_t insn_len(struct vcpu *v, const struct exit_info *x);

#endif
