/* What boot calls in the parts that it must not know (x86/vm, x86/iommu): names only. */
#ifndef LODGE_PARTS_H
#define LODGE_PARTS_H

struct cpu;

void iommu_init(void);           /* x86/iommu: chooses iommu_ops */
void vm_init(void);              /* x86/vm/run.c */
void vm_cpu_init(struct cpu *c); /* on the CPU itself */
void service_vm_create(void);    /* x86/vm/service-vm.c; stops the boot if it cannot be */
_Noreturn void run_loop(void);

#endif
