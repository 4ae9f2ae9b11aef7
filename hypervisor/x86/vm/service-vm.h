/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Builds the service VM out of the boot modules: a PVH kernel (ELF, as module 0) and its initial
 * ramdisk (module 1). Options: dom0_mem=, dom0_max_vcpus=. Whatever is wrong with its input ends in
 * boot_fail() with one line.
 */
#ifndef LODGE_X86_VM_SERVICE_VM_H
#define LODGE_X86_VM_SERVICE_VM_H

/* Sets `service_vm`: paused once, ready to be started with domain_unpause(). Boot CPU, once. */
void service_vm_create(void);

#endif
