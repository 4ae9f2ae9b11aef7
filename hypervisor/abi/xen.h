/*
 * The base of the guest ABI: hypercall numbers, domain ids, virtual interrupts, the shared info
 * page with its clocks and event bits, multicall and vm_assist.
 *
 * Structures have the layout of a 64-bit guest; compat_* twins have the one of a 32-bit guest and
 * exist only where the two differ. A pointer to guest memory is a plain integer that holds a guest
 * linear address: 64 bits wide here, 32 in the twins.
 */
#ifndef LODGE_ABI_XEN_H
#define LODGE_ABI_XEN_H

#include "errno.h"
#include "layout.h"

/* Hypercall numbers. The number goes in RAX, up to five arguments in RDI, RSI, RDX, R10, R8
 * (EBX, ECX, EDX, ESI, EDI for a 32-bit caller), the result comes back in RAX. */
#define __HYPERVISOR_set_trap_table                0
#define __HYPERVISOR_mmu_update                    1
#define __HYPERVISOR_set_gdt                       2
#define __HYPERVISOR_stack_switch                  3
#define __HYPERVISOR_set_callbacks                 4
#define __HYPERVISOR_fpu_taskswitch                5
#define __HYPERVISOR_sched_op_compat               6
#define __HYPERVISOR_platform_op                   7
#define __HYPERVISOR_set_debugreg                  8
#define __HYPERVISOR_get_debugreg                  9
#define __HYPERVISOR_update_descriptor             10
#define __HYPERVISOR_memory_op                     12
#define __HYPERVISOR_multicall                     13
#define __HYPERVISOR_update_va_mapping             14
#define __HYPERVISOR_set_timer_op                  15
#define __HYPERVISOR_event_channel_op_compat       16
#define __HYPERVISOR_xen_version                   17
#define __HYPERVISOR_console_io                    18
#define __HYPERVISOR_physdev_op_compat             19
#define __HYPERVISOR_grant_table_op                20
#define __HYPERVISOR_vm_assist                     21
#define __HYPERVISOR_update_va_mapping_otherdomain 22
#define __HYPERVISOR_iret                          23
#define __HYPERVISOR_vcpu_op                       24
#define __HYPERVISOR_set_segment_base              25
#define __HYPERVISOR_mmuext_op                     26
#define __HYPERVISOR_xsm_op                        27
#define __HYPERVISOR_nmi_op                        28
#define __HYPERVISOR_sched_op                      29
#define __HYPERVISOR_callback_op                   30
#define __HYPERVISOR_xenoprof_op                   31
#define __HYPERVISOR_event_channel_op              32
#define __HYPERVISOR_physdev_op                    33
#define __HYPERVISOR_hvm_op                        34
#define __HYPERVISOR_sysctl                        35
#define __HYPERVISOR_domctl                        36
#define __HYPERVISOR_kexec_op                      37
#define __HYPERVISOR_tmem_op                       38
#define __HYPERVISOR_argo_op                       39
#define __HYPERVISOR_xenpmu_op                     40
#define __HYPERVISOR_dm_op                         41
#define __HYPERVISOR_hypfs_op                      42
#define __HYPERVISOR_arch_0                        48 /* machine checks on x86 */
#define __HYPERVISOR_arch_1                        49
#define __HYPERVISOR_arch_2                        50
#define __HYPERVISOR_arch_3                        51
#define __HYPERVISOR_arch_4                        52
#define __HYPERVISOR_arch_5                        53
#define __HYPERVISOR_arch_6                        54
#define __HYPERVISOR_arch_7                        55

#define XEN_PAGE_SHIFT 12
#define XEN_PAGE_SIZE  4096

/* Domain ids. Real domains are numbered below DOMID_FIRST_RESERVED. */
typedef uint16_t domid_t;
typedef uint64_t xen_pfn_t;
typedef uint64_t xen_ulong_t;

#define DOMID_FIRST_RESERVED 0x7ff0U
#define DOMID_SELF           0x7ff0U /* the caller */
#define DOMID_IO             0x7ff1U /* owner of machine MMIO and RAM that no domain owns */
#define DOMID_XEN            0x7ff2U /* the hypervisor */
#define DOMID_COW            0x7ff3U /* owner of shared pages; unused by Lodge */
#define DOMID_INVALID        0x7ff4U /* matches no domain */
#define DOMID_IDLE           0x7fffU
#define DOMID_MASK           0x7fffU

/* Virtual interrupts. TIMER, DEBUG, XENOPROF and XENPMU exist once for each vCPU, the others once
 * for the machine and belong to the service VM. */
#define VIRQ_TIMER      0
#define VIRQ_DEBUG      1
#define VIRQ_CONSOLE    2 /* bytes received on the emergency console */
#define VIRQ_DOM_EXC    3 /* a domain was shut down, died or was paused */
#define VIRQ_TBUF       4 /* trace buffer has records */
#define VIRQ_DEBUGGER   6 /* a domain paused for its debugger */
#define VIRQ_XENOPROF   7
#define VIRQ_CON_RING   8 /* bytes received on the console */
#define VIRQ_PCPU_STATE 9 /* a physical CPU went on or off line */
#define VIRQ_MEM_EVENT  10
#define VIRQ_ARGO       11
#define VIRQ_ENOMEM     12
#define VIRQ_XENPMU     13
#define VIRQ_ARCH_0     16 /* machine check on x86 */
#define VIRQ_ARCH_1     17
#define VIRQ_ARCH_2     18
#define VIRQ_ARCH_3     19
#define VIRQ_ARCH_4     20
#define VIRQ_ARCH_5     21
#define VIRQ_ARCH_6     22
#define VIRQ_ARCH_7     23
#define NR_VIRQS        24

/* vm_assist(cmd, type) */
#define VMASST_CMD_enable                0
#define VMASST_CMD_disable               1
#define VMASST_TYPE_4gb_segments         0
#define VMASST_TYPE_4gb_segments_notify  1
#define VMASST_TYPE_writable_pagetables  2
#define VMASST_TYPE_pae_extended_cr3     3
#define VMASST_TYPE_architectural_iopl   4
#define VMASST_TYPE_runstate_update_flag 5 /* the only type that means something to a PVH guest */
#define VMASST_TYPE_m2p_strict           32

/* Start-of-day flags (hvm_start_info.flags). */
#define SIF_PRIVILEGED (1U << 0)
#define SIF_INITDOMAIN (1U << 1)

/* multicall(entries, nr_calls): each entry is one hypercall, run in order. */
struct multicall_entry {
	uint64_t op;
	uint64_t result; /* out */
	uint64_t args[6];
};

ABI_SIZE(struct multicall_entry, 64);
ABI_OFFSET(struct multicall_entry, op, 0);
ABI_OFFSET(struct multicall_entry, result, 8);
ABI_OFFSET(struct multicall_entry, args, 16);

struct compat_multicall_entry {
	uint32_t op;
	uint32_t result;
	uint32_t args[6];
};

ABI_SIZE(struct compat_multicall_entry, 32);
ABI_OFFSET(struct compat_multicall_entry, op, 0);
ABI_OFFSET(struct compat_multicall_entry, result, 4);
ABI_OFFSET(struct compat_multicall_entry, args, 8);

/*
 * The paravirtual clock of one vCPU: the same for 64-bit and 32-bit guests.
 *
 * A reader computes
 *	delta = tsc - tsc_timestamp, shifted left by tsc_shift (right if negative)
 *	ns    = system_time + ((delta * tsc_to_system_mul) >> 32)
 * and starts again if version was odd or has changed meanwhile.
 */
struct vcpu_time_info {
	uint32_t version; /* odd while the hypervisor writes */
	uint32_t pad0;
	uint64_t tsc_timestamp;
	uint64_t system_time; /* ns */
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags; /* XEN_PVCLOCK_* */
	uint8_t pad1[2];
};

#define XEN_PVCLOCK_TSC_STABLE_BIT (1U << 0) /* comparable between vCPUs without a lock */
#define XEN_PVCLOCK_GUEST_STOPPED  (1U << 1)

ABI_SIZE(struct vcpu_time_info, 32);
ABI_OFFSET(struct vcpu_time_info, version, 0);
ABI_OFFSET(struct vcpu_time_info, pad0, 4);
ABI_OFFSET(struct vcpu_time_info, tsc_timestamp, 8);
ABI_OFFSET(struct vcpu_time_info, system_time, 16);
ABI_OFFSET(struct vcpu_time_info, tsc_to_system_mul, 24);
ABI_OFFSET(struct vcpu_time_info, tsc_shift, 28);
ABI_OFFSET(struct vcpu_time_info, flags, 29);
ABI_OFFSET(struct vcpu_time_info, pad1, 30);

struct arch_vcpu_info {
	uint64_t cr2; /* PV guests only */
	uint64_t pad;
};

ABI_SIZE(struct arch_vcpu_info, 16);
ABI_OFFSET(struct arch_vcpu_info, cr2, 0);
ABI_OFFSET(struct arch_vcpu_info, pad, 8);

struct compat_arch_vcpu_info {
	uint32_t cr2;
	uint32_t pad[5];
};

ABI_SIZE(struct compat_arch_vcpu_info, 24);
ABI_OFFSET(struct compat_arch_vcpu_info, cr2, 0);
ABI_OFFSET(struct compat_arch_vcpu_info, pad, 4);

/*
 * What a vCPU shares with the hypervisor. It lives in shared_info for the first 32 vCPUs until
 * VCPUOP_register_vcpu_info moves it elsewhere.
 */
struct vcpu_info {
	uint8_t evtchn_upcall_pending; /* set by the hypervisor, cleared by the guest */
	uint8_t evtchn_upcall_mask;    /* PV guests only */
	uint8_t pad0[6];
	uint64_t evtchn_pending_sel; /* 2-level events: which words of evtchn_pending to look at */
	struct arch_vcpu_info arch;
	struct vcpu_time_info time;
};

ABI_SIZE(struct vcpu_info, 64);
ABI_OFFSET(struct vcpu_info, evtchn_upcall_pending, 0);
ABI_OFFSET(struct vcpu_info, evtchn_upcall_mask, 1);
ABI_OFFSET(struct vcpu_info, pad0, 2);
ABI_OFFSET(struct vcpu_info, evtchn_pending_sel, 8);
ABI_OFFSET(struct vcpu_info, arch, 16);
ABI_OFFSET(struct vcpu_info, time, 32);

struct compat_vcpu_info {
	uint8_t evtchn_upcall_pending;
	uint8_t evtchn_upcall_mask;
	uint8_t pad0[2];
	uint32_t evtchn_pending_sel;
	struct compat_arch_vcpu_info arch;
	struct vcpu_time_info time;
};

ABI_SIZE(struct compat_vcpu_info, 64);
ABI_OFFSET(struct compat_vcpu_info, evtchn_upcall_pending, 0);
ABI_OFFSET(struct compat_vcpu_info, evtchn_upcall_mask, 1);
ABI_OFFSET(struct compat_vcpu_info, pad0, 2);
ABI_OFFSET(struct compat_vcpu_info, evtchn_pending_sel, 4);
ABI_OFFSET(struct compat_vcpu_info, arch, 8);
ABI_OFFSET(struct compat_vcpu_info, time, 32);

/* All but nmi_reason serves PV guests and stays zero. */
struct arch_shared_info {
	uint64_t max_pfn;
	uint64_t pfn_to_mfn_frame_list_list;
	uint64_t nmi_reason;
	uint64_t p2m_cr3;
	uint64_t p2m_vaddr;
	uint64_t p2m_generation;
};

ABI_SIZE(struct arch_shared_info, 48);
ABI_OFFSET(struct arch_shared_info, max_pfn, 0);
ABI_OFFSET(struct arch_shared_info, pfn_to_mfn_frame_list_list, 8);
ABI_OFFSET(struct arch_shared_info, nmi_reason, 16);
ABI_OFFSET(struct arch_shared_info, p2m_cr3, 24);
ABI_OFFSET(struct arch_shared_info, p2m_vaddr, 32);
ABI_OFFSET(struct arch_shared_info, p2m_generation, 40);

struct compat_arch_shared_info {
	uint32_t max_pfn;
	uint32_t pfn_to_mfn_frame_list_list;
	uint32_t nmi_reason;
	uint32_t p2m_cr3;
	uint32_t p2m_vaddr;
	uint32_t p2m_generation;
	uint32_t wc_sec_hi; /* in shared_info itself for 64-bit guests */
};

ABI_SIZE(struct compat_arch_shared_info, 28);
ABI_OFFSET(struct compat_arch_shared_info, max_pfn, 0);
ABI_OFFSET(struct compat_arch_shared_info, pfn_to_mfn_frame_list_list, 4);
ABI_OFFSET(struct compat_arch_shared_info, nmi_reason, 8);
ABI_OFFSET(struct compat_arch_shared_info, p2m_cr3, 12);
ABI_OFFSET(struct compat_arch_shared_info, p2m_vaddr, 16);
ABI_OFFSET(struct compat_arch_shared_info, p2m_generation, 20);
ABI_OFFSET(struct compat_arch_shared_info, wc_sec_hi, 24);

#define XEN_LEGACY_MAX_VCPUS 32 /* vCPUs that have a vcpu_info in shared_info */

/*
 * The page every domain shares with the hypervisor (XENMAPSPACE_shared_info).
 *
 * wc_* is UTC at system_time 0, under wc_version in the way of vcpu_time_info.version.
 */
struct shared_info {
	struct vcpu_info vcpu_info[XEN_LEGACY_MAX_VCPUS];
	uint64_t evtchn_pending[64]; /* 2-level events: one bit for each port */
	uint64_t evtchn_mask[64];
	uint32_t wc_version;
	uint32_t wc_sec;
	uint32_t wc_nsec;
	uint32_t wc_sec_hi;
	struct arch_shared_info arch;
};

ABI_SIZE(struct shared_info, 3136);
ABI_OFFSET(struct shared_info, vcpu_info, 0);
ABI_OFFSET(struct shared_info, evtchn_pending, 2048);
ABI_OFFSET(struct shared_info, evtchn_mask, 2560);
ABI_OFFSET(struct shared_info, wc_version, 3072);
ABI_OFFSET(struct shared_info, wc_sec, 3076);
ABI_OFFSET(struct shared_info, wc_nsec, 3080);
ABI_OFFSET(struct shared_info, wc_sec_hi, 3084);
ABI_OFFSET(struct shared_info, arch, 3088);

struct compat_shared_info {
	struct compat_vcpu_info vcpu_info[XEN_LEGACY_MAX_VCPUS];
	uint32_t evtchn_pending[32];
	uint32_t evtchn_mask[32];
	uint32_t wc_version;
	uint32_t wc_sec;
	uint32_t wc_nsec;
	struct compat_arch_shared_info arch;
};

ABI_SIZE(struct compat_shared_info, 2344);
ABI_OFFSET(struct compat_shared_info, vcpu_info, 0);
ABI_OFFSET(struct compat_shared_info, evtchn_pending, 2048);
ABI_OFFSET(struct compat_shared_info, evtchn_mask, 2176);
ABI_OFFSET(struct compat_shared_info, wc_version, 2304);
ABI_OFFSET(struct compat_shared_info, wc_sec, 2308);
ABI_OFFSET(struct compat_shared_info, wc_nsec, 2312);
ABI_OFFSET(struct compat_shared_info, arch, 2316);

/* A domain's handle: the UUID the toolstack gave it. */
typedef uint8_t xen_domain_handle_t[16];

ABI_SIZE(xen_domain_handle_t, 16);

#endif /* LODGE_ABI_XEN_H */
