/*
 * xen_version(cmd, arg): version numbers, strings and feature bits.
 */
#ifndef LODGE_ABI_VERSION_H
#define LODGE_ABI_VERSION_H

#include "xen.h"

#define XENVER_version             0 /* result: major << 16 | minor */
#define XENVER_extraversion        1
#define XENVER_compile_info        2
#define XENVER_capabilities        3
#define XENVER_changeset           4
#define XENVER_platform_parameters 5
#define XENVER_get_features        6
#define XENVER_pagesize            7 /* result: 4096 */
#define XENVER_guest_handle        8 /* out: xen_domain_handle_t */
#define XENVER_commandline         9
#define XENVER_build_id            10

#define XEN_EXTRAVERSION_LEN      16
#define XEN_CAPABILITIES_INFO_LEN 1024
#define XEN_CHANGESET_INFO_LEN    64
#define XEN_COMMANDLINE_LEN       1024

/* The interface version that Lodge claims in XENVER_version and in CPUID. */
#define LODGE_CLAIMED_XEN_MAJOR 4U
#define LODGE_CLAIMED_XEN_MINOR 17U

struct xen_compile_info {
	char compiler[64];
	char compile_by[16];
	char compile_domain[32];
	char compile_date[32];
};

ABI_SIZE(struct xen_compile_info, 144);
ABI_OFFSET(struct xen_compile_info, compiler, 0);
ABI_OFFSET(struct xen_compile_info, compile_by, 64);
ABI_OFFSET(struct xen_compile_info, compile_domain, 80);
ABI_OFFSET(struct xen_compile_info, compile_date, 112);

struct xen_platform_parameters {
	uint64_t virt_start; /* PV guests only */
};

ABI_SIZE(struct xen_platform_parameters, 8);
ABI_OFFSET(struct xen_platform_parameters, virt_start, 0);

struct compat_xen_platform_parameters {
	uint32_t virt_start;
};

ABI_SIZE(struct compat_xen_platform_parameters, 4);
ABI_OFFSET(struct compat_xen_platform_parameters, virt_start, 0);

struct xen_feature_info {
	uint32_t submap_idx;
	uint32_t submap; /* out: bit n is feature submap_idx * 32 + n */
};

ABI_SIZE(struct xen_feature_info, 8);
ABI_OFFSET(struct xen_feature_info, submap_idx, 0);
ABI_OFFSET(struct xen_feature_info, submap, 4);

#define XENFEAT_NR_SUBMAPS 1

#define XENFEAT_writable_page_tables       0
#define XENFEAT_writable_descriptor_tables 1
#define XENFEAT_auto_translated_physmap    2
#define XENFEAT_supervisor_mode_kernel     3
#define XENFEAT_pae_pgdir_above_4gb        4
#define XENFEAT_mmu_pt_update_preserve_ad  5
#define XENFEAT_highmem_assist             6
#define XENFEAT_gnttab_map_avail_bits      7
#define XENFEAT_hvm_callback_vector        8
#define XENFEAT_hvm_safe_pvclock           9
#define XENFEAT_hvm_pirqs                  10
#define XENFEAT_dom0                       11
#define XENFEAT_memory_op_vnode_supported  13
#define XENFEAT_ARM_SMCCC_supported        14
#define XENFEAT_linux_rsdp_unrestricted    15
#define XENFEAT_not_direct_mapped          16
#define XENFEAT_direct_mapped              17

/* Called with NULL it returns the length of the id; otherwise len is the room in buf. */
struct xen_build_id {
	uint32_t len;
	uint8_t buf[];
};

ABI_SIZE(struct xen_build_id, 4);
ABI_OFFSET(struct xen_build_id, len, 0);
ABI_OFFSET(struct xen_build_id, buf, 4);

#endif /* LODGE_ABI_VERSION_H */
