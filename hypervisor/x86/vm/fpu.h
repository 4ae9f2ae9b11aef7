/* The guests' floating point and vector registers. */
#ifndef LODGE_X86_VM_FPU_H
#define LODGE_X86_VM_FPU_H

#include "lodge/types.h"

struct vcpu;

void fpu_init(void); /* boot CPU, once */

must_check int fpu_vcpu_init(struct vcpu *v); /* -ENOMEM */
void fpu_vcpu_fini(struct vcpu *v);
void fpu_reset(struct vcpu *v); /* v's registers are not loaded anywhere */
void fpu_save(struct vcpu *v);
void fpu_load(struct vcpu *v);

#endif
