/*
 * Builds the service VM out of the boot modules: a PVH kernel (ELF, as module 0) and its initial
 * ramdisk (module 1). Options: dom0_mem=, dom0_max_vcpus=. Whatever is wrong with its input ends in
 * boot_fail() with one line.
 */
#ifndef LODGE_X86_VM_SERVICE_VM_H
#define LODGE_X86_VM_SERVICE_VM_H

#include "lodge/types.h"

struct domain;

/* Sets `service_vm` and starts it. Boot CPU, once. */
void service_vm_create(void);

/* Whether [start, start + bytes) may be a device of the service VM's: neither RAM, whoever has it, nor
 * private to the hypervisor, nor beyond what a CPU can address. Where devices are is said by registers
 * that it writes. */
must_check bool service_vm_may_be_device(uint64_t start, uint64_t bytes);
/* The service VM touched an address where nothing is mapped. True when a device may be there: it is
 * mapped now, one to one, and the access is to be tried again. */
must_check bool service_vm_map_device(struct domain *d, gpa_t gpa);
/* Maps [start, start + bytes) one to one where it is neither RAM nor private to the hypervisor, and
 * leaves alone what is mapped already. -ENOMEM. */
must_check int service_vm_map_identity(struct domain *d, uint64_t start, uint64_t bytes);
/* Takes such mappings away again; what is something else by now stays. */
void service_vm_unmap_identity(struct domain *d, uint64_t start, uint64_t bytes);

#endif
