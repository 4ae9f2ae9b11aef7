/* What the builder's files share: service-vm.c (plan and start), service-vm-memory.c, service-vm-acpi.c.
 * Nobody else includes it. */
#ifndef LODGE_X86_VM_SERVICE_VM_INTERNAL_H
#define LODGE_X86_VM_SERVICE_VM_INTERNAL_H

#include "abi/start-info.h"
#include "lodge/domain.h"
#include "x86/vm/service-vm.h"

/* Guest memory map of the service VM, while it is built. */
struct service_vm_map {
	struct hvm_memmap_table_entry entry[XEN_HVM_MEMMAP_LINUX_MAX];
	unsigned nr;
};

/* The pages that the new ACPI tables get: at the end of the highest RAM below 4 GiB. */
#define SERVICE_VM_ACPI_BYTES 0x8000ull

/* The machine's map with `bytes` of RAM as RAM, the rest of it as unusable. *ret_acpi is where the ACPI
 * tables go. Without an IOMMU the RAM is d's from here on. */
void service_vm_plan_memory(struct domain *d, uint64_t bytes, struct service_vm_map *ret_map,
			    uint64_t *ret_acpi);
/* Gives d the RAM of the map (the first MiB with a copy of the machine's) and maps the rest of it one to
 * one. */
void service_vm_populate(struct domain *d, const struct service_vm_map *map);
/* Writes to guest memory that the map has as RAM. */
void service_vm_write(struct domain *d, uint64_t gpa, const void *from, uint64_t bytes);
void service_vm_clear(struct domain *d, uint64_t gpa, uint64_t bytes);

/* Writes RSDP, XSDT and MADT to the guest's `at`; the address of the RSDP. */
uint64_t service_vm_write_acpi(struct domain *d, uint64_t at);
/* Which local APIC id vCPU i has: the id of the machine's i-th CPU. */
uint32_t service_vm_apic_id(uint32_t i);

/* Lets d reach the machine's I/O ports, less those that are ours (hw-ports.c). */
must_check int service_vm_allow_ports(struct domain *d);

#endif
