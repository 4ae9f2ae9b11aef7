/*
 * The hypervisor's CPUID leaves. A guest looks for the signature at 0x40000000 and, in steps of
 * 0x100, above.
 */
#ifndef LODGE_ABI_CPUID_H
#define LODGE_ABI_CPUID_H

#define XEN_CPUID_FIRST_LEAF     0x40000000U
#define XEN_CPUID_LEAF(i)        (XEN_CPUID_FIRST_LEAF + (i))
#define XEN_CPUID_MAX_NUM_LEAVES 5U

/* Leaf 0. EAX: highest leaf; EBX, ECX, EDX: "XenVMMXenVMM". */
#define XEN_CPUID_SIGNATURE_EBX 0x566e6558U
#define XEN_CPUID_SIGNATURE_ECX 0x65584d4dU
#define XEN_CPUID_SIGNATURE_EDX 0x4d4d566eU

/* Leaf 1. EAX: major << 16 | minor. */

/* Leaf 2. EAX: hypercall pages; EBX: the MSR that fills them; ECX, EDX: features for PV guests.
 * Entry n of the page is at n * 32 and may use EAX only. */
#define XEN_HYPERCALL_MSR             0x40000000U
#define XEN_HYPERCALL_PAGE_ENTRY_SIZE 32U

/* Leaf 3: time. Sub-leaf 0: EAX flags, EBX TSC mode, ECX kHz, EDX incarnation. Sub-leaf 1: EAX, EBX
 * offset, ECX multiplier, EDX shift. Sub-leaf 2: EAX host kHz. */
#define XEN_CPUID_TSC_EMULATED (1U << 0)
#define XEN_CPUID_TSC_SAFE     (1U << 1)
#define XEN_CPUID_TSC_RDTSCP   (1U << 2)

/* Leaf 4. EAX: flags; EBX: vCPU id; ECX: domain id. */
#define XEN_HVM_CPUID_APIC_ACCESS_VIRT (1U << 0)
#define XEN_HVM_CPUID_X2APIC_VIRT      (1U << 1)
#define XEN_HVM_CPUID_IOMMU_MAPPINGS   (1U << 2) /* foreign pages may be used for DMA */
#define XEN_HVM_CPUID_VCPU_ID_PRESENT  (1U << 3)
#define XEN_HVM_CPUID_DOMID_PRESENT    (1U << 4)
#define XEN_HVM_CPUID_EXT_DEST_ID      (1U << 5) /* 15-bit APIC ids in MSI addresses */
#define XEN_HVM_CPUID_UPCALL_VECTOR    (1U << 6) /* HVMOP_set_evtchn_upcall_vector works */

/* Leaf 5. EAX[7:0]: width of machine addresses, PV guests only. */
#define XEN_CPUID_MACHINE_ADDRESS_WIDTH_MASK 0xffU

#endif /* LODGE_ABI_CPUID_H */
