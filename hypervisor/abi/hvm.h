/*
 * hvm_op(cmd, arg) and the parameters of a domain that it reads and writes.
 *
 * All structures are the same for 64-bit and 32-bit guests. Device-model operations (interrupt
 * lines, ioreq servers) are not part of what Lodge speaks.
 */
#ifndef LODGE_ABI_HVM_H
#define LODGE_ABI_HVM_H

#include "xen.h"

#define HVMOP_set_param                0
#define HVMOP_get_param                1
#define HVMOP_flush_tlbs               5
#define HVMOP_pagetable_dying          9
#define HVMOP_get_time                 10
#define HVMOP_xentrace                 11
#define HVMOP_get_mem_type             15
#define HVMOP_set_evtchn_upcall_vector 23
#define HVMOP_guest_request_vm_event   24
#define HVMOP_altp2m                   25

/* set_param, get_param */
struct xen_hvm_param {
	domid_t domid;
	uint16_t pad;
	uint32_t index; /* HVM_PARAM_* */
	uint64_t value; /* in/out */
};

ABI_SIZE(struct xen_hvm_param, 16);
ABI_OFFSET(struct xen_hvm_param, domid, 0);
ABI_OFFSET(struct xen_hvm_param, pad, 2);
ABI_OFFSET(struct xen_hvm_param, index, 4);
ABI_OFFSET(struct xen_hvm_param, value, 8);

/* A hint for shadow paging; with nested paging it is refused, and Linux then stops sending it. */
struct xen_hvm_pagetable_dying {
	domid_t domid;
	uint16_t pad[3];
	uint64_t gpa;
};

ABI_SIZE(struct xen_hvm_pagetable_dying, 16);
ABI_OFFSET(struct xen_hvm_pagetable_dying, domid, 0);
ABI_OFFSET(struct xen_hvm_pagetable_dying, pad, 2);
ABI_OFFSET(struct xen_hvm_pagetable_dying, gpa, 8);

struct xen_hvm_get_time {
	uint64_t now; /* out: system time in ns */
};

ABI_SIZE(struct xen_hvm_get_time, 8);
ABI_OFFSET(struct xen_hvm_get_time, now, 0);

#define HVMMEM_ram_rw       0
#define HVMMEM_ram_ro       1
#define HVMMEM_mmio_dm      2 /* nothing is mapped there */
#define HVMMEM_unused       3
#define HVMMEM_ioreq_server 4

struct xen_hvm_get_mem_type {
	domid_t domid;
	uint16_t mem_type; /* out: HVMMEM_* */
	uint16_t pad[2];
	uint64_t pfn;
};

ABI_SIZE(struct xen_hvm_get_mem_type, 16);
ABI_OFFSET(struct xen_hvm_get_mem_type, domid, 0);
ABI_OFFSET(struct xen_hvm_get_mem_type, mem_type, 2);
ABI_OFFSET(struct xen_hvm_get_mem_type, pad, 4);
ABI_OFFSET(struct xen_hvm_get_mem_type, pfn, 8);

/* Deliver this vCPU's event upcalls as this vector of its local APIC. */
struct xen_hvm_evtchn_upcall_vector {
	uint32_t vcpu;
	uint8_t vector; /* 0x10 or higher */
	uint8_t pad[3];
};

ABI_SIZE(struct xen_hvm_evtchn_upcall_vector, 8);
ABI_OFFSET(struct xen_hvm_evtchn_upcall_vector, vcpu, 0);
ABI_OFFSET(struct xen_hvm_evtchn_upcall_vector, vector, 4);
ABI_OFFSET(struct xen_hvm_evtchn_upcall_vector, pad, 5);

/* Parameters. */
#define HVM_PARAM_CALLBACK_IRQ          0
#define HVM_PARAM_STORE_PFN             1
#define HVM_PARAM_STORE_EVTCHN          2
#define HVM_PARAM_IOREQ_PFN             5
#define HVM_PARAM_BUFIOREQ_PFN          6
#define HVM_PARAM_VIRIDIAN              9
#define HVM_PARAM_TIMER_MODE            10
#define HVM_PARAM_HPET_ENABLED          11
#define HVM_PARAM_IDENT_PT              12
#define HVM_PARAM_ACPI_S_STATE          14
#define HVM_PARAM_VM86_TSS              15
#define HVM_PARAM_VPT_ALIGN             16
#define HVM_PARAM_CONSOLE_PFN           17
#define HVM_PARAM_CONSOLE_EVTCHN        18
#define HVM_PARAM_ACPI_IOPORTS_LOCATION 19
#define HVM_PARAM_PAGING_RING_PFN       27
#define HVM_PARAM_MONITOR_RING_PFN      28
#define HVM_PARAM_SHARING_RING_PFN      29
#define HVM_PARAM_TRIPLE_FAULT_REASON   31
#define HVM_PARAM_IOREQ_SERVER_PFN      32
#define HVM_PARAM_NR_IOREQ_SERVER_PAGES 33
#define HVM_PARAM_VM_GENERATION_ID_ADDR 34
#define HVM_PARAM_ALTP2M                35
#define HVM_PARAM_X87_FIP_WIDTH         36
#define HVM_PARAM_VM86_TSS_SIZED        37
#define HVM_PARAM_MCA_CAP               38
#define HVM_NR_PARAMS                   39

/* HVM_PARAM_CALLBACK_IRQ: the top byte says how to read the rest. 0 turns the callback off. */
#define HVM_PARAM_CALLBACK_IRQ_TYPE_SHIFT 56
#define HVM_PARAM_CALLBACK_IRQ_TYPE_MASK  0xff00000000000000ULL
#define HVM_PARAM_CALLBACK_TYPE_GSI       0
#define HVM_PARAM_CALLBACK_TYPE_PCI_INTX  1
#define HVM_PARAM_CALLBACK_TYPE_VECTOR    2 /* low byte: vector, on any vCPU, without an EOI */

#endif /* LODGE_ABI_HVM_H */
